"""Eye-tracking exports on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client
from on_cluster import hanging_once
from servers import web_folder

from gpuheat import FixationHeatmap, fixation_heatmap
from gpuheat.errors import (
    ExportError,
    OptionError,
)
from gpuheat.jobs.dask import ClusterProgress, fixations

pytestmark = pytest.mark.once


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
