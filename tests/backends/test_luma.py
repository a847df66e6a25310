"""Luma of any range: compared as it lies, with the result of comparing the grey pictures FFmpeg makes of it."""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
import pytest
from clips import ffmpeg_grey, noise

from gpuheat import Backend, FrameLayout, OptionError, get_backend
from gpuheat.pixels import YUV_TO_BGR, to_grey

LIMITED, FULL = 1, 2  # AVCOL_RANGE_MPEG and _JPEG
RANGES = [
    pytest.param(YUV_TO_BGR["bt601", "limited"], LIMITED, id="limited"),
    pytest.param(YUV_TO_BGR["bt709", "full"], FULL, id="full"),
]


@pytest.mark.parametrize(("conversion", "color_range"), RANGES)
def test_grey_is_what_ffmpeg_makes_of_luma(conversion: Any, color_range: int) -> None:
    luma = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_grey(luma, conversion), ffmpeg_grey(luma, color_range))


@pytest.mark.parametrize("name", ["numpy", "numba"])
@pytest.mark.parametrize(("conversion", "color_range"), RANGES)
@pytest.mark.parametrize("threshold", [0, 1, 24, 25, 100, 254, 255])
@pytest.mark.parametrize("shape", [(4, 2), (6, 300), (20, 128)], ids=str)
def test_equal_to_the_recipe(
    name: str, conversion: Any, color_range: int, threshold: int, shape: tuple[int, int]
) -> None:
    backend = get_backend(name)
    frames = noise((7, *shape), seed=threshold)
    frames[3:5, : shape[0] // 2] = frames[2, : shape[0] // 2]
    grey = [ffmpeg_grey(frame, color_range) for frame in frames]
    motion = np.array([cv2.absdiff(a, b) > threshold for a, b in itertools.pairwise(grey)])
    layout = FrameLayout("gray8", conversion)
    counts, moved = backend.zeros(shape, np.uint32), backend.zeros((6,), np.uint32)
    backend.add_motion(frames[0], frames[1:], layout, threshold=threshold, moved=moved, counts=counts)
    np.testing.assert_array_equal(counts, motion.sum(axis=0))
    np.testing.assert_array_equal(moved, motion.sum(axis=(1, 2)))


def test_a_gpu_takes_grey_of_the_full_range_alone(backend: Backend) -> None:
    if backend.name in ("numpy", "numba"):
        assert ("gray8" in backend.native_formats) == (backend.name == "numba")
        return
    assert "gray8" not in backend.native_formats
    held, moved = backend.asarray(noise((2, 4, 6))), backend.zeros((1,), np.uint32)
    layout = FrameLayout("gray8", YUV_TO_BGR["bt601", "limited"])
    with pytest.raises(OptionError, match="gray8 frames of the range 0 to 255 alone"):
        backend.add_motion(held[0], held[1:], layout, threshold=25, moved=moved)
