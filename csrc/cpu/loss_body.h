/* Losses over classes with sums of type `real`: included twice by loss.c, see real.h. */

/* A tile of x as reals: as it lies, if it is that already and in one piece, else converted into
 * room. */
static const real *R(class_tile)(const mp_tiles *t, const mp_array *x, int64_t at, int64_t w,
                                 real *room) {
    bool whole = w == t->inner;
    if (whole && x->dtype == R_DTYPE) return (const real *)mp_element(x, at);
    for (int64_t j = 0; j < (whole ? 1 : t->n); j++) R_LOAD(x->dtype)
    (room + j * w, mp_element(x, at + j * t->inner), mp_itemsize(x), whole ? t->n * w : w);
    return room;
}

/* The same, in room. */
static void R(load_class_tile)(const mp_tiles *t, const mp_array *x, int64_t at, int64_t w,
                               real *room) {
    const real *tile = R(class_tile)(t, x, at, w, room);
    if (tile != room) memcpy(room, tile, (size_t)(t->n * w) * sizeof *room);
}

static void R(store_class_tile)(const mp_tiles *t, const mp_array *x, int64_t at, int64_t w,
                                const real *tile) {
    int64_t rows = w == t->inner ? 1 : t->n, length = w == t->inner ? t->n * w : w;
    for (int64_t j = 0; j < rows; j++)
        R_STORE(x->dtype)(mp_element(x, at + j * t->inner), mp_itemsize(x), tile + j * w, length);
}

/* Each column's maximum and log(sum(exp(x - max))). room holds w, or 256. */
static void R(log_sums)(int64_t n, int64_t w, const real *restrict x, real *restrict most,
                        real *restrict log_sum, real *restrict room) {
    memset(log_sum, 0, (size_t)w * sizeof *log_sum);
    if (w == 1) {
        *most = R(row_max)(n, x);
        for (int64_t i = 0; i < n; i += 256)
            *log_sum += R(row_exp_sum)(n - i < 256 ? n - i : 256, room, x + i, *most);
    } else {
        memcpy(most, x, (size_t)w * sizeof *most);
        for (int64_t j = 1; j < n; j++)
            for (int64_t i = 0; i < w; i++)
                most[i] = x[j * w + i] > most[i] ? x[j * w + i] : most[i];
        for (int64_t j = 0; j < n; j++) {
            for (int64_t i = 0; i < w; i++) room[i] = x[j * w + i] - most[i];
            R(row_exp)(w, room, room);
            for (int64_t i = 0; i < w; i++) log_sum[i] += room[i];
        }
    }
    R(row_log)(w, log_sum, log_sum);
}

/* x = exp(x - lse), column by column. */
static void R(probabilities)(int64_t n, int64_t w, real *restrict x, const real *restrict lse) {
    if (w == 1) {
        R(row_exp_sum)(n, x, x, *lse);
        return;
    }
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < w; i++) x[j * w + i] -= lse[i];
    R(row_exp)(n * w, x, x);
}

/* The gradient of each row's loss: gy, times the reduction's share. */
static void R(row_gradients)(const class_job *job, int64_t position, int64_t w, real *g) {
    bool one = job->reduction != MP_REDUCE_NONE;
    const mp_array *gy = job->gy;
    R_LOAD(gy->dtype)(g, mp_element(gy, one ? 0 : position), one ? 0 : mp_itemsize(gy), w);
    if (job->reduction == MP_REDUCE_MEAN)
        for (int64_t i = 0; i < w; i++) g[i] = (real)(g[i] / job->divisor);
}

/* sum += factor[j] * (level - x), over a column each. */
static void R(add_columns)(int64_t n, int64_t w, const real *restrict x,
                           const real *restrict factor, const real *restrict level,
                           real *restrict sum) {
    real room[256];
    for (int64_t j = 0; w == 1 && j < n; j += 256) {
        int64_t count = n - j < 256 ? n - j : 256;
        for (int64_t i = 0; i < count; i++) room[i] = *level - x[j + i];
        *sum += R(row_dot)(count, room, factor + j);
    }
    if (w == 1) return;
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < w; i++) sum[i] += factor[j] * (level[i] - x[j * w + i]);
}

/* x = scale * x - share * factor[j], in a column each. */
static void R(blend_columns)(int64_t n, int64_t w, real *restrict x, const real *restrict factor,
                             const real *restrict scale, const real *restrict share) {
    if (w == 1) {
        const real by = *scale, less = *share;
        for (int64_t j = 0; j < n; j++) x[j] = by * x[j] - less * factor[j];
        return;
    }
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < w; i++)
            x[j * w + i] = scale[i] * x[j * w + i] - share[i] * factor[j];
}

