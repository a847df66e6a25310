"""What a run of consecutive frames adds up to: the counts, the background, and which frames there were."""

from __future__ import annotations

import gc
from array import array
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from gpuheat.backends.base import GatheringBackend
from gpuheat.errors import DeviceMemoryError, InputError
from gpuheat.jobs.picture_sums import PictureSums
from gpuheat.jobs.together import Together, Waiting, how_many
from gpuheat.motion.counter import MotionCounter
from gpuheat.motion.downscale import area_mean
from gpuheat.motion.over_time import OverTime
from gpuheat.pixels import Pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpuheat.backends import Backend
    from gpuheat.inputs.frames import Frame
    from gpuheat.jobs.scene import Scene
    from gpuheat.motion.heatmap import MotionHeatmap
    from gpuheat.motion.sliced import Slicing

__all__ = ["Counting", "LastFrame", "Tally"]

SEEN_AS: Final = ("yuv420p", "nv12", "gray8")


@dataclass(frozen=True)
class Counting:
    """How frames are counted.

    The options are those of :func:`gpuheat.motion_heatmap`. ``copy``: whoever gave the frames may write into their
    memory again. ``one_by_one``: each is counted before the next comes. ``later``: by so many s their times are moved.
    ``slicing``: the slices of the time, by those times.
    """

    threshold: int
    pixels: Literal["bgr", "luma"]
    half_life: float | None
    max_changed: float
    downscale: int
    backend: Backend
    copy: bool = False
    one_by_one: bool = False
    later: Fraction = Fraction(0)
    slicing: Slicing | None = None

    @property
    def native_formats(self) -> Sequence[str]:
        """The formats in which a decoder's own planes are compared as they are."""
        return self.backend.native_formats if self.downscale == 1 else ()

    @property
    def decisive(self) -> dict[str, Any]:
        """The settings on which the counts depend."""
        names = ("threshold", "pixels", "half_life", "max_changed")
        step = None if self.slicing is None else str(self.slicing.steps.step)
        return {name: getattr(self, name) for name in names} | {"slice": step}


@dataclass(frozen=True)
class LastFrame:
    """How the frame is known again that was counted last: its number, its time in s and what it shows."""

    number: int
    time: str
    sha256: str

    @classmethod
    def of(cls, frame: Frame, pixels: Literal["bgr", "luma"]) -> LastFrame:
        """That of a frame whose colours, or whose brightness, are compared."""
        shown = np.ascontiguousarray(frame.bgr() if pixels == "bgr" else frame.luma())
        return cls(frame.number, str(frame.time), sha256(shown.data).hexdigest())


