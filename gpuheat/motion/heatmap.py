"""The finished motion heat map: its numbers, and how it draws itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gpuheat.backends import Backend, get_backend
from gpuheat.errors import InputError, OptionError
from gpuheat.motion import words
from gpuheat.motion.heat import blurred, shares
from gpuheat.motion.merging import together
from gpuheat.motion.time_slices import TimeSlices
from gpuheat.outputs.drawable import Drawable
from gpuheat.outputs.table import csv_table

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from xarray import Dataset

    from gpuheat.motion.events import Event, EventRule
    from gpuheat.motion.slice_counts import SliceCounts
    from gpuheat.motion.timeline import Timeline
    from gpuheat.motion.zones import MotionZones
    from gpuheat.outputs.activity import Activity
    from gpuheat.outputs.description import Description
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle
    from gpuheat.zones import Area

__all__ = ["MotionHeatmap"]


@dataclass(frozen=True, eq=False)
class MotionHeatmap(Drawable):
    """Where, and when, things moved.

    Attributes
    ----------
    counts
        (h, w) uint32: in how many of the counted pairs of frames the pixel moved.
    peak
        The maximum of the counts, or of the decayed sums where a half-life was set, blurred where that was asked for:
        what 100 % of the heat stands for.
    moved
        (n,) uint32: how many pixels moved, per pair.
    counted
        (n,) bool: False for a pair left out because too much of the picture changed.
    frames
        (n,) int64: the number of the later frame of each pair, from 0.
    times
        (n,) float64, s: when the later frame of each pair was shown. None where no times were given.
    decayed
        (h, w) float64: the counts with exponential decay, as of the last time; None without a half-life.
    pixels_watched
        How many pixels the mask leaves; all of them without one.
    watched
        (h, w) bool: which these are; None where it is all of them, and for a map read back from its files.
    settings
        The options the map was made with.
    background
        (H, W, 3) uint8 BGR, the scene, or None. Pictures have its size, which is that of the video also
        where the frames were downscaled before counting.
    facts
        What was read, and how; goes into ``summary.json`` as it is.
    timeline
        Where things moved in each stretch of the time, in blocks of pixels; None where that was not kept.
    zones
        What moved in each zone, and when; None where there are none to be measured.
    areas
        All zones that the map was made with, as shown, those to include and to exclude among them.
    slice_counts
        What ``slices`` are made of; None where they were not asked for.
    blurred_heat
        The heat, where a blur was asked for; None: it is made of the counts, or the decayed sums, when it is needed.
    """

    usual_colormap: ClassVar = "jet"
    usual_alpha: ClassVar = 0.4

    counts: NDArray[np.uint32]
    peak: float
    moved: NDArray[np.uint32]
    counted: NDArray[np.bool_]
    frames: NDArray[np.int64]
    times: NDArray[np.float64] | None
    decayed: NDArray[np.float64] | None
    pixels_watched: int
    settings: dict[str, Any]
    background: NDArray[np.uint8] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    timeline: Timeline | None = None
    zones: MotionZones | None = None
    areas: tuple[Area, ...] = ()
    slice_counts: SliceCounts | None = None
    watched: NDArray[np.bool_] | None = None
    blurred_heat: NDArray[np.float32] | None = None

    @cached_property
    def heat(self) -> NDArray[np.float32]:
        """(h, w) float32 in [0, 1]: what ``peak`` is the maximum of, divided by it. All zero where nothing moved."""
        if self.blurred_heat is not None:
            return self.blurred_heat
        return shares(self.counts if self.decayed is None else self.decayed, self.peak)

    @cached_property
    def slices(self) -> TimeSlices | None:
        """The maps of stretches of the time, if ``slice`` or ``slices`` asked for them."""
        if self.slice_counts is None:
            return None
        return TimeSlices(self.slice_counts, self.times, self.counted, self.background, self.settings["blur"])

    @property
    def accumulator(self) -> NDArray[np.float32]:
        """(h, w) float32: ``255 * counts``, what summing up thresholded frames gives."""
        return np.multiply(self.counts, np.float32(255), dtype=np.float32)

    @property
    def moved_share(self) -> float:
        """The share of the watched pixels in which anything moved at all."""
        return float(np.count_nonzero(self.counts) / self.pixels_watched)

    @property
    def activity(self) -> NDArray[np.float64]:
        """(n,) float64 in [0, 1]: the share of the watched pixels that moved, per pair."""
        return self.moved / self.pixels_watched

    @property
    def full_scale(self) -> str:
        """What 100 % on the colour bar stands for."""
        return words.full_scale(self)

    @property
    def headline(self) -> str:
        """What came out, in one line."""
        return words.headline(self)

    def describe(self) -> Description:
        """What a notebook and a plot say of it."""
        return words.describe(self, self.activity_over_time)

    def plot_activity(self, ax: Axes | None = None) -> Axes:
        """Draw the activity over time, s, with matplotlib.

        Parameters
        ----------
        ax
            Empty axes; None is a new figure of pyplot, which is used for nothing else.

        Raises
        ------
        InputError
            If the map has no times.
        """
        from gpuheat.outputs.plot import new_axes, plot_activity

        activity = self.activity_over_time
        if activity is None:
            raise InputError(
                "plot_activity needs the times of the frames: give times=, one number of seconds per frame"
            )
        axes = new_axes(9, 3) if ax is None else ax
        plot_activity(axes, activity)
        return axes

    def to_xarray(self) -> Dataset:
        """The map for xarray.

        ``counts``, ``heat`` and, with a half-life, ``decayed`` lie along ``y`` and ``x``, the centres of the pixels,
        px, the first of which are 0; ``activity``, ``moved`` and ``counted`` along ``time``, s, or along ``frame``
        where there are no times. The attributes are the settings that are set; netCDF can hold them.

        Raises
        ------
        MissingPackageError
            If xarray is not installed.
        """
        from gpuheat.motion.conversion import to_xarray

        return to_xarray(self)

    def to_arrow(self) -> pa.Table:
        """The activity as a table, one row per pair, with the columns of ``activity.csv``.

        pandas takes it with ``to_pandas()``, polars and DuckDB as it is. The schema's metadata hold the summary, as
        JSON under ``gpuheat``.
        """
        from gpuheat.motion.conversion import to_arrow

        return to_arrow(self)

    def __repr__(self) -> str:
        return f"<MotionHeatmap {self.counts.shape[1]} x {self.counts.shape[0]} px, {self.headline}>"

    def write_report(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write ``report.html``: the map, to look around in with a browser."""
        from gpuheat.motion.report import motion_report

        out.write_text("report.html", motion_report(self, style))

    def write(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write ``background.jpg heatmap.png overlay.png figure.png counts.npy activity.csv summary.json``.

        The first three have the size of the background, or of the heat where there is none. With a half-life
        there is ``decayed.npy`` too, with slices of the time ``slices.png slices.npz``, with zones ``zones.csv`` and
        ``zones_activity.csv``.
        """
        from gpuheat.outputs.pictures import write_pictures

        write_pictures(
            out,
            self.heat,
            self.background,
            style,
            title=words.title(self),
            subtitle=words.subtitle(self),
            full_scale=self.full_scale,
            activity=self.activity_over_time,
            areas=self.areas,
        )
        out.write_array("counts.npy", self.counts)
        if self.decayed is not None:
            out.write_array("decayed.npy", self.decayed)
        if self.slices is not None:
            self.slices.write(out, style, words.title(self))
        out.write_parts("activity.csv", words.activity_csv(self))
        if self.zones is not None:
            table = self.zones.table
            out.write_text("zones.csv", csv_table(table[0], table))
            out.write_text("zones_activity.csv", csv_table(self.zones.columns, self.zones.stretches))
        self.write_summary(out, style)

    def write_summary(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write ``summary.json`` alone."""
        out.write_json("summary.json", self.summary | {"pictures": asdict(style)})

    @property
    def summary(self) -> dict[str, Any]:
        """Settings, what was read, and the result in numbers, as ``summary.json`` has them."""
        return {
            **self.facts,
            "settings": self.settings,
            "result": {
                "size": {"width": self.counts.shape[1], "height": self.counts.shape[0]},
                "pairs": len(self.moved),
                "pairs_counted": int(np.count_nonzero(self.counted)),
                "frames_not_counted": self.frames[~self.counted].tolist(),
                "highest_count": int(self.counts.max()),
                "pixels_watched": self.pixels_watched,
                "moved_share": self.moved_share,
                "full_scale": self.full_scale,
            },
            **({} if self.zones is None else {"zones": self.zones.table}),
        }

    def event_rule(self, **options: Any) -> EventRule:
        """What is an event by the options of :meth:`events` and by the heat map's own activity."""
        from gpuheat.motion.events import EventRule

        if self.times is None:
            raise OptionError("events need the times of the frames")
        return EventRule.fitted(self.times[self.counted], self.activity[self.counted], **options)

    def events(
        self,
        *,
        enter: float | None = None,
        leave: float | None = None,
        gap: float | None = None,
        shortest: float = 0.5,
        pad: float = 0.0,
    ) -> list[Event]:
        """The stretches of motion, in order of time: from when to when something moved.

        Parameters
        ----------
        enter
            The moved share of the watched pixels that an event comes to; None is four times ``leave``.
        leave
            The share from which on a pair of frames is in motion, over a median of three pairs. None is the end of the
            noise: the median of the quietest fifth of the shares and 12 spreads (MAD) above it, from 0.005 % to 0.25 %.
        gap
            Pairs in motion at most so far apart, s, belong to one event, and those that follow each other directly.
            None is 2 s, or three pairs where these lie further apart.
        shortest
            How long an event is at least, s; 0.5.
        pad
            By so much, s, an event begins earlier and ends later; 0. Events that would then meet are one.

        Raises
        ------
        OptionError
            If one of them is outside its range, or the frames had no times.

        Examples
        --------
        >>> for event in heatmap.events(shortest=1):  # doctest: +SKIP
        ...     print(event.start, event.end, event.peak_time)
        """
        from gpuheat.motion.events import find_events

        rule = self.event_rule(enter=enter, leave=leave, gap=gap, shortest=shortest, pad=pad)
        assert self.times is not None
        return find_events(self.times, self.activity, self.counted, self.frames, rule)

    def merge(self, other: MotionHeatmap, *, backend: str | Backend | None = None) -> MotionHeatmap:
        """The heat map of both together; the other's pairs follow.

        Counts add up, slices of the timeline too. Decayed sums are taken to the later of the two last times first. A
        blur is computed by ``backend``, or by the one this map was made with. Where there are no times there is no
        common timeline.

        Raises
        ------
        InputError
            If the two differ in size or settings, or in where slices of the time begin.
        """
        chosen = get_backend(self.settings["backend"] if backend is None else backend)
        both = together(self, other)
        settings = self.settings | {"backend": chosen.name}
        return MotionHeatmap.from_counts(
            **both, settings=settings, background=self.background, areas=self.areas, backend=chosen
        )

    @classmethod
    def from_counts(
        cls, counts: NDArray[np.uint32], *, decayed: NDArray[np.float64] | None, backend: Backend, **fields: Any
    ) -> MotionHeatmap:
        """A heat map of finished counts; the heat is blurred on ``backend`` as the settings say."""
        sigma = fields["settings"]["blur"]
        values = blurred(counts if decayed is None else decayed, sigma, backend)
        peak = float(values.max())
        heat = None if sigma == 0 else shares(values, peak)
        return cls(counts=counts, peak=peak, decayed=decayed, blurred_heat=heat, **fields)

    def turned(self, degrees: int) -> MotionHeatmap:
        """The map turned counter-clockwise by a multiple of 90 degrees; the background is turned with it.

        There are no timeline and no zones then: its blocks would begin elsewhere, and their corners lie there.
        """

        def turn(picture: Any) -> Any:
            return None if picture is None else np.ascontiguousarray(np.rot90(picture, degrees // 90))

        return replace(
            self,
            counts=turn(self.counts),
            blurred_heat=turn(self.blurred_heat),
            decayed=turn(self.decayed),
            watched=turn(self.watched),
            background=turn(self.background),
            timeline=self.timeline if degrees % 360 == 0 else None,
            zones=self.zones if degrees % 360 == 0 else None,
            areas=self.areas if degrees % 360 == 0 else (),
            slice_counts=None if self.slice_counts is None else self.slice_counts.turn(degrees),
        )

    @property
    def activity_over_time(self) -> Activity | None:
        """The activity in the order of time, as it is drawn; None without times."""
        if self.times is None:
            return None
        from gpuheat.outputs.activity import Activity

        order = np.argsort(self.times, kind="stable")
        return Activity(self.times[order], self.activity[order], self.counted[order])
