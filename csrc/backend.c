/* The registry of backends: the CPU's, linked in, and CUDA's, a library loaded when a driver
 * answers. */
#include "mp.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static const mp_backend *backends[MP_KIND_COUNT];
static int cuda_devices;
static char cuda_why[256] = "the CUDA library was not looked for";

const char *mp_device_name(mp_device device) {
    static _Thread_local char text[16];
    if (device == MP_CPU) return "cpu";
    snprintf(text, sizeof text, "cuda:%d", device - 1);
    return text;
}

const char *mp_cuda_why(void) { return backends[MP_KIND_CUDA] ? "" : cuda_why; }

mp_status mp_backend_of(mp_device device, const mp_backend **out) {
    const mp_backend *backend = backends[mp_device_kind(device)];
    if (!backend && device == MP_CPU) {
        MP_TRY(mp_cpu_backend(&backends[MP_KIND_CPU]));
        backend = backends[MP_KIND_CPU];
    }
    if (!backend)
        return mp_fail(MP_ERR_DEVICE, "device: %s is not available: %s", mp_device_name(device),
                       cuda_why);
    if (device < 0 || (device != MP_CPU && device > cuda_devices))
        return mp_fail(MP_ERR_DEVICE, "device: %s does not exist, there are %d CUDA devices",
                       mp_device_name(device), cuda_devices);
    *out = backend;
    return MP_OK;
}

/* Why the CUDA driver does not answer, or NULL. Nothing is initialised in it. */
static const char *missing_driver(void) {
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    return driver ? NULL : "no NVIDIA driver (libcuda.so.1) on this machine";
}

mp_status mp_cuda_load(const char *path, const char *folders) {
    if (backends[MP_KIND_CUDA]) return MP_OK;
    const char *missing = missing_driver();
    if (missing) {
        snprintf(cuda_why, sizeof cuda_why, "%s", missing);
        return mp_fail(MP_ERR_DEVICE, "cuda: %s", cuda_why);
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(cuda_why, sizeof cuda_why, "%s", dlerror());
        return mp_fail(MP_ERR_DEVICE, "cuda: %s", cuda_why);
    }
    const mp_backend *(*get)(uint32_t) = NULL;
    *(void **)&get = dlsym(library, "mp_backend_get");
    const mp_backend *backend = get ? get(MP_ABI) : NULL;
    bool fits = backend && backend->abi == MP_ABI;
    int devices = 0;
    if (fits) backend->attach(mp_fail, folders);
    if (!fits) {
        snprintf(cuda_why, sizeof cuda_why, "%.200s has another ABI than %d", path, MP_ABI);
    } else if (backend->device_count(&devices) != MP_OK || devices == 0) {
        snprintf(cuda_why, sizeof cuda_why, "no CUDA device: %.200s", mp_error_text());
    } else {
        cuda_devices = devices;
        backends[MP_KIND_CUDA] = backend;
        return MP_OK;
    }
    return mp_fail(MP_ERR_DEVICE, "cuda: %s", cuda_why);
}
