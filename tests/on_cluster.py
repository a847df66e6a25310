"""What the tests of clusters share: a clip of many parts, tasks that hang, and when two maps are the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from by_slices import assert_same_timeline
from distributed import LocalCluster

from gpuheat import MotionHeatmap

FRAMES = 1000
X264 = {"x264-params": "keyint=50:min-keyint=50:scenecut=0:bframes=2:open-gop=1"}


def two_workers() -> LocalCluster:
    """Each a process of its own. Dask would silence the handlers of the root logger, which are pytest's."""
    return LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=False)


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
