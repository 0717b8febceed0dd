/* NVIDIA's libraries, found and loaded when they are first needed. */
#ifndef MP_CUDA_LIBRARY_H
#define MP_CUDA_LIBRARY_H

typedef enum mp_cuda_library_id {
    MP_CUDA_CUBLASLT,
    MP_CUDA_CUDNN,
    MP_CUDA_NCCL,
    MP_CUDA_LIBRARIES
} mp_cuda_library_id;

typedef struct mp_cuda_library {
    void *handle;        /* for dlsym; NULL: not found */
    const char *file;    /* "libcublasLt.so.13": what was found, or what was looked for first */
    const char *path;    /* where it lies, or NULL */
    const char *missing; /* why there is none: what was looked for, and where; or NULL */
    long version;        /* as the library tells it (130100, 91300, 22705), or 0 */
} mp_cuda_library;

/* Folders where Python packages lie, ':' between them: their nvidia packages have libraries. Called
 * before the first mp_cuda_library_find whose answer is to know them. */
void mp_cuda_library_paths(const char *folders);

/* Looks a library up, once; the answer is kept as long as the process lives. From any thread. */
const mp_cuda_library *mp_cuda_library_find(mp_cuda_library_id id);

#endif
