"""What the values of a column mean: text, flags, numbers, durations. Every rule about a value stands here once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gpuheat.errors import ExportError

__all__ = ["Column"]

_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_WHOLE = r"^(?:[+-]?[0-9]{1,18}|[1-8][0-9]{18})$"  # int64 holds it
_TRUE = ("true", "1")
_FALSE = ("false", "0", "not mapped", "")
_IN_MICROSECONDS = {"[s]": (1_000_000, 1), "[us]": (1, 1), "[ns]": (1, 1000)}  # multiplier, divisor
_MILLISECONDS = (1000, 1)
_LONGEST = 2**32 - 1  # us


@dataclass(frozen=True)
class Column:
    """One column of a source, (n,) values."""

    source: str  # for the text of an error
    name: str
    values: pa.ChunkedArray  # text as string or large_string
    decimal_comma: bool  # whether text like "200,5" is a number

    def where(self, kept: NDArray[np.bool_]) -> Column:
        """Only the kept rows."""
        return replace(self, values=self.values.filter(pa.array(kept)))

    def text(self) -> pa.ChunkedArray:
        """(n,) trimmed strings, empty where there is no value; a whole number among floats is written without '.0'.

        Raises
        ------
        ExportError
            If the column's type has no text.
        """
        values = self.values
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_finite(values), values, None)
        try:
            strings = pc.fill_null(values.cast(pa.string()), "")
        except pa.ArrowException as error:
            raise self._wrong_type("text") from error
        return pc.utf8_trim_whitespace(strings)

    def repeats_name(self) -> NDArray[np.bool_]:
        """(n,) where the value is the column's own name."""
        if not self._is_text():
            return np.zeros(len(self.values), np.bool_)
        return _mask(pc.equal(self.text(), self.name))

    def flags(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) where the flag is set, and where it is neither a readable yes nor a readable no."""
        words = pc.utf8_lower(self.text())
        detected = pc.is_in(words, pa.array(_TRUE))
        return _mask(detected), ~_mask(pc.or_(detected, pc.is_in(words, pa.array(_FALSE))))

    def numbers(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(n,) float64, NaN where there is no number, and where there is no value at all.

        Raises
        ------
        ExportError
            If the column holds neither numbers nor text.
        """
        values, kind = self.values, self.values.type
        if self._is_text():
            values = self.text()
            missing = pc.equal(values, "")
            if self.decimal_comma:
                values = pc.replace_substring(values, ",", ".")
            values = pc.if_else(pc.match_substring_regex(values, _NUMBER), values, None)
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            missing = pc.is_null(values)
        else:
            raise self._wrong_type("numbers")
        result: NDArray[np.float64] = pc.fill_null(values.cast(pa.float64(), safe=False), float("nan")).to_numpy()
        return result, _mask(missing)

    def microseconds(self) -> pa.Array:
        """(n,) uint32 durations in us, rounded to the nearest integer, half to even.

        Null where a duration is empty, no number, negative, not finite or longer than 2^32 - 1 us. The unit is ms
        unless the column's name ends in [s], [us] or [ns].
        """
        units = (factors for unit, factors in _IN_MICROSECONDS.items() if self.name.endswith(unit))
        multiplier, divisor = next(units, _MILLISECONDS)
        values, _ = self.numbers()
        with np.errstate(over="ignore"):
            rounded = np.rint(values * multiplier / divisor)
        told = (values >= 0) & (rounded <= _LONGEST)
        return pa.array(np.where(told, rounded, 0).astype(np.uint32), mask=~told)

    def nanoseconds(self) -> pa.Array:
        """(n,) int64 times in ns; null where there is no readable number.

        The unit is s unless the column's name ends in [ns], whose whole numbers are kept to the last digit: they are
        above 2^53, where float64 has gaps.
        """
        values, _ = self.numbers()
        if not self.name.endswith("[ns]"):
            values = values * 1e9
        told = np.abs(values) < 2.0**63
        times = np.where(told, np.rint(values), 0).astype(np.int64)
        if self.name.endswith("[ns]"):
            exact = None
            if self._is_text():
                text = self.text()
                exact = pc.if_else(pc.match_substring_regex(text, _WHOLE), text, None).cast(pa.int64())
            elif pa.types.is_integer(self.values.type):
                exact = self.values.cast(pa.int64(), safe=False)
            if exact is not None:
                times = np.where(told & _mask(pc.is_valid(exact)), pc.fill_null(exact, 0).to_numpy(), times)
        return pa.array(times, mask=~told)

    def _wrong_type(self, expected: str) -> ExportError:
        return ExportError(f"{self.source}: the column {self.name!r} holds {self.values.type}, expected {expected}")

    def _is_text(self) -> bool:
        kind = self.values.type
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _mask(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = column.to_numpy()
    return mask
