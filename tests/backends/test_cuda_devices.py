"""What is said where a GPU, its driver or a package for it is missing, too old or broken, and that each has a remedy.

The driver is a library of the same name that answers as the environment tells it, the packages are empty ones of the
same names: they are there or not, and never compute.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gpuheat.backends.cuda_devices import Device, driver
from gpuheat.errors import BackendUnavailableError

pytestmark = pytest.mark.once

LIBCUDA = r"""
#include <cstdio>
#include <cstdlib>
#include <cstring>
static int number(const char* variable) {
    const char* value = getenv(variable);
    return value ? atoi(value) : 0;
}
// FAKE_GPUS: name,major,minor,GiB; ...
static bool gpu(int which, char* name, int* fields) {
    const char* at = getenv("FAKE_GPUS");
    for (int skipped = 0; at && skipped < which; skipped++) {
        at = strchr(at, ';');
        at = at ? at + 1 : nullptr;
    }
    return at && sscanf(at, "%255[^,],%d,%d,%d", name, fields, fields + 1, fields + 2) == 4;
}
extern "C" {
int cuDriverGetVersion(int* version) { *version = number("FAKE_CUDA"); return 0; }
int cuInit(unsigned) {
    if (FILE* log = fopen(getenv("FAKE_LOG"), "a")) { fputs("cuInit\n", log); fclose(log); }
    const char* visible = getenv("CUDA_VISIBLE_DEVICES");
    return visible && !*visible ? 100 : number("FAKE_CUINIT");
}
int cuGetErrorName(int code, const char** name) {
    *name = code == 999 ? "CUDA_ERROR_UNKNOWN" : code == 803 ? "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" : nullptr;
    return *name ? 0 : 1;
}
int cuDeviceGetCount(int* count) {
    char name[256];
    int fields[3];
    for (*count = 0; gpu(*count, name, fields); ++*count) {}
    return 0;
}
int cuDeviceGet(int* device, int which) { *device = which; return 0; }
int cuDeviceGetName(char* name, int size, int device) {
    char found[256] = "";
    int fields[3];
    gpu(device, found, fields);
    snprintf(name, size, "%s", found);
    return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int device) {
    char name[256];
    int fields[3] = {0, 0, 0};
    gpu(device, name, fields);
    *value = attribute == 75 ? fields[0] : attribute == 76 ? fields[1] : -1;
    return 0;
}
int cuDeviceTotalMem_v2(size_t* bytes, int device) {
    char name[256];
    int fields[3] = {0, 0, 0};
    gpu(device, name, fields);
    *bytes = static_cast<size_t>(fields[2]) << 30;
    return 0;
}
}
"""

# Asks every case in one process, one after the other: the fake driver reads the environment at each call.
# What builds on the packages is not asked about here, so stubs stand for it.
ASK = """
import importlib, json, os, sys, types
from pathlib import Path

import gpuheat.backends
from gpuheat.backends.numpy import NumpyBackend
from gpuheat.errors import GpuheatError

class Stub(NumpyBackend):
    def __init__(self, number):
        self.number = number

def module(name, **content):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(content)

def ask(backend, environment, path, hidden):
    os.environ.update(environment)
    sys.path[:0] = path
    importlib.invalidate_caches()
    gpuheat.backends._loaded.clear()
    module("gpuheat.backends.cupy", CupyBackend=Stub)
    module("gpuheat.backends.numba_cuda", NumbaCudaBackend=Stub)
    module("numba.cuda")
    sys.modules.update(dict.fromkeys(hidden))
    try:
        found = gpuheat.backends.get_backend(backend)
        answer = type(found).__name__, str(getattr(found, "number", ""))
    except GpuheatError as error:
        answer = type(error).__name__, str(error)
    imported = sys.modules.get("cupy") is not None
    for name in ("cupy", "numba_cuda", "numba.cuda"):
        sys.modules.pop(name, None)
    del sys.path[: len(path)]
    for variable in environment:
        del os.environ[variable]
    started = Path(os.environ["FAKE_LOG"])
    answer = *answer, imported, started.exists()
    started.unlink(missing_ok=True)
    return answer