/* ---- targets that are class indices ---- */

/* level: max + log_sum, in two parts so that nothing is lost where max is large. */
static void R(index_losses)(const class_job *job, int64_t w, const int64_t *target, const real *x,
                            const real *most, const real *log_sum, const real *level, real *loss) {
    const real *weight = job->weights;
    real main = (real)(1 - job->smoothing), rest = (real)(job->smoothing / (double)job->tiles.n);
    real spread[MP_TILE_MOST] = {0};
    if (rest > 0) R(add_columns)(job->tiles.n, w, x, weight, level, spread);
    for (int64_t i = 0; i < w; i++) {
        int64_t t = target[i];
        loss[i] = 0;
        if (t == job->ignore) continue;
        loss[i] = main * weight[t] * (log_sum[i] - (x[t * w + i] - most[i]));
        if (rest > 0) loss[i] += rest * spread[i];
    }
}

/* gx = (a + b sum(weight)) p - b weight, less a at the target's class; a and b are the shares of
 * target and smoothing. */
static void R(index_gradients)(const class_job *job, int64_t w, const int64_t *target,
                               const real *g, real *x) {
    int64_t n = job->tiles.n;
    const real *weight = job->weights;
    real main = (real)(1 - job->smoothing), rest = (real)(job->smoothing / (double)n);
    real a[MP_TILE_MOST], b[MP_TILE_MOST], scale[MP_TILE_MOST];
    for (int64_t i = 0; i < w; i++) {
        a[i] = target[i] == job->ignore ? 0 : main * weight[target[i]] * g[i];
        b[i] = rest * g[i];
        scale[i] = a[i] + b[i] * (real)job->weight_sum;
    }
    R(blend_columns)(n, w, x, weight, scale, b);
    for (int64_t i = 0; i < w; i++) {
        if (target[i] != job->ignore) x[target[i] * w + i] -= a[i];
        else
            for (int64_t j = 0; j < n; j++) x[j * w + i] = 0;
    }
}

/* ---- targets that are probabilities ---- */

/* target -> weight (target (1 - smoothing) + smoothing / n). */
static void R(smooth)(const class_job *job, int64_t w, real *target) {
    int64_t n = job->tiles.n;
    const real *weight = job->weights;
    real main = (real)(1 - job->smoothing), rest = (real)(job->smoothing / (double)n);
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < w; i++)
            target[j * w + i] = weight[j] * (target[j * w + i] * main + rest);
}

static void R(soft_losses)(const class_job *job, int64_t w, const real *restrict target,
                           const real *restrict x, const real *restrict most,
                           const real *restrict log_sum, real *restrict loss) {
    memset(loss, 0, (size_t)w * sizeof *loss);
    for (int64_t j = 0; j < job->tiles.n; j++)
        for (int64_t i = 0; i < w; i++)
            loss[i] += target[j * w + i] * (log_sum[i] - (x[j * w + i] - most[i]));
}

/* gtarget = g (1 - smoothing) weight (lse - x), into `target`'s room. */
static void R(target_gradients)(const class_job *job, int64_t w, const real *g, const real *lse,
                                const real *x, real *target) {
    const real *weight = job->weights;
    real main = (real)(1 - job->smoothing);
    for (int64_t j = 0; j < job->tiles.n; j++)
        for (int64_t i = 0; i < w; i++)
            target[j * w + i] = g[i] * main * weight[j] * (lse[i] - x[j * w + i]);
}

/* gx = g (p sum(target) - target). sum holds w. */
static void R(soft_gradients)(const class_job *job, int64_t w, const real *target, const real *g,
                              real *sum, real *x) {
    int64_t n = job->tiles.n;
    memset(sum, 0, (size_t)w * sizeof *sum);
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < w; i++) sum[i] += target[j * w + i];
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < w; i++)
            x[j * w + i] = g[i] * (x[j * w + i] * sum[i] - target[j * w + i]);
}

/* ---- tasks: a tile of rows each ---- */

