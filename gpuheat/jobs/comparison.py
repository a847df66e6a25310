"""The finished comparison of two heat maps: its numbers, and how it draws itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import gpuheat
from gpuheat.outputs.description import Description
from gpuheat.outputs.drawable import Drawable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

__all__ = ["Comparison", "Side"]


@dataclass(frozen=True, eq=False)
class Side:
    """One of two heat maps that are compared.

    Attributes
    ----------
    name
        What it is called.
    share
        (h, w) float32, %: of the counted frame pairs those in which the pixel moved, or what of all fixation time, of
        all fixations or of all gaze samples lies in the bin.
    background
        (H, W, 3) uint8 BGR, or None.
    amount
        How much it was made of, in words.
    facts
        For ``summary.json``.
    """

    name: str
    share: NDArray[np.float32]
    background: NDArray[np.uint8] | None
    amount: str
    facts: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Comparison(Drawable):
    """What changed from heat map ``a`` to heat map ``b``.

    Attributes
    ----------
    a, b
        The two, each with its ``name`` and its ``share`` in %.
    difference
        (h, w) float32, percentage points: b minus a.
    limit
        The largest change in either direction, percentage points: where both ends of the colour map are.
    heat
        (h, w) float32 in [-1, 1]: the difference divided by the limit; all zero where there is none.
    background
        That of a, or else of b; None where neither has one.
    kind
        What the shares are of: ``"motion"``, ``"fixation time"``, ``"fixations"`` or ``"gaze samples"``.
    unit
        What a share is a part of.
    extent
        The left, right, lower and upper edge of the picture, px.
    centres
        (h,) and (w,) float64, px: y and x of the centres of the pixels or bins.
    usual_of_sides
        How ``a`` and ``b`` are drawn.
    backend
        The name of the one that blurred.
    warnings
        In what the two differ besides.
    """

    usual_colormap: ClassVar = "coolwarm"
    usual_tone: ClassVar = "percentile:99"
    usual_alpha: ClassVar = "value"
    signed: ClassVar = True

    a: Side
    b: Side
    difference: NDArray[np.float32]
    limit: float
    heat: NDArray[np.float32]
    background: NDArray[np.uint8] | None
    kind: str
    unit: str
    extent: tuple[float, float, float, float]
    centres: tuple[NDArray[np.float64], NDArray[np.float64]]
    usual_of_sides: PictureStyle
    backend: str
    warnings: tuple[str, ...] = ()

    @classmethod
    def between(cls, a: Side, b: Side, **fields: Any) -> Comparison:
        """The comparison of two sides of one shape."""
        difference = b.share - a.share
        limit = float(np.abs(difference).max())
        return cls(
            a=a,
            b=b,
            difference=difference,
            limit=limit,
            heat=difference / np.float32(limit) if limit > 0 else difference,
            background=b.background if a.background is None else a.background,
            **fields,
        )

    @property
    def backdrop(self) -> NDArray[np.uint8]:
        """The background in pale grey; plain where there is none."""
        from gpuheat.outputs.difference import dimmed

        return dimmed(self.plain if self.background is None else self.background)

    @property
    def plain(self) -> NDArray[np.uint8]:
        """Light grey, of the size of the picture: what is drawn on where there is no background."""
        from gpuheat.outputs.pictures import on_paper

        left, right, bottom, top = self.extent
        return on_paper(None, round(bottom - top), round(right - left))

    @property
    def correlation(self) -> float | None:
        """Pearson's correlation of the two over all pixels or bins; None where one of them is the same everywhere."""
        a, b = (side.share.astype(np.float64).ravel() for side in (self.a, self.b))
        a -= a.mean()
        b -= b.mean()
        spread = float(np.sqrt((a @ a) * (b @ b)))
        return float(np.clip(a @ b / spread, -1, 1)) if spread > 0 else None

    @property
    def elsewhere(self) -> float | None:
        """What part of the fixation time, the fixations or samples, in %, lies elsewhere in b; None for motion.

        From 0 for equal maps to 100 where nothing of one lies where something of the other is: the sum of all
        changes divided by the sum of both maps, which are taken as blurred as they are.
        """
        if self.kind == "motion":
            return None
        changes, both = (
            float(np.sum(values, dtype=np.float64)) for values in (abs(self.difference), self.a.share + self.b.share)
        )
        return 100 * changes / both

    @property
    def headline(self) -> str:
        """What came out, in one line."""
        return f"{self.title}: {', '.join(self.findings)}"

    @property
    def title(self) -> str:
        """What is compared."""
        return f"{self.b.name} against {self.a.name}"

    @property
    def findings(self) -> list[str]:
        """What came out."""
        if self.limit == 0:
            return ["no difference"]
        elsewhere = [] if self.elsewhere is None else [f"{self._elsewhere} elsewhere"]
        changes = (("increase", self._largest(1)), ("decrease", self._largest(-1)))
        return elsewhere + [f"no {way}" if most is None else f"largest {way} {_place(most)}" for way, most in changes]

    def __repr__(self) -> str:
        height, width = self.difference.shape
        return f"<Comparison of {self.kind}, {width} x {height}, {self.headline}>"

    @property
    def summary(self) -> dict[str, Any]:
        """Both sides, and the result in numbers, as ``summary.json`` has them."""
        height, width = self.difference.shape
        return {
            "gpuheat": gpuheat.__version__,
            "compared": self.kind,
            "a": {"name": self.a.name, **self.a.facts},
            "b": {"name": self.b.name, **self.b.facts},
            "backend": self.backend,
            "warnings": [*self.warnings],
            "difference": {
                "size": {"width": width, "height": height},
                "unit": f"percentage points {self.unit}",
                "largest_increase": self._largest(1),
                "largest_decrease": self._largest(-1),
                **({} if self.elsewhere is None else {"elsewhere_percent": self.elsewhere}),
                "mean_absolute_difference": float(np.abs(self.difference).mean(dtype=np.float64)),
                "correlation": self.correlation,
            },
        }

    def describe(self) -> Description:
        """What a notebook and a plot say of it."""
        facts = [
            ("A", f"{self.a.name}: {self.a.amount}"),
            ("B", f"{self.b.name}: {self.b.amount}"),
            *(() if self.elsewhere is None else (("Elsewhere", self._elsewhere),)),
            ("Increase", _place(self._largest(1))),
            ("Decrease", _place(self._largest(-1))),
            ("Correlation", "none" if self.correlation is None else f"{self.correlation:.3g}"),
            ("Compared", f"% {self.unit}"),
        ]
        unit = f"percentage points {self.unit}"
        return Description(self.title, self.limit, unit, self.extent, facts, self.warnings)

    def write(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write ``difference.png figure.png side_by_side.png difference.npy summary.json``.

        The first has the size of the picture.
        """
        from gpuheat.jobs.comparison_pictures import write_pictures

        write_pictures(out, self, style)
        out.write_array("difference.npy", self.difference)
        out.write_json("summary.json", self.summary | {"pictures": asdict(style)})

    def _largest(self, sign: int) -> dict[str, Any] | None:
        """The largest change in one direction and where it is; None where nothing changed that way."""
        row, column = np.unravel_index(np.argmax(sign * self.difference), self.difference.shape)
        points = float(self.difference[row, column])
        if sign * points <= 0:
            return None
        ys, xs = self.centres
        return {
            "points": points,
            "x_px": float(xs[column]),
            "y_px": float(ys[row]),
            "a": float(self.a.share[row, column]),
            "b": float(self.b.share[row, column]),
        }

    @property
    def _elsewhere(self) -> str:
        return f"{self.elsewhere:.3g} % of the {self.kind}"


def _place(largest: dict[str, Any] | None) -> str:
    """A largest change in words."""
    if largest is None:
        return "none"
    return f"{largest['points']:+.3g} points at ({largest['x_px']:.0f}, {largest['y_px']:.0f}) px"
