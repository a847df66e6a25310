"""Where a video can be cut: at key frames, found by reading its packets without decoding them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gpuheat.inputs.h264 import has_idr, is_clean_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import av

    Packet = av.Packet[av.VideoStream]

__all__ = ["Cut", "Part", "clean_start", "cut_into_parts"]

SHORTEST: Final = 200
"""Frames of a part, at least; opening, seeking and adding up cost as much as some frames."""

CLEAN_KEY_FRAMES: Final = {
    *("av1", "ffv1", "ffvhuff", "hevc", "huffyuv", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "prores", "rawvideo"),
    *("msmpeg4v1", "msmpeg4v2", "utvideo", "vp8", "vp9", "wmv2"),
}
"""Codecs in which no frame shown from a key frame on needs one before it. H.264 says for each whether it is so.

Not msmpeg4v3 and wmv1: how their decoders round behind a damaged key frame depends on those before it.
"""
OPEN_GROUPS: Final = {"hevc", "mpeg1video", "mpeg2video", "mpeg4"}
"""Those in which frames read behind a key frame, but shown before it, may need one before it."""


@dataclass(frozen=True)
class Cut:
    """A packet with a key frame at which a decoder can begin.

    ``number`` frames are shown before it, ``packets`` are read before it. ``pts`` and ``dts`` are its time stamps in
    units of the stream's time base, ``pos`` and ``size`` where it lies in the file and how long it is, in bytes.
    ``is_closed``: no frame that is read from here on needs one before it, not even one that is shown before this.
    """

    number: int
    packets: int
    pts: int
    dts: int | None
    pos: int
    size: int
    is_closed: bool

    def is_packet(self, packet: Packet) -> bool:
        """Whether this is its packet."""
        return (packet.pts, packet.pos, packet.size) == (self.pts, self.pos, self.size)


@dataclass(frozen=True)
class Part:
    """The frames shown from one cut on and before the next.

    ``begin`` None is the beginning of the file, ``end`` None its end. ``stamps`` are the time stamps of the frames in
    the order of showing; None where the file does not tell them beyond doubt. ``packets`` hold a frame, up to the end.
    """

    begin: Cut | None
    end: Cut | None
    stamps: array[int] | None
    packets: int

    @property
    def first(self) -> int:
        """The number of its first frame."""
        return 0 if self.begin is None else self.begin.number

    @property
    def is_closed(self) -> bool:
        """Whether decoding it needs no frame before it."""
        return self.begin is None or self.begin.is_closed


def cut_into_parts(packets: Iterable[Packet], codec: str, extradata: bytes | None) -> Iterator[Part]:
    """The parts of a video of at least SHORTEST frames each, as soon as reading has come behind them.

    From where the packets are not to be trusted there is one last part, without stamps: where one has no time
    stamps, is damaged, or is shown before a cut that was passed long ago.

    Parameters
    ----------
    packets
        All packets of the stream, in the order of decoding.
    codec
        FFmpeg's name of the codec.
    extradata
        What the container keeps for the decoder.
    """
    clean, closed = clean_start(codec, extradata), _closed_start(codec, extradata)
    begin: Cut | None = None
    key: tuple[Packet, int] | None = None  # where the next part may begin, and the packets before it
    before: list[int] = []  # time stamps of the frames from ``begin`` on and before ``key``
    behind: list[int] = []  # and of those from ``key`` on
    passed = False  # something shown behind the key frame was read
    highest: int | None = None  # time stamp so far
    count = 0
    for packet in packets:
        if packet.size == 0:
            continue
        stamp = packet.pts
        late = key is not None and stamp is not None and stamp <= int(key[0].pts or 0)
        if stamp is None or packet.is_corrupt or (late and (passed or stamp == highest)):
            yield Part(begin, None, None, 0)
            return
        enough = len(behind if key is not None else before) >= SHORTEST
        if (
            enough
            and packet.is_keyframe
            and highest is not None
            and stamp > highest
            and _found_again(packet)
            and clean(packet)
        ):
            if key is not None:
                end = _cut(*key, begin, before, closed(key[0]))
                yield Part(begin, end, array("q", sorted(before)), end.packets)
                begin, before, behind = end, behind, []
            key, passed = (packet, count), False
        elif not late and key is not None:
            passed = True
        if not packet.is_discard:
            (before if key is None or late else behind).append(stamp)
        highest = stamp if highest is None else max(highest, stamp)
        count += 1
    if key is not None:
        end = _cut(*key, begin, before, closed(key[0]))
        yield Part(begin, end, array("q", sorted(before)), end.packets)
        begin, before = end, behind
    yield Part(begin, None, array("q", sorted(before)), count)


def _cut(key: Packet, packets: int, begin: Cut | None, before: list[int], is_closed: bool) -> Cut:
    number = len(before) + (0 if begin is None else begin.number)
    return Cut(number, packets, int(key.pts or 0), key.dts, int(key.pos or 0), key.size, is_closed)


def clean_start(codec: str, extradata: bytes | None) -> Callable[[Packet], bool]:
    """Whether nothing that is shown from a key frame on needs the frames before it, as far as its packet tells."""
    if codec == "h264":
        lengths = _length_size(extradata)
        return lambda packet: is_clean_start(bytes(packet), lengths)
    return lambda _packet: codec in CLEAN_KEY_FRAMES


def _closed_start(codec: str, extradata: bytes | None) -> Callable[[Packet], bool]:
    """Whether nothing that is read from a key frame on needs the frames before it, as far as its packet tells."""
    if codec == "h264":
        lengths = _length_size(extradata)
        return lambda packet: has_idr(bytes(packet), lengths)
    return lambda _packet: codec not in OPEN_GROUPS


def _length_size(extradata: bytes | None) -> int | None:
    """Bytes of the length in front of each unit of H.264; None where start codes part them."""
    # ISO/IEC 14496-15: the record begins with 1; the fifth byte says how long the lengths are
    return (extradata[4] & 3) + 1 if extradata is not None and len(extradata) > 4 and extradata[0] == 1 else None


def _found_again(packet: Packet) -> bool:
    """Whether the packet can be told from others after a jump in the file, and gives a frame."""
    return packet.pos is not None and packet.pos >= 0 and not packet.is_discard
