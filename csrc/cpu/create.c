/* Arrays from nothing: constants, ranges and random numbers. Element i of a random array is a
 * function of (seed, offset, i), whatever the number of threads; each element is written once. */
#include <math.h>
#include <stdlib.h>

#include "../normal.h"
#include "random.h"
#include "vmath.h"

enum {
    CHUNK = 1024,   /* elements drawn at a time */
    TASKS = 16,     /* chunks worth a thread */
    FILL = 1 << 18, /* elements worth a thread that only writes them */
};

static void fill_tasks(void *ctx, int64_t begin, int64_t end) {
    mp_call *call = ctx;
    mp_array *y = call->out[0];
    char *to = (char *)mp_data(y) + begin * mp_itemsize(y);
    mp_fill((mp_dtype)y->dtype, to, end - begin, call->attrs.value);
}

MP_KERNEL(full) {
    mp_parallel_for(call->out[0]->size, FILL, fill_tasks, call);
    return MP_OK;
}

/* ---- chunks ---- */

typedef struct job {
    const mp_call *call;
    char *y;
    int64_t size, item;
    mp_dtype dtype;
    float low, scale, limit; /* uniform: limit is the greatest value below high */
} job;

static job job_of(const mp_call *call) {
    const mp_array *y = call->out[0];
    return (job){.call = call,
                 .y = mp_data(y),
                 .size = y->size,
                 .item = mp_itemsize(y),
                 .dtype = (mp_dtype)y->dtype};
}

static void run_chunks(job *j, mp_parallel_fn fn) {
    mp_parallel_for((j->size + CHUNK - 1) / CHUNK, TASKS, fn, j);
}

static int64_t chunk_size(const job *j, int64_t chunk) {
    int64_t left = j->size - chunk * CHUNK;
    return left < CHUNK ? left : CHUNK;
}

/* The words of a chunk whose elements take `each` (1 or 2) of them. */
static void draw(const job *j, int64_t chunk, int each, uint32_t *words) {
    int64_t group = 4 * MP_RANDOM_BLOCKS, n = chunk_size(j, chunk) * each;
    mp_random_words(j->call->attrs.seed, j->call->attrs.offset,
                    (uint64_t)(chunk * CHUNK * each / 4),
                    (n + group - 1) / group * MP_RANDOM_BLOCKS, words);
}

static inline uint64_t pair(const uint32_t *words, int64_t i) {
    return words[2 * i] | (uint64_t)words[2 * i + 1] << 32;
}

/* ---- arange ---- */

static void range_chunks(void *ctx, int64_t begin, int64_t end) {
    const job *j = ctx;
    double start = j->call->attrs.start, step = j->call->attrs.step, room[CHUNK];
    bool whole = !mp_is_float(j->dtype) && fabs(start) < 0x1p62 && fabs(step) < 0x1p62 &&
                 start == nearbyint(start) && step == nearbyint(step);
    uint64_t first = whole ? (uint64_t)(int64_t)start : 0, by = whole ? (uint64_t)(int64_t)step : 0;
    for (int64_t chunk = begin; chunk < end; chunk++) {
        int64_t at = chunk * CHUNK, n = chunk_size(j, chunk), integers[CHUNK];
        void *y = j->y + at * j->item;
        if (whole) {
            for (int64_t i = 0; i < n; i++)
                integers[i] = (int64_t)(first + (uint64_t)(at + i) * by);
            MP_STORE_I64(j->dtype)(y, j->item, integers, n);
        } else {
            for (int64_t i = 0; i < n; i++) room[i] = start + (double)(at + i) * step;
            MP_STORE_F64(j->dtype)(y, j->item, room, n);
        }
    }
}

/* start + i * step */
MP_KERNEL(arange) {
    job j = job_of(call);
    run_chunks(&j, range_chunks);
    return MP_OK;
}

/* ---- random_uniform ---- */

