"""The backend cupy beyond the contract: memory that runs short, streams, devices, other libraries' arrays.

All of it on a stand-in for CuPy that keeps its rules, and breaks in its places (tests/cuda_on_cpu).
"""

from __future__ import annotations

import ctypes
import logging
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from cuda_on_cpu.host_cupy import CUDARuntimeError, HostArray, HostCupy, OutOfMemoryError
from cuda_on_cpu.streams import Event, Stream
from numpy.typing import NDArray

from gpuheat import BinGrid, FixationCounter, FrameLayout, MotionCounter, motion_heatmap
from gpuheat.backends import cuda, cuda_upload, get_backend
from gpuheat.backends import cupy as cupy_backend
from gpuheat.backends.cuda_packages import CUPY
from gpuheat.backends.cupy import CupyBackend
from gpuheat.errors import BackendUnavailableError, DeviceMemoryError, InputError
from gpuheat.kernels import cuda_source, geometry

pytestmark = pytest.mark.once

MIB = 1 << 20


def noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 60, shape, np.uint8)


def counted(frames: NDArray[np.uint8], backend: Any, **options: Any) -> MotionCounter:
    counter = MotionCounter(*frames.shape[1:3], threshold=12, backend=backend, **options)
    counter.push(frames)
    return counter


# --- memory that runs short -------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [2, 7, 40])
@pytest.mark.parametrize("mebibytes", [13, 16, 24])
def test_a_batch_that_does_not_fit_is_halved_until_it_does(frames: int, mebibytes: int) -> None:
    video = noise((frames, 512, 682, 3), frames)  # 1 MiB each
    times = np.arange(frames) / 25
    short = counted_with_times(video, times, CupyBackend(module=HostCupy(memory=mebibytes * MIB)))
    enough = counted_with_times(video, times, "numpy")
    np.testing.assert_array_equal(short.counts, enough.counts)
    np.testing.assert_array_equal(short.moved, enough.moved)
    np.testing.assert_array_equal(short.decayed, enough.decayed)
    assert short.times is not None
    assert short.times.tolist() == times[1:].tolist()


def counted_with_times(video: NDArray[np.uint8], times: NDArray[np.float64], backend: Any) -> Any:
    counter = MotionCounter(*video.shape[1:3], threshold=12, half_life=1.0, backend=backend)
    counter.push(video, times)
    return counter.result()


def test_what_does_not_fit_frame_by_frame_is_an_error_and_the_counts_stay() -> None:
    cupy = HostCupy(memory=20 * MIB)
    backend = CupyBackend(module=cupy)
    counter = MotionCounter(512, 682, threshold=12, backend=backend)
    video = noise((12, 512, 682, 3))
    counter.push(video[:5])
    before = counter.result()
    backend._uploader._release()
    hog = taken(cupy)
    with pytest.raises(DeviceMemoryError, match=r"^GPU 0 has \d of 20 MiB left, which is not enough: Out of memory"):
        counter.push(video[5:])
    after = counter.result()
    assert counter.pairs == 4
    np.testing.assert_array_equal(after.counts, before.counts)
    del hog
    counter.push(video[5:])  # and it goes on once there is memory
    np.testing.assert_array_equal(counter.result().counts, counted(video, "numpy").result().counts)


