"""Where a backend says that it raised the counts, held against the counts themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat import FrameLayout, InputError, OptionError, get_backend
from gpuheat.backends.base import MarkingBackend
from gpuheat.pixels import YUV_TO_BGR

YUV = YUV_TO_BGR["bt601", "limited"]
LAYOUTS = [
    FrameLayout.BGR24,
    FrameLayout.GRAY8,
    FrameLayout("gray8", YUV),
    FrameLayout("yuv420p", YUV),
    FrameLayout("nv12", YUV),
]
WIDTHS = [2, 126, 128, 130, 256, 390]


def mostly_still(layout: FrameLayout, height: int, width: int, frames: int, seed: int) -> tuple[NDArray[Any], ...]:
    """Planes (t, ...) of frames that differ from those before in few bytes, some of them by little."""
    random = np.random.default_rng(seed)
    planes = []
    for shape in layout.plane_shapes(height, width):
        plane = np.repeat(random.integers(0, 256, (1, *shape), np.uint8), frames, axis=0)
        for frame in range(1, frames):
            plane[frame] = plane[frame - 1]
            some = random.random(shape) < random.choice([0, 0.002, 0.01])
            plane[frame][some] = random.integers(0, 256, np.count_nonzero(some), np.uint8)
        planes.append(plane)
    return tuple(planes)


def numba() -> MarkingBackend:
    backend = get_backend("numba")
    assert isinstance(backend, MarkingBackend)
    return backend


@given(
    layout=st.sampled_from(LAYOUTS),
    width=st.sampled_from(WIDTHS),
    rows=st.integers(1, 4),
    pairs=st.integers(1, 5),
    masked=st.booleans(),
    decays=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_a_stretch_is_marked_where_a_count_was_raised(
    layout: FrameLayout, width: int, rows: int, pairs: int, masked: bool, decays: bool, seed: int
) -> None:
    height, backend = 2 * rows, numba()
    planes = mostly_still(layout, height, width, pairs + 1, seed)
    previous, frames = tuple(plane[0] for plane in planes), tuple(plane[1:] for plane in planes)
    random = np.random.default_rng(seed)
    mask = (random.random((height, width)) < 0.5).astype(np.uint8) if masked else None
    counts, moved = np.zeros((height, width), np.uint32), np.zeros(pairs, np.uint32)
    before = random.integers(0, 9, (height, -(-width // backend.stretch)), np.uint64)
    raised = before.copy()
    backend.add_motion(
        previous if layout.planar else previous[0],
        frames if layout.planar else frames[0],
        layout,
        threshold=25,
        moved=moved,
        counts=counts,
        mask=mask,
        decayed=np.zeros((height, width)) if decays else None,
        weights=np.ones(pairs) if decays else None,
        raised=raised,
        number=2**63,
    )
    starts = np.arange(0, width, backend.stretch)
    anything = np.add.reduceat(counts, starts, axis=1) > 0
    np.testing.assert_array_equal(raised, np.where(anything, 2**63, before))


def mark_one(raised: Any, number: int) -> None:
    """Compare two frames of 4 x 260 px, of which a pixel of row 2 differs, in the second stretch."""
    frames = np.zeros((2, 4, 260), np.uint8)
    frames[1, 2, 200] = 255
    moved = np.zeros(1, np.uint32)
    numba().add_motion(
        frames[0], frames[1:], FrameLayout.GRAY8, threshold=25, moved=moved, raised=raised, number=number
    )


def test_rows_of_it_may_lie_apart() -> None:
    wide = np.zeros((4, 6), np.uint64)
    mark_one(wide[:, ::2], 7)
    assert np.argwhere(wide).tolist() == [[2, 2]]
    assert wide[2, 2] == 7


@pytest.mark.parametrize(
    ("raised", "number", "error"),
    [
        (np.zeros((4, 2), np.uint64), 1, InputError),
        (np.zeros((4, 3), np.uint32), 1, InputError),
        (np.zeros((4, 3), np.uint64), -1, OptionError),
        (np.zeros((4, 3), np.uint64), 2**64, OptionError),
        (np.broadcast_to(np.uint64(0), (4, 3)), 1, InputError),
    ],
)
def test_what_does_not_fit_is_refused(raised: Any, number: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"raised|number"):
        mark_one(raised, number)
