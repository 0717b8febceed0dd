"""References: dropout."""

import numpy as np

from .create import unit_floats


def dropout(i, a):
    (x,) = i
    keep = unit_floats(a, x.size).reshape(x.shape) >= a["p"]
    return np.where(keep, x / (1 - a["p"]), 0.0)


REFS = {
    "dropout": dropout,
}
