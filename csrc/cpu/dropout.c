/* Dropout. Whether element i is kept is a function of (seed, offset, i): backward draws it again.
 * x is read once, y is written once. */
#include <math.h>

#include "random.h"

enum { CHUNK = 1024 };

typedef struct job {
    const mp_call *call;
    int32_t threshold; /* an element is dropped if the upper 24 bits of its word are below */
    float scale;       /* 1 / (1 - p) */
    double wide_scale;
} job;

static void drop_f32(int64_t n, float *x, const uint32_t *word, int32_t threshold, float scale) {
    for (int64_t i = 0; i < n; i++) {
        float kept = x[i] * scale;
        x[i] = (int32_t)(word[i] >> 8) >= threshold ? kept : 0.0f;
    }
}

static void drop_f64(int64_t n, double *x, const uint32_t *word, int32_t threshold, double scale) {
    for (int64_t i = 0; i < n; i++) {
        double kept = x[i] * scale;
        x[i] = (int32_t)(word[i] >> 8) >= threshold ? kept : 0.0;
    }
}

/* Chunks [begin, end). */
static void drop_chunks(void *ctx, int64_t begin, int64_t end) {
    const job *j = ctx;
    const mp_array *x = j->call->in[0], *y = j->call->out[0];
    const mp_attrs *attrs = &j->call->attrs;
    int64_t from = mp_itemsize(x), to = mp_itemsize(y);
    mp_dtype read = (mp_dtype)x->dtype, write = (mp_dtype)y->dtype;
    uint32_t words[CHUNK];
    double room[CHUNK];
    for (int64_t chunk = begin; chunk < end; chunk++) {
        int64_t i = chunk * CHUNK, n = x->size - i < CHUNK ? x->size - i : CHUNK;
        const void *src = (const char *)mp_data(x) + i * from;
        void *dst = (char *)mp_data(y) + i * to;
        int64_t blocks = (n + 4 * MP_RANDOM_BLOCKS - 1) / (4 * MP_RANDOM_BLOCKS) * MP_RANDOM_BLOCKS;
        mp_random_words(attrs->seed, attrs->offset, (uint64_t)i / 4, blocks, words);
        if (read == MP_FLOAT64) {
            MP_LOAD_F64(read)(room, src, from, n);
            drop_f64(n, room, words, j->threshold, j->wide_scale);
            MP_STORE_F64(write)(dst, to, room, n);
        } else {
            float *row = (float *)(void *)room;
            MP_LOAD(read)(row, src, from, n);
            drop_f32(n, row, words, j->threshold, j->scale);
            MP_STORE(write)(dst, to, row, n);
        }
    }
}

/* For p = 1 every element is dropped, so that the infinite scale is never used. */
MP_KERNEL(dropout) {
    double p = call->attrs.p;
    job j = {.call = call, .threshold = (int32_t)ceil(p * 0x1p24), .wide_scale = 1 / (1 - p)};
    j.scale = (float)j.wide_scale;
    mp_parallel_for((call->out[0]->size + CHUNK - 1) / CHUNK, 16, drop_chunks, &j);
    return MP_OK;
}
