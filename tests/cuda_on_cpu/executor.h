// Runs the threads of one CUDA block on the CPU.
//
// Fibers (the default): every CUDA thread is a fiber of one host thread; switching costs two jumps and no
// system call. Host threads (-DSHIM_THREADS): every CUDA thread is a pthread, for ThreadSanitizer and
// AddressSanitizer. What a barrier or a warp operation means is written once, in `meet`, for both.
//
// ThreadSanitizer learns of exactly the order that CUDA promises: __syncthreads() and __syncwarp() order
// memory, shuffles and votes do not. The lock that guards the shim's own state is hidden from it, because
// it would order everything. Blocks run one after another, so a race between two blocks is not seen.
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

struct uint3 {
    unsigned x, y, z;
};

#ifdef SHIM_THREADS
#define SHIM_PER_THREAD thread_local
#else
#define SHIM_PER_THREAD
#endif

static SHIM_PER_THREAD uint3 threadIdx;
static uint3 blockIdx, blockDim, gridDim;

#if defined(__SANITIZE_THREAD__)
extern "C" {
void AnnotateIgnoreSyncBegin(const char*, int);
void AnnotateIgnoreSyncEnd(const char*, int);
void AnnotateIgnoreReadsBegin(const char*, int);
void AnnotateIgnoreReadsEnd(const char*, int);
void AnnotateIgnoreWritesBegin(const char*, int);
void AnnotateIgnoreWritesEnd(const char*, int);
void __tsan_acquire(void*);
void __tsan_release(void*);
}
#endif

// All static __shared__ variables, gathered so that they can be filled with garbage and counted.
extern "C" unsigned char __start_shim_shared[] __attribute__((weak, visibility("hidden")));
extern "C" unsigned char __stop_shim_shared[] __attribute__((weak, visibility("hidden")));

namespace shim {

constexpr unsigned WARP = 32;
constexpr unsigned MAX_THREADS = 1024;
constexpr size_t STACK_BYTES = 256 * 1024;
constexpr unsigned char GARBAGE = 0xA5;

// A barrier or an exchange that the same threads attend again and again. Two sets of values, because a
// thread may arrive at the next one while another has yet to read the last.
struct Meeting {
    unsigned mask = 0;          // lanes expected; 0: every living thread of the block
    unsigned arrived = 0;       // how many so far
    unsigned generation = 0;    // how often it has come to an end
    const char* what = nullptr; // the operation that opened it
    unsigned long long values[2][WARP] = {};
    unsigned agreed[2] = {}; // how many came with a value other than 0 ...
    unsigned attended[2] = {}; // ... out of how many
    char edge[2] = {};         // the addresses ThreadSanitizer knows the order of events by
    Meeting* next = nullptr;
};

struct Thread {
    uint3 index;
    unsigned linear = 0;
    bool returned = false;
    const Meeting* waits = nullptr;
    const char* what = nullptr;
#ifdef SHIM_THREADS
    pthread_t handle;
    pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
#else
    bool started = false;
    ucontext_t entry;
    jmp_buf context;
#endif
};

static void (*kernel_call)();
static Thread threads[MAX_THREADS];
static unsigned thread_count, living, waiting;
static Meeting block_meeting;
static Meeting* warp_meetings[MAX_THREADS / WARP];
static SHIM_PER_THREAD Thread* current;
static volatile bool failed;
static char* message;
static size_t message_size;
static unsigned char* dynamic_shared;
static size_t dynamic_shared_bytes;

#ifdef SHIM_THREADS

struct Stop {}; // thrown to leave a kernel early

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct Locked {
    Locked()
    {
#if defined(__SANITIZE_THREAD__)
        AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
        pthread_mutex_lock(&lock);
    }
    ~Locked()
    {
        pthread_mutex_unlock(&lock);
#if defined(__SANITIZE_THREAD__)
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
        AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
#endif
    }
};

[[noreturn]] static void leave() { throw Stop(); }
static void wait_here(Thread& self)
{
    while (self.waits && !failed) pthread_cond_wait(&self.wake, &lock);
}
static void wake(Thread& thread) { pthread_cond_signal(&thread.wake); }

#else

struct Locked {
    Locked() {}
    ~Locked() {}
};

static jmp_buf scheduler;

[[noreturn]] static void leave() { _longjmp(scheduler, 1); }
__attribute__((noinline)) static void wait_here(Thread& self)
{
    asm volatile("" ::: "memory");
    if (!_setjmp(self.context)) _longjmp(scheduler, 1);
    asm volatile("" ::: "memory");
}
static void wake(Thread&) {}

#endif

// The first reason is kept, and every thread is let go. Held: the lock.
template <class... P> static void note_failure(const char* format, P... parts)
{
    if (failed) return;
    snprintf(message, message_size, format, parts...);
    fprintf(stderr, "%s\n", message);
    failed = true;
    for (unsigned i = 0; i < thread_count; i++) wake(threads[i]);
}

static void note_deadlock()
{
    char text[1024];
    size_t used = 0;
    for (unsigned i = 0; i < thread_count && used < sizeof(text) - 1;) { // one entry for neighbours that wait alike
        unsigned last = i;
        while (last + 1 < thread_count && threads[last + 1].waits == threads[i].waits) last++;
        if (threads[i].waits && threads[i].waits->mask)
            used += snprintf(text + used, sizeof(text) - used, "; threads %u to %u wait at %s of lanes 0x%08x", i,
                last, threads[i].what, threads[i].waits->mask);
        else
            used += snprintf(text + used, sizeof(text) - used, "; threads %u to %u %s %s", i, last,
                threads[i].waits ? "wait at" : "have returned", threads[i].waits ? threads[i].what : "");
        i = last + 1;
    }
    note_failure("deadlock in block (%u, %u, %u)%.800s", blockIdx.x, blockIdx.y, blockIdx.z, text);
}

static void end_meeting(Meeting& meeting)
{
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].waits != &meeting) continue;
        threads[i].waits = nullptr;
        waiting--;
        wake(threads[i]);
    }
    meeting.attended[meeting.generation & 1] = meeting.arrived;
    meeting.arrived = 0;
    meeting.generation++;
    meeting.agreed[meeting.generation & 1] = 0;
}

