// Motion: compare each frame of a batch with the one before it, and count the pixels that moved.
//
// A pixel moved when the grey value of the absolute difference of two BGR pictures is above the threshold:
//     (BLUE * |dB| + GREEN * |dG| + RED * |dR| + 2^14) >> 15 > threshold
// which is the same as the weighted sum reaching the least one with such a grey value (grey.lowest_moving_sum).
// A grey picture's difference is its own grey value. Planar YUV 4:2:0 is turned into BGR in registers, with the
// whole numbers of gpuheat.pixels.YuvToBgr.
//
// A thread follows 16 pixels of a row (of two rows, where 2 x 2 pixels share their colour) through the batch: each
// byte of every frame is loaded once, by one thread, 16 bytes at a time where the layout allows; the frame before and
// the counts stay in registers. Counts are bytes, four to a register, so that a launch has at most 255 pairs.
//
// The floor, per pixel and pair: the bytes of one frame, plus a share of the counts (8 bytes a batch where anything
// moved) and of the first frame. Instructions of the loop, counted in the code for compute capability 9.0 with
// ALIGNMENT 16. A multiprocessor issues 128 a clock; for an H200 (132 at 1.755 GHz: 29.6 T/s) whose memory is taken to
// move 4.3 TB/s, that is at most
//     gray8    1 byte      4.5 a pixel     6.6 T pixels/s, 6.6 TB/s     waits for memory
//     bgr24    3 bytes     8               3.7 T pixels/s, 11 TB/s      waits for memory
//     nv12     1.5 bytes   17              1.7 T pixels/s, 2.6 TB/s     its sums take longer than its bytes
// dp2a weighs two colours at a time, and no byte is taken out of its word for it; the colour conversion works on two
// pixels at once, in halves of 16 bits.
//
// Macros: KERNEL, one of FORMAT_GRAY8, FORMAT_BGR24, FORMAT_YUV420P and FORMAT_NV12, ALIGNMENT (16, 4 or 1: all
// addresses, pitches and strides are multiples of it; of half of it in the planes U and V of yuv420p, if 16), DECAYED,
// PIXELS (of a group), THREADS, PAIRS, BLOCKS, AHEAD (frames being loaded at a time), BLUE, GREEN, RED (cuda_source.py).

typedef unsigned char byte;

static_assert(PIXELS == 16, "a group is what 16 bytes of grey hold");

#define ALL_LANES 0xffffffffu
#define ONES 0x01010101u

#if defined(FORMAT_GRAY8)
#define QUADS 4  // groups of 4 pixels, each with its counts in one register
#define RAW 4    // words of a frame as it is loaded
#define COLORS 4 // words of a frame as it is compared
#elif defined(FORMAT_BGR24)
#define QUADS 4
#define RAW 12
#define COLORS 12
#else // two rows of 16 pixels: Y, Y of the next row, U and V; then blue, green and red of each quad
#define PLANAR
#define QUADS 8
#define RAW 12
#define COLORS 24
#endif

struct Conversion {
    int black, gain, red_v, green_u, green_v, blue_u;
};

// ---- loading -------------------------------------------------------------------------------------------------------

// The first bytes from p on as words, zeros behind them. WIDE: the alignment of p.
template <int WIDE, int WORDS> __device__ __forceinline__ void load(const byte *p, int bytes, unsigned *words)
{
    if (bytes == 4 * WORDS && WIDE == 16) {
#pragma unroll
        for (int i = 0; i < WORDS / 4; ++i) {
            const uint4 four = reinterpret_cast<const uint4 *>(p)[i];
            words[4 * i] = four.x;
            words[4 * i + 1] = four.y;
            words[4 * i + 2] = four.z;
            words[4 * i + 3] = four.w;
        }
    } else if (bytes == 4 * WORDS && WIDE == 8) {
#pragma unroll
        for (int i = 0; i < WORDS / 2; ++i) {
            const uint2 two = reinterpret_cast<const uint2 *>(p)[i];
            words[2 * i] = two.x;
            words[2 * i + 1] = two.y;
        }
    } else if (bytes == 4 * WORDS && WIDE == 4) {
#pragma unroll
        for (int i = 0; i < WORDS; ++i)
            words[i] = reinterpret_cast<const unsigned *>(p)[i];
    } else {
#pragma unroll
        for (int i = 0; i < WORDS; ++i) {
            words[i] = 0;
#pragma unroll
            for (int j = 0; j < 4; ++j)
                if (4 * i + j < bytes)
                    words[i] |= static_cast<unsigned>(p[4 * i + j]) << (8 * j);
        }
    }
}

