"""References: softmax and its kin."""

import numpy as np


def log_softmax(x, axis):
    if x.shape[axis] == 0:
        return x
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def softmax(x, axis):
    return np.exp(log_softmax(x, axis))


def scaled_masked_softmax(i, a):
    x, mask = i
    x = x * a["scale"]
    if mask is not None:
        x = np.where(mask, x, -np.inf) if mask.dtype == bool else x + mask
    if a["causal"]:
        x = np.where(np.tri(*x.shape[-2:], dtype=bool), x, -np.inf)
    most = x.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(x - np.where(most == -np.inf, 0.0, most))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1.0, total)


def softmax_bwd(i, axis):
    gy, y = i
    return y * (gy - (gy * y).sum(axis=axis, keepdims=True))


REFS = {
    "softmax": lambda i, a: softmax(i[0], a["axis"]),
    "log_softmax": lambda i, a: log_softmax(i[0], a["axis"]),
    "softmax_bwd": lambda i, a: softmax_bwd(i, a["axis"]),
    "scaled_masked_softmax": scaled_masked_softmax,
    "scaled_masked_softmax_bwd": lambda i, a: a["scale"] * softmax_bwd(i, -1),
    "log_softmax_bwd": lambda i, a: i[0] - np.exp(i[1]) * i[0].sum(axis=a["axis"], keepdims=True),
}
