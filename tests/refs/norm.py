"""References: layer norm and its kin."""

import math

import numpy as np


def norm_stats(x, n_axes, eps):
    axes = tuple(range(x.ndim - n_axes, x.ndim))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = x.mean(axis=axes, keepdims=True) if x.size else x.sum(axis=axes, keepdims=True)
        var = ((x - mean) ** 2).mean(axis=axes, keepdims=True) if x.size else mean
    return axes, mean, 1 / np.sqrt(var + eps)


def rms_stat(x, n_axes, eps):
    axes = tuple(range(x.ndim - n_axes, x.ndim))
    square = (
        (x * x).mean(axis=axes, keepdims=True) if x.size else (x * x).sum(axis=axes, keepdims=True)
    )
    return axes, 1 / np.sqrt(square + eps)


def layer_norm(i, a):
    x, w, b = i
    _, mean, rstd = norm_stats(x, a["n_axes"], a["eps"])
    y = (x - mean) * rstd * (1 if w is None else w)
    return y if b is None else y + b


def layer_norm_bwd(i, a):
    gy, x, w, mean, rstd = i
    n = a["n_axes"]
    axes = tuple(range(x.ndim - n, x.ndim))
    lead = tuple(range(x.ndim - n))
    mean, rstd = (s.reshape(x.shape[: x.ndim - n] + (1,) * n) for s in (mean, rstd))
    xhat = (x - mean) * rstd
    g = gy if w is None else gy * w
    count = max(math.prod(x.shape[x.ndim - n :]), 1)
    gx = rstd * (
        g
        - g.sum(axis=axes, keepdims=True) / count
        - xhat * (g * xhat).sum(axis=axes, keepdims=True) / count
    )
    return gx, (gy * xhat).sum(axis=lead), gy.sum(axis=lead)


def add_layer_norm(i, a):
    x, residual, w, b = i
    return layer_norm((x + residual, w, b), a), x + residual


def add_layer_norm_bwd(i, a):
    gy, gh, *rest = i
    gx, gw, gb = layer_norm_bwd((gy, *rest), a)
    return gx if gh is None else gx + gh, gw, gb


def rms_norm(i, a):
    x, w = i
    _, rstd = rms_stat(x, a["n_axes"], a["eps"])
    return x * rstd * (1 if w is None else w)


def rms_norm_bwd(i, a):
    gy, x, w, rstd = i
    n = a["n_axes"]
    axes = tuple(range(x.ndim - n, x.ndim))
    rstd = rstd.reshape(x.shape[: x.ndim - n] + (1,) * n)
    g = gy if w is None else gy * w
    count = max(math.prod(x.shape[x.ndim - n :]), 1)
    gx = rstd * (g - x * rstd**2 * (g * x).sum(axis=axes, keepdims=True) / count)
    return gx, (gy * x * rstd).sum(axis=tuple(range(x.ndim - n)))


REFS = {
    "layer_norm": layer_norm,
    "layer_norm_bwd": layer_norm_bwd,
    "add_layer_norm": add_layer_norm,
    "add_layer_norm_bwd": add_layer_norm_bwd,
    "rms_norm": rms_norm,
    "rms_norm_bwd": rms_norm_bwd,
}
