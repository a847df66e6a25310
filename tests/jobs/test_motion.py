"""From a video or frames in memory to a motion heat map, against the recipe on frames picked by brute force."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from clips import Shown, decoded, encode, mean_picture, noise, recipe, scene, turn_mp4, upright
from numpy.typing import NDArray
from reference import area_mean

from gpuheat import Backend, InputError, OptionError, motion_heatmap
from gpuheat.errors import VideoError

TENTHS = [Fraction(n, 10) for n in (0, 1, 2, 3, 4, 6, 7, 9, 12, 13, 14, 20, 21, 22, 23, 30)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 frames of 45 x 64 px at a variable frame rate, every time a whole number of tenths of a second."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return encode(path, scene(16, 46, 64), times=TENTHS, time_base=Fraction(1, 90000))


@pytest.fixture(scope="module")
def frames(clip: Path) -> list[Shown]:
    shown = decoded(clip)
    assert [frame.time for frame in shown] == TENTHS
    return shown


def pictures(frames: list[Shown]) -> list[NDArray[np.uint8]]:
    return [frame.bgr for frame in frames]


def write_image(path: Path, image: NDArray[Any]) -> str:
    assert cv2.imwrite(str(path), image)
    return str(path)


# --- which frames -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("start", "end"),
    [(None, None), (0.3, None), (None, 0.3), (0.1, 2.1), ("0.25", "2.25"), (Fraction(7, 10), 3), (1.2, 1.3), (0, 99)],
)
def test_every_start_and_end(
    clip: Path, frames: list[Shown], every: int, start: Any, end: Any, backend: Backend
) -> None:
    first = Fraction(0) if start is None else Fraction(str(start))
    last = Fraction(1000) if end is None else Fraction(str(end))
    inside = [i for i, frame in enumerate(frames) if frame.time is not None and first <= frame.time < last]
    chosen = inside[::every]
    result = motion_heatmap(clip, every=every, start=start, end=end, backend=backend)
    if len(chosen) > 1:
        accumulator, moved = recipe([frames[i].bgr for i in chosen])
        np.testing.assert_array_equal(result.accumulator, accumulator)
        np.testing.assert_array_equal(result.moved, moved)
    assert result.frames.tolist() == chosen[1:]
    assert result.times is not None
    assert result.times.tolist() == [float(TENTHS[i]) for i in chosen[1:]]
    assert result.facts["input"]["frames_compared"] == len(chosen)
    assert result.settings["every"] == every
    assert result.settings["start"] == (None if start is None else float(first))
    assert result.settings["end"] == (None if end is None else float(last))


def test_frames_in_memory_are_picked_alike(frames: list[Shown]) -> None:
    result = motion_heatmap(pictures(frames), times=[float(t) for t in TENTHS], every=2, start=0.1, end=2.1)
    np.testing.assert_array_equal(result.accumulator, recipe(pictures(frames)[1:12:2])[0])
    assert result.frames.tolist() == [3, 5, 7, 9, 11]
    assert motion_heatmap(pictures(frames), every=2).times is None


@pytest.mark.parametrize(
    "options",
    [
        *({"every": 0}, {"every": -1}, {"every": 1.5}, {"every": True}),
        *({"end": 0}, {"end": -1.0}, {"start": 2, "end": 2}, {"start": 2, "end": 1}),
        *({"downscale": 0}, {"downscale": 2.0}, {"downscale": True}, {"threshold": 300}, {"half_life": 0}),
    ],
)
def test_options_outside_their_range_are_refused_by_name(clip: Path, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"^{list(options)[-1]} must"):
        motion_heatmap(clip, **options)


@pytest.mark.parametrize("time", ["soon", "", float("nan"), float("inf"), "1:30"])
def test_times_that_are_none_are_refused(clip: Path, time: Any) -> None:
    for name in ("start", "end"):
        options: dict[str, Any] = {name: time}
        with pytest.raises(OptionError, match="a time must be a finite number of seconds"):
            motion_heatmap(clip, **options)


def test_a_stretch_without_frames_and_one_with_a_single_frame(clip: Path) -> None:
    with pytest.raises(
        InputError, match="no frame lies between start and end: 16 frames were read, the last one at 3 s"
    ):
        motion_heatmap(clip, start=50)
    result = motion_heatmap(clip, start=0.5, end=0.7)
    assert result.facts["warnings"] == [
        "only one frame was looked at: there is no pair to compare, and the map is empty"
    ]
    assert not result.counts.any()
    assert motion_heatmap(clip).facts["warnings"] == []


def test_a_video_of_one_frame(tmp_path: Path) -> None:
    path = encode(tmp_path / "one.mp4", scene(1))
    result = motion_heatmap(path)
    assert result.counts.shape == (48, 64)
    assert result.moved.shape == (0,)
    assert result.facts["warnings"]
    np.testing.assert_array_equal(result.background, decoded(path)[0].bgr)
    result.save(tmp_path / "out")


def test_times_belong_to_frames_in_memory_only(clip: Path) -> None:
    with pytest.raises(OptionError, match="times are for frames in memory"):
        motion_heatmap(clip, times=[0.0] * 16)
    with pytest.raises(OptionError, match="start and end need the times"):
        motion_heatmap(scene(3), start=1)
    with pytest.raises(OptionError, match="half_life"):
        motion_heatmap(scene(3), half_life=1.0)


# --- how they are compared ----------------------------------------------------------------------------------------


def test_settings_reach_the_counter(clip: Path, frames: list[Shown]) -> None:
    for threshold in (0, 10, 200):
        result = motion_heatmap(clip, threshold=threshold)
        np.testing.assert_array_equal(result.accumulator, recipe(pictures(frames), threshold)[0])
    decayed = motion_heatmap(clip, half_life=0.5)
    np.testing.assert_array_equal(decayed.accumulator, recipe(pictures(frames))[0])
    expected = np.zeros((46, 64))
    for (before, after), time in zip(itertools.pairwise(pictures(frames)), TENTHS[1:], strict=True):
        expected += recipe([before, after])[0] / 255 * 0.5 ** float((TENTHS[-1] - time) / Fraction(1, 2))
    assert decayed.decayed is not None
    np.testing.assert_allclose(decayed.decayed, expected, rtol=2.0**-20)
    moved = np.array(recipe(pictures(frames))[1]) / (46 * 64)
    share = float(np.median(moved))
    result = motion_heatmap(clip, max_changed=share)
    np.testing.assert_array_equal(result.counted, moved <= share)
    assert 0 < np.count_nonzero(~result.counted) < 15


def test_luma_compares_the_brightness_alone(clip: Path) -> None:
    with av.open(str(clip)) as container:
        planes = [frame.to_ndarray()[:46].astype(int) for frame in container.decode(video=0)]
    expanded = [np.clip(((plane - 16) * 8 * 9539) >> 16, 0, 255) for plane in planes]
    counts = sum((abs(after - before) > 25).astype(np.uint32) for before, after in itertools.pairwise(expanded))
    result = motion_heatmap(clip, pixels="luma")
    np.testing.assert_array_equal(result.counts, counts)
    assert result.settings["pixels"] == "luma"
    assert (result.counts != motion_heatmap(clip).counts).any()
    assert result.background is not None
    assert result.background.shape == (46, 64, 3)


def test_luma_of_colour_frames_in_memory(backend: Backend) -> None:
    frames = noise((5, 20, 30, 3))
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    for given in (frames, frames[:, :, ::-1][:, :, ::-1], np.array(grey)):
        result = motion_heatmap(given, pixels="luma", backend=backend)
        np.testing.assert_array_equal(result.accumulator, recipe(grey)[0])


@pytest.mark.parametrize("factor", [2, 3, 5, 50, 100])
def test_downscale_compares_the_means_of_blocks(clip: Path, frames: list[Shown], factor: int) -> None:
    small = [area_mean(frame.bgr, factor) for frame in frames]
    result = motion_heatmap(clip, downscale=factor, threshold=5)
    np.testing.assert_array_equal(result.accumulator, recipe(small, 5)[0])
    assert result.counts.shape == (-(-46 // factor), -(-64 // factor))
    assert result.background is not None
    assert result.background.shape == (46, 64, 3)
    assert result.settings["downscale"] == factor


def test_both_backends_agree_on_everything(clip: Path) -> None:
    options: dict[str, Any] = {"half_life": 0.5, "max_changed": 0.2, "downscale": 2, "mask": np.eye(46, 64, 8) + 1}
    one, other = (motion_heatmap(clip, backend=name, **options) for name in ("numpy", "numba"))
    for name in ("counts", "decayed", "moved", "counted", "heat", "background"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert [one.facts["backend"]["name"], other.settings["backend"]] == ["numpy", "numba"]


# --- rotation, mask and background --------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("factor", [1, 3])
def test_rotated_video(tmp_path: Path, degrees: int, factor: int) -> None:
    path = turn_mp4(encode(tmp_path / "turned.mp4", scene(8, 46, 64)), degrees)
    shown = decoded(path)
    turn = shown[0].rotation
    assert turn % 360 == -degrees % 360
    standing = [np.ascontiguousarray(upright(frame.bgr, turn)) for frame in shown]
    watched = np.zeros(standing[0].shape[:2], np.uint8)
    watched[: standing[0].shape[0] // 2, :20] = 255  # no symmetry: as the picture is shown
    mask_file = write_image(tmp_path / "mask.png", watched)
    small_mask = upright(watched, -turn)
    small_mask = np.array(
        [[small_mask[y : y + factor, x : x + factor].all() for x in range(0, 64, factor)] for y in range(0, 46, factor)]
    )
    small = [area_mean(frame.bgr, factor) for frame in shown]
    for mask in (watched, mask_file, Path(mask_file)):
        result = motion_heatmap(path, mask=mask, downscale=factor, background="first")
        expected, moved = recipe(small, mask=small_mask)
        np.testing.assert_array_equal(result.accumulator, upright(expected, turn))
        np.testing.assert_array_equal(result.moved, moved)
        assert result.pixels_watched == np.count_nonzero(small_mask)
        np.testing.assert_array_equal(result.watched, upright(small_mask, turn))
        np.testing.assert_array_equal(result.background, standing[0])
    assert result.settings["mask"] == mask_file
    assert result.facts["input"]["rotation"] == turn % 360
    assert expected.any()
    plain = motion_heatmap(path)
    np.testing.assert_array_equal(plain.accumulator, recipe(standing)[0])
    assert plain.background is not None
    assert plain.render().shape == standing[0].shape
    given = noise(standing[0].shape)
    for background in (given, write_image(tmp_path / "given.png", given)):
        np.testing.assert_array_equal(motion_heatmap(path, background=background).background, given)
    if degrees % 180:
        lying = np.ones((46, 64), np.uint8)
        with pytest.raises(InputError, match=r"the mask must have the size .* as shown, 46 x 64 px, got 64 x 46 px"):
            motion_heatmap(path, mask=lying)
        with pytest.raises(InputError, match=r"the background must have the size .* 46 x 64 px, got 64 x 46 px"):
            motion_heatmap(path, background=np.zeros((46, 64, 3), np.uint8))


def test_backgrounds(clip: Path, frames: list[Shown], tmp_path: Path) -> None:
    stack = np.array(pictures(frames), np.float64)
    expected = {"first": stack[0], "mean": mean_picture(clip), "median": np.floor(np.median(stack, 0))}
    for name, picture in expected.items():
        result = motion_heatmap(clip, background=name)
        np.testing.assert_array_equal(result.background, picture.astype(np.uint8), err_msg=name)
        assert result.settings["background"] == name
    part = motion_heatmap(clip, background="first", start=0.3)
    np.testing.assert_array_equal(part.background, frames[3].bgr)
    thinned = motion_heatmap(clip, every=5)  # of the frames that are looked at
    np.testing.assert_array_equal(thinned.background, mean_picture(clip, step=5))
    coloured = motion_heatmap(clip, background="first", pixels="luma")  # a picture of few frames is in colour
    np.testing.assert_array_equal(coloured.background, frames[0].bgr)
    grey = cv2.cvtColor(frames[0].bgr, cv2.COLOR_BGR2GRAY)
    result = motion_heatmap(clip, background=write_image(tmp_path / "grey.png", grey))
    np.testing.assert_array_equal(result.background, np.repeat(grey[..., None], 3, 2))
    assert result.settings["background"] == str(tmp_path / "grey.png")
    assert motion_heatmap(clip, background=frames[0].bgr).settings["background"] == "an array"


def test_pictures_that_cannot_be_used_are_named(clip: Path, tmp_path: Path) -> None:
    for name in ("mask", "background"):
        option: dict[str, Any] = {name: str(tmp_path / "none.png")}
        with pytest.raises(InputError, match=r"none\.png"):
            motion_heatmap(clip, **option)
        option = {name: write_image(tmp_path / "small.png", np.ones((5, 6), np.uint8))}
        with pytest.raises(InputError, match=rf"{name} must .* 64 x 46 px, got 6 x 5 px: .*small\.png"):
            motion_heatmap(clip, **option)
    with pytest.raises(InputError, match="a background must be uint8"):
        motion_heatmap(clip, background=np.zeros((46, 64, 3), np.float32))
    with pytest.raises(InputError, match=r"array of shape \(46, 64, 3\)"):
        motion_heatmap(clip, mask=np.ones((46, 64, 3)))
    with pytest.raises(InputError, match="zero everywhere"):
        motion_heatmap(clip, mask=write_image(tmp_path / "black.png", np.zeros((46, 64), np.uint8)))


# --- frames in memory ---------------------------------------------------------------------------------------------


class DLPackOnly:
    """Offers its memory through DLPack and in no other way."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


