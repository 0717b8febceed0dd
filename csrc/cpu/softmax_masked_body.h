/* scaled_masked_softmax with sums of type `real`: included twice by softmax_masked.c, see real.h.
 */

/* x = scale x + mask where the mask keeps, else -inf: `count` elements of a row, in place. */
static void R(mask_row)(const masked_job *job, int64_t count, real *x, const char *mask,
                        real *room) {
    for (int64_t i = 0; i < count; i++) x[i] *= (real)job->scale;
    if (!job->mask) return;
    if (job->mask->dtype == MP_BOOL) {
        for (int64_t i = 0; i < count; i++) x[i] = mask[i * job->mask_step] ? x[i] : -INFINITY;
        return;
    }
    R_LOAD(job->mask->dtype)(room, mask, job->mask_step, count);
    for (int64_t i = 0; i < count; i++) x[i] += room[i];
}

/* The first `count` elements in place, the others are masked. NaN is everywhere in a row that has
 * it, as in softmax; a row without anything above -inf is 0. */
static void R(masked_row)(int64_t n, int64_t count, real *x) {
    real most = R(row_max)(count, x), share = 0;
    if (most == -(real)INFINITY) {
        memset(x, 0, (size_t)n * sizeof *x);
        return;
    }
    share = 1 / R(row_exp_sum)(count, x, x, most);
    for (int64_t i = 0; i < count; i++) x[i] *= share;
    for (int64_t i = count; i < n; i++) x[i] = 0 * share;
}

/* Rows [row, row + count) of one stretch, whose first elements lie `stride` bytes apart. */
static void R(masked_stretch)(void *ctx, int64_t count, char *const *ptr, const int64_t *stride) {
    masked_task *task = ctx;
    const masked_job *job = task->job;
    real *x = task->room, *room = x + job->n;
    int bytes = mp_itemsize(job->y);
    for (int64_t k = 0; k < count; k++, task->row++) {
        int64_t last = job->queries ? task->row % job->queries + 1 : job->n,
                kept = last < job->n ? last : job->n;
        R_LOAD(job->x->dtype)(x, ptr[0] + k * stride[0], job->x_step, kept);
        R(mask_row)(job, kept, x, job->mask ? ptr[1] + k * stride[1] : NULL, room);
        R(masked_row)(job->n, kept, x);
        R_STORE(job->y->dtype)
        ((char *)mp_data(job->y) + task->row * job->n * bytes, bytes, x, job->n);
    }
}

static void R(masked_tasks)(void *ctx, int64_t begin, int64_t end) {
    masked_job *job = ctx;
    masked_task task = {job, begin,
                        mp_scratch((size_t)(2 * job->n) * sizeof(real), MP_SCRATCH_TASK)};
    if (task.room) mp_iter_run(&job->rows, begin, end, end - begin, R(masked_stretch), &task);
    else job->status = MP_ERR_MEMORY;
}