def taken(cupy: HostCupy) -> list[Any]:
    """All of the device's memory, but for less than half a MiB."""
    arrays: list[Any] = []
    while True:
        try:
            arrays.append(cupy.empty(MIB // 2, np.uint8))
        except OutOfMemoryError:
            return arrays


def test_frames_on_the_gpu_are_halved_too() -> None:
    """Rows that are not packed have to be copied, for which half of the batch at a time would suffice."""
    cupy = HostCupy(memory=28 * MIB)
    backend = CupyBackend(module=cupy)
    video = noise((8, 512, 682, 3))  # 1 MiB each
    frames = backend.asarray(np.ascontiguousarray(video[:, :, ::-1]))[:, :, ::-1]
    backend._uploader._release()
    counter = MotionCounter(512, 682, threshold=12, backend=backend)
    hog = [cupy.empty(MIB // 2, np.uint8) for _ in range(20)]
    counter.push(frames)
    np.testing.assert_array_equal(counter.result().counts, counted(video, "numpy").result().counts)
    hog += taken(cupy)
    with pytest.raises(DeviceMemoryError):
        counter.push(frames)
    assert counter.pairs == 7


def test_a_buffer_that_grows_makes_room_for_itself_first() -> None:
    backend = CupyBackend(module=HostCupy(memory=21 * MIB))
    for size in (4, 4, 8):  # 4 MiB of the other buffer, 8 of the array and 8 of its buffer: 4 more do not fit
        assert backend.to_host(backend.asarray(np.full(size * MIB, size, np.uint8)))[-1] == size


@pytest.mark.parametrize(("status", "error"), [(2, DeviceMemoryError), (700, CUDARuntimeError)])
def test_pinned_memory_that_runs_short_is_no_other_failure(
    monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    cupy = HostCupy()

    def failing(_size: int) -> Any:
        failure = CUDARuntimeError("from the driver")
        failure.status = status
        raise failure

    monkeypatch.setattr(cupy.cuda, "alloc_pinned_memory", failing)
    with pytest.raises(error, match="from the driver"):
        CupyBackend(module=cupy).asarray(np.zeros(3))


def test_counts_that_do_not_fit_are_an_error() -> None:
    backend = CupyBackend(module=HostCupy(memory=MIB))
    with pytest.raises(DeviceMemoryError, match="GPU 0 has 1 of 1 MiB left"):
        MotionCounter(1024, 1024, backend=backend)


# --- streams ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["needed", "others", "random"])
@pytest.mark.parametrize("largest", [4096, 1 << 28])
def test_uploads_and_kernels_run_in_the_right_order(order: Any, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_upload, "LARGEST", largest)
    monkeypatch.setattr(cuda_upload, "SMALLEST", 1024)
    video, buffer = noise((30, 40, 50, 3)), np.empty((3, 40, 50, 3), np.uint8)
    for seed in range(5):
        backend = CupyBackend(module=HostCupy(order=order, seed=seed))
        counter = MotionCounter(40, 50, threshold=12, backend=backend)
        for first in range(0, 30, 3):
            buffer[...] = video[first : first + 3]  # the caller's memory, written to again at once
            counter.push(buffer)
        np.testing.assert_array_equal(counter.result().counts, reference.motion(video[0], video[1:], 12)[1])


def test_the_host_waits_for_nothing_but_a_free_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[str] = []

    def noted(kind: Any, name: str) -> None:
        own = getattr(kind, name)

        def method(it: Any, *arguments: Any, **options: Any) -> Any:
            waits.append(f"{kind.__name__}.{name}")
            return own(it, *arguments, **options)

        monkeypatch.setattr(kind, name, method)

    counter = MotionCounter(40, 50, threshold=12, backend=CupyBackend(module=HostCupy()))
    for kind, name in ((Event, "synchronize"), (Stream, "synchronize"), (HostArray, "get")):
        noted(kind, name)
    video = noise((50, 40, 50, 3))
    for first in range(0, 50, 5):
        counter.push(video[first : first + 5])
    assert waits == ["Event.synchronize"] * 8  # ten uploads through two buffers
    result = counter.result()
    assert waits.count("HostArray.get") == 2  # moved, counts
    np.testing.assert_array_equal(result.counts, reference.motion(video[0], video[1:], 12)[1])


def test_work_goes_to_the_callers_current_stream() -> None:
    cupy = HostCupy()
    backend = CupyBackend(module=cupy)
    video = noise((4, 16, 16, 3))
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        counter = counted(video, backend)
    stream.synchronize()
    assert cupy.cuda.get_current_stream().done
    with stream:
        np.testing.assert_array_equal(counter.result().counts, reference.motion(video[0], video[1:], 12)[1])


# --- devices ----------------------------------------------------------------------------------------------------


def test_every_device_has_a_backend_of_its_own() -> None:
    cupy = HostCupy(devices=2)
    first, second = CupyBackend(0, module=cupy), CupyBackend(1, module=cupy)
    assert (first.name, second.name) == ("cupy", "cupy:1")
    assert second.device.startswith("GPU 1, ")
    video = noise((4, 16, 16, 3))
    counter = counted(video, second)
    assert second.asarray(video).device.id == 1
    assert cupy.cuda.Device().id == 0  # the caller's stays
    np.testing.assert_array_equal(counter.result().counts, reference.motion(video[0], video[1:], 12)[1])
    with pytest.raises(InputError, match=r"lies on GPU 0, and this backend computes on GPU 1: get_backend\('cupy:0'\)"):
        second.asarray(first.asarray(video))
    counter.merge(counted(video, first))  # across devices, through the host
    assert counter.pairs == 6


def test_a_device_that_does_not_start_is_a_backend_that_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = HostCupy()

    def broken(*_: Any, **__: Any) -> Any:
        raise CUDARuntimeError("cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable")

    monkeypatch.setattr(cupy.cuda, "Stream", broken)
    said = r"^CuPy does not start on GPU 0 \(CUDA.*busy or.*'nvidia-smi'"
    with pytest.raises(BackendUnavailableError, match=said), CUPY.started(0):
        CupyBackend(module=cupy)


def test_a_compiler_that_is_missing_or_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = HostCupy()
    monkeypatch.setattr(cupy.cuda.nvrtc, "getVersion", lambda: (12, 2))
    with pytest.raises(BackendUnavailableError, match=r"NVRTC 12\.2, and 12\.3 or newer .* 'gpuheat\[cuda13\]'$"):
        CupyBackend(module=cupy)

    def missing() -> Any:
        raise RuntimeError("no libnvrtc.so.13")

    monkeypatch.setattr(cupy.cuda.nvrtc, "getVersion", missing)
    with pytest.raises(BackendUnavailableError, match=r"finds no compiler \(NVRTC\) for CUDA 13: pip install"):
        CupyBackend(module=cupy)


# --- arrays of other libraries ----------------------------------------------------------------------------------


class Foreign:
    """Another library's array on the GPU."""

    def __init__(self, array: Any) -> None:
        self.array = array  # keeps the memory
        self.__cuda_array_interface__ = array.__cuda_array_interface__


class ForeignDlpack:
    """Another library's array that offers DLPack alone."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("wrap", [lambda array: array, Foreign, ForeignDlpack], ids=["cupy", "interface", "DLPack"])
def test_arrays_on_the_gpu_are_taken_without_a_copy(wrap: Any) -> None:
    backend = CupyBackend(module=HostCupy())
    own = backend.asarray(np.arange(12, dtype=np.float32).reshape(3, 4))
    adopted = backend.asarray(wrap(own))
    assert adopted.data.ptr == own.data.ptr
    assert adopted.shape == (3, 4)
    video = noise((5, 6, 7, 3))
    counter = counted_foreign(wrap, backend, video)
    np.testing.assert_array_equal(counter.result().counts, reference.motion(video[0], video[1:], 12)[1])


def counted_foreign(wrap: Any, backend: CupyBackend, video: NDArray[np.uint8]) -> MotionCounter:
    counter = MotionCounter(6, 7, threshold=12, backend=backend)
    for frame in video:
        buffer = backend.asarray(frame)
        counter.push(wrap(buffer))
        buffer[...] = 0  # the counter has a copy of what it still needs
    return counter


def test_complex_numbers_on_the_gpu_are_refused() -> None:
    cupy = HostCupy()
    with pytest.raises(InputError, match="array of numbers, got one of complex64"):
        CupyBackend(module=cupy).asarray(cupy.zeros((2,), np.complex64))


def test_arrays_that_are_not_the_backends_are_refused_by_its_operations() -> None:
    cupy = HostCupy(devices=2)
    backend, other = CupyBackend(0, module=cupy), CupyBackend(1, module=cupy)
    image = np.zeros((3, 4), np.float32)
    for foreign in (image, other.asarray(image)):
        with pytest.raises(InputError, match=r"is no array of the backend cupy: its asarray\(\) makes one of it"):
            backend.gaussian_blur(foreign, 1.0)
    frames, moved = np.zeros((2, 3, 4), np.uint8), backend.zeros((1,), np.uint32)
    with pytest.raises(InputError, match=r"numpy.ndarray is no array of the backend cupy"):
        backend.add_motion(frames[0], backend.asarray(frames[1:]), FrameLayout.GRAY8, threshold=9, moved=moved)
    x, histogram = np.zeros(3), backend.zeros((1, 1), np.uint64)
    with pytest.raises(InputError, match=r"numpy.ndarray is no array of the backend cupy"):
        backend.add_points(histogram, BinGrid(1, 1, 1.0, 1.0), x, x)


class WithGradient:
    """As PyTorch's tensors whose gradient is wanted."""

    @property
    def __cuda_array_interface__(self) -> Any:
        raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad. Use var.detach()")


@pytest.mark.parametrize("name", ["numpy", "cupy"])
def test_a_tensor_that_will_not_be_an_array_says_why(name: str) -> None:
    backend = get_backend(name) if name == "numpy" else CupyBackend(module=HostCupy())
    with pytest.raises(InputError, match=r"WithGradient cannot be taken as an array: .* Use var.detach\(\)"):
        backend.asarray(WithGradient())


# --- which kernel -----------------------------------------------------------------------------------------------


@pytest.fixture
def launched() -> tuple[CupyBackend, list[str]]:
    """A backend, and the names of the kernels it launches for the first time."""
    names: list[str] = []

    def load(module: Any, kernel: cuda_source.Kernel) -> Any:
        names.append(kernel.name)
        return cupy_backend.compiled(module, kernel)

    return CupyBackend(module=HostCupy(), load=load), names


@pytest.mark.parametrize(
    ("shape", "padding", "offset", "width"),
    [
        ((2, 8, 16, 3), 0, 0, 16),  # everything a multiple of 16 bytes
        ((3, 8, 15, 3), 0, 0, 4),  # 360 bytes a frame
        ((2, 7, 15, 3), 0, 0, 1),
        ((3, 7, 15, 3), 1, 0, 16),  # rows padded to 48 bytes
        ((2, 8, 16, 3), 0, 4, 4),
        ((2, 8, 16, 3), 0, 1, 1),
    ],
)
def test_loads_are_as_wide_as_the_layout_allows(
    launched: tuple[CupyBackend, list[str]], shape: tuple[int, ...], padding: int, offset: int, width: int
) -> None:
    backend, names = launched
    frames, height, columns, channels = shape
    video = noise(shape)
    row = (columns + padding) * channels
    memory = np.zeros(offset + frames * height * row, np.uint8)
    rows = memory[offset:].reshape(frames, height, columns + padding, channels)
    rows[:, :, :columns] = video
    on_device = backend.asarray(memory)[offset:].reshape(rows.shape)[:, :, :columns]
    moved, counts = backend.zeros((frames - 1,), np.uint32), backend.zeros((height, columns), np.uint32)
    backend.add_motion(on_device[0], on_device[1:], FrameLayout.BGR24, threshold=12, moved=moved, counts=counts)
    assert names == [f"motion_bgr24_align{width}"]
    np.testing.assert_array_equal(backend.to_host(counts), reference.motion(video[0], video[1:], 12)[1])


def test_private_bins_for_many_points_and_global_ones_for_few(launched: tuple[CupyBackend, list[str]]) -> None:
    backend, names = launched
    for points in (10, 5000):
        x = np.random.default_rng(points).uniform(-1, 41, points).astype(np.float32)
        counter = FixationCounter(40, 30, bins=40, backend=backend)
        counter.push(x, x)
        expected = np.histogram2d(x, x, bins=(30, 40), range=((0, 30), (0, 40)))[0]
        np.testing.assert_array_equal(counter.histogram, expected)
    assert names[0] == "histogram_float_in_float_align16_global"
    assert "histogram_float_in_float_align16_shared" in names


def test_short_kernels_blur_along_both_axes_at_once(launched: tuple[CupyBackend, list[str]]) -> None:
    backend, names = launched
    image = np.random.default_rng(3).random((140, 150), np.float32)
    for sigma in (3.0, 9.0):
        blurred = backend.to_host(backend.gaussian_blur(backend.asarray(image), sigma))
        tolerance = reference.blur_tolerance(reference.blur_radius(sigma), 1.0)
        np.testing.assert_allclose(blurred, reference.blur(image, sigma), rtol=0, atol=tolerance)
    assert names == ["blur_along_both", "blur_along_rows", "blur_along_columns"]


@pytest.mark.parametrize("shared", [False, True])
def test_sums_beyond_32_bits(shared: bool) -> None:
    """Heavy weights, in one hot bin and scattered, overflow the 32-bit private bins many times over."""
    backend = CupyBackend(module=HostCupy(shared_memory_optin=(48 << 10) if shared else 16))
    random = np.random.default_rng(5)
    x = np.where(random.random(6000) < 0.7, 2.5, random.uniform(0, 4, 6000)).astype(np.float32)
    weight = random.integers(2**31, 2**32, 6000).astype(np.uint32)
    counter = FixationCounter(4, 4, bins=4, backend=backend)
    counter.push(x, x[::-1].copy(), weight)
    assert counter.histogram.tolist() == reference.histogram(x, x[::-1], (4, 4), (4, 4), weight).tolist()
    assert counter.histogram.max() > 2**40


def test_more_pairs_than_a_launch_can_count() -> None:
    pairs = 2 * geometry.MOTION_PAIRS + 3
    video = noise((pairs + 1, 3, 5, 3))
    counter = counted(video, CupyBackend(module=HostCupy()))
    moved, counts, _ = reference.motion(video[0], video[1:], 12)
    np.testing.assert_array_equal(counter.result().moved, moved)
    np.testing.assert_array_equal(counter.result().counts, counts)


def test_a_flicker_in_every_frame_fills_the_byte_of_a_count() -> None:
    """255 moved pairs in one launch: the largest count a byte holds."""
    video = np.zeros((geometry.MOTION_PAIRS + 1, 2, 21), np.uint8)
    video[1::2] = 255
    counter = counted(video, CupyBackend(module=HostCupy()))
    assert (counter.result().counts == geometry.MOTION_PAIRS).all()


def test_compiling_is_announced_when_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cupy_backend, "SLOW", 0.0)
    with caplog.at_level(logging.WARNING, "gpuheat"):
        CupyBackend(module=HostCupy()).gaussian_blur(CupyBackend(module=HostCupy()).zeros((2, 2), np.float32), 1.0)
    assert "compiled the CUDA kernel blur_along_both" in caplog.text


def test_many_bins_are_found_with_double_products(launched: tuple[CupyBackend, list[str]]) -> None:
    backend, names = launched
    grid = BinGrid(2**20, 1, 4000.0, 1.0)
    x = np.random.default_rng(1).uniform(0, 4000, 999).astype(np.float32)
    y = np.full(999, 0.5, np.float32)
    histogram = backend.zeros(grid.shape, np.uint64)
    backend.add_points(histogram, grid, backend.asarray(x), backend.asarray(y))
    expected = np.histogram2d(y, x, bins=grid.shape, range=((0, 1), (0, 4000)))[0]
    np.testing.assert_array_equal(backend.to_host(histogram), expected)
    assert names == ["histogram_float_in_double_align16_global"]
    assert cuda._products(np.dtype(np.float32), BinGrid(2**19, 1, 1.0, 1.0)) == np.float32


@pytest.mark.parametrize("architecture", [75, 90])
def test_older_devices_add_up_warps_another_way(architecture: int) -> None:
    """Below compute capability 8.0 there is no instruction for it."""
    backend = CupyBackend(module=HostCupy(compute_capability=str(architecture)))
    video = noise((4, 33, 47, 3))
    moved, counts, _ = reference.motion(video[0], video[1:], 12)
    counter = counted(video, backend)
    np.testing.assert_array_equal(counter.result().moved, moved)
    np.testing.assert_array_equal(counter.result().counts, counts)
    x = np.repeat(np.float32(2.5), 100)
    weights = np.full(100, 2**32 - 1, np.uint32)
    histogram = backend.zeros((4, 4), np.uint64)
    backend.add_points(histogram, BinGrid(4, 4, 4.0, 4.0), *map(backend.asarray, (x, x, weights)))
    assert backend.to_host(histogram)[2, 2] == 100 * (2**32 - 1)


def test_a_video_in_pieces_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CupyBackend, "pairs_at_once", 3)
    video = noise((20, 9, 11, 3))
    assert counted(video, CupyBackend(module=HostCupy())).result().moved.tolist() == [
        int(reference.moved(before, now, 12).sum()) for before, now in pairwise(video)
    ]


@pytest.fixture
def flushed(tmp_path: Path) -> Iterator[None]:
    """Subnormal numbers are taken for 0, as by kernels that CuPy compiles."""
    source, library = tmp_path / "flush.c", tmp_path / "flush.so"
    source.write_text(
        "#include <xmmintrin.h>\n"
        "void flush(int on) { _mm_setcsr(on ? _mm_getcsr() | 0x8040 : _mm_getcsr() & ~0x8040); }\n"
    )
    subprocess.run(["gcc", "-shared", "-fPIC", source, "-o", library], check=True)
    flush = ctypes.CDLL(str(library)).flush
    flush(1)
    yield
    flush(0)


@pytest.mark.usefixtures("flushed")
def test_the_smallest_number_below_zero_is_outside_though_subnormals_are_flushed() -> None:
    backend = CupyBackend(module=HostCupy())
    bits = np.array([0x80000001, 0x80000000, 0x00000000, 0x00000001], np.uint32)
    x = bits.view(np.float32)  # -1.4e-45, -0, 0, 1.4e-45
    histogram = backend.zeros((1, 3), np.uint64)
    grid = BinGrid(3, 1, 3.0, 1.0)
    backend.add_points(histogram, grid, backend.asarray(x), backend.asarray(np.full(4, 0.5, np.float32)))
    assert backend.to_host(histogram).tolist() == [[3, 0, 0]]


@pytest.mark.parametrize("background", ["mean", "first", "median"])
@pytest.mark.parametrize("options", [{}, {"pixels": "luma"}, {"downscale": 2}], ids=str)
def test_a_motion_heat_map_of_frames_on_the_gpu(background: Any, options: dict[str, Any]) -> None:
    backend = CupyBackend(module=HostCupy())
    video = noise((9, 12, 14, 3))
    wanted = motion_heatmap(video, backend="numpy", threshold=12, background=background, **options)
    for frames in (backend.asarray(video), [backend.asarray(frame) for frame in video]):
        got = motion_heatmap(frames, backend=backend, threshold=12, background=background, **options)
        np.testing.assert_array_equal(got.counts, wanted.counts)
        np.testing.assert_array_equal(got.background, wanted.background)
    with pytest.raises(InputError, match="lies on a GPU and this backend computes on the CPU"):
        motion_heatmap(backend.asarray(video), backend="numpy")


class Strided:
    """Rows at any distance in one allocation."""

    def __init__(self, array: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.array = array
        self.__cuda_array_interface__ = array.__cuda_array_interface__ | {"shape": shape, "strides": strides}


def test_rows_and_frames_beyond_two_gibibytes() -> None:
    backend = CupyBackend(module=HostCupy())
    far, width = 1 << 30, 16
    memory = backend.zeros((2 * far + width,), np.uint8)
    memory[2 * far :] = 200  # the third row, 2^31 bytes behind the first
    rows = backend.asarray(Strided(memory, (3, width), (far, 1)))
    frames = backend.asarray(Strided(memory, (2, 3, width), (2 * far, 0, 1)))  # the second frame as far away
    moved, counts = backend.zeros((2,), np.uint32), backend.zeros((3, width), np.uint32)
    backend.add_motion(rows, frames, FrameLayout.GRAY8, threshold=25, moved=moved, counts=counts)
    assert backend.to_host(moved).tolist() == [width, 3 * width]
    assert backend.to_host(counts)[:, 0].tolist() == [1, 1, 2]


@pytest.mark.parametrize("order", ["needed", "others", "random"])
def test_points_may_come_on_another_stream_each_time(order: Any) -> None:
    for seed in range(5):
        cupy = HostCupy(order=order, seed=seed)
        backend = CupyBackend(module=cupy)
        grid = BinGrid(8, 8, 80.0, 80.0)
        x = np.nextafter(grid.x_edges[1:], 0)  # the edges have to be looked at for these
        on_device = backend.asarray(x)
        histograms = [backend.zeros(grid.shape, np.uint64) for _ in range(3)]
        backend.synchronize()
        for histogram in histograms:
            with cupy.cuda.Stream(non_blocking=True):
                backend.add_points(histogram, grid, on_device, on_device)
        cupy.cuda.Device(0).synchronize()
        expected = np.histogram2d(x, x, bins=(8, 8), range=((0, 80), (0, 80)))[0]
        for histogram in histograms:
            np.testing.assert_array_equal(backend.to_host(histogram), expected)