// The pixels of this thread in one frame; plane[i] points at them, pitch[i] leads to the next row.
__device__ __forceinline__ void load_pixels(const byte *const *plane, const long long *pitch, int pixels, unsigned *raw)
{
#if defined(FORMAT_GRAY8)
    load<ALIGNMENT, 4>(plane[0], pixels, raw);
#elif defined(FORMAT_BGR24)
    load<ALIGNMENT, 12>(plane[0], 3 * pixels, raw);
#else
    load<ALIGNMENT, 4>(plane[0], pixels, raw);
    load<ALIGNMENT, 4>(plane[0] + pitch[0], pixels, raw + 4);
#if defined(FORMAT_NV12)
    load<ALIGNMENT, 4>(plane[1], pixels, raw + 8);
#else
    load<ALIGNMENT == 16 ? 8 : ALIGNMENT, 2>(plane[1], pixels / 2, raw + 8);
    load<ALIGNMENT == 16 ? 8 : ALIGNMENT, 2>(plane[2], pixels / 2, raw + 10);
#endif
#endif
}

// ---- comparing -----------------------------------------------------------------------------------------------------

__device__ __forceinline__ unsigned byte_of(const unsigned *words, int i)
{
    return words[i / 4] >> (8 * (i % 4)) & 0xffu;
}

#if defined(PLANAR)
// Blue, green and red of 2 x 16 pixels, a word for 4 pixels and a colour. All products are made so that the 16 bits to
// be shifted away are the lower half of a word, and the upper half is the result.
__device__ __forceinline__ void to_colors(const unsigned *raw, const Conversion &by, unsigned *colors)
{
    const int luma = 8 * by.gain, black = -8 * by.gain * by.black;
#pragma unroll
    for (int quad = 0; quad < 4; ++quad) {
        unsigned blue[2], green[2], red[2]; // added to both pixels of a pair, in 16-bit halves
#pragma unroll
        for (int pair = 0; pair < 2; ++pair) {
            const int i = 2 * quad + pair;
#if defined(FORMAT_NV12)
            const int u = byte_of(raw + 8, 2 * i), v = byte_of(raw + 8, 2 * i + 1);
#else
            const int u = byte_of(raw + 8, i), v = byte_of(raw + 10, i);
#endif
            const unsigned of_u = (u - 128) * 8 * by.green_u, of_v = (v - 128) * 8 * by.green_v;
            const unsigned both = (of_u & 0xffff0000u) + of_v; // each rounded down by itself, then added
            blue[pair] = __byte_perm((u - 128) * 8 * by.blue_u, 0, 0x3232);
            green[pair] = __byte_perm(both, 0, 0x3232);
            red[pair] = __byte_perm((v - 128) * 8 * by.red_v, 0, 0x3232);
        }
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            unsigned sums[3][2];
#pragma unroll
            for (int pair = 0; pair < 2; ++pair) {
                const int i = 4 * quad + 2 * pair;
                const unsigned y = __byte_perm(
                    static_cast<int>(byte_of(raw + 4 * row, i)) * luma + black,
                    static_cast<int>(byte_of(raw + 4 * row, i + 1)) * luma + black, 0x7632);
                sums[0][pair] = __viaddmin_s16x2_relu(y, blue[pair], 0x00ff00ffu); // clipped to 0..255
                sums[1][pair] = __viaddmin_s16x2_relu(y, green[pair], 0x00ff00ffu);
                sums[2][pair] = __viaddmin_s16x2_relu(y, red[pair], 0x00ff00ffu);
            }
#pragma unroll
            for (int color = 0; color < 3; ++color)
                colors[12 * row + 3 * quad + color] = __byte_perm(sums[color][0], sums[color][1], 0x6420);
        }
    }
}
#endif

