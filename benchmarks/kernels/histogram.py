"""Histogram: bins that fit into shared memory and bins that do not, and how the points lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.case import NONE, Case, Machine, Planned, Setting, Target, Work, input_sets
from benchmarks.checking import difference
from benchmarks.content import Spread, points
from gpuheat import BinGrid, get_backend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat import Backend

__all__ = ["Cloud", "Counting", "floor_bytes", "planned"]

GRIDS: Final = (BinGrid.for_image(1920, 1080), BinGrid.for_image(4000, 3000))
"""300 x 169 bins fit into the shared memory of a block on the newest GPUs, 300 x 225 do not."""
FINE: Final = BinGrid(4096, 4096, 4096.0, 4096.0)
SPREADS: Final[tuple[Spread, ...]] = ("spread", "clustered", "one bin")
DISTINCT: Final = 1_000_000  # points at most, each as often as it takes; the reference counts no more than those


@dataclass(frozen=True)
class Cloud:
    """``distinct`` points, each ``copies`` times, so that the reference has to count no more than those."""

    grid: BinGrid
    spread: Spread
    distinct: int
    copies: int
    dtype: str = "float32"
    weighted: bool = False

    @property
    def name(self) -> str:
        """What the table calls it."""
        number = self.distinct * self.copies / 1e6
        weighted = ", weighted" if self.weighted else ""
        bins = f"{self.grid.nx} x {self.grid.ny} bins"
        return f"histogram, {number:g} M {self.dtype} points into {bins}, {self.spread}{weighted}"


@dataclass(frozen=True, eq=False)
class Counting:
    """Points in the memory of a machine, in several copies: x, y and weights; and their histogram."""

    cloud: Cloud
    machine: Machine
    sets: list[tuple[Any, Any, Any]]
    expected: NDArray[np.uint64]


def planned(setting: Setting) -> list[Planned]:
    """All cases of the histogram: how the points lie, in the main number, and other numbers of points."""
    cases = []
    main, *others = setting.points
    grids = (*GRIDS, FINE) if setting.thorough else GRIDS[1:]
    for grid in grids:
        for spread in SPREADS:
            aim = NONE if grid is FINE else setting.yardsticks.aim("histogram", spread)
            cases.append(_planned(setting, _cloud(grid, spread, main), aim, with_peers=True))
    for grid in [grid for grid in grids if grid is not FINE]:
        cases.append(_planned(setting, _cloud(grid, "spread", main, dtype="float64")))
        cases.append(_planned(setting, _cloud(grid, "spread", main, weighted=True), with_peers=True))
        cases.append(_planned(setting, _cloud(grid, "one bin", main, weighted=True)))
    cases += [_planned(setting, _cloud(GRIDS[1], "clustered", number), with_peers=True) for number in others]
    return cases


def _cloud(grid: BinGrid, spread: Spread, number: int, **kind: Any) -> Cloud:
    distinct = min(number, DISTINCT)
    return Cloud(grid, spread, distinct, number // distinct, **kind)


def floor_bytes(cloud: Cloud) -> int:
    """Every point read once."""
    return cloud.distinct * cloud.copies * (2 * np.dtype(cloud.dtype).itemsize + 4 * cloud.weighted)


def _planned(setting: Setting, cloud: Cloud, target: Target = NONE, *, with_peers: bool = False) -> Planned:
    size = np.dtype(cloud.dtype).itemsize
    floor = f"each point read once ({2 * size}" + (", its weight 4)" if cloud.weighted else ")")
    return Planned(setting.suite, cloud.name, partial(_case, setting, cloud, with_peers), floor, target)


def _case(setting: Setting, cloud: Cloud, with_peers: bool, machine: Machine) -> Case:
    random = np.random.default_rng(2)
    x, y = (values.astype(cloud.dtype) for values in points(random, cloud.distinct, cloud.grid, cloud.spread))
    weight = random.integers(50_000, 1_000_000, cloud.distinct, np.uint32) if cloud.weighted else None
    expected = np.zeros(cloud.grid.shape, np.uint64)
    get_backend("numpy").add_points(expected, cloud.grid, x, y, weight)
    floor = floor_bytes(cloud)

    def repeated(values: NDArray[Any] | None) -> Any:
        return None if values is None else machine.arrays.tile(machine.arrays.asarray(values), cloud.copies)

    sets = [(repeated(x), repeated(y), repeated(weight)) for _ in range(input_sets(floor, machine.cache_bytes))]
    counting = Counting(cloud, machine, sets, expected * np.uint64(cloud.copies))
    ours = {b.name: partial(_ours, counting, b) for b in setting.backends}
    peers = setting.yardsticks.histogram(counting) if with_peers else {}
    return Case(cloud.distinct * cloud.copies, "points", ours, peers, len(sets), floor)


def _ours(counting: Counting, backend: Backend) -> Work:
    grid = counting.cloud.grid
    inputs = [tuple(None if values is None else backend.asarray(values) for values in one) for one in counting.sets]
    histogram = backend.zeros(grid.shape, np.uint64)

    def off_by() -> float:
        fresh = backend.zeros(grid.shape, np.uint64)
        backend.add_points(fresh, grid, *inputs[0])
        return difference(backend.to_host(fresh), counting.expected)

    return Work(
        lambda i: backend.add_points(histogram, grid, *inputs[i % len(inputs)]), off_by, finish=backend.synchronize
    )
