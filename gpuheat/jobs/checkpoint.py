"""A file from which a run goes on that was interrupted."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
import zlib
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.errors import InputError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["INTERVAL", "Checkpoint"]

INTERVAL: Final = 30.0
"""Seconds of work that may be lost."""

FORMAT: Final = 2
"""Of the file, and of what the classes give as their state: a number of its own for each that was ever written."""

ENDS: Final = 2**20  # bytes at the head and at the tail of a video that tell it from others
CHUNK: Final = 2**22
CHECKSUM: Final = 4  # bytes
log = logging.getLogger("gpuheat")


class Checkpoint:
    """Holds the state of a run over one video with certain settings: nested dictionaries of arrays and plain values.

    The file is an uncompressed ``.npz`` without pickles, followed by the CRC-32 of all its bytes. It appears whole or
    not at all.

    Parameters
    ----------
    path
        The file; its folder exists.
    video
        The file that is read.
    settings
        Those on which the result depends.

    Raises
    ------
    OptionError
        If the video is not a file.
    """

    def __init__(self, path: str | os.PathLike[str], video: Path, settings: dict[str, Any]) -> None:
        self.path = Path(path)
        self._video = video
        self._settings = settings
        if not video.is_file():
            raise OptionError(f"a checkpoint is for a video file, and {video} is none")
        self._input = _identity(video)
        self._due = time.monotonic() + INTERVAL
        self._told = False

    @property
    def is_due(self) -> bool:
        """Whether the last one was written long ago."""
        return time.monotonic() >= self._due

    def load(self) -> dict[str, Any] | None:
        """The state that was saved; None where there is none. A damaged file gets another name.

        Raises
        ------
        InputError
            If it is that of another video, or cannot be read.
        OptionError
            If it was made with other settings.
        """
        try:
            if not self.path.exists():
                return None
            with self.path.open("rb") as file:
                if not _is_whole(file):
                    aside = self.path.with_name(f"{self.path.name}.damaged")
                    os.replace(self.path, aside)
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
        about = {"format": FORMAT, "input": self._input, "settings": self._settings}
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
        """Remove the file, which is not needed any more, and what an interrupted run left of one."""
        self.path.unlink(missing_ok=True)
        self._clean()

    def _clean(self) -> None:
        for unfinished in self.path.parent.glob(f".{self.path.name}.*.part"):
            unfinished.unlink(missing_ok=True)

    def _write(self, members: dict[str, NDArray[Any]]) -> None:
        self._clean()
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent)
        try:
            with os.fdopen(handle, "w+b") as file:
                np.savez(file, allow_pickle=False, **members)
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
        differing = [
            f"{name} was {saved['input'][key]} and is {self._input[key]}"
            for key, name in (("bytes", "its size in bytes"), ("modified", "its time, in ns,"))
            if saved["input"][key] != self._input[key]
        ]
        if saved["input"]["sha256"] != self._input["sha256"]:
            differing.append("its first or last bytes are others")
        if differing:
            raise InputError(
                f"the checkpoint {self.path} is not of this {self._video}: {'; '.join(differing)}; begin anew"
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


def _identity(video: Path) -> dict[str, Any]:
    """What tells a file from others."""
    with video.open("rb") as file:
        status = os.fstat(file.fileno())
        ends = _piece(file, 0) + _piece(file, max(0, status.st_size - ENDS))
    return {"bytes": status.st_size, "modified": status.st_mtime_ns, "sha256": sha256(ends).hexdigest()}


def _piece(file: IO[bytes], at: int) -> bytes:
    try:
        file.seek(at)
        return file.read(ENDS)
    except OSError:  # a broken disk, which whoever reads the video has to tell of
        return b"cannot be read"


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
