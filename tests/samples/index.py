"""Samples: lookups, indexing by arrays, elements along an axis."""

import numpy as np

from inputs import G, In, Sample, X, ints


def embedding(rng, n):
    yield Sample((X(rng, 5, n), ints(rng, 5, 4, 3)), {"padding_idx": -1})
    yield Sample((X(rng, 7, 3), ints(rng, 7, n, dtype=np.int32)), {"padding_idx": -1})


def embedding_bwd(rng, n):
    yield Sample(
        (G(rng, 4, 3, n), ints(rng, 5, 4, 3)), {"count": 5, "padding_idx": -1, "dtype": None}, 12
    )
    yield Sample((G(rng, n, 3), ints(rng, 7, n)), {"count": 7, "padding_idx": 2, "dtype": None}, n)


def take(rng, n):
    yield Sample((X(rng, 5, n), ints(rng, 5, 4)), {"axis": 0})
    yield Sample((X(rng, 2, 5, 3), ints(rng, 5, n)), {"axis": 1})
    yield Sample((X(rng, n, 4), ints(rng, 4, 2, 3)), {"axis": 1})


def take_bwd(rng, n):
    yield Sample((G(rng, 4, n), ints(rng, 5, 4)), {"axis": 0, "count": 5, "dtype": None}, 4)
    yield Sample((G(rng, 2, n, 3), ints(rng, 5, n)), {"axis": 1, "count": 5, "dtype": None}, n)


def indexed(rng, n, repeats=True):
    """x, the shape of a selection of it, the index arrays and the attributes that say so."""

    def draw(high, *shape, dtype=np.int64):
        if repeats:
            return ints(rng, high, *shape, low=-high, dtype=dtype)
        size = int(np.prod(shape))
        return In(rng.permutation(high)[:size].reshape(shape).astype(dtype), "distinct")

    x = X(rng, 40, n)
    yield x, (3, 4, n), (draw(40, 3, 4),), {"axis": 0, "axes": [0, 1, 0]}
    x = X(rng, n, 12, 3)  # columns, by a dtype that places are made of
    yield x, (n, 5, 3), (draw(12, 5, dtype=np.int8),), {"axis": 1, "axes": [1, 1, 1]}
    x = X(rng, 6, 2, 12)  # two arrays apart, broadcast together
    arrays = (draw(6, 4, 1), draw(12, 3, dtype=np.int32))
    yield x, (4, 3, 2), arrays, {"axis": 0, "axes": [0, 1, 0, 2, 1, 2]}
    x = X(rng, 3, 4, n)  # positions over two axes, as a mask's
    at = In(np.array([0, 2, 3, 7, 11]), "fixed")
    yield x, (5, n), (at,), {"axis": 0, "axes": [0, -3, 0]}
    x = X(rng, 2, n)  # no axis: a 0-d mask
    yield x, (1, 2, n), (In(np.zeros(1, np.int64), "fixed"),), {"axis": 0, "axes": [0, 0, 0]}


def index(rng, n):
    for x, _, arrays, attrs in indexed(rng, n):
        yield Sample((x, *arrays), attrs)


def index_put(rng, n):
    for x, shape, arrays, attrs in indexed(rng, n, repeats=False):
        yield Sample((x, G(rng, *shape), *arrays), attrs)
        yield Sample((x, G(rng), *arrays), attrs, 60)


def index_add(rng, n):
    for x, shape, arrays, attrs in indexed(rng, n):
        yield Sample((x, G(rng, *shape), *arrays), attrs, 12)


def nonzero(rng, n):
    for shape in ((1, n), (4, n, 3), (3, 400 * n)):  # its first axis may be broadcast
        mask = np.repeat(rng.random((1, *shape[1:])) > 0.5, shape[0], axis=0)
        yield Sample((In(mask, "fixed"),), {"count": int(mask.sum())})


def take_along_axis(rng, n):
    yield Sample((X(rng, 5), ints(rng, 5, n, low=-5)), {"axis": 0})
    yield Sample((X(rng, 3, 5), ints(rng, 5, 3, n)), {"axis": 1})
    yield Sample((X(rng, 5, n), ints(rng, 5, 4, n, dtype=np.int32, low=-5)), {"axis": 0})
    yield Sample((X(rng, 2, 5, 3), ints(rng, 5, 2, n, 3)), {"axis": 1})


def take_along_axis_bwd(rng, n):
    a = {"count": 5, "dtype": None}
    yield Sample((G(rng, n), ints(rng, 5, n, low=-5)), {"axis": 0, **a}, n)
    yield Sample((G(rng, 4, n), ints(rng, 5, 4, n)), {"axis": 0, **a}, 4)
    yield Sample((G(rng, 2, n, 3), ints(rng, 5, 2, n, 3)), {"axis": 1, **a}, n)


SAMPLES = {
    "embedding": embedding,
    "embedding_bwd": embedding_bwd,
    "take": take,
    "take_bwd": take_bwd,
    "index": index,
    "index_put": index_put,
    "index_add": index_add,
    "nonzero": nonzero,
    "take_along_axis": take_along_axis,
    "take_along_axis_bwd": take_along_axis_bwd,
}
