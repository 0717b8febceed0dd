"""References: order, and search in what is sorted."""

import numpy as np


def in_order(f):
    """sort or argsort; descending: stable too, which NumPy has no word for."""

    def make(i, a):
        (x,) = i
        axis = a["axis"]
        order = np.argsort(x, axis=axis, kind="stable")
        if a["descending"]:
            back = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
            order = np.flip(x.shape[axis] - 1 - back, axis)
        return order if f == "argsort" else np.take_along_axis(x, order, axis)

    return make


REFS = {
    "sort": in_order("sort"),
    "argsort": in_order("argsort"),
    "searchsorted": lambda i, a: np.searchsorted(
        i[0], i[1], side="right" if a["right"] else "left"
    ),
}
