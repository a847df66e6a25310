"""Heat over planes of YUV, held against a slow sum pixel by pixel and against the overlay of pictures."""

from __future__ import annotations

from typing import Any, Literal

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuheat.backends.cpu_loops import numba_cpu
from gpuheat.errors import OptionError
from gpuheat.motion.raised import Raised
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.heat_over_video import HeatOverVideo
from gpuheat.outputs.picture import overlay
from gpuheat.outputs.style import PictureStyle
from gpuheat.outputs.yuv import YuvStandard
from gpuheat.pixels import YUV_TO_BGR, FrameLayout, to_bgr

STANDARDS = [YuvStandard(*names) for names in YUV_TO_BGR]
LEVELS = 1024
STRETCH = numba_cpu.STRETCH


def smooth(height: int, width: int, *, seed: int = 0) -> Any:
    """(h, w, 3) uint8 BGR without hard edges, whose colours 4:2:0 keeps."""
    import cv2

    coarse = np.random.default_rng(seed).integers(40, 216, (3, 3, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def shown(planes: Any, standard: YuvStandard) -> Any:
    return to_bgr(planes, FrameLayout("yuv420p", YUV_TO_BGR[standard.matrix, standard.range]))


def empty(planes: Any) -> Any:
    return tuple(np.full(plane.shape, 77, np.uint8) for plane in planes)


def noise(random: np.random.Generator, height: int, width: int) -> Any:
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return tuple(random.integers(0, 256, shape, np.uint8) for shape in shapes)


def nine_bits(heat: Any) -> Any:
    """The middle of the values that have the same first nine binary digits."""
    digits, exponent = np.frexp(heat)
    return np.where(heat > 0, np.ldexp((np.floor(digits * 512) + 0.5) / 512, exponent), 0.0)


def slow_blend(planes: Any, heat: Any, block: int, scale: float, style: PictureStyle, standard: YuvStandard) -> Any:
    """Pixel by pixel, with numbers that are not rounded on the way but for those of the heat."""
    heat = nine_bits(heat)
    table = lookup_table(style.colormap)
    height, width = planes[0].shape
    opacity, colors = np.zeros((height, width)), np.zeros((height, width, 3))
    for y in range(height):
        for x in range(width):
            value = heat[min(y // block, heat.shape[0] - 1), min(x // block, heat.shape[1] - 1)]
            share = np.float32(int(min(1.0, value * scale) * (LEVELS - 1)) / (LEVELS - 1))
            toned = np.float32(np.sqrt(share)) if style.tone == "sqrt" else share
            opacity[y, x] = 0.7 * (1 - (1 - toned) ** 4) if style.alpha == "value" else style.alpha
            blue, green, red = table[int(toned * np.float32(255))].astype(float)
            matrix = standard.from_bgr
            colors[y, x] = matrix @ [blue, green, red, 1]
    result = [planes[0] * (1 - opacity) + colors[..., 0] * opacity]
    for plane, channel in zip(planes[1:], (1, 2), strict=True):
        rest = (1 - opacity).reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        added = (colors[..., channel] * opacity).reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        result.append(plane * rest + added)
    return result


@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 100)),
    odd=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    block=st.integers(1, 3),
    style=st.sampled_from([PictureStyle(alpha="value"), PictureStyle("turbo", "sqrt", "value"), PictureStyle()]),
    standard=st.sampled_from(STANDARDS),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_pixel_is_blended_as_a_slow_sum_says(
    size: tuple[int, int],
    odd: tuple[int, int],
    block: int,
    style: PictureStyle,
    standard: YuvStandard,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    height, width = 2 * size[0], 2 * size[1]
    planes = noise(random, height, width)
    cells = (-(-(height - odd[0]) // block), -(-(width - odd[1]) // block))
    heat = random.random(cells) * (random.random(cells) < random.choice([0.0, 0.02, 1.0])) * 1.5
    out = empty(planes)
    HeatOverVideo(style, standard)(planes, heat, block, 0.9, out)
    slow = slow_blend(planes, heat, block, 0.9, style, standard)
    # opacity in steps of 1/256, and two roundings; for the colours its means are cut off, too
    for got, expected, most in zip(out, slow, (1.6, 2.4, 2.4), strict=True):
        assert np.abs(got - expected).max() <= most


@given(
    width=st.sampled_from([2, 126, 128, 130, 254, 256, 300, 390]),
    odd=st.integers(0, 1),
    alpha=st.sampled_from(["value", 0.4]),
    pauses=st.lists(st.sampled_from([0.1, 1.0, 30.0, 200.0]), min_size=4, max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_known_of_the_pictures_before_changes_nothing(
    width: int, odd: int, alpha: Any, pauses: list[float], seed: int
) -> None:
    """Sums are raised here and there while their scale falls; ``pauses`` are in half-lives."""
    random = np.random.default_rng(seed)
    planes = noise(random, 6, width)
    style, shape = PictureStyle(alpha=alpha), (6 - odd, width - odd)
    over = HeatOverVideo(style, STANDARDS[0])
    for step, pause in enumerate(pauses):
        if step == 0 or random.random() < 0.15:  # another begins
            heat, raised, age = np.zeros(shape), Raised(shape, STRETCH), 0.0
        age += pause
        if age > 500:  # the sums get another unit
            heat *= 2.0 ** (pause - age)
            age = pause
            raised.everywhere()
        moved = random.random(heat.shape) < random.choice([0.0, 0.003])
        heat += moved * 2.0**age
        number, (rows, columns) = raised.next(), np.nonzero(moved)
        raised.numbers[rows, columns // STRETCH] = number
        known, anew = empty(planes), empty(planes)
        over(planes, heat, 1, 0.7 * 2.0**-age, known, raised)
        HeatOverVideo(style, STANDARDS[0])(planes, heat, 1, 0.7 * 2.0**-age, anew)
        assert all(map(np.array_equal, known, anew))


def test_only_what_was_raised_is_looked_at() -> None:
    planes = noise(np.random.default_rng(1), 4, 300)
    heat, raised = np.zeros((4, 300)), Raised((4, 300), STRETCH)
    over = HeatOverVideo(PictureStyle(alpha="value"), STANDARDS[0])
    before, after = empty(planes), empty(planes)
    over(planes, heat, 1, 1.0, before, raised)
    heat[:] = 1  # as a counter never does it
    raised.numbers[0, 1] = raised.next()
    over(planes, heat, 1, 1.0, after, raised)
    changed = before[0] != after[0]
    assert changed[0, 128:256].any()
    assert not changed[0, :128].any()
    assert not changed[0, 256:].any()
    assert not changed[1:].any()


@pytest.mark.parametrize("standard", STANDARDS, ids=lambda standard: f"{standard.matrix}-{standard.range}")
@pytest.mark.parametrize("alpha", ["value", 0.4])
def test_it_looks_like_the_overlay_of_pictures(standard: YuvStandard, alpha: Literal["value"] | float) -> None:
    picture = smooth(240, 320)
    across, down = np.meshgrid(np.linspace(0, 1, 320), np.linspace(0, 1, 240))
    heat = across * down
    style = PictureStyle("viridis", alpha=alpha)
    planes = standard.planes(picture)
    out = empty(planes)
    HeatOverVideo(style, standard)(planes, heat, 1, 1.0, out)
    difference = np.abs(shown(out, standard).astype(int) - overlay(heat.astype(np.float32), picture, style))
    assert difference.mean() < 1.5
    assert difference.max() < 12


@pytest.mark.parametrize("standard", STANDARDS, ids=lambda standard: f"{standard.matrix}-{standard.range}")
def test_pure_colours_that_hide_the_picture(standard: YuvStandard) -> None:
    """Where all of 0..255 is used, 255.5 stands for pure blue and pure red, which jet has."""
    heat = np.linspace(0, 1, 1024)[None]
    planes = noise(np.random.default_rng(0), 2, 2048)
    out = empty(planes)
    style = PictureStyle("jet", alpha=1.0)
    HeatOverVideo(style, standard)(planes, heat, 2, 1.0, out)
    for got, expected in zip(out, slow_blend(planes, heat, 2, 1.0, style, standard), strict=True):
        assert np.abs(got - expected).max() <= 1.6


def test_planes_with_padded_rows_and_no_heat_are_copied() -> None:
    random = np.random.default_rng(0)
    wide = [random.integers(0, 256, (rows, 300), np.uint8) for rows in (4, 2, 2)]
    planes = wide[0][:, :260], wide[1][:, :130], wide[2][:, :130]
    buffers = [np.zeros((rows, 320), np.uint8) for rows in (4, 2, 2)]
    out = buffers[0][:, :260], buffers[1][:, :130], buffers[2][:, :130]
    over = HeatOverVideo(PictureStyle(alpha="value"), STANDARDS[0])
    for scale in (0.0, 1.0):
        over(planes, np.full((4, 260), 1e-9), 1, scale, out)
        assert all(map(np.array_equal, planes, out))
    assert not buffers[0][:, 260:].any()


def test_a_percentile_is_refused() -> None:
    with pytest.raises(OptionError, match="a video has one scale from its beginning"):
        HeatOverVideo(PictureStyle(tone="percentile:99"), STANDARDS[0])


@pytest.mark.parametrize("standard", STANDARDS, ids=lambda standard: f"{standard.matrix}-{standard.range}")
def test_pictures_come_back_from_their_planes(standard: YuvStandard) -> None:
    picture = smooth(160, 240)
    planes = standard.planes(picture)
    assert np.abs(shown(planes, standard).astype(int) - picture).max() <= 8
    assert np.abs(shown(planes, standard).astype(int) - picture).mean() < 1.5
    assert YuvStandard.of(YUV_TO_BGR[standard.matrix, standard.range]) == standard


def test_planes_are_those_of_ffmpeg() -> None:
    picture = smooth(48, 64, seed=3)
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
    for plane, ours in zip(frame.planes, YuvStandard("bt601", "limited").planes(picture), strict=True):
        theirs = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
        assert np.abs(theirs.astype(int) - ours).max() <= 2


def test_odd_and_grey_pictures_have_even_planes() -> None:
    luma, u, v = YuvStandard("bt601", "full").planes(np.full((3, 5), 90, np.uint8))
    assert (luma.shape, u.shape, v.shape) == ((4, 6), (2, 3), (2, 3))
    assert (luma == 90).all()
    assert (u == 128).all()
    assert (v == 128).all()
