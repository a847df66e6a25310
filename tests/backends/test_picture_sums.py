"""The sums of the BGR pictures that frames stand for, made where the frames are compared."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from cuda_on_cpu.host_cupy import HostCupy

from gpuheat import FrameLayout, InputError
from gpuheat.backends.base import SummingBackend
from gpuheat.backends.cupy import CupyBackend
from gpuheat.pixels import YUV_TO_BGR, to_bgr

LAYOUT = FrameLayout("nv12", YUV_TO_BGR["bt601", "limited"])


@pytest.fixture
def cupy(request: pytest.FixtureRequest) -> CupyBackend:
    """On a GPU if the backend cupy is asked for."""
    return CupyBackend() if "cupy" in request.config.getoption("--backend") else CupyBackend(module=HostCupy())


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12"])
@pytest.mark.parametrize("colours", YUV_TO_BGR)
@pytest.mark.parametrize(("frames", "height", "width"), [(1, 2, 2), (7, 34, 46), (3, 2, 514), (300, 4, 6)])
def test_the_pictures_are_those_that_are_compared(
    pixel_format: Literal["yuv420p", "nv12"],
    colours: tuple[Literal["bt601", "bt709"], Literal["limited", "full"]],
    frames: int,
    height: int,
    width: int,
    cupy: CupyBackend,
) -> None:
    layout = FrameLayout(pixel_format, YUV_TO_BGR[colours])
    random = np.random.default_rng(frames)
    planes = [random.integers(0, 256, (frames, *shape), np.uint8) for shape in layout.plane_shapes(height, width)]
    before = random.integers(0, 2**20, (3, height, width), np.uint32)
    sums = cupy.asarray(before)
    assert isinstance(cupy, SummingBackend)
    cupy.add_pictures(sums, cupy.gather(list(zip(*planes, strict=True))), layout)
    pictures = np.stack([to_bgr(frame, layout) for frame in zip(*planes, strict=True)])
    np.testing.assert_array_equal(cupy.to_host(sums), before + pictures.sum(0, np.uint32).transpose(2, 0, 1))


def test_arrays_that_do_not_fit_are_refused(cupy: CupyBackend) -> None:
    luma, chroma = cupy.zeros((2, 4, 6), np.uint8), cupy.zeros((2, 2, 3, 2), np.uint8)
    sums = cupy.zeros((3, 4, 6), np.uint32)
    for wrong in (cupy.zeros((3, 6, 4), np.uint32), cupy.zeros((3, 4, 6), np.int32), cupy.zeros((3, 4, 12), np.uint32)):
        with pytest.raises(InputError, match=r"^sums must be uint32 of shape \(3, 4, 6\), got"):
            cupy.add_pictures(wrong[:, :, ::2] if wrong.shape[2] == 12 else wrong, (luma, chroma), LAYOUT)
    for planes in ((luma, chroma[:1]), (luma,), (cupy.zeros((2, 4, 12), np.uint8)[:, :, :6], chroma)):
        with pytest.raises(InputError, match=r"^frames must be nv12 planes of shape .* without gaps"):
            cupy.add_pictures(sums, planes, LAYOUT)
