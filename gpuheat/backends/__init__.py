"""Which backends there are, and which of them can run here."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from gpuheat.backends.base import Backend
from gpuheat.errors import BackendUnavailableError, GpuheatError, OptionError

__all__ = ["Backend", "BackendStatus", "available_backends", "get_backend", "register_backend"]

Loader = Callable[[str | None], Backend]
"""Makes a backend. The argument is what followed the colon of its name, as in ``"cupy:1"``, or None."""

ENTRY_POINTS: Final = "gpuheat.backends"
ENVIRONMENT: Final = "GPUHEAT_BACKEND"
SIMULATOR: Final = "NUMBA_ENABLE_CUDASIM"
OPERATIONS: Final = ("asarray", "copy", "to_host", "zeros", "synchronize", "add_points", "add_motion", "gaussian_blur")


def _numpy(device: str | None) -> Backend:
    from gpuheat.backends.numpy import NumpyBackend

    _refuse_device("numpy", device)
    return NumpyBackend()


def _numba(device: str | None) -> Backend:
    _refuse_device("numba", device)
    try:
        from gpuheat.backends.numba import NumbaBackend
    except ImportError as error:
        raise BackendUnavailableError(f"numba cannot be imported ({error}): pip install --upgrade numba") from error
    return NumbaBackend()


def _cupy(device: str | None) -> Backend:
    from gpuheat.backends.cuda_devices import device_number
    from gpuheat.backends.cuda_packages import CUPY

    number = device_number("cupy", device)
    if device != str(number):
        return _by_name(f"cupy:{number}")
    CUPY.check(number)
    with CUPY.imported():
        from gpuheat.backends.cupy import CupyBackend
    with CUPY.started(number):
        return CupyBackend(number)


def _numba_cuda(device: str | None) -> Backend:
    from gpuheat.backends.cuda_devices import device_number
    from gpuheat.backends.cuda_packages import NUMBA_CUDA, check_numba_with_numpy

    number = device_number("numba-cuda", device)
    if device != str(number):
        return _by_name(f"numba-cuda:{number}")
    if not _simulated():
        NUMBA_CUDA.check(number)
    elif number > 0:
        raise BackendUnavailableError(f"{SIMULATOR} is set, and Numba's simulator has one GPU: numba-cuda:0")
    else:
        NUMBA_CUDA.generation()
    with NUMBA_CUDA.imported():
        check_numba_with_numpy()
        from gpuheat.backends.numba_cuda import NumbaCudaBackend
    with NUMBA_CUDA.started(number):
        return NumbaCudaBackend(number)


def _simulated() -> bool:
    """Whether Numba computes CUDA kernels on the CPU, one Python thread per CUDA thread: for tests alone."""
    try:
        return int(os.environ.get(SIMULATOR, "0")) != 0
    except ValueError:  # Numba takes it for 0 as well
        return False


def _refuse_device(name: str, device: str | None) -> None:
    if device is not None:
        raise OptionError(f"backend {name!r} has no devices to choose from: leave out ':{device}'")


AUTOMATIC: Final = ("cupy", "numba-cuda", "numba", "numpy")  # what "auto" tries, in this order
_loaders: dict[str, Loader] = {"cupy": _cupy, "numba-cuda": _numba_cuda, "numba": _numba, "numpy": _numpy}
_loaded: dict[str, Backend] = {}


@dataclass(frozen=True)
class BackendStatus:
    """Whether a backend can run here.

    ``backend`` is the backend itself, or None where it cannot run; ``reason`` then says why.
    """

    name: str
    backend: Backend | None
    reason: str | None


def register_backend(name: str, loader: Loader) -> None:
    """Add a backend under a name of its own.

    A package can do the same without being imported first, through an entry point in the group
    ``gpuheat.backends`` that names its loader.

    Parameters
    ----------
    name
        What :func:`get_backend` is asked for. A registered backend is never taken by ``"auto"``.
    loader
        Called with what follows the colon of the name (or None) when the backend is first asked for;
        returns an object with the methods of :class:`gpuheat.backends.base.Backend`, or raises
        BackendUnavailableError with the reason.

    Raises
    ------
    OptionError
        If the name is taken, or is not one a user could ask for.
    """
    if not callable(loader):
        raise OptionError(f"a backend's loader must be callable, got {loader!r}")
    if not _can_be_asked_for(name):
        raise OptionError(f"a backend's name must not be empty, 'auto' or hold a colon, got {name!r}")
    if name in _known():
        raise OptionError(f"there is a backend {name!r} already: choose another name")
    _loaders[name] = loader


def get_backend(backend: str | Backend = "auto") -> Backend:
    """The backend of a name.

    Parameters
    ----------
    backend
        A name, with a device after a colon where the backend has several: ``"cupy:1"`` is the second GPU
        in CUDA's order, ``"cupy"`` the first. ``"auto"`` is the one named by the environment variable
        ``GPUHEAT_BACKEND``, or else the first that can run here. A backend itself is returned as it is.

    Raises
    ------
    BackendUnavailableError
        If it is unknown or cannot run here. One asked for by name is never replaced by another.

    Examples
    --------
    >>> get_backend("numpy").name
    'numpy'
    """
    if not isinstance(backend, str):
        if isinstance(backend, type) or not hasattr(backend, "add_motion"):
            raise OptionError(f"backend must be a name or a backend, got {backend!r}")
        return backend
    if backend != "auto":
        return _by_name(backend)
    from_environment = os.environ.get(ENVIRONMENT, "auto")
    if from_environment in ("", "auto"):
        return _first_that_runs()
    try:
        return _by_name(from_environment)
    except (BackendUnavailableError, OptionError) as error:
        raise type(error)(f"{ENVIRONMENT}={from_environment}: {error}") from error


def available_backends() -> list[BackendStatus]:
    """Every known backend, in the order ``"auto"`` tries them, with the reason where one cannot run."""
    return [_status(name) for name in _known()]


def _by_name(backend: str) -> Backend:
    if backend not in _loaded:
        name, colon, device = backend.partition(":")
        loader = _loaders.get(name) or _known().get(name)
        if loader is None:
            raise BackendUnavailableError(_unknown(name))
        _loaded[backend] = _made(name, loader, device if colon else None)
    return _loaded[backend]


def _made(name: str, loader: Loader, device: str | None) -> Backend:
    """What a loader makes, once it is known to be a backend."""
    try:
        backend = loader(device)
        missing = [operation for operation in OPERATIONS if not callable(getattr(backend, operation, None))]
        if not missing:
            str(backend.device)
    except GpuheatError:
        raise
    except Exception as error:  # another package's code: whatever is wrong with it, it is this backend that cannot run
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise BackendUnavailableError(f"backend {name!r} fails with {why}") from error
    if missing:
        raise BackendUnavailableError(
            f"backend {name!r} lacks {', '.join(missing)}: gpuheat.backends.base.Backend says what it needs"
        )
    return backend


def _status(name: str) -> BackendStatus:
    try:
        return BackendStatus(name, _by_name(name), None)
    except BackendUnavailableError as error:
        return BackendStatus(name, None, str(error))


def _first_that_runs() -> Backend:
    refused = []
    for name in AUTOMATIC:
        if name == "numba-cuda" and _simulated():
            refused.append(f"{name}: {SIMULATOR} is set, and the simulator is for tests: ask for it by its name")
            continue
        status = _status(name)
        if status.backend is not None:
            return status.backend
        refused.append(f"{name}: {status.reason}")
    raise BackendUnavailableError("no backend can run here; " + "; ".join(refused))


def _known() -> dict[str, Loader]:
    points = entry_points(group=ENTRY_POINTS)
    return _loaders | {
        point.name: partial(_plugin, point)
        for point in points
        if point.name not in _loaders and _can_be_asked_for(point.name)
    }


def _can_be_asked_for(name: object) -> bool:
    return isinstance(name, str) and name not in ("", "auto") and ":" not in name


def _plugin(point: EntryPoint, device: str | None) -> Backend:
    loader: Loader = point.load()
    return loader(device)


def _unknown(name: str) -> str:
    known = ", ".join(_known())
    close = difflib.get_close_matches(name, _known(), 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"unknown backend {name!r}: there are {known}{hint}"
