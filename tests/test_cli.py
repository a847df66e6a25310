"""The command line as people meet it: every option has its effect, every error is one line."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import decoded, encode, mean_picture, noise, recipe, scene
from numpy.typing import NDArray
from reference import area_mean
from result_files import FIXATION_FILES, MOTION_FILES
from rich.cells import cell_len

from gpuheat import fixation_heatmap, motion_heatmap
from gpuheat.cli import main
from gpuheat.cli.options import seconds

COMMAND = [sys.executable, "-c", "from gpuheat.cli import main; main()"]
HEIGHT, WIDTH = 46, 64


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames, 10 a second."""
    return encode(tmp_path_factory.mktemp("clips") / "clip.mp4", scene(20, HEIGHT, WIDTH), rate=10)


@pytest.fixture(scope="module")
def pictures(clip: Path) -> list[NDArray[np.uint8]]:
    return [frame.bgr for frame in decoded(clip)]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    random = np.random.default_rng(2)
    lines = [
        "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
        "fixation detected in reference image,fixation x [px],fixation y [px]"
    ]
    for number in range(90):
        place = f"{random.integers(0, WIDTH)},{random.integers(0, HEIGHT)}"
        lines.append(f"s,{'ab'[number % 3 > 0]},{number},0,0,{random.integers(50, 900)},true,{place}")
    (folder / "fixations.csv").write_text("\n".join(lines))
    gaze = ["section id,recording id,timestamp [ns],gaze detected in reference image"]
    gaze[0] += ",gaze position in reference image x [px],gaze position in reference image y [px],fixation id"
    gaze += [f"s,a,{n},true,{n % WIDTH},{n % HEIGHT},{n if n % 2 else ''}" for n in range(50)]
    (folder / "gaze.csv").write_text("\n".join(gaze))
    assert cv2.imwrite(str(folder / "reference_image.png"), scene(1, HEIGHT, WIDTH)[0])
    return folder


