"""Samples: softmax and its kin."""

import numpy as np

from inputs import G, In, Sample, X
from refs.softmax import log_softmax, softmax


def soft(rng, n):
    yield Sample((X(rng, 3, n),), {"axis": -1, "dtype": None}, n)
    yield Sample((X(rng, 2, n, 3),), {"axis": 1, "dtype": None}, n)
    yield Sample((X(rng, n, 4, low=-9, high=9),), {"axis": 1, "dtype": None}, 4)


def soft_bwd(f):
    def make(rng, n):
        for shape, axis in (((3, n), -1), ((2, n, 3), 1), ((n, 4), 1)):
            x = rng.uniform(-2, 2, shape)
            y = f(x, axis) if x.size else x
            yield Sample((G(rng, *shape), In(y)), {"axis": axis}, shape[axis])

    return make


def scaled_masked_softmax(rng, n):
    for causal in (False, True):
        a = {"scale": 0.5, "causal": causal}
        keep = rng.integers(0, 4, (n, 5)) > 0
        keep[1::7] = False
        yield Sample((X(rng, n, 5), None), a, 5)
        yield Sample((X(rng, n, 5), In(keep, "fixed")), a, 5)
        yield Sample((X(rng, 2, 3, n), X(rng, 2, 1, n)), a, n)
        yield Sample((X(rng, 2, 3, n), In(rng.integers(0, 2, (n,)) > 0, "fixed")), a, n)
        yield Sample((X(rng, 2, n, 4), X(rng, n, 1)), a, 4)
    yield Sample((X(rng, n), X(rng)), {"scale": -1.5, "causal": False}, n)


def scaled_masked_softmax_bwd(rng, n):
    for shape in ((3, n), (2, n, 4)):
        y = softmax(rng.uniform(-2, 2, shape), -1) if n else np.zeros(shape)
        yield Sample((G(rng, *shape), In(y)), {"scale": 0.5}, shape[-1])


SAMPLES = {
    "softmax": soft,
    "log_softmax": soft,
    "softmax_bwd": soft_bwd(softmax),
    "scaled_masked_softmax": scaled_masked_softmax,
    "scaled_masked_softmax_bwd": scaled_masked_softmax_bwd,
    "log_softmax_bwd": soft_bwd(log_softmax),
}
