/* The gradient of take_along_axis with sums of type `real`: included twice by along.c, see real.h.
 */

/* Tasks: blocks of inner elements of an outer index. */
static void R(add_tasks)(void *ctx, int64_t begin, int64_t end) {
    along_job *job = ctx;
    const mp_array *gy = job->from, *gx = job->to;
    int64_t width = job->inner < WIDTH ? job->inner : WIDTH, step = mp_itemsize(gy);
    real *sum = mp_scratch((size_t)(job->extent * width) * sizeof *sum, MP_SCRATCH_TASK);
    real row[WIDTH > 512 ? WIDTH : 512];
    if (!sum) {
        job->status = MP_ERR_MEMORY;
        return;
    }
    for (int64_t task = begin; task < end; task++) {
        int64_t outer = task / job->blocks, first = task % job->blocks * WIDTH;
        int64_t cols = job->inner - first < width ? job->inner - first : width;
        /* positions lie side by side where all of inner is in the block */
        bool dense = cols == job->inner;
        int64_t rows = dense ? 512 / cols : 1;
        memset(sum, 0, (size_t)(job->extent * width) * sizeof *sum);
        for (int64_t j = 0; j < job->count; j += rows) {
            int64_t n = (job->count - j < rows ? job->count - j : rows) * cols;
            int64_t from = (outer * job->count + j) * job->inner + first;
            R_LOAD(gy->dtype)(row, (const char *)mp_data(gy) + from * step, step, n);
            const int64_t *index = job->index + from;
            for (int64_t k = 0, column = 0; k < n; k++) {
                sum[index[k] * cols + column] += row[k];
                if (++column == cols) column = 0;
            }
        }
        int64_t to = outer * job->extent * job->inner + first, item = mp_itemsize(gx);
        char *out = (char *)mp_data(gx) + to * item;
        if (dense) {
            R_STORE(gx->dtype)(out, item, sum, job->extent * cols);
            continue;
        }
        for (int64_t i = 0; i < job->extent; i++)
            R_STORE(gx->dtype)(out + i * job->inner * item, item, sum + i * cols, cols);
    }
}
