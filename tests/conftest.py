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
from typing import TYPE_CHECKING, Any

import pytest
from cuda_on_cpu.host_cupy import HostCupy
from hypothesis import settings
from report_reader import Report, started

from gpuheat.backends import AUTOMATIC, Backend, available_backends, get_backend
from gpuheat.backends.cupy import CupyBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

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


def _built_in() -> list[Any]:
    runs = {status.name for status in available_backends() if status.backend is not None}
    here = [name for name in AUTOMATIC if name in CORE or name in runs]
    return [*here, pytest.param(ON_CPU, marks=pytest.mark.once)]


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser, for all tests that look at a page."""
    with started() as browser:
        yield browser


@pytest.fixture(scope="session")
def usual_page(browser: Browser) -> Page:
    """A page for one report after the other: to make one takes as long as a test."""
    return browser.new_page(viewport={"width": 1200, "height": 900})


@pytest.fixture
def open_report(browser: Browser, usual_page: Page, tmp_path: Path) -> Iterator[Callable[..., Report]]:
    """Opens the HTML of a report, which has to have stayed without faults when the test ends.

    Options are those of a window of its own; without any the report takes the place of the one before it.
    """
    opened: list[Report] = []

    def open_one(html: str, **options: Any) -> Report:
        path = tmp_path / f"report-{len(opened)}.html"
        path.write_text(html, "utf-8")
        for before in opened:
            before.leave()
        page = browser.new_page(**{"viewport": {"width": 1200, "height": 900}} | options) if options else usual_page
        opened.append(Report(page, path))
        return opened[-1]

    yield open_one
    for report in opened:
        report.leave()
        if report.page is not usual_page:
            report.page.close()
        assert report.faults == []


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """The command line has the log written to standard error, which later tests read otherwise."""
    log = logging.getLogger("gpuheat")
    handlers, level, propagate = log.handlers, log.level, log.propagate
    yield
    log.handlers, log.level, log.propagate = handlers, level, propagate
