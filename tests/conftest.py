"""What all tests share: the backends they run on, the folder of real files, Hypothesis without deadlines.

Where no GPU is to be had, ``cupy-on-cpu`` stands for it: the code of the backend ``cupy`` and its CUDA C, unchanged,
on the memory and the processor of this machine (tests/cuda_on_cpu).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cuda_on_cpu.host_cupy import HostCupy
from hypothesis import settings

from gpuheat.backends import AUTOMATIC, Backend, available_backends, get_backend
from gpuheat.backends.cupy import CupyBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("gpuheat", deadline=None, print_blob=True)  # a first call may load or compile a kernel
settings.load_profile("gpuheat")

if "NUMBA_ENABLE_CUDASIM" in os.environ:
    sys.setswitchinterval(1e-4)  # s; the threads of Numba's simulator wait for each other in turns this long
    import warps_in_simulator

    warps_in_simulator.install()

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started in the background by a shell; children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

CORE = ("numba", "numpy")  # their packages are always installed, so that one which cannot load is a failure
ON_CPU = "cupy-on-cpu"

REAL_DATA = Path(__file__).resolve().parents[1] / "../shared/data"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--backend``."""
    parser.addoption(
        "--backend",
        action="append",
        default=[],
        metavar="NAME",
        help="run the backend tests on this backend, which has to load (repeatable; default: all that run here)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that takes a ``backend`` once on each."""
    if "backend" in metafunc.fixturenames:
        names = metafunc.config.getoption("--backend") or _built_in()
        metafunc.parametrize("backend", names, indirect=True, scope="session")


def _built_in() -> list[str]:
    runs = {status.name for status in available_backends() if status.backend is not None}
    return [*(name for name in AUTOMATIC if name in CORE or name in runs), ON_CPU]


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Backend:
    """The backend under test. One that cannot load fails the test."""
    return CupyBackend(module=HostCupy()) if request.param == ON_CPU else get_backend(request.param)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real videos and recordings."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no folder {REAL_DATA}")
    return REAL_DATA.resolve()


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """The command line has the log written to standard error, which later tests read otherwise."""
    log = logging.getLogger("gpuheat")
    handlers, level, propagate = log.handlers, log.level, log.propagate
    yield
    log.handlers, log.level, log.propagate = handlers, level, propagate
