"""Registers and memory of the kernels that were used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpuheat.kernels import cuda_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpuheat.backends.cupy import CupyBackend

__all__ = ["Resources", "recording_cupy", "resources"]


@dataclass(frozen=True)
class Resources:
    """What one specialisation takes: registers and bytes of local memory of a thread, shared bytes of a block."""

    kernel: str
    registers: int
    local_bytes: int
    static_shared_bytes: int
    threads_at_most: int


def recording_cupy(module: Any = None) -> tuple[CupyBackend, dict[cuda_source.Kernel, Any]]:
    """The backend cupy, and the kernels it has loaded so far; ``module`` is used for CuPy where it is given."""
    from gpuheat.backends.cupy import CupyBackend, compiled

    used: dict[cuda_source.Kernel, Any] = {}

    def load(cupy: Any, kernel: cuda_source.Kernel) -> Any:
        used[kernel] = compiled(cupy, kernel)
        return used[kernel]

    return CupyBackend(0, module=module, load=load), used


def resources(used: Mapping[cuda_source.Kernel, Any]) -> list[Resources]:
    """Of each kernel, as the driver tells of a ``cupy.RawKernel``."""
    return [
        Resources(
            kernel.name,
            registers=function.num_regs,
            local_bytes=function.local_size_bytes,
            static_shared_bytes=function.shared_size_bytes,
            threads_at_most=function.max_threads_per_block,
        )
        for kernel, function in sorted(used.items(), key=lambda pair: pair[0].name)
    ]
