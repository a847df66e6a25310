"""A heat map, or an activity over time, in axes of matplotlib that are the caller's."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.outputs.activity import draw_activity
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.picture import opacity
from gpuheat.outputs.tone import ToneCurve, tone_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from numpy.typing import NDArray

    from gpuheat.outputs.activity import Activity
    from gpuheat.outputs.description import Description
    from gpuheat.outputs.style import PictureStyle

__all__ = ["new_axes", "plot_activity", "plot_heat"]

LABEL_WIDTH: Final = 36  # characters of a line beside the colour bar
TICK_DISTANCE: Final = 0.08  # of the colour bar's length, at least


def new_axes(width: float, height: float) -> Axes:
    """The axes of a new figure of pyplot, whose size is in inches."""
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def plot_heat(
    axes: Axes,
    heat: NDArray[np.float32],
    background: NDArray[np.uint8] | None,
    style: PictureStyle,
    description: Description,
    *,
    signed: bool,
    colorbar: bool,
    **picture: Any,
) -> None:
    """Draw a heat map over its background, with a colour bar in the heat map's unit.

    Parameters
    ----------
    axes
        Where it is drawn; the figure gets axes for the colour bar.
    heat
        (h, w) float32 in [0, 1], or in [-1, 1] where it is signed.
    background
        (H, W, 3) uint8 BGR; None: the heat alone, as dense as can be.
    style
        Colour map, tone and opacity.
    description
        What 1 stands for, and the extent.
    signed
        The middle of the colour map is 0.
    colorbar
        Whether there is one.
    picture
        For :meth:`matplotlib.axes.Axes.imshow`, in place of what would be given to it.
    """
    from matplotlib.colors import ListedColormap

    extent, full = description.extent, description.full
    curve = tone_curve(style.tone, np.abs(heat) if signed else heat)
    given: dict[str, Any] = {
        "cmap": ListedColormap(lookup_table(style.colormap)[:, ::-1] / 255, name=style.colormap),
        "extent": extent,
    }
    if "norm" not in picture and not {"vmin", "vmax"} & picture.keys():
        given["norm"] = _norm(curve, full, signed)
    if background is not None:
        axes.imshow(background[..., ::-1], extent=extent)
        given["alpha"] = opacity(curve(np.abs(heat))) if style.alpha == "value" else style.alpha
    image = axes.imshow(heat * np.float32(full), **(given | picture))
    axes.set(xlabel="x (px)", ylabel="y (px)")
    if colorbar and axes.figure is not None:
        beyond = ("both" if signed else "max") if curve.saturation < 1 and "norm" in given else "neither"
        beside = axes.inset_axes((1.03, 0, 0.035, 1))  # as high as the picture, whatever the layout
        bar = axes.figure.colorbar(image, cax=beside, label=textwrap.fill(description.unit, LABEL_WIDTH), extend=beyond)
        if "norm" in given and curve.kind in ("sqrt", "log"):
            ticks = _ticks(curve, full, signed)
            bar.set_ticks(ticks, labels=[f"{tick:g}".replace("-", "\N{MINUS SIGN}") for tick in ticks])
        if bar.solids is not None:
            bar.solids.set_alpha(1)  # the colours themselves, whatever lies under them in the picture


def plot_activity(axes: Axes, activity: Activity) -> None:
    """Draw an activity over time, s, labelled as minutes and seconds."""
    from matplotlib.patches import Patch

    columns = max(1, round(axes.get_window_extent().width))
    facts, legend = draw_activity(axes, activity, columns)
    axes.set(xlabel="time (m:ss)", ylabel="picture in motion")
    axes.set_title(facts, loc="right", fontsize="medium")
    if legend:
        axes.legend(handles=[Patch(color=color, label=meaning) for color, meaning in legend], frameon=False)


def _ticks(curve: ToneCurve, full: float, signed: bool) -> list[float]:
    """Round values, 1, 2 or 5 times a power of ten, that do not stand too close to each other."""
    if full == 0:
        return [0.0]
    power = math.floor(math.log10(full))
    values = np.array([digit * 10.0**k for k in range(power, power - 4, -1) for digit in (5, 2, 1)])
    values = values[values <= full]
    ticks, last = [0.0], math.inf
    for value, place in zip(values.tolist(), curve((values / full).astype(np.float32)).tolist(), strict=True):
        if TICK_DISTANCE <= place <= last - TICK_DISTANCE:
            ticks.append(value)
            last = place
    return sorted({*ticks, *(-value for value in ticks if signed)})


def _norm(curve: ToneCurve, full: float, signed: bool) -> Normalize:
    """Where a value in the heat map's unit lies on the colour map."""
    from matplotlib.colors import FuncNorm, Normalize

    top = full * curve.saturation if full > 0 else 1.0
    least = -top if signed else 0.0
    if curve.kind in ("linear", "percentile"):
        return Normalize(least, top, clip=True)

    def place(value: Any) -> Any:
        return np.sign(value) * curve(np.abs(value) / top)

    def value_at(place: Any) -> Any:
        return np.sign(place) * top * curve.inverse(np.abs(place))

    return FuncNorm((place, value_at), least, top)
