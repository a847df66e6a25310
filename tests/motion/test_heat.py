"""From counts to heat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuheat.motion import heat
from gpuheat.motion.heat import shares


@pytest.mark.parametrize("dtype", [np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (65, 7), (1533, 2050)])
def test_shares_are_rounded_once(dtype: Any, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many threads have some of the rows: divided in 64 bits, and made 32 of them."""
    monkeypatch.setattr(heat, "processors", lambda: 3)
    values = np.random.default_rng(0).integers(0, 2**32, shape, np.uint32).astype(dtype)
    peak = float(values.max())
    np.testing.assert_array_equal(shares(values, peak), (values.astype(np.float64) / peak).astype(np.float32))


def test_nothing_is_a_share_of_nothing() -> None:
    np.testing.assert_array_equal(shares(np.zeros((3, 4), np.uint32), 0.0), np.zeros((3, 4), np.float32))
