/* Positions of a mask's true elements: one pass counts them chunk by chunk, the next writes each
 * chunk's where they belong. Reads the mask twice, writes the positions once. */
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

enum { CHUNK = 1 << 14 };
static const uint64_t ALL = 0x0101010101010101; /* eight elements that are true */

typedef struct nonzero_job {
    const uint8_t *mask;
    int64_t n, *position;
    int64_t *start; /* of each chunk's positions; their number at first */
} nonzero_job;

static int64_t end_of(const nonzero_job *job, int64_t chunk) {
    return (chunk + 1) * CHUNK < job->n ? (chunk + 1) * CHUNK : job->n;
}

static void count_tasks(void *ctx, int64_t begin, int64_t end) {
    nonzero_job *job = ctx;
    for (int64_t chunk = begin; chunk < end; chunk++) {
        int64_t count = 0;
        for (int64_t i = chunk * CHUNK, last = end_of(job, chunk); i < last;) {
            int64_t stop = last - i < 255 ? last : i + 255;
            uint8_t few = 0; /* sums of bytes stay bytes */
            for (; i < stop; i++) few += job->mask[i] != 0;
            count += few;
        }
        job->start[chunk] = count;
    }
}

/* Eight elements at a time where they are all alike. Else every position is written, the next one
 * over it unless it counts: no branch to guess. The last ones of a chunk, behind which nothing may
 * be written, are written where they count. */
static void write_tasks(void *ctx, int64_t begin, int64_t end) {
    nonzero_job *job = ctx;
    for (int64_t chunk = begin; chunk < end; chunk++) {
        int64_t *to = job->position + job->start[chunk];
        int64_t *stop = job->position + job->start[chunk + 1];
        int64_t i = chunk * CHUNK, last = end_of(job, chunk);
        for (; last - i >= 8 && stop - to >= 8; i += 8) {
            uint64_t eight;
            memcpy(&eight, job->mask + i, 8);
            if (eight == 0) continue;
            if (eight == ALL) {
                for (int k = 0; k < 8; k++) *to++ = i + k;
                continue;
            }
            for (int k = 0; k < 8; k++) {
                *to = i + k;
                to += job->mask[i + k] != 0;
            }
        }
        for (; to < stop; i++) {
            *to = i;
            to += job->mask[i] != 0;
        }
    }
}

MP_KERNEL(nonzero) {
    const mp_array *x = call->in[0], *y = call->out[0];
    int64_t chunks = (x->size + CHUNK - 1) / CHUNK, total = 0;
    nonzero_job job = {.mask = mp_data(x), .n = x->size, .position = mp_data(y)};
    job.start = mp_scratch((size_t)(chunks + 1) * sizeof *job.start, MP_SCRATCH_KERNEL);
    if (!job.start)
        return mp_fail(MP_ERR_MEMORY, "no room to count %lld chunks", (long long)chunks);
    if (chunks > 0) mp_parallel_for(chunks, 4, count_tasks, &job);
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        int64_t count = job.start[chunk];
        job.start[chunk] = total;
        total += count;
    }
    job.start[chunks] = total;
    if (total != y->size)
        return mp_fail(MP_ERR_VALUE, "count is %lld, the mask has %lld true elements",
                       (long long)y->size, (long long)total);
    if (total > 0) mp_parallel_for(chunks, 4, write_tasks, &job);
    return MP_OK;
}
