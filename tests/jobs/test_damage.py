"""Five hundred damaged files: no crash, no hang, and one answer. tests/damage.py makes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import damage
import pytest


@pytest.mark.once
def test_damaged_files(tmp_path: Path) -> None:
    command = [sys.executable, damage.__file__, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    last = outcomes[-1]["file"] if outcomes else "none"
    assert done.returncode == 0, f"behind {last}: {done.stderr[-2000:]}"
    assert [each for each in outcomes if each["wrong"]] == []
    assert len(outcomes) == len(damage.CLIPS) * (len(damage.KINDS) + len(damage.PLACES))
    assert max(each["seconds"] for each in outcomes) < 30
