"""The part of CuPy that a backend calls, on the memory of this machine, with streams that run late.

Nothing asked of a stream is done until somebody waits for it: a copy, a fill, a launch stands in a queue. Then
the queues run in an order as unkind as events and streams allow, so that a wait that is missing shows as a wrong
result. Memory that is freed goes at once to the next allocation of that size on the same stream, as from CuPy's pool.

Device arrays are no ``numpy.ndarray`` and refuse to become one unasked, as in CuPy.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from cuda_on_cpu import loader
from cuda_on_cpu.host_array import HostArray, MemoryPointer
from cuda_on_cpu.memory import OutOfMemoryError, Pool, pinned_view
from cuda_on_cpu.streams import Order, Queues

__all__ = ["CUDARuntimeError", "HostArray", "HostCupy", "OutOfMemoryError"]


class CUDARuntimeError(RuntimeError):
    """``cupy.cuda.runtime.CUDARuntimeError``."""

    status = 999  # cudaErrorUnknown


class Device:
    """``cupy.cuda.Device``."""

    cupy: HostCupy  # of the class made for each HostCupy

    def __init__(self, device: Any = None) -> None:
        self.id = self.cupy._queues.current_device if device is None else int(device)
        if not 0 <= self.id < self.cupy.devices:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        self.cupy._queues.device_stack.append(self.id)
        return self

    def __exit__(self, *_: object) -> None:
        self.cupy._queues.device_stack.pop()

    def use(self) -> None:
        """Make it the current device."""
        self.cupy._queues.device_stack[-1] = self.id

    def synchronize(self) -> None:
        """Wait for everything asked of it."""
        self.cupy._queues.run_device(self.id)

    @property
    def mem_info(self) -> tuple[int, int]:
        """Free and total bytes; what the pool keeps is not free."""
        return self.cupy.memory - self.cupy._pools[self.id].total_bytes(), self.cupy.memory

    @property
    def compute_capability(self) -> str:
        """Without a dot."""
        return self.cupy.compute_capability

    @property
    def attributes(self) -> dict[str, int]:
        """Some of the device's attributes."""
        return {
            "MultiProcessorCount": self.cupy.multiprocessors,
            "MaxSharedMemoryPerBlock": loader.DEFAULT_SHARED_BYTES,
            "MaxSharedMemoryPerBlockOptin": self.cupy.shared_memory_optin,
            "MaxSharedMemoryPerMultiprocessor": self.cupy.shared_memory_optin + 1024,
            "MaxThreadsPerBlock": loader.MAX_THREADS,
            "MaxThreadsPerMultiProcessor": 2048,
            "WarpSize": 32,
        }


class RawKernel:
    """``cupy.RawKernel``: compiled when first used, on every device anew."""

    cupy: HostCupy  # of the class made for each HostCupy

    def __init__(self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc") -> None:
        if backend != "nvrtc":
            raise ValueError(f"backend {backend!r}: nvrtc only")
        self.code, self.name, self.options = code, name, options
        self._kernels: dict[int, loader.Kernel] = {}

    def compile(self) -> None:
        """Compile it for the current device."""
        self._kernel()

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        """Of the current device's kernel."""
        return self._kernel().max_dynamic_shared_size_bytes

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        self._kernel().max_dynamic_shared_size_bytes = size

    @property
    def shared_size_bytes(self) -> int:
        """Static shared memory."""
        return self._kernel().shared_size_bytes

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], *, shared_mem: int = 0
    ) -> None:
        self._kernel()(grid, block, args, shared_mem=shared_mem)

    def _kernel(self) -> loader.Kernel:
        device = self.cupy._queues.current_device
        if device not in self._kernels:
            self._kernels[device] = loader.load(
                self.code,
                self.name,
                self.options,
                architecture=int(self.cupy.compute_capability),
                submit=self.cupy._submit,
                shared_memory_optin=self.cupy.shared_memory_optin,
            )
        return self._kernels[device]


class RawModule:
    """``cupy.RawModule``."""

    cupy: HostCupy  # of the class made for each HostCupy

    def __init__(self, code: str, *, options: tuple[str, ...] = (), backend: str = "nvrtc") -> None:
        self.code, self.options, self.backend = code, options, backend

    def compile(self) -> None:
        """Without effect: kernels are compiled one by one."""

    def get_function(self, name: str) -> RawKernel:
        """A kernel of it."""
        kernel: RawKernel = self.cupy.RawKernel(self.code, name, self.options, self.backend)
        return kernel


