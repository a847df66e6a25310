"""A frame in memory of its own shows what the decoder's showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import encode, scene

from gpuheat.errors import VideoError
from gpuheat.inputs.detached_frame import DetachedFrame
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.video_frame import VideoFrame

KINDS: dict[str, dict[str, Any]] = {
    "planar.mp4": {},
    "full-range.mp4": {"pix_fmt": "yuvj420p"},
    "444.mkv": {"pix_fmt": "yuv444p"},
    "10-bit.mp4": {"pix_fmt": "yuv420p10le"},
    "raw.avi": {"codec": "rawvideo", "pix_fmt": "bgr24"},
    "grey.mkv": {"pix_fmt": "gray"},
}


@pytest.mark.parametrize("name", KINDS)
def test_every_form_is_the_same(tmp_path: Path, name: str) -> None:
    with VideoReader(encode(tmp_path / name, scene(4), **KINDS[name])) as reader:
        frames = list(reader)
    for frame in frames:
        assert isinstance(frame, VideoFrame)
        detached = DetachedFrame.of(frame)
        assert (detached.number, detached.time) == (frame.number, frame.time)
        np.testing.assert_array_equal(detached.bgr(), frame.bgr())
        np.testing.assert_array_equal(detached.luma(), frame.luma())
        wanted: tuple[str, ...]
        for wanted in ((), ("yuv420p",), ("nv12", "yuv420p")):
            got, want = detached.native(wanted), frame.native(wanted)
            assert got.layout == want.layout
            for plane, of_decoder in zip(got.planes, want.planes, strict=True):
                np.testing.assert_array_equal(plane, of_decoder)
                assert not np.shares_memory(plane, of_decoder)


def test_what_cannot_be_converted_is_an_error_only_when_it_is_asked_for(tmp_path: Path) -> None:
    with VideoReader(encode(tmp_path / "a.mp4", scene(2), options={"x264-params": "colormatrix=YCgCo"})) as reader:
        frame = next(iter(reader))
        assert isinstance(frame, VideoFrame)
        detached = DetachedFrame.of(frame)
    np.testing.assert_array_equal(detached.luma(), frame.luma())
    for form in (detached.bgr, lambda: detached.native(("yuv420p",))):
        with pytest.raises(VideoError, match="FFmpeg cannot turn"):
            form()
