/* Row converters: a function per dtype and direction, in tables; and the cast of a row between any
 * two dtypes. Each has a dense loop, which the compiler or F16C vectorises, and a strided one.
 * Rounding and NaN are narrow.h's, whichever loop runs. */
#include "cpu.h"

#include "../narrow.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

/* ---- one element: from_<dtype>_<domain>, to_<dtype>_<domain> ---- */

#define BOOL_VALUE(x) ((x) != 0)
#define PLAIN_VALUE(x) (x)

/* What loaders make of a stored element before the conversion to the domain. */
#define VALUE_BOOL(x) BOOL_VALUE(x)
#define VALUE_INT8(x) PLAIN_VALUE(x)
#define VALUE_INT16(x) PLAIN_VALUE(x)
#define VALUE_INT32(x) PLAIN_VALUE(x)
#define VALUE_INT64(x) PLAIN_VALUE(x)
#define VALUE_UINT8(x) PLAIN_VALUE(x)
#define VALUE_UINT16(x) PLAIN_VALUE(x)
#define VALUE_UINT32(x) PLAIN_VALUE(x)
#define VALUE_UINT64(x) PLAIN_VALUE(x)
#define VALUE_FLOAT16(x) mp_widen_f16(x)
#define VALUE_BFLOAT16(x) mp_widen_bf16(x)
#define VALUE_FLOAT8_E4M3FN(x) mp_widen_e4m3(x)
#define VALUE_FLOAT8_E5M2(x) mp_widen_e5m2(x)
#define VALUE_FLOAT32(x) PLAIN_VALUE(x)
#define VALUE_FLOAT64(x) PLAIN_VALUE(x)

/* To int64: floats are truncated, integers keep their bits. */
#define INTEGER_B(x) ((int64_t)(x))
#define INTEGER_I(x) ((int64_t)(x))
#define INTEGER_U(x) ((int64_t)(x))
#define INTEGER_F(x) mp_double_to_int((double)(x))

/* What storers make of a float, a double (WIDE) and an int64 (WHOLE). */
#define NARROW_BOOL(x) ((x) != 0)
#define NARROW_INT8(x) ((int8_t)mp_double_to_int((double)(x)))
#define NARROW_INT16(x) ((int16_t)mp_double_to_int((double)(x)))
#define NARROW_INT32(x) ((int32_t)mp_double_to_int((double)(x)))
#define NARROW_INT64(x) mp_double_to_int((double)(x))
#define NARROW_UINT8(x) ((uint8_t)mp_double_to_int((double)(x)))
#define NARROW_UINT16(x) ((uint16_t)mp_double_to_int((double)(x)))
#define NARROW_UINT32(x) ((uint32_t)mp_double_to_int((double)(x)))
#define NARROW_UINT64(x) mp_double_to_uint((double)(x))
#define NARROW_FLOAT16(x) mp_narrow_f16(x)
#define NARROW_BFLOAT16(x) mp_narrow_bf16(x)
#define NARROW_FLOAT8_E4M3FN(x) mp_narrow_e4m3(x)
#define NARROW_FLOAT8_E5M2(x) mp_narrow_e5m2(x)
#define NARROW_FLOAT32(x) ((float)(x))
#define NARROW_FLOAT64(x) ((double)(x))

#define WIDE_BOOL(x) NARROW_BOOL(x)
#define WIDE_INT8(x) NARROW_INT8(x)
#define WIDE_INT16(x) NARROW_INT16(x)
#define WIDE_INT32(x) NARROW_INT32(x)
#define WIDE_INT64(x) NARROW_INT64(x)
#define WIDE_UINT8(x) NARROW_UINT8(x)
#define WIDE_UINT16(x) NARROW_UINT16(x)
#define WIDE_UINT32(x) NARROW_UINT32(x)
#define WIDE_UINT64(x) NARROW_UINT64(x)
#define WIDE_FLOAT16(x) mp_narrow_f16(mp_round_to_odd(x))
#define WIDE_BFLOAT16(x) mp_narrow_bf16(mp_round_to_odd(x))
#define WIDE_FLOAT8_E4M3FN(x) mp_narrow_e4m3(mp_round_to_odd(x))
#define WIDE_FLOAT8_E5M2(x) mp_narrow_e5m2(mp_round_to_odd(x))
#define WIDE_FLOAT32(x) ((float)(x))
#define WIDE_FLOAT64(x) (x)

