"""A video at an address is read as the same video in a file, in ranges."""

from __future__ import annotations

import json
import pickle
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import fsspec
import numpy as np
import pytest
from clips import encode, noise, noisy_scene
from servers import web_folder

from gpuheat import motion_heatmap
from gpuheat.errors import InputError, MissingPackageError, OptionError, VideoError
from gpuheat.inputs import keyframes, remote
from gpuheat.inputs.address import origin_of
from gpuheat.inputs.patterns import files_named
from gpuheat.inputs.remote import RemoteFile, is_remote, remote_files
from gpuheat.jobs.identity import differences, identity_of


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return encode(path, noisy_scene(100), options={"x264-params": "keyint=12:min-keyint=12:scenecut=0"})


@pytest.fixture
def in_memory(clip: Path) -> Iterator[RemoteFile]:
    system = fsspec.filesystem("memory")
    system.pipe("/cameras/a/clip.mp4", clip.read_bytes())
    yield RemoteFile("memory://cameras/a/clip.mp4")
    system.rm("/cameras", recursive=True)


@contextmanager
def web_server(data: bytes) -> Iterator[tuple[str, list[str | None]]]:
    """The address of a file on a server that gives ranges of it, and which were asked for."""
    asked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(data, 200, {"Accept-Ranges": "bytes"})

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            asked.append(wanted)
            match = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted or "")
            if match is None:
                self._answer(data, 200, {})
                return
            first, last = int(match[1]), min(int(match[2]), len(data) - 1)
            self._answer(data[first : last + 1], 206, {"Content-Range": f"bytes {first}-{last}/{len(data)}"})

        def _answer(self, body: bytes, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/clip.mp4?token=secret", asked
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_map_is_that_of_the_file(
    in_memory: RemoteFile, clip: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(keyframes, "SHORTEST", 20)
    got, want = motion_heatmap(in_memory, jobs=jobs), motion_heatmap(clip)
    np.testing.assert_array_equal(got.counts, want.counts)
    np.testing.assert_array_equal(got.background, want.background)
    about = {**got.facts["input"], "path": None}
    assert about == {**want.facts["input"], "path": None}
    assert got.facts["input"]["path"] == "memory://cameras/a/clip.mp4"


def test_a_web_server_is_asked_for_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BLOCK", 2**14)
    clip = encode(tmp_path / "clip.mp4", noise((20, 96, 128, 3)), options={"crf": "10"})
    data = clip.read_bytes()
    with web_server(data) as (address, asked):
        file = RemoteFile(address)
        assert "secret" not in f"{file}"
        got = motion_heatmap(file, jobs=1)
        assert "secret" not in str(got.summary)
    np.testing.assert_array_equal(got.counts, motion_heatmap(clip).counts)
    ranges = [re.fullmatch(r"bytes=(\d+)-(\d+)", each or "") for each in asked]
    sizes = [int(match[2]) - int(match[1]) for match in ranges if match is not None]
    assert len(sizes) == len(asked) > 3
    assert max(sizes) < len(data) // 4


def test_pictures_and_zones_at_addresses(in_memory: RemoteFile, clip: Path, tmp_path: Path) -> None:
    shown = motion_heatmap(clip).background
    assert shown is not None
    mask = np.zeros(shown.shape[:2], np.uint8)
    mask[5:20, 5:30] = 255
    zones = {"zones": [{"name": "here", "polygon": [[10, 0], [40, 0], [40, 30], [10, 30]]}]}
    assert cv2.imwrite(str(tmp_path / "mask.png"), mask)
    assert cv2.imwrite(str(tmp_path / "room.png"), shown)
    (tmp_path / "zones.json").write_text(json.dumps(zones))
    want = motion_heatmap(clip, mask=mask, background=shown, zones=zones)
    with web_folder(tmp_path) as host:
        got = motion_heatmap(
            in_memory,
            mask=f"{host}/mask.png?token=secret",
            background=f"{host}/room.png?token=secret",
            zones=f"{host}/zones.json?token=secret",
        )
        with pytest.raises(InputError, match=rf"^cannot read the image {host}/none\.png: No such file"):
            motion_heatmap(clip, background=f"{host}/none.png?token=secret")
    np.testing.assert_array_equal(got.counts, want.counts)
    np.testing.assert_array_equal(got.background, shown)
    assert got.zones is not None
    assert want.zones is not None
    assert got.zones.table == want.zones.table
    assert (got.settings["mask"], got.settings["background"]) == (f"{host}/mask.png", f"{host}/room.png")
    assert "secret" not in str(got.summary)


def test_what_it_tells_of_itself(in_memory: RemoteFile, clip: Path) -> None:
    again: RemoteFile = pickle.loads(pickle.dumps(in_memory))
    assert str(again) == str(in_memory)
    assert again.name == "clip.mp4"
    assert origin_of(again) is None
    before = identity_of(again)
    assert before["bytes"] == clip.stat().st_size
    assert differences(before, identity_of(in_memory)) == []
    fsspec.filesystem("memory").pipe("/cameras/a/clip.mp4", clip.read_bytes()[:-1] + b"x")
    assert differences(before, identity_of(in_memory)) != []


def test_patterns(in_memory: RemoteFile) -> None:
    assert remote_files("memory://cameras/*/*.mp4") == ["memory://cameras/a/clip.mp4"]
    assert files_named([f"{in_memory}"], remote=True) == [f"{in_memory}"]
    assert is_remote("s3://bucket/a.mp4")
    assert is_remote("HTTPS://host/a.mp4")
    assert not is_remote("rtsp://camera/")
    assert not is_remote("/a/b.mp4")


def test_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VideoError, match=r"memory://none\.mp4: cannot be opened as a video: No such file"):
        motion_heatmap(RemoteFile("memory://none.mp4"))
    with pytest.raises(OptionError, match="unheard://a cannot be read"):
        RemoteFile("unheard://a")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'gpuheat\[dask\]'"):
        RemoteFile("memory://a")