class HostCupy:
    """Stands for the module ``cupy``.

    Parameters
    ----------
    devices
        How many.
    memory
        Bytes of each.
    shared_memory_optin, multiprocessors, compute_capability
        Attributes of each.
    order
        What runs when something is waited for: ``"needed"`` only that which it depends on, ``"others"`` all else
        that may run comes first, ``"random"`` one or the other or a mixture each time.
    seed
        Of chance.
    """

    ndarray = HostArray

    def __init__(
        self,
        devices: int = 1,
        memory: int = 2**40,
        shared_memory_optin: int = 232448,
        multiprocessors: int = 4,
        compute_capability: str = "90",
        *,
        order: Order = "random",
        seed: int = 0,
    ) -> None:
        self.devices = devices
        self.memory = memory
        self.shared_memory_optin = shared_memory_optin
        self.multiprocessors = multiprocessors
        self.compute_capability = compute_capability
        self._queues = Queues(devices, order, seed)
        self._pools = [Pool() for _ in range(devices)]
        self._pinned = Pool()
        self._lock = threading.RLock()
        self.RawKernel = type("RawKernel", (RawKernel,), {"cupy": self})
        self.RawModule = type("RawModule", (RawModule,), {"cupy": self})
        self.cuda = SimpleNamespace(
            Device=type("Device", (Device,), {"cupy": self}),
            Stream=self._queues.stream_type,
            Event=self._queues.event_type,
            MemoryPointer=MemoryPointer,
            get_current_stream=self._queues.current_stream,
            alloc_pinned_memory=self._alloc_pinned_memory,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
            runtime=SimpleNamespace(
                runtimeGetVersion=lambda: 13000,
                CUDARuntimeError=CUDARuntimeError,
                getDeviceCount=lambda: self.devices,
                getDeviceProperties=self._properties,
                memcpyAsync=self._memcpy_async,
                memcpyHostToDevice=1,
                memcpyDeviceToHost=2,
                memcpyDeviceToDevice=3,
            ),
        )

    def get_default_memory_pool(self) -> Pool:
        """The pool of the current device."""
        return self._pools[self._queues.current_device]

    def empty(self, shape: Any, dtype: Any = float, order: str = "C") -> HostArray:
        """A new array of garbage."""
        dtype = np.dtype(dtype)
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        nbytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
        memory = self._allocate(nbytes) if nbytes else bytearray()
        values = np.ndarray(shape, dtype, buffer=memory, order="F" if order == "F" else "C")
        return HostArray(values, self, self._queues.current_device)

    def zeros(self, shape: Any, dtype: Any = float, order: str = "C") -> HostArray:
        """A new array of zeros, on the current stream."""
        array = self.empty(shape, dtype, order)
        array.fill(0)
        return array

    def asarray(
        self, a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False
    ) -> HostArray:
        """A device array: the same, or of the same memory, or a copy of what lies on the host."""
        if hasattr(a, "__cuda_array_interface__"):
            array = a if isinstance(a, HostArray) else self._adopt(a)
            wanted = array.dtype if dtype is None else np.dtype(dtype)
            fits = {"C": array.flags.c_contiguous, "F": array.flags.f_contiguous}.get(order, True)
            return (
                array if array.dtype == wanted and fits and not copy else self._device_copy(array, wanted, order or "K")
            )
        values = np.asarray(a, dtype)
        if values.dtype.kind not in "biufc" or not values.dtype.isnative:
            raise ValueError(f"Unsupported dtype {values.dtype}")
        fortran = order == "F" or (
            order in (None, "K", "A") and values.flags.f_contiguous and not values.flags.c_contiguous
        )
        array = self.empty(values.shape, values.dtype, "F" if fortran else "C")
        array.set(values)
        if blocking:
            self.cuda.get_current_stream().synchronize()
        return array

    def ascontiguousarray(self, a: Any, dtype: Any = None) -> HostArray:
        """The same if its rows lie one behind the other, else a copy."""
        array = self.asarray(a, dtype, "C")
        return array if array.ndim else array.reshape(1)

    def asnumpy(self, a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> Any:
        """A copy on the host. Waits for the stream."""
        if isinstance(a, HostArray):
            return a.get(stream, order, out, blocking)
        return np.asarray(a, order=order)  # type: ignore[call-overload]

    def from_dlpack(self, array: Any, *, copy: Any = None) -> HostArray:
        """The same memory, for what lies on a device; a capsule orders no streams."""
        if not hasattr(array, "__dlpack_device__"):
            values = np.from_dlpack(_OnHost(array))
            ptr = values.__array_interface__["data"][0]
            (device_id,) = (number for number, pool in enumerate(self._pools) if pool.holds(ptr, values.nbytes))
            return HostArray(values, self, device_id)
        kind, device_id = array.__dlpack_device__()
        if kind != 2:
            raise BufferError(f"DLPack device {kind}, not CUDA")
        capsule = array.__dlpack__(stream=self.cuda.get_current_stream().ptr or 1)
        adopted = HostArray(np.from_dlpack(_OnHost(capsule)), self, device_id)
        return adopted.copy() if copy else adopted

    def _allocate(self, nbytes: int) -> Any:
        pool, stream = self.get_default_memory_pool(), self.cuda.get_current_stream().ptr
        with self._lock:
            if pool.kept(nbytes, stream) is None and pool.total_bytes() + nbytes > self.memory:
                self._queues.run_device(self._queues.current_device)  # the driver waits before it takes memory back
                pool.free.clear()
                if (used := pool.total_bytes()) + nbytes > self.memory:
                    raise OutOfMemoryError(f"Out of memory allocating {nbytes} bytes (allocated so far: {used} bytes).")
            return pool.allocate(nbytes, stream)

    def _alloc_pinned_memory(self, size: int) -> Any:
        """A buffer with ``ptr``; its size is rounded up to a power of two, of 512 at least, as CuPy's pool does."""
        memory = self._pinned.allocate(max(512, 1 << (size - 1).bit_length()) if size else 0)
        return pinned_view(memory)

    def _adopt(self, owner: Any) -> HostArray:
        described = owner.__cuda_array_interface__
        holder = SimpleNamespace(__array_interface__={**described, "version": 3}, owner=owner)
        return HostArray(np.asarray(holder), self, self._queues.current_device)

    def _device_copy(self, array: HostArray, dtype: np.dtype[Any], order: str) -> HostArray:
        fortran = order == "F" or (order in "KA" and array.flags.f_contiguous and not array.flags.c_contiguous)
        made = self.empty(array.shape, dtype, "F" if fortran else "C")
        made[...] = array
        return made

    def _operand(self, value: Any) -> Any:
        if isinstance(value, HostArray):
            return value._values
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        return value

    def _without_owner(self, values: Any) -> Any:
        """A view that does not keep a device's memory from being given back: what is queued has its address alone."""
        interface = getattr(values, "__array_interface__", None)
        if interface is None or not any(pool.holds(interface["data"][0], 1) for pool in self._pools):
            return values
        return np.asarray(SimpleNamespace(__array_interface__=interface))

    def _enqueue(self, work: Any, stream: Any = None) -> Any:
        return self._queues.enqueue(work, stream)

    def _submit(self, launch: Any, args: Sequence[Any]) -> None:
        device = self._queues.current_device
        arrays = [value for value in args if isinstance(value, HostArray)]
        if any(array._device_id != device for array in arrays):
            raise CUDARuntimeError(
                f"cudaErrorIllegalAddress: an argument lies on another device than {device}, the current one"
            )
        foreign = [array for array in arrays if not self._pools[device].holds(array.data.ptr, 1)]
        self._enqueue(lambda: (launch(), foreign))

    def _is_pinned(self, values: np.ndarray[Any, Any]) -> bool:
        return self._pinned.holds(values.__array_interface__["data"][0], values.nbytes)

    def _check_range(self, ptr: int, nbytes: int) -> None:
        if nbytes and not any(pool.holds(ptr, nbytes) for pool in self._pools):
            raise CUDARuntimeError(f"cudaErrorInvalidValue: {nbytes} bytes from {ptr:#x} on are not memory of a device")

    def _memcpy_async(self, dst: int, src: int, size: int, kind: int, stream: int) -> None:
        queue = self._queues.by_ptr(stream)
        if kind in (1, 3):
            self._check_range(dst, size)
        if kind in (2, 3):
            self._check_range(src, size)
        if kind == 1 and not self._pinned.holds(src, size):  # the driver takes pageable memory's bytes at once
            taken = ctypes.string_at(src, size)
            self._enqueue(lambda: ctypes.memmove(dst, taken, size), queue)
            return
        operation = self._enqueue(lambda: ctypes.memmove(dst, src, size), queue)
        if kind == 2 and not self._pinned.holds(dst, size):  # into pageable memory: returns when it is done
            self._queues.run(operation)

    def _properties(self, device: int) -> dict[str, Any]:
        major, minor = divmod(int(self.compute_capability), 10)
        attributes = self.cuda.Device(device).attributes
        return {
            "name": b"Host CPU",
            "major": major,
            "minor": minor,
            "totalGlobalMem": self.memory,
            "multiProcessorCount": self.multiprocessors,
            "sharedMemPerBlock": attributes["MaxSharedMemoryPerBlock"],
            "sharedMemPerBlockOptin": self.shared_memory_optin,
            "sharedMemPerMultiprocessor": attributes["MaxSharedMemoryPerMultiprocessor"],
        }


class _OnHost:
    """A DLPack capsule that claims to be memory of the host, which it is."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0