/* The greatest number of the format below `high`. */
static double below(mp_dtype dtype, double high) {
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } bits = {.u64 = 0};
    mp_store_double(dtype, &bits, high);
    double value = mp_load_double(dtype, &bits);
    if (value < high) return value;
    int step = value > 0 ? -1 : 1; /* of the bits, towards minus infinity */
    switch (mp_dtypes[dtype].bytes) {
    case 1: bits.u8 = value == 0 ? 0x81 : (uint8_t)(bits.u8 + step); break;
    case 2: bits.u16 = value == 0 ? 0x8001 : (uint16_t)(bits.u16 + step); break;
    case 4: bits.u32 = value == 0 ? 0x80000001u : bits.u32 + (uint32_t)step; break;
    default: bits.u64 = value == 0 ? (1ull << 63) + 1 : bits.u64 + (uint64_t)(int64_t)step;
    }
    return mp_load_double(dtype, &bits);
}

static void uniform_chunks(void *ctx, int64_t begin, int64_t end) {
    const job *j = ctx;
    uint32_t words[CHUNK];
    float room[CHUNK];
    for (int64_t chunk = begin; chunk < end; chunk++) {
        int64_t n = chunk_size(j, chunk);
        draw(j, chunk, 1, words);
        for (int64_t i = 0; i < n; i++) {
            float value = j->low + j->scale * ((float)(int32_t)(words[i] >> 8) * 0x1p-24f);
            room[i] = value > j->limit ? j->limit : value;
        }
        MP_STORE(j->dtype)(j->y + chunk * CHUNK * j->item, j->item, room, n);
    }
}

static void uniform_chunks_f64(void *ctx, int64_t begin, int64_t end) {
    const job *j = ctx;
    double low = j->call->attrs.low, high = j->call->attrs.high, limit = below(MP_FLOAT64, high);
    uint32_t words[2 * CHUNK];
    for (int64_t chunk = begin; chunk < end; chunk++) {
        int64_t n = chunk_size(j, chunk);
        double *y = (double *)(void *)j->y + chunk * CHUNK;
        draw(j, chunk, 2, words);
        for (int64_t i = 0; i < n; i++) {
            double value = low + (high - low) * ((double)(int64_t)(pair(words, i) >> 11) * 0x1p-53);
            y[i] = value > limit && limit >= low ? limit : value;
        }
    }
}

/* low + (high - low) u, u in [0, 1) with 24 bits (float64: 53); never high. */
MP_KERNEL(random_uniform) {
    job j = job_of(call);
    if (j.dtype == MP_FLOAT64) {
        run_chunks(&j, uniform_chunks_f64);
        return MP_OK;
    }
    double limit = below(j.dtype, call->attrs.high);
    j.low = (float)call->attrs.low;
    j.scale = (float)(call->attrs.high - call->attrs.low);
    j.limit = limit >= call->attrs.low ? (float)limit : INFINITY;
    run_chunks(&j, uniform_chunks);
    return MP_OK;
}

/* ---- random_normal ---- */

static inline float normal_of(uint32_t word) {
    float p = mp_normal_point(word);
    float tail = mp_normal_tail(sqrtf(-mp_flog(p))), central = mp_normal_central(0.5f - p);
    float z = p < 0.075f ? tail : central;
    return mp_from_bits32(mp_bits32(z) ^ (word & 0x80000000u));
}

/* As normal_of, with a step of Halley's method on P(Z > z) - p. */
static double normal64_of(uint64_t bits) {
    double p = mp_normal_point64(bits);
    double z =
        p < 0.075 ? mp_normal_tail((float)sqrt(-log(p))) : mp_normal_central((float)(0.5 - p));
    double excess = p - 0.5 * erfc(z * 0.70710678118654752440);
    double step = excess * 2.5066282746310005024 * exp(0.5 * z * z);
    z -= step / (1 + 0.5 * z * step);
    return bits >> 63 ? -z : z;
}

