"""Plots: in the caller's axes, in the unit of the colour bar, with the colours of the package's own pictures."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from clips import scene
from matplotlib.figure import Figure

from gpuheat import FixationCounter, FixationHeatmap, InputError, MotionHeatmap, compare, motion_heatmap
from gpuheat.outputs.drawable import Drawable

TIMES = [n / 10 for n in range(12)]


def moved(**options: Any) -> MotionHeatmap:
    return motion_heatmap(scene(12, 40, 56), times=TIMES, **options)


def looked(seed: int = 1, **options: Any) -> FixationHeatmap:
    random = np.random.default_rng(seed)
    counter = FixationCounter(400, 300, bins=40)
    counter.push(random.normal(200, 50, 300), random.normal(100, 40, 300), random.integers(1, 9**6, 300, np.uint32))
    return counter.result(**options)


def drawn(result: Drawable, **options: Any) -> Figure:
    figure = Figure(figsize=(4, 3), dpi=50)
    axes = figure.subplots()
    assert result.plot(axes, **options) is axes
    figure.savefig(io.BytesIO())
    return figure


def image(figure: Figure) -> Any:
    return figure.axes[0].images[-1]


def bar(figure: Figure) -> Any:
    """The axes of the colour bar, which lie in those of the picture."""
    (axes,) = figure.axes[0].child_axes
    return axes


def test_motion_is_in_percent_of_the_frames_and_in_px() -> None:
    result = moved()
    figure = drawn(result)
    picture = image(figure)
    np.testing.assert_allclose(picture.get_array(), 100 * result.counts / 11, rtol=1e-6)
    assert picture.get_extent() == [-0.5, 55.5, 39.5, -0.5]
    assert picture.get_alpha() == 0.4
    assert picture.norm.vmax == pytest.approx(100 * result.counts.max() / 11)
    assert bar(figure).get_ylabel() == "% of the frames in motion"
    assert result.background is not None
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), result.background[..., ::-1])


def test_the_extent_is_that_of_the_video_also_where_blocks_were_counted() -> None:
    figure = drawn(moved(downscale=3))
    assert image(figure).get_array().shape == (14, 19)
    assert image(figure).get_extent() == [-0.5, 55.5, 39.5, -0.5]


def test_fixations_are_in_seconds_per_bin() -> None:
    result = looked(unit="duration")
    figure = drawn(result)
    assert image(figure).get_array().max() == pytest.approx(float(result.heat.max()) * result.peak / 1e6)
    assert image(figure).get_extent() == [0, 400, 300, 0]
    assert bar(figure).get_ylabel().replace("\n", " ") == "s of fixation per bin of 10 x 10 px, blurred"
    assert np.asarray(image(figure).get_alpha() or 1).size == 1  # no background: the heat alone


@pytest.mark.parametrize("tone", ["linear", "sqrt", "log", "percentile:90"])
def test_colours_are_those_of_render(tone: str) -> None:
    other = motion_heatmap(scene(12, 40, 56, seed=1), times=TIMES)
    for result in (looked(), moved(), compare(moved(), other)):
        picture = image(drawn(result, tone=tone, alpha=1))
        shown = picture.cmap(picture.norm(picture.get_array()))[..., :3]
        expected = result.render(tone=tone, alpha=1)[..., ::-1] / 255
        assert np.abs(shown - expected).max() < 0.05  # a step or two of the 256


def test_opacity_by_value() -> None:
    result = moved()
    alpha = image(drawn(result, alpha="value")).get_alpha()
    assert (alpha[result.heat == 0] == 0).all()
    assert alpha.max() == pytest.approx(0.7)


def test_a_comparison_is_symmetric_about_zero() -> None:
    result = compare(looked(), looked(2))
    figure = drawn(result, tone="linear")
    picture = image(figure)
    np.testing.assert_allclose(picture.get_array(), result.difference, rtol=1e-6, atol=1e-9)
    assert picture.norm.vmin == -picture.norm.vmax == pytest.approx(-np.abs(result.difference).max())
    assert "percentage points" in bar(figure).get_ylabel()


def test_keyword_arguments_reach_the_picture() -> None:
    figure = drawn(moved(), cmap="magma", vmin=0, vmax=50, alpha=0.3, colorbar=False, interpolation="nearest")
    picture = image(figure)
    assert (picture.cmap.name, picture.norm.vmax, picture.get_alpha()) == ("magma", 50, 0.3)
    assert picture.get_interpolation() == "nearest"
    assert not figure.axes[0].child_axes


@pytest.mark.parametrize("tone", ["linear", "log"])
def test_where_nothing_was_there_is_a_plot_too(tone: str) -> None:
    nothing = motion_heatmap(np.zeros((3, 20, 30), np.uint8))
    for result in (nothing, FixationCounter(40, 30).result(), compare(nothing, nothing)):
        assert not image(drawn(result, tone=tone)).get_array().any()


@pytest.mark.parametrize("tone", ["sqrt", "log"])
def test_ticks_are_round_and_apart(tone: str) -> None:
    figure = drawn(moved(), tone=tone)
    ticks = bar(figure).get_yticks()
    assert len(ticks) >= 4
    assert {f"{tick:e}"[0] for tick in ticks} <= set("0125")
    assert np.diff(np.sort(image(figure).norm(ticks))).min() >= 0.079


def test_activity() -> None:
    result = moved()
    axes = Figure().subplots()
    assert result.plot_activity(axes) is axes
    assert axes.get_xlim() == pytest.approx((0, 1.1))
    assert axes.get_ylim()[1] == pytest.approx(1.1 * result.activity.max())
    assert f"peak {100 * result.activity.max():.3g} %" in axes.get_title(loc="right")
    with pytest.raises(InputError, match="times="):
        motion_heatmap(scene(3)).plot_activity()


def test_pyplot_is_touched_only_where_no_axes_are_given() -> None:
    code = """
import sys
import matplotlib
matplotlib.use("agg")
import numpy as np
from matplotlib.figure import Figure
from gpuheat import motion_heatmap
result = motion_heatmap(np.random.default_rng(0).integers(0, 256, (4, 9, 9), np.uint8), times=[0, 1, 2, 3])
result.plot(Figure().subplots()), result.plot_activity(Figure().subplots()), result._repr_html_()
assert "matplotlib.pyplot" not in sys.modules
axes = result.plot()
from matplotlib import pyplot as plt
assert plt.get_fignums() == [1] and plt.gcf() is axes.figure
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
