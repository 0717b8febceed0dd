/* softmax and its gradients with sums of type `real`: included twice by softmax.c, see real.h. */

/* A tile of x and of a contiguous array like it, n rows of w columns side by side. */
static void R(load_tile)(const mp_tiles *t, const mp_array *x, int64_t at, int64_t w, real *tile) {
    int bytes = mp_itemsize(x);
    if (w == t->inner) {
        R_LOAD(x->dtype)(tile, mp_element(x, at), bytes, t->n * w);
        return;
    }
    for (int64_t j = 0; j < t->n; j++)
        R_LOAD(x->dtype)(tile + j * w, mp_element(x, at + j * t->inner), bytes, w);
}

static void R(store_tile)(const mp_tiles *t, const mp_array *y, int64_t at, int64_t w,
                          const real *tile) {
    int bytes = mp_itemsize(y);
    if (w == t->inner) {
        R_STORE(y->dtype)(mp_element(y, at), bytes, tile, t->n * w);
        return;
    }
    for (int64_t j = 0; j < t->n; j++)
        R_STORE(y->dtype)(mp_element(y, at + j * t->inner), bytes, tile + j * w, w);
}

/* ---- one row: y may be x ---- */

static void R(softmax_row)(int64_t n, real *y, const real *x, bool logarithm) {
    real room[256], most = R(row_max)(n, x), sum = 0;
    if (!logarithm) {
        sum = 1 / R(row_exp_sum)(n, y, x, most);
        for (int64_t i = 0; i < n; i++) y[i] *= sum;
        return;
    }
    for (int64_t i = 0; i < n; i += 256)
        sum += R(row_exp_sum)(n - i < 256 ? n - i : 256, room, x + i, most);
    R(row_log)(1, &sum, &sum);
    for (int64_t i = 0; i < n; i++) y[i] = x[i] - most - sum;
}

static void R(softmax_bwd_row)(const softmax_job *job, int64_t n, real *gx, const real *gy,
                               const real *y) {
    if (!job->logarithm) {
        real scale = (real)job->scale;
        real common = R(row_dot)(n, gy, y);
        for (int64_t i = 0; i < n; i++) gx[i] = y[i] * (gy[i] - common) * scale;
        return;
    }
    real room[256], sum = R(row_sum)(n, gy);
    for (int64_t i = 0; i < n; i += 256) {
        int64_t count = n - i < 256 ? n - i : 256;
        R(row_exp)(count, room, y + i);
        for (int64_t j = 0; j < count; j++) gx[i + j] = gy[i + j] - room[j] * sum;
    }
}

/* ---- w columns at once: in place, room holds 3 w ---- */

static void R(softmax_columns)(int64_t n, int64_t w, real *restrict x, real *restrict room,
                               bool logarithm) {
    real *restrict most = room, *restrict sum = room + w, *restrict line = room + 2 * w;
    memcpy(most, x, (size_t)w * sizeof *x);
    memset(sum, 0, (size_t)w * sizeof *sum);
    for (int64_t j = 1; j < n; j++)
        for (int64_t i = 0; i < w; i++) most[i] = x[j * w + i] > most[i] ? x[j * w + i] : most[i];
    for (int64_t j = 0; j < n; j++) {
        real *row = x + j * w, *powers = logarithm ? line : row;
        for (int64_t i = 0; i < w; i++) row[i] -= most[i];
        R(row_exp)(w, powers, row);
        for (int64_t i = 0; i < w; i++) sum[i] += powers[i];
    }
    if (logarithm) R(row_log)(w, sum, sum);
    else
        for (int64_t i = 0; i < w; i++) sum[i] = 1 / sum[i];
    for (int64_t j = 0; j < n; j++) {
        real *row = x + j * w;
        if (logarithm)
            for (int64_t i = 0; i < w; i++) row[i] -= sum[i];
        else
            for (int64_t i = 0; i < w; i++) row[i] *= sum[i];
    }
}

static void R(softmax_bwd_columns)(int64_t n, int64_t w, real *restrict gy, const real *restrict y,
                                   real *restrict room, bool logarithm) {
    real *restrict sum = room, *restrict line = room + w;
    memset(sum, 0, (size_t)w * sizeof *sum);
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < w; i++)
            sum[i] += logarithm ? gy[j * w + i] : gy[j * w + i] * y[j * w + i];
    for (int64_t j = 0; j < n; j++) {
        real *g = gy + j * w;
        const real *from = y + j * w;
        if (logarithm) {
            R(row_exp)(w, line, from);
            for (int64_t i = 0; i < w; i++) g[i] -= line[i] * sum[i];
        } else {
            for (int64_t i = 0; i < w; i++) g[i] = from[i] * (g[i] - sum[i]);
        }
    }
}

/* ---- tasks ---- */

/* A row as it lies if it is of reals, else converted into room. */
static const real *R(softmax_input)(const mp_array *x, int64_t at, int64_t n, real *room) {
    if (x->dtype == R_DTYPE) return (const real *)mp_element(x, at);
    R_LOAD(x->dtype)(room, mp_element(x, at), mp_itemsize(x), n);
    return room;
}

/* A row of the result, written where it belongs if that holds reals. */
static void R(softmax_one)(const softmax_job *job, int64_t at, real *x_room, real *y_room) {
    int64_t n = job->tiles.n;
    bool direct = job->out->dtype == R_DTYPE;
    const real *x = R(softmax_input)(job->x, at, n, x_room);
    real *to = direct ? (real *)mp_element(job->out, at) : x_room;
    if (job->y) R(softmax_bwd_row)(job, n, to, x, R(softmax_input)(job->y, at, n, y_room));
    else R(softmax_row)(n, to, x, job->logarithm);
    if (!direct) R_STORE(job->out->dtype)(mp_element(job->out, at), mp_itemsize(job->out), to, n);
}

static void R(softmax_tasks)(void *ctx, int64_t begin, int64_t end) {
    softmax_job *job = ctx;
    const mp_tiles *t = &job->tiles;
    int64_t size = t->n * t->width, w;
    real *x = mp_scratch((size_t)(2 * size + 3 * t->width) * sizeof(real), MP_SCRATCH_TASK);
    if (!x) {
        job->status = MP_ERR_MEMORY;
        return;
    }
    real *y = x + size, *room = y + size;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = mp_tile_at(t, i, &w);
        if (t->inner == 1) {
            R(softmax_one)(job, at, x, y);
            continue;
        }
        R(load_tile)(t, job->x, at, w, x);
        if (job->y) {
            R(load_tile)(t, job->y, at, w, y);
            R(softmax_bwd_columns)(t->n, w, x, y, room, job->logarithm);
        } else {
            R(softmax_columns)(t->n, w, x, room, job->logarithm);
        }
        R(store_tile)(t, job->out, at, w, x);
    }
}
