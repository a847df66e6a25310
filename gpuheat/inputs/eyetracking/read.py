"""Read an eye-tracking export into one typed table, and say what was dropped and why."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Literal

from gpuheat.errors import ExportError, OptionError
from gpuheat.inputs.eyetracking.formats import checked_use, columns_format, recognise
from gpuheat.inputs.eyetracking.result import EyeTracking
from gpuheat.inputs.eyetracking.sections import sections_beside
from gpuheat.inputs.eyetracking.sift import sift
from gpuheat.inputs.eyetracking.sources import open_source

__all__ = ["read_eyetracking"]


def read_eyetracking(
    source: object,
    *,
    size: tuple[int, int] | None,
    use: Literal["fixations", "gaze"] = "fixations",
    x: str | None = None,
    y: str | None = None,
    duration: str | None = None,
    normalized: bool = False,
    min_confidence: float = 0.6,
    unfixated_gaze: bool = False,
    timed: bool = False,
) -> EyeTracking:
    """Read fixations or gaze samples on a reference image or surface.

    The rules, in this order; a row that one of them fits is dropped and counted:

    ========================= =====================================================================================
    malformed row             more or fewer values than the header has names (CSV only)
    repeated header           the header once more
    not detected              the format's flag is not ``true`` or ``1`` (upper and lower case are the same)
    no coordinates            x or y is empty
    unreadable coordinates    x or y is not a finite number
    outside the image         not 0 <= x <= width and 0 <= y <= height (with ``size`` only)
    low confidence            below ``min_confidence`` or unreadable (Pupil Player's gaze only)
    not in a fixation         gaze without a fixation id (where the format has fixation ids)
    duplicate fixation        the same recording, section and fixation id again: the first one stays
    further row of a fixation the same in Pupil Player's fixations, which have one row for each video frame: the
                              position is the mean of the rows that are left, all else is that of the first one
    ========================= =====================================================================================

    Parameters
    ----------
    source
        Path of a CSV or Parquet file, or of a folder (see ``find_export``), or its address, where fsspec reads it
        (``s3://``, ``gs://``, ``https://`` ...), or an object with the Arrow PyCapsule
        interface (pandas, polars, DuckDB). The format is recognised by the names of the columns.
    size
        Width and height of the reference image in px. None: no bounds, and no normalized coordinates.
    use
        Which of the two is wanted; an export of the other one is refused.
    x, y, duration, normalized
        Names of the columns of any other table, and whether x and y are shares of width and height instead of px,
        from the top left corner. Columns "recording id", "section id" and "fixation id" are used where there are
        any. The duration is in ms unless its name ends in [s], [us] or [ns].
    min_confidence
        From 0 to 1.
    unfixated_gaze
        Keep the gaze samples that belong to no fixation.
    timed
        Whether the times are read, too: the table then has "start [ns]" and "off before", see :class:`EyeTracking`.

    Notes
    -----
    The recording id of a source without such a column is the path of Pupil Player's recording folder where the file
    lies in ``exports/NNN/surfaces``, else the path of the file, and empty for an object; the section id is empty. Of an
    address it is what :func:`gpuheat.inputs.address.without_secrets` leaves.
    Durations are rounded to whole microseconds, half to even. One that is empty, unreadable, negative or over
    2^32 - 1 us is null and reported in ``warnings``.
    The column names are those of Pupil Labs' documentation of its export formats.

    Raises
    ------
    ExportError
        If the source is no export, one that cannot be used, or not of this use.
    OptionError
        If an argument is outside what it may be.

    Examples
    --------
    >>> import pyarrow
    >>> looks = pyarrow.table({"gx": [0.5, 2.0], "gy": [0.25, 0.5]})
    >>> looks = read_eyetracking(looks, size=(400, 300), x="gx", y="gy", normalized=True)
    >>> looks.table.select(["x [px]", "y [px]"]).to_pylist(), looks.dropped["outside the image"]
    ([{'x [px]': 200.0, 'y [px]': 75.0}], 1)
    """
    checked_use(use)
    if (x is None) != (y is None) or (x is None and (duration is not None or normalized)):
        raise OptionError("x and y must be given together, and duration and normalized only with them")
    if not 0 <= min_confidence <= 1:
        raise OptionError(f"min_confidence must be from 0 to 1, got {min_confidence!r}")
    image = None if size is None else _checked_size(size)
    opened = open_source(source, use)
    columns = opened.content.columns
    if x is None or y is None:
        layout = recognise(columns, opened.name)
    else:
        layout = columns_format(columns, use=use, x=x, y=y, duration=duration, normalized=normalized)
    if layout.use != use:
        raise ExportError(
            f"{opened.name} is a {layout.name} and use={use!r} was asked for: "
            f"give the export of {use}, or use={layout.use!r}"
        )
    if layout.normalized and image is None:
        raise OptionError(f"{opened.name} has normalized coordinates: size, the image's (width, height), is needed")
    result = sift(opened, layout, image, min_confidence=min_confidence, unfixated_gaze=unfixated_gaze, timed=timed)
    if opened.path is None:
        return result
    sections, warnings = sections_beside(opened.path)
    return replace(result, sections=sections, warnings=result.warnings + warnings)


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        width, height = map(operator.index, size)
    except (TypeError, ValueError):
        width = height = 0
    if width < 1 or height < 1:
        raise OptionError(f"size must be (width, height) in px, whole numbers of at least 1, got {size!r}")
    return width, height
