"""Counting motion: where, and when, did things move."""

from __future__ import annotations

import dataclasses
import gc
import math
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from gpuheat.backends import Backend, get_backend
from gpuheat.backends.base import MarkingBackend
from gpuheat.backends.host import HostArrays, lies_on_gpu
from gpuheat.errors import BackendError, DeviceMemoryError, InputError, OptionError
from gpuheat.motion.batch import Batch
from gpuheat.motion.decay import epoch_of, pair_weights, rescaled, value_at
from gpuheat.motion.heatmap import MotionHeatmap
from gpuheat.motion.over_time import KeptOverTime, OverTime
from gpuheat.motion.pairs import PairLog
from gpuheat.motion.raised import Raised
from gpuheat.motion.settings import MotionSettings
from gpuheat.options import whole_number
from gpuheat.pixels import FrameLayout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = ["MotionCounter"]

LATEST: Final = 1e12  # s; with the shortest half-life its exponent still fits 64 bits
EPOCHS_IN_FLOAT64: Final = 512  # half-lives until decayed sums are put into new units
NOTHING_OVER_TIME: Final = OverTime()


class MotionCounter:
    """Counts, pixel by pixel, in how many pairs of consecutive frames something moved.

    A pixel moved when the grey value of the absolute difference of two frames is above ``threshold``.
    Frames come in pieces of any size; the last frame of one piece is the first of the next pair. The
    counts do not depend on the backend nor on how the frames were cut into pieces.

    Parameters
    ----------
    height, width
        Size of the frames in px.
    threshold
        0 to 255, grey levels.
    pixels
        ``"bgr"``: BGR frames (grey ones too). ``"luma"``: grey frames only, the luma expanded to 0..255;
        faster, blind to changes of colour alone.
    half_life
        Seconds after which a pair weighs half as much as a new one (:mod:`gpuheat.motion.decay`); needs times.
        None: every pair weighs the same.
    mask
        (h, w), any number type; pixels count only where it is not zero.
    max_changed
        A pair in which more than this share of the pixels moved (a light was switched, the camera was
        knocked) is reported, but not counted. 1.0: every pair counts.
    backend
        A name, or a backend; see :func:`gpuheat.get_backend`.
    over_time
        What is kept of the counts by slices of the time (:mod:`gpuheat.motion.over_time`); nothing unless it is given.

    Raises
    ------
    OptionError
        If an option is outside its range.
    BackendUnavailableError
        If the backend cannot run here.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.zeros((3, 4, 6, 3), np.uint8)
    >>> frames[1, 2, 3] = 200  # one pixel lights up for one frame
    >>> counter = MotionCounter(4, 6, backend="numpy")
    >>> counter.push(frames)
    >>> heatmap = counter.result()
    >>> int(heatmap.counts[2, 3]), heatmap.moved.tolist()
    (2, [1, 1])
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        threshold: int = 25,
        pixels: Literal["bgr", "luma"] = "bgr",
        half_life: float | None = None,
        mask: ArrayLike | None = None,
        max_changed: float = 1.0,
        backend: str | Backend = "auto",
        over_time: OverTime = NOTHING_OVER_TIME,
    ) -> None:
        height = whole_number("the height of a frame, px,", height, 1, 2**31 - 1)
        width = whole_number("the width of a frame, px,", width, 1, 2**31 - 1)
        self.settings = MotionSettings(threshold, pixels, half_life, max_changed)
        self.shape = (height, width)
        self.backend = get_backend(backend)
        self._mask = None if mask is None else _mask(mask, self.shape)
        self._device_mask = None if self._mask is None else self.backend.asarray(self._mask)
        self.pixels_watched = height * width if self._mask is None else int(np.count_nonzero(self._mask))
        self._counts = self.backend.zeros(self.shape, np.uint32)
        self._decayed = None if half_life is None else self.backend.zeros(self.shape, np.float64)
        self._epoch: int | None = None
        self._previous: Batch | None = None  # one frame
        self._timed: bool | None = None
        self._log = PairLog(self.backend)
        self._raised = Raised(self.shape, self.backend.stretch) if isinstance(self.backend, MarkingBackend) else None
        self._over_time = KeptOverTime(over_time, self.shape, self._raised)

    @property
    def layout(self) -> FrameLayout | None:
        """The layout of the last frame; None before the first and after a cut."""
        return None if self._previous is None else self._previous.layout

    @property
    def pairs(self) -> int:
        """How many pairs of frames were compared so far."""
        return len(self._log)

    def push(
        self,
        frames: object,
        times: ArrayLike | None = None,
        *,
        layout: FrameLayout | None = None,
        copy: bool = True,
    ) -> None:
        """Compare the next frames.

        Parameters
        ----------
        frames
            uint8: (n, h, w, 3) or (h, w, 3) BGR, (n, h, w) or (h, w) grey. NumPy arrays, the backend's
            own, and anything with DLPack or the buffer protocol. All have the layout of the first, until
            :meth:`cut`. Where a GPU has not enough memory for all of them, they are compared in smaller batches.
        times
            Time stamp of each frame, s; given always or never.
        layout
            For planar frames, which are a tuple of planes, with or without n in front. None: BGR or grey, as
            the shape says.
        copy
            The last frame is needed for the next pair. False: it is not copied, and the caller leaves
            its memory alone until the next push has returned.

        Raises
        ------
        InputError
            If shape or dtype do not fit. What was counted before stays as it was.
        OptionError
            If times are missing, too many, or not finite.
        DeviceMemoryError
            If a GPU has not enough memory for a single frame. What was counted before stays as it was.
        """
        layouts = self._layouts(layout)
        too_many = False
        try:
            batch = Batch.adopt(frames, self.backend.asarray, *self.shape, layouts)
            stamps = self._stamps(times, len(batch))
            spans = self._spans(stamps, len(batch))
            if len(spans) == 1:
                self._push(batch, stamps, copy)
                return
        except DeviceMemoryError:
            planes = frames if isinstance(frames, tuple) else (frames,)
            asarray = self.backend.asarray if any(map(lies_on_gpu, planes)) else HostArrays().asarray
            batch = Batch.adopt(frames, asarray, *self.shape, layouts)
            if len(batch) < 2:
                raise
            stamps = self._stamps(times, len(batch))
            spans = [slice(0, len(batch) // 2), slice(len(batch) // 2, None)]
            too_many = True
        if too_many:
            gc.collect()  # the error kept what was allocated before it
        for span in spans:
            part = batch[span]
            self.push(part.frames, stamps[span] if self._timed else None, layout=part.layout, copy=copy)

    def cut(self) -> None:
        """Begin anew with the next frame: no pair is made of it and the last one, and its layout may be another."""
        self._previous = None

    def merge(self, other: MotionCounter) -> None:
        """Add what another counter counted; its pairs follow this counter's.

        No pair is made of this counter's last frame and the other's first: to lose none, the other
        starts with this one's last frame. Pushing goes on after the other's last frame.

        Raises
        ------
        InputError
            If the two do not have the same size, settings and mask, or keep something else over time; if something is
            kept and there are no times: the pairs of the other have their places in it as times.
        """
        self._check_same(other)
        if self._over_time:
            for counter in (self, other):
                counter._close_slices()
            self._over_time.merge(other._over_time)
        self._counts = self.backend.asarray(self._host_counts() + other._host_counts())
        self._all_raised()
        if self._decayed is not None and other._epoch is not None:
            epoch = other._epoch if self._epoch is None else max(self._epoch, other._epoch)
            sums = [rescaled(c._host_decayed(), c._epoch, epoch) for c in (self, other) if c._epoch is not None]
            self._decayed, self._epoch = self.backend.asarray(sum(sums[1:], start=sums[0])), epoch
        self._log.extend(other._log)
        if other._previous is not None:
            planes = (np.array(other.backend.to_host(plane)) for plane in other._previous.planes)
            self._previous = Batch(other._previous.layout, tuple(map(self.backend.asarray, planes)))
        self._timed = other._timed if self._timed is None else self._timed

    @property
    def raised(self) -> Raised | None:
        """Where the counts and the decayed sums were raised last; None where the backend does not tell."""
        return self._raised

    def decaying(self, time: float) -> tuple[NDArray[np.float64], float]:
        """The decayed sums as they are now, (h, w), and the factor that makes them those as of ``time``, s.

        With a half-life only. Not a copy where the backend computes on the host, else it waits for the device.
        """
        assert self._decayed is not None
        assert self.settings.half_life is not None
        sums = self.backend.to_host(self._decayed)
        return sums, 0.0 if self._epoch is None else math.exp2(self._epoch - time / self.settings.half_life)

    @property
    def state(self) -> dict[str, Any]:
        """What was counted, for :meth:`restore`: arrays and numbers, which may change with the next push.

        The last frame is not part of it.
        """
        self._close_slices()
        return {
            "counts": self._counts_on_host(),
            "decayed": None if self._decayed is None else self.backend.to_host(self._decayed),
            "epoch": self._epoch,
            "timed": self._timed,
            "pairs": self._log.state,
            "over_time": self._over_time.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with what another counter of the same size, settings and mask had counted and gave as its state.

        Push that counter's last frame first: no pair is made of it.
        """
        self._counts = self.backend.asarray(np.array(state["counts"]))
        self._all_raised()
        self._decayed = None if state["decayed"] is None else self.backend.asarray(np.array(state["decayed"]))
        self._epoch, self._timed = state["epoch"], state["timed"]
        self._log.restore(state["pairs"])
        self._over_time.restore(state["over_time"], state["counts"])
        self._previous = None

    def result(self, *, blur: float = 0.0, copy: bool = True) -> MotionHeatmap:
        """The heat map of what was counted so far; counting can go on.

        Parameters
        ----------
        blur
            The standard deviation, in px, of a Gaussian blur of the heat; 0 is none.
        copy
            False: the map may have the memory of this counter, which is not to be used any more.
        """
        decayed = None
        if self._decayed is not None and self.settings.half_life is not None:
            decayed = self._host_decayed()
            if self._epoch is not None:
                decayed = value_at(decayed, self._epoch, float(self._log.times.max()), self.settings.half_life)
        self._close_slices()
        moved, counted = self._log.moved, self._log.counted
        times = self._log.times if self._timed else np.arange(self.pairs)
        return MotionHeatmap.from_counts(
            self._host_counts() if copy else self._counts_on_host(),
            decayed=decayed,
            moved=moved,
            counted=counted,
            frames=np.arange(1, self.pairs + 1),
            times=self._log.times if self._timed else None,
            pixels_watched=self.pixels_watched,
            watched=None if self._mask is None or self._mask.all() else self._mask != 0,
            settings=dataclasses.asdict(self.settings) | {"blur": blur, "backend": self.backend.name},
            backend=self.backend,
            timeline=self._over_time.timeline,
            zones=self._over_time.zones(
                times[counted], timed=bool(self._timed), moved_anywhere=int(moved[counted].sum(dtype=np.uint64))
            ),
            slice_counts=self._over_time.slices,
        )

    def _layouts(self, named: FrameLayout | None) -> tuple[FrameLayout, ...]:
        """The layouts the next frames may have."""
        known = self.layout
        allowed = (FrameLayout.GRAY8,) if self.settings.pixels == "luma" else (FrameLayout.BGR24, FrameLayout.GRAY8)
        if self.settings.pixels == "luma" and named is not None and named.pixel_format != "gray8":
            raise OptionError(f"pixels='luma' takes grey frames, got {named}")
        if None not in (named, known) and named != known:
            raise InputError(f"frames of {named} cannot follow frames of {known}: cut() begins anew")
        chosen = named or known
        return allowed if chosen is None else (chosen,)

    def _stamps(self, times: ArrayLike | None, frames: int) -> list[float]:
        """The times of the frames, once they are known to be as many and finite; empty where there are none."""
        if frames == 0:
            return []
        if times is None and self.settings.half_life is not None:
            raise OptionError("half_life weighs pairs by time: give the times of the frames")
        if self._timed not in (None, times is not None):
            raise OptionError("times must be given with every push or with none")
        try:
            stamps: list[float] = [] if times is None else np.ravel(np.asarray(times, np.float64)).tolist()
        except (TypeError, ValueError):
            stamps = [math.nan]
        if times is not None and (len(stamps) != frames or not all(abs(stamp) <= LATEST for stamp in stamps)):
            raise OptionError(f"times must be {frames} numbers of seconds up to 1e12, one per frame, got {times!r}")
        self._timed = times is not None
        return stamps

    def _spans(self, stamps: list[float], frames: int) -> list[slice]:
        """Frames that are pushed together: all, unless counts are kept over time, whose slices change in between."""
        if not self._over_time or frames < 2:
            return [slice(0, frames)]
        first = self.pairs - (self._previous is None)  # the first frame of all makes no pair
        return self._over_time.spans(stamps if self._timed else [max(0, first + each) for each in range(frames)])

    def _push(self, batch: Batch, stamps: list[float], copy: bool) -> None:
        """Compare the frames of a batch; if the memory of a device does not suffice, nothing has happened."""
        if len(batch) == 0:
            return
        last = batch[-1:].copy(self.backend) if copy else batch[-1:]
        previous = self._previous
        if previous is None:
            previous, batch, stamps = batch[:1], batch[1:], stamps[1:]
        if len(batch) > 0:
            self._compare(previous, batch, stamps)
        self._previous = last

    def _compare(self, previous: Batch, batch: Batch, stamps: list[float]) -> None:
        """Count the pairs that end with each frame of the batch; ``previous`` is the one frame before it."""
        if self._over_time:  # where another slice begins, the host waits for the device
            self._over_time.enter(stamps[0] if self._timed else self.pairs, self._counts_on_host)
        moved = self._log.room(len(batch))
        counted = [True] * len(batch)
        if self.settings.max_changed < 1:
            self._add_motion(previous, batch, moved)
            few_enough = self.backend.to_host(moved) / self.pixels_watched <= self.settings.max_changed
            counted = few_enough.tolist()
        for run, (first, last) in enumerate(_runs(counted)):
            before = batch[first - 1 : first] if first else previous
            try:
                self._add(before, batch[first:last], stamps[first:last], moved[first:last])
            except DeviceMemoryError as error:
                if run == 0:
                    raise
                raise BackendError(f"the counts are incomplete, for memory ran out within a batch: {error}") from error
        self._log.add(stamps, counted)

    def _add(self, previous: Batch, batch: Batch, stamps: list[float], moved: Any) -> None:
        """Compare, and add to the counts and the decayed sums."""
        weights = None
        if self._decayed is not None and self.settings.half_life is not None:
            newest = epoch_of(max(stamps), self.settings.half_life)
            if self._epoch is None:
                self._epoch = newest
            elif newest - self._epoch > EPOCHS_IN_FLOAT64:
                self._decayed = self.backend.asarray(rescaled(self._host_decayed(), self._epoch, newest))
                self._epoch = newest
                self._all_raised()
            weights = pair_weights(stamps, self.settings.half_life, self._epoch)
        sums = {"counts": self._counts, "decayed": self._decayed, "weights": weights}
        if self._raised is not None:
            sums |= {"raised": self._raised.numbers, "number": self._raised.next()}
        self._add_motion(previous, batch, moved, **sums)

    def _add_motion(self, previous: Batch, batch: Batch, moved: Any, **sums: Any) -> None:
        self.backend.add_motion(
            previous.only_frame,
            batch.frames,
            batch.layout,
            threshold=self.settings.threshold,
            moved=moved,
            mask=self._device_mask,
            **sums,
        )

    def _all_raised(self) -> None:
        """Take note that the sums are others."""
        if self._raised is not None:
            self._raised.everywhere()

    def _close_slices(self) -> None:
        """Have all that was counted in the slices of the time. The host waits for the device."""
        if self._over_time:
            self._over_time.close(self._counts_on_host())

    def _counts_on_host(self) -> NDArray[np.uint32]:
        """The counts, to look at only: they may be those that go on. Waits for the device."""
        return self.backend.to_host(self._counts)

    def _host_counts(self) -> NDArray[np.uint32]:
        return np.array(self._counts_on_host(), np.uint32)

    def _host_decayed(self) -> NDArray[np.float64]:
        return np.array(self.backend.to_host(self._decayed), np.float64)

    def _check_same(self, other: MotionCounter) -> None:
        mine = {"size": self.shape, **dataclasses.asdict(self.settings)}
        theirs = {"size": other.shape, **dataclasses.asdict(other.settings)}
        for name, value in mine.items():
            if value != theirs[name]:
                raise InputError(f"only equal counts can be merged: {name} is {value} here and {theirs[name]} there")
        if self._over_time.what != other._over_time.what:
            raise InputError("only equal counts can be merged: what is kept over time differs")
        if self._over_time and self._timed is False and self.pairs > 0 and other.pairs > 0:
            raise InputError("what is kept over time of pairs without times cannot be merged: give times")
        if not _same_array(self._mask, other._mask):
            raise InputError("only equal counts can be merged: the masks differ")
        if None not in (self._timed, other._timed) and self._timed is not other._timed:
            raise InputError("only equal counts can be merged: one has times, the other has none")


def _mask(values: ArrayLike, shape: tuple[int, int]) -> NDArray[np.uint8]:
    mask = HostArrays().asarray(values)
    if mask.shape != shape:
        raise InputError(f"mask must have the shape of a frame, {shape}, got {mask.shape}")
    if not mask.any():
        raise InputError("mask is zero everywhere: no pixel is left to watch")
    return np.asarray(mask != 0).astype(np.uint8)


def _same_array(a: NDArray[np.uint8] | None, b: NDArray[np.uint8] | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))


def _runs(wanted: list[bool]) -> Iterator[tuple[int, int]]:
    """Where the runs of True begin and end."""
    first = None
    for place, want in enumerate([*wanted, False]):
        if want and first is None:
            first = place
        elif not want and first is not None:
            yield first, place
            first = None
