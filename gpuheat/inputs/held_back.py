"""Pictures that wait until nothing they may have been predicted from can turn out damaged any more."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

__all__ = ["FRAMES_AHEAD", "HeldBack"]

FRAMES_AHEAD: Final = 16
"""A picture may have been predicted from one that is shown as many frames later."""


class HeldBack:
    """Pictures as they come out of a decoder, in the order of showing, held back as briefly as is safe.

    A picture may have been predicted from any that was read before it, also from one that is shown later, and only what
    comes out tells whether it is damaged. Packets come in the order of reading. So a picture is given as soon as those
    of all packets up to its own have come out. Where time stamps do not tell which packet is whose, or what a packet
    holds does not come out, a picture waits until ``most`` others have come out behind it. So it does once time stamps
    show a hole: what is predicted from a picture that was lost with its packet is noticed late, or by others.

    Parameters
    ----------
    most
        So many wait at most.

    Attributes
    ----------
    packets
        Read so far; each should give a picture.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: deque[tuple[int, av.VideoFrame]] = deque()  # each with the number of its packet
        self.packets = 0
        self._packet_of: dict[int | None, int] = {}  # by time stamp; of pictures that have not come out
        self._stamp_of: dict[int, int] = {}  # the same the other way round, in the order of reading
        self._matched = True  # time stamps tell packets apart, and that none was lost
        self._latest: int | None = None  # time stamp of a picture
        self._distance: int | None = None  # of time stamps, the smallest so far

    def __len__(self) -> int:
        """How many wait."""
        return len(self._held)

    def read(self, stamp: int | None) -> None:
        """Take note of the next packet that holds a picture to be shown, and of its time stamp."""
        self.packets += 1
        if stamp is None or stamp in self._packet_of:
            self._wait_for_most()
        elif self._matched:
            self._packet_of[stamp] = self.packets
            self._stamp_of[self.packets] = stamp

    def through(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Take a picture that came out undamaged; gives those that wait no longer, in the order of showing."""
        if self._matched and self._is_behind_a_hole(picture.pts):
            self._wait_for_most()
        packet = self._packet_of.pop(picture.pts, self.packets)
        self._stamp_of.pop(packet, None)
        self._held.append((packet, picture))
        while self._held:
            packet = self._held[0][0]
            if not self._is_settled(packet):
                if len(self._held) <= self._most:
                    return
                self._settle(packet)
            yield self._held.popleft()[1]

    def rest(self) -> Iterator[av.VideoFrame]:
        """Those that wait, when all has come out."""
        while self._held:
            yield self._held.popleft()[1]

    def _is_behind_a_hole(self, stamp: int | None) -> bool:
        """Whether the next picture is shown much later than is usual."""
        if stamp is None:
            return False
        latest, self._latest = self._latest, stamp
        if latest is None or stamp <= latest:
            return False
        self._distance = min(stamp - latest, self._distance or stamp - latest)
        return 2 * (stamp - latest) > 3 * self._distance  # time stamps may be rounded

    def _wait_for_most(self) -> None:
        self._matched = False
        self._packet_of.clear()
        self._stamp_of.clear()

    def _is_settled(self, packet: int) -> bool:
        """Whether all pictures of packets up to this one have come out."""
        return self._matched and next(iter(self._stamp_of), packet + 1) > packet

    def _settle(self, packet: int) -> None:
        """No longer wait for packets up to this one."""
        while self._stamp_of and (first := next(iter(self._stamp_of))) <= packet:
            del self._packet_of[self._stamp_of.pop(first)]
