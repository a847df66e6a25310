// Picture sums: add up, pixel by pixel and color by color, the BGR pictures that a batch of frames stands for.
//
// The frames are planar YUV 4:2:0, packed one behind the other, and turned into BGR in registers with the whole numbers
// of gpuheat.pixels.YuvToBgr:
//     sums[c][y][x] += B, G or R of each frame, clipped to 0..255
//
// A thread follows 2 x 2 pixels, which share their U and V, through the batch; its twelve sums stay in registers, so
// that there are no atomics. Blocks of geometry.PICTURE_SUMS_THREADS threads along all 2 x 2 pixels, row by row.
//
// Bytes, per pixel: 1.5 of every frame read, and 12 of the sums read and written a batch. Neighbouring threads load
// neighbouring pairs of bytes; a batch that was just compared is still in the cache where that is large enough. This is
// far from the floor, and simple: it takes as long as a few frames' comparison, and a decoder takes longer still.
//
// Macros: KERNEL, one of FORMAT_YUV420P and FORMAT_NV12, THREADS.

typedef unsigned char byte;

__device__ __forceinline__ unsigned clipped(int value)
{
    return value < 0 ? 0u : value > 255 ? 255u : static_cast<unsigned>(value);
}

extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(
    const byte *luma, // [frames][2 rows][2 columns] Y
#if defined(FORMAT_NV12)
    const byte *chroma, // [frames][rows][columns][2] U and V
#else
    const byte *plane_u, // [frames][rows][columns]
    const byte *plane_v, // [frames][rows][columns]
#endif
    int black, int gain, int red_v, int green_u, int green_v, int blue_u, // gpuheat.pixels.YuvToBgr
    long long rows,    // of 2 x 2 pixels
    long long columns, // of 2 x 2 pixels
    int frames,
    unsigned *sums) // [3][2 rows][2 columns] blue, green, red; no overflow, if added to less than 2^32 / 255 times
{
    const long long here = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x, blocks = rows * columns;
    if (here >= blocks)
        return;
    const long long row = here / columns, upper = 2 * (row * columns + here); // the upper left pixel of the four
    unsigned total[3][2][2] = {};

    for (int frame = 0; frame < frames; ++frame) {
        const long long before = frame * blocks;
#if defined(FORMAT_NV12)
        const uchar2 both = reinterpret_cast<const uchar2 *>(chroma)[before + here];
        const int u = (both.x - 128) * 8, v = (both.y - 128) * 8;
#else
        const int u = (plane_u[before + here] - 128) * 8, v = (plane_v[before + here] - 128) * 8;
#endif
        const int of_colors[3] = {u * blue_u >> 16, (u * green_u >> 16) + (v * green_v >> 16), v * red_v >> 16};
#pragma unroll
        for (int lower = 0; lower < 2; ++lower) {
            const byte *const at = luma + 4 * before + upper + lower * 2 * columns;
            const uchar2 pair = *reinterpret_cast<const uchar2 *>(at);
            const int left = (pair.x - black) * 8 * gain >> 16, right = (pair.y - black) * 8 * gain >> 16;
#pragma unroll
            for (int color = 0; color < 3; ++color) {
                total[color][lower][0] += clipped(left + of_colors[color]);
                total[color][lower][1] += clipped(right + of_colors[color]);
            }
        }
    }

#pragma unroll
    for (int color = 0; color < 3; ++color)
#pragma unroll
        for (int lower = 0; lower < 2; ++lower) {
            unsigned *const at = sums + color * 4 * blocks + upper + lower * 2 * columns;
            at[0] += total[color][lower][0];
            at[1] += total[color][lower][1];
        }
}
