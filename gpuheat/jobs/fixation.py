"""From eye-tracking exports to a fixation heat map."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

import gpuheat
from gpuheat.backends import Backend, get_backend
from gpuheat.errors import InputError, OptionError
from gpuheat.fixation.counter import FixationCounter
from gpuheat.fixation.heatmap import FixationHeatmap
from gpuheat.inputs.eyetracking import find_export, find_reference_image, read_eyetracking
from gpuheat.inputs.image import read_image
from gpuheat.jobs.recordings import Recordings

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["fixation_heatmap"]


def fixation_heatmap(
    source: object,
    *,
    reference: str | PathLike[str] | NDArray[np.uint8] | None = None,
    size: tuple[int, int] | None = None,
    weight: Literal["duration", "count"] | None = None,
    use: Literal["fixations", "gaze"] = "fixations",
    scale: float = 3.0,
    bins: int = 300,
    recordings: Sequence[str] | None = None,
    equal_recordings: bool = False,
    x: str | None = None,
    y: str | None = None,
    duration: str | None = None,
    normalized: bool = False,
    min_confidence: float = 0.6,
    unfixated_gaze: bool = False,
    backend: str | Backend = "auto",
) -> FixationHeatmap:
    """Where people looked on a reference image or surface.

    Parameters
    ----------
    source
        An export's file or folder, a table with the Arrow PyCapsule interface (pandas, polars, DuckDB), or a
        list of these; a fixation that is in several of them counts once. See
        :func:`gpuheat.inputs.eyetracking.read_eyetracking` for the formats.
    reference
        The reference image: a file, or (h, w, 3) uint8 BGR. None: the ``reference_image.*`` beside the
        export, unless there is a size.
    size
        (width, height) of the image in px where there is no image.
    weight
        ``"duration"``: a fixation weighs as much as it lasted; ``"count"``: all weigh the same. None is
        duration where the source has one, which gaze samples do not.
    use
        Fixations, or gaze samples.
    scale
        Standard deviation of the blur in hundredths of the wider side. 3 is what Pupil Cloud's published
        example shows.
    bins
        Number of bins along the wider side.
    recordings
        Ids of the recordings to use; None is all of them.
    equal_recordings
        Every recording weighs the same. False: they add up, and long ones weigh more, as in Pupil Cloud.
    x, y, duration, normalized
        The columns of a table that is no known export, and whether positions are shares of the image's size.
    min_confidence
        Pupil Player's gaze below it is left out.
    unfixated_gaze
        Take gaze samples that belong to no fixation, too.
    backend
        A name or a backend; see :func:`gpuheat.get_backend`.

    Raises
    ------
    ExportError
        If a source cannot be read as an export.
    InputError
        If the reference image cannot be read.
    OptionError
        If an option is outside its range or in conflict with another, or neither reference nor size is known.
    """
    began = time.perf_counter()
    if use == "gaze" and weight == "duration":
        raise OptionError("gaze samples have no duration: weigh them by count, or use fixations")
    if use == "fixations" and unfixated_gaze:
        raise OptionError("unfixated_gaze is about gaze samples: it needs use='gaze'")
    if weight is None:
        weight = "count" if use == "gaze" or (x is not None and duration is None) else "duration"
    if weight == "duration" and x is not None and duration is None:
        raise OptionError("to weigh by duration name the column of the duration, or weigh by count")
    if weight not in ("duration", "count"):
        raise OptionError(f"weight must be 'duration' or 'count', got {weight!r}")
    backend = get_backend(backend)
    sources = _sources(source, use)
    try:
        background, image_name, (width, height) = _reference(reference, size, sources)
    except OptionError:
        for each in sources:  # something that is no export at all is better told so
            read_eyetracking(each, size=None, use=use, x=x, y=y, duration=duration, normalized=normalized)
        raise
    exports = [
        read_eyetracking(
            each,
            size=(width, height),
            use=use,
            x=x,
            y=y,
            duration=duration,
            normalized=normalized,
            min_confidence=min_confidence,
            unfixated_gaze=unfixated_gaze,
        )
        for each in sources
    ]
    rows = Recordings(exports)
    if use == "fixations":
        rows.drop_repeated_fixations()
    if recordings is not None:
        rows.select([recordings] if isinstance(recordings, str) else recordings)
    if weight == "duration":
        rows.drop_without_duration()
    counter = FixationCounter(width, height, bins=bins, backend=backend)
    balanced = np.zeros(counter.grid.shape) if equal_recordings else None
    found = {}
    for recording, x_px, y_px, microseconds in rows:
        part = FixationCounter(width, height, bins=bins, backend=backend)
        part.push(x_px, y_px, microseconds if weight == "duration" else None)
        total = int(part.histogram.sum())
        if balanced is not None and total > 0:
            balanced += part.histogram / total
        counter.merge(part)
        found[recording] = {"points": part.points} | ({"duration_s": total / 1e6} if weight == "duration" else {})
    heatmap = FixationHeatmap.from_histogram(
        counter.histogram,
        counter.grid,
        points=counter.points,
        scale=scale,
        backend=backend,
        balanced=balanced,
        unit="gaze" if use == "gaze" else weight,
        recordings=len(found),
        background=background,
        settings={
            "use": use,
            "weight": weight,
            "equal_recordings": equal_recordings,
            "min_confidence": min_confidence,
            "unfixated_gaze": unfixated_gaze,
            "selected_recordings": None if recordings is None else [*recordings],
        },
    )
    return replace(
        heatmap,
        facts={
            "gpuheat": gpuheat.__version__,
            "inputs": [
                {
                    "source": export.source,
                    "format": export.format,
                    "rows": export.rows,
                    "used": export.table.num_rows,
                    "dropped": export.dropped,
                }
                for export in exports
            ],
            "left_out": rows.dropped,
            "reference_image": image_name,
            "recordings": found,
            "backend": {"name": backend.name, "device": backend.device},
            "warnings": [warning for export in exports for warning in export.warnings],
            "time": {"seconds": time.perf_counter() - began},
        },
    )


def _sources(source: object, use: Literal["fixations", "gaze"]) -> list[object]:
    """The tables, and the files that the paths stand for."""
    several = list(source) if isinstance(source, list | tuple) else [source]
    if not several:
        raise OptionError("no source was given: name at least one export")
    found = [find_export(each, use) if isinstance(each, str | PathLike) else each for each in several]
    files = [each.resolve() for each in found if isinstance(each, Path)]
    for file in files:
        if use == "gaze" and files.count(file) > 1:
            raise OptionError(f"{file} is given more than once: its gaze samples would count as often")
    return found


def _reference(
    reference: str | PathLike[str] | NDArray[np.uint8] | None, size: tuple[int, int] | None, sources: list[object]
) -> tuple[NDArray[np.uint8] | None, str | None, tuple[int, int]]:
    """The reference image, if there is one, its name, and its (width, height)."""
    if reference is not None and size is not None:
        raise OptionError("give the reference image or its size, not both")
    if size is not None:
        try:
            width, height = size
        except (TypeError, ValueError):
            raise OptionError(f"size must be (width, height) in px, got {size!r}") from None
        return None, None, (width, height)
    if reference is None:
        beside = [find_reference_image(each) for each in sources if isinstance(each, PathLike)]
        images = {image.resolve() for image in beside if image is not None}
        if len(images) > 1:
            names = ", ".join(sorted(map(str, images)))
            raise OptionError(f"the exports have several reference images, give the one to use: {names}")
        if not images:
            raise OptionError(
                "there is no reference_image.* beside the export: name the image (reference), or its size in px (size)"
            )
        (reference,) = images
    image = reference if isinstance(reference, np.ndarray) else read_image(reference)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"a reference image must be uint8 of shape (h, w, 3), got {image.dtype} of shape {image.shape}"
        )
    name = "an array" if isinstance(reference, np.ndarray) else str(reference)
    return image, name, (image.shape[1], image.shape[0])
