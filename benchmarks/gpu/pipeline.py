"""What surrounds the kernels: a launch, frames on their way to the device, and a whole video."""

from __future__ import annotations

import atexit
import shutil
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from benchmarks.case import SIZES, Case, Planned, Setting, Work
from benchmarks.checking import difference
from benchmarks.content import moving_band
from gpuheat import FrameLayout, MotionCounter, get_backend, motion_heatmap
from gpuheat.backends.base import DecodingBackend

if TYPE_CHECKING:
    from benchmarks.gpu.device import Device
    from gpuheat import Backend
    from gpuheat.inputs.gpu_decoding import Where

__all__ = ["planned"]

PUSHES: Final = 4  # one after the other, so that the upload of one overlaps the counting of the one before
FRAMES: Final = 8  # of a push
PINNED: Final = "pinned cudaMemcpyAsync"
INTO_PINNED: Final = "numpy.copyto, pageable to pinned"
EMPTY: Final = "empty RawKernel"
ON_GPU: Final = "decoded on the GPU"


def planned(setting: Setting) -> list[Planned]:
    """All cases."""
    size = SIZES[setting.sizes[0]]
    frames = 300 if len(setting.sizes) > 1 else 30
    clip = SIZES[setting.sizes[-1]]
    return [
        Planned(
            setting.suite, "one call: motion gray8, 1 pair of 16 x 16", partial(_launch, setting), clock="back to back"
        ),
        Planned(
            setting.suite,
            f"from host memory: {PUSHES} x {FRAMES} frames bgr24 of {size[1]} x {size[0]} pushed into MotionCounter",
            partial(_upload, setting, size),
            "each frame sent once",
            clock="host",
        ),
        Planned(
            setting.suite,
            f"video: motion_heatmap of {frames} frames H.264 of {clip[1]} x {clip[0]}",
            partial(_video, setting, clip, frames),
            clock="host",
            needs=("av",),
        ),
    ]


def _launch(setting: Setting, device: Device) -> Case:
    frames = moving_band(np.random.default_rng(1), (2, 16, 16))
    expected = np.zeros((16, 16), np.uint32)
    _compare(get_backend("numpy"), frames, expected, np.zeros(1, np.uint32))

    def ours(backend: Backend) -> Work:
        inputs = backend.asarray(frames)
        counts, moved = backend.zeros((16, 16), np.uint32), backend.zeros((1,), np.uint32)

        def off_by() -> float:
            fresh = backend.zeros((16, 16), np.uint32)
            _compare(backend, inputs, fresh, moved)
            return difference(backend.to_host(fresh), expected)

        return Work(lambda _: _compare(backend, inputs, counts, moved), off_by)

    def empty() -> Work:
        kernel = device.arrays.RawKernel('extern "C" __global__ void nothing() {}', "nothing")
        return Work(lambda _: kernel((1,), (32,), ()), lambda: 0.0)

    return Case(1, "calls", {b.name: partial(ours, b) for b in setting.backends}, {EMPTY: empty})


def _compare(backend: Backend, frames: Any, counts: Any, moved: Any) -> None:
    backend.add_motion(frames[0], frames[1:], FrameLayout.GRAY8, threshold=25, moved=moved, counts=counts)


def _upload(setting: Setting, size: tuple[int, int], device: Device) -> Case:
    frames = moving_band(np.random.default_rng(1), (FRAMES, *size, 3))
    reference = MotionCounter(*size, backend="numpy")
    reference.push(frames)
    expected = reference.result().counts

    def ours(backend: Backend) -> Work:
        counter = MotionCounter(*size, backend=backend)

        def push(_: int) -> None:
            for _ in range(PUSHES):
                counter.push(frames)
            backend.synchronize()

        def off_by() -> float:
            fresh = MotionCounter(*size, backend=backend)
            fresh.push(frames)
            return difference(fresh.result().counts, expected)

        return Work(push, off_by)

    def pinned_frames() -> Any:
        memory = device.arrays.cuda.alloc_pinned_memory(frames.nbytes)
        return np.frombuffer(memory, np.uint8, frames.nbytes).reshape(frames.shape)

    def plain_copy() -> Work:
        pinned = pinned_frames()
        pinned[:] = frames
        target = device.arrays.empty(frames.shape, np.uint8)
        runtime = device.arrays.cuda.runtime

        def send(_: int) -> None:
            for _ in range(PUSHES):
                to_device = runtime.memcpyHostToDevice
                runtime.memcpyAsync(target.data.ptr, pinned.ctypes.data, pinned.nbytes, to_device, 0)
            device.synchronize()

        def off_by() -> float:
            send(0)
            return difference(device.to_host(target), frames)

        return Work(send, off_by)

    def into_pinned() -> Work:
        pinned = pinned_frames()

        def fill(_: int) -> None:
            for _ in range(PUSHES):
                np.copyto(pinned, frames)

        def off_by() -> float:
            fill(0)
            return difference(pinned, frames)

        return Work(fill, off_by)

    return Case(
        PUSHES * FRAMES,
        "frames",
        {b.name: partial(ours, b) for b in setting.backends},
        {PINNED: plain_copy, INTO_PINNED: into_pinned},
        floor=PUSHES * frames.nbytes,
    )


def _video(setting: Setting, size: tuple[int, int], frames: int, _: Device) -> Case:
    from gpuheat.inputs.gpu_decoding import Decoding
    from gpuheat.inputs.video import VideoReader
    from gpuheat.jobs.demo import moving_dots, write_clip

    folder = mkdtemp(prefix="gpuheat-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    clip = Path(folder, "clip.mp4")
    clip.write_bytes(
        write_clip((np.asarray(cv2.resize(dots, size[::-1]), np.uint8) for dots in moving_dots(frames)), 30)
    )
    expected = motion_heatmap(clip, backend="numba").counts

    def work(backend: str | Backend, where: Where = "cpu") -> Work:
        def count() -> Any:
            return motion_heatmap(clip, backend=backend, decode=where).counts

        return Work(lambda _: count(), lambda: difference(count(), expected))

    def decode(backend: Backend | None, where: Where) -> Work:
        def read() -> int:
            with VideoReader(clip, decoding=Decoding(where, backend)) as reader:
                number = sum(1 for _ in reader)
            if backend is not None:
                backend.synchronize()
            return number

        return Work(lambda _: read(), lambda: float(read() - frames))

    decoding = [b for b in setting.backends if isinstance(b, DecodingBackend)]
    return Case(
        frames,
        "frames",
        {b.name: partial(work, b) for b in setting.backends}
        | {f"{b.name}, {ON_GPU}": partial(work, b, "gpu") for b in decoding},
        {"numba": partial(work, "numba"), "decoder alone": partial(decode, None, "cpu")}
        | {f"decoder of {b.name} alone": partial(decode, b, "gpu") for b in decoding},
    )
