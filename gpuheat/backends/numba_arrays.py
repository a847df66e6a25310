"""Numba's arrays on a GPU, with the views that NumPy's have, and kernels launched on them.

Numba's own take a view of an array with negative strides at the wrong place, walk through all rows of a padded one to
do it, and turn an array by copying it.

Where Numba was started as its simulator (NUMBA_ENABLE_CUDASIM=1), which computes kernels on the CPU with a thread of
the host for each of theirs, arrays lie in the memory of the host.
"""

from __future__ import annotations

import ctypes
import logging
import time
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import cuda
from numba.cuda.cudadrv import devicearray

from gpuheat.errors import BackendError, InputError
from gpuheat.kernels import geometry, numba_cuda
from gpuheat.kernels.numba_intrinsics import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MOST_THREADS",
    "SIMULATED",
    "DeviceArray",
    "address",
    "adopt",
    "arguments_of",
    "assign",
    "empty",
    "flat",
    "launch",
    "offset",
]

Array = Any

MOST_THREADS: Final = 16 if SIMULATED else 1024
"""Threads of a block."""
DYNAMIC_SHARED: Final = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
SLOW: Final = 0.3  # s; Numba finds what it has compiled before in less
log = logging.getLogger("gpuheat")

if SIMULATED:
    DeviceArray: Any = devicearray.FakeCUDAArray
else:

    class DeviceArray(devicearray.DeviceNDArray):  # type: ignore[misc, no-redef]
        """An array on a GPU; every slice of it is a view."""

        def __getitem__(self, key: Any) -> Any:
            """A view; the element itself, copied to the host, where an index for every axis is given."""
            keys = key if isinstance(key, tuple) else (key,)
            view = self._view(keys)
            return view if view.shape or Ellipsis in keys else view.copy_to_host()[()]

        def __setitem__(self, key: Any, values: Any) -> None:
            """Copy an array of the same shape on the GPU, or a number or an array of the host."""
            view = self._view(key if isinstance(key, tuple) else (key,))
            if not hasattr(values, "__cuda_array_interface__"):
                values = cuda.to_device(
                    np.array(np.broadcast_to(np.asarray(values, self.dtype), view.shape), order="C")
                )
            assign(view, values)

        @property
        def T(self) -> DeviceArray:  # noqa: N802
            """The same memory, its axes in the opposite order."""
            return on_memory_of(self, address(self), self.shape[::-1], self.strides[::-1], self.dtype)

        def _view(self, keys: tuple[Any, ...]) -> DeviceArray:
            for key in keys:
                if not (key is None or key is Ellipsis or isinstance(key, (int, np.integer, slice))):
                    raise TypeError(f"an array on a GPU is indexed by whole numbers and slices, got {key!r}")
            # NumPy works out where the view begins; the memory it thinks of is never touched.
            whole = np.lib.stride_tricks.as_strided(np.empty(1, self.dtype), self.shape, self.strides)
            view = whole[keys if Ellipsis in keys else (*keys, ...)]
            begin = address(self) + view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
            return on_memory_of(self, begin, view.shape, view.strides, self.dtype)


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """A new C-contiguous array of anything."""
    array = cuda.device_array(shape, dtype)
    return array if SIMULATED else _ours(array)


def adopt(values: Any) -> Array:
    """An array on the memory of one that has ``__cuda_array_interface__``; what its stream holds is waited for."""
    interface = values.__cuda_array_interface__
    array = _ours(cuda.from_cuda_array_interface(interface, owner=values, sync=False))
    if interface.get("stream") is not None:
        written = cuda.event()
        written.record(cuda.external_stream(interface["stream"]))
        written.wait(cuda.default_stream())
    return array


