"""What the backends are held against on the host: other libraries' ways to do the same, and how fast ours should be."""

from __future__ import annotations

import itertools
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from benchmarks.case import NONE, NotMeasuredError, Target, Work
from benchmarks.checking import difference
from benchmarks.kernels.blur import kept
from benchmarks.kernels.motion import THRESHOLD
from gpuheat.backends.cpu_loops import processors
from gpuheat.kernels import grey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from benchmarks.kernels.blur import Blurring
    from benchmarks.kernels.histogram import Counting
    from benchmarks.kernels.motion import Comparing

__all__ = ["HostYardsticks"]

STEPS: Final = "OpenCV steps"
MOTION: Final = (STEPS, "OpenCV, grey first", "OpenCV MOG2", "NumPy expression")
HISTOGRAM: Final = ("fast-histogram", "boost-histogram", "numpy.histogram2d", "datashader")
BLUR: Final = ("cv2.GaussianBlur", "scipy.ndimage.gaussian_filter")
MOST_POINTS: Final = 20_000_000  # for numpy.histogram2d and datashader, which take a second for 10 million
PLANAR: Final = {"yuv420p": cv2.COLOR_YUV2BGR_I420, "nv12": cv2.COLOR_YUV2BGR_NV12}


class HostYardsticks:
    """The seed's steps in OpenCV, other OpenCV methods, NumPy, SciPy, and libraries for histograms.

    ``peers``: whether they take part. A quick run has no aims.
    """

    def __init__(self, *, peers: bool, quick: bool) -> None:
        self._peers = peers
        self._quick = quick

    def aim(self, operation: str, kind: str) -> Target:
        """The backend ``numba`` is meant to be ahead of every peer, and of some by far."""
        if self._quick or not self._peers:
            return NONE
        ahead = {"motion": MOTION if kind == "bgr24" else (STEPS,), "histogram": HISTOGRAM, "blur": BLUR}[operation]
        times = dict.fromkeys(ahead, 1.0)
        if (operation, kind) == ("motion", "bgr24"):
            times[STEPS] = 4.0
        if operation == "histogram":
            times |= {"fast-histogram": 2.5, "boost-histogram": 2.5}
        if operation == "blur":
            times["cv2.GaussianBlur"] = 1.5
        return Target(0.6 if operation == "motion" else None, times, "numba")

    def motion(self, comparing: Comparing) -> Mapping[str, Callable[[], Work]]:
        """The seed's steps; on BGR also simpler and more elaborate methods, which find something else."""
        if not self._peers:
            return {}
        ways: dict[str, Callable[[], Work]] = {STEPS: partial(_motion, comparing, _seed_steps(comparing))}
        if comparing.film.layout == "bgr24":
            ways["OpenCV, grey first"] = partial(_motion, comparing, _grey_first)
            ways["OpenCV MOG2"] = partial(_motion, comparing, _mog2)
            ways["NumPy expression"] = partial(_motion, comparing, _numpy_expression)
        return ways

    def histogram(self, counting: Counting) -> Mapping[str, Callable[[], Work]]:
        """Histograms of two dimensions."""
        if not self._peers:
            return {}
        ways = {"fast-histogram": _fast_histogram, "boost-histogram": _boost_histogram}
        if counting.cloud.distinct * counting.cloud.copies <= MOST_POINTS:
            ways |= {"numpy.histogram2d": _numpy_histogram, "datashader": _datashader}
        return {name: partial(_histogram, counting, way) for name, way in ways.items()}

    def blur(self, blurring: Blurring) -> Mapping[str, Callable[[], Work]]:
        """Gaussian filters with as many weights."""
        if not self._peers:
            return {}
        return {
            "cv2.GaussianBlur": partial(_blur, blurring, _opencv_blur),
            "scipy.ndimage.gaussian_filter": partial(_blur, blurring, _scipy_blur),
        }