def test_frames_in_memory_come_in_many_forms(backend: Backend) -> None:
    frames = noise((6, 20, 30, 3))

    for form in (
        *(frames, list(frames), iter(frames), frames.data),
        *((DLPackOnly(frame) for frame in frames), DLPackOnly(frames)),
    ):
        result = motion_heatmap(form, backend=backend)  # type: ignore[arg-type]
        np.testing.assert_array_equal(result.accumulator, recipe(frames)[0])
        assert result.facts["input"]["name"] == "frames in memory"
        assert result.facts["input"]["frames_decoded"] == 6
        np.testing.assert_array_equal(result.background, np.floor(frames.astype(np.float64).mean(0) + 0.5))


@pytest.mark.parametrize("background", ["first", "mean", "median"])
def test_the_background_outlives_a_buffer_that_is_reused(background: str) -> None:
    frames = noise((5, 20, 30, 3))

    def into_one_buffer() -> Any:
        buffer = np.empty((20, 30, 3), np.uint8)
        for frame in frames:
            buffer[...] = frame
            yield buffer

    result = motion_heatmap(into_one_buffer(), background=background)
    np.testing.assert_array_equal(result.background, motion_heatmap(frames, background=background).background)
    np.testing.assert_array_equal(result.accumulator, recipe(frames)[0])


