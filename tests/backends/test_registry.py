"""Which backends there are, how they are asked for, and what is said when one cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpuheat.backends
from gpuheat.backends import Backend, available_backends, get_backend, register_backend
from gpuheat.backends.numpy import NumpyBackend
from gpuheat.errors import BackendUnavailableError, OptionError


class ThirdParty(NumpyBackend):
    """A backend somebody else wrote."""

    name = "third"

    def __init__(self, where: str | None = None) -> None:
        self.where = where


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing a test registers or sets stays, and no GPU is found."""
    without_gpu = {"cupy": failing, "numba-cuda": failing}
    monkeypatch.setattr(gpuheat.backends, "_loaders", gpuheat.backends._loaders | without_gpu)
    monkeypatch.setattr(gpuheat.backends, "_loaded", {})
    for variable in ("GPUHEAT_BACKEND", "NUMBA_ENABLE_CUDASIM"):
        monkeypatch.delenv(variable, raising=False)


def failing(device: str | None) -> Backend:
    raise BackendUnavailableError(f"no driver for {device}")


def ready(backend: Backend, _device: str | None) -> Backend:
    return backend


@pytest.mark.parametrize("name", ["numba", "numpy"])
def test_a_backend_comes_by_its_name_and_stays_the_same(name: str) -> None:
    backend = get_backend(name)
    assert backend.name == name
    assert backend.device.startswith("CPU, ")
    assert get_backend(name) is backend


def test_a_backend_itself_is_passed_through() -> None:
    backend = ThirdParty()
    assert get_backend(backend) is backend


def test_auto_is_the_default_and_takes_numba_where_there_is_no_gpu() -> None:
    assert get_backend().name == get_backend("auto").name == "numba"


def test_auto_takes_the_first_that_runs_and_says_why_when_none_does(monkeypatch: pytest.MonkeyPatch) -> None:
    order = ["cupy", "numba-cuda", "numba", "numpy"]
    backends = {name: ThirdParty() for name in order}
    for name, backend in backends.items():
        monkeypatch.setitem(gpuheat.backends._loaders, name, partial(ready, backend))
    for name in order:
        gpuheat.backends._loaded.clear()
        assert get_backend("auto") is backends[name]
        monkeypatch.setitem(gpuheat.backends._loaders, name, failing)
    gpuheat.backends._loaded.clear()
    reasons = "; ".join(f"{name}: no driver for None" for name in order)
    with pytest.raises(BackendUnavailableError, match=f"^no backend can run here; {reasons}$"):
        get_backend("auto")


def test_auto_never_takes_the_simulator_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    simulator = ThirdParty()
    monkeypatch.setitem(gpuheat.backends._loaders, "numba-cuda", partial(ready, simulator))
    assert get_backend("auto").name == "numba"
    assert get_backend("numba-cuda") is simulator
    for name in ("numba", "numpy"):
        monkeypatch.setitem(gpuheat.backends._loaders, name, failing)
    gpuheat.backends._loaded.clear()
    with pytest.raises(BackendUnavailableError, match=r"numba-cuda: NUMBA_ENABLE_CUDASIM is set, .*by its name"):
        get_backend("auto")


