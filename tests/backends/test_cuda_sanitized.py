"""The CUDA C under ThreadSanitizer and AddressSanitizer: every CUDA thread is a thread of the host.

Each run is a process of its own, launches kernels on small awkward shapes through the code of the backend, and
compares the results with the backend numpy. Planted mistakes show that they would be found.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cuda_on_cpu.loader import Sanitizer, run_sanitized

pytestmark = pytest.mark.once
FOUND = 66  # the exit code of a process in which a sanitizer found something

PRELUDE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import numpy as np
from cuda_on_cpu.host_cupy import HostCupy
from gpuheat import BinGrid, FrameLayout, get_backend
from gpuheat.backends.cupy import CupyBackend, compiled
from gpuheat.pixels import YUV_TO_BGR, to_bgr

random = np.random.default_rng(1)
reference = get_backend("numpy")
by = YUV_TO_BGR["bt709", "limited"]

def planted(*changes):
    def load(module, kernel):
        source = kernel.source
        for before, after in changes:
            assert source.count(before) >= 1, before
            source = source.replace(before, after)
        text = f'#line 1 "{{kernel.file}}"\\n' + source
        return module.RawModule(code=text, options=kernel.options, backend="nvrtc").get_function(kernel.name)
    return load

def without_barrier(number):
    def load(module, kernel):
        parts = kernel.source.split("__syncthreads();")
        parts[number : number + 2] = [parts[number] + parts[number + 1]]
        return planted((kernel.source, "__syncthreads();".join(parts)))(module, kernel)
    return load

def motion(pixel_format, height, width, pad=0, decayed=False, load=planted()):
    layout = FrameLayout(pixel_format, None if pixel_format in ("bgr24", "gray8") else by)
    mask = random.integers(0, 2, (height, width), np.uint8)
    weights = np.array([0.5, 2.0]) if decayed else None
    planes = []
    for shape in layout.plane_shapes(height, width):
        whole = random.integers(0, 60, (3, shape[0], shape[1] + pad, *shape[2:]), np.uint8)
        planes.append(whole[:, :, :shape[1]] if pad else whole)
    results = []
    for backend in (reference, CupyBackend(module=HostCupy(), load=load)):
        # padded on the device too, where the last row has no bytes behind it
        held = [on(backend, plane, pad) for plane in planes]
        previous, frames = tuple(p[0] for p in held), tuple(p[1:] for p in held)
        if not layout.planar:
            previous, frames = previous[0], frames[0]
        counts = backend.zeros((height, width), np.uint32)
        sums = backend.zeros((height, width), np.float64) if decayed else None
        moved = backend.zeros((2,), np.uint32)
        backend.add_motion(previous, frames, layout, threshold=9, moved=moved, counts=counts,
                           mask=backend.asarray(mask), decayed=sums, weights=weights)
        results.append([backend.to_host(array) for array in (counts, moved) + ((sums,) if decayed else ())])
    for ours, wanted in zip(*results):
        np.testing.assert_array_equal(ours, wanted)

def on(backend, plane, pad):
    if pad == 0:
        return backend.asarray(plane)
    whole = np.zeros((plane.shape[0], plane.shape[1], plane.shape[2] + pad, *plane.shape[3:]), np.uint8)
    whole[:, :, :plane.shape[2]] = plane
    return backend.asarray(whole)[:, :, :plane.shape[2]]

def points(number, dtype, weighted, shared=True, load=planted()):
    grid = BinGrid(9, 7, 40.0, 30.0)
    x = np.where(random.random(number) < 0.6, 7.5, random.uniform(-2, 42, number)).astype(dtype)
    y = np.where(x == 7.5, 3.25, random.uniform(-2, 32, number)).astype(dtype)
    weight = random.integers(0, 2**32, number).astype(np.uint32) if weighted else None
    results = []
    for backend in (reference, CupyBackend(module=HostCupy(shared_memory_optin=49152 if shared else 16), load=load)):
        histogram = backend.zeros(grid.shape, np.uint64)
        backend.add_points(histogram, grid, backend.asarray(x), backend.asarray(y),
                           None if weight is None else backend.asarray(weight))
        results.append(backend.to_host(histogram))
    np.testing.assert_array_equal(*results)

def picture_sums(height, width, load=planted()):
    planes = random.integers(0, 256, (3, height, width), np.uint8)
    backend = CupyBackend(module=HostCupy(), load=load)
    sums = backend.zeros((height, width), np.uint32)
    backend.add_planes(sums, backend.asarray(planes), 5)
    np.testing.assert_array_equal(backend.to_host(sums), 5 * planes.sum(0, np.uint32))

def blur(height, width, sigma, load=planted()):
    image = random.random((height, width), np.float32)
    backend = CupyBackend(module=HostCupy(), load=load)
    ours = backend.to_host(backend.gaussian_blur(backend.asarray(image), sigma))
    taps = round(8 * sigma + 1) | 1
    np.testing.assert_allclose(ours, reference.gaussian_blur(image, sigma), rtol=0, atol=2 * taps * 2.0**-23)
"""