def on_memory_of(owner: Array, begin: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Array:
    """An array on memory that belongs to another, which lives as long."""
    if SIMULATED:
        low, high = _bounds(shape, strides, np.dtype(dtype).itemsize)
        memory: Any = (ctypes.c_char * (high - low)).from_address(begin + low)
        memory.owner = owner
        return DeviceArray(np.ndarray(shape, dtype, memory, -low, strides))
    interface = {
        "shape": shape,
        "strides": strides,
        "typestr": np.dtype(dtype).str,
        "data": (begin, False),
        "version": 3,
    }
    return _ours(cuda.from_cuda_array_interface(interface, owner=owner, sync=False))


def address(array: Array) -> int:
    """Where the first element lies."""
    interface = array.__array_interface__ if SIMULATED else array.__cuda_array_interface__
    return int(interface["data"][0])


def offset(array: Array) -> int:
    """How many bytes the first element lies behind the first byte: some, where a stride is negative."""
    return -_bounds(array.shape, array.strides, array.dtype.itemsize)[0]


def assign(target: Array, source: Array) -> None:
    """Copy an array to another of the same shape and dtype, however they lie in memory.

    Raises
    ------
    InputError
        If they differ, or have more than four axes.
    """
    shape = tuple(target.shape)
    if tuple(source.shape) != shape or source.dtype != target.dtype or len(shape) > 4:
        raise InputError(
            f"cannot copy {source.dtype} of shape {tuple(source.shape)} to {target.dtype} of shape {shape}: "
            "they must be the same, with at most four axes"
        )
    if 0 in shape:
        return
    missing = 4 - len(shape)
    size = (1,) * missing + shape
    launch(
        numba_cuda.COPY,
        geometry.numba_copy(target.size, min(MOST_THREADS, geometry.NUMBA_THREADS)),
        *(source, offset(source), *(0,) * missing, *source.strides),
        *(target, offset(target), *(0,) * missing, *target.strides),
        target.size,
        *size[1:],
        target.dtype.itemsize,
    )


def launch(kernel: numba_cuda.Kernel, how: geometry.Launch, *arguments: Any) -> None:
    """Start a kernel on Numba's default stream; its first launch compiles it, or loads what was compiled before."""
    given = arguments_of(kernel, arguments)
    began = time.perf_counter()
    if how.shared > geometry.SHARED_STATIC:
        _allow(kernel, given, how.shared)
    _configured(kernel.function, how)(*given)
    seconds = time.perf_counter() - began
    if kernel not in _launched:
        _launched.add(kernel)
        if seconds > SLOW and not SIMULATED:
            log.warning("compiled the CUDA kernel %s in %.1f s: only the first time", kernel.name, seconds)


_launched: set[numba_cuda.Kernel] = set()
_allowed: dict[tuple[numba_cuda.Kernel, int], int] = {}


def _allow(kernel: numba_cuda.Kernel, given: list[Any], shared: int) -> None:
    """Let blocks of a kernel have so much shared memory on the current device, which the driver has to be asked for.

    Numba finds the compiled kernel by the types of its arguments, as it does at every launch. On the driver's side it
    is a function of one context (CUfunction), or since numba-cuda 0.23 one of all contexts (CUkernel).
    """
    device = int(cuda.get_current_device().id)
    if shared <= _allowed.get((kernel, device), 0):
        return
    compiled = kernel.function.compile(tuple(map(kernel.function.typeof_pyval, given)))
    loaded = compiled.library.get_cufunc()
    handle = ctypes.c_void_p(int(loaded.handle))
    libcuda = ctypes.CDLL("libcuda.so.1")
    if hasattr(loaded, "kernel"):
        asked, failed = "cuKernelSetAttribute", libcuda.cuKernelSetAttribute(DYNAMIC_SHARED, shared, handle, device)
    else:
        asked, failed = "cuFuncSetAttribute", libcuda.cuFuncSetAttribute(handle, DYNAMIC_SHARED, shared)
    if failed:
        raise BackendError(
            f"the NVIDIA driver refuses {shared:,} bytes of shared memory for a block ({asked}: error {failed})"
        )
    _allowed[kernel, device] = shared


def arguments_of(kernel: numba_cuda.Kernel, arguments: tuple[Any, ...]) -> list[Any]:
    """The arguments in the types a kernel is compiled for: arrays flat, None as one without elements."""
    return [_argument(name, value) for name, value in zip(kernel.arguments, arguments, strict=True)]


def _argument(name: Any, value: Any) -> Any:
    if isinstance(name, tuple):
        return tuple(_argument(*each) for each in zip(name, value, strict=True))
    dtype = np.dtype(name.removesuffix("[]"))
    if not name.endswith("[]"):
        return dtype.type(value)
    return cuda.device_array(0, dtype) if value is None else flat(value, dtype)


def _configured(function: Any, how: geometry.Launch) -> Callable[..., None]:
    if SIMULATED:  # a kernel knows its last configuration alone
        configured: Callable[..., None] = function[how.grid, how.block, 0, how.shared]
        return configured
    return _configured_quietly(function, how)


@lru_cache(maxsize=256)
def _configured_quietly(function: Any, how: geometry.Launch) -> Callable[..., None]:
    """Numba warns of every grid with few blocks."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Grid size")
        configured: Callable[..., None] = function[how.grid, how.block, 0, how.shared]
        return configured


def flat(array: Array, dtype: np.dtype[Any]) -> Array:
    """All memory from the first byte of an array to its last, as an array of one axis."""
    low, high = _bounds(array.shape, array.strides, array.dtype.itemsize)
    shape = ((high - low) // dtype.itemsize,)
    return on_memory_of(array, address(array) + low, shape, (dtype.itemsize,), dtype)


def _bounds(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """The first byte of an array, and the one behind its last, counted from its first element."""
    if 0 in shape:
        return 0, 0
    ends = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    return sum(min(0, end) for end in ends), sum(max(0, end) for end in ends) + itemsize


def _ours(array: Any) -> Array:
    return DeviceArray(array.shape, array.strides, array.dtype, gpu_data=array.gpu_data)
