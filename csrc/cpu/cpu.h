/* What the CPU kernels share: names per ISA tier, row converters, vector math, threads and scratch.
 *
 * Every kernel file is compiled once per tier with -DMP_TIER=<tier>; MP_TIERED(name) is its name in
 * that tier. backend.c picks the tier, parallel.c has the threads, memory.c the memory: these are
 * compiled once. */
#ifndef MP_CPU_H
#define MP_CPU_H

#include <string.h>

#include "../mp.h"

/* ---- parallel.c ---- */

/* Does tasks [begin, end). */
typedef void (*mp_parallel_fn)(void *ctx, int64_t begin, int64_t end);
/* Runs fn over [0, n) in pieces of `grain` tasks (the last may be shorter) on all threads; returns
 * when all are done. Inline where n <= grain, one thread is set, or inside of another parallel_for.
 * Which thread runs a piece is open: results must depend on neither that nor on the grain. */
void mp_parallel_for(int64_t n, int64_t grain, mp_parallel_fn fn, void *ctx);

/* MP_ERR_VALUE if MIXPREC_NUM_THREADS is not a number of threads. */
mp_status mp_check_threads(void);

/* A buffer of the calling thread, at least `bytes` long, 64-byte aligned; NULL if there is no
 * memory. Valid until the thread asks for the same slot again. Kernels that call each other use
 * different slots. */
enum {
    MP_SCRATCH_GEMM_A,
    MP_SCRATCH_GEMM_B,
    MP_SCRATCH_GEMM_BIAS,
    MP_SCRATCH_KERNEL,   /* of the op's own kernel, on the calling thread */
    MP_SCRATCH_KERNEL_2, /* a second one */
    MP_SCRATCH_TASK,     /* of a task inside of mp_parallel_for */
    MP_SCRATCH_SLOTS
};
void *mp_scratch(size_t bytes, int slot);

#ifdef MP_TIER
/* ---- names ---- */

#define MP_TIER_PASTE_(name, tier) name##_##tier
#define MP_TIER_PASTE(name, tier) MP_TIER_PASTE_(name, tier)
#define MP_TIERED(name) MP_TIER_PASTE(name, MP_TIER)
#define MP_KERNEL(op)                                                                              \
    mp_status MP_TIERED(mp_cpu_##op)(mp_call * call);                                              \
    mp_status MP_TIERED(mp_cpu_##op)(mp_call * call)
#define MP_LIST_KERNEL(list)                                                                       \
    mp_status MP_TIERED(mp_cpu_list_##list)(const mp_list_call *call);                             \
    mp_status MP_TIERED(mp_cpu_list_##list)(const mp_list_call *call)

/* ---- convert.c: rows of any dtype to and from rows of float, double, int64_t ---- */

/* n elements that lie stride bytes apart (0 and negative allowed) into a dense row; they must not
 * overlap unless they are the same dense row of the same type. */
typedef void (*mp_load_fn)(float *dst, const void *src, int64_t stride, int64_t n);
typedef void (*mp_load_f64_fn)(double *dst, const void *src, int64_t stride, int64_t n);
typedef void (*mp_load_i64_fn)(int64_t *dst, const void *src, int64_t stride, int64_t n);
/* A dense row into n elements stride bytes apart. Rounds to nearest even once; float to integer
 * truncates, beyond int64 saturates, NaN gives INT64_MIN, and narrower integers take the low bits;
 * to bool is x != 0. uint64 shares its bits with int64. */
typedef void (*mp_store_fn)(void *dst, int64_t stride, const float *src, int64_t n);
typedef void (*mp_store_f64_fn)(void *dst, int64_t stride, const double *src, int64_t n);
typedef void (*mp_store_i64_fn)(void *dst, int64_t stride, const int64_t *src, int64_t n);

extern const mp_load_fn MP_TIERED(mp_load_f32)[MP_DTYPE_COUNT];
extern const mp_store_fn MP_TIERED(mp_store_f32)[MP_DTYPE_COUNT];
extern const mp_load_f64_fn MP_TIERED(mp_load_f64)[MP_DTYPE_COUNT];
extern const mp_store_f64_fn MP_TIERED(mp_store_f64)[MP_DTYPE_COUNT];
extern const mp_load_i64_fn MP_TIERED(mp_load_i64)[MP_DTYPE_COUNT];
extern const mp_store_i64_fn MP_TIERED(mp_store_i64)[MP_DTYPE_COUNT];
#define MP_LOAD(dtype) MP_TIERED(mp_load_f32)[dtype]
#define MP_STORE(dtype) MP_TIERED(mp_store_f32)[dtype]
#define MP_LOAD_F64(dtype) MP_TIERED(mp_load_f64)[dtype]
#define MP_STORE_F64(dtype) MP_TIERED(mp_store_f64)[dtype]
#define MP_LOAD_I64(dtype) MP_TIERED(mp_load_i64)[dtype]
#define MP_STORE_I64(dtype) MP_TIERED(mp_store_i64)[dtype]

/* n elements of one dtype into another, any strides in bytes: the cast op for one row. */
void MP_TIERED(mp_convert_row)(mp_dtype to, void *dst, int64_t dst_stride, mp_dtype from,
                               const void *src, int64_t src_stride, int64_t n);
#define mp_convert MP_TIERED(mp_convert_row)

/* ---- vmath.c: functions of float32 rows; y may be x. Elementwise forms for loops of your own are
 * in vmath.h; errors are given there ---- */

void MP_TIERED(mp_vexp_row)(int64_t n, float *y, const float *x);
void MP_TIERED(mp_vlog_row)(int64_t n, float *y, const float *x);
/* y[i] = exp(x[i] - shift); returns the sum of y, added up in a fixed order. y may be x. */
float MP_TIERED(mp_vexp_sum_row)(int64_t n, float *y, const float *x, float shift);
#define mp_vexp MP_TIERED(mp_vexp_row)
#define mp_vlog MP_TIERED(mp_vlog_row)
#define mp_vexp_sum MP_TIERED(mp_vexp_sum_row)

/* ---- reduce_rows.c ---- */

/* The greatest, NaN if any is; -inf for n == 0. */
float MP_TIERED(mp_max_row)(int64_t n, const float *x);
#define mp_row_max MP_TIERED(mp_max_row)

/* ---- shape.c: elements from one place to another ---- */

/* dst[...] = src, broadcast and cast. The two must not overlap unless they are the same elements in
 * the same order and of one dtype. */
void MP_TIERED(mp_transfer_elements)(mp_array *dst, mp_array *src);
/* n dense elements become `value`, rounded once. */
void MP_TIERED(mp_fill_row)(mp_dtype dtype, void *dst, int64_t n, double value);
#define mp_transfer MP_TIERED(mp_transfer_elements)
#define mp_fill MP_TIERED(mp_fill_row)

#endif /* MP_TIER */
#endif
