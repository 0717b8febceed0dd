/* all, any, count_nonzero over any axes and strides. Elements are looked at as bits: what is left
 * of them without the sign of floats tells whether they are 0. all and any stop where the answer is
 * known. x is read at most once. */
#include <stdlib.h>

#include "cpu.h"

enum {
    LANES = 64,
    ROUNDS = 255,      /* after which lanes of bytes are full */
    GLANCE = 1 << 8,   /* elements of a row looked at first */
    LOOK = 1 << 12,    /* elements looked at before others are asked whether to go on */
    SEGMENT = 1 << 16, /* elements of a task */
};

/* Looks for elements that are not 0 or, if `zeros`, that are. What was found is a count of int64
 * per result or, if `stop`, a flag as wide as x's elements. */
typedef struct search {
    int64_t (*row)(int64_t n, const char *x, int64_t stride, uint64_t mask);
    void (*flags)(int64_t n, const char *x, int64_t stride, uint64_t mask, bool zeros, void *found);
    void (*counts)(int64_t n, const char *x, int64_t stride, uint64_t mask, void *found);
    uint64_t mask; /* without the sign of floats */
    bool zeros, stop;
    mp_iter it;     /* x, and what was found broadcast to its shape */
    mp_dtype dtype; /* of what was found */
    int64_t results, each, size;
    bool shared;         /* pieces of x share results: each has a copy of its own */
    volatile bool known; /* the one result there is */
} search;

