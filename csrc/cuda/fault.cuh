/* How a kernel says that an index was out of range: it reads and writes nothing for it, and reports
 * it here. The report lies in host memory, where the next call of the device, or whoever waits for
 * it, finds it: an IndexError, and the process goes on. The first report of a device stands until
 * it was read. */
#ifndef MP_CUDA_FAULT_CUH
#define MP_CUDA_FAULT_CUH

#include "fault.h"

static __device__ inline void mp_cuda_report(mp_cuda_fault *fault, int op, int64_t value,
                                             int64_t position, int64_t extent) {
    if (atomicExch(&fault->taken, 1)) return;
    volatile mp_cuda_found *found = fault->found;
    found->value = value;
    found->position = position;
    found->extent = extent;
    __threadfence_system();
    found->op = 1 + op;
}

#endif
