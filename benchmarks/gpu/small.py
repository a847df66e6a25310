"""Every kernel once, on small awkward shapes, held against the backend numpy: ``python -m benchmarks.gpu.small cupy``.

Made for compute-sanitizer, which is slow. CuPy takes every array straight from the driver here, so that the tool knows
where each one ends.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.checking import check, difference
from benchmarks.content import moving_band
from benchmarks.gpu.resources import recording_cupy
from benchmarks.kernels.motion import LAYOUTS
from gpuheat import BinGrid, get_backend
from gpuheat.backends import gaussian
from gpuheat.backends.base import SummingBackend
from gpuheat.kernels import cuda_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat import Backend

__all__ = ["everything"]

PAIRS: Final = (1, 5, 300)  # more than one launch can count
SHAPES: Final = ((1, 1), (3, 17), (37, 20), (6, 64), (6, 24), (34, 50), (2, 2))
GRIDS: Final = (BinGrid(7, 5, 70.0, 50.0), BinGrid.for_image(4000, 3000), BinGrid(600_000, 1, 1e6, 10.0))
"""Bins in shared memory; too many for it; so many that float32 products do not suffice."""
BLURS: Final = (((1, 1), 2.0), ((5, 3), 0.0), ((3, 140), 0.8), ((70, 40), 3.0), ((9, 150), 20.0))


def main() -> None:
    """Run the backends named on the command line."""
    for name in sys.argv[1:]:
        if name == "cupy":
            import_module("cupy").cuda.set_allocator(None)
            backend, used = recording_cupy()
            number = everything(backend)
            missing = [kernel.name for kernel in cuda_source.every() if kernel not in used]
            if missing:
                raise SystemExit(f"kernels that were not run: {', '.join(missing)}")
        else:
            number = everything(get_backend(name))
        print(f"{name}: {number} results are right")


def everything(backend: Backend) -> int:
    """Compare all results with those of the backend numpy; returns how many there were."""
    results = [*_motion(backend), *_points(backend), *_blurs(backend)]
    if isinstance(backend, SummingBackend):
        results += _picture_sums(backend)
    for name, off, allowed in results:
        check(name, backend.name, off, allowed)
    return len(results)


def _motion(backend: Backend) -> Iterator[tuple[str, float, float]]:
    for (name, layout), (height, width), pairs in product(LAYOUTS.items(), SHAPES, PAIRS):
        if layout.planar and (height % 2 or width % 2):
            continue
        random = np.random.default_rng(height * width + pairs)
        film = tuple(moving_band(random, (pairs + 1, *shape)) for shape in layout.plane_shapes(height, width))
        mask = random.integers(0, 2, (height, width), np.uint8)
        for masked, decayed in ((False, False), (True, True)):
            ours, reference = (
                _compare(by, name, film, mask if masked else None, decayed) for by in (backend, get_backend("numpy"))
            )
            where = f"motion {name}, {pairs} pairs of {width} x {height}" + ", masked and decayed" * masked
            yield where, max(map(difference, ours, reference)), 0.0


def _compare(
    by: Backend, name: str, film: tuple[NDArray[np.uint8], ...], mask: NDArray[np.uint8] | None, decayed: bool
) -> list[NDArray[Any]]:
    layout = LAYOUTS[name]
    planes = tuple(map(by.asarray, film))
    pairs, height, width = film[0].shape[0] - 1, *film[0].shape[1:3]
    counts, moved = by.zeros((height, width), np.uint32), by.zeros((pairs,), np.uint32)
    sums = by.zeros((height, width), np.float64) if decayed else None
    before, after = tuple(plane[0] for plane in planes), tuple(plane[1:] for plane in planes)
    by.add_motion(
        before if layout.planar else before[0],
        after if layout.planar else after[0],
        layout,
        threshold=25,
        moved=moved,
        counts=counts,
        mask=None if mask is None else by.asarray(mask),
        decayed=sums,
        weights=np.arange(1, pairs + 1) / 32 if decayed else None,
    )
    return [by.to_host(result) for result in (counts, moved, sums) if result is not None]


def _picture_sums(backend: Any) -> Iterator[tuple[str, float, float]]:
    for (height, width), weight in product(SHAPES, (1, 16)):
        film = moving_band(np.random.default_rng(1), (5, height, width))
        sums = backend.zeros((height, width), np.uint32)
        (frames,) = backend.gather([(frame,) for frame in film])
        backend.add_planes(sums, frames, weight)
        expected = weight * film.sum(0, np.uint32)
        yield f"picture sums, {width} x {height}, times {weight}", difference(backend.to_host(sums), expected), 0.0


def _points(backend: Backend) -> Iterator[tuple[str, float, float]]:
    dtypes = (np.float32, np.float64)
    for grid, dtype, number, first, weighted in product(GRIDS, dtypes, (1, 6000), (0, 1), (False, True)):
        random = np.random.default_rng(number + first)
        inside = random.uniform(-0.1, 1.1, (2, number + first))
        x, y = ((share * size).astype(dtype) for share, size in zip(inside, (grid.width, grid.height), strict=True))
        x[::7], x[3::50], y[::5] = grid.x_edges[0], np.nan, grid.y_edges[-1]
        weight = random.integers(0, 2**32, number + first, np.uint32)
        ours, reference = (
            _count(by, grid, x, y, weight if weighted else None, first) for by in (backend, get_backend("numpy"))
        )
        where = f"histogram, {number} {np.dtype(dtype)} points from {first} on into {grid.nx} x {grid.ny} bins"
        yield where + ", weighted" * weighted, float(np.count_nonzero(ours != reference)), 0.0


def _count(by: Backend, grid: BinGrid, x: Any, y: Any, weight: Any | None, first: int) -> NDArray[np.uint64]:
    """The points from ``first`` on, which are not aligned for wide loads unless that is 0."""
    histogram = by.zeros(grid.shape, np.uint64)
    some = None if weight is None else by.asarray(weight)[first:]
    by.add_points(histogram, grid, by.asarray(x)[first:], by.asarray(y)[first:], some)
    return by.to_host(histogram)


def _blurs(backend: Backend) -> Iterator[tuple[str, float, float]]:
    for size, sigma in BLURS:
        image = np.random.default_rng(size).random(size, dtype=np.float32)
        ours, reference = (
            by.to_host(by.gaussian_blur(by.asarray(image), sigma)) for by in (backend, get_backend("numpy"))
        )
        allowed = 2 * gaussian.weights(sigma).size * float(np.finfo(np.float32).eps)
        yield f"blur, sigma {sigma:g}, {size[1]} x {size[0]}", difference(ours, reference), allowed


if __name__ == "__main__":
    main()