@pytest.mark.parametrize("downscale", [1, 2])
@pytest.mark.parametrize("background", ["first", "mean", "median"])
def test_a_frame_that_does_not_fit_the_others(background: str, downscale: int) -> None:
    for other in ((5, 7, 3), (6, 6, 3), (5, 8), (1, 1, 3)):
        frames = [noise((5, 8, 3)), noise((5, 8, 3)), noise(other)]
        with pytest.raises(InputError, match=r"must|frame 2 has the shape"):
            motion_heatmap(frames, background=background, downscale=downscale)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 5, 6), np.float32),
        np.zeros((3, 5, 6, 4), np.uint8),
        np.zeros((5, 6), np.uint8),
        np.zeros((2, 3, 5, 6, 3), np.uint8),
        [np.zeros((5, 6), np.int16)],
        ["a", "b"],
        [None],
        [],
        np.zeros((0, 5, 6), np.uint8),
        np.zeros((2, 0, 6), np.uint8),
    ],
    ids=str,
)
def test_what_is_no_frame_is_refused(wrong: Any) -> None:
    with pytest.raises((InputError, OptionError)):
        motion_heatmap(wrong)


@pytest.mark.parametrize("times", [[0.0], [0, 1, float("nan")], [0, 1, "x"], [0, 1, 2, 3]])
def test_times_that_do_not_fit(times: Any) -> None:
    with pytest.raises(OptionError, match="time"):
        motion_heatmap(scene(3), times=times)


