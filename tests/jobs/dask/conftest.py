"""A cluster on this machine, and a clip to be shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clips import encode, noisy_scene
from distributed import Client, LocalCluster
from on_cluster import FRAMES, X264, two_workers

from gpuheat.jobs.cutting import Sharing


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with two_workers() as cluster:
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
