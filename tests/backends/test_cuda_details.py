"""Details of the backend cupy that its results do not show on most inputs: loads of every width, sums at a limit.

Everything lies on the device in views with distances of its own, so that none can stand for another.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, count
from typing import Any

import numpy as np
import pytest
import reference
from cuda_on_cpu.host_cupy import HostCupy
from numpy.typing import NDArray

from gpuheat import BinGrid, FrameLayout, MotionCounter, get_backend
from gpuheat.backends import cuda_upload
from gpuheat.backends import cupy as cupy_backend
from gpuheat.backends.cupy import CupyBackend
from gpuheat.errors import BackendError, DeviceMemoryError
from gpuheat.kernels import cuda_source, geometry
from gpuheat.motion import pairs
from gpuheat.pixels import YUV_TO_BGR

pytestmark = pytest.mark.once

LAYOUTS = {
    "gray8": FrameLayout.GRAY8,
    "bgr24": FrameLayout.BGR24,
    "yuv420p": FrameLayout("yuv420p", YUV_TO_BGR["bt601", "limited"]),
    "nv12": FrameLayout("nv12", YUV_TO_BGR["bt709", "full"]),
}


@pytest.fixture
def launched() -> tuple[CupyBackend, list[str]]:
    """A backend, and the names of the kernels it launches for the first time."""
    names: list[str] = []

    def load(module: Any, kernel: cuda_source.Kernel) -> Any:
        names.append(kernel.name)
        return cupy_backend.compiled(module, kernel)

    return CupyBackend(module=HostCupy(), load=load), names


class Strided:
    """A view of an array on the device: any shape, from any byte on, at any distances."""

    def __init__(self, array: Any, first: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        described = array.__cuda_array_interface__
        self.array = array
        self.__cuda_array_interface__ = described | {
            "shape": shape,
            "strides": strides,
            "data": (described["data"][0] + first, False),
        }


def laid_out(backend: CupyBackend, plane: NDArray[np.uint8], first: int, pitch: int, stride: int) -> Any:
    """(frames, rows, ...) on the device, from the byte ``first`` of an allocation on, other bytes between the rows."""
    frames, rows = plane.shape[:2]
    row = plane[0, 0].nbytes
    assert pitch >= row
    assert stride >= rows * pitch
    memory = np.random.default_rng(first).integers(0, 256, first + frames * stride, np.uint8)
    inside = np.lib.stride_tricks.as_strided(memory[first:], (frames, rows, row), (stride, pitch, 1))
    inside[...] = plane.reshape(frames, rows, row)
    return backend.asarray(Strided(backend.asarray(memory), first, plane.shape, (stride, pitch, *plane.strides[2:])))


def noise(shape: tuple[int, ...], seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(90, 150, shape, np.uint8)


@pytest.mark.parametrize("decayed", [False, True])
@pytest.mark.parametrize("alignment", [16, 4, 1])
@pytest.mark.parametrize("pixel_format", LAYOUTS)
@pytest.mark.parametrize(("height", "width"), [(256, 32), (6, 38)], ids=["blocks without a rest", "rests everywhere"])
def test_every_distance_of_every_plane_is_its_own(
    launched: tuple[CupyBackend, list[str]], height: int, width: int, pixel_format: str, alignment: int, decayed: bool
) -> None:
    backend, names = launched
    layout, distances = LAYOUTS[pixel_format], count(1, 2)
    planes = [noise((4, *shape), i) for i, shape in enumerate(layout.plane_shapes(height, width))]
    on_device = []
    for i, plane in enumerate(planes):
        unit = 8 if pixel_format == "yuv420p" and i > 0 and alignment == 16 else alignment
        for part in (plane[:1], plane[1:]):
            first, between, behind = (unit * next(distances) for _ in range(3))
            pitch = -(-part[0, 0].nbytes // 16) * 16 + between
            on_device.append(laid_out(backend, part, first, pitch, -(-part.shape[1] * pitch // 16) * 16 + behind))
    previous, frames = [part[0] for part in on_device[::2]], on_device[1::2]
    mask = np.random.default_rng(9).choice(np.array([0, 1, 128], np.uint8), (height, width))
    weights = np.array([0.5, 3.0, 0.1]) if decayed else None

    results = []
    for each, before, batch in (
        (get_backend("numpy"), [plane[0] for plane in planes], [plane[1:] for plane in planes]),
        (backend, previous, frames),
    ):
        arrays = [each.zeros((3,), np.uint32), each.zeros((height, width), np.uint32)]
        arrays += [each.zeros((height, width), np.float64)] if decayed else []
        each.add_motion(
            tuple(before) if layout.planar else before[0],
            tuple(batch) if layout.planar else batch[0],
            layout,
            threshold=12,
            moved=arrays[0],
            counts=arrays[1],
            mask=each.asarray(mask),
            decayed=arrays[2] if decayed else None,
            weights=weights,
        )
        results.append([each.to_host(array) for array in arrays])
    for wanted, got in zip(*results, strict=True):
        assert wanted.any()
        np.testing.assert_array_equal(got, wanted)
    assert names == [f"motion_{pixel_format}_align{alignment}{'_decayed' if decayed else ''}"]


VIEWS: dict[str, Callable[[Any], Any]] = {
    "upside down": lambda video: video[:, ::-1],
    "left to right": lambda video: video[:, :, ::-1],
    "every other column": lambda video: video[:, :, ::2],
    "every other row": lambda video: video[:, ::2],
    "swapped channels": lambda video: video[..., ::-1],
    "backwards": lambda video: video[::-1],
}


@pytest.mark.parametrize("of", ["previous", "frames"])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_of_frames_on_the_device(view: Callable[[Any], Any], of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CupyBackend, "pairs_at_once", 2)
    backend, video = CupyBackend(module=HostCupy()), noise((6, 10, 34, 3), 1)
    seen, turned = view(video), view(backend.asarray(video))
    packed = backend.asarray(np.ascontiguousarray(seen))
    previous, frames = (turned[0], packed[1:]) if of == "previous" else (packed[0], turned[1:])
    moved, counts = backend.zeros((5,), np.uint32), backend.zeros(seen.shape[1:3], np.uint32)
    sums: dict[str, Any] = {"counts": counts, "decayed": backend.zeros(seen.shape[1:3], np.float64)}
    weights = np.array([0.1, 0.7, 3.0, 5.5, 9.0])
    backend.add_motion(previous, frames, FrameLayout.BGR24, threshold=12, moved=moved, weights=weights, **sums)
    wanted_moved, wanted_counts, wanted_decayed = reference.motion(seen[0], seen[1:], 12, weights=weights)
    np.testing.assert_array_equal(backend.to_host(sums["decayed"]), wanted_decayed)
    np.testing.assert_array_equal(backend.to_host(moved), wanted_moved)
    np.testing.assert_array_equal(backend.to_host(counts), wanted_counts)


@pytest.mark.parametrize("name", ["x", "y", "weight"])
@pytest.mark.parametrize(("first", "step", "width"), [(0, 1, 16), (1, 1, 1), (4, 1, 16), (0, 2, 16), (0, -1, 16)])
def test_views_of_points_on_the_device(
    launched: tuple[CupyBackend, list[str]], name: str, first: int, step: int, width: int
) -> None:
    backend, names = launched
    random = np.random.default_rng(2)
    host: dict[str, Any] = {
        "x": random.uniform(-1, 10, 400).astype(np.float32),
        "y": random.uniform(-1, 7, 400).astype(np.float32),
        "weight": random.integers(0, 2**32, 400).astype(np.uint32),
    }
    on_device = {key: backend.asarray(values) for key, values in host.items()}
    whole = np.zeros((first + 400) * abs(step), host[name].dtype)
    whole[first:][::step][:400] = host[name]
    on_device[name] = backend.asarray(whole)[first:][::step][:400]
    histogram = backend.zeros((6, 9), np.uint64)
    backend.add_points(histogram, BinGrid(9, 6, 9.0, 6.0), **on_device)
    wanted = reference.histogram(host["x"], host["y"], (9, 6), (9.0, 6.0), host["weight"])
    np.testing.assert_array_equal(backend.to_host(histogram), wanted)
    assert names == [f"histogram_float_in_float_align{width}_weighted_shared"]


def test_a_weight_of_zero_carries_nothing() -> None:
    """Each point in a bin of its own, so that no other weight comes with it."""
    backend = CupyBackend(module=HostCupy())
    x, histogram = np.arange(64) + 0.5, backend.zeros((1, 64), np.uint64)
    weight = np.arange(64, dtype=np.uint32) % 3
    backend.add_points(histogram, BinGrid(64, 1, 64.0, 1.0), *map(backend.asarray, (x, np.full(64, 0.5), weight)))
    assert backend.to_host(histogram)[0].tolist() == weight.tolist()


def test_coordinates_farthest_from_the_edge_they_are_at() -> None:
    """Rounding carries this product by more than 1.4 eps * bins over the edge that the coordinate lies on."""
    backend, grid = CupyBackend(module=HostCupy()), BinGrid(1393, 1, 130.42235869541636, 1.0)
    edge = 128.45619248392765
    assert 1372 - edge * (grid.nx / grid.width) > 1.4 * np.finfo(np.float64).eps * grid.nx
    x, histogram = np.array([np.nextafter(edge, 0), edge]), backend.zeros(grid.shape, np.uint64)
    backend.add_points(histogram, grid, *map(backend.asarray, (x, np.full(2, 0.5))))
    wanted = np.histogram(x, np.linspace(0, grid.width, grid.nx + 1))[0]
    assert wanted[1371:1373].tolist() == [1, 1]
    np.testing.assert_array_equal(backend.to_host(histogram)[0], wanted)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12"])
def test_planar_frames_that_do_not_fit_are_halved_too(pixel_format: str) -> None:
    layout = LAYOUTS[pixel_format]
    video = tuple(noise((9, *shape), i) for i, shape in enumerate(layout.plane_shapes(512, 1024)))
    results = []
    for backend in ("numpy", CupyBackend(module=HostCupy(memory=12 << 20))):  # 6.75 MiB of frames, in two copies
        counter = MotionCounter(512, 1024, threshold=12, backend=backend)
        counter.push(video, layout=layout)
        results.append(counter.result())
    np.testing.assert_array_equal(results[1].counts, results[0].counts)
    np.testing.assert_array_equal(results[1].moved, results[0].moved)


def test_two_frames_that_do_not_fit_go_one_by_one() -> None:
    video = noise((3, 512, 682, 3), 8)  # 1 MiB each
    counter = MotionCounter(512, 682, threshold=12, backend=CupyBackend(module=HostCupy(memory=7 << 20)))
    counter.push(video[0])
    counter.push(video[1:])
    wanted = MotionCounter(512, 682, threshold=12, backend="numpy")
    wanted.push(video)
    np.testing.assert_array_equal(counter.result().counts, wanted.result().counts)


@pytest.mark.parametrize(
    "batches",
    [(3, 2, 3), (4, 1, 4), (5, 5), (2, 9, 1, 3), (6, 4, 2, 2, 2)],
    ids=["one more than fits", "exactly filled", "larger at once", "larger in between", "as large again"],
)
def test_moved_pixels_of_all_pairs_come_back_in_order(
    batches: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "PAIRS_ON_DEVICE", 4)
    video = noise((1 + sum(batches), 8, 9, 3), 4)
    counter = MotionCounter(8, 9, threshold=12, backend=CupyBackend(module=HostCupy()))
    counter.push(video[0])
    for last, batch in zip(accumulate(batches), batches, strict=True):
        counter.push(video[1 + last - batch : 1 + last])
    np.testing.assert_array_equal(counter.result().moved, reference.motion(video[0], video[1:], 12)[0])


def test_memory_that_runs_out_within_a_batch_is_told_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair in the middle changed too much: those before it are counted when the memory for those behind is short."""
    backend = CupyBackend(module=HostCupy())
    video = noise((6, 8, 9, 3), 5)
    video[3:] += 100
    counter = MotionCounter(8, 9, threshold=12, max_changed=0.9, backend=backend)
    calls = count()
    own = backend.add_motion

    def short_at_last(*arguments: Any, **options: Any) -> None:
        if next(calls) == 2:  # the first only looks, the second counts the pairs before the cut
            raise DeviceMemoryError("short")
        own(*arguments, **options)

    monkeypatch.setattr(backend, "add_motion", short_at_last)
    with pytest.raises(BackendError, match="the counts are incomplete, for memory ran out within a batch: short"):
        counter.push(video)
    assert next(calls) == 3


