"""One picture of everything that was measured."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.results import NOISY, Row
from gpuheat.outputs.page import DPI, PT, TextRuler

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw", "picture"]

OPERATIONS: Final = ("motion", "histogram", "blur")
OURS, PEER, INK, SOFT, RULE, COPY = "#d1495b", "#aab4bf", "#1b1f24", "#5a6370", "#e3e7eb", "#1d5c96"
HATCH: Final = "//////"
TEXT, HEADING, TITLE = 8, 12, 15  # pt
LINE: Final = 0.19
"""Inches from bar to bar."""
GAP: Final = 1.7
"""Lines that a case takes beside its bars: its name, and what parts it from the next."""
ABOVE, BELOW = 3.2, 1.3
"""Lines above the bars of a panel, for its title and its axis, and below them."""
COLUMN, NAMES, NUMBERS = 9.0, 2.6, 2.5
"""Inches of a column; and in it, those of the names left of the bars at most, and of the numbers right of them."""
TOP, BOTTOM, SIDE = 1.15, 0.1, 0.3
"""Inches around the columns."""
LINES, COLUMNS = 110, 4
"""Lines in a column before there is another one, and columns at most, which are as long as it takes."""
HIGHEST: Final = 60_000
"""Pixels; PNG files of more than 65,535 cannot be drawn."""


@dataclass(frozen=True)
class Panel:
    """One operation, or those of its cases that are in one column; its limits are those of all its cases."""

    title: str
    unit: str
    cases: Sequence[Sequence[Row]]
    limits: tuple[float, float]

    @property
    def lines(self) -> float:
        """How high its bars and the names of its cases are together."""
        return sum(len(case) + GAP for case in self.cases)


def draw(rows: Iterable[Row], machine: Mapping[str, Any], path: Path) -> None:
    """Write the picture to ``path``, in the format of its suffix.

    Raises
    ------
    ValueError
        If nothing was measured, or matplotlib does not know the format.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a letter the font lacks is drawn as an empty box
        picture(rows, machine).savefig(path)


def picture(rows: Iterable[Row], machine: Mapping[str, Any]) -> Figure:
    """A bar for the rate of every row that was measured, by operation and case, the fastest of a case first.

    Raises
    ------
    ValueError
        If nothing was measured.
    """
    from matplotlib.figure import Figure

    measured = [row for row in rows if row.items_per_s is not None]
    if not measured:
        raise ValueError("nothing was measured, so there is nothing to draw")
    columns = _columns(_panels(measured))
    highest = max(sum(panel.lines + ABOVE + BELOW for panel in column) for column in columns)
    width, height = 2 * SIDE + COLUMN * len(columns), TOP + LINE * highest + BOTTOM
    figure = Figure(figsize=(width, height), dpi=min(120, HIGHEST / height), facecolor="white")
    ruler = TextRuler()
    names = min(NAMES, max(_inches(ruler, row.contender) for row in measured) + 0.1)
    _draw_head(figure, machine, ruler)
    for number, column in enumerate(columns):
        left, top = SIDE + COLUMN * number + names, height - TOP
        for panel in column:
            top -= LINE * (panel.lines + ABOVE)
            place = (left, top, COLUMN - names - NUMBERS, LINE * panel.lines)
            axes = figure.add_axes((place[0] / width, place[1] / height, place[2] / width, place[3] / height))
            _draw_panel(axes, panel, names, place[2], ruler)
            top -= LINE * BELOW
    return figure


def _panels(rows: Iterable[Row]) -> list[Panel]:
    """In the order in which they were measured."""
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        found.setdefault((_title(row), row.unit), {}).setdefault(row.case, []).append(row)
    return [Panel(*key, [*cases.values()], _limits(itertools.chain(*cases.values()))) for key, cases in found.items()]


def _title(row: Row) -> str:
    operation = row.case.split()[0].rstrip(",:")
    if operation not in OPERATIONS:
        return row.suite
    return operation if row.suite == "kernels" else f"{operation} ({row.suite})"


def _limits(rows: Iterable[Row]) -> tuple[float, float]:
    """From less than the slowest to the fastest, be it a copy."""
    rates = [rate for row in rows for rate in (row.items_per_s, _copy_rate(row)) if rate]
    return min(rates) / 2, max(rates) * 1.1


def _copy_rate(row: Row) -> float | None:
    """Items per second where the bytes of the row move as fast as in a plain copy."""
    return row.items_per_s / row.share_of_copy if row.items_per_s and row.share_of_copy else None


