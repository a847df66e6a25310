// Picture sums: add up, byte by byte, a plane of a batch of frames.
//
//     sums[i] += weight * (the i-th byte of each frame of the batch)
//
// A thread follows one byte through the batch; its sum stays in a register, so that there are no atomics. Blocks of THREADS threads along the bytes of a frame (geometry.picture_sums).
//
// Bytes, per byte of a plane: 1 of every frame read, and 8 of the sums read and written a batch. Neighbouring threads
// load neighbouring bytes; a batch that was just compared is still in the cache where that is large enough. Of long
// videos few frames are added up, so that this is simple rather than at the floor.
//
// Macros: KERNEL, THREADS.

typedef unsigned char byte;

extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(
    const byte *frames, // [number][size]
    long long size,     // of a frame, bytes
    int number,         // of frames
    unsigned weight,
    unsigned *sums) // [size]; no overflow, if the weights of all frames add up to less than 2^32 / 255
{
    const long long here = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
    if (here >= size)
        return;
    unsigned total = 0;
    for (int frame = 0; frame < number; ++frame)
        total += frames[frame * size + here];
    sums[here] += weight * total;
}
