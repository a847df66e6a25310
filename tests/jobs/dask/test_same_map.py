"""However many machines count, the map is that of one; and what is no matter for a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import encode, noisy_scene
from distributed import Client
from on_cluster import X264, assert_same

from gpuheat import motion_heatmap
from gpuheat.errors import (
    IncompleteError,
    InputError,
    OptionError,
    VideoError,
)
from gpuheat.jobs.dask import ClusterProgress, motion

pytestmark = pytest.mark.once


ZONES = {
    "zones": [
        {"name": "left", "polygon": [[5, 5], [30, 5], [30, 40], [5, 40]]},
        {"name": "not here", "polygon": [[40, 0], [64, 0], [64, 20], [40, 20]], "kind": "exclude"},
    ]
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"background": "first", "pixels": "luma", "slice": 7},
        {"background": "median", "zones": ZONES, "slices": 3},
        {"every": 7, "start": 3.1, "end": 24.01, "downscale": 2, "blur": 1.5},
        {"start": 8, "end": 16, "max_changed": 0.1},
        {"end": 15.99, "every": 300},
        {"half_life": 2.0},
        {"keyframes": True},
    ],
    ids=str,
)
def test_the_map_is_that_of_one_machine(client: Client, clip: Path, options: dict[str, Any]) -> None:
    one = motion_heatmap(clip, jobs=2, **options)
    assert one.counts.any()
    assert_same(motion(client, clip, **options), one)


def test_several_videos_on_one_time_line(client: Client, clip: Path, tmp_path: Path) -> None:
    """One that is not whole in the middle, so that those behind it begin earlier than their headers let expect."""
    data = bytearray(clip.read_bytes())
    shortened = tmp_path / "shortened.ts"
    encode(shortened, noisy_scene(450), options=X264)
    shortened.write_bytes(shortened.read_bytes()[: shortened.stat().st_size * 2 // 3])
    damaged = tmp_path / "damaged.mp4"
    for place in range(len(data) // 3, len(data) // 3 + 400):
        data[place] ^= 0x5A
    damaged.write_bytes(data)
    none = tmp_path / "none.mp4"
    none.write_bytes(b"no video")
    larger = encode(tmp_path / "larger.mp4", noisy_scene(10)[:, :40], options=X264)
    videos = [clip, shortened, none, damaged, larger, clip]
    options: dict[str, Any] = {"start": 2, "slice": 9, "zones": ZONES}
    with pytest.raises(IncompleteError) as one:
        motion_heatmap(videos, jobs=1, **options)
    with pytest.raises(IncompleteError, match="2 of 6 videos are left out, or not whole") as many:
        motion(client, videos, **options)
    for caught in (one, many):
        for each in caught.value.heatmap.facts["inputs"]:  # one pass decodes what lies before the start, parts do not
            each.pop("frames_decoded", None), each.pop("frames_skipped", None)
        caught.value.heatmap.facts["input"].pop("frames_decoded")
    assert_same(many.value.heatmap, one.value.heatmap)
    assert [each.get("error", "") for each in many.value.heatmap.facts["inputs"]][2].startswith(str(none))


def test_addresses(client: Client, clip: Path, tmp_path: Path) -> None:
    got = motion(client, [f"file://{clip}"], checkpoint=tmp_path / "parts")
    np.testing.assert_array_equal(got.counts, motion_heatmap(clip).counts)
    assert got.facts["inputs"][0]["path"] == f"file://{clip}"
    assert len(list((tmp_path / "parts").iterdir())) == 5


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name", ["intel/car-detection.mp4", "opencv/vtest.avi", "decord/corrupted.mp4", "torchcodec/nasa_13013_rotated.mp4"]
)
def test_real_clips(client: Client, real_data: Path, name: str) -> None:
    path = real_data / "video" / name
    assert_same(motion(client, path, slice=3), motion_heatmap(path, slice=3))


class StopError(Exception):
    """Ends the counting, as Ctrl-C does."""


def test_it_goes_on_where_it_was(client: Client, clip: Path, tmp_path: Path) -> None:
    def stop(state: ClusterProgress) -> None:
        if state.seconds > 10:
            raise StopError

    parts = tmp_path / "parts"
    with pytest.raises(StopError):
        motion(client, clip, checkpoint=parts, progress=stop)
    kept = {path.name: path.stat().st_ino for path in parts.glob("*.npz")}
    assert kept
    want = motion_heatmap(clip)
    assert_same(motion(client, clip, checkpoint=parts), want)
    now = {path.name: path.stat().st_ino for path in parts.glob("*.npz")}
    assert len(now) == 5
    assert {name: now[name] for name in kept} == kept  # a part that is counted again is written again
    first = min(parts.glob("*.npz"))
    first.write_bytes(first.read_bytes()[:-100])
    assert_same(motion(client, clip, checkpoint=parts), want)
    with pytest.raises(OptionError, match="threshold was 25 and is 30"):
        motion(client, clip, checkpoint=parts, threshold=30)
    by_one = tmp_path / "by one"
    for _ in range(2):
        assert_same(motion(client, clip, checkpoint=by_one, half_life=1), motion_heatmap(clip, half_life=1))
    assert [path.name.endswith("-whole.npz") for path in by_one.iterdir()] == [True]


def test_what_is_refused(client: Client, clip: Path, tmp_path: Path) -> None:
    for options in ({"jobs": 2}, {"times": [0.0]}, {"backend": object()}, {"decode": "gpu"}, {"colour": 1}):
        with pytest.raises(OptionError):
            motion(client, clip, **options)
    sources: list[Any] = ["rtsp://camera/", [], np.zeros((2, 4, 4, 3), np.uint8)]
    for source in sources:
        with pytest.raises(OptionError):
            motion(client, source)
    with pytest.raises(VideoError, match="No such file"):
        motion(client, tmp_path / "none.mp4")
    with pytest.raises(InputError, match="no frame lies between start and end"):
        motion(client, clip, start=99)
    with pytest.raises(InputError, match="the mask must have the size of the video"):
        motion(client, clip, mask=np.ones((3, 3), np.uint8))
