"""``cupy.ndarray`` on the memory of this machine."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cuda_on_cpu.host_cupy import HostCupy

__all__ = ["HostArray", "MemoryPointer"]


class HostArray:
    """``cupy.ndarray``."""

    __array_ufunc__ = None  # NumPy is to leave arithmetic with it alone
    __hash__ = None  # type: ignore[assignment]  # like CuPy's

    def __init__(self, values: NDArray[Any], cupy: HostCupy, device_id: int) -> None:
        self._values = values
        self._cupy = cupy
        self._device_id = device_id

    @property
    def shape(self) -> tuple[int, ...]:
        return self._values.shape

    @property
    def strides(self) -> tuple[int, ...]:
        return self._values.strides

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._values.dtype

    @property
    def ndim(self) -> int:
        return self._values.ndim

    @property
    def size(self) -> int:
        return self._values.size

    @property
    def itemsize(self) -> int:
        return self._values.itemsize

    @property
    def nbytes(self) -> int:
        return self._values.nbytes

    @property
    def flags(self) -> Any:
        return self._values.flags

    @property
    def device(self) -> Any:
        return self._cupy.cuda.Device(self._device_id)

    @property
    def data(self) -> MemoryPointer:
        return MemoryPointer(self)

    @property
    def T(self) -> HostArray:  # noqa: N802 (CuPy's name)
        return self._view(self._values.T)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "descr": self.dtype.descr,
            "strides": None if self.flags.c_contiguous else self.strides,
            "data": (self.data.ptr, False),
            "version": 3,
            "stream": self._cupy.cuda.get_current_stream().ptr or 1,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._device_id

    def __dlpack__(self, **_: Any) -> Any:
        return self._values.__dlpack__()

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> HostArray:
        keys = index if isinstance(index, tuple) else (index,)
        if any(isinstance(key, (list, np.ndarray, HostArray)) for key in keys):
            raise NotImplementedError("basic indexing only")
        return self._view(self._values[keys if any(key is Ellipsis for key in keys) else (*keys, ...)])

    def __setitem__(self, index: Any, value: Any) -> None:
        target = self._cupy._without_owner(self[index]._values)
        source = self._cupy._without_owner(self._cupy._operand(value))
        self._cupy._enqueue(lambda: np.copyto(target, source, casting="unsafe"))

    def reshape(self, *shape: Any) -> HostArray:
        """A view, or a copy where there is none."""
        view = self._values.reshape(*shape)
        return self._view(view) if np.may_share_memory(view, self._values) else self.copy().reshape(*shape)

    def ravel(self) -> HostArray:
        """One dimension."""
        return self.reshape(-1)

    def view(self, dtype: Any) -> HostArray:
        """The same bytes as another type."""
        return self._view(self._values.view(dtype))

    def fill(self, value: Any) -> None:
        """Set all elements."""
        self[...] = value

    def copy(self, order: str = "C") -> HostArray:
        """A copy on the current device."""
        return self._cupy._device_copy(self, self.dtype, order)

    def astype(self, dtype: Any, order: str = "K", *, copy: bool = True) -> HostArray:
        """A copy of another type."""
        return self if not copy and self.dtype == dtype else self._cupy._device_copy(self, np.dtype(dtype), order)

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> NDArray[Any]:
        """A copy on the host. Waits for the stream, and for nothing else."""
        result: NDArray[Any] = np.empty(self.shape, self.dtype, order=order) if out is None else out  # type: ignore[call-overload]
        if type(result) is not np.ndarray or result.shape != self.shape or result.dtype != self.dtype:
            raise ValueError(f"out has to be a NumPy array of {self.shape} {self.dtype}")
        values = self._values
        operation = self._cupy._enqueue(lambda: np.copyto(result, values), stream)
        if blocking or not self._cupy._is_pinned(result):
            self._cupy._queues.run(operation)
        return result

    def set(self, arr: NDArray[Any], stream: Any = None) -> None:
        """Copy from the host; from pinned memory late, from any other as it is now."""
        if not isinstance(arr, np.ndarray):
            raise TypeError(f"Only numpy.ndarray can be set to cupy.ndarray, not {type(arr)}")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError(f"{arr.shape} {arr.dtype} does not fit {self.shape} {self.dtype}")
        source = arr if self._cupy._is_pinned(arr) else arr.copy()
        target = self._values
        self._cupy._enqueue(lambda: np.copyto(target, source), stream)

    def tolist(self) -> Any:
        """The values. Waits for the current stream."""
        return self.get().tolist()

    def item(self) -> Any:
        """The only value. Waits for the current stream."""
        return self.get().item()

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __repr__(self) -> str:
        return repr(self.get())

    def __eq__(self, other: object) -> Any:
        raise NotImplementedError("compare what get() returns")

    def _view(self, values: NDArray[Any]) -> HostArray:
        return HostArray(values, self._cupy, self._device_id)


class MemoryPointer:
    """``cupy.cuda.MemoryPointer``: where an array begins."""

    def __init__(self, array: HostArray) -> None:
        self._array = array
        self.ptr = array._values.__array_interface__["data"][0] if array._values.size else 0
        self.device_id = array._device_id

    def memset_async(self, value: int, size: int, stream: Any = None) -> None:
        """Fill bytes when the stream gets there."""
        cupy, ptr = self._array._cupy, self.ptr
        cupy._check_range(ptr, size)
        cupy._enqueue(lambda: ctypes.memset(ptr, value, size), stream)

    def memset(self, value: int, size: int) -> None:
        """Fill bytes on the null stream, whatever the current one is."""
        self.memset_async(value, size, self._array._cupy._queues.null(self.device_id))
