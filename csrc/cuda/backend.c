/* The CUDA backend: the table of what the library can do, how a call is run, copies, and what is
 * said of the devices. The library has one exported symbol, mp_backend_get, and no Python ABI.
 * Kernels lie in the .cu files. */
#include "blas.h"
#include "library.h"
#include "memory.h"
#include "stage.h"
#include "stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define RANGE_BEGIN(name) nvtxRangePushA(name)
#define RANGE_END() nvtxRangePop()
#else
#define RANGE_BEGIN(name) ((void)0)
#define RANGE_END() ((void)0)
#endif

static mp_status (*core_fail)(mp_status code, const char *format, ...);
static bool wait_each, mark_ranges; /* MIXPREC_SYNC=1, MIXPREC_NVTX=1 */
static _Thread_local const char *last_op = "no op";

/* The core's error text, reached through what attach was given. */
mp_status mp_fail(mp_status code, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return core_fail(code, "%s", text);
}

/* Errors that end the context: every later call fails with them. */
static bool is_fatal(cudaError_t error) {
    switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorECCUncorrectable: return true;
    default: return false;
    }
}

mp_status mp_cuda_check(cudaError_t error, const char *what) {
    if (error == cudaSuccess) return MP_OK;
    cudaGetLastError(); /* an error that is not sticky must not meet the next call */
    if (is_fatal(error))
        return mp_fail(MP_ERR_DEVICE,
                       "cuda: %s (%s), in %s or an op before it; the device cannot be used by this "
                       "process any more, "
                       "MIXPREC_SYNC=1 names the op",
                       cudaGetErrorString(error), cudaGetErrorName(error), last_op);
    return mp_fail(MP_ERR_DEVICE, "%s: %s (%s)", what, cudaGetErrorName(error),
                   cudaGetErrorString(error));
}

static bool is_set(const char *variable) {
    const char *value = getenv(variable);
    return value && *value && strcmp(value, "0");
}

static void attach(mp_status (*fail)(mp_status code, const char *format, ...),
                   const char *folders) {
    core_fail = fail;
    wait_each = is_set("MIXPREC_SYNC");
    mark_ranges = is_set("MIXPREC_NVTX");
    mp_cuda_library_paths(folders);
}

/* ---- running ---- */

/* Memory of another stream than the thread's is not reused before this stream has passed. */
static void note_guest(mp_array *a, mp_cuda_lane *lane) {
    mp_storage *s = a->storage;
    if (s->device == MP_CPU || s->home == lane || s->guest == (void *)lane || s->release) return;
    s->guest = s->guest ? MP_MANY_GUESTS : (void *)lane;
}

static void use(mp_device device, int64_t n, mp_array *const *arrays) {
    mp_cuda_place place;
    if (mp_cuda_enter(device, &place) != MP_OK) return;
    for (int64_t i = 0; i < n; i++)
        if (arrays[i]) note_guest(arrays[i], place.lane);
}

static mp_status after(mp_device device, mp_status status) {
    if (mark_ranges) RANGE_END();
    if (status == MP_OK && wait_each) status = mp_cuda_synchronize(device);
    return status;
}

/* Views have more dimensions than kernels take, and are copied between devices as they are. */
static mp_status check_dims(const mp_array *a) {
    if (!a || a->ndim <= MP_CUDA_DIMS) return MP_OK;
    return mp_fail(MP_ERR_NOT_IMPLEMENTED,
                   "an array has %d dimensions, at most %d are possible on cuda; use .cpu()",
                   a->ndim, MP_CUDA_DIMS);
}

static mp_status run(mp_kernel kernel, mp_call *call) {
    mp_cuda_place place;
    for (int i = 0; i < call->n_in; i++) MP_TRY(check_dims(call->in[i]));
    for (int k = 0; k < call->n_out; k++) MP_TRY(check_dims(call->out[k]));
    MP_TRY(mp_cuda_enter(call->device, &place));
    MP_TRY(mp_cuda_look(call->device));
    for (int i = 0; i < call->n_in; i++)
        if (call->in[i]) note_guest(call->in[i], place.lane);
    for (int k = 0; k < call->n_out; k++) note_guest(call->out[k], place.lane);
    last_op = call->row->name;
    if (mark_ranges) RANGE_BEGIN(last_op);
    return after(call->device, kernel(call));
}

static mp_status run_list(mp_list_kernel kernel, const mp_list_call *call, const char *name) {
    MP_TRY(mp_cuda_look(call->device));
    last_op = name;
    if (mark_ranges) RANGE_BEGIN(last_op);
    return after(call->device, kernel(call));
}

static const char *const op_names[] = {
#define MP_OP(name, ...) #name,
#include "ops.def"
#undef MP_OP
};
const char *mp_cuda_op_name(mp_op op) { return op_names[op]; }

/* ---- copies ---- */

/* Within a device, or from one to another: then on the target's stream, after what the source's has
 * now, and before what that gets later. */
static mp_status copy_devices(mp_device device, void *dst, const void *src, size_t bytes) {
    struct cudaPointerAttributes found;
    mp_cuda_place place, source;
    MP_CUDA_TRY(cudaPointerGetAttributes(&found, src));
    mp_device from = (mp_device)(found.device + 1);
    MP_TRY(mp_cuda_enter(from, &source));
    MP_TRY(mp_cuda_enter(device, &place));
    if (from != device) MP_TRY(mp_cuda_stream_order(from, NULL, place.stream, true));
    MP_TRY(mp_cuda_enter(device, &place));
    MP_CUDA_TRY(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDefault, place.stream));
    if (from != device) MP_TRY(mp_cuda_stream_order(device, NULL, source.stream, true));
    return MP_OK;
}