print(json.dumps([ask(*case) for case in json.loads(sys.argv[1])]))
"""

H200 = "NVIDIA H200,9,0,140"
P100 = "Tesla P100,6,0,16"
RTX = "NVIDIA GeForce RTX 3090,8,6,24"
GTX = "NVIDIA GeForce GTX 1660,7,5,6"
V100 = "Tesla V100,7,0,32"

R580 = "update it to R580 or newer"
SWITCH = "pip uninstall -y cupy-cuda13x && pip install 'gpuheat\\[cuda12]'"


@dataclass
class Case:
    """A machine, what is asked for there, and what is answered: an exception or a stub, and what its text matches."""

    backend: str
    packages: list[str]
    answer: str
    text: str
    cuda: int = 13000
    gpus: list[str] = field(default_factory=lambda: [H200])
    cuinit: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def machine(self) -> dict[str, str]:
        """The environment of the fake driver."""
        fake = {"FAKE_CUDA": str(self.cuda), "FAKE_CUINIT": str(self.cuinit), "FAKE_GPUS": ";".join(self.gpus)}
        return fake | self.environment

    @property
    def hidden(self) -> list[str]:
        """The modules that may be installed here, but are not on that machine."""
        there = {module for package in self.packages for module in PACKAGES[package][0]}
        broken = ["numba.cuda"] if "numba-cuda-broken" in self.packages else []
        return [module for module in ("cupy", "numba_cuda") if module not in there] + broken


UNAVAILABLE, OPTION, RUNS = "BackendUnavailableError", "OptionError", "Stub"

CASES = {
    "cupy missing, new driver": Case("cupy", [], UNAVAILABLE, "CuPy is not installed: pip install 'gpuheat\\[cuda13]'"),
    "cupy missing, older driver": Case(
        "cupy", [], UNAVAILABLE, "CuPy is not installed: pip install 'gpuheat\\[cuda12]'", cuda=12040
    ),
    "cupy missing, driver too old for all": Case(
        "cupy",
        [],
        UNAVAILABLE,
        "CuPy is not installed: pip install 'gpuheat\\[cuda12]'; besides, it needs CUDA 12, and the NVIDIA driver "
        "supports CUDA 11.8 at most: update it to R525 or newer",
        cuda=11080,
    ),
    "numba-cuda missing": Case(
        "numba-cuda", [], UNAVAILABLE, "numba-cuda is not installed: pip install 'gpuheat\\[cuda12]'", cuda=12090
    ),
    "cupy twice": Case(
        "cupy",
        ["cupy-twice"],
        UNAVAILABLE,
        "several packages of CuPy lie on top of each other: "
        "pip uninstall -y cupy-cuda12x cupy-cuda13x && pip install 'gpuheat\\[cuda13]'",
    ),
    "cupy broken": Case(
        "cupy",
        ["cupy-broken"],
        UNAVAILABLE,
        "CuPy is installed, but cannot be imported \\(ImportError: libnvrtc.so.13: cannot open\\): "
        "pip install --upgrade --force-reinstall 'cupy-cuda13x'",
    ),
    "cupy broken in another way": Case(
        "cupy",
        ["cupy-clash"],
        UNAVAILABLE,
        ".* cannot be imported \\(ValueError: numpy.dtype size changed\\): .*'cupy-cuda12x'",
    ),
    "numba-cuda broken": Case(
        "numba-cuda",
        ["numba-cuda-broken"],
        UNAVAILABLE,
        "numba-cuda is installed, but cannot be imported \\(ModuleNotFoundError: .*"
        "pip install --upgrade --force-reinstall 'numba-cuda\\[cu12]'",
    ),
    "driver too old for cupy": Case(
        "cupy",
        ["cupy13"],
        UNAVAILABLE,
        f"CuPy is installed for CUDA 13, and the NVIDIA driver supports CUDA 12.8 at most: {R580}, or {SWITCH}",
        cuda=12080,
    ),
    "driver too old for numba-cuda": Case(
        "numba-cuda",
        ["numba-cuda13"],
        UNAVAILABLE,
        f"numba-cuda is installed for CUDA 13, and the NVIDIA driver supports CUDA 12.2 at most: {R580}, or {SWITCH}",
        cuda=12020,
    ),
    "driver too old for any": Case(
        "cupy",
        ["cupy13"],
        UNAVAILABLE,
        f"CuPy is installed for CUDA 13, and the NVIDIA driver supports CUDA 11.0 at most: {R580}",
        cuda=11000,
    ),
    "driver too old for both": Case(
        "cupy",
        ["cupy12"],
        UNAVAILABLE,
        "CuPy is installed for CUDA 12, and the NVIDIA driver supports CUDA 11.4 at most: update it to R525 or newer",
        cuda=11040,
    ),
    "no GPU": Case(
        "cupy",
        ["cupy13"],
        UNAVAILABLE,
        "the NVIDIA driver finds no GPU: 'nvidia-smi -L' lists those there are; start a container with --gpus all",
        cuinit=100,
    ),
    "no GPU counted": Case("numba-cuda", ["numba-cuda13"], UNAVAILABLE, "the NVIDIA driver finds no GPU: .*", gpus=[]),
    "all GPUs hidden": Case(
        "cupy",
        ["cupy13"],
        UNAVAILABLE,
        "the NVIDIA driver finds no GPU: CUDA_VISIBLE_DEVICES is '': unset it, or name one that 'nvidia-smi -L' lists",
        environment={"CUDA_VISIBLE_DEVICES": ""},
    ),
    "driver broken": Case(
        "cupy",
        ["cupy13"],
        UNAVAILABLE,
        "the NVIDIA driver fails \\(cuInit: error 999 CUDA_ERROR_UNKNOWN\\): reload .* or restart the machine",
        cuinit=999,
    ),
    "driver updated without a restart": Case(
        "numba-cuda",
        ["numba-cuda13"],
        UNAVAILABLE,
        "the NVIDIA driver fails \\(cuInit: error 803 CUDA_ERROR_SYSTEM_DRIVER_MISMATCH\\): restart the machine .*",
        cuinit=803,
    ),
    "an error the driver has no name for": Case(
        "cupy",
        ["cupy13"],
        UNAVAILABLE,
        "the NVIDIA driver fails \\(cuInit: error 4711\\): 'nvidia-smi' shows .*",
        cuinit=4711,
    ),
    "GPU too old": Case(
        "cupy",
        ["cupy12"],
        UNAVAILABLE,
        "GPU 0 \\(Tesla P100\\) has compute capability 6.0, and 7.5 or newer is needed \\(GTX 16, RTX 20 and later\\): "
        "choose a CPU backend",
        gpus=[P100],
    ),
    "another GPU would do": Case(
        "cupy",
        ["cupy12"],
        UNAVAILABLE,
        "GPU 0 \\(Tesla V100\\) has compute capability 7.0, .*: "
        "ask for cupy:1 \\(NVIDIA GeForce RTX 3090\\) or cupy:3 \\(NVIDIA H200\\)",
        gpus=[V100, RTX, P100, H200],
    ),
    "no such GPU": Case(
        "cupy:7",
        ["cupy13"],
        UNAVAILABLE,
        "there is no GPU 7: CUDA finds 2, ask for one of cupy:0 to cupy:1",
        gpus=[H200, RTX],
    ),
    "only one GPU shown": Case(
        "numba-cuda:1",
        ["numba-cuda13"],
        UNAVAILABLE,
        "there is no GPU 1: CUDA finds 1 with CUDA_VISIBLE_DEVICES=2, ask for numba-cuda:0",
        environment={"CUDA_VISIBLE_DEVICES": "2"},
    ),
    "no number": Case("cupy:x", [], OPTION, "the number of a GPU follows the colon of 'cupy', as in 'cupy:1', got 'x'"),
    "nothing after the colon": Case("numba-cuda:", [], OPTION, ".*'numba-cuda:1', got ''"),
    "a negative number": Case("cupy:-1", [], OPTION, ".*got '-1'"),
    "cupy runs": Case("cupy", ["cupy13"], RUNS, "0"),
    "cupy runs on the second": Case("cupy:1", ["cupy12"], RUNS, "1", gpus=[P100, GTX]),
    "cupy that does not say its generation": Case("cupy:0", ["cupy-of-unknown-make"], RUNS, "0", cuda=12000),
    "older package, newer driver": Case("numba-cuda:00", ["numba-cuda12"], RUNS, "0"),
    "the simulator needs no driver": Case(
        "numba-cuda", ["numba-cuda13"], RUNS, "0", cuda=0, cuinit=999, environment={"NUMBA_ENABLE_CUDASIM": "1"}
    ),
    "the simulator has one GPU": Case(
        "numba-cuda:1",
        ["numba-cuda13"],
        UNAVAILABLE,
        "NUMBA_ENABLE_CUDASIM is set, and Numba's simulator has one GPU: numba-cuda:0",
        environment={"NUMBA_ENABLE_CUDASIM": "1"},
    ),
    "the simulator needs the package": Case(
        "numba-cuda", [], UNAVAILABLE, "numba-cuda is not installed: .*", environment={"NUMBA_ENABLE_CUDASIM": "1"}
    ),
    "auto takes cupy": Case("auto", ["cupy13", "numba-cuda13"], RUNS, "0"),
    "auto never takes the simulator": Case(
        "auto", ["numba-cuda13"], "NumbaBackend", "", environment={"NUMBA_ENABLE_CUDASIM": "1"}
    ),
    "auto takes the CPU where the GPU is too old": Case("auto", ["cupy13"], "NumbaBackend", "", gpus=[V100]),
    "auto takes the CPU where cupy is broken": Case("auto", ["cupy-clash"], "NumbaBackend", ""),
}

PACKAGES = {  # what lies in site-packages: modules with their text, and distributions
    "cupy12": ({"cupy": ""}, ["cupy_cuda12x-13.6.0"]),
    "cupy13": ({"cupy": ""}, ["cupy_cuda13x-13.6.0", "cupy_xarray-0.1.4"]),
    "cupy-twice": ({"cupy": ""}, ["cupy_cuda12x-13.6.0", "cupy_cuda13x-14.2.0"]),
    "cupy-of-unknown-make": ({"cupy": ""}, ["cupy-14.2.0"]),
    "cupy-broken": (
        {"cupy": "try:\n    raise ImportError('libnvrtc.so.13: cannot open')\nexcept ImportError as error:\n"
                 "    raise ImportError('=====\\na page of advice\\n=====') from error\n"},
        ["cupy_cuda13x-13.6.0"],
    ),
    "cupy-clash": ({"cupy": "raise ValueError('numpy.dtype size changed')\n"}, ["cupy_cuda12x-13.6.0"]),
    "numba-cuda-broken": ({"numba_cuda": ""}, ["numba_cuda-0.20.0", "cuda_bindings-12.9.1"]),
    "numba-cuda12": ({"numba_cuda": ""}, ["numba_cuda-0.20.0", "cuda_bindings-12.9.1"]),
    "numba-cuda13": ({"numba_cuda": ""}, ["numba_cuda-0.20.0", "cuda_bindings-13.0.0"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fake driver in ``driver``, a file that is none in ``broken``, and the packages."""
    folder = tmp_path_factory.mktemp("cuda")
    for name in ("driver", "broken"):
        (folder / name).mkdir()
    (folder / "broken" / "libcuda.so.1").write_text("not a library")
    (folder / "libcuda.cpp").write_text(LIBCUDA)
    library = folder / "driver" / "libcuda.so.1"
    subprocess.run(["g++", "-shared", "-fPIC", "-o", library, folder / "libcuda.cpp"], check=True)
    for name, (modules, distributions) in PACKAGES.items():
        for module, text in modules.items():
            (folder / name / module).mkdir(parents=True)
            (folder / name / module / "__init__.py").write_text(text)
        for distribution in distributions:
            info = folder / name / f"{distribution}.dist-info"
            info.mkdir()
            project, _, release = distribution.partition("-")
            metadata = f"Metadata-Version: 2.1\nName: {project.replace('_', '-')}\nVersion: {release}\n"
            (info / "METADATA").write_text(metadata)
    return folder


