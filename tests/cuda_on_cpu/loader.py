"""Compile a .cu file for the CPU and call its kernel as CuPy calls a ``RawKernel``."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

__all__ = ["SANITIZER_VARIABLE", "CompileError", "Kernel", "LaunchError", "Sanitizer", "load", "run_sanitized"]

Sanitizer = Literal["thread", "address"]
Submit = Callable[[Callable[[], None], Sequence[Any]], None]

HERE = Path(__file__).resolve().parent
CACHE_VARIABLE = "GPUHEAT_SHIM_CACHE"
SANITIZER_VARIABLE = "GPUHEAT_SHIM_SANITIZER"

# Faults that a GPU stops for, or that C++ leaves undefined, so that g++ and nvcc may differ. The header holds
# the functions that g++ calls for them: no runtime library takes part.
CHECKS = "alignment,bounds,shift-exponent,float-cast-overflow,integer-divide-by-zero,signed-integer-overflow"
COMPILER: tuple[str, ...] = (
    "g++",
    "-std=c++20",
    "-O1",
    "-g",
    "-fPIC",
    "-shared",
    "-w",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
)
# Shared memory changes at barriers, behind the back of a function that is alone in using it.
COMPILER += ("-fno-ipa-reference", f"-fsanitize={CHECKS}", "-fno-sanitize-recover=all", f"-I{HERE}")
SANITIZED: dict[str, tuple[str, ...]] = {
    "thread": ("-fsanitize=thread", "-DSHIM_THREADS"),
    "address": ("-fsanitize=address", "-DSHIM_THREADS"),
}

MAX_THREADS = 1024
MAX_GRID = (2**31 - 1, 65535, 65535)
MAX_BLOCK = (1024, 1024, 64)
DEFAULT_SHARED_BYTES = 48 * 1024


class CompileError(RuntimeError):
    """g++ refuses the source; the message is what it says."""


class LaunchError(RuntimeError):
    """What the driver would refuse, or what the kernel did wrong."""


class Kernel:
    """A compiled kernel, called like ``cupy.RawKernel``: ``kernel(grid, block, args, shared_mem=0)``.

    Stricter than CuPy, which believes its caller: every argument has to be of the kind and size of its
    parameter, and an array's dtype that of the pointer, where it is not raw bytes (uint8) or a vector.
    """

    def __init__(self, library: Path, name: str, submit: Submit, shared_memory_optin: int) -> None:
        self.name = name
        self._submit = submit
        self._optin = shared_memory_optin
        self._library = ctypes.CDLL(str(library))
        self._library.shim_parameters.restype = ctypes.c_char_p
        self._library.shim_static_shared_bytes.restype = ctypes.c_size_t
        self._parameters: list[str] = self._library.shim_parameters().decode().split()
        self._dynamic = DEFAULT_SHARED_BYTES - self.shared_size_bytes

    @property
    def shared_size_bytes(self) -> int:
        """Static shared memory (0 in an AddressSanitizer build, which lays it out itself)."""
        return int(self._library.shim_static_shared_bytes())

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        """How much dynamic shared memory a launch may ask for; raised by assignment, as far as the device goes."""
        return self._dynamic

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        if not 0 <= size <= self._optin - self.shared_size_bytes:
            raise LaunchError(
                f"{self.name}: invalid value: {size} bytes of dynamic shared memory on a device of {self._optin}"
            )
        self._dynamic = size

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], *, shared_mem: int = 0
    ) -> None:
        """Launch it, at once or when the stream gets there, as the one who loaded it decided."""
        grid, block = self._checked_sizes(grid, block, shared_mem)
        if len(args) != len(self._parameters):
            raise TypeError(f"{self.name} takes {len(self._parameters)} arguments, not {len(args)}")
        values = [
            _packed(value, parameter, f"{self.name}: argument {position}")
            for position, (value, parameter) in enumerate(zip(args, self._parameters, strict=True))
        ]
        self._submit(functools.partial(self._launch, grid, block, values, shared_mem), args)

    def _checked_sizes(
        self, grid: tuple[int, ...], block: tuple[int, ...], shared_mem: int
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        for what, sizes, limits in (("grid", grid, MAX_GRID), ("block", block, MAX_BLOCK)):
            if not isinstance(sizes, tuple) or not 1 <= len(sizes) <= 3:
                raise TypeError(f"{self.name}: {what} is a tuple of 1 to 3 sizes, not {sizes!r}")
            if any(not 1 <= size <= limit for size, limit in zip(sizes, limits, strict=False)):
                raise LaunchError(f"{self.name}: invalid configuration: {what} {sizes}, each from 1 to {limits}")
        grid, block = ((*sizes, 1, 1)[:3] for sizes in (grid, block))
        if (threads := block[0] * block[1] * block[2]) > MAX_THREADS:
            raise LaunchError(
                f"{self.name}: invalid configuration: {threads} threads in a block of at most {MAX_THREADS}"
            )
        if not 0 <= shared_mem <= self._dynamic:
            raise LaunchError(
                f"{self.name}: invalid value: {shared_mem} bytes of dynamic shared memory, where "
                f"max_dynamic_shared_size_bytes allows {self._dynamic}"
            )
        return grid, block

    def _launch(self, grid: tuple[int, ...], block: tuple[int, ...], values: list[bytes], shared_mem: int) -> None:
        buffers = [ctypes.create_string_buffer(value, len(value)) for value in values]
        message = ctypes.create_string_buffer(2048)
        failed = self._library.shim_launch(
            (ctypes.c_void_p * len(buffers))(*(ctypes.addressof(buffer) for buffer in buffers)),
            (ctypes.c_uint * 3)(*grid),
            (ctypes.c_uint * 3)(*block),
            ctypes.c_size_t(shared_mem),
            message,
            ctypes.c_size_t(len(message)),
        )
        if failed:
            raise LaunchError(f"{self.name}: {message.value.decode()}")


def _packed(value: Any, parameter: str, where: str) -> bytes:
    """The bytes of an argument, if they are what the parameter takes: ``i4``, ``f8``, ``Pf4``..."""
    if parameter.startswith("P"):
        if isinstance(value, (np.int64, np.uint64)) and value == 0:  # a null pointer
            return value.tobytes()
        if not hasattr(value, "__cuda_array_interface__"):
            raise TypeError(f"{where} is a pointer, not {type(value).__name__} {value!r}")
        dtype = np.dtype(value.dtype)
        if parameter[1] in "if" and dtype != np.uint8 and _kind_and_size(dtype) != parameter[1:]:
            raise TypeError(f"{where} points at {parameter[1:]} (kind and bytes), not at {dtype}")
        return np.uintp(value.__cuda_array_interface__["data"][0]).tobytes()
    if not isinstance(value, np.generic):
        raise TypeError(f"{where} needs a NumPy scalar, which has a size, not {type(value).__name__} {value!r}")
    if _kind_and_size(value.dtype) != parameter:
        raise TypeError(f"{where} is {parameter} (kind and bytes), not {value.dtype}")
    return value.tobytes()


def _kind_and_size(dtype: np.dtype[Any]) -> str:
    kind = "i" if dtype.kind in "biu" else dtype.kind
    return f"{kind}{dtype.itemsize}"


def load(
    source: str | Path,
    kernel_name: str,
    options: tuple[str, ...] = (),
    *,
    architecture: int = 90,
    sanitizer: Sanitizer | None = None,
    threads: bool = False,
    submit: Submit | None = None,
    shared_memory_optin: int = 232448,
) -> Kernel:
    """Compile one specialisation of a .cu and load its kernel.

    Parameters
    ----------
    source
        The text, or the file; the file's name is what faults are reported with.
    kernel_name
        An ``extern "C" __global__`` function of it.
    options
        What ``cupy.RawModule`` takes: ``-Dname=value``; a standard and ``--fmad=false`` make no difference here.
    architecture
        Compute capability without the dot; ``__CUDA_ARCH__`` is ten times that.
    sanitizer
        Of the build; None: what the environment variable ``GPUHEAT_SHIM_SANITIZER`` says, if anything.
    threads
        Host threads in place of fibers, also without a sanitizer.
    submit
        Called with a launch (a function without arguments) and its arguments, to run it or to put it in a
        queue; None runs it at once.
    shared_memory_optin
        The most shared memory a block of this device may have, in bytes.
    """
    chosen = sanitizer or os.environ.get(SANITIZER_VARIABLE, "")
    flags = [*_defines(options), f"-D__CUDA_ARCH__={10 * architecture}", f"-DSHIM_KERNEL={kernel_name}"]
    flags += SANITIZED[chosen] if chosen else ("-DSHIM_THREADS",) if threads else ()
    text, file_name = (source.read_text(), source.name) if isinstance(source, Path) else (source, f"{kernel_name}.cu")
    return Kernel(_compiled(text, file_name, flags), kernel_name, submit or _at_once, shared_memory_optin)


def _at_once(launch: Callable[[], None], _: Sequence[Any]) -> None:
    launch()


def _defines(options: tuple[str, ...]) -> list[str]:
    defines = [option for option in options if option.startswith("-D")]
    harmless = ("-std=", "--std=", "--fmad=false", "-fmad=false", "-lineinfo", "--generate-line-info")
    if strange := [option for option in options if option not in defines and not option.startswith(harmless)]:
        raise ValueError(f"options with no meaning on the CPU: {strange}")
    return defines


def _compiled(text: str, file_name: str, flags: list[str]) -> Path:
    # In a namespace of its own, so that statics of inline functions need no section for merging.
    head, tail = '#include "cuda_shim.h"\nnamespace {\n', '\n}\n#line 1 "launch"\n#include "launch.h"\n'
    unit = f'{head}#line 1 "{file_name}"\n{text}{tail}'
    key = hashlib.sha256(repr((unit, COMPILER, flags, _headers())).encode()).hexdigest()[:32]
    library = _cache() / f"{key}.so"
    if library.exists():
        return library
    with tempfile.TemporaryDirectory(dir=_cache()) as folder:
        written = Path(folder) / "unit.cc"
        written.write_text(unit)
        made = written.with_suffix(".so")
        command = [*COMPILER, *flags, str(written), "-o", str(made)]
        plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        result = subprocess.run(command, env=plain, capture_output=True, text=True)
        if result.returncode:
            raise CompileError(f"g++ refuses {file_name} with {' '.join(flags)}:\n{result.stderr}")
        made.replace(library)
    return library


@functools.cache
def _headers() -> str:
    return "".join(path.read_text() for path in sorted(HERE.glob("*.h")))


@functools.cache
def _own_cache() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="gpuheat-shim-", ignore_cleanup_errors=True)


def _cache() -> Path:
    if named := os.environ.get(CACHE_VARIABLE):
        Path(named).mkdir(parents=True, exist_ok=True)
        return Path(named)
    return Path(_own_cache().name)


@functools.cache
def _without_chance() -> tuple[str, ...]:
    """A command's beginning that has it run at addresses not laid out by chance, where that is allowed."""
    setarch = shutil.which("setarch")
    allowed = setarch and subprocess.run([setarch, "-R", "true"], capture_output=True).returncode == 0
    return (setarch, "-R") if setarch and allowed else ()


def run_sanitized(code: str, sanitizer: Sanitizer, *, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process where every kernel is built with a sanitizer.

    A finding ends the process with code 66 and the report, with file and line of the .cu, in ``stderr``. The
    sanitizer's library has to come before all others, so it is preloaded; ThreadSanitizer also refuses some of
    the layouts that chance gives the addresses, so there is none where that can be had.
    """
    name = {"thread": "libtsan.so", "address": "libasan.so"}[sanitizer]
    runtime = subprocess.run(
        ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = {
        **os.environ,
        "LD_PRELOAD": str(Path(runtime).resolve()),
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]),
        CACHE_VARIABLE: str(_cache()),
        SANITIZER_VARIABLE: sanitizer,
        "TSAN_OPTIONS": "halt_on_error=1:exitcode=66:report_signal_unsafe=0",
        "ASAN_OPTIONS": "detect_leaks=0:exitcode=66:halt_on_error=1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", code]
    if sanitizer == "thread":
        command = [*_without_chance(), *command]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
