/* matmul and linear: products of stacked matrices, with broadcasting and any strides. Float
 * products are gemm.c's; integers are multiplied here, with sums that wrap around in 64 bits as
 * NumPy's do. */
#include <stdlib.h>
#include <string.h>

#include "gemm.h"

/* A stack of products: item i has a and b at the offsets that shape and steps give, and c at i * m
 * * n. */
typedef struct stack {
    mp_gemm g; /* of item 0 */
    int ndim;
    int64_t shape[MP_MAX_DIMS], a_step[MP_MAX_DIMS], b_step[MP_MAX_DIMS]; /* in elements */
    int64_t count;
    mp_status status;
} stack;

static mp_gemm item_of(const stack *s, int64_t item) {
    mp_gemm g = s->g;
    int64_t a = 0, b = 0;
    g.c = (char *)g.c + item * g.m * g.n * mp_dtypes[g.c_dtype].bytes;
    for (int d = s->ndim - 1; d >= 0; d--) {
        a += item % s->shape[d] * s->a_step[d];
        b += item % s->shape[d] * s->b_step[d];
        item /= s->shape[d];
    }
    g.a = mp_gemm_at(g.a, g.a_dtype, a);
    g.b = mp_gemm_at(g.b, g.b_dtype, b);
    return g;
}

/* Makes rows of a out of stacked dimensions that share b and follow each other at one distance. */
static void fold_rows(stack *s) {
    int kept = 0;
    for (int d = 0; d < s->ndim; d++) {
        if (s->shape[d] == 1) continue;
        s->shape[kept] = s->shape[d], s->a_step[kept] = s->a_step[d],
        s->b_step[kept] = s->b_step[d];
        kept++;
    }
    s->ndim = kept;
    while (s->ndim > 0) {
        int d = s->ndim - 1;
        if (s->b_step[d] != 0) break;
        if (s->g.m == 1) s->g.a_row = s->a_step[d];
        else if (s->a_step[d] != s->g.a_row * s->g.m) break;
        s->g.m *= s->shape[d];
        s->ndim--;
    }
    s->count = 1;
    for (int d = 0; d < s->ndim; d++) s->count *= s->shape[d];
}

static void product_tasks(void *ctx, int64_t begin, int64_t end) {
    stack *s = ctx;
    for (int64_t i = begin; i < end; i++) {
        mp_gemm g = item_of(s, i);
        mp_status status = MP_TIERED(mp_gemm_run)(&g);
        if (status != MP_OK) s->status = status;
    }
}

/* Products of one row and one column each, of a few elements: not worth a call apiece. */
#define DOTS(name, real)                                                                           \
    static void name(void *ctx, int64_t begin, int64_t end) {                                      \
        const stack *s = ctx;                                                                      \
        const mp_gemm *g = &s->g;                                                                  \
        real *c = g->c;                                                                            \
        for (int64_t i = begin; i < end; i++) {                                                    \
            const real *a = (const real *)g->a + i * s->a_step[0];                                 \
            const real *b = (const real *)g->b + i * s->b_step[0];                                 \
            real sum = 0;                                                                          \
            for (int64_t k = 0; k < g->k; k++) sum += a[k * g->a_col] * b[k * g->b_row];           \
            c[i] = sum;                                                                            \
        }                                                                                          \
    }
DOTS(dots_f32, float)
DOTS(dots_f64, double)

static bool are_short_dots(const stack *s) {
    enum { SHORT = 16 };
    const mp_gemm *g = &s->g;
    return g->m == 1 && g->n == 1 && g->k <= SHORT && s->ndim == 1 && !g->bias &&
           g->a_dtype == g->b_dtype && g->a_dtype == g->c_dtype &&
           (g->c_dtype == MP_FLOAT32 || g->c_dtype == MP_FLOAT64);
}

/* Small products are shared out among the threads, large ones run one after another on all of them.
 */
static mp_status run_floats(stack *s) {
    if (are_short_dots(s)) {
        bool wide = s->g.c_dtype == MP_FLOAT64;
        mp_parallel_for(s->count, 1 << 13, wide ? dots_f64 : dots_f32, s);
        return MP_OK;
    }
    double work = mp_gemm_work(s->g.m, s->g.n, s->g.k);
    int threads = mp_num_threads();
    if (s->count == 1 || threads == 1 || (s->count < 2 * threads && work > 1e6)) {
        product_tasks(s, 0, s->count);
        return s->status;
    }
    mp_parallel_for(s->count, (int64_t)(20e3 / work) + 1, product_tasks, s);
    if (s->status != MP_OK)
        return mp_fail(s->status, "no room to pack %lld products", (long long)s->count);
    return MP_OK;
}

/* ---- integers ---- */

typedef struct rows_of {
    const mp_gemm *g;
    const int64_t *b; /* k x n */
    mp_status status;
} rows_of;

