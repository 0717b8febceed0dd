/* The dtypes: their table, the promotion table, the default float, and conversions of one element.
 * Rows of elements are cpu/convert.c's; the bit-level work of both is narrow.h's. */
#include "mp.h"

#include "narrow.h"

const mp_dtype_row mp_dtypes[MP_DTYPE_COUNT] = {
#define KIND_B 'B'
#define KIND_I 'I'
#define KIND_U 'U'
#define KIND_F 'F'
#define MP_DTYPE(id, name, ctype, kind, bytes, dlpack, bits)                                       \
    [MP_##id] = {name, KIND_##kind, bytes, dlpack, bits},
#include "dtypes.def"
#undef MP_DTYPE
};

#define MP_DTYPE(id, name, ctype, kind, bytes, dlpack, bits)                                       \
    _Static_assert(sizeof(ctype) == (bytes), name " has another size");
#include "dtypes.def"
#undef MP_DTYPE

/* ---- promotion ---- */

enum {
    b1 = MP_BOOL,
    i1 = MP_INT8,
    i2 = MP_INT16,
    i4 = MP_INT32,
    i8 = MP_INT64,
    u1 = MP_UINT8,
    u2 = MP_UINT16,
    u4 = MP_UINT32,
    u8 = MP_UINT64,
    h2 = MP_FLOAT16,
    t2 = MP_BFLOAT16,
    e4 = MP_FLOAT8_E4M3FN,
    e5 = MP_FLOAT8_E5M2,
    f4 = MP_FLOAT32,
    f8 = MP_FLOAT64,
    xx = MP_NO_DTYPE
};

/* Rows and columns in the order of dtypes.def; xx: they do not mix. */
static const int8_t promoted[MP_DTYPE_COUNT][MP_DTYPE_COUNT] = {
    /*          b1  i1  i2  i4  i8  u1  u2  u4  u8  h2  t2  e4  e5  f4  f8 */
    [b1] = {b1, i1, i2, i4, i8, u1, u2, u4, u8, h2, t2, xx, xx, f4, f8},
    [i1] = {i1, i1, i2, i4, i8, i2, i4, i8, f8, h2, t2, xx, xx, f4, f8},
    [i2] = {i2, i2, i2, i4, i8, i2, i4, i8, f8, h2, t2, xx, xx, f4, f8},
    [i4] = {i4, i4, i4, i4, i8, i4, i4, i8, f8, h2, t2, xx, xx, f4, f8},
    [i8] = {i8, i8, i8, i8, i8, i8, i8, i8, f8, h2, t2, xx, xx, f4, f8},
    [u1] = {u1, i2, i2, i4, i8, u1, u2, u4, u8, h2, t2, xx, xx, f4, f8},
    [u2] = {u2, i4, i4, i4, i8, u2, u2, u4, u8, h2, t2, xx, xx, f4, f8},
    [u4] = {u4, i8, i8, i8, i8, u4, u4, u4, u8, h2, t2, xx, xx, f4, f8},
    [u8] = {u8, f8, f8, f8, f8, u8, u8, u8, u8, h2, t2, xx, xx, f4, f8},
    [h2] = {h2, h2, h2, h2, h2, h2, h2, h2, h2, h2, f4, xx, xx, f4, f8},
    [t2] = {t2, t2, t2, t2, t2, t2, t2, t2, t2, f4, t2, xx, xx, f4, f8},
    [e4] = {xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, e4, xx, xx, xx},
    [e5] = {xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, e5, xx, xx},
    [f4] = {f4, f4, f4, f4, f4, f4, f4, f4, f4, f4, f4, xx, xx, f4, f8},
    [f8] = {f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, xx, xx, f8, f8},
};

mp_status mp_promote(mp_dtype a, mp_dtype b, mp_dtype *out) {
    int8_t common = promoted[a][b];
    if (common == MP_NO_DTYPE)
        return mp_fail(MP_ERR_TYPE, "%s and %s do not mix; use astype", mp_dtypes[a].name,
                       mp_dtypes[b].name);
    *out = (mp_dtype)common;
    return MP_OK;
}

static MP_ATOMIC(int) default_float = MP_FLOAT32;

mp_dtype mp_default_float(void) { return (mp_dtype)default_float; }

mp_status mp_set_default_float(mp_dtype dtype) {
    if (!mp_is_float(dtype) || mp_is_float8(dtype))
        return mp_fail(MP_ERR_TYPE,
                       "set_default_dtype: %s is given, a float of 16 bits or more is wanted",
                       mp_dtypes[dtype].name);
    default_float = dtype;
    return MP_OK;
}

/* ---- one element of any dtype ---- */

/* The element's bytes as an unsigned integer, zero-extended; memory is little-endian or whole. */
static uint64_t raw_bits(mp_dtype dtype, const void *src) {
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (mp_dtypes[dtype].bytes) {
    case 1: return memcpy(&u8, src, 1), u8;
    case 2: return memcpy(&u16, src, 2), u16;
    case 4: return memcpy(&u32, src, 4), u32;
    default: return memcpy(&u64, src, 8), u64;
    }
}

static void put_bits(mp_dtype dtype, void *dst, uint64_t bits) {
    uint8_t u8 = (uint8_t)bits;
    uint16_t u16 = (uint16_t)bits;
    uint32_t u32 = (uint32_t)bits;
    switch (mp_dtypes[dtype].bytes) {
    case 1: memcpy(dst, &u8, 1); break;
    case 2: memcpy(dst, &u16, 2); break;
    case 4: memcpy(dst, &u32, 4); break;
    default: memcpy(dst, &bits, 8); break;
    }
}

static double load_float(mp_dtype dtype, const void *src) {
    uint64_t bits = raw_bits(dtype, src);
    double value;
    switch (dtype) {
    case MP_FLOAT16: return mp_widen_f16((uint16_t)bits);
    case MP_BFLOAT16: return mp_widen_bf16((uint16_t)bits);
    case MP_FLOAT8_E4M3FN: return mp_widen_e4m3((uint8_t)bits);
    case MP_FLOAT8_E5M2: return mp_widen_e5m2((uint8_t)bits);
    case MP_FLOAT32: return mp_from_bits32((uint32_t)bits);
    default: return memcpy(&value, &bits, sizeof value), value;
    }
}

/* Narrow floats are rounded once, not through float32: ml_dtypes' bits. */
static void store_float(mp_dtype dtype, void *dst, double value) {
    float odd = mp_round_to_odd(value);
    uint64_t bits;
    switch (dtype) {
    case MP_FLOAT16: bits = mp_narrow_f16(odd); break;
    case MP_BFLOAT16: bits = mp_narrow_bf16(odd); break;
    case MP_FLOAT8_E4M3FN: bits = mp_narrow_e4m3(odd); break;
    case MP_FLOAT8_E5M2: bits = mp_narrow_e5m2(odd); break;
    case MP_FLOAT32: bits = mp_bits32((float)value); break;
    default: memcpy(&bits, &value, sizeof bits);
    }
    put_bits(dtype, dst, bits);
}

int64_t mp_load_int(mp_dtype dtype, const void *src) {
    const mp_dtype_row *row = &mp_dtypes[dtype];
    if (row->kind == 'F') return mp_double_to_int(load_float(dtype, src));
    uint64_t bits = raw_bits(dtype, src);
    if (row->kind != 'I' || row->bytes == 8) return (int64_t)bits;
    uint64_t sign = (uint64_t)1 << (8 * row->bytes - 1);
    return (int64_t)((bits ^ sign) - sign);
}

void mp_store_int(mp_dtype dtype, void *dst, int64_t value) {
    switch (mp_dtypes[dtype].kind) {
    case 'F': store_float(dtype, dst, (double)value); break;
    case 'B': put_bits(dtype, dst, value != 0); break;
    default: put_bits(dtype, dst, (uint64_t)value);
    }
}

double mp_load_double(mp_dtype dtype, const void *src) {
    if (mp_is_float(dtype)) return load_float(dtype, src);
    int64_t value = mp_load_int(dtype, src);
    return dtype == MP_UINT64 ? (double)(uint64_t)value : (double)value;
}

void mp_store_double(mp_dtype dtype, void *dst, double value) {
    switch (mp_dtypes[dtype].kind) {
    case 'F': store_float(dtype, dst, value); break;
    case 'B': put_bits(dtype, dst, value != 0); break;
    case 'U': put_bits(dtype, dst, mp_double_to_uint(value)); break;
    default: put_bits(dtype, dst, (uint64_t)mp_double_to_int(value));
    }
}
