"""What the C library does with memory that was freed."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

__all__ = ["give_back_large_blocks"]

M_MMAP_THRESHOLD: Final = -3  # of malloc.h
LARGE: Final = 1 << 22  # bytes


def give_back_large_blocks() -> None:
    """Have large blocks given back to the system as soon as they are freed, where the C library is glibc.

    Else, once it saw pictures of 4K freed, it keeps as large ones for later, in the share of whichever thread had asked
    for them: what a decoder had is then not there for what is drawn, and the more often, the more of it lies idle.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGE)
