"""A result as a piece of HTML for notebooks: the picture, its scale, the numbers that matter, and warnings.

Colours of text and lines are those of the page around it, so that it reads on light and on dark ones. Every text is
escaped.
"""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from gpuheat.outputs.activity import envelope, format_time
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.picture import encode_jpeg, shrunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpuheat.outputs.activity import Activity
    from gpuheat.outputs.description import Description

__all__ = ["PREVIEW", "html_card", "sparkline"]

PREVIEW: Final = 960
"""px along the wider side of a picture in a notebook, at most: more would bloat the file."""
QUALITY: Final = 88  # of the JPEG
COLUMNS, HEIGHT = 240, 36  # of the little chart, px
STOPS: Final = 17  # colours of the colour bar, between which the browser interpolates
LINE: Final = "1px solid rgba(128,128,128,.35)"


def html_card(description: Description, picture: NDArray[np.uint8], colormap: str, labels: Sequence[str]) -> str:
    """A heat map as HTML.

    Parameters
    ----------
    description
        What stands beside the picture.
    picture
        (h, w, 3) uint8 BGR; a large one is embedded smaller.
    colormap
        Its colours.
    labels
        Numbers below the colours, spread evenly.
    """
    title = description.title
    small = shrunk(picture, PREVIEW)
    height, width = small.shape[:2]
    data = base64.b64encode(encode_jpeg(small, QUALITY)).decode("ascii")
    rows = "".join(_row(name, value) for name, value in description.facts)
    notes = "".join(
        '<div role="note" style="margin:8px 0 0;padding:4px 10px;border-left:4px solid #d98e04">'
        f"<b>Warning:</b> {escape(warning)}</div>"
        for warning in description.warnings
    )
    chart = "" if description.activity is None else sparkline(description.activity)
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:12px 24px;align-items:flex-start;max-width:1100px;'
        'font-family:sans-serif;font-size:13px;line-height:1.45;color:inherit">'
        f'<div style="flex:1 1 420px;min-width:0;max-width:{max(width, 240)}px">'
        f'<img alt="{escape(title)}: heat map" src="data:image/jpeg;base64,{data}" width="{width}" height="{height}" '
        f'style="display:block;max-width:100%;height:auto;margin:0">{_bar(colormap, labels)}'
        f'<div style="text-align:right;font-size:12px;opacity:.72">{escape(description.unit)}</div></div>'
        '<div style="flex:1 1 260px;min-width:0">'
        f'<div style="font-size:15px;font-weight:bold;overflow-wrap:anywhere;margin-bottom:6px">{escape(title)}</div>'
        f'<table style="border-collapse:collapse;table-layout:auto;width:100%;margin:0;font-size:13px">{rows}</table>'
        f"{chart}{notes}</div></div>"
    )


def sparkline(activity: Activity) -> str:
    """The activity over time as a little chart, in SVG, between its first and its last time; nothing without pairs."""
    if not len(activity.times) or not activity.counted.any():
        return ""
    parts = envelope(activity, COLUMNS)
    shares = np.nan_to_num(parts.highest)
    start, end, peak = float(parts.edges[0]), float(parts.edges[-1]), float(shares.max())
    xs = (parts.edges - start) / (end - start) * COLUMNS
    heights = (shares / peak if peak > 0 else shares) * (HEIGHT - 2)
    path = "".join(
        f"H{left:.1f}V{HEIGHT - height:.1f}H{right:.1f}"
        for left, right, height in zip(xs[:-1].tolist(), xs[1:].tolist(), heights.tolist(), strict=True)
    )
    return (
        f'<svg role="img" aria-label="Picture in motion over time" viewBox="0 0 {COLUMNS} {HEIGHT}" '
        f'preserveAspectRatio="none" style="display:block;width:100%;height:{HEIGHT}px;margin-top:8px">'
        f'<path d="M0 {HEIGHT}{path}V{HEIGHT}Z" fill="#4a90c4"/></svg>'
        f"{_spread([format_time(start), 'picture in motion over time', format_time(end)])}"
    )


def _row(name: str, value: str) -> str:
    cell = f"border:0;border-bottom:{LINE};padding:3px 0;text-align:left;vertical-align:top;background:none"
    return (
        f'<tr style="background:none"><th scope="row" style="{cell};padding-right:12px;font-weight:normal;'
        f'white-space:nowrap;width:1%;opacity:.72">{escape(name)}</th>'
        f'<td style="{cell};overflow-wrap:anywhere">{escape(value)}</td></tr>'
    )


def _bar(colormap: str, labels: Sequence[str]) -> str:
    """The colours, and texts spread evenly below them."""
    colors = lookup_table(colormap)[np.linspace(0, 255, STOPS).round().astype(np.intp)]
    stops = ",".join(f"rgb({red},{green},{blue})" for blue, green, red in colors.tolist())
    return (
        f'<div style="height:10px;margin-top:6px;background:linear-gradient(to right,{stops})"></div>{_spread(labels)}'
    )


def _spread(labels: Sequence[str]) -> str:
    """Texts in one line, spread evenly."""
    texts = "".join(f"<span>{escape(text)}</span>" for text in labels)
    return f'<div style="display:flex;justify-content:space-between;gap:12px;font-size:12px">{texts}</div>'
