"""The folders of many maps, and the manifest beside them, which says what went where."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from gpuheat.errors import GpuheatError, IncompleteBatchError, IncompleteError, VideoError
from gpuheat.inputs.remote import file_at
from gpuheat.jobs.dask.parts_folder import PARTS, PartsFolder
from gpuheat.jobs.groups import manifest_csv, manifest_parquet, rows_of, rows_without_result
from gpuheat.jobs.identity import identity_of
from gpuheat.outputs.files import OutputFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["MapFolders"]

MANIFEST_EACH: Final = 30.0
"""s between two manifests while maps are made: of many videos it is long."""
log = logging.getLogger("gpuheat")


class MapFolders:
    """A folder for the map of each group of videos; a context manager, at whose end the manifest is written.

    Parameters
    ----------
    output
        In which they lie.
    groups
        The videos of each, by its name.
    options
        With which they are counted.
    resume
        Whether what an earlier run has made of the same videos and options is kept.

    Attributes
    ----------
    left
        The groups of which there is no map yet.
    """

    def __init__(
        self, output: Path, groups: Mapping[str, Sequence[str]], options: Mapping[str, Any], *, resume: bool
    ) -> None:
        self._output = output
        self._groups = groups
        self._options = str(options)
        self._resume = resume
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._parts: dict[str, PartsFolder] = {}
        self._about: dict[str, dict[str, Any]] = {}
        self._written_at = time.monotonic()
        for name in groups if resume else ():
            parts = self._parts[name] = PartsFolder(self.folder(name) / PARTS, resume=True)
            if parts.has_finished and (rows := parts.finished(self._about_now(name))) is not None:
                log.info("%s is there already", self.folder(name))
                self._rows[name] = rows
        self.left = {name: files for name, files in groups.items() if name not in self._rows}

    def __enter__(self) -> MapFolders:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rows:
            self._write_manifest()
        for parts in self._parts.values():
            if kind is None:
                parts.remove()
            parts.__exit__(kind, error, trace)

    def folder(self, name: str) -> Path:
        """That of a map."""
        return self._output / name

    def begin(self, name: str) -> Path:
        """The folder for the parts of a map that is going to be counted."""
        if name not in self._parts:
            self._parts[name] = PartsFolder(self.folder(name) / PARTS, resume=self._resume)
        self._about[name] = self._about_now(name)
        return self._parts[name].path

    def take(
        self, name: str, came: MotionHeatmap | GpuheatError, write: Callable[[str, MotionHeatmap], None]
    ) -> MotionHeatmap | None:
        """Have the map of a group written by ``write(folder, map)``, note it and return it; or note why there is none.

        Raises
        ------
        GpuheatError
            That which came, unless it speaks of the videos.
        """
        heatmap = None
        if isinstance(came, IncompleteError):
            heatmap = came.heatmap
        elif isinstance(came, VideoError):
            self._rows[name] = rows_without_result(self._groups[name], str(came))
        elif isinstance(came, GpuheatError):
            raise came
        else:
            heatmap = came
        if heatmap is not None:
            folder = str(self.folder(name))
            write(folder, heatmap)
            self._rows[name] = rows_of(heatmap, folder)
            self._parts[name].finish(self._about.pop(name), self._rows[name])
        if time.monotonic() - self._written_at > MANIFEST_EACH:
            self._write_manifest()
        return heatmap

    def check_that_all_are_whole(self) -> None:
        """Say what is missing, once all were taken.

        Raises
        ------
        VideoError
            If not one of the videos could be read.
        IncompleteBatchError
            If some could not, or not to their end.
        """
        failed = sum(row["problem"] is not None for rows in self._rows.values() for row in rows)
        videos = sum(map(len, self._groups.values()))
        if failed == videos:
            raise VideoError("not one of the videos can be read; manifest.csv says why")
        if failed:
            raise IncompleteBatchError(f"{failed} of {videos} videos are left out, or not whole; manifest.csv says why")

    def _about_now(self, name: str) -> dict[str, Any]:
        """What a map is made of, for :meth:`PartsFolder.finished`."""
        return {"videos": [identity_of(file_at(file)) for file in self._groups[name]], "options": self._options}

    def _write_manifest(self) -> None:
        rows = [row for name in self._groups for row in self._rows.get(name, [])]
        with OutputFolder(self._output) as out:
            out.write_text("manifest.csv", manifest_csv(rows))
            out.write("manifest.parquet", manifest_parquet(rows))
        self._written_at = time.monotonic()