ALL = {
    "motion, packed": "motion('bgr24', 3, 37); motion('gray8', 5, 19, decayed=True)",
    "motion, padded": "motion('bgr24', 4, 16, pad=16); motion('gray8', 3, 21, pad=3); motion('bgr24', 3, 20, pad=4)",
    "motion, planar": "motion('yuv420p', 4, 34); motion('nv12', 6, 18, pad=14); motion('nv12', 4, 22)",
    "histogram": "points(999, np.float32, True); points(1001, np.float64, False); points(130, np.float32, True, False)",
    "picture sums": "picture_sums(6, 10); picture_sums(34, 18)",
    "blur": "blur(9, 13, 1.0); blur(3, 2, 11.0); blur(1, 7, 2.0); blur(65, 4, 0.5)",
}


@pytest.mark.parametrize("sanitizer", ["thread", "address"])
@pytest.mark.parametrize("what", ALL)
def test_nothing_is_found_in_the_kernels(what: str, sanitizer: Sanitizer) -> None:
    result = run_sanitized(PRELUDE + ALL[what], sanitizer)
    assert result.returncode == 0, result.stderr


BARRIERS = {
    "motion.cu": ["motion('gray8', 3, 37, load=without_barrier({}))"] * 2,
    "histogram.cu": ["points(999, np.float32, False, load=without_barrier({}))"] * 2,
    "blur.cu": ["blur(9, 13, 9.0, load=without_barrier({}))"] * 4 + ["blur(9, 13, 1.0, load=without_barrier({}))"] * 2,
}


@pytest.mark.parametrize(
    ("sanitizer", "file", "plant"),
    [
        *(
            pytest.param("thread", file, plant.format(number), id=f"{file}, barrier {number}")
            for file, plants in BARRIERS.items()
            for number, plant in enumerate(plants)
        ),
        pytest.param(
            "address",
            "motion.cu",
            "motion('gray8', 3, 37, load=planted(('if (4 * i + j < bytes)', 'if (true)')))",
            id="motion, bytes behind a row",
        ),
        pytest.param(
            "address",
            "motion.cu",
            "motion('bgr24', 3, 37, load=planted(('row >= rows ? 0 : width', 'width')))",
            id="motion, rows behind the last",
        ),
        pytest.param(
            "address",
            "histogram.cu",
            "points(1001, np.float64, False, load=planted(('first + POINTS <= points ? POINTS', 'true ? POINTS')))",
            id="points behind the last",
        ),
        pytest.param(
            "address",
            "histogram.cu",
            "points(999, np.float32, False, False, load=planted(('return exact == at ? edge - 1 : -1', 'return edge'), "
            "('&& at < end', '')))",
            id="bins behind the last",
        ),
        pytest.param(
            "address",
            "blur.cu",
            "blur(9, 13, 9.0, load=planted(('y < height && x + j < width', 'x + j < width')))",
            id="blur, rows behind the last",
        ),
        pytest.param(
            "address",
            "blur.cu",
            "blur(9, 13, 1.0, load=planted(('top + row + j < height && x < width', 'x < width')))",
            id="blur at once, rows behind the last",
        ),
        pytest.param(
            "address",
            "picture_sums.cu",
            "picture_sums(6, 10, load=planted(('if (here >= size)', 'if (false)')))",
            id="picture sums, pixels behind the last",
        ),
    ],
)
def test_a_planted_mistake_is_found(sanitizer: Sanitizer, file: str, plant: str) -> None:
    """A barrier that is missing, a bound that is not checked: named with the file and a line."""
    result = run_sanitized(PRELUDE + plant, sanitizer)
    assert result.returncode == FOUND, result.stderr or result.stdout
    assert f"{file}:" in result.stderr