def _installed(module: str, package: str) -> Any:
    """A module of a package that need not be there."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise NotMeasuredError(f"{package} is not installed") from error


# ---- motion: each takes the planes of a film and adds 255 where a pixel moved to float32 --------------------------


def _motion(comparing: Comparing, count: Callable[[tuple[Any, ...], Any], None]) -> Work:
    sets = comparing.sets
    shape = (comparing.film.height, comparing.film.width)
    accumulator = np.zeros(shape, np.float32)

    def off_by() -> float:
        fresh = np.zeros(shape, np.float32)
        count(sets[0], fresh)
        return difference(fresh / 255, comparing.expected.counts)

    return Work(lambda i: count(sets[i % len(sets)], accumulator), off_by)


def _seed_steps(comparing: Comparing) -> Callable[[tuple[Any, ...], Any], None]:
    """As the seed has them, on BGR or grey pictures; planar frames and luma are turned into those first."""
    layout = comparing.layout
    stretch: NDArray[np.uint8] | None = None
    if not layout.planar and layout.conversion is not None:
        y = (np.arange(256) - layout.conversion.black) * 8 * layout.conversion.gain >> 16
        stretch = y.clip(0, 255).astype(np.uint8)

    def picture(planes: tuple[Any, ...], i: int) -> Any:
        if layout.planar:
            one = np.concatenate([plane[i].reshape(-1) for plane in planes])
            return cv2.cvtColor(one.reshape(-1, planes[0].shape[2]), PLANAR[layout.pixel_format])
        return planes[0][i] if stretch is None else cv2.LUT(planes[0][i], stretch)

    def count(planes: tuple[Any, ...], accumulator: Any) -> None:
        before = picture(planes, 0)
        for i in range(1, len(planes[0])):
            now = picture(planes, i)
            changed = cv2.absdiff(now, before)
            grey_change = changed if changed.ndim == 2 else cv2.cvtColor(changed, cv2.COLOR_BGR2GRAY)
            accumulator += cv2.threshold(grey_change, THRESHOLD, 255, cv2.THRESH_BINARY)[1].astype(np.float32)
            before = now

    return count


def _grey_first(planes: tuple[Any, ...], accumulator: Any) -> None:
    """Brightness alone is compared, which misses changes of colour."""
    before = cv2.cvtColor(planes[0][0], cv2.COLOR_BGR2GRAY)
    for frame in planes[0][1:]:
        now = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        cv2.accumulate(cv2.threshold(cv2.absdiff(now, before), THRESHOLD, 255, cv2.THRESH_BINARY)[1], accumulator)
        before = now


def _mog2(planes: tuple[Any, ...], accumulator: Any) -> None:
    """A mixture of Gaussians as the background of every pixel; what differs from it counts."""
    model = cv2.createBackgroundSubtractorMOG2(detectShadows=False)
    for frame in planes[0]:
        cv2.accumulate(model.apply(frame), accumulator)


def _numpy_expression(planes: tuple[Any, ...], accumulator: Any) -> None:
    """Absolute difference, weighted grey, threshold, add."""
    frames = planes[0]
    for before, now in itertools.pairwise(frames):
        changed = np.maximum(before, now) - np.minimum(before, now)
        blue, green, red = (changed[..., channel].astype(np.int32) for channel in range(3))
        weighted = (grey.BLUE * blue + grey.GREEN * green + grey.RED * red + grey.HALF) >> grey.SHIFT
        accumulator += np.float32(255) * (weighted > THRESHOLD)


# ---- histograms: each gives (ny, nx) ------------------------------------------------------------------------------


def _histogram(counting: Counting, way: Callable[..., Callable[..., Any]]) -> Work:
    count = way(counting)

    def run(i: int) -> Any:
        return count(*counting.sets[i % len(counting.sets)])

    return Work(run, lambda: difference(np.asarray(run(0)), counting.expected))


def _numpy_histogram(counting: Counting) -> Callable[..., Any]:
    grid = counting.cloud.grid
    extent = [[0, grid.height], [0, grid.width]]
    return lambda x, y, weight: np.histogram2d(y, x, bins=grid.shape, range=extent, weights=weight)[0]


def _fast_histogram(counting: Counting) -> Callable[..., Any]:
    histogram2d = _installed("fast_histogram", "fast-histogram").histogram2d
    grid = counting.cloud.grid
    extent = [[0, grid.height], [0, grid.width]]
    return lambda x, y, weight: histogram2d(y, x, bins=grid.shape, range=extent, weights=weight)


def _boost_histogram(counting: Counting) -> Callable[..., Any]:
    """With as many threads as there are processors."""
    boost = _installed("boost_histogram", "boost-histogram")
    grid = counting.cloud.grid
    axes = [boost.axis.Regular(grid.ny, 0, grid.height), boost.axis.Regular(grid.nx, 0, grid.width)]

    def count(x: Any, y: Any, weight: Any) -> Any:
        storage = boost.storage.Int64() if weight is None else boost.storage.Double()
        histogram = boost.Histogram(*axes, storage=storage)
        return histogram.fill(y, x, weight=weight, threads=processors()).view()

    return count


def _datashader(counting: Counting) -> Callable[..., Any]:
    datashader = _installed("datashader", "datashader")
    pandas = _installed("pandas", "pandas")
    grid = counting.cloud.grid
    canvas = datashader.Canvas(grid.nx, grid.ny, x_range=(0, grid.width), y_range=(0, grid.height))

    def count(x: Any, y: Any, weight: Any) -> Any:
        columns = {"x": x, "y": y} | ({} if weight is None else {"weight": weight})
        how = datashader.count() if weight is None else datashader.sum("weight")
        return canvas.points(pandas.DataFrame(columns, copy=False), "x", "y", how).fillna(0).values

    return count


# ---- blurs: each gives (h, w) float32 -----------------------------------------------------------------------------


def _blur(blurring: Blurring, way: Callable[[Blurring], Callable[[Any], Any]]) -> Work:
    blur = way(blurring)
    return Work(
        kept(blurring, lambda i: blur(blurring.sets[i])), lambda: difference(blur(blurring.sets[0]), blurring.expected)
    )


def _opencv_blur(blurring: Blurring) -> Callable[[Any], Any]:
    taps = 2 * blurring.radius + 1
    sigma = blurring.sigma
    return lambda image: cv2.GaussianBlur(image, (taps, taps), sigma, borderType=cv2.BORDER_REFLECT_101)


def _scipy_blur(blurring: Blurring) -> Callable[[Any], Any]:
    ndimage = _installed("scipy.ndimage", "scipy")
    sigma, radius = blurring.sigma, blurring.radius
    return lambda image: ndimage.gaussian_filter(image, sigma, mode="mirror", radius=radius)
