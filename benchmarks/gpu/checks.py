"""The parity tests and compute-sanitizer, as child processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from benchmarks.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "NEED_NO_GPU",
    "Check",
    "Checked",
    "find_sanitizer",
    "parity",
    "run_together",
    "sanitizers",
    "verdict",
]

TESTS: Final = ("tests/backends", "tests/motion", "tests/fixation")
NEED_NO_GPU: Final = ("tests/backends/test_cuda_source.py", "tests/backends/test_cuda_sanitized.py")
FOUND: Final = 9  # what compute-sanitizer returns where it found something
SUMMARY: Final = re.compile(r"(?:ERROR SUMMARY: (\d+) error|RACECHECK SUMMARY: (\d+) hazard)")
LINES: Final = 12  # of the end of the output, kept in the report


@dataclass(frozen=True)
class Check:
    """A child process that checks something."""

    name: str
    command: tuple[str, ...]
    sanitizer: bool = False


@dataclass(frozen=True)
class Checked:
    """What came of it: "passed", "FAILED: ..." or "not run: ..."; and the last lines of the output."""

    name: str
    command: tuple[str, ...]
    verdict: str
    seconds: float
    output: tuple[str, ...]


def parity(backends: Sequence[str]) -> Check:
    """The tests that hold backends against the reference, without the slow ones that compile and run on the CPU."""
    named = [word for name in backends for word in ("--backend", name)]
    without = [f"--ignore={path}" for path in NEED_NO_GPU]
    options = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors")
    return Check(
        f"parity tests on {' and '.join(backends)}",
        (sys.executable, "-m", "pytest", *TESTS, *named, *options, *without),
    )


def find_sanitizer(environment: Mapping[str, str]) -> str | None:
    """Where compute-sanitizer is: on the PATH, or in CUDA's own folder; None where it is not."""
    home = environment.get("CUDA_HOME")
    places = [environment.get("PATH", ""), "/usr/local/cuda/bin", *([] if home is None else [f"{home}/bin"])]
    return shutil.which("compute-sanitizer", path=os.pathsep.join(places))


def sanitizers(program: str, backends: Sequence[str]) -> list[Check]:
    """Every kernel of each backend once, under memcheck and racecheck.

    What the libraries try out with the driver before they settle on a way is no error, and not reported.
    """
    return [
        Check(
            f"{tool}, every kernel of {name}",
            (
                program,
                "--tool",
                tool,
                "--report-api-errors",
                "no",
                "--error-exitcode",
                str(FOUND),
                sys.executable,
                "-m",
                "benchmarks.gpu.small",
                name,
            ),
            sanitizer=True,
        )
        for name in backends
        for tool in ("memcheck", "racecheck")
    ]


def verdict(check: Check, code: int | None, output: str, seconds: float) -> str:
    """What a return code and the output mean; ``code`` is None where the time was up."""
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")
    if code is None:
        reason = f"not done within {seconds:.0f} s"
        return f"not run: {reason}" if check.sanitizer else f"FAILED: {reason}"
    if not check.sanitizer:
        return "passed" if code == 0 else f"FAILED: {last}"
    found = SUMMARY.search(output)
    if found is None:
        return f"not run: compute-sanitizer does not work here: {last}"
    if code == 0 and not int(found[1] or found[2] or 0):
        return "passed"
    return f"FAILED: {output[found.start() :].splitlines()[0]}" + ("" if code in (0, FOUND) else f" (exit code {code})")


def run_together(checks: Sequence[Check], seconds: float) -> list[Checked]:
    """Run all at the same time; those that are not done after so many seconds are ended."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="gpuheat-") as folder:
        children = [_start(check, Path(folder, str(i))) for i, check in enumerate(checks)]
        return [
            _finish(check, child, Path(folder, str(i)), began, seconds)
            for i, (check, child) in enumerate(zip(checks, children, strict=True))
        ]


def _start(check: Check, output: Path) -> subprocess.Popen[Any]:
    with output.open("wb") as file:
        return subprocess.Popen(
            check.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )


def _finish(check: Check, child: subprocess.Popen[Any], output: Path, began: float, seconds: float) -> Checked:
    try:
        code: int | None = child.wait(max(0.0, began + seconds - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)  # the session of its own that it was started in
        child.wait()
        code = None
    took = time.monotonic() - began
    text = output.read_text(errors="replace")
    lines = tuple(text.strip().splitlines()[-LINES:])
    return Checked(check.name, check.command, verdict(check, code, text, took), took, lines)
