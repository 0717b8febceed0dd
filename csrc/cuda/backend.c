/* The CUDA backend: devices, memory, copies and the table of kernels. Kernels lie in the .cu files; this file launches
 * none. The library has one exported symbol, mp_backend_get, and no Python ABI. */
#include "runtime.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_DEVICES 64

static mp_status (*core_fail)(mp_status code, const char *format, ...);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    cudaStream_t stream; /* NULL until first use */
} devices[MAX_DEVICES];
static pid_t owner; /* the process that CUDA was started in, 0: not yet */

/* The core's error text, reached through what attach was given. */
mp_status mp_fail(mp_status code, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return core_fail(code, "%s", text);
}

mp_status mp_cuda_check(cudaError_t error, const char *what) {
    if (error == cudaSuccess) return MP_OK;
    cudaGetLastError(); /* an error that is not sticky must not meet the next call */
    return mp_fail(MP_ERR_DEVICE, "%s: %s (%s)", what, cudaGetErrorName(error), cudaGetErrorString(error));
}

static void attach(mp_status (*fail)(mp_status code, const char *format, ...)) { core_fail = fail; }

/* MP_ERR_DEVICE in a process forked from one that used CUDA: its driver state is broken, and calls hang. */
static mp_status check_process(void) {
    pid_t self = getpid();
    if (!owner) owner = self;
    if (owner == self) return MP_OK;
    return mp_fail(MP_ERR_DEVICE, "cuda: process %d was forked from process %d, which uses CUDA; start workers with "
                   "multiprocessing's \"spawn\"", (int)self, (int)owner);
}

static mp_status device_count(int *count) {
    MP_TRY(check_process());
    MP_CUDA_TRY(cudaGetDeviceCount(count));
    if (*count > MAX_DEVICES) *count = MAX_DEVICES;
    return MP_OK;
}

/* Makes a device's stream, and lets its memory pool keep what is freed. Called under the lock. */
static mp_status start_device(int index) {
    cudaMemPool_t pool;
    uint64_t keep = UINT64_MAX;
    MP_CUDA_TRY(cudaDeviceGetDefaultMemPool(&pool, index));
    MP_CUDA_TRY(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
    MP_CUDA_TRY(cudaStreamCreateWithFlags(&devices[index].stream, cudaStreamNonBlocking));
    return MP_OK;
}

mp_status mp_cuda_stream(mp_device device, cudaStream_t *out) {
    int index = device - 1;
    MP_TRY(check_process());
    MP_CUDA_TRY(cudaSetDevice(index));
    pthread_mutex_lock(&lock);
    mp_status status = devices[index].stream ? MP_OK : start_device(index);
    *out = devices[index].stream;
    pthread_mutex_unlock(&lock);
    return status;
}

static mp_status allocate(mp_device device, size_t bytes, void **out) {
    cudaStream_t stream;
    MP_TRY(mp_cuda_stream(device, &stream));
    cudaError_t error = cudaMallocAsync(out, bytes ? bytes : 1, stream);
    if (error != cudaErrorMemoryAllocation) return mp_cuda_check(error, "cudaMallocAsync");
    cudaGetLastError();
    size_t available = 0, total = 0;
    cudaMemGetInfo(&available, &total);
    return mp_fail(MP_ERR_MEMORY, "cuda:%d: %zu bytes asked, %zu of %zu bytes available", device - 1, bytes, available,
                   total);
}

/* Ordered with the kernels: memory is used again only by work that comes later in the stream. */
static void release(mp_device device, void *data, size_t bytes) {
    cudaStream_t stream;
    (void)bytes;
    if (mp_cuda_stream(device, &stream) == MP_OK) cudaFreeAsync(data, stream);
}

static mp_status copy(mp_device device, void *dst, const void *src, size_t bytes, bool to_host, bool from_host, bool wait) {
    enum cudaMemcpyKind kind = to_host     ? cudaMemcpyDeviceToHost
                               : from_host ? cudaMemcpyHostToDevice
                                           : cudaMemcpyDeviceToDevice;
    cudaStream_t stream;
    MP_TRY(mp_cuda_stream(device, &stream));
    if (bytes) MP_CUDA_TRY(cudaMemcpyAsync(dst, src, bytes, kind, stream));
    if (wait) MP_CUDA_TRY(cudaStreamSynchronize(stream));
    return MP_OK;
}

static mp_status synchronize(mp_device device) {
    cudaStream_t stream;
    MP_TRY(mp_cuda_stream(device, &stream));
    MP_CUDA_TRY(cudaStreamSynchronize(stream));
    return MP_OK;
}

/* JSON: the versions, and name, compute capability and bytes of each device. */
static mp_status describe(char *json, size_t capacity) {
    int count = 0, driver = 0, runtime = 0;
    MP_TRY(device_count(&count));
    MP_CUDA_TRY(cudaDriverGetVersion(&driver));
    MP_CUDA_TRY(cudaRuntimeGetVersion(&runtime));
    size_t used = (size_t)snprintf(json, capacity, "{\"driver\": %d, \"runtime\": %d, \"devices\": [", driver, runtime);
    for (int i = 0; i < count && used < capacity; i++) {
        struct cudaDeviceProp p;
        MP_CUDA_TRY(cudaGetDeviceProperties(&p, i));
        used += (size_t)snprintf(json + used, capacity - used, "%s{\"name\": \"%s\", \"capability\": \"%d.%d\", "
                                 "\"bytes\": %zu}", i ? ", " : "", p.name, p.major, p.minor, p.totalGlobalMem);
    }
    if (used < capacity) used += (size_t)snprintf(json + used, capacity - used, "]}");
    return used < capacity ? MP_OK : mp_fail(MP_ERR_VALUE, "describe: %zu bytes are too few", capacity);
}

/* Every row's kernel, if a file defines it; else the weak name is NULL, and the op says that it has no cuda kernel. */
#define MP_OP(name, ...) __attribute__((weak)) mp_status mp_cuda_##name(mp_call *call);
#include "ops.def"
#undef MP_OP
#define MP_LIST(name, ...) __attribute__((weak)) mp_status mp_cuda_list_##name(const mp_list_call *call);
#include "lists.def"
#undef MP_LIST

static const mp_backend backend = {
    .abi = MP_ABI,
    .name = "cuda",
    .kind = MP_KIND_CUDA,
    .attach = attach,
    .device_count = device_count,
    .alloc = allocate,
    .free = release,
    .copy = copy,
    .synchronize = synchronize,
    .describe = describe,
#define MP_OP(name, ...) .kernels[MP_OP_##name] = mp_cuda_##name,
#include "ops.def"
#undef MP_OP
#define MP_LIST(name, ...) .lists[MP_LIST_##name] = mp_cuda_list_##name,
#include "lists.def"
#undef MP_LIST
};

/* The backend, or NULL where the caller was built for another ABI. */
__attribute__((visibility("default"))) const mp_backend *mp_backend_get(uint32_t abi) {
    return abi == MP_ABI ? &backend : NULL;
}
