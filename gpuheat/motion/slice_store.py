"""Sums of whole numbers for each of many slices of the time, packed in memory."""

from __future__ import annotations

import zlib
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["SliceStore"]


class SliceStore:
    """Holds (size,) whole numbers for each slice, by its number; a slice in which all are zero is not there.

    Each is kept as one bit for each of the numbers, which says whether it is zero, and the others in as few bytes as
    they all need.

    Parameters
    ----------
    size
        How many numbers a slice has.
    dtype
        What their sums fit into, uint32 or uint64.
    level
        zlib's, 0 to 9: how hard what is left is compressed. 0 is not at all.
    """

    def __init__(self, size: int, dtype: type[np.uint32 | np.uint64], level: int = 0) -> None:
        self.size = size
        self.dtype = dtype
        self._level = level
        self._packed: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._packed)

    def __iter__(self) -> Iterator[int]:
        """The numbers of the slices, ascending."""
        return iter(sorted(self._packed))

    @property
    def nbytes(self) -> int:
        """How much memory the slices take."""
        return sum(map(len, self._packed.values()))

    def add(self, number: int, values: NDArray[Any]) -> None:
        """Add these numbers to those of a slice."""
        if values.any():
            self._packed[number] = self._pack(values + self.dense(number) if number in self._packed else values)

    def dense(self, number: int) -> NDArray[Any]:
        """(size,): the numbers of a slice."""
        values = np.zeros(self.size, self.dtype)
        places, there = self.sparse(number)
        values[places] = there
        return values

    def sparse(self, number: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """The places of those numbers of a slice that are not zero, ascending, and these."""
        packed = self._packed.get(number)
        if packed is None:
            return np.zeros(0, np.int64), np.zeros(0, np.uint8)
        width, body = packed[0], zlib.decompress(packed[1:])
        bits = np.frombuffer(body, np.uint8, -(-self.size // 8))
        places = np.flatnonzero(np.unpackbits(bits, count=self.size))
        return places, np.frombuffer(body, np.dtype(f"u{width}"), offset=len(bits))

    def join(self, factor: int) -> None:
        """Make one slice of every so many: slice i of those numbered from ``i * factor`` on."""
        before = self.copy()
        self._packed = {}
        for number, packed in before._packed.items():
            joined = number // factor
            if joined in self._packed:
                self.add(joined, before.dense(number))
            else:
                self._packed[joined] = packed

    def shift(self, by: int) -> None:
        """Number the slices so much higher."""
        self._packed = {number + by: packed for number, packed in self._packed.items()}

    def merge(self, other: SliceStore) -> None:
        """Add the slices of another to those of the same numbers."""
        for number, packed in other._packed.items():
            if number in self._packed:
                self.add(number, other.dense(number))
            else:
                self._packed[number] = packed

    def copy(self) -> SliceStore:
        """The same, which what is added here does not change."""
        copy = SliceStore(self.size, self.dtype, self._level)
        copy._packed = dict(self._packed)
        return copy

    @property
    def state(self) -> dict[str, Any]:
        """All of it, for :meth:`restore`."""
        numbers = [*self]
        packed = [self._packed[number] for number in numbers]
        return {
            "numbers": np.array(numbers, np.int64),
            "lengths": np.array([*map(len, packed)], np.int64),
            "packed": np.frombuffer(b"".join(packed), np.uint8),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with the slices of another of the same size, which gave them as its state."""
        lengths = state["lengths"].tolist()
        packed, ends = state["packed"].tobytes(), accumulate(lengths)
        self._packed = {
            number: packed[end - length : end]
            for number, length, end in zip(state["numbers"].tolist(), lengths, ends, strict=True)
        }

    def _pack(self, values: NDArray[Any]) -> bytes:
        some = values != 0
        others = values[some]
        width = np.min_scalar_type(others.max()).itemsize
        body = np.packbits(some).tobytes() + others.astype(f"u{width}").tobytes()
        return bytes([width]) + zlib.compress(body, self._level)
