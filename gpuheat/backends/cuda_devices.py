"""The NVIDIA driver and its GPUs, and what to do where they are missing.

The driver is asked through its own library, so that no package has to be there, and without a CUDA context,
so that nothing is set up on a GPU.
"""

from __future__ import annotations

import ctypes
import os
import re
from dataclasses import dataclass
from typing import Final

from gpuheat.errors import BackendUnavailableError, OptionError

__all__ = ["DRIVERS", "Device", "device_number", "devices", "driver", "usable_device"]

DRIVERS: Final = {12: "R525", 13: "R580"}  # the first Linux driver of each generation of CUDA
LEAST_CAPABILITY: Final = (7, 5)  # CUDA 13 compiles for nothing older
VISIBLE: Final = "CUDA_VISIBLE_DEVICES"

NO_DEVICE: Final = 100
REMEDIES: Final = {
    3: "this process was forked from one that had used CUDA: start it with multiprocessing's 'spawn' instead",
    34: "this libcuda.so.1 is a stub for linking: take the folder 'stubs' out of LD_LIBRARY_PATH",
    802: "start the service it waits for: sudo systemctl start nvidia-fabricmanager",
    803: "restart the machine after a driver update, or take 'cuda-compat' out of LD_LIBRARY_PATH",
    804: "take 'cuda-compat', which this GPU does not support, out of LD_LIBRARY_PATH",
    999: "reload its module (sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm) or restart the machine",
}


@dataclass(frozen=True)
class Device:
    """A GPU, numbered as CUDA numbers it; ``memory`` is in bytes."""

    number: int
    name: str
    compute_capability: tuple[int, int]
    memory: int

    @property
    def too_old(self) -> bool:
        """Whether the kernels cannot run on it."""
        return self.compute_capability < LEAST_CAPABILITY


def driver(generation: int | None = None) -> int:
    """The newest CUDA the driver supports, as CUDA writes it: 12040 is 12.4.

    ``generation`` is the one that is needed, for the advice where there is no driver.

    Raises
    ------
    BackendUnavailableError
        If there is no NVIDIA driver.
    """
    supported = ctypes.c_int()
    library = _library(generation)
    _check(library, "cuDriverGetVersion", library.cuDriverGetVersion(ctypes.byref(supported)))
    return supported.value


def devices() -> list[Device]:
    """The GPUs this process may use, at least one.

    Raises
    ------
    BackendUnavailableError
        If there is no NVIDIA driver, no GPU, or CUDA cannot start.
    """
    library = _library()
    count = ctypes.c_int()
    started = library.cuInit(0)
    if started != NO_DEVICE:
        _check(library, "cuInit", started)
        _check(library, "cuDeviceGetCount", library.cuDeviceGetCount(ctypes.byref(count)))
    if count.value == 0:
        visible = os.environ.get(VISIBLE)
        remedy = (
            "'nvidia-smi -L' lists those there are; start a container with --gpus all"
            if visible is None
            else f"{VISIBLE} is {visible!r}: unset it, or name one that 'nvidia-smi -L' lists"
        )
        raise BackendUnavailableError(f"the NVIDIA driver finds no GPU: {remedy}")
    return [_device(library, number) for number in range(count.value)]


def device_number(backend: str, device: str | None) -> int:
    """The number after the colon of a backend's name, 0 where there is no colon.

    Raises
    ------
    OptionError
        If it is no number.
    """
    if device is None:
        return 0
    if not re.fullmatch("[0-9]{1,9}", device):
        raise OptionError(f"the number of a GPU follows the colon of {backend!r}, as in '{backend}:1', got {device!r}")
    return int(device)


def usable_device(backend: str, number: int) -> Device:
    """The GPU of a number.

    Parameters
    ----------
    backend
        What asks for it; the errors name GPUs as they are asked for.
    number
        Counted from 0.

    Raises
    ------
    BackendUnavailableError
        If there is no such GPU, or it is too old.
    """
    found = devices()
    if number >= len(found):
        visible = f" with {VISIBLE}={os.environ[VISIBLE]}" if VISIBLE in os.environ else ""
        ask = f"one of {backend}:0 to {backend}:{len(found) - 1}" if len(found) > 1 else f"{backend}:0"
        raise BackendUnavailableError(f"there is no GPU {number}: CUDA finds {len(found)}{visible}, ask for {ask}")
    device = found[number]
    if device.too_old:
        good = [f"{backend}:{other.number} ({other.name})" for other in found if not other.too_old]
        instead = f"ask for {' or '.join(good)}" if good else "choose a CPU backend"
        raise BackendUnavailableError(
            f"GPU {number} ({device.name}) has compute capability {_dotted(device.compute_capability)}, and "
            f"{_dotted(LEAST_CAPABILITY)} or newer is needed (GTX 16, RTX 20 and later): {instead}"
        )
    return device


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"


def _library(generation: int | None = None) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        absent = str(error) == "libcuda.so.1: cannot open shared object file: No such file or directory"
        trouble = "there is no NVIDIA driver (no libcuda.so.1)" if absent else f"the NVIDIA driver is broken ({error})"
        needed = {generation: DRIVERS[generation]} if generation in DRIVERS else DRIVERS
        fitting = ", ".join(f"{release} or newer for CUDA {number}" for number, release in needed.items())
        raise BackendUnavailableError(f"{trouble}: install {fitting}; start a container with --gpus all") from error
    number = ctypes.POINTER(ctypes.c_int)
    library.cuInit.argtypes = [ctypes.c_uint]
    library.cuDriverGetVersion.argtypes = [number]
    library.cuGetErrorName.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    library.cuDeviceGetCount.argtypes = [number]
    library.cuDeviceGet.argtypes = [number, ctypes.c_int]
    library.cuDeviceGetName.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    library.cuDeviceGetAttribute.argtypes = [number, ctypes.c_int, ctypes.c_int]
    library.cuDeviceTotalMem_v2.argtypes = [ctypes.POINTER(ctypes.c_size_t), ctypes.c_int]
    return library


def _check(library: ctypes.CDLL, function: str, code: int) -> None:
    """Turn what a function of the driver returned into an error."""
    if code == 0:
        return
    name = ctypes.c_char_p()
    library.cuGetErrorName(code, ctypes.byref(name))
    called = f" {name.value.decode()}" if name.value else ""
    remedy = REMEDIES.get(code, "'nvidia-smi' shows whether the driver works; restarting the machine may help")
    raise BackendUnavailableError(f"the NVIDIA driver fails ({function}: error {code}{called}): {remedy}")


def _device(library: ctypes.CDLL, number: int) -> Device:
    handle, memory, name = ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(256)
    _check(library, "cuDeviceGet", library.cuDeviceGet(ctypes.byref(handle), number))
    _check(library, "cuDeviceGetName", library.cuDeviceGetName(name, len(name), handle))
    _check(library, "cuDeviceTotalMem", library.cuDeviceTotalMem_v2(ctypes.byref(memory), handle))

    def attribute(which: int) -> int:
        value = ctypes.c_int()
        _check(library, "cuDeviceGetAttribute", library.cuDeviceGetAttribute(ctypes.byref(value), which, handle))
        return value.value

    capability = attribute(75), attribute(76)  # COMPUTE_CAPABILITY_MAJOR and _MINOR
    return Device(number, name.value.decode("utf-8", "replace"), capability, memory.value)
