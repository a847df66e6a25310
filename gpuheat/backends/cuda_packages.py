"""The packages the CUDA backends compute with: whether they are installed, whole, and of the driver's generation.

They are found without being imported. Where one is missing CUDA is not started either: a process that forks
children for CUDA work of their own must not have started it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from gpuheat.backends.cuda_devices import DRIVERS, driver, usable_device
from gpuheat.errors import BackendUnavailableError, GpuheatError

__all__ = ["CUPY", "NUMBA_CUDA", "Package", "check_numba_with_numpy"]


@dataclass(frozen=True)
class Package:
    """A package that a backend reaches CUDA through.

    Parameters
    ----------
    backend
        The name of the backend.
    name
        What people call the package.
    found_as
        The top-level module that no other package installs.
    imported_as
        The module that is used.
    requirement
        What pip installs it by, the generation of CUDA left open.
    generation_in
        Looks into the folder it is installed in for its generation of CUDA.
    """

    backend: str
    name: str
    found_as: str
    imported_as: str
    requirement: str
    generation_in: Callable[[Path], int | None]

    def generation(self) -> int | None:
        """The generation of CUDA it is made for, 12 or 13; None where it does not say.

        Raises
        ------
        BackendUnavailableError
            If it is not installed, or more than once.
        """
        spec = find_spec(self.found_as)
        if spec is None or spec.origin is None:
            raise BackendUnavailableError(self._missing())
        return self.generation_in(Path(spec.origin).parents[1])

    def check(self, number: int) -> None:
        """See that it is installed, that the driver is new enough for it, and that it can use a GPU.

        Raises
        ------
        BackendUnavailableError
            If not; says what is missing and what to do.
        """
        generation = self.generation()
        supported = driver(generation)
        if generation is not None and supported < 1000 * generation:
            raise BackendUnavailableError(
                f"{self.name} is installed for CUDA {generation}, {_lagging(supported, generation)}"
            )
        usable_device(self.backend, number)

    @contextmanager
    def imported(self) -> Iterator[None]:
        """Import it, and run the import of what builds on it.

        Raises
        ------
        BackendUnavailableError
            If one of the two cannot be imported.
        """
        try:
            import_module(self.imported_as)
        except Exception as error:  # another package's code: whatever is wrong with it, the backend cannot run
            raise self._broken(error) from error
        try:
            yield
        except ImportError as error:
            raise self._broken(error) from error

    @contextmanager
    def started(self, number: int) -> Iterator[None]:
        """Start it on a GPU.

        Raises
        ------
        BackendUnavailableError
            If it fails there.
        """
        try:
            yield
        except GpuheatError:
            raise
        except Exception as error:  # another package's code, as above
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise BackendUnavailableError(
                f"{self.name} does not start on GPU {number} ({why}): 'nvidia-smi' shows whether the driver works; "
                "updating the driver or restarting the machine may help"
            ) from error

    def _broken(self, error: BaseException) -> BackendUnavailableError:
        while error.__cause__ is not None:  # CuPy wraps the cause in a page of advice
            error = error.__cause__
        why = " ".join(f"{type(error).__name__}: {error}".split())
        requirement = self.requirement.format(self.generation() or _newest_that_runs())
        return BackendUnavailableError(
            f"{self.name} is installed, but cannot be imported ({why}): "
            f"pip install --upgrade --force-reinstall '{requirement}'"
        )

    def _missing(self) -> str:
        generation = _newest_that_runs()
        besides = ""
        try:
            supported = driver()
        except BackendUnavailableError as error:
            besides = f"; besides, {error}"
        else:
            if supported < 1000 * generation:
                besides = f"; besides, it needs CUDA {generation}, {_lagging(supported, generation)}"
        return f"{self.name} is not installed: pip install 'gpuheat[cuda{generation}]'{besides}"


def _of_cupy(folder: Path) -> int | None:
    """CuPy has a package for each generation, and they overwrite each other's files."""
    found = [
        re.match(r"(cupy(?:_cuda(\d+)x|_cuda\d+|_rocm[\d_]+)?)-", path.name) for path in folder.glob("*.dist-info")
    ]
    packages = {match[1].replace("_", "-"): match[2] for match in found if match}
    if len(packages) > 1:
        raise BackendUnavailableError(
            f"several packages of CuPy lie on top of each other: pip uninstall -y {' '.join(sorted(packages))} && "
            f"pip install 'gpuheat[cuda{_newest_that_runs()}]'"
        )
    generation = next(iter(packages.values()), None)
    return None if generation is None else int(generation)


def _of_numba_cuda(_folder: Path) -> int | None:
    """numba-cuda itself fits every generation; NVIDIA's bindings, which it goes through, do not."""
    try:
        return int(version("cuda-bindings").partition(".")[0])
    except PackageNotFoundError:
        return None


CUPY: Final = Package("cupy", "CuPy", "cupy", "cupy", "cupy-cuda{}x", _of_cupy)
NUMBA_CUDA: Final = Package("numba-cuda", "numba-cuda", "numba_cuda", "numba.cuda", "numba-cuda[cu{}]", _of_numba_cuda)


def check_numba_with_numpy() -> None:
    """See that numba-cuda can compile with this version of NumPy; it would notice only at the first kernel.

    Raises
    ------
    BackendUnavailableError
        If not: numba-cuda 0.30 uses what NumPy 2.5 has no more.
    """
    try:
        import_module("numba.cuda.np.arrayobj")
    except ModuleNotFoundError:  # older versions have no such part
        return
    except AttributeError as error:
        raise BackendUnavailableError(
            f"numba-cuda does not work with this version of NumPy ({error}): pip install 'numpy<2.5'"
        ) from error


def _newest_that_runs() -> int:
    """The newest generation of CUDA the driver supports; the newest of all where there is none yet."""
    try:
        supported = driver()
    except BackendUnavailableError:
        return max(DRIVERS)
    return max((generation for generation in DRIVERS if 1000 * generation <= supported), default=min(DRIVERS))


def _lagging(supported: int, generation: int) -> str:
    """What to do about a driver too old for a generation of CUDA."""
    known = f"and the NVIDIA driver supports CUDA {supported // 1000}.{supported % 1000 // 10} at most"
    update = f"update it to {DRIVERS[generation]} or newer" if generation in DRIVERS else "update it"
    other = _newest_that_runs()
    if other >= generation or supported < 1000 * other:
        return f"{known}: {update}"
    return f"{known}: {update}, or pip uninstall -y cupy-cuda{generation}x && pip install 'gpuheat[cuda{other}]'"
