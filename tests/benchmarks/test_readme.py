"""The README's tables are those of the reports that are kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are not installed

from benchmarks.machine import ROOT
from benchmarks.readme import kernels_table, video_table

pytestmark = pytest.mark.once


@pytest.mark.parametrize(("name", "table"), [("cpu-kernels", kernels_table), ("cpu-video", video_table)])
def test_tables_are_those_of_the_reports(name: str, table: Callable[[Any], str]) -> None:
    report = json.loads((ROOT / "benchmarks/results" / f"{name}.json").read_text())
    drawn = table(report["rows"])
    assert len(drawn.splitlines()) > 3
    assert drawn in (ROOT / "README.md").read_text()
    assert not report["failures"]
