// What Python calls. Included after the .cu; SHIM_KERNEL names its kernel.
#pragma once

#include <tuple>

namespace shim {

// One word a parameter: P pointer, i integer, f floating point, v anything else, and the size in bytes; a
// pointer is followed by what it points at.
template <class T> static void describe(char*& text)
{
    if constexpr (std::is_pointer_v<T>) {
        *text++ = 'P';
        describe<std::remove_cv_t<std::remove_pointer_t<T>>>(text);
    } else {
        size_t size = 0;
        if constexpr (!std::is_void_v<T>) size = sizeof(T);
        text += sprintf(text, "%c%zu ", std::is_integral_v<T> ? 'i' : std::is_floating_point_v<T> ? 'f' : 'v', size);
    }
}

template <class Function> struct Launcher;

template <class... P> struct Launcher<void (*)(P...)> {
    static inline void (*function)(P...);
    static inline std::tuple<P*...> parameters;

    static void call()
    {
        std::apply([](P*... values) { function(*values...); }, parameters);
    }

    template <size_t... i> static void bind(void** values, std::index_sequence<i...>)
    {
        parameters = std::tuple<P*...>(static_cast<P*>(values[i])...);
    }

    static void prepare(void (*kernel)(P...), void** values)
    {
        function = kernel;
        bind(values, std::index_sequence_for<P...>());
        kernel_call = call;
    }

    static void describe_all(char* text)
    {
        *text = 0;
        (describe<P>(text), ...);
    }
};

static pthread_mutex_t one_launch = PTHREAD_MUTEX_INITIALIZER;

} // namespace shim

extern "C" const char* shim_parameters()
{
    static char text[1024];
    shim::Launcher<decltype(&SHIM_KERNEL)>::describe_all(text);
    return text;
}

extern "C" size_t shim_static_shared_bytes()
{
    return __start_shim_shared ? (size_t)(__stop_shim_shared - __start_shim_shared) : 0;
}

// 0, or 1 with the reason in `message`.
extern "C" int shim_launch(void** values, const unsigned* grid, const unsigned* block, size_t shared_bytes,
    char* message, size_t message_size)
{
    pthread_mutex_lock(&shim::one_launch);
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    blockIdx = {0, 0, 0};
    shim::failed = false;
    shim::message = message;
    shim::message_size = message_size;
    shim::dynamic_shared = shared_bytes ? static_cast<unsigned char*>(malloc(shared_bytes)) : nullptr;
    shim::dynamic_shared_bytes = shared_bytes;
    shim::Launcher<decltype(&SHIM_KERNEL)>::prepare(&SHIM_KERNEL, values);
    shim::number_threads();
    shim::run_grid();
    free(shim::dynamic_shared);
    const int result = shim::failed;
    pthread_mutex_unlock(&shim::one_launch);
    return result;
}
