"""What becomes of memory that was freed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import pytest

PROGRAM: Final = """
import resource

import numpy as np

from gpuheat.cli.memory import give_back_large_blocks


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


give_back_large_blocks()
np.ones(24_000_000, np.uint8)  # freed at once; glibc keeps blocks up to that size from now on
blocks, others = [], []
for _ in range(20):
    blocks.append(np.ones(12_000_000, np.uint8))
    others.append(np.ones(100_000, np.uint8))  # lies behind it
before = resident()
del blocks
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux" or not os.confstr("CS_GNU_LIBC_VERSION"), reason="it is glibc's memory")
def test_large_blocks_are_given_back() -> None:
    """Without the option glibc keeps them, most of the time: that is up to it."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 200
