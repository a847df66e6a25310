"""Decoding on the GPU: FFmpeg has NVDEC do it, and the pictures stay in the GPU's memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import av
import numpy as np
from av.codec.hwaccel import HWAccel, HWDeviceType

from gpuheat.backends.base import DecodingBackend
from gpuheat.errors import BackendUnavailableError, OptionError, VideoError
from gpuheat.inputs.container import open_video, pixel_format
from gpuheat.inputs.video_frame import VideoFrame, conversion_of
from gpuheat.pixels import FrameLayout, Pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from gpuheat.backends import Backend
    from gpuheat.inputs.remote import RemoteFile
    from gpuheat.inputs.watch import Watch

__all__ = ["ON_CPU", "WHERE", "Decoding", "GpuDecoder", "Where"]

Where = Literal["auto", "cpu", "gpu"]
WHERE: Final[tuple[Where, ...]] = ("auto", "cpu", "gpu")
EXACT: Final = ("h264", "hevc", "vp8", "vp9", "av1")
"""Codecs whose standard says what comes out to the last bit. MPEG-1, 2 and 4, VC-1 and JPEG leave some rounding to the
decoder, and the GPU's rounds differently."""
FORMATS: Final = ("yuv420p", "yuvj420p")  # what the CPU makes of those that are nv12 on the GPU


@dataclass(frozen=True)
class Decoding:
    """Where the pictures of a video are to be decoded.

    Attributes
    ----------
    where
        ``"auto"`` is the GPU where that works and is faster, else the CPU.
    backend
        What counts the frames.
    host_reason
        Why the frames are looked at on the host, which makes decoding them on the GPU slower; None: they are not.
    """

    where: Where = "cpu"
    backend: Backend | None = None
    host_reason: str | None = None

    def decoder(self, path: Path | RemoteFile, stream: VideoStream) -> GpuDecoder | str:
        """The GPU's decoder where it is to be used; else why not. ``stream`` was opened for the CPU.

        Raises
        ------
        OptionError
            If ``where`` is ``"gpu"`` and the backend or the video rules that out.
        """
        if not isinstance(self.backend, DecodingBackend):
            name = "none" if self.backend is None else self.backend.name
            return self.on_cpu(path, f"the backend {name} takes no pictures from a GPU's decoder, cupy does")
        reason = _refusal(stream) or (self.host_reason if self.where == "auto" else None)
        if self.where == "cpu" or reason is not None:
            return self.on_cpu(path, str(reason))
        return GpuDecoder(self.backend, (stream.width, stream.height))

    def on_cpu(self, path: Path | RemoteFile, reason: str) -> str:
        """Why a video is decoded on the CPU that cannot be on the GPU for this reason.

        Raises
        ------
        OptionError
            If ``where`` is ``"gpu"``.
        """
        if self.where == "gpu":
            raise OptionError(f"{path} cannot be decoded on the GPU: {reason}")
        return "asked for" if self.where == "cpu" else reason


ON_CPU: Final = Decoding()


