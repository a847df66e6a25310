"""What Numba asks the NVIDIA driver for where the backend ``numba-cuda`` starts and adds points, where there is no GPU.

The driver is a library of the same name. It notes what it is asked for and computes nothing; memory of the device is
the host's. Numba compiles, loads and launches the kernels as it does on a GPU.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from gpuheat.backends.cuda_devices import driver
from gpuheat.backends.cuda_packages import check_numba_with_numpy
from gpuheat.errors import BackendUnavailableError

pytestmark = pytest.mark.once

LIBCUDA = r"""
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
typedef uintptr_t any; // a handle or an address
static any made = 0x1000, current = 0;
static int most_shared = 48 << 10;
template <typename... T> static void note(const char* text, T... numbers) {
    FILE* log = fopen(getenv("FAKE_LOG"), "a");
    fprintf(log, text, numbers...);
    fclose(log);
}
static int limit(const char* function, int attribute, int value) {
    note("%s %d = %d\n", function, attribute, value);
    if (getenv("FAKE_REFUSES"))
        return 1; // CUDA_ERROR_INVALID_VALUE
    most_shared = value;
    return 0;
}
static int launch(unsigned blocks, unsigned threads, int shared) {
    note("launch %u x %u, %d\n", blocks, threads, shared);
    return shared > most_shared;
}
extern "C" {
int cuDriverGetVersion(int* version) { *version = 13000; return 0; }
int cuInit(unsigned) { return 0; }
int cuGetErrorName(int, const char** name) { *name = nullptr; return 1; }
int cuDeviceGetCount(int* count) { *count = 1; return 0; }
int cuDeviceGet(int* device, int which) { *device = which; return 0; }
int cuDeviceGetName(char* name, int size, int) { snprintf(name, size, "a fake"); return 0; }
int cuDeviceGetUuid_v2(char* uuid, int) { memset(uuid, 1, 16); return 0; }
int cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = 1 << 30; return 0; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
    *value = attribute == 75 ? 9 : attribute == 76 ? 0 : attribute == 16 ? 132 : attribute == 97 ? 227 << 10
             : attribute == 81 ? 228 << 10 : 1;
    return 0;
}
int cuDevicePrimaryCtxRetain(any* context, int) { *context = 1; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxGetCurrent(any* context) { *context = current; return 0; }
int cuCtxSetCurrent(any context) { current = context; return 0; }
int cuCtxPushCurrent_v2(any context) { current = context; return 0; }
int cuCtxPopCurrent_v2(any* context) { *context = current; return 0; }
int cuCtxGetDevice_v2(int* device, any) { *device = 0; return 0; }
int cuMemGetInfo_v2(size_t* there, size_t* total) { *there = *total = 1 << 30; return 0; }
int cuMemAlloc_v2(void** memory, size_t bytes) { *memory = calloc(bytes, 1); return 0; }
int cuMemFree_v2(void*) { return 0; }
int cuMemHostAlloc(void** memory, size_t bytes, unsigned) { *memory = calloc(bytes, 1); return 0; }
int cuMemFreeHost(void*) { return 0; }
int cuMemcpyHtoDAsync_v2(void* to, void* from, size_t bytes, any) { memcpy(to, from, bytes); return 0; }
int cuMemcpyDtoDAsync_v2(void* to, void* from, size_t bytes, any) { memcpy(to, from, bytes); return 0; }
int cuMemsetD8Async(void* to, unsigned char value, size_t bytes, any) { memset(to, value, bytes); return 0; }
int cuPointerGetAttribute(any* value, int attribute, any pointer) {
    if (attribute == 9) // the number of the device
        *reinterpret_cast<int*>(value) = 0;
    else
        *value = pointer;
    return 0;
}
int cuStreamCreate(any* stream, unsigned) { *stream = made++; return 0; }
int cuStreamSynchronize(any) { return 0; }
int cuStreamWaitEvent(any, any, unsigned) { return 0; }
int cuEventCreate(any* event, unsigned) { *event = made++; return 0; }
int cuEventRecord(any, any) { return 0; }
int cuEventSynchronize(any) { return 0; }
int cuEventDestroy_v2(any) { return 0; }
int cuModuleLoadDataEx(any* module, void*, unsigned, void*, void*) { *module = made++; return 0; }
int cuModuleUnload(any) { return 0; }
int cuModuleGetFunction(any* function, any, char*) { *function = made++; return 0; }
int cuFuncGetAttribute(int* value, int, any) { *value = 1; return 0; }
int cuFuncSetAttribute(any, int attribute, int value) { return limit("cuFuncSetAttribute", attribute, value); }
int cuLaunchKernel(any, unsigned blocks, unsigned, unsigned, unsigned threads, unsigned, unsigned, unsigned shared) {
    return launch(blocks, threads, shared);
}
int cuLibraryLoadData(any* library, void*, void*, void*, unsigned, void*, void*, unsigned) {
    *library = made++;
    return 0;
}
int cuLibraryUnload(any) { return 0; }
int cuLibraryGetKernel(any* kernel, any, char*) { *kernel = made++; return 0; }
int cuKernelGetAttribute(int* value, int, any, int) { *value = 1; return 0; }
int cuKernelSetAttribute(int attribute, int value, any, int) { return limit("cuKernelSetAttribute", attribute, value); }
int cuLaunchKernelEx(unsigned* how, any, void*, void*) { return launch(how[0], how[3], how[6]); }
int cuGetProcAddress_v2(const char* name, void** function, int, uint64_t, int* status) {
    char newer[256];
    snprintf(newer, sizeof newer, "%s_v2", name);
    void* self = dlopen("libcuda.so.1", RTLD_NOW);
    *function = dlsym(self, newer);
    if (!*function)
        *function = dlsym(self, name);
    if (status)
        *status = !*function;
    return 0;
}
}
"""

ADD = """
import numpy as np
from gpuheat.backends.numba_cuda import NumbaCudaBackend
from gpuheat.grid import BinGrid
backend = NumbaCudaBackend()
x = backend.zeros((10**6,), np.float32)
for nx, ny in [(100, 100), (300, 169), (300, 169), (200, 200), (240, 240), (300, 225)]:
    backend.add_points(backend.zeros((ny, nx), np.uint64), BinGrid(nx, ny, 1920.0, 1080.0), x, x)