@pytest.mark.parametrize("which", ["previous", "previous pitch", "frames", "pitch", "stride"])
@pytest.mark.parametrize(
    ("pixel_format", "place", "by"),
    [
        *(("gray8", 0, by) for by in (4, 8)),
        *(("nv12", place, by) for place in (0, 1) for by in (4, 8)),
        *(("yuv420p", place, by) for place, by in ((0, 4), (0, 8), (1, 4), (2, 4))),  # 8 would do for U and V
    ],
)
def test_one_distance_alone_makes_loads_narrower(
    launched: tuple[CupyBackend, list[str]], pixel_format: str, place: int, by: int, which: str
) -> None:
    backend, names = launched
    layout = LAYOUTS[pixel_format]
    planes = [noise((3, *shape), i) for i, shape in enumerate(layout.plane_shapes(4, 32))]
    previous, frames = [], []
    for i, plane in enumerate(planes):
        off = {which: by} if i == place else {}
        rows = plane.shape[1]
        previous.append(laid_out(backend, plane[:1], off.get("previous", 0), 48 + off.get("previous pitch", 0), 512)[0])
        pitch, stride = 48 + off.get("pitch", 0), rows * 64 + off.get("stride", 0)
        frames.append(laid_out(backend, plane[1:], off.get("frames", 0), pitch, stride))
    wanted, got = np.zeros((4, 32), np.uint32), backend.zeros((4, 32), np.uint32)
    for each, before, batch, counts in (
        (get_backend("numpy"), [plane[0] for plane in planes], [plane[1:] for plane in planes], wanted),
        (backend, previous, frames, got),
    ):
        one, more = (tuple(before), tuple(batch)) if layout.planar else (before[0], batch[0])
        each.add_motion(one, more, layout, threshold=12, moved=each.zeros((2,), np.uint32), counts=counts)
    np.testing.assert_array_equal(backend.to_host(got), wanted)
    assert names == [f"motion_{pixel_format}_align4"]


