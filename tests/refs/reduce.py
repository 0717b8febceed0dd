"""References: reductions."""

import warnings

import numpy as np


def axes_of(a):
    return None if a["axes"] is None else tuple(np.atleast_1d(a["axes"]))


def quiet(f, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return f(*args, **kwargs)


def reduction(f):
    return lambda i, a: quiet(f, i[0], axis=axes_of(a), keepdims=bool(a["keepdims"]))


def var(i, a):
    return quiet(np.var, i[0], axis=axes_of(a), keepdims=bool(a["keepdims"]), ddof=a["ddof"])


def logsumexp(i, a):
    (x,) = i
    axes = axes_of(a)
    most = x.max(axis=axes, keepdims=True, initial=-np.inf)
    most = np.where(np.isfinite(most), most, 0.0)
    with np.errstate(divide="ignore"):
        y = np.log(np.exp(x - most).sum(axis=axes, keepdims=True)) + most
    return y if a["keepdims"] else y.reshape(np.sum(x, axis=axes).shape)


REFS = {
    "sum": reduction(np.sum),
    "mean": reduction(np.mean),
    "var": var,
    "max": reduction(np.max),
    "min": reduction(np.min),
    "prod": reduction(np.prod),
    "logsumexp": logsumexp,
    "all": reduction(np.all),
    "any": reduction(np.any),
    "count_nonzero": reduction(np.count_nonzero),
    "argmax": lambda i, a: np.argmax(i[0], axis=a["axis"], keepdims=bool(a["keepdims"])),
    "argmin": lambda i, a: np.argmin(i[0], axis=a["axis"], keepdims=bool(a["keepdims"])),
}
