/* searchsorted: a binary search for every value. Both are compared as they are where their dtype is
 * a common one, else in float64 (int64, or uint64 for unsigned integers). NaN is above everything.
 */
#include "cpu.h"

enum { WORTH = 512 /* values worth a thread */ };

typedef struct search {
    const void *sorted, *values;
    int64_t n, *y;
    bool right;
} search;

#define FLOAT_BELOW(a, b) ((a) < (b) || ((b) != (b) && (a) == (a)))
#define INT_BELOW(a, b) ((a) < (b))

/* Tasks: values. What is found for one is where the search for the next begins if that is greater,
 * as with ascending values. */
#define SEARCH(name, type, below)                                                                  \
    static void search_##name(void *ctx, int64_t begin, int64_t end) {                             \
        const search *s = ctx;                                                                     \
        const type *sorted = s->sorted, *values = s->values;                                       \
        int64_t low = 0, high = s->n;                                                              \
        for (int64_t i = begin; i < end; i++) {                                                    \
            type v = values[i];                                                                    \
            bool goes_on = i > begin && !(below(v, values[i - 1]));                                \
            if (!goes_on) low = 0;                                                                 \
            high = s->n;                                                                           \
            while (low < high) {                                                                   \
                int64_t middle = low + (high - low) / 2;                                           \
                bool after = s->right ? !(below(v, sorted[middle])) : below(sorted[middle], v);    \
                if (after) low = middle + 1;                                                       \
                else high = middle;                                                                \
            }                                                                                      \
            s->y[i] = low;                                                                         \
        }                                                                                          \
    }
SEARCH(f32, float, FLOAT_BELOW)
SEARCH(f64, double, FLOAT_BELOW)
SEARCH(i32, int32_t, INT_BELOW)
SEARCH(i64, int64_t, INT_BELOW)
SEARCH(u64, uint64_t, INT_BELOW)

/* The elements as `wanted`, double or 64-bit integers, in scratch memory unless they are so. */
static mp_status as_wide(const mp_array *a, mp_dtype wanted, int slot, const void **out) {
    *out = mp_data(a);
    if (a->dtype == wanted) return MP_OK;
    void *room = mp_scratch((size_t)(a->size + 1) * 8, slot);
    if (!room) return mp_fail(MP_ERR_MEMORY, "no room for %lld elements", (long long)a->size);
    if (wanted == MP_FLOAT64) MP_LOAD_F64(a->dtype)(room, mp_data(a), mp_itemsize(a), a->size);
    else MP_LOAD_I64(a->dtype)(room, mp_data(a), mp_itemsize(a), a->size);
    *out = room;
    return MP_OK;
}

MP_KERNEL(searchsorted) {
    const mp_array *sorted = call->in[0], *values = call->in[1];
    search s = {.sorted = mp_data(sorted),
                .values = mp_data(values),
                .n = sorted->size,
                .y = mp_data(call->out[0]),
                .right = call->attrs.right};
    mp_parallel_fn fn;
    if (sorted->dtype == values->dtype && sorted->dtype == MP_FLOAT32) {
        fn = search_f32;
    } else if (sorted->dtype == values->dtype && sorted->dtype == MP_INT32) {
        fn = search_i32;
    } else {
        mp_dtype common;
        MP_TRY(mp_promote((mp_dtype)sorted->dtype, (mp_dtype)values->dtype, &common));
        mp_dtype wide = mp_is_float(common)   ? MP_FLOAT64
                        : common == MP_UINT64 ? MP_UINT64
                                              : MP_INT64;
        MP_TRY(as_wide(sorted, wide, MP_SCRATCH_KERNEL, &s.sorted));
        MP_TRY(as_wide(values, wide, MP_SCRATCH_KERNEL_2, &s.values));
        fn = wide == MP_FLOAT64 ? search_f64 : wide == MP_UINT64 ? search_u64 : search_i64;
    }
    mp_parallel_for(values->size, WORTH, fn, &s);
    return MP_OK;
}
