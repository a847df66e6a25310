"""A picture in memory of its own shows what the decoder's showed, also when that shows something else by then."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from clips import decoded, encode, noise, scene, turn_mp4

from gpuheat import motion_heatmap
from gpuheat.errors import VideoError
from gpuheat.inputs.detacher import Detacher
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.video_frame import BgrConverter, VideoFrame

INTERLACED = {"flags": "+ildct+ilme"}
KINDS: dict[str, dict[str, Any]] = {
    "planar.mp4": {},
    "odd.mkv": {"frames": scene(4, 49, 65), "codec": "ffv1"},
    "full-range.mp4": {"pix_fmt": "yuvj420p"},
    "bt709.mp4": {"options": {"x264-params": "colormatrix=bt709:fullrange=on"}},
    "interlaced.mkv": {"frames": noise((4, 48, 64, 3)), "options": INTERLACED},
    "422.avi": {"codec": "mjpeg", "pix_fmt": "yuvj422p"},
    "444.mkv": {"pix_fmt": "yuv444p"},
    "10-bit.mp4": {"pix_fmt": "yuv420p10le"},
    "bottom-up.avi": {"codec": "rawvideo", "pix_fmt": "bgr24"},
    "bottom-up-planar.nut": {"codec": "amv", "pix_fmt": "yuvj420p"},
    "packed.nut": {"codec": "rawvideo", "pix_fmt": "yuyv422"},
    "palette.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "grey.mkv": {"pix_fmt": "gray"},
    "vp8.webm": {"codec": "libvpx"},
}
SAID = (
    *("pts", "dts", "duration", "time_base", "key_frame", "is_corrupt", "width", "height", "rotation"),
    *("interlaced_frame", "pict_type", "colorspace", "color_range", "color_trc", "color_primaries"),
)


def pictures_of(path: Path) -> list[av.VideoFrame]:
    """What a decoder with a single thread gives."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        return list(container.decode(video=0))


def forms(picture: av.VideoFrame) -> list[tuple[Any, Any]]:
    """Layout and planes in every form in which a frame can be compared."""
    frame = VideoFrame(0, 0, picture, BgrConverter("a"))  # type: ignore[arg-type]
    pixels = [frame.native(()), frame.native(("yuv420p",)), frame.native_luma(()), frame.native_luma(("gray8",))]
    return [(None, (frame.bgr(),)), (None, (frame.luma(),)), *((each.layout, each.planes) for each in pixels)]


def assert_the_same(copy: av.VideoFrame, picture: av.VideoFrame) -> None:
    """That they show the same in every form, and that the same is said of them."""
    assert copy.format.name == picture.format.name
    assert {name: getattr(copy, name) for name in SAID} == {name: getattr(picture, name) for name in SAID}
    for (layout, planes), (wanted, of_decoder) in zip(forms(copy), forms(picture), strict=True):
        assert layout == wanted
        for plane, expected in zip(planes, of_decoder, strict=True):
            np.testing.assert_array_equal(plane, expected)
            assert not np.shares_memory(plane, expected)


def clip_of(folder: Path, name: str, frames: Any = None) -> Path:
    """A clip of a kind, of its own frames unless others are given."""
    options = dict(KINDS[name])
    own = options.pop("frames", scene(4))
    clip = encode(folder / name, own if frames is None else frames, **options)
    if name == "bottom-up.avi":  # its header gives the height as negative where rows lie top-down
        data = bytearray(clip.read_bytes())
        height = data.index(b"strf") + 16
        assert int.from_bytes(data[height : height + 4], "little", signed=True) < 0
        data[height : height + 4] = len(own[0]).to_bytes(4, "little")
        clip.write_bytes(data)
    return clip


@pytest.mark.parametrize("name", KINDS)
def test_every_form_is_the_same(tmp_path: Path, name: str) -> None:
    pictures = pictures_of(clip_of(tmp_path, name))
    assert len(pictures) == 4
    assert all(picture.interlaced_frame == name.startswith("interlaced") for picture in pictures)
    assert all((picture.planes[0].line_size < 0) == name.startswith("bottom-up") for picture in pictures)
    detach = Detacher(name)
    copies = [detach(picture) for picture in pictures]
    for copy, picture in zip(copies, pictures, strict=True):
        assert_the_same(copy, picture)


def test_how_a_picture_is_turned_is_kept(tmp_path: Path) -> None:
    clip = encode(tmp_path / "a.mp4", scene(2))
    turn_mp4(clip, 90)
    picture = pictures_of(clip)[0]
    assert picture.rotation != 0
    assert_the_same(Detacher("a")(picture), picture)


