"""The device's memory, and pinned memory: allocations of exact size, and a pool that hands them out again at once."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any

__all__ = ["OutOfMemoryError", "Pool", "pinned_view"]

GARBAGE = 0xA5  # what new memory holds
ALIGNMENT = 512  # of allocations, in bytes, as of CuPy's pool

LIBC = ctypes.CDLL(None)


class OutOfMemoryError(MemoryError):
    """``cupy.cuda.memory.OutOfMemoryError``."""


class Block:
    """Memory of exactly so many bytes, so that AddressSanitizer knows where it ends."""

    def __init__(self, nbytes: int, stream: int) -> None:
        address = ctypes.c_void_p()
        if LIBC.posix_memalign(ctypes.byref(address), ctypes.c_size_t(ALIGNMENT), ctypes.c_size_t(nbytes)):
            raise MemoryError(f"{nbytes} bytes")
        self.ptr = int(address.value or 0)
        self.nbytes = nbytes
        self.stream = stream
        ctypes.memset(self.ptr, GARBAGE, nbytes)
        weakref.finalize(self, LIBC.free, address).atexit = False


class Pool:
    """Hands out memory. What is given back is kept, and given to the next who asks for that size on that stream."""

    def __init__(self) -> None:
        self.used: dict[int, Block] = {}
        self.free: list[Block] = []

    def used_bytes(self) -> int:
        """Bytes in arrays that are alive."""
        return sum(block.nbytes for block in list(self.used.values()))

    def free_bytes(self) -> int:
        """Bytes given back and kept."""
        return sum(block.nbytes for block in self.free)

    def total_bytes(self) -> int:
        """Bytes taken from the device."""
        return self.used_bytes() + self.free_bytes()

    def kept(self, nbytes: int, stream: int = 0) -> Block | None:
        """What would be handed out again."""
        fitting = (block for block in reversed(self.free) if (block.nbytes, block.stream) == (nbytes, stream))
        return next(fitting, None)

    def allocate(self, nbytes: int, stream: int = 0) -> Any:
        """A ctypes array; its memory comes back when the last view of it is gone."""
        block = self.kept(nbytes, stream)
        if block is None:
            block = Block(nbytes, stream)
        else:
            self.free.remove(block)
        self.used[block.ptr] = block
        memory = (ctypes.c_uint8 * nbytes).from_address(block.ptr)
        weakref.finalize(memory, self._give_back, block.ptr).atexit = False
        return memory

    def holds(self, ptr: int, nbytes: int) -> bool:
        """Whether these bytes lie in one living allocation."""
        return any(block.ptr <= ptr and ptr + nbytes <= block.ptr + block.nbytes for block in list(self.used.values()))

    def _give_back(self, ptr: int) -> None:
        self.free.append(self.used.pop(ptr))


def pinned_view(memory: Any) -> Any:
    """The memory as an object with the buffer protocol and ``ptr``, which lives as long as any view of it."""
    kind: Any = type("PinnedMemoryPointer", (type(memory),), {"ptr": property(ctypes.addressof)})
    return kind.from_buffer(memory)
