"""``--cluster``: maps of groups of videos, and clusters that are not there."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from clips import encode, noisy_scene
from cuda_on_cpu.host_cupy import HostCupy
from distributed import LocalCluster
from on_cluster import FRAMES, X264
from pyarrow import parquet
from servers import web_folder

from gpuheat import MotionHeatmap, motion_heatmap
from gpuheat.backends.cupy import CupyBackend
from gpuheat.cli import main
from gpuheat.errors import (
    InputError,
    MissingPackageError,
    OutputError,
)
from gpuheat.jobs.dask.cluster import connected

pytestmark = pytest.mark.once


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
    more = ["--events", "--video", "over.mp4"]
    with pytest.raises(SystemExit) as ended:
        main(["motion", str(clip), "-o", str(tmp_path / "one"), "--cluster", address, *more, "-q"])
    assert ended.value.code == 0
    assert (tmp_path / "one/events.csv").exists()
    assert json.loads((tmp_path / "one/summary.json").read_text())["video"]["frames"] == FRAMES
    assert json.loads((tmp_path / "one/summary.json").read_text())["input"]["frames_compared"] == FRAMES
    for wrong in (["--jobs", "2"], ["--refresh", "2"], ["--group-by", "x"], ["--group-by", "(cam3)"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments[:3], str(tmp_path / "none"), *arguments[4:], *wrong])
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
    assert [each["threads_per_worker"] for each in told] == [1]


def test_a_scheduler_of_ours_keeps_no_note_of_each_task() -> None:
    def notes(dask_scheduler: Any) -> list[int]:
        spans = dask_scheduler.extensions["spans"].spans.values()
        return [len(span._metadata["collections"]) for span in spans]

    with connected("local", "numpy") as client:
        for number in range(20):
            assert client.submit(abs, -number, pure=False).result() == number
        assert set(client.run_on_scheduler(notes)) == {0}
