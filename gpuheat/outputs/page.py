"""A page measured in px from its top left corner, drawn by matplotlib without its global state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties
    from numpy.typing import NDArray

    from gpuheat.outputs.layout import Box

__all__ = ["Page", "TextRuler"]

DPI = 100
PT = 72 / DPI
"""Points in a px."""
RULE_COLOR = "#d5dae0"
RIM_COLOR = "#14181d"


class TextRuler:
    """How wide a text is in px, and what of it fits. ``size`` is the height of the type in px."""

    def __init__(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._renderer = FigureCanvasAgg(Figure(figsize=(1, 1), dpi=DPI)).get_renderer()  # type: ignore[no-untyped-call]

    def width(self, text: str, size: float, *, bold: bool = False) -> float:
        font = _font(size, bold=bold)
        return float(self._renderer.get_text_width_height_descent(text, font, ismath=False)[0])

    def shorten(self, text: str, room: float, size: float, *, bold: bool = False) -> str:
        """The text in one line, an ellipsis in place of as much of its middle as does not fit."""
        text = " ".join(text.split())
        short, keep = text, len(text)
        while keep > 0 and self.width(short, size, bold=bold) > room:
            keep -= max(1, keep // 20)
            short = f"{text[: (keep + 1) // 2]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - keep // 2 :]}"
        return short

    def wrap(self, text: str, room: float, size: float) -> list[str]:
        """The text in lines that fit, broken at spaces and at its own line ends."""
        lines = []
        for paragraph in text.splitlines():
            line = ""
            for word in paragraph.split():
                longer = f"{line} {word}".strip()
                if line and self.width(longer, size) > room:
                    lines.append(line)
                    longer = word
                line = longer
            lines.append(line)
        return [self.shorten(line, room, size) for line in lines]


class Page:
    """An empty white page of ``width`` x ``height`` px."""

    def __init__(self, width: int, height: int) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._width, self._height = width, height
        self._figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="none")
        self._canvas = FigureCanvasAgg(self._figure)
        self._pictures: list[tuple[NDArray[np.uint8], int, int]] = []

    def text(
        self,
        x: float,
        baseline: float,
        text: str,
        size: float,
        color: str,
        *,
        bold: bool = False,
        align: Literal["left", "center", "right"] = "left",
    ) -> None:
        self._figure.text(
            x / self._width,
            1 - baseline / self._height,
            text,
            fontproperties=_font(size, bold=bold),
            color=color,
            horizontalalignment=align,
            verticalalignment="baseline",
            parse_math=False,
        )

    def picture(self, bgr: NDArray[np.uint8], left: int, top: int) -> None:
        """A picture, pixel for pixel, under everything else."""
        self._pictures.append((bgr, left, top))

    def rule(self, x: float, top: float, length: float, color: str) -> None:
        """A short vertical line."""
        from matplotlib.lines import Line2D

        ys = (1 - top / self._height, 1 - (top + length) / self._height)
        self._figure.add_artist(Line2D([x / self._width] * 2, ys, color=color, linewidth=1))

    def outline(self, corners: Sequence[tuple[float, float]], within: Box, *, dashed: bool) -> None:
        """A closed line of 2 px through the corners, as far as it lies in a box.

        It is light, with a dark rim, so that it shows on anything.
        """
        from matplotlib.patches import Polygon
        from matplotlib.patheffects import withStroke
        from matplotlib.transforms import Bbox, TransformedBbox

        line = Polygon(
            [(x / self._width, 1 - y / self._height) for x, y in corners],
            closed=True,
            fill=False,
            edgecolor="white",
            linewidth=2 * PT,
            linestyle=(0, (5, 3)) if dashed else "solid",
            joinstyle="round",
            transform=self._figure.transFigure,
            path_effects=[withStroke(linewidth=4 * PT, foreground=RIM_COLOR, alpha=0.6)],
        )
        self._figure.add_artist(line)
        box = Bbox.from_extents(
            within.left / self._width,
            1 - within.bottom / self._height,
            within.right / self._width,
            1 - within.top / self._height,
        )
        line.set_clip_box(TransformedBbox(box, self._figure.transFigure))

    def label(self, box: Box, text: str, size: float) -> None:
        """A short text, light on dark, in a box that has room for it."""
        from matplotlib.patches import Rectangle

        corner = (box.left / self._width, 1 - box.bottom / self._height)
        extent = box.width / self._width, box.height / self._height
        chip = Rectangle(
            corner, *extent, facecolor=RIM_COLOR, alpha=0.72, linewidth=0, transform=self._figure.transFigure
        )
        self._figure.add_artist(chip)
        self.text(box.left + (box.height - size) / 2, box.bottom - 0.36 * size, text, size, "white")

    def axes(self, box: Box, size: float, color: str) -> Axes:
        """Axes for a chart over time: light horizontal rules, labels of ``size`` px."""
        axes = self._figure.add_axes(
            (
                box.left / self._width,
                1 - box.bottom / self._height,
                box.width / self._width,
                box.height / self._height,
            )
        )
        axes.tick_params(labelsize=size * PT, labelcolor=color, color=RULE_COLOR, labelfontfamily="DejaVu Sans")
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", pad=9)
        axes.set_facecolor("none")
        axes.locator_params(axis="y", nbins=5)
        axes.grid(axis="y", color=RULE_COLOR, linewidth=1)
        axes.set_axisbelow(True)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(RULE_COLOR)
        return axes

    def render(self) -> NDArray[np.uint8]:
        """The page as a BGR picture, uint8 (height, width, 3)."""
        renderer = self._canvas.get_renderer()  # type: ignore[no-untyped-call]
        rgba = np.asarray(self._canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        rgba[...] = 255
        for bgr, left, top in self._pictures:  # not by matplotlib, which makes float64 of them
            rgba[top : top + bgr.shape[0], left : left + bgr.shape[1], :3] = bgr[..., ::-1]
        self._figure.draw(renderer)
        return np.ascontiguousarray(rgba[..., 2::-1])


def _font(size: float, *, bold: bool) -> FontProperties:
    from matplotlib.font_manager import FontProperties

    return FontProperties(family="DejaVu Sans", size=size * PT, weight="bold" if bold else "normal")
