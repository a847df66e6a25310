"""Find the export and the reference image in a folder."""

from __future__ import annotations

import io
import os
from fnmatch import fnmatchcase

from gpuheat.errors import ExportError
from gpuheat.inputs.eyetracking.formats import Use, checked_use
from gpuheat.inputs.remote import Place, file_at

__all__ = ["find_export", "find_reference_image", "find_sections"]

_EXPORTS: dict[Use, tuple[str, str]] = {
    "fixations": ("fixations.csv", "fixations_on_surface_*.csv"),
    "gaze": ("gaze.csv", "gaze_positions_on_surface_*.csv"),
}
_IMAGES = tuple(f"reference_image.{suffix}" for suffix in ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff"))


def find_export(path: str | os.PathLike[str], use: Use = "fixations") -> Place:
    """The export file that ``path``, or an address that fsspec reads, stands for.

    A file is itself. A folder is searched for the file of that use (``fixations.csv`` or
    ``fixations_on_surface_*.csv``, ``gaze.csv`` or ``gaze_positions_on_surface_*.csv``, in any case): first the
    folder, then, if there is none, the folders in it. Where nothing tells what lies in a folder, as on web servers,
    only ``fixations.csv`` or ``gaze.csv`` itself is found in it.

    Raises
    ------
    ExportError
        If there is no such file or folder, it cannot be reached, or the folder holds no or several candidates.
    OptionError
        If ``use`` is neither "fixations" nor "gaze", or fsspec does not know the kind of address.
    MissingPackageError
        If the package for the kind of address is not installed.

    Examples
    --------
    >>> find_export("export", use="gaze")  # doctest: +SKIP
    PosixPath('export/gaze.csv')
    """
    checked_use(use)
    path = file_at(path)
    try:
        if not path.exists():
            raise ExportError(
                f"{path} does not exist: give an export's CSV or Parquet file, or the folder that holds it"
            )
        if not path.is_dir():
            return path
        found = _files(path, *_EXPORTS[use])
        if not found:
            folders = [each for each in _entries(path) if each.is_dir()]
            found = [file for folder in folders for file in _files(folder, *_EXPORTS[use])]
        others = [] if found else _files(path, "*.csv")
    except io.UnsupportedOperation as error:
        raise ExportError(f"{path} cannot be searched for an export: {error}. Give the export's file") from error
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
    if len(found) == 1:
        return found[0]
    if found:
        raise ExportError(f"{path} holds several exports of {use}, give one of them: {', '.join(map(str, found))}")
    raise ExportError(
        f"{path} holds no export of {use} ({' or '.join(_EXPORTS[use])}), nor do the folders in it; "
        f"its CSV files: {', '.join(file.name for file in others) or 'none'}. Give the export's file or its folder"
    )


def find_reference_image(path: str | os.PathLike[str]) -> Place | None:
    """The ``reference_image.*`` in the folder ``path`` or beside the file ``path``, or None.

    Of several, the first of jpg, jpeg, png, webp, bmp, tif, tiff; upper and lower case are the same where a folder
    tells what lies in it, which those of web servers do not.

    Raises
    ------
    ExportError
        If the folder cannot be searched.
    """
    path = file_at(path)
    try:
        folder = path if path.is_dir() else path.parent
        found = _files(folder, *_IMAGES) if folder.is_dir() else []
    except OSError as error:
        raise ExportError(f"{path}: the reference image cannot be searched for: {error}") from error
    return min(found, key=lambda file: _IMAGES.index(file.name.lower()), default=None)


def find_sections(path: Place) -> Place | None:
    """The ``sections.csv`` beside an export's file, in any case as :func:`find_reference_image` has it, or None.

    Raises
    ------
    ExportError
        If the folder cannot be searched.
    """
    try:
        return next(iter(_files(path.parent, "sections.csv")), None)
    except OSError as error:
        raise ExportError(f"{path}: the sections.csv beside it cannot be searched for: {error}") from error


def _files(folder: Place, *patterns: str) -> list[Place]:
    """The folder's files whose lower-case name fits one of the patterns, by name.

    Where nothing tells what lies in it, those whose name is one of the patterns.
    """
    try:
        entries = _entries(folder)
    except io.UnsupportedOperation:
        return [file for file in (folder / pattern for pattern in patterns if "*" not in pattern) if _is_there(file)]
    return [
        file
        for file in entries
        if any(fnmatchcase(file.name.lower(), pattern) for pattern in patterns) and file.is_file()
    ]


def _is_there(file: Place) -> bool:
    try:
        return file.is_file()
    except PermissionError:  # what servers that let nobody list their files say of one that is not there
        return False


def _entries(folder: Place) -> list[Place]:
    """What lies in a folder, by name."""
    return sorted(folder.iterdir(), key=lambda entry: entry.name)
