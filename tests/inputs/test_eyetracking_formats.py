"""Every export format on a small file, the formats that are refused, and how an export is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from gpuheat.errors import ExportError, OptionError
from gpuheat.inputs.eyetracking import find_export, find_reference_image, read_eyetracking
from gpuheat.inputs.remote import file_at

SIZE = (400, 200)
Use = Literal["fixations", "gaze"]
TIMES = "1636035560036503914,1636035560236515914"

RIM_FIXATIONS = (
    "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
    "fixation detected in reference image,fixation x [px],fixation y [px]\n"
)
RAW_FIXATIONS = (
    "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
    "fixation x [px],fixation y [px],azimuth [deg],elevation [deg]\n"
)
RAW_GAZE = (
    "section id,recording id,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,blink id,"
    "azimuth [deg],elevation [deg]\n"
)
PLAYER_FIXATIONS = (
    "world_timestamp,world_index,fixation_id,start_timestamp,duration,dispersion,norm_pos_x,norm_pos_y,"
    "x_scaled,y_scaled,on_surf\n"
)

# file name, use, format, text, kept rows (section, fixation, x, y, us, source row), rules that dropped something
CASES: dict[str, tuple[str, Use, str, str, list[tuple[Any, ...]], dict[str, int]]] = {
    "reference image mapper": (
        "fixations.csv",
        "fixations",
        "Reference Image Mapper fixations.csv",
        RIM_FIXATIONS
        + f"S,R,1,{TIMES},200,true,400,200\n"  # on the corner of the image: inside
        + f"S,R,2,{TIMES},200,false,10,10\n"
        + f"S,R,3,{TIMES},200,true,400.5,10\n"
        + f"S,R,1,{TIMES},999,true,1,1\n"
        + f"S,R,4,{TIMES},0.0005,true,-0.0,0\n"  # half a microsecond, rounded to even
        + f"T,R,1,{TIMES},,true,30.5,20\n",  # another section
        [("S", "1", 400, 200, 200_000, 1), ("S", "4", 0, 0, 0, 5), ("T", "1", 30.5, 20, None, 6)],
        {"not detected": 1, "outside the image": 1, "duplicate fixation": 1},
    ),
    "its gaze": (
        "gaze.csv",
        "gaze",
        "Reference Image Mapper gaze.csv",
        "section id,recording id,timestamp [ns],gaze detected in reference image,"
        "gaze position in reference image x [px],gaze position in reference image y [px],fixation id,blink id\n"
        "S,R,1636035560121151914,true,1.5,2.5,7,\n"
        "S,R,1636035560121151915,true,1.5,2.5,7,\n"
        "S,R,1636035560121151916,true,3,4,,1\n"
        "S,R,1636035560121151917,true,,4,7,\n",
        [("S", "7", 1.5, 2.5, None, 1), ("S", "7", 1.5, 2.5, None, 2)],
        {"no coordinates": 1, "not in a fixation": 1},
    ),
    "marker mapper": (
        "fixations.csv",
        "fixations",
        "Marker Mapper fixations.csv",
        "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
        "fixation detected on surface,fixation x [normalized],fixation y [normalized]\n"
        f"S,R,1,{TIMES},100,true,0.25,0.75\nS,R,2,{TIMES},100,true,-118.3,1e308\nS,R,3,{TIMES},100,true,1,1\n",
        [("S", "1", 100, 150, 100_000, 1), ("S", "3", 400, 200, 100_000, 3)],
        {"outside the image": 1},
    ),
    "its gaze on the surface": (
        "gaze.csv",
        "gaze",
        "Marker Mapper gaze.csv",
        "section id,recording id,timestamp [ns],gaze detected on surface,"
        "gaze position on surface x [normalized],gaze position on surface y [normalized],fixation id\n"
        "S,R,1636035560121151914,1,0.5,0.125,9\nS,R,1636035560121151915,0,0.5,0.125,9\n",
        [("S", "9", 200, 25, None, 1)],
        {"not detected": 1},
    ),
    "manual mapper": (
        "fixations.csv",
        "fixations",
        "Manual Mapper fixations.csv",
        RIM_FIXATIONS.replace("fixation detected in reference image", "fixation status")
        + f"S,R,1,{TIMES},100,True,5,6\nS,R,2,{TIMES},100,False,,\nS,R,3,{TIMES},100,Not mapped,,\n",
        [("S", "1", 5, 6, 100_000, 1)],
        {"not detected": 2},
    ),
    "manual mapper, normalized": (
        "fixations.csv",
        "fixations",
        "Manual Mapper fixations.csv",
        RIM_FIXATIONS.replace("fixation detected in reference image", "fixation status").replace("px", "normalized")
        + f"S,R,1,{TIMES},100,True,0.5,0.25\n",
        [("S", "1", 200, 50, 100_000, 1)],
        {},
    ),
    "player": (
        "fixations_on_surface_Screen.csv",
        "fixations",
        "Pupil Player fixations_on_surface",
        PLAYER_FIXATIONS
        + "1.0,10,1,0.9,150.25,1.2,0.9,0.9,9,9,False\n"  # the fixation's first frame, not on the surface
        + "1.1,11,1,0.9,150.25,1.2,0.25,0.75,9,9,True\n"
        + "1.1,11,2,1.1,80,1.2,0,0,9,9,True\n"
        + "1.2,12,1,0.9,150.25,1.2,0.75,0.25,9,9,True\n"
        + "1.3,13,1,0.9,150.25,1.2,0.75,-3,9,9,True\n",
        [("", "1", 200, 100, 150_250, 2), ("", "2", 0, 200, 80_000, 3)],
        {"not detected": 1, "outside the image": 1, "further row of a fixation": 1},
    ),
    "player's gaze": (
        "gaze_positions_on_surface_Screen.csv",
        "gaze",
        "Pupil Player gaze_positions_on_surface",
        "world_timestamp,world_index,gaze_timestamp,x_norm,y_norm,x_scaled,y_scaled,on_surf,confidence\n"
        "1,1,1,0.5,1,9,9,True,0.6\n1,1,1,0.5,1,9,9,True,0.59\n1,1,1,0.5,1,9,9,True,\n1,1,1,0,0,9,9,True,1.0\n",
        [("", None, 200, 0, None, 1), ("", None, 0, 200, None, 4)],
        {"low confidence": 2},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_format(tmp_path: Path, case: str) -> None:
    name, use, read_as, text, kept, dropped = CASES[case]
    (tmp_path / name).write_text(text)
    result = read_eyetracking(tmp_path, size=SIZE, use=use)
    recording = "R" if text.startswith("section") else str((tmp_path / name).resolve())
    columns = ("recording id", "section id", "fixation id", "x [px]", "y [px]", "duration [us]", "source row")
    types = ("string", "string", "string", "double", "double", "uint32", "int64")
    assert [(field.name, str(field.type)) for field in result.table.schema] == list(zip(columns, types, strict=True))
    assert result.table.to_pylist() == [dict(zip(columns, (recording, *row), strict=True)) for row in kept]
    assert {rule: count for rule, count in result.dropped.items() if count} == dropped
    assert result.rows == text.count("\n") - 1 == result.table.num_rows + sum(result.dropped.values())
    assert (result.format, result.source) == (read_as, str(tmp_path / name))


@pytest.mark.parametrize(
    ("case", "rules"),
    [
        ("reference image mapper", ["not detected", "outside the image", "duplicate fixation"]),
        ("its gaze", ["not detected", "outside the image", "not in a fixation"]),
        ("player", ["not detected", "outside the image", "further row of a fixation"]),
        ("player's gaze", ["not detected", "outside the image", "low confidence"]),
    ],
)
def test_only_the_rules_of_the_format_are_reported(tmp_path: Path, case: str, rules: list[str]) -> None:
    name, use, _, text, _, _ = CASES[case]
    (tmp_path / name).write_text(text)
    always = ["malformed row", "repeated header", "no coordinates", "unreadable coordinates"]
    result = read_eyetracking(tmp_path, size=SIZE, use=use)
    assert list(result.dropped) == [*always[:2], rules[0], *always[2:], *rules[1:]]


@pytest.mark.parametrize(
    ("case", "options", "rows"),
    [
        ("its gaze", {"unfixated_gaze": True}, [1, 2, 3]),
        ("player's gaze", {"min_confidence": 0}, [1, 2, 4]),  # an empty confidence is never enough
    ],
)
def test_options_of_gaze(tmp_path: Path, case: str, options: dict[str, Any], rows: list[int]) -> None:
    (tmp_path / "gaze.csv").write_text(CASES[case][3])
    result = read_eyetracking(tmp_path / "gaze.csv", size=SIZE, use="gaze", **options)
    assert result.table["source row"].to_pylist() == rows


def test_without_a_size_nothing_is_outside_and_nothing_normalized(tmp_path: Path) -> None:
    for case in ("reference image mapper", "marker mapper"):
        (tmp_path / case).write_text(CASES[case][3])
    result = read_eyetracking(tmp_path / "reference image mapper", size=None)
    assert result.table["source row"].to_pylist() == [1, 3, 5, 6]
    assert "outside the image" not in result.dropped
    with pytest.raises(OptionError, match=r"normalized coordinates.*size"):
        read_eyetracking(tmp_path / "marker mapper", size=None)


@pytest.mark.parametrize(
    ("header", "use", "why"),
    [
        (
            "section id,recording id,fixation id,fixation detected in reference image,"
            "fixation x [px],fixation y [px]\n",
            "fixations",
            r"Reference Image Mapper fixations\.csv without 'duration \[ms\]'",
        ),
        (RAW_FIXATIONS, "fixations", r"scene-camera coordinates.*mapper enrichment"),
        (RAW_GAZE, "gaze", r"scene-camera coordinates.*mapper enrichment"),
        ("id,start_timestamp,duration,norm_pos_x,norm_pos_y,confidence\n", "fixations", r"scene-camera.*on_surface"),
        (RIM_FIXATIONS.replace(",fixation x [px],fixation y [px]", ",fixation status"), "fixations", r"no fixation x"),
        ("when,where,what\n", "fixations", r"pass x and y.*'when', 'where', 'what'"),
        (CASES["its gaze"][3], "fixations", r"Reference Image Mapper gaze.csv .*give the export of fixations"),
        (CASES["player"][3], "gaze", r"fixations_on_surface .*give the export of gaze"),
    ],
)
def test_refused_with_a_reason(tmp_path: Path, header: str, use: Use, why: str) -> None:
    (tmp_path / "export.csv").write_text(header)
    with pytest.raises(ExportError, match=why) as caught:
        read_eyetracking(tmp_path / "export.csv", size=SIZE, use=use)
    assert "export.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"use": "saccades"},
        {"size": (0, 200)},
        {"size": (400.5, 200)},
        {"size": (400, 200, 3)},
        {"x": "fixation x [px]"},
        {"duration": "duration [ms]"},
        {"normalized": True},
        {"min_confidence": 1.5},
        {"min_confidence": float("nan")},
        {"source": 5},
    ],
)
def test_wrong_arguments(tmp_path: Path, options: dict[str, Any]) -> None:
    (tmp_path / "fixations.csv").write_text(RIM_FIXATIONS)
    arguments: dict[str, Any] = {"source": tmp_path, "size": SIZE} | options
    with pytest.raises(OptionError, match=next(iter(options))):
        read_eyetracking(**arguments)


@pytest.mark.parametrize("kind", ["", "file://"])
def test_player_recordings_are_told_apart_by_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    name = "fixations_on_surface_Screen.csv"
    ids = []
    for place in (
        "Ann/000/exports/000/surfaces",
        "Bob/000/exports/000/surfaces",
        "Bob/000/exports/001/surfaces",
        "exports/000/Eve",
    ):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / name).write_text(CASES["player"][3])
        ids += read_eyetracking(f"{kind}{tmp_path / place}", size=SIZE).table["recording id"].unique().to_pylist()
    root = f"{kind}{tmp_path.resolve()}"
    assert ids == [f"{root}/Ann/000", *[f"{root}/Bob/000"] * 2, f"{root}/exports/000/Eve/{name}"]
    monkeypatch.chdir(tmp_path / "Ann")
    relative = read_eyetracking("000/exports/000/surfaces", size=SIZE)
    assert relative.table["recording id"][0].as_py() == ids[0].removeprefix(kind)


@pytest.mark.parametrize("kind", ["", "file://"])
def test_find_export(tmp_path: Path, kind: str) -> None:
    def found(place: Path, use: Use = "fixations") -> str:
        return str(find_export(f"{kind}{place}", use))

    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (two / "Fixations.CSV").touch()
    (two / "sections.csv").touch()
    (two / "gaze.csv").mkdir()
    assert found(two) == found(two / "Fixations.CSV") == found(tmp_path) == f"{kind}{two / 'Fixations.CSV'}"
    (one / "fixations_on_surface_A.csv").touch()
    with pytest.raises(ExportError, match=r"several.*fixations_on_surface_A\.csv.*Fixations\.CSV"):
        found(tmp_path)
    (tmp_path / "fixations.csv").symlink_to("one/fixations_on_surface_A.csv")
    assert found(tmp_path) == f"{kind}{tmp_path / 'fixations.csv'}"  # the folder itself comes first
    with pytest.raises(ExportError, match=r"no export of gaze.*sections\.csv"):
        found(two, "gaze")
    with pytest.raises(ExportError, match="does not exist"):
        found(tmp_path / "three")
    with pytest.raises(OptionError, match="saccades"):
        find_export(tmp_path, use="saccades")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["", "file://"])
def test_find_reference_image(tmp_path: Path, kind: str) -> None:
    here = f"{kind}{tmp_path}"
    (tmp_path / "fixations.csv").touch()
    (tmp_path / "reference_image.txt").touch()
    assert find_reference_image(here) is None
    assert find_reference_image(f"{here}/nowhere/fixations.csv") is None
    (tmp_path / "Reference_Image.PNG").touch()
    assert find_reference_image(here) == find_reference_image(f"{here}/fixations.csv")
    assert find_reference_image(here) == file_at(f"{here}/Reference_Image.PNG")
    (tmp_path / "reference_image.jpeg").touch()
    assert find_reference_image(here) == file_at(f"{here}/reference_image.jpeg")
