"""The report: one HTML file with everything in it, opened from disk, without a network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.report.pack import jpeg, pack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from gpuheat.outputs.style import PictureStyle
    from gpuheat.zones import Area

__all__ = ["COLORMAPS", "drawing", "report_page"]

COLORMAPS: Final = ("jet", "turbo", "inferno", "magma", "viridis", "cividis", "gray")
MODULES: Final = (
    "data.js",
    "words.js",
    "tone.js",
    "enlarge.js",
    "paint.js",
    "polygons.js",
    "watched.js",
    "slices.js",
    "recordings.js",
    "scale.js",
    "stage.js",
    "chart.js",
    "selection.js",
    "sweep.js",
    "zones.js",
    "controls.js",
    "tables.js",
    "motion.js",
    "fixations.js",
    "main.js",
)
"""In an order in which each imports from those before it only."""


def report_page(title: str, data: dict[str, Any]) -> str:
    """The page that shows ``data``, which is JSON.

    Nothing in ``data`` can become markup or a script: the browser runs the one script whose hash the page's policy
    names, and everything else is shown as text.
    """
    script, style = _script(), _asset("page.css")
    policy = f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'"
    parts = {
        "policy": f"{policy}; form-action 'none'",
        "title": html.escape(" ".join("".join(each if each.isprintable() else " " for each in title).split())),
        "style": style,
        "script": script,
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _asset("page.html"))


def drawing(
    style: PictureStyle, background: NDArray[np.uint8] | None, size: tuple[int, int], zones: Iterable[Area]
) -> dict[str, Any]:
    """What the pages of both kinds of heat map need to draw: the picture and its (height, width), colours, zones."""
    height, width = size
    names = [*COLORMAPS, *([] if style.colormap in COLORMAPS else [style.colormap])]
    colors = np.concatenate([lookup_table(name)[:, ::-1].ravel() for name in names])
    return {
        "picture": {
            "height": height,
            "width": width,
            "jpeg": None if background is None else jpeg(background),
        },
        "style": {"colormap": style.colormap, "tone": style.tone, "alpha": style.alpha},
        "colormaps": {"names": names, "colors": pack(colors)},
        "zones": [
            {
                "name": area.zone.name,
                "kind": area.zone.kind,
                "polygon": [[x * width, y * height] for x, y in area.outline],
            }
            for area in zones
        ],
    }


@cache
def _script() -> str:
    """All modules as one, each without its imports from the others."""
    modules = [re.sub(r'^import \{[^}]*\} from "\./\w+\.js";\n', "", _asset(name), flags=re.M) for name in MODULES]
    return re.sub(r"^export ", "", "\n".join(modules), flags=re.M)


@cache
def _asset(name: str) -> str:
    return files("gpuheat.outputs.report").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    """What names an inlined script or style in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