"""


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the driver."""
    with suppress(BackendUnavailableError):
        driver()
        pytest.skip("there is a driver here, which nothing hides")
    try:
        check_numba_with_numpy()
    except BackendUnavailableError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("driver")
    (folder / "libcuda.cpp").write_text(LIBCUDA)
    subprocess.run(["g++", "-shared", "-fPIC", "-o", folder / "libcuda.so.1", folder / "libcuda.cpp"], check=True)
    return folder


def add(fake: Path, **environment: str) -> tuple[str, list[str]]:
    """Add points to histograms of several sizes: what Python complains of, and what the driver was asked for."""
    log = fake / "log"
    log.unlink(missing_ok=True)
    own = {"LD_LIBRARY_PATH": str(fake), "FAKE_LOG": str(log), "NUMBA_CACHE_DIR": str(fake), **environment}
    command = [sys.executable, "-c", ADD]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
    return done.stderr, log.read_text().splitlines()


def test_bins_are_private_up_to_what_the_device_allows(fake: Path) -> None:
    for _ in ("compiled", "found compiled"):
        said, asked = add(fake)
        assert "Error" not in said
        name = next(line.split()[0] for line in asked if "Attribute" in line)
        assert name in ("cuKernelSetAttribute", "cuFuncSetAttribute")
        assert asked == [
            "launch 100 x 1024, 40000",
            f"{name} 8 = 202800",
            "launch 19 x 1024, 202800",
            "launch 19 x 1024, 202800",
            "launch 25 x 1024, 160000",
            f"{name} 8 = 230400",
            "launch 17 x 1024, 230400",
            "launch 977 x 256, 0",
        ]


def test_a_driver_that_refuses_shared_memory_is_told(fake: Path) -> None:
    said, asked = add(fake, FAKE_REFUSES="1")
    assert "BackendError: the NVIDIA driver refuses 202,800 bytes of shared memory for a block (cu" in said
    assert "SetAttribute: error 1)" in said
    assert asked[-1].endswith("SetAttribute 8 = 202800")
