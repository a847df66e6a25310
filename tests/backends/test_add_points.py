"""Points into bins on every backend: equal to comparing with every edge, and to NumPy, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat.backends import Backend
from gpuheat.backends.numba import POINTS_WORTH_A_THREAD, NumbaBackend
from gpuheat.errors import InputError
from gpuheat.grid import BinGrid
from gpuheat.kernels.cpu_points import POINTS_AT_ONCE

FLOATS: list[Any] = [np.float32, np.float64]
SPECIAL = [np.nan, np.inf, -np.inf, 1e300, -1e300, 3e38, -3e38, 0.0, -0.0, 5e-324, -5e-324, 1e-45, -1e-45, 1e-39]
AWKWARD_GRIDS = [
    BinGrid(300, 225, 4000.0, 3000.0),
    BinGrid(300, 169, 1919.7, 1080.3),
    BinGrid(1, 1, 1.0, 1.0),
    BinGrid(49, 7, 1.0, 0.1),
    BinGrid(3, 1001, 1e-6, 1e12),
    BinGrid(6000, 2, 100.0, 1e-3),
]


def run(
    backend: Backend,
    grid: BinGrid,
    x: NDArray[Any],
    y: NDArray[Any],
    weight: NDArray[np.uint32] | None = None,
) -> NDArray[np.uint64]:
    """The histogram, on the host."""
    histogram = backend.zeros(grid.shape, np.uint64)
    device_weight = None if weight is None else backend.asarray(weight)
    backend.add_points(histogram, grid, backend.asarray(x), backend.asarray(y), device_weight)
    return backend.to_host(histogram)


def by_numpy(
    grid: BinGrid, x: NDArray[Any], y: NDArray[Any], weight: NDArray[np.uint32] | None = None
) -> NDArray[np.float64]:
    """numpy.histogram2d with the same edges, turned to (ny, nx)."""
    edges = (np.linspace(0.0, grid.height, grid.ny + 1), np.linspace(0.0, grid.width, grid.nx + 1))
    return np.asarray(np.histogram2d(y, x, bins=edges, weights=weight)[0])


def around(values: NDArray[np.float64], dtype: Any) -> NDArray[Any]:
    """Each value as a float of that type, and its neighbours on both sides."""
    with np.errstate(under="ignore"):
        middle = values.astype(dtype)
    return np.concatenate([np.nextafter(middle, dtype(-np.inf)), middle, np.nextafter(middle, dtype(np.inf))])


def cast(values: list[float], dtype: Any) -> NDArray[Any]:
    """Values as floats of that type; what is too large becomes infinite."""
    with np.errstate(over="ignore", under="ignore"):
        return np.array(values, np.float64).astype(dtype)


@settings(max_examples=400)
@given(data=st.data(), dtype=st.sampled_from(FLOATS))
def test_equals_comparing_with_every_edge(backend: Backend, data: st.DataObject, dtype: Any) -> None:
    nx, ny = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)), label="nx, ny")
    sizes = st.floats(1e-6, 1e12) | st.integers(1, 10_000).map(float) | st.sampled_from([1e-6, 0.1, 1 / 3, 1e12])
    width, height = data.draw(st.tuples(sizes, sizes), label="width, height")

    def coordinates(extent: float, bins: int) -> st.SearchStrategy[float]:
        edges = np.linspace(0.0, extent, bins + 1)
        on_edges = st.sampled_from(around(edges, dtype).tolist())
        return on_edges | st.floats(-0.1 * extent, 1.1 * extent) | st.sampled_from(SPECIAL)

    points = st.tuples(coordinates(width, nx), coordinates(height, ny), st.integers(0, 2**32 - 1))
    drawn = data.draw(st.lists(points, max_size=30), label="points")
    x, y = (cast([point[axis] for point in drawn], dtype) for axis in (0, 1))
    weight = np.array([point[2] for point in drawn], np.uint32) if data.draw(st.booleans(), label="weighted") else None
    want = reference.histogram(x, y, (nx, ny), (width, height), weight)
    np.testing.assert_array_equal(run(backend, BinGrid(nx, ny, width, height), x, y, weight), want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("grid", AWKWARD_GRIDS, ids=str)
def test_every_edge_and_its_neighbours(backend: Backend, grid: BinGrid, dtype: Any) -> None:
    along_x, along_y = around(grid.x_edges, dtype), around(grid.y_edges, dtype)
    x = np.concatenate([along_x, np.full(along_y.size, dtype(grid.width))])
    y = np.concatenate([np.full(along_x.size, dtype(0)), along_y])
    np.testing.assert_array_equal(run(backend, grid, x, y), by_numpy(grid, x, y))


@pytest.mark.large
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "grid",
    [
        *AWKWARD_GRIDS,
        BinGrid(4096, 4096, 3840.0, 2160.0),
        BinGrid(2_000_000, 1, 1e6, 1.0),  # float32 cannot tell neighbouring bins from their edges
        BinGrid(2, 900_000, 3.0, 12345.6),
    ],
    ids=str,
)
def test_equals_numpy_on_points_worth_several_threads(backend: Backend, grid: BinGrid, dtype: Any) -> None:
    rng = np.random.default_rng(grid.nx)
    size = 3 * POINTS_WORTH_A_THREAD + 4097
    x = rng.uniform(-0.01 * grid.width, 1.01 * grid.width, size).astype(dtype)
    y = rng.uniform(-0.01 * grid.height, 1.01 * grid.height, size).astype(dtype)
    x[::5] = around(rng.choice(grid.x_edges, size // 3 + 1), dtype)[: x[::5].size]
    weight = rng.integers(0, 1 << 20, size, np.uint32)  # so that NumPy's float sums stay exact
    np.testing.assert_array_equal(run(backend, grid, x, y, weight), by_numpy(grid, x, y, weight))


def mixed(grid: BinGrid, size: int, dtype: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.uint32]]:
    """x, y and weights of points inside and outside, on edges and beside them, and without a place, in no order."""
    rng = np.random.default_rng(size)
    x, y = rng.uniform(-0.1, 1.1, (2, size)) * [[grid.width], [grid.height]]
    on_edges = rng.random((2, size)) < 0.2
    x, y = (
        np.where(on_edges[0], rng.choice(grid.x_edges, size), x),
        np.where(on_edges[1], rng.choice(grid.y_edges, size), y),
    )
    x[rng.random(size) < 0.1] = np.nan
    y[rng.random(size) < 0.1] = -np.inf
    return x.astype(dtype), y.astype(dtype), rng.integers(0, 1 << 20, size, np.uint32)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_do_not_change_the_result(threads: int) -> None:
    grid = BinGrid(300, 200, 640.0, 480.0)
    x, y, weight = mixed(grid, 5 * POINTS_WORTH_A_THREAD + 1, np.float32)
    for weights in (None, weight):
        want = 7 + by_numpy(grid, x, y, weights).astype(np.uint64)
        whole = np.full(grid.shape, 7, np.uint64)
        NumbaBackend(threads).add_points(whole, grid, x, y, weights)
        np.testing.assert_array_equal(whole, want)
        gaps = np.full((grid.ny, 2 * grid.nx), 7, np.uint64)
        NumbaBackend(threads).add_points(gaps[:, ::2], grid, x, y, weights)
        np.testing.assert_array_equal(gaps[:, ::2], want)
        assert (gaps[:, 1::2] == 7).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [1, POINTS_AT_ONCE - 1, POINTS_AT_ONCE, POINTS_AT_ONCE + 1, 3 * POINTS_AT_ONCE + 2])
def test_sizes_around_a_block(backend: Backend, size: int, dtype: Any) -> None:
    grid = BinGrid(30, 20, 64.0, 48.0)
    x, y, weight = mixed(grid, size, dtype)
    inside, outside = np.full(size, dtype(13.7)), np.full(size, dtype(-13.7))
    on_edges = grid.x_edges.astype(dtype)[np.arange(size) % grid.x_edges.size]
    for xs, ys in ((x, y), (inside, inside), (outside, inside), (on_edges, inside), (np.sort(x), np.sort(y))):
        for weights in (None, weight):
            np.testing.assert_array_equal(run(backend, grid, xs, ys, weights), by_numpy(grid, xs, ys, weights))


@pytest.mark.parametrize("dtype", FLOATS)
def test_nothing_is_written_beside_the_histogram(dtype: Any) -> None:
    grid = BinGrid(30, 20, 64.0, 48.0)
    x, y, weight = mixed(grid, 3000, dtype)
    memory = np.zeros(16 + 600, np.uint64)
    NumbaBackend(1).add_points(memory[8:608].reshape(grid.shape), grid, x, y, weight)
    assert not memory[:8].any()
    assert not memory[608:].any()
    assert memory.sum() == by_numpy(grid, x, y, weight).sum() > 0


@pytest.mark.large
@pytest.mark.parametrize("dtype", FLOATS)
def test_all_points_in_one_bin_with_sums_beyond_float64(backend: Backend, dtype: Any) -> None:
    size = (1 << 21) + 3
    x, weight = np.full(size, 7.5, dtype), np.full(size, 2**32 - 1, np.uint32)
    got = run(backend, BinGrid(10, 10, 10.0, 10.0), x, x, weight)
    assert int(got[7, 7]) == size * (2**32 - 1) > 2**53
    assert np.count_nonzero(got) == 1


@pytest.mark.parametrize("dtype", FLOATS)
def test_corners_belong_to_the_picture_and_their_neighbours_do_not(backend: Backend, dtype: Any) -> None:
    grid = BinGrid(4, 3, 640.0, 480.0)
    below, right, bottom = np.nextafter(dtype(0), dtype(-1)), dtype(640), dtype(480)
    inside = [(0, 0), (-0.0, -0.0), (right, 0), (0, bottom), (right, bottom)]
    beyond_x, beyond_y = np.nextafter(right, dtype(np.inf)), np.nextafter(bottom, dtype(np.inf))
    outside = [(below, 0), (0, below), (beyond_x, 0), (0, beyond_y)]
    nowhere = [(np.nan, 1), (1, np.nan), (np.inf, 1), (1, -np.inf)]
    x, y = np.array(inside + outside + nowhere, dtype).T
    assert run(backend, grid, x, y).tolist() == [[2, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 1]]


def test_no_points_leave_the_histogram_as_it_is(backend: Backend) -> None:
    histogram = backend.asarray(np.arange(6, dtype=np.uint64).reshape(2, 3))
    nothing = backend.zeros((0,), np.float32)
    backend.add_points(histogram, BinGrid(3, 2, 1.0, 1.0), nothing, nothing, backend.zeros((0,), np.uint32))
    assert backend.to_host(histogram).tolist() == [[0, 1, 2], [3, 4, 5]]


def layouts(table: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The columns of an (n, 2) table, in arrays that lie differently in memory."""
    fixed = table.T.copy()
    fixed.flags.writeable = False
    return {
        "columns of a table": table.T,
        "backwards": np.ascontiguousarray(table[::-1].T)[:, ::-1],
        "read-only": fixed,
        "every third": np.repeat(table.T, 3, axis=1)[:, ::3],
        "big-endian": table.T.astype(table.dtype.newbyteorder(">")),
        "big-endian with gaps": np.repeat(table.T, 2, axis=1).astype(table.dtype.newbyteorder(">"))[:, ::2],
    }


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", layouts(np.zeros((1, 2))))
def test_how_points_lie_in_memory_does_not_matter(backend: Backend, layout: str, dtype: Any) -> None:
    rng = np.random.default_rng(8)
    grid = BinGrid(9, 5, 90.0, 50.0)
    table = rng.uniform(0, 90, (200, 2)).astype(dtype)
    weight = rng.integers(0, 2**32, 200, np.uint32)
    x, y = layouts(table)[layout]
    strided_weight = layouts(np.stack([weight, weight], axis=1))[layout][0]
    want = reference.histogram(table[:, 0], table[:, 1], (9, 5), (90.0, 50.0), weight)
    np.testing.assert_array_equal(run(backend, grid, x, y, strided_weight), want)


