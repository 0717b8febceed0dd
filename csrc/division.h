/* Whole quotients of floats and the remainders that have the divisor's sign, as every kernel and
 * the arithmetic of single numbers compute them. Remainders as Python's. Quotients as the array API
 * standard has them: of infinities, and by infinities and zeros, they are what division gives. */
#ifndef MP_DIVISION_H
#define MP_DIVISION_H

#include <math.h>

#define MP_FLOAT_DIVISION(type, s, bits)                                                           \
    static inline type mp_remainder_##bits(type a, type b) {                                       \
        type rest = fmod##s(a, b);                                                                 \
        if (b == 0 || rest != rest) return rest;                                                   \
        if (rest == 0) return copysign##s(0, b);                                                   \
        return (b < 0) != (rest < 0) ? rest + b : rest;                                            \
    }                                                                                              \
    static inline type mp_floor_divide_##bits(type a, type b) {                                    \
        if (b == 0 || isinf(a) || isinf(b)) return a / b;                                          \
        type rest = fmod##s(a, b), q = (a - rest) / b;                                             \
        if (rest != 0 && (b < 0) != (rest < 0)) q -= 1;                                            \
        if (q == 0) return copysign##s(0, a / b);                                                  \
        type down = floor##s(q);                                                                   \
        return q - down > (type)0.5 ? down + 1 : down;                                             \
    }
MP_FLOAT_DIVISION(float, f, f32)
MP_FLOAT_DIVISION(double, , f64)
#undef MP_FLOAT_DIVISION

#endif
