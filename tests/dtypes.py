"""The dtypes by name, and how exact results in them are."""

import ml_dtypes
import numpy as np

FLOATS = ("float32", "float16", "bfloat16", "float64")
FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = ("bool", *INTS, *FLOATS, *FLOAT8)


def dtype_of(name):
    """The numpy.dtype of that name, ml_dtypes' included."""
    return np.dtype(getattr(ml_dtypes, str(name), name))


def is_float(dtype):
    return dtype_of(dtype).name in FLOATS + FLOAT8


def tolerance(dtype, length=1):
    """(rtol, atol) of a result of that dtype which sums `length` terms of order 1 in float32
    (float64 for float64): one rounding to the dtype, and a few per term in the accumulator."""
    dtype = dtype_of(dtype)
    if not is_float(dtype):
        return 0.0, 0.0
    info = ml_dtypes.finfo(dtype)
    eps, least = float(info.eps), float(info.smallest_subnormal)
    unit = float(np.finfo(np.float64 if dtype == np.float64 else np.float32).eps)
    return eps + 8 * unit, least + unit * (8 + 2 * length)
