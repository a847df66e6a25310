"""What exports look like after a spreadsheet, a shell and a careless hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gpuheat.errors import ExportError
from gpuheat.inputs.eyetracking import read_eyetracking

SIZE = (400, 300)
HEADER = (
    "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
    "fixation detected in reference image,fixation x [px],fixation y [px],recording name"
)
PLAIN = f"""{HEADER}
S,Ré,1,1636035560036503914,1636035560236515914,200.5,true,10.25,20,Zoé
S,Ré,2,1636035560036503914,1636035560236515914,100,True,1e2,.5,Zoé
S,Ré,3,1636035560036503914,1636035560236515914,100,1,+3.,0,Zoé
S,R,4,1636035560036503914,1636035560236515914,100,FALSE,5,5,Zoé
"""


def semicolons(text: str) -> str:
    return re.sub(r"(?<=\d)\.(?=\d)", ",", text.replace(",", ";"))


REWRITTEN: dict[str, Callable[[str], bytes]] = {
    "windows line ends": lambda text: text.replace("\n", "\r\n").encode(),
    "old Mac line ends": lambda text: text.replace("\n", "\r").encode(),
    "no line end at the end": lambda text: text.rstrip().encode(),
    "blank lines": lambda text: ("\n\n" + text.replace("\n", "\n\n") + "\n").encode(),
    "byte order mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "Latin-1": lambda text: text.encode("latin-1"),
    "semicolons and decimal commas": lambda text: semicolons(text).encode(),
    "semicolons and decimal points": lambda text: text.replace(",", ";").encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "everything in quotes": lambda text: re.sub(r"[^,\n]+", r'"\g<0>"', text).encode(),
    "spaces around everything": lambda text: re.sub(r"[^,\n]+", r"  \g<0> ", text).encode(),
    "time stamps ruined by a spreadsheet": lambda text: re.sub(r"16360\d+", "1.63604E+18", text).encode(),
    "columns in another order": lambda text: re.sub("(?m)^(.*),(.*?)$", r"\2,\1", text).encode(),
    "a column without a name": lambda text: re.sub("(?m)$", ",", text.rstrip()).encode(),
}


@pytest.mark.parametrize("how", REWRITTEN)
def test_the_same_export_in_another_dress(tmp_path: Path, how: str) -> None:
    path = tmp_path / "fixations.csv"
    path.write_bytes(REWRITTEN[how](PLAIN))
    result = read_eyetracking(path, size=SIZE)
    assert [list(row.values()) for row in result.table.to_pylist()] == [
        ["Ré", "S", "1", 10.25, 20, 200_500, 1],
        ["Ré", "S", "2", 100, 0.5, 100_000, 2],
        ["Ré", "S", "3", 3, 0, 100_000, 3],
    ]
    assert (result.rows, result.dropped["not detected"], result.warnings) == (4, 1, ())


def drops(tmp_path: Path, *lines: str) -> tuple[dict[str, int], list[int], tuple[str, ...]]:
    """The rules that dropped something, the source rows that are left, and the warnings."""
    path = tmp_path / "fixations.csv"
    path.write_text("\n".join([HEADER, *lines]))
    result = read_eyetracking(path, size=SIZE)
    assert result.rows == len(lines) == sum(result.dropped.values()) + result.table.num_rows
    return {rule: n for rule, n in result.dropped.items() if n}, result.table["source row"].to_pylist(), result.warnings


def line(
    number: int, flag: str = "true", x: str = "1", y: str = "1", duration: str = "100", recording: str = "R"
) -> str:
    return f"S,{recording},{number},1,2,{duration},{flag},{x},{y},Zoe"


def test_header_in_the_middle_and_ragged_rows(tmp_path: Path) -> None:
    ragged = ["S,R,5", line(6) + ",", "  "]
    dropped, left, warnings = drops(
        tmp_path, line(1), HEADER, ragged[0], line(2), "\ufeff" + HEADER, *ragged[1:], line(3)
    )
    assert dropped == {"malformed row": 3, "repeated header": 2}
    assert (left, warnings) == ([1, 4, 8], ())


def test_only_malformed_rows(tmp_path: Path) -> None:
    dropped, left, warnings = drops(tmp_path, "a,b", "c")
    assert (dropped, left) == ({"malformed row": 2}, [])
    assert len(warnings) == 1
    assert "none of its 2 rows" in warnings[0]


def test_line_breaks_in_quotes(tmp_path: Path) -> None:
    rows = 100_000  # many times what the parser takes at a time
    row = line(1).replace("Zoe", '"Z' + "\n" * 12 + 'oe"')
    path = _written(tmp_path / "fixations.csv", "\n".join([HEADER, *[row] * rows]))
    result = read_eyetracking(path, size=SIZE)
    assert (result.rows, result.dropped["duplicate fixation"], result.warnings) == (rows, rows - 1, ())


def test_a_quotation_mark_that_is_never_closed_is_reported(tmp_path: Path) -> None:
    path = _written(tmp_path / "fixations.csv", PLAIN.replace("Zoé", '"Zoé', 1))
    result = read_eyetracking(path, size=SIZE)
    assert result.table["source row"].to_pylist() == [1]
    assert len(result.warnings) == 1
    assert "odd number of quotation marks" in result.warnings[0]


def test_flags_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    dropped, left, warnings = drops(tmp_path, *map(line, range(6), ("WAHR", "", "0", "TRUE", "yes", "Not mapped")))
    assert (dropped, left) == ({"not detected": 5}, [4])
    assert len(warnings) == 1
    assert "2 rows count as not detected" in warnings[0]


def test_coordinates(tmp_path: Path) -> None:
    missing = [("", "1"), ("1", " "), ("", "north")]
    unreadable = [("nan", "1"), ("1", "inf"), ("-inf", "1"), ("1e999", "1"), ("north", "1"), ("1 2", "3"), ("0x1", "1")]
    outside = [("-1e-300", "0"), ("400.00001", "0"), ("0", "-1"), ("0", "300.1"), ("-118", "1e300")]
    inside = [("-0.0", "0"), ("400", "300")]
    pairs = missing + unreadable + outside + inside
    dropped, left, _ = drops(tmp_path, *(line(number, x=x, y=y) for number, (x, y) in enumerate(pairs)))
    assert dropped == {"no coordinates": 3, "unreadable coordinates": 7, "outside the image": 5}
    assert left == [16, 17]


def test_a_row_counts_for_the_first_rule_that_drops_it(tmp_path: Path) -> None:
    dropped, left, _ = drops(
        tmp_path, line(1, "false", "", "nan"), line(1, x="", y="nan"), line(1, x="-1", y="nan"), line(1)
    )
    assert dropped == {"not detected": 1, "no coordinates": 1, "unreadable coordinates": 1}
    assert left == [4]


def test_the_first_valid_row_of_a_fixation_stays(tmp_path: Path) -> None:
    again = line(1, x="9")
    dropped, left, _ = drops(
        tmp_path, line(1, "false"), line(1), again, line(1, recording="Q"), again, ",,,1,2,3,1,4,5,", ",,,1,2,3,1,4,5,"
    )
    assert dropped == {"not detected": 1, "duplicate fixation": 2}
    assert left == [2, 4, 6, 7]  # the last two have no id: nothing says that they are the same fixation


def test_durations_that_cannot_be_told_are_null_and_reported(tmp_path: Path) -> None:
    told = {"0": 0, "0.0015": 2, "0.0025": 2, "4294967.295": 2**32 - 1, "1e3": 1_000_000}
    untold = ["", "long", "-1", "nan", "inf", "1e308", "4294967.296", '"200,5"']
    path = tmp_path / "fixations.csv"
    path.write_text("\n".join([HEADER, *(line(n, duration=text) for n, text in enumerate([*told, *untold]))]))
    result = read_eyetracking(path, size=SIZE)
    assert result.table["duration [us]"].to_pylist() == [*told.values(), *[None] * len(untold)]
    assert len(result.warnings) == 1
    assert "8 rows have no readable 'duration [ms]'" in result.warnings[0]


@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_header_only_is_an_empty_table_and_a_warning(tmp_path: Path, end: str) -> None:
    path = tmp_path / "fixations.csv"
    path.write_bytes((HEADER + end).encode())
    result = read_eyetracking(path, size=SIZE)
    assert (result.rows, result.table.num_rows, sum(result.dropped.values())) == (0, 0, 0)
    assert result.warnings == (f"{path} has no data rows: the map will be empty",)
    assert result.table.schema == read_eyetracking(_written(tmp_path / "full.csv", PLAIN), size=SIZE).table.schema


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a text file"),
        (b"\xff\xfea\0\0\xd8", "UTF-16"),
        (b"PAR1 but nothing else", "cannot be read"),
        (b"a" * 200_000, "no readable header"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "fixations.csv"
    path.write_bytes(data)
    with pytest.raises(ExportError, match=why) as caught:
        read_eyetracking(path, size=SIZE)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_row_longer_than_any_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = _written(tmp_path / "fixations.csv", f'{PLAIN}"' + PLAIN * 20_000)
    with pytest.raises(ExportError, match="cannot be read as a table"):
        read_eyetracking(path, size=SIZE)


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
