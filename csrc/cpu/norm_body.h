/* layer_norm and its relatives with sums of type `real`: included twice by norm.c, see real.h. */

/* A row as `real`: where it lies if it is that already, else converted into room. */
static const real *R(row_of)(const mp_array *a, int64_t at, int64_t n, real *room) {
    if (a->dtype == R_DTYPE) return (const real *)mp_data(a) + at;
    R_LOAD(a->dtype)(room, (const char *)mp_data(a) + at * mp_itemsize(a), mp_itemsize(a), n);
    return room;
}

static real R(load_one)(const mp_array *a, int64_t at) {
    real value;
    return *R(row_of)(a, at, 1, &value);
}

static void R(store_row)(const mp_array *a, int64_t at, int64_t n, const real *row) {
    R_STORE(a->dtype)((char *)mp_data(a) + at * mp_itemsize(a), mp_itemsize(a), row, n);
}

/* A row of h = x + residual: what is stored, read again. */
static const real *R(add_row)(const norm_job *job, int64_t at, real *room, real *other) {
    int64_t n = job->n;
    const real *x = R(row_of)(job->x, at, n, room),
               *residual = R(row_of)(job->residual, at, n, other);
    for (int64_t i = 0; i < n; i++) room[i] = x[i] + residual[i];
    R(store_row)(job->h, at, n, room);
    return R(row_of)(job->h, at, n, room);
}

/* The weight or bias as reals in room; `none` for each element where it is absent. */
static void R(load_parameter)(const mp_array *a, int64_t n, real none, real *room) {
    if (a) R_LOAD(a->dtype)(room, mp_data(a), mp_itemsize(a), n);
    else
        for (int64_t i = 0; i < n; i++) room[i] = none;
}

static void R(scale_row)(int64_t n, real *restrict y, const real *restrict x, real mean, real rstd,
                         const real *restrict weight, const real *restrict bias) {
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
}

/* Rows of y, mean and rstd. */
static void R(norm_tasks)(void *ctx, int64_t begin, int64_t end) {
    norm_job *job = ctx;
    int64_t n = job->n;
    real *room = mp_scratch((size_t)(4 * n) * sizeof *room, MP_SCRATCH_TASK);
    if (!room) {
        job->status = MP_ERR_MEMORY;
        return;
    }
    real *out = room + n, *weight = out + n, *bias = weight + n;
    bool direct = job->y->dtype == R_DTYPE;
    R(load_parameter)(job->weight, n, 1, weight);
    R(load_parameter)(job->bias, n, 0, bias);
    for (int64_t row = begin; row < end; row++) {
        const real *x =
            job->h ? R(add_row)(job, row * n, room, out) : R(row_of)(job->x, row * n, n, room);
        real mean = job->mean ? R(row_sum)(n, x) / (real)n : 0;
        real rstd = 1 / R_SQRT(R(row_spread)(n, x, mean) / (real)n + (real)job->eps);
        real *y = direct ? (real *)mp_data(job->y) + row * n : out;
        R(scale_row)(n, y, x, mean, rstd, weight, bias);
        if (!direct) R(store_row)(job->y, row * n, n, y);
        if (job->mean) R(store_row)(job->mean, row, 1, &mean);
        R(store_row)(job->rstd, row, 1, &rstd);
    }
}

/* unit = (x - mean) rstd, g = gy weight, gweight += gy unit, gbias += gy. */
static void R(spread_row)(int64_t n, const real *restrict x, const real *restrict gy, real mean,
                          real rstd, const real *restrict weight, real *restrict unit,
                          real *restrict g, real *restrict gweight, real *restrict gbias) {
    for (int64_t i = 0; i < n; i++) {
        unit[i] = (x[i] - mean) * rstd;
        g[i] = gy[i] * weight[i];
        gweight[i] += gy[i] * unit[i];
        gbias[i] += gy[i];
    }
}

/* gx = rstd (g - level - unit along) */
static void R(gather_row)(int64_t n, real *restrict gx, const real *restrict g,
                          const real *restrict unit, real rstd, real level, real along) {
    for (int64_t i = 0; i < n; i++) gx[i] = rstd * (g[i] - level - unit[i] * along);
}

/* Blocks of rows: gx, and the block's part of the sums. */
static void R(norm_bwd_tasks)(void *ctx, int64_t begin, int64_t end) {
    norm_job *job = ctx;
    int64_t n = job->n;
    real *room = mp_scratch((size_t)(7 * n) * sizeof *room, MP_SCRATCH_TASK);
    if (!room) {
        job->status = MP_ERR_MEMORY;
        return;
    }
    real *weight = room, *unit = weight + n, *g = unit + n, *x_room = g + n, *gy_room = x_room + n,
         *gh_room = gy_room + n, *out = gh_room + n;
    bool direct = job->gx->dtype == R_DTYPE;
    R(load_parameter)(job->weight, n, 1, weight);
    for (int64_t block = begin; block < end; block++) {
        real *sums = (real *)job->sums + block * 2 * n;
        memset(sums, 0, (size_t)(2 * n) * sizeof *sums);
        int64_t last = job->rows * (block + 1) / job->blocks;
        for (int64_t row = job->rows * block / job->blocks; row < last; row++) {
            const real *x = R(row_of)(job->x, row * n, n, x_room),
                       *gy = R(row_of)(job->gy, row * n, n, gy_room);
            real mean = job->mean ? R(load_one)(job->mean, row) : 0,
                 rstd = R(load_one)(job->rstd, row);
            real *gx = direct ? (real *)mp_data(job->gx) + row * n : out;
            R(spread_row)(n, x, gy, mean, rstd, weight, unit, g, sums, sums + n);
            real along = R(row_dot)(n, g, unit) / (real)n,
                 level = job->mean ? R(row_sum)(n, g) / (real)n : 0;
            R(gather_row)(n, gx, g, unit, rstd, level, along);
            if (job->gh) {
                const real *gh = R(row_of)(job->gh, row * n, n, gh_room);
                for (int64_t i = 0; i < n; i++) gx[i] += gh[i];
            }
            if (!direct) R(store_row)(job->gx, row * n, n, gx);
        }
    }
}

/* Columns of gweight and gbias from the blocks' parts, in order. */
static void R(norm_sum_tasks)(void *ctx, int64_t begin, int64_t end) {
    const norm_job *job = ctx;
    real sum[256];
    for (int64_t at = begin; at < end; at += 256) {
        int64_t count = end - at < 256 ? end - at : 256;
        for (int k = 0; k < 2; k++) {
            const mp_array *out = k ? job->gbias : job->gweight;
            if (!out) continue;
            memset(sum, 0, sizeof sum);
            for (int64_t block = 0; block < job->blocks; block++) {
                const real *part = (const real *)job->sums + (2 * block + k) * job->n + at;
                for (int64_t i = 0; i < count; i++) sum[i] += part[i];
            }
            R(store_row)(out, at, count, sum);
        }
    }
}
