"""Whatever becomes of workers and files, the map is that of one machine, or it is said what is missing."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from clips import encode, noisy_scene
from distributed import Client, LocalCluster
from on_cluster import FRAMES, X264, assert_same, hanging_once, two_workers

from gpuheat import motion_heatmap
from gpuheat.errors import (
    VideoError,
)
from gpuheat.jobs.dask import ClusterProgress, motion
from gpuheat.jobs.dask.cluster import Tasks

pytestmark = pytest.mark.once


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
        two_workers() as cluster,
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
        two_workers() as cluster,
        Client(cluster) as client,
    ):
        try:
            many = motion(client, clip)
        finally:
            os.kill(int(stopped.read_text()), signal.SIGCONT)
    assert f"{clip}: its index takes long, another worker does it as well" in caplog.text
    assert_same(many, motion_heatmap(clip))


def test_a_worker_that_stands_still_with_all_of_a_part_is_given_up(tmp_path: Path) -> None:
    """Nothing else has what it counted: it is waited for until Dask gives it up, and counted again."""
    clip = encode(tmp_path / "clip.mp4", np.tile(noisy_scene(FRAMES), (1, 4, 5, 1)), options=X264)
    stopped: list[int] = []
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "5s"}),
        two_workers() as cluster,
        Client(cluster) as client,
    ):
        processes = client.run(os.getpid)

        def stop(state: ClusterProgress) -> None:
            if state.seconds == 0 or stopped:
                return
            counted = {
                worker: [key for key in keys if key.startswith("count-")] for worker, keys in client.has_what().items()
            }
            for worker, process in processes.items():
                elsewhere = {key for other in counted if other != worker for key in counted[other]}
                if set(counted[worker]) - elsewhere:
                    os.kill(process, signal.SIGSTOP)
                    stopped.append(process)
                    return

        try:
            many = motion(client, clip, progress=stop)
        finally:
            for process in stopped:
                with suppress(ProcessLookupError):  # killed by Dask, as it should be
                    os.kill(process, signal.SIGCONT)
        assert stopped[0] not in client.run(os.getpid).values()
    assert_same(many, motion_heatmap(clip))


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
