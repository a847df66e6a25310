"""``python -m benchmarks`` as a whole: what it prints, writes, compares and refuses."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import gpuheat.backends

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are not installed

from benchmarks import __main__ as command
from gpuheat import available_backends, register_backend
from gpuheat.backends import numba

pytestmark = pytest.mark.once

ONLY = ("kernels", "--quick", "--backend", "numba", "--size", "360p", "--only", "motion gray8, 4 pairs")


def run(*options: object) -> Result:
    return CliRunner().invoke(command.main, [str(option) for option in options])


def test_without_a_gpu_the_command_says_why() -> None:
    if {status.name: status.backend for status in available_backends()}["cupy"] is not None:
        pytest.skip("CuPy runs here")
    result = run("gpu")
    assert result.exit_code == 1
    assert len(result.output.strip().splitlines()) == 1
    assert "the GPU is measured through CuPy, which cannot run" in result.output


def test_tables_files_and_a_picture(tmp_path: Path) -> None:
    result = run(*ONLY, "--peers", "--json", tmp_path / "new/bench.json", "--plot", tmp_path / "bench.png")
    assert result.exit_code == 0, result.output
    assert "motion gray8, 4 pairs of 640 x 360, band" in result.output
    assert "OpenCV steps" in result.output
    written = json.loads((tmp_path / "new/bench.json").read_text())
    assert written["format"] == 1
    assert written["machine"]["processors"] > 0
    assert {row["contender"] for row in written["rows"]} == {"numba", "OpenCV steps"}
    assert all(len(row["runs_s"]) >= 7 and row["median_s"] > 0 for row in written["rows"])
    assert len(written["copy_gigabytes_per_s"]["host"]) == 2
    assert "hostname" not in json.dumps(written)
    assert "| motion gray8, 4 pairs of 640 x 360, band |" in (tmp_path / "new/bench.md").read_text()
    assert (tmp_path / "bench.png").read_bytes()[:4] == b"\x89PNG"


class Changed(numba.NumbaBackend):
    """Counts as the one does, but later; or otherwise."""

    name = "mine"
    seconds = 0.0
    forgets = 0

    def add_motion(self, *args: Any, counts: Any = None, **more: Any) -> None:
        super().add_motion(*args, counts=counts, **more)
        time.sleep(self.seconds)
        if counts is not None:
            counts[np.unravel_index(counts.argmax(), counts.shape)] -= self.forgets


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> type[Changed]:
    """A backend of somebody else's."""

    class Mine(Changed):
        pass

    monkeypatch.setattr(gpuheat.backends, "_loaders", {**gpuheat.backends._loaders})
    monkeypatch.setattr(gpuheat.backends, "_loaded", {**gpuheat.backends._loaded})
    register_backend("mine", lambda _: Mine())
    return Mine


def test_a_slowed_kernel_is_caught_and_the_same_one_is_not(mine: type[Changed], tmp_path: Path) -> None:
    options = ("kernels", "--quick", "--backend", "mine", "--size", "360p", "--only", "motion gray8, 4 pairs")
    mine.seconds = 0.05  # so long that others at work on the machine hardly matter
    assert run(*options, "--json", tmp_path / "old.json").exit_code == 0
    assert run(*options, "--compare", tmp_path / "old.json").exit_code == 0
    mine.seconds = 0.15
    slower = run(*options, "--compare", tmp_path / "old.json")
    assert slower.exit_code == 1
    assert "slower" in slower.output


def test_a_wrong_kernel_is_refused(mine: type[Changed], tmp_path: Path) -> None:
    mine.forgets = 1
    result = run(
        "kernels", "--quick", "--backend", "mine", "--size", "360p", "--only", "gray8, 4", "--json", tmp_path / "a.json"
    )
    assert result.exit_code == 1
    assert "mine is off by up to 1.0 (allowed: 0.0)" in " ".join(result.output.split())
    (row,) = json.loads((tmp_path / "a.json").read_text())["rows"]
    assert row["median_s"] is None


def test_no_such_backend_is_one_line() -> None:
    result = run("kernels", "--quick", "--backend", "numbo")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "numbo" in result.output
