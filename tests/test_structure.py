"""The house: what imports what, what is public, and what is installed."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

import gpuheat

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gpuheat"

# A room may import from its own and from lower floors, never from higher ones.
FLOORS = [
    {"kernels"},
    {"errors"},
    {"options"},
    {"grid", "pixels", "polygon"},
    {"zones"},
    {"backends"},
    {"inputs", "outputs"},
    {"motion", "fixation"},
    {"jobs"},
    {"terminal"},
    {"cli"},
]
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(module: str) -> str:
    """``gpuheat.inputs.video`` lies in ``inputs``."""
    return module.split(".")[1]


def floor(of: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if of in rooms)


def imports(path: Path) -> set[str]:
    """The gpuheat modules a file imports, anywhere in it, those for type checking left out."""
    tree = ast.parse(path.read_text())
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in typing_only and (node.module or "").startswith("gpuheat."):
            found.add(node.module or "")
        if isinstance(node, ast.ImportFrom) and node.module == "gpuheat" and node not in typing_only:
            found.update(f"gpuheat.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(path: Path) -> None:
    own = room("gpuheat." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    for module in imports(path):
        target = room(module)
        assert target == own or floor(target) < floor(own), f"{own} imports {module}"


def test_kernels_import_nothing_of_the_package() -> None:
    for path in (ROOT / "kernels").glob("*.py"):
        assert {room(module) for module in imports(path)} <= {"kernels"}


def test_public_names_are_what_all_says() -> None:
    assert set(dir(gpuheat)) == set(gpuheat.__all__)
    for name in gpuheat.__all__:
        assert getattr(gpuheat, name) is not None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_all_names_exist(path: Path) -> None:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    module = import_module(".".join(("gpuheat", *(part for part in parts if part != "__init__"))))
    for name in getattr(module, "__all__", []):
        assert hasattr(module, name)


def test_every_package_is_installed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")} | {
        "gpuheat.kernels"
    }
    assert listed == there


def test_kernels_are_a_part_of_gpuheat_and_not_a_package_of_their_own(tmp_path: Path) -> None:
    look = (
        "from importlib.util import find_spec; from importlib.resources import files;"
        "assert find_spec('kernels') is None, find_spec('kernels');"
        "print(files('gpuheat.kernels').joinpath('motion.cu').read_text()[:10])"
    )
    elsewhere = subprocess.run([sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert elsewhere.stdout.startswith("// Motion")


def test_types_are_published() -> None:
    assert find_spec("gpuheat") is not None
    assert files("gpuheat").joinpath("py.typed").is_file()


def test_version_is_the_one_installed() -> None:
    assert gpuheat.__version__ == version("gpuheat")
