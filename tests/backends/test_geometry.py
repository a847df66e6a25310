"""How kernels are laid out: everything is covered once, and no limit of a device is passed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuheat.kernels import geometry

H200 = geometry.Device(multiprocessors=132, shared_block=232_448, shared_multiprocessor=233_472)
RTX_2080 = geometry.Device(multiprocessors=46, shared_block=65_536, shared_multiprocessor=65_536)
sizes = st.integers(1, 100_000)


@given(rows=sizes, width=sizes)
def test_motion_has_a_thread_for_all_pixels_and_not_a_block_too_many(rows: int, width: int) -> None:
    launch = geometry.motion(rows, width)
    groups = rows * ((width + 15) // 16)
    assert launch.block == (geometry.MOTION_THREADS,)
    assert (launch.grid[0] - 1) * launch.block[0] < groups <= launch.grid[0] * launch.block[0]
    assert launch.grid[0] < 2**31
    assert launch.shared == 0


@given(rows=sizes, columns=sizes)
def test_picture_sums_have_a_thread_for_every_byte(rows: int, columns: int) -> None:
    launch = geometry.picture_sums(rows * columns)
    assert (launch.grid[0] - 1) * launch.block[0] < rows * columns <= launch.grid[0] * launch.block[0]
    assert launch.block == (geometry.PICTURE_SUMS_THREADS,)
    assert launch.grid[0] < 2**31


@given(height=sizes, width=sizes)
def test_blur_has_a_tile_for_all_pixels(height: int, width: int) -> None:
    for launch, (wide, high) in (
        (geometry.blur_rows(height, width), geometry.BLUR_ROWS_TILE),
        (geometry.blur_columns(height, width), geometry.BLUR_COLUMNS_TILE),
    ):
        across, down = (width + wide - 1) // wide, (height + high - 1) // high
        assert launch.grid == (across * down,)
        assert launch.grid[0] < 2**31


@pytest.mark.parametrize(
    ("points", "bins", "device", "shared", "blocks"),
    [
        pytest.param(20_000_000, 300 * 169, H200, 4 * 300 * 169, 132, id="203 KB of bins fit an H200"),
        pytest.param(20_000_000, 300 * 169, RTX_2080, 0, 8 * 46, id="but not a Turing"),
        pytest.param(20_000_000, 300 * 225, H200, 0, 8 * 132, id="264 KB fit none"),
        pytest.param(20_000_000, 60 * 40, H200, 4 * 60 * 40, 2 * 132, id="small bins: two blocks each"),
        pytest.param(20_000_000, 232_448 // 4, H200, 232_448, 132, id="exactly the limit"),
        pytest.param(20_000_000, 232_448 // 4 + 1, H200, 0, 8 * 132, id="one bin beyond it"),
        pytest.param(50_699, 300 * 169, H200, 0, 50, id="fewer points than bins: straight to global memory"),
        pytest.param(50_700, 300 * 169, H200, 4 * 300 * 169, 1, id="as many points as bins: one block"),
        pytest.param(507_000, 300 * 169, H200, 4 * 300 * 169, 10, id="a block for every so many"),
        pytest.param(1, 1, H200, 4, 1, id="one point, one bin"),
        pytest.param(137, 300 * 225, H200, 0, 1, id="137 fixations"),
    ],
)
def test_private_bins_where_they_fit_and_pay(
    points: int, bins: int, device: geometry.Device, shared: int, blocks: int
) -> None:
    launch = geometry.histogram(points, bins, device)
    assert (launch.shared, launch.grid) == (shared, (blocks,))


@given(points=st.integers(1, 2**40), bins=st.integers(1, 2**31 - 1), device=st.sampled_from([H200, RTX_2080]))
def test_histogram_stays_within_the_device(points: int, bins: int, device: geometry.Device) -> None:
    launch = geometry.histogram(points, bins, device)
    assert launch.shared in (0, 4 * bins)
    assert launch.shared <= device.shared_block
    assert 1 <= launch.grid[0] <= 8 * device.multiprocessors
    assert launch.block[0] in (256, 1024)
    if launch.shared:
        assert points >= bins * launch.grid[0]


@pytest.mark.parametrize(
    ("radius", "device", "shared"),
    [
        pytest.param(12, H200, 4 * 128 * (64 + 24), id="sigma 3"),
        pytest.param(31, H200, 4 * 128 * (64 + 62), id="the longest kernel"),
        pytest.param(32, H200, None, id="one longer"),
        pytest.param(1, RTX_2080, None, id="two blocks would not fit"),
    ],
)
def test_blur_does_both_passes_at_once_where_the_tile_fits(
    radius: int, device: geometry.Device, shared: int | None
) -> None:
    launch = geometry.blur_both(2160, 3840, radius, device)
    assert (launch and launch.shared) == shared
    if launch is not None:
        assert launch.grid == (30 * 34,)


@given(numbers=st.lists(st.integers(-(2**40), 2**40), min_size=1))
def test_alignment_is_the_widest_load_that_suits_all(numbers: list[int]) -> None:
    widest = next(width for width in (16, 4, 1) if all(number % width == 0 for number in numbers))
    assert geometry.alignment(*numbers) == widest
