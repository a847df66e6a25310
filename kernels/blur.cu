// Blur: one of the two passes of a separable convolution with a symmetric kernel, float32.
//
// The border is mirrored without repeating the edge (OpenCV's BORDER_REFLECT_101), as often as it takes where the
// kernel is wider than the image. The weights come from the host.
//
// A block writes a tile of the image. For TAPS weights at a time it brings the pixels under them into shared memory,
// where neighbours share them; kernels of any length are worked off in such pieces. Every thread has several pixels
// under way, next to each other along the pass, so that a value read from shared memory serves all of them:
//     along rows     4 pixels; 4 + 4 values are read as two float4 for 16 products
//     along columns  8 pixels; 1 value is read for 8 products
//
// The floor, per pixel of one pass: 4 bytes read, 4 written, and as many fused multiply-adds as there are weights.
//
// Macros: KERNEL, ALONG_ROWS or ALONG_COLUMNS, THREADS_X, THREADS_Y, TILE_X, TILE_Y, TAPS (cuda_source.py).

#if defined(ALONG_ROWS)
#define EACH (TILE_X / THREADS_X) // pixels of a thread
#define WIDE (TILE_X + TAPS)      // of the tile with the pixels under TAPS weights
#define HIGH TILE_Y
#else
#define EACH (TILE_Y / THREADS_Y)
#define WIDE TILE_X
#define HIGH (TILE_Y + TAPS)
#endif

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

// image, blurred  (height, width)
// weights         (2 * radius + 1,)
extern "C" __global__ void __launch_bounds__(THREADS_X *THREADS_Y)
    KERNEL(const float *image, const float *weights, long long height, long long width, int radius, float *blurred)
{
    alignas(16) __shared__ float tile[HIGH][WIDE];
    alignas(16) __shared__ float taps[TAPS];
    const int thread = threadIdx.y * THREADS_X + threadIdx.x;
    const long long tiles_in_row = (width + TILE_X - 1) / TILE_X;
    const long long top = blockIdx.x / tiles_in_row * TILE_Y;
    const long long left = blockIdx.x % tiles_in_row * TILE_X;

    float sums[EACH];
#pragma unroll
    for (int i = 0; i < EACH; ++i)
        sums[i] = 0;

    for (int first = 0; first <= 2 * radius; first += TAPS) {
        // Behind the last weight there are zeros, up to a whole number of steps.
        for (int i = thread; i < TAPS; i += THREADS_X * THREADS_Y)
            taps[i] = first + i <= 2 * radius ? weights[first + i] : 0;
        const int under_way = 2 * radius + 1 - first < TAPS ? 2 * radius + 1 - first : TAPS;
#if defined(ALONG_ROWS)
        const int steps = (under_way + 3) / 4 * 4;
        for (int row = threadIdx.y; row < HIGH; row += THREADS_Y) {
            const long long y = top + row;
            for (int i = threadIdx.x; i < TILE_X + steps; i += THREADS_X)
                tile[row][i] = y < height ? image[y * width + mirrored(left + i + first - radius, width)] : 0;
        }
#else
        const int steps = under_way;
        for (int row = threadIdx.y; row < TILE_Y + steps - 1; row += THREADS_Y) {
            const long long y = mirrored(top + row + first - radius, height);
            for (int i = threadIdx.x; i < WIDE; i += THREADS_X)
                tile[row][i] = left + i < width ? image[y * width + left + i] : 0;
        }
#endif
        __syncthreads();
#if defined(ALONG_ROWS)
        const float4 *const values = reinterpret_cast<const float4 *>(tile[threadIdx.y]) + threadIdx.x;
        float4 here = values[0];
        for (int i = 0; i < steps; i += 4) {
            const float4 next = values[i / 4 + 1];
            const float4 tap = *reinterpret_cast<const float4 *>(taps + i);
            const float window[] = {here.x, here.y, here.z, here.w, next.x, next.y, next.z};
#pragma unroll
            for (int j = 0; j < EACH; ++j) {
                sums[j] = fmaf(tap.x, window[j], sums[j]);
                sums[j] = fmaf(tap.y, window[j + 1], sums[j]);
                sums[j] = fmaf(tap.z, window[j + 2], sums[j]);
                sums[j] = fmaf(tap.w, window[j + 3], sums[j]);
            }
            here = next;
        }
#else
        float window[EACH];
#pragma unroll
        for (int j = 0; j + 1 < EACH; ++j)
            window[j] = tile[threadIdx.y * EACH + j][threadIdx.x];
#pragma unroll 8
        for (int i = 0; i < steps; ++i) {
            window[EACH - 1] = tile[threadIdx.y * EACH + i + EACH - 1][threadIdx.x];
#pragma unroll
            for (int j = 0; j < EACH; ++j)
                sums[j] = fmaf(taps[i], window[j], sums[j]);
#pragma unroll
            for (int j = 0; j + 1 < EACH; ++j)
                window[j] = window[j + 1];
        }
#endif
        __syncthreads();
    }

#pragma unroll
    for (int i = 0; i < EACH; ++i) {
#if defined(ALONG_ROWS)
        const long long y = top + threadIdx.y, x = left + threadIdx.x * EACH + i;
#else
        const long long y = top + threadIdx.y * EACH + i, x = left + threadIdx.x;
#endif
        if (y < height && x < width)
            blurred[y * width + x] = sums[i];
    }
}
