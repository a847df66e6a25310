"""Videos that are in order, or nearly, and yet not like others: found by trying thousands of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import pytest
from clips import decoded, encode, mean_picture, noise, recipe, scene

from gpuheat import InputError, MotionCounter, motion_heatmap
from gpuheat.errors import VideoError

if TYPE_CHECKING:
    from pathlib import Path

    from gpuheat import Backend


def expected(path: Path) -> Any:
    """The accumulator of the plain recipe on what a single-threaded PyAV makes of the file."""
    return recipe(frame.bgr for frame in decoded(path))[0]


def test_interlaced_frames_are_converted_field_by_field(tmp_path: Path, backend: Backend) -> None:
    clip = encode(tmp_path / "a.mkv", noise((5, 48, 64, 3)), options={"qp": "0", "flags": "+ildct+ilme"})
    with av.open(str(clip)) as container:
        assert all(frame.interlaced_frame for frame in container.decode(video=0))
    result = motion_heatmap(clip, backend=backend)
    assert result.facts["input"]["compared_as"] == ["bgr24"]
    np.testing.assert_array_equal(result.accumulator, expected(clip))


def test_a_cropped_picture_is_as_large_as_its_frames(tmp_path: Path, backend: Backend) -> None:
    clip = encode(tmp_path / "a.mp4", scene(6, 50, 66), options={"x264-params": "crop-rect=2,2,2,2"})
    result = motion_heatmap(clip, backend=backend)
    assert result.counts.shape == decoded(clip)[0].bgr.shape[:2] != (50, 66)
    np.testing.assert_array_equal(result.accumulator, expected(clip))


@pytest.mark.parametrize("background", ["mean", "first"])
def test_colours_that_change_their_meaning_half_way(tmp_path: Path, backend: Backend, background: str) -> None:
    """Two streams joined: the same planes are other colours in the second, and FFmpeg says so from frame to frame."""
    frames = scene(12, 48, 64)
    parts = [
        encode(tmp_path / f"{matrix}.h264", frames[half], options={"x264-params": f"colormatrix={matrix}", "qp": "0"})
        for matrix, half in (("bt709", slice(6)), ("smpte170m", slice(6, None)))
    ]
    clip = tmp_path / "joined.h264"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    with av.open(str(clip)) as container:
        assert len({frame.colorspace for frame in container.decode(video=0)}) == 2
    result = motion_heatmap(clip, backend=backend, background=background)
    pictures = [frame.bgr for frame in decoded(clip)]
    np.testing.assert_array_equal(result.accumulator, recipe(pictures)[0])
    assert len(result.moved) == 11
    halves = [mean_picture(tmp_path / f"{matrix}.h264").astype(np.int64) for matrix in ("bt709", "smpte170m")]
    mean = (sum(halves) + 1) // 2
    np.testing.assert_array_equal(result.background, mean if background == "mean" else pictures[0])


def test_a_layout_that_can_only_be_compared_as_bgr_half_way(tmp_path: Path, backend: Backend) -> None:
    """From 4:2:0, compared as planes, to 4:4:4 and back."""
    frames = scene(9, 48, 64)
    parts = [
        encode(tmp_path / f"{number}.h264", frames[3 * number : 3 * number + 3], pix_fmt=pix_fmt)
        for number, pix_fmt in enumerate(("yuv420p", "yuv444p", "yuv420p"))
    ]
    clip = tmp_path / "joined.h264"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    result = motion_heatmap(clip, backend=backend)
    assert len(result.moved) == 8
    np.testing.assert_array_equal(result.accumulator, expected(clip))


def test_uncompressed_video_that_breaks_off_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.avi", scene(20, 48, 64), codec="rawvideo", pix_fmt="bgr24")
    clip = tmp_path / "a.avi"
    clip.write_bytes(whole.read_bytes()[:100_000])
    result = motion_heatmap(clip)
    assert 5 < len(result.moved) < 19
    assert result.facts["warnings"]
    whole_result = motion_heatmap(whole)
    np.testing.assert_array_equal(result.moved, whole_result.moved[: len(result.moved)])


def test_a_file_shorter_than_its_header_says_is_reported(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    with av.open(str(clip), "w", options={"movflags": "+faststart"}) as container:  # the index comes first
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = 48, 64
        for pixels in scene(40, 48, 64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(stream.encode(None))
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 7 // 10])
    result = motion_heatmap(clip)
    assert len(result.moved) < 39
    assert any("its header announces 40 frames" in warning for warning in result.facts["warnings"])


@pytest.mark.parametrize("name", ["2026-11-20T10:30:00.mp4", "http:clip.mp4", "a%03d.mp4", "[red].mp4", "ä ö 東京.mp4"])
def test_names_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    clip = encode(tmp_path / "plain.mp4", scene(3))
    clip.rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    result = motion_heatmap(name)
    assert len(result.moved) == 2
    result.save("out")


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    clip = encode(tmp_path / "plain.mp4", scene(3)).rename(tmp_path / "\udcff\udcfe.mp4")
    result = motion_heatmap(clip)
    result.save(tmp_path / "out")
    assert (tmp_path / "out" / "figure.png").stat().st_size > 1000


def test_text_is_no_video(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("motion, and where it was\n" * 50)
    with pytest.raises(VideoError, match=r"notes\.txt: "):
        motion_heatmap(notes)


def test_colours_ffmpeg_cannot_convert_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    clip = encode(tmp_path / "ycgco.mp4", scene(3), options={"x264-params": "colormatrix=YCgCo"})
    with pytest.raises(VideoError, match=r"ycgco\.mp4: FFmpeg cannot turn its yuv420p pictures .* into BGR"):
        motion_heatmap(clip)
    luma = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in scene(3)]
    assert motion_heatmap(clip, pixels="luma").moved.tolist() == pytest.approx(recipe(luma)[1], rel=0.3)


def test_maps_of_different_masks_are_not_merged() -> None:
    frames = noise((3, 10, 12))
    above = np.zeros((10, 12))
    above[:5] = 1
    upper, lower = (motion_heatmap(frames, mask=mask) for mask in (above, above[::-1]))
    with pytest.raises(InputError, match="mask_sha256"):
        upper.merge(lower)
    assert upper.merge(upper).moved.tolist() == 2 * upper.moved.tolist()


def test_a_title_that_is_not_utf_8_does_not_matter(tmp_path: Path) -> None:
    clip = tmp_path / "a.mkv"
    with av.open(str(clip), "w") as container:
        container.metadata["title"] = "Kuehlhaus"
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = 48, 64
        for pixels in scene(3, 48, 64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(stream.encode(None))
    data = clip.read_bytes()
    assert b"Kuehlhaus" in data
    clip.write_bytes(data.replace(b"Kuehlhaus", b"K\xfchlhaus "))
    assert len(motion_heatmap(clip).moved) == 2


@pytest.mark.parametrize("codec", ["mpeg1video", "mpeg2video"])
def test_damaged_mpeg_is_decoded_as_by_one_thread(tmp_path: Path, codec: str, backend: Backend) -> None:
    clip = encode(tmp_path / "whole.ts", scene(40, 96, 128), codec=codec, options={"slices": "4"})
    for seed in range(6):
        data = bytearray(clip.read_bytes())
        start = len(data) * (3 + seed) // 12
        data[start : start + 150] = bytes(150)
        damaged = tmp_path / f"{seed}.ts"
        damaged.write_bytes(data)
        np.testing.assert_array_equal(motion_heatmap(damaged, backend=backend).accumulator, expected(damaged))


def test_masked_arrays_are_refused_everywhere() -> None:
    frames = noise((3, 10, 12, 3))
    masked = np.ma.masked_array(np.ones((10, 12)), mask=np.eye(10, 12, dtype=bool))
    with pytest.raises(InputError, match="masked array"):
        motion_heatmap(frames, mask=masked)
    with pytest.raises(InputError, match="masked array"):
        motion_heatmap(frames, background=np.ma.masked_array(frames[0]))
    with pytest.raises(InputError, match="masked array"):
        MotionCounter(10, 12, mask=masked)
