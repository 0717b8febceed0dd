"""References: products."""

import numpy as np

from .pointwise import gelu, gelu_slope


def linear(i, a):
    x, w, b = i
    y = x @ w.T
    return y if b is None else y + b


def linear_gelu_bwd(i, a):
    gy, z = i
    gz = gy * gelu_slope(z, a["tanh"])
    return gz, gz.sum(axis=tuple(range(z.ndim - 1)))


REFS = {
    "matmul": lambda i, a: np.matmul(i[0], i[1]),
    "linear": linear,
    "linear_gelu": lambda i, a: gelu(linear(i, a), a["tanh"]),
    "linear_gelu_bwd": linear_gelu_bwd,
}
