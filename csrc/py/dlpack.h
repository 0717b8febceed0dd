/* The structs of DLPack 1, as its specification lays them out. */
#ifndef MP_DLPACK_H
#define MP_DLPACK_H

#include <stdint.h>

enum { DL_MAJOR = 1, DL_MINOR = 0 };
enum { DL_CPU = 1, DL_CUDA = 2, DL_CUDA_HOST = 3, DL_CUDA_MANAGED = 13 };
#define DL_READ_ONLY ((uint64_t)1)
#define DL_IS_COPIED ((uint64_t)2)

typedef struct dl_device {
    int32_t type, id;
} dl_device;

typedef struct dl_tensor {
    void *data;
    dl_device device;
    int32_t ndim;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape, *strides; /* in elements; strides may be NULL: C order */
    uint64_t byte_offset;
} dl_tensor;

/* In capsules named "dltensor". */
typedef struct dl_managed {
    dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed *self);
} dl_managed;

/* In capsules named "dltensor_versioned". */
typedef struct dl_versioned {
    struct {
        uint32_t major, minor;
    } version;
    void *context;
    void (*deleter)(struct dl_versioned *self);
    uint64_t flags;
    dl_tensor tensor;
} dl_versioned;

#endif
