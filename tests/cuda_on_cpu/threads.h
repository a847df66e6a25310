// The intrinsics by which threads meet: barriers, warp operations, atomics.
#pragma once

static inline void __syncthreads() { shim::meet("__syncthreads()", true, 0, 0, true); }
static inline int __syncthreads_count(int predicate)
{
    return (int)shim::meet("__syncthreads_count()", true, 0, predicate != 0, true).agreed;
}
static inline int __syncthreads_or(int predicate)
{
    return shim::meet("__syncthreads_or()", true, 0, predicate != 0, true).agreed != 0;
}
static inline int __syncthreads_and(int predicate)
{
    const shim::Outcome outcome = shim::meet("__syncthreads_and()", true, 0, predicate != 0, true);
    return outcome.agreed == outcome.attended;
}
static inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { shim::meet("__syncwarp", false, mask, 0, true); }
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

namespace shim {

static inline unsigned lane() { return current->linear % WARP; }

template <class T> static inline unsigned long long widened(T value)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 32 or 64 bits");
    unsigned long long result = 0;
    memcpy(&result, &value, sizeof(value));
    return result;
}

// The value of lane `source`; nothing to rely on where that lane does not take part.
template <class T> static inline T shuffle(const char* what, unsigned mask, T value, unsigned source)
{
    const unsigned long long* values = meet(what, false, mask, widened(value), false).values;
    unsigned long long garbage;
    memset(&garbage, GARBAGE, sizeof(garbage));
    const unsigned long long word = mask >> source & 1 ? values[source] : garbage;
    T result;
    memcpy(&result, &word, sizeof(result));
    return result;
}

template <class F> static inline unsigned lanes_where(unsigned mask, F f)
{
    unsigned result = 0;
    for (unsigned i = 0; i < WARP; i++)
        if (mask >> i & 1 && f(i)) result |= 1u << i;
    return result;
}

template <class T> static inline void check_atomic(const T* address)
{
    if ((size_t)address % sizeof(T)) fault("atomic operation on a misaligned address, thread %u", current->linear);
}

} // namespace shim

template <class T> static inline T __shfl_sync(unsigned mask, T value, int source, int width = warpSize)
{
    const unsigned first = shim::lane() & ~(unsigned)(width - 1);
    return shim::shuffle("__shfl_sync", mask, value, first + ((unsigned)source & (unsigned)(width - 1)));
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize)
{
    const unsigned lane = shim::lane(), first = lane & ~(unsigned)(width - 1);
    return shim::shuffle("__shfl_up_sync", mask, value, lane - first >= delta ? lane - delta : lane);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize)
{
    const unsigned lane = shim::lane(), last = lane | (unsigned)(width - 1);
    return shim::shuffle("__shfl_down_sync", mask, value, last - lane >= delta ? lane + delta : lane);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize)
{
    const unsigned lane = shim::lane(), source = lane ^ (unsigned)lane_mask, last = lane | (unsigned)(width - 1);
    return shim::shuffle("__shfl_xor_sync", mask, value, source <= last ? source : lane);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    const unsigned long long* values = shim::meet("__ballot_sync", false, mask, predicate != 0, false).values;
    return shim::lanes_where(mask, [=](unsigned i) { return values[i] != 0; });
}
static inline int __any_sync(unsigned mask, int predicate)
{
    return shim::meet("__any_sync", false, mask, predicate != 0, false).agreed != 0;
}
static inline int __all_sync(unsigned mask, int predicate)
{
    const shim::Outcome outcome = shim::meet("__all_sync", false, mask, predicate != 0, false);
    return outcome.agreed == outcome.attended;
}
template <class T> static inline unsigned __match_any_sync(unsigned mask, T value)
{
    const unsigned long long mine = shim::widened(value);
    const unsigned long long* values = shim::meet("__match_any_sync", false, mask, mine, false).values;
    return shim::lanes_where(mask, [=](unsigned i) { return values[i] == mine; });
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
static inline unsigned __reduce_add_sync(unsigned mask, unsigned value)
{
    const unsigned long long* values = shim::meet("__reduce_add_sync", false, mask, value, false).values;
    unsigned sum = 0;
    for (unsigned i = 0; i < shim::WARP; i++)
        if (mask >> i & 1) sum += (unsigned)values[i];
    return sum;
}
static inline int __reduce_add_sync(unsigned mask, int value)
{
    return (int)__reduce_add_sync(mask, (unsigned)value);
}
#endif

#define SHIM_ATOMIC_INTEGER(type)                                       \
    static inline type atomicAdd(type* address, type value)             \
    {                                                                   \
        shim::check_atomic(address);                                    \
        return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);    \
    }                                                                   \
    static inline type atomicSub(type* address, type value)             \
    {                                                                   \
        shim::check_atomic(address);                                    \
        return __atomic_fetch_sub(address, value, __ATOMIC_RELAXED);    \
    }
SHIM_ATOMIC_INTEGER(int)
SHIM_ATOMIC_INTEGER(unsigned)
SHIM_ATOMIC_INTEGER(unsigned long long)

// `f` of the old value takes its place.
template <class Word, class T, class F> static inline T shim_atomic(T* address, F f)
{
    static_assert(sizeof(Word) == sizeof(T));
    shim::check_atomic(address);
    Word* const word = reinterpret_cast<Word*>(address);
    Word old = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(
        word, &old, shim::bits<Word>(f(shim::bits<T>(old))), true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return shim::bits<T>(old);
}
static inline float atomicAdd(float* address, float value)
{
    return shim_atomic<unsigned>(address, [=](float old) { return old + value; });
}
static inline double atomicAdd(double* address, double value)
{
    return shim_atomic<unsigned long long>(address, [=](double old) { return old + value; });
}
static inline unsigned atomicMax(unsigned* address, unsigned value)
{
    return shim_atomic<unsigned>(address, [=](unsigned old) { return old > value ? old : value; });
}
static inline unsigned atomicMin(unsigned* address, unsigned value)
{
    return shim_atomic<unsigned>(address, [=](unsigned old) { return old < value ? old : value; });
}
