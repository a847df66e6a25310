"""The backend ``numba-cuda`` in Numba's simulator of a GPU, which has to have a process of its own.

The simulator runs each thread of a block as one of the host, so that what is marked ``large`` is left out. It takes
wrong dtypes and shapes of shared memory: tests/backends/test_numba_cuda.py compiles the kernels for that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
TESTS = Path(__file__).parent
CONTRACT = ["add_motion", "add_motion_arguments", "add_points", "adoption", "gaussian_blur", "planar"]


def run(*arguments: str) -> str:
    """Run pytest in the simulator; what it says."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not large"]
    overflow = "ignore:overflow encountered in scalar:RuntimeWarning"  # NumPy's numbers, which stand for those of a GPU
    result = subprocess.run(
        [*command, "-W", overflow, *arguments],
        cwd=TESTS.parent,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("operation", CONTRACT)
def test_the_contract_holds_in_the_simulator(operation: str) -> None:
    said = run(f"tests/backends/test_{operation}.py", "--backend", "numba-cuda", "-k", "numba-cuda")
    assert " passed" in said
    assert "skipped" not in said


def test_the_kernels_in_the_simulator() -> None:
    assert " passed" in run("tests/backends/numba_in_simulator.py")
