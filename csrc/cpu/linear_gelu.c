/* linear_gelu: the product, then its gelu, which have kernels of their own; and the gradient at the
 * product together with that of the bias: gy and z are read once, gz is written once. */
#include <stdlib.h>
#include <string.h>

#include "pointwise.h"

enum {
    MOST_BLOCKS = 64,    /* of rows: a constant, so that sums do not depend on threads */
    ROWS_PER_BLOCK = 8,  /* at least */
    MOST_SUMS = 1 << 22, /* elements kept for the blocks' sums */
};

typedef struct gelu_job {
    const mp_array *gy, *z, *gz, *gbias;
    const mp_attrs *attrs;
    int64_t rows, n, blocks;
    void *sums; /* blocks x n */
    mp_status status;
} gelu_job;

#define REAL_BITS 32
#include "real.h"
#include "linear_gelu_body.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "linear_gelu_body.h"

mp_status MP_TIERED(mp_cpu_linear)(mp_call *call);
mp_status MP_TIERED(mp_cpu_gelu)(mp_call *call);

/* z = x weight^T + bias, y = gelu(z) */
MP_KERNEL(linear_gelu) {
    mp_array *y = call->out[0], *z = call->out[1];
    mp_call product = *call, gelu = *call;
    product.out[0] = z;
    gelu.in = &z;
    gelu.out[0] = y;
    MP_TRY(MP_TIERED(mp_cpu_linear)(&product));
    return MP_TIERED(mp_cpu_gelu)(&gelu);
}

/* gz = gy gelu'(z), gbias = the sum of gz over all axes but the last */
MP_KERNEL(linear_gelu_bwd) {
    gelu_job job = {.gy = call->in[0],
                    .z = call->in[1],
                    .gz = call->out[0],
                    .gbias = call->out[1],
                    .attrs = &call->attrs};
    bool wide = job.gbias->dtype == MP_FLOAT64;
    job.n = job.gbias->size;
    if (job.n == 0) return MP_OK;
    job.rows = job.gz->size / job.n;
    job.blocks = job.rows / ROWS_PER_BLOCK;
    if (job.blocks > MOST_BLOCKS) job.blocks = MOST_BLOCKS;
    while (job.blocks > 1 && job.blocks * job.n > MOST_SUMS) job.blocks /= 2;
    if (job.blocks < 1) job.blocks = job.rows > 0;
    int64_t lines = job.blocks > 1 ? job.blocks : 1;
    job.sums = malloc((size_t)(lines * job.n) * (wide ? sizeof(double) : sizeof(float)));
    if (job.sums) {
        int64_t grain = 8192 * job.blocks / (job.rows * job.n + 1) + 1;
        mp_parallel_for(job.blocks, grain, wide ? gelu_tasks_f64 : gelu_tasks_f32, &job);
        (wide ? join_sums_f64 : join_sums_f32)(&job);
    }
    bool done = job.sums && job.status == MP_OK;
    free(job.sums);
    if (done) return MP_OK;
    return mp_fail(MP_ERR_MEMORY, "no room for rows of %lld elements", (long long)job.n);
}
