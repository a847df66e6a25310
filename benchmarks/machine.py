"""What the numbers were measured with."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any, Final

import pyperf

from gpuheat.backends.cpu_loops import processors

__all__ = ["ROOT", "around", "slug"]

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = (
    "gpuheat",
    "numpy",
    "numba",
    "numba-cuda",
    "torch",
    "opencv-python-headless",
    "opencv-python",
    "av",
    "scipy",
    "fast-histogram",
    "boost-histogram",
    "datashader",
)
TOLD: Final = ("cpu_config", "cpu_freq", "platform", "python_compiler", "load_avg_1min")


def around() -> dict[str, Any]:
    """The host, the driver, the versions of the packages and of the sources."""
    metadata = pyperf.Run([1.0], metadata={"name": "machine"}, collect_metadata=True).get_metadata()
    return {
        "name": metadata.get("cpu_model_name", platform.machine()),
        "processors": processors(),
        **{name: metadata[name] for name in TOLD if name in metadata},
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
