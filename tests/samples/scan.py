"""Samples: running results along an axis."""

import numpy as np

from inputs import Sample, X

from .reduce import near_one


def running(rng, n, **attrs):
    yield Sample((X(rng, n),), {"axis": 0, **attrs}, n)
    yield Sample((X(rng, 3, n),), {"axis": -1, **attrs}, n)
    yield Sample((X(rng, n, 3),), {"axis": 0, **attrs}, n)
    yield Sample((X(rng, 2, n, 150),), {"axis": 1, **attrs}, n)
    yield Sample((X(rng, 2, 5, n),), {"axis": 1, **attrs}, 5)


def small_running(**attrs):
    def make(rng, n):
        for s in running(rng, n, **attrs):
            if s.inputs[0].array.size < 20000:
                yield s

    return make


def recurrence(rng, n):
    for s in small_running()(rng, n):
        shape = s.inputs[0].array.shape
        yield Sample((X(rng, *shape, low=-0.9, high=0.9), X(rng, *shape)), s.attrs, 20)


def distinct_lines(make):
    """The same samples with values that lie apart along the axis."""

    def inner(rng, n):
        for s in make(rng, n):
            x, axis = s.inputs[0], s.attrs["axis"]
            order = np.argsort(x.array, axis=axis)
            x.array = order * 0.25 - 0.125 * x.array.shape[axis]
            yield s

    return inner


SAMPLES = {
    "cumsum": small_running(dtype=None),
    "cumprod": near_one(small_running(dtype=None)),
    "cummax": distinct_lines(small_running()),
    "cummin": distinct_lines(small_running()),
    "recurrence": recurrence,
}
