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
from numba import cuda, typeof
from numba.cuda.simulator import kernelapi

from gpuheat import Backend, FrameLayout, InputError, get_backend
from gpuheat.backends import numba_arrays
from gpuheat.backends.numba_cuda import NumbaCudaBackend
from gpuheat.grid import BinGrid
from gpuheat.kernels import geometry, numba_cuda
from gpuheat.pixels import YUV_TO_BGR, YuvToBgr

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


def count(
    simulated: Backend, planes: Planes, layout: FrameLayout, before: Planes = (), **options: Any
) -> list[npt.NDArray[Any]]:
    """Counts, sums of weights and moved pixels, from frames of which the first, or ``before``, is the previous one."""
    pairs = len(planes[0]) - 1
    counts = simulated.zeros(planes[0].shape[1:3], np.uint32)
    decayed = simulated.zeros(planes[0].shape[1:3], np.float64)
    moved = simulated.zeros((pairs,), np.uint32)
    previous, frames = before or tuple(plane[0] for plane in planes), tuple(plane[1:] for plane in planes)
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


def placed(simulated: Backend, plane: Any, offset: int, gap: int, turn: int, between: int = 0) -> Any:
    """A plane on the device, from so many bytes behind a multiple of 16 on, with gaps between its rows and frames."""
    frames, rows = plane.shape[:2]
    pitch, item = plane[0, 0].size + gap, plane[0, 0, 0].size
    stride = rows * pitch + between
    memory = simulated.zeros((offset + 15 + frames * stride,), np.uint8)
    begin = numba_arrays.address(memory)
    begin += -begin % 16 + offset + ((frames - 1) * stride + (rows - 1) * pitch if turn < 0 else 0)
    strides = (turn * stride, turn * pitch, item, 1)[: plane.ndim]
    view = numba_arrays.on_memory_of(memory, begin, plane.shape, strides, np.uint8)
    view[...] = plane
    return view


