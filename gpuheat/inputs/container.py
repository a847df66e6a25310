"""Opening a video file with FFmpeg, and decoding it from a given place on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import av
from av.stream import Disposition
from av.video.stream import VideoStream

from gpuheat.errors import VideoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer

    from gpuheat.inputs.keyframes import Cut, Packet

__all__ = ["decoded", "open_video"]

# up to PyAV 18 a title that is not UTF-8 would be an error; later versions have no such option and no such error
OPEN_OPTIONS: Final[dict[str, Any]] = (
    {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
)


def open_video(path: Path, threads: Literal["many", "one"]) -> tuple[InputContainer, VideoStream]:
    """The file and its best video stream, ready to be decoded.

    ``threads``: ``"many"`` decodes whole frames side by side, as fast as FFmpeg's own choice for today's codecs.
    Threads that share a frame (MPEG-1 and MPEG-2 have no others) conceal damage without a word, each number of them in
    its own way. Damage is then reported that the decoder would otherwise try to conceal.

    Raises
    ------
    VideoError
        If the file cannot be opened or holds no video.
    """
    try:
        if path.is_dir():
            raise VideoError(f"{path}: this is a folder, not a video")
        # with the protocol in front a colon in the name does not look like one
        container = av.open(f"file:{path}", **OPEN_OPTIONS)
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"{path}: cannot be opened as a video: {reason}") from error
    stream = container.streams.best("video")
    is_text = container.format.name == "tty"  # FFmpeg would draw the letters
    if is_text or not isinstance(stream, VideoStream) or Disposition.attached_pic in stream.disposition:
        container.close()
        raise VideoError(f"{path}: holds no video")
    if stream.codec_context is None:
        container.close()
        raise VideoError(f"{path}: there is no decoder for its video")
    if threads == "many":
        stream.thread_type = "FRAME"
        stream.codec_context.options = {"err_detect": "explode"}
    else:
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
    return container, stream


def decoded(
    container: InputContainer,
    stream: VideoStream,
    begin: Cut | None = None,
    end: Cut | None = None,
    note: Callable[[Packet], None] | None = None,
) -> Iterator[av.VideoFrame | None]:
    """Every frame the decoder gives, and None for each packet it cannot decode.

    Parameters
    ----------
    begin
        Where to begin; frames shown before it are left out. None: at the packet that is read next.
    end
        Reading stops when everything shown before this was read; frames from it on may come. None: at the end.
    note
        Called with every packet that holds something.

    Raises
    ------
    VideoError
        If the packet of ``begin`` is not found.
    """
    packets = container.demux(stream) if begin is None else _packets_from(container, stream, begin)
    first = None if begin is None else begin.pts
    at_end = False  # the packet of ``end`` was read
    over = False
    while not over:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, IndexError):  # it cannot be read on: let the decoder give what it holds back
            over, packet = True, None
            yield None
        if packet is None and not over:
            return
        if packet is not None and end is not None:
            if at_end and not (packet.pts is not None and packet.pts < end.pts):
                over, packet = True, None
            elif end.is_packet(packet):
                at_end = True
        led_in = first is not None and packet is not None and packet.pts is not None and packet.pts < first
        if packet is not None and packet.is_corrupt:
            yield None
        if packet is not None and packet.size > 0 and note is not None:
            note(packet)
        try:
            for picture in stream.decode(packet):
                if first is None or picture.pts is None or picture.pts >= first:
                    first = None  # time stamps may still jump back, and those frames are wanted
                    yield picture
        except MemoryError:
            raise
        except av.FFmpegError:
            if not led_in:  # what is shown before ``begin`` may need what is not there
                yield None


def _packets_from(container: InputContainer, stream: VideoStream, begin: Cut) -> Iterator[Packet]:
    """The stream's packets from a cut on, after a jump there."""
    for offset in (begin.pts if begin.dts is None else min(begin.dts, begin.pts), None):
        if offset is None:  # the container's own index led behind it: read all before it
            container.seek(0)
        else:
            container.seek(offset, stream=stream)
        packets = container.demux(stream)
        for packet in packets:
            if packet.size > 0 and begin.is_packet(packet):
                yield packet
                yield from packets
                return
            if packet.is_keyframe and packet.pts is not None and packet.pts > begin.pts:
                break
    raise VideoError(f"{container.name}: the key frame at byte {begin.pos:,} was not found again")
