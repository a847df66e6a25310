"""From eye-tracking exports to a fixation heat map."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import gpuheat
from gpuheat.backends import Backend, get_backend
from gpuheat.errors import InputError, OptionError
from gpuheat.fixation.heatmap import FixationHeatmap
from gpuheat.fixation.recording import NO_DURATION, RecordingHistograms, check_weight, facts_of
from gpuheat.fixation.zones import FixationZones
from gpuheat.grid import BinGrid
from gpuheat.inputs.eyetracking import find_export, find_reference_image, read_eyetracking
from gpuheat.inputs.image import read_image
from gpuheat.inputs.remote import Place, file_at
from gpuheat.inputs.zones import read_zones
from gpuheat.jobs.recordings import Recordings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.fixation.recording import Unit
    from gpuheat.inputs.eyetracking import EyeTracking
    from gpuheat.zones import Zones

__all__ = ["counted_fixations", "fixation_heatmap"]


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
    zones: Zones | Mapping[str, object] | str | PathLike[str] | None = None,
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
        An export's file or folder, also at an address that fsspec reads (``s3://``, ``gs://``, ``https://`` ...), a
        table with the Arrow PyCapsule interface (pandas, polars, DuckDB), or a list of these; a fixation that is in
        several of them counts once. See :func:`gpuheat.inputs.eyetracking.read_eyetracking` for the formats.
    reference
        The reference image: a file, also at an address, or (h, w, 3) uint8 BGR. None: the ``reference_image.*`` beside
        the export, unless there is a size.
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
    zones
        Named polygons on the reference image: :class:`gpuheat.Zones`, a JSON file of them, or what it holds. Those of
        the kind "zone" are areas of interest (``zones`` of the result); of the others, "include" and "exclude", it
        depends which points count at all.
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
        If the reference image or the zones cannot be read, or do not fit.
    OptionError
        If an option is outside its range or in conflict with another, or neither reference nor size is known.
    """
    options: dict[str, Any] = {
        "reference": reference,
        "size": size,
        "weight": weight,
        "use": use,
        "scale": scale,
        "bins": bins,
        "recordings": recordings,
        "equal_recordings": equal_recordings,
        "zones": zones,
        "x": x,
        "y": y,
        "duration": duration,
        "normalized": normalized,
        "min_confidence": min_confidence,
        "unfixated_gaze": unfixated_gaze,
        "backend": backend,
    }
    return counted_fixations(source, lambda each, how: [read_eyetracking(one, **how) for one in each], **options)


def counted_fixations(
    source: object,
    read: Callable[[Sequence[object], dict[str, Any]], list[EyeTracking]],
    *,
    reference: str | PathLike[str] | NDArray[np.uint8] | None,
    size: tuple[int, int] | None,
    weight: Literal["duration", "count"] | None,
    use: Literal["fixations", "gaze"],
    scale: float,
    bins: int,
    recordings: Sequence[str] | None,
    equal_recordings: bool,
    zones: Zones | Mapping[str, object] | str | PathLike[str] | None,
    x: str | None,
    y: str | None,
    duration: str | None,
    normalized: bool,
    min_confidence: float,
    unfixated_gaze: bool,
    backend: str | Backend,
) -> FixationHeatmap:
    """What :func:`fixation_heatmap` does, which has the same options; ``read`` reads all sources in their order.

    It is called with them and with the options of :func:`gpuheat.inputs.eyetracking.read_eyetracking`.
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
    check_weight(weight)
    backend = get_backend(backend)
    polygons = None if zones is None else read_zones(zones)
    sources = _sources(source, use)
    try:
        background, image_name, (width, height) = _reference(reference, size, sources)
    except OptionError:
        for each in sources:  # something that is no export at all is better told so
            read_eyetracking(each, size=None, use=use, x=x, y=y, duration=duration, normalized=normalized)
        raise
    areas = () if polygons is None else polygons.placed(width, height)
    measured = tuple(area for area in areas if area.zone.kind == "zone")
    exports = read(
        sources,
        {
            "size": (width, height),
            "use": use,
            "x": x,
            "y": y,
            "duration": duration,
            "normalized": normalized,
            "min_confidence": min_confidence,
            "unfixated_gaze": unfixated_gaze,
            "timed": bool(measured),
        },
    )
    rows = Recordings(exports)
    if use == "fixations":
        rows.drop_repeated_fixations()
    rows.watch(areas)
    selected = None if recordings is None else rows.select(recordings)
    grid = BinGrid.for_image(width, height, bins)
    by_recording = tuple(
        RecordingHistograms.counted(
            backend, grid, x_px, y_px, microseconds, timed, recording=each, name=rows.names.get(each)
        )
        for each, x_px, y_px, microseconds, timed in rows
    )
    if weight == "duration":
        rows.dropped[NO_DURATION] = sum(each.points - each.points_timed for each in by_recording)
    unit: Unit = "gaze" if use == "gaze" else weight
    heatmap = FixationHeatmap.from_recordings(
        by_recording,
        grid,
        unit=unit,
        scale=scale,
        backend=backend,
        equal_recordings=equal_recordings,
        background=background,
        settings={
            "use": use,
            "weight": weight,
            "equal_recordings": equal_recordings,
            "min_confidence": min_confidence,
            "unfixated_gaze": unfixated_gaze,
            "selected_recordings": selected,
            "zones": None if polygons is None else polygons.label,
            "zones_mask": None if polygons is None else polygons.mask_label,
        },
    )
    return replace(
        heatmap,
        zones=FixationZones(measured, use == "gaze", rows.looks_at(measured)) if measured else None,
        areas=areas,
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
            **({"sections": rows.sections} if measured else {}),
            "reference_image": image_name,
            "recordings": facts_of(by_recording, weight),
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
    files = [each.resolve() for each in found if isinstance(each, Place)]
    shown = {str(file): file for file in files}
    for file in files:
        if use == "gaze" and files.count(file) > 1:
            raise OptionError(f"{file} is given more than once: its gaze samples would count as often")
        if shown[str(file)] != file:
            raise OptionError(
                f"{file}: two addresses differ only in what is never shown (user, password, query), so that their "
                "recordings could not be told apart: give files with other paths"
            )
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
    if not isinstance(reference, np.ndarray):
        reference = file_at(reference)
    image = reference if isinstance(reference, np.ndarray) else read_image(reference)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"a reference image must be uint8 of shape (h, w, 3), got {image.dtype} of shape {image.shape}"
        )
    name = "an array" if isinstance(reference, np.ndarray) else str(reference)
    return image, name, (image.shape[1], image.shape[0])
