/* matmul and linear: stacks of matrix products with broadcasting, any strides and any dtypes,
 * brought to the form that cuBLASLt (blas.c) takes. Operands are read where they lie if rows or
 * columns are contiguous; else, and where their dtype is not what the product is computed in, they
 * are copied first (gemm_any.cu, which multiplies integers too). */
#include "blas.h"
#include "gemm_any.h"

enum {
    MOST_LAUNCHES = 4,  /* of a stack; with more, operands are copied to make it one batch */
    FEW_ROWS = 128,     /* products with fewer rows and one b are joined, at the price of a copy */
    MOST_BATCH = 65535, /* in one launch */
    ALIGNMENT = 16,     /* of a bias, in bytes */
    ROOMS = 4,
};

/* A stack being run, with its scratch memory. */
typedef struct job {
    mp_cuda_place place;
    mp_cuda_stack s;
    const void *bias; /* n elements, or NULL */
    mp_dtype bias_dtype;
    int64_t bias_step;
    mp_array *y;
    bool wide; /* sums are float64 */
    int rooms;
    struct {
        void *data;
        size_t bytes;
    } room[ROOMS];
} job;

/* `count` elements of scratch memory, until the job ends. */
static mp_status take_room(job *j, int64_t count, mp_dtype dtype, void **out) {
    size_t bytes = (size_t)count * mp_dtypes[dtype].bytes;
    MP_TRY(mp_cuda_scratch(&j->place, bytes, out));
    j->room[j->rooms].data = *out;
    j->room[j->rooms++].bytes = bytes;
    return MP_OK;
}

/* ---- the shape of the stack ---- */

static int64_t count_of(const mp_cuda_stack *s) {
    int64_t count = 1;
    for (int d = 0; d < s->ndim; d++) count *= s->shape[d];
    return count;
}

static void keep_dim(mp_cuda_stack *s, int from, int to) {
    s->shape[to] = s->shape[from];
    s->a.step[to] = s->a.step[from];
    s->b.step[to] = s->b.step[from];
}

/* Whether the steps reach all items of dimensions `outer` and `inner` as if they were one. */
static bool joins(const mp_cuda_matrix *x, const mp_cuda_stack *s, int outer, int inner) {
    return x->step[outer] == x->step[inner] * s->shape[inner];
}

/* Makes rows of a out of inner dimensions that share b and follow each other at one distance, and
 * joins the dimensions that are left where both operands allow. */
static void fold(mp_cuda_stack *s) {
    int kept = 0;
    for (int d = 0; d < s->ndim; d++)
        if (s->shape[d] != 1) keep_dim(s, d, kept++);
    s->ndim = kept;
    for (; s->ndim > 0; s->ndim--) {
        int d = s->ndim - 1;
        if (s->b.step[d] != 0) break;
        if (s->m == 1) s->a.row = s->a.step[d];
        else if (s->a.step[d] != s->a.row * s->m) break;
        s->m *= s->shape[d];
    }
    kept = 0;
    for (int d = 0; d < s->ndim; d++) {
        if (kept > 0 && joins(&s->a, s, kept - 1, d) && joins(&s->b, s, kept - 1, d)) {
            int64_t extent = s->shape[kept - 1] * s->shape[d];
            keep_dim(s, d, kept - 1);
            s->shape[kept - 1] = extent;
        } else {
            keep_dim(s, d, kept++);
        }
    }
    s->ndim = kept;
}

/* The dimension that becomes the batch of a launch; the others are launches. */
static int batch_dim(const mp_cuda_stack *s) {
    int best = 0;
    for (int d = 1; d < s->ndim; d++)
        if (s->shape[d] > s->shape[best]) best = d;
    return best;
}

/* ---- operands ---- */

/* Whether cuBLASLt can read the matrix where it lies, and how. A single column is best seen as a
 * contiguous row. */
static bool layout_of(const mp_cuda_matrix *x, int64_t rows, int64_t cols, int64_t *ld,
                      bool *transposed) {
    bool by_rows = (cols == 1 || x->col == 1) && (rows == 1 || x->row >= cols);
    bool by_cols = (rows == 1 || x->row == 1) && (cols == 1 || x->col >= rows);
    *transposed = by_cols && (!by_rows || (cols == 1 && rows > 1));
    if (*transposed) *ld = cols == 1 ? rows : x->col;
    else *ld = rows == 1 ? cols : x->row;
    return by_rows || by_cols;
}

