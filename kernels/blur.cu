// Blur: a separable convolution with a symmetric kernel, float32; one of its two passes, or both at once.
//
// The border is mirrored without repeating the edge (OpenCV's BORDER_REFLECT_101), as often as it takes where the
// kernel is wider than the image. The weights come from the host.
//
// A block writes a tile of the image. For TAPS weights at a time it brings the pixels under them into shared memory,
// where neighbours share them; kernels of any length are worked off in such pieces. Every thread has several pixels
// under way, next to each other along the pass, so that a value read from shared memory serves all of them:
//     along rows     4 pixels; 4 + 4 values are read as two float4 for 16 products
//     along columns  8 pixels; 1 value is read for 8 products
// ALONG_BOTH, for kernels of at most TAPS weights: what the first pass makes of a tile and the rows around it stays in
// shared memory for the second, and the image crosses memory once instead of twice.
//
// The floor, per pixel: 4 bytes read and 4 written, by each pass or by both at once, and as many fused multiply-adds
// as there are weights in each pass. Both at once: those of the first pass also in 2 * radius rows beside a tile. At
// radius 12 (sigma 3) that is 59 a pixel with a tile of 64 rows; an H200 does 29.6 T/s, for 500 G pixels/s or 4 TB/s.
//
// Macros: KERNEL, ALONG_ROWS, ALONG_COLUMNS or ALONG_BOTH, THREADS_X, THREADS_Y, TILE_X, TILE_Y, ACROSS and DOWN
// (pixels of a row or a column under way in a thread), TAPS (cuda_source.py).

#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

#define THREADS (THREADS_X * THREADS_Y)

static_assert(ACROSS == 4, "a float4 is read for ACROSS pixels");

// The place inside 0 ... size - 1 that a place outside of it shows.
__device__ __forceinline__ long long mirrored(long long place, long long size)
{
    if (place >= 0 && place < size)
        return place;
    if (size == 1)
        return 0;
    const long long period = 2 * (size - 1);
    const long long turn = (place < 0 ? -place : place) % period;
    return turn < size ? turn : period - turn;
}

// The first TAPS weights from ``first`` on, zeros behind the last.
__device__ __forceinline__ void load_taps(float *taps, const float *weights, int first, int number, int thread)
{
    for (int i = thread; i < TAPS; i += THREADS)
        taps[i] = first + i < number ? weights[first + i] : 0;
}

// Adds weight * value for ACROSS neighbours of a row. No more values than there are weights: a zero is none for NaN.
__device__ __forceinline__ void add_along_row(const float4 *values, const float *taps, int steps, float *sums)
{
    float4 here = values[0];
    int i = 0;
    for (; i + 4 <= steps; i += 4) {
        const float4 next = values[i / 4 + 1];
        const float4 tap = *reinterpret_cast<const float4 *>(taps + i);
        const float window[] = {here.x, here.y, here.z, here.w, next.x, next.y, next.z};
#pragma unroll
        for (int j = 0; j < ACROSS; ++j) {
            sums[j] = fmaf(tap.x, window[j], sums[j]);
            sums[j] = fmaf(tap.y, window[j + 1], sums[j]);
            sums[j] = fmaf(tap.z, window[j + 2], sums[j]);
            sums[j] = fmaf(tap.w, window[j + 3], sums[j]);
        }
        here = next;
    }
    const float4 next = values[i / 4 + 1];
    const float window[] = {here.x, here.y, here.z, here.w, next.x, next.y, next.z};
#pragma unroll
    for (int rest = 0; rest < 3; ++rest)
        if (i + rest < steps)
#pragma unroll
            for (int j = 0; j < ACROSS; ++j)
                sums[j] = fmaf(taps[i + rest], window[j + rest], sums[j]);
}

// The same for DOWN neighbours of a column; the next value lies ``pitch`` further.
__device__ __forceinline__ void add_along_column(
    const float *values, int pitch, const float *taps, int steps, float *sums)
{
    float window[DOWN];
#pragma unroll
    for (int j = 0; j + 1 < DOWN; ++j)
        window[j] = values[j * pitch];
#pragma unroll 8
    for (int i = 0; i < steps; ++i) {
        window[DOWN - 1] = values[(i + DOWN - 1) * pitch];
#pragma unroll
        for (int j = 0; j < DOWN; ++j)
            sums[j] = fmaf(taps[i], window[j], sums[j]);
#pragma unroll
        for (int j = 0; j + 1 < DOWN; ++j)
            window[j] = window[j + 1];
    }
}