class Tally:
    """Counts consecutive frames, and takes those in that were counted elsewhere.

    Parameters
    ----------
    counting
        How.
    scene
        The mask and the background, whose frames it has not seen yet.
    first_of_all
        Whether no other's frames will be put in front: its first frame is not kept then.
    """

    def __init__(self, counting: Counting, scene: Scene, *, first_of_all: bool = False) -> None:
        self._how = counting
        self._gatherer: GatheringBackend | None = None
        if isinstance(counting.backend, GatheringBackend) and not (counting.copy or counting.one_by_one):
            self._gatherer = counting.backend
        self.scene = scene
        self._first_of_all = first_of_all
        self.counter: MotionCounter | None = None
        self.numbers = array("q")
        self._cuts: list[int] = []  # places in these
        self.layouts: set[str] = set()
        self._first: Frame | None = None
        self._last: Frame | None = None
        self._rotation = 0
        self._waiting: list[Waiting] = []
        self._sums = PictureSums(counting.backend)
        self.awaited: LastFrame | None = None

    def add(self, frame: Frame, rotation: int) -> None:
        """Take in the next frame, of a video that is to be turned by ``rotation`` degrees for display.

        It may wait for others to be counted together with; everything else here knows of it only then.
        """
        self._rotation = rotation
        waiting = self._as_compared(frame)
        if self._waiting and self._waiting[-1].compared.layout != waiting.compared.layout:
            self.flush()
        self._waiting.append(waiting)
        if self._gatherer is None or len(self._waiting) >= how_many(waiting.compared, self._gatherer):
            self.flush()

    @property
    def waits(self) -> bool:
        """Whether frames were added that were not counted yet."""
        return len(self._waiting) > 0

    def flush(self) -> None:
        """Count the frames that wait."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._take(waiting)

    def cut(self) -> None:
        """Begin anew with the next frame: no pair is made of it and the last one."""
        self.flush()
        if self.counter is not None:
            self.counter.cut()
            self._cuts.append(len(self.numbers))
        self._last = None

    def append(self, other: Tally) -> None:
        """Take in the frames of another tally, which directly follow. It is not to be used any more."""
        self._settle()
        other._settle()
        if other.counter is None or other._first is None:
            return
        self.awaited = None
        if self.counter is None:
            self.counter = other.counter
            self._first = None if self._first_of_all else other._first
        else:
            if other.counter.shape != self.counter.shape:
                raise InputError(f"frames of {self.counter.shape} px and of {other.counter.shape} px do not add up")
            self._count(self._together([self._as_compared(other._first)]))  # the pair across the cut
            self.counter.merge(other.counter)
        self._last = other._last
        self.scene.append(other.scene)
        self._cuts.extend(len(self.numbers) + cut for cut in other._cuts)
        self.numbers.extend(other.numbers)
        self.layouts |= other.layouts

    def append_apart(self, other: Tally) -> None:
        """Take in another tally, of which no pair is made with frames before or behind. It is not used any more."""
        self._settle()
        other._settle()
        assert other.counter is not None
        if self.counter is None:
            self.counter = other.counter
        else:
            self.counter.merge(other.counter)
        self.scene.append(other.scene)
        self._cuts.extend(len(self.numbers) + cut for cut in other._cuts)
        self.numbers.extend(other.numbers)
        self.layouts |= other.layouts
        self.cut()

    @property
    def state(self) -> dict[str, Any]:
        """All that was counted, for :meth:`restore`, and how the last frame is known again that is not cut off."""
        self._settle()
        last = None if self._last is None else asdict(LastFrame.of(self._last, self._how.pixels))
        return self.sums | {"last": last}

    @property
    def sums(self) -> dict[str, Any]:
        """The same, but for the last frame."""
        self._settle()
        assert self.counter is not None
        return {
            "counter": self.counter.state,
            "numbers": np.array(self.numbers, np.int64),
            "cuts": np.array(self._cuts, np.int64),
            "layouts": sorted(self.layouts),
            "scene": self.scene.state,
        }

    def restore(self, state: dict[str, Any], rotation: int) -> None:
        """Begin with what another tally of the same frames had counted and gave as its state.

        ``awaited`` is then the frame with which :meth:`go_on_from` has to be called, or with which the tally begins
        that is appended; None behind a cut, and where ``state`` is :attr:`sums` alone.
        """
        self._rotation = rotation
        self.scene.restore(state["scene"])
        self.counter = self._new_counter(state["counter"]["counts"].shape)
        self.counter.restore(state["counter"])
        self.numbers = array("q", state["numbers"].tolist())
        self._cuts = state["cuts"].tolist()
        self.layouts = {*state["layouts"]}
        self.awaited = None if state.get("last") is None else LastFrame(**state["last"])

    def go_on_from(self, frame: Frame, rotation: int, first: Frame | None = None) -> None:
        """Have the next frame compared with this one, which was counted itself already.

        ``first`` is the frame with which all began, if that is at hand and something may be put in front.
        """
        self.awaited = None
        self._first = None if self._first_of_all else first or frame
        self._rotation = rotation
        self._count(self._together([self._as_compared(frame)]))

    def awaits(self, frame: Frame | None) -> bool:
        """Whether this is the frame that was counted last, as it was."""
        return frame is not None and self.awaited == LastFrame.of(frame, self._how.pixels)

    @property
    def first(self) -> Frame | None:
        """The frame with which it began in this run; None where it is the first of all."""
        return self._first

    @property
    def last(self) -> Frame | None:
        """The frame that was counted last, unless it was cut off."""
        return self._last

    def result(self, blur: float, rotation: int, *, copy: bool = True) -> MotionHeatmap:
        """The heat map as shown, with its background and the numbers of its frames; without a copy the last one."""
        self._settle()
        assert self.counter is not None
        background = self.scene.background(rotation)  # after which it takes less memory
        result = self.counter.result(blur=blur, copy=copy)
        cuts = [0, *(cut for cut in self._cuts if cut < len(self.numbers))]
        frames = np.delete(np.array(self.numbers, np.int64), cuts)  # each but these is the later one of a pair
        return replace(  # the timeline and the zones are those of the map as shown already
            result.turned(rotation),
            frames=frames,
            background=background,
            timeline=result.timeline,
            zones=result.zones,
            areas=self.scene.areas(rotation),
        )

    def _take(self, waiting: Sequence[Waiting]) -> None:
        """See and count consecutive frames of one layout."""
        together = None
        try:
            together = self._together(waiting)
        except DeviceMemoryError:
            if len(waiting) < 2:
                raise
        if together is None:
            gc.collect()  # the error kept what was allocated before it
            middle = len(waiting) // 2
            self._take(waiting[:middle])
            self._take(waiting[middle:])
            return
        if self.scene.averages and self._sums.takes(together):
            runs = self.scene.see_elsewhere(waiting[0].pixels.planes[0].shape[:2], len(waiting))
            if not self._sums.has_room_for(together, runs):
                self._see_sums()
            self._sums.add(together, runs)
        else:
            for place, it in enumerate(waiting):
                self.scene.see(it.pixels.planes[0].shape[:2], partial(self._seen, together, place), it.frame.bgr)
        if self.counter is None and not self._first_of_all:
            self._first = waiting[0].frame
        self._count(together)
        self.numbers.extend(it.frame.number for it in waiting)

    def _settle(self) -> None:
        """Have everything that was added counted and seen."""
        self.flush()
        self._see_sums()

    def _see_sums(self) -> None:
        if (taken := self._sums.taken()) is not None:
            self.scene.see_sums(*taken)

    def _count(self, together: Together) -> None:
        first, *others = together.waiting
        if self.counter is None:
            self.counter = self._new_counter(first.compared.planes[0].shape)
        elif self._last is not None and together.layout != self.counter.layout:
            # the video changes its colour matrix or range half way: the last frame is counted on from in the new one
            before = self._pixels(self._last, self._how.native_formats)
            self.counter.cut()
            if before.layout != together.layout:  # the pair across is compared by itself, as BGR or as grey
                for frame in (self._last, first.frame):
                    plain = self._pixels(frame, ())
                    self._push(self._together([Waiting(frame, plain, plain)]))
                if others:
                    self._count(self._together(others))
                return
            self._push(self._together([Waiting(self._last, before, before)]))
        self._push(together)

    def _push(self, together: Together) -> None:
        assert self.counter is not None
        self.counter.push(together.frames, together.times, layout=together.layout, copy=self._how.copy)
        self.layouts.add(together.layout.pixel_format)
        self._last = together.waiting[-1].frame

    def _together(self, waiting: Sequence[Waiting]) -> Together:
        return Together(waiting, self._how.backend, self._gatherer, self._how.later)

    def _new_counter(self, shape: tuple[int, ...]) -> MotionCounter:
        return MotionCounter(
            *shape[:2],
            threshold=self._how.threshold,
            pixels=self._how.pixels,
            half_life=self._how.half_life,
            mask=self.scene.mask(self._rotation),
            max_changed=self._how.max_changed,
            backend=self._how.backend,
            over_time=OverTime(
                timeline=True,
                slicing=self._how.slicing,
                turned=self._rotation,
                zones=self.scene.zone_sums(self._rotation),
            ),
        )

    def _as_compared(self, frame: Frame) -> Waiting:
        """The frame with its pixels as they are to be compared."""
        pixels = self._pixels(frame, self._how.native_formats)
        if self._how.downscale == 1:
            return Waiting(frame, pixels, pixels)
        plane = pixels.planes[0]
        on_host = plane if isinstance(plane, np.ndarray) else self._how.backend.to_host(plane)
        return Waiting(frame, pixels, Pixels(pixels.layout, (area_mean(on_host, self._how.downscale),)))

    def _seen(self, together: Together, place: int) -> Pixels:
        """One of the frames on the host, as the background sees it with any backend."""
        waiting = together.waiting[place]
        if all(isinstance(plane, np.ndarray) for plane in waiting.pixels.planes):
            return self._pixels(waiting.frame, SEEN_AS)
        return together.on_host(place)

    def _pixels(self, frame: Frame, native_formats: Sequence[str]) -> Pixels:
        """What is compared of a frame: its colours, or its brightness."""
        return frame.native_luma(native_formats) if self._how.pixels == "luma" else frame.native(native_formats)
