"""Measure the operations of every backend that runs here beside the OpenCV and NumPy ways of doing the same."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from benchmarks.kernels import Case, cases
from benchmarks.timing import Timing, in_turn

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

__all__ = ["measure"]


def measure(console: Console, *, quick: bool, output: Path | None) -> None:
    """Print a table for every case; ``output`` is a JSON file for the rows."""
    runs = 7 if quick else 21
    bandwidth = _copy_bandwidth(runs)
    machine = {
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("gpuheat", "numpy", "numba", "opencv-python-headless")},
        "copy_gigabytes_per_s": bandwidth / 1e9,
    }
    console.print(f"{os.cpu_count()} processors, a copy moves {bandwidth / 1e9:.1f} GB/s")
    if find_spec("fast_histogram") is None:
        console.print("fast-histogram is not installed and not measured: pip install 'gpuheat\\[bench]'")
    everything = []
    for case in cases(quick=quick):
        rows = _rows(case, in_turn(case.contenders, runs), bandwidth)
        console.print(_table(case, rows))
        everything += rows
    if output is not None:
        output.write_text(json.dumps({"machine": machine, "rows": everything}, indent=2) + "\n")


def _copy_bandwidth(runs: int) -> float:
    """Bytes read and written per second by a plain copy of 256 MB on one thread."""
    source = np.ones(128 << 20, np.uint8)
    target = np.empty_like(source)
    return 2 * source.nbytes / in_turn({"copy": lambda: np.copyto(target, source)}, runs)["copy"].median


def _rows(case: Case, timings: dict[str, Timing], bandwidth: float) -> list[dict[str, Any]]:
    peer = timings[case.peer].median
    return [
        {
            "case": case.name,
            "contender": name,
            "median_s": timing.median,
            "spread": timing.spread,
            f"{case.unit}_per_s": case.items / timing.median,
            "gigabytes_per_s": case.nbytes / timing.median / 1e9,
            "share_of_copy": case.nbytes / timing.median / bandwidth,
            "peer": case.peer,
            "times_as_fast_as_peer": peer / timing.median,
        }
        for name, timing in timings.items()
    ]


def _table(case: Case, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=f"{case.name}, beside {case.peer}", title_justify="left", title_style="bold", box=None)
    table.add_column("contender", min_width=18)
    for heading in ("median", "spread", f"M {case.unit}/s", "GB/s", "of copy", "ratio"):
        table.add_column(heading, justify="right", min_width=9)
    for row in rows:
        table.add_row(
            row["contender"],
            f"{1e3 * row['median_s']:.3f} ms",
            f"{100 * row['spread']:.0f} %",
            f"{row[f'{case.unit}_per_s'] / 1e6:,.0f}",
            f"{row['gigabytes_per_s']:.1f}",
            f"{100 * row['share_of_copy']:.0f} %",
            f"{row['times_as_fast_as_peer']:.2f} x",
        )
    return table