def test_a_backend_asked_for_by_name_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gpuheat.backends._loaders, "numba", failing)
    with pytest.raises(BackendUnavailableError, match=r"^no driver for None$"):
        get_backend("numba")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nunpy", "unknown backend 'nunpy': there are cupy, numba-cuda, numba, numpy; did you mean 'numpy'[?]"),
        ("opengl", "unknown backend 'opengl': there are cupy, numba-cuda, numba, numpy$"),
        ("numba_cuda", "did you mean 'numba-cuda'[?]"),
        ("", "unknown backend ''"),
        ("NumPy:0", "unknown backend 'NumPy'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(name: str, message: str) -> None:
    with pytest.raises(BackendUnavailableError, match=message):
        get_backend(name)


@pytest.mark.parametrize("name", ["numpy:0", "numba:1", "numpy:"])
def test_the_cpu_has_no_devices_to_choose_from(name: str) -> None:
    with pytest.raises(OptionError, match="no devices"):
        get_backend(name)


@pytest.mark.parametrize(("value", "want"), [("numpy", "numpy"), ("numba", "numba"), ("auto", "numba"), ("", "numba")])
def test_the_environment_decides_what_auto_is(monkeypatch: pytest.MonkeyPatch, value: str, want: str) -> None:
    monkeypatch.setenv("GPUHEAT_BACKEND", value)
    assert get_backend().name == want


def test_a_name_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUHEAT_BACKEND", "numpy")
    assert get_backend("numba").name == "numba"


@pytest.mark.parametrize(("value", "error"), [("nunpy", BackendUnavailableError), ("numpy:3", OptionError)])
def test_a_wrong_environment_names_itself(monkeypatch: pytest.MonkeyPatch, value: str, error: type[Exception]) -> None:
    monkeypatch.setenv("GPUHEAT_BACKEND", value)
    with pytest.raises(error, match=f"^GPUHEAT_BACKEND={value}: .*numpy"):
        get_backend()


def test_a_registered_backend_computes_and_is_given_its_device() -> None:
    register_backend("third", ThirdParty)
    backend = get_backend("third:left")
    assert isinstance(backend, ThirdParty)
    assert backend.where == "left"
    counts, moved = backend.zeros((1, 2), np.uint32), backend.zeros((1,), np.uint32)
    frames = np.array([[[0, 0]], [[0, 99]]], np.uint8)
    layout = gpuheat.FrameLayout.GRAY8
    backend.add_motion(frames[0], frames[1:], layout, threshold=25, moved=moved, counts=counts)
    assert counts.tolist() == [[0, 1]]
    assert [(status.name, status.reason) for status in available_backends()][-1] == ("third", None)
    assert get_backend("auto").name == "numba"


def test_a_registered_backend_that_cannot_run_is_listed_with_the_reason() -> None:
    register_backend("third", failing)
    status = available_backends()[-1]
    assert (status.name, status.backend, status.reason) == ("third", None, "no driver for None")


@pytest.mark.parametrize("name", ["numpy", "numba", "cupy", "numba-cuda", "auto", "", "a:b"])
def test_a_name_that_cannot_be_asked_for_is_not_registered(name: str) -> None:
    with pytest.raises(OptionError, match="name"):
        register_backend(name, ThirdParty)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with one backend that works, one that cannot be imported, and one that takes our name."""
    (tmp_path / "heatplugin.py").write_text(
        "from gpuheat.backends.numpy import NumpyBackend\n"
        "class Works(NumpyBackend):\n"
        "    name = 'works'\n"
        "def load(device):\n"
        "    return Works()\n"
    )
    (tmp_path / "heatplugin_broken.py").write_text("import a_library_nobody_has\n")
    info = tmp_path / "heatplugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: heatplugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[gpuheat.backends]\nworks = heatplugin:load\nbroken = heatplugin_broken:load\n"
        "crashes = heatplugin:no_such\nnumpy = heatplugin:load\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "heatplugin", raising=False)


@pytest.mark.usefixtures("plugins")
def test_an_installed_plugin_is_found_without_being_imported_first() -> None:
    assert get_backend("works").name == "works"


@pytest.mark.usefixtures("plugins")
def test_a_plugin_that_cannot_be_imported_is_listed_with_the_reason() -> None:
    reasons = {status.name: status.reason for status in available_backends()}
    assert reasons.keys() == {"cupy", "numba-cuda", "numba", "numpy", "works", "broken", "crashes"}
    assert reasons["works"] is None
    assert "a_library_nobody_has" in str(reasons["broken"])


@pytest.mark.usefixtures("plugins")
def test_whatever_is_wrong_with_a_plugin_the_others_are_listed() -> None:
    crashes = next(status for status in available_backends() if status.name == "crashes")
    assert crashes.backend is None
    assert "AttributeError" in str(crashes.reason)


@pytest.mark.usefixtures("plugins")
def test_a_plugin_takes_no_name_that_is_taken_and_none_takes_its_own() -> None:
    assert type(get_backend("numpy")) is NumpyBackend
    with pytest.raises(OptionError, match="'works' already"):
        register_backend("works", ThirdParty)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this Python elsewhere, and wait for it."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.mark.once
def test_compiling_is_announced_once_and_never_again(tmp_path: Path) -> None:
    code = "import gpuheat; gpuheat.get_backend('numba')"
    runs = [python("-c", code, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    assert [(run.returncode, run.stdout, run.stderr.count("compiling")) for run in runs] == [(0, "", 1), (0, "", 0)]
    assert len(runs[0].stderr.splitlines()) == 1


def test_a_backend_the_suite_is_asked_for_and_cannot_have_fails_it() -> None:
    here = Path(__file__)
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--backend", "missing", "--backend", "numpy"]
    run = python(*arguments, "-k", "zero", str(here.with_name("test_adoption.py")))
    assert "unknown backend 'missing'" in run.stdout
    assert "3 passed" in run.stdout
    assert "3 errors" in run.stdout
    assert "skipped" not in run.stdout
    assert run.returncode == 1


class Lacking:
    """What a backend looked like before it had to copy."""

    name, device = "lacking", "CPU"
    asarray = to_host = zeros = synchronize = add_points = add_motion = gaussian_blur = print


class Silent(NumpyBackend):
    """A backend that cannot say where it computes."""

    @property
    def device(self) -> str:
        raise OSError("the device\nis gone")


@pytest.mark.parametrize(
    ("loader", "reason"),
    [
        (lambda _: None, "backend 'third' lacks asarray, copy, .* gpuheat.backends.base.Backend says what it needs$"),
        (lambda _: Lacking(), "backend 'third' lacks copy: "),
        (lambda _: Silent(), "backend 'third' fails with OSError: the device is gone$"),
        (lambda _: [][1], "backend 'third' fails with IndexError: list index out of range$"),
    ],
    ids=["nothing", "lacks an operation", "its device fails", "fails"],
)
def test_whatever_a_registered_loader_does_is_a_reason(loader: Any, reason: str) -> None:
    register_backend("third", loader)
    with pytest.raises(BackendUnavailableError, match=reason):
        get_backend("third")
    assert available_backends()[-1].backend is None


def test_a_loader_has_to_be_callable_and_a_backend_an_instance() -> None:
    with pytest.raises(OptionError, match="callable, got 3"):
        register_backend("third", 3)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="name"):
        register_backend(3, ThirdParty)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="name or a backend"):
        get_backend(ThirdParty)  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "simulated"), [("1", True), ("0", False), ("", False), ("false", False)])
def test_the_simulator_is_on_where_numba_thinks_so(
    monkeypatch: pytest.MonkeyPatch, value: str, simulated: bool
) -> None:
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", value)
    assert gpuheat.backends._simulated() is simulated
