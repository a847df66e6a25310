"""The kernels on an NVIDIA GPU: checked, then measured beside CuPy and PyTorch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from benchmarks.case import Planned, Setting
from benchmarks.gpu import pipeline
from benchmarks.gpu.checks import Checked, find_sanitizer, parity, run_together, sanitizers
from benchmarks.gpu.peers import find_cvcuda, find_torch
from benchmarks.gpu.resources import recording_cupy, resources
from benchmarks.gpu.yardsticks import GpuYardsticks
from benchmarks.kernels import blur, histogram, motion
from benchmarks.runner import run_cases
from gpuheat import available_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from benchmarks.gpu.device import Device
    from benchmarks.report import Report
    from benchmarks.runner import Budget
    from gpuheat import Backend

__all__ = ["every_case", "gpu_setting", "measure", "why_not"]

CUDA: Final = ("cupy", "numba-cuda")
CHECKING: Final = 0.45  # of the time, for the checks
LAYOUTS: Final = ("gray8", "bgr24", "yuv420p", "nv12")


def why_not() -> str | None:
    """Why no GPU can be measured here, where that is so."""
    reason = next(status.reason for status in available_backends() if status.name == "cupy")
    return None if reason is None else f"the GPU is measured through CuPy, which cannot run: {reason}"


def gpu_setting(backends: Sequence[Backend], torch: object | None, cvcuda: object | None, *, quick: bool) -> Setting:
    """In full: the sizes and numbers that the aims are for."""
    return Setting(
        "gpu",
        backends,
        GpuYardsticks(torch, cvcuda, quick=quick),
        thorough=True,
        layouts=LAYOUTS,
        sizes=("360p",) if quick else ("4k", "1080p"),
        pairs=8 if quick else 32,
        batch_bytes=1 << 31,
        points=(200_000,) if quick else (200_000_000,),
        blurs=((3.0, 360, 640), (9.0, 225, 300), (38.0, 360, 640))
        if quick
        else ((3.0, 2160, 3840), (9.0, 225, 300), (38.0, 1080, 1920)),
    )


def every_case(setting: Setting) -> list[Planned]:
    """All cases; those with targets come as early as their room allows."""
    rooms = (motion, histogram, blur, pipeline)
    cases = [case for room in rooms for case in room.planned(setting)]
    return sorted(cases, key=lambda case: case.target.share is None and not case.target.times)


def measure(
    console: Console,
    report: Report,
    names: Sequence[str],
    wanted: Callable[[Planned], bool],
    *,
    quick: bool,
    checks: bool,
    runs: int,
    budget: Budget,
) -> None:
    """Run the parity tests and compute-sanitizer, then time every kernel on the device.

    ``names``: backends to measure; none: all that run here. What there is no time for is listed as not run.
    """
    status = {each.name: each for each in available_backends()}
    chosen = [name for name in CUDA if status[name].backend is not None and (not names or name in names)]
    report.notes += [f"{name} is not measured: {status[name].reason}" for name in CUDA if status[name].reason]

    from benchmarks.gpu.device import Device

    device = Device()
    report.machine["device"] = device.facts()
    if checks:
        report.checks = _checks(console, chosen, budget)
        report.write()
    torch, about_torch = find_torch()
    cvcuda, about_cvcuda = find_cvcuda()
    report.notes += [about_torch, about_cvcuda]
    cupy, used = recording_cupy()
    backends: list[Backend] = [cupy if name == "cupy" else _running(status[name].backend) for name in chosen]
    cases = [case for case in every_case(gpu_setting(backends, torch, cvcuda, quick=quick)) if wanted(case)]
    copy = device.copy_bandwidth(runs)
    report.copies["device"] = [copy]
    device.free()
    console.print(f"{device.name}: a copy moves {copy / 1e9:,.0f} GB/s, read and written")
    run_cases(console, report, device, cases, copy, runs, budget, lambda: _broken(device))
    if _broken(device) is None:
        report.copies["device"].append(device.copy_bandwidth(runs))
    report.kernels = resources(used)


def _running(backend: Backend | None) -> Backend:
    assert backend is not None
    return backend


def _checks(console: Console, backends: list[str], budget: Budget) -> list[Checked]:
    wanted = [parity(backends)]
    absent = []
    program = find_sanitizer(os.environ)
    if program is None:
        reason = "not run: no compute-sanitizer on the PATH, in /usr/local/cuda/bin or in $CUDA_HOME/bin"
        absent = [Checked("memcheck and racecheck", (), reason, 0.0, ())]
    else:
        wanted += sanitizers(program, backends)
    console.print(f"running {len(wanted)} checks at the same time, at most {CHECKING * budget.seconds:.0f} s")
    done = run_together(wanted, CHECKING * budget.seconds) + absent
    for check in done:
        console.print(f"{check.name}: {check.verdict} ({check.seconds:.0f} s)", markup=False)
        if check.verdict.startswith("FAILED"):
            console.print("\n".join(check.output), markup=False)
    return done


def _broken(device: Device) -> str | None:
    """Why nothing more can be run on the device, where that is so: some errors end all work of a process."""
    try:
        device.synchronize()
    except Exception as error:  # noqa: BLE001  CuPy's errors have no common class
        return f"not run: the GPU has failed: {error}"
    return None