static bool is_readable(const mp_cuda_stack *s, const mp_cuda_matrix *x, int64_t rows,
                        int64_t cols) {
    int64_t ld;
    bool transposed;
    for (int d = 0; d < s->ndim; d++)
        if (x->step[d] < 0) return false;
    return layout_of(x, rows, cols, &ld, &transposed);
}

/* Whether a copy of the operand would make one batch of a stack that is not. A broadcast operand
 * would grow. */
static bool breaks_batch(const mp_cuda_stack *s, const mp_cuda_matrix *x) {
    bool broken = false;
    for (int d = 0; d < s->ndim; d++) {
        if (x->step[d] == 0) return false;
        broken |= d > 0 && !joins(x, s, d - 1, d);
    }
    return broken;
}

/* Copies an operand to scratch in `dtype`, each item once; rows become contiguous, or columns where
 * they were and by_rows is false. */
static mp_status copy_operand(job *j, mp_cuda_matrix *x, int64_t rows, int64_t cols, mp_dtype dtype,
                              bool by_rows) {
    int64_t shape[MP_CUDA_DIMS + 2], strides[MP_CUDA_DIMS + 2], size = rows * cols;
    bool transposed = !by_rows && x->row == 1 && x->col != 1 && rows > 1;
    int ndim = 0;
    void *to;
    mp_cuda_matrix copied = {.dtype = dtype};
    for (int d = 0; d < j->s.ndim; d++) {
        if (x->step[d] == 0) continue;
        shape[ndim] = j->s.shape[d];
        strides[ndim++] = x->step[d];
    }
    shape[ndim] = transposed ? cols : rows, strides[ndim++] = transposed ? x->col : x->row;
    shape[ndim] = transposed ? rows : cols, strides[ndim++] = transposed ? x->row : x->col;
    for (int d = j->s.ndim - 1; d >= 0; d--) {
        if (x->step[d] == 0) continue;
        copied.step[d] = size;
        size *= j->s.shape[d];
    }
    MP_TRY(take_room(j, size, dtype, &to));
    MP_TRY(mp_cuda_gather(&j->place, x->data, x->dtype, ndim, shape, strides, to, dtype));
    copied.data = to;
    copied.row = transposed ? 1 : cols;
    copied.col = transposed ? rows : 1;
    *x = copied;
    return MP_OK;
}

/* The dtype that operands have in the product: their own if cuBLASLt takes it, float16 for float8,
 * else that of the sums. */
static mp_dtype dtype_of_product(const job *j) {
    mp_dtype a = j->s.a.dtype, b = j->s.b.dtype;
    if (j->wide) return MP_FLOAT64;
    if (a == MP_BFLOAT16 && b == MP_BFLOAT16) return MP_BFLOAT16;
    bool half = (a == MP_FLOAT16 || mp_is_float8(a)) && (b == MP_FLOAT16 || mp_is_float8(b));
    return half ? MP_FLOAT16 : MP_FLOAT32;
}

/* Brings the operands to one dtype and to where they can be read, and the stack to few launches. */
static mp_status prepare(job *j) {
    mp_cuda_stack *s = &j->s;
    mp_dtype dtype = dtype_of_product(j);
    fold(s);
    bool copy_a = s->a.dtype != dtype || !is_readable(s, &s->a, s->m, s->k);
    bool copy_b = s->b.dtype != dtype || !is_readable(s, &s->b, s->k, s->n);
    bool shared = s->ndim > 0;
    for (int d = 0; d < s->ndim; d++) shared &= s->b.step[d] == 0;
    shared &= s->m < FEW_ROWS;
    if (s->ndim > 1 && count_of(s) / s->shape[batch_dim(s)] > MOST_LAUNCHES) {
        copy_a |= breaks_batch(s, &s->a);
        copy_b |= breaks_batch(s, &s->b);
    }
    if (copy_a || shared) MP_TRY(copy_operand(j, &s->a, s->m, s->k, dtype, shared));
    if (copy_b) MP_TRY(copy_operand(j, &s->b, s->k, s->n, dtype, false));
    if (copy_a || copy_b || shared) fold(s);
    return MP_OK;
}

/* ---- floats ---- */

/* All products of the stack into s->c, with a bias of c's dtype or NULL. *done is false where
 * cuBLASLt has no kernel. */
