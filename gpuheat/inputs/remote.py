"""Files that are not in a file system but at an address: object stores, web servers, whatever fsspec knows."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gpuheat.errors import InputError, MissingPackageError, OptionError
from gpuheat.inputs.address import hide_secrets, without_secrets

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["Place", "RemoteFile", "file_at", "is_remote", "remote_files"]

ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
BLOCK: Final = 2**22
"""Bytes that are asked for at once, about."""
LIVE: Final = {"rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "tls", "udp"}
"""Kinds of addresses at which there is no file."""
WEB: Final = re.compile(r"(https?://[^?#]*)(.*)", re.IGNORECASE | re.DOTALL)
"""The address of a file on a web server, and what follows its path."""
GONE: Final = 404
REFUSED: Final = {401, 403}
"""What web servers answer about what is not there, and about what is not for everyone."""


def is_remote(source: str | os.PathLike[str]) -> bool:
    """Whether there may be a file at an address that fsspec reads: ``s3://``, ``gs://``, ``https://`` and others."""
    address = ADDRESS.match(os.fspath(source))
    return address is not None and address[1].lower() not in LIVE


def file_at(place: str | os.PathLike[str]) -> Place:
    """The file or folder at a path or an address."""
    if isinstance(place, RemoteFile):
        return place
    return RemoteFile(os.fspath(place)) if is_remote(place) else Path(place)


def remote_files(pattern: str) -> list[str]:
    """The addresses that a pattern fits, in the order of their names; a plain address is itself.

    Raises
    ------
    InputError
        If the place where they are to be cannot be searched.
    """
    if "*" not in pattern:
        return [pattern]
    head = pattern[: pattern.rindex("/", 0, pattern.index("*")) + 1]
    (system, path), (_, folder) = _opened(pattern), _opened(head)
    try:
        system.invalidate_cache()
        return [head + name[len(folder) :].lstrip("/") for name in sorted(system.glob(path))]
    except Exception as error:
        raise InputError(f"{without_secrets(pattern)} cannot be searched: {_of_the_system(error).strerror}") from error


