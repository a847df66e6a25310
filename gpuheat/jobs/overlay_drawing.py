"""Drawing the frames of a run with the decaying heat over them, while a thread encodes those before."""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from gpuheat.errors import VideoError
from gpuheat.inputs.arrays import ArrayFrames
from gpuheat.inputs.video import VideoReader
from gpuheat.outputs.heat_over_video import HeatOverVideo
from gpuheat.outputs.video import VideoWriter
from gpuheat.outputs.yuv import YuvStandard

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from gpuheat.inputs.frames import Frame
    from gpuheat.jobs.motion_run import MotionRun
    from gpuheat.motion.counter import MotionCounter
    from gpuheat.motion.raised import Raised
    from gpuheat.outputs.heat_over_video import Planes
    from gpuheat.outputs.style import PictureStyle

__all__ = ["FULL_SHARE", "OverlayDrawing"]

FULL_SHARE: Final = 0.5
"""In this share of the recent frames a pixel has moved that gets the hottest colour."""
WAITING: Final = 2  # pictures that are drawn and not encoded yet, at most
FORGOTTEN: Final = 2.0**-16


class OverlayDrawing:
    """Writes a video, called after each frame that a run with a half-life has counted; a context manager.

    The heat of a pixel is the sum, over the pairs so far in which it moved, of ``2 ** (-age / half_life)``. Were it in
    motion all the time, that would come to ``1 / (1 - 2 ** (-interval / half_life))``; half of this, and at least
    a single pair, is the full scale. It depends on nothing that is seen, so that colours mean the same throughout.

    The first frame is shown at 0 s, and the distances in time are those of the frames.

    Parameters
    ----------
    path
        The file.
    style
        Of the heat.
    half_life
        s, of the runs too.
    downscale
        The factor by which the runs make frames smaller.

    Attributes
    ----------
    first_time
        When the first frame is shown in the source, s; None before there is one.
    """

    def __init__(self, path: Path, style: PictureStyle, half_life: float, downscale: int) -> None:
        self._path = path
        self._style = style
        self._half_life = half_life
        self._block = downscale
        self._writer: VideoWriter | None = None
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="gpuheat-encoding")
        self._waiting: deque[Future[None]] = deque()
        self._counter: MotionCounter | None = None
        self._carried: tuple[NDArray[np.float64], float] | None = None  # heat of earlier runs, as of a time
        self._interval = Fraction(0)
        self._latest = Fraction(0)
        self.first_time: Fraction | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._threads:
            if kind is not None:
                for waits in self._waiting:
                    waits.cancel()
        if self._writer is None:
            return
        if kind is not None:
            self._writer.__exit__(kind, error, trace)
            return
        with self._writer:
            for encoded in self._waiting:
                encoded.result()

    def __call__(self, run: MotionRun) -> None:
        """Draw the frame that was counted last.

        Raises
        ------
        OutputError
            If the file cannot be written.
        VideoError
            If its size is not that of the frames before.
        """
        frame, reader = run.tally.last, run.reader
        assert frame is not None
        assert frame.time is not None
        assert run.tally.counter is not None
        assert isinstance(reader, VideoReader | ArrayFrames)
        time = frame.time + run.later
        if self.first_time is None:
            self.first_time = self._latest = time
            self._interval = reader.frame_interval * run.stretch.every
            self._begin(frame, reader.rotation, reader.time_unit)
        elif self._interval == 0:
            self._interval = abs(time - self.first_time)
        self._latest = max(self._latest, time)
        if run.tally.counter is not self._counter:
            self._carry()
            self._counter = run.tally.counter
        picture = self._drawn(frame, reader.rotation)
        if len(self._waiting) >= WAITING:
            self._waiting.popleft().result()
        assert self._writer is not None
        self._waiting.append(self._threads.submit(self._writer.write, picture, time - self.first_time))

    @property
    def facts(self) -> dict[str, Any]:
        """What was drawn and how, for ``summary.json``."""
        return {
            "frames": 0 if self._writer is None else self._writer.frames,
            "begins_s": None if self.first_time is None else float(self.first_time),
            "half_life": self._half_life,
            "full_scale": f"in motion in {100 * FULL_SHARE:g} % of the recent frames",
            "tone": self._style.tone,
            "alpha": self._style.alpha,
        }

    @property
    def warnings(self) -> list[str]:
        """What whoever looks at it should know, one line each."""
        retimed = 0 if self._writer is None else self._writer.retimed
        if retimed == 0:
            return []
        return [
            f"{self._path.name}: {retimed:,} frame{'s' if retimed > 1 else ''} with a time stamp not behind that of "
            "the frame before: shown right behind it"
        ]

    def _begin(self, frame: Frame, rotation: int, unit: Fraction | None) -> None:
        pixels = frame.native(("yuv420p",))
        height, width = pixels.planes[0].shape[:2]
        if pixels.layout.planar and pixels.layout.conversion is not None:
            self._standard = YuvStandard.of(pixels.layout.conversion)
        else:
            self._standard = YuvStandard.usual(height)
        self._over = HeatOverVideo(self._style, self._standard)
        self._shape, self._rotation = (height, width), rotation
        even = (height + height % 2, width + width % 2)
        shown = even[::-1] if rotation % 180 else even
        rate = 1 / self._interval if self._interval > 0 else None
        self._writer = VideoWriter(self._path, *shown, self._standard, rate, unit)

    def _drawn(self, frame: Frame, rotation: int) -> Any:
        planes = self._planes(frame, rotation)
        heat, factor, raised = self._heat()
        assert self._writer is not None
        picture, out = self._writer.empty_picture()
        if rotation == 0:
            self._over(planes, heat, self._block, factor / self._full_scale, out, raised)
            return picture
        turned = np.empty_like(planes[0]), np.empty_like(planes[1]), np.empty_like(planes[2])
        self._over(planes, heat, self._block, factor / self._full_scale, turned, raised)
        for to, plane in zip(out, turned, strict=True):
            to[...] = np.rot90(plane, rotation // 90)
        return picture

    @property
    def _full_scale(self) -> float:
        """The heat that gets the hottest colour."""
        if self._interval == 0:  # it is not known before the second frame, and until then there is no heat
            return 1.0
        always = -1 / math.expm1(-math.log(2) * float(self._interval) / self._half_life)
        return max(1.0, FULL_SHARE * always)

    def _planes(self, frame: Frame, rotation: int) -> Planes:
        """The frame as it lies in the file, in planes of even sides."""
        pixels = frame.native(("yuv420p",))
        shape = pixels.planes[0].shape[:2]
        if (shape, rotation) != (self._shape, self._rotation):
            raise VideoError(
                f"frame {frame.number:,} is of {shape[1]} x {shape[0]} px turned by {rotation} degrees, those before "
                f"of {self._shape[1]} x {self._shape[0]} px turned by {self._rotation}: one video has one size"
            )
        conversion = pixels.layout.conversion
        if pixels.layout.planar and conversion is not None and YuvStandard.of(conversion) == self._standard:
            luma, u, v = pixels.planes
            return luma, u, v
        return self._standard.planes(frame.bgr())

    def _heat(self) -> tuple[NDArray[np.float64], float, Raised | None]:
        """Values, the factor that makes them the heat as of the latest time, and where they were raised if known."""
        assert self._counter is not None
        sums, factor = self._counter.decaying(float(self._latest))
        if self._carried is not None:
            older, when = self._carried
            weight = math.exp2((when - float(self._latest)) / self._half_life)
            if weight >= FORGOTTEN:
                return sums * factor + older * weight, 1.0, None
            self._carried = None
        return sums, factor, self._counter.raised

    def _carry(self) -> None:
        """Keep the heat of the runs so far."""
        if self._counter is not None:
            values, factor, _ = self._heat()
            self._carried = values * factor, float(self._latest)