// For a quad of pixels, a byte each: its lowest bit is 1 where the pixel moved. The other bits are anything.
__device__ __forceinline__ unsigned moved_bits(const unsigned *before, const unsigned *now, unsigned limit)
{
#if defined(FORMAT_GRAY8)
    // difference > threshold: difference + (255 - threshold) is carried out of its byte. The lower seven bits are
    // added by themselves, so that no carry crosses into the next byte; the carry out of the eighth is the majority.
    const unsigned difference = __vabsdiffu4(before[0], now[0]);
    const unsigned addend = (255u - limit) * ONES;
    const unsigned sum = (difference & 0x7f7f7f7fu) + (addend & 0x7f7f7f7fu);
    return ((difference & addend) | ((difference | addend) & sum)) >> 7;
#else
    const unsigned d0 = __vabsdiffu4(before[0], now[0]);
    const unsigned d1 = __vabsdiffu4(before[1], now[1]);
    const unsigned d2 = __vabsdiffu4(before[2], now[2]);
    // Each sum begins at -limit and stays within 24 bits: its uppermost byte is 0 where it reached 0, else 255.
    const unsigned start = 0u - limit, blue = BLUE, green = GREEN, red = RED;
#if defined(FORMAT_BGR24)
    const unsigned s0 = __dp2a_lo(blue | green << 16, d0, __dp2a_hi(red, d0, start));
    const unsigned s1 = __dp2a_hi(blue << 16, d0, __dp2a_lo(green | red << 16, d1, start));
    const unsigned s2 = __dp2a_hi(blue | green << 16, d1, __dp2a_lo(red, d2, start));
    const unsigned s3 = __dp2a_lo(blue << 16, d2, __dp2a_hi(green | red << 16, d2, start));
#else
    const unsigned s0 = __dp2a_lo(blue, d0, __dp2a_lo(green, d1, __dp2a_lo(red, d2, start)));
    const unsigned s1 = __dp2a_lo(blue << 16, d0, __dp2a_lo(green << 16, d1, __dp2a_lo(red << 16, d2, start)));
    const unsigned s2 = __dp2a_hi(blue, d0, __dp2a_hi(green, d1, __dp2a_hi(red, d2, start)));
    const unsigned s3 = __dp2a_hi(blue << 16, d0, __dp2a_hi(green << 16, d1, __dp2a_hi(red << 16, d2, start)));
#endif
    return ~__byte_perm(__byte_perm(s0, s1, 0x0073), __byte_perm(s2, s3, 0x0073), 0x5410);
#endif
}

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

// ---- the kernel ----------------------------------------------------------------------------------------------------