static mp_status copy(mp_device device, void *dst, const void *src, size_t bytes, bool to_host,
                      bool from_host, bool wait) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(device, &place));
    if (bytes && from_host) MP_TRY(mp_cuda_copy_staged(&place, dst, src, bytes));
    else if (bytes && to_host)
        MP_CUDA_TRY(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, place.stream));
    else if (bytes) MP_TRY(copy_devices(device, dst, src, bytes));
    return wait || wait_each ? mp_cuda_stream_wait(place.lane) : MP_OK;
}

/* ---- what is there ---- */

static size_t append(char *json, size_t capacity, size_t used, const char *format, ...) {
    if (used >= capacity) return used;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(json + used, capacity - used, format, args);
    va_end(args);
    return used + (size_t)(n < 0 ? 0 : n);
}

/* Whether a chip computes in a dtype itself, and what it does if not. Products are by the tensor
 * cores. */
static const char *arithmetic(mp_dtype dtype, int capability) {
    switch (dtype) {
    case MP_FLOAT16: return "native";
    case MP_BFLOAT16:
        return capability >= 80 ? "native"
                                : "emulated: products in float32 before compute capability 8.0";
    case MP_FLOAT8_E4M3FN:
    case MP_FLOAT8_E5M2:
        return capability >= 89 ? "storage: the chip has products, mixprec has none yet"
                                : "storage: products need compute capability 8.9";
    default: return "native";
    }
}

/* JSON: versions, libraries, and of each device name, compute capability, memory and arithmetic by
 * dtype. */
static mp_status describe(char *json, size_t capacity) {
    int count = 0, driver = 0, runtime = 0;
    MP_TRY(mp_cuda_device_count(&count));
    MP_CUDA_TRY(cudaDriverGetVersion(&driver));
    MP_CUDA_TRY(cudaRuntimeGetVersion(&runtime));
    size_t used = append(json, capacity, 0,
                         "{\"driver\": %d, \"runtime\": %d, \"libraries\": ", driver, runtime);
    for (int i = 0; i < MP_CUDA_LIBRARIES; i++) {
        const mp_cuda_library *library = mp_cuda_library_find((mp_cuda_library_id)i);
        used =
            append(json, capacity, used,
                   "%s{\"file\": \"%s\", \"path\": \"%s\", \"version\": %ld, \"missing\": \"%s\"}",
                   i ? ", " : "[", library->file, library->path ? library->path : "",
                   library->version, library->missing ? library->missing : "");
    }
    used = append(json, capacity, used, "], \"devices\": [");
    for (int i = 0; i < count; i++) {
        struct cudaDeviceProp p;
        MP_CUDA_TRY(cudaGetDeviceProperties(&p, i));
        used = append(json, capacity, used,
                      "%s{\"name\": \"%s\", \"capability\": \"%d.%d\", \"processors\": %d, "
                      "\"bytes\": %zu, \"dtypes\": {",
                      i ? ", " : "", p.name, p.major, p.minor, p.multiProcessorCount,
                      p.totalGlobalMem);
        for (int t = 0; t < MP_DTYPE_COUNT; t++)
            used = append(json, capacity, used, "%s\"%s\": \"%s\"", t ? ", " : "",
                          mp_dtypes[t].name, arithmetic((mp_dtype)t, 10 * p.major + p.minor));
        used = append(json, capacity, used, "}}");
    }
    used = append(json, capacity, used, "]}");
    return used < capacity ? MP_OK
                           : mp_fail(MP_ERR_VALUE, "describe: %zu bytes are too few", capacity);
}

/* ---- the table ---- */

/* Every row's kernel, if a file defines it; else the weak name is NULL, and the op says that it has
 * no cuda kernel. */
#define MP_OP(name, ...) __attribute__((weak)) mp_status mp_cuda_##name(mp_call *call);
#include "ops.def"
#undef MP_OP
#define MP_LIST(name, ...)                                                                         \
    __attribute__((weak)) mp_status mp_cuda_list_##name(const mp_list_call *call);
#include "lists.def"
#undef MP_LIST

static const mp_backend backend = {
    .abi = MP_ABI,
    .name = "cuda",
    .kind = MP_KIND_CUDA,
    .attach = attach,
    .device_count = mp_cuda_device_count,
    .alloc = mp_cuda_allocate,
    .free = mp_cuda_release,
    .copy = copy,
    .post = mp_cuda_post,
    .fetch = mp_cuda_fetch,
    .synchronize = mp_cuda_synchronize,
    .describe = describe,
    .run = run,
    .run_list = run_list,
    .use = use,
    .waits = mp_cuda_waits,
    .memory = mp_cuda_memory,
    .empty_cache = mp_cuda_empty_cache,
    .set_tf32 = mp_cuda_set_tf32,
    .stream_new = mp_cuda_stream_new,
    .stream_free = mp_cuda_stream_free,
    .stream_use = mp_cuda_stream_use,
    .stream_wait = mp_cuda_stream_wait,
    .stream_done = mp_cuda_stream_done,
    .stream_handle = mp_cuda_stream_handle,
    .stream_order = mp_cuda_stream_order,
    .event_new = mp_cuda_event_new,
    .event_free = mp_cuda_event_free,
    .event_record = mp_cuda_event_record,
    .event_block = mp_cuda_event_block,
    .event_wait = mp_cuda_event_wait,
    .event_done = mp_cuda_event_done,
    .event_elapsed = mp_cuda_event_elapsed,
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