// image, blurred  (height, width)
// weights         (2 * radius + 1,)
extern "C" __global__ void __launch_bounds__(THREADS)
    KERNEL(const float *image, const float *weights, long long height, long long width, int radius, float *blurred)
{
    alignas(16) __shared__ float taps[TAPS];
    const int thread = threadIdx.y * THREADS_X + threadIdx.x;
    const int number = 2 * radius + 1;
    const long long tiles_in_row = (width + TILE_X - 1) / TILE_X;
    const long long top = blockIdx.x / tiles_in_row * TILE_Y;
    const long long left = blockIdx.x % tiles_in_row * TILE_X;

#if defined(ALONG_ROWS)
    static_assert(TILE_X == ACROSS * THREADS_X && TILE_Y == THREADS_Y, "a thread for each ACROSS pixels");
    alignas(16) __shared__ float tile[TILE_Y][TILE_X + TAPS + ACROSS];
    const long long y = top + threadIdx.y, x = left + threadIdx.x * ACROSS;
    float sums[ACROSS] = {};
    for (int first = 0; first < number; first += TAPS) {
        const int steps = number - first < TAPS ? number - first : TAPS;
        load_taps(taps, weights, first, number, thread);
        for (int i = threadIdx.x; i < TILE_X + steps - 1; i += THREADS_X)
            tile[threadIdx.y][i] = y < height ? image[y * width + mirrored(left + i + first - radius, width)] : 0;
        __syncthreads();
        add_along_row(reinterpret_cast<const float4 *>(tile[threadIdx.y]) + threadIdx.x, taps, steps, sums);
        __syncthreads();
    }
    for (int j = 0; j < ACROSS; ++j)
        if (y < height && x + j < width)
            blurred[y * width + x + j] = sums[j];

#elif defined(ALONG_COLUMNS)
    static_assert(TILE_X == THREADS_X && TILE_Y == DOWN * THREADS_Y, "a thread for each DOWN pixels");
    __shared__ float tile[TILE_Y + TAPS][TILE_X];
    const long long y = top + threadIdx.y * DOWN, x = left + threadIdx.x;
    float sums[DOWN] = {};
    for (int first = 0; first < number; first += TAPS) {
        const int steps = number - first < TAPS ? number - first : TAPS;
        load_taps(taps, weights, first, number, thread);
        for (int row = threadIdx.y; row < TILE_Y + steps - 1; row += THREADS_Y)
            tile[row][threadIdx.x] = x < width ? image[mirrored(top + row + first - radius, height) * width + x] : 0;
        __syncthreads();
        add_along_column(&tile[threadIdx.y * DOWN][threadIdx.x], TILE_X, taps, steps, sums);
        __syncthreads();
    }
    for (int j = 0; j < DOWN; ++j)
        if (y + j < height && x < width)
            blurred[(y + j) * width + x] = sums[j];

#else
    static_assert(TILE_X == ACROSS * THREADS_X && THREADS % TILE_X == 0, "a thread for each ACROSS, then DOWN pixels");
    static_assert(TILE_Y % (THREADS / TILE_X * DOWN) == 0, "whole columns of DOWN pixels");
    alignas(16) __shared__ float strip[THREADS_Y][TILE_X + TAPS + ACROSS];
    DYNAMIC_SHARED(float4, quads); // (TILE_Y + 2 * radius, TILE_X): the tile after the first pass
    load_taps(taps, weights, 0, number, thread);
    long long columns[(TILE_X + TAPS) / THREADS_X]; // of the image, the same for all rows
#pragma unroll
    for (int i = 0; i < (TILE_X + TAPS) / THREADS_X; ++i)
        columns[i] = mirrored(left + i * THREADS_X + threadIdx.x - radius, width);
    for (int first = 0; first < TILE_Y + 2 * radius; first += THREADS_Y) {
        const int row = first + threadIdx.y;
        const float *const line = image + mirrored(top + row - radius, height) * width;
#pragma unroll
        for (int i = 0; i < (TILE_X + TAPS) / THREADS_X; ++i)
            if (i * THREADS_X + threadIdx.x < TILE_X + number - 1)
                strip[threadIdx.y][i * THREADS_X + threadIdx.x] = line[columns[i]];
        __syncthreads();
        float sums[ACROSS] = {};
        add_along_row(reinterpret_cast<const float4 *>(strip[threadIdx.y]) + threadIdx.x, taps, number, sums);
        if (row < TILE_Y + 2 * radius)
            quads[row * (TILE_X / ACROSS) + threadIdx.x] = make_float4(sums[0], sums[1], sums[2], sums[3]);
        __syncthreads();
    }
    const long long x = left + thread % TILE_X;
    for (int row = thread / TILE_X * DOWN; row < TILE_Y; row += THREADS / TILE_X * DOWN) {
        float sums[DOWN] = {};
        const float *const above = reinterpret_cast<const float *>(quads) + row * TILE_X + thread % TILE_X;
        add_along_column(above, TILE_X, taps, number, sums);
        for (int j = 0; j < DOWN; ++j)
            if (top + row + j < height && x < width)
                blurred[(top + row + j) * width + x] = sums[j];
    }
#endif
}
