"""The Numba kernels compile for every device they are meant for; arrays on a GPU are viewed as NumPy's are."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from cuda.bindings import nvjitlink
from numba import cuda, types
from numba.cuda.codegen import CUDACodeLibrary
from numba.np import numpy_support

from gpuheat.backends import cuda_packages, numba_arrays
from gpuheat.backends.cuda_packages import NUMBA_CUDA, check_numba_with_numpy
from gpuheat.backends.numba_cuda import NumbaCudaBackend
from gpuheat.errors import BackendUnavailableError
from gpuheat.kernels import geometry, numba_cuda

CAPABILITIES = [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)]
THREADS = {"motion": geometry.NUMBA_THREADS, "histogram": 1024, "blur": 2 * geometry.NUMBA_THREADS, "copy": 128}
INTERESTING = [(1, 1), (1, 2_000_000_000), (1080, 1920), (1080, 1917), (7, 3)]


def numba_type(name: str) -> Any:
    number: Any = numpy_support.from_dtype(np.dtype(name.removesuffix("[]")))
    return types.Array(number, 1, "C") if name.endswith("[]") else number


def ptx_for_all(kernel: numba_cuda.Kernel, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[int, int], str]:
    """What a kernel is compiled to; Numba's own part, most of the work, is done once for all devices."""
    compiled: dict[tuple[int, int], str] = {}
    compile_one = CUDACodeLibrary.get_asm_str

    def compile_all(library: Any, cc: tuple[int, int]) -> str:
        compiled.update({capability: compile_one(library, cc=capability) for capability in CAPABILITIES})
        return compiled[cc]

    monkeypatch.setattr(CUDACodeLibrary, "get_asm_str", compile_all)
    cuda.compile_ptx(kernel.function.py_func, tuple(map(numba_type, kernel.arguments)), cc=CAPABILITIES[0])
    return compiled


def assembler_log(ptx: str, capability: tuple[int, int]) -> str:
    """What the assembler says that Numba gives the PTX to when it launches a kernel."""
    options = ["-arch=sm_{}{}".format(*capability), "-verbose", "-Xptxas=-v"]
    linker = nvjitlink.create(len(options), options)
    try:
        nvjitlink.add_data(linker, nvjitlink.InputType.PTX, ptx.encode(), len(ptx), "kernel.ptx")
        nvjitlink.complete(linker)
        log = bytearray(nvjitlink.get_info_log_size(linker))
        nvjitlink.get_info_log(linker, log)
        return bytes(log).decode()
    finally:
        nvjitlink.destroy(linker)


@pytest.fixture(scope="module")
def compiler() -> None:
    """Skips what needs Numba's compiler where that does not work with this NumPy."""
    try:
        check_numba_with_numpy()
    except BackendUnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("kernel", numba_cuda.every(), ids=lambda kernel: f"{kernel.name}, {kernel.arguments[-3]}")
