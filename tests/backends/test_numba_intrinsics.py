"""The instructions that the Numba kernels name: what stands for them in the simulator, and the loads run for real."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numba
import numba.extending
import numpy as np
import numpy.typing as npt
import pytest

from gpuheat.kernels import numba_intrinsics

Numbers = npt.NDArray[np.int64]

EDGES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0x80FF7F00, 0xFFFFFFFF]


def words(number: int) -> list[Numbers]:
    """So many operands: all pairs of edges, the first of them once more as the third, and what chance brings."""
    edges = np.array(list(product(EDGES, repeat=2))).T
    chance = np.random.default_rng(0).integers(0, 1 << 32, (number, 2000))
    return list(np.concatenate([np.resize(edges, (number, edges.shape[1])), chance], axis=1))


def part(word: Numbers, i: int, bits: int = 8) -> Numbers:
    return word >> bits * i & (1 << bits) - 1


def signed(value: Numbers, bits: int) -> Numbers:
    return value - (value >> bits - 1 << bits)


def absolute_differences(a: Numbers, b: Numbers) -> Numbers:
    return sum((np.abs(part(a, i) - part(b, i)) << 8 * i for i in range(4)), np.zeros_like(a))


def sum_of_bytes(word: Numbers, start: Numbers) -> Numbers:
    return start + part(word, 0) + part(word, 1) + part(word, 2) + part(word, 3)


def permuted(low: Numbers, high: Numbers, places: Numbers) -> Numbers:
    both = np.stack([part(word, i) for word in (low, high) for i in range(4)])
    total = np.zeros_like(low)
    for i in range(4):
        total += both[part(places, i, 4) & 7, np.arange(total.size)] << 8 * i
    return total


def clipped(second: Numbers, first: Numbers, above: Numbers) -> Numbers:
    low: Numbers = np.clip(signed(first, 32), 0, 255)
    high: Numbers = np.clip(signed(second, 32), 0, 255)
    return part(above, 0, 16) * 0x10000 + high * 0x100 + low


def dot_low(weights: Numbers, word: Numbers, start: Numbers) -> Numbers:
    lower, upper = signed(part(weights, 0, 16), 16), signed(part(weights, 1, 16), 16)
    total: Numbers = start + lower * part(word, 0) + upper * part(word, 1)
    return total


def dot_high(weights: Numbers, word: Numbers, start: Numbers) -> Numbers:
    return dot_low(weights, word >> 16, start)


@pytest.mark.parametrize("want", [absolute_differences, sum_of_bytes, permuted, clipped, dot_low, dot_high])
def test_definitions_are_what_the_instructions_do(want: Callable[..., Numbers]) -> None:
    definition = getattr(numba_intrinsics, want.__name__).definition
    operands = words(want.__code__.co_argcount)
    types: list[Any] = [np.uint32] * len(operands)
    if want is clipped:
        types[:2] = np.int32, np.int32
    if want in (dot_low, dot_high):
        types[2] = np.int32
    as_given = [operand.astype(np.uint32).view(dtype) for operand, dtype in zip(operands, types, strict=True)]
    got = [definition(*each) for each in zip(*as_given, strict=True)]
    result = np.int32 if want in (dot_low, dot_high) else np.uint32
    assert {type(each) for each in got} == {result}
    np.testing.assert_array_equal(np.array(got).view(np.uint32), want(*operands).astype(np.uint32))


def test_words_may_have_a_sign() -> None:
    assert numba_intrinsics.permuted.definition(np.int32(-2), np.int32(0x12345678), 0x4730) == 0x7812FFFE


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
@pytest.mark.parametrize(("name", "number"), [("one_word", 1), ("two_words", 2), ("four_words", 4)])
def test_words_are_loaded_from_where_they_lie(name: str, number: int, dtype: Any) -> None:
    """The machine code that Numba makes of a load, here for the CPU, and its definition."""
    load = numba.extending.intrinsic(numba_intrinsics.load(number))

    @numba.njit
    def compiled(values: Any, at: int) -> Any:
        return load(values, at)

    values = aligned(np.random.default_rng(0).integers(0, 256, 160).astype(np.uint8)).view(dtype)
    want = values.view(np.uint32)
    for first in range(0, want.size - number + 1, number):
        at = 4 * first // values.itemsize
        expected = want[first : first + number].tolist()
        assert np.ravel(compiled(values, at)).tolist() == expected
        assert np.ravel(getattr(numba_intrinsics, name).definition(values, at)).tolist() == expected


def test_four_words_are_stored_where_they_belong() -> None:
    store: Any = numba.extending.intrinsic(numba_intrinsics.store_four)

    @numba.njit
    def compiled(values: Any, at: int, a: int, b: int, c: int, d: int) -> None:
        store(values, at, a, b, c, d)

    functions: list[Any] = [compiled, numba_intrinsics.set_four_words.definition]
    for function in functions:
        values = aligned(np.arange(16, dtype=np.uint32))
        function(values, 4, *np.array([1, 0x80000000, 0xFFFFFFFF, 9], np.uint32))
        assert values.tolist() == [0, 1, 2, 3, 1, 0x80000000, 0xFFFFFFFF, 9, *range(8, 16)]


@pytest.mark.parametrize(("name", "at"), [("one_word", 2), ("two_words", 4), ("four_words", 8)])
def test_words_that_are_not_aligned_are_an_error(name: str, at: int) -> None:
    values = aligned(np.zeros(64, np.uint8))
    with pytest.raises(ValueError, match="no multiple"):
        getattr(numba_intrinsics, name).definition(values, at)


def test_words_behind_the_end_are_an_error() -> None:
    with pytest.raises(ValueError, match="reshape"):
        numba_intrinsics.four_words.definition(aligned(np.zeros(24, np.uint8)), 16)


def aligned(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy that begins at a multiple of 16 bytes."""
    memory = np.empty(values.nbytes + 16, np.uint8)
    begin = -memory.ctypes.data % 16
    copy = memory[begin : begin + values.nbytes].view(values.dtype)
    copy[:] = values
    return copy
