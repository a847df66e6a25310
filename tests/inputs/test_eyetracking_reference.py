"""The readers against a slow one, row by row with Python's csv module, on the real export and on messy made-up ones."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuheat.inputs.eyetracking import find_reference_image, read_eyetracking

REAL = Path(__file__).resolve().parents[2] / "../shared/data/gaze/pupil-cloud-reference-image-mapper"


@dataclass(frozen=True)
class Export:
    """One format as its documentation has it: the header, and what the columns by their place are for."""

    use: Literal["fixations", "gaze"]
    header: str
    x: int
    y: int
    flag: int
    ids: tuple[int, int, int] | None = None  # recording, section, fixation
    duration: int | None = None
    confidence: int | None = None
    normalized: bool = False
    player: bool = False


CLOUD = "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
EXPORTS = {
    "reference image mapper fixations": Export(
        use="fixations",
        header=CLOUD + "fixation detected in reference image,fixation x [px],fixation y [px]",
        x=7,
        y=8,
        flag=6,
        ids=(1, 0, 2),
        duration=5,
    ),
    "reference image mapper gaze": Export(
        use="gaze",
        header="section id,recording id,timestamp [ns],gaze detected in reference image,"
        "gaze position in reference image x [px],gaze position in reference image y [px],fixation id",
        x=4,
        y=5,
        flag=3,
        ids=(1, 0, 6),
    ),
    "marker mapper fixations": Export(
        use="fixations",
        header=CLOUD + "fixation detected on surface,fixation x [normalized],fixation y [normalized]",
        x=7,
        y=8,
        flag=6,
        ids=(1, 0, 2),
        duration=5,
        normalized=True,
    ),
    "marker mapper gaze": Export(
        use="gaze",
        header="section id,recording id,timestamp [ns],gaze detected on surface,"
        "gaze position on surface x [normalized],gaze position on surface y [normalized],fixation id,blink id",
        x=4,
        y=5,
        flag=3,
        ids=(1, 0, 6),
        normalized=True,
    ),
    "manual mapper fixations": Export(
        use="fixations",
        header=CLOUD + "fixation status,fixation x [px],fixation y [px]",
        x=7,
        y=8,
        flag=6,
        ids=(1, 0, 2),
        duration=5,
    ),
    "player fixations": Export(
        use="fixations",
        header="world_timestamp,world_index,fixation_id,start_timestamp,duration,dispersion,"
        "norm_pos_x,norm_pos_y,x_scaled,y_scaled,on_surf",
        x=6,
        y=7,
        flag=10,
        ids=(-1, -1, 2),
        duration=4,
        normalized=True,
        player=True,
    ),
    "player gaze": Export(
        use="gaze",
        header="world_timestamp,world_index,gaze_timestamp,x_norm,y_norm,x_scaled,y_scaled,on_surf,confidence",
        x=3,
        y=4,
        flag=7,
        confidence=8,
        normalized=True,
        player=True,
    ),
}


def slow_number(text: str, decimal_comma: bool) -> float:
    try:
        return float(text.replace(",", ".") if decimal_comma else text)
    except ValueError:
        return math.nan


def slow_duration(text: str, decimal_comma: bool) -> int | None:
    microseconds = slow_number(text, decimal_comma) * 1000
    if not 0 <= microseconds < math.inf or round(microseconds) >= 2**32:
        return None
    return round(microseconds)


def slow_fate(fields: list[str], export: Export, size: tuple[int, int], comma: bool) -> str | tuple[float, float]:
    """The rule that drops a row, or its position in px."""
    header = export.header.split(",")
    if len(fields) != len(header):
        return "malformed row"
    if fields == header:
        return "repeated header"
    if fields[export.flag].lower() not in ("true", "1"):
        return "not detected"
    if not (fields[export.x] and fields[export.y]):
        return "no coordinates"
    x, y = slow_number(fields[export.x], comma), slow_number(fields[export.y], comma)
    if not (math.isfinite(x) and math.isfinite(y)):
        return "unreadable coordinates"
    if export.normalized:
        x, y = x * size[0], (1 - y if export.player else y) * size[1]
    if not (0 <= x <= size[0] and 0 <= y <= size[1]):
        return "outside the image"
    if export.confidence is not None and not slow_number(fields[export.confidence], comma) >= 0.6:
        return "low confidence"
    if export.use == "gaze" and export.ids and not fields[export.ids[2]]:
        return "not in a fixation"
    return x, y


def slow_read(
    lines: list[list[str]], export: Export, size: tuple[int, int], path: Path, comma: bool
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The rows that count, and how many rows each rule dropped."""
    kept: list[dict[str, Any]] = []
    dropped: dict[str, int] = {}
    frames: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    once_more = "further row of a fixation" if export.player else "duplicate fixation"
    for number, line in enumerate(lines, start=1):
        fields = [field.strip() for field in line]
        fate = slow_fate(fields, export, size, comma)
        recording, section, fixation = str(path.resolve()), "", ""
        if not isinstance(fate, str) and export.ids:
            fixation = fields[export.ids[2]]
            if not export.player:
                recording, section = fields[export.ids[0]], fields[export.ids[1]]
            if export.use == "fixations" and fixation:
                frames.setdefault((recording, section, fixation), []).append(fate)
                if len(frames[recording, section, fixation]) > 1:
                    fate = once_more
        if isinstance(fate, str):
            dropped[fate] = dropped.get(fate, 0) + 1
            continue
        kept.append(
            {
                "recording id": recording,
                "section id": section,
                "fixation id": fixation or None,
                "x [px]": fate[0],
                "y [px]": fate[1],
                "duration [us]": None if export.duration is None else slow_duration(fields[export.duration], comma),
                "source row": number,
            }
        )
    for row in kept if export.player else ():
        if positions := frames.get((row["recording id"], "", row["fixation id"])):
            for axis, name in enumerate(("x [px]", "y [px]")):
                row[name] = pytest.approx(math.fsum(place[axis] for place in positions) / len(positions), rel=1e-13)
    return kept, dropped


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
@pytest.mark.parametrize("use", ["fixations", "gaze"])
def test_the_real_export(use: Literal["fixations", "gaze"]) -> None:
    path = REAL / f"{use}.csv"
    with path.open(newline="") as file:
        lines = list(csv.reader(file))[1:]
    kept, dropped = slow_read(lines, EXPORTS[f"reference image mapper {use}"], (4000, 3000), path, False)
    result = read_eyetracking(REAL, size=(4000, 3000), use=use)
    assert result.table.to_pylist() == kept
    assert {rule: n for rule, n in result.dropped.items() if n} == dropped
    assert (result.rows, result.warnings) == (len(lines), ())
    if use == "fixations":
        assert (result.rows, result.table.num_rows, dropped) == (202, 137, {"not detected": 65})
        assert pc.sum(result.table["duration [us]"]).as_py() == 58_750_000
        assert find_reference_image(REAL) == REAL / "reference_image.jpeg"


