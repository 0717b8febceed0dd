/* Losses of pairs with `real` arithmetic: included twice by loss_pair.c, see real.h. */

/* ---- of differences d, in place; p is beta or delta ---- */

static void R(mse)(int64_t n, real *d, real p) {
    (void)p;
    for (int64_t i = 0; i < n; i++) d[i] *= d[i];
}
static void R(mse_slope)(int64_t n, real *d, real p) {
    (void)p;
    for (int64_t i = 0; i < n; i++) d[i] *= 2;
}
static void R(l1)(int64_t n, real *d, real p) {
    (void)p;
    for (int64_t i = 0; i < n; i++) d[i] = R_ABS(d[i]);
}
static inline real R(sign)(real d) { return d > 0 ? 1 : d < 0 ? -1 : d; } /* NaN stays NaN */
static void R(l1_slope)(int64_t n, real *d, real p) {
    (void)p;
    for (int64_t i = 0; i < n; i++) d[i] = R(sign)(d[i]);
}
static void R(smooth_l1)(int64_t n, real *d, real p) {
    for (int64_t i = 0; i < n; i++) {
        real a = R_ABS(d[i]);
        d[i] = a < p ? a * a / p / 2 : a - p / 2;
    }
}
static void R(smooth_l1_slope)(int64_t n, real *d, real p) {
    for (int64_t i = 0; i < n; i++) d[i] = R_ABS(d[i]) < p ? d[i] / p : R(sign)(d[i]);
}
static void R(huber)(int64_t n, real *d, real p) {
    for (int64_t i = 0; i < n; i++) {
        real a = R_ABS(d[i]);
        d[i] = a <= p ? a * a / 2 : p * (a - p / 2);
    }
}
static void R(huber_slope)(int64_t n, real *d, real p) {
    for (int64_t i = 0; i < n; i++) d[i] = R_ABS(d[i]) <= p ? d[i] : p * R(sign)(d[i]);
}

static void (*const R(losses)[])(int64_t n, real *d, real p) = {R(mse), R(l1), R(smooth_l1),
                                                                R(huber)};
static void (*const R(slopes)[])(int64_t n, real *d, real p) = {R(mse_slope), R(l1_slope),
                                                                R(smooth_l1_slope), R(huber_slope)};

/* ---- stretches of at most PIECE elements, see mp_iter_run ---- */

/* The stretch of one operand as reals: as it lies, if it is that already and dense, else in room;
 * ones where it is absent. */
static const real *R(read)(const pair_job *job, int which, char *const *ptr, const int64_t *stride,
                           int64_t n, real *room) {
    int at = job->place[which];
    if (at >= 0 && job->operands[at]->dtype == R_DTYPE && stride[at] == sizeof(real))
        return (const real *)ptr[at];
    if (at >= 0) R_LOAD(job->operands[at]->dtype)(room, ptr[at], stride[at], n);
    else
        for (int64_t i = 0; i < n; i++) room[i] = 1;
    return room;
}

static void R(write)(const pair_job *job, int which, char *const *ptr, const int64_t *stride,
                     int64_t n, const real *row) {
    int at = job->place[which];
    R_STORE(job->operands[at]->dtype)(ptr[at], stride[at], row, n);
}

/* Losses to y, or to the block's sum. */
static void R(take_losses)(pair_block *b, char *const *ptr, const int64_t *stride, int64_t n,
                           const real *loss) {
    if (b->job->place[OUT] >= 0) R(write)(b->job, OUT, ptr, stride, n, loss);
    else b->sum += R(row_sum)(n, loss);
}

/* gy, times the reduction's share. */
static void R(read_gy)(const pair_job *job, char *const *ptr, const int64_t *stride, int64_t n,
                       real *g) {
    const real *gy = R(read)(job, GY, ptr, stride, n, g);
    for (int64_t i = 0; i < n; i++) g[i] = gy[i] * (real)job->share;
}

