"""References: functions of each element: whole quotients, bits, tests, mathematics, rounding."""

import numpy as np

from .pointwise import binary, erf, unary


def floor_divide(x1, x2):
    """NumPy's, but for infinities, where the array API standard asks for what division gives."""
    y = np.asarray(np.floor_divide(x1, x2))
    if y.dtype.kind != "f":
        return y
    infinite = np.isinf(x1) | np.isinf(x2)
    return np.where(infinite, np.divide(x1, x2), y).astype(y.dtype)


REFS = {
    "floor_divide": binary(floor_divide),
    "remainder": binary(np.remainder),
    "fmod": binary(np.fmod),
    "bitwise_and": binary(np.bitwise_and),
    "bitwise_or": binary(np.bitwise_or),
    "bitwise_xor": binary(np.bitwise_xor),
    "bitwise_invert": unary(np.invert),
    "bitwise_left_shift": binary(np.left_shift),
    "bitwise_right_shift": binary(np.right_shift),
    "isnan": unary(np.isnan),
    "isinf": unary(np.isinf),
    "isfinite": unary(np.isfinite),
    "signbit": unary(np.signbit),
    "logical_not": unary(np.logical_not),
    "logical_and": binary(np.logical_and),
    "logical_or": binary(np.logical_or),
    "logical_xor": binary(np.logical_xor),
    "sin": unary(np.sin),
    "cos": unary(np.cos),
    "tan": unary(np.tan),
    "asin": unary(np.arcsin),
    "acos": unary(np.arccos),
    "atan": unary(np.arctan),
    "sinh": unary(np.sinh),
    "cosh": unary(np.cosh),
    "asinh": unary(np.arcsinh),
    "acosh": unary(np.arccosh),
    "atanh": unary(np.arctanh),
    "exp2": unary(np.exp2),
    "expm1": unary(np.expm1),
    "log1p": unary(np.log1p),
    "log2": unary(np.log2),
    "log10": unary(np.log10),
    "cbrt": unary(np.cbrt),
    "erf": unary(erf),
    "atan2": binary(np.arctan2),
    "hypot": binary(np.hypot),
    "copysign": binary(np.copysign),
    "nextafter": binary(np.nextafter),
    "logaddexp": binary(np.logaddexp),
    "fmax": binary(np.fmax),
    "fmin": binary(np.fmin),
    "floor": unary(np.floor),
    "ceil": unary(np.ceil),
    "trunc": unary(np.trunc),
    "round": unary(np.rint),
    "positive": unary(np.positive),
}
