"""CuPy on the CPU: streams show a missing wait, memory runs out, and names are CuPy's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_on_cpu.host_cupy import CUDARuntimeError, HostArray, HostCupy, OutOfMemoryError

ADD = 'extern "C" __global__ void add(const int* x, int* y) { y[threadIdx.x] += x[threadIdx.x]; }'


def staged_sum(cupy: HostCupy, *, upload_waits: bool, compute_waits: bool, host_waits: bool) -> int:
    """Add 1, 2, 3, 4 through one pinned and one device buffer, with some of the waits it takes."""
    upload, compute = cupy.cuda.Stream(non_blocking=True), cupy.cuda.Stream(non_blocking=True)
    pinned = cupy.cuda.alloc_pinned_memory(4 * 32)
    host = np.frombuffer(pinned, np.int32, 32)
    copied, used = cupy.cuda.Event(disable_timing=True), cupy.cuda.Event(disable_timing=True)
    add = cupy.RawModule(code=ADD).get_function("add")
    staging = cupy.empty(32, np.int32)
    with compute:
        total = cupy.zeros(32, np.int32)
    for value in (1, 2, 3, 4):
        if host_waits:
            copied.synchronize()
        host[:] = value
        if upload_waits:
            upload.wait_event(used)
        kind = cupy.cuda.runtime.memcpyHostToDevice
        cupy.cuda.runtime.memcpyAsync(staging.data.ptr, pinned.ptr, staging.nbytes, kind, upload.ptr)
        copied.record(upload)
        if compute_waits:
            compute.wait_event(copied)
        with compute:
            add((1,), (32,), (staging, total))
        compute.record(used)
    result: int = total[0].get(compute).item()
    return result


@pytest.mark.parametrize("order", ["needed", "others", "random"])
def test_all_waits_in_place_are_right_in_every_order(order: Any) -> None:
    for seed in range(5):
        cupy = HostCupy(order=order, seed=seed)
        assert staged_sum(cupy, upload_waits=True, compute_waits=True, host_waits=True) == 10


@pytest.mark.parametrize("missing", ["upload_waits", "compute_waits", "host_waits"])
def test_a_missing_wait_shows(missing: str) -> None:
    waits = {name: name != missing for name in ("upload_waits", "compute_waits", "host_waits")}
    assert any(staged_sum(HostCupy(order=order), **waits) != 10 for order in ("needed", "others"))
    assert any(staged_sum(HostCupy(seed=seed), **waits) != 10 for seed in range(5))


def test_nothing_runs_before_it_is_waited_for() -> None:
    cupy = HostCupy()
    pinned = cupy.cuda.alloc_pinned_memory(8)
    host = np.frombuffer(pinned, np.uint8, 8)
    host[:] = 1
    stream = cupy.cuda.Stream()
    with stream:
        array = cupy.zeros(8, np.uint8)
        array.data.memset_async(7, 8)
        cupy.cuda.runtime.memcpyAsync(
            pinned.ptr, array.data.ptr, 8, cupy.cuda.runtime.memcpyDeviceToHost, cupy.cuda.get_current_stream().ptr
        )
    event = stream.record()
    assert set(host.tolist()) == {1}
    event.synchronize()
    assert event.done
    assert set(host.tolist()) == {7}


def test_asking_whether_it_is_done_gets_there_in_the_end() -> None:
    cupy = HostCupy()
    array = cupy.zeros(4, np.uint8)
    event = cupy.cuda.Event()
    event.record()
    assert any(event.done for _ in range(10))
    assert array.tolist() == [0] * 4


def test_the_null_stream_waits_for_blocking_streams_and_they_for_it() -> None:
    for blocking in (True, False):
        cupy = HostCupy(order="needed")
        stream = cupy.cuda.Stream(non_blocking=not blocking)
        array = cupy.zeros(1, np.uint8)
        with stream:
            array.data.memset_async(9, 1)
        assert array.item() == (9 if blocking else 0)


def test_memory_is_limited_and_freed_memory_is_handed_out_again_at_once() -> None:
    cupy = HostCupy(memory=10_000)
    first = cupy.zeros(6000, np.uint8)
    with pytest.raises(OutOfMemoryError, match="5000"):
        cupy.empty(5000, np.uint8)
    with pytest.raises(cupy.cuda.memory.OutOfMemoryError):
        first.copy()
    assert cupy.cuda.Device().mem_info == (4000, 10_000)
    ptr = first.data.ptr
    view = first[10:]
    del first
    assert cupy.get_default_memory_pool().free_bytes() == 0
    del view
    assert cupy.get_default_memory_pool().free_bytes() == 6000
    with cupy.cuda.Stream():
        assert cupy.empty(2000, np.uint8).data.ptr != ptr
    assert cupy.empty(6000, np.uint8).data.ptr == ptr
    assert cupy.empty(10_000, np.uint8).nbytes == 10_000  # the pool gives back what it kept
    assert cupy.empty(0).data.ptr == 0


def test_copies_to_memory_that_is_not_the_devices_are_refused() -> None:
    cupy = HostCupy()
    array, host = cupy.zeros(8, np.uint8), np.arange(16, dtype=np.uint8)
    memcpy, kind = cupy.cuda.runtime.memcpyAsync, cupy.cuda.runtime.memcpyHostToDevice
    with pytest.raises(CUDARuntimeError):
        memcpy(array.data.ptr, host.ctypes.data, 9, kind, 0)
    with pytest.raises(CUDARuntimeError):
        array.data.memset_async(0, 9)
    memcpy(array.data.ptr, host.ctypes.data, 8, kind, 0)
    host[:] = 0  # pageable memory was read at once
    assert array.tolist() == list(range(8))


def test_device_arrays_do_not_become_host_arrays_unasked() -> None:
    cupy = HostCupy()
    array, host = cupy.zeros(3), np.zeros(3)
    assert isinstance(array, cupy.ndarray)
    assert not isinstance(array, np.ndarray)
    for mix in (lambda: np.asarray(array), lambda: host + array, lambda: np.add(host, array), lambda: np.sum(array)):
        with pytest.raises(TypeError):
            mix()
    with pytest.raises(TypeError):
        array[...] = host
    with pytest.raises(ValueError, match="dtype"):
        cupy.asarray(host.astype(">f8"))


def test_arrays_behave_like_arrays() -> None:
    cupy = HostCupy(devices=2)
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    array = cupy.asarray(values)
    assert cupy.asarray(array) is array
    indices: list[Any] = [np.s_[1], np.s_[1:, ::2], np.s_[None], np.s_[..., 0], np.s_[2, 3]]
    for index in indices:
        np.testing.assert_array_equal(array[index].get(), values[index])
    np.testing.assert_array_equal(cupy.ascontiguousarray(array.T).get(), values.T)
    np.testing.assert_array_equal(array[:, ::2].reshape(-1).get(), values[:, ::2].reshape(-1))
    assert array[1:].data.ptr == array.data.ptr + 24
    assert cupy.ascontiguousarray(array.T).flags.c_contiguous
    array[1:3, 2] = 5
    array[0] = array[3]
    values[1:3, 2], values[0] = 5, values[3]
    np.testing.assert_array_equal(cupy.asnumpy(array), values)
    out = np.empty_like(values)
    assert array.get(out=out) is out
    array.set(2 * values)
    np.testing.assert_array_equal(array.astype(np.int32).get(), (2 * values).astype(np.int32))


class Foreign:
    """Another library's device array."""

    def __init__(self, array: HostArray) -> None:
        self.array = array

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self.array.__cuda_array_interface__

    def __dlpack__(self, **_: Any) -> Any:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


