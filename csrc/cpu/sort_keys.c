/* Elements as unsigned numbers in their order, and back: see sort.h. */
#include "sort.h"

/* Integers: flipping the sign puts the negative ones first. */
#define INTEGER_KEYS(name, bits, sign)                                                             \
    static inline uint##bits##_t key_##name(uint##bits##_t u, bool equal_zeros) {                  \
        (void)equal_zeros;                                                                         \
        return u ^ (uint##bits##_t)sign;                                                           \
    }                                                                                              \
    static inline uint##bits##_t bits_##name(uint##bits##_t key) {                                 \
        return key ^ (uint##bits##_t)sign;                                                         \
    }

/* Floats: negative ones in reverse, below the others. `most`: the greatest magnitude that is no
 * NaN.
 */
#define FLOAT_KEYS(name, bits, most, nan)                                                          \
    static inline uint##bits##_t key_##name(uint##bits##_t u, bool equal_zeros) {                  \
        const uint##bits##_t sign = (uint##bits##_t)((uint##bits##_t)1 << (bits - 1));             \
        const uint##bits##_t ones = (uint##bits##_t) ~(uint##bits##_t)0;                           \
        uint##bits##_t size = u & (uint##bits##_t) ~sign;                                          \
        if (equal_zeros) u = size == 0 ? 0 : u;                                                    \
        uint##bits##_t key = (uint##bits##_t)(u ^ ((u & sign) ? ones : sign));                     \
        return size > (uint##bits##_t)most ? ones : key;                                           \
    }                                                                                              \
    static inline uint##bits##_t bits_##name(uint##bits##_t key) {                                 \
        const uint##bits##_t sign = (uint##bits##_t)((uint##bits##_t)1 << (bits - 1));             \
        const uint##bits##_t ones = (uint##bits##_t) ~(uint##bits##_t)0;                           \
        uint##bits##_t u = (uint##bits##_t)(key ^ ((key & sign) ? sign : ones));                   \
        return key == ones ? (uint##bits##_t)nan : u;                                              \
    }

#define NARROW(X)                                                                                  \
    X(BOOL, 8)                                                                                     \
    X(UINT8, 8)                                                                                    \
    X(UINT16, 16)                                                                                  \
    X(UINT32, 32)                                                                                  \
    X(INT8, 8)                                                                                     \
    X(INT16, 16)                                                                                   \
    X(INT32, 32)                                                                                   \
    X(FLOAT8_E4M3FN, 8)                                                                            \
    X(FLOAT8_E5M2, 8)                                                                              \
    X(FLOAT16, 16)                                                                                 \
    X(BFLOAT16, 16)                                                                                \
    X(FLOAT32, 32)
#define WIDE(X)                                                                                    \
    X(UINT64, 64)                                                                                  \
    X(INT64, 64)                                                                                   \
    X(FLOAT64, 64)

INTEGER_KEYS(BOOL, 8, 0)
INTEGER_KEYS(UINT8, 8, 0)
INTEGER_KEYS(UINT16, 16, 0)
INTEGER_KEYS(UINT32, 32, 0)
INTEGER_KEYS(UINT64, 64, 0)
INTEGER_KEYS(INT8, 8, 0x80)
INTEGER_KEYS(INT16, 16, 0x8000)
INTEGER_KEYS(INT32, 32, 0x80000000)
INTEGER_KEYS(INT64, 64, 0x8000000000000000)
FLOAT_KEYS(FLOAT8_E4M3FN, 8, 0x7e, 0x7f)
FLOAT_KEYS(FLOAT8_E5M2, 8, 0x7c, 0x7e)
FLOAT_KEYS(FLOAT16, 16, 0x7c00, 0x7e00)
FLOAT_KEYS(BFLOAT16, 16, 0x7f80, 0x7fc0)
FLOAT_KEYS(FLOAT32, 32, 0x7f800000, 0x7fc00000)
FLOAT_KEYS(FLOAT64, 64, 0x7ff0000000000000, 0x7ff8000000000000)

/* ---- loops: dense ones apart, for the compiler to vectorise; flip is all ones to descend ---- */

#define ELEMENT(bits) (*(const uint##bits##_t *)((const char *)x + i * step))

#define KEYS_CASE(name, bits)                                                                      \
    case MP_##name: {                                                                              \
        const uint##bits##_t flip = descending ? (uint##bits##_t) ~(uint##bits##_t)0 : 0;          \
        if (step == bits / 8) {                                                                    \
            const uint##bits##_t *p = x;                                                           \
            for (int64_t i = 0; i < n; i++)                                                        \
                keys[i] = (uint##bits##_t)(key_##name(p[i], false) ^ flip);                        \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                keys[i] = (uint##bits##_t)(key_##name(ELEMENT(bits), false) ^ flip);               \
        }                                                                                          \
        break;                                                                                     \
    }
#define VALUES_CASE(name, bits)                                                                    \
    case MP_##name: {                                                                              \
        const uint##bits##_t flip = descending ? (uint##bits##_t) ~(uint##bits##_t)0 : 0;          \
        if (step == bits / 8) {                                                                    \
            uint##bits##_t *p = y;                                                                 \
            for (int64_t i = 0; i < n; i++) p[i] = bits_##name((uint##bits##_t)(keys[i] ^ flip));  \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                *(uint##bits##_t *)((char *)y + i * step) =                                        \
                    bits_##name((uint##bits##_t)(keys[i] ^ flip));                                 \
        }                                                                                          \
        break;                                                                                     \
    }
#define PAIRS_CASE(name, bits)                                                                     \
    case MP_##name: {                                                                              \
        const uint##bits##_t flip = descending ? (uint##bits##_t) ~(uint##bits##_t)0 : 0;          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            uint64_t key = (uint##bits##_t)(key_##name(ELEMENT(bits), true) ^ flip);               \
            PAIR                                                                                   \
        }                                                                                          \
        break;                                                                                     \
    }

void mp_sort_keys_32(mp_dtype dtype, uint32_t *keys, const void *x, int64_t step, int64_t n,
                     bool descending) {
    switch (dtype) {
        NARROW(KEYS_CASE)
    default: break;
    }
}

void mp_sort_keys_64(mp_dtype dtype, uint64_t *keys, const void *x, int64_t step, int64_t n,
                     bool descending) {
    switch (dtype) {
        WIDE(KEYS_CASE)
    default: break;
    }
}

#define PAIR pairs[i] = key << 32 | (uint32_t)(first + i);
void mp_sort_pairs_64(mp_dtype dtype, uint64_t *pairs, const void *x, int64_t step, int64_t first,
                      int64_t n, bool descending) {
    switch (dtype) {
        NARROW(PAIRS_CASE)
    default: break;
    }
}
#undef PAIR

#define PAIR pairs[i] = (mp_pair){key, (uint64_t)(first + i)};
void mp_sort_pairs_128(mp_dtype dtype, mp_pair *pairs, const void *x, int64_t step, int64_t first,
                       int64_t n, bool descending) {
    switch (dtype) {
        NARROW(PAIRS_CASE)
        WIDE(PAIRS_CASE)
    default: break;
    }
}
#undef PAIR

void mp_sort_values_32(mp_dtype dtype, void *y, int64_t step, const uint32_t *keys, int64_t n,
                       bool descending) {
    switch (dtype) {
        NARROW(VALUES_CASE)
    default: break;
    }
}

void mp_sort_values_64(mp_dtype dtype, void *y, int64_t step, const uint64_t *keys, int64_t n,
                       bool descending) {
    switch (dtype) {
        WIDE(VALUES_CASE)
    default: break;
    }
}