def gpuheat(*arguments: object) -> int:
    """Run the command line in this process; the exit code."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code if isinstance(caught.value.code, int) else 0


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, without a terminal."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return read


def picture(path: Path) -> NDArray[Any]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return np.asarray(image)


# --- motion -------------------------------------------------------------------------------------------------------


def motion(clip: Path, folder: Path, *arguments: object) -> NDArray[np.uint32]:
    """The counts of a run that must succeed."""
    assert gpuheat("motion", clip, "-o", folder, "-q", *arguments) == 0
    more = ["decayed.npy"] if "--half-life" in arguments else []
    assert sorted(path.name for path in folder.iterdir()) == sorted(MOTION_FILES + more)
    return np.asarray(np.load(folder / "counts.npy"))


def test_motion_writes_the_recipe(clip: Path, pictures: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    counts = motion(clip, tmp_path / "out")
    accumulator, moved = recipe(pictures)
    np.testing.assert_array_equal(255 * counts, accumulator)
    heat = cv2.applyColorMap((accumulator / accumulator.max() * 255).astype(np.uint8), cv2.COLORMAP_JET)
    mean = mean_picture(clip)
    np.testing.assert_array_equal(picture(tmp_path / "out" / "heatmap.png"), heat)
    np.testing.assert_array_equal(picture(tmp_path / "out" / "overlay.png"), cv2.addWeighted(mean, 0.6, heat, 0.4, 0))
    with (tmp_path / "out" / "activity.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["moved_pixels"]) for row in rows] == moved
    assert [float(row["time_s"]) for row in rows] == [n / 10 for n in range(1, 20)]
    assert summary(tmp_path / "out")["input"]["path"] == str(clip)


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_backend(clip: Path, tmp_path: Path, name: str) -> None:
    motion(clip, tmp_path, "--backend", name)
    assert summary(tmp_path)["backend"]["name"] == name


def test_options_of_counting(clip: Path, pictures: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    watched = np.zeros((HEIGHT, WIDTH), np.uint8)
    watched[10:30, 5:40] = 200
    assert cv2.imwrite(str(tmp_path / "mask.png"), watched)
    plain = recipe(pictures)[0]
    for number, (arguments, accumulator) in enumerate(
        [
            (("--threshold", 90), recipe(pictures, 90)[0]),
            (("--every", 3), recipe(pictures[::3])[0]),
            (("--start", "0.7"), recipe(pictures[7:])[0]),
            (("--start", "0:00:00.7", "--end", "00:01.2"), recipe(pictures[7:12])[0]),
            (("--end", "0.3"), recipe(pictures[:3])[0]),
            (("--downscale", 3), recipe([area_mean(frame, 3) for frame in pictures])[0]),
            (("--mask", tmp_path / "mask.png"), recipe(pictures, mask=watched)[0]),
        ]
    ):
        counts = motion(clip, tmp_path / str(number), *arguments)
        np.testing.assert_array_equal(255 * counts, accumulator, err_msg=str(arguments))
        assert not np.array_equal(accumulator, plain)
        assert summary(tmp_path / str(number))["settings"][str(arguments[0])[2:]]


def test_pixels_half_life_and_max_changed(clip: Path, pictures: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    luma = motion(clip, tmp_path / "luma", "--pixels", "luma")
    np.testing.assert_array_equal(luma, motion_heatmap(clip, pixels="luma").counts)
    assert (255 * luma != recipe(pictures)[0]).any()
    motion(clip, tmp_path / "plain")
    counts = motion(clip, tmp_path / "decay", "--half-life", 0.2)
    np.testing.assert_array_equal(255 * counts, recipe(pictures)[0])
    assert summary(tmp_path / "decay")["settings"]["half_life"] == 0.2
    expected = motion_heatmap(clip, half_life=0.2)
    np.testing.assert_array_equal(picture(tmp_path / "decay" / "overlay.png"), expected.render())
    assert (picture(tmp_path / "decay" / "heatmap.png") != picture(tmp_path / "plain" / "heatmap.png")).any()
    shares = np.array(recipe(pictures)[1]) / (HEIGHT * WIDTH)
    limit = float(np.median(shares))
    motion(clip, tmp_path / "max", "--max-changed", limit)
    assert summary(tmp_path / "max")["result"]["frames_not_counted"] == (np.flatnonzero(shares > limit) + 1).tolist()
    with (tmp_path / "max" / "activity.csv").open(newline="") as file:
        assert [row["counted"] == "1" for row in csv.DictReader(file)] == (shares <= limit).tolist()


def test_options_of_pictures(clip: Path, tmp_path: Path) -> None:
    given = noise((HEIGHT, WIDTH, 3))
    assert cv2.imwrite(str(tmp_path / "given.png"), given)
    heat = motion_heatmap(clip)
    plain = heat.render()
    for number, (arguments, expected) in enumerate(
        [
            (("--background", "first"), motion_heatmap(clip, background="first").render()),
            (("--background", "median"), motion_heatmap(clip, background="median").render()),
            (("--background", tmp_path / "given.png"), motion_heatmap(clip, background=given).render()),
            (("--blur", 2.5), motion_heatmap(clip, blur=2.5).render()),
            (("--colormap", "Inferno"), heat.render("inferno")),
            (("--colormap", "coolwarm"), heat.render("coolwarm")),
            (("--tone", "log"), heat.render(tone="log")),
            (("--tone", "percentile:50"), heat.render(tone="percentile:50")),
            (("--alpha", 0.9), heat.render(alpha=0.9)),
            (("--alpha", "value"), heat.render(alpha="value")),
        ]
    ):
        motion(clip, tmp_path / str(number), *arguments)
        np.testing.assert_array_equal(picture(tmp_path / str(number) / "overlay.png"), expected, err_msg=str(arguments))
        assert (expected != plain).any(), arguments
        said = summary(tmp_path / str(number))
        assert str(arguments[1]).lower() in json.dumps([said["settings"], said["pictures"]]).lower()


def test_the_report_can_be_left_out(clip: Path, export: Path, tmp_path: Path) -> None:
    for command, source, files in (("motion", clip, MOTION_FILES), ("fixations", export, FIXATION_FILES)):
        assert gpuheat(command, source, "-o", tmp_path / command, "-q", "--no-report") == 0
        left = sorted(path.name for path in (tmp_path / command).iterdir())
        assert left == [name for name in files if name != "report.html"]


# --- fixations ------------------------------------------------------------------------------------------------------


def fixations(folder: Path, *arguments: object) -> NDArray[np.uint64]:
    """The histogram of a run that must succeed."""
    assert gpuheat("fixations", "-o", folder, "-q", *arguments) == 0
    more = ["balanced.npy"] if "--equal-recordings" in arguments else []
    assert sorted(path.name for path in folder.iterdir()) == sorted(FIXATION_FILES + more)
    return np.asarray(np.load(folder / "histogram.npy"))


def test_options_of_fixations(export: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("across,down,ms\n0.25,0.5,100\n0.75,0.5,300\n")
    lines = (export / "fixations.csv").read_text().splitlines()
    (tmp_path / "more.csv").write_text("\n".join([lines[0], *(line.replace("s,", "t,") for line in lines[1:40])]))
    image = export / "reference_image.png"
    size: dict[str, Any] = {"size": (WIDTH, HEIGHT)}
    columns: dict[str, Any] = {"x": "across", "y": "down", "normalized": True}
    cases: list[tuple[tuple[object, ...], Any]] = [
        ((export,), fixation_heatmap(export)),
        ((export, "--size", "100x300"), fixation_heatmap(export, size=(100, 300))),
        ((tmp_path / "more.csv", "--reference", image), fixation_heatmap(tmp_path / "more.csv", reference=image)),
        ((export, "--weight", "count"), fixation_heatmap(export, weight="count")),
        ((export, "--use", "gaze"), fixation_heatmap(export, use="gaze")),
        ((export, "--use", "gaze", "--unfixated-gaze"), fixation_heatmap(export, use="gaze", unfixated_gaze=True)),
        ((export, "--scale", 1), fixation_heatmap(export, scale=1)),
        ((export, "--bins", 40), fixation_heatmap(export, bins=40)),
        ((export, "--recording", "a"), fixation_heatmap(export, recordings=["a"])),
        ((export, "--recording", "a", "--recording", "b", "--scale", 2), fixation_heatmap(export, scale=2)),
        ((export, "--equal-recordings"), fixation_heatmap(export, equal_recordings=True)),
        (
            (export, tmp_path / "more.csv", "--size", f"{WIDTH}x{HEIGHT}"),
            fixation_heatmap([export, tmp_path / "more.csv"], **size),
        ),
        (
            *((tmp_path / "table.csv", "--size", f"{WIDTH}x{HEIGHT}", "--x", "across", "--y", "down", "--normalized"),),
            fixation_heatmap(tmp_path / "table.csv", **size, **columns),
        ),
    ]
    seen: list[NDArray[Any]] = []
    for number, (arguments, expected) in enumerate(cases):
        folder = tmp_path / str(number)
        np.testing.assert_array_equal(fixations(folder, *arguments), expected.histogram, err_msg=str(arguments))
        shown = picture(folder / "heatmap.png")
        bare = cv2.applyColorMap((expected.heat * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
        np.testing.assert_array_equal(shown, bare, err_msg=str(arguments))
        assert not any(np.array_equal(shown, other) for other in seen), f"{arguments} changes nothing"
        seen.append(shown)
    table = ("--size", f"{WIDTH}x{HEIGHT}", "--x", "across", "--y", "down", "--normalized", "--duration", "ms")
    weighed = fixations(tmp_path / "weighed", tmp_path / "table.csv", *table)
    assert sorted(weighed[weighed > 0].tolist()) == [100_000, 300_000]


def test_zones(clip: Path, export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zones = {"zones": [{"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}], "units": "normalized"}
    (tmp_path / "zones.json").write_text(json.dumps(zones))
    for command, source, files, make in (
        ("motion", clip, ["zones.csv", "zones_activity.csv"], motion_heatmap),
        ("fixations", export, ["zones.csv", "zones_recordings.csv"], fixation_heatmap),
    ):
        out = tmp_path / command
        assert gpuheat(command, source, "-o", out, "-q", "--zones", tmp_path / "zones.json") == 0
        assert sorted(path.name for path in out.glob("zones*")) == files
        result: Any = make(source, zones=zones)
        assert summary(out)["zones"] == result.zones.table
        bare = tmp_path / f"{command} without"
        assert gpuheat(command, source, "-o", bare, "-q") == 0
        assert (out / "figure.png").read_bytes() != (bare / "figure.png").read_bytes()
        (tmp_path / "wrong.json").write_text(json.dumps(zones | {"units": "px"}))
        capsys.readouterr()
        assert gpuheat(command, source, "-o", out, "-q", "--zones", tmp_path / "wrong.json") == 2
        assert "wrong.json: zone 'left': it lies in the first pixel; are its corners shares" in capsys.readouterr().err


def test_min_confidence(tmp_path: Path) -> None:
    header = "world_timestamp,world_index,gaze_timestamp,x_norm,y_norm,x_scaled,y_scaled,on_surf,confidence"
    lines = [f"1,1,1,0.5,0.5,1,1,True,{confidence}" for confidence in (0.5, 0.7, 0.95)]
    (tmp_path / "gaze_positions_on_surface_page.csv").write_text("\n".join([header, *lines]))
    for least, points in (("0", 3), ("0.6", 2), ("0.9", 1)):
        arguments = (tmp_path, "--use", "gaze", "--size", "20x10", "--min-confidence", least)
        assert fixations(tmp_path / least, *arguments).sum() == points


def test_pictures_of_fixations(export: Path, tmp_path: Path) -> None:
    heat = fixation_heatmap(export)
    for name, arguments, expected in (
        ("plain", (), heat.render()),
        ("map", ("--colormap", "jet"), heat.render("jet")),
        ("tone", ("--tone", "sqrt"), heat.render(tone="sqrt")),
        ("alpha", ("--alpha", "0.5"), heat.render(alpha=0.5)),
        ("backend", ("--backend", "numpy", "--alpha", "1"), fixation_heatmap(export, backend="numpy").render(alpha=1)),
    ):
        fixations(tmp_path / name, export, *arguments)
        np.testing.assert_array_equal(picture(tmp_path / name / "overlay.png"), expected, err_msg=name)
    assert summary(tmp_path / "backend")["backend"]["name"] == "numpy"


# --- what is said -----------------------------------------------------------------------------------------------


def test_one_line_without_a_terminal_and_none_when_quiet(clip: Path, export: Path, tmp_path: Path) -> None:
    done = run("motion", clip, "-o", tmp_path / "a", "--backend", "numpy")
    assert (done.returncode, done.stderr) == (0, "")
    share = 100 * np.count_nonzero(np.load(tmp_path / "a" / "counts.npy")) / (HEIGHT * WIDTH)
    start = re.escape(f"clip.mp4: motion in {share:.1f} % of the pixels, 19 frame pairs, ")
    line = rf"{start}\d+\.\d s, [\d,]+ frames/s -> {re.escape(str(tmp_path / 'a'))}\n"
    assert re.fullmatch(line, done.stdout), done.stdout
    done = run("fixations", export, "-o", tmp_path / "b", "--backend", "numpy")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert done.stdout.startswith("90 fixations, ")
    for arguments in (("motion", clip), ("fixations", export)):
        done = run(*arguments, "-q", "-o", tmp_path / "c")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def on_a_terminal(*arguments: object, columns: int = 120) -> tuple[int, str]:
    """Run the command line on a pseudo terminal; exit code and everything shown."""
    here, there = pty.openpty()
    shown = b""
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=there, stdout=there, stderr=there, env=environment
    ) as process:
        os.close(there)
        while True:
            try:
                data = os.read(here, 65536) if select.select([here], [], [], 60)[0] else b""
            except OSError:  # the other end was closed
                break
            if not data:
                break
            shown += data
    os.close(here)
    return process.returncode, shown.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few thousand frames: one short clip many times over."""
    path = tmp_path_factory.mktemp("long") / "long.h264"
    encode(path, scene(50, 288, 352), container_format="h264", options={"preset": "ultrafast"})
    path.write_bytes(path.read_bytes() * 80)
    return path


