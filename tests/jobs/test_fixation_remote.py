"""Exports at addresses give the map of the same files on this machine, and nobody reads a secret out of it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import fsspec
import numpy as np
import pytest
from clips import scene
from servers import web_folder

from gpuheat import FixationHeatmap, InputError, OptionError, fixation_heatmap
from gpuheat.cli import main
from gpuheat.errors import ExportError, MissingPackageError
from gpuheat.inputs.remote import RemoteFile

WIDTH, HEIGHT = 64, 48
HEADER = (
    "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
    "fixation detected in reference image,fixation x [px],fixation y [px]"
)
PLAYER = (
    "world_timestamp,world_index,fixation_id,start_timestamp,duration,dispersion,norm_pos_x,norm_pos_y,"
    "x_scaled,y_scaled,on_surf"
)
GAZE = (
    "section id,recording id,timestamp [ns],gaze detected in reference image,"
    "gaze position in reference image x [px],gaze position in reference image y [px],fixation id"
)
ZONES = {"zones": [{"name": "left", "polygon": [[0, 0], [30, 0], [30, 48], [0, 48]]}]}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder with all that an export has."""
    folder = tmp_path / "exports/one"
    folder.mkdir(parents=True)
    random = np.random.default_rng(5)
    places = [(number, random.integers(0, WIDTH), random.integers(0, HEIGHT)) for number in range(60)]
    rows = [f"s,{'ab'[number % 2]},{number},{number + 10},0,{100 + number},true,{x},{y}" for number, x, y in places]
    (folder / "fixations.csv").write_text("\n".join([HEADER, *rows]))
    gaze = [f"s,a,{number},true,{x},{y},{number}" for number, x, y in places]
    (folder / "gaze.csv").write_text("\n".join([GAZE, *gaze]))
    sections = ["recording id,recording name,section id,section start time [ns]", "a,Ann,s,3", "b,Bob,s,4"]
    (folder / "sections.csv").write_text("\n".join(sections))
    (tmp_path / "exports/zones.json").write_text(json.dumps(ZONES))
    assert cv2.imwrite(str(folder / "reference_image.png"), scene(1, HEIGHT, WIDTH)[0])
    return folder


@pytest.fixture
def in_memory(export: Path) -> Iterator[str]:
    system = fsspec.filesystem("memory")
    system.put(str(export.parent), "/exports", recursive=True)
    yield "memory://exports"
    system.rm("/exports", recursive=True)


def assert_same(got: FixationHeatmap, want: FixationHeatmap) -> None:
    """All of a map but the time it took, and where its files were."""
    for name in ("histogram", "heat", "background"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name), err_msg=name)
    assert (got.zones is None) == (want.zones is None)
    if got.zones is not None and want.zones is not None:
        assert got.zones.table == want.zones.table
    assert got.settings == want.settings
    facts = []
    for each in (got, want):
        inputs = [{**one, "source": None} for one in each.facts["inputs"]]
        facts.append({**each.facts, "time": None, "reference_image": None, "inputs": inputs})
    assert facts[0] == facts[1]


@pytest.mark.parametrize("use", ["fixations", "gaze"])
def test_folders_and_files(in_memory: str, export: Path, use: Any) -> None:
    zones = export.parent / "zones.json"
    want = fixation_heatmap(export, use=use, zones=zones)
    assert want.by_recording is not None
    assert want.by_recording[0].name == "Ann"
    for place in (in_memory, f"{in_memory}/one/", f"{in_memory}/one/{use}.csv", f"file://{export}"):
        got = fixation_heatmap(place, use=use, zones=f"{in_memory}/zones.json")
        assert_same(got, want)
        kind = place.partition(":")[0]
        assert got.facts["inputs"][0]["source"].startswith(f"{kind}://")
        assert got.facts["inputs"][0]["source"].endswith(f"/one/{use}.csv")
        assert got.facts["reference_image"].startswith(f"{kind}://")


