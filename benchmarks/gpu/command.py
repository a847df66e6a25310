"""``python -m benchmarks gpu``: check the CUDA backends, measure them beside their peers, write it down."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table

from benchmarks.gpu import blur, histogram, motion, pipeline
from benchmarks.gpu.case import Planned, Setting
from benchmarks.gpu.checks import ROOT, Checked, find_sanitizer, parity, run_together, sanitizers
from benchmarks.gpu.machine import around, slug
from benchmarks.gpu.peers import find_torch
from benchmarks.gpu.report import Report
from benchmarks.gpu.resources import recording_cupy, resources
from benchmarks.gpu.results import HEADINGS, Row, cells, single_row
from benchmarks.gpu.runner import Budget, run_case
from gpuheat import available_backends

if TYPE_CHECKING:
    from benchmarks.gpu.device import Device
    from gpuheat import Backend

__all__ = ["every_case", "gpu"]

CUDA: Final = ("cupy", "numba-cuda")
CHECKING: Final = 0.45  # of the time, for the checks


@click.command()
@click.option("--quick", is_flag=True, help="Smaller sizes and fewer runs: does it work, not how fast is it.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "benchmarks/results",
    help="Folder for the report.",
)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=7.5, show_default=True)
@click.option("--only", metavar="TEXT", multiple=True, help="Only cases with this in their name (repeatable).")
@click.option(
    "--checks/--no-checks", default=True, help="Parity tests and compute-sanitizer, before anything is timed."
)
def gpu(quick: bool, output: Path, minutes: float, only: tuple[str, ...], checks: bool) -> None:
    """Check the CUDA backends on this machine's GPU and measure them beside their peers.

    Runs the parity tests and compute-sanitizer, then times every kernel against the copy bandwidth measured in the
    same run. What there is no time for is listed as not run. The exit code is 1 where anything is wrong.
    """
    budget = Budget(60 * minutes)
    console = Console()
    if not console.is_terminal:
        console.width = 200
    status = {status.name: status for status in available_backends()}
    if status["cupy"].backend is None:
        raise click.ClickException(f"the GPU is measured through CuPy, which cannot run: {status['cupy'].reason}")
    names = [name for name in CUDA if status[name].backend is not None]
    notes = [f"{name} is not measured: {status[name].reason}" for name in CUDA if name not in names]

    from benchmarks.gpu.device import Device

    device = Device()
    stamp = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M")
    machine: dict[str, Any] = {"when": stamp, "device": device.facts(), **around()}
    report = Report(output / f"gpu-{slug(device.name)}-{stamp}", machine, notes)
    if checks:
        report.checks = _checks(console, names, budget)
        report.write()
    torch, found = find_torch()
    report.notes.append(found)
    cupy, used = recording_cupy()
    numba_cuda = status["numba-cuda"].backend
    backends: list[Backend] = [cupy] if numba_cuda is None else [cupy, numba_cuda]
    cases = every_case(Setting(backends, torch, quick))
    _measure(console, report, device, [each for each in cases if _wanted(each, only)], 5 if quick else 30, budget)
    report.kernels = resources(used)
    report.seconds = budget.spent
    report.write()
    for failure in report.failures:
        console.print(failure, style="red", markup=False)
    console.print(f"{report.path}.json and .md are written, after {budget.spent:.0f} s", markup=False)
    raise SystemExit(1 if report.failures else 0)


def every_case(setting: Setting) -> list[Planned]:
    """All cases; those with targets come as early as their room allows."""
    rooms = (motion, histogram, blur, pipeline)
    cases = [case for room in rooms for case in room.planned(setting)]
    return sorted(cases, key=lambda case: case.target.share is None and not case.target.times)


def _wanted(case: Planned, only: tuple[str, ...]) -> bool:
    return not only or any(text in case.name for text in only)


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


def _measure(console: Console, report: Report, device: Device, cases: list[Planned], runs: int, budget: Budget) -> None:
    copy = report.copy = device.copy_bandwidth(runs)
    device.free()
    console.print(f"{device.name}: a copy moves {copy / 1e9:,.0f} GB/s, read and written")
    broken: str | None = None
    for planned in cases:
        new = run_case(planned, device, copy, runs, budget) if broken is None else [single_row(planned, broken)]
        report.rows += new
        report.seconds = budget.spent
        report.write()
        console.print(_table(new))
        if broken is None and any(row.failed for row in new):
            broken = _broken(device)
    if broken is None:
        report.copy_after = device.copy_bandwidth(runs)


def _broken(device: Device) -> str | None:
    """Why nothing more can be run on the device, where that is so: some errors end all work of a process."""
    try:
        device.synchronize()
    except Exception as error:  # noqa: BLE001  CuPy's errors have no common class
        return f"not run: the GPU has failed: {error}"
    return None


def _table(rows: list[Row]) -> Table:
    table = Table(title=rows[0].case, title_justify="left", title_style="bold", box=None)
    for heading in HEADINGS[1:]:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(cell.replace("[", "\\[") for cell in cells(row)[1:]))
    return table
