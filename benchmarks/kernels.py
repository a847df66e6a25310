"""The operations of every backend beside the plain OpenCV and NumPy ways of doing the same.

Every contender's result is checked before it is timed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchmarks.checking import check, difference
from benchmarks.content import Spread, moving_band, points
from gpuheat import BinGrid, FrameLayout, available_backends
from gpuheat.backends import gaussian

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpuheat import Backend

__all__ = ["Case", "cases"]


@dataclass(frozen=True)
class Case:
    """One thing to do, the contenders, and how much of it there is."""

    name: str
    peer: str  # the contender the others are compared with
    items: int
    unit: str
    nbytes: int  # read and written by an ideal single pass
    contenders: dict[str, Callable[[], object]]


def cases(*, quick: bool) -> Iterator[Case]:
    """The cases, in their full size or a quick one."""
    backends = [status.backend for status in available_backends() if status.backend is not None]
    height, width = 1080, 1920
    yield _motion("motion, a 1080p BGR pair", backends, 2, height, width, 3)
    yield _motion("motion, 8 pairs of 1080p BGR frames", backends, 9, height, width, 3)
    yield _motion("motion, 8 pairs of 1080p grey frames", backends, 9, height, width, 1)
    number = 2_000_000 if quick else 20_000_000
    spreads: tuple[Spread, ...] = ("spread", "clustered", "whole px")
    for spread in spreads:
        yield _points(f"histogram, {number // 1_000_000} M float32 points, {spread}", backends, number, spread)
    for sigma, size in ((9.0, (225, 300)), (3.0, (height, width))):
        yield _blur(f"blur, sigma {sigma:g}, {size[1]} x {size[0]}", backends, sigma, size)


def _motion(name: str, backends: list[Backend], number: int, height: int, width: int, channels: int) -> Case:
    """``number`` frames in a row, as in a video.

    Two frames stay in the cache from run to run; nine do not, and are a matter of the memory's bandwidth.
    """
    layout = FrameLayout.BGR24 if channels == 3 else FrameLayout.GRAY8
    frames = moving_band(np.random.default_rng(1), (number, *layout.frame_shape(height, width)))

    def recipe(pair: int, accumulator: Any) -> None:
        changed = cv2.absdiff(frames[pair + 1], frames[pair])
        grey = cv2.cvtColor(changed, cv2.COLOR_BGR2GRAY) if channels == 3 else changed
        accumulator += cv2.threshold(grey, 25, 255, cv2.THRESH_BINARY)[1].astype(np.float32)

    expected = np.zeros((height, width), np.float32)
    for pair in range(number - 1):
        recipe(pair, expected)
    contenders: dict[str, Callable[[], object]] = {}
    for backend in backends:
        held = [backend.asarray(frame[None]) for frame in frames]
        counts, moved = backend.zeros((height, width), np.uint32), backend.zeros((1,), np.uint32)

        def run(b: Backend = backend, held: Any = held, counts: Any = counts, moved: Any = moved) -> None:
            for before, after in itertools.pairwise(held):
                b.add_motion(before[0], after, layout, threshold=25, moved=moved, counts=counts)
            b.synchronize()

        run()
        check(name, backend.name, difference(255 * backend.to_host(counts), expected))
        contenders[backend.name] = run
    scratch = np.zeros((height, width), np.float32)

    def plain() -> None:
        for pair in range(number - 1):
            recipe(pair, scratch)

    contenders["OpenCV steps"] = plain
    pairs = number - 1
    nbytes = 2 * frames[0].nbytes + 2 * 4 * height * width
    return Case(name, "OpenCV steps", pairs * height * width, "px", pairs * nbytes, contenders)


def _points(name: str, backends: list[Backend], number: int, spread: Spread) -> Case:
    grid = BinGrid.for_image(4000, 3000)
    x, y = (values.astype(np.float32) for values in points(np.random.default_rng(2), number, grid, spread))
    ranges = [[0, grid.height], [0, grid.width]]
    expected = np.histogram2d(y, x, bins=grid.shape, range=ranges)[0]
    contenders: dict[str, Callable[[], object]] = {}
    for backend in (each for each in backends if each.name != "numpy"):  # the reference: a minute for 20 M
        xs, ys = backend.asarray(x), backend.asarray(y)
        histogram = backend.zeros(grid.shape, np.uint64)

        def run(b: Backend = backend, h: Any = histogram, xs: Any = xs, ys: Any = ys) -> None:
            b.add_points(h, grid, xs, ys)
            b.synchronize()

        run()
        check(name, backend.name, difference(backend.to_host(histogram), expected))
        contenders[backend.name] = run
    peer = "numpy.histogram2d"
    if find_spec("fast_histogram") is not None:
        from fast_histogram import histogram2d

        peer = "fast-histogram"
        contenders[peer] = lambda: histogram2d(y, x, bins=grid.shape, range=ranges)
    else:
        contenders[peer] = lambda: np.histogram2d(y, x, bins=grid.shape, range=ranges)
    return Case(name, peer, number, "points", x.nbytes + y.nbytes, contenders)


def _blur(name: str, backends: list[Backend], sigma: float, size: tuple[int, int]) -> Case:
    image = np.random.default_rng(3).random(size, dtype=np.float32)
    taps = gaussian.weights(sigma).size
    expected = cv2.GaussianBlur(image, (taps, taps), sigma, borderType=cv2.BORDER_REFLECT_101)
    tolerance = 2 * taps * float(np.finfo(np.float32).eps)
    contenders: dict[str, Callable[[], object]] = {}
    for backend in backends:
        source = backend.asarray(image)

        def run(b: Backend = backend, source: Any = source) -> Any:
            blurred = b.gaussian_blur(source, sigma)
            b.synchronize()
            return blurred

        check(name, backend.name, difference(backend.to_host(run()), expected), tolerance)
        contenders[backend.name] = run
    contenders["cv2.GaussianBlur"] = lambda: cv2.GaussianBlur(image, (taps, taps), sigma)
    return Case(name, "cv2.GaussianBlur", image.size, "px", 2 * image.nbytes, contenders)