def test_parquet_and_a_reference_image(in_memory: str, export: Path) -> None:
    from pyarrow import csv, parquet

    table = csv.read_csv(export / "fixations.csv")
    with fsspec.open(f"{in_memory}/table.parquet", "wb") as file:
        parquet.write_table(table, file)
    got = fixation_heatmap(f"{in_memory}/table.parquet", reference=f"{in_memory}/one/reference_image.png")
    np.testing.assert_array_equal(got.histogram, fixation_heatmap(export).histogram)
    np.testing.assert_array_equal(got.background, scene(1, HEIGHT, WIDTH)[0])
    with pytest.raises(InputError, match=r"^cannot read the image memory://exports/none\.png: No such file"):
        fixation_heatmap(f"{in_memory}/one", reference=f"{in_memory}/none.png")
    with pytest.raises(InputError, match=r"^cannot read the zones memory://exports/none\.json: No such file"):
        fixation_heatmap(f"{in_memory}/one", zones=f"{in_memory}/none.json")


def test_web_servers(export: Path, tmp_path: Path) -> None:
    """They list nothing, but have what lies under its usual name; what stands behind the path is asked with."""
    want = fixation_heatmap(export, zones=ZONES)
    with web_folder(tmp_path) as host:
        for place in (f"{host}/exports/one/fixations.csv?token=secret", f"{host}/exports/one/?token=secret#secret"):
            got = fixation_heatmap(place, zones=f"{host}/exports/zones.json?token=secret")
            assert_same(got, want)
            assert "secret" not in str(got.summary)
            assert got.facts["inputs"][0]["source"] == f"{host}/exports/one/fixations.csv"
            assert got.facts["reference_image"] == f"{host}/exports/one/reference_image.png"
        assert_same(fixation_heatmap(f"{host}/exports/one", zones=ZONES), want)  # which the server says is a folder
        with pytest.raises(ExportError, match=rf"^{host}/exports/ cannot be searched for an export: a web server does"):
            fixation_heatmap(f"{host}/exports/?token=secret")
        with pytest.raises(ExportError, match=rf"^{host}/none\.csv does not exist: give an export's"):
            fixation_heatmap(f"{host}/none.csv?token=secret")
        with pytest.raises(OptionError, match="two addresses differ only in what is never shown"):
            fixation_heatmap([f"{host}/exports/one/fixations.csv?{number}" for number in (1, 2)])
    with pytest.raises(ExportError, match=r"none\.csv cannot be read: .*Connect call failed"):
        fixation_heatmap(f"{host}/none.csv")


def test_web_servers_that_refuse(export: Path, tmp_path: Path) -> None:
    """As object stores do of whatever is not there, where they list nothing."""
    refused = {f"reference_image.{suffix}" for suffix in ("jpg", "jpeg")}
    with web_folder(tmp_path, refused=refused) as host:
        assert_same(fixation_heatmap(f"{host}/exports/one/fixations.csv"), fixation_heatmap(export))
    with web_folder(tmp_path, refused={"fixations.csv", "reference_image.png"}) as host:
        place = f"{host}/exports/one"
        with pytest.raises(ExportError, match=rf"^{place}/fixations\.csv cannot be read: .*403.*Forbidden") as one:
            fixation_heatmap(f"{place}/fixations.csv?token=secret")
        with pytest.raises(InputError, match=r"^cannot read the image .*reference_image\.png: .*403.*") as other:
            fixation_heatmap(f"{place}/gaze.csv", use="gaze", reference=f"{place}/reference_image.png?token=secret")
        assert "secret" not in f"{one.value} {other.value}"


