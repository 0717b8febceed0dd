/* The CPU backend: host memory, and the kernels of the best tier that the machine has and
 * MIXPREC_CPU_ISA allows. */
#include "memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- tiers ---- */

typedef void (*fill_fn)(mp_kernel *kernels, mp_list_kernel *lists);

void mp_cpu_kernels_baseline(mp_kernel *kernels, mp_list_kernel *lists);
void mp_cpu_kernels_avx2(mp_kernel *kernels, mp_list_kernel *lists) __attribute__((weak));
void mp_cpu_kernels_avx512(mp_kernel *kernels, mp_list_kernel *lists) __attribute__((weak));

static bool always(void) { return true; }
#if defined(__x86_64__)
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
}
static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
static bool never(void) { return false; }
#define has_avx2 never
#define has_avx512 never
#endif

/* Worst first. */
static const struct {
    const char *name;
    bool (*usable)(void);
    fill_fn fill;
} tiers[] = {
    {"baseline", always, mp_cpu_kernels_baseline},
    {"avx2", has_avx2, mp_cpu_kernels_avx2},
    {"avx512", has_avx512, mp_cpu_kernels_avx512},
};
enum { TIERS = sizeof tiers / sizeof *tiers };

static bool usable(int tier) { return tiers[tier].fill && tiers[tier].usable(); }

const char *mp_cpu_tiers(void) {
    static _Thread_local char text[64];
    text[0] = 0;
    for (int i = 0; i < TIERS; i++) {
        if (!usable(i)) continue;
        if (text[0]) strcat(text, " ");
        strcat(text, tiers[i].name);
    }
    return text;
}

/* The best tier, or the one that MIXPREC_CPU_ISA names. */
static mp_status choose_tier(int *chosen) {
    const char *cap = getenv("MIXPREC_CPU_ISA");
    bool capped = cap && *cap;
    *chosen = -1;
    for (int i = 0; i < TIERS; i++)
        if (usable(i) && (!capped || !strcmp(cap, tiers[i].name))) *chosen = i;
    if (*chosen >= 0) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "cpu: MIXPREC_CPU_ISA is \"%s\", this machine has %s", cap,
                   mp_cpu_tiers());
}

/* ---- what a device has ---- */

static mp_status device_count(int *count) {
    *count = 1;
    return MP_OK;
}

static mp_status host_copy(mp_device device, void *dst, const void *src, size_t bytes, bool to_host,
                           bool from_host, bool wait) {
    (void)device, (void)to_host, (void)from_host, (void)wait;
    memcpy(dst, src, bytes);
    return MP_OK;
}

static mp_status host_synchronize(mp_device device) {
    (void)device;
    return MP_OK;
}

/* ---- the backend ---- */

static int tier;
static mp_status host_describe(char *json, size_t capacity) {
    char list[128] = "";
    for (int i = 0; i < TIERS; i++) {
        if (!usable(i)) continue;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s\"%s\"", used ? ", " : "", tiers[i].name);
    }
    int n = snprintf(json, capacity, "{\"tier\": \"%s\", \"tiers\": [%s], \"threads\": %d}",
                     tiers[tier].name, list, mp_num_threads());
    if (n < 0 || (size_t)n >= capacity)
        return mp_fail(MP_ERR_VALUE, "describe: %d bytes are needed, there are %zu", n + 1,
                       capacity);
    return MP_OK;
}

static mp_backend backend = {
    .abi = MP_ABI,
    .name = "cpu",
    .kind = MP_KIND_CPU,
    .device_count = device_count,
    .alloc = mp_host_alloc,
    .free = mp_host_free,
    .copy = host_copy,
    .synchronize = host_synchronize,
    .describe = host_describe,
};
static mp_status made = MP_ERR_RUNTIME;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

mp_status mp_cpu_backend(const mp_backend **out) {
    pthread_mutex_lock(&making);
    if (made != MP_OK) {
        made = mp_check_threads();
        if (made == MP_OK) made = choose_tier(&tier);
        if (made == MP_OK) tiers[tier].fill(backend.kernels, backend.lists);
    }
    mp_status status = made;
    pthread_mutex_unlock(&making);
    if (status == MP_OK) *out = &backend;
    return status;
}

const char *mp_cpu_tier(void) { return tiers[tier].name; }
