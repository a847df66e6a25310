"""The Numba kernels compile for every device they are meant for; arrays on a GPU are viewed as NumPy's are."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from itertools import product
from types import SimpleNamespace
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
from gpuheat.errors import BackendError, BackendUnavailableError
from gpuheat.kernels import geometry, numba_cuda

pytestmark = pytest.mark.once

CAPABILITIES = [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)]
THREADS = {"motion": geometry.NUMBA_THREADS, "histogram": 1024, "blur": 2 * geometry.NUMBA_THREADS, "copy": 128}
INTERESTING = [(1, 1), (1, 2_000_000_000), (1080, 1920), (1080, 1917), (7, 3)]
PLANAR = {"st 16": 8, "vabsdiff4": 24, "dp2a.lo": 64, "dp2a.hi": 64, "cvt.pack": 48}
INSTRUCTIONS: dict[str, dict[str, int]] = {  # at least so many: frames before the loop and in it, and the counts
    "motion_gray8": {"ld 16": 7 + 4, "st 16": 4, "vabsdiff4": 12},
    "motion_bgr24": {"ld 16": 9 + 4, "st 16": 4, "vabsdiff4": 12, "prmt": 12, "dp2a.lo": 16, "dp2a.hi": 16},
    "motion_yuv420p": {"ld 16": 6 + 8, "ld 8": 6, "prmt": 28, **PLANAR},
    "motion_nv12": {"ld 16": 9 + 8, "prmt": 24, **PLANAR},
}
PTX = {
    "ld 16": r"ld\.global\.v4\.[ub]32",
    "ld 8": r"ld\.global\.v2\.[ub]32",
    "st 16": r"st\.global\.v4\.[ub]32",
    "vabsdiff4": r"vabsdiff4\.u32\.u32\.u32",
    "prmt": r"prmt\.b32",
    "dp2a.lo": r"dp2a\.lo\.s32\.u32",
    "dp2a.hi": r"dp2a\.hi\.s32\.u32",
    "cvt.pack": r"cvt\.pack\.sat\.u8\.s32\.b32",
}


def numba_type(name: Any) -> Any:
    if isinstance(name, tuple):
        return types.BaseTuple.from_types(tuple(map(numba_type, name)))  # type: ignore[no-untyped-call]
    number: Any = numpy_support.from_dtype(np.dtype(name.removesuffix("[]")))
    return types.Array(number, 1, "C") if name.endswith("[]") else number


def ptx_for_all(kernel: numba_cuda.Kernel, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[int, int], str]:
    """What a kernel is compiled to; Numba's own part, most of the work, is done once for all devices."""
    compiled: dict[tuple[int, int], str] = {}
    asked = "get_asm_strs" if hasattr(CUDACodeLibrary, "get_asm_strs") else "get_asm_str"  # as Numba's version has it
    compile_one = getattr(CUDACodeLibrary, asked)

    def compile_all(library: Any, cc: tuple[int, int]) -> Any:
        for capability in CAPABILITIES:
            ptx = compile_one(library, cc=capability)
            compiled[capability] = ptx if isinstance(ptx, str) else "\n".join(ptx)
        return compile_one(library, cc=cc)

    monkeypatch.setattr(CUDACodeLibrary, asked, compile_all)
    bounds = kernel.function.targetoptions.get("launch_bounds")
    types_ = tuple(map(numba_type, kernel.arguments))
    cuda.compile_ptx(kernel.function.py_func, types_, cc=CAPABILITIES[0], launch_bounds=bounds)
    assert list(compiled) == CAPABILITIES
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
@pytest.mark.parametrize(
    "kernel", numba_cuda.every(), ids=lambda kernel: f"{kernel.name}, {', '.join(set(kernel.arguments[7:8]))}"
)
def test_compiles_without_spills_for_every_device(kernel: numba_cuda.Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """And frames are loaded and compared many bytes at a time."""
    name = kernel.function.py_func.__name__
    threads = THREADS[name.split("_")[0]]
    for capability, ptx in ptx_for_all(kernel, monkeypatch).items():
        assert ".target sm_{}{}".format(*capability) in ptx
        log = assembler_log(ptx, capability)
        assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in log, log
        used = re.search(r"Used (\d+) registers", log)
        assert used is not None
        assert int(used[1]) * threads <= geometry.REGISTERS
        for instruction, least in INSTRUCTIONS.get(name, {}).items():
            assert len(re.findall(PTX[instruction], ptx)) >= least, instruction


@pytest.mark.usefixtures("compiler")
def test_points_are_added_up_in_registers_and_in_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for ptx in ptx_for_all(numba_cuda.HISTOGRAM["float32", "float32"], monkeypatch).values():
        assert "match.any.sync" in ptx
        assert re.search(r"atom\S*\.shared\S*\.add\.u32", ptx)
        assert re.search(r"atom\S*\.global\S*\.add\.u64", ptx)
        assert re.findall(r"\.shared \.align \d+ \.b8 \w+\[(\d*)\]", ptx) == [""]  # the bins, and nothing beside them


def test_kernels_are_told_from_each_other() -> None:
    kernels = numba_cuda.every()
    assert len({(kernel.function, kernel.arguments) for kernel in kernels}) == len(kernels)
    assert len({kernel.function for kernel in numba_cuda.MOTION.values()}) == len(numba_cuda.MOTION)


# ---- launches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "width"), INTERESTING)
@pytest.mark.parametrize("threads", [1, 16, geometry.NUMBA_THREADS])
def test_every_pixel_has_a_thread(rows: int, width: int, threads: int) -> None:
    launch = geometry.numba_motion(rows, width, 16, threads)
    groups = rows * -(-width // 16)
    assert (launch.grid[0] - 1) * threads < groups <= launch.grid[0] * threads
    assert launch.shared == 16 * threads


def test_a_launch_of_most_pairs_fits_into_shared_memory() -> None:
    launch = geometry.numba_motion(1, 1, geometry.NUMBA_PAIRS)
    assert launch.shared <= geometry.SHARED_STATIC
    assert geometry.NUMBA_PAIRS <= 255  # counts are bytes
    assert geometry.NUMBA_THREADS % 4 == 0  # and are added up four at a time
    assert 2 * geometry.MOTION_PIXELS <= 255  # moved pixels of a thread


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


def test_a_usual_histogram_has_private_bins_where_the_device_allows_it() -> None:
    large, small = geometry.Device(132, 227 << 10, 228 << 10), geometry.Device(68, 99 << 10, 100 << 10)
    bins = 300 * 169
    assert geometry.numba_histogram(10**8, bins, large) == geometry.Launch((132,), (1024,), 4 * bins)
    assert geometry.numba_histogram(10**8, bins, small).shared == 0
    assert geometry.numba_histogram(bins - 1, bins, large).shared == 0


class Driver:
    """The driver's library, where it takes the limit of a kernel; what it is asked for is noted."""

    def __init__(self, answer: int) -> None:
        self.answer = answer
        self.asked: list[tuple[Any, ...]] = []

    def note(self, *arguments: Any) -> int:
        self.asked.append(tuple(each.value if isinstance(each, ctypes.c_void_p) else each for each in arguments))
        return self.answer

    cuFuncSetAttribute = cuKernelSetAttribute = note  # noqa: N815


class Handle:
    """As cuda.bindings has it."""

    def __int__(self) -> int:
        return 0xF00


ARGUMENTS = ("float32",)
Asked = Callable[[int], tuple[int, ...]]
LOADED: dict[str, tuple[dict[str, Any], Asked]] = {  # of a compiled kernel, and what the driver is to be asked for
    "CUkernel": ({"handle": Handle(), "kernel": object()}, lambda shared: (8, shared, 0xF00, 1)),
    "CUfunction": ({"handle": Handle()}, lambda shared: (0xF00, 8, shared)),
}


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Launches a kernel with so much shared memory where ``loaded`` is what Numba has compiled; how it was launched."""

    class Dispatcher:
        def __init__(self, loaded: Any) -> None:
            self.loaded = loaded
            self.started: list[Any] = []

        def typeof_pyval(self, value: Any) -> str:
            return str(value.dtype)

        def compile(self, signature: tuple[str, ...]) -> Any:
            assert signature == tuple(name.removesuffix("[]") for name in ARGUMENTS)
            return SimpleNamespace(library=SimpleNamespace(get_cufunc=lambda: SimpleNamespace(**self.loaded)))

        def __getitem__(self, configuration: Any) -> Any:
            return lambda *_arguments: self.started.append(configuration)

    def start(driver: Driver, loaded: Any, *sizes: int) -> list[Any]:
        dispatcher = Dispatcher(loaded)
        kernel = numba_cuda.Kernel(dispatcher, ARGUMENTS)
        monkeypatch.setattr(ctypes, "CDLL", lambda name: {"libcuda.so.1": driver}[name])
        monkeypatch.setattr(cuda, "get_current_device", lambda: SimpleNamespace(id=1))
        for shared in sizes:
            numba_arrays.launch(kernel, geometry.Launch((1,), (32,), shared), 1.0)
        return dispatcher.started

    return start


@pytest.mark.parametrize("loaded", LOADED)
def test_the_driver_is_asked_for_much_shared_memory_once(launches: Callable[..., list[Any]], loaded: str) -> None:
    driver, (compiled, asked) = Driver(0), LOADED[loaded]
    started = launches(driver, compiled, 0, 49_152, 49_156, 60_000, 60_000, 50_000, 202_800)
    assert driver.asked == [asked(49_156), asked(60_000), asked(202_800)]
    assert [configuration[3] for configuration in started] == [0, 49_152, 49_156, 60_000, 60_000, 50_000, 202_800]


@pytest.mark.parametrize("loaded", LOADED)
def test_shared_memory_that_the_driver_refuses_is_told(launches: Callable[..., list[Any]], loaded: str) -> None:
    name = "cuKernelSetAttribute" if loaded == "CUkernel" else "cuFuncSetAttribute"
    with pytest.raises(BackendError, match=rf"refuses 300,000 bytes of shared memory .*\({name}: error 1\)$"):
        launches(Driver(1), LOADED[loaded][0], 300_000)


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
