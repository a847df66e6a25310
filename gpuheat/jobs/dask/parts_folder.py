"""The folder in which counted parts are kept until there are results."""

from __future__ import annotations

import json
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from gpuheat.errors import InputError
from gpuheat.outputs.files import OutputFolder

__all__ = ["PARTS", "PartsFolder"]

PARTS: Final = "parts"
"""Its usual name."""
EARLIER: Final = "earlier"
FINISHED: Final = "finished.json"
log = logging.getLogger("gpuheat")


class PartsFolder:
    """A folder for what the workers keep, beside the results; a context manager.

    Parameters
    ----------
    path
        Its parent exists, for the workers too.
    resume
        Whether parts of an earlier run are used. Otherwise they get another name until this one has ended well.

    Raises
    ------
    InputError
        If it cannot be made or renamed.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        self._earlier = path.with_name(f"{path.name}.{EARLIER}")
        try:
            if not resume and path.exists():
                shutil.rmtree(self._earlier, ignore_errors=True)
                os.replace(path, self._earlier)
                log.warning(
                    "begins anew; the parts %s of an earlier run are called %s until there are results",
                    *(path, self._earlier.name),
                )
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"the folder {path} for counted parts cannot be used: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no empty folders behind."""
        for folder in (self.path, self.path.parent):
            with suppress(OSError):  # what is kept stays
                folder.rmdir()

    @property
    def has_finished(self) -> bool:
        """Whether an earlier run told of results."""
        return (self.path / FINISHED).exists()

    def finished(self, about: dict[str, Any]) -> Any:
        """What was told of the results of an earlier run that was about the same; None where there was none."""
        file = self.path / FINISHED
        if not self.has_finished:
            return None
        try:
            told = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{file} cannot be read ({error}): begin anew") from error
        return told["results"] if told["about"] == about else None

    def finish(self, about: dict[str, Any], results: Any) -> None:
        """Keep only that there are results, of what, and what is to be told of them."""
        with OutputFolder(self.path) as out:
            out.write_json(FINISHED, {"about": about, "results": results})
        for part in self.path.glob("*.npz"):
            part.unlink()

    def remove(self) -> None:
        """Remove it, and that of an earlier run: there are results."""
        for folder in (self.path, self._earlier):
            shutil.rmtree(folder, ignore_errors=True)
