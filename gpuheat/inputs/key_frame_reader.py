"""The key frames of a video alone, which are decoded by themselves: an overview in a small part of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from gpuheat.errors import VideoError
from gpuheat.inputs.container import packets_of
from gpuheat.inputs.keyframes import clean_start
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.video_frame import VideoFrame, rotation_of

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

    def __iter__(self) -> Iterator[VideoFrame]:
        """Every key frame that can be decoded, in the order of showing. To be used once."""
        self._container, self._stream = self._open(1)  # whose pictures are the same on every machine
        start = self._stream.start_time
        for packet, number in self._key_packets():
            picture = self._decoded_alone(packet)
            if picture is None:
                self.damaged_from = number if self.damaged_from is None else self.damaged_from
                self.broken_packets += 1
                continue
            if self.frames_decoded == 0:
                self.width, self.height, self.rotation = picture.width, picture.height, rotation_of(picture)
            if (picture.width, picture.height) != (self.width, self.height):
                raise VideoError(
                    f"{self.path}: the picture changes from {self.width} x {self.height} to "
                    f"{picture.width} x {picture.height} px at frame {number}; "
                    "cut the file there and run the parts one by one"
                )
            picture.pts, picture.time_base = packet.pts, packet.time_base
            start = packet.pts if start is None else start
            self.frames_skipped = number - self.frames_decoded
            time = self._time(picture, start)
            self.frames_decoded += 1
            yield VideoFrame(number, time, picture, self._to_bgr)
        self._at_end = True
        if self.frames_decoded == 0:
            raise VideoError(f"{self.path}: not one key frame can be decoded ({self.broken_packets} broken packets)")

    def _go_to_gpu(self) -> str | None:
        return self._decoding.on_cpu(self.path, "key frames are decoded one by one")

    def _decoded_alone(self, packet: Packet) -> av.VideoFrame | None:
        """The picture of a key frame; None where it is damaged."""
        try:
            with self.watch:
                pictures = [*self._stream.decode(packet), *self._stream.decode(None)]
                self._stream.codec_context.flush_buffers()
        except MemoryError:
            raise
        except av.FFmpegError:
            self._stream.codec_context.flush_buffers()
            return None
        return pictures[0] if len(pictures) == 1 and not pictures[0].is_corrupt else None

    def _key_packets(self) -> Iterator[tuple[Packet, int]]:
        """The packets of key frames, and how many frames are shown before each."""
        codec = self._stream.codec.canonical_name
        clean = clean_start(codec, self._stream.codec_context.extradata)
        key: Packet | None = None
        stamp: int | None = None
        number = shown = 0
        for packet in packets_of(self._container, self._stream, self.watch):
            if packet.size == 0:
                continue
            self._packets += 1
            if packet.is_keyframe and not packet.is_discard and (codec != "h264" or clean(packet)):
                if key is not None:
                    yield key, number
                key, stamp, number = packet, packet.pts, shown
            elif stamp is not None and packet.pts is not None and packet.pts < stamp:
                number += not packet.is_discard  # read behind it, shown before it
            shown += not packet.is_discard
            if packet.pts is not None and packet.time_base is not None:
                self._latest = max(self._latest, (packet.pts - (self._stream.start_time or 0)) * packet.time_base)
        if key is not None:
            yield key, number
        self.frames_skipped = shown - self.frames_decoded
