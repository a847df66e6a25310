"""The finished motion heat map: its numbers, and how it draws itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from gpuheat.backends import Backend, get_backend
from gpuheat.errors import InputError
from gpuheat.motion import words
from gpuheat.outputs.drawable import Drawable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.outputs.activity import Activity
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

__all__ = ["MotionHeatmap"]

ROWS_AT_ONCE: Final = 64  # to spare memory
COUNTED_BY: Final = (
    "threshold",
    "pixels",
    "half_life",
    "max_changed",
    "every",
    "keyframes",
    "downscale",
    "mask_sha256",
    "blur",
)
"""The settings that decide what is counted; start, end, background and backend may differ between parts."""


@dataclass(frozen=True, eq=False)
class MotionHeatmap(Drawable):
    """Where, and when, things moved.

    Attributes
    ----------
    counts
        (h, w) uint32: in how many of the counted pairs of frames the pixel moved.
    heat
        (h, w) float32 in [0, 1]: the counts, or the decayed sums where a half-life was set, blurred where
        that was asked for, divided by their maximum. All zero where nothing moved.
    peak
        That maximum: what 100 % stands for.
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
    settings
        The options the map was made with.
    background
        (H, W, 3) uint8 BGR, the scene, or None. Pictures have its size, which is that of the video also
        where the frames were downscaled before counting.
    facts
        What was read, and how; goes into ``summary.json`` as it is.
    """

    usual_colormap: ClassVar = "jet"
    usual_alpha: ClassVar = 0.4

    counts: NDArray[np.uint32]
    heat: NDArray[np.float32]
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

    @property
    def accumulator(self) -> NDArray[np.float32]:
        """(h, w) float32: ``255 * counts``, what summing up thresholded frames gives."""
        return self.counts.astype(np.float32) * np.float32(255)

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

    def __repr__(self) -> str:
        return f"<MotionHeatmap {self.counts.shape[1]} x {self.counts.shape[0]} px, {self.headline}>"

    def write(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write ``heatmap.png overlay.png figure.png counts.npy activity.csv summary.json``.

        The first two have the size of the background, or of the heat where there is none. With a half-life
        there is ``decayed.npy`` too.
        """
        from gpuheat.outputs.pictures import write_pictures

        write_pictures(
            out,
            self.heat,
            self.background,
            style,
            title=str(self.facts.get("input", {}).get("name", "Motion")),
            subtitle=words.subtitle(self),
            full_scale=self.full_scale,
            activity=self._activity_over_time(),
        )
        out.write_array("counts.npy", self.counts)
        if self.decayed is not None:
            out.write_array("decayed.npy", self.decayed)
        out.write_parts("activity.csv", words.activity_csv(self))
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
        }

    def merge(self, other: MotionHeatmap, *, backend: str | Backend | None = None) -> MotionHeatmap:
        """The heat map of both together; the other's pairs follow.

        Counts add up. Decayed sums are taken to the later of the two last times first. A blur is computed by
        ``backend``, or by the one this map was made with.

        Raises
        ------
        InputError
            If the two differ in size or settings.
        """
        if self.counts.shape != other.counts.shape:
            raise InputError(f"only equal maps can be merged: sizes {self.counts.shape} and {other.counts.shape}")
        if self.pixels_watched != other.pixels_watched:
            raise InputError(
                f"only equal maps can be merged: masks leave {self.pixels_watched} and {other.pixels_watched} pixels"
            )
        for name in COUNTED_BY:
            if self.settings.get(name) != other.settings.get(name):
                raise InputError(
                    f"only equal maps can be merged: {name} is {self.settings.get(name)} here and "
                    f"{other.settings.get(name)} there"
                )
        if (self.times is None) != (other.times is None):
            raise InputError("only equal maps can be merged: one has times, the other has none")
        chosen = get_backend(self.settings["backend"] if backend is None else backend)
        return MotionHeatmap.from_counts(
            self.counts + other.counts,
            decayed=_decayed_together(self, other),
            moved=np.concatenate([self.moved, other.moved]),
            counted=np.concatenate([self.counted, other.counted]),
            frames=np.concatenate([self.frames, other.frames]),
            times=None if self.times is None or other.times is None else np.concatenate([self.times, other.times]),
            pixels_watched=self.pixels_watched,
            settings=self.settings | {"backend": chosen.name},
            background=self.background,
            backend=chosen,
        )

    @classmethod
    def from_counts(
        cls, counts: NDArray[np.uint32], *, decayed: NDArray[np.float64] | None, backend: Backend, **fields: Any
    ) -> MotionHeatmap:
        """A heat map of finished counts: computes the heat, blurred on ``backend`` as the settings say."""
        values: NDArray[Any] = counts if decayed is None else decayed
        blur = fields["settings"]["blur"]
        if blur != 0:
            image = backend.asarray(values.astype(np.float32))
            values = backend.to_host(backend.gaussian_blur(image, blur))
        peak = float(values.max())
        heat = np.zeros(values.shape, np.float32)
        for first in range(0, len(heat) if peak > 0 else 0, ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            heat[rows] = values[rows].astype(np.float64) / peak
        return cls(counts=counts, heat=heat, peak=peak, decayed=decayed, **fields)

    def turned(self, degrees: int) -> MotionHeatmap:
        """The map turned counter-clockwise by a multiple of 90 degrees; the background is turned with it."""

        def turn(picture: Any) -> Any:
            return None if picture is None else np.ascontiguousarray(np.rot90(picture, degrees // 90))

        return replace(
            self,
            counts=turn(self.counts),
            heat=turn(self.heat),
            decayed=turn(self.decayed),
            background=turn(self.background),
        )

    def _activity_over_time(self) -> Activity | None:
        if self.times is None:
            return None
        from gpuheat.outputs.activity import Activity

        order = np.argsort(self.times, kind="stable")
        return Activity(self.times[order], self.activity[order], self.counted[order])


def _decayed_together(a: MotionHeatmap, b: MotionHeatmap) -> NDArray[np.float64] | None:
    """Both maps' decayed sums as of the later of their last times."""
    sums, last = [], []
    for heatmap in (a, b):
        if heatmap.decayed is None or heatmap.times is None:
            return None
        if heatmap.times.size:
            sums.append(heatmap.decayed)
            last.append(float(heatmap.times.max()))
    together = np.zeros(a.counts.shape)
    for values, time in zip(sums, last, strict=True):
        together += values * math.exp2((time - max(last)) / a.settings["half_life"])
    return together
