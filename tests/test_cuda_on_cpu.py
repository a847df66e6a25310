"""The CPU as a GPU: what kernels may rely on, and what has to be found out about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cuda_on_cpu.host_cupy import HostCupy
from cuda_on_cpu.loader import CompileError, Kernel, LaunchError, load, run_sanitized
from numpy.typing import NDArray

pytestmark = pytest.mark.once

EXTREMES = np.array(
    [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF8000, 0x80007FFF, 2**31, 2**32 - 1], np.uint32
)


@pytest.fixture
def cupy() -> HostCupy:
    return HostCupy()


def on_both(source: str, name: str, *options: str) -> tuple[Kernel, Kernel]:
    return load(source, name, options), load(source, name, options, threads=True)


def run(cupy: HostCupy, kernel: Kernel, blocks: int, threads: int, args: tuple[Any, ...], shared_mem: int = 0) -> None:
    """Launch at once: what the arguments wait for comes first."""
    cupy.cuda.Device().synchronize()
    kernel((blocks,), (threads,), args, shared_mem=shared_mem)


def words(count: int) -> list[NDArray[np.uint32]]:
    """Three arrays of random words, and all triples of extreme ones."""
    rng = np.random.default_rng(1)
    triples = np.stack(np.meshgrid(EXTREMES, EXTREMES, EXTREMES), -1).reshape(-1, 3)
    return [np.concatenate([triples[:, i], rng.integers(0, 2**32, count, dtype=np.uint32)]) for i in range(3)]


REDUCTION = """
extern "C" __global__ void __launch_bounds__(128) total(const unsigned* __restrict__ x, int n, unsigned long long* sum)
{
    DYNAMIC_SHARED(unsigned long long, part);
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    part[threadIdx.x] = i < n ? x[i] : 0;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half; half /= 2) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) atomicAdd(sum, part[0]);
}
"""


def test_a_reduction_in_dynamic_shared_memory_on_both_executors(cupy: HostCupy) -> None:
    x = np.random.default_rng(0).integers(0, 2**32, 1000, dtype=np.uint32)
    for kernel in on_both(REDUCTION, "total"):
        total = cupy.zeros(1, np.uint64)
        run(cupy, kernel, 8, 128, (cupy.asarray(x), np.int32(x.size), total), shared_mem=8 * 128)
        assert total.item() == x.sum(dtype=np.uint64)


def test_threads_are_numbered_as_on_a_gpu(cupy: HostCupy) -> None:
    source = """
    extern "C" __global__ void number(uint4* where)
    {
        const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
        const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
        where[block * blockDim.x * blockDim.y * blockDim.z + thread] = make_uint4(threadIdx.x, threadIdx.y, threadIdx.z,
            blockIdx.x + 10 * blockIdx.y + 100 * blockIdx.z);
    }
    """
    z, y, x = np.indices((2, 3, 5)).reshape(3, -1)
    block_z, block_y, block_x = np.indices((2, 2, 3)).reshape(3, -1)
    for kernel in on_both(source, "number"):
        where = cupy.zeros((12, 30, 16), np.uint8)
        cupy.cuda.Device().synchronize()
        kernel((3, 2, 2), (5, 3, 2), (where,))
        got = where.view(np.uint32).get()
        np.testing.assert_array_equal(got[..., :3], np.broadcast_to(np.stack([x, y, z], -1), (12, 30, 3)))
        np.testing.assert_array_equal(
            got[..., 3], np.broadcast_to((block_x + 10 * block_y + 100 * block_z)[:, None], (12, 30))
        )


def test_a_thread_that_has_returned_is_not_waited_for(cupy: HostCupy) -> None:
    source = """
    extern "C" __global__ void count(int* seen)
    {
        if (threadIdx.x >= 40) return;
        const int odd = __syncthreads_count(threadIdx.x & 1), any = __syncthreads_or(threadIdx.x == 7);
        const int all = __syncthreads_and(threadIdx.x < 40), not_all = __syncthreads_and(threadIdx.x);
        seen[threadIdx.x] = 1000 * odd + 100 * any + 10 * all + not_all;
    }
    """
    for kernel in on_both(source, "count"):
        seen = cupy.zeros(40, np.int32)
        run(cupy, kernel, 1, 64, (seen,))
        assert set(seen.tolist()) == {20110}


WARP = """
extern "C" __global__ void warp(const unsigned* x, unsigned long long* out, int groups)
{
    const unsigned i = threadIdx.x, lane = i % 32, value = x[i];
    const unsigned mask = groups == 1 ? ~0u : lane % 3 == 0 ? 0x49249249u : lane % 3 == 1 ? 0x92492492u : 0x24924924u;
    unsigned long long* const row = out + 12 * i;
    row[0] = __shfl_sync(mask, value, groups == 1 ? lane * 7 : lane);
    row[1] = __shfl_up_sync(mask, value, 3);
    row[2] = __shfl_down_sync(mask, (long long)value << 8, 3);
    row[3] = (unsigned long long)__shfl_xor_sync(mask, (double)value, groups == 1 ? 5 : 0);
    row[4] = __ballot_sync(mask, value & 1);
    row[5] = __any_sync(mask, value % 16 == 0);
    row[6] = __all_sync(mask, value % 16 != 0);
    row[7] = __match_any_sync(mask, value % 4);
    row[8] = __reduce_add_sync(mask, value);
    row[9] = (unsigned)__reduce_add_sync(mask, -(int)(value % 100));
    row[10] = __shfl_sync(mask, value, 2 * groups, 8);
    row[11] = __shfl_up_sync(mask, (float)lane, 3, 16);
    __syncwarp(mask);
}
"""


@pytest.mark.parametrize("groups", [1, 3])
def test_warp_operations_with_whole_and_partial_masks(cupy: HostCupy, groups: int) -> None:
    x = np.random.default_rng(groups).integers(0, 2**32, 64, dtype=np.uint32)
    results = []
    for kernel in on_both(WARP, "warp"):
        out = cupy.zeros((64, 12), np.uint64)
        run(cupy, kernel, 1, 64, (cupy.asarray(x), out, np.int32(groups)))
        results.append(out.get())
    for i, row in enumerate(results[0].tolist()):
        first, lane = i // 32 * 32, i % 32
        value = [int(v) for v in x[first : first + 32]]
        group = [other for other in range(32) if groups == 1 or other % 3 == lane % 3]
        assert row[0] == value[lane * 7 % 32 if groups == 1 else lane]
        assert row[1] == value[lane - 3 if lane >= 3 else lane]
        assert row[2] == value[lane + 3 if lane < 29 else lane] << 8
        assert row[3] == value[lane ^ 5 if groups == 1 else lane]
        assert row[4] == sum(1 << other for other in group if value[other] & 1)
        assert row[5] == any(value[other] % 16 == 0 for other in group)
        assert row[6] == all(value[other] % 16 != 0 for other in group)
        assert row[7] == sum(1 << other for other in group if value[other] % 4 == value[lane] % 4)
        assert row[8] == sum(value[other] for other in group) % 2**32
        assert row[9] == -sum(value[other] % 100 for other in group) % 2**32
        if (source := lane // 8 * 8 + 2 * groups) in group:
            assert row[10] == value[source]
        assert row[11] == (lane - 3 if lane % 16 >= 3 else lane)
    taking_part = np.array(
        [[groups == 1 or lane % 3 == (lane // 8 * 8 + 2 * groups) % 3 for lane in range(32)]] * 2
    ).ravel()
    np.testing.assert_array_equal(results[0][taking_part], results[1][taking_part])


def parts(word: int, width: int, signed: bool = False) -> list[int]:
    pieces = [word >> shift & (1 << width) - 1 for shift in range(0, 32, width)]
    return [piece - (1 << width) if signed and piece >> (width - 1) else piece for piece in pieces]


def joined(pieces: list[int], width: int) -> int:
    return sum((piece & (1 << width) - 1) << width * i for i, piece in enumerate(pieces))


def wrapped(value: int, width: int) -> int:
    return (value + (1 << (width - 1))) % (1 << width) - (1 << (width - 1))


def add_then_min(a: int, b: int, c: int, lowest: int) -> int:
    triples = zip(parts(a, 16, True), parts(b, 16, True), parts(c, 16, True), strict=True)
    return joined([max(min(wrapped(x + y, 16), z), lowest) for x, y, z in triples], 16)


def dot(a: int, a_width: int, b: int, first: int, c: int, signed: bool) -> int:
    pairs = zip(parts(a, a_width, signed), parts(b, 8, signed)[first:], strict=False)
    return (c + sum(x * y for x, y in pairs)) % 2**32


def permuted(a: int, b: int, selector: int) -> int:
    return joined([(parts(a, 8) + parts(b, 8))[selector >> 4 * i & 7] for i in range(4)], 8)


INTRINSICS: dict[str, Callable[[int, int, int], int]] = {
    "__vabsdiffu4(a, b)": lambda a, b, _: joined(
        [abs(x - y) for x, y in zip(parts(a, 8), parts(b, 8), strict=True)], 8
    ),
    "__vadd2(a, b)": lambda a, b, _: joined([x + y for x, y in zip(parts(a, 16), parts(b, 16), strict=True)], 16),
    "__vsub2(a, b)": lambda a, b, _: joined([x - y for x, y in zip(parts(a, 16), parts(b, 16), strict=True)], 16),
    "__viaddmin_s16x2(a, b, c)": lambda a, b, c: add_then_min(a, b, c, -(2**15)),
    "__viaddmin_s16x2_relu(a, b, c)": lambda a, b, c: add_then_min(a, b, c, 0),
    "__dp4a(a, b, c)": lambda a, b, c: dot(a, 8, b, 0, c, False),
    "__dp4a((int)a, (int)b, (int)c)": lambda a, b, c: dot(a, 8, b, 0, c, True),
    "__dp2a_lo(a, b, c)": lambda a, b, c: dot(a, 16, b, 0, c, False),
    "__dp2a_lo((int)a, (int)b, (int)c)": lambda a, b, c: dot(a, 16, b, 0, c, True),
    "__dp2a_hi(a, b, c)": lambda a, b, c: dot(a, 16, b, 2, c, False),
    "__dp2a_hi((int)a, (int)b, (int)c)": lambda a, b, c: dot(a, 16, b, 2, c, True),
    "__byte_perm(a, b, c)": permuted,
    "__popc(a)": lambda a, _, __: a.bit_count(),
    "__popcll((unsigned long long)a << 32 | b)": lambda a, b, _: a.bit_count() + b.bit_count(),
    "__ffs((int)a)": lambda a, _, __: (a & -a).bit_length(),
    "__clz((int)a)": lambda a, _, __: 32 - a.bit_length(),
    "__funnelshift_r(a, b, c)": lambda a, b, c: ((b << 32 | a) >> c % 32) % 2**32,
    "__funnelshift_l(a, b, c)": lambda a, b, c: ((b << 32 | a) << c % 32 >> 32) % 2**32,
    "__umulhi(a, b)": lambda a, b, _: a * b >> 32,
    "min(a, b)": lambda a, b, _: min(a, b),
    "max((int)a, (int)b)": lambda a, b, _: max(wrapped(a, 32), wrapped(b, 32)) % 2**32,
    "(unsigned)max((long long)a - b, 0ll)": lambda a, b, _: max(a - b, 0),
}


def test_integer_intrinsics_against_their_definitions(cupy: HostCupy) -> None:
    lines = "\n".join(f"out[{i} * n + i] = {expression};" for i, expression in enumerate(INTRINSICS))
    source = f"""
    extern "C" __global__ void all(const unsigned* as, const unsigned* bs, const unsigned* cs, int n, unsigned* out)
    {{
        const int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i >= n) return;
        const unsigned a = as[i], b = bs[i], c = cs[i];
        {lines}
    }}
    """
    a, b, c = words(2000)
    out = cupy.zeros((len(INTRINSICS), a.size), np.uint32)
    arguments = (cupy.asarray(a), cupy.asarray(b), cupy.asarray(c), np.int32(a.size), out)
    run(cupy, load(source, "all"), -(-a.size // 256), 256, arguments)
    for (expression, model), row in zip(INTRINSICS.items(), out.get(), strict=True):
        expected = [model(*triple) for triple in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)]
        np.testing.assert_array_equal(row, np.array(expected, np.uint32), err_msg=expression)


def test_conversions_round_and_saturate(cupy: HostCupy) -> None:
    source = """
    extern "C" __global__ void convert(const double* x, int n, int* narrow, long long* wide, int* of_float,
        float* product)
    {
        for (int i = threadIdx.x; i < n; i += blockDim.x) {
            narrow[2 * i] = __double2int_rd(x[i]), narrow[2 * i + 1] = __double2int_rn(x[i]);
            wide[2 * i] = __double2ll_rd(x[i]), wide[2 * i + 1] = __double2ll_rn(x[i]);
            of_float[2 * i] = __float2int_rd((float)x[i]), of_float[2 * i + 1] = __float2int_rn((float)x[i]);
            product[2 * i] = __fmul_rn(1.1f, 1.1f) + -1.21f, product[2 * i + 1] = __fmaf_rn(1.1f, 1.1f, -1.21f);
        }
    }
    """
    x = np.array([0.5, 1.5, -0.5, -1.5, 2.4999, -7.0, 2.0**31, -(2.0**31), 2.0**40, 1e300, -1e300, np.inf, np.nan])
    shape = (x.size, 2)
    outputs = [cupy.zeros(shape, dtype) for dtype in (np.int32, np.int64, np.int32, np.float32)]
    run(cupy, load(source, "convert"), 1, 32, (cupy.asarray(x), np.int32(x.size), *outputs))
    rounded = [[np.floor(value), np.rint(value)] for value in x[:-1]]
    for out, bits, nan in zip(outputs[:3], (32, 64, 32), (-(2**31), -(2**63), 0), strict=True):
        limit = 2 ** (bits - 1)
        pairs = [[limit - 1 if v >= limit else -limit if v < -limit else int(v) for v in pair] for pair in rounded]
        assert out.tolist() == [*pairs, [nan, nan]]
    factor = np.float32(1.1)
    once = np.float32(float(factor) * float(factor) + float(np.float32(-1.21)))
    np.testing.assert_array_equal(outputs[3].get(), [[factor * factor + np.float32(-1.21), once]] * x.size)


def test_atomics(cupy: HostCupy) -> None:
    source = """
    extern "C" __global__ void tally(unsigned* u, int* i, float* f, double* d, unsigned char* seen)
    {
        const unsigned id = blockIdx.x * blockDim.x + threadIdx.x;
        seen[atomicAdd(u, 1u)]++;
        atomicSub(u + 1, 1u), atomicMax(u + 2, id), atomicMin(u + 3, id + 5);
        atomicSub(i, 2), atomicAdd(f, 0.5f), atomicAdd(d, 0.25);
    }
    """
    for kernel in on_both(source, "tally"):
        u, i, f, d, seen = (cupy.zeros(n, t) for n, t in [(4, "u4"), (1, "i4"), (1, "f4"), (1, "f8"), (96, "u1")])
        u[3] = 2**32 - 1
        run(cupy, kernel, 3, 32, (u, i, f, d, seen))
        assert u.tolist() == [96, 2**32 - 96, 95, 5]
        assert (i.item(), f.item(), d.item(), set(seen.tolist())) == (-192, 48.0, 24.0, {1})


def test_shared_memory_holds_garbage_at_the_start_of_every_block(cupy: HostCupy) -> None:
    source = """
    __device__ __forceinline__ unsigned kept(unsigned i) { __shared__ unsigned a[8]; a[i] += 1; return a[i]; }
    extern "C" __global__ void look(uint4* out)
    {
        DYNAMIC_SHARED(unsigned, dynamic);
        dynamic[threadIdx.x] += 1;
        out[8 * blockIdx.x + threadIdx.x] = make_uint4(kept(threadIdx.x), dynamic[threadIdx.x], 0, 0);
    }
    """
    for kernel in on_both(source, "look"):
        out = cupy.zeros((16, 16), np.uint8)
        run(cupy, kernel, 2, 8, (out,), shared_mem=32)
        assert set(out.view(np.uint32).get()[:, :2].ravel().tolist()) == {0xA5A5A5A6}
        assert kernel.shared_size_bytes == 32


MISTAKES = {
    "if (i < 32) { if (i & 1) __syncthreads(); else __syncwarp(); }": "deadlock in block .0, 0, 0.*__syncthreads",
    "if (i == 3) return; __shfl_sync(~0u, i, 0);": "deadlock|has returned",
    "__shfl_sync(2u, i, 1);": "does not name the lane that calls",
    "if (i < 32) { if (i & 1) __ballot_sync(~0u, 1); else __any_sync(~0u, 1); }": "at another operation",
    "out[i] = ((const uint4*)(out + 1))->x;": "mistake.cu:4:.*misaligned",
    "atomicAdd((unsigned*)((char*)out + 2), 1u);": "misaligned",
    "__shared__ int s[8]; s[i] = 0; out[i] = s[0];": "mistake.cu:4:.*index outside the array",
    "out[i] = 1u << (i + 1);": "mistake.cu:4:.*shift",
    "out[i] = (int)(1e9f * i);": "mistake.cu:4:.*does not fit",
    "out[i] = 1 / (int)i;": "mistake.cu:4:.*division",
    "out[i] = 2147483647 + (int)i;": "mistake.cu:4:.*overflow",
}


@pytest.mark.parametrize(
    ("line", "said", "threads"),
    [(*mistake, False) for mistake in MISTAKES.items()] + [(*mistake, True) for mistake in list(MISTAKES.items())[:5]],
)
def test_mistakes_of_a_kernel_end_the_launch(cupy: HostCupy, line: str, said: str, threads: bool) -> None:
    source = f'extern "C" __global__ void mistake(unsigned* out)\n{{\nconst unsigned i = threadIdx.x;\n{line}\n}}'
    kernel = load(source, "mistake", threads=threads)
    for _ in range(2):  # the first does not spoil the second
        with pytest.raises(LaunchError, match=said):
            run(cupy, kernel, 2, 64, (cupy.zeros(80, np.uint32),))


def test_lanes_that_do_not_exist_are_not_to_be_named(cupy: HostCupy) -> None:
    source = 'extern "C" __global__ void odd(unsigned mask, unsigned* out) { *out = __ballot_sync(mask, 1); }'
    for kernel in on_both(source, "odd"):
        with pytest.raises(LaunchError, match="does not exist"):
            run(cupy, kernel, 1, 20, (np.uint32(2**32 - 1), cupy.zeros(1, np.uint32)))
        run(cupy, kernel, 1, 20, (np.uint32(2**20 - 1), out := cupy.zeros(1, np.uint32)))
        assert out.item() == 2**20 - 1


def test_arguments_that_do_not_fit_are_refused(cupy: HostCupy) -> None:
    source = """extern "C" __global__ void take(const float* x, const uint4* packed, int n, long long m, double s) {}"""
    kernel = load(source, "take")
    x, packed = cupy.zeros(4, np.float32), cupy.zeros(16, np.uint8)
    right = (x, packed, np.int32(1), np.int64(1), np.float64(1))
    run(cupy, kernel, 1, 1, right)
    run(cupy, kernel, 1, 1, (np.uint64(0), *right[1:]))
    wrong: list[tuple[int, Any]] = [
        (0, np.zeros(4, np.float32)),
        (0, cupy.zeros(4, np.float64)),
        (0, cupy.zeros(4, np.int32)),
    ]
    wrong += [
        (0, np.uint64(8)),
        (2, 1),
        (2, np.int64(1)),
        (2, np.float32(1)),
        (3, np.int32(1)),
        (4, np.float32(1)),
        (4, 1.0),
        (2, x),
    ]
    for position, value in wrong:
        with pytest.raises(TypeError, match=f"argument {position} "):
            run(cupy, kernel, 1, 1, (*right[:position], value, *right[position + 1 :]))
    with pytest.raises(TypeError, match="takes 5 arguments, not 4"):
        run(cupy, kernel, 1, 1, right[:4])


def test_launches_that_the_driver_would_refuse() -> None:
    kernel = load('extern "C" __global__ void nothing() { __shared__ int s[256]; atomicAdd(s, 1); }', "nothing")
    for grid, block in [
        ((0,), (1,)),
        ((1, 65536), (1,)),
        ((2**31,), (1,)),
        ((1,), (1025,)),
        ((1,), (32, 33)),
        ((1,), (1, 1, 65)),
    ]:
        with pytest.raises(LaunchError, match="invalid configuration"):
            kernel(grid, block, ())
    assert kernel.max_dynamic_shared_size_bytes == 48 * 1024 - 1024
    with pytest.raises(LaunchError, match="shared"):
        kernel((1,), (1,), (), shared_mem=48 * 1024)
    kernel.max_dynamic_shared_size_bytes = 100_000
    kernel((1,), (1,), (), shared_mem=100_000)
    with pytest.raises(LaunchError, match="shared"):
        kernel.max_dynamic_shared_size_bytes = 232448
    with pytest.raises(TypeError):
        kernel([1], (1,), ())  # type: ignore[arg-type]


def test_what_does_not_compile_says_why() -> None:
    with pytest.raises(CompileError, match=r"nothing\.cu:2:.*unknown"):
        load('\nextern "C" __global__ void nothing() { unknown(); }', "nothing")
    with pytest.raises(ValueError, match="use_fast_math"):
        load("", "nothing", ("--use_fast_math",))
    with pytest.raises(CompileError, match="__reduce_add_sync"):
        load(WARP, "warp", architecture=75)


SHIFTED = """
import numpy as np
from cuda_on_cpu.host_cupy import HostCupy
SOURCE = '''
extern "C" __global__ void shift(const float* x, int n, float* out)
{
    __shared__ float tile[64];
    const int i = blockIdx.x * 64 + threadIdx.x;
    if (i < LIMIT) tile[threadIdx.x] = x[i];
    BARRIER;
    if (i < n) out[i] = tile[threadIdx.x ^ NEIGHBOUR];
}
'''
cupy = HostCupy()
shift = cupy.RawKernel(SOURCE, "shift", OPTIONS)
x, out = cupy.asarray(np.arange(190, dtype=np.float32)), cupy.empty(190, np.float32)
shift((3,), (64,), (x, np.int32(190), out))
assert out.get()[0] == NEIGHBOUR
"""


@pytest.mark.parametrize(
    ("sanitizer", "barrier", "limit", "neighbour", "line"),
    [
        ("thread", "__syncthreads()", "n", 33, 0),
        ("thread", "__syncwarp()", "n", 1, 0),
        ("thread", "__syncwarp()", "n", 33, 8),
        ("thread", "__ballot_sync(~0u, 1)", "n", 1, 8),
        ("address", "__syncthreads()", "n", 33, 0),
        ("address", "__syncthreads()", "n + 1", 33, 6),
    ],
)
def test_sanitizers_name_file_and_line(sanitizer: Any, barrier: str, limit: str, neighbour: int, line: int) -> None:
    options = (f"-DBARRIER={barrier}", f"-DLIMIT={limit}", f"-DNEIGHBOUR={neighbour}")
    result = run_sanitized(f"OPTIONS, NEIGHBOUR = {options!r}, {neighbour}\n{SHIFTED}", sanitizer)
    assert result.returncode == (66 if line else 0), result.stderr
    assert not line or f"shift.cu:{line}" in result.stderr