/* row: how many of n elements are not 0. flags and counts: the same for n columns. */
#define SEARCH(bits)                                                                               \
    static int64_t row_##bits(int64_t n, const char *x, int64_t stride, uint64_t mask) {           \
        const uint##bits##_t keep = (uint##bits##_t)mask;                                          \
        int64_t count = 0, i = 0;                                                                  \
        if (stride == bits / 8) {                                                                  \
            const uint##bits##_t *p = (const uint##bits##_t *)x;                                   \
            while (i + LANES <= n) {                                                               \
                uint##bits##_t lane[LANES] = {0};                                                  \
                for (int round = 0; round < ROUNDS && i + LANES <= n; round++, i += LANES)         \
                    for (int k = 0; k < LANES; k++)                                                \
                        lane[k] = (uint##bits##_t)(lane[k] + ((p[i + k] & keep) != 0));            \
                for (int k = 0; k < LANES; k++) count += (int64_t)lane[k];                         \
            }                                                                                      \
        }                                                                                          \
        for (; i < n; i++) count += (*(const uint##bits##_t *)(x + i * stride) & keep) != 0;       \
        return count;                                                                              \
    }                                                                                              \
    static void flags_##bits(int64_t n, const char *x, int64_t stride, uint64_t mask, bool zeros,  \
                             void *found) {                                                        \
        const uint##bits##_t keep = (uint##bits##_t)mask;                                          \
        const uint##bits##_t *p = (const uint##bits##_t *)x;                                       \
        uint##bits##_t *f = found;                                                                 \
        if (stride != bits / 8) {                                                                  \
            for (int64_t i = 0; i < n; i++)                                                        \
                f[i] |= ((*(const uint##bits##_t *)(x + i * stride) & keep) != 0) != zeros;        \
        } else if (zeros) {                                                                        \
            for (int64_t i = 0; i < n; i++) f[i] |= (p[i] & keep) == 0;                            \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++) f[i] |= (p[i] & keep) != 0;                            \
        }                                                                                          \
    }                                                                                              \
    static void counts_##bits(int64_t n, const char *x, int64_t stride, uint64_t mask,             \
                              void *found) {                                                       \
        const uint##bits##_t keep = (uint##bits##_t)mask;                                          \
        const uint##bits##_t *p = (const uint##bits##_t *)x;                                       \
        int64_t *f = found;                                                                        \
        if (stride == bits / 8) {                                                                  \
            for (int64_t i = 0; i < n; i++) f[i] += (p[i] & keep) != 0;                            \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                f[i] += (*(const uint##bits##_t *)(x + i * stride) & keep) != 0;                   \
        }                                                                                          \
    }
SEARCH(8)
SEARCH(16)
SEARCH(32)
SEARCH(64)

#define FUNCTIONS(bits, unsigned)                                                                  \
    s->row = row_##bits, s->flags = flags_##bits, s->counts = counts_##bits, s->dtype = unsigned
static void choose(search *s, mp_dtype dtype) {
    int bits = 8 * mp_dtypes[dtype].bytes;
    s->mask = ~(mp_is_float(dtype) ? (uint64_t)1 << (bits - 1) : 0);
    switch (bits) {
    case 8: FUNCTIONS(8, MP_UINT8); break;
    case 16: FUNCTIONS(16, MP_UINT16); break;
    case 32: FUNCTIONS(32, MP_UINT32); break;
    default: FUNCTIONS(64, MP_UINT64); break;
    }
    if (!s->stop) s->dtype = MP_INT64;
}

/* A stretch of x (ptr[0]) whose elements go into one result (ptr[1]). */
static void into_one(search *s, int64_t n, const char *x, int64_t stride, char *found) {
    if (!s->stop) {
        *(int64_t *)found += s->row(n, x, stride, s->mask);
        return;
    }
    if (*found || s->known) return;
    int64_t first = n < GLANCE ? n : GLANCE, rest = n - first;
    int64_t hits = s->row(first, x, stride, s->mask);
    if (s->zeros ? hits == first : hits == 0) {
        hits = s->row(rest, x + first * stride, stride, s->mask);
        if (s->zeros ? hits == rest : hits == 0) return;
    }
    *found = 1;
    if (s->results == 1) s->known = true;
}

static void stretch(void *ctx, int64_t n, char *const *ptr, const int64_t *stride) {
    search *s = ctx;
    if (stride[1] == 0) {
        into_one(s, n, ptr[0], stride[0], ptr[1]);
    } else if (stride[1] == mp_dtypes[s->dtype].bytes) {
        if (s->stop) s->flags(n, ptr[0], stride[0], s->mask, s->zeros, ptr[1]);
        else s->counts(n, ptr[0], stride[0], s->mask, ptr[1]);
    } else {
        for (int64_t i = 0; i < n; i++)
            into_one(s, 1, ptr[0] + i * stride[0], stride[0], ptr[1] + i * stride[1]);
    }
}

/* Tasks: `each` elements of the flat index space. */
static void search_tasks(void *ctx, int64_t begin, int64_t end) {
    search *s = ctx;
    for (int64_t task = begin; task < end && !s->known; task++) {
        int64_t first = task * s->each, last = first + s->each;
        mp_iter it = s->it;
        if (s->shared) it.data[1] += task * s->results * mp_dtypes[s->dtype].bytes;
        mp_iter_run(&it, first, last < s->size ? last : s->size, s->stop ? LOOK : INT64_MAX,
                    stretch, s);
    }
}

/* The walk over x, with the place in `found` that each element goes to. */
static void iterate(mp_iter *it, const mp_call *call, mp_dtype dtype, void *found) {
    const mp_array *x = call->in[0];
    mp_storage storage = {.data = found};
    mp_array results = {.dtype = (int8_t)dtype, .ndim = x->ndim, .storage = &storage};
    mp_array *operands[2] = {call->in[0], &results};
    unsigned gone = 0;
    int64_t step = 1;
    for (int i = 0; i < call->attrs.n_ints; i++) gone |= 1u << call->attrs.ints[i];
    for (int d = x->ndim - 1; d >= 0; d--) {
        bool kept = !(gone & (1u << d));
        results.shape[d] = kept ? x->shape[d] : 1;
        results.strides[d] = step;
        step *= results.shape[d];
    }
    mp_iter_init(it, 2, operands, x->ndim, x->shape);
}

/* Cuts x into pieces of `each` elements; gives how many. Pieces whose results lie apart need no
 * copies; of others there are as many as threads, or more where there is but one result. */
static int64_t cut(search *s, const mp_iter *it) {
    int64_t threads = mp_num_threads(), wanted = s->size / SEGMENT + 1;
    s->shared = it->strides[1][0] == 0;
    if (s->shared) {
        int64_t pieces = s->results == 1 || wanted < threads ? wanted : threads;
        s->each = (s->size + pieces - 1) / pieces;
    } else {
        s->each = (it->shape[0] + wanted - 1) / wanted * (s->size / it->shape[0]);
    }
    return (s->size + s->each - 1) / s->each;
}

/* What is found of x, which is not empty, in scratch memory. */
static mp_status find(mp_call *call, search *s, char **out) {
    s->results = call->out[0]->size;
    s->size = call->in[0]->size;
    choose(s, (mp_dtype)call->in[0]->dtype);
    iterate(&s->it, call, s->dtype, NULL);
    int64_t pieces = cut(s, &s->it), copies = s->shared ? pieces : 1;
    size_t each = (size_t)s->results * mp_dtypes[s->dtype].bytes, bytes = (size_t)copies * each;
    char *found = mp_scratch(bytes, MP_SCRATCH_KERNEL);
    if (!found) return mp_fail(MP_ERR_MEMORY, "no room for %zu bytes of results", bytes);
    memset(found, 0, bytes);
    s->it.data[1] = found;
    if (s->stop && s->results == 1 && s->size > LOOK) /* it is often known soon */
        mp_iter_run(&s->it, 0, LOOK, LOOK, stretch, s);
    if (!s->known) mp_parallel_for(pieces, 1, search_tasks, s);
    for (int64_t copy = 1; copy < copies; copy++) {
        if (s->stop)
            for (size_t i = 0; i < each; i++) found[i] |= found[(size_t)copy * each + i];
        else
            for (int64_t i = 0; i < s->results; i++)
                ((int64_t *)found)[i] += ((int64_t *)found)[copy * s->results + i];
    }
    *out = found;
    return MP_OK;
}

/* y = whether no zero (all) or something (any) is there. */
static mp_status truth(mp_call *call, bool all) {
    mp_array *y = call->out[0];
    search s = {.zeros = all, .stop = true};
    char *found, *to = mp_data(y);
    if (y->size == 0) return MP_OK;
    if (call->in[0]->size == 0) {
        memset(to, all, (size_t)y->size);
        return MP_OK;
    }
    MP_TRY(find(call, &s, &found));
    int64_t item = mp_dtypes[s.dtype].bytes;
    for (int64_t i = 0; i < y->size; i++)
        to[i] = (s.row(1, found + i * item, item, UINT64_MAX) != 0) != all;
    return MP_OK;
}

MP_KERNEL(all) { return truth(call, true); }
MP_KERNEL(any) { return truth(call, false); }

MP_KERNEL(count_nonzero) {
    mp_array *y = call->out[0];
    size_t bytes = (size_t)y->size * sizeof(int64_t);
    search s = {.stop = false};
    char *found;
    if (y->size == 0) return MP_OK;
    if (call->in[0]->size == 0) {
        memset(mp_data(y), 0, bytes);
        return MP_OK;
    }
    MP_TRY(find(call, &s, &found));
    memcpy(mp_data(y), found, bytes);
    return MP_OK;
}