static void R(pair_stretch)(void *ctx, int64_t n, char *const *ptr, const int64_t *stride) {
    pair_block *b = ctx;
    real x_room[PIECE], t_room[PIECE], d[PIECE], g[PIECE];
    const real *x = R(read)(b->job, X, ptr, stride, n, x_room),
               *t = R(read)(b->job, TARGET, ptr, stride, n, t_room);
    for (int64_t i = 0; i < n; i++) d[i] = x[i] - t[i];
    if (b->job->place[GY] < 0) {
        R(losses)[b->job->kind](n, d, (real)b->job->parameter);
        R(take_losses)(b, ptr, stride, n, d);
        return;
    }
    R(slopes)[b->job->kind](n, d, (real)b->job->parameter);
    R(read_gy)(b->job, ptr, stride, n, g);
    for (int64_t i = 0; i < n; i++) d[i] *= g[i];
    R(write)(b->job, OUT, ptr, stride, n, d);
}

/* log(1 + exp(-x)) and the logistic function of x. */
static void R(logistic)(int64_t n, const real *x, real *restrict soft, real *restrict sigmoid) {
    real power[PIECE];
    for (int64_t i = 0; i < n; i++) power[i] = -R_ABS(x[i]);
    R(row_exp)(n, power, power);
    for (int64_t i = 0; i < n; i++) soft[i] = 1 + power[i];
    R(row_log)(n, sigmoid, soft);
    for (int64_t i = 0; i < n; i++) {
        /* log(1 + p) to p's precision, though 1 + p is rounded */
        real exact = soft[i] == 1 ? power[i] : sigmoid[i] * (power[i] / (soft[i] - 1)),
             inverse = 1 / soft[i];
        soft[i] = exact + (x[i] < 0 ? -x[i] : 0);
        sigmoid[i] = x[i] < 0 ? power[i] * inverse : inverse;
    }
}

static void R(bce_stretch)(void *ctx, int64_t n, char *const *ptr, const int64_t *stride) {
    pair_block *b = ctx;
    const pair_job *job = b->job;
    real room[4][PIECE], soft[PIECE], sigmoid[PIECE], out[PIECE], g[PIECE];
    const real *x = R(read)(job, X, ptr, stride, n, room[0]),
               *t = R(read)(job, TARGET, ptr, stride, n, room[1]);
    const real *weight = R(read)(job, WEIGHT, ptr, stride, n, room[2]);
    const real *positive = R(read)(job, POS_WEIGHT, ptr, stride, n, room[3]);
    R(logistic)(n, x, soft, sigmoid);
    if (job->place[GY] < 0) {
        for (int64_t i = 0; i < n; i++)
            out[i] = weight[i] * ((1 - t[i]) * x[i] + (1 + (positive[i] - 1) * t[i]) * soft[i]);
        R(take_losses)(b, ptr, stride, n, out);
        return;
    }
    R(read_gy)(job, ptr, stride, n, g);
    for (int64_t i = 0; i < n; i++) {
        g[i] *= weight[i];
        out[i] = g[i] * ((positive[i] - 1) * soft[i] - x[i]);
        soft[i] = g[i] * ((positive[i] * t[i] + (1 - t[i])) * sigmoid[i] - positive[i] * t[i]);
    }
    R(write)(job, GTARGET, ptr, stride, n, out);
    R(write)(job, OUT, ptr, stride, n, soft);
}

/* ---- blocks ---- */

static void R(pair_tasks)(void *ctx, int64_t begin, int64_t end) {
    const pair_job *job = ctx;
    for (int64_t i = begin; i < end; i++) {
        pair_block b = {job, 0};
        int64_t at = i * BLOCK, size = job->iter.size - at < BLOCK ? job->iter.size - at : BLOCK;
        mp_iter_run(&job->iter, at, at + size, PIECE,
                    job->logits ? R(bce_stretch) : R(pair_stretch), &b);
        if (job->sums) job->sums[i] = b.sum;
    }
}
