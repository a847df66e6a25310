"""The sums of the planes of frames, made where the frames are compared."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_on_cpu.host_cupy import HostCupy

from gpuheat import InputError
from gpuheat.backends.base import SummingBackend
from gpuheat.backends.cupy import CupyBackend


@pytest.fixture
def cupy(request: pytest.FixtureRequest) -> CupyBackend:
    """On a GPU if the backend cupy is asked for."""
    return CupyBackend() if "cupy" in request.config.getoption("--backend") else CupyBackend(module=HostCupy())


@pytest.mark.parametrize("shape", [(1, 1), (34, 46), (2, 514), (5, 7, 2)], ids=str)
@pytest.mark.parametrize(("frames", "weight"), [(1, 1), (1, 16), (7, 1), (300, 2)])
def test_every_byte_is_added_up(shape: tuple[int, ...], frames: int, weight: int, cupy: CupyBackend) -> None:
    random = np.random.default_rng(frames)
    planes = random.integers(0, 256, (frames, *shape), np.uint8)
    before = random.integers(0, 2**20, shape, np.uint32)
    sums = cupy.asarray(before)
    assert isinstance(cupy, SummingBackend)
    (gathered,) = cupy.gather([(plane,) for plane in planes])
    cupy.add_planes(sums, gathered, weight)
    np.testing.assert_array_equal(cupy.to_host(sums), before + weight * planes.sum(0, np.uint32))


def test_some_of_the_gathered_frames(cupy: CupyBackend) -> None:
    planes = np.random.default_rng(1).integers(0, 256, (9, 6, 10), np.uint8)
    sums = cupy.zeros((6, 10), np.uint32)
    (gathered,) = cupy.gather([(plane,) for plane in planes])
    for run in (slice(0, 4), slice(7, 8)):
        cupy.add_planes(sums, gathered[run], 3)
    np.testing.assert_array_equal(cupy.to_host(sums), 3 * planes[[0, 1, 2, 3, 7]].sum(0, np.uint32))


def test_the_largest_sums_fit(cupy: CupyBackend) -> None:
    sums = cupy.asarray(np.full((2, 3), 2**32 - 1 - 255 * 5, np.uint32))
    cupy.add_planes(sums, cupy.asarray(np.full((1, 2, 3), 255, np.uint8)), 5)
    assert cupy.to_host(sums).tolist() == [[2**32 - 1] * 3] * 2


def test_arrays_that_do_not_fit_are_refused(cupy: CupyBackend) -> None:
    frames, sums = cupy.zeros((2, 4, 6), np.uint8), cupy.zeros((4, 6), np.uint32)
    for wrong in (cupy.zeros((6, 4), np.uint32), cupy.zeros((4, 6), np.int32), cupy.zeros((4, 12), np.uint32)[:, ::2]):
        with pytest.raises(InputError, match=r"^sums must be uint32 of shape \(4, 6\), got"):
            cupy.add_planes(wrong, frames, 1)
    for planes in (cupy.zeros((2, 4, 6), np.int8), cupy.zeros((2, 4, 12), np.uint8)[:, :, :6], frames[0, 0]):
        with pytest.raises(InputError, match=r"^frames must be uint8 \(t, ...\) without gaps"):
            cupy.add_planes(sums, planes, 1)