def test_a_terminal_shows_a_bar_with_frames_per_second(long_clip: Path, tmp_path: Path) -> None:
    code, shown = on_a_terminal("motion", long_clip, "-o", tmp_path / "out", "--backend", "numpy", "--end", "60")
    assert code == 0
    assert re.search(r"[\d,]+ frames .*\d frames/s", shown.replace("\r", " "))
    assert "-> " in shown
    code, shown = on_a_terminal("motion", long_clip, "-o", tmp_path / "out", "-q", "--backend", "numpy", "--end", "9")
    assert "frames/s" not in shown
    assert "->" not in shown
    assert code == 0


def test_a_long_path_leaves_room_for_the_figures(long_clip: Path, tmp_path: Path) -> None:
    path = tmp_path / ("\u5c71 a long name of a folder " * 4) / "the end.h264"
    path.parent.mkdir()
    path.symlink_to(long_clip)
    arguments = ("motion", path, "-o", tmp_path / "out", "--backend", "numpy", "--end", "60", "--no-report")
    code, shown = on_a_terminal(*arguments, columns=80)
    assert code == 0
    line = re.search(r"\u2026[^\n]{,40}the end\.h264 [^\n]*?[\d,]+ frames [\d,]+ frames/s", shown.replace("\r", "\n"))
    assert line is not None, shown
    assert cell_len(re.sub("\x1b[^A-Za-z]*[A-Za-z]", "", line[0])) <= 80


