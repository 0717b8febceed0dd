/* Positions of a mask's true elements on CUDA: tiles are counted, their counts summed up (CUB), and
 * each tile writes its own. Reads the mask twice, writes the positions once. */
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>
#include <cub/device/device_scan.cuh>

#include "walk.cuh"

enum { EACH = 16, TILE = EACH * MP_CUDA_THREADS };

struct nonzero_job {
    const uint8_t *mask;
    int64_t n, tiles, count; /* count: room for positions */
    int64_t *start, *position;
};

/* How many of a thread's neighbouring elements count. */
static __device__ inline int count_own(const nonzero_job &job, int64_t first) {
    int own = 0;
#pragma unroll
    for (int i = 0; i < EACH; i++) own += first + i < job.n && job.mask[first + i] != 0;
    return own;
}

static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    count_tiles(const __grid_constant__ nonzero_job job) {
    using reduce = cub::BlockReduce<int, MP_CUDA_THREADS>;
    __shared__ typename reduce::TempStorage room;
    for (int64_t tile = blockIdx.x; tile < job.tiles; tile += gridDim.x) {
        int total = reduce(room).Sum(count_own(job, tile * TILE + threadIdx.x * EACH));
        if (threadIdx.x == 0) job.start[tile] = total;
        __syncthreads();
    }
}

/* start: how many positions lie before each tile's. */
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    write_tiles(const __grid_constant__ nonzero_job job) {
    using scan = cub::BlockScan<int, MP_CUDA_THREADS>;
    __shared__ typename scan::TempStorage room;
    for (int64_t tile = blockIdx.x; tile < job.tiles; tile += gridDim.x) {
        int64_t first = tile * TILE + threadIdx.x * EACH;
        int before;
        scan(room).ExclusiveSum(count_own(job, first), before);
        int64_t to = job.start[tile] + before;
        for (int i = 0; i < EACH && first + i < job.n; i++)
            if (job.mask[first + i] != 0 && to < job.count) job.position[to++] = first + i;
        __syncthreads();
    }
}

/* y is the positions, of which the caller says how many there are. */
extern "C" mp_status mp_cuda_nonzero(mp_call *call) {
    const mp_array *x = call->in[0], *y = call->out[0];
    mp_cuda_place place;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    nonzero_job job = {};
    job.mask = (const uint8_t *)mp_data(x), job.n = x->size, job.count = y->size;
    job.tiles = (x->size + TILE - 1) / TILE, job.position = (int64_t *)mp_data(y);
    size_t temporary = 0, counts = (size_t)((job.tiles + 31) / 32 * 32) * sizeof(int64_t);
    MP_CUDA_TRY(cub::DeviceScan::ExclusiveSum(NULL, temporary, (int64_t *)NULL, (int64_t *)NULL,
                                              job.tiles, place.stream));
    size_t bytes = 2 * counts + temporary;
    void *room;
    MP_TRY(mp_cuda_scratch(&place, bytes, &room));
    int64_t *sizes = (int64_t *)room, *starts = (int64_t *)((char *)room + counts);
    unsigned blocks = mp_blocks(&place, job.tiles, 1, 1);
    job.start = sizes;
    count_tiles<<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
    mp_status status =
        mp_cuda_check(cub::DeviceScan::ExclusiveSum((char *)room + 2 * counts, temporary, sizes,
                                                    starts, job.tiles, place.stream),
                      "sum of counts");
    job.start = starts;
    if (status == MP_OK) write_tiles<<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
    mp_cuda_scratch_free(&place, room, bytes);
    return status == MP_OK ? MP_CUDA_LAUNCHED() : status;
}
