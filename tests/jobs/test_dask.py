"""However many machines count, and whatever becomes of them, the map is that of one."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask
import numpy as np
import pytest
from by_slices import assert_same_timeline
from clips import encode, noisy_scene
from cuda_on_cpu.host_cupy import HostCupy
from distributed import Client, LocalCluster
from pyarrow import parquet
from servers import web_folder

from gpuheat import FixationHeatmap, MotionHeatmap, fixation_heatmap, motion_heatmap
from gpuheat.backends.cupy import CupyBackend
from gpuheat.cli import main
from gpuheat.errors import (
    ExportError,
    IncompleteError,
    InputError,
    MissingPackageError,
    OptionError,
    OutputError,
    VideoError,
)
from gpuheat.jobs.cutting import Sharing
from gpuheat.jobs.dask import ClusterProgress, fixations, motion
from gpuheat.jobs.dask.cluster import Tasks, connected

pytestmark = pytest.mark.once

FRAMES = 1000
X264 = {"x264-params": "keyint=50:min-keyint=50:scenecut=0:bframes=2:open-gop=1"}
ZONES = {
    "zones": [
        {"name": "left", "polygon": [[5, 5], [30, 5], [30, 40], [5, 40]]},
        {"name": "not here", "polygon": [[40, 0], [64, 0], [64, 20], [40, 20]], "kind": "exclude"},
    ]
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers, each a process of its own."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many parts as there are places to cut."""
    monkeypatch.setattr("gpuheat.jobs.dask.videos.Sharing", lambda wanted: Sharing(wanted, 1, 1))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five parts of 200 frames, 40 s."""
    return encode(tmp_path_factory.mktemp("clips") / "clip.mp4", noisy_scene(FRAMES), options=X264)


def assert_same(got: MotionHeatmap, want: MotionHeatmap) -> None:
    """All of a map but the time it took."""
    for name in ("counts", "heat", "moved", "counted", "frames", "times", "background", "decayed"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name), err_msg=name)
    assert_same_timeline(got.timeline, want.timeline)
    assert got.settings == want.settings
    assert {**got.facts, "time": None} == {**want.facts, "time": None}
    assert (got.slices is None) == (want.slices is None)
    if got.slices is not None and want.slices is not None:
        assert len(got.slices) == len(want.slices)
        for one, other in zip(got.slices, want.slices, strict=True):
            np.testing.assert_array_equal(one.counts, other.counts)
    assert (got.zones is None) == (want.zones is None)
    if got.zones is not None and want.zones is not None:
        assert got.zones.table == want.zones.table
        np.testing.assert_array_equal(got.zones.moved, want.zones.moved)


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


def test_a_worker_that_is_killed(client: Client, clip: Path) -> None:
    told: list[ClusterProgress] = []
    killed: list[int] = []

    def kill(state: ClusterProgress) -> None:
        told.append(state)
        if not killed and state.seconds > 0:
            killed.append(min(client.run(os.getpid).values()))
            os.kill(killed[0], signal.SIGKILL)

    videos = [clip] * 4
    assert_same(motion(client, videos, progress=kill), motion_heatmap(videos))
    assert killed
    assert killed[0] not in client.run(os.getpid).values()
    assert (told[-1].done, told[-1].of, told[-1].failed) == (4, 4, 0)
    assert told[-1].seconds == pytest.approx(4 * FRAMES / 25)


def test_a_worker_that_takes_too_long_is_helped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that stands still in the middle of a part, while the other has counted one, and has what the others need.

    Which it keeps: by itself Dask, after some time, lets all but one worker forget what several have.
    """
    monkeypatch.setattr("gpuheat.jobs.dask.cluster.UNKNOWN", 0.5)
    monkeypatch.setattr("gpuheat.jobs.dask.cluster.PATIENCE", 0.5)
    caplog.set_level("INFO", "gpuheat")
    clip = encode(tmp_path / "clip.mp4", np.tile(noisy_scene(FRAMES), (1, 4, 5, 1)), options=X264)
    stopped: list[int] = []
    with (
        dask.config.set({"distributed.scheduler.active-memory-manager.start": False}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        processes = client.run(os.getpid)

        def has(tasks: dict[str, Any], worker: str, name: str) -> bool:
            return any(key.startswith(f"{name}-") for key in tasks[worker])

        def stop(state: ClusterProgress) -> None:
            kept, under_way = client.has_what(), client.processing()
            for worker, process in processes.items():
                needs_it = any(has(kept, worker, name) for name in ("count", "join")) or not any(
                    has(kept, other, "plan") for other in processes if other != worker
                )
                if state.seconds > 0 and has(under_way, worker, "count") and not needs_it and not stopped:
                    os.kill(process, signal.SIGSTOP)
                    stopped.append(process)

        try:
            many = motion(client, clip, progress=stop)
        finally:
            for process in stopped:
                os.kill(process, signal.SIGCONT)
    assert stopped
    assert "takes long, another worker does it as well" in caplog.text
    assert_same(many, motion_heatmap(clip))


def test_a_worker_that_stands_still_while_it_reads_an_index_is_helped(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from gpuheat.jobs.dask import tasks

    def index(*arguments: Any) -> Any:
        if not stopped.exists():
            stopped.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)
        return read_index(*arguments)

    stopped, read_index = tmp_path / "stopped", tasks.index
    monkeypatch.setattr(tasks, "index", index)
    monkeypatch.setattr("gpuheat.jobs.dask.cluster.UNKNOWN", 0.5)
    monkeypatch.setattr("gpuheat.jobs.dask.cluster.PATIENCE", 0.5)
    caplog.set_level("INFO", "gpuheat")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        try:
            many = motion(client, clip)
        finally:
            os.kill(int(stopped.read_text()), signal.SIGCONT)
    assert f"{clip}: its index takes long, another worker does it as well" in caplog.text
    assert_same(many, motion_heatmap(clip))


def hanging_once(task: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """A task that, the first time, hangs as where a network volume is gone, until there is a file ``over``."""

    def hang(*arguments: Any) -> Any:
        try:
            (folder / "hangs").touch(exist_ok=False)
        except FileExistsError:
            return task(*arguments)
        while not (folder / "over").exists():
            time.sleep(0.01)
        return task(*arguments)

    hang.__name__ = task.__name__  # the kind of task it is
    return hang


@pytest.mark.parametrize("name", ["length", "index", "plan", "outline", "join", "finish"])
def test_a_task_that_hangs_is_done_by_another_worker(
    client: Client, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from gpuheat.jobs.dask import tasks

    monkeypatch.setattr(tasks, name, hanging_once(getattr(tasks, name), tmp_path))
    monkeypatch.setattr("gpuheat.jobs.dask.cluster.UNKNOWN", 0.5)
    try:
        many = motion(client, clip, slices=3)
    finally:
        (tmp_path / "over").touch()
    assert (tmp_path / "hangs").exists()
    assert_same(many, motion_heatmap(clip, slices=3))


def test_how_long_is_long() -> None:
    nobody: Any = None
    tasks_of = Tasks(nobody)

    def longest(kind: str, *, decodes: bool) -> float:
        """Of 0.1, 0.2 ... s, that which is not long."""
        return max(seconds / 10 for seconds in range(1000) if not tasks_of.is_long(kind, seconds / 10, decodes=decodes))

    assert longest("index", decodes=False) == 30
    assert longest("count", decodes=True) == 99.9
    tasks_of.took("index", 0.2)
    for seconds in (2, 3, 70):
        tasks_of.took("count", seconds)
    assert longest("index", decodes=False) == 5
    assert longest("count", decodes=True) == 12


def test_a_video_that_kills_its_workers_is_given_up(
    cluster: LocalCluster, client: Client, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpuheat.jobs.dask import tasks

    deadly = tmp_path / "deadly.mp4"
    deadly.write_bytes(clip.read_bytes())

    def index(*_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(tasks, "index", index)
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with pytest.raises(VideoError, match=r"deadly\.mp4: the workers of the cluster could not count it \(KilledWorker"):
        motion(client, [deadly])


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


@pytest.mark.real_data
def test_fixations(client: Client, real_data: Path) -> None:
    exports = sorted(path for path in (real_data / "gaze").rglob("fixations.csv"))[:2]
    assert exports
    done: list[ClusterProgress] = []
    options: dict[str, Any] = {"size": (1600, 1200)}
    got: FixationHeatmap = fixations(client, exports, progress=done.append, **options)
    want = fixation_heatmap(exports, **options)
    np.testing.assert_array_equal(got.histogram, want.histogram)
    np.testing.assert_array_equal(got.heat, want.heat)
    assert {**got.facts, "time": None} == {**want.facts, "time": None}
    assert done[-1].done == len(exports)


def test_fixations_at_addresses(client: Client, tmp_path: Path) -> None:
    header = "recording id,section id,fixation id,duration [ms],fixation detected in reference image"
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        rows = [f"{name},s,{number},{100 + number},true,{number},{40 - number}" for number in range(40)]
        (folder / "fixations.csv").write_text("\n".join([f"{header},fixation x [px],fixation y [px]", *rows]))
        (folder / "sections.csv").write_text(f"recording id,recording name\n{name},Person {name}\n")
    want = fixation_heatmap([tmp_path / "a", tmp_path / "b"], size=(50, 40))
    with web_folder(tmp_path) as host:
        got = fixations(client, [f"file://{tmp_path}/a", f"{host}/b/fixations.csv?token=secret"], size=(50, 40))
        with pytest.raises(ExportError, match=rf"^{host}/c/fixations\.csv does not exist"):
            fixations(client, f"{host}/c/fixations.csv?token=secret", size=(50, 40))
    np.testing.assert_array_equal(got.histogram, want.histogram)
    np.testing.assert_array_equal(got.heat, want.heat)
    assert got.by_recording is not None
    assert [each.name for each in got.by_recording] == ["Person a", "Person b"]
    sources = [each["source"] for each in got.facts["inputs"]]
    assert sources == [f"file://{tmp_path}/a/fixations.csv", f"{host}/b/fixations.csv"]
    assert "secret" not in str(got.summary)


def test_an_export_whose_file_hangs_is_read_by_another_worker(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpuheat.jobs.dask import recordings

    (tmp_path / "table.csv").write_text("x,y\n1,2\n3,4\n")
    options: dict[str, Any] = {"x": "x", "y": "y", "size": (10, 10)}
    monkeypatch.setattr(recordings, "_read", hanging_once(recordings._read, tmp_path))
    monkeypatch.setattr("gpuheat.jobs.dask.cluster.UNKNOWN", 0.5)
    try:
        got: FixationHeatmap = fixations(client, tmp_path / "table.csv", **options)
    finally:
        (tmp_path / "over").touch()
    assert (tmp_path / "hangs").exists()
    np.testing.assert_array_equal(got.histogram, fixation_heatmap(tmp_path / "table.csv", **options).histogram)


def test_fixations_that_cannot_be_read(client: Client, tmp_path: Path) -> None:
    wrong = tmp_path / "fixations.csv"
    wrong.write_text("a,b\n1,2\n")
    with pytest.raises(ExportError) as one:
        fixation_heatmap(wrong, size=(10, 10))
    with pytest.raises(ExportError) as many:
        fixations(client, wrong, size=(10, 10))
    assert str(many.value) == str(one.value)
    with pytest.raises(OptionError, match="no option colour"):
        fixations(client, wrong, colour=1)


def test_the_command_line(
    cluster: LocalCluster, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = cluster.scheduler_address
    for name in ("cam1/28T10", "cam1/28T11", "cam2/28T10"):
        path = tmp_path / f"in/{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clip.read_bytes())
    (tmp_path / "in/cam1/28T12.mp4").write_bytes(b"broken")
    out = tmp_path / "out"
    arguments = ["motion", f"{tmp_path}/in/*/*.mp4", "-o", str(out), "--cluster", address, "--no-report"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--group-by", r"(cam\d)/(\d+)T"])
    assert ended.value.code == 3
    told = capsys.readouterr().err
    assert "28T12.mp4" in told
    assert "1 of 4 videos are left out, or not whole" in told
    assert "dashboard" in told
    rows = list(csv.DictReader((out / "manifest.csv").read_text().splitlines()))
    assert [Path(row["input"]).parent.name for row in rows] == ["cam1"] * 3 + ["cam2"]
    assert [row["output"] for row in rows] == [str(out / "cam1_28")] * 3 + [str(out / "cam2_28")]
    assert [row["pairs"] for row in rows] == ["999", "999", "0", "999"]
    assert [bool(row["problem"]) for row in rows] == [False, False, True, False]
    kinds = {"begins_s": float, "frames": int, "pairs": int}
    assert parquet.read_table(out / "manifest.parquet").to_pylist() == [
        {name: kinds.get(name, str)(text) if text else None for name, text in row.items()} for row in rows
    ]
    want = motion_heatmap(clip)
    np.testing.assert_array_equal(np.load(out / "cam1_28/counts.npy"), 2 * want.counts)
    np.testing.assert_array_equal(np.load(out / "cam2_28/counts.npy"), want.counts)
    assert not list(out.rglob("parts*"))
    with pytest.raises(SystemExit) as ended:
        main(["motion", str(clip), "-o", str(tmp_path / "one"), "--cluster", address, "--events", "-q"])
    assert ended.value.code == 0
    assert (tmp_path / "one/events.csv").exists()
    assert json.loads((tmp_path / "one/summary.json").read_text())["input"]["frames_compared"] == FRAMES
    for more in (["--jobs", "2"], ["--refresh", "2"], ["--group-by", "x"], ["--group-by", "(cam3)"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments[:3], str(tmp_path / "none"), *arguments[4:], *more])
        assert ended.value.code == 2
    assert not (tmp_path / "none").exists()


def test_videos_on_a_web_server(
    cluster: LocalCluster, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One, several, and a group all of which is missing; what nobody may read is nowhere, whatever fails."""
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("cam1", "cam2"):
        (folder / name).mkdir(parents=True)
    (folder / "cam1/a.mp4").write_bytes(clip.read_bytes())
    arguments = ["--cluster", cluster.scheduler_address, "--no-report"]
    want = motion_heatmap(clip).counts
    with web_folder(folder) as address:
        good, bad, gone = (
            f"{address.replace('://', '://me:SECRET@')}/{name}?token=SECRET"
            for name in ("cam1/a.mp4", "cam1/b.mp4", "cam2/c.mp4")
        )
        for files, more, code in (
            ([good], [], 0),
            ([good, bad], [], 3),
            ([good, bad, gone], ["--group-by", r"/(cam\d)/"], 3),
            ([good], ["--group-by", r"token=(\w+)"], 2),
        ):
            shutil.rmtree(out, ignore_errors=True)
            with pytest.raises(SystemExit) as ended:
                main(["motion", *files, "-o", str(out), *arguments, *more])
            assert ended.value.code == code
            told = capsys.readouterr()
            assert "SECRET" not in told.out + told.err
            assert not [path for path in out.rglob("*") if b"SECRET" in (path.name.encode() + read(path))]
            if code < 2 or "b.mp4" in str(files):
                maps = [np.load(path) for path in out.rglob("counts.npy")]
                assert len(maps) == 1
                np.testing.assert_array_equal(maps[0], want)
            if gone in files:
                assert "warning: left out: cam2: http://***@" in told.err
                assert sorted(path.name for path in out.iterdir()) == ["cam1", "manifest.csv", "manifest.parquet"]
                rows = list(csv.DictReader((out / "manifest.csv").read_text().splitlines()))
                assert [Path(row["input"]).name for row in rows] == ["a.mp4", "b.mp4", "c.mp4"]


def read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def test_ctrl_c_ends_a_cluster_on_this_machine(tmp_path: Path) -> None:
    """It reaches the workers as well, as in a terminal: they leave it to the command, which keeps what was counted."""
    clip = encode(tmp_path / "clip.mp4", np.tile(noisy_scene(FRAMES), (1, 4, 5, 1)), options=X264)
    out = tmp_path / "out"
    command = [sys.executable, "-c", "from gpuheat.cli import main; main()"]
    command += ["motion", *[str(clip)] * 40, "-o", str(out), "--cluster", "local", "--no-report"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        deadline = time.monotonic() + 60
        while not [*out.glob("parts/*.npz")] and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted; the same command with --resume goes on from the parts that are counted" in told
    assert "Traceback" not in told
    assert "KeyboardInterrupt" not in told
    assert [*out.glob("parts/*.npz")]


def test_groups_that_are_there_already(
    cluster: LocalCluster, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was interrupted behind its first map does not make that again."""
    for name in ("a1", "b1"):
        (tmp_path / f"{name}.mp4").write_bytes(clip.read_bytes())
    out = tmp_path / "out"
    arguments = ["motion", f"{tmp_path}/*.mp4", "-o", str(out), "--cluster", cluster.scheduler_address, "--no-report"]
    arguments += ["--group-by", r"/(\w)1\.mp4", "-q"]
    write, written = MotionHeatmap.save, list[str]()

    def save(heatmap: MotionHeatmap, folder: str, *more: Any, **options: Any) -> None:
        if written:
            raise OutputError("the disk is full")
        written.append(folder)
        write(heatmap, folder, *more, **options)

    with monkeypatch.context() as patch:
        patch.setattr(MotionHeatmap, "save", save)
        with pytest.raises(SystemExit) as ended:
            main(arguments)
    assert ended.value.code == 1
    first = Path(written[0]) / "summary.json"
    before = first.stat().st_ino
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--resume"])
    assert ended.value.code == 0
    assert first.stat().st_ino == before
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "manifest.csv", "manifest.parquet"]
    assert len((out / "manifest.csv").read_text().splitlines()) == 3
    for name in ("a", "b"):
        np.testing.assert_array_equal(np.load(out / name / "counts.npy"), motion_heatmap(clip).counts)
        assert not (out / name / "parts").exists()


def test_clusters_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpuheat.jobs.dask.cluster.WAIT", "1s")
    with (
        pytest.raises(InputError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9 "),
        connected("tcp://127.0.0.1:9", "auto"),
    ):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'gpuheat\[dask\]'"), connected("local", "numba"):
        pass


def test_a_worker_for_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """dask-cuda needs a GPU to be loaded: here it is asked for by name, and what it is told is seen."""
    told: list[dict[str, Any]] = []

    def local_cuda_cluster(**options: Any) -> LocalCluster:
        told.append(options)
        return LocalCluster(n_workers=1, **options)

    on_gpu = CupyBackend(module=HostCupy())
    monkeypatch.setattr("gpuheat.jobs.dask.cluster.get_backend", lambda _name: on_gpu)
    monkeypatch.setitem(sys.modules, "dask_cuda", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'gpuheat\[dask-cuda13\]'"), connected("local", "cupy"):
        pass
    monkeypatch.setitem(sys.modules, "dask_cuda", SimpleNamespace(LocalCUDACluster=local_cuda_cluster))
    with connected("local", "cupy") as client:
        assert len(client.nthreads()) == 1
    assert told == [{"threads_per_worker": 1, "dashboard_address": ":0"}]
