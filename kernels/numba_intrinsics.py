"""What a GPU does in one instruction, and Numba has no name for: loads of several words, sums of products of bytes.

Each function is written twice: as the instruction (PTX ISA, NVIDIA), and as the same in Python, which Numba's simulator
runs in its place. Words are uint32 or int32, little-endian: byte 0 of a word is its lowest.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.cuda.cudadrv import devicearray

if TYPE_CHECKING:
    from collections.abc import Callable

SIMULATED: Final = hasattr(devicearray, "FakeCUDAArray")
"""Whether Numba was started as its simulator of a GPU (NUMBA_ENABLE_CUDASIM=1)."""
if not SIMULATED:
    from numba.cuda.extending import intrinsic

__all__ = [
    "SIMULATED",
    "absolute_differences",
    "clipped",
    "dot_high",
    "dot_low",
    "four_words",
    "one_word",
    "permuted",
    "set_four_words",
    "sum_of_bytes",
    "two_words",
]

Array = Any
ALL: Final = 0xFFFFFFFF
WORD: Final = ir.IntType(32)


# ---- the two ways ----------------------------------------------------------------------------------------------------


def _chosen(typed: Callable[..., Any], definition: Callable[..., Any]) -> Any:
    """A function of kernels: what LLVM is given for it, or its definition in the simulator; that is an attribute."""
    chosen: Any = definition if SIMULATED else intrinsic(typed)
    chosen.definition = definition
    return chosen


def _instruction(ptx: str, result: Any) -> Callable[[Callable[..., Any]], Any]:
    """One PTX instruction; its operands are the words that the definition takes, ``$0`` is its result."""

    def choose(definition: Callable[..., Any]) -> Any:
        operands = definition.__code__.co_argcount

        def emit(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            function = ir.FunctionType(WORD, [WORD] * operands)
            return builder.call(ir.InlineAsm(function, ptx, ",".join(["=r"] + ["r"] * operands)), values)

        def typed(_context: Any, *_types: Any) -> Any:
            return result(*[types.uint32] * operands), emit

        names = ["context", *definition.__code__.co_varnames[:operands]]
        typed.__name__ = definition.__name__
        typed.__signature__ = Signature(  # type: ignore[attr-defined]
            [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        )
        return _chosen(typed, definition)

    return choose


# ---- several words at once -------------------------------------------------------------------------------------------


def _words_at(context: Any, builder: Any, array_type: Any, array: Any, at: Any, number: int) -> Any:
    """A pointer to so many words, from element ``at`` of an array on."""
    memory = context.make_array(array_type)(context, builder, array)
    return builder.bitcast(builder.gep(memory.data, [at]), ir.VectorType(WORD, number).as_pointer())


def load(number: int) -> Callable[..., Any]:
    """For Numba: the load of so many words at once from an array, of bytes or words, at an index of it."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array, at = values
        place = _words_at(context, builder, signature.args[0], array, at, number)
        words = builder.load(place, align=4 * number)
        each = [builder.extract_element(words, ir.Constant(WORD, i)) for i in range(number)]
        return each[0] if number == 1 else context.make_tuple(builder, signature.return_type, each)

    def typed(_context: Any, values: Any, at: Any) -> Any:  # noqa: ARG001
        words: Any = types.uint32
        if number > 1:
            words = types.UniTuple(words, number)  # type: ignore[no-untyped-call]
        return words(values, types.int64), emit

    return typed