class GpuDecoder:
    """NVDEC as FFmpeg drives it, on the GPU of a backend, for the pictures of one video.

    ``size`` is the (width, height) of the pictures as the CPU decodes them, px.
    """

    def __init__(self, backend: DecodingBackend, size: tuple[int, int]) -> None:
        self._backend = backend
        self._size = size

    def open(self, path: Path | RemoteFile, watch: Watch, max_pixels: int) -> tuple[InputContainer, VideoStream]:
        """The file and its best video stream, as :func:`gpuheat.inputs.container.open_video` gives them.

        Raises
        ------
        BackendUnavailableError
            If FFmpeg cannot use the GPU.
        """
        with self._backend.decoder_device() as number:
            accelerator = HWAccel(
                "cuda",
                device=str(number),
                is_hw_owned=True,  # pictures are not copied to the host
                allow_software_fallback=True,  # what NVDEC does not take is told by the pictures: see refusal()
                # the primary context by another name: FFmpeg refuses it as such where somebody used it before
                options={"primary_ctx": "0", "current_ctx": "1"},
            )
            try:
                return open_video(path, 1, watch, max_pixels, explode=True, hwaccel=accelerator)
            except VideoError as error:
                raise BackendUnavailableError(
                    f"FFmpeg cannot decode on GPU {number}: {error.__cause__ or error} (is the NVIDIA driver whole, "
                    "with libnvcuvid? in a container NVIDIA_DRIVER_CAPABILITIES needs 'video')"
                ) from error

    def refusal(self, picture: av.VideoFrame) -> str | None:
        """Why a picture is to be decoded by the CPU instead; None: it is as it should be."""
        size = picture.width, picture.height
        if picture.format.name != "cuda":
            return f"NVDEC does not take it, and FFmpeg gave a picture in {picture.format.name}"
        if size != self._size:  # at the left and the top FFmpeg crops pictures in the host's memory alone
            return f"its pictures of {size[0]} x {size[1]} px are to be cropped to {self._size[0]} x {self._size[1]} px"
        if picture.interlaced_frame:
            return "a picture is interlaced, which FFmpeg has to convert to BGR"
        if conversion_of(picture) is None:
            return f"FFmpeg has to convert pictures of its colour matrix ({picture.colorspace}) to BGR"
        return None

    def frame(
        self, number: int, time: Fraction, picture: av.VideoFrame, convert: Callable[[av.VideoFrame], av.VideoFrame]
    ) -> GpuFrame:
        """A picture that was not refused, as a frame."""
        return GpuFrame(number, time, picture, convert, self._backend)


@dataclass(frozen=True)
class GpuFrame(VideoFrame):
    """One frame whose picture lies in a GPU's memory, where it is compared; all else is done with a copy on the host.

    FFmpeg copies what NVDEC decoded into memory of the picture's own, which stays as it is as long as the picture is
    held: any number of them may be.
    """

    _backend: DecodingBackend

    def native(self, native_formats: Sequence[str]) -> Pixels:
        """The picture's planes on the GPU, for the backend's ``gather``; :meth:`bgr` where nv12 is not wanted."""
        if "nv12" not in native_formats:
            return Pixels(FrameLayout.BGR24, (self.bgr(),))
        return Pixels(FrameLayout("nv12", conversion_of(self.picture)), self._backend.decoded(self.picture.planes))

    def native_luma(self, native_formats: Sequence[str]) -> Pixels:
        """As of the same picture decoded on the CPU. Waits for the GPU."""
        return self._on_host().native_luma(native_formats)

    def bgr(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8, what FFmpeg makes of the same picture decoded on the CPU. Waits for the GPU."""
        return self._on_host().bgr()

    def luma(self) -> NDArray[np.uint8]:
        """(h, w) uint8, as of the same picture decoded on the CPU. Waits for the GPU."""
        return self._on_host().luma()

    def _on_host(self) -> VideoFrame:
        """The frame as a decoder on the CPU gives it: in yuv420p, with U and V in planes of their own."""
        backend: Any = self._backend
        gathered = backend.gather([self._backend.decoded(self.picture.planes)])
        luma, chroma = (backend.to_host(plane)[0] for plane in gathered)
        planes = (luma, chroma[..., 0], chroma[..., 1])
        flat = np.concatenate([plane.reshape(-1) for plane in planes])
        picture = av.VideoFrame.from_ndarray(flat.reshape(-1, luma.shape[1]), format="yuv420p")
        picture.colorspace, picture.color_range = self.picture.colorspace, self.picture.color_range
        return VideoFrame(self.number, self.time, picture, self._convert)


def _refusal(stream: VideoStream) -> str | None:
    """Why the GPU cannot decode a video to what the CPU makes of it; None: it may."""
    codec, name = stream.codec_context, stream.codec.canonical_name
    if not any(it.device_type == HWDeviceType.cuda and it.is_supported for it in codec.codec.hardware_configs):
        return f"FFmpeg decodes {name} with {codec.codec.name}, which does not use GPUs"
    if name not in EXACT:
        return f"the standard of {name} leaves the last bit of its pictures to the decoder"
    if (found := pixel_format(stream)) not in FORMATS:
        return f"its pictures are {found}, and only those in 8-bit YUV 4:2:0 are compared as the GPU has them"
    if stream.width % 2 or stream.height % 2:
        return f"its pictures of {stream.width} x {stream.height} px have odd sides"
    return None