/* Writes lse and the rows' losses. */
static void R(class_tasks)(void *ctx, int64_t begin, int64_t end) {
    class_job *job = ctx;
    const mp_tiles *t = &job->tiles;
    int64_t size = t->n * t->width, w, target[MP_TILE_MOST];
    real most[MP_TILE_MOST], log_sum[MP_TILE_MOST], level[MP_TILE_MOST];
    real *tile = mp_scratch((size_t)(2 * size + 256) * sizeof *tile, MP_SCRATCH_TASK);
    if (!tile) {
        job->status = MP_ERR_MEMORY;
        return;
    }
    real *soft = tile + size, *room = soft + size;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = mp_tile_at(t, i, &w), position = mp_tile_position(t, i);
        real *loss = (real *)job->losses + position;
        const real *x = R(class_tile)(t, job->x, at, w, tile);
        R(log_sums)(t->n, w, x, most, log_sum, room);
        for (int64_t k = 0; k < w; k++) level[k] = most[k] + log_sum[k];
        R_STORE(job->lse->dtype)(mp_element(job->lse, position), mp_itemsize(job->lse), level, w);
        if (job->soft) {
            R(load_class_tile)(t, job->target, at, w, soft);
            R(smooth)(job, w, soft);
            R(soft_losses)(job, w, soft, x, most, log_sum, loss);
        } else {
            MP_LOAD_I64(job->target->dtype)
            (target, mp_element(job->target, position), mp_itemsize(job->target), w);
            R(index_losses)(job, w, target, x, most, log_sum, level, loss);
        }
    }
}

static void R(class_bwd_tasks)(void *ctx, int64_t begin, int64_t end) {
    class_job *job = ctx;
    const mp_tiles *t = &job->tiles;
    int64_t size = t->n * t->width, w, target[MP_TILE_MOST];
    real lse[MP_TILE_MOST], g[MP_TILE_MOST], sum[MP_TILE_MOST];
    real *x = mp_scratch((size_t)(3 * size) * sizeof *x, MP_SCRATCH_TASK);
    if (!x) {
        job->status = MP_ERR_MEMORY;
        return;
    }
    real *soft = x + size, *gtarget = soft + size;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = mp_tile_at(t, i, &w), position = mp_tile_position(t, i);
        R(load_class_tile)(t, job->x, at, w, x);
        R_LOAD(job->lse->dtype)(lse, mp_element(job->lse, position), mp_itemsize(job->lse), w);
        R(row_gradients)(job, position, w, g);
        if (job->soft) {
            R(target_gradients)(job, w, g, lse, x, gtarget);
            R(store_class_tile)(t, job->gtarget, at, w, gtarget);
            R(load_class_tile)(t, job->target, at, w, soft);
            R(smooth)(job, w, soft);
            R(probabilities)(t->n, w, x, lse);
            R(soft_gradients)(job, w, soft, g, sum, x);
        } else {
            MP_LOAD_I64(job->target->dtype)
            (target, mp_element(job->target, position), mp_itemsize(job->target), w);
            R(probabilities)(t->n, w, x, lse);
            R(index_gradients)(job, w, target, g, x);
        }
        R(store_class_tile)(t, job->gx, at, w, x);
    }
}

/* nll_loss: one element of x per row. */
static void R(nll_tasks)(void *ctx, int64_t begin, int64_t end) {
    class_job *job = ctx;
    const mp_tiles *t = &job->tiles;
    for (int64_t row = begin; row < end; row++) {
        int64_t c;
        real x, *loss = (real *)job->losses + row;
        MP_LOAD_I64(job->target->dtype)
        (&c, mp_element(job->target, row), mp_itemsize(job->target), 1);
        *loss = 0;
        if (c == job->ignore) continue;
        R_LOAD(job->x->dtype)
        (&x, mp_element(job->x, (row / t->inner * t->n + c) * t->inner + row % t->inner), 1, 1);
        *loss = -((const real *)job->weights)[c] * x;
    }
}

/* gx is zero but for the rows' targets. */
static void R(nll_bwd_tasks)(void *ctx, int64_t begin, int64_t end) {
    class_job *job = ctx;
    const mp_tiles *t = &job->tiles;
    for (int64_t row = begin; row < end; row++) {
        int64_t c;
        real g;
        MP_LOAD_I64(job->target->dtype)
        (&c, mp_element(job->target, row), mp_itemsize(job->target), 1);
        if (c == job->ignore) continue;
        R(row_gradients)(job, row, 1, &g);
        g *= -((const real *)job->weights)[c];
        R_STORE(job->gx->dtype)
        (mp_element(job->gx, (row / t->inner * t->n + c) * t->inner + row % t->inner), 1, &g, 1);
    }
}

/* ---- results ---- */

/* y from the rows' losses. */
static void R(finish_losses)(const class_job *job, int64_t rows) {
    const mp_array *y = job->y;
    const real *losses = job->losses;
    if (job->reduction == MP_REDUCE_NONE) {
        if ((void *)losses != mp_data(y))
            R_STORE(y->dtype)(mp_data(y), mp_itemsize(y), losses, rows);
        return;
    }
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) sum += losses[i];
    real result = (real)(job->reduction == MP_REDUCE_MEAN ? sum / job->divisor : sum);
    R_STORE(y->dtype)(mp_data(y), mp_itemsize(y), &result, 1);
}
