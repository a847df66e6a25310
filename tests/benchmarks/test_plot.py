"""The picture of the measured rows."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are not installed

from benchmarks.plot import COPY, OURS, draw, picture
from benchmarks.results import Row

pytestmark = pytest.mark.once

MACHINE = {"name": "Some Processor", "processors": 2, "commit": 5 * "abcdef", "changed_since": " M x", "versions": {}}
RUNS = np.array((0.8, 0.9, 1.0, 1.1, 1.2))


def row(case: str, contender: str, rate: float, *, suite: str = "kernels", unit: str = "px") -> Row:
    """A row whose runs are 20 % around their median, and which moves its bytes at half the speed of a copy."""
    return Row(
        suite,
        case,
        contender,
        contender == "numba",
        "ok",
        "host",
        runs_s=tuple(1000 / rate * RUNS),
        median_s=1000 / rate,
        spread=0.1,
        unit=unit,
        items_per_s=rate,
        share_of_copy=0.5,
        times_as_fast_as={"OpenCV": 4.0, "NumPy": 30.0} if contender == "numba" else {},
    )


def some(cases: int) -> list[Row]:
    rates = {"numba": 1e9, "OpenCV": 2.5e8, "NumPy": 3e7}
    return [row(f"motion bgr24, case {n}", name, rate) for n in range(cases) for name, rate in rates.items()]


def bars(figure: Figure) -> list[Rectangle]:
    return [patch for axes in figure.axes for patch in axes.patches if isinstance(patch, Rectangle)]


def words(figure: Figure) -> list[str]:
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [*(text.get_text() for text in figure.texts), *inside]


def ends(figure: Figure) -> list[float]:
    return [bar.get_x() + bar.get_width() for bar in bars(figure)]


def test_every_measured_row_has_a_bar_as_long_as_its_rate() -> None:
    absent = Row("kernels", "motion bgr24, case 0", "absent", False, "not run: absent is not installed", "host")
    figure = picture([absent, *reversed(some(2))], MACHINE)
    assert ends(figure) == pytest.approx(2 * [1e9, 2.5e8, 3e7])  # the fastest of a case first
    assert "absent" not in words(figure)
    left, right = figure.axes[0].get_xlim()
    assert figure.axes[0].get_xscale() == "log"
    assert left < 3e7
    assert right > 2e9  # of the copy


def test_ours_stand_out_and_noisy_ones_are_hatched() -> None:
    ours, peer, _ = some(1)
    figure = picture([ours, replace(peer, spread=0.2)], MACHINE)
    first, second = bars(figure)
    assert first.get_facecolor() == to_rgba(OURS)
    assert second.get_facecolor() != to_rgba(OURS)
    assert not first.get_hatch()
    assert second.get_hatch() == "//////"


def test_quartiles_and_copy_are_drawn() -> None:
    (axes,) = picture(some(1)[:1], MACHINE).axes
    whiskers, copy = axes.collections
    assert np.asarray(whiskers.get_paths()[0].vertices)[:, 0] == pytest.approx([1e9 / 1.1, 1e9 / 0.9])
    assert np.asarray(copy.get_paths()[0].vertices)[:, 0] == pytest.approx(2e9)
    assert np.asarray(copy.get_edgecolor())[0] == pytest.approx(to_rgba(COPY))


def test_words() -> None:
    figure = picture(some(1), MACHINE)
    said = words(figure)
    assert said[0] == "gpuheat, Some Processor, 2 processors"
    assert "commit abcdefabcdef with changes" in said[1]
    assert {"motion", "motion bgr24, case 0", "numba", "1 G, 4 x OpenCV", "250 M", "30 M"} < {*said}


def test_a_panel_for_each_operation() -> None:
    rows = [
        row("histogram, 20 M points", "numba", 1e9, unit="points"),
        row("blur, sigma 3", "numba", 1e8),
        row("motion bgr24", "numba", 1e9),
        row("blur, sigma 3", "numba", 1e11, suite="gpu"),
        row("1080p of 600 frames", "numba", 400, suite="video", unit="frames"),
    ]
    figure = picture(rows, MACHINE)
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["histogram", "blur", "motion", "blur (gpu)", "video"]
    assert ends(figure) == pytest.approx([each.items_per_s for each in rows])


@pytest.mark.parametrize(("cases", "columns"), [(1, 1), (20, 1), (60, 3), (200, 4)])
def test_many_cases_make_it_larger(cases: int, columns: int) -> None:
    figure = picture(some(cases), MACHINE)
    assert len(bars(figure)) == 3 * cases
    assert len({axes.get_position().x0 for axes in figure.axes}) == columns
    for axes in figure.axes:
        place = axes.get_position()
        assert 0 < place.x0 < place.x1 < 1
        assert 0 < place.y0 < place.y1 < 1
    assert {axes.get_xlim() for axes in figure.axes} == {figure.axes[0].get_xlim()}
    assert figure.get_figheight() * figure.dpi < 2**16


def test_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "rates.png"
    draw(some(5), MACHINE, path)
    figure = picture(some(5), MACHINE)
    with Image.open(path) as drawn:
        size = figure.get_size_inches() * figure.dpi
        assert drawn.size == pytest.approx(size, abs=1)
        pixels = np.asarray(drawn.convert("RGB")).reshape(-1, 3)
    color = np.round(255 * np.array(to_rgba(OURS)[:3]))
    assert np.count_nonzero((pixels == color).all(axis=1)) > 5000


@pytest.mark.parametrize("name", ["a very long name " * 30, "$x_{$ [red] {} %", "\N{CJK UNIFIED IDEOGRAPH-65E5}"])
def test_awkward_names_stay_on_the_page(tmp_path: Path, name: str) -> None:
    path = tmp_path / "rates.svg"
    draw([row(name, name, 1.0)], {**MACHINE, "name": name, "command": name}, path)
    assert path.read_text().rstrip().endswith("</svg>")
    figure = picture([row(name.replace("\N{CJK UNIFIED IDEOGRAPH-65E5}", "x"), "x", 1.0)], MACHINE)
    figure.canvas.draw()
    for text in (*figure.texts, *figure.axes[0].texts):
        extent = text.get_window_extent()
        assert extent.x0 >= 0
        assert extent.x1 <= figure.bbox.x1


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        picture([Row("gpu", "motion", "all", True, "not run: out of time", "device")], MACHINE)
