/* softmax and log_softmax along one axis of contiguous arrays, and their gradients. Sums are
 * float32, float64 where an array is. Each element is read once, and written once. */
#include <math.h>
#include <string.h>

#include "tiles.h"

typedef struct softmax_job {
    mp_tiles tiles;
    const mp_array *x, *y,
        *out;     /* backward: x is gy, y the output of the forward op; else y is NULL */
    double scale; /* of softmax's gradient */
    bool logarithm;
    mp_status status;
} softmax_job;

#define REAL_BITS 32
#include "real.h"
#include "softmax_body.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "softmax_body.h"

static mp_status run(mp_call *call, bool backward, bool logarithm) {
    softmax_job job = {.x = call->in[0],
                       .y = backward ? call->in[1] : NULL,
                       .out = call->out[0],
                       .scale = call->attrs.scale,
                       .logarithm = logarithm};
    if (job.out->size == 0) return MP_OK;
    job.tiles = mp_tiles_along(job.out, call->attrs.axis);
    bool wide = job.x->dtype == MP_FLOAT64 || job.out->dtype == MP_FLOAT64 ||
                (job.y && job.y->dtype == MP_FLOAT64);
    mp_parallel_for(job.tiles.count, job.tiles.grain, wide ? softmax_tasks_f64 : softmax_tasks_f32,
                    &job);
    return job.status == MP_OK
               ? MP_OK
               : mp_fail(job.status, "no room for %lld elements", (long long)job.tiles.n);
}

/* y = exp(x - max) / sum(exp(x - max)) */
MP_KERNEL(softmax) { return run(call, false, false); }
/* y = x - max - log(sum(exp(x - max))) */
MP_KERNEL(log_softmax) { return run(call, false, true); }
/* gx = y (gy - sum(gy y)) scale, where scale is 1 */
MP_KERNEL(softmax_bwd) { return run(call, true, false); }
/* the same along the last axis, with any scale */
MP_KERNEL(scaled_masked_softmax_bwd) { return run(call, true, false); }
/* gx = gy - exp(y) sum(gy) */
MP_KERNEL(log_softmax_bwd) { return run(call, true, true); }
