"""Opening a video file with FFmpeg, and decoding it from a given place on."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
from av.stream import Disposition
from av.video.stream import VideoStream

from gpuheat.backends.cpu_loops import processors
from gpuheat.errors import VideoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av import VideoFormat
    from av.codec.hwaccel import HWAccel
    from av.container import InputContainer

    from gpuheat.inputs.keyframes import Cut, Packet
    from gpuheat.inputs.remote import RemoteFile
    from gpuheat.inputs.watch import Watch

__all__ = [
    "ALL_PROCESSORS",
    "MAX_PIXELS",
    "OPEN_OPTIONS",
    "SILENT",
    "check_size",
    "decoded",
    "decoder_limit",
    "look_at",
    "open_video",
    "packets_of",
    "pixel_format",
    "video_of",
]

MAX_PIXELS: Final = 2**28
"""Of a picture; FFmpeg takes no more, either."""
ALL_PROCESSORS: Final = 0
"""So many threads are as many as keep all busy."""
MORE_THREADS: Final = 3  # than processors: some wait for others, or for a picture to be counted
MOST_THREADS: Final = 16  # as FFmpeg has it; each holds pictures
SILENT: Final = {"cfhd", "ffv1", "jpeg2000", "mjpeg", "vp8"}
"""Codecs whose decoders leave damage out without a word: what shows there was in the memory of the picture before.

Which one that was depends on the number of threads, and on how long pictures are kept.
"""
PADDING: Final = 4  # times the pixels that are shown: decoders round sizes up, far above all for small pictures

# up to PyAV 18 a title that is not UTF-8 would be an error; later versions have no such option and no such error
OPEN_OPTIONS: Final[dict[str, Any]] = (
    {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
)


def look_at(path: Path | RemoteFile, watch: Watch) -> os.stat_result:
    """What the file system says of a file.

    Raises
    ------
    VideoError
        If there is none, or it is a folder.
    """
    try:
        with watch:
            status = path.stat()
    except OSError as error:
        raise VideoError(f"{path}: cannot be opened as a video: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode):
        raise VideoError(f"{path}: this is a folder, not a video")
    return status


def open_video(
    path: Path | RemoteFile,
    threads: int,
    watch: Watch,
    max_pixels: int,
    *,
    explode: bool,
    hwaccel: HWAccel | None = None,
) -> tuple[InputContainer, VideoStream]:
    """The file and its best video stream, ready to be decoded.

    Parameters
    ----------
    threads
        So many decode whole frames side by side, or ALL_PROCESSORS. Threads that share a frame (MPEG-1 and MPEG-2 have
        no others) conceal damage without a word, each number of them in its own way.
    watch
        Notices if opening makes no progress.
    max_pixels
        Of a picture, at most.
    explode
        Have damage reported that the decoder would otherwise try to conceal.
    hwaccel
        Where the decoder runs; None: on the CPU.

    Raises
    ------
    VideoError
        If the file cannot be opened, holds no video, or one of more pixels than ``max_pixels``.
    """
    look_at(path, watch)
    try:
        with watch:
            # with the protocol in front a colon in the name does not look like one
            opened = f"file:{path}" if isinstance(path, Path) else path.open()
            container = av.open(opened, options=decoder_limit(max_pixels), hwaccel=hwaccel, **OPEN_OPTIONS)
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"{path}: cannot be opened as a video: {reason}") from error
    return container, video_of(container, str(path), threads, max_pixels, explode=explode)


def video_of(
    container: InputContainer, name: Path | str, threads: int, max_pixels: int, *, explode: bool
) -> VideoStream:
    """The best video stream of what was opened, ready to be decoded; parameters and errors as :func:`open_video`.

    ``name`` is how an error calls it. With an error the container is closed.
    """
    stream = container.streams.best("video")
    is_text = container.format.name == "tty"  # FFmpeg would draw the letters
    if is_text or not isinstance(stream, VideoStream) or Disposition.attached_pic in stream.disposition:
        container.close()
        raise VideoError(f"{name}: holds no video")
    if stream.codec_context is None:
        container.close()
        raise VideoError(f"{name}: there is no decoder for its video")
    try:
        check_size(name, stream.width, stream.height, max_pixels)
    except VideoError:
        container.close()
        raise
    if threads == 1 and stream.codec.canonical_name == "ffv1":  # whose slices come out the same side by side
        stream.thread_type, threads = "SLICE", ALL_PROCESSORS
    else:
        stream.thread_type = "NONE" if threads == 1 else "FRAME"
    most = min(processors() + MORE_THREADS, MOST_THREADS)
    stream.codec_context.thread_count = most if threads == ALL_PROCESSORS else threads
    limit = decoder_limit(max_pixels)
    # one thread may begin half way, where H.264 would take the frames before it for lost; it marks damage anyway
    if explode and (threads != 1 or stream.codec.canonical_name != "h264"):
        stream.codec_context.options = limit | {"err_detect": "explode"}
    else:
        stream.codec_context.options = limit
    return stream


def decoder_limit(max_pixels: int) -> dict[str, str]:
    """The options that keep a decoder within the limit, also the one that looks for what the header does not say."""
    return {"max_pixels": str(min(PADDING * max_pixels + 2**16, 2**31 - 1))}


def pixel_format(stream: VideoStream) -> str | None:
    """FFmpeg's name of how the pixels lie in memory; None where nothing says so before a picture was decoded."""
    known: VideoFormat | None = stream.codec_context.format  # PyAV 17 crashes on ``pix_fmt`` where it is not known
    return None if known is None else known.name


