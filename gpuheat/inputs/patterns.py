"""Names of inputs as they are given: some stand for several files."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from gpuheat.errors import InputError
from gpuheat.inputs.address import origin_of, without_secrets
from gpuheat.inputs.remote import is_remote, remote_files

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["files_named"]


def files_named(names: Iterable[str], *, remote: bool = False) -> list[str]:
    """The files that these names mean: a pattern (``day/*.mp4``) stands for all it fits, in the order of their names.

    ``remote``: so does one in an address (``s3://cameras/*.mp4``), which otherwise is that of live video.

    Raises
    ------
    InputError
        If nothing fits a pattern.
    """
    files: list[str] = []
    for name in names:
        if remote and is_remote(name):
            found = remote_files(name)
            if not found:
                raise InputError(f"{without_secrets(name)}: there is no such file")
            files += found
        elif glob.has_magic(name) and origin_of(name) is None and not Path(name).exists():
            found = sorted(glob.glob(name, recursive=True))
            if not found:
                raise InputError(f"{name}: there is no such file")
            files += found
        else:
            files.append(name)
    return files
