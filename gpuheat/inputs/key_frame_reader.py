"""The key frames of a video alone, which are decoded by themselves: an overview in a small part of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from gpuheat.errors import VideoError
from gpuheat.inputs.container import packets_of
from gpuheat.inputs.keyframes import clean_start
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.video_frame import VideoFrame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpuheat.inputs.keyframes import Packet

__all__ = ["KeyFrameReader"]


class KeyFrameReader(VideoReader):
    """A reader of key frames, numbered and timed as among all frames of the video.

    The other packets are read, but not decoded: ``frames_skipped`` counts them. A key frame that is damaged is left
    out and counted; the others do not depend on it.

    Raises
    ------
    VideoError
        As :class:`VideoReader` does.
    """

    cpu_alone = "key frames are decoded one by one"

    def __iter__(self) -> Iterator[VideoFrame]:
        """Every key frame that can be decoded, in the order of showing. To be used once."""
        self._file.open(1)  # whose pictures are the same on every machine
        found = self._found
        for packet, number in self._key_packets():
            picture = self._decoded_alone(packet)
            if picture is None:
                found.damaged_from = number if found.damaged_from is None else found.damaged_from
                found.broken_packets += 1
                continue
            picture.pts, picture.time_base = packet.pts, packet.time_base
            found.origin = packet.pts if found.origin is None else found.origin
            found.frames_skipped = number - found.frames_decoded
            yield VideoFrame(*found.take(picture), picture, self._to_bgr)
        found.at_end = True
        if found.frames_decoded == 0:
            raise VideoError(f"{self.path}: not one key frame can be decoded ({found.broken_packets} broken packets)")

    def _decoded_alone(self, packet: Packet) -> av.VideoFrame | None:
        """The picture of a key frame; None where it is damaged."""
        stream = self._file.stream
        try:
            with self.watch:
                pictures = [*stream.decode(packet), *stream.decode(None)]
                stream.codec_context.flush_buffers()
        except MemoryError:
            raise
        except av.FFmpegError:
            stream.codec_context.flush_buffers()
            return None
        return pictures[0] if len(pictures) == 1 and not pictures[0].is_corrupt else None

    def _key_packets(self) -> Iterator[tuple[Packet, int]]:
        """The packets of key frames, and how many frames are shown before each."""
        file, found, codec = self._file, self._found, self._file.codec
        clean = clean_start(codec, file.stream.codec_context.extradata)
        key: Packet | None = None
        stamp: int | None = None
        number = shown = 0
        for packet in packets_of(file.container, file.stream, self.watch):
            if packet.size == 0:
                continue
            found.packets += 1
            if packet.is_keyframe and not packet.is_discard and (codec != "h264" or clean(packet)):
                if key is not None:
                    yield key, number
                key, stamp, number = packet, packet.pts, shown
            elif stamp is not None and packet.pts is not None and packet.pts < stamp:
                number += not packet.is_discard  # read behind it, shown before it
            shown += not packet.is_discard
            if packet.pts is not None and packet.time_base is not None:
                found.latest = max(found.latest, (packet.pts - (file.stream.start_time or 0)) * packet.time_base)
        if key is not None:
            yield key, number
        found.frames_skipped = shown - found.frames_decoded
