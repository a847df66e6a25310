"""The Numba kernels in Numba's simulator of a GPU; test_numba_simulator.py runs this file in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from numba import typeof

from gpuheat import Backend, FrameLayout, InputError, get_backend
from gpuheat.backends import numba_arrays
from gpuheat.backends.numba_cuda import NumbaCudaBackend
from gpuheat.grid import BinGrid
from gpuheat.kernels import geometry, numba_cuda
from gpuheat.pixels import YUV_TO_BGR

Planes = tuple[Any, ...]

LAYOUTS = [
    FrameLayout.GRAY8,
    FrameLayout.BGR24,
    FrameLayout("yuv420p", YUV_TO_BGR["bt709", "limited"]),
    FrameLayout("nv12", YUV_TO_BGR["bt601", "full"]),
]
NAMES = [layout.pixel_format for layout in LAYOUTS]


def noise(layout: FrameLayout, frames: int, height: int, width: int, seed: int = 0) -> Planes:
    """Frames whose values lie close to each other, in steps that repeat now and then."""
    rng = np.random.default_rng(seed)
    shapes = layout.plane_shapes(height, width)
    planes = [(100 + 8 * rng.integers(0, 6, (frames, *shape))).astype(np.uint8) for shape in shapes]
    for plane in planes:
        plane[1::3] = plane[: len(plane[1::3]) * 3 : 3]  # nothing moves in every third pair
    return tuple(planes)


def count(simulated: Backend, planes: Planes, layout: FrameLayout, **options: Any) -> list[npt.NDArray[Any]]:
    """Counts, sums of weights and moved pixels, from frames of which the first is the previous one."""
    pairs = len(planes[0]) - 1
    counts = simulated.zeros(planes[0].shape[1:3], np.uint32)
    decayed = simulated.zeros(planes[0].shape[1:3], np.float64)
    moved = simulated.zeros((pairs,), np.uint32)
    previous, frames = tuple(plane[0] for plane in planes), tuple(plane[1:] for plane in planes)
    simulated.add_motion(
        previous if layout.planar else previous[0],
        frames if layout.planar else frames[0],
        layout,
        threshold=12,
        moved=moved,
        counts=counts,
        decayed=decayed,
        weights=np.geomspace(1e-6, 1e6, pairs),
        **options,
    )
    return [simulated.to_host(array) for array in (counts, decayed, moved)]


def assert_equal(got: list[npt.NDArray[Any]], want: list[npt.NDArray[Any]]) -> None:
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
    assert all(array.any() for array in want)


@pytest.fixture(scope="module")
def simulated() -> NumbaCudaBackend:
    assert numba_arrays.SIMULATED
    return NumbaCudaBackend()


@pytest.fixture(scope="module")
def numpy_backend() -> Backend:
    return get_backend("numpy")


# ---- motion ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_more_pairs_than_one_launch_takes(simulated: Backend, numpy_backend: Backend, layout: FrameLayout) -> None:
    planes = noise(layout, 2 * geometry.NUMBA_PAIRS + 4, 4, 6)
    on_device = tuple(map(simulated.asarray, planes))
    assert_equal(count(simulated, on_device, layout), count(numpy_backend, planes, layout))


@pytest.mark.parametrize("threads", [4, 8, 64, 128])
@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_threads_of_a_block_do_not_change_the_result(numpy_backend: Backend, layout: FrameLayout, threads: int) -> None:
    backend = NumbaCudaBackend(threads=threads)
    planes = noise(layout, 4, 10, 18)
    on_device = tuple(map(backend.asarray, planes))
    assert_equal(count(backend, on_device, layout), count(numpy_backend, planes, layout))


VIEWS: dict[str, Callable[[Any], Any]] = {
    "whole": lambda plane: plane,
    "padded by 4": lambda plane: plane[:, :, :-4],
    "padded by 1": lambda plane: plane[:, :, :-1] if plane.shape[2] % 2 else plane[:, :, :-2],
    "not aligned": lambda plane: plane[:, :, 1:-1] if plane.shape[2] % 2 == 0 else plane[:, :, 1:],
    "upside down": lambda plane: plane[:, ::-1],
    "backwards": lambda plane: plane[::-1],
    "backwards, upside down, padded": lambda plane: plane[::-1, ::-1, :-4],
    "every other frame": lambda plane: plane[::2],
    "left to right": lambda plane: plane[:, :, ::-1],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("layout", LAYOUTS[:2], ids=NAMES[:2])
def test_how_frames_lie_on_the_device_does_not_matter(
    simulated: Backend, numpy_backend: Backend, layout: FrameLayout, view: Callable[[Any], Any]
) -> None:
    planes = noise(layout, 7, 5, 16)
    on_device = tuple(view(simulated.asarray(plane)) for plane in planes)
    assert_equal(count(simulated, on_device, layout), count(numpy_backend, tuple(map(view, planes)), layout))


@pytest.mark.parametrize("gap", [0, 2, 4])
@pytest.mark.parametrize("first", [0, 2, 4])
@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("layout", LAYOUTS[2:], ids=NAMES[2:])
def test_how_planes_lie_on_the_device_does_not_matter(
    simulated: Backend, numpy_backend: Backend, layout: FrameLayout, turn: int, first: int, gap: int
) -> None:
    """Windows into larger planes, their rows from the top or from the bottom."""

    def window(plane: Any) -> Any:
        scale = 1 if plane.shape[2] == 24 else 2
        return plane[::turn, ::turn, first // scale : first // scale + (16 - gap) // scale]

    planes = noise(layout, 5, 6, 24)
    on_device = tuple(window(simulated.asarray(plane)) for plane in planes)
    assert_equal(count(simulated, on_device, layout), count(numpy_backend, tuple(map(window, planes)), layout))


@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_a_mask(simulated: Backend, numpy_backend: Backend, layout: FrameLayout) -> None:
    planes = noise(layout, 4, 6, 10)
    mask = np.random.default_rng(1).choice(np.array([0, 1, 255], np.uint8), (6, 10))
    on_device = tuple(map(simulated.asarray, planes))
    got = count(simulated, on_device, layout, mask=simulated.asarray(mask))
    assert_equal(got, count(numpy_backend, planes, layout, mask=mask))


@pytest.mark.real_data
@pytest.mark.parametrize("pixel_format", ["yuv420p", "bgr24", "gray8"])
def test_a_piece_of_a_real_clip(simulated: Backend, numpy_backend: Backend, real_data: Path, pixel_format: Any) -> None:
    """48 x 64 px around what moved most, every tenth frame."""
    layout = next(layout for layout in LAYOUTS if layout.pixel_format == pixel_format)
    with av.open(str(real_data / "video" / "opencv" / "vtest.avi")) as clip:
        frames = list(islice(clip.decode(video=0), 0, 40, 10))
    grey = np.stack([frame.to_ndarray(format="gray") for frame in frames])
    change = cv2.absdiff(grey[0], grey[3])[24:-24, 32:-32]
    top, left = (2 * (place // 2) for place in np.unravel_index(np.argmax(change), change.shape))
    whole = np.stack([frame.to_ndarray(format=pixel_format) for frame in frames]) if layout != LAYOUTS[0] else grey
    if layout.planar:
        height, width = grey.shape[1:]
        luma, u, v = np.split(whole.reshape(4, -1), [height * width, height * width * 5 // 4], axis=1)
        half = np.s_[:, top // 2 : top // 2 + 24, left // 2 : left // 2 + 32]
        halves = (chroma.reshape(4, height // 2, width // 2)[half] for chroma in (u, v))
        planes: Planes = (luma.reshape(grey.shape)[:, top : top + 48, left : left + 64], *halves)
    else:
        planes = (whole[:, top : top + 48, left : left + 64],)
    on_device = tuple(map(simulated.asarray, planes))
    assert_equal(count(simulated, on_device, layout), count(numpy_backend, planes, layout))


# ---- points ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [4, 16, 64])
@pytest.mark.parametrize("bins", [1, 7, 40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_points_in_private_and_in_global_bins(numpy_backend: Backend, dtype: Any, bins: int, threads: int) -> None:
    """Sums beyond 32 bits, and runs of points in one bin."""
    rng = np.random.default_rng(bins)
    x, y = np.repeat(rng.uniform(-1, 11, (2, 100)), 5, axis=1).astype(dtype)
    weight = rng.integers(2**31, 2**32, 500, np.uint32)
    grid = BinGrid(bins, bins, 10.0, 10.0)
    backend = NumbaCudaBackend(threads=threads)
    private = geometry.numba_histogram(500, bins * bins, backend._limits).shared > 0
    assert private == (bins < 40)
    sums = []
    for each in (backend, numpy_backend):
        histogram = each.zeros(grid.shape, np.uint64)
        for _ in range(2):
            each.add_points(histogram, grid, each.asarray(x), each.asarray(y), each.asarray(weight))
            each.add_points(histogram, grid, each.asarray(x), each.asarray(y))
        sums.append(each.to_host(histogram))
    np.testing.assert_array_equal(sums[0], sums[1])
    assert sums[0].max() > 2**32


# ---- blur and copies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 8, 64])
@pytest.mark.parametrize("sigma", [0.5, 9.0])
def test_threads_of_a_block_do_not_change_a_blur(simulated: Backend, threads: int, sigma: float) -> None:
    image = np.random.default_rng(0).uniform(0, 1, (11, 37)).astype(np.float32)
    other = NumbaCudaBackend(threads=threads)
    got, want = (each.to_host(each.gaussian_blur(each.asarray(image), sigma)) for each in (other, simulated))
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a[::-1, ::2, ::-3],
        lambda a: a[1, :, 2:5],
        lambda a: a[:, 3, ::-1],
        lambda a: a[None, ..., 1],
        lambda a: a[0, 0, 0, ...],
        lambda a: a[2:2],
    ],
)
def test_copies_between_arrays_that_lie_differently(simulated: Backend, view: Callable[[Any], Any], dtype: Any) -> None:
    values = np.arange(3 * 6 * 7).reshape(3, 6, 7).astype(dtype)
    np.testing.assert_array_equal(
        simulated.to_host(simulated.copy(view(simulated.asarray(values)))), view(values), strict=True
    )
    target, source = simulated.zeros(values.shape, dtype), simulated.asarray(view(values).copy())
    numba_arrays.assign(view(target), source)
    want = np.zeros_like(values)
    view(want)[...] = view(values)
    np.testing.assert_array_equal(simulated.to_host(target), want)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2, 3), np.float32), ((3, 3), np.float64), ((1, 1, 1, 1, 1), np.float32)]
)
def test_what_cannot_be_copied_is_refused(simulated: Backend, shape: tuple[int, ...], dtype: Any) -> None:
    target = simulated.zeros((3, 3) if len(shape) < 5 else shape, np.float32)
    with pytest.raises(InputError, match=r"^cannot copy"):
        numba_arrays.assign(target, simulated.zeros(shape, dtype))


# ---- launches --------------------------------------------------------------------------------------------------------


def test_kernels_get_the_types_they_are_compiled_for(simulated: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Numba takes the arguments for is what test_numba_cuda.py compiles, and every kernel is launched."""
    launched = {}

    def note(kernel: numba_cuda.Kernel, _how: geometry.Launch, *arguments: Any) -> None:
        launched[kernel] = [type_of(argument) for argument in numba_arrays.arguments_of(kernel, arguments)]

    def type_of(argument: Any) -> str:
        if isinstance(argument, numba_arrays.DeviceArray):
            packed = "C" if argument.flags["C_CONTIGUOUS"] else "A"
            return f"array({argument.dtype}, {argument.ndim}d, {packed})"
        return str(typeof(argument))  # type: ignore[no-untyped-call]

    monkeypatch.setattr(numba_arrays, "launch", note)
    for layout in LAYOUTS:
        count(simulated, tuple(map(simulated.asarray, noise(layout, 3, 4, 6))), layout)
    for dtype, nx in ((np.float32, 3), (np.float32, 1 << 20), (np.float64, 3)):
        grid = BinGrid(nx, 1, 1.0, 1.0)
        x = simulated.zeros((2,), dtype)
        simulated.add_points(simulated.zeros(grid.shape, np.uint64), grid, x, x)
    simulated.gaussian_blur(simulated.zeros((2, 2), np.float32), 1.0)
    simulated.copy(simulated.zeros((4,), np.float32)[::2])

    assert set(launched) == set(numba_cuda.every())
    for kernel, types in launched.items():
        assert types == [
            f"array({name.removesuffix('[]')}, 1d, C)" if name.endswith("[]") else name for name in kernel.arguments
        ]
