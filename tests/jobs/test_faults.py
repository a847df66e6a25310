"""What goes wrong while a video is read or a result written: a clear line, what was counted is kept, and an end."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import decoded, encode, noisy_scene, recipe, scene
from result_files import MOTION_FILES

from gpuheat import MotionHeatmap, OptionError, motion_heatmap
from gpuheat.errors import IncompleteError, OutputError, VideoError
from gpuheat.inputs import keyframes, video_file, video_part, watch
from gpuheat.inputs.container import decoded as decoded_by_ffmpeg
from gpuheat.inputs.video import VideoReader
from gpuheat.jobs import read_ahead, side_by_side
from gpuheat.jobs.motion_run import MotionRun
from gpuheat.outputs.files import OutputFolder

IMPATIENT = """
from gpuheat.inputs import watch
from gpuheat.jobs import read_ahead
from gpuheat.cli import main
watch.PATIENCE, read_ahead.GRACE = 1.0, 0.2
main()
"""
WHOLE: dict[str, Any] = (
    {"threshold": 25, "pixels": "bgr", "half_life": None, "every": 1, "start": None, "end": None, "downscale": 1}
    | {"mask": None, "max_changed": 1.0, "background": "mean", "blur": 0.0, "times": None, "backend": "numpy"}
    | {"decode": "auto", "max_pixels": 2**28}
)
X264 = {"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=2"}


def assert_frames(heatmap: MotionHeatmap, path: Path, frames: int) -> None:
    """What was counted are the first so many frames of a video."""
    accumulator, moved = recipe(frame.bgr for frame in decoded(path)[:frames])
    np.testing.assert_array_equal(heatmap.accumulator, accumulator)
    assert heatmap.moved.tolist() == moved


def command(*arguments: object, code: str = "from gpuheat.cli import main; main()") -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


# --- reading that makes no progress ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("stream") / "whole.ts", scene(60, 96, 128), options=X264)


@contextmanager
def pipe(path: Path, data: bytes) -> Iterator[Path]:
    """A named pipe that gives the data and then nothing more, but stays open."""
    os.mkfifo(path)
    over = threading.Event()

    def give() -> None:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            over.wait()

    giving = threading.Thread(target=give)
    giving.start()
    try:
        yield path
    finally:
        over.set()
        giving.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 1.0)
    for module in (read_ahead, side_by_side):
        monkeypatch.setattr(module, "GRACE", 0.2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_pipe_that_gives_nothing_more(tmp_path: Path, stream: Path, jobs: int) -> None:
    data = stream.read_bytes()
    with pipe(tmp_path / "pipe.ts", data[: len(data) * 3 // 4]) as path:
        with pytest.raises(IncompleteError, match=r"pipe\.ts: reading made no progress for 1 s") as caught:
            motion_heatmap(path, jobs=jobs)
        so_far = caught.value.heatmap
        assert len(so_far.moved) >= 20
        assert_frames(so_far, stream, len(so_far.moved) + 1)
        assert so_far.facts["input"]["stopped"] == str(caught.value)


def test_a_pipe_is_read_to_its_end_and_only_once(tmp_path: Path, stream: Path) -> None:
    path = tmp_path / "pipe.ts"
    os.mkfifo(path)
    giving = threading.Thread(target=path.write_bytes, args=(stream.read_bytes(),))
    giving.start()
    assert_frames(motion_heatmap(path, jobs=3), stream, 60)
    giving.join()


def test_the_command_line_ends_with_what_was_counted(tmp_path: Path, stream: Path) -> None:
    data = stream.read_bytes()
    with pipe(tmp_path / "pipe.ts", data[: len(data) * 3 // 4]) as path:
        arguments = ("motion", path, "-o", tmp_path / "out", "--backend", "numpy")
        done = subprocess.run(
            command(*arguments, code=IMPATIENT), capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == f"gpuheat: error: {path}: reading made no progress for 1 s and was ended"
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == MOTION_FILES
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert "no progress" in summary["input"]["stopped"]
    assert summary["input"]["frames_compared"] >= 20


@pytest.mark.usefixtures("impatient")
def test_a_pipe_that_nobody_writes_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ts")
    with pytest.raises(VideoError, match="no progress"):
        motion_heatmap(tmp_path / "pipe.ts")
    os.close(os.open(tmp_path / "pipe.ts", os.O_WRONLY))  # let the thread go that hangs


def test_ctrl_c_does_not_wait_for_what_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ts")
    arguments = command("motion", tmp_path / "pipe.ts", "-o", tmp_path / "out", "--backend", "numpy")
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 30
        while not (tmp_path / "out").exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.strip() == "gpuheat: error: interrupted"
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("impatient")
def test_one_of_several_decoders_that_never_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    path = encode(tmp_path / "clip.mp4", scene(60, 96, 128), options=X264)
    come_back = threading.Event()

    def hanging(container: Any, stream: Any, watched: watch.Watch, begin: Any, end: Any) -> Iterator[Any]:
        if begin is not None and begin.number == 24:
            with watched:
                come_back.wait()
        yield from decoded_by_ffmpeg(container, stream, watched, begin, end)

    monkeypatch.setattr(video_part, decoded_by_ffmpeg.__name__, hanging)
    with pytest.raises(IncompleteError, match="no progress") as caught:
        motion_heatmap(path, jobs=2)
    come_back.set()
    assert_frames(caught.value.heatmap, path, 24)


def test_a_call_is_given_the_time_it_was_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 3.0)
    watched = watch.Watch(Path("a.mp4"))
    for _ in range(5):
        with watched:  # a new call each time
            watched.look(2.0)
    watched.look(5.0)  # nothing is under way
    with watched:
        watched.look(2.0)
        with pytest.raises(VideoError, match=r"a\.mp4: reading made no progress for 3 s"):
            watched.look(1.0)
        assert not watched.give_up()
    assert watched.give_up()
    with pytest.raises(watch.GivenUpError), watched:
        pass


# --- files that change ----------------------------------------------------------------------------------------------


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A clip of 2 MB, more than is read at once."""
    return encode(tmp_path / "clip.avi", scene(100, 64, 96), codec="rawvideo", pix_fmt="bgr24")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_vanishes_is_read_to_its_end(raw: Path, tmp_path: Path, jobs: int) -> None:
    kept = tmp_path / "kept.avi"
    os.link(raw, kept)
    heatmap = motion_heatmap(raw, jobs=jobs, progress=lambda *_: raw.unlink(missing_ok=True))
    assert not raw.exists()
    assert_frames(heatmap, kept, 100)
    assert heatmap.facts["input"]["bytes"] == kept.stat().st_size


