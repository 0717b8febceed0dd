"""References of the functions of each element beyond arithmetic: a part of refs.REFS."""

import math

import numpy as np


def one(f):
    return lambda i, a: f(i[0])


def two(f):
    return lambda i, a: f(i[0], i[1])


def floor_divide(x1, x2):
    """NumPy's, but for infinities, where the array API standard asks for what division gives."""
    y = np.asarray(np.floor_divide(x1, x2))
    if y.dtype.kind != "f":
        return y
    infinite = np.isinf(x1) | np.isinf(x2)
    return np.where(infinite, np.divide(x1, x2), y).astype(y.dtype)


MATH = {
    "floor_divide": two(floor_divide),
    "remainder": two(np.remainder),
    "fmod": two(np.fmod),
    "bitwise_and": two(np.bitwise_and),
    "bitwise_or": two(np.bitwise_or),
    "bitwise_xor": two(np.bitwise_xor),
    "bitwise_invert": one(np.invert),
    "bitwise_left_shift": two(np.left_shift),
    "bitwise_right_shift": two(np.right_shift),
    "isnan": one(np.isnan),
    "isinf": one(np.isinf),
    "isfinite": one(np.isfinite),
    "signbit": one(np.signbit),
    "logical_not": one(np.logical_not),
    "logical_and": two(np.logical_and),
    "logical_or": two(np.logical_or),
    "logical_xor": two(np.logical_xor),
    "sin": one(np.sin),
    "cos": one(np.cos),
    "tan": one(np.tan),
    "asin": one(np.arcsin),
    "acos": one(np.arccos),
    "atan": one(np.arctan),
    "sinh": one(np.sinh),
    "cosh": one(np.cosh),
    "asinh": one(np.arcsinh),
    "acosh": one(np.arccosh),
    "atanh": one(np.arctanh),
    "exp2": one(np.exp2),
    "expm1": one(np.expm1),
    "log1p": one(np.log1p),
    "log2": one(np.log2),
    "log10": one(np.log10),
    "cbrt": one(np.cbrt),
    "erf": one(np.vectorize(math.erf, otypes=[np.float64])),
    "atan2": two(np.arctan2),
    "hypot": two(np.hypot),
    "copysign": two(np.copysign),
    "nextafter": two(np.nextafter),
    "logaddexp": two(np.logaddexp),
    "fmax": two(np.fmax),
    "fmin": two(np.fmin),
    "floor": one(np.floor),
    "ceil": one(np.ceil),
    "trunc": one(np.trunc),
    "round": one(np.rint),
    "positive": one(np.positive),
}
