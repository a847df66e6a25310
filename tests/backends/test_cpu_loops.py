"""How work is shared among threads; and the word about compiling, in a process that compiles other functions, too."""

from __future__ import annotations

from typing import Any

import numba as nb
from numba.core import event

from gpuheat.backends.cpu_loops import _Notice, at_most, share


def test_functions_of_others_that_have_no_module_can_be_compiled() -> None:
    made: dict[str, Any] = {}
    exec("def following(x): return x + 1", made)  # as libraries make them that generate code
    assert made["following"].__module__ is None
    notice = _Notice()
    with event.install_listener("numba:compile", notice):
        assert nb.njit(made["following"])(1) == 2
    assert not notice.said


def test_shares_follow_each_other_and_are_limited() -> None:
    def bounds(**how: int) -> list[tuple[int, int]]:
        return share(lambda first, last: (first, last), 100, 10, **how)

    assert bounds(threads=1, strips=4) == [(0, 100)]
    assert bounds(threads=4) == [(0, 25), (25, 50), (50, 75), (75, 100)]
    assert bounds(threads=2, strips=2) == [(0, 25), (25, 50), (50, 75), (75, 100)]
    assert len(bounds(threads=64)) == 10
    with at_most(2):
        assert bounds(threads=4) == [(0, 50), (50, 100)]
        with at_most(1):
            assert bounds(threads=4, strips=3) == [(0, 100)]
        with at_most(None):
            assert len(bounds(threads=4)) == 4
        assert len(bounds(threads=4)) == 2
    assert len(bounds(threads=4)) == 4
