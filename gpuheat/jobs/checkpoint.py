"""A file from which a run goes on that was interrupted."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.errors import InputError, OptionError
from gpuheat.jobs.identity import differences, identity_of, is_read_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["INTERVAL", "Checkpoint"]

INTERVAL: Final = 30.0
"""Seconds of work that may be lost."""

FORMAT: Final = 4
"""Of the file, and of what the classes give as their state: a number of its own for each that was ever written."""

CHUNK: Final = 2**22
CHECKSUM: Final = 4  # bytes
EARLIER: Final = "earlier"
log = logging.getLogger("gpuheat")


class Checkpoint:
    """Holds the state of a run over videos with certain settings: nested dictionaries of arrays and plain values.

    The file is an uncompressed ``.npz`` without pickles, followed by the CRC-32 of all its bytes. It appears whole or
    not at all.

    Parameters
    ----------
    path
        The file; its folder exists.
    videos
        The files that are read one after the other, one at least; what is saved depends on the first of them.
    settings
        Those on which the result depends.

    Raises
    ------
    OptionError
        If one of the videos can be read only once.
    """

    def __init__(
        self, path: str | os.PathLike[str], videos: Sequence[str | os.PathLike[str]], settings: dict[str, Any]
    ) -> None:
        self.path = Path(path)
        self._videos = videos
        self._settings = settings
        for video in videos:
            if is_read_once(video):
                raise OptionError(f"a checkpoint is for video files, and {os.fspath(video)} is none")
        self._inputs = [identity_of(videos[0])]
        self._due = time.monotonic() + INTERVAL
        self._told = False

    def reach(self, videos: int) -> None:
        """Take note that what is saved from now on depends on the first so many videos."""
        self._inputs += map(identity_of, self._videos[len(self._inputs) : videos])

    @property
    def is_due(self) -> bool:
        """Whether the last one was written long ago."""
        return time.monotonic() >= self._due

    def begin(self, resume: bool) -> dict[str, Any] | None:
        """The state to go on from, if there is one; None where a run begins anew.

        Where it is not to resume, the file of an earlier run gets another name until this one has ended well.

        Raises
        ------
        InputError, OptionError
            As :meth:`load` does; if the file cannot be renamed.
        """
        if not resume:
            self._keep_earlier()
            return None
        state = self.load()
        if state is None:
            log.info("no checkpoint %s to go on from: from the beginning", self.path)
        return state

    def load(self) -> dict[str, Any] | None:
        """The state that was saved; None where there is none. A damaged file gets another name.

        It may be that of more videos than were reached, which then are.

        Raises
        ------
        InputError
            If it is that of other videos, or cannot be read.
        OptionError
            If it was made with other settings.
        """
        try:
            if not self.path.exists():
                return None
            with self.path.open("rb") as file:
                if not _is_whole(file):
                    aside = self._set_aside("damaged")
                    log.error("the checkpoint %s is damaged and now called %s", self.path, aside.name)
                    return None
                with np.load(file, allow_pickle=False) as members:
                    saved = _unpacked(json.loads(members["state"].tobytes()), members)
        except OSError as error:
            raise InputError(f"the checkpoint {self.path} cannot be read: {error.strerror or error}") from error
        self._check(saved)
        state: dict[str, Any] = saved["state"]
        return state

    def save(self, state: dict[str, Any]) -> bool:
        """Write it, and wait until it is on the disk; whether that was possible. The first failure is told."""
        arrays: dict[str, NDArray[Any]] = {}
        about = {"format": FORMAT, "inputs": self._inputs, "settings": self._settings}
        packed = json.dumps(about | {"state": _packed(state, arrays)})
        try:
            self._write({"state": np.frombuffer(packed.encode(), np.uint8), **arrays})
        except OSError as error:
            if not self._told:
                log.error("the checkpoint %s cannot be written: %s", self.path, error.strerror or error)
            self._told = True
            return False
        finally:
            self._due = time.monotonic() + INTERVAL
        return True

    def remove(self) -> None:
        """Remove the file, which is not needed any more, that of an earlier run, and what was left half-written."""
        self.path.unlink(missing_ok=True)
        self._aside(EARLIER).unlink(missing_ok=True)
        self._clean()

    def _keep_earlier(self) -> None:
        try:
            if not self.path.exists():
                return
            aside = self._set_aside(EARLIER)
        except OSError as error:
            raise InputError(f"the checkpoint {self.path} cannot be renamed: {error.strerror or error}") from error
        log.warning(
            "begins anew; the checkpoint %s of an earlier run is called %s until there are results",
            *(self.path, aside.name),
        )

    def _aside(self, why: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{why}")

    def _set_aside(self, why: str) -> Path:
        aside = self._aside(why)
        os.replace(self.path, aside)
        return aside

    def _clean(self) -> None:
        for unfinished in self.path.parent.glob(f".{self.path.name}.*.part"):
            unfinished.unlink(missing_ok=True)

    def _write(self, members: dict[str, NDArray[Any]]) -> None:
        self._clean()
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent)
        try:
            with os.fdopen(handle, "w+b") as file:
                _write_npz(file, members)
                end = file.tell()
                file.write(_checksum(file, end))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name)
            raise
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _check(self, saved: dict[str, Any]) -> None:
        if saved["format"] != FORMAT:
            raise InputError(f"the checkpoint {self.path} was written by another version of gpuheat: begin anew")
        known = len(saved["inputs"])
        if known > len(self._videos):
            raise InputError(
                f"the checkpoint {self.path} is of {known} videos, the last of them {saved['inputs'][-1]['name']}, and "
                f"not of {len(self._videos)}: give the same, or begin anew"
            )
        self.reach(known)
        for video, before, now in zip(self._videos, saved["inputs"], self._inputs, strict=False):
            if differing := differences(before, now):
                raise InputError(
                    f"the checkpoint {self.path} is not of this {os.fspath(video)}: {'; '.join(differing)}; begin anew"
                )
        differing = [
            f"{name} was {saved['settings'].get(name)} and is {value}"
            for name, value in self._settings.items()
            if saved["settings"].get(name) != value
        ]
        if differing:
            raise OptionError(
                f"the checkpoint {self.path} was made with other settings: {'; '.join(differing)}; "
                "give the same, or begin anew"
            )


def _write_npz(file: IO[bytes], members: dict[str, NDArray[Any]]) -> None:
    """As numpy.savez does, but without copies of parts of the arrays."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                whole = np.asarray(array, order="C")
                np.lib.format.write_array_header_1_0(member, np.lib.format.header_data_from_array_1_0(whole))
                if whole.size > 0:
                    member.write(whole.data.cast("B"))


def _checksum(file: IO[bytes], size: int) -> bytes:
    """That of the first ``size`` bytes of a file, which is left behind them."""
    value, left = 0, size
    file.seek(0)
    while left > 0 and (data := file.read(min(left, CHUNK))):
        value = zlib.crc32(data, value)
        left -= len(data)
    return value.to_bytes(CHECKSUM)


def _is_whole(file: IO[bytes]) -> bool:
    """Whether the checksum at the end of a file is that of the rest; the file is left at its beginning."""
    size = os.fstat(file.fileno()).st_size - CHECKSUM
    whole = size > 0 and _checksum(file, size) == file.read(CHECKSUM)
    file.seek(0)
    return whole


def _packed(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """The value as JSON can have it: arrays go to ``arrays``, and leave their names there."""
    if isinstance(value, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, dict):
        return {name: _packed(each, arrays) for name, each in value.items()}
    return value


def _unpacked(value: Any, arrays: Any) -> Any:
    """The other way round."""
    if isinstance(value, dict):
        if [*value] == ["array"]:
            return arrays[value["array"]]
        return {name: _unpacked(each, arrays) for name, each in value.items()}
    return value
