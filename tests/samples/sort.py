"""Samples: order, and search in what is sorted."""

import numpy as np

from inputs import Sample, X

from .scan import distinct_lines, small_running


def unsorted(rng, n):
    for descending in (False, True):
        yield from distinct_lines(small_running(descending=descending))(rng, n)


def searchsorted(rng, n):
    for right in (False, True):
        x = X(rng, n)
        x.array = np.sort(np.round(x.array * 2) / 2)
        values = X(rng, 3, 7, low=-3.0, high=3.0)
        values.array = np.round(values.array * 2) / 2
        yield Sample((x, values), {"right": right})


SAMPLES = {
    "sort": unsorted,
    "argsort": unsorted,
    "searchsorted": searchsorted,
}
