"""The check that several options share."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from gpuheat.errors import OptionError

__all__ = ["whole_number"]


def whole_number(name: str, value: SupportsIndex, least: int, most: int) -> int:
    """``value`` as an int, NumPy's whole numbers included.

    Raises
    ------
    OptionError
        If it is not a whole number from ``least`` to ``most``.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or not least <= number <= most:
        raise OptionError(f"{name} must be a whole number from {least} to {most}, got {value!r}")
    return number
