"""A fixation heat map for xarray and Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.outputs.conversion import attributes, import_xarray, table

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from xarray import Dataset

    from gpuheat.fixation.heatmap import FixationHeatmap
    from gpuheat.fixation.recording import Unit

__all__ = ["bin_centres", "to_arrow", "to_xarray"]

COLUMN: Final[dict[Unit, str]] = {"duration": "fixation_us", "count": "fixations", "gaze": "gaze_samples"}
UNITS: Final[dict[Unit, str]] = {"duration": "us", "count": "fixations", "gaze": "gaze samples"}


def to_xarray(heatmap: FixationHeatmap) -> Dataset:
    """See :meth:`gpuheat.FixationHeatmap.to_xarray`."""
    xarray = import_xarray("FixationHeatmap.to_xarray")
    place, image, px = ("y", "x"), ("image_y", "image_x"), {"units": "px"}
    height, width = heatmap.heat.shape
    ys, xs = bin_centres(heatmap)
    variables: dict[str, Any] = {
        "histogram": (place, heatmap.histogram, {"units": UNITS[heatmap.unit], "long_name": "fixated"}),
        "heat": (image, heatmap.heat, {"units": "1", "long_name": heatmap.full_scale}),
    }
    if heatmap.balanced is not None:
        variables["balanced"] = (place, heatmap.balanced, {"units": "recordings", "long_name": "fixated"})
    coordinates: dict[str, Any] = {
        "y": ("y", ys, px),
        "x": ("x", xs, px),
        "y_edge": ("y_edge", heatmap.grid.y_edges, px),
        "x_edge": ("x_edge", heatmap.grid.x_edges, px),
        "image_y": ("image_y", np.arange(height) + 0.5, px),
        "image_x": ("image_x", np.arange(width) + 0.5, px),
    }
    result: Dataset = xarray.Dataset(variables, coordinates, attributes(heatmap.settings | {"unit": heatmap.unit}))
    return result


def to_arrow(heatmap: FixationHeatmap) -> pa.Table:
    """See :meth:`gpuheat.FixationHeatmap.to_arrow`."""
    ys, xs = bin_centres(heatmap)
    rows, columns = np.indices(heatmap.grid.shape, np.int32).reshape(2, -1)
    bins = {
        "column": columns,
        "row": rows,
        "x_px": xs[columns],
        "y_px": ys[rows],
        COLUMN[heatmap.unit]: heatmap.histogram.reshape(-1),
    }
    if heatmap.balanced is not None:
        bins["balanced"] = heatmap.balanced.reshape(-1)
    return table(bins, heatmap.summary)


def bin_centres(heatmap: FixationHeatmap) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(ny,) and (nx,): y and x of the centres of the bins, px from the upper left corner of the image."""
    y_edges, x_edges = heatmap.grid.y_edges, heatmap.grid.x_edges
    return (y_edges[:-1] + y_edges[1:]) / 2, (x_edges[:-1] + x_edges[1:]) / 2
