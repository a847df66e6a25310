"""A page measured in px from its top left corner, drawn by matplotlib without its global state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties
    from numpy.typing import NDArray

    from gpuheat.outputs.layout import Box

__all__ = ["Page", "TextRuler"]

DPI = 100
PT = 72 / DPI
"""Points in a px."""
RULE_COLOR = "#d5dae0"


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
