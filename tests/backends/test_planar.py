"""Planar frames: compared as they lie, with the result of comparing the BGR pictures FFmpeg makes of them."""

from __future__ import annotations

import math
from typing import Any, Literal

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from gpuheat import Backend, FrameLayout, InputError, get_backend
from gpuheat.backends.base import GatheringBackend
from gpuheat.backends.checks import planes_of
from gpuheat.kernels.cpu_compiled import STRETCH
from gpuheat.pixels import YUV_TO_BGR, YuvToBgr, to_bgr

BT709, UNSPECIFIED, SMPTE170M = 1, 2, 6  # AVCOL_SPC_...
LIMITED, FULL = 1, 2  # AVCOL_RANGE_MPEG and _JPEG; 0 is unspecified
CONVERSIONS = [
    pytest.param("bt601", "limited", UNSPECIFIED, 0, id="untagged"),
    pytest.param("bt601", "limited", SMPTE170M, LIMITED, id="601"),
    pytest.param("bt709", "limited", BT709, LIMITED, id="709"),
    pytest.param("bt601", "full", SMPTE170M, FULL, id="601-full"),
    pytest.param("bt709", "full", BT709, FULL, id="709-full"),
]
SIZES = [(6, 16), (10, 14), pytest.param((270, 482), marks=pytest.mark.large)]
LAYOUT_601 = FrameLayout("yuv420p", YUV_TO_BGR["bt601", "limited"])
Planes = tuple[NDArray[np.uint8], ...]


