"""What reading a video file brought up: how many frames of which size, and what was wrong with them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from gpuheat.errors import VideoError
from gpuheat.inputs.container import check_size
from gpuheat.inputs.gaps import Gaps
from gpuheat.inputs.video_file import LATEST
from gpuheat.inputs.video_frame import rotation_of
from gpuheat.inputs.video_part import NotAsPromisedError

if TYPE_CHECKING:
    import av

    from gpuheat.inputs.kept_frame import LastRead
    from gpuheat.inputs.keyframes import Part
    from gpuheat.inputs.video_file import VideoFile
    from gpuheat.inputs.video_frame import VideoFrame

__all__ = ["SLACK", "Findings"]

SLACK: Final = 1
"""s by which a video may be shorter than its header says: its last frame lasts, too."""
COUNTED: Final = ("frames_decoded", "frames_skipped", "frames_without_time", "damaged_from", "rotation")


class Findings:
    """What is known of the frames of a file so far.

    Attributes
    ----------
    width, height
        Size of the frames in px, before rotation.
    rotation
        Degrees counter-clockwise by which frames are to be turned for display, a multiple of 90, from the
        first frame read.
    frames_decoded, corrupt_frames, broken_packets
        Counted while reading. A corrupt frame was decoded with errors, and is used.
    frames_skipped
        Frames before the first that was wanted, which were not even decoded.
    frames_without_time
        Frames that had no time stamp, or one that cannot be, and were placed by the frame rate.
    damaged_from
        Number of the first frame at which damage was noticed; None where there was none.
    latest
        When the last frame is shown, s.
    origin
        Time stamp of 0 s; None where it is not known yet.
    packets
        Read so far.
    at_end
        Whether reading has come to the end.
    """

    def __init__(self, file: VideoFile) -> None:
        self._file = file
        self.width, self.height = file.stream.width, file.stream.height  # until a frame says otherwise
        self.rotation = 0
        self.frames_decoded = 0
        self.frames_skipped = 0
        self.corrupt_frames = 0
        self.broken_packets = 0
        self.frames_without_time = 0
        self.damaged_from: int | None = None
        self.latest = Fraction(0)
        self.origin: int | None = file.stream.start_time
        self.packets = 0
        self.at_end = False
        self._gaps = Gaps(file.frame_interval)
        self._again: int | None = None  # the first of the frames that are to be given once more

    @property
    def frames_read(self) -> int:
        """How far reading came: the number of the next frame."""
        return self.frames_decoded + self.frames_skipped

    @property
    def next(self) -> int:
        """The number of the frame that is given next, perhaps once more."""
        return self.frames_read if self._again is None else self._again

    def take(self, picture: av.VideoFrame) -> tuple[int, Fraction]:
        """Take note of the next picture: its number, and when it is shown, s.

        Raises
        ------
        VideoError
            If it is too large, or not of the size of those before.
        """
        file, number = self._file, self.next
        if self.frames_decoded == 0:
            check_size(str(file.path), picture.width, picture.height, file.max_pixels)
            self.width, self.height = picture.width, picture.height
            self.rotation = rotation_of(picture)
        if number == 0:
            self.origin = picture.pts if self.origin is None else self.origin
        if (picture.width, picture.height) != (self.width, self.height):
            raise VideoError(
                f"{file.path}: the picture changes from {self.width} x {self.height} to "
                f"{picture.width} x {picture.height} px at frame {number}; "
                "cut the file there and run the parts one by one"
            )
        is_new = number >= self.frames_read
        time: Fraction | None = None
        if picture.pts is not None and picture.time_base and self.origin is not None:
            time = (picture.pts - self.origin) * picture.time_base
        is_timed = time is not None and abs(time) <= LATEST
        if time is None or not is_timed:
            self.frames_without_time += is_new
            time = number / (file.stream.average_rate or Fraction(25))
        if is_new:
            self._gaps.see(number, time if is_timed else None)
            self.frames_decoded += 1
            self.latest = max(self.latest, time)
        self._again = None if is_new else number + 1
        return number, time

    def passed(self, part: Part, last: VideoFrame | LastRead | None) -> None:
        """Take note that another reader read a part up to ``last``, None where nothing was wanted.

        Raises
        ------
        NotAsPromisedError
            If its pictures have another size or rotation than those before.
        """
        begin, frames = max(part.first, self.frames_read), len(part.stamps or ())
        if last is None:
            self.frames_skipped += max(0, part.first + frames - begin)
        else:
            if self.frames_decoded > 0 and last.shape != (self.width, self.height, self.rotation):
                raise NotAsPromisedError(f"frame {part.first:,} has another size")
            self.width, self.height, self.rotation = last.shape
            frames = last.number + 1 - part.first
            self.frames_decoded += max(0, last.number + 1 - begin)
        times = self._file.times_of(part)
        self.latest = max([self.latest, *times[-1:]])
        for number in range(begin, part.first + frames):
            self._gaps.see(number, times[number - part.first])
        self.packets = part.packets
        self.at_end = part.end is None and frames == len(part.stamps or ())
        self._again = None

    @property
    def position(self) -> dict[str, Any]:
        """How far reading came, for :meth:`go_on`."""
        return {
            **{name: getattr(self, name) for name in COUNTED},
            "size": [self.width, self.height],
            "latest": str(self.latest),
            "origin": self.origin,
            "gaps": self._gaps.position,
        }

    def go_on(self, position: dict[str, Any], again: int) -> None:
        """Go on from the position of another reader; frames from ``again`` on are given once more."""
        for name in COUNTED:
            setattr(self, name, position[name])
        self.width, self.height = position["size"]
        self.latest, self.origin = Fraction(position["latest"]), position["origin"]
        self._gaps.go_on(position["gaps"])
        self._again = again

    @property
    def shape(self) -> dict[str, Any]:
        """How large the frames are and how they are turned, for ``summary.json``."""
        return {"width": self.width, "height": self.height, "rotation": self.rotation}

    @property
    def facts(self) -> dict[str, Any]:
        """What was counted, for ``summary.json``."""
        return {
            "frames_decoded": self.frames_decoded,
            "frames_skipped": self.frames_skipped,
            "frames_without_time": self.frames_without_time,
            "corrupt_frames": self.corrupt_frames,
            "broken_packets": self.broken_packets,
            "damaged_from_frame": self.damaged_from,
        }

    @property
    def damage(self) -> list[str]:
        """A warning of damage, if there was some."""
        if self.damaged_from is None:
            return []
        damage = f"{_many(self.broken_packets, 'broken packet')}, {_many(self.corrupt_frames, 'corrupt frame')}"
        return [
            f"{self._file.path}: damaged from frame {self.damaged_from:,} on ({damage}): motion there may be artefacts"
        ]

    @property
    def gaps(self) -> list[str]:
        """Warnings of frames and of time stamps that are not there; complete when reading has ended."""
        path, announced = self._file.path, self._file.frames_in_header
        warnings = self._gaps.warnings(path)
        if self.at_end and announced and self.packets < announced:
            warnings.append(f"{path}: its header announces {announced:,} frames, but it holds {self.packets:,}")
        duration = None if announced else self._file.duration
        if self.at_end and duration is not None and self.latest + SLACK < duration:
            warnings.append(
                f"{path}: its header announces {float(duration):,.1f} s of video, but its last frame is at "
                f"{float(self.latest):,.1f} s"
            )
        if self.frames_without_time:
            warnings.append(
                f"{path}: {self.frames_without_time:,} frames have no time stamp and were placed by the frame rate"
            )
        return warnings


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