static mp_status launch_all(const job *j, const void *bias, bool *done) {
    const mp_cuda_stack *s = &j->s;
    mp_cuda_product p = {.m = s->m, .n = s->n, .k = s->k, .batch = 1, .bias = bias, .c_ld = s->n};
    int64_t c_step[MP_CUDA_DIMS], items = 1, a_bytes = mp_dtypes[s->a.dtype].bytes,
                                  b_bytes = mp_dtypes[s->b.dtype].bytes,
                                  c_bytes = mp_dtypes[s->c_dtype].bytes, batch = 1;
    int along = batch_dim(s);
    p.dtype = s->a.dtype, p.c_dtype = s->c_dtype;
    layout_of(&s->a, s->m, s->k, &p.a_ld, &p.a_transposed);
    layout_of(&s->b, s->k, s->n, &p.b_ld, &p.b_transposed);
    for (int d = s->ndim - 1; d >= 0; d--) {
        c_step[d] = s->m * s->n * items;
        items *= s->shape[d];
    }
    if (s->ndim > 0) {
        p.a_step = s->a.step[along], p.b_step = s->b.step[along], p.c_step = c_step[along];
        batch = s->shape[along];
    }
    *done = true;
    for (int64_t i = 0; i < items / batch && *done; i++) {
        int64_t a = 0, b = 0, c = 0, rest = i;
        for (int d = s->ndim - 1; d >= 0; d--) {
            if (d == along) continue;
            int64_t here = rest % s->shape[d];
            a += here * s->a.step[d], b += here * s->b.step[d], c += here * c_step[d];
            rest /= s->shape[d];
        }
        for (int64_t first = 0; first < batch && *done; first += MOST_BATCH) {
            p.batch = batch - first < MOST_BATCH ? batch - first : MOST_BATCH;
            p.a = (const char *)s->a.data + (a + first * p.a_step) * a_bytes;
            p.b = (const char *)s->b.data + (b + first * p.b_step) * b_bytes;
            p.c = (char *)s->c + (c + first * p.c_step) * c_bytes;
            MP_TRY(mp_cuda_blas_run(&j->place, &p, done));
        }
    }
    return MP_OK;
}

/* The bias as cuBLASLt adds it to a result of `dtype` before rounding: *out stays NULL where the
 * bias is more precise. */
static mp_status bias_as(job *j, mp_dtype dtype, const void **out) {
    bool same = j->bias_dtype == dtype;
    if (!same && mp_dtypes[j->bias_dtype].bytes >= mp_dtypes[dtype].bytes) return MP_OK;
    if (same && (j->bias_step == 1 || j->s.n == 1) && (uintptr_t)j->bias % ALIGNMENT == 0) {
        *out = j->bias;
        return MP_OK;
    }
    void *to;
    MP_TRY(take_room(j, j->s.n, dtype, &to));
    MP_TRY(mp_cuda_gather(&j->place, j->bias, j->bias_dtype, 1, &j->s.n, &j->bias_step, to, dtype));
    *out = to;
    return MP_OK;
}

static mp_status finish(const job *j, const void *sum, mp_dtype sum_dtype) {
    int64_t rows = j->y->size / j->s.n;
    return mp_cuda_finish(&j->place, rows, j->s.n, sum, sum_dtype, j->bias, j->bias_dtype,
                          j->bias_step, mp_data(j->y), (mp_dtype)j->y->dtype, j->wide);
}

/* Products whose result cuBLASLt cannot write as it is wanted: into sums of float32 or float64,
 * from which y is made. */
static mp_status run_sums(job *j) {
    mp_dtype sums = j->wide ? MP_FLOAT64 : MP_FLOAT32;
    bool in_place = j->y->dtype == sums, done;
    j->s.c = mp_data(j->y);
    j->s.c_dtype = sums;
    if (!in_place) MP_TRY(take_room(j, j->y->size, sums, &j->s.c));
    MP_TRY(launch_all(j, NULL, &done));
    if (!done) MP_TRY(mp_cuda_gemm_any(&j->place, &j->s, sums));
    return in_place && !j->bias ? MP_OK : finish(j, j->s.c, sums);
}

static mp_status run_floats(job *j) {
    mp_cuda_stack *s = &j->s;
    const void *bias = NULL;
    bool done = false;
    if (s->k == 0) return finish(j, NULL, MP_FLOAT32);
    MP_TRY(prepare(j));
    s->c = mp_data(j->y);
    s->c_dtype = (mp_dtype)j->y->dtype;
    if (!mp_cuda_blas_takes(s->a.dtype, s->c_dtype)) return run_sums(j);
    if (j->bias) MP_TRY(bias_as(j, s->c_dtype, &bias));
    if (j->bias && !bias) return run_sums(j);
    MP_TRY(launch_all(j, bias, &done));
    return done ? MP_OK : run_sums(j);
}