#define WHOLE_BOOL(x) ((x) != 0)
#define WHOLE_INT8(x) ((int8_t)(x))
#define WHOLE_INT16(x) ((int16_t)(x))
#define WHOLE_INT32(x) ((int32_t)(x))
#define WHOLE_INT64(x) (x)
#define WHOLE_UINT8(x) ((uint8_t)(x))
#define WHOLE_UINT16(x) ((uint16_t)(x))
#define WHOLE_UINT32(x) ((uint32_t)(x))
#define WHOLE_UINT64(x) ((uint64_t)(x))
#define WHOLE_FLOAT16(x) mp_narrow_f16((float)(x))
#define WHOLE_BFLOAT16(x) mp_narrow_bf16((float)(x))
#define WHOLE_FLOAT8_E4M3FN(x) mp_narrow_e4m3((float)(x))
#define WHOLE_FLOAT8_E5M2(x) mp_narrow_e5m2((float)(x))
#define WHOLE_FLOAT32(x) ((float)(x))
#define WHOLE_FLOAT64(x) ((double)(x))

/* ---- float16 with F16C ---- */

#if defined(__AVX512F__)
/* A dense row. The instruction keeps a NaN's payload, this does not. */
static void pack_f16(uint16_t *dst, const float *src, int64_t n) {
    const __m256i quiet = _mm256_set1_epi16(0x7e00), sign = _mm256_set1_epi16((short)0x8000);
    for (int64_t i = 0; i < n; i += 16) {
        __mmask16 here = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : 0xffff;
        __m512 x = _mm512_maskz_loadu_ps(here, src + i);
        __m256i half = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
        __m256i canonical = _mm256_or_si256(quiet, _mm256_and_si256(half, sign));
        _mm256_mask_storeu_epi16(dst + i, here, _mm256_mask_blend_epi16(nan, half, canonical));
    }
}
static void unpack_f16(float *dst, const uint16_t *src, int64_t n) {
    for (int64_t i = 0; i < n; i += 16) {
        __mmask16 here = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : 0xffff;
        __m256i half = _mm256_maskz_loadu_epi16(here, src + i);
        _mm512_mask_storeu_ps(dst + i, here, _mm512_cvtph_ps(half));
    }
}
#elif defined(__F16C__)
static inline __m128i pack_8(__m256 x) {
    const __m128i quiet = _mm_set1_epi16(0x7e00), sign = _mm_set1_epi16((short)0x8000);
    __m128i half = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256i unordered = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    __m128i nan =
        _mm_packs_epi32(_mm256_castsi256_si128(unordered), _mm256_extracti128_si256(unordered, 1));
    return _mm_blendv_epi8(half, _mm_or_si128(quiet, _mm_and_si128(half, sign)), nan);
}
static void pack_f16(uint16_t *dst, const float *src, int64_t n) {
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(dst + i), pack_8(_mm256_loadu_ps(src + i)));
    if (i == n) return;
    float rest[8] = {0};
    uint16_t halves[8];
    memcpy(rest, src + i, (size_t)(n - i) * sizeof *rest);
    _mm_storeu_si128((__m128i *)halves, pack_8(_mm256_loadu_ps(rest)));
    memcpy(dst + i, halves, (size_t)(n - i) * sizeof *halves);
}
static void unpack_f16(float *dst, const uint16_t *src, int64_t n) {
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(src + i))));
    if (i == n) return;
    float floats[8];
    uint16_t rest[8] = {0};
    memcpy(rest, src + i, (size_t)(n - i) * sizeof *rest);
    _mm256_storeu_ps(floats, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)rest)));
    memcpy(dst + i, floats, (size_t)(n - i) * sizeof *floats);
}
#endif