def test_a_damaged_file_that_vanishes_is_used_up_to_the_damage(tmp_path: Path) -> None:
    """What is damaged would have to be opened again."""
    path = encode(tmp_path / "clip.mkv", scene(100), options={"g": "1"})
    data = bytearray(path.read_bytes())
    data[len(data) * 9 // 10 :] = bytes(len(data) - len(data) * 9 // 10)
    path.write_bytes(data)
    kept = tmp_path / "kept.mkv"
    os.link(path, kept)
    with pytest.raises(IncompleteError, match=r"clip\.mkv: cannot be opened as a video: No such file") as caught:
        motion_heatmap(path, jobs=1, progress=lambda *_: path.unlink(missing_ok=True))
    assert len(caught.value.heatmap.moved) >= 60
    assert_frames(caught.value.heatmap, kept, len(caught.value.heatmap.moved) + 1)
    kept.replace(path)
    other = encode(tmp_path / "other.mkv", scene(3))

    def replace(*_: object) -> None:
        if other.exists():
            other.replace(path)

    with pytest.raises(IncompleteError, match=r"clip\.mkv: was replaced by another file while it was read"):
        motion_heatmap(path, jobs=1, progress=replace)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_is_cut_off_while_it_is_read(
    raw: Path, tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    whole = tmp_path / "whole.avi"
    whole.write_bytes(raw.read_bytes())
    size = raw.stat().st_size
    half = size // 2
    with pytest.raises(IncompleteError, match=f"was cut off while it was read, from {size:,} to {half:,}") as caught:
        motion_heatmap(raw, jobs=jobs, progress=lambda *_: os.truncate(raw, half))
    assert 40 <= len(caught.value.heatmap.moved) < 60
    assert_frames(caught.value.heatmap, whole, len(caught.value.heatmap.moved) + 1)


BROKEN_DISK = r"""
#include <dlfcn.h>
#include <errno.h>
#include <string>
#include <unistd.h>

// read(2) as on a disk that is broken behind 300,000 bytes of the file broken.avi
extern "C" ssize_t read(int file, void* data, size_t size) {
  static const auto read_well = reinterpret_cast<ssize_t (*)(int, void*, size_t)>(dlsym(RTLD_NEXT, "read"));
  char path[4096];
  const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), path, sizeof path);
  const bool is_broken = length > 0 && std::string(path, length).find("broken.avi") != std::string::npos;
  if (is_broken && lseek(file, 0, SEEK_CUR) >= 300000) {
    errno = EIO;
    return -1;
  }
  return read_well(file, data, size);
}
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_that_cannot_be_read(raw: Path, tmp_path: Path, jobs: int) -> None:
    path = raw.rename(tmp_path / "broken.avi")
    (tmp_path / "read.cpp").write_text(BROKEN_DISK)
    compiler = ["g++", "-shared", "-fPIC", "-o", str(tmp_path / "read.so"), str(tmp_path / "read.cpp"), "-ldl"]
    subprocess.run(compiler, check=True, timeout=60)
    arguments = command("motion", path, "-o", tmp_path / "out", "--backend", "numpy", "--jobs", jobs)
    environment = os.environ | {"LD_PRELOAD": str(tmp_path / "read.so")}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1] == f"gpuheat: error: {path}: cannot be read on: Input/output error"
    counts = np.load(tmp_path / "out" / "counts.npy")
    frames = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))["input"]["frames_compared"]
    assert frames == 300_000 // (64 * 96 * 3) - 1 or frames == 300_000 // (64 * 96 * 3)
    np.testing.assert_array_equal(255 * counts, recipe(frame.bgr for frame in decoded(path)[:frames])[0])


def test_a_size_that_changes_half_way_on_the_command_line(tmp_path: Path) -> None:
    pieces = [
        encode(tmp_path / f"{side}.h264", scene(20, side, side), container_format="h264").read_bytes()
        for side in (48, 96)
    ]
    path = tmp_path / "clip.h264"
    path.write_bytes(b"".join(pieces))
    arguments = ("motion", path, "-o", tmp_path / "out", "--backend", "numpy")
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    told = f"{path}: the picture changes from 48 x 48 to 96 x 96 px at frame "
    assert done.stderr.splitlines()[-1].startswith(f"gpuheat: error: {told}")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert summary["input"]["stopped"].startswith(told)
    assert summary["warnings"][0].startswith("incomplete: ")
    counts = np.load(tmp_path / "out" / "counts.npy")
    np.testing.assert_array_equal(255 * counts, recipe(f.bgr for f in decoded(tmp_path / "48.h264"))[0])


# --- sizes nobody has memory for ------------------------------------------------------------------------------------


def test_pictures_larger_than_is_allowed(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", scene(5))
    assert len(motion_heatmap(path, max_pixels=48 * 64).moved) == 4
    for jobs in (1, 2):
        with pytest.raises(VideoError, match=r"64 x 48 px have more than the 3,071 pixels allowed.*--max-pixels"):
            motion_heatmap(path, max_pixels=48 * 64 - 1, jobs=jobs)
    wrong: Any
    for wrong in (0, -1, 2**28 + 1, 1.5, "many"):
        with pytest.raises(OptionError, match="max_pixels"):
            motion_heatmap(path, max_pixels=wrong)


@pytest.mark.parametrize("side", [15_000, 100_000])
def test_a_header_that_promises_a_huge_picture(tmp_path: Path, side: int) -> None:
    path = encode(tmp_path / "clip.avi", scene(5), codec="rawvideo", pix_fmt="bgr24")
    data = bytearray(path.read_bytes())
    size = data.index(b"strf") + 12
    data[size : size + 8] = 2 * side.to_bytes(4, "little")
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(VideoError, match=r"clip\.avi: (its pictures of|not one frame .* no size of the picture)"):
        motion_heatmap(path, max_pixels=10_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KB


# --- results that cannot be written ---------------------------------------------------------------------------------


def test_a_full_disk(tmp_path: Path) -> None:
    """Files may not grow beyond some bytes: the system refuses them as it does on a full disk."""
    path = encode(tmp_path / "clip.mp4", scene(5))
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); from gpuheat.cli import main; "
    arguments = ("motion", path, "-o", tmp_path / "new" / "out", "--backend", "numpy")
    done = subprocess.run(
        command(*arguments, code=limited + "main()"), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(f"gpuheat: error: cannot write {tmp_path / 'new' / 'out'}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["counts.npy", "heatmap.png"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    def write() -> None:
        with OutputFolder(tmp_path / "out") as out:
            if name == "counts.npy":
                out.write_array(name, np.zeros((100, 100), np.uint32))
            else:
                out.write(name, bytes(40_000))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(OutputError, match=rf"cannot write .*{name}: .*(too large|is the disk full)"):
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "out").exists()


def test_a_folder_in_which_nothing_can_be_made() -> None:
    with pytest.raises(OptionError, match="cannot write into the folder /proc/nothing: No such file"):
        OutputFolder("/proc/nothing")


# --- what is missing or damaged half way ----------------------------------------------------------------------------


def assert_plain(path: Path) -> None:
    """However many decoders there are, what is counted are the frames that FFmpeg gives with one thread."""
    accumulator, moved = recipe(frame.bgr for frame in decoded(path))
    for jobs in (1, 2, 3):
        heatmap = motion_heatmap(path, jobs=jobs, backend="numpy", background="first")
        assert heatmap.moved.tolist() == moved
        np.testing.assert_array_equal(heatmap.accumulator, accumulator)


def packets_of(path: Path) -> list[int]:
    """Where each packet of a video begins, bytes."""
    with av.open(str(path)) as container:
        return [int(packet.pos or 0) for packet in container.demux(video=0) if packet.size > 0]


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = "keyint=20:min-keyint=20:scenecut=0:open-gop=1:bframes=4:ref=5:b-pyramid=strict:b-adapt=0"
    path = tmp_path_factory.mktemp("pyramid") / "whole.mkv"
    return encode(path, noisy_scene(60, seed=2), options={"x264-params": options})


@pytest.mark.parametrize(
    ("first", "lost"),
    [
        (18, 2),  # behind it the file says that frames are shown in a million years
        (21, 2),  # frames that were lost behind a cut change the order of those before it
        (21, 5),
        (37, 5),  # three threads show another picture, and notice later
    ],
)
def test_packets_that_are_lost(
    pyramid: Path, tmp_path: Path, first: int, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    monkeypatch.setattr(video_file, "ALL_PROCESSORS", 3)
    places = packets_of(pyramid)
    data = pyramid.read_bytes()
    path = tmp_path / "clip.mkv"
    path.write_bytes(data[: places[first]] + data[places[first + lost] :])
    assert_plain(path)


def test_an_avi_file_that_lost_its_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then each of its packets is said to be a key frame."""
    monkeypatch.setattr(keyframes, "SHORTEST", 30)
    path = encode(tmp_path / "clip.avi", noisy_scene(67, seed=1), codec="msmpeg4v2", options={"g": "20"})
    os.truncate(path, path.stat().st_size * 9 // 10)
    assert_plain(path)


@pytest.mark.parametrize("codec", ["ffv1", "libvpx"])
def test_damage_that_is_passed_over_in_silence(tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a picture shows what was in its memory before, which must not depend on how it is decoded."""
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    whole = encode(tmp_path / "whole.mkv", noisy_scene(40), codec=codec, options={"g": "12"})
    data, places = whole.read_bytes(), packets_of(whole)
    for number in range(3, 36, 4):
        bad = bytearray(data)
        begin, end = places[number], places[number + 1]
        if codec == "ffv1":
            bad[(begin + end) // 2 : end - 10] = bytes(end - 10 - (begin + end) // 2)
        else:
            bad[begin + 10] ^= 1 << number % 8  # it says how long the header of the picture is
        path = tmp_path / f"{number}.mkv"
        path.write_bytes(bad)
        assert_plain(path)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A screen on which nothing changes now and then: 0.98 s behind frame 19, 4 s behind 39, 2.5 s behind 79."""
    pauses = {20: Fraction(94, 100), 40: Fraction(396, 100), 80: Fraction(246, 100)}
    times = [Fraction(0)]
    for number in range(1, 100):
        times.append(times[-1] + Fraction(4, 100) + pauses.get(number, 0))
    path = tmp_path_factory.mktemp("recording") / "clip.mkv"
    return encode(path, noisy_scene(100), times=times, time_base=Fraction(1, 1000), options=X264)


def gaps(heatmap: MotionHeatmap) -> list[str]:
    return [warning.partition(": ")[2] for warning in heatmap.facts["warnings"]]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_gaps_are_told(recording: Path, tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    with VideoReader(recording) as reader:
        shortest = 10 * reader.frame_interval
    assert shortest < Fraction(2)
    end = "frames were lost there, or none was recorded"
    both = f"no frame for more than {float(max(Fraction(1), shortest)):.1f} s in 2 places, the longest time being 4.0 s"
    told = [f"{both} from 2.5 s on, behind frame 39: {end}"]
    options: Any
    for options in ({}, {"every": 7}, {"start": 5, "every": 3}, {"start": 7}, {"pixels": "luma"}):
        assert gaps(motion_heatmap(recording, jobs=jobs, backend="numpy", **options)) == told
    assert gaps(motion_heatmap(recording, jobs=jobs, backend="numpy", end=2.4)) == []
    assert gaps(motion_heatmap(recording, keyframes=True, backend="numpy")) == []

    def stop(done: int, _expected: int | None) -> None:
        if done >= 50:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint.npz"
    with MotionRun(recording, **WHOLE, jobs=jobs, checkpoint=checkpoint) as run:
        with pytest.raises(KeyboardInterrupt):
            run.count(stop)
        assert run.save()
    for others in (1, 2):
        kept = tmp_path / f"{others}.npz"
        kept.write_bytes(checkpoint.read_bytes())
        assert gaps(motion_heatmap(recording, jobs=others, backend="numpy", checkpoint=kept)) == told


def test_frames_that_were_lost_leave_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    path = encode(tmp_path / "clip.mkv", noisy_scene(100), options={"x264-params": "keyint=5:min-keyint=5:bframes=0"})
    places, data = packets_of(path), bytearray(path.read_bytes())
    data[places[20] - 8 : places[55] - 8] = bytes(places[55] - places[20])
    path.write_bytes(data)
    told = "no frame for more than 1.0 s in 1 place, the longest time being 1."
    for jobs in (1, 2, 3):
        assert any(told in warning for warning in gaps(motion_heatmap(path, jobs=jobs, backend="numpy")))
