"""What moved in each slice of the time, slowly: a map of every pair, added up for each slice by itself."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from gpuheat.motion.timeline import Timeline

MOST = 256
SHORTEST = Fraction(1, 2)


def pair_maps(frames: Iterable[Any], threshold: int = 25) -> list[NDArray[np.uint32]]:
    """Which pixels moved, pair by pair: (h, w) of 0 and 1, by OpenCV."""
    maps = []
    for before, after in itertools.pairwise(np.ascontiguousarray(frame) for frame in frames):
        difference = cv2.absdiff(after, before)
        grey = cv2.cvtColor(difference, cv2.COLOR_BGR2GRAY) if difference.ndim == 3 else difference
        maps.append((grey > threshold).astype(np.uint32))
    return maps


def slice_maps(
    maps: Sequence[NDArray[Any]], times: Sequence[Any], step: Fraction, origin: Fraction = Fraction(0)
) -> dict[int, NDArray[np.uint64]]:
    """The map of each slice, from the pairs at its times alone."""
    slices: dict[int, NDArray[np.uint64]] = {}
    for one, time in zip(maps, times, strict=True):
        number = (Fraction(time) - origin) // step
        slices[number] = slices.get(number, np.zeros(one.shape, np.uint64)) + one
    return slices


def step_for(times: Sequence[Any], most: int = MOST) -> Fraction:
    """The shortest step with which no slice's number is out of range."""
    step = SHORTEST
    while any(not -most <= Fraction(time) // step < most for time in times):
        step *= 2
    return step


def block_sums(counts: NDArray[Any], side: int) -> NDArray[np.uint64]:
    """The sum of every block."""
    rows = np.add.reduceat(counts.astype(np.uint64), range(0, counts.shape[0], side), axis=0)
    return np.add.reduceat(rows, range(0, counts.shape[1], side), axis=1)


def assert_timeline(
    got: Timeline | None, maps: Sequence[NDArray[Any]], times: Sequence[Any], *, turned: int = 0, most: int = MOST
) -> None:
    """Hold a timeline against the pairs of each slice by themselves; the maps are turned when they are shown."""
    assert got is not None
    step = step_for(times, most)
    assert got.step == float(step)
    side = -(-max(maps[0].shape) // 320)
    want = {
        number: block_sums(np.rot90(counts, turned // 90), side)
        for number, counts in slice_maps(maps, times, step).items()
        if counts.any()
    }
    assert got.shape == np.rot90(maps[0], turned // 90).shape
    assert got.block == side
    assert [part.number for part in got.slices] == sorted(want)
    for part in got.slices:
        assert part.cells.dtype == np.uint32
        assert part.counts.dtype == np.uint64
        np.testing.assert_array_equal(part.cells, np.flatnonzero(want[part.number]))
        np.testing.assert_array_equal(part.counts, want[part.number].ravel()[part.cells])
    total = sum(want.values(), start=np.zeros(got.grid, np.uint64))
    np.testing.assert_array_equal(got.between(-(2**60), 2**60), total)


def assert_same_timeline(got: Timeline | None, want: Timeline | None) -> None:
    """The same to the last bit."""
    assert got is not None
    assert want is not None
    assert (got.shape, got.block, got.step, len(got.slices)) == (want.shape, want.block, want.step, len(want.slices))
    for one, other in zip(got.slices, want.slices, strict=True):
        assert one.number == other.number
        np.testing.assert_array_equal(one.cells, other.cells)
        np.testing.assert_array_equal(one.counts, other.counts)
