"""The export formats as data: which columns a format has, what each is for, in which unit and from which origin.

The column names are those of Pupil Labs' documentation of the export formats of Pupil Cloud's enrichments
(https://docs.pupil-labs.com/pupil-cloud/enrichments/) and of Pupil Player's surface tracker
(https://docs.pupil-labs.com/core/software/pupil-player/).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gpuheat.errors import ExportError, OptionError

__all__ = ["FORMATS", "ExportFormat", "Use", "checked_use", "columns_format", "listed", "recognise"]

Use = Literal["fixations", "gaze"]


@dataclass(frozen=True)
class ExportFormat:
    """One export format. A role that the format has no column for is None.

    The units of durations and times are in their columns' names, see ``Column.microseconds`` and ``nanoseconds``.
    """

    name: str
    use: Use
    x: str
    y: str
    normalized: bool = False  # x and y are shares of the width and the height, not px
    bottom_left: bool = False  # the origin of y; otherwise it is the top left corner
    row_per_frame: bool = False  # a fixation has one row for each video frame it lasts
    flag: str | None = None  # says whether the row was seen on the image
    recording: str | None = None
    section: str | None = None
    fixation: str | None = None
    duration: str | None = None
    confidence: str | None = None
    start: str | None = None  # when the fixation began, or the sample was taken; not all versions of a format have it

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are always read, and by which the format is recognised."""
        roles = (self.recording, self.section, self.fixation, self.duration, self.flag, self.confidence)
        return (self.x, self.y, *(column for column in roles if column is not None))


_CLOUD_FIXATIONS = ExportFormat(
    name="Reference Image Mapper fixations.csv",
    use="fixations",
    recording="recording id",
    section="section id",
    fixation="fixation id",
    duration="duration [ms]",
    flag="fixation detected in reference image",
    x="fixation x [px]",
    y="fixation y [px]",
    start="start timestamp [ns]",
)
_CLOUD_GAZE = ExportFormat(
    name="Reference Image Mapper gaze.csv",
    use="gaze",
    recording="recording id",
    section="section id",
    fixation="fixation id",
    flag="gaze detected in reference image",
    x="gaze position in reference image x [px]",
    y="gaze position in reference image y [px]",
    start="timestamp [ns]",
)
_SURFACE_FIXATIONS = replace(
    _CLOUD_FIXATIONS,
    name="Marker Mapper fixations.csv",
    flag="fixation detected on surface",
    x="fixation x [normalized]",
    y="fixation y [normalized]",
    normalized=True,
)

FORMATS = (
    _CLOUD_FIXATIONS,
    _CLOUD_GAZE,
    _SURFACE_FIXATIONS,
    replace(
        _CLOUD_GAZE,
        name="Marker Mapper gaze.csv",
        flag="gaze detected on surface",
        x="gaze position on surface x [normalized]",
        y="gaze position on surface y [normalized]",
        normalized=True,
    ),
    replace(_CLOUD_FIXATIONS, name="Manual Mapper fixations.csv", flag="fixation status"),
    replace(_SURFACE_FIXATIONS, name="Manual Mapper fixations.csv", flag="fixation status"),
    ExportFormat(
        name="Pupil Player fixations_on_surface",
        use="fixations",
        fixation="fixation_id",
        duration="duration",
        flag="on_surf",
        x="norm_pos_x",
        y="norm_pos_y",
        start="start_timestamp",
        normalized=True,
        bottom_left=True,
        row_per_frame=True,
    ),
    ExportFormat(
        name="Pupil Player gaze_positions_on_surface",
        use="gaze",
        flag="on_surf",
        confidence="confidence",
        x="x_norm",
        y="y_norm",
        start="gaze_timestamp",
        normalized=True,
        bottom_left=True,
    ),
)
"""The formats that are read, most telling columns first: a header is of the first format whose columns it has."""

_SCENE_CAMERA = (
    "its positions are scene-camera coordinates, which do not refer to the reference image: "
    "give the export of a mapper enrichment (Reference Image Mapper, Marker Mapper, Manual Mapper)"
)
_REFUSED = (
    (
        {"fixation status"},
        "it has a fixation status and no fixation x and y, so nothing says where the fixations were: "
        "export the Manual Mapper enrichment with its coordinates",
    ),
    ({"fixation x [px]", "fixation y [px]"}, _SCENE_CAMERA),
    ({"gaze x [px]", "gaze y [px]"}, _SCENE_CAMERA),
    (
        {"norm_pos_x", "norm_pos_y", "confidence"},
        "its positions are scene-camera coordinates, which do not refer to a surface: "
        "give the ..._on_surface_... file that Pupil Player's surface tracker exports into the folder surfaces",
    ),
)
"""Columns of exports that cannot be used, and why."""


def checked_use(use: str) -> None:
    """Raise OptionError unless ``use`` is one of the two."""
    if use not in ("fixations", "gaze"):
        raise OptionError(f"use must be 'fixations' or 'gaze', got {use!r}")


def recognise(columns: Sequence[str], name: str) -> ExportFormat:
    """The format that has ``columns``; ``name`` stands for the source in the error's text.

    Raises
    ------
    ExportError
        If no format has these columns.
    """
    have = set(columns)
    for known in FORMATS:
        if have.issuperset(known.columns):
            return known
    for known in FORMATS:
        if known.flag is not None and have.issuperset({known.flag, known.x, known.y}):
            missing = [column for column in known.columns if column not in have]
            raise ExportError(
                f"{name} is a {known.name} without {listed(missing)}: export it whole, or pass x and y to read it as "
                "a table of its own"
            )
    for telling, reason in _REFUSED:
        if have.issuperset(telling):
            raise ExportError(f"{name} cannot be used: {reason}")
    raise ExportError(
        f"{name}: its columns fit no known export; pass x and y to say which of them hold the position. "
        f"It has {listed(columns)}"
    )


def columns_format(
    columns: Sequence[str], *, use: Use, x: str, y: str, duration: str | None, normalized: bool
) -> ExportFormat:
    """The format of a table whose position columns were named by the caller."""

    def present(name: str) -> str | None:
        return name if name in columns else None

    return ExportFormat(
        name=f"columns {x!r} and {y!r}",
        use=use,
        x=x,
        y=y,
        normalized=normalized,
        duration=duration,
        recording=present("recording id"),
        section=present("section id"),
        fixation=present("fixation id"),
        start=present("start timestamp [ns]") or present("timestamp [ns]"),
    )


def listed(names: Sequence[str]) -> str:
    """Names of columns for the text of an error, the first twenty."""
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(map(repr, names[:20])) or "no columns") + more