def python(code: str, *arguments: str, driver: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process whose driver lies in a folder, and wait for it."""
    from_outside = ("CUDA_VISIBLE_DEVICES", "GPUHEAT_BACKEND", "NUMBA_ENABLE_CUDASIM")
    clean = {name: value for name, value in os.environ.items() if name not in from_outside}
    own = {"LD_LIBRARY_PATH": str(driver), "FAKE_LOG": str(driver / "started"), **environment}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=clean | own, capture_output=True, text=True, check=False)


def ask(cases: Iterable[Case], packages: Path, driver: Path) -> list[tuple[str, str, bool, bool]]:
    """What each case is answered with, as name and text, and whether CuPy was imported and CUDA started for it."""
    questions = [
        (case.backend, case.machine, [str(packages / package) for package in case.packages], case.hidden)
        for case in cases
    ]
    done = python(ASK, json.dumps(questions), driver=driver)
    assert done.returncode == 0, done.stderr
    answers: list[tuple[str, str, bool, bool]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def answers(fakes: Path) -> dict[str, tuple[str, str, bool, bool]]:
    """What every case is answered with."""
    return dict(zip(CASES, ask(CASES.values(), fakes, fakes / "driver"), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_each_trouble_has_its_own_remedy(name: str, answers: dict[str, tuple[str, str, bool, bool]]) -> None:
    case = CASES[name]
    answer, text, imported, started = answers[name]
    assert answer == case.answer, text
    assert re.fullmatch(case.text, text), text
    assert imported == (case.answer == RUNS and bool(case.packages) and case.packages[0].startswith("cupy"))
    if not case.packages:
        assert not started


ABSENT = re.escape(
    "there is no NVIDIA driver (no libcuda.so.1): install R525 or newer for CUDA 12, R580 or newer for CUDA 13; "
    "start a container with --gpus all"
)
MISSING = re.escape("CuPy is not installed: pip install 'gpuheat[cuda13]'; besides, ")


def there_is_a_driver() -> bool:
    try:
        driver()
    except BackendUnavailableError:
        return False
    return True


@pytest.mark.skipif(there_is_a_driver(), reason="there is a driver here, which nothing hides")
def test_no_driver(fakes: Path, tmp_path: Path) -> None:
    for_12 = ABSENT.replace(re.escape(", R580 or newer for CUDA 13"), "")
    cases = [Case("cupy", ["cupy12"], UNAVAILABLE, for_12), Case("cupy", [], UNAVAILABLE, MISSING + ABSENT)]
    for case, (answer, text, imported, _) in zip(cases, ask(cases, fakes, tmp_path), strict=True):
        assert answer == case.answer
        assert re.fullmatch(case.text, text), text
        assert not imported


def test_a_driver_that_cannot_be_loaded_is_not_taken_for_none(fakes: Path) -> None:
    case = Case("numba-cuda", ["numba-cuda13"], UNAVAILABLE, "")
    [(answer, text, *_)] = ask([case], fakes, fakes / "broken")
    assert answer == UNAVAILABLE
    assert re.match("the NVIDIA driver is broken \\(.*libcuda.so.1.*\\): install R580 or newer", text), text


def test_a_backend_without_a_number_is_the_one_on_the_first_gpu(fakes: Path) -> None:
    code = ASK.rpartition("print(")[0] + (
        "module('gpuheat.backends.cupy', CupyBackend=Stub)\n"
        "same = gpuheat.backends.get_backend('cupy')\n"
        "assert all(gpuheat.backends.get_backend(name) is same for name in ('cupy', 'cupy:0', 'cupy:00', 'auto'))\n"
        "assert gpuheat.backends.get_backend('cupy:1') is not same\n"
    )
    machine = Case("cupy", ["cupy13"], RUNS, "", gpus=[H200, RTX]).machine
    done = python(code, driver=fakes / "driver", PYTHONPATH=str(fakes / "cupy13"), **machine)
    assert done.returncode == 0, done.stderr


def test_devices_are_as_the_driver_says(fakes: Path) -> None:
    code = "from gpuheat.backends.cuda_devices import *; print([devices(), driver()])"
    machine = Case("", [], RUNS, "", gpus=[H200, GTX], cuda=13010).machine
    done = python(code, driver=fakes / "driver", **machine)
    expected = [Device(0, "NVIDIA H200", (9, 0), 140 << 30), Device(1, "NVIDIA GeForce GTX 1660", (7, 5), 6 << 30)]
    assert done.stdout.strip() == str([expected, 13010]), done.stderr


LIST = "import sys; sys.modules.update({hidden}); from gpuheat.cli import main; main(['backends'])"


@pytest.mark.parametrize("columns", [80, 120])
def test_the_list_says_why_not_and_what_gpus_there_are(fakes: Path, columns: int) -> None:
    code = LIST.format(hidden="cupy=None, numba_cuda=None")
    machine = Case("", [], RUNS, "", gpus=[P100, H200], cuda=12040).machine
    done = python(code, driver=fakes / "driver", COLUMNS=str(columns), **machine)
    assert done.returncode == 0, done.stderr
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert max(map(len, lines)) <= columns
    assert "cupy        no" in lines
    assert any(re.match(r"numba +yes, the default +CPU, ", line) for line in lines)
    assert "cupy: CuPy is not installed: pip install 'gpuheat[cuda12]'" in lines
    assert "numba-cuda: numba-cuda is not installed: pip install 'gpuheat[cuda12]'" in lines
    assert lines[-3:] == [
        "GPU  name         compute capability  memory",
        "0    Tesla P100   6.0, too old        16.0 GiB",
        "1    NVIDIA H200  9.0                 140.0 GiB",
    ]


def test_the_list_is_shown_though_the_default_cannot_run(fakes: Path) -> None:
    machine = Case("", [], RUNS, "").machine
    code = LIST.format(hidden="cupy=None, numba_cuda=None")
    done = python(code, driver=fakes / "driver", GPUHEAT_BACKEND="cupy:0", **machine)
    assert done.returncode == 2
    assert "numba       yes  " in done.stdout
    assert "the default" not in done.stdout
    assert (
        done.stderr == "gpuheat: error: GPUHEAT_BACKEND=cupy:0: CuPy is not installed: pip install 'gpuheat[cuda13]'\n"
    )