def test_a_histogram_with_gaps_is_added_to_in_place(backend: Backend) -> None:
    grid = BinGrid(3, 2, 3.0, 2.0)
    whole = backend.zeros((6, 4), np.uint64)
    x, y = backend.asarray(np.array([0.5, 2.5, 2.5])), backend.asarray(np.array([0.5, 1.5, 1.5]))
    for _ in range(2):
        backend.add_points(whole.T[1:3, ::2], grid, x, y)
    want = np.zeros((4, 6), np.uint64)
    want[1, 0], want[2, 4] = 2, 4
    np.testing.assert_array_equal(backend.to_host(whole).T, want)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("histogram", np.zeros((3, 2), np.uint64)),
        ("histogram", np.zeros((2, 3), np.int64)),
        ("x", np.zeros(4, np.int32)),
        ("x", np.zeros((4, 1))),
        ("y", np.zeros(3)),
        ("y", np.zeros(4, np.float32)),
        ("weight", np.zeros(4)),
        ("weight", np.zeros(4, np.uint64)),
        ("weight", np.zeros(5, np.uint32)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.dtype}{list(value.shape)}",
)
def test_what_does_not_fit_is_named(backend: Backend, name: str, value: NDArray[Any]) -> None:
    good = {"histogram": np.zeros((2, 3), np.uint64), "x": np.zeros(4), "y": np.zeros(4), "weight": np.ones(4, "u4")}
    host: dict[str, Any] = good | {name: value}
    histogram, x, y, weight = (backend.asarray(array) for array in host.values())
    with pytest.raises(InputError, match=f"^{name} must be .*{value.dtype}"):
        backend.add_points(histogram, BinGrid(3, 2, 1.0, 1.0), x, y, weight)
