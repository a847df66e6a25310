"""CUDA C through CuPy."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from gpuheat.backends.cuda import Comparison, CudaBackend, Points
from gpuheat.backends.cuda_upload import Uploader
from gpuheat.errors import BackendUnavailableError, DeviceMemoryError, InputError
from gpuheat.kernels import cuda_source, geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from gpuheat.backends.cuda_upload import Event

__all__ = ["CupyBackend"]

Array = Any
MEMORY_ALLOCATION: Final = 2  # cudaErrorMemoryAllocation; of pinned memory of the host too
COMPILER: Final = (12, 3)  # the first NVRTC with the integer instructions of motion.cu
SLOW: Final = 0.3  # s; CuPy finds what it has compiled before in less
log = logging.getLogger("gpuheat")


def compiled(cupy: ModuleType, kernel: cuda_source.Kernel) -> Any:
    """The kernel as a ``cupy.RawKernel`` for the current device; CuPy keeps its code on disk."""
    began = time.perf_counter()
    module = cupy.RawModule(code=kernel.source, options=kernel.options, backend="nvrtc")
    function = module.get_function(kernel.name)
    seconds = time.perf_counter() - began
    if seconds > SLOW:
        log.warning("compiled the CUDA kernel %s in %.1f s: only the first time", kernel.name, seconds)
    return function


class CupyBackend(CudaBackend):
    """Backend ``cupy``; see :class:`gpuheat.backends.base.Backend` for what the operations do.

    Parameters
    ----------
    device
        Number of the device, from 0.
    module
        What to use for CuPy; None is CuPy itself.
    load
        Makes a callable like ``cupy.RawKernel`` of that module and a kernel.
    """

    pairs_at_once = geometry.MOTION_PAIRS

    def __init__(
        self,
        device: int = 0,
        *,
        module: Any = None,
        load: Callable[[Any, cuda_source.Kernel], Any] = compiled,
    ) -> None:
        self._cupy = cupy = import_module("cupy") if module is None else module
        self._load = load
        self._number = device
        self._kernels: dict[cuda_source.Kernel, Any] = {}
        self.name = "cupy" if device == 0 else f"cupy:{device}"
        _check_compiler(cupy)
        facts = cupy.cuda.Device(device).attributes
        limits = geometry.Device(
            multiprocessors=facts["MultiProcessorCount"],
            shared_block=facts["MaxSharedMemoryPerBlockOptin"],
            shared_multiprocessor=facts["MaxSharedMemoryPerMultiprocessor"],
        )
        super().__init__(limits, Uploader(_Engine(cupy, device)))

    @property
    def device(self) -> str:
        """What it computes on, for people."""
        facts = self._cupy.cuda.runtime.getDeviceProperties(self._number)
        return f"GPU {self._number}, {facts['name'].decode()}, {facts['totalGlobalMem'] / 2**30:.0f} GiB"

    # ---- arrays --------------------------------------------------------------------------------------------------

    def to_host(self, array: Array) -> NDArray[Any]:
        """The values as a NumPy array. Waits for the device."""
        with self._on_device():
            host: NDArray[Any] = array.get()
            return host

    def synchronize(self) -> None:
        """Wait until everything asked for on the current stream is done."""
        with self._on_device():
            self._cupy.cuda.get_current_stream().synchronize()

    def _finish(self) -> None:
        self._cupy.cuda.Device(self._number).synchronize()

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        device = self._cupy.cuda.Device(self._number)
        try:
            with device:
                yield
        except (self._cupy.cuda.memory.OutOfMemoryError, self._cupy.cuda.runtime.CUDARuntimeError) as error:
            if getattr(error, "status", MEMORY_ALLOCATION) != MEMORY_ALLOCATION:
                raise
            free, total = (number / 2**20 for number in device.mem_info)
            raise DeviceMemoryError(
                f"GPU {self._number} has {free:,.0f} of {total:,.0f} MiB left, which is not enough: {error}"
            ) from error

    def _adopt(self, values: Any) -> Array:
        if isinstance(values, self._cupy.ndarray):
            array = values
        elif hasattr(values, "__dlpack__"):
            array = self._cupy.from_dlpack(values)  # orders the two libraries' streams, where the other one has them
        else:
            array = self._cupy.asarray(values)
        if array.device.id != self._number:
            raise InputError(
                f"the array lies on GPU {array.device.id}, and this backend computes on GPU {self._number}: "
                f"get_backend('cupy:{array.device.id}')"
            )
        if array.dtype.kind not in "biuf":
            raise InputError(f"expected an array of numbers, got one of {array.dtype}")
        return array

    # ---- what FFmpeg decodes on the device -----------------------------------------------------------------------

    @contextmanager
    def decoder_device(self) -> Iterator[int]:
        """The device's number; its primary context, which CuPy uses, is the thread's current one within."""
        with self._on_device():
            self._cupy.cuda.get_current_stream().synchronize()  # a thread that asked for nothing yet has no context
            yield self._number

    def decoded(self, planes: Sequence[Any]) -> tuple[Array, ...]:
        """Arrays on the memory of a picture that FFmpeg decoded here, for :meth:`gather` alone.

        FFmpeg copies each picture on the null stream into memory that is the picture's own until nobody holds it any
        more; then it is the next one's, which is copied there on the null stream as well.
        """
        with self._on_device():
            # the capsule, and not the plane: PyAV refuses to order streams, which gather() does
            return tuple(self._adopt(self._cupy.from_dlpack(plane.__dlpack__())) for plane in planes)

    @contextmanager
    def _between_decoding(self) -> Iterator[None]:
        current, decoders = self._cupy.cuda.get_current_stream(), self._cupy.cuda.Stream.null
        there, here = (self._cupy.cuda.Event(disable_timing=True) for _ in range(2))
        there.record(decoders)
        current.wait_event(there)
        try:
            yield
        finally:
            here.record(current)
            decoders.wait_event(here)

    def _is_own(self, array: Array) -> bool:
        return isinstance(array, self._cupy.ndarray) and array.device.id == self._number

    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return self._cupy.empty(shape, dtype)

    def _clear(self, array: Array) -> None:
        array.data.memset_async(0, array.nbytes)

    def _copy(self, array: Array) -> Array:
        return array.copy(order="C")

    def _address(self, array: Array) -> int:
        return int(array.data.ptr)

    # ---- kernels -------------------------------------------------------------------------------------------------

    def _add_points(self, points: Points) -> None:
        weights = [] if points.weight is None else [points.weight]
        nx, ny = points.bins
        launch = geometry.histogram(points.x.size, nx * ny, self._limits)
        wide = geometry.alignment(*map(self._address, (points.x, points.y, *weights)))
        products = points.products.type
        kernel = cuda_source.histogram(
            "float" if points.x.dtype == np.float32 else "double",
            "float" if products is np.float32 else "double",
            16 if wide == 16 else 1,
            weighted=points.weight is not None,
            shared=launch.shared > 0,
        )
        self._launch(
            kernel,
            launch,
            points.x,
            points.y,
            *weights,
            np.int64(points.x.size),
            *points.edges,
            np.int32(nx),
            np.int32(ny),
            *map(products, (*points.scales, *points.margins)),
            points.histogram,
        )

    def _compare(self, comparison: Comparison) -> None:
        planes = [
            (one.previous, np.int64(one.previous_pitch), one.frames, np.int64(one.pitch), np.int64(one.stride))
            for one in comparison.planes
        ]
        decayed = [] if comparison.decayed is None else [comparison.decayed, comparison.weights]
        rows = comparison.rows // 2 if comparison.layout.planar else comparison.rows
        kernel = cuda_source.motion(
            comparison.layout.pixel_format, self._alignment(comparison), decayed=comparison.decayed is not None
        )
        self._launch(
            kernel,
            geometry.motion(rows, comparison.width),
            *(argument for plane in planes for argument in plane),
            *map(np.int32, comparison.factors),
            np.int64(rows),
            np.int64(comparison.width),
            np.int32(comparison.pairs),
            np.uint32(comparison.limit),
            _or_null(comparison.mask),
            _or_null(comparison.counts),
            *decayed,
            comparison.moved,
        )

    def add_planes(self, sums: Array, frames: Array, weight: int) -> None:
        """Add up a plane of gathered frames; see :class:`gpuheat.backends.base.SummingBackend`.

        Raises
        ------
        InputError
            If ``sums`` or ``frames`` are not as it says.
        """
        self._check_own(sums, frames)
        if frames.dtype != np.uint8 or frames.ndim < 2 or not frames.flags.c_contiguous:
            raise InputError(f"frames must be uint8 (t, ...) without gaps, got {frames.dtype} of {frames.shape}")
        shape = frames.shape[1:]
        if sums.shape != shape or sums.dtype != np.uint32 or not sums.flags.c_contiguous:
            raise InputError(f"sums must be uint32 of shape {shape}, got {sums.dtype} of {sums.shape}")
        launch = geometry.picture_sums(sums.size)
        with self._on_device():
            size = np.int64(sums.size), np.int32(len(frames)), np.uint32(weight)
            self._launch(cuda_source.picture_sums(), launch, frames, *size, sums)

    def _blur(self, image: Array, weights: Array, blurred: Array) -> None:
        height, width = image.shape
        radius = weights.size // 2
        sizes = np.int64(height), np.int64(width), np.int32(radius)
        both = geometry.blur_both(height, width, radius, self._limits)
        if both is not None:
            self._launch(cuda_source.blur("both"), both, image, weights, *sizes, blurred)
            return
        between = self._empty((height, width), np.dtype(np.float32))
        self._launch(cuda_source.blur("rows"), geometry.blur_rows(height, width), image, weights, *sizes, between)
        columns = geometry.blur_columns(height, width)
        self._launch(cuda_source.blur("columns"), columns, between, weights, *sizes, blurred)

    def _launch(self, kernel: cuda_source.Kernel, launch: geometry.Launch, *arguments: Any) -> None:
        """Start a kernel on the current stream; a number's type has to be that of the kernel's parameter."""
        if kernel not in self._kernels:
            function = self._kernels[kernel] = self._load(self._cupy, kernel)
            if launch.shared > 0:
                function.max_dynamic_shared_size_bytes = self._limits.shared_block - function.shared_size_bytes
        self._kernels[kernel](launch.grid, launch.block, arguments, shared_mem=launch.shared)


def _check_compiler(cupy: Any) -> None:
    generation = cupy.cuda.runtime.runtimeGetVersion() // 1000
    step = f"pip install --upgrade 'gpuheat[cuda{generation}]'"
    try:
        version = cupy.cuda.nvrtc.getVersion()
    except RuntimeError as error:
        raise BackendUnavailableError(f"CuPy finds no compiler (NVRTC) for CUDA {generation}: {step}") from error
    if version < COMPILER:
        found, needed = (f"{major}.{minor}" for major, minor in (version, COMPILER))
        raise BackendUnavailableError(f"CuPy compiles with NVRTC {found}, and {needed} or newer is needed: {step}")


def _or_null(array: Array | None) -> Any:
    return np.uintp(0) if array is None else array


class _Engine:
    """The uploads' stream of a device, and its copies."""

    def __init__(self, cupy: Any, device: int) -> None:
        self._cupy = cupy
        self._runtime = cupy.cuda.runtime
        with cupy.cuda.Device(device):
            self._stream = cupy.cuda.Stream(non_blocking=True)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return self._cupy.empty(shape, dtype)

    def buffers(self, nbytes: int) -> tuple[NDArray[np.uint8], Array]:
        pinned = self._cupy.cuda.alloc_pinned_memory(nbytes)
        with self._stream:  # memory of the stream that writes to it
            return np.frombuffer(pinned, np.uint8, nbytes), self._cupy.empty(nbytes, np.uint8)

    def send(self, pinned: NDArray[np.uint8], staging: Array, nbytes: int) -> None:
        to_device = self._runtime.memcpyHostToDevice
        self._runtime.memcpyAsync(staging.data.ptr, pinned.ctypes.data, nbytes, to_device, self._stream.ptr)
        arrived = self._cupy.cuda.Event(disable_timing=True)
        arrived.record(self._stream)
        self._cupy.cuda.get_current_stream().wait_event(arrived)

    def place(self, staging: Array, nbytes: int, target: Array, offset: int) -> Event:
        current = self._cupy.cuda.get_current_stream()
        within = self._runtime.memcpyDeviceToDevice
        self._runtime.memcpyAsync(target.data.ptr + offset, staging.data.ptr, nbytes, within, current.ptr)
        placed = self._cupy.cuda.Event(disable_timing=True)
        placed.record(current)
        return cast("Event", placed)