OFFSETS = [0, 1, 2, 4, 8, 16]


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("gap", OFFSETS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_all_that_16_bytes_can_be_aligned_to(
    simulated: Backend,
    numpy_backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    layout: FrameLayout,
    gap: int,
    turn: int,
) -> None:
    """Of U and V of yuv420p half as many bytes are loaded at once: halves of all distances are as good."""
    launch, wide = numba_arrays.launch, []

    def note(kernel: numba_cuda.Kernel, how: geometry.Launch, *arguments: Any) -> None:
        if kernel in numba_cuda.MOTION.values():
            wide.append(arguments[-2][0])
        launch(kernel, how, *arguments)

    monkeypatch.setattr(numba_arrays, "launch", note)
    planes = noise(layout, 4, 4, 32)
    want = count(numpy_backend, planes, layout)
    for offset in OFFSETS:
        scales = [2 if layout.pixel_format == "yuv420p" and i > 0 else 1 for i in range(3)]
        on_device = [
            placed(simulated, plane, offset // scale, gap // scale, turn)
            for plane, scale in zip(planes, scales, strict=False)
        ]
        assert_equal(count(simulated, tuple(on_device), layout), want)
    levels = {0: 16, 1: 1, 2: 1, 4: 1 if layout.pixel_format == "yuv420p" else 4, 8: 4, 16: 16}
    assert wide == [min(levels[gap], levels[offset]) for offset in OFFSETS]


@pytest.mark.parametrize("gap", [1, 8])
@pytest.mark.parametrize("which", ["rows before", "rows", "frames"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_one_distance_that_is_less_aligned(
    simulated: Backend, numpy_backend: Backend, layout: FrameLayout, which: str, gap: int
) -> None:
    """What the kernel loads first, the second frame here, lies at a multiple of 16 all the same."""
    planes = noise(layout, 4, 4, 32)
    before = tuple(placed(simulated, plane, 0, gap if which == "rows before" else 16, 1)[0] for plane in planes)
    rows, frames = gap if which == "rows" else 16, gap if which == "frames" else 0
    on_device = tuple(placed(simulated, plane, -frames % 16, rows, 1, frames) for plane in planes)
    assert_equal(count(simulated, on_device, layout, before), count(numpy_backend, planes, layout))


@pytest.mark.parametrize("gap", [0, 32])
@pytest.mark.parametrize("width", [1, 15, 16, 17, 31, 33, 48])
@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_any_width(simulated: Backend, numpy_backend: Backend, layout: FrameLayout, width: int, gap: int) -> None:
    """With rows that follow each other, and with rows that are aligned; all counted, and a part of the pixels."""
    width += width % 2 if layout.planar else 0
    planes = noise(layout, 5, 6, width)
    halves = [2 if layout.pixel_format == "yuv420p" and i > 0 else 1 for i in range(len(planes))]
    gaps = [gap // half - plane[0, 0].size % (gap // half or 1) for plane, half in zip(planes, halves, strict=True)]
    on_device = tuple(placed(simulated, plane, 0, each, 1) for plane, each in zip(planes, gaps, strict=True))
    mask = np.random.default_rng(1).choice(np.array([0, 1, 255], np.uint8), (6, width))
    assert_equal(count(simulated, on_device, layout), count(numpy_backend, planes, layout))
    got = count(simulated, on_device, layout, mask=simulated.asarray(mask))
    assert_equal(got, count(numpy_backend, planes, layout, mask=mask))


@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_counts_that_begin_anywhere(simulated: Backend, numpy_backend: Backend, layout: FrameLayout) -> None:
    """What is already counted stays, and so does what lies beside it."""
    planes = noise(layout, 4, 6, 20)
    before = np.random.default_rng(0).integers(0, 2**31, (9, 20)).astype(np.uint32)
    want = before[2:8] + count(numpy_backend, planes, layout)[0]
    on_device = tuple(map(simulated.asarray, planes))
    previous, frames = tuple(plane[0] for plane in on_device), tuple(plane[1:] for plane in on_device)
    for offset in range(4):
        memory = simulated.zeros((before.size + 8,), np.uint32)
        first = -numba_arrays.address(memory) % 16 // 4 + offset
        around = memory[first : first + before.size].reshape(before.shape)
        around[...] = before
        simulated.add_motion(
            previous if layout.planar else previous[0],
            frames if layout.planar else frames[0],
            layout,
            threshold=12,
            moved=simulated.zeros((3,), np.uint32),
            counts=around[2:8],
        )
        got = simulated.to_host(around)
        np.testing.assert_array_equal(got[2:8], want)
        np.testing.assert_array_equal(np.delete(got, np.s_[2:8], axis=0), np.delete(before, np.s_[2:8], axis=0))


def test_a_conversion_of_more_than_16_bits_is_refused(simulated: Backend) -> None:
    layout = FrameLayout("nv12", YuvToBgr(16, 9539, 32768, -3209, -6660, 16525))
    planes = noise(layout, 2, 4, 6)
    with pytest.raises(InputError, match=r"^numba-cuda takes colour conversions of 16 bits with sign, .*32768"):
        count(simulated, tuple(map(simulated.asarray, planes)), layout)


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


@pytest.mark.parametrize("threads", [4, 16, 40])
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
        for size in (499, 498):  # no multiple of the 4 points a thread has under way
            there = each.asarray(x[:size]), each.asarray(y[:size])
            each.add_points(histogram, grid, *there, each.asarray(weight[:size]))
            each.add_points(histogram, grid, *there)
        sums.append(each.to_host(histogram))
    np.testing.assert_array_equal(sums[0], sums[1])
    assert sums[0].max() > 2**32


def runs(rng: np.random.Generator, bins: int) -> Any:
    """Each bin for a while."""
    return np.repeat(rng.integers(0, bins, 200), rng.integers(2, 12, 200))[:400]


HOT: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "mixed": lambda rng, bins: rng.integers(0, bins, 400),
    "in turn, each for a lane": lambda _rng, bins: np.arange(400) // 4 % bins,
    "in turn, each for 8 lanes": lambda _rng, bins: np.arange(400) // 32 % bins,
    "in turn, each for a point": lambda _rng, bins: np.arange(400) % bins,
    "runs": runs,
}


class Calls:
    """Counts the calls of a function of the simulator."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.number = 0
        function = getattr(owner, name)

        def counted(*arguments: Any) -> Any:
            self.number += 1
            return function(*arguments)

        monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize(("hot", "nx"), [(1, 7), (2, 500), (3, 7), (3, 500), (7, 7)])
@pytest.mark.parametrize("order", HOT)
def test_hot_bins(monkeypatch: pytest.MonkeyPatch, order: str, hot: int, nx: int) -> None:
    """Sums are exact, and a warp adds once to a bin that 8 lanes share, for each point its threads have under way."""
    rng, threads, size = np.random.default_rng(hot), 64, 399
    which = HOT[order](rng, hot)[:size]
    weight = rng.integers(2**32 - 1000, 2**32, size, np.uint32)
    backend = NumbaCudaBackend(threads=threads)
    histogram, x = backend.zeros((1, nx), np.uint64), backend.asarray((which + 0.5).astype(np.float32))
    how = geometry.numba_histogram(size, nx, backend._limits, threads)
    assert (how.shared > 0) == (nx == 7)  # private bins
    adds = Calls(monkeypatch, kernelapi.FakeCUDAAtomic, "add")
    backend.add_points(
        histogram, BinGrid(nx, 1, float(nx), 1.0), x, backend.zeros((size,), np.float32), backend.asarray(weight)
    )
    assert backend.to_host(histogram)[0].tolist() == [int(weight[which == i].sum(dtype=np.uint64)) for i in range(nx)]

    warps, turns = threads // 32, -(-size // (4 * threads))
    if 8 * hot <= 32:
        sums = (4 * turns + how.grid[0]) * warps * hot
        assert adds.number <= (2 * sums + how.grid[0] * hot if how.shared > 0 else sums)  # with what is carried


@pytest.mark.parametrize("threads", [16, 64])
def test_points_that_spread_out_are_not_added_up_first(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    backend = NumbaCudaBackend(threads=threads)
    histogram, x = backend.zeros((1, 600), np.uint64), backend.asarray(np.arange(600) + 0.5)
    matches = Calls(monkeypatch, kernelapi.FakeCUDAModule, "match_any_sync")
    backend.add_points(histogram, BinGrid(600, 1, 600.0, 1.0), x, backend.zeros((600,), np.float64))
    assert backend.to_host(histogram).tolist() == [[1] * 600]
    blocks = geometry.numba_histogram(600, 600, backend._limits, threads).grid[0]
    assert matches.number == blocks * threads  # at the end


# ---- warps -----------------------------------------------------------------------------------------------------------

ALL_LANES = np.uint32(0xFFFFFFFF)


@cuda.jit  # type: ignore[untyped-decorator]
def use_warps(values: Any, mask: Any, matches: Any, votes: Any, turned: Any, raised: Any) -> None:
    """Each of the simulated warp functions once, by the lanes of the mask."""
    thread = cuda.threadIdx.x
    lane, first = thread % 32, thread - thread % 32
    value = values[thread]
    if mask >> np.uint32(lane) & np.uint32(1) != 0:
        matches[thread] = np.uint32(cuda.match_any_sync(mask, value))
        votes[thread] = np.uint32(cuda.ballot_sync(mask, value > 1))
    if mask == ALL_LANES:
        turned[thread] = cuda.shfl_sync(mask, value, min(32, cuda.blockDim.x - first) - 1 - lane)
        raised[thread] = cuda.shfl_up_sync(mask, value, 2)


@pytest.mark.parametrize("threads", [1, 5, 16, 32, 33, 64, 100])
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64])
def test_warp_functions_do_what_they_do_on_a_gpu(dtype: Any, threads: int) -> None:
    for seed in range(2):
        values = np.random.default_rng(seed).integers(-1, 4, threads).astype(dtype)
        matches, votes = np.zeros(threads, np.uint32), np.zeros(threads, np.uint32)
        turned, raised = np.zeros(threads, dtype), np.zeros(threads, dtype)
        use_warps[1, threads](values, ALL_LANES, matches, votes, turned, raised)
        for first in range(0, threads, 32):
            warp = values[first : first + 32].tolist()
            for lane, value in enumerate(warp):
                assert matches[first + lane] == sum(1 << other for other, its in enumerate(warp) if its == value)
                assert votes[first + lane] == sum(1 << other for other, its in enumerate(warp) if its > 1)
                assert turned[first + lane] == warp[len(warp) - 1 - lane]
                assert raised[first + lane] == (warp[lane - 2] if lane >= 2 else value)


def test_lanes_that_are_not_in_the_mask_do_not_count() -> None:
    values, matches, votes = np.full(32, 2, np.int32), np.zeros(32, np.uint32), np.zeros(32, np.uint32)
    use_warps[1, 32](values, np.uint32(0xF00000F0), matches, votes, values, values)
    lanes = np.isin(np.arange(32), [4, 5, 6, 7, 28, 29, 30, 31])
    assert matches.tolist() == votes.tolist() == np.where(lanes, 0xF00000F0, 0).tolist()


@cuda.jit  # type: ignore[untyped-decorator]
def stray(kind: int, values: Any) -> None:
    """Threads of a warp that do not come together, and what has no defined result."""
    thread = cuda.threadIdx.x
    if kind == 0 and thread != 3:
        cuda.ballot_sync(ALL_LANES, True)
    if kind == 1:
        if thread == 3:
            cuda.syncthreads()
        cuda.ballot_sync(ALL_LANES, True)
        if thread != 3:
            cuda.syncthreads()
    if kind == 2:
        if thread == 3:
            cuda.match_any_sync(ALL_LANES, values[0])
        else:
            cuda.ballot_sync(ALL_LANES, True)
    if kind == 3:
        cuda.ballot_sync(np.uint32(0xFF) if thread == 3 else ALL_LANES, True)
    if kind == 4:
        cuda.ballot_sync(np.uint32(0xF7), True)
    if kind == 5:
        cuda.shfl_sync(ALL_LANES, values[0], 8)
    if kind == 6:
        cuda.match_any_sync(ALL_LANES, np.uint32(1))
    if kind == 7:
        cuda.shfl_up_sync(ALL_LANES, 1, 1)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            0,
            r"lanes \[0, 1, 2, 4, 5, 6, 7\] of the warp of thread 0 wait in ballot_sync .* lane 3, which has ended$",
        ),
        (1, r"ballot_sync at .* for lane 3, which waits for the block at .*numba_in_simulator.py:\d+$"),
        (2, r"lane \d is in (ballot|match_any)_sync, and others of its warp in (ballot|match_any)_sync"),
        (3, r"wait in ballot_sync at .* for lane \d, which waits in ballot_sync at .*numba_in_simulator.py:\d+$"),
        (4, r"lane 3 is not in its own mask 0x000000f7"),
        (5, r"shfl_sync: lane 8 does not take part"),
        (6, r"match_any_sync takes int32, int64, float32, float64, got uint32"),
        (7, r"shfl_up_sync takes int32, .*, got int"),
    ],
)
def test_what_a_gpu_leaves_undefined_is_an_error(kind: int, said: str) -> None:
    with pytest.raises((RuntimeError, TypeError), match=said):
        stray[1, 8](kind, np.zeros(1, np.int32))


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

    def type_of(argument: Any) -> Any:
        if isinstance(argument, tuple):
            return tuple(map(type_of, argument))
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

    def compiled(name: Any) -> Any:
        if isinstance(name, tuple):
            return tuple(map(compiled, name))
        return f"array({name.removesuffix('[]')}, 1d, C)" if name.endswith("[]") else name

    assert set(launched) == set(numba_cuda.every())
    for kernel, types in launched.items():
        assert types == list(map(compiled, kernel.arguments))
