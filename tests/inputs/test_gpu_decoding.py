"""Frames whose pictures lie in a GPU's memory are those of the same video decoded on the CPU."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from threading import Thread
from typing import Any

import av
import numpy as np
import pytest
from clips import encode, noise, scene
from cuda_on_cpu.host_cupy import HostCupy
from cuda_on_cpu.nvdec import Nvdec

from gpuheat.backends.cupy import CupyBackend
from gpuheat.errors import OptionError
from gpuheat.inputs.gpu_decoding import WHERE, Decoding
from gpuheat.inputs.key_frame_reader import KeyFrameReader
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.video_part import NotAsPromisedError, PartReader
from gpuheat.pixels import FrameLayout, to_bgr

MATRICES = ["smpte170m", "bt709", "undef"]


@pytest.fixture
def module() -> HostCupy:
    return HostCupy()


@pytest.fixture
def cupy(module: HostCupy) -> CupyBackend:
    return CupyBackend(module=module)


@pytest.fixture
def nvdec(module: HostCupy, monkeypatch: pytest.MonkeyPatch) -> Nvdec:
    stand_in = Nvdec(module)
    monkeypatch.setattr(av, "open", stand_in.open)
    return stand_in


def clip(folder: Path, matrix: str = "undef", fullrange: str = "off", **options: Any) -> Path:
    colours = f"colormatrix={matrix}:fullrange={fullrange}:keyint=6:bframes=2"
    return encode(folder / "clip.mp4", noise((12, 34, 50, 3)), options={"x264-params": colours, "qp": "5"}, **options)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("fullrange", ["off", "on"])
def test_every_form_of_a_frame(matrix: str, fullrange: str, tmp_path: Path, cupy: CupyBackend, nvdec: Nvdec) -> None:
    path = clip(tmp_path, matrix, fullrange)
    with VideoReader(path, decoding=Decoding("gpu", cupy)) as on_gpu, VideoReader(path) as on_cpu:
        pairs = list(zip(on_gpu, on_cpu, strict=True))
    assert len(pairs) == 12
    for there, here in pairs:
        assert (there.number, there.time) == (here.number, here.time)
        np.testing.assert_array_equal(there.bgr(), here.bgr())
        np.testing.assert_array_equal(there.luma(), here.luma())
        np.testing.assert_array_equal(there.native(()).planes[0], here.bgr())
        pixels = there.native(("yuv420p", "nv12"))
        assert pixels.layout == FrameLayout("nv12", here.native(("yuv420p",)).layout.conversion)
        planes = tuple(cupy.to_host(plane)[0] for plane in cupy.gather([pixels.planes]))
        np.testing.assert_array_equal(to_bgr(planes, pixels.layout), here.bgr())
    assert nvdec.held == 12
    del there, pixels, pairs
    assert nvdec.held == 0


def test_pictures_stay_as_they_are_while_the_decoder_goes_on(tmp_path: Path, cupy: CupyBackend, nvdec: Nvdec) -> None:
    """Their memory is given back with the last array on it."""
    path = encode(tmp_path / "clip.mp4", scene(30, 32, 48), options={"x264-params": "bframes=0"})
    with VideoReader(path, decoding=Decoding("gpu", cupy)) as reader:
        frames = iter(reader)
        first = next(frames)
        planes = first.native(("nv12",)).planes
        del first
        deque(frames, 0)
    (luma,) = cupy.gather([planes[:1]])
    with VideoReader(path) as on_cpu:
        expected = next(iter(on_cpu)).native(("yuv420p",)).planes[0]
    np.testing.assert_array_equal(cupy.to_host(luma)[0], expected)
    assert nvdec.held == 1


def test_parts(tmp_path: Path, cupy: CupyBackend, nvdec: Nvdec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpuheat.inputs.keyframes.SHORTEST", 2)
    path = clip(tmp_path)
    with VideoReader(path, decoding=Decoding("gpu", cupy)) as whole:
        assert whole.gpu is not None
        parts = list(whole.parts(whole.watch))
        assert len(parts) == 3
        with PartReader(path, gpu=whole.gpu) as there, PartReader(path) as here:
            for part in parts:
                for on_gpu, on_cpu in zip(there.frames(part), here.frames(part), strict=True):
                    assert on_gpu.shows_the_same_as(on_cpu)
                assert (there.next_frame is None) == (here.next_frame is None)
        nvdec.changes[0] = {"interlaced_frame": True}
        with (
            PartReader(path, gpu=whole.gpu) as there,
            pytest.raises(NotAsPromisedError, match=r"^frame 0 cannot be used as the GPU decodes it: .*interlaced"),
        ):
            next(there.frames(parts[0]))


def test_a_decoder_too_many_is_no_failure(
    tmp_path: Path, cupy: CupyBackend, nvdec: Nvdec, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip(tmp_path)
    with VideoReader(path, decoding=Decoding("gpu", cupy)) as whole:
        assert len(nvdec.opened) == 1

        def full(*_: Any, **__: Any) -> Any:
            raise av.ExternalError(0, "CUDA_ERROR_OUT_OF_MEMORY")

        monkeypatch.setattr(av, "open", full)
        with pytest.raises(NotAsPromisedError, match="no decoder for another part: FFmpeg cannot decode on GPU 0"):
            PartReader(path, gpu=whole.gpu)


def test_what_can_be_read_once_is_for_the_cpu(tmp_path: Path, cupy: CupyBackend, nvdec: Nvdec) -> None:
    path = encode(tmp_path / "clip.mkv", scene(4, 32, 48))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for where in (where for where in WHERE if where != "cpu"):
        writer = Thread(target=lambda: pipe.write_bytes(path.read_bytes()), daemon=True)
        writer.start()
        decoding = Decoding(where, cupy)
        if where == "gpu":
            with pytest.raises(OptionError, match="it can be read only once"):
                VideoReader(pipe, decoding=decoding)
        else:
            with VideoReader(pipe, decoding=decoding) as reader:
                assert len(list(reader)) == 4
                assert reader.facts["on_cpu_because"].startswith("it can be read only once")
    assert nvdec.opened == []


def test_key_frames_are_for_the_cpu(tmp_path: Path, cupy: CupyBackend, nvdec: Nvdec) -> None:
    path = clip(tmp_path)
    with pytest.raises(OptionError, match=r"clip.mp4 cannot be decoded on the GPU: key frames are decoded one by one"):
        KeyFrameReader(path, decoding=Decoding("gpu", cupy))
    with KeyFrameReader(path, decoding=Decoding("auto", cupy)) as reader:
        assert reader.facts["decoded_on"] == "cpu"
    assert nvdec.opened == []