/* ---- any dtype ---- */

static mp_status run_integers(job *j) {
    mp_array *y = j->y;
    j->s.c = mp_data(y);
    j->s.c_dtype = (mp_dtype)y->dtype;
    if (j->s.k > 0) return mp_cuda_gemm_any(&j->place, &j->s, MP_INT64);
    MP_CUDA_TRY(
        cudaMemsetAsync(mp_data(y), 0, (size_t)y->size * (size_t)mp_itemsize(y), j->place.stream));
    return MP_OK;
}

static mp_status run(mp_call *call, job *j) {
    mp_dtype a = j->s.a.dtype, b = j->s.b.dtype, y = (mp_dtype)call->out[0]->dtype;
    j->y = call->out[0];
    if (j->y->size == 0) return MP_OK;
    j->wide = a == MP_FLOAT64 || b == MP_FLOAT64 || y == MP_FLOAT64;
    MP_TRY(mp_cuda_enter(call->device, &j->place));
    bool integers = !mp_is_float(a) && !mp_is_float(b) && !mp_is_float(y);
    mp_status status = integers ? run_integers(j) : run_floats(j);
    for (int i = 0; i < j->rooms; i++)
        mp_cuda_scratch_free(&j->place, j->room[i].data, j->room[i].bytes);
    return status;
}

/* ---- the ops ---- */

static mp_cuda_matrix matrix_of(const mp_array *a) {
    mp_cuda_matrix x = {.data = mp_data(a), .dtype = (mp_dtype)a->dtype};
    return x;
}

/* The stride of dimension d of a's stacked dimensions, seen as the last of `ndim`. */
static int64_t stacked_stride(const mp_array *a, int ndim, int d) {
    int own = a->ndim - 2, at = own - ndim + d;
    return own > 0 && at >= 0 && a->shape[at] != 1 ? a->strides[at] : 0;
}

/* y = a @ b, as NumPy's matmul: 1-D operands are a row and a column, leading dimensions are
 * broadcast. */
mp_status mp_cuda_matmul(mp_call *call) {
    const mp_array *a = call->in[0], *b = call->in[1];
    job j = {.s = {.m = 1, .n = 1, .a = matrix_of(a), .b = matrix_of(b)}};
    mp_cuda_stack *s = &j.s;
    s->k = a->shape[a->ndim - 1];
    s->a.col = a->strides[a->ndim - 1];
    if (a->ndim > 1) s->m = a->shape[a->ndim - 2], s->a.row = a->strides[a->ndim - 2];
    s->b.row = b->strides[b->ndim > 1 ? b->ndim - 2 : 0];
    if (b->ndim > 1) s->n = b->shape[b->ndim - 1], s->b.col = b->strides[b->ndim - 1];
    int a_stack = a->ndim > 2 ? a->ndim - 2 : 0, b_stack = b->ndim > 2 ? b->ndim - 2 : 0;
    s->ndim = a_stack > b_stack ? a_stack : b_stack;
    for (int d = 0; d < s->ndim; d++) {
        s->shape[d] = call->out[0]->shape[d];
        s->a.step[d] = stacked_stride(a, s->ndim, d);
        s->b.step[d] = stacked_stride(b, s->ndim, d);
    }
    return run(call, &j);
}

/* y[..., n] = sum over k of x[..., k] * weight[n, k], plus bias[n] if there is one. */
mp_status mp_cuda_linear(mp_call *call) {
    const mp_array *x = call->in[0], *weight = call->in[1], *bias = call->in[2];
    job j = {.s = {.m = 1,
                   .n = weight->shape[0],
                   .k = weight->shape[1],
                   .a = matrix_of(x),
                   .b = matrix_of(weight)}};
    mp_cuda_stack *s = &j.s;
    s->a.col = x->strides[x->ndim - 1];
    s->b.row = weight->strides[1], s->b.col = weight->strides[0];
    if (bias) {
        j.bias = mp_data(bias);
        j.bias_dtype = (mp_dtype)bias->dtype;
        j.bias_step = bias->strides[0];
    }
    s->ndim = x->ndim - 1;
    for (int d = 0; d < s->ndim; d++) s->shape[d] = x->shape[d], s->a.step[d] = x->strides[d];
    return run(call, &j);
}