flags = st.sampled_from(["true", "True", "TRUE", "1"] * 4 + ["false", "False", "0", "", "Not mapped", "yes", "truee"])
odd_coordinates = st.sampled_from(
    ["", "nan", "inf", "-inf", "-118.25", "1e-3", "+.5", "0.", "-0.0", "1e308", "1e999", "1 2", "--1", "e5", "n/a"]
)
durations = st.one_of(
    st.integers(0, 3000).map(str),
    st.floats(0, 1e4).map(repr),
    st.sampled_from(["", "-1", "nan", "inf", "1e308", "4294967.295", "4294967.2956", "0.0005", "0.0015", "long"]),
)
ids = st.sampled_from(["", "1", "2", "3", "é"])
others = st.sampled_from(["", "1636035560036503914", "1.67041E+18", "Zoé", 'say "so"'])
confidences = st.sampled_from(["0", "0.6", "0.59999", "1.0", "", "high"])


def values(export: Export) -> st.SearchStrategy[list[str]]:
    """One row of a format, each value of its column's kind."""
    width = 1 if export.normalized else 400
    inside, around = st.floats(0, 0.7 * width).map(repr), st.floats(-0.1 * width, 1.1 * width).map(repr)
    coordinates = st.one_of(inside, inside, inside, around, st.integers(0, width).map(str), odd_coordinates)
    kinds = dict.fromkeys((export.x, export.y), coordinates) | {export.flag: flags}
    kinds |= dict.fromkeys(export.ids or (), ids)
    kinds |= {place: kind for place, kind in ((export.duration, durations), (export.confidence, confidences)) if place}
    return st.tuples(*(kinds.get(place, others) for place in range(len(export.header.split(","))))).map(list)


def write(rows: list[list[str]], delimiter: str, quote_all: bool, newline: str, padding: str) -> str:
    """CSV text, with blank lines between the rows where the padding says so."""
    text = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=newline * (1 + len(padding)))
    writer.writerows([[padding + field + padding for field in row] for row in rows])
    return text.getvalue()


@settings(deadline=None)
@given(data=st.data(), export=st.sampled_from(list(EXPORTS.values())))
def test_messy_exports(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, export: Export) -> None:
    header = export.header.split(",")
    good = values(export)
    ragged = st.one_of(good.map(lambda row: row[:-1]), good.map(lambda row: [*row, ""]))
    rows = data.draw(st.lists(st.one_of(good, good, good, good, st.just(header), ragged), max_size=30), label="rows")
    delimiter = data.draw(st.sampled_from([",", ";", "\t"]), label="delimiter")
    comma = delimiter != ","
    if comma and data.draw(st.booleans(), label="decimal commas"):
        rows = [[field.replace(".", ",") for field in row] for row in rows]
    quote_all = data.draw(st.booleans(), label="quote all")
    newline = data.draw(st.sampled_from(["\n", "\r\n"]), label="newline")
    padding = data.draw(st.sampled_from(["", " ", " \u00a0"]), label="padding")
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]), label="encoding")
    path = tmp_path_factory.getbasetemp() / "messy.csv"
    path.write_bytes(write([header, *rows], delimiter, quote_all, newline, padding).encode(encoding))

    result = read_eyetracking(path, size=(400, 300), use=export.use)

    kept, dropped = slow_read(rows, export, (400, 300), path, comma)
    assert result.table.to_pylist() == kept
    assert {rule: n for rule, n in result.dropped.items() if n} == dropped
    assert result.rows == len(rows)
