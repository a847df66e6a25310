"""Find the export and the reference image in a folder."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

from gpuheat.errors import ExportError
from gpuheat.inputs.eyetracking.formats import Use, checked_use

__all__ = ["find_export", "find_reference_image"]

_EXPORTS: dict[Use, tuple[str, str]] = {
    "fixations": ("fixations.csv", "fixations_on_surface_*.csv"),
    "gaze": ("gaze.csv", "gaze_positions_on_surface_*.csv"),
}
_IMAGES = tuple(f"reference_image.{suffix}" for suffix in ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff"))


def find_export(path: str | os.PathLike[str], use: Use = "fixations") -> Path:
    """The export file that ``path`` stands for.

    A file is itself. A folder is searched for the file of that use (``fixations.csv`` or
    ``fixations_on_surface_*.csv``, ``gaze.csv`` or ``gaze_positions_on_surface_*.csv``, in any case): first the
    folder, then, if there is none, the folders in it.

    Raises
    ------
    ExportError
        If there is no such file or folder, or the folder holds no or several candidates.
    OptionError
        If ``use`` is neither "fixations" nor "gaze".

    Examples
    --------
    >>> find_export("export", use="gaze")  # doctest: +SKIP
    PosixPath('export/gaze.csv')
    """
    checked_use(use)
    path = Path(path)
    if not path.exists():
        raise ExportError(f"{path} does not exist: give an export's CSV or Parquet file, or the folder that holds it")
    if not path.is_dir():
        return path
    try:
        found = _files(path, *_EXPORTS[use])
        if not found:
            folders = sorted(each for each in path.iterdir() if each.is_dir())
            found = [file for folder in folders for file in _files(folder, *_EXPORTS[use])]
        others = _files(path, "*.csv")
    except OSError as error:
        raise ExportError(f"{path} cannot be searched for an export: {error}") from error
    if len(found) == 1:
        return found[0]
    if found:
        raise ExportError(f"{path} holds several exports of {use}, give one of them: {', '.join(map(str, found))}")
    raise ExportError(
        f"{path} holds no export of {use} ({' or '.join(_EXPORTS[use])}), nor do the folders in it; "
        f"its CSV files: {', '.join(file.name for file in others) or 'none'}. Give the export's file or its folder"
    )


def find_reference_image(path: str | os.PathLike[str]) -> Path | None:
    """The ``reference_image.*`` in the folder ``path`` or beside the file ``path``, or None.

    Of several, the first of jpg, jpeg, png, webp, bmp, tif, tiff; upper and lower case are the same.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    found = _files(folder, *_IMAGES) if folder.is_dir() else []
    return min(found, key=lambda file: _IMAGES.index(file.name.lower()), default=None)


def _files(folder: Path, *patterns: str) -> list[Path]:
    """The folder's files whose lower-case name fits one of the patterns, by name."""
    return sorted(
        file
        for file in folder.iterdir()
        if any(fnmatchcase(file.name.lower(), pattern) for pattern in patterns) and file.is_file()
    )
