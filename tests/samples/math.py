"""Samples: functions of each element: whole quotients, bits, tests, mathematics, rounding."""

import numpy as np

from .pointwise import apart, compared, divided, many, one, ordered, two


def unequal_parts(rng, n):
    """Operands whose quotient is not near a whole number."""
    for s in divided(rng, n):
        x1, x2 = s.inputs
        shape = np.broadcast_shapes(x1.array.shape, x2.array.shape)
        whole = rng.integers(-4, 4, shape)
        x1.array = (whole + rng.uniform(0.2, 0.8, shape)) * x2.array
        yield s


def shifted(rng, n):
    """Values, and counts that are mostly in range."""
    for s in two(rng, n):
        s.inputs[1].array = np.abs(s.inputs[1].array)
        yield s


SAMPLES = {
    **dict.fromkeys(("floor_divide", "remainder", "fmod"), unequal_parts),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), compared),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), compared),
    **dict.fromkeys(("bitwise_left_shift", "bitwise_right_shift"), shifted),
    **dict.fromkeys(("bitwise_invert", "isnan", "isinf", "isfinite", "signbit"), one()),
    "logical_not": many(one(), one(low=0.0, high=0.0)),
    **dict.fromkeys(("sin", "cos"), many(one(low=-9.0, high=9.0), one(low=-0.5, high=0.5))),
    "tan": one(low=-1.2, high=1.2),
    **dict.fromkeys(("asin", "acos", "atanh"), one(low=-0.9, high=0.9)),
    **dict.fromkeys(("atan", "asinh"), one(low=-5.0, high=5.0)),
    **dict.fromkeys(("sinh", "cosh", "exp2", "expm1", "erf", "positive"), one()),
    "acosh": one(low=1.25, high=9.0),
    "log1p": one(low=-0.5, high=9.0),
    **dict.fromkeys(("log2", "log10"), one(low=0.25, high=9.0)),
    "cbrt": one(kinks=(0.0,)),
    **dict.fromkeys(("floor", "ceil", "trunc"), one(kinks=(-2.0, -1.0, 0.0, 1.0, 2.0))),
    "round": one(kinks=(-1.5, -0.5, 0.5, 1.5)),
    **dict.fromkeys(("atan2", "hypot", "copysign"), apart),
    **dict.fromkeys(("logaddexp", "nextafter"), two),
    **dict.fromkeys(("fmax", "fmin"), ordered),
}
