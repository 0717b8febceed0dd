/* linear_gelu's gradient with sums of type `real`: included twice by linear_gelu.c, see real.h. */

static void R(load)(const mp_array *a, int64_t at, int64_t n, real *row) {
    R_LOAD(a->dtype)(row, (const char *)mp_data(a) + at * mp_itemsize(a), mp_itemsize(a), n);
}
static void R(store)(const mp_array *a, int64_t at, int64_t n, const real *row) {
    R_STORE(a->dtype)((char *)mp_data(a) + at * mp_itemsize(a), mp_itemsize(a), row, n);
}

/* Blocks of rows: gz, and the block's part of gbias, of what is not rounded yet. */
static void R(gelu_tasks)(void *ctx, int64_t begin, int64_t end) {
    gelu_job *job = ctx;
    int64_t n = job->n;
    real *gy = mp_scratch((size_t)(2 * n) * sizeof *gy, MP_SCRATCH_TASK), *z = gy + n;
    if (!gy) {
        job->status = MP_ERR_MEMORY;
        return;
    }
    const mp_pointwise *op = MP_TIERED(mp_gelu_bwd_op)(job->attrs);
    mp_row_fn slope = REAL_BITS == 32 ? op->f32 : op->f64;
    for (int64_t block = begin; block < end; block++) {
        real *sum = (real *)job->sums + block * n;
        memset(sum, 0, (size_t)n * sizeof *sum);
        int64_t last = job->rows * (block + 1) / job->blocks;
        for (int64_t row = job->rows * block / job->blocks; row < last; row++) {
            R(load)(job->gy, row * n, n, gy);
            R(load)(job->z, row * n, n, z);
            slope(n, gy, gy, z, NULL, job->attrs);
            for (int64_t i = 0; i < n; i++) sum[i] += gy[i];
            R(store)(job->gz, row * n, n, gy);
        }
    }
}

/* gbias from the blocks' parts, in order; the first becomes the whole. */
static void R(join_sums)(const gelu_job *job) {
    real *all = job->sums;
    for (int64_t block = 1; block < job->blocks; block++)
        for (int64_t i = 0; i < job->n; i++) all[i] += all[block * job->n + i];
    if (job->blocks == 0) memset(all, 0, (size_t)job->n * sizeof *all);
    R(store)(job->gbias, 0, job->n, all);
}