def test_recordings_are_told_apart_by_their_addresses(export: Path, tmp_path: Path) -> None:
    player = [f"{number},0,{number},{number},200,1,0.5,0.25,0,0,True" for number in range(3)]
    for name in ("person=ann/000/exports/000/surfaces", "person=bob/000/exports/000/surfaces", "person=bob"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "fixations_on_surface_A.csv").write_text("\n".join([PLAYER, *player]))
    system = fsspec.filesystem("memory")
    system.put(str(tmp_path), "/lab", recursive=True)
    folders = [f"memory://lab/{name}" for name in ("person=ann/000/exports/000/surfaces", "person=bob/000/exports/000")]
    try:
        got = fixation_heatmap([*folders, "memory://lab/person=bob/fixations_on_surface_A.csv"], size=(WIDTH, HEIGHT))
    finally:
        system.rm("/lab", recursive=True)
    assert {name: about["points"] for name, about in got.facts["recordings"].items()} == {
        "memory://lab/person=ann/000": 3,
        "memory://lab/person=bob/000": 3,
        "memory://lab/person=bob/fixations_on_surface_A.csv": 3,
    }
    with web_folder(export) as host, pytest.raises(OptionError, match=r"gaze\.csv is given more than once"):
        fixation_heatmap([f"{host}/gaze.csv?a", f"{host}/?a"], use="gaze", size=(WIDTH, HEIGHT))


def test_the_command_line(in_memory: str, export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["fixations", *arguments, "-o", str(tmp_path / "out")])
        assert isinstance(ended.value.code, int)
        return ended.value.code, capsys.readouterr().err

    want = fixation_heatmap(export).histogram
    for pattern in (f"{in_memory}/*/fixations.csv", f"{in_memory}/o*", f"{export.parent}/*/fixations.csv"):
        assert run(pattern) == (0, "")
        np.testing.assert_array_equal(np.load(tmp_path / "out/histogram.npy"), want)
    assert run(f"{in_memory}/*/none.csv") == (2, f"gpuheat: error: {in_memory}/*/none.csv: there is no such file\n")
    with web_folder(tmp_path, refused={"reference_image.png"}) as host:
        place = host.replace("//", "//user:s3cr3t@")
        assert run(f"{place}/exports/one/fixations.csv?token=s3cr3t", "--size", f"{WIDTH}x{HEIGHT}") == (0, "")
        assert not [path for path in (tmp_path / "out").iterdir() if b"s3cr3t" in path.read_bytes()]
        for debug in ([], ["--debug"]):
            arguments = ["--reference", f"{place}/exports/one/reference_image.png?token=s3cr3t", *debug]
            code, told = run(f"{place}/exports/one/fixations.csv?token=s3cr3t", *arguments)
            assert code == 2
            assert f"cannot read the image {host.replace('//', '//***@')}/exports/one/reference_image.png: " in told
            assert "s3cr3t" not in told


def test_what_is_missing(export: Path, in_memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingPackageError, match=r"^s3://bucket/export cannot be read: .*s3fs"):
        fixation_heatmap("s3://bucket/export")
    with pytest.raises(OptionError, match=r"^unheard://a cannot be read: "):
        fixation_heatmap("unheard://a")
    fsspec.filesystem("memory").rm("/exports/one/gaze.csv")
    with pytest.raises(ExportError, match=r"^memory://exports holds no export of gaze .*\(gaze\.csv or "):
        fixation_heatmap(in_memory, use="gaze")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'gpuheat\[dask\]'"):
        fixation_heatmap(in_memory)
    assert fixation_heatmap(export).points == 60  # which needs no fsspec


@pytest.mark.parametrize(
    ("address", "parent", "name"),
    [
        ("http://host/a/b.csv?token=x/y", "http://host/a/", "b.csv"),
        ("http://host/a/?token=x/y", "http://host/", "a"),
        ("http://host/", "http://host/", "host"),
        ("file:///a/b", "file:///a", "b"),
        ("file:///a", "file:///", "a"),
        ("memory://a/b@c/d=1/e.csv", "memory://***", "e.csv"),
        ("memory://a", "memory://a", "a"),
    ],
)
def test_names_and_parents(address: str, parent: str, name: str) -> None:
    file = RemoteFile(address)
    assert (str(file.parent), file.name) == (parent, name)
    assert file.parent / name / "x" == file / "x" or file.parent == file


def test_web_servers_list_nothing() -> None:
    with pytest.raises(io.UnsupportedOperation):
        next(RemoteFile("http://host/").iterdir())
