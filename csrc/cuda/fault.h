/* The report of a kernel that met an index out of range: see fault.cuh (writes it) and stream.c
 * (reads it). */
#ifndef MP_CUDA_FAULT_H
#define MP_CUDA_FAULT_H

#include "runtime.h"

/* In host memory that the device can write. */
typedef struct mp_cuda_found {
    int op; /* 1 + mp_op; 0: nothing was found */
    int64_t value, position, extent;
} mp_cuda_found;

/* In device memory. */
struct mp_cuda_fault {
    int taken; /* a report is made or being made */
    mp_cuda_found *found;
};

#endif
