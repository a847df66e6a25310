"""What the kernels are held against on a GPU: other libraries doing the same, and how fast they are meant to be."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.case import NONE, Target, Work
from benchmarks.checking import difference
from benchmarks.gpu import peers
from benchmarks.kernels.blur import kept
from benchmarks.kernels.motion import THRESHOLD
from gpuheat.backends import gaussian

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.kernels.blur import Blurring
    from benchmarks.kernels.histogram import Counting
    from benchmarks.kernels.motion import Comparing

__all__ = ["GpuYardsticks"]

EXPRESSION: Final = "CuPy expression"
HISTOGRAM: Final = "cupy.histogram2d"
BLUR: Final = "gaussian_filter"
AIMS: Final = {
    ("motion", "gray8"): Target(0.85, {EXPRESSION: 8.0}),
    ("motion", "bgr24"): Target(0.75, {EXPRESSION: 8.0}),
    ("motion", "nv12"): Target(0.50, {EXPRESSION: 8.0}),
    ("motion", "yuv420p"): Target(None, {EXPRESSION: 8.0}),
    ("histogram", "spread"): Target(0.60, {HISTOGRAM: 10.0}),
    ("histogram", "clustered"): Target(None, {HISTOGRAM: 10.0}),
    ("histogram", "one bin"): Target(0.40, {HISTOGRAM: 10.0}),
    ("blur", "3"): Target(0.70, {BLUR: 2.0}),
}
"""Shares of the copy bandwidth, for 32 pairs of frames at 4K, 200 million points and a 4K picture."""


class GpuYardsticks:
    """CuPy's, PyTorch's and CV-CUDA's ways; the latter two are None where they cannot be used.

    A quick run has no aims.
    """

    def __init__(self, torch: Any | None, cvcuda: Any | None, *, quick: bool) -> None:
        self._torch = torch
        self._cvcuda = cvcuda
        self._quick = quick

    def aim(self, operation: str, kind: str) -> Target:
        """See :class:`benchmarks.case.Yardsticks`."""
        return NONE if self._quick else AIMS.get((operation, kind), NONE)

    def motion(self, comparing: Comparing) -> dict[str, Callable[[], Work]]:
        """Array expressions, pair by pair."""
        ways: dict[str, Callable[[], Work]] = {EXPRESSION: partial(_cupy_motion, comparing)}
        if self._torch is not None and not comparing.layout.planar:
            ways["PyTorch expression"] = partial(_torch_motion, comparing, self._torch)
        return ways

    def histogram(self, counting: Counting) -> dict[str, Callable[[], Work]]:
        """Histograms of two dimensions, and counts of bins computed before; none of them takes weights."""
        ways: dict[str, Callable[[], Work]] = {}
        if not counting.cloud.weighted:
            ways[HISTOGRAM] = partial(_cupy_histogram, counting)
        if self._torch is not None and not counting.cloud.weighted:
            ways["PyTorch bincount"] = partial(_torch_histogram, counting, self._torch, peers.torch_bincount)
            if counting.cloud.spread == "spread":
                ways["torch.histogramdd"] = partial(_torch_histogram, counting, self._torch, peers.torch_histogramdd)
        return ways

    def blur(self, blurring: Blurring) -> dict[str, Callable[[], Work]]:
        """A filter, and convolutions."""
        ways: dict[str, Callable[[], Work]] = {BLUR: partial(_cupy_blur, blurring)}
        if self._torch is not None:
            ways["PyTorch conv2d"] = partial(_torch_blur, blurring, self._torch)
        if self._cvcuda is not None and blurring.sigma <= peers.LARGEST_SIGMA_OF_CVCUDA:
            ways["CV-CUDA gaussian"] = partial(_cvcuda_blur, blurring, self._cvcuda)
        return ways


def _cupy_motion(comparing: Comparing) -> Work:
    cupy, sets = comparing.machine.arrays, comparing.sets
    shape = (comparing.film.height, comparing.film.width)
    counts = cupy.zeros(shape, np.uint32)

    def off_by() -> float:
        fresh = cupy.zeros(shape, np.uint32)
        peers.cupy_motion(cupy, comparing.layout, sets[0], fresh, THRESHOLD)
        return difference(comparing.machine.to_host(fresh), comparing.expected.counts)

    def run(i: int) -> None:
        peers.cupy_motion(cupy, comparing.layout, sets[i % len(sets)], counts, THRESHOLD)

    return Work(run, off_by)


def _torch_motion(comparing: Comparing, torch: Any) -> Work:
    frames = [torch.from_dlpack(planes[0]) for planes in comparing.sets]

    def zeros() -> Any:
        return torch.zeros((comparing.film.height, comparing.film.width), dtype=torch.int32, device=frames[0].device)

    def off_by() -> float:
        fresh = zeros()
        peers.torch_motion(torch, frames[0], fresh, THRESHOLD)
        return difference(fresh.cpu().numpy(), comparing.expected.counts)

    counts = zeros()
    return Work(lambda i: peers.torch_motion(torch, frames[i % len(frames)], counts, THRESHOLD), off_by)


def _cupy_histogram(counting: Counting) -> Work:
    def count(i: int) -> Any:
        x, y, _ = counting.sets[i % len(counting.sets)]
        return peers.cupy_histogram(counting.machine.arrays, counting.cloud.grid, x, y)

    return Work(count, lambda: difference(counting.machine.to_host(count(0)), counting.expected))


def _torch_histogram(counting: Counting, torch: Any, way: Callable[..., Any]) -> Work:
    inputs = [tuple(map(torch.from_dlpack, one[:2])) for one in counting.sets]

    def count(i: int) -> Any:
        return way(torch, counting.cloud.grid, *inputs[i % len(inputs)])

    return Work(count, lambda: difference(count(0).cpu().numpy(), counting.expected))


def _cupy_blur(blurring: Blurring) -> Work:
    def blur(i: int) -> Any:
        return peers.cupy_blur(blurring.sets[i], blurring.sigma, blurring.radius)

    return Work(kept(blurring, blur), lambda: difference(blurring.machine.to_host(blur(0)), blurring.expected))


def _cvcuda_blur(blurring: Blurring, cvcuda: Any) -> Work:
    def blur(i: int) -> Any:
        cupy = blurring.machine.arrays
        return peers.cvcuda_blur(cvcuda, cupy, blurring.sets[i], blurring.sigma, blurring.radius)

    return Work(kept(blurring, blur), lambda: difference(blurring.machine.to_host(blur(0)), blurring.expected))


def _torch_blur(blurring: Blurring, torch: Any) -> Work:
    images = list(map(torch.from_dlpack, blurring.sets))
    weights = torch.from_numpy(gaussian.weights(blurring.sigma)).to(images[0].device)

    def blur(i: int) -> Any:
        return peers.torch_blur(torch, images[i], weights)

    return Work(kept(blurring, blur), lambda: difference(blur(0).cpu().numpy(), blurring.expected))