static void normal_chunks(void *ctx, int64_t begin, int64_t end) {
    const job *j = ctx;
    uint32_t words[CHUNK];
    float room[CHUNK];
    for (int64_t chunk = begin; chunk < end; chunk++) {
        int64_t n = chunk_size(j, chunk);
        draw(j, chunk, 1, words);
        for (int64_t i = 0; i < n; i++) room[i] = normal_of(words[i]);
        MP_STORE(j->dtype)(j->y + chunk * CHUNK * j->item, j->item, room, n);
    }
}

static void normal_chunks_f64(void *ctx, int64_t begin, int64_t end) {
    const job *j = ctx;
    uint32_t words[2 * CHUNK];
    for (int64_t chunk = begin; chunk < end; chunk++) {
        int64_t n = chunk_size(j, chunk);
        double *y = (double *)(void *)j->y + chunk * CHUNK;
        draw(j, chunk, 2, words);
        for (int64_t i = 0; i < n; i++) y[i] = normal64_of(pair(words, i));
    }
}

MP_KERNEL(random_normal) {
    job j = job_of(call);
    run_chunks(&j, j.dtype == MP_FLOAT64 ? normal_chunks_f64 : normal_chunks);
    return MP_OK;
}

/* ---- random_integers and random_permutation ---- */

__extension__ typedef unsigned __int128 uint128;

static void integer_chunks(void *ctx, int64_t begin, int64_t end) {
    const job *j = ctx;
    uint64_t low = (uint64_t)j->call->attrs.low_int;
    uint64_t count = (uint64_t)j->call->attrs.high_int - low;
    uint32_t words[2 * CHUNK];
    int64_t room[CHUNK];
    for (int64_t chunk = begin; chunk < end; chunk++) {
        int64_t n = chunk_size(j, chunk);
        draw(j, chunk, 2, words);
        for (int64_t i = 0; i < n; i++)
            room[i] = (int64_t)(low + (uint64_t)((uint128)pair(words, i) * count >> 64));
        MP_STORE_I64(j->dtype)(j->y + chunk * CHUNK * j->item, j->item, room, n);
    }
}

/* low + the upper 64 bits of 64 random bits times (high - low) */
MP_KERNEL(random_integers) {
    job j = job_of(call);
    run_chunks(&j, integer_chunks);
    return MP_OK;
}

typedef struct keyed {
    uint64_t key;
    int64_t index;
} keyed;

/* Sorts by key, equal keys by index: from the lowest byte to the highest. Ends in `a`. */
static void sort_by_key(int64_t n, keyed *a, keyed *other) {
    for (int shift = 0; shift < 64; shift += 8) {
        int64_t at[257] = {0};
        for (int64_t i = 0; i < n; i++) at[(a[i].key >> shift & 255) + 1]++;
        for (int k = 0; k < 256; k++) at[k + 1] += at[k];
        for (int64_t i = 0; i < n; i++) other[at[a[i].key >> shift & 255]++] = a[i];
        keyed *swap = a;
        a = other;
        other = swap;
    }
}

/* The positions of 64-bit keys in their order. */
MP_KERNEL(random_permutation) {
    job j = job_of(call);
    uint32_t words[2 * CHUNK];
    int64_t room[CHUNK];
    if (j.size == 0) return MP_OK;
    keyed *pairs = malloc(2 * (size_t)j.size * sizeof *pairs);
    if (!pairs) return mp_fail(MP_ERR_MEMORY, "no room for %lld keys", (long long)j.size);
    for (int64_t at = 0; at < j.size; at += CHUNK) {
        draw(&j, at / CHUNK, 2, words);
        for (int64_t i = 0; i < chunk_size(&j, at / CHUNK); i++)
            pairs[at + i] = (keyed){pair(words, i), at + i};
    }
    sort_by_key(j.size, pairs, pairs + j.size);
    for (int64_t at = 0; at < j.size; at += CHUNK) {
        int64_t n = chunk_size(&j, at / CHUNK);
        for (int64_t i = 0; i < n; i++) room[i] = pairs[at + i].index;
        MP_STORE_I64(j.dtype)(j.y + at * j.item, j.item, room, n);
    }
    free(pairs);
    return MP_OK;
}
