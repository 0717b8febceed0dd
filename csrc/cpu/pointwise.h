/* The engine of the pointwise ops, run by pointwise_run.c: an op is a function over dense rows per
 * type it computes in; the engine broadcasts, converts and shares out the work. */
#ifndef MP_CPU_POINTWISE_H
#define MP_CPU_POINTWISE_H

#include "cpu.h"

/* y[i] = f(a[i], b[i], c[i]) for n elements, all of the type it is written for; operands that the
 * op lacks are NULL. y may be one of the rows read. */
typedef void (*mp_row_fn)(int64_t n, void *y, const void *a, const void *b, const void *c,
                          const mp_attrs *attrs);

typedef struct mp_pointwise {
    mp_row_fn f32, f64, i64, u64; /* NULL: infer keeps the op from that type */
    /* comparisons: int64 with uint64 and the other way round */
    mp_row_fn i64_u64, u64_i64;
    /* by dtype, or NULL: rows of elements as they are stored, for a call all of whose inputs (and
     * whose result, unless it compares) are of that dtype, Python numbers aside */
    const mp_row_fn *stored;
    bool converts; /* inputs of other dtypes come to the result's stored rows too */
    bool compares; /* y is a row of uint8_t, 0 or 1 */
    bool selects;  /* a is a row of uint8_t, zero or not */
    int64_t grain; /* elements worth a thread */
} mp_pointwise;

/* Runs the op on the first n_in inputs of the call. */
mp_status MP_TIERED(mp_pointwise_run_op)(mp_call *call, const mp_pointwise *op, int n_in);
#define mp_pointwise_run MP_TIERED(mp_pointwise_run_op)

/* gelu's gradient (activation.c): rows of gx from rows of gy and x. */
const mp_pointwise *MP_TIERED(mp_gelu_bwd_op)(const mp_attrs *attrs);

enum { MP_GRAIN_LIGHT = 1 << 16, MP_GRAIN_HEAVY = 1 << 14, MP_GRAIN_LIBM = 1 << 12 };

/* Defines row functions: `real` is the type, A, B and C the elements, Y what y has. */
#define MP_ROW_FN(name, out, real, in1, formula)                                                   \
    static void name(int64_t n, void *py, const void *pa, const void *pb, const void *pc,          \
                     const mp_attrs *attrs) {                                                      \
        out *y = py;                                                                               \
        const in1 *a = pa;                                                                         \
        const real *b = pb, *c = pc;                                                               \
        (void)a, (void)b, (void)c, (void)attrs;                                                    \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) y[i] = (formula);                     \
    }

/* ---- rows of integers as they are stored ---- */

/* Functions <op>_u8, _u16, _u32: of what wraps around, for signed and unsigned ones alike. */
#define MP_WRAPPING_ROWS(op, formula)                                                              \
    MP_ROW_FN(op##_u8, uint8_t, uint8_t, uint8_t, formula)                                         \
    MP_ROW_FN(op##_u16, uint16_t, uint16_t, uint16_t, formula)                                     \
    MP_ROW_FN(op##_u32, uint32_t, uint32_t, uint32_t, formula)
#define MP_WRAPPING_TABLE(op)                                                                      \
    [MP_INT8] = op##_u8, [MP_UINT8] = op##_u8, [MP_INT16] = op##_u16, [MP_UINT16] = op##_u16,      \
    [MP_INT32] = op##_u32, [MP_UINT32] = op##_u32

/* Functions <op>_i8 ... _u32; the second form gives rows of uint8_t, 0 or 1. */
#define MP_INTEGER_ROWS(op, formula)                                                               \
    MP_ROW_FN(op##_i8, int8_t, int8_t, int8_t, formula)                                            \
    MP_ROW_FN(op##_i16, int16_t, int16_t, int16_t, formula)                                        \
    MP_ROW_FN(op##_i32, int32_t, int32_t, int32_t, formula)                                        \
    MP_WRAPPING_ROWS(op, formula)
#define MP_INTEGER_TESTS(op, formula)                                                              \
    MP_ROW_FN(op##_i8, uint8_t, int8_t, int8_t, formula)                                           \
    MP_ROW_FN(op##_i16, uint8_t, int16_t, int16_t, formula)                                        \
    MP_ROW_FN(op##_i32, uint8_t, int32_t, int32_t, formula)                                        \
    MP_ROW_FN(op##_u8, uint8_t, uint8_t, uint8_t, formula)                                         \
    MP_ROW_FN(op##_u16, uint8_t, uint16_t, uint16_t, formula)                                      \
    MP_ROW_FN(op##_u32, uint8_t, uint32_t, uint32_t, formula)
#define MP_INTEGER_TABLE(op)                                                                       \
    [MP_INT8] = op##_i8, [MP_INT16] = op##_i16, [MP_INT32] = op##_i32, [MP_UINT8] = op##_u8,       \
    [MP_UINT16] = op##_u16, [MP_UINT32] = op##_u32

/* The elements of a row function's inputs; of bools, whether they are true. */
#define A a[i]
#define B b[i]
#define C c[i]
#define TRUE_A (a[i] != 0)
#define TRUE_B (b[i] != 0)

#endif
