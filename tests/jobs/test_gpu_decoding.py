"""A video decoded on the GPU gives the map it gives decoded on the CPU.

With ``--backend cupy`` a GPU decodes and counts. Otherwise stand-ins do (tests/cuda_on_cpu).
"""

from __future__ import annotations

import ctypes
from inspect import signature
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pytest
from clips import encode, scene
from cuda_on_cpu.host_array import HostArray
from cuda_on_cpu.host_cupy import HostCupy
from cuda_on_cpu.nvdec import Nvdec
from numpy.typing import NDArray

from gpuheat import MotionCounter, MotionHeatmap, OptionError, motion_heatmap
from gpuheat.backends import Backend, get_backend
from gpuheat.backends.cuda import CudaBackend
from gpuheat.backends.cupy import CupyBackend
from gpuheat.errors import BackendUnavailableError, IncompleteError, VideoError
from gpuheat.inputs import keyframes
from gpuheat.jobs import picture_sums
from gpuheat.jobs.motion_run import MotionRun
from gpuheat.jobs.recipe import Recipe
from gpuheat.motion import over_time

pytestmark = pytest.mark.once

X264 = "keyint=12:min-keyint=12:scenecut=0:bframes=2"
SAME = ("counts", "heat", "moved", "counted", "frames", "times", "background")
ON_GPU = {"decoded_on": "gpu", "on_cpu_from_frame": None, "on_cpu_because": None}
CODECS = [
    pytest.param("libx264", {"x264-params": X264}, id="h264"),
    pytest.param("libx264", {"x264-params": f"{X264}:colormatrix=bt709"}, id="h264-709"),
    pytest.param("libx264", {"x264-params": f"{X264}:fullrange=on"}, id="h264-full"),
    pytest.param("libx265", {"x265-params": "log-level=error:keyint=10"}, id="hevc"),
    pytest.param("libvpx-vp9", {"cpu-used": "8"}, id="vp9"),
    pytest.param("libvpx", {"cpu-used": "8"}, id="vp8"),
]


def pictures(frames: int = 40, height: int = 72, width: int = 96) -> NDArray[np.uint8]:
    noisy: NDArray[np.uint8] = scene(frames, height, width) + np.random.default_rng(0).integers(
        0, 6, (frames, height, width, 3), np.uint8
    )
    return noisy


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return encode(path, pictures(), options={"x264-params": X264})