@pytest.mark.parametrize("older", [True, False])
def test_ctrl_c_leaves_nothing_half_done(long_clip: Path, tmp_path: Path, older: bool) -> None:
    out = tmp_path / "new" / "out"
    if older:
        motion(long_clip, out, "--end", "1")
    before = {path.name: path.read_bytes() for path in out.iterdir()} if older else {}
    command = [*COMMAND, "motion", str(long_clip), "-o", str(out), "--backend", "numpy", "--downscale", "2"]
    here, there = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=there, text=True) as process:
        os.close(there)
        shown = b""
        while b"frames/s" not in shown:  # the bar says that frames are being read
            assert select.select([here], [], [], 30)[0]
            shown += os.read(here, 4096)
        process.send_signal(signal.SIGINT)
        try:
            while data := os.read(here, 4096):
                shown += data
        except OSError:  # the other end was closed
            pass
        assert process.communicate(timeout=30)[0] == ""
    os.close(here)
    assert process.returncode == 130
    assert b"gpuheat: error: interrupted" in shown
    assert b"Traceback" not in shown
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.name != "checkpoint.npz"} == before


# --- errors -------------------------------------------------------------------------------------------------------


def failure(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> str:
    """The one line of an error."""
    assert gpuheat(*arguments) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("gpuheat: error: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")
    return said.err.removeprefix("gpuheat: error: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("1.5s", 1.5), ("10m", 600), ("0.5h", 1800), ("1:30", 90), ("1:00:00.25", 3600.25)],
)
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--threshold", "300"), "threshold must be"),
        (("--threshold", "many"), "'many' is not a valid integer"),
        (("--pixels", "rgb"), "'rgb' is not one of"),
        (("--half-life", "-1"), "half_life must be"),
        (("--every", "0"), "every must be"),
        (("--start", "soon"), "'soon' is not a time"),
        (("--start", "1:2:3:4"), "is not a time"),
        (("--slice", "1:2m"), "is not a time"),
        (("--slice", "0s"), "slice must be above 0 s"),
        (("--slices", "0"), "slices must be a whole number from 1"),
        (("--start", "2", "--end", "1"), "end must come after start"),
        (("--start", "100"), "no frame lies between start and end"),
        (("--downscale", "0"), "downscale must be"),
        (("--mask", "none.png"), "none.png: No such file"),
        (("--max-changed", "1.5"), "max_changed must be"),
        (("--background", "none.png"), "first, mean, median or an image file, there is no none.png"),
        (("--blur", "-1"), "blur"),
        (("--blur", "nan"), "blur"),
        (("--colormap", "jett"), "did you mean jet"),
        (("--tone", "loud"), "tone must be"),
        (("--alpha", "2"), "alpha must be"),
        (("--alpha", "x"), "neither a number"),
        (("--backend", "numbaa"), "did you mean 'numba'"),
        (("--backend", "cupy:x"), "the number of a GPU follows the colon of 'cupy'"),
        (("--decode", "nvdec"), "'nvdec' is not one of"),
        (("--decode", "gpu", "--backend", "numpy"), "cannot be decoded on the GPU: the backend numpy takes no"),
        (("--colour", "red"), "No such option"),
    ],
)
def test_wrong_options_of_motion(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert message in failure(capsys, "motion", clip, "-o", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "5"), "'5' is not a size"),
        (("--size", "0x5"), "is not a size"),
        (("--size", "5x5", "--reference", "a.png"), "not both"),
        (("--reference", "none.png"), "none.png: No such file"),
        (("--weight", "mass"), "is not one of"),
        (("--use", "blinks"), "is not one of"),
        (("--use", "gaze", "--weight", "duration"), "gaze samples have no duration"),
        (("--scale", "-1"), "scale must be"),
        (("--bins", "0"), "bins must be"),
        (("--recording", "c"), "no recording 'c'"),
        (("--x", "a"), "x and y must be given together"),
        (("--duration", "a"), "x and y must be given together"),
        (("--min-confidence", "7"), "min_confidence must be"),
    ],
)
def test_wrong_options_of_fixations(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert message in failure(capsys, "fixations", export, "-o", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_wrong_input(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "out"
    assert "Missing argument 'VIDEO...'" in failure(capsys, "motion", "-o", out)
    assert "Missing option '-o'" in failure(capsys, "motion", clip)
    assert "Missing argument 'EXPORT...'" in failure(capsys, "fixations", "-o", out)
    assert "No such command 'movement'" in failure(capsys, "movement")
    assert "none.mp4: cannot be opened" in failure(capsys, "motion", tmp_path / "none.mp4", "-o", out)
    assert "this is a folder" in failure(capsys, "motion", tmp_path, "-o", out)
    assert "file: cannot be opened as a video" in failure(capsys, "motion", tmp_path / "file", "-o", out)
    assert "does not exist" in failure(capsys, "fixations", tmp_path / "none", "-o", out, "--size", "9x9")
    assert "it is a file" in failure(capsys, "motion", clip, "-o", tmp_path / "file")
    assert not out.exists()


def test_anything_else_is_exit_code_1(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_order(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(np, "save", out_of_order)
    message = failure(capsys, "motion", clip, "-o", tmp_path / "out", code=1)
    assert "out of order" in message
    assert "--debug" in message
    assert not (tmp_path / "out").exists()


def test_no_name_tells_the_terminal_what_to_do(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b[31m\x9b2Jb.mp4"
    (tmp_path / name).write_bytes(clip.read_bytes())
    for video, code in (("none" + name, 2), (name, 0)):
        assert gpuheat("motion", tmp_path / video, "-o", tmp_path / "out \x07", "--no-report") == code
    told = "".join(capsys.readouterr())
    assert told.count("a\\x1b[31m\\x9b2Jb.mp4") >= 1
    assert "out \\x07" in told
    assert not set(told) & {"\x1b", "\x9b", "\x07"}


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback(tmp_path: Path, place: str) -> None:
    arguments: list[object] = ["motion", tmp_path / "none.mp4", "-o", tmp_path / "out"]
    plain = run(*arguments)
    assert (plain.returncode, plain.stdout, plain.stderr.count("\n")) == (2, "", 1)
    assert "Traceback" not in plain.stderr
    shown = run(*(["--debug", *arguments] if place == "before" else [*arguments, "--debug"]))
    assert shown.returncode == 2
    assert "Traceback" in shown.stderr
    assert "VideoError" in shown.stderr
    assert shown.stderr.splitlines()[-1] == plain.stderr.rstrip("\n")


# --- the rest -----------------------------------------------------------------------------------------------------


def test_backends_lists_what_can_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPUHEAT_BACKEND", raising=False)
    monkeypatch.setattr("gpuheat.backends._loaded", {})
    for package in ("cupy", "numba_cuda"):
        monkeypatch.setitem(sys.modules, package, None)
    assert gpuheat("backends") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("cupy: CuPy is not installed: pip install 'gpuheat[cuda1") for line in lines)
    assert any(re.match(r"numba +yes, the default +CPU", line) for line in lines)
    assert any(re.match(r"numpy +yes  ", line) for line in lines)
    monkeypatch.setenv("GPUHEAT_BACKEND", "numpy")
    assert gpuheat("backends") == 0
    assert re.search(r"^numpy +yes, the default", capsys.readouterr().out, re.MULTILINE)


def test_the_environment_chooses_the_backend(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUHEAT_BACKEND", "numpy")
    motion(clip, tmp_path)
    assert summary(tmp_path)["backend"]["name"] == "numpy"


def test_demo_writes_what_it_says(tmp_path: Path) -> None:
    done = run("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.rsplit(" -> ")[1] for line in lines[:-1]] == ["gpuheat-demo/motion", "gpuheat-demo/fixations"]
    pages = "gpuheat-demo/motion/report.html and gpuheat-demo/fixations/report.html"
    assert lines[-1] == f"To look around, open {pages} in a browser."
    demo = tmp_path / "gpuheat-demo"
    assert {path.relative_to(demo).as_posix() for path in demo.rglob("*") if path.is_file()} == {
        *("input/room.mp4", "input/export/fixations.csv", "input/export/reference_image.png"),
        *(f"motion/{name}" for name in MOTION_FILES),
        *(f"fixations/{name}" for name in FIXATION_FILES),
    }
    shown = [frame.bgr for frame in decoded(demo / "input" / "room.mp4")]
    assert len(shown) == 120
    np.testing.assert_array_equal(255 * np.load(demo / "motion" / "counts.npy"), recipe(shown)[0])
    fixations_of_its_own = fixation_heatmap(demo / "input" / "export")
    assert fixations_of_its_own.points > 150
    np.testing.assert_array_equal(np.load(demo / "fixations" / "histogram.npy"), fixations_of_its_own.histogram)
    assert picture(demo / "fixations" / "overlay.png").shape == (800, 1200, 3)
    quiet = run("demo", "-q", "-o", tmp_path / "quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert (tmp_path / "quiet" / "motion" / "counts.npy").exists()


def test_help_and_version() -> None:
    for arguments in (("--help",), ("-h",), ("motion", "--help"), ("fixations", "-h"), ("demo", "-h")):
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: gpuheat")
    assert re.fullmatch(r"gpuheat \d+\.\d+\S*\n", run("--version").stdout)


def test_the_bare_command_shows_its_help_in_lines() -> None:
    done = run()
    said = done.stdout + done.stderr
    assert "Usage: gpuheat" in said
    assert re.search(r"^ +motion ", said, re.MULTILINE), "the help must keep its lines"


def test_importing_gpuheat_is_light() -> None:
    heavy = ["cv2", "av", "numba", "cupy", "matplotlib", "pyarrow", "rich", "llvmlite", "numpy"]
    code = f"import sys, gpuheat; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
    code = f"import sys, gpuheat.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [["--help"], ["motion", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """A tenth of a second to read what there is: a second once one of these is imported."""
    code = "import sys; from gpuheat.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-X", "importtime", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "gpuheat.cli" in imported
    assert imported.isdisjoint(["cv2", "av", "numba", "cupy", "matplotlib", "pyarrow", "numpy", "distributed"])
