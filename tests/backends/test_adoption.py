"""The arrays of every backend: adopted where they lie, checked, and given back."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpuheat.backends import Backend, get_backend
from gpuheat.errors import InputError

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


class OnlyDlpack:
    """An array that offers DLPack and nothing else."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.values.__dlpack_device__()


class OnGpu:
    """An array that says it lies on a GPU."""

    __cuda_array_interface__ = {"shape": (1,), "typestr": "<f4", "data": (1, False), "version": 3}  # noqa: RUF012


@pytest.mark.parametrize(
    ("values", "want"),
    [
        (VALUES, VALUES),
        (OnlyDlpack(VALUES), VALUES),
        (VALUES.data, VALUES),
        (array.array("I", [1, 2**32 - 1]), np.array([1, 2**32 - 1], np.uint32)),
        (VALUES.astype(">f4"), VALUES),
        (np.array([1, 2**63], ">u8"), np.array([1, 2**63], np.uint64)),
        (VALUES[:, ::-1], VALUES[:, ::-1]),
    ],
    ids=["numpy", "DLPack", "memoryview", "array", "big-endian", "big-endian integers", "negative strides"],
)
def test_what_is_adopted_keeps_its_values_and_dtype(backend: Backend, values: object, want: NDArray[Any]) -> None:
    got = backend.to_host(backend.asarray(values))
    np.testing.assert_array_equal(got, want, strict=True)
    assert got.dtype.isnative


@pytest.mark.parametrize("values", [["one"], b"\x00\xff", [None, 1], [1 + 2j], np.zeros(2, "M8[s]")], ids=str)
def test_what_holds_no_real_numbers_is_refused(backend: Backend, values: object) -> None:
    with pytest.raises(InputError, match="array of numbers"):
        backend.asarray(values)


def test_a_backend_takes_its_own_arrays_without_a_copy(backend: Backend) -> None:
    own = backend.zeros((2, 3), np.uint32)
    backend.asarray(own)[1:] = 7
    backend.synchronize()
    assert backend.to_host(own).tolist() == [[0, 0, 0], [7, 7, 7]]


@pytest.mark.parametrize("name", ["numba", "numpy"])
@pytest.mark.parametrize("wrap", [lambda a: a, OnlyDlpack, memoryview], ids=["numpy", "DLPack", "memoryview"])
def test_the_cpu_backends_share_the_memory_of_host_arrays(name: str, wrap: Any) -> None:
    assert np.shares_memory(get_backend(name).asarray(wrap(VALUES)), VALUES)


@pytest.mark.parametrize("name", ["numba", "numpy"])
def test_the_cpu_backends_refuse_arrays_on_a_gpu(name: str) -> None:
    with pytest.raises(InputError, match="OnGpu lies on a GPU"):
        get_backend(name).asarray(OnGpu())


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64, np.float64])
def test_new_arrays_are_zero(backend: Backend, dtype: Any) -> None:
    np.testing.assert_array_equal(backend.to_host(backend.zeros((3, 2), dtype)), np.zeros((3, 2), dtype), strict=True)
