"""The CUDA C compiles for every device it is meant for, within the registers and the shared memory it may use."""

from __future__ import annotations

import re

import pytest
from cuda.bindings import nvrtc

from gpuheat.kernels import cuda_source, geometry

pytestmark = pytest.mark.once
CAPABILITIES = (75, 80, 86, 89, 90, 100, 120)
THREADS = {
    "motion.cu": geometry.MOTION_THREADS,
    "histogram.cu": 1024,
    "blur.cu": 256,
    "picture_sums.cu": geometry.PICTURE_SUMS_THREADS,
}


def compile_log(kernel: cuda_source.Kernel, source: str, capability: int) -> tuple[bool, str]:
    """Whether NVRTC compiles it, down to machine code, and what it says."""
    _, program = nvrtc.nvrtcCreateProgram(source.encode(), kernel.file.encode(), 0, [], [])
    options = [
        *kernel.options,
        f"--gpu-architecture=sm_{capability}",
        "--ptxas-options=-v",
        "-ftz=true",
    ]  # the last is CuPy's
    (result,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = b" " * size
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(program)
    return result == nvrtc.nvrtcResult.NVRTC_SUCCESS, log.decode(errors="replace")


def number(pattern: str, log: str) -> int:
    """The number a pattern finds; 0 where it finds none."""
    found = re.search(pattern, log)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("kernel", cuda_source.every(), ids=lambda kernel: kernel.name)
def test_compiles_without_spills_for_every_device(kernel: cuda_source.Kernel) -> None:
    for capability in CAPABILITIES:
        compiled, log = compile_log(kernel, kernel.source, capability)
        assert compiled, log
        assert f"Compiling entry function '{kernel.name}' for 'sm_{capability}'" in log
        assert "0 bytes spill stores, 0 bytes spill loads" in log, f"{capability}: {log}"
        assert "0 bytes stack frame" in log, f"{capability}: {log}"
        registers = number(r"Used (\d+) registers", log)
        blocks = dict(kernel.macros).get("BLOCKS", 1)
        assert 0 < registers * THREADS[kernel.file] * int(blocks) <= geometry.REGISTERS
        assert number(r"(\d+) bytes smem", log) <= geometry.SHARED_STATIC
        assert "warning" not in log.lower(), log


def test_a_mistake_is_told() -> None:
    kernel = cuda_source.blur("rows")
    compiled, log = compile_log(kernel, kernel.source.replace("__syncthreads();", "__syncthreds();"), 90)
    assert not compiled
    assert "__syncthreds" in log


def test_names_tell_the_specialisations_apart() -> None:
    kernels = cuda_source.every()
    assert len({kernel.name for kernel in kernels}) == len(kernels) == len({kernel.options for kernel in kernels})
    for kernel in kernels:
        assert kernel.options[: len(cuda_source.OPTIONS)] == cuda_source.OPTIONS
        assert f"-DKERNEL={kernel.name}" in kernel.options