static void row_tasks(void *ctx, int64_t begin, int64_t end) {
    rows_of *r = ctx;
    const mp_gemm *g = r->g;
    int64_t bytes = mp_dtypes[g->c_dtype].bytes;
    uint64_t *sum = mp_scratch((size_t)(g->n + g->k) * sizeof *sum, MP_SCRATCH_GEMM_A);
    if (!sum) {
        r->status = MP_ERR_MEMORY;
        return;
    }
    int64_t *line = (int64_t *)sum + g->n;
    for (int64_t i = begin; i < end; i++) {
        MP_LOAD_I64(g->a_dtype)
        (line, mp_gemm_at(g->a, g->a_dtype, i * g->a_row), g->a_col * mp_dtypes[g->a_dtype].bytes,
         g->k);
        memset(sum, 0, (size_t)g->n * sizeof *sum);
        for (int64_t k = 0; k < g->k; k++) {
            uint64_t by = (uint64_t)line[k];
            const uint64_t *from = (const uint64_t *)r->b + k * g->n;
            for (int64_t j = 0; j < g->n; j++) sum[j] += by * from[j];
        }
        if (g->c_dtype == MP_BOOL)
            for (int64_t j = 0; j < g->n; j++) sum[j] = sum[j] != 0;
        MP_STORE_I64(g->c_dtype)
        ((char *)g->c + i * g->n * bytes, bytes, (const int64_t *)sum, g->n);
    }
}

static mp_status run_integers(const stack *s) {
    const mp_gemm *first = &s->g;
    int64_t *b = malloc(((size_t)(first->k * first->n) + 1) * sizeof *b);
    if (!b)
        return mp_fail(MP_ERR_MEMORY, "no room for %lld x %lld integers", (long long)first->k,
                       (long long)first->n);
    mp_status status = MP_OK;
    for (int64_t i = 0; i < s->count && status == MP_OK; i++) {
        mp_gemm g = item_of(s, i);
        int64_t step = g.b_col * mp_dtypes[g.b_dtype].bytes;
        for (int64_t k = 0; k < g.k; k++)
            MP_LOAD_I64(g.b_dtype)(b + k * g.n, mp_gemm_at(g.b, g.b_dtype, k * g.b_row), step, g.n);
        rows_of r = {&g, b, MP_OK};
        mp_parallel_for(g.m, 100000 / (g.n * g.k + 1) + 1, row_tasks, &r);
        status = r.status;
    }
    free(b);
    return status == MP_OK
               ? MP_OK
               : mp_fail(status, "no room for rows of %lld integers", (long long)first->n);
}

static mp_status run_stack(stack *s, mp_array *y) {
    mp_gemm *g = &s->g;
    if (y->size == 0) return MP_OK;
    g->c = mp_data(y);
    g->c_dtype = (mp_dtype)y->dtype;
    g->wide = g->a_dtype == MP_FLOAT64 || g->b_dtype == MP_FLOAT64 || g->c_dtype == MP_FLOAT64;
    fold_rows(s);
    g->c_row = g->n;
    bool integers =
        !mp_is_float(g->a_dtype) && !mp_is_float(g->b_dtype) && !mp_is_float(g->c_dtype);
    return integers ? run_integers(s) : run_floats(s);
}

/* ---- the ops ---- */

/* The stride of dimension d of a's stacked dimensions, seen as the last of `ndim`. */
static int64_t stacked_stride(const mp_array *a, int ndim, int d) {
    int own = a->ndim - 2, at = own - ndim + d;
    return own > 0 && at >= 0 && a->shape[at] != 1 ? a->strides[at] : 0;
}

/* y = a @ b, as NumPy's matmul: 1-D operands are a row and a column, leading dimensions broadcast.
 */
MP_KERNEL(matmul) {
    const mp_array *a = call->in[0], *b = call->in[1];
    mp_array *y = call->out[0];
    stack s = {.g = {.m = 1, .n = 1}};
    mp_gemm *g = &s.g;
    g->a = mp_data(a), g->b = mp_data(b);
    g->a_dtype = (mp_dtype)a->dtype, g->b_dtype = (mp_dtype)b->dtype;
    g->k = a->shape[a->ndim - 1];
    g->a_col = a->strides[a->ndim - 1];
    if (a->ndim > 1) g->m = a->shape[a->ndim - 2], g->a_row = a->strides[a->ndim - 2];
    g->b_row = b->strides[b->ndim > 1 ? b->ndim - 2 : 0];
    if (b->ndim > 1) g->n = b->shape[b->ndim - 1], g->b_col = b->strides[b->ndim - 1];
    int a_stack = a->ndim > 2 ? a->ndim - 2 : 0, b_stack = b->ndim > 2 ? b->ndim - 2 : 0;
    s.ndim = a_stack > b_stack ? a_stack : b_stack;
    for (int d = 0; d < s.ndim; d++) {
        s.shape[d] = y->shape[d];
        s.a_step[d] = stacked_stride(a, s.ndim, d);
        s.b_step[d] = stacked_stride(b, s.ndim, d);
    }
    return run_stack(&s, y);
}

/* y[..., n] = sum over k of x[..., k] * weight[n, k], plus bias[n] if there is one. */
MP_KERNEL(linear) {
    const mp_array *x = call->in[0], *weight = call->in[1], *bias = call->in[2];
    stack s = {.g = {.m = 1, .n = weight->shape[0], .k = weight->shape[1]}};
    mp_gemm *g = &s.g;
    g->a = mp_data(x), g->b = mp_data(weight);
    g->a_dtype = (mp_dtype)x->dtype, g->b_dtype = (mp_dtype)weight->dtype;
    g->a_col = x->strides[x->ndim - 1];
    g->b_row = weight->strides[1], g->b_col = weight->strides[0];
    if (bias) {
        g->bias = mp_data(bias);
        g->bias_dtype = (mp_dtype)bias->dtype;
        g->bias_step = bias->strides[0];
    }
    s.ndim = x->ndim - 1;
    for (int d = 0; d < s.ndim; d++) s.shape[d] = x->shape[d], s.a_step[d] = x->strides[d];
    return run_stack(&s, call->out[0]);
}
