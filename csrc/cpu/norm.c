/* layer_norm, rms_norm and add_layer_norm over the trailing axes of contiguous arrays, and their
 * gradients. A row is n elements; statistics and sums are float32, float64 where x is. Each element
 * is read once and written once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

enum {
    MOST_BLOCKS = 64,   /* of rows in backward: a constant, so that sums do not depend on threads */
    ROWS_PER_BLOCK = 8, /* at least */
    MOST_SUMS = 1 << 22, /* elements kept for the blocks' sums */
};

typedef struct norm_job {
    int64_t rows, n, blocks;
    const mp_array *x, *weight, *bias, *gy; /* weight and bias may be NULL */
    const mp_array *residual, *h; /* add_layer_norm: what is normalised is h = x + residual */
    const mp_array *gh;           /* and what came to h itself, or NULL */
    const mp_array *y, *gx, *gweight, *gbias;
    const mp_array *mean, *rstd; /* mean is NULL for rms_norm, whose rows are not centred */
    double eps;
    void *sums; /* blocks x 2 x n: for gweight, for gbias */
    mp_status status;
} norm_job;

#define REAL_BITS 32
#include "real.h"
#include "norm_body.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "norm_body.h"

/* Rows and their length: the last n_axes axes are normalised. */
static void measure(norm_job *job, const mp_call *call) {
    int leading = job->x->ndim - (int)call->attrs.n_axes;
    job->rows = job->n = 1;
    for (int d = 0; d < job->x->ndim; d++)
        *(d < leading ? &job->rows : &job->n) *= job->x->shape[d];
}

static mp_status no_room(const norm_job *job) {
    return mp_fail(MP_ERR_MEMORY, "no room for rows of %lld elements", (long long)job->n);
}

static mp_status forward(mp_call *call, norm_job *job) {
    measure(job, call);
    job->eps = call->attrs.eps;
    if (job->rows == 0) return MP_OK;
    bool wide = (job->h ? job->h : job->x)->dtype == MP_FLOAT64;
    mp_parallel_for(job->rows, 16384 / (job->n + 1) + 1, wide ? norm_tasks_f64 : norm_tasks_f32,
                    job);
    return job->status == MP_OK ? MP_OK : no_room(job);
}

static mp_status backward(mp_call *call, norm_job *job) {
    measure(job, call);
    bool wide = job->x->dtype == MP_FLOAT64;
    job->blocks = job->rows / ROWS_PER_BLOCK;
    if (job->blocks > MOST_BLOCKS) job->blocks = MOST_BLOCKS;
    while (job->blocks > 1 && job->blocks * job->n > MOST_SUMS) job->blocks /= 2;
    if (job->blocks < 1) job->blocks = job->rows > 0;
    job->sums =
        malloc((size_t)(2 * job->blocks * job->n + 1) * (wide ? sizeof(double) : sizeof(float)));
    if (!job->sums) return no_room(job);
    if (job->n > 0) {
        int64_t grain = 8192 * job->blocks / (job->rows * job->n + 1) + 1;
        mp_parallel_for(job->blocks, grain, wide ? norm_bwd_tasks_f64 : norm_bwd_tasks_f32, job);
        mp_parallel_for(job->n, 32768 / (job->blocks + 1) + 1,
                        wide ? norm_sum_tasks_f64 : norm_sum_tasks_f32, job);
    }
    free(job->sums);
    return job->status == MP_OK ? MP_OK : no_room(job);
}

/* y = (x - mean) rstd weight + bias, mean = sum(x) / n, rstd = 1 / sqrt(sum((x - mean)^2) / n +
 * eps) */
MP_KERNEL(layer_norm) {
    norm_job job = {.x = call->in[0], .weight = call->in[1], .bias = call->in[2]};
    job.y = call->out[0], job.mean = call->out[1], job.rstd = call->out[2];
    return forward(call, &job);
}

/* h = x + residual, rounded; y is its layer_norm. */
MP_KERNEL(add_layer_norm) {
    norm_job job = {.x = call->in[0],
                    .residual = call->in[1],
                    .weight = call->in[2],
                    .bias = call->in[3],
                    .y = call->out[0],
                    .h = call->out[1],
                    .mean = call->out[2],
                    .rstd = call->out[3]};
    return forward(call, &job);
}

/* y = x rstd weight, rstd = 1 / sqrt(sum(x^2) / n + eps) */
MP_KERNEL(rms_norm) {
    norm_job job = {
        .x = call->in[0], .weight = call->in[1], .y = call->out[0], .rstd = call->out[1]};
    return forward(call, &job);
}

/* With u = (x - mean) rstd and g = gy weight: gx = rstd (g - sum(g) / n - u sum(g u) / n), gweight
 * = sum over rows of gy u, gbias = sum over rows of gy. */
MP_KERNEL(layer_norm_bwd) {
    norm_job job = {.gy = call->in[0],
                    .x = call->in[1],
                    .weight = call->in[2],
                    .mean = call->in[3],
                    .rstd = call->in[4]};
    job.gx = call->out[0], job.gweight = call->out[1], job.gbias = call->out[2];
    return backward(call, &job);
}

/* The same of h, plus gh: gx is the gradient of x and of residual. */
MP_KERNEL(add_layer_norm_bwd) {
    norm_job job = {.gy = call->in[0],
                    .gh = call->in[1],
                    .x = call->in[2],
                    .weight = call->in[3],
                    .mean = call->in[4],
                    .rstd = call->in[5]};
    job.gx = call->out[0], job.gweight = call->out[1], job.gbias = call->out[2];
    return backward(call, &job);
}

/* layer_norm_bwd without mean and sum(g). */
MP_KERNEL(rms_norm_bwd) {
    norm_job job = {
        .gy = call->in[0], .x = call->in[1], .weight = call->in[2], .rstd = call->in[3]};
    job.gx = call->out[0], job.gweight = call->out[1];
    return backward(call, &job);
}
