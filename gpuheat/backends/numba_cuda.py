"""CUDA kernels written in Python, through Numba."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numba import cuda
from numba.cuda.cudadrv import driver

from gpuheat.backends.cuda import Comparison, CudaBackend, Plane, Points
from gpuheat.backends.cuda_devices import usable_device
from gpuheat.backends.cuda_upload import Uploader
from gpuheat.backends.host import lies_on_gpu
from gpuheat.errors import BackendUnavailableError, DeviceMemoryError, InputError
from gpuheat.kernels import geometry

try:
    from gpuheat.backends import numba_arrays
    from gpuheat.kernels import numba_cuda
except RuntimeError as error:  # "no locator available": Numba finds no folder to cache into
    raise BackendUnavailableError(
        "numba can keep its compiled kernels nowhere: set NUMBA_CACHE_DIR to a folder that can be written"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gpuheat.backends.cuda_upload import Event

__all__ = ["NumbaCudaBackend"]

Array = Any

OUT_OF_MEMORY: Final = 2  # CUDA_ERROR_OUT_OF_MEMORY
DEVICE_ORDINAL: Final = 9  # CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
NON_BLOCKING: Final = 1  # CU_STREAM_NON_BLOCKING


class NumbaCudaBackend(CudaBackend):
    """Backend ``numba-cuda``; see :class:`gpuheat.backends.base.Backend` for what the operations do.

    Numba has no current stream: all work goes to CUDA's default stream, on which CuPy and PyTorch work too unless they
    are told otherwise. An array that names another stream (``__cuda_array_interface__``, as CuPy's do) is waited for
    there; what PyTorch has under way on a stream of its own has to be waited for by the caller.

    Parameters
    ----------
    device
        Number of the device, from 0.
    threads
        The most threads of a block.
    """

    pairs_at_once = geometry.NUMBA_PAIRS

    def __init__(self, device: int = 0, *, threads: int = numba_arrays.MOST_THREADS) -> None:
        self._number = device
        self._threads = threads
        self.name = "numba-cuda" if device == 0 else f"numba-cuda:{device}"
        gpu = cuda.gpus[device]
        with gpu:
            self._stream = cuda.default_stream()
            engine = _Engine(self._stream)
        super().__init__(_limits(gpu), Uploader(engine))

    @property
    def device(self) -> str:
        """What it computes on, for people."""
        if numba_arrays.SIMULATED:
            return "Numba's simulator of a GPU"
        gpu = usable_device("numba-cuda", self._number)
        return f"GPU {self._number}, {gpu.name}, {gpu.memory / 2**30:.0f} GiB"

    # ---- arrays --------------------------------------------------------------------------------------------------

    def to_host(self, array: Array) -> NDArray[Any]:
        """The values as a NumPy array. Waits for the device."""
        with self._on_device():
            packed = array if array.flags["C_CONTIGUOUS"] else self._copy(array)
            host: NDArray[Any] = packed.copy_to_host()
            return host

    def synchronize(self) -> None:
        """Wait until everything asked for on the default stream is done."""
        with self._on_device():
            self._stream.synchronize()

    def _finish(self) -> None:
        cuda.synchronize()

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        try:
            with cuda.gpus[self._number]:
                yield
        except driver.CudaAPIError as error:
            if int(getattr(error, "code", 0)) != OUT_OF_MEMORY:
                raise
            raise DeviceMemoryError(f"the memory of GPU {self._number} does not suffice: {error}") from error

    def _lies_on_gpu(self, values: object) -> bool:
        return isinstance(values, numba_arrays.DeviceArray) or lies_on_gpu(values)

    def _adopt(self, values: Any) -> Array:
        if isinstance(values, numba_arrays.DeviceArray):
            array = values
        elif hasattr(values, "__cuda_array_interface__"):
            array = numba_arrays.adopt(values)
        else:
            raise InputError(
                f"{type(values).__module__}.{type(values).__qualname__} has no __cuda_array_interface__, by which "
                "Numba takes arrays on a GPU: choose the backend 'cupy', which takes DLPack too"
            )
        number = _device_of(array)
        if number not in (None, self._number):
            raise InputError(
                f"the array lies on GPU {number}, and this backend computes on GPU {self._number}: "
                f"get_backend('numba-cuda:{number}')"
            )
        if array.dtype.kind not in "biuf" or not array.dtype.isnative:
            raise InputError(f"expected an array of numbers in the machine's byte order, got one of {array.dtype}")
        return array

    def _is_own(self, array: Array) -> bool:
        return isinstance(array, numba_arrays.DeviceArray)

    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return numba_arrays.empty(shape, dtype)

    def _clear(self, array: Array) -> None:
        if array.size > 0:
            driver.device_memset(array, 0, array.nbytes, stream=self._stream)

    def _copy(self, array: Array) -> Array:
        copy = self._empty(tuple(array.shape), array.dtype)
        if array.size > 0 and array.flags["C_CONTIGUOUS"]:
            copy.copy_to_device(array, stream=self._stream)
        else:
            numba_arrays.assign(copy, array)
        return copy

    def _address(self, array: Array) -> int:
        return numba_arrays.address(array)

    # ---- kernels -------------------------------------------------------------------------------------------------

    def _add_points(self, points: Points) -> None:
        (nx, ny), (x_margin, y_margin) = points.bins, points.margins
        how = geometry.numba_histogram(points.x.size, nx * ny, self._limits, self._threads)
        numba_arrays.launch(
            numba_cuda.HISTOGRAM[str(points.x.dtype), str(points.products)],
            how,
            points.x,
            points.y,
            points.weight,
            *points.edges,
            nx,
            ny,
            *points.scales,
            x_margin,
            y_margin,
            nx + x_margin,
            ny + y_margin,
            how.shared > 0,
            points.histogram,
        )

    def _compare(self, comparison: Comparison) -> None:
        layout = comparison.layout
        rows = comparison.rows // 2 if layout.planar else comparison.rows
        threads = min(self._threads, geometry.NUMBA_THREADS)
        if any(not -(1 << 15) <= factor < 1 << 15 for factor in comparison.factors):
            raise InputError(f"numba-cuda takes colour conversions of 16 bits with sign, got {layout.conversion}")
        counts = comparison.counts
        wide_counts = counts is not None and numba_arrays.address(counts) % 16 == 0
        numba_arrays.launch(
            numba_cuda.MOTION[layout.pixel_format],
            geometry.numba_motion(rows, comparison.width, comparison.pairs, threads),
            tuple(plane.previous for plane in comparison.planes),
            tuple(plane.frames for plane in comparison.planes),
            tuple(map(_distances, comparison.planes)),
            *([comparison.factors] if layout.planar else []),
            (self._alignment(comparison), wide_counts, rows, comparison.width, comparison.pairs, comparison.limit),
            (comparison.mask, comparison.counts, comparison.decayed, comparison.weights, comparison.moved),
        )

    def _blur(self, image: Array, weights: Array, blurred: Array) -> None:
        height, width = image.shape
        between = self._empty((height, width), np.dtype(np.float32))
        launch = geometry.numba_blur(height, width, min(self._threads, 2 * geometry.NUMBA_THREADS))
        for along_rows, source, target in ((True, image, between), (False, between, blurred)):
            arguments = source, weights, height, width, weights.size // 2, along_rows, target
            numba_arrays.launch(numba_cuda.BLUR, launch, *arguments)


def _distances(plane: Plane) -> tuple[int, ...]:
    """Where a kernel finds the pixels of a plane in the flat arrays that it is given."""
    before = numba_arrays.offset(plane.previous), plane.previous_pitch
    return *before, numba_arrays.offset(plane.frames), plane.pitch, plane.stride


def _limits(gpu: Any) -> geometry.Device:
    """What the driver says of a device; the simulator has no driver."""
    if numba_arrays.SIMULATED:
        return geometry.Device(1, geometry.SHARED_STATIC, geometry.SHARED_STATIC)
    return geometry.Device(
        multiprocessors=gpu.MULTIPROCESSOR_COUNT,
        shared_block=gpu.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
        shared_multiprocessor=gpu.MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,
    )


def _device_of(array: Array) -> int | None:
    """The number of the GPU an array lies on; None for what belongs to none, as an array without elements."""
    if numba_arrays.SIMULATED or array.size == 0:
        return None
    number = ctypes.c_int()
    where = ctypes.c_uint64(numba_arrays.address(array))
    failed = ctypes.CDLL("libcuda.so.1").cuPointerGetAttribute(ctypes.byref(number), DEVICE_ORDINAL, where)
    return None if failed else number.value


class _Engine:
    """The uploads' stream of the current device, and its copies."""

    def __init__(self, stream: Any) -> None:
        self._current = stream
        self._uploads = cuda.stream() if numba_arrays.SIMULATED else _stream_of_its_own()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return numba_arrays.empty(shape, dtype)

    def buffers(self, nbytes: int) -> tuple[NDArray[np.uint8], Array]:
        return cuda.pinned_array(nbytes, np.uint8), numba_arrays.empty((nbytes,), np.dtype(np.uint8))

    def send(self, pinned: NDArray[np.uint8], staging: Array, nbytes: int) -> None:
        staging[:nbytes].copy_to_device(pinned[:nbytes], stream=self._uploads)
        arrived = cuda.event()
        arrived.record(self._uploads)
        arrived.wait(self._current)

    def place(self, staging: Array, nbytes: int, target: Array, offset: int) -> Event:
        numba_arrays.flat(target, np.dtype(np.uint8))[offset : offset + nbytes].copy_to_device(
            staging[:nbytes], stream=self._current
        )
        placed = cuda.event()
        placed.record(self._current)
        return cast("Event", placed)


def _stream_of_its_own() -> Any:
    """A stream that does not wait for the default one, as those do that Numba makes."""
    handle = ctypes.c_void_p()
    failed = ctypes.CDLL("libcuda.so.1").cuStreamCreate(ctypes.byref(handle), NON_BLOCKING)
    if failed:
        raise BackendUnavailableError(f"the NVIDIA driver fails (cuStreamCreate: error {failed})")
    return cuda.external_stream(handle.value)