@pytest.mark.parametrize("weighted", [False, True])
def test_hot_bins_and_others_in_one_warp(weighted: bool) -> None:
    random = np.random.default_rng(7)
    x = np.tile([3.5] * 12 + [5.5] * 9 + [0.5, 1.5, 2.5, 4.5, 6.5, 7.5, -1.0, 3.0, 9.0, 7.5, 0.5], 8)
    x = np.concatenate([random.permutation(part) for part in x.reshape(8, 32)])
    y = np.full(x.size, 0.5)
    weight = random.integers(0, 2**32, x.size).astype(np.uint32) if weighted else None
    backend = CupyBackend(module=HostCupy())
    histogram = backend.zeros((1, 8), np.uint64)
    on_device = None if weight is None else backend.asarray(weight)
    backend.add_points(histogram, BinGrid(8, 1, 8.0, 1.0), backend.asarray(x), backend.asarray(y), on_device)
    wanted = reference.histogram(x, y, (8, 1), (8.0, 1.0), weight)
    np.testing.assert_array_equal(backend.to_host(histogram), wanted)


@pytest.mark.parametrize("shape", [(64, 128), (128, 256)], ids=str)
@pytest.mark.parametrize("sigma", [1.0, 8.0])
def test_blur_of_whole_tiles_and_with_one_weight_more_than_fits(shape: tuple[int, int], sigma: float) -> None:
    """With sigma 8 there are 65 weights, and 64 are under way at once."""
    assert 2 * reference.blur_radius(8.0) == geometry.BLUR_TAPS
    image = np.random.default_rng(3).uniform(90, 100, shape).astype(np.float32)
    backend = CupyBackend(module=HostCupy())
    got = backend.to_host(backend.gaussian_blur(backend.asarray(image), sigma))
    tolerance = reference.blur_tolerance(reference.blur_radius(sigma), 100.0)
    np.testing.assert_allclose(got, reference.blur(image, sigma), rtol=0, atol=tolerance)