def test_pictures_may_change_from_one_to_the_next(tmp_path: Path) -> None:
    clips = [clip_of(tmp_path, name, scene(2)) for name in ("planar.mp4", "444.mkv", "bt709.mp4", "bottom-up.avi")]
    detach = Detacher("a")
    for picture in [picture for clip in clips for picture in pictures_of(clip)][::-1]:
        assert_the_same(detach(picture), picture)


def test_what_the_decoder_writes_later_does_not_show(tmp_path: Path) -> None:
    pictures = pictures_of(clip_of(tmp_path, "planar.mp4"))
    before = [picture.to_ndarray(format="bgr24") for picture in pictures]
    detach = Detacher("a")
    copies = []
    for picture, shown in zip(pictures, before, strict=True):
        copies.append(detach(picture))
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        assert (picture.to_ndarray(format="bgr24") != shown).any()
    for copy, expected in zip(copies, before, strict=True):
        np.testing.assert_array_equal(copy.to_ndarray(format="bgr24"), expected)


def test_frames_that_are_kept_show_what_they_did(tmp_path: Path) -> None:
    """Their decoder leaves damage out without a word, so each is copied: here while all others are held."""
    clip = encode(tmp_path / "a.avi", scene(12), codec="mjpeg", pix_fmt="yuvj420p")
    data = bytearray(clip.read_bytes())
    for place in range(len(data) // 4, len(data) // 2, 97):
        data[place] ^= 0x55
    clip.write_bytes(data)
    with VideoReader(clip) as reader:
        frames = list(reader)
    shown = decoded(clip)
    assert len(frames) == len(shown) > 4
    for frame, expected in zip(frames, shown, strict=True):
        np.testing.assert_array_equal(frame.bgr(), expected.bgr)


def test_what_cannot_be_converted_is_an_error_only_when_it_is_asked_for(tmp_path: Path) -> None:
    picture = pictures_of(encode(tmp_path / "a.mp4", scene(2), options={"x264-params": "colormatrix=YCgCo"}))[0]
    frame, detached = (
        VideoFrame(0, 0, each, BgrConverter("a"))  # type: ignore[arg-type]
        for each in (picture, Detacher("a")(picture))
    )
    np.testing.assert_array_equal(detached.luma(), frame.luma())
    for form in (detached.bgr, lambda: detached.native(("yuv420p",))):
        with pytest.raises(VideoError, match="FFmpeg cannot turn"):
            form()


def test_what_cannot_be_copied_is_an_error() -> None:
    in_gpu_memory: Any = SimpleNamespace(
        format=av.VideoFormat("cuda"), width=64, height=48, planes=[SimpleNamespace(line_size=64)]
    )
    with pytest.raises(VideoError, match=r"^a\.mp4: FFmpeg cannot copy a picture of 64 x 48 px in cuda: "):
        Detacher("a.mp4")(in_gpu_memory)


@pytest.mark.parametrize("pixels", ["bgr", "luma"])
@pytest.mark.parametrize("name", ["planar.mp4", "interlaced.mkv", "422.avi", "vp8.webm"])
def test_frames_that_are_left_out_are_never_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, pixels: Any
) -> None:
    """Neither does FFmpeg convert them, nor are their planes read."""
    clip = clip_of(tmp_path, name, scene(23))
    stamps = [picture.pts for picture in pictures_of(clip)]
    looked_at, converted = set(), set()

    def note(form: str) -> None:
        make = getattr(VideoFrame, form)

        def noted(self: VideoFrame, *wanted: Any) -> Any:
            looked_at.add(self.number)
            return make(self, *wanted)

        monkeypatch.setattr(VideoFrame, form, noted)

    def noted_conversion(self: BgrConverter, picture: av.VideoFrame) -> av.VideoFrame:
        converted.add(picture.pts)
        return convert(self, picture)

    convert = BgrConverter.__call__
    monkeypatch.setattr(BgrConverter, "__call__", noted_conversion)
    for form in ("native", "native_luma", "bgr", "luma"):
        note(form)
    result = motion_heatmap(clip, every=5, pixels=pixels, jobs=1)
    assert result.frames.tolist() == [5, 10, 15, 20]
    assert looked_at == {0, 5, 10, 15, 20}
    by_ffmpeg = pixels == "bgr" and name in ("interlaced.mkv", "422.avi")
    assert converted == (set(stamps[::5]) if by_ffmpeg else set())