/* Dense rows of float16 leave a converter here, before its own loop. */
#if defined(__F16C__)
#define DENSE_LOAD(id, real)                                                                       \
    if (MP_##id == MP_FLOAT16 && sizeof(real) == sizeof(float)) {                                  \
        unpack_f16((void *)dst, src, n);                                                           \
        return;                                                                                    \
    }
#define DENSE_STORE(id, real)                                                                      \
    if (MP_##id == MP_FLOAT16 && sizeof(real) == sizeof(float)) {                                  \
        pack_f16(dst, (const void *)src, n);                                                       \
        return;                                                                                    \
    }
#else
#define DENSE_LOAD(id, real)
#define DENSE_STORE(id, real)
#endif

/* ---- rows ---- */

#define LOAD_ROW(name, id, real, ctype, convert)                                                   \
    static void name(real *dst, const void *src, int64_t stride, int64_t n) {                      \
        if (stride == sizeof(ctype)) {                                                             \
            DENSE_LOAD(id, real)                                                                   \
            const ctype *from = src;                                                               \
            for (int64_t i = 0; i < n; i++) dst[i] = (real)(convert(from[i]));                     \
            return;                                                                                \
        }                                                                                          \
        const char *at = src;                                                                      \
        if (stride == 0 && n > 0) {                                                                \
            const real value = (real)(convert(*(const ctype *)at));                                \
            for (int64_t i = 0; i < n; i++) dst[i] = value;                                        \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++)                                                            \
            dst[i] = (real)(convert(*(const ctype *)(at + i * stride)));                           \
    }

#define STORE_ROW(name, id, real, ctype, convert)                                                  \
    static void name(void *dst, int64_t stride, const real *src, int64_t n) {                      \
        if (stride == sizeof(ctype)) {                                                             \
            DENSE_STORE(id, real)                                                                  \
            ctype *to = dst;                                                                       \
            for (int64_t i = 0; i < n; i++) to[i] = (ctype)convert(src[i]);                        \
            return;                                                                                \
        }                                                                                          \
        char *at = dst;                                                                            \
        for (int64_t i = 0; i < n; i++) *(ctype *)(at + i * stride) = (ctype)convert(src[i]);      \
    }