def random_planes(layout: FrameLayout, height: int, width: int, *, frames: int, seed: int) -> Planes:
    """``frames`` frames of noise; neighbours differ in about half of their blocks."""
    random = np.random.default_rng(seed)
    still = random.random((frames, height // 2, width // 2)) < 0.5
    planes = []
    for shape in layout.plane_shapes(height, width):
        plane = random.integers(0, 256, (frames, *shape), np.uint8)
        keep = still if shape[0] == height // 2 else still.repeat(2, axis=1).repeat(2, axis=2)
        for i in range(1, frames):
            plane[i][keep[i]] = plane[i - 1][keep[i]]
        planes.append(plane)
    return tuple(planes)


def ffmpeg_bgr(planes: Planes, colorspace: int, color_range: int) -> NDArray[np.uint8]:
    """The BGR picture FFmpeg makes of one frame."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.colorspace, frame.color_range = colorspace, color_range
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows[: len(values), : values[0].size] = values.reshape(len(values), -1)
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def compare(backend: Backend, planes: Planes, layout: FrameLayout, **options: Any) -> tuple[Any, Any]:
    """Counts and moved of consecutive frames."""
    held = tuple(backend.asarray(plane) for plane in planes)
    previous, frames = tuple(plane[0] for plane in held), tuple(plane[1:] for plane in held)
    if not layout.planar:
        previous, frames = previous[0], frames[0]
    counts = backend.zeros(planes[0].shape[1:3], np.uint32)
    moved = backend.zeros((len(planes[0]) - 1,), np.uint32)
    backend.add_motion(previous, frames, layout, counts=counts, moved=moved, **{"threshold": 25, **options})
    return backend.to_host(counts), backend.to_host(moved)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("matrix", "value_range", "colorspace", "color_range"), CONVERSIONS)
def test_equal_to_comparing_what_ffmpeg_makes_of_the_frames(
    backend: Backend,
    size: tuple[int, int],
    matrix: Literal["bt601", "bt709"],
    value_range: Literal["limited", "full"],
    colorspace: int,
    color_range: int,
) -> None:
    layout = FrameLayout("yuv420p", YUV_TO_BGR[matrix, value_range])
    planes = random_planes(layout, *size, frames=4, seed=1)
    pictures = [ffmpeg_bgr(tuple(plane[i] for plane in planes), colorspace, color_range) for i in range(4)]
    for i, picture in enumerate(pictures):
        np.testing.assert_array_equal(to_bgr(tuple(plane[i] for plane in planes), layout), picture)
    counts, moved = compare(backend, planes, layout)
    wanted_counts, wanted_moved = compare(backend, (np.stack(pictures),), FrameLayout.BGR24)
    assert 0 < wanted_moved.max() < math.prod(size)
    np.testing.assert_array_equal(counts, wanted_counts)
    np.testing.assert_array_equal(moved, wanted_moved)


@pytest.mark.parametrize("width", [STRETCH - 2, STRETCH, STRETCH + 2, 5 * STRETCH + 30])
@pytest.mark.parametrize(
    ("pixel_format", "plane"),
    [("gray8", 0), ("yuv420p", 0), ("yuv420p", 1), ("yuv420p", 2), ("nv12", 0), ("nv12", 1)],
)
def test_little_motion_is_found_wherever_it_is(width: int, pixel_format: Any, plane: int) -> None:
    """A value of a plane that is not at the same place in any two frames; else nothing moves."""
    layout = FrameLayout(pixel_format, LAYOUT_601.conversion)
    planes = [np.zeros((width + 1, *shape), np.uint8) for shape in layout.plane_shapes(2, width)]
    values = planes[plane].reshape(width + 1, -1)
    values[range(width), np.arange(width) % values.shape[1]] = 200
    counts, moved = compare(get_backend("numba"), tuple(planes), layout)
    wanted_counts, wanted_moved = compare(get_backend("numpy"), tuple(planes), layout)
    assert wanted_counts.all() if plane else wanted_counts[0].all()
    np.testing.assert_array_equal(counts, wanted_counts)
    np.testing.assert_array_equal(moved, wanted_moved)


@pytest.mark.parametrize("frames", range(1, 6))
@pytest.mark.parametrize("layout", [LAYOUT_601, FrameLayout.BGR24, FrameLayout.GRAY8], ids=str)
def test_frames_that_were_gathered(backend: Backend, frames: int, layout: FrameLayout) -> None:
    """They lie apart, and may be cut up before they are compared."""
    if not isinstance(backend, GatheringBackend):
        assert backend.name == "numpy"
        return
    random = np.random.default_rng(frames)
    planes = tuple(random.integers(0, 60, (frames + 1, *shape), np.uint8) for shape in layout.plane_shapes(6, 700))
    wanted_counts, wanted_moved = compare(backend, planes, layout)
    assert wanted_moved.all()
    for cut in range(frames + 1):
        gathered = backend.gather([[plane[i].copy() for plane in planes] for i in range(1, frames + 1)])
        assert [tuple(plane.shape) for plane in gathered] == [(frames, *plane.shape[1:]) for plane in planes]
        counts = backend.zeros(planes[0].shape[1:3], np.uint32)
        moved = backend.zeros((frames,), np.uint32)
        for part in (slice(0, cut), slice(cut, frames)):
            if part.start < part.stop:
                before = [backend.asarray(plane[part.start].copy()) for plane in planes]
                batch = [backend.asarray(plane)[part] for plane in gathered]
                backend.add_motion(
                    tuple(before) if layout.planar else before[0],
                    tuple(batch) if layout.planar else batch[0],
                    layout,
                    threshold=25,
                    moved=moved[part],
                    counts=counts,
                )
        np.testing.assert_array_equal(backend.to_host(counts), wanted_counts)
        np.testing.assert_array_equal(backend.to_host(moved), wanted_moved)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nv12_is_compared_like_yuv420p_of_the_same_content(backend: Backend, size: tuple[int, int]) -> None:
    y, u, v = random_planes(LAYOUT_601, *size, frames=3, seed=6)
    nv12 = FrameLayout("nv12", LAYOUT_601.conversion)
    counts, moved = compare(backend, (y, np.stack([u, v], axis=-1)), nv12)
    wanted_counts, wanted_moved = compare(backend, (y, u, v), LAYOUT_601)
    assert wanted_moved.all()
    np.testing.assert_array_equal(counts, wanted_counts)
    np.testing.assert_array_equal(moved, wanted_moved)


@pytest.mark.parametrize("conversion", YUV_TO_BGR.values(), ids=map(str, YUV_TO_BGR))
def test_the_conversion_is_right_for_every_luma_with_extreme_and_middle_colors(conversion: Any) -> None:
    """Each block of 16 x 16 px goes through all 256 lumas with one pair of U and V."""
    colors = [0, 1, 16, 64, 127, 128, 129, 200, 239, 240, 255]
    layout = FrameLayout("yuv420p", conversion)
    luma = np.tile(np.arange(256, dtype=np.uint8).reshape(16, 16), (len(colors), len(colors)))
    u = np.repeat(np.repeat(np.array(colors, np.uint8)[:, None], len(colors), 1), 8, 0).repeat(8, 1)
    planes = (luma, u, np.ascontiguousarray(u.T))
    named = next(name for name, each in YUV_TO_BGR.items() if each == conversion)
    colorspace = {"bt601": SMPTE170M, "bt709": BT709}[named[0]]
    color_range = {"limited": LIMITED, "full": FULL}[named[1]]
    np.testing.assert_array_equal(to_bgr(planes, layout), ffmpeg_bgr(planes, colorspace, color_range))


@pytest.mark.parametrize("size", [(8, 18), pytest.param((600, 800), marks=pytest.mark.large)], ids=str)
def test_padded_rows_mask_and_every_thread(backend: Backend, size: tuple[int, int]) -> None:
    """The larger one is large enough for more than one thread's share."""
    planes = random_planes(LAYOUT_601, *size, frames=2, seed=2)
    mask = np.random.default_rng(3).integers(0, 2, size, np.uint8)
    padded = tuple(np.pad(plane, ((0, 0), (0, 0), (0, 24)))[..., : plane.shape[2]] for plane in planes)
    counts, moved = compare(backend, padded, LAYOUT_601, mask=backend.asarray(mask))
    whole, _ = compare(backend, planes, LAYOUT_601)
    np.testing.assert_array_equal(counts, whole * mask)
    assert moved.tolist() == [int(counts.sum())]


@pytest.mark.parametrize("threshold", [0, 3, 8])
@pytest.mark.parametrize("conversion", YUV_TO_BGR.values(), ids=map(str, YUV_TO_BGR))
def test_small_differences_near_the_threshold(backend: Backend, conversion: YuvToBgr, threshold: int) -> None:
    """Frames of one 2 x 2 block: a row is passed over when its differences alone show that nothing in it moved."""
    random = np.random.default_rng(threshold)
    layout = FrameLayout("yuv420p", conversion)
    frames = 3000
    steps = random.integers(-threshold - 1, threshold + 2, (frames, 6)) * random.integers(0, 2, (frames, 6))
    values = np.clip(np.cumsum(steps, axis=0) % 400 - 70, 0, 255).astype(np.uint8)
    planes = (values[:, :4].reshape(-1, 2, 2), values[:, 4].reshape(-1, 1, 1), values[:, 5].reshape(-1, 1, 1))
    _, moved = compare(backend, planes, layout, threshold=threshold)
    tall = to_bgr(tuple(plane.reshape(-1, plane.shape[2]) for plane in planes), layout).astype(int).reshape(-1, 2, 2, 3)
    grey = (np.abs(np.diff(tall, axis=0)) @ [3735, 19235, 9798] + 16384) >> 15
    np.testing.assert_array_equal(moved, (grey > threshold).sum(axis=(1, 2)))
    assert 0 < np.count_nonzero(moved) < frames - 1


@pytest.mark.large
@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12"])
@pytest.mark.parametrize("width", [2, 126, 128, 130, 256, 258, 384, 500])
def test_few_pixels_move_in_wide_rows(backend: Backend, width: int, pixel_format: Literal["yuv420p", "nv12"]) -> None:
    """Single pixels and colours that change anywhere, at the ends of rows and next to each other."""
    random = np.random.default_rng(width)
    layout = FrameLayout(pixel_format, LAYOUT_601.conversion)
    still = [random.integers(40, 200, shape) for shape in layout.plane_shapes(12, width)]
    planes = []
    for plane in still:
        jumps = random.integers(-90, 91, (20, *plane.shape)) * (random.random((20, *plane.shape)) < 3 / width)
        jumps[::3, :, [0, -1]] = 60
        planes.append(np.clip(plane + jumps, 0, 255).astype(np.uint8))
    counts, moved = compare(backend, tuple(planes), layout)
    pictures = np.stack([to_bgr(frame, layout) for frame in zip(*planes, strict=True)])
    wanted_counts, wanted_moved = compare(backend, (pictures,), FrameLayout.BGR24)
    np.testing.assert_array_equal(counts, wanted_counts)
    np.testing.assert_array_equal(moved, wanted_moved)
    assert counts.any()
    assert width < 100 or (counts == 0).any()


def test_wrong_planes_are_refused(backend: Backend) -> None:
    y, u, v = random_planes(LAYOUT_601, 4, 6, frames=2, seed=4)
    with pytest.raises(InputError, match="3 planes of yuv420p, got 2"):
        planes_of((y, u), LAYOUT_601)
    with pytest.raises(InputError, match="previous must be uint8"):
        compare(backend, (y, u, v[:, :1]), LAYOUT_601)
    with pytest.raises(InputError, match="even sides"):
        compare(backend, (y[:, :3], u, v), LAYOUT_601)
