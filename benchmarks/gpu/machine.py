"""What the numbers were measured with."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distributions, version
from typing import Any, Final

from benchmarks.gpu.checks import ROOT

__all__ = ["around", "slug"]

PACKAGES: Final = ("gpuheat", "numpy", "numba", "numba-cuda", "torch", "opencv-python-headless", "opencv-python", "av")


def around() -> dict[str, Any]:
    """The host, the driver, the versions of the packages and of the sources."""
    return {
        "processor": platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "driver": _said("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "commit": _said("git", "rev-parse", "HEAD"),
        "changed_since": _said("git", "status", "--porcelain", "--untracked-files=no"),
        "versions": _versions(),
    }


def slug(name: str) -> str:
    """A device's name as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _versions() -> dict[str, str]:
    found = {}
    cupy = [each.name for each in distributions() if (each.name or "").startswith("cupy")]
    for name in (*PACKAGES, *cupy):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _said(program: str, *arguments: str) -> str | None:
    """The output of a program; None where it is not there or fails."""
    path = shutil.which(program)
    if path is None:
        return None
    said = subprocess.run([path, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    return said.stdout.strip() if said.returncode == 0 else None
