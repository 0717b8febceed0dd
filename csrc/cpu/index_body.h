/* Gradients of lookups with sums of type `real`: included twice by index.c, see real.h. */

/* Rows of gx, each from the positions that named it. */
static void R(gather_tasks)(void *ctx, int64_t begin, int64_t end) {
    const index_job *job = ctx;
    const mp_array *gy = job->from, *gx = job->to;
    real sum[PIECE] __attribute__((aligned(64))), row[PIECE] __attribute__((aligned(64)));
    for (int64_t i = begin; i < end; i++) {
        int64_t outer = i / job->extent, index = i % job->extent;
        for (int64_t at = 0; at < job->inner; at += PIECE) {
            int64_t n = job->inner - at < PIECE ? job->inner - at : PIECE;
            memset(sum, 0, (size_t)n * sizeof *sum);
            for (int64_t k = job->start[index]; k < job->start[index + 1]; k++) {
                int64_t from = (outer * job->count + job->order[k]) * job->inner + at;
                R_LOAD(gy->dtype)(row, element(gy, from), mp_itemsize(gy), n);
                for (int64_t j = 0; j < n; j++) sum[j] += row[j];
            }
            R_STORE(gx->dtype)(element(gx, i * job->inner + at), mp_itemsize(gx), sum, n);
        }
    }
}

/* All of gx for one outer index: elements are added where they belong, one position after another.
 */
static void R(scatter_tasks)(void *ctx, int64_t begin, int64_t end) {
    index_job *job = ctx;
    const mp_array *gy = job->from, *gx = job->to;
    int64_t to = job->extent * job->inner, from = job->count * job->inner;
    real *sum = mp_scratch((size_t)(to + from) * sizeof *sum, MP_SCRATCH_TASK), *row = sum + to;
    if (!sum) {
        job->status = MP_ERR_MEMORY;
        return;
    }
    for (int64_t outer = begin; outer < end; outer++) {
        memset(sum, 0, (size_t)to * sizeof *sum);
        R_LOAD(gy->dtype)(row, element(gy, outer * from), mp_itemsize(gy), from);
        for (int64_t j = 0; j < job->count; j++) {
            if (job->index[j] < 0) continue;
            for (int64_t k = 0; k < job->inner; k++)
                sum[job->index[j] * job->inner + k] += row[j * job->inner + k];
        }
        R_STORE(gx->dtype)(element(gx, outer * to), mp_itemsize(gx), sum, to);
    }
}