def test_uploads_of_all_sizes_through_small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_upload, "LARGEST", 1024)
    monkeypatch.setattr(cuda_upload, "SMALLEST", 64)
    backend = CupyBackend(module=HostCupy())
    for size in (64, 64, 65, 65, 512, 513, 1024, 1025, 5000):
        values = np.random.default_rng(size).integers(0, 256, size, np.uint8)
        np.testing.assert_array_equal(backend.to_host(backend.asarray(values)), values)
    values = np.arange(600.0)[::2]
    np.testing.assert_array_equal(backend.to_host(backend.asarray(values)), values)
    assert [buffer.pinned.size for buffer in backend._uploader._buffers if buffer is not None] == [1024, 1024]


def test_an_upload_that_does_not_fit_leaves_all_memory_free() -> None:
    mebi = 1 << 20
    cupy = HostCupy(memory=12 * mebi)
    backend = CupyBackend(module=cupy)
    for _ in range(2):
        backend.asarray(np.zeros(mebi, np.uint8))
    with pytest.raises(DeviceMemoryError):
        backend.asarray(np.zeros(11 * mebi, np.uint8))
    assert cupy.empty(12 * mebi, np.uint8).nbytes == 12 * mebi


def test_memory_of_uploads_under_way_is_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_upload, "SMALLEST", 1024)
    backend = CupyBackend(module=HostCupy(order="needed"))
    arrays = [backend.asarray(np.full(1000, value, np.uint8)) for value in (1, 2)]
    backend._uploader._release()
    later = [backend.asarray(np.full(1000, value, np.uint8)) for value in (3, 4)]
    assert [backend.to_host(array)[0] for array in arrays + later] == [1, 2, 3, 4]


