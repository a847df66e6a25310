"""The kernels on the host's processors, beside other libraries doing the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.case import SIZES, Planned, Setting
from benchmarks.host import Host
from benchmarks.kernels import blur, histogram, motion
from benchmarks.kernels.yardsticks import HostYardsticks
from benchmarks.runner import run_cases
from gpuheat import available_backends, get_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from benchmarks.report import Report
    from benchmarks.runner import Budget
    from gpuheat import Backend

__all__ = ["every_case", "host_setting", "measure"]

ON_GPUS: Final = ("cupy", "numba-cuda")
FULL_SIZES: Final = ("1080p", "720p", "4k", "8k")
QUICK_SIZES: Final = ("720p",)
PICTURES: Final = ("1080p", "4k")  # that are blurred
SIGMAS: Final = (1.0, 3.0, 12.0, 38.0)
HISTOGRAM: Final = (225, 300)  # height and width of the bins that are blurred most
FULL_LONGEST, QUICK_LONGEST = 3.0, 0.5  # s of one call


def backends_on_host() -> list[Backend]:
    """All that run here and compute on the host, third parties' too."""
    found = (status.backend for status in available_backends() if status.name.split(":")[0] not in ON_GPUS)
    return [backend for backend in found if backend is not None]


def host_setting(backends: Sequence[Backend], sizes: Sequence[str], *, peers: bool, quick: bool) -> Setting:
    """``sizes``: of frames; none: the usual ones."""
    frames = sizes or (QUICK_SIZES if quick else FULL_SIZES)
    pictures = [HISTOGRAM, *(SIZES[size] for size in sizes or (QUICK_SIZES if quick else PICTURES))]
    return Setting(
        "kernels",
        backends,
        HostYardsticks(peers=peers, quick=quick),
        not quick,
        tuple(motion.LAYOUTS),
        sizes=frames,
        pairs=4 if quick else 8,
        batch_bytes=1 << 29,
        points=(1_000_000,) if quick else (10_000_000, 100_000, 1_000_000, 100_000_000),
        blurs=[(sigma, *picture) for sigma in ((3.0, 12.0) if quick else SIGMAS) for picture in pictures],
    )


def every_case(setting: Setting) -> list[Planned]:
    """All cases."""
    return [case for room in (motion, histogram, blur) for case in room.planned(setting)]


def measure(
    console: Console,
    report: Report,
    names: Sequence[str],
    sizes: Sequence[str],
    wanted: Callable[[Planned], bool],
    *,
    peers: bool,
    quick: bool,
    runs: int,
    budget: Budget,
) -> None:
    """Time every operation; ``names``: backends to measure; none: all that compute on the host and run here."""
    backends = [get_backend(name) for name in names] if names else backends_on_host()
    host = Host(QUICK_LONGEST if quick else FULL_LONGEST)
    copy = host.copy_bandwidth(runs)
    report.copies["host"] = [copy]
    console.print(f"{len(backends)} backends on the host, where a copy moves {copy / 1e9:,.1f} GB/s, read and written")
    cases = [case for case in every_case(host_setting(backends, sizes, peers=peers, quick=quick)) if wanted(case)]
    run_cases(console, report, host, cases, copy, runs, budget)
    report.copies["host"].append(host.copy_bandwidth(runs))
