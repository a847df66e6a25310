"""The notebook of the README: every cell still runs, and shows what its stored output shows."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

NOTEBOOK = Path(__file__).parent.parent / ".readme" / "notebook.ipynb"
MOST_BYTES = 300_000


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def run(code: str, names: dict[str, Any]) -> object:
    """Run a cell; the value of its last line, where that is an expression that is shown."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "notebook", "exec"), names)
    if not isinstance(last, ast.Expr):
        return None
    value = eval(compile(ast.Expression(last.value), "notebook", "eval"), names)
    return None if code.rstrip().endswith(";") else value


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 5
    names: dict[str, Any] = {}
    with mpl.rc_context({"backend": "agg"}):
        for cell in cells:
            value = run(source(cell), names)
            printed = capsys.readouterr().out
            kinds = set[str]()
            for output in cell["outputs"]:
                assert output["output_type"] != "error"
                kinds |= output.get("data", {}).keys()
            streams = [output for output in cell["outputs"] if output["output_type"] == "stream"]
            lines = len("".join("".join(stream["text"]) for stream in streams).splitlines())
            assert len(printed.splitlines()) == lines, source(cell)
            assert hasattr(value, "_repr_html_") == ("text/html" in kinds), source(cell)
            assert bool(plt.get_fignums()) == ("image/png" in kinds), source(cell)
            plt.close("all")


def test_the_notebook_is_small() -> None:
    assert NOTEBOOK.stat().st_size < MOST_BYTES
