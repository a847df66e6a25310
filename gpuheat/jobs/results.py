"""Results read back from the folders they were written to."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpuheat.backends import Backend
from gpuheat.errors import InputError
from gpuheat.fixation.heatmap import FixationHeatmap
from gpuheat.grid import BinGrid
from gpuheat.inputs.image import read_image
from gpuheat.motion.heatmap import MotionHeatmap

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = ["read_result"]


def read_result(folder: str | os.PathLike[str], backend: Backend) -> MotionHeatmap | FixationHeatmap:
    """The heat map that was saved in a folder: its numbers to the last bit, its background as a JPEG keeps it.

    Parameters
    ----------
    folder
        Where :meth:`gpuheat.MotionHeatmap.save` or :meth:`gpuheat.FixationHeatmap.save` wrote it.
    backend
        Computes the blur of the heat.

    Raises
    ------
    InputError
        If it is no such folder, or a file is missing, damaged, or does not belong to the others.
    """
    path = Path(folder)
    if not path.is_dir():
        wrong = "is a file" if path.exists() else "does not exist"
        raise InputError(f"{path} {wrong}: name a folder that gpuheat motion or gpuheat fixations wrote")
    summary = _summary(path)
    try:
        result = summary["result"]
        if "pairs" in result:
            return _motion(path, summary, backend)
        if "bins" in result:
            return _fixations(path, summary, backend)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        lacks = f"has no {error}" if isinstance(error, KeyError) else f"is not as expected ({error})"
        raise InputError(
            f"{path / 'summary.json'} {lacks}: it is of another version of gpuheat; run it again"
        ) from error
    raise InputError(f"{path / 'summary.json'} is of neither a motion nor a fixation heat map")


def _motion(path: Path, summary: dict[str, Any], backend: Backend) -> MotionHeatmap:
    settings, result = summary["settings"], summary["result"]
    shape = (result["size"]["height"], result["size"]["width"])
    counts = _array(path / "counts.npy", np.uint32, shape)
    decays = settings["half_life"] is not None
    pairs = _pairs(path / "activity.csv")
    if (len(pairs["moved"]), int(pairs["counted"].sum())) != (result["pairs"], result["pairs_counted"]):
        raise InputError(f"{path / 'activity.csv'} has other pairs of frames than summary.json says; run gpuheat again")
    if int(counts.max(initial=0)) != result["highest_count"]:
        raise InputError(f"{path / 'counts.npy'} does not belong to summary.json: another highest count; run it again")
    return MotionHeatmap.from_counts(
        counts,
        decayed=_array(path / "decayed.npy", np.float64, shape) if decays else None,
        pixels_watched=result["pixels_watched"],
        settings=settings,
        background=_background(path),
        backend=backend,
        facts=_facts(summary),
        **pairs,
    )


def _fixations(path: Path, summary: dict[str, Any], backend: Backend) -> FixationHeatmap:
    settings, result = summary["settings"], summary["result"]
    size, bins = result["size"], result["bins"]
    grid = BinGrid(bins["nx"], bins["ny"], float(size["width"]), float(size["height"]))
    by_settings = "gaze" if settings.get("use") == "gaze" else settings.get("weight", "count")
    balanced = settings.get("equal_recordings", False)
    heatmap = FixationHeatmap.from_histogram(
        _array(path / "histogram.npy", np.uint64, grid.shape),
        grid,
        points=result["points"],
        scale=settings["scale"],
        backend=backend,
        unit=result.get("unit", by_settings),
        recordings=len(summary["recordings"]) if "recordings" in summary else None,
        balanced=_array(path / "balanced.npy", np.float64, grid.shape) if balanced else None,
        background=_background(path),
        settings=settings,
    )
    if heatmap.unit == "duration" and heatmap.total != round(1e6 * result["duration_s"]):
        raise InputError(f"{path / 'histogram.npy'} does not belong to summary.json: another total; run it again")
    return replace(heatmap, facts=_facts(summary))


def _facts(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if name not in ("settings", "result", "pictures")}


def _summary(path: Path) -> dict[str, Any]:
    file = path / "summary.json"
    try:
        summary = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        wanted = "name a folder that gpuheat motion or gpuheat fixations wrote"
        raise InputError(f"{path} holds no result, summary.json is missing: {wanted}") from error
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{file} is damaged ({error}); run gpuheat again") from error
    if not isinstance(summary, dict) or not isinstance(summary.get("result"), dict) or "settings" not in summary:
        raise InputError(f"{file} is not of a heat map: name a folder that gpuheat motion or gpuheat fixations wrote")
    return summary


def _array(file: Path, dtype: DTypeLike, shape: tuple[int, int]) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(
            f"{file} is missing: it was removed, or not written by this version; run gpuheat again"
        ) from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file} is damaged ({error}); run gpuheat again") from error
    if array.dtype != dtype or array.shape != shape:
        raise InputError(
            f"{file} does not belong to summary.json: {np.dtype(dtype)} of shape {shape} is expected, "
            f"it holds {array.dtype} of shape {array.shape}; run gpuheat again"
        )
    return array


def _pairs(file: Path) -> dict[str, Any]:
    """The pairs of frames in an ``activity.csv``."""
    import pyarrow as pa
    from pyarrow import csv

    types = {"frame": pa.int64(), "time_s": pa.float64(), "moved_pixels": pa.uint32(), "counted": pa.uint8()}
    try:
        with file.open("rb") as stream:
            table = csv.read_csv(
                stream, convert_options=csv.ConvertOptions(column_types=types, include_columns=[*types])
            )
    except FileNotFoundError as error:
        raise InputError(f"{file} is missing: it was removed; run gpuheat again") from error
    except (OSError, pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise InputError(f"{file} is damaged ({error}); run gpuheat again") from error
    times = table["time_s"]
    return {
        "moved": table["moved_pixels"].to_numpy(),
        "counted": table["counted"].to_numpy() != 0,
        "frames": table["frame"].to_numpy(),
        "times": None if times.null_count else times.to_numpy(),
    }


def _background(path: Path) -> NDArray[np.uint8] | None:
    """The background, unless an earlier version wrote none."""
    file = path / "background.jpg"
    return read_image(file) if file.exists() else None
