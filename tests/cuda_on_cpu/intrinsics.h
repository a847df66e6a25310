// The intrinsics that concern one thread alone: packed integers, bits, roundings, cached loads.
#pragma once

namespace shim {

template <class To, class From> static inline To bits(From value)
{
    static_assert(sizeof(To) == sizeof(From));
    To result;
    memcpy(&result, &value, sizeof(result));
    return result;
}

// One function on each `width`-bit part of two words.
template <unsigned width, class F> static inline unsigned by_parts(unsigned a, unsigned b, F f)
{
    constexpr unsigned mask = (1u << width) - 1;
    unsigned result = 0;
    for (unsigned shift = 0; shift < 32; shift += width)
        result |= ((unsigned)f((int)(a >> shift & mask), (int)(b >> shift & mask)) & mask) << shift;
    return result;
}

static inline int byte(unsigned word, unsigned i, bool has_sign)
{
    const unsigned value = word >> 8 * i & 0xFF;
    return has_sign ? (signed char)value : (int)value;
}

static inline int half(unsigned word, unsigned i, bool has_sign)
{
    const unsigned value = word >> 16 * i & 0xFFFF;
    return has_sign ? (short)value : (int)value;
}

// a's four bytes times b's, and c; wraps like the hardware.
static inline unsigned dp4a(unsigned a, unsigned b, unsigned c, bool has_sign)
{
    for (unsigned i = 0; i < 4; i++) c += (unsigned)(byte(a, i, has_sign) * byte(b, i, has_sign));
    return c;
}

// a's two halves times two of b's bytes, from `first` on, and c.
static inline unsigned dp2a(unsigned a, unsigned b, unsigned c, unsigned first, bool has_sign)
{
    for (unsigned i = 0; i < 2; i++) c += (unsigned)half(a, i, has_sign) * (unsigned)byte(b, first + i, has_sign);
    return c;
}

// A rounded value as an integer: too large and too small ones become the nearest there is. PTX: NaN becomes 0
// only from float to 32 bits, else the smallest integer.
template <class Integer, class Real> static inline Integer saturated(Real rounded)
{
    constexpr Integer smallest = (Integer)1 << (8 * sizeof(Integer) - 2) << 1, largest = ~smallest;
    if (rounded != rounded) return sizeof(Real) == 4 && sizeof(Integer) == 4 ? 0 : smallest;
    if (rounded >= -(Real)smallest) return largest;
    if (rounded < (Real)smallest) return smallest;
    return (Integer)rounded;
}

} // namespace shim

static inline unsigned __vabsdiffu4(unsigned a, unsigned b)
{
    return shim::by_parts<8>(a, b, [](int x, int y) { return x > y ? x - y : y - x; });
}
static inline unsigned __vadd2(unsigned a, unsigned b)
{
    return shim::by_parts<16>(a, b, [](int x, int y) { return x + y; });
}
static inline unsigned __vsub2(unsigned a, unsigned b)
{
    return shim::by_parts<16>(a, b, [](int x, int y) { return x - y; });
}
static inline unsigned __viaddmin_s16x2(unsigned a, unsigned b, unsigned c)
{
    return shim::by_parts<16>(__vadd2(a, b), c, [](int x, int y) { return (short)x < (short)y ? x : y; });
}
static inline unsigned __viaddmin_s16x2_relu(unsigned a, unsigned b, unsigned c)
{
    return shim::by_parts<16>(__viaddmin_s16x2(a, b, c), 0, [](int x, int) { return (short)x < 0 ? 0 : x; });
}
static inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) { return shim::dp4a(a, b, c, false); }
static inline int __dp4a(int a, int b, int c) { return (int)shim::dp4a(a, b, c, true); }
static inline unsigned __dp2a_lo(unsigned a, unsigned b, unsigned c) { return shim::dp2a(a, b, c, 0, false); }
static inline int __dp2a_lo(int a, int b, int c) { return (int)shim::dp2a(a, b, c, 0, true); }
static inline unsigned __dp2a_hi(unsigned a, unsigned b, unsigned c) { return shim::dp2a(a, b, c, 2, false); }
static inline int __dp2a_hi(int a, int b, int c) { return (int)shim::dp2a(a, b, c, 2, true); }
static inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector)
{
    const unsigned long long both = (unsigned long long)y << 32 | x;
    unsigned result = 0;
    for (unsigned i = 0; i < 4; i++) result |= (unsigned)(both >> 8 * (selector >> 4 * i & 7) & 0xFF) << 8 * i;
    return result;
}

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift)
{
    return (unsigned)(((unsigned long long)high << 32 | low) >> (shift & 31));
}
static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift)
{
    return (unsigned)(((unsigned long long)high << 32 | low) << (shift & 31) >> 32);
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }

template <class T> static inline T __ldg(const T* address) { return *address; }
template <class T> static inline T __ldcs(const T* address) { return *address; }
template <class T> static inline T __ldca(const T* address) { return *address; }
template <class T> static inline void __stcs(T* address, std::type_identity_t<T> value) { *address = value; }

// Both arguments of one type, or of those mixtures that CUDA's own overloads take.
#define SHIM_MIN_MAX(result, a_type, b_type)                                                                     \
    static inline result min(a_type a, b_type b) { return (result)a < (result)b ? (result)a : (result)b; }       \
    static inline result max(a_type a, b_type b) { return (result)a > (result)b ? (result)a : (result)b; }
SHIM_MIN_MAX(int, int, int)
SHIM_MIN_MAX(unsigned, unsigned, unsigned)
SHIM_MIN_MAX(unsigned, int, unsigned)
SHIM_MIN_MAX(unsigned, unsigned, int)
SHIM_MIN_MAX(long, long, long)
SHIM_MIN_MAX(unsigned long, unsigned long, unsigned long)
SHIM_MIN_MAX(long long, long long, long long)
SHIM_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }

#define SHIM_TO_INTEGER(name, real, integer)                                                                      \
    static inline integer name##_rd(real x) { return shim::saturated<integer>((real)floor(x)); }                  \
    static inline integer name##_ru(real x) { return shim::saturated<integer>((real)ceil(x)); }                   \
    static inline integer name##_rz(real x) { return shim::saturated<integer>((real)trunc(x)); }                  \
    static inline integer name##_rn(real x) { return shim::saturated<integer>((real)rint(x)); }
SHIM_TO_INTEGER(__float2int, float, int)
SHIM_TO_INTEGER(__float2ll, float, long long)
SHIM_TO_INTEGER(__double2int, double, int)
SHIM_TO_INTEGER(__double2ll, double, long long)

static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }

static inline float __int_as_float(int x) { return shim::bits<float>(x); }
static inline int __float_as_int(float x) { return shim::bits<int>(x); }
static inline float __uint_as_float(unsigned x) { return shim::bits<float>(x); }
static inline unsigned __float_as_uint(float x) { return shim::bits<unsigned>(x); }
static inline double __longlong_as_double(long long x) { return shim::bits<double>(x); }
static inline long long __double_as_longlong(double x) { return shim::bits<long long>(x); }
