"""Arrays in the host's memory: what the CPU backends have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = ["HostArrays", "lies_on_gpu"]

CUDA_DEVICES: Final = (2, 13)  # DLPack's kDLCUDA and kDLCUDAManaged


class HostArrays:
    """The array side of the contract, for backends that compute on NumPy arrays."""

    def asarray(self, values: object) -> NDArray[Any]:
        """A NumPy array on the same memory where there is one; see :class:`gpuheat.backends.base.Backend`."""
        if lies_on_gpu(values):
            raise InputError(
                f"{_kind(values)} lies on a GPU and this backend computes on the CPU: "
                "choose a CUDA backend, or copy it to the host first"
            )
        if isinstance(values, np.ma.MaskedArray):
            raise InputError("a masked array's mask would be lost: fill it, or leave the masked values out, first")
        if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
            array = np.from_dlpack(values)
        else:
            array = np.asarray(values)
        if array.dtype.hasobject or array.dtype.kind not in "biuf":
            raise InputError(f"expected an array of numbers, got {_kind(values)} of {array.dtype}")
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    def copy(self, array: NDArray[Any]) -> NDArray[Any]:
        """The same values in memory of their own."""
        return array.copy()

    def to_host(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array itself."""
        return array

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A new array of zeros."""
        return np.zeros(shape, dtype)

    def synchronize(self) -> None:
        """Nothing to wait for: every operation has ended when it returns."""


def lies_on_gpu(values: object) -> bool:
    """Whether this is an array in the memory of a CUDA device."""
    try:
        if hasattr(values, "__cuda_array_interface__"):
            return True
        return hasattr(values, "__dlpack_device__") and values.__dlpack_device__()[0] in CUDA_DEVICES
    except (RuntimeError, BufferError) as error:  # PyTorch's, of a tensor whose gradient is wanted
        raise InputError(f"{_kind(values)} cannot be taken as an array: {error}") from error


def _kind(values: object) -> str:
    return f"{type(values).__module__}.{type(values).__qualname__}"