def store_four(_context: Any, values: Any, at: Any, a: Any, b: Any, c: Any, d: Any) -> Any:  # noqa: ARG001
    """For Numba: the store of four words at once into an array, at an index of it."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        words = ir.Constant(ir.VectorType(WORD, 4), ir.Undefined)
        array, at, *four = values
        for i, word in enumerate(four):
            words = builder.insert_element(words, word, ir.Constant(WORD, i))
        builder.store(words, _words_at(context, builder, signature.args[0], array, at, 4), align=16)
        return context.get_dummy_value()

    return types.void(values, types.int64, *[types.uint32] * 4), emit


def _words(values: Array, at: Any, number: int) -> Any:
    """Words of the memory of an array; those that are not all there, or not aligned, are an error as on a GPU."""
    part = values[at : at + 4 * number // values.itemsize]
    if part.ctypes.data % (4 * number):
        raise ValueError(f"{4 * number} bytes at once, at an address that is no multiple of that")
    return part.view(np.uint32).reshape(number)


def _one_word(values: Array, at: Any) -> Any:
    """4 bytes of an array, from element ``at`` on, as a word; they are aligned to 4 bytes."""
    return _words(values, at, 1)[0]


def _two_words(values: Array, at: Any) -> Any:
    """8 bytes of an array as two words, aligned to 8 bytes."""
    return _words(values, at, 2)


def _four_words(values: Array, at: Any) -> Any:
    """16 bytes of an array as four words, aligned to 16 bytes."""
    return _words(values, at, 4)


def _set_four_words(values: Array, at: Any, *words: Any) -> None:
    """Set 16 bytes of an array, aligned to 16 bytes."""
    _words(values, at, 4)[:] = words


one_word = _chosen(load(1), _one_word)
two_words = _chosen(load(2), _two_words)
four_words = _chosen(load(4), _four_words)
set_four_words = _chosen(store_four, _set_four_words)


# ---- bytes -----------------------------------------------------------------------------------------------------------


@_instruction("vabsdiff4.u32.u32.u32 $0, $1, $2, $2;", types.uint32)  # the third word is not used
def absolute_differences(a: Any, b: Any) -> Any:
    """How far each byte of a word is from that of another, a byte each."""
    if a == b:
        return np.uint32(0)
    a0, a1, a2, a3 = _bytes(a)
    b0, b1, b2, b3 = _bytes(b)
    return np.uint32(abs(a3 - b3) << 24 | abs(a2 - b2) << 16 | abs(a1 - b1) << 8 | abs(a0 - b0))


@_instruction("dp4a.u32.u32 $0, $1, 0x01010101, $2;", types.uint32)
def sum_of_bytes(word: Any, start: Any) -> Any:
    """The four bytes of a word added to ``start``; modulo 2^32."""
    return np.uint32((sum(_bytes(word)) + int(start)) & ALL)


@_instruction("prmt.b32 $0, $1, $2, $3;", types.uint32)
def permuted(low: Any, high: Any, places: Any) -> Any:
    """Four of the bytes of two words: hexadecimal digit i of ``places``, 0 to 7, tells where byte i is taken from."""
    both = *_bytes(low), *_bytes(high)
    first, second = both[places & 7], both[places >> 4 & 7]
    return np.uint32(both[places >> 12 & 7] << 24 | both[places >> 8 & 7] << 16 | second << 8 | first)


@_instruction("cvt.pack.sat.u8.s32.b32 $0, $1, $2, $3;", types.uint32)
def clipped(second: Any, first: Any, above: Any) -> Any:
    """Two int32, each clipped to 0..255, as bytes 1 and 0; bytes 3 and 2 are the lower two of the word ``above``."""
    second, first = min(max(int(second), 0), 255), min(max(int(first), 0), 255)
    return np.uint32((int(above) & 0xFFFF) << 16 | second << 8 | first)


def _bytes(word: Any) -> bytes:
    return (int(word) & ALL).to_bytes(4, "little")


# ---- sums of products ------------------------------------------------------------------------------------------------


@_instruction("dp2a.lo.s32.u32 $0, $1, $2, $3;", types.int32)
def dot_low(weights: Any, word: Any, start: Any) -> Any:
    """Bytes 0 and 1 of a word, times the lower and the upper half of ``weights`` (16 bits with sign), added to start.

    An int32, modulo 2^32.
    """
    return _dot(int(weights), int(word), int(start))


@_instruction("dp2a.hi.s32.u32 $0, $1, $2, $3;", types.int32)
def dot_high(weights: Any, word: Any, start: Any) -> Any:
    """The same of bytes 2 and 3."""
    return _dot(int(weights), int(word) >> 16, int(start))


def _dot(weights: int, word: int, start: int) -> Any:
    lower, upper = (weights + 0x8000 & 0xFFFF) - 0x8000, ((weights >> 16) + 0x8000 & 0xFFFF) - 0x8000
    total = start + lower * (word & 0xFF) + upper * (word >> 8 & 0xFF)
    return np.int32((total + 0x80000000 & ALL) - 0x80000000)
