"""The word about compiling, in a process that compiles other functions, too."""

from __future__ import annotations

from typing import Any

import numba as nb
from numba.core import event

from gpuheat.backends.cpu_loops import _Notice


def test_functions_of_others_that_have_no_module_can_be_compiled() -> None:
    made: dict[str, Any] = {}
    exec("def following(x): return x + 1", made)  # as libraries make them that generate code
    assert made["following"].__module__ is None
    notice = _Notice()
    with event.install_listener("numba:compile", notice):
        assert nb.njit(made["following"])(1) == 2
    assert not notice.said
