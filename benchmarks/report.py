"""The report: a JSON file and a Markdown page beside it, written anew after every step so that no step is lost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benchmarks.results import HEADINGS, Row, cells

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.gpu.checks import Checked
    from benchmarks.gpu.resources import Resources

__all__ = ["FORMAT", "Report"]

FORMAT: Final = 1


@dataclass
class Report:
    """Everything that was found out.

    Attributes
    ----------
    machine
        What it was measured with.
    path
        Where the JSON file is written, the page beside it; None: nowhere.
    notes
        What else there is to know.
    noise
        Why the numbers are not to be believed.
    copies
        Bytes read and written per second by a plain copy, before and after the measurements, by machine: "host" or
        "device".
    rows
        What was measured.
    checks, kernels
        What was checked before, and what the kernels of a GPU take.
    seconds
        How long it took.
    """

    machine: dict[str, Any]
    path: Path | None = None
    notes: list[str] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)
    copies: dict[str, list[float]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    checks: list[Checked] = field(default_factory=list)
    kernels: list[Resources] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failures(self) -> list[str]:
        """What is wrong, in words."""
        checks = [f"{check.name}: {check.verdict}" for check in self.checks if check.verdict.startswith("FAILED")]
        return checks + [f"{row.case}, {row.contender}: {row.outcome}" for row in self.rows if row.failed]

    def write(self) -> None:
        """Write both files."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.as_json())
            self.path.with_suffix(".md").write_text(self.as_markdown())

    def as_json(self) -> str:
        """All of it."""
        content = {
            "format": FORMAT,
            "machine": self.machine,
            "copy_gigabytes_per_s": {name: [each / 1e9 for each in found] for name, found in self.copies.items()},
            "seconds": self.seconds,
            "notes": self.notes,
            "noise": self.noise,
            "failures": self.failures,
            "checks": [asdict(check) for check in self.checks],
            "rows": [asdict(row) for row in self.rows],
            "kernels": [asdict(kernel) for kernel in self.kernels],
        }
        return json.dumps(content, indent=2) + "\n"

    def as_markdown(self) -> str:
        """A page for people."""
        machine = self.machine
        device = machine.get("device")
        commit = machine["commit"] or "unknown"
        versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
        lines = [
            f"# {machine['name'] if device is None else device['name']}",
            "",
            f"{machine['processors']} processors, Python {machine['python']}, "
            f"commit {commit}{', changed since' if machine['changed_since'] else ''}, {versions}.",
            "",
        ]
        if device is not None:
            driver = f"Driver {machine['driver'] or 'unknown'} (CUDA {_dotted(device['cuda_of_driver'])})"
            lines += [f"{driver}, NVRTC {device['nvrtc']}.", ""]
        for name, found in self.copies.items():
            speeds = " and ".join(f"{each / 1e9:,.1f}" for each in found)
            lines += [f"A copy on the {name} moves {speeds} GB/s, read and written.", ""]
        lines += [f"- {note}" for note in self.notes]
        if self.noise:
            lines += ["", "**Not to be believed without another run:**", ""] + [f"- {reason}" for reason in self.noise]
        if self.checks:
            lines += ["", "## Checks", ""]
            lines += [f"- {check.name}: **{check.verdict}** ({check.seconds:.0f} s)" for check in self.checks]
        for check in self.checks:
            if check.verdict.startswith("FAILED"):
                lines += ["", f"The end of {check.name}:", "", "```", *check.output, "```"]
        lines += ["", "## Times", "", *_table(HEADINGS, [cells(row) for row in self.rows])]
        floors = {row.case: row.floor for row in self.rows if row.floor}
        if floors:
            lines += ["", "## What the bytes of GB/s are", ""]
            lines += [f"- {case}: {floor}" for case, floor in floors.items()]
        if self.kernels:
            names = ("kernel", "registers", "local bytes", "static shared bytes", "threads at most")
            lines += ["", "## Kernels", ""]
            lines += _table(names, [tuple(map(str, asdict(kernel).values())) for kernel in self.kernels])
        return "\n".join(lines) + "\n"


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    def line(words: tuple[str, ...]) -> str:
        return "| " + " | ".join(word.replace("|", "\\|") for word in words) + " |"

    return [line(headings), "|" + "---|" * len(headings), *map(line, rows)]


def _dotted(cuda: int) -> str:
    """13000 is 13.0."""
    return f"{cuda // 1000}.{cuda % 1000 // 10}"
