"""The pictures of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpuheat.outputs.difference import Bar, draw_difference, draw_side_by_side, signed_ticks, ticks
from gpuheat.outputs.picture import encode_png, overlay, resize_heat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.jobs.comparison import Comparison, Side
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

__all__ = ["write_pictures"]


def write_pictures(out: OutputFolder, comparison: Comparison, style: PictureStyle) -> None:
    """Write ``difference.png figure.png side_by_side.png``.

    Parameters
    ----------
    out
        Where the files go.
    comparison
        What is drawn.
    style
        Colours, tone and opacity of the difference.
    """
    a, b = comparison.a, comparison.b
    picture = comparison.render(style.colormap, style.tone, style.alpha)
    top = float(max(a.share.max(), b.share.max()))
    of_sides = comparison.usual_of_sides

    def drawn(side: Side) -> NDArray[np.uint8]:
        """One of the two over its own background, on the scale of both."""
        heat = side.share / np.float32(top) if top > 0 else side.share
        return overlay(heat, comparison.plain if side.background is None else side.background, of_sides)

    change = Bar(
        colormap=style.colormap,
        ticks=signed_ticks(resize_heat(comparison.heat, *picture.shape[:2], signed=True), style.tone, comparison.limit),
        name="Difference, B minus A",
        meaning=f"percentage points {comparison.unit}",
    )
    share = Bar(of_sides.colormap, ticks(top), name="A and B", meaning=f"% {comparison.unit}")
    findings = ", ".join(comparison.findings).replace("-", "\N{MINUS SIGN}")
    facts = [findings, f"A = {a.name}: {a.amount}", f"B = {b.name}: {b.amount}"]
    texts = {"title": comparison.title, "subtitle": "\n".join(facts)}
    pictures = [
        (f"A: {a.name}", drawn(a)),
        (f"B: {b.name}", drawn(b)),
        ("Difference, B minus A", picture),
    ]
    out.write("difference.png", encode_png(picture))
    out.write("figure.png", draw_difference(picture, bar=change, **texts))
    out.write("side_by_side.png", draw_side_by_side(pictures, bars=[share, change], **texts))
