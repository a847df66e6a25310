"""Histogram: bins that fit into shared memory and bins that do not, and how the points lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.checking import difference
from benchmarks.content import Spread, points
from benchmarks.gpu import peers
from benchmarks.gpu.case import NONE, Case, Planned, Setting, Target, Work, input_sets
from gpuheat import BinGrid, get_backend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.gpu.device import Device
    from gpuheat import Backend

__all__ = ["Cloud", "floor_bytes", "planned"]

GRIDS: Final = (BinGrid.for_image(1920, 1080), BinGrid.for_image(4000, 3000))
"""300 x 169 bins fit into the shared memory of a block on the newest GPUs, 300 x 225 do not."""
SHARES: Final[dict[Spread, float]] = {"spread": 0.60, "one bin": 0.40}  # of the copy bandwidth
CUPY: Final = "cupy.histogram2d"
TORCH: Final = "PyTorch bincount"
HISTOGRAMDD: Final = "torch.histogramdd"
TIMES: Final = {CUPY: 10.0}


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
class Scene:
    """Points on the device, in several copies: x, y and weights; and their histogram."""

    cloud: Cloud
    device: Device
    sets: list[tuple[Any, Any, Any]]
    expected: NDArray[np.uint64]


def planned(setting: Setting) -> list[Planned]:
    """All cases of the histogram."""
    distinct, copies = (20_000, 10) if setting.quick else (2_000_000, 100)
    cases = []
    for grid in GRIDS:
        for spread in ("spread", "clustered", "one bin"):
            cloud = Cloud(grid, spread, distinct, copies)
            target = NONE if setting.quick else Target(SHARES.get(cloud.spread), TIMES)
            cases.append(_planned(setting, cloud, target, with_peers=True))
        cases.append(_planned(setting, Cloud(grid, "spread", distinct, copies, "float64")))
        cases.append(_planned(setting, Cloud(grid, "spread", distinct, copies, weighted=True)))
        cases.append(_planned(setting, Cloud(grid, "one bin", distinct, copies, weighted=True)))
    return cases


def floor_bytes(cloud: Cloud) -> int:
    """Every point read once."""
    return cloud.distinct * cloud.copies * (2 * np.dtype(cloud.dtype).itemsize + 4 * cloud.weighted)


def _planned(setting: Setting, cloud: Cloud, target: Target = NONE, *, with_peers: bool = False) -> Planned:
    size = np.dtype(cloud.dtype).itemsize
    floor = f"each point read once ({2 * size}" + (", its weight 4)" if cloud.weighted else ")")
    return Planned(cloud.name, partial(_case, setting, cloud, with_peers), floor, target)


def _case(setting: Setting, cloud: Cloud, with_peers: bool, device: Device) -> Case:
    random = np.random.default_rng(2)
    x, y = (values.astype(cloud.dtype) for values in points(random, cloud.distinct, cloud.grid, cloud.spread))
    weight = random.integers(50_000, 1_000_000, cloud.distinct, np.uint32) if cloud.weighted else None
    expected = np.zeros(cloud.grid.shape, np.uint64)
    get_backend("numpy").add_points(expected, cloud.grid, x, y, weight)
    floor = floor_bytes(cloud)

    def repeated(values: NDArray[Any] | None) -> Any:
        return None if values is None else device.arrays.tile(device.arrays.asarray(values), cloud.copies)

    sets = [(repeated(x), repeated(y), repeated(weight)) for _ in range(input_sets(floor, device.cache_bytes))]
    scene = Scene(cloud, device, sets, expected * np.uint64(cloud.copies))
    ours = {b.name: partial(_ours, scene, b) for b in setting.backends}
    others: dict[str, Callable[[], Work]] = {}
    if with_peers:
        others[CUPY] = partial(_cupy, scene)
        if setting.torch is not None:
            others[TORCH] = partial(_torch, scene, setting.torch, peers.torch_bincount)
            if cloud.spread == "spread":
                others[HISTOGRAMDD] = partial(_torch, scene, setting.torch, peers.torch_histogramdd)
    return Case(cloud.distinct * cloud.copies, "points", ours, others, len(sets), floor)


def _ours(scene: Scene, backend: Backend) -> Work:
    grid = scene.cloud.grid
    inputs = [tuple(None if values is None else backend.asarray(values) for values in one) for one in scene.sets]
    histogram = backend.zeros(grid.shape, np.uint64)

    def off_by() -> float:
        fresh = backend.zeros(grid.shape, np.uint64)
        backend.add_points(fresh, grid, *inputs[0])
        return difference(backend.to_host(fresh), scene.expected)

    return Work(lambda i: backend.add_points(histogram, grid, *inputs[i % len(inputs)]), off_by)


def _cupy(scene: Scene) -> Work:
    def count(i: int) -> Any:
        return peers.cupy_histogram(scene.device.arrays, scene.cloud.grid, *scene.sets[i % len(scene.sets)][:2])

    return Work(count, lambda: difference(scene.device.to_host(count(0)), scene.expected))


def _torch(scene: Scene, torch: Any, way: Callable[..., Any]) -> Work:
    inputs = [tuple(map(torch.from_dlpack, one[:2])) for one in scene.sets]

    def count(i: int) -> Any:
        return way(torch, scene.cloud.grid, *inputs[i % len(inputs)])

    return Work(count, lambda: difference(count(0).cpu().numpy(), scene.expected))
