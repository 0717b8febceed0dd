/* What one piece of a tensor goes through, with `real` arithmetic: included twice by lists.c, see
 * real.h. */

/* Adds the squares of x * by to *squares; returns whether a product is inf or NaN. Squares are
 * summed as reals where that neither overflows nor underflows, which a finite sum of some size
 * shows; else once more in float64. */
static bool R(measure)(int64_t n, const real *x, real by, double *squares) {
    const real most = REAL_BITS == 32 ? (real)FLT_MAX : (real)DBL_MAX, some = (real)1e-20;
    real sum[16] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++) sum[k] += (x[i + k] * by) * (x[i + k] * by);
    for (; i < n; i++) rest += (x[i] * by) * (x[i] * by);
    real total = R(fold)(sum) + rest;
    if (total <= most && total >= some) {
        *squares += (double)total;
        return false;
    }
    bool bad = false;
    for (i = 0; i < n; i++) {
        real value = x[i] * by;
        bad |= !(value <= most && value >= -most);
        *squares += (double)value * (double)value;
    }
    return bad;
}

/* A block of a gradient, unscaled in place with `write`: then a value may overflow once more on its
 * way to a narrow dtype. */
static bool R(unscale_block)(const mp_list_item *item, const block *b, double by, bool write,
                             double *squares) {
    real room[PIECE] __attribute__((aligned(64)));
    int dtype = item->grad_dtype, bytes = mp_dtypes[dtype].bytes;
    bool bad = false;
    *squares = 0;
    for (int64_t i = 0; i < b->size; i += PIECE) {
        int64_t n = b->size - i < PIECE ? b->size - i : PIECE;
        void *at = element(item->grad, dtype, b->begin + i);
        const real *x = dtype == R_DTYPE ? at : room;
        if (x == room) R_LOAD(dtype)(room, at, bytes, n);
        bad |= R(measure)(n, x, (real)by, squares);
        if (!write) continue;
        for (int64_t j = 0; j < n; j++) room[j] = x[j] * (real)by;
        R_STORE(dtype)(at, bytes, room, n);
        if (dtype == R_DTYPE || by <= 1) continue;
        double unused = 0;
        R_LOAD(dtype)(room, at, bytes, n);
        bad |= R(measure)(n, room, 1, &unused);
    }
    return bad;
}

static void R(sgd)(int64_t n, real *restrict p, const real *restrict grad, real *restrict m,
                   const factors *f) {
    const real by = (real)f->grad, decay = (real)f->decay, rate = (real)f->rate;
    if (!f->momentum) {
        for (int64_t i = 0; i < n; i++) p[i] -= rate * (grad[i] * by + decay * p[i]);
        return;
    }
    const real first = (real)f->first, dampened = (real)f->dampened, own = f->nesterov ? 1 : 0,
               buffer = f->nesterov ? (real)f->second : 1;
    if (first == 0)
        memset(m, 0, (size_t)n * sizeof *m); /* before the first step it may hold anything */
    for (int64_t i = 0; i < n; i++) {
        real g = grad[i] * by + decay * p[i], now = first * m[i] + dampened * g;
        m[i] = now;
        p[i] -= rate * (own * g + buffer * now);
    }
}

static void R(adam)(int64_t n, real *restrict p, const real *restrict grad, real *restrict m,
                    real *restrict v, const factors *f) {
    const real by = (real)f->grad, decay = (real)f->decay, keep = (real)f->keep,
               rate = (real)f->rate, first = (real)f->first, second = (real)f->second,
               rest = (real)(1 - f->second), unbias = (real)f->unbias, eps = (real)f->eps;
    for (int64_t i = 0; i < n; i++) {
        real g = grad[i] * by + decay * p[i];
        real mean = m[i] + first * (g - m[i]), square = second * v[i] + rest * (g * g);
        m[i] = mean;
        v[i] = square;
        p[i] = p[i] * keep - rate * (mean / (R_SQRT(square) * unbias + eps));
    }
}

/* Elements [at, at + n), n <= PIECE: what is narrow passes through a buffer. The param is written,
 * and its shadow. */
static void R(update)(const mp_list_call *call, const mp_list_item *item, int64_t at, int64_t n,
                      const factors *f) {
    real p_room[PIECE] __attribute__((aligned(64))), g_room[PIECE] __attribute__((aligned(64)));
    void *param = element(item->param, item->param_dtype, at),
         *grad = element(item->grad, item->grad_dtype, at);
    int p_bytes = mp_dtypes[item->param_dtype].bytes, g_bytes = mp_dtypes[item->grad_dtype].bytes;
    bool own = item->param_dtype == R_DTYPE;
    real *p = own ? param : item->master ? (real *)item->master + at : p_room, *g = g_room;
    real *m = item->m ? (real *)item->m + at : NULL, *v = item->v ? (real *)item->v + at : NULL;
    if (p == p_room) R_LOAD(item->param_dtype)(p, param, p_bytes, n);
    if (item->grad_dtype == R_DTYPE) g = grad;
    else R_LOAD(item->grad_dtype)(g, grad, g_bytes, n);
    if (call->list == MP_LIST_sgd) R(sgd)(n, p, g, m, f);
    else R(adam)(n, p, g, m, v, f);
    if (!own) R_STORE(item->param_dtype)(param, p_bytes, p, n);
    if (item->shadow) {
        void *shadow = element(item->shadow, item->shadow_dtype, at);
        R_STORE(item->shadow_dtype)(shadow, mp_dtypes[item->shadow_dtype].bytes, p, n);
    }
}
