"""The report: a JSON file and a Markdown page, written anew after every step so that no step is lost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.gpu.results import HEADINGS, Row, cells

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.gpu.checks import Checked
    from benchmarks.gpu.resources import Resources

__all__ = ["Report"]


@dataclass
class Report:
    """Everything that was found out, and the two files it goes to (``path`` with another suffix each)."""

    path: Path
    machine: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    copy: float | None = None  # bytes read and written per second, before and after the measurements
    copy_after: float | None = None
    checks: list[Checked] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    kernels: list[Resources] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failures(self) -> list[str]:
        """What is wrong, in words."""
        checks = [f"{check.name}: {check.verdict}" for check in self.checks if check.verdict.startswith("FAILED")]
        return checks + [f"{row.case}, {row.contender}: {row.outcome}" for row in self.rows if row.failed]

    def write(self) -> None:
        """Write both files."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.with_suffix(".json").write_text(self.as_json())
        self.path.with_suffix(".md").write_text(self.as_markdown())

    def as_json(self) -> str:
        """All of it."""
        return (
            json.dumps(
                {
                    "machine": self.machine,
                    "copy_gigabytes_per_s": _giga(self.copy),
                    "copy_gigabytes_per_s_after": _giga(self.copy_after),
                    "seconds": self.seconds,
                    "notes": self.notes,
                    "failures": self.failures,
                    "checks": [asdict(check) for check in self.checks],
                    "rows": [asdict(row) for row in self.rows],
                    "kernels": [asdict(kernel) for kernel in self.kernels],
                },
                indent=2,
            )
            + "\n"
        )

    def as_markdown(self) -> str:
        """A page for people."""
        device = self.machine["device"]
        commit = self.machine["commit"] or "unknown"
        lines = [
            f"# {device['name']}",
            "",
            f"Driver {self.machine['driver'] or 'unknown'} (CUDA {_dotted(device['cuda_of_driver'])}), "
            f"NVRTC {device['nvrtc']}, commit {commit}{', changed since' if self.machine['changed_since'] else ''}, "
            + ", ".join(f"{name} {number}" for name, number in self.machine["versions"].items())
            + ".",
            "",
        ]
        if self.copy is not None:
            after = "" if self.copy_after is None else f" ({self.copy_after / 1e9:,.0f} GB/s after the measurements)"
            lines += [f"A copy within the device moves {self.copy / 1e9:,.0f} GB/s, read and written{after}.", ""]
        lines += [f"- {note}" for note in self.notes]
        lines += ["", "## Checks", ""]
        lines += [f"- {check.name}: **{check.verdict}** ({check.seconds:.0f} s)" for check in self.checks]
        for check in self.checks:
            if check.verdict.startswith("FAILED"):
                lines += ["", f"The end of {check.name}:", "", "```", *check.output, "```"]
        lines += ["", "## Times", "", *_table(HEADINGS, [cells(row) for row in self.rows])]
        floors = {row.case: row.floor for row in self.rows if row.floor}
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


def _giga(per_second: float | None) -> float | None:
    return None if per_second is None else per_second / 1e9


def _dotted(cuda: int) -> str:
    """13000 is 13.0."""
    return f"{cuda // 1000}.{cuda % 1000 // 10}"
