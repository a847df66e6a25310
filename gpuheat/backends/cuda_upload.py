"""Host arrays on their way to a device, while it computes."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Engine", "Event", "Uploader"]

SMALLEST: Final = 1 << 20
LARGEST: Final = 1 << 28
"""Bytes of one of the two buffers; more than that goes in several pieces."""


class Event(Protocol):
    """A point in a stream."""

    def synchronize(self) -> None:
        """Wait on the host until the stream has come there."""


class Engine(Protocol):
    """What the uploader needs of a device. It has a stream of its own for uploads, beside the caller's."""

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        """A new C-contiguous array on the device."""

    def buffers(self, nbytes: int) -> tuple[NDArray[np.uint8], Any]:
        """Pinned memory of the host, and as much memory of the device."""

    def send(self, pinned: NDArray[np.uint8], staging: Any, nbytes: int) -> None:
        """Copy from the host on the uploads' stream, and let the caller's current stream wait for it."""

    def place(self, staging: Any, nbytes: int, target: Any, offset: int) -> Event:
        """Copy to the byte ``offset`` of an array on the caller's current stream; returns the point behind it."""


@dataclass
class _Buffer:
    pinned: NDArray[np.uint8]
    staging: Any
    free: Event | None = None  # once the stream is here, both may be written to

    def wait(self) -> None:
        """Wait until it is free."""
        if self.free is not None:
            self.free.synchronize()


class Uploader:
    """Uploads arrays through two buffers in turn.

    A buffer is filled and sent while the device still computes on what came through the other one: the copy to the
    device runs on a stream of its own, and only what the caller asks for afterwards waits for it. The host waits
    only until the buffer it is about to fill is free, which is two uploads later. From the buffer on the device the
    array is copied to its final place in the caller's own stream, so that its memory needs no special care.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._buffers: list[_Buffer | None] = [None, None]
        self._turn = 0
        self._lock = Lock()

    def upload(self, values: NDArray[Any], target: Any = None) -> Any:
        """A copy on the device, C-contiguous. The host's array may be written to once this has returned.

        ``target`` is where to copy it, a C-contiguous array of its shape and dtype; None: a new one.
        """
        with self._lock:
            try:
                if target is None:
                    target = self._engine.empty(values.shape, values.dtype)
                if values.nbytes > LARGEST:
                    pieces = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
                    for offset in range(0, values.nbytes, LARGEST):
                        self._send(pieces[offset : offset + LARGEST], target, offset)
                elif values.nbytes > 0:
                    self._send(values, target, 0)
            except Exception:
                self._release()  # memory is short, most likely: whoever tries again with less has all there is
                raise
            return target

    def _send(self, values: NDArray[Any], target: Any, offset: int) -> None:
        buffer = self._next_buffer(values.nbytes)
        np.copyto(buffer.pinned[: values.nbytes].view(values.dtype).reshape(values.shape), values)
        self._engine.send(buffer.pinned, buffer.staging, values.nbytes)
        buffer.free = self._engine.place(buffer.staging, values.nbytes, target, offset)

    def _next_buffer(self, nbytes: int) -> _Buffer:
        """The buffer whose turn it is, free to be written to and large enough."""
        self._turn = 1 - self._turn
        buffer = self._buffers[self._turn]
        if buffer is not None:
            buffer.wait()
        if buffer is None or buffer.pinned.size < nbytes:
            self._buffers[self._turn] = buffer = None  # its memory is given back before more is asked for
            size = max(SMALLEST, 1 << (nbytes - 1).bit_length())
            buffer = self._buffers[self._turn] = _Buffer(*self._engine.buffers(size))
        return buffer

    def _release(self) -> None:
        for buffer in self._buffers:
            if buffer is not None:
                buffer.wait()
        self._buffers = [None, None]
