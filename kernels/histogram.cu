// Histogram: add the weight of every point to the bin it falls in, where numpy.histogram2d puts it.
//
// A bin holds its lower edge, the last bin of an axis its upper edge too; NaN and points outside fall nowhere. The bin
// is the whole part of coordinate * scale, except where that product lies so close to a whole number that rounding
// could have carried it over an edge (less than MARGIN away, a bound of its error): there the coordinate is compared
// with that edge itself. Nothing is converted to a whole number before it is known to be within bounds.
//
// Sums are whole numbers, so the order of the atomics does not matter. PRIVATE_BINS: each block counts in 32-bit bins
// in its shared memory, and adds them to the histogram at the end; what a 32-bit bin cannot hold is carried into the
// histogram at once. Otherwise points go straight to the 64-bit bins in global memory. Lanes of a warp whose points
// fall into one bin queue up for it: where HOT of them or more do, they are added up in registers first and one lane
// speaks for them, so that a picture with one hot spot is as fast as one without.
//
// The floor, per point: 8 bytes of float32 coordinates (16 of float64), 4 of its weight.
//
// Macros: KERNEL, COORDINATE (float or double: the type of x and y), PRODUCT_IS_DOUBLE, ALIGNMENT (16: of x, y and
// weight, for wide loads; 1: none beyond their own), WEIGHTED, PRIVATE_BINS, POINTS (per thread and turn), HOT
// (cuda_source.py).

#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

#define ALL_LANES 0xffffffffu

typedef unsigned long long sum64;

#if PRODUCT_IS_DOUBLE
typedef double Product;
#else
typedef float Product;
#endif

struct Axis {
    const double *edges; // (bins + 1,), ascending from 0
    int bins;
    Product scale;  // bins per px
    Product margin; // more than the error of coordinate * scale, less than 1/2
};

// ---- which bin -----------------------------------------------------------------------------------------------------

// Asked of the bits, for a compiler may be told to take the smallest numbers for 0, and CuPy tells it so.
__device__ __forceinline__ bool is_below_zero(float number)
{
    return __float_as_int(number) < 0 && (__float_as_int(number) & 0x7fffffff) != 0;
}

__device__ __forceinline__ bool is_below_zero(double number)
{
    return number < 0;
}

struct Place {
    Product at;  // in bins from the first edge
    bool inside; // or so close to the ends that the edges have to tell
    bool clear;  // farther from every edge than rounding could have carried it
};

__device__ __forceinline__ Place place_on(const Axis &axis, COORDINATE coordinate)
{
    // Rounded by itself: the margin is a bound of that error.
#if PRODUCT_IS_DOUBLE
    const Product at = __dmul_rn(coordinate, axis.scale), off = fabs(at - rint(at));
#else
    const Product at = __fmul_rn(coordinate, axis.scale), off = fabsf(at - rintf(at));
#endif
    const Product end = static_cast<Product>(axis.bins) + axis.margin;
    return {at, at > -axis.margin && at < end, off > axis.margin}; // NaN is not inside
}

// The bin of a coordinate inside whose place is not clear, by the edge that it is close to.
__device__ __forceinline__ int bin_by_edge(const Axis &axis, COORDINATE coordinate, const Place &place)
{
    if (place.clear)
        return static_cast<int>(place.at);
#if PRODUCT_IS_DOUBLE
    const int edge = static_cast<int>(rint(place.at));
#else
    const int edge = static_cast<int>(rintf(place.at));
#endif
    if (edge == 0)
        return is_below_zero(coordinate) ? -1 : 0;
    const double exact = coordinate, at = axis.edges[edge];
    if (exact < at)
        return edge - 1;
    if (edge < axis.bins)
        return edge;
    return exact == at ? edge - 1 : -1;
}

// The bin of a point in the flat histogram; -1 outside.
__device__ __forceinline__ int bin_of(const Axis &along_x, const Axis &along_y, COORDINATE x, COORDINATE y)
{
    const Place column = place_on(along_x, x), row = place_on(along_y, y);
    if (!(column.inside && row.inside))
        return -1;
    if (column.clear && row.clear)
        return static_cast<int>(row.at) * along_x.bins + static_cast<int>(column.at);
    const int exact_column = bin_by_edge(along_x, x, column), exact_row = bin_by_edge(along_y, y, row);
    return exact_column < 0 || exact_row < 0 ? -1 : exact_row * along_x.bins + exact_column;
}

// ---- adding --------------------------------------------------------------------------------------------------------

#if PRIVATE_BINS
__device__ __forceinline__ void add(unsigned *bins, sum64 *histogram, int bin, sum64 amount)
{
    const unsigned low = static_cast<unsigned>(amount);
    const unsigned old = atomicAdd(&bins[bin], low);
    const sum64 carried = (amount >> 32) + (old + low < old ? 1 : 0);
    if (carried != 0)
        atomicAdd(&histogram[bin], carried << 32);
}
#else
__device__ __forceinline__ void add(unsigned *, sum64 *histogram, int bin, sum64 amount)
{
    atomicAdd(&histogram[bin], amount);
}
#endif