static Meeting& warp_meeting(unsigned warp, unsigned mask)
{
    for (Meeting* m = warp_meetings[warp]; m; m = m->next)
        if (m->mask == mask) return *m;
    Meeting* made = new Meeting;
    made->mask = mask;
    made->next = warp_meetings[warp];
    return *(warp_meetings[warp] = made);
}

// Why this thread may not attend a warp operation with this mask; nullptr: it may.
static const char* objection(const Thread& self, const Meeting& meeting, const char* what)
{
    const unsigned first = self.linear / WARP * WARP;
    if (!(meeting.mask >> (self.linear - first) & 1)) return "the mask does not name the lane that calls";
    for (unsigned lane = 0; lane < WARP; lane++) {
        if (!(meeting.mask >> lane & 1)) continue;
        if (first + lane >= thread_count) return "the mask names a lane that does not exist";
        if (threads[first + lane].returned) return "the mask names a lane that has returned";
    }
    if (meeting.arrived && strcmp(meeting.what, what)) return "other lanes of the mask are at another operation";
    return nullptr;
}

struct Outcome {
    const unsigned long long* values; // of each lane
    unsigned agreed, attended;
};

// Wait until everybody expected is here. mask 0: the living threads of the block, else lanes of the warp.
static Outcome meet(const char* what, bool whole_block, unsigned mask, unsigned long long value, bool orders_memory)
{
    Thread& self = *current;
    const unsigned warp = self.linear / WARP, lane = self.linear % WARP;
    Meeting* meeting;
    unsigned turn;
    {
        Locked guard;
        if (!whole_block && !mask) note_failure("%s with an empty mask", what);
        meeting = whole_block || !mask ? &block_meeting : &warp_meeting(warp, mask);
        const char* reason = whole_block || failed ? nullptr : objection(self, *meeting, what);
        if (reason) {
            note_failure("%s(0x%08x) by thread %u of block (%u, %u, %u): %s", what, mask, self.linear, blockIdx.x,
                blockIdx.y, blockIdx.z, reason);
        }
        turn = meeting->generation & 1;
    }
    if (failed) leave();
#if defined(__SANITIZE_THREAD__)
    if (orders_memory) __tsan_release(&meeting->edge[turn]);
#endif
    {
        Locked guard;
        if (!meeting->arrived) meeting->what = what;
        meeting->arrived++;
        meeting->values[turn][lane] = value;
        meeting->agreed[turn] += value != 0;
        const unsigned expected = whole_block ? living : (unsigned)__builtin_popcount(mask);
        if (meeting->arrived == expected) {
            end_meeting(*meeting);
        } else {
            self.waits = meeting;
            self.what = what;
            if (++waiting == living) note_deadlock();
            if (!failed) wait_here(self);
        }
    }
    if (failed) leave();
#if defined(__SANITIZE_THREAD__)
    if (orders_memory) __tsan_acquire(&meeting->edge[turn]);
#endif
    return {meeting->values[turn], meeting->agreed[turn], meeting->attended[turn]};
}