#define MP_DTYPE(id, text, ctype, kind, bytes, dlpack, bits)                                       \
    LOAD_ROW(load_f32_##id, id, float, ctype, VALUE_##id)                                          \
    LOAD_ROW(load_f64_##id, id, double, ctype, VALUE_##id)                                         \
    STORE_ROW(store_f32_##id, id, float, ctype, NARROW_##id)                                       \
    STORE_ROW(store_f64_##id, id, double, ctype, WIDE_##id)                                        \
    STORE_ROW(store_i64_##id, id, int64_t, ctype, WHOLE_##id)                                      \
    static inline int64_t integer_of_##id(ctype x) { return INTEGER_##kind(VALUE_##id(x)); }       \
    LOAD_ROW(load_i64_##id, id, int64_t, ctype, integer_of_##id)
#include "../dtypes.def"
#undef MP_DTYPE

/* ---- tables ---- */

#define MP_DTYPE(id, text, ctype, kind, bytes, dlpack, bits) [MP_##id] = load_f32_##id,
const mp_load_fn MP_TIERED(mp_load_f32)[MP_DTYPE_COUNT] = {
#include "../dtypes.def"
};
#undef MP_DTYPE

#define MP_DTYPE(id, text, ctype, kind, bytes, dlpack, bits) [MP_##id] = store_f32_##id,
const mp_store_fn MP_TIERED(mp_store_f32)[MP_DTYPE_COUNT] = {
#include "../dtypes.def"
};
#undef MP_DTYPE

#define MP_DTYPE(id, text, ctype, kind, bytes, dlpack, bits) [MP_##id] = load_f64_##id,
const mp_load_f64_fn MP_TIERED(mp_load_f64)[MP_DTYPE_COUNT] = {
#include "../dtypes.def"
};
#undef MP_DTYPE

#define MP_DTYPE(id, text, ctype, kind, bytes, dlpack, bits) [MP_##id] = store_f64_##id,
const mp_store_f64_fn MP_TIERED(mp_store_f64)[MP_DTYPE_COUNT] = {
#include "../dtypes.def"
};
#undef MP_DTYPE

#define MP_DTYPE(id, text, ctype, kind, bytes, dlpack, bits) [MP_##id] = load_i64_##id,
const mp_load_i64_fn MP_TIERED(mp_load_i64)[MP_DTYPE_COUNT] = {
#include "../dtypes.def"
};
#undef MP_DTYPE

#define MP_DTYPE(id, text, ctype, kind, bytes, dlpack, bits) [MP_##id] = store_i64_##id,
const mp_store_i64_fn MP_TIERED(mp_store_i64)[MP_DTYPE_COUNT] = {
#include "../dtypes.def"
};
#undef MP_DTYPE

/* ---- casts ---- */

#define COPY_ROW(name, ctype)                                                                      \
    static void name(char *dst, int64_t dst_stride, const char *src, int64_t src_stride,           \
                     int64_t n) {                                                                  \
        for (int64_t i = 0; i < n; i++)                                                            \
            *(ctype *)(dst + i * dst_stride) = *(const ctype *)(src + i * src_stride);             \
    }
COPY_ROW(copy_1, uint8_t)
COPY_ROW(copy_2, uint16_t)
COPY_ROW(copy_4, uint32_t)
COPY_ROW(copy_8, uint64_t)

static void copy_row(int bytes, char *dst, int64_t dst_stride, const char *src, int64_t src_stride,
                     int64_t n) {
    if (dst_stride == bytes && src_stride == bytes) memcpy(dst, src, (size_t)(n * bytes));
    else if (bytes == 1) copy_1(dst, dst_stride, src, src_stride, n);
    else if (bytes == 2) copy_2(dst, dst_stride, src, src_stride, n);
    else if (bytes == 4) copy_4(dst, dst_stride, src, src_stride, n);
    else copy_8(dst, dst_stride, src, src_stride, n);
}

enum { PIECE = 512 }; /* elements on their way through a buffer in the first-level cache */

/* Runs `load` and `store` over pieces of the row, through a buffer of `real`. */
#define THROUGH(real, load, store)                                                                 \
    do {                                                                                           \
        real room[PIECE] __attribute__((aligned(64)));                                             \
        for (int64_t i = 0; i < n; i += PIECE) {                                                   \
            int64_t count = n - i < PIECE ? n - i : PIECE;                                         \
            load(room, from_row + i * src_stride, src_stride, count);                              \
            store(to_row + i * dst_stride, dst_stride, room, count);                               \
        }                                                                                          \
    } while (0)

void MP_TIERED(mp_convert_row)(mp_dtype to, void *dst, int64_t dst_stride, mp_dtype from,
                               const void *src, int64_t src_stride, int64_t n) {
    const char *from_row = src;
    char *to_row = dst;
    bool floats = mp_is_float(to) || mp_is_float(from);
    bool wide_int = !mp_is_float(from) && mp_dtypes[from].bytes >= 4; /* more than float32 holds */
    if (to == from) copy_row(mp_dtypes[to].bytes, to_row, dst_stride, from_row, src_stride, n);
    else if (from == MP_FLOAT32 && src_stride == sizeof(float))
        MP_STORE(to)(dst, dst_stride, src, n);
    else if (to == MP_FLOAT32 && dst_stride == sizeof(float))
        MP_LOAD(from)(dst, src, src_stride, n);
    else if (to == MP_FLOAT64 || from == MP_FLOAT64 || (wide_int && mp_is_narrow(to)))
        THROUGH(double, MP_LOAD_F64(from), MP_STORE_F64(to));
    else if (floats) THROUGH(float, MP_LOAD(from), MP_STORE(to));
    else THROUGH(int64_t, MP_LOAD_I64(from), MP_STORE_I64(to));
}
