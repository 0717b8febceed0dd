"""References: running results along an axis."""

import numpy as np


def recurrence(i, a):
    factors, terms = (np.moveaxis(x, a["axis"], 0) for x in i)
    y = np.zeros_like(terms)
    for k in range(len(terms)):
        y[k] = terms[k] + (factors[k] * y[k - 1] if k else 0.0)
    return np.moveaxis(y, 0, a["axis"])


REFS = {
    "cumsum": lambda i, a: np.cumsum(i[0], axis=a["axis"]),
    "cumprod": lambda i, a: np.cumprod(i[0], axis=a["axis"]),
    "cummax": lambda i, a: np.maximum.accumulate(i[0], axis=a["axis"]),
    "cummin": lambda i, a: np.minimum.accumulate(i[0], axis=a["axis"]),
    "recurrence": recurrence,
}