def check_size(name: Path | str, width: int, height: int, max_pixels: int) -> None:
    """Refuse pictures too large to have memory for.

    Raises
    ------
    VideoError
        If they have more pixels than ``max_pixels``.
    """
    if width * height > max_pixels:
        raise VideoError(
            f"{name}: its pictures of {width:,} x {height:,} px have more than the {max_pixels:,} pixels allowed; "
            "where that is what they are, allow more (max_pixels, --max-pixels)"
        )


def decoded(
    container: InputContainer,
    stream: VideoStream,
    watch: Watch,
    begin: Cut | None = None,
    end: Cut | None = None,
    note: Callable[[Packet], None] | None = None,
) -> Iterator[av.VideoFrame | None]:
    """Every frame the decoder gives, and None for each packet it cannot decode.

    Parameters
    ----------
    begin
        Where to begin; frames shown before it are left out. None: at the packet that is read next.
    watch
        Notices if a call makes no progress.
    end
        Reading stops when everything shown before this was read; frames from it on may come. None: at the end.
    note
        Called with every packet that holds something.

    Raises
    ------
    VideoError
        If the packet of ``begin`` is not found, the system cannot read the file on, or nothing can decode it.
    """
    packets = packets_of(container, stream, watch) if begin is None else _packets_from(container, stream, watch, begin)
    first = None if begin is None else begin.pts
    at_end = False  # the packet of ``end`` was read
    over = False
    while not over:
        try:
            packet = next(packets, None)
        except OSError as error:  # of the system, not of the file's contents
            raise VideoError(f"{watch.path}: cannot be read on: {error.strerror}") from error
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
            with watch:
                pictures = stream.decode(packet)
            for picture in pictures:
                if first is None or picture.pts is None or picture.pts >= first:
                    first = None  # time stamps may still jump back, and those frames are wanted
                    yield picture
        except MemoryError:
            bytearray(8 * stream.width * stream.height)  # there is enough: damage asked for too much
            yield None
        except av.FFmpegError:
            if not led_in:  # what is shown before ``begin`` may need what is not there
                yield None
        except ValueError as error:  # PyAV's word, from version 19 on, that FFmpeg has no decoder for it
            raise VideoError(f"{watch.path}: {error}") from error


def packets_of(container: InputContainer, stream: VideoStream, watch: Watch) -> Iterator[Packet]:
    """The stream's packets from where the container is, and at the end an empty one."""
    packets = container.demux(stream)
    while True:
        with watch:
            packet = next(packets, None)
        if packet is None:
            return
        yield packet


def _packets_from(container: InputContainer, stream: VideoStream, watch: Watch, begin: Cut) -> Iterator[Packet]:
    """The stream's packets from a cut on, after a jump there."""
    for offset in (begin.pts if begin.dts is None else min(begin.dts, begin.pts), None):
        with watch:
            if offset is None:  # the container's own index led behind it: read all before it
                container.seek(0)
            else:
                container.seek(offset, stream=stream)
        packets = packets_of(container, stream, watch)
        for packet in packets:
            if packet.size > 0 and begin.is_packet(packet):
                yield packet
                yield from packets
                return
            if packet.is_keyframe and packet.pts is not None and packet.pts > begin.pts:
                break
    raise VideoError(f"{watch.path}: the key frame at byte {begin.pos:,} was not found again")