// A thread has come to the end of the kernel: nobody waits for it at a barrier any more.
static void finish(Thread& self)
{
    Locked guard;
    self.returned = true;
    living--;
    if (block_meeting.arrived && block_meeting.arrived == living)
        end_meeting(block_meeting);
    else if (living && waiting == living)
        note_deadlock();
}

// Everything a block starts with: no thread has returned, shared memory holds garbage.
static void begin_block()
{
    if (dynamic_shared) memset(dynamic_shared, GARBAGE, dynamic_shared_bytes);
    if (__start_shim_shared) memset(__start_shim_shared, GARBAGE, __stop_shim_shared - __start_shim_shared);
    living = thread_count;
    waiting = 0;
    block_meeting = Meeting();
    for (unsigned i = 0; i < thread_count; i++) {
        threads[i].returned = false;
        threads[i].waits = nullptr;
    }
}

static void end_block()
{
    for (Meeting*& first : warp_meetings) {
        while (first) {
            Meeting* next = first->next;
            delete first;
            first = next;
        }
    }
}

// The next block of the grid, x first. false: that was the last one.
static bool next_block()
{
    if (++blockIdx.x < gridDim.x) return true;
    blockIdx.x = 0;
    if (++blockIdx.y < gridDim.y) return true;
    blockIdx.y = 0;
    return ++blockIdx.z < gridDim.z;
}

static void number_threads()
{
    thread_count = blockDim.x * blockDim.y * blockDim.z;
    for (unsigned i = 0; i < thread_count; i++) {
        threads[i].linear = i;
        threads[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
    }
}

#ifdef SHIM_THREADS

static pthread_barrier_t between_blocks;

static void* host_thread(void* thread)
{
    current = static_cast<Thread*>(thread);
    threadIdx = current->index;
    for (bool more = true; more;) {
        try {
            kernel_call();
            finish(*current);
        } catch (const Stop&) {
        }
        static bool another; // set by one, read by all behind the second barrier
        if (pthread_barrier_wait(&between_blocks) == PTHREAD_BARRIER_SERIAL_THREAD) {
            end_block();
            another = !failed && next_block();
            if (another) begin_block();
        }
        pthread_barrier_wait(&between_blocks);
        more = another;
    }
    return nullptr;
}

static void run_grid()
{
    pthread_barrier_init(&between_blocks, nullptr, thread_count);
    begin_block();
    for (unsigned i = 0; i < thread_count; i++) pthread_create(&threads[i].handle, nullptr, host_thread, &threads[i]);
    for (unsigned i = 0; i < thread_count; i++) pthread_join(threads[i].handle, nullptr);
    pthread_barrier_destroy(&between_blocks);
}

#else

static void fiber()
{
    for (;;) {
        kernel_call();
        finish(*current);
        wait_here(*current);
    }
}

__attribute__((noinline)) static void resume(Thread& thread)
{
    current = &thread;
    threadIdx = thread.index;
    if (_setjmp(scheduler)) return;
    if (thread.started) _longjmp(thread.context, 1);
    thread.started = true;
    setcontext(&thread.entry);
}

// Threads go on one at a time, from one place where they wait to the next, forwards or backwards by chance:
// what is right only in one order comes out wrong.
static void run_block(unsigned& chance)
{
    while (living && !failed) {
        chance = chance * 1664525u + 1013904223u;
        const bool backwards = chance >> 31;
        for (unsigned k = 0; k < thread_count && !failed; k++) {
            Thread& thread = threads[backwards ? thread_count - 1 - k : k];
            if (!thread.returned && !thread.waits) resume(thread);
        }
    }
}

static void run_grid()
{
    const size_t bytes = thread_count * STACK_BYTES;
    void* stacks = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) return note_failure("no memory for the stacks of %u threads", thread_count);
    for (unsigned i = 0; i < thread_count; i++) {
        threads[i].started = false;
        getcontext(&threads[i].entry);
        threads[i].entry.uc_stack.ss_sp = static_cast<char*>(stacks) + i * STACK_BYTES;
        threads[i].entry.uc_stack.ss_size = STACK_BYTES;
        threads[i].entry.uc_link = nullptr;
        makecontext(&threads[i].entry, fiber, 0);
    }
    unsigned chance = 1;
    do {
        begin_block();
        run_block(chance);
        end_block();
    } while (!failed && next_block());
    munmap(stacks, bytes);
}

#endif

// A fault of the kernel that a GPU would end the launch for, or that C++ leaves undefined.
template <class... P> [[noreturn]] static void fault(const char* format, P... parts)
{
    {
        Locked guard;
        note_failure(format, parts...);
    }
    leave();
}

} // namespace shim
