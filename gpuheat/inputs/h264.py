"""Whether an H.264 key frame is one behind which nothing needs the frames before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["has_idr", "is_clean_start"]

IDR: Final = 5  # nal_unit_type of a slice of an IDR picture
SEI: Final = 6
RECOVERY_POINT: Final = 6  # payloadType
START_CODE: Final = b"\0\0\1"


def is_clean_start(access_unit: bytes, length_size: int | None) -> bool:
    """Whether all pictures shown from this one on come out right when decoding begins here.

    They do for an IDR picture, and where a recovery point says so at once (``recovery_frame_cnt`` 0 and
    ``exact_match_flag``: ITU-T H.264, D.2.8), as encoders write it at the start of an open group of pictures.

    Parameters
    ----------
    access_unit
        The bytes of a packet.
    length_size
        Bytes of the length in front of each unit (MP4, Matroska); None where start codes part them (Annex B).
    """
    for unit in _units(access_unit, length_size):
        kind = unit[0] & 31
        if kind == IDR:
            return True
        if kind == SEI and _recovers_at_once(unit[1:].replace(b"\0\0\3", b"\0\0")):
            return True
    return False


def has_idr(access_unit: bytes, length_size: int | None) -> bool:
    """Whether it holds a slice of an IDR picture, behind which nothing at all needs the frames before it.

    Parameters as of :func:`is_clean_start`.
    """
    return any(unit[0] & 31 == IDR for unit in _units(access_unit, length_size))


def _units(data: bytes, length_size: int | None) -> Iterator[bytes]:
    """The NAL units of an access unit; those of nothing are left out."""
    if length_size is None:
        yield from (unit for unit in data.split(START_CODE)[1:] if unit)
        return
    at = 0
    while at + length_size < len(data):
        begin = at + length_size
        at = begin + int.from_bytes(data[at:begin])
        if at > begin:
            yield data[begin:at]


def _recovers_at_once(messages: bytes) -> bool:
    """Whether one of these SEI messages is a recovery point without a delay and with exact pictures."""
    at = 0
    while at + 1 < len(messages) and messages[at] != 0x80:  # rbsp_trailing_bits
        kind, at = _varying(messages, at)
        size, at = _varying(messages, at)
        payload = messages[at : at + size]
        if kind == RECOVERY_POINT and payload and payload[0] >> 6 == 0b11:  # ue(v) 0 is the bit 1, then the flag
            return True
        at += size
    return False


def _varying(data: bytes, at: int) -> tuple[int, int]:
    """A number that is written as bytes of 255 and a last one, and the place behind it."""
    number = 0
    while at < len(data):
        number += data[at]
        at += 1
        if data[at - 1] != 0xFF:
            break
    return number, at