class RemoteFile(os.PathLike[str]):
    """A file or folder at an address, as far as it needs to be like a :class:`pathlib.Path`.

    Opened, it is read in ranges of some MB. Where it is shown, secrets in the address are not. On a web server, what
    ends with a slash is a folder, and nothing tells what lies in it.

    Raises
    ------
    OptionError
        If fsspec does not know the kind of address.
    MissingPackageError
        If the package for it is not installed.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._system, self._path = _opened(address)
        self._listed_as: str | None = None

    def __reduce__(self) -> tuple[type[RemoteFile], tuple[str]]:
        return RemoteFile, (self._address,)

    def __fspath__(self) -> str:
        return self._address

    def __str__(self) -> str:
        return without_secrets(self._address)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteFile) and (self._system, self._path) == (other._system, other._path)

    def __hash__(self) -> int:
        return hash(self._path)

    def __truediv__(self, name: str) -> RemoteFile:
        """What has this name in this folder."""
        before, query = self._around_query
        return RemoteFile(f"{before}{'' if before.endswith('/') else '/'}{name}{query}")

    @property
    def name(self) -> str:
        """The last part of the path."""
        before, _ = self._around_query
        kind, _, rest = before.rstrip("/").partition("://")
        shown = without_secrets(f"{kind}://host/{rest.rpartition('/')[2]}")  # whatever the folders before it are called
        return shown.rpartition("/")[2]

    @property
    def parent(self) -> RemoteFile:
        """The folder it lies in; of the uppermost, itself."""
        before, query = self._around_query
        kind, _, rest = before.rstrip("/").partition("://")
        folder, inner, _ = rest.rpartition("/")
        if not inner:
            return self
        ending = "/" if self._is_on_the_web or not folder else ""
        return RemoteFile(f"{kind}://{folder}{ending}{query}")

    def resolve(self) -> RemoteFile:
        """Itself: an address is the same from everywhere."""
        return self

    def exists(self) -> bool:
        """Whether there is such a file or folder; errors as of :meth:`stat`, but that there is none."""
        return self._kind is not None

    def is_file(self) -> bool:
        """Whether there is such a file; errors as of :meth:`exists`."""
        return self._kind == "file"

    def is_dir(self) -> bool:
        """Whether there is such a folder; errors as of :meth:`exists`."""
        return self._kind == "directory"

    def iterdir(self) -> Iterator[RemoteFile]:
        """What lies in this folder.

        Raises
        ------
        io.UnsupportedOperation
            If nothing tells that.
        OSError
            If there is no such folder, or it cannot be reached.
        """
        if self._is_on_the_web:
            raise io.UnsupportedOperation("a web server does not tell what lies in a folder")
        with _errors_of_the_system():
            self._system.invalidate_cache()
            listed = self._system.ls(self._path, detail=True)
        for each in listed:
            path = each["name"].rstrip("/")
            if path != self._path.rstrip("/"):  # an object store may list the folder itself
                entry = self / path.rpartition("/")[2]
                entry._listed_as = each["type"] if each["type"] in ("file", "directory") else None  # not of links
                yield entry

    def read_bytes(self) -> bytes:
        """All of it; errors as of :meth:`stat`."""
        with _errors_of_the_system():
            return bytes(self._system.cat_file(self._path))

    def stat(self) -> os.stat_result:
        """Its size, and what tells whether it was replaced by another.

        Raises
        ------
        OSError
            If there is none, or it cannot be reached.
        """
        about = self._about()
        with _errors_of_the_system():
            number = int(self._system.ukey(self._path)[:12], 16)
        if about.get("size") is None:
            raise OSError(0, "nothing says how large it is, so that it cannot be read in ranges")
        kind = stat.S_IFDIR if about.get("type") == "directory" else stat.S_IFREG
        return os.stat_result((kind, number, 0, 1, 0, 0, int(about["size"]), 0, number, 0))

    def open(self, mode: str = "rb") -> io.BufferedIOBase:
        """The file, to be read in ranges; errors as of :meth:`stat`."""
        assert mode == "rb"
        with _errors_of_the_system():
            return _Ranges(self._system.open(self._path, "rb", block_size=BLOCK))

    def _about(self) -> dict[str, Any]:
        with _errors_of_the_system():
            self._system.invalidate_cache()
            return dict(self._system.info(self._path))

    @property
    def _kind(self) -> str | None:
        """What it is, as fsspec says; None where there is nothing."""
        if self._listed_as is not None:
            return self._listed_as
        if self._is_on_the_web and self._around_query[0].endswith("/"):
            return "directory"
        try:
            about = self._about()
        except FileNotFoundError:
            return None
        led_to = WEB.match(about.get("url") or "")  # a web server leads from a folder's name to its address
        return "directory" if led_to is not None and led_to[1].endswith("/") else str(about["type"])

    @property
    def _is_on_the_web(self) -> bool:
        return WEB.match(self._address) is not None

    @property
    def _around_query(self) -> tuple[str, str]:
        """The address as far as its path goes, and what follows on a web server."""
        web = WEB.match(self._address)
        return (self._address, "") if web is None else (web[1], web[2])


Place = Path | RemoteFile
"""A file or folder, wherever it is."""


class _Ranges(io.BufferedIOBase):
    """A file of fsspec, whose errors become those of the system."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        with _errors_of_the_system():
            return bytes(self._file.read(-1 if size is None else size))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._file.close()
        super().close()


def _opened(address: str) -> tuple[AbstractFileSystem, str]:
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"{without_secrets(address)} needs fsspec ({error}): pip install 'gpuheat[dask]'"
        ) from error
    try:
        system, path = url_to_fs(address)
    except ImportError as error:  # its text names the package
        raise MissingPackageError(f"{without_secrets(address)} cannot be read: {error}") from error
    except ValueError as error:
        raise OptionError(f"{without_secrets(address)} cannot be read: {error}") from error
    return system, str(path)


@contextmanager
def _errors_of_the_system() -> Iterator[None]:
    """What a file system of fsspec raises, which is of any class, becomes an OSError."""
    try:
        yield
    except Exception as error:
        raise _of_the_system(error) from error


def _of_the_system(error: Exception) -> OSError:
    """The error that the system would give, without secrets."""
    cause = error.__cause__
    if isinstance(error, FileNotFoundError):
        if isinstance(cause, OSError) or getattr(cause, "status", GONE) != GONE:
            assert isinstance(cause, Exception)
            return _of_the_system(cause)  # of a web server, which cannot be reached or refuses
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if isinstance(error, OSError) and error.strerror:
        return OSError(error.errno, hide_secrets(error.strerror, []))
    number = errno.EACCES if getattr(error, "status", None) in REFUSED else errno.EIO
    return OSError(number, hide_secrets(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, []))
