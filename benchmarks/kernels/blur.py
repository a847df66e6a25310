"""Blur: a picture, a histogram, and a kernel wider than most."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.case import Case, Machine, Planned, Setting, Work, input_sets
from benchmarks.checking import difference
from gpuheat import get_backend
from gpuheat.backends import gaussian

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gpuheat import Backend

__all__ = ["Blurring", "kept", "planned"]

FLOOR: Final = "each pixel read (4) and written (4) once; with all passes: once in each of the two (16)"


@dataclass(frozen=True, eq=False)
class Blurring:
    """A picture in the memory of a machine, in several copies, and its blur."""

    machine: Machine
    sigma: float
    sets: list[Any]
    expected: NDArray[np.float32]

    @property
    def radius(self) -> int:
        """That of the kernel, px."""
        return gaussian.weights(self.sigma).size // 2


def planned(setting: Setting) -> list[Planned]:
    """All cases of the blur."""
    return [
        Planned(
            setting.suite,
            f"blur, sigma {sigma:g}, {width} x {height}",
            partial(_case, setting, sigma, (height, width)),
            FLOOR,
            setting.yardsticks.aim("blur", f"{sigma:g}"),
        )
        for sigma, height, width in setting.blurs
    ]


def _case(setting: Setting, sigma: float, size: tuple[int, int], machine: Machine) -> Case:
    image = np.random.default_rng(3).random(size, dtype=np.float32)
    floor = 2 * image.nbytes
    sets = [machine.arrays.asarray(image).copy() for _ in range(input_sets(floor, machine.cache_bytes))]
    blurring = Blurring(machine, sigma, sets, get_backend("numpy").gaussian_blur(image, sigma))
    ours = {b.name: partial(_ours, blurring, b) for b in setting.backends}
    return Case(image.size, "px", ours, setting.yardsticks.blur(blurring), len(sets), floor, 2 * floor)


def kept(blurring: Blurring, blur: Callable[[int], Any]) -> Callable[[int], object]:
    """Results stay for one round, so that new ones do not land in memory that is still in the cache."""
    results: deque[Any] = deque(maxlen=len(blurring.sets))
    return lambda i: results.append(blur(i % len(blurring.sets)))


def _ours(blurring: Blurring, backend: Backend) -> Work:
    images = [backend.asarray(image) for image in blurring.sets]

    def blur(i: int) -> Any:
        return backend.gaussian_blur(images[i], blurring.sigma)

    taps = 2 * blurring.radius + 1
    allowed = 2 * taps * float(np.finfo(np.float32).eps)  # two passes; no pixel is brighter than 1
    return Work(
        kept(blurring, blur),
        lambda: difference(backend.to_host(blur(0)), blurring.expected),
        allowed,
        backend.synchronize,
    )
