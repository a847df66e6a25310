"""Where live video comes from: addresses, capture devices, standard input. And what of an address may be shown."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from gpuheat.errors import OptionError, VideoError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Origin", "ends_only_when_asked", "hide_secrets", "origin_of", "without_secrets"]

ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(/)?")
OPTIONS: Final[dict[str, dict[str, str]]] = {
    **{kind: {} for kind in ("http", "https", "rtmp", "rtmps", "rtp", "srt", "tcp", "tls")},
    **{kind: {"rtsp_flags": "prefer_tcp"} for kind in ("rtsp", "rtsps")},  # over UDP packets get lost
    "udp": {"overrun_nonfatal": "1"},  # whoever is too slow for a stream that does not wait loses a part of it
}
"""FFmpeg's options for each kind of address."""
TIMEOUTS: Final = dict.fromkeys(("rtp", "rtsp", "rtsps", "srt", "udp"), "timeout")
"""What FFmpeg calls the microseconds after which a silent connection is an error, where it is not ``rw_timeout``."""
VIDEO4LINUX: Final = 81  # the major number of its devices
HIDDEN: Final = "***"
STORES: Final = {"abfs", "abfss", "az", "file", "gcs", "gs", "hdfs", "memory", "s3", "s3a"}
"""Kinds of addresses whose paths are names alone: there ``camera=1`` is a folder."""
SHOWN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"<>]*[^\s'\"<>.,;:)\]]")
"""An address in a text."""


@dataclass(frozen=True)
class Origin:
    """Where video comes from that is no file.

    Attributes
    ----------
    name
        For people, without user, password and query.
    comes_back
        Whether to open it again when it ends.
    url
        For FFmpeg. It is never shown.
    format
        FFmpeg's name of what is found there; None: FFmpeg finds out.
    options
        FFmpeg's.
    timeout
        The option with the microseconds after which a silent connection is an error; None: there is no such thing.
    """

    name: str
    comes_back: bool
    url: str = field(repr=False)
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    timeout: str | None = None


def origin_of(source: str | os.PathLike[str]) -> Origin | None:
    """What an address, a capture device or ``-`` stands for; None for everything else, which is a file.

    A :class:`gpuheat.inputs.remote.RemoteFile` is one, whatever its address.

    Raises
    ------
    OptionError
        If standard input is a terminal.
    VideoError
        If an address is of an unknown kind, or lacks a slash.
    """
    from gpuheat.inputs.remote import RemoteFile  # which shows its address without secrets

    text = os.fspath(source)
    if isinstance(source, RemoteFile):
        return None
    if source == "-":
        if os.isatty(0):
            raise OptionError("standard input is a terminal: '-' reads a video that another program writes to it")
        return Origin("standard input", comes_back=False, url="pipe:0")
    address = ADDRESS.match(text)
    if address is not None and address[2] is None and address[1].lower() in OPTIONS:
        raise VideoError(
            f"{without_secrets(text)}: an address has two slashes; where it was made a Path, give the text"
        )
    if address is not None and address[2] is not None:
        if address[1].lower() not in OPTIONS:
            raise VideoError(
                f"{without_secrets(text)}: addresses begin with {', '.join(sorted(OPTIONS))}; "
                "where it is a file, put ./ in front"
            )
        kind = address[1].lower()
        timeout = TIMEOUTS.get(kind, "rw_timeout")
        return Origin(without_secrets(text), comes_back=True, url=text, options=OPTIONS[kind], timeout=timeout)
    if text.startswith("/dev/") and _is_camera(text):
        return Origin(text, comes_back=True, url=text, format="v4l2")
    return None


def ends_only_when_asked(source: str | os.PathLike[str]) -> bool:
    """Whether nobody knows beforehand where a video ends: that of an origin, or of a named pipe."""
    if origin_of(source) is not None:
        return True
    try:
        return stat.S_ISFIFO(os.stat(source).st_mode)
    except (OSError, ValueError):  # opening it says what is wrong
        return False


def without_secrets(address: str) -> str:
    """An address with its kind, host and path alone.

    User and password become ``***``, and so do parts of the path that name a value, but in those of files and object
    stores; what comes after the path is left out. Where an ``@`` behind the host leaves open what belongs to the
    password, the host is hidden, too.

    Examples
    --------
    >>> without_secrets("rtsp://user:secret@[fe80::1]:554/path?token=abc")
    'rtsp://***@[fe80::1]:554/path'
    >>> without_secrets("rtsp://camera/user=admin&password=secret/live")
    'rtsp://camera/***/live'
    >>> without_secrets("rtsp://user:sec/ret@camera")
    'rtsp://***'
    """
    parts = re.fullmatch(r"(.*?:/+)(.*)", address, re.DOTALL)
    if parts is None:
        return address
    kind, rest = parts.groups()
    authority = re.split(r"[/?#;\\]", rest, maxsplit=1)[0]
    if "@" in rest[len(authority) :]:
        return f"{kind}{HIDDEN}"
    _user, at, host = authority.rpartition("@")
    path = re.split(r"[?#;]", rest[len(authority) :], maxsplit=1)[0]
    folders = path.split("/")
    if kind.partition(":")[0].lower() not in STORES:
        folders = [HIDDEN if re.search(r"[=?#;]", unquote(folder)) else folder for folder in folders]
    return f"{kind}{HIDDEN if at else ''}{at}{host}{'/'.join(folders)}"


def hide_secrets(text: str, arguments: Iterable[str]) -> str:
    """A text in which addresses are shown without their secrets; those among some arguments also quoted or as paths."""
    for argument in arguments:
        if ":/" in argument:
            for written in (argument, re.sub("/+", "/", argument)):
                for quoted in (written, repr(written)[1:-1]):
                    text = text.replace(quoted, without_secrets(written))
    return SHOWN.sub(lambda address: without_secrets(address[0]), text)


def _is_camera(path: str) -> bool:
    try:
        status = os.stat(path)
    except OSError:  # opening it says what is wrong
        return False
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) == VIDEO4LINUX
