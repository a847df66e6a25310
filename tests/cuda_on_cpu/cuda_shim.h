// Makes a CUDA C file compile under g++ -std=c++20: its keywords, built-in variables and vector types.
//
// The order is: this file, the .cu in a namespace of its own, launch.h. Supported is what the project's
// kernels use; what is missing fails to compile. Of floating point, nothing is contracted (g++ runs with
// -ffp-contract=off), while nvcc and NVRTC turn a * b + c into one fma unless told --fmad=false: results
// agree to the last bit where the kernel spells its roundings out (__fmul_rn, __fmaf_rn).
#pragma once

#include <math.h>
#include <type_traits>

#include "executor.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

// Blocks run one at a time, so one copy is enough. AddressSanitizer puts red zones around ordinary statics only;
// g++ puts those of a template outside the section, where they keep what the last block left.
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static
#else
#define __shared__ static __attribute__((section("shim_shared")))
#endif

#define DYNAMIC_SHARED(type, name) type* const name = reinterpret_cast<type*>(shim::dynamic_shared)

static const int warpSize = 32;

#define SHIM_VECTOR2(name, type, alignment)                      \
    struct alignas(alignment) name {                             \
        type x, y;                                               \
    };                                                           \
    static inline name make_##name(type x, type y) { return {x, y}; }
#define SHIM_VECTOR4(name, type, alignment)                      \
    struct alignas(alignment) name {                             \
        type x, y, z, w;                                         \
    };                                                           \
    static inline name make_##name(type x, type y, type z, type w) { return {x, y, z, w}; }

SHIM_VECTOR2(uchar2, unsigned char, 2)
SHIM_VECTOR2(ushort2, unsigned short, 4)
SHIM_VECTOR2(int2, int, 8)
SHIM_VECTOR2(uint2, unsigned, 8)
SHIM_VECTOR2(float2, float, 8)
SHIM_VECTOR2(double2, double, 16)
SHIM_VECTOR2(ulonglong2, unsigned long long, 16)
SHIM_VECTOR4(uchar4, unsigned char, 4)
SHIM_VECTOR4(ushort4, unsigned short, 8)
SHIM_VECTOR4(int4, int, 16)
SHIM_VECTOR4(uint4, unsigned, 16)
SHIM_VECTOR4(float4, float, 16)

#include "intrinsics.h"
#include "threads.h"

// Leaving the shim's own code: what g++ finds undefined in the kernel ends the launch with file and line. g++
// calls these functions by itself (-fsanitize=alignment,bounds,... -fno-sanitize-recover=all).
struct ShimPlace {
    const char* file;
    unsigned line, column;
};

#define SHIM_CHECK(name, what)                                                                                \
    extern "C" __attribute__((visibility("hidden"), noreturn)) void __ubsan_handle_##name##_abort(ShimPlace* place) \
    {                                                                                                         \
        shim::fault("%s:%u:%u: %s (block %u, %u, %u, thread %u, %u, %u)", place->file, place->line, place->column, what, \
            blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);                         \
    }

SHIM_CHECK(type_mismatch_v1, "misaligned address")
SHIM_CHECK(out_of_bounds, "index outside the array")
SHIM_CHECK(shift_out_of_bounds, "shift by as many bits as the type has, or more, or by less than 0")
SHIM_CHECK(float_cast_overflow, "floating-point value does not fit the integer type")
SHIM_CHECK(divrem_overflow, "integer division by zero or with a result too large")
SHIM_CHECK(add_overflow, "signed integer overflow")
SHIM_CHECK(sub_overflow, "signed integer overflow")
SHIM_CHECK(mul_overflow, "signed integer overflow")
SHIM_CHECK(negate_overflow, "signed integer overflow")
