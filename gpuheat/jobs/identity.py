"""Whether a file is still the one that was read."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any, Final

from gpuheat.errors import VideoError
from gpuheat.inputs.address import origin_of
from gpuheat.inputs.remote import RemoteFile
from gpuheat.inputs.watch import Watch
from gpuheat.jobs.threads import outcome, start

__all__ = ["differences", "identity_of", "is_read_once"]

ENDS: Final = 2**20  # bytes at the head and at the tail of a file that tell it from others


def is_read_once(video: str | os.PathLike[str]) -> bool:
    """Whether this is no file that a later run could read again, but live video, a pipe or a device."""
    if origin_of(video) is not None:
        return True
    return os.path.exists(video) and not (os.path.isfile(video) or os.path.isdir(video))


def identity_of(video: str | os.PathLike[str]) -> dict[str, Any]:
    """What tells a file from others, and its name, which does not; None for each where it cannot be read."""
    file = video if isinstance(video, RemoteFile) else Path(video)
    identity = {"name": file.name, "bytes": None, "modified": None, "sha256": None}
    watch = Watch(str(file))
    with suppress(OSError, VideoError):  # whoever reads the video has to tell of it
        identity |= outcome(start(lambda: _contents(file, watch), "identity"), watch)
    return identity


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In words, what tells two files apart by their identities; nothing where they are the same."""
    if all(before[key] == now[key] for key in ("bytes", "modified", "sha256")):
        return []
    if None in (before["bytes"], now["bytes"]):
        return ["it could be read and now cannot" if now["bytes"] is None else "it could not be read and now can"]
    names = {"name": "its name", "bytes": "its size in bytes", "modified": "its time, in ns,"}
    differing = [
        f"{name} was {before[key]} and is {now[key]}" for key, name in names.items() if before[key] != now[key]
    ]
    return [*differing, *(["its first or last bytes are others"] if before["sha256"] != now["sha256"] else [])]


def _contents(video: Path | RemoteFile, watch: Watch) -> dict[str, Any]:
    with watch, video.open("rb") as file:
        status = video.stat() if isinstance(video, RemoteFile) else os.fstat(file.fileno())
        ends = _piece(file, 0) + _piece(file, max(0, status.st_size - ENDS))
    return {"bytes": status.st_size, "modified": status.st_mtime_ns, "sha256": sha256(ends).hexdigest()}


def _piece(file: IO[bytes] | BufferedIOBase, at: int) -> bytes:
    try:
        file.seek(at)
        return file.read(ENDS)
    except OSError:  # a broken disk, which whoever reads the video has to tell of
        return b"cannot be read"
