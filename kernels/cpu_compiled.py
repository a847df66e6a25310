"""How the loops for the CPU are compiled by Numba, and what they take.

Numba keeps the machine code of a function as long as the file that defines it is unchanged. Helpers are therefore in
the file of the loops that use them.

Two habits keep the loops vectorised: ``int32 * int32`` is int64 in Numba, so every step is cast back;
and an index that cannot be negative is unsigned, because Numba spends a branch on negative ones.
"""

from __future__ import annotations

from typing import Any

import numba as nb

__all__ = ["PLANE", "STRETCH", "Array", "compiled", "inlined", "read", "written"]

Array = Any
STRETCH = 128
"""Pixels of a row that are looked at together, even: what moves is small, and most of a row of a video is still."""


def read(dtype: Any, ndim: int) -> Any:
    """A C-contiguous array that is only read, so that arrays the caller may not write to are taken too."""
    return nb.types.Array(dtype, ndim, "C", readonly=True)


def written(dtype: Any, ndim: int) -> Any:
    """A C-contiguous array that is written to."""
    return nb.types.Array(dtype, ndim, "C")


def compiled(*signatures: Any) -> Any:
    """Compile for these types, and no others, at import; the machine code is kept on disk."""
    return nb.njit(list(signatures), cache=True, nogil=True)


WITHOUT_COUNTS: dict[str, Any] = {"_nrt": False, "forceinline": True}
inlined = nb.njit(**WITHOUT_COUNTS)
"""A helper of compiled loops, which allocates nothing.

It counts no references to its arrays. Numba's own way to inline (``inline="always"``) leaves those counts in, an atomic
operation each: they took up to a half of the time of loops over stretches of a row.
"""

PLANE = (read(nb.uint8, 1), nb.int64)  # flat bytes and the distance between rows