def stand_in(monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[CupyBackend, HostCupy, Nvdec]:
    """A backend, its CuPy, and what decodes for it."""
    cupy = HostCupy(**options)
    nvdec = Nvdec(cupy)
    monkeypatch.setattr(av, "open", nvdec.open)
    return CupyBackend(module=cupy), cupy, nvdec


@pytest.fixture
def decoding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The backend cupy if it is asked for, else the stand-in."""
    if "cupy" in request.config.getoption("--backend"):
        return get_backend("cupy")
    return stand_in(monkeypatch)[0]


def assert_same(got: MotionHeatmap, want: MotionHeatmap) -> None:
    for name in SAME:
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name), err_msg=name)


# --- the same map -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("codec", "options"), CODECS)
def test_the_map_is_that_of_the_cpu(decoding: Backend, codec: str, options: dict[str, str], tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", pictures(), codec=codec, options=options)
    on_cpu = motion_heatmap(path, backend="numpy", decode="cpu")
    on_gpu = motion_heatmap(path, backend=decoding, decode="gpu")
    assert on_cpu.counts.any()
    assert_same(on_gpu, on_cpu)
    facts = on_gpu.facts["input"]
    assert facts | ON_GPU == facts
    assert facts["compared_as"] == ["nv12"]
    assert facts["pixel_format"] == on_cpu.facts["input"]["pixel_format"]
    assert on_gpu.facts["warnings"] == []


@pytest.mark.parametrize("background", ["first", "median"])
@pytest.mark.parametrize(
    "options",
    [{}, {"pixels": "luma"}, {"downscale": 3}, {"every": 3, "start": 0.3}, {"half_life": 0.5}, {"max_changed": 0.04}],
)
def test_with_every_option(decoding: Backend, clip: Path, background: str, options: dict[str, Any]) -> None:
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu", background=background, **options)
    on_gpu = motion_heatmap(clip, backend=decoding, decode="gpu", background=background, **options)
    assert_same(on_gpu, on_cpu)
    np.testing.assert_array_equal(on_gpu.decayed, on_cpu.decayed)
    assert on_gpu.facts["input"]["decoded_on"] == "gpu"


@pytest.mark.parametrize("jobs", [2, 3])
def test_by_several_decoders(decoding: Backend, clip: Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu", jobs=1)
    on_gpu = motion_heatmap(clip, backend=decoding, decode="gpu", jobs=jobs)
    assert_same(on_gpu, on_cpu)
    assert on_gpu.facts["input"]["decoded_on"] == "gpu"


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "decord/flipping_a_pancake.mkv",
        "torchcodec/bt601_full_range.mp4",
        "torchcodec/discard_first_keyframe.mp4",
        "torchcodec/nasa_13013_rotated.mp4",
        "torchcodec/test_non_zero_start.mp4",
        "torchcodec/testsrc2_vp9.webm",
    ],
)
def test_real_clips(decoding: Backend, real_data: Path, name: str) -> None:
    options: dict[str, Any] = {"end": 1.5, "background": "first"}
    path = real_data / "video" / name
    on_gpu = motion_heatmap(path, backend=decoding, decode="gpu", **options)
    assert_same(on_gpu, motion_heatmap(path, backend="numba", decode="cpu", **options))
    assert on_gpu.facts["input"]["decoded_on"] == "gpu"


# --- when what is done ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["needed", "others", "random"])
@pytest.mark.parametrize("blocking", [False, True])
def test_streams_run_as_late_as_they_may(
    order: Any, blocking: bool, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No picture is read before it is there, nor its memory written over before it was read."""
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu", background="first")
    for seed in range(3):
        backend, cupy, nvdec = stand_in(monkeypatch, order=order, seed=seed)
        monkeypatch.setattr(CudaBackend, "frames_at_once", 4)
        with cupy.cuda.Stream(non_blocking=not blocking):
            assert_same(motion_heatmap(clip, backend=backend, decode="gpu", background="first"), on_cpu)
        monkeypatch.undo()
        assert nvdec.opened == [{"primary_ctx": "0", "current_ctx": "1"}]


@pytest.mark.parametrize("shortest", [2, 1000])
def test_threads_have_streams_of_their_own(shortest: int, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu", background="first")
    backend, cupy, _ = stand_in(monkeypatch, order="needed")
    monkeypatch.setattr(keyframes, "SHORTEST", shortest)
    with cupy.cuda.Stream(non_blocking=True):
        assert_same(motion_heatmap(clip, backend=backend, decode="gpu", background="first", jobs=2), on_cpu)


def test_on_the_backends_own_device(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = HostCupy(devices=2)
    nvdec = Nvdec(cupy)
    monkeypatch.setattr(av, "open", nvdec.open)
    heatmap = motion_heatmap(clip, backend=CupyBackend(1, module=cupy), decode="gpu")
    assert len(nvdec.opened) == 1
    assert_same(heatmap, motion_heatmap(clip, backend="numpy", decode="cpu"))


def test_the_memory_of_pictures_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the video is: what waits, is read ahead, or may have been spoilt by damage is held."""
    monkeypatch.setattr(CudaBackend, "frames_at_once", 4)
    most = []
    for frames in (60, 120):
        path = encode(tmp_path / f"{frames}.mp4", pictures(frames, 32, 48), options={"x264-params": X264})
        backend, _, nvdec = stand_in(monkeypatch)
        motion_heatmap(path, backend=backend, decode="gpu")
        monkeypatch.undo()
        monkeypatch.setattr(CudaBackend, "frames_at_once", 4)
        assert nvdec.held == 0
        most.append(nvdec.most_held)
    assert max(most) <= 35  # how many of these is a matter of threads


@pytest.fixture
def one_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches end where another slice of the time line begins: here none does."""
    monkeypatch.setattr(over_time, "SHORTEST", 1000)


@pytest.mark.usefixtures("one_slice")
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_batches(frames: int, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu", max_changed=0.05)
    backend, _, _ = stand_in(monkeypatch)
    monkeypatch.setattr(CudaBackend, "frames_at_once", frames)
    choices: tuple[Literal["cpu", "gpu"], ...] = ("cpu", "gpu")
    for decode in choices:
        sizes = pushed(monkeypatch)
        heatmap = motion_heatmap(clip, backend=backend, decode=decode, max_changed=0.05)
        assert_same(heatmap, on_cpu)
        assert sizes == [frames] * (40 // frames) + [40 % frames] * (40 % frames > 0)


def pushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames are pushed at a time, from now on."""
    sizes: list[int] = []
    push = MotionCounter.push

    def noted(counter: MotionCounter, frames: Any, *arguments: Any, **options: Any) -> None:
        sizes.append(len(frames[0]))
        push(counter, frames, *arguments, **options)

    monkeypatch.setattr(MotionCounter, "push", noted)
    return sizes


@pytest.mark.usefixtures("one_slice")
def test_a_batch_is_no_larger_than_some_bytes(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, _, _ = stand_in(monkeypatch)
    monkeypatch.setattr(CudaBackend, "bytes_at_once", 5 * 72 * 96 * 3 // 2 + 1)
    sizes = pushed(monkeypatch)
    motion_heatmap(clip, backend=backend, decode="gpu")
    assert sizes == [5] * 8


@pytest.mark.usefixtures("one_slice")
@pytest.mark.parametrize(("decode", "memory"), [("cpu", 5_200_000), ("gpu", 8_400_000)])
def test_a_batch_that_does_not_fit_is_halved(
    decode: Any, memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 frames take 3.5 MB, and 5.5 MB as they are decoded, or 2 MB for their upload."""
    path = encode(tmp_path / "clip.mp4", pictures(30, 240, 320), options={"x264-params": "bframes=0"})
    on_cpu = motion_heatmap(path, backend="numpy", decode="cpu", background="first")
    backend, _, _ = stand_in(monkeypatch, memory=memory)
    sizes = pushed(monkeypatch)
    assert_same(motion_heatmap(path, backend=backend, decode=decode, background="first"), on_cpu)
    assert sum(sizes) == 30
    assert max(sizes) == 15


@pytest.mark.usefixtures("one_slice")
@pytest.mark.parametrize("decode", ["cpu", "gpu"])
def test_no_picture_comes_to_the_host(decode: Any, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu")
    backend, _, _ = stand_in(monkeypatch)
    monkeypatch.setattr(CudaBackend, "frames_at_once", 5)
    shapes = []
    get = HostArray.get

    def noted(array: HostArray, *arguments: Any, **options: Any) -> Any:
        shapes.append(array.shape)
        return get(array, *arguments, **options)

    monkeypatch.setattr(HostArray, "get", noted)
    assert_same(motion_heatmap(clip, backend=backend, decode=decode), on_cpu)
    chroma = [(36, 48, 2)] if decode == "gpu" else [(36, 48)] * 2
    assert sorted(shapes) == [
        *chroma,
        (39,),
        *[(72, 96)] * 3,
    ]  # sums, the moved pixels, and the counts: for the time line, too


def test_sums_of_more_pictures_than_32_bits_hold(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu")
    backend, _, _ = stand_in(monkeypatch)
    monkeypatch.setattr(CudaBackend, "frames_at_once", 6)
    monkeypatch.setattr(picture_sums, "MOST", 13)
    assert_same(motion_heatmap(clip, backend=backend, decode="gpu"), on_cpu)


class InterruptionError(Exception):
    """Comes when all that was read was counted."""


@pytest.mark.parametrize(("first", "second"), [("gpu", "gpu"), ("gpu", "cpu"), ("cpu", "gpu")])
@pytest.mark.parametrize("background", ["mean", "median"])
def test_a_run_goes_on_where_the_pictures_are_decoded_elsewhere(
    first: str, second: str, background: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu", background=background)
    monkeypatch.setattr(CudaBackend, "frames_at_once", 6)
    backend, _, nvdec = stand_in(monkeypatch)
    asked = {"background": background, "backend": backend, "jobs": 1, "checkpoint": tmp_path / "point"}
    usual = {name: option.default for name, option in signature(motion_heatmap).parameters.items()}
    names = {*signature(MotionRun).parameters, *signature(Recipe).parameters} & {*usual} - {"source"}
    options: dict[str, Any] = {name: (usual | asked)[name] for name in names}

    def stop(done: int, _: int | None) -> None:
        if run.tally.numbers and done >= 25:
            raise InterruptionError

    with MotionRun(clip, **options | {"decode": first}) as run:
        with pytest.raises(InterruptionError):
            run.count(stop)
        assert run.save()
        assert len(run.tally.numbers) % 6 == 0
    with MotionRun(clip, **options | {"decode": second}) as run:
        assert run.tally.numbers
        run.count()
        assert_same(run.result(), on_cpu)
    assert len(nvdec.opened) == [first, second].count("gpu")


# --- what the GPU does not do -----------------------------------------------------------------------------------


def refused(path: Path, backend: Any, reason: str, **options: Any) -> None:
    """An explicit choice of the GPU is an error, the automatic one takes the CPU and says why."""
    with pytest.raises(OptionError, match=rf"{path.name} cannot be decoded on the GPU: .*{reason}"):
        motion_heatmap(path, backend=backend, decode="gpu", **options)
    facts = motion_heatmap(path, backend=backend, **options).facts
    assert facts["input"]["decoded_on"] == "cpu"
    assert reason in facts["input"]["on_cpu_because"]
    assert facts["warnings"] == []


def test_another_backend(clip: Path) -> None:
    refused(clip, "numba", "the backend numba takes no pictures from a GPU's decoder")
    assert motion_heatmap(clip, backend="numba", decode="cpu").facts["input"]["on_cpu_because"] == "asked for"


@pytest.mark.parametrize(
    ("codec", "form", "reason"),
    [
        ("mpeg4", "yuv420p", "the standard of mpeg4 leaves the last bit"),
        ("mpeg2video", "yuv420p", "the standard of mpeg2video leaves the last bit"),
        ("msmpeg4", "yuv420p", "FFmpeg decodes msmpeg4v3 with msmpeg4, which does not use GPUs"),
        ("libx264", "yuv444p", "its pictures are yuv444p"),
        ("libx264", "yuv420p10le", "its pictures are yuv420p10le"),
    ],
)
def test_codecs_and_formats(
    codec: str, form: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "clip.avi", pictures(6), codec=codec, pix_fmt=form)
    backend, _, nvdec = stand_in(monkeypatch)
    refused(path, backend, reason)
    assert nvdec.opened == []


def test_odd_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "clip.webm", pictures(6, 71, 95), codec="libvpx-vp9")
    backend, _, _ = stand_in(monkeypatch)
    refused(path, backend, "95 x 71 px have odd sides")


@pytest.mark.parametrize("options", [{"pixels": "luma"}, {"downscale": 2}])
def test_what_is_computed_on_the_host_is_decoded_there(
    options: dict[str, Any], clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, _, nvdec = stand_in(monkeypatch)
    facts = motion_heatmap(clip, backend=backend, **options).facts["input"]
    assert nvdec.opened == []
    assert facts["on_cpu_because"] == "brightness and means of blocks are computed on the host"
    assert motion_heatmap(clip, backend=backend).facts["input"]["decoded_on"] == "gpu"


def test_without_a_driver(clip: Path) -> None:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        pass
    else:
        pytest.skip("there is a driver")
    backend = CupyBackend(module=HostCupy())
    with pytest.raises(BackendUnavailableError, match=r"^FFmpeg cannot decode on GPU 0: .*Operation not permitted"):
        motion_heatmap(clip, backend=backend, decode="gpu")
    facts = motion_heatmap(clip, backend=backend).facts["input"]
    assert facts["decoded_on"] == "cpu"
    assert "FFmpeg cannot decode on GPU 0" in facts["on_cpu_because"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"interlaced_frame": True}, "a picture is interlaced"),
        ({"colorspace": 9}, r"pictures of its colour matrix (9)"),
        ({"width": 94}, "its pictures of 94 x 72 px are to be cropped to 96 x 72 px"),
        (None, "NVDEC does not take it, and FFmpeg gave a picture in yuv420p"),
    ],
)
@pytest.mark.parametrize("first", [0, 25])
@pytest.mark.parametrize("jobs", [1, 2])
def test_from_a_picture_on_that_only_the_cpu_can_do(
    change: Any, reason: str, first: int, jobs: int, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu")
    backend, _, nvdec = stand_in(monkeypatch)
    monkeypatch.setattr(CudaBackend, "frames_at_once", 5)
    if change is None:
        nvdec.refused_from = first
    else:
        nvdec.changes[first] = change
    heatmap = motion_heatmap(clip, backend=backend, jobs=jobs)
    assert_same(heatmap, on_cpu)
    facts = heatmap.facts["input"]
    if jobs == 2 and first > 12:  # each decoder counts its own pictures: the change is not met there
        return
    assert facts["decoded_on"] == "gpu and cpu"
    assert facts["on_cpu_from_frame"] <= first
    assert reason in facts["on_cpu_because"]
    monkeypatch.setattr(CudaBackend, "frames_at_once", 64)  # all that were read wait when the error comes
    error = VideoError if first == 0 else IncompleteError
    with pytest.raises(error, match=r"cannot be decoded on the GPU from frame \d+ on: ") as caught:
        motion_heatmap(clip, backend=backend, jobs=jobs, decode="gpu")
    if isinstance(caught.value, IncompleteError):
        assert 1 < caught.value.heatmap.facts["input"]["frames_compared"] <= first


@pytest.mark.parametrize("decode", ["auto", "gpu"])
def test_damage_is_left_to_the_cpu(decode: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "clip.mkv", pictures(60), options={"x264-params": X264})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = [bytes(packet) for packet in container.demux(video=0) if packet.size][30]
    where = data.index(packet)
    data[where : where + len(packet)] = bytes(len(packet))
    path.write_bytes(data)
    on_cpu = motion_heatmap(path, backend="numpy", decode="cpu", jobs=1)
    assert on_cpu.facts["input"]["damaged_from_frame"] is not None
    backend, _, _ = stand_in(monkeypatch)
    heatmap = motion_heatmap(path, backend=backend, decode=decode)
    assert_same(heatmap, on_cpu)
    facts, expected = heatmap.facts["input"], on_cpu.facts["input"]
    assert facts["decoded_on"] == "gpu and cpu"
    for name in ("damaged_from_frame", "corrupt_frames", "broken_packets", "frames_decoded"):
        assert facts[name] == expected[name]
    line = f"decoded by the CPU from frame {facts['on_cpu_from_frame']:,} on: something cannot be decoded there"
    assert any(line in warning for warning in heatmap.facts["warnings"]) == (decode == "gpu")


@pytest.mark.parametrize(("name", "number"), [("breaks_at", 0), ("breaks_at", 20), ("lost_from", 39)])
def test_what_the_gpu_fails_at_may_be_whole(
    name: str, number: int, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_cpu = motion_heatmap(clip, backend="numpy", decode="cpu")
    backend, _, nvdec = stand_in(monkeypatch)
    setattr(nvdec, name, number)
    heatmap = motion_heatmap(clip, backend=backend)
    assert_same(heatmap, on_cpu)
    assert heatmap.facts["warnings"] == []
    assert heatmap.facts["input"]["on_cpu_because"] == "something cannot be decoded there, which the CPU looks at"
    assert heatmap.facts["input"]["on_cpu_from_frame"] <= number


def test_a_matrix_that_changes_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs on both sides of the change are compared as they lie, the one across as BGR."""
    halves = [
        encode(tmp_path / f"{matrix}.h264", pictures()[half], options={"x264-params": f"colormatrix={matrix}"})
        for matrix, half in (("bt709", slice(20)), ("smpte170m", slice(20, None)))
    ]
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(half.read_bytes() for half in halves))
    on_cpu = motion_heatmap(path, backend="numpy", decode="cpu")
    backend, _, _ = stand_in(monkeypatch)
    heatmap = motion_heatmap(path, backend=backend, decode="gpu")
    assert_same(heatmap, on_cpu)
    assert heatmap.facts["input"]["compared_as"] == ["bgr24", "nv12"]


def test_a_choice_that_is_none(clip: Path) -> None:
    with pytest.raises(OptionError, match=r"^decode must be one of auto, cpu, gpu, got 'nvdec'$"):
        motion_heatmap(clip, decode="nvdec")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="frames in memory are decoded already"):
        motion_heatmap(pictures(3), decode="gpu")
