"""Samples: reductions."""

import numpy as np

from inputs import Sample, X


def reduce(*more, last=None, empty=True):
    """Reductions; `empty`: over nothing is defined."""

    def make(rng, n):
        last_attr = {} if last is None else dict(last)
        if n or empty:
            yield Sample((X(rng, n),), {"axes": None, "keepdims": False, **last_attr}, n)
            yield Sample((X(rng, 3, n),), {"axes": (-1,), "keepdims": True, **last_attr}, n)
            yield Sample((X(rng, n, 3),), {"axes": (0,), "keepdims": False, **last_attr}, n)
            yield Sample((X(rng, 2, n, 2),), {"axes": (0, 2), "keepdims": False, **last_attr}, 4)
            yield Sample((X(rng, 2, n, 2),), {"axes": (1, 2), "keepdims": True, **last_attr}, 2 * n)
        yield Sample((X(rng, n, 3),), {"axes": (1,), "keepdims": False, **last_attr}, 3)

    return make


def distinct(make):
    """The same samples with values that lie apart."""

    def inner(rng, n):
        for s in make(rng, n):
            x = s.inputs[0]
            if "axes" in s.attrs and x.array.ndim == 3 and not n:
                continue
            flat = np.arange(x.array.size) % 97
            x.array = rng.permutation(flat * 0.25 + flat // 97 * 0.01).reshape(x.array.shape)
            yield s

    return inner


def variance(rng, n):
    yield from reduce(last={"ddof": 0})(rng, n)
    if n > 1:
        yield Sample((X(rng, 2, n),), {"axes": (1,), "keepdims": False, "ddof": 1}, n)


def arg(rng, n):
    if n:
        yield Sample((X(rng, n),), {"axis": 0, "keepdims": False})
        yield Sample((X(rng, 3, n),), {"axis": -1, "keepdims": True})
        yield Sample((X(rng, 2, n, 3),), {"axis": 1, "keepdims": False})
    yield Sample((X(rng, n, 3),), {"axis": 1, "keepdims": False})


def near_one(make):
    """The same samples with ones and a zero among the values: products of them stay near 1."""

    def inner(rng, n):
        for s in make(rng, n):
            x = s.inputs[0]
            x.array = np.where(rng.integers(0, 8, x.array.shape) > 0, 1.0, x.array)
            if x.array.size > 3:
                x.array.reshape(-1)[2] = 0.0
            yield s

    return inner


def truths(rng, n):
    """Rows without zeros, rows of zeros, and mixed ones."""
    for s in reduce()(rng, n):
        x = s.inputs[0]
        if x.array.ndim > 1:
            x.array[:1] = 0.0
        x.array[-1:] = np.round(x.array[-1:])
        yield s


SAMPLES = {
    "sum": reduce(last={"dtype": None}),
    "mean": reduce(last={"dtype": None}),
    "var": variance,
    "max": distinct(reduce(empty=False)),
    "min": distinct(reduce(empty=False)),
    "prod": near_one(reduce(last={"dtype": None})),
    "logsumexp": reduce(empty=True),
    "all": truths,
    "any": truths,
    "count_nonzero": truths,
    "argmax": arg,
    "argmin": arg,
}
