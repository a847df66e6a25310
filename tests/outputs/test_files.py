"""Result files appear whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpuheat.errors import OptionError, OutputError
from gpuheat.outputs.files import OutputFolder


def write_all(folder: Path, *names: str) -> None:
    with OutputFolder(folder) as out:
        for name in names:
            out.write(name, b"new")


def write_and_raise(folder: Path, error: BaseException) -> None:
    with OutputFolder(folder) as out:
        out.write("counts.npy", b"new")
        raise error


def test_files_appear_when_the_block_ends(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.uint32).reshape(2, 3)
    with OutputFolder(tmp_path / "a" / "b") as out:
        out.write("picture.png", b"\x89PNG")
        out.write_array("counts.npy", array)
        out.write_parts("activity.csv", (part for part in ("frame,", "time_s\n")))
        out.write_json("summary.json", {"name": "vidéo \udcff", "share": np.float64(0.5)})
        assert not [path for path in out.path.iterdir() if path.is_file()]
    files = {path.name: path for path in out.path.iterdir()}
    assert sorted(files) == ["activity.csv", "counts.npy", "picture.png", "summary.json"]
    assert files["picture.png"].read_bytes() == b"\x89PNG"
    assert files["activity.csv"].read_bytes() == b"frame,time_s\n"
    np.testing.assert_array_equal(np.load(files["counts.npy"]), array)
    assert json.loads(files["summary.json"].read_text("utf-8")) == {"name": "vidéo \udcff", "share": 0.5}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_an_exception_nothing_has_changed(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "counts.npy").write_bytes(b"old")
    with pytest.raises(error):
        write_and_raise(tmp_path, error())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_folders_made_for_a_failed_run_are_removed_again(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    with pytest.raises(ValueError, match="failed"):
        write_and_raise(tmp_path / "before" / "a" / "b", ValueError("failed"))
    assert list(tmp_path.rglob("*")) == [tmp_path / "before"]


def test_files_get_their_names_in_the_order_of_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    replace = os.replace

    def watched_replace(old: Path, new: Path) -> None:
        moved.append(new.name)
        replace(old, new)

    monkeypatch.setattr(os, "replace", watched_replace)
    write_all(tmp_path, "z", "a", "summary.json")
    assert moved == ["z", "a", "summary.json"]


def test_a_file_in_the_way_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="it is a file"):
        OutputFolder(tmp_path / "file")
    with pytest.raises(OptionError, match="Not a directory"):
        OutputFolder(tmp_path / "file" / "folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OptionError, match="Permission denied"):
        OutputFolder(tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a"])
def test_names_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="plain file name"), OutputFolder(tmp_path) as out:
        out.write(name, b"")


def test_a_folder_with_the_name_of_a_file_fails_before_anything_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(IsADirectoryError):
        write_all(tmp_path, "counts.npy", "summary.json")
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.int64(1), np.float32(1), np.zeros(2)])
def test_what_json_cannot_say_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises((TypeError, ValueError)), OutputFolder(tmp_path) as out:
        out.write_json("summary.json", {"value": value})
    assert not list(tmp_path.iterdir())


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    code = """
import sys, time
from gpuheat.outputs.files import OutputFolder
with OutputFolder(sys.argv[1]) as out:
    out.write("heatmap.png", b"x" * 1000)
    print("writing", flush=True)
    time.sleep(30)
"""
    folder = tmp_path / "out"
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        assert len(list(folder.rglob("heatmap.png"))) == 1
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in stderr
    assert not folder.exists()


def test_ctrl_c_while_files_get_their_names_waits_until_all_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def interrupted_replace(old: Path, new: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        replace(old, new)

    monkeypatch.setattr(os, "replace", interrupted_replace)
    with pytest.raises(KeyboardInterrupt):
        write_all(tmp_path, "a", "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_somebody_else_writes_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with OutputFolder(tmp_path) as out, out.staged_path("video.mp4") as path:
        path.write_bytes(b"half")
        assert [*tmp_path.glob("*.mp4")] == []
        path.write_bytes(b"whole")
    assert (tmp_path / "video.mp4").read_bytes() == b"whole"
    failed = pytest.raises(TypeError)
    with failed, OutputFolder(tmp_path) as out, out.staged_path("video.mp4") as path, path.open("wb") as file:
        file.write("no bytes")  # type: ignore[arg-type]
    assert (tmp_path / "video.mp4").read_bytes() == b"whole"
    missing = pytest.raises(OutputError, match=r"cannot write .*never\.mp4: No such file")
    with missing, OutputFolder(tmp_path) as out, out.staged_path("never.mp4"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]