def test_the_stream_of_uploads_belongs_to_the_device() -> None:
    assert CupyBackend(1, module=HostCupy(devices=2))._uploader._engine._stream.device_id == 1  # type: ignore[attr-defined]


def test_two_rows_at_a_distance_that_is_no_multiple(launched: tuple[CupyBackend, list[str]]) -> None:
    backend, names = launched
    video = noise((2, 2, 32), 3)
    frames = laid_out(backend, video[1:], 0, 36, 80)
    counts = backend.zeros((2, 32), np.uint32)
    moved = backend.zeros((1,), np.uint32)
    previous = backend.asarray(video[0])
    backend.add_motion(previous, frames, FrameLayout.GRAY8, threshold=12, moved=moved, counts=counts)
    np.testing.assert_array_equal(backend.to_host(counts), reference.motion(video[0], video[1:], 12)[1])
    assert names == ["motion_gray8_align4"]


def test_pairs_behind_one_that_is_left_out_weigh_by_their_own_times() -> None:
    video, times = noise((6, 8, 9, 3), 5), np.array([0.0, 0.3, 1.0, 2.5, 4.0, 4.1])
    video[3:] += 100
    whole, parts = (
        MotionCounter(8, 9, threshold=12, max_changed=0.9, half_life=1.0, backend=CupyBackend(module=HostCupy()))
        for _ in range(2)
    )
    whole.push(video, times)
    parts.push(video[:3], times[:3])
    parts.cut()
    parts.push(video[3:], times[3:])
    assert whole.pairs == parts.pairs + 1
    np.testing.assert_array_equal(whole.result().decayed, parts.result().decayed)


def test_synchronize_leaves_nothing_to_do() -> None:
    cupy = HostCupy()
    backend = CupyBackend(module=cupy)
    backend.asarray(np.ones(9))
    assert cupy._queues.pending
    backend.synchronize()
    assert not cupy._queues.pending


@pytest.mark.parametrize("view", [lambda image: image[:, ::2], lambda image: image.T], ids=["with gaps", "turned"])
def test_blur_of_a_view_on_the_device(view: Callable[[Any], Any]) -> None:
    image = np.random.default_rng(6).uniform(0, 100, (9, 26)).astype(np.float32)
    backend = CupyBackend(module=HostCupy())
    packed = backend.gaussian_blur(backend.asarray(np.ascontiguousarray(view(image))), 1.0)
    got = backend.gaussian_blur(view(backend.asarray(image)), 1.0)
    np.testing.assert_array_equal(backend.to_host(got), backend.to_host(packed))
