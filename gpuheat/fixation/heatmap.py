"""The finished fixation heat map: its numbers, and how it draws itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import cv2
import numpy as np

from gpuheat.backends import Backend, get_backend
from gpuheat.errors import InputError, OptionError
from gpuheat.fixation.recording import (
    NO_DURATION,
    NOT_SELECTED,
    add_up,
    check_weight,
    facts_of,
    select_recordings,
    weighing_alike,
    weight_of,
)
from gpuheat.outputs.drawable import Drawable
from gpuheat.outputs.table import csv_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray
    from xarray import Dataset

    from gpuheat.fixation.recording import RecordingHistograms, Unit, Weight
    from gpuheat.fixation.zones import FixationZones
    from gpuheat.grid import BinGrid
    from gpuheat.outputs.description import Description
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle
    from gpuheat.zones import Area

__all__ = ["FixationHeatmap"]

IN_WORDS: Final[dict[Unit, str]] = {"duration": "s of fixation", "count": "fixations", "gaze": "gaze samples"}


@dataclass(frozen=True, eq=False)
class FixationHeatmap(Drawable):
    """Where people looked.

    Attributes
    ----------
    histogram
        (ny, nx) uint64: the sum of the weights in each bin; us of fixation, or points.
    grid
        The bins.
    heat
        (h, w) float32 in [0, 1], of the size of the reference image: the histogram blurred, divided by its
        maximum, resized with Lanczos interpolation and clipped. All zero where nobody looked.
    peak
        The maximum of the blurred histogram, in the histogram's unit: what 100 % stands for.
    points
        How many fixations or gaze samples were counted.
    unit
        What the histogram adds up: ``"duration"`` (us of fixation), ``"count"`` (fixations) or ``"gaze"``
        (gaze samples).
    recordings
        How many recordings the points are from; None where that is not known.
    settings
        The options the map was made with.
    balanced
        (ny, nx) float64: where every recording was to weigh the same, the sum of each recording's histogram
        divided by its total; the heat is made of it. None otherwise.
    background
        (h, w, 3) uint8 BGR, the reference image, or None.
    facts
        What was read, and how; goes into ``summary.json`` as it is.
    by_recording
        What each recording adds, by id: its histograms of durations and of counts, which add up to the histogram;
        of the recordings that were selected also those which have nothing of this unit. None where that is not known.
    zones
        Who looked at which zone; None where there are none to be measured.
    areas
        All zones that the map was made with, those to include and to exclude among them.
    """

    usual_colormap: ClassVar = "turbo"
    usual_alpha: ClassVar = "value"

    histogram: NDArray[np.uint64]
    grid: BinGrid
    heat: NDArray[np.float32]
    peak: float
    points: int
    unit: Unit
    recordings: int | None
    settings: dict[str, Any]
    balanced: NDArray[np.float64] | None = None
    background: NDArray[np.uint8] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    by_recording: tuple[RecordingHistograms, ...] | None = None
    zones: FixationZones | None = None
    areas: tuple[Area, ...] = ()

    @property
    def total(self) -> int:
        """The sum of all weights: us of fixation, or points."""
        return int(self.histogram.sum(dtype=np.uint64))

    @property
    def full_scale(self) -> str:
        """What 100 % on the colour bar stands for."""
        if self.peak == 0:
            return "nobody looked"
        value, unit = self._full()
        return f"100 % = {value:.3g} {unit}"

    @property
    def amount(self) -> str:
        """How much it is made of, in words."""
        return ", ".join(self._amounts())

    @property
    def headline(self) -> str:
        """What came out, in one line."""
        facts = self._amounts()
        rows = sum(source["rows"] for source in self.facts.get("inputs", []))
        if rows:
            facts.append(f"{rows - self.points:,} of {rows:,} rows left out")
        return ", ".join(facts)

    def describe(self) -> Description:
        """What a notebook and a plot say of it."""
        from gpuheat.outputs.description import Description

        grid, (height, width) = self.grid, self.heat.shape
        value, unit = self._full()
        facts = [
            ("Picture", f"{width:,} x {height:,} px"),
            ("Counted", self.amount),
            ("Scale", self.full_scale),
            ("Bins", f"{grid.nx} x {grid.ny}"),
            ("Blur", f"sigma {self.settings['scale']:g} % of the wider side"),
            ("Backend", self.settings["backend"]),
        ]
        extent = (0.0, grid.width, grid.height, 0.0)  # positions are measured from the upper left corner
        return Description(self._title, value, unit, extent, facts, self.facts.get("warnings", ()))

    def to_xarray(self) -> Dataset:
        """The map for xarray.

        ``histogram`` and, where every recording weighs the same, ``balanced`` lie along ``y`` and ``x``, the centres
        of the bins, px, whose edges are ``y_edge`` and ``x_edge``; ``heat`` lies along ``image_y`` and ``image_x``,
        the centres of the pixels. The attributes are the settings that are set; netCDF can hold them.

        Raises
        ------
        MissingPackageError
            If xarray is not installed.
        """
        from gpuheat.fixation.conversion import to_xarray

        return to_xarray(self)

    def to_arrow(self) -> pa.Table:
        """The bins as a table in long form, one row per bin: ``column row x_px y_px`` and what it holds.

        ``x_px`` and ``y_px`` are the centre of the bin. What it holds is ``fixation_us``, ``fixations`` or
        ``gaze_samples``, and ``balanced`` too where every recording weighs the same. pandas takes the table with
        ``to_pandas()``, polars and DuckDB as it is. The summary is in the schema's metadata, as JSON under ``gpuheat``.
        """
        from gpuheat.fixation.conversion import to_arrow

        return to_arrow(self)

    def __repr__(self) -> str:
        height, width = self.heat.shape
        return f"<FixationHeatmap {width} x {height} px, {self.headline}>"

    def write_report(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write ``report.html``: the map, to look around in with a browser."""
        from gpuheat.fixation.report import fixation_report

        out.write_text("report.html", fixation_report(self, style, title=self._title, facts=self._subtitle()))

    def write(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write ``background.jpg heatmap.png overlay.png figure.png histogram.npy summary.json``.

        The first three have the size of the background, or of the heat where there is none. Where every recording
        weighs the same there is ``balanced.npy`` too, with zones ``zones.csv`` and ``zones_recordings.csv``.
        """
        from gpuheat.outputs.pictures import write_pictures

        write_pictures(
            out,
            self.heat,
            self.background,
            style,
            title=self._title,
            subtitle=self._subtitle(),
            full_scale=self.full_scale,
            areas=self.areas,
        )
        out.write_array("histogram.npy", self.histogram)
        if self.balanced is not None:
            out.write_array("balanced.npy", self.balanced)
        if self.zones is not None:
            table = self.zones.table
            out.write_text("zones.csv", csv_table(table[0], table))
            out.write_text("zones_recordings.csv", csv_table(self.zones.columns, self.zones.by_recording))
        out.write_json("summary.json", self.summary | {"pictures": asdict(style)})

    @property
    def summary(self) -> dict[str, Any]:
        """Settings, what was read, and the result in numbers, as ``summary.json`` has them."""
        height, width = self.heat.shape
        return {
            **self.facts,
            "settings": self.settings,
            "result": {
                "size": {"width": width, "height": height},
                "bins": {"nx": self.grid.nx, "ny": self.grid.ny},
                "points": self.points,
                "unit": self.unit,
                **({"duration_s": self.total / 1e6} if self.unit == "duration" else {}),
                "full_scale": self.full_scale,
            },
            **({} if self.zones is None else {"zones": self.zones.table}),
        }

    def merge(self, other: FixationHeatmap, *, backend: str | Backend | None = None) -> FixationHeatmap:
        """The heat map of both together, blurred by ``backend``, or by the one this map was made with.

        Raises
        ------
        InputError
            If image, bins or settings differ.
        """
        if self.grid != other.grid:
            raise InputError(f"only equal maps can be merged: {self.grid} here and {other.grid} there")
        mine = self.settings | {"unit": self.unit}
        theirs = other.settings | {"unit": other.unit}
        for name in mine.keys() - {"backend"}:
            if mine[name] != theirs.get(name):
                raise InputError(
                    f"only equal maps can be merged: {name} is {mine[name]} here and {theirs.get(name)} there"
                )
        chosen = get_backend(self.settings["backend"] if backend is None else backend)
        settings = {name: value for name, value in self.settings.items() if name != "backend"}
        if self.by_recording is not None and other.by_recording is not None:
            merged = FixationHeatmap.from_recordings(
                add_up([*self.by_recording, *other.by_recording]),
                self.grid,
                unit=self.unit,
                scale=self.settings["scale"],
                backend=chosen,
                equal_recordings=self.balanced is not None,
                background=self.background,
                settings=settings,
            )
            both = None if self.zones is None or other.zones is None else self.zones.merge(other.zones)
            return replace(merged, zones=both, areas=self.areas)
        known = self.recordings is not None and other.recordings is not None
        return FixationHeatmap.from_histogram(
            self.histogram + other.histogram,
            self.grid,
            points=self.points + other.points,
            scale=self.settings["scale"],
            backend=chosen,
            balanced=None if self.balanced is None or other.balanced is None else self.balanced + other.balanced,
            unit=self.unit,
            recordings=(self.recordings or 0) + (other.recordings or 0) if known else None,
            settings=settings,
            background=self.background,
        )

    def chosen(
        self,
        *,
        recordings: Sequence[str] | None = None,
        weight: Weight | None = None,
        scale: float | None = None,
        equal_recordings: bool | None = None,
        backend: str | Backend | None = None,
    ) -> FixationHeatmap:
        """The heat map that :func:`gpuheat.fixation_heatmap` makes of the same source with other options.

        Nothing is read again: it is made of :attr:`by_recording`, on the backend this map was made with unless
        another is given. None: as in this map.

        Raises
        ------
        InputError
            If this map does not know its recordings.
        OptionError
            If there is no recording of one of the ids, no durations to weigh by, or scale is outside its range.
        """
        if self.by_recording is None:
            raise InputError("this map does not know what each recording adds: make it with fixation_heatmap")
        of, settings, left_out = self.by_recording, dict(self.settings), dict(self.facts.get("left_out", {}))
        if recordings is not None:
            ids = settings["selected_recordings"] = select_recordings(recordings, {each.id: each.name for each in of})
            selected = {*ids}
            others = sum(each.points for each in of if each.id not in selected)
            left_out[NOT_SELECTED] = left_out.get(NOT_SELECTED, 0) + others
            of = tuple(each for each in of if each.id in selected)
        unit = self.unit
        if weight is not None:
            unit, settings["weight"] = self._unit_of(weight), weight
        left_out.pop(NO_DURATION, None)
        if unit == "duration":
            left_out[NO_DURATION] = sum(each.points - each.points_timed for each in of)
        equal = settings["equal_recordings"] = (
            self.balanced is not None if equal_recordings is None else equal_recordings
        )
        on = get_backend(settings["backend"] if backend is None else backend)
        heatmap = FixationHeatmap.from_recordings(
            of,
            self.grid,
            unit=unit,
            scale=settings["scale"] if scale is None else scale,
            backend=on,
            equal_recordings=equal,
            background=self.background,
            settings={name: value for name, value in settings.items() if name not in ("scale", "backend")},
        )
        facts = {
            "left_out": left_out,
            "recordings": facts_of(of, weight_of(unit)),
            "backend": {"name": on.name, "device": on.device},
        }
        return replace(
            heatmap,
            facts=self.facts | facts if self.facts else {},
            zones=None if self.zones is None else self.zones.of({each.id for each in of}),
            areas=self.areas,
        )

    def _unit_of(self, weight: Weight) -> Unit:
        """What the histogram of this weight adds up."""
        if check_weight(weight) == "count":
            return "gaze" if self.unit == "gaze" else "count"
        if self.unit != "duration" and all(each.duration is None for each in self.by_recording or ()):
            raise OptionError("there are no durations to weigh by: weigh by count")
        return "duration"

    @classmethod
    def from_recordings(
        cls,
        by_recording: tuple[RecordingHistograms, ...],
        grid: BinGrid,
        *,
        unit: Unit,
        scale: float,
        backend: Backend,
        equal_recordings: bool = False,
        background: NDArray[np.uint8] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> FixationHeatmap:
        """The heat map of what recordings add up to, or of the sum of their shares; see :meth:`from_histogram`."""
        weight = weight_of(unit)
        parts = [part for each in by_recording if (part := each.weighed(weight)) is not None]
        histogram = np.zeros(grid.shape, np.uint64)
        for part in parts:
            part.add_to(histogram)
        points = [each.points_weighed(weight) for each in by_recording]
        return cls.from_histogram(
            histogram,
            grid,
            points=sum(points),
            scale=scale,
            backend=backend,
            unit=unit,
            recordings=sum(number > 0 for number in points),
            balanced=weighing_alike(parts, grid.shape) if equal_recordings else None,
            background=background,
            settings=settings,
            by_recording=by_recording,
        )

    @classmethod
    def from_histogram(
        cls,
        histogram: NDArray[np.uint64],
        grid: BinGrid,
        *,
        points: int,
        scale: float,
        backend: Backend,
        unit: Unit = "count",
        recordings: int | None = None,
        balanced: NDArray[np.float64] | None = None,
        background: NDArray[np.uint8] | None = None,
        settings: dict[str, Any] | None = None,
        by_recording: tuple[RecordingHistograms, ...] | None = None,
    ) -> FixationHeatmap:
        """The heat map of a finished histogram.

        Blur with ``sigma = 0.01 * scale * (bins of the wider side)``, divide by the maximum, resize to the
        image with ``cv2.INTER_LANCZOS4``, clip to [0, 1]: Pupil Cloud's recipe.

        Raises
        ------
        OptionError
            If scale is negative or not finite.
        """
        if not math.isfinite(scale) or scale < 0:
            raise OptionError(f"scale must be a finite number of at least 0, got {scale!r}")
        values = (histogram if balanced is None else balanced).astype(np.float32)
        blurred = backend.to_host(backend.gaussian_blur(backend.asarray(values), 0.01 * scale * max(grid.shape)))
        peak = float(blurred.max())
        size = (round(grid.width), round(grid.height))
        shares = blurred / np.float32(peak) if peak > 0 else blurred
        heat = cv2.resize(shares, size, interpolation=cv2.INTER_LANCZOS4)
        return cls(
            histogram=histogram,
            grid=grid,
            heat=np.clip(heat, 0, 1, out=heat).astype(np.float32, copy=False),
            peak=peak,
            points=points,
            unit=unit,
            recordings=recordings,
            settings={"bins": max(grid.shape), "scale": scale, "backend": backend.name} | (settings or {}),
            balanced=balanced,
            background=background,
            by_recording=by_recording,
        )

    @property
    def _title(self) -> str:
        return "Gaze" if self.unit == "gaze" else "Fixations"

    def _full(self) -> tuple[float, str]:
        """What 100 % stands for: a number and its unit."""
        size = f"{self.grid.width / self.grid.nx:.3g} x {self.grid.height / self.grid.ny:.3g} px"
        per_bin = f"per bin of {size}{', blurred' if self.settings['scale'] else ''}"
        if self.balanced is not None and self.recordings:
            return 100 * self.peak / self.recordings, f"% of a recording, on average, {per_bin}"
        return (self.peak / 1e6 if self.unit == "duration" else self.peak), f"{IN_WORDS[self.unit]} {per_bin}"

    def _subtitle(self) -> str:
        height, width = self.heat.shape
        facts = [f"{width} x {height} px", *self._amounts(), f"sigma {self.settings['scale']:g} % of the wider side"]
        return "  ·  ".join(facts)

    def _amounts(self) -> list[str]:
        facts = [f"{self.points:,} {'gaze samples' if self.unit == 'gaze' else 'fixations'}"]
        if self.unit == "duration":
            facts.append(f"{self.total / 1e6:,.3f} s in all")
        if self.recordings is not None:
            facts.append(f"{self.recordings} recording{'' if self.recordings == 1 else 's'}")
        return facts