// rows      of the frame, or pairs of rows where it is planar
// width     px
// limit     grey.lowest_moving_sum, or the threshold of grey frames
// mask      (h, w): a pixel counts where it is not 0; or null
// counts    (h, w), raised; or null
// decayed   (h, w), raised by the weight of a pair where a pixel moved
// weights   (pairs,)
// moved     (pairs,), raised by the number of moved pixels
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) KERNEL(
    const byte *previous_0, long long previous_pitch_0, const byte *frames_0, long long pitch_0, long long stride_0,
#if defined(PLANAR)
    const byte *previous_1, long long previous_pitch_1, const byte *frames_1, long long pitch_1, long long stride_1,
#if defined(FORMAT_YUV420P)
    const byte *previous_2, long long previous_pitch_2, const byte *frames_2, long long pitch_2, long long stride_2,
#endif
    int black, int gain, int red_v, int green_u, int green_v, int blue_u,
#endif
    long long rows, long long width, int pairs, unsigned limit, const byte *mask, unsigned *counts,
#if DECAYED
    double *decayed, const double *weights,
#endif
    unsigned *moved)
{
    __shared__ unsigned moved_here[PAIRS];
    for (int i = threadIdx.x; i < pairs; i += THREADS)
        moved_here[i] = 0;
    __syncthreads();

    const long long group = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
    const long long groups_in_row = (width + PIXELS - 1) / PIXELS;
    const long long row = group / groups_in_row;
    const long long column = (group - row * groups_in_row) * PIXELS;
    // Threads behind the last row go along with no pixels: they belong to a warp whose lanes are summed up.
    const int pixels = row >= rows ? 0 : width - column < PIXELS ? static_cast<int>(width - column) : PIXELS;

#if defined(PLANAR)
    const Conversion by = {black, gain, red_v, green_u, green_v, blue_u};
#if defined(FORMAT_NV12)
    const long long in_chroma = column;
#else
    const long long in_chroma = column / 2;
#endif
    const byte *before_at[] = {
        previous_0 + 2 * row * previous_pitch_0 + column,
        previous_1 + row * previous_pitch_1 + in_chroma,
#if defined(FORMAT_YUV420P)
        previous_2 + row * previous_pitch_2 + in_chroma,
#endif
    };
    const byte *at[] = {
        frames_0 + 2 * row * pitch_0 + column,
        frames_1 + row * pitch_1 + in_chroma,
#if defined(FORMAT_YUV420P)
        frames_2 + row * pitch_2 + in_chroma,
#endif
    };
    const long long pixel = 2 * row * width + column;
#else
    const long long bytes = COLORS / QUADS; // of 4 pixels in words: of one in bytes
    const byte *before_at[] = {previous_0 + row * previous_pitch_0 + column * bytes};
    const byte *at[] = {frames_0 + row * pitch_0 + column * bytes};
    const long long pixel = row * width + column;
#endif

    const auto to_next_frame = [&] {
        at[0] += stride_0;
#if defined(PLANAR)
        at[1] += stride_1;
#endif
#if defined(FORMAT_YUV420P)
        at[2] += stride_2;
#endif
    };
    // The places of a quad's pixels in counts, mask and decayed follow each other.
    const auto place = [&](int quad) { return pixel + (quad / 4) * width + 4 * (quad % 4); };

    unsigned watched[QUADS], counted[QUADS];
#pragma unroll
    for (int quad = 0; quad < QUADS; ++quad) {
        watched[quad] = counted[quad] = 0;
#pragma unroll
        for (int i = 0; i < 4; ++i)
            if (4 * (quad % 4) + i < pixels && (mask == nullptr || mask[place(quad) + i] != 0))
                watched[quad] |= 1u << (8 * i);
    }

    unsigned raw[RAW], next[AHEAD][RAW], before[COLORS];
    load_pixels(before_at, &previous_pitch_0, pixels, raw);
#if defined(PLANAR)
    to_colors(raw, by, before);
#else
#pragma unroll
    for (int i = 0; i < COLORS; ++i)
        before[i] = raw[i];
#endif
#pragma unroll
    for (int ahead = 0; ahead < AHEAD; ++ahead)
        if (ahead < pairs) {
            load_pixels(at, &pitch_0, pixels, next[ahead]);
            to_next_frame();
        }

    for (int first = 0; first < pairs; first += AHEAD) {
#pragma unroll
        for (int ahead = 0; ahead < AHEAD; ++ahead) {
            const int pair = first + ahead;
            if (pair >= pairs)
                break;
#pragma unroll
            for (int i = 0; i < RAW; ++i)
                raw[i] = next[ahead][i];
            if (pair + AHEAD < pairs) { // under way while this frame and those before it are compared
                load_pixels(at, &pitch_0, pixels, next[ahead]);
                to_next_frame();
            }
#if defined(PLANAR)
            unsigned now[COLORS];
            to_colors(raw, by, now);
#else
            const unsigned *const now = raw;
#endif
            unsigned here = 0;
#pragma unroll
            for (int quad = 0; quad < QUADS; ++quad) {
                const int word = quad * (COLORS / QUADS);
                const unsigned bits = moved_bits(before + word, now + word, limit) & watched[quad];
                counted[quad] += bits;
                here = __dp4a(bits, ONES, here);
#if DECAYED
                if (bits != 0) // no other thread has these pixels
                    for (int i = 0; i < 4; ++i)
                        if (bits >> (8 * i) & 1)
                            decayed[place(quad) + i] += weights[pair];
#endif
            }
#pragma unroll
            for (int i = 0; i < COLORS; ++i)
                before[i] = now[i];
            here = warp_sum(here);
            if (threadIdx.x % 32 == 0 && here != 0)
                atomicAdd(&moved_here[pair], here);
        }
    }

    if (counts != nullptr) {
#pragma unroll
        for (int quad = 0; quad < QUADS; ++quad) {
            unsigned *const count = counts + place(quad);
            const unsigned sums = counted[quad];
            if (sums == 0)
                continue;
            if (4 * (quad % 4) + 4 <= pixels && reinterpret_cast<size_t>(count) % 16 == 0) {
                uint4 four = *reinterpret_cast<uint4 *>(count);
                four.x += sums & 0xffu;
                four.y += sums >> 8 & 0xffu;
                four.z += sums >> 16 & 0xffu;
                four.w += sums >> 24;
                *reinterpret_cast<uint4 *>(count) = four;
            } else {
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    if (4 * (quad % 4) + i < pixels)
                        count[i] += sums >> (8 * i) & 0xffu;
            }
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < pairs; i += THREADS)
        if (moved_here[i] != 0)
            atomicAdd(&moved[i], moved_here[i]);
}