def test_compiles_without_spills_for_every_device(kernel: numba_cuda.Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = THREADS[kernel.function.py_func.__name__.split("_")[0]]
    for capability, ptx in ptx_for_all(kernel, monkeypatch).items():
        assert ".target sm_{}{}".format(*capability) in ptx
        log = assembler_log(ptx, capability)
        assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in log, log
        used = re.search(r"Used (\d+) registers", log)
        assert used is not None
        assert int(used[1]) * threads <= geometry.REGISTERS


def test_kernels_are_told_from_each_other() -> None:
    kernels = numba_cuda.every()
    assert len({(kernel.function, kernel.arguments) for kernel in kernels}) == len(kernels)
    assert set(numba_cuda.MOTION) == set(geometry.NUMBA_GROUPS)


# ---- launches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel_format", geometry.NUMBA_GROUPS)
@pytest.mark.parametrize(("rows", "width"), INTERESTING)
@pytest.mark.parametrize("threads", [1, 16, geometry.NUMBA_THREADS])
def test_every_pixel_has_a_thread(pixel_format: str, rows: int, width: int, threads: int) -> None:
    launch = geometry.numba_motion(pixel_format, rows, width, 16, threads)
    each = geometry.NUMBA_GROUPS[pixel_format] * threads
    groups = rows * -(-width // 4)
    assert (launch.grid[0] - 1) * each < groups <= launch.grid[0] * each
    assert launch.shared == 16 * threads


def test_a_launch_of_most_pairs_fits_into_shared_memory() -> None:
    launch = geometry.numba_motion("gray8", 1, 1, geometry.NUMBA_PAIRS)
    assert launch.shared <= geometry.SHARED_STATIC
    assert geometry.NUMBA_PAIRS <= 255  # counts are bytes
    assert geometry.NUMBA_THREADS % 4 == 0  # and are added up four at a time
    assert max(geometry.NUMBA_GROUPS.values()) * 4 * geometry.NUMBA_THREADS < 1 << 16  # in 16 bits


@pytest.mark.parametrize(("height", "width"), INTERESTING[2:])
@pytest.mark.parametrize("threads", [1, 16, 2 * geometry.NUMBA_THREADS])
def test_tiles_of_a_blur_cover_the_image(height: int, width: int, threads: int) -> None:
    launch = geometry.numba_blur(height, width, threads)
    across, down = launch.block
    assert across * down <= threads
    assert launch.grid == (-(-width // across) * -(-height // (geometry.NUMBA_BLUR_ROWS * down)),)
    assert launch.shared <= geometry.SHARED_STATIC


def test_a_histogram_has_no_more_threads_than_it_may() -> None:
    device = geometry.Device(80, geometry.SHARED_STATIC, 100 << 10)
    assert geometry.numba_histogram(10**6, 100, device, 16) == geometry.Launch((160,), (16,), 400)
    assert geometry.numba_histogram(10**6, 100, device) == geometry.histogram(10**6, 100, device)


def test_a_copy_has_a_thread_for_every_element() -> None:
    assert geometry.numba_copy(257, 128) == geometry.Launch((3,), (128,))


# ---- arrays ----------------------------------------------------------------------------------------------------------


class OnHost(numba_arrays.DeviceArray):  # type: ignore[misc]
    """An array whose memory is NumPy's; what is made of it is noted."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.values, self.shape, self.strides, self.dtype = values, values.shape, values.strides, values.dtype

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"data": self.values.__array_interface__["data"]}


KEYS: list[Any] = [0, 2, -1, slice(None), slice(1, 3), slice(None, None, -1), slice(3, None, -2), None, Ellipsis]


@pytest.mark.parametrize(
    "base", [lambda a: a, lambda a: a[::-1, :, ::2], lambda a: a.T, lambda a: a[2:2], lambda a: a[:1]]
)
def test_views_are_those_of_numpy(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    values = base(np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6))

    def note(_owner: Any, begin: int, shape: Any, strides: Any, dtype: Any) -> Any:
        return begin, tuple(shape), tuple(strides), dtype

    monkeypatch.setattr(numba_arrays, "on_memory_of", note)
    array = OnHost(values)
    compared = 0
    for keys in [*((key,) for key in KEYS), *product(KEYS, repeat=2), *product(KEYS, repeat=3)]:
        if keys.count(Ellipsis) > 1:
            continue
        try:
            want = values[keys if Ellipsis in keys else (*keys, ...)]
        except IndexError:
            with pytest.raises(IndexError):
                array._view(keys)
            continue
        assert array._view(keys) == (want.__array_interface__["data"][0], want.shape, want.strides, want.dtype)
        compared += 1
    assert compared > 100
    turned = values.T
    got = array.T
    assert got == (turned.__array_interface__["data"][0], turned.shape, turned.strides, turned.dtype)


@pytest.mark.parametrize("key", [[0, 1], np.array([True, False]), "x", 1.0])
def test_what_is_no_view_is_refused(key: Any) -> None:
    with pytest.raises(TypeError, match="whole numbers and slices"):
        OnHost(np.zeros((2, 2)))[key]


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(BackendUnavailableError, match=r"^numba-cuda does not start on GPU 99 "), NUMBA_CUDA.started(99):
        NumbaCudaBackend(99)


def test_a_numpy_that_is_too_new_for_numba_cuda_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_name: str) -> Any:
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    monkeypatch.setattr(cuda_packages, "import_module", failing)
    with pytest.raises(BackendUnavailableError, match=r"row_stack.*pip install 'numpy<2\.5'$"):
        check_numba_with_numpy()
