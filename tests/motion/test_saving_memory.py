"""How much memory saving a heat map takes: little beside the map itself, and no more for a longer video."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

# Not getrusage's ru_maxrss: Linux hands that on to the programs a process starts.
SAVE: Final = """
import sys
from pathlib import Path

import numpy as np

from gpuheat import MotionHeatmap
from gpuheat.outputs.style import PictureStyle


def a_map(height, width, pairs):
    counts = np.add.outer(np.arange(height, dtype=np.uint32), np.arange(width, dtype=np.uint32))
    return MotionHeatmap(
        counts=counts,
        peak=float(counts.max()),
        moved=np.arange(pairs, dtype=np.uint32) % 97,
        counted=np.ones(pairs, bool),
        frames=np.arange(pairs) + 1,
        times=(np.arange(pairs) + 1) / 29.97,
        decayed=None,
        pixels_watched=counts.size,
        settings={"threshold": 25, "blur": 0.0},
        background=np.broadcast_to(np.uint8(counts % 251)[..., None], (height, width, 3)).copy(),
    )


def memory(which):
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[which].split()[0]) / 1024


folder, *numbers = sys.argv[1:]
style = PictureStyle("turbo", "percentile:99", "value")
a_map(20, 30, 10).save(folder, style)  # imports what is needed
heatmap = a_map(*map(int, numbers))
before = memory("VmRSS")
heatmap.save(folder, style)
print(memory("VmHWM") - before)
"""


@pytest.mark.parametrize(
    ("height", "width", "pairs", "most"),
    [
        pytest.param(2160, 3840, 600, 100, id="4K"),  # one picture is 24 MB, and as much is for its file
        pytest.param(20, 30, 500_000, 60, id="hours"),
    ],
)
def test_saving_takes_little_memory(tmp_path: Path, height: int, width: int, pairs: int, most: int) -> None:
    command = [sys.executable, "-c", SAVE, str(tmp_path), *map(str, (height, width, pairs))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    assert 0 < float(done.stdout) < most  # MB
