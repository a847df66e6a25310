"""What add_motion refuses on every backend, and that it says which argument was wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpuheat.backends import Backend
from gpuheat.errors import InputError, OptionError
from gpuheat.pixels import FrameLayout

BGR = FrameLayout.BGR24
FRAME = np.zeros((4, 5, 3), np.uint8)
GOOD: dict[str, Any] = {
    "previous": FRAME,
    "frames": np.stack([FRAME, FRAME]),
    "moved": np.zeros(2, np.uint32),
    "counts": np.zeros((4, 5), np.uint32),
    "mask": np.ones((4, 5), np.uint8),
    "decayed": np.zeros((4, 5)),
    "weights": np.ones(2),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("previous", FRAME.astype(np.int8)),
        ("previous", FRAME[..., 0]),
        ("previous", FRAME[None]),
        ("previous", FRAME[:, :, :2]),
        ("frames", FRAME),
        ("frames", GOOD["frames"].astype(np.uint16)),
        ("frames", GOOD["frames"][:, :3]),
        ("frames", GOOD["frames"][:, :, :4]),
        ("moved", np.zeros(3, np.uint32)),
        ("moved", np.zeros(2, np.int64)),
        ("counts", np.zeros((5, 4), np.uint32)),
        ("counts", np.zeros((4, 5), np.float32)),
        ("mask", np.ones((4, 5), np.bool_)),
        ("mask", np.ones((4, 5, 1), np.uint8)),
        ("decayed", np.zeros((4, 5), np.float32)),
        ("decayed", np.zeros((4, 6))),
        ("weights", np.ones(1)),
        ("weights", np.ones(2, np.float32)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.dtype}{list(value.shape)}",
)
def test_what_does_not_fit_is_named(backend: Backend, name: str, value: NDArray[Any]) -> None:
    host = GOOD | {name: value}
    arrays = {key: array if key == "weights" else backend.asarray(array) for key, array in host.items()}
    with pytest.raises(InputError, match=f"^{name} must be .*{value.dtype}"):
        backend.add_motion(arrays.pop("previous"), arrays.pop("frames"), BGR, threshold=25, **arrays)


@pytest.mark.parametrize("name", ["counts", "moved", "decayed"])
def test_what_is_written_to_must_not_be_read_only(backend: Backend, name: str) -> None:
    arrays = {key: array if key == "weights" else backend.asarray(array.copy()) for key, array in GOOD.items()}
    if hasattr(arrays[name].flags, "writeable"):
        arrays[name].flags.writeable = False
        with pytest.raises(InputError, match=f"^{name} is added to in place, but it is read-only"):
            backend.add_motion(arrays.pop("previous"), arrays.pop("frames"), BGR, threshold=25, **arrays)


@pytest.mark.parametrize("empty", [(0, 5, 3), (4, 0, 3)], ids=str)
def test_a_frame_without_pixels_is_refused(backend: Backend, empty: tuple[int, ...]) -> None:
    previous, frames = backend.asarray(np.zeros(empty, np.uint8)), backend.asarray(np.zeros((2, *empty), np.uint8))
    with pytest.raises(InputError, match="at least one pixel"):
        backend.add_motion(previous, frames, BGR, threshold=25, moved=backend.zeros((2,), np.uint32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": -1}, "threshold"),
        ({"threshold": 256}, "threshold"),
        ({"threshold": 25.0}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"weights": None}, "decayed and weights"),
        ({"decayed": None}, "decayed and weights"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(backend: Backend, change: dict[str, Any], message: str) -> None:
    arrays = {key: array if key == "weights" else backend.asarray(array) for key, array in GOOD.items()}
    with pytest.raises(OptionError, match=message):
        backend.add_motion(arrays.pop("previous"), arrays.pop("frames"), BGR, **({"threshold": 25} | arrays | change))
