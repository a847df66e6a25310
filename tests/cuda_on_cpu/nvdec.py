"""PyAV where it decodes on a GPU: what the CPU decoded, as NV12 in the memory of a HostCupy.

As with FFmpeg, a picture is not there yet when it is handed out: it is copied on the null stream, which runs late. Its
memory is its own as long as somebody holds it or a DLPack capsule of one of its planes; then it is written over on the
null stream at once, and the next picture's. Nothing can be done with a picture on the host.
"""

from __future__ import annotations

import ctypes
import weakref
from types import SimpleNamespace
from typing import Any, Final

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.video.stream import VideoStream
from numpy.typing import NDArray

from cuda_on_cpu.host_cupy import HostCupy

__all__ = ["Nvdec"]

GARBAGE: Final = 0x5A
PITCH: Final = 256  # bytes between rows, a multiple
CODED: Final = 16  # rows of a picture as it is coded, a multiple
COPIED: Final = (
    "pts",
    "time_base",
    "rotation",
    "is_corrupt",
    "interlaced_frame",
    "colorspace",
    "color_range",
)


class Nvdec:
    """Takes the place of ``av.open`` where that is given a ``hwaccel``.

    Attributes
    ----------
    held, most_held
        Pictures whose memory is their own now, and at most.
    refused_from
        The number of the first picture that FFmpeg gives decoded by the CPU; None: there is none.
    breaks_at, lost_from
        The number of the picture that cannot be decoded, and of the first that does not come out; None: there is none.
    changes
        Attributes of single pictures by their number, as they are to be instead.
    """

    def __init__(self, cupy: HostCupy) -> None:
        self._cupy = cupy
        self._open = av.open
        self.opened: list[dict[str, Any]] = []
        self.held = self.most_held = 0
        self.refused_from: int | None = None
        self.breaks_at: int | None = None
        self.lost_from: int | None = None
        self.changes: dict[int, dict[str, Any]] = {}

    def open(self, *arguments: Any, hwaccel: HWAccel | None = None, **options: Any) -> Any:
        """``av.open``."""
        container = self._open(*arguments, **options)
        if hwaccel is None:
            return container
        assert hwaccel.is_hw_owned
        assert hwaccel.device_id == self._cupy.cuda.Device().id, "its context is not the current one"
        self.opened.append(dict(hwaccel.options))
        return Container(container, self, hwaccel.device_id)

    def picture(self, number: int, decoded: av.VideoFrame, device: int) -> Any:
        """A picture decoded on a GPU."""
        if self.refused_from is not None and number >= self.refused_from:
            return decoded
        made = Picture(decoded, self._surface(decoded, device))
        for name, value in self.changes.get(number, {}).items():
            setattr(made, name, value)
        return made

    def _surface(self, decoded: av.VideoFrame, device: int) -> NDArray[np.uint8]:
        """(h + h / 2, pitch) uint8: the rows of Y, some that are not shown, and those of U and V."""
        height, width = -(-decoded.height // CODED) * CODED, -(-decoded.width // PITCH) * PITCH
        null = self._cupy.cuda.Stream.null
        with self._cupy.cuda.Device(device), null:
            memory = self._cupy._allocate((height + height // 2) * width)
        weakref.finalize(memory, self._give_up, ctypes.addressof(memory), len(memory), device).atexit = False
        self.held += 1
        self.most_held = max(self.most_held, self.held)
        surface = np.ndarray((height + height // 2, width), np.uint8, memory)
        target = self._cupy._without_owner(surface)
        y, u, v = (_values(plane) for plane in decoded.planes)

        def copy() -> None:
            target[: len(y), : y.shape[1]] = y
            target[height : height + len(u), : 2 * u.shape[1] : 2] = u
            target[height : height + len(v), 1 : 2 * v.shape[1] : 2] = v

        with self._cupy.cuda.Device(device):
            self._cupy._enqueue(copy, null)
        return surface

    def _give_up(self, address: int, nbytes: int, device: int) -> None:
        self.held -= 1
        with self._cupy.cuda.Device(device):
            self._cupy._enqueue(lambda: ctypes.memset(address, GARBAGE, nbytes), self._cupy.cuda.Stream.null)


class Container:
    """``av.container.InputContainer``, opened with a HWAccel."""

    def __init__(self, container: Any, nvdec: Nvdec, device: int) -> None:
        self._container = container
        self.streams = Streams(container.streams, nvdec, device)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def demux(self, stream: Stream) -> Any:
        """The packets of a stream."""
        return self._container.demux(stream.stream)

    def seek(self, offset: int, *, stream: Stream | None = None) -> None:
        """Go there."""
        self._container.seek(offset, stream=None if stream is None else stream.stream)


class Streams:
    """``av.container.StreamContainer``."""

    def __init__(self, streams: Any, nvdec: Nvdec, device: int) -> None:
        self._streams = streams
        self._nvdec, self._device = nvdec, device

    def __len__(self) -> int:
        return len(self._streams)

    def best(self, kind: str) -> Stream:
        """The best one of a kind."""
        return Stream(self._streams.best(kind), self._nvdec, self._device)


class Stream:
    """``av.video.stream.VideoStream``, of which there is no subclass."""

    def __init__(self, stream: Any, nvdec: Nvdec, device: int) -> None:
        self.stream = stream
        self.codec_context = CodecContext(stream.codec_context)
        self._nvdec, self._device = nvdec, device
        self._pictures = 0

    __class__ = VideoStream  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @property
    def thread_type(self) -> Any:
        """How it is decoded."""
        return self.stream.thread_type

    @thread_type.setter
    def thread_type(self, kind: str) -> None:
        self.stream.thread_type = kind

    def decode(self, packet: Any) -> list[Any]:
        """The pictures that a packet completes."""
        assert self.stream.codec_context.thread_count == 1, "threads of FFmpeg have nothing to do beside NVDEC"
        pictures = self.stream.decode(packet)
        self._pictures += len(pictures)
        numbers = range(self._pictures - len(pictures), self._pictures)
        if self._nvdec.breaks_at in numbers:
            raise av.InvalidDataError(0, "an error of NVDEC")
        lost_from = self._nvdec.lost_from
        return [
            self._nvdec.picture(number, picture, self._device)
            for number, picture in zip(numbers, pictures, strict=True)
            if lost_from is None or number < lost_from
        ]


class CodecContext:
    """``av.VideoCodecContext`` with a hardware device."""

    pix_fmt = "cuda"

    def __init__(self, context: Any) -> None:
        self.__dict__["context"] = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.context, name, value)


class Picture:
    """``av.VideoFrame`` in the format ``cuda``."""

    def __init__(self, decoded: av.VideoFrame, surface: NDArray[np.uint8]) -> None:
        self.width, self.height = decoded.width, decoded.height
        for name in COPIED:
            setattr(self, name, getattr(decoded, name))
        self.format = SimpleNamespace(name="cuda")
        rows, width = len(surface) // 3 * 2, surface.shape[1]
        chroma = surface[rows:].reshape(-1, width // 2, 2)
        self.planes = (
            Plane(surface[: self.height, : self.width]),
            Plane(chroma[: self.height // 2, : self.width // 2]),
        )


class Plane:
    """``av.video.plane.VideoPlane`` of such a picture."""

    def __init__(self, values: NDArray[np.uint8]) -> None:
        self._values = values

    def __dlpack__(self, *, stream: int | None = None) -> Any:
        if stream is not None:
            raise NotImplementedError("CUDA stream synchronization is not supported.")
        return self._values.__dlpack__()


def _values(plane: Any) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width].copy()