# --- broken files, progress ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_is_told_up_to_the_last_frame(clip: Path, jobs: int) -> None:
    told: list[tuple[int, int | None]] = []
    motion_heatmap(clip, every=3, jobs=jobs, progress=lambda done, expected: told.append((done, expected)))
    assert told[-1] == (16, 16)
    assert told == sorted(told)
    told.clear()
    motion_heatmap(iter(scene(3)), progress=lambda done, expected: told.append((done, expected)))
    assert told == [(1, None), (2, None), (3, None), (3, None)]


def test_headers_that_say_something_else_do_not_matter(clip: Path) -> None:
    facts = motion_heatmap(clip).facts
    assert facts["input"]["frames_in_header"] == facts["input"]["frames_decoded"] == 16
    assert facts["time"]["frames_per_second"] > 0
    stopped = motion_heatmap(clip, end=0.3).facts["input"]
    assert stopped["frames_decoded"] == 4  # the first of those beyond the end, and no more
    assert stopped["frames_in_header"] == 16


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_gives_the_same_counts_every_time(tmp_path: Path, seed: int) -> None:
    path, chance = encode(tmp_path / "a.mkv", scene(60, 96, 128), options={"g": "12"}), random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(3):
        data[chance.randrange(len(data) * 3 // 10, len(data) * 9 // 10)] ^= chance.randrange(1, 256)
    path.write_bytes(data)
    expected, moved = recipe(pictures(decoded(path)))
    for _ in range(3):
        result = motion_heatmap(path)
        np.testing.assert_array_equal(result.accumulator, expected)
        np.testing.assert_array_equal(result.moved, moved)


def test_broken_packets_are_reported(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", scene(12), options={"g": "1"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = [bytes(packet) for packet in container.demux(video=0)][5]
    where = data.index(packet)
    data[where : where + len(packet)] = bytes(len(packet))
    path.write_bytes(data)
    result = motion_heatmap(path)
    np.testing.assert_array_equal(result.accumulator, recipe(pictures(decoded(path)))[0])
    assert result.facts["input"]["broken_packets"] == 1
    (warning,) = result.facts["warnings"]
    assert "1 broken packet" in warning
    assert "frame 5" in warning
    assert len(result.moved) == 10
    assert result.times is not None
    assert result.times.tolist() == [i / 25 for i in range(1, 12) if i != 5]


def test_files_that_are_no_video_say_so(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"nothing\.mp4: cannot be opened as a video: No such file"):
        motion_heatmap(tmp_path / "nothing.mp4")
    with pytest.raises(VideoError, match="this is a folder"):
        motion_heatmap(str(tmp_path))