#if WEIGHTED
__device__ __forceinline__ unsigned warp_sum(unsigned value)
{
#if __CUDA_ARCH__ >= 800
    return __reduce_add_sync(ALL_LANES, value);
#else
    for (int distance = 16; distance > 0; distance /= 2)
        value += __shfl_xor_sync(ALL_LANES, value, distance);
    return value;
#endif
}
#endif

// One point of every lane; bin -1 is no point. All lanes of the warp come here together.
__device__ __forceinline__ void add_warp(unsigned *bins, sum64 *histogram, int bin, unsigned amount)
{
    const int lane = threadIdx.x % 32;
    for (unsigned waiting = __ballot_sync(ALL_LANES, bin >= 0); waiting != 0;) {
        const int first = __ffs(waiting) - 1;
        const int his = __shfl_sync(ALL_LANES, bin, first);
        const unsigned same = __ballot_sync(ALL_LANES, bin == his);
        if (__popc(same) < HOT)
            break; // most likely all bins are different
#if WEIGHTED
        const unsigned mine = bin == his ? amount : 0; // halves of 16 bits: 32 of them cannot overflow
        const sum64 total = warp_sum(mine & 0xffffu) + (static_cast<sum64>(warp_sum(mine >> 16)) << 16);
#else
        const sum64 total = __popc(same);
#endif
        if (lane == first)
            add(bins, histogram, bin, total);
        if (bin == his)
            bin = -1;
        waiting &= ~same;
    }
    if (bin >= 0)
        add(bins, histogram, bin, amount);
}

// ---- the kernel ----------------------------------------------------------------------------------------------------

// POINTS values from p[first] on. The caller knows that they are there, and that p[first] is aligned if ALIGNMENT is.
template <typename T> __device__ __forceinline__ void load(const T *p, T *values)
{
#if ALIGNMENT == 16
    const int words = POINTS * sizeof(T) / 16;
    uint4 *const quads = reinterpret_cast<uint4 *>(values);
#pragma unroll
    for (int i = 0; i < words; ++i)
        quads[i] = reinterpret_cast<const uint4 *>(p)[i];
#else
#pragma unroll
    for (int i = 0; i < POINTS; ++i)
        values[i] = p[i];
#endif
}

// x, y       (points,) px
// weight     (points,)
// x_edges    (nx + 1,) px
// histogram  (ny, nx), raised
extern "C" __global__ void KERNEL(
    const COORDINATE *x, const COORDINATE *y,
#if WEIGHTED
    const unsigned *weight,
#endif
    long long points, const double *x_edges, const double *y_edges, int nx, int ny, Product x_scale, Product y_scale,
    Product x_margin, Product y_margin, sum64 *histogram)
{
    const Axis along_x = {x_edges, nx, x_scale, x_margin}, along_y = {y_edges, ny, y_scale, y_margin};
#if PRIVATE_BINS
    DYNAMIC_SHARED(unsigned, bins);
    for (int i = threadIdx.x; i < nx * ny; i += blockDim.x)
        bins[i] = 0;
    __syncthreads();
#else
    unsigned *const bins = nullptr;
#endif

    // All threads of a block take the same number of turns, so that warps stay whole.
    const long long turn = static_cast<long long>(gridDim.x) * blockDim.x * POINTS;
    for (long long start = static_cast<long long>(blockIdx.x) * blockDim.x * POINTS; start < points; start += turn) {
        const long long first = start + threadIdx.x * POINTS;
        alignas(16) COORDINATE xs[POINTS], ys[POINTS];
        alignas(16) unsigned amounts[POINTS];
        const int there = first + POINTS <= points ? POINTS : first < points ? static_cast<int>(points - first) : 0;
        if (there == POINTS) {
            load(x + first, xs);
            load(y + first, ys);
#if WEIGHTED
            load(weight + first, amounts);
#endif
        } else {
#pragma unroll
            for (int i = 0; i < POINTS; ++i)
                if (i < there) {
                    xs[i] = x[first + i];
                    ys[i] = y[first + i];
#if WEIGHTED
                    amounts[i] = weight[first + i];
#endif
                }
        }
#pragma unroll
        for (int i = 0; i < POINTS; ++i) {
            const int bin = i < there ? bin_of(along_x, along_y, xs[i], ys[i]) : -1;
            add_warp(bins, histogram, bin, WEIGHTED ? amounts[i] : 1);
        }
    }

#if PRIVATE_BINS
    __syncthreads();
    for (int i = threadIdx.x; i < nx * ny; i += blockDim.x)
        if (bins[i] != 0)
            atomicAdd(&histogram[i], static_cast<sum64>(bins[i]));
#endif
}
