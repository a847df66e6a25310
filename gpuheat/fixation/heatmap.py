"""The finished fixation heat map: its numbers, and how it draws itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import cv2
import numpy as np

from gpuheat.backends import Backend, get_backend
from gpuheat.errors import InputError, OptionError
from gpuheat.outputs.drawable import Drawable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.grid import BinGrid
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

__all__ = ["FixationHeatmap"]

Unit = Literal["duration", "count", "gaze"]
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

    @property
    def total(self) -> int:
        """The sum of all weights: us of fixation, or points."""
        return int(self.histogram.sum(dtype=np.uint64))

    @property
    def full_scale(self) -> str:
        """What 100 % on the colour bar stands for."""
        if self.peak == 0:
            return "nobody looked"
        size = f"{self.grid.width / self.grid.nx:.3g} x {self.grid.height / self.grid.ny:.3g} px"
        per_bin = f"per bin of {size}{', blurred' if self.settings['scale'] else ''}"
        if self.balanced is not None and self.recordings:
            return f"100 % = {100 * self.peak / self.recordings:.3g} % of a recording, on average, {per_bin}"
        value = self.peak / 1e6 if self.unit == "duration" else self.peak
        return f"100 % = {value:.3g} {IN_WORDS[self.unit]} {per_bin}"

    @property
    def headline(self) -> str:
        """What came out, in one line."""
        facts = self._amounts()
        rows = sum(source["rows"] for source in self.facts.get("inputs", []))
        if rows:
            facts.append(f"{rows - self.points:,} of {rows:,} rows left out")
        return ", ".join(facts)

    def __repr__(self) -> str:
        height, width = self.heat.shape
        return f"<FixationHeatmap {width} x {height} px, {self.headline}>"

    def write(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write ``heatmap.png overlay.png figure.png histogram.npy summary.json``.

        The first two have the size of the background, or of the heat where there is none.
        """
        from gpuheat.outputs.pictures import write_pictures

        write_pictures(
            out,
            self.heat,
            self.background,
            style,
            title={"gaze": "Gaze"}.get(self.unit, "Fixations"),
            subtitle=self._subtitle(),
            full_scale=self.full_scale,
        )
        out.write_array("histogram.npy", self.histogram)
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
                **({"duration_s": self.total / 1e6} if self.unit == "duration" else {}),
                "full_scale": self.full_scale,
            },
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
        known = self.recordings is not None and other.recordings is not None
        return FixationHeatmap.from_histogram(
            self.histogram + other.histogram,
            self.grid,
            points=self.points + other.points,
            scale=self.settings["scale"],
            backend=get_backend(self.settings["backend"] if backend is None else backend),
            balanced=None if self.balanced is None or other.balanced is None else self.balanced + other.balanced,
            unit=self.unit,
            recordings=(self.recordings or 0) + (other.recordings or 0) if known else None,
            settings={name: value for name, value in self.settings.items() if name != "backend"},
            background=self.background,
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
        )

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