def test_foreign_device_arrays_are_adopted_without_a_copy() -> None:
    cupy = HostCupy()
    array = cupy.zeros((3, 4), np.int32)[:, 1:]
    for adopted in (cupy.asarray(Foreign(array)), cupy.from_dlpack(Foreign(array))):
        assert (adopted.data.ptr, adopted.shape, adopted.strides) == (array.data.ptr, array.shape, array.strides)
    with pytest.raises(BufferError):
        cupy.from_dlpack(np.zeros(3))


def test_devices_have_their_own_memory_and_streams() -> None:
    cupy = HostCupy(devices=2, memory=1000)
    add = cupy.RawKernel(ADD, "add")
    with cupy.cuda.Device(1) as device:
        array = cupy.zeros(100, np.int32)
        assert (array.device.id, device.mem_info[0]) == (1, 600)
        add((1,), (32,), (array, array))
    assert cupy.cuda.Device(0).mem_info[0] == 1000
    with pytest.raises(CUDARuntimeError, match="another device"):
        add((1,), (32,), (array, array))
    with pytest.raises(CUDARuntimeError):
        cupy.cuda.Device(2)
    assert cupy.cuda.runtime.getDeviceCount() == 2
    assert cupy.cuda.runtime.getDeviceProperties(0)["name"] == b"Host CPU"


def test_what_it_imitates_is_in_cupy() -> None:
    real: Any = pytest.importorskip("cupy")
    imitation = HostCupy()
    for kind, names in {
        "": [name for name in vars(imitation) if not name.startswith("_")],
        "cuda": vars(imitation.cuda),
        "cuda.runtime": vars(imitation.cuda.runtime),
        "cuda.nvrtc": vars(imitation.cuda.nvrtc),
        "cuda.memory": vars(imitation.cuda.memory),
        "cuda.Device": dir(imitation.cuda.Device),
        "cuda.Stream": dir(imitation.cuda.Stream),
        "cuda.Event": dir(imitation.cuda.Event),
        "cuda.MemoryPointer": dir(imitation.cuda.MemoryPointer),
        "ndarray": dir(HostArray),
        "RawKernel": dir(imitation.RawKernel),
        "RawModule": dir(imitation.RawModule),
    }.items():
        owner = real
        for part in filter(None, kind.split(".")):
            owner = getattr(owner, part)
        settings = {"devices", "memory", "shared_memory_optin", "multiprocessors", "compute_capability"}
        own = settings | {"cupy", "queues", "device_id"}  # of the imitation alone
        missing = [name for name in names if not name.startswith("_") and name not in own and not hasattr(owner, name)]
        assert not missing, kind
    values = {
        name: getattr(real.cuda.runtime, name) for name in vars(imitation.cuda.runtime) if name.startswith("memcpyH")
    }
    assert values == {"memcpyHostToDevice": imitation.cuda.runtime.memcpyHostToDevice}
