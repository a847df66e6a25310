"""The blur on every backend: within the derived tolerance of exact sums, and of OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat.backends import Backend
from gpuheat.backends.gaussian import weights
from gpuheat.backends.numba import PRODUCTS_WORTH_A_THREAD, NumbaBackend
from gpuheat.errors import InputError, OptionError
from gpuheat.kernels.cpu_smoothing import ROWS_AT_ONCE, TILE

SIGMAS = [1e-3, 0.0624, 0.0625, 0.3, 1.0, 3.0, 12.0, 38.0]


def run(backend: Backend, image: NDArray[Any], sigma: float) -> NDArray[np.float32]:
    """The blurred image, on the host."""
    return backend.to_host(backend.gaussian_blur(backend.asarray(image), sigma))


def noise(seed: int, shape: tuple[int, int], peak: float = 1000.0) -> NDArray[np.float32]:
    """Values between -peak and peak."""
    return np.random.default_rng(seed).uniform(-peak, peak, shape).astype(np.float32)


def assert_within(got: NDArray[np.float32], want: NDArray[Any], image: NDArray[Any], sigma: float) -> None:
    """Equal but for the rounding that float32 cannot avoid."""
    tolerance = reference.blur_tolerance(reference.blur_radius(sigma), float(np.abs(image).max()))
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)


@settings(max_examples=200)
@given(
    seed=st.integers(0, 999),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    sigma=st.sampled_from(SIGMAS) | st.floats(0.05, 4),
    peak=st.sampled_from([1e-30, 1.0, 1e30]),
)
def test_equals_explicit_sums(backend: Backend, seed: int, shape: tuple[int, int], sigma: float, peak: float) -> None:
    image = noise(seed, shape, peak)
    assert_within(run(backend, image, sigma), reference.blur(image, sigma), image, sigma)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize(
    "shape",
    [
        *(
            pytest.param(shape, marks=pytest.mark.large)
            for shape in [(169, 300), (300, 225), (37, 1100), (1, 700), (700, 1)]
        ),
        *((1, 70), (70, 1), (1, 1), (2, 2)),
    ],
    ids=str,
)
def test_equals_opencv(backend: Backend, shape: tuple[int, int], sigma: float) -> None:
    image = noise(shape[1], shape)
    want = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    assert_within(run(backend, image, sigma), want, image, sigma)


@pytest.mark.parametrize("sigma", [0.5, 3.0])
@pytest.mark.parametrize("height", [1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
@pytest.mark.parametrize("width", [TILE - 1, TILE, TILE + 1, 2 * TILE, 2 * TILE + 1, 3 * TILE + 8])
def test_equals_explicit_sums_where_tiles_of_columns_end(width: int, height: int, sigma: float) -> None:
    image = noise(width, (height, width))
    assert_within(run(NumbaBackend(2), image, sigma), reference.blur(image, sigma), image, sigma)


@pytest.mark.parametrize("shape", [(3, 2 * TILE + 3), (ROWS_AT_ONCE + 3, 3)], ids=str)
def test_equals_explicit_sums_where_the_kernel_is_much_wider_than_the_image(shape: tuple[int, int]) -> None:
    image = noise(4, shape)
    assert_within(run(NumbaBackend(2), image, 38.0), reference.blur(image, 38.0), image, 38.0)


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("width", [TILE + 1, 9 * TILE + 37])
def test_threads_do_not_change_the_result(width: int, threads: int) -> None:
    worth_a_thread = PRODUCTS_WORTH_A_THREAD // (TILE * weights(3.0).size) + 1  # rows of one tile of columns
    image = noise(threads, (worth_a_thread, width))
    np.testing.assert_array_equal(run(NumbaBackend(threads), image, 3.0), run(NumbaBackend(1), image, 3.0))


def test_where_a_pixel_lies_does_not_change_its_sum() -> None:
    image, radius = noise(5, (40, 4 * TILE)), reference.blur_radius(2.0)
    whole = run(NumbaBackend(1), image, 2.0)
    for y, x in [(1, 1), (3, TILE // 2 + 1), (0, 3 * TILE)]:
        part = run(NumbaBackend(1), image[y:, x:], 2.0)
        np.testing.assert_array_equal(
            part[radius:-radius, radius:-radius], whole[y + radius : -radius, x + radius : -radius]
        )


@pytest.mark.parametrize("sigma", [0, 0.0, 1e-3, 0.0624])
def test_a_kernel_of_one_weight_copies(backend: Backend, sigma: float) -> None:
    image = noise(1, (5, 7))
    source = backend.asarray(image)
    blurred = backend.gaussian_blur(source, sigma)
    blurred[:] = 0
    np.testing.assert_array_equal(backend.to_host(source), noise(1, (5, 7)))
    np.testing.assert_array_equal(run(backend, image, sigma), image)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_a_flat_image_stays_flat(backend: Backend, sigma: float) -> None:
    image = np.full((31, 53), 0.7, np.float32)
    assert_within(run(backend, image, sigma), image, image, sigma)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)], ids=str)
def test_an_image_without_pixels_stays_one(backend: Backend, shape: tuple[int, int]) -> None:
    assert run(backend, np.zeros(shape, np.float32), 3.0).shape == shape


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[::-1],
        lambda image: image[:, ::-1],
        lambda image: image[::2, ::3],
        lambda image: image.T,
        lambda image: np.broadcast_to(image[:1], image.shape),
        lambda image: image.astype(">f4"),
    ],
    ids=["upside down", "left to right", "with gaps", "turned", "one row again and again", "big-endian"],
)
def test_how_the_image_lies_in_memory_does_not_matter(backend: Backend, view: Any) -> None:
    image = view(noise(2, (12, 15)))
    got = run(backend, image, 1.0)
    assert_within(got, reference.blur(image, 1.0), image, 1.0)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_weights_are_a_gaussian(sigma: float) -> None:
    radius = reference.blur_radius(sigma)
    exact = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    smallest = 2.0**-126  # below it float32 has fewer digits, or none
    np.testing.assert_allclose(weights(sigma), exact / exact.sum(), rtol=reference.EPS32, atol=smallest)


@pytest.mark.parametrize("sigma", [-1.0, float("nan"), float("inf")])
def test_an_impossible_sigma_is_refused(backend: Backend, sigma: float) -> None:
    with pytest.raises(OptionError, match="sigma"):
        backend.gaussian_blur(backend.zeros((3, 3), np.float32), sigma)


@pytest.mark.parametrize(
    "image", [np.zeros((3, 3)), np.zeros(3, "f4"), np.zeros((3, 3, 1), "f4"), np.zeros((3, 3), "u1")]
)
def test_what_is_not_a_float32_image_is_named(backend: Backend, image: NDArray[Any]) -> None:
    with pytest.raises(InputError, match=f"^image must be float32.*{image.dtype}"):
        backend.gaussian_blur(backend.asarray(image), 1.0)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_no_number_spreads_as_far_as_the_kernel_and_no_farther(
    backend: Backend, sigma: float, odd: float
) -> None:
    radius = reference.blur_radius(sigma)
    image = noise(1, (3 * radius + 2, 2 * radius + 9))
    image[radius + 1, radius + 3] = odd
    y, x = np.indices(image.shape)
    reached = (abs(y - radius - 1) <= radius) & (abs(x - radius - 3) <= radius)
    np.testing.assert_array_equal(~np.isfinite(run(backend, image, sigma)), reached)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize("at", [0, TILE - 1, TILE, 2 * TILE - 1, 3 * TILE, 3 * TILE + 19])
def test_what_is_no_number_spreads_across_tiles_of_columns_as_far_and_no_farther(at: int, odd: float) -> None:
    image = noise(1, (3, 3 * TILE + 20))
    image[1, at] = odd
    reached = np.broadcast_to(abs(np.arange(image.shape[1]) - at) <= reference.blur_radius(1.0), image.shape)
    np.testing.assert_array_equal(~np.isfinite(run(NumbaBackend(2), image, 1.0)), reached)
