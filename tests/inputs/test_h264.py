"""At which key frames of H.264 decoding can begin."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from clips import encode, scene

from gpuheat.inputs.h264 import is_clean_start

SLICE, IDR, PARAMETERS = b"\x41\x9a\x24", b"\x65\x88\x84\x21", b"\x67\x64\x00\x0a"
AT_ONCE = b"\x06\x06\x01\xc4\x80"  # recovery_frame_cnt 0, exact_match_flag 1
NOT_EXACT = b"\x06\x06\x01\x84\x80"
IN_ONE_FRAME = b"\x06\x06\x01\x5c\x80"
USER_DATA = b"\x06\x05\x04\x06\x01\xc4\x80\x80"  # holds the bytes of a recovery point, but is none
LONG = b"\x06\x05\xff\x03" + bytes(range(1, 256)) + b"\1\1\1" + AT_ONCE[1:]  # 258 bytes of another message first
ESCAPED = b"\x06\x05\x03\0\0\3\1\x06\x01\xc4\x80"  # the message is 0, 0, 1


@pytest.mark.parametrize(
    ("units", "clean"),
    [
        ([PARAMETERS, IDR], True),
        ([SLICE], False),
        ([PARAMETERS, AT_ONCE, SLICE], True),
        ([NOT_EXACT, SLICE], False),
        ([IN_ONE_FRAME, SLICE], False),
        ([USER_DATA, SLICE], False),
        ([USER_DATA, AT_ONCE, SLICE], True),
        ([LONG, SLICE], True),
        ([ESCAPED, SLICE], True),
        ([b"\x06\x06", b"\x06", SLICE], False),
        ([], False),
    ],
)
def test_units(units: list[bytes], clean: bool) -> None:
    assert is_clean_start(b"".join(b"\0\0\0\1" + unit for unit in units), None) == clean
    assert is_clean_start(b"".join(b"\0\0\1" + unit for unit in units), None) == clean
    for size in (1, 2, 4):
        if all(len(unit) < 256**size for unit in units):
            data = b"".join(len(unit).to_bytes(size, "big") + unit for unit in units)
            assert is_clean_start(data, size) == clean


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\0\0\0\0", b"\0\0\0\x09\x65", b"\xff" * 9, b"\0\0\1", b"\0\0\0\1\0\0\1"]
)
def test_what_is_cut_off_or_empty(data: bytes) -> None:
    for size in (None, 1, 2, 4):
        assert is_clean_start(data, size) in (True, False)


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
@pytest.mark.parametrize(
    ("parameters", "clean"), [("open-gop=0", [True] * 4), ("open-gop=1", [True] * 4), ("intra-refresh=1", [True])]
)
def test_what_an_encoder_writes(tmp_path: Path, suffix: str, parameters: str, clean: list[bool]) -> None:
    """x264's stream with intra refresh has recovery points that take a while."""
    options = {"x264-params": f"keyint=10:min-keyint=10:scenecut=0:bframes=3:{parameters}"}
    path = encode(tmp_path / f"clip.{suffix}", scene(40), options=options)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size > 0]
        sizes = 4 if suffix == "mp4" else None
        starts = [is_clean_start(bytes(packet), sizes) for packet in packets]
    assert [start for start, packet in zip(starts, packets, strict=True) if packet.is_keyframe][: len(clean)] == clean
    assert sum(starts) == len(clean)