def _columns(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Panels under each other in columns of about the same height; one that does not fit goes on in the next."""
    total = sum(panel.lines for panel in panels)
    wanted = min(COLUMNS, math.ceil(total / LINES))
    columns: list[list[Panel]] = [[] for _ in range(wanted)]
    above = 0.0
    for panel in panels:
        parts: dict[int, list[Sequence[Row]]] = {}
        for case in panel.cases:
            parts.setdefault(int(wanted * above / total), []).append(case)
            above += len(case) + GAP
        for part, (column, cases) in enumerate(parts.items()):
            title = f"{panel.title}, continued" if part else panel.title
            columns[column].append(replace(panel, title=title, cases=cases))
    return [column for column in columns if column]


def _draw_head(figure: Figure, machine: Mapping[str, Any], ruler: TextRuler) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    width, height = figure.get_size_inches()
    device = machine.get("device")
    processors = f"{machine.get('processors', 'unknown')} processors"
    title = ", ".join(["gpuheat", *([device["name"]] if device else []), str(machine.get("name")), processors])
    changed = " with changes" if machine.get("changed_since") else ""
    facts = [
        f"commit {(machine.get('commit') or 'unknown')[:12]}{changed}",
        machine.get("when"),
        machine.get("command"),
    ]
    subtitle = " \N{MIDDLE DOT} ".join(str(fact) for fact in facts if fact)
    for text, size, y, weight, color in ((title, TITLE, 0.38, "bold", INK), (subtitle, TEXT + 1, 0.62, "normal", SOFT)):
        short = _shortened(ruler, text, width - 2 * SIDE, size, bold=weight == "bold")
        style: dict[str, Any] = {"fontsize": size, "fontweight": weight, "color": color, "fontfamily": "DejaVu Sans"}
        figure.text(SIDE / width, 1 - y / height, short, parse_math=False, **style)
    figure.legend(
        handles=[
            Patch(color=OURS, label="gpuheat"),
            Patch(color=PEER, label="others"),
            Patch(
                facecolor=PEER,
                edgecolor="white",
                hatch=HATCH,
                linewidth=0,
                label=f"runs spread by more than {100 * NOISY:g} %",
            ),
            Line2D([], [], color=INK, linewidth=1, marker="|", markersize=6, label="quartiles of the runs"),
            Line2D([], [], color=COPY, linewidth=1.5, label="as fast as a plain copy moves the bytes"),
        ],
        loc="center left",
        bbox_to_anchor=(SIDE / width, 1 - 0.85 / height),
        ncols=5,
        fontsize=TEXT,
        labelcolor=SOFT,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
    )


def _draw_panel(axes: Axes, panel: Panel, names: float, room: float, ruler: TextRuler) -> None:
    """``names``: inches left of the axes, ``room``: inches of the axes."""
    axes.set_xscale("log")
    axes.set_xlim(panel.limits)
    axes.set_ylim(panel.lines, 0)
    _draw_axis(axes, panel)

    def text(
        x: float, y: float, words: str, inches: float, align: str = "left", *, bold: bool = False, size: float = TEXT
    ) -> None:
        """``x`` in inches from the left of the axes, ``y`` in lines from their top, ``size`` in points."""
        axes.text(
            x / room,
            y,
            _shortened(ruler, words, inches, size, bold=bold),
            transform=axes.get_yaxis_transform(),
            horizontalalignment=align,
            verticalalignment="center",
            fontsize=size,
            fontweight="bold" if bold else "normal",
            fontfamily="DejaVu Sans",
            color=INK if bold else SOFT,
            parse_math=False,
        )

    text(-names, 1.2 - ABOVE / 1.5, panel.title, names + room / 2, bold=True, size=HEADING)
    y = 0.6
    for case in panel.cases:
        text(-names, y, case[0].case, names + room + NUMBERS, bold=True)
        rows = sorted(case, key=lambda row: row.items_per_s or 0, reverse=True)
        bars = [y + 1.0 + line for line in range(len(rows))]
        _draw_bars(axes, rows, bars, panel.limits[0])
        for row, line in zip(rows, bars, strict=True):
            text(-0.06, line, row.contender, names - 0.06, "right", bold=row.ours)
            text(room + 0.06, line, _numbers(row), NUMBERS - 0.2, bold=row.ours)
        copy = next(filter(None, map(_copy_rate, rows)), None)
        if copy is not None:
            axes.vlines(copy, bars[0] - 0.5, bars[-1] + 0.5, color=COPY, linewidth=1.5)
        y += len(case) + GAP


def _draw_axis(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    decades = math.log10(panel.limits[1] / panel.limits[0])
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if decades > 3 else (1, 2, 5) if decades < 1.5 else (1, 3)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: _short(rate)))
    axes.tick_params(axis="x", top=False, bottom=False, labeltop=True, labelbottom=False)
    axes.tick_params(axis="x", labelsize=TEXT, labelcolor=SOFT)
    axes.set_yticks([])
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{panel.unit}/s, logarithmic", loc="right", fontsize=TEXT, color=SOFT, pad=20)


def _draw_bars(axes: Axes, rows: Sequence[Row], lines: Sequence[float], start: float) -> None:
    rates = np.array([row.items_per_s for row in rows], float)
    bars = axes.barh(lines, rates - start, 0.76, start, color=[OURS if row.ours else PEER for row in rows])
    for bar, row in zip(bars, rows, strict=True):
        if row.noisy:
            bar.set(hatch=HATCH, edgecolor="white", linewidth=0)
    slow, fast = np.transpose([_quartiles(row) for row in rows])
    off = np.maximum([rates - slow, fast - rates], 0)
    axes.errorbar(rates, lines, xerr=off, fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.8)


def _quartiles(row: Row) -> tuple[float, float]:
    """The rates of the slower and the faster quartile of the runs."""
    assert row.items_per_s is not None
    assert row.median_s is not None
    upper, lower = np.percentile(row.runs_s, (75, 25))
    items = row.items_per_s * row.median_s
    return items / float(upper), items / float(lower)


def _numbers(row: Row) -> str:
    """The rate; of ours also how it stands beside the fastest peer."""
    rate = _short(row.items_per_s or 0)
    if not row.ours or not row.times_as_fast_as:
        return rate
    peer, times = min(row.times_as_fast_as.items(), key=lambda pair: pair[1])
    return f"{rate}, {_short(times, 2)} x {peer}"


def _short(number: float, digits: int = 3) -> str:
    """1234567 is 1.23 M."""
    scale, prefix = next(pair for pair in ((1e9, " G"), (1e6, " M"), (1e3, " k"), (0.0, "")) if number >= pair[0])
    return f"{float(f'{number / (scale or 1):.{digits}g}'):g}{prefix}"


def _shortened(ruler: TextRuler, text: str, inches: float, points: float, *, bold: bool = False) -> str:
    return ruler.shorten(text, inches * DPI, points / PT, bold=bold)


def _inches(ruler: TextRuler, text: str) -> float:
    return ruler.width(text, TEXT / PT, bold=True) / DPI
