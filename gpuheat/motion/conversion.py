"""A motion heat map for xarray and Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpuheat.motion.words import pair_columns
from gpuheat.outputs.conversion import attributes, import_xarray, table

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from xarray import Dataset

    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["pixel_centres", "to_arrow", "to_xarray"]


def to_xarray(heatmap: MotionHeatmap) -> Dataset:
    """See :meth:`gpuheat.MotionHeatmap.to_xarray`."""
    xarray = import_xarray("MotionHeatmap.to_xarray")
    place, along = ("y", "x"), "frame" if heatmap.times is None else "time"
    pairs = {"units": "pairs of frames"}
    ys, xs = pixel_centres(heatmap)
    variables: dict[str, Any] = {
        "counts": (place, heatmap.counts, pairs | {"long_name": "in motion"}),
        "heat": (place, heatmap.heat, {"units": "1", "long_name": heatmap.full_scale}),
        "activity": (along, heatmap.activity, {"units": "1", "long_name": "share of the picture in motion"}),
        "moved": (along, heatmap.moved, {"units": "pixels", "long_name": "pixels that moved"}),
        "counted": (along, heatmap.counted, {"long_name": "the pair is in the heat map"}),
    }
    if heatmap.decayed is not None:
        variables["decayed"] = (place, heatmap.decayed, pairs | {"long_name": "in motion, with decay"})
    coordinates: dict[str, Any] = {
        "y": ("y", ys, {"units": "px"}),
        "x": ("x", xs, {"units": "px"}),
        "frame": (along, heatmap.frames, {"long_name": "later frame of the pair"}),
    }
    if heatmap.times is not None:
        coordinates["time"] = ("time", heatmap.times, {"units": "s"})
    result: Dataset = xarray.Dataset(variables, coordinates, attributes(heatmap.settings))
    return result


def to_arrow(heatmap: MotionHeatmap) -> pa.Table:
    """See :meth:`gpuheat.MotionHeatmap.to_arrow`."""
    import pyarrow as pa

    columns = {
        name: pa.nulls(len(heatmap.moved), pa.float64()) if column is None else column
        for name, column in pair_columns(heatmap).items()
    }
    return table(columns, heatmap.summary)


def pixel_centres(heatmap: MotionHeatmap) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(h,) and (w,): y and x of the centres of the pixels of the counts, px of the video, whose first pixel is at 0."""
    _, right, bottom, _ = heatmap.describe().extent
    block = heatmap.settings.get("downscale", 1)
    height, width = heatmap.counts.shape
    return _centres(height, block, bottom), _centres(width, block, right)


def _centres(blocks: int, block: int, end: float) -> NDArray[np.float64]:
    """The centres of blocks of pixels, px, the last block ending where the picture does."""
    edges: NDArray[np.float64] = np.minimum(np.arange(blocks + 1) * block - 0.5, end)
    return (edges[:-1] + edges[1:]) / 2
