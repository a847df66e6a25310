"""Result files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from gpuheat.errors import OptionError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import FrameType, TracebackType

    from numpy.typing import DTypeLike, NDArray

__all__ = ["ArrayParts", "OutputFolder"]


@dataclass(frozen=True)
class ArrayParts:
    """An array that is never there as a whole: its shape and dtype, and its parts along the first axis, in order."""

    shape: tuple[int, ...]
    dtype: DTypeLike
    parts: Iterable[NDArray[Any]]

    def write(self, file: IO[bytes]) -> None:
        """Write it as a ``.npy`` file."""
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(self.dtype)), "fortran_order": False}
        np.lib.format.write_array_header_1_0(file, header | {"shape": self.shape})
        for part in self.parts:
            file.write(np.ascontiguousarray(part, self.dtype).data)


class OutputFolder:
    """A folder for result files, made at once; its files get their names when the ``with`` block ends well.

    Until then they lie in a hidden folder inside it. When the block ends with an exception, Ctrl-C included,
    they are removed, files of an earlier run stay as they were, and the folder itself goes if it is new and
    empty. When it ends well the files are moved into place one by one, in the order in which they were
    written, each replacing its predecessor in one step: whoever finds the file written last, finds all.

    Parameters
    ----------
    path
        The folder; it and its parents are made where they are missing.

    Raises
    ------
    OptionError
        At construction, if the path is a file or cannot be made or written to.
    OutputError
        If a file cannot be written; the text names it.

    Examples
    --------
    >>> with OutputFolder("out") as out:  # doctest: +SKIP
    ...     out.write_array("counts.npy", counts)
    ...     out.write_json("summary.json", {"frames": 795})
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._made: list[Path] = []
        self._staging: Path | None = None
        self._names: list[str] = []
        try:
            self._made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            self._remove_made()
            reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
            raise OptionError(f"cannot write into the folder {self.path}: {reason}; name another folder") from error

    def __enter__(self) -> OutputFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            with _interrupt_later():
                if self._staging is not None:
                    shutil.rmtree(self._staging, ignore_errors=True)
                self._remove_made()

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        with self._staged(name) as file:
            file.write(data)

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, in UTF-8. A byte of a file's name that is no UTF-8 becomes an escape."""
        self.write_parts(name, [text])

    def write_parts(self, name: str, parts: Iterable[str]) -> None:
        """Write a text file as :meth:`write_text` does, one part behind the other."""
        with self._staged(name) as file:
            file.writelines(part.encode("utf-8", "backslashreplace") for part in parts)

    def write_json(self, name: str, value: object) -> None:
        """Write a JSON file; `TypeError` for NumPy's integers and arrays, `ValueError` for NaN and infinity."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def write_array(self, name: str, array: NDArray[Any]) -> None:
        """Write an array as a ``.npy`` file."""
        with self._staged(name) as file:
            np.save(file, array, allow_pickle=False)

    def write_arrays(self, name: str, arrays: Mapping[str, NDArray[Any] | ArrayParts]) -> None:
        """Write arrays as a compressed ``.npz`` file, part by part those that come in parts."""
        with self._staged(name) as file, ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as members:
            for each, array in arrays.items():
                with members.open(f"{each}.npy", "w", force_zip64=True) as member:
                    if isinstance(array, ArrayParts):
                        array.write(member)
                    else:
                        np.lib.format.write_array(member, array, allow_pickle=False)

    @contextmanager
    def staged_path(self, name: str) -> Iterator[Path]:
        """Where somebody else is to write a file, from scratch, until the block ends."""
        self.check_name(name)
        try:
            if self._staging is None:
                self._staging = Path(tempfile.mkdtemp(prefix=".gpuheat-", dir=self.path))
            yield self._staging / name
            with (self._staging / name).open("rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            reason = error.strerror or f"{error}; is the disk full?"  # NumPy says only how many bytes were written
            raise OutputError(f"cannot write {self.path / name}: {reason}") from error
        self._names.append(name)

    def check_name(self, name: str, sources: Iterable[str | os.PathLike[str]] = ()) -> None:
        """Raise an error unless a file of this name can be written here, and would replace none that is read."""
        if name in ("", ".", "..") or Path(name).name != name:
            raise OptionError(f"a result file needs a plain file name, got {name!r}")
        path = self.path / name
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; move it away, a file of that name goes there")
        if path.exists() and any(os.path.exists(source) and path.samefile(source) for source in sources):
            raise OptionError(f"{path} is what is read and would be replaced: take another name or folder")

    @contextmanager
    def _staged(self, name: str) -> Iterator[IO[bytes]]:
        with self.staged_path(name) as path, path.open("xb") as file:
            yield file

    def _publish(self) -> None:
        if self._staging is None:
            return
        with _interrupt_later():
            for name in self._names:
                os.replace(self._staging / name, self.path / name)
            folder = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _remove_made(self) -> None:
        with suppress(OSError):  # one that is not empty stays, and so do its parents
            for folder in self._made:
                folder.rmdir()


@contextmanager
def _interrupt_later() -> Iterator[None]:
    """Keep a Ctrl-C back until the block has ended. Only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    kept: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: kept.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if kept and callable(before):
        before(*kept[0])
