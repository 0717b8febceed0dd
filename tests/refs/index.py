"""References: lookups, indexing by arrays, elements along an axis."""

import math

import numpy as np


def embedding_bwd(i, a):
    gy, indices = i
    out = np.zeros((a["count"], gy.shape[-1]))
    rows = np.where(indices < 0, indices + a["count"], indices).reshape(-1)
    keep = rows != a["padding_idx"]
    np.add.at(out, rows[keep], gy.reshape(rows.size, gy.shape[-1])[keep])
    return out


def take_bwd(i, a):
    gy, indices = i
    axis = a["axis"]
    lead, tail = gy.shape[:axis], gy.shape[axis + indices.ndim :]
    g = np.moveaxis(gy.reshape(*lead, indices.size, *tail), axis, 0)
    out = np.zeros((a["count"], *lead, *tail))
    np.add.at(out, indices.reshape(-1), g)
    return np.moveaxis(out, 0, axis)


def selected(x, arrays, a):
    """The positions in x, flattened, of what index arrays select: see csrc/index.h."""
    at = np.arange(x.size).reshape(x.shape)
    parts = [(p, s if s >= 0 else -1 - s) for p, s, _ in np.reshape(a["axes"], (-1, 3)).tolist()]
    shape, axes, done = [], [], 0
    for first, span in parts:  # the axes of a part become one
        shape += [*x.shape[done:first], math.prod(x.shape[first : first + span])]
        axes.append(len(shape) - 1)
        done = first + span
    at = np.moveaxis(at.reshape([*shape, *x.shape[done:]]), axes, range(len(axes)))
    wide = np.broadcast(*arrays).ndim
    places = range(a["axis"], a["axis"] + wide)
    return np.moveaxis(at[tuple(arrays)], range(wide), places)


def index_put(i, a):
    x, value, *arrays = i
    y = x.copy().reshape(-1)
    y[selected(x, arrays, a)] = value
    return y.reshape(x.shape)


def index_add(i, a):
    x, value, *arrays = i
    y = x.copy().reshape(-1)
    np.add.at(y, selected(x, arrays, a), value)
    return y.reshape(x.shape)


def take_along_axis_bwd(i, a):
    gy, indices = i
    axis = a["axis"] % gy.ndim
    shape = list(gy.shape)
    shape[axis] = a["count"]
    out = np.zeros(shape)
    places = list(np.indices(gy.shape, sparse=True))
    places[axis] = indices
    np.add.at(out, tuple(places), gy)
    return out


REFS = {
    "embedding": lambda i, a: i[0][i[1]],
    "embedding_bwd": embedding_bwd,
    "take": lambda i, a: np.take(i[0], i[1], axis=a["axis"]),
    "take_bwd": take_bwd,
    "index": lambda i, a: i[0].reshape(-1)[selected(i[0], i[1:], a)],
    "index_put": index_put,
    "index_add": index_add,
    "nonzero": lambda i, a: np.flatnonzero(i[0]),
    "take_along_axis": lambda i, a: np.take_along_axis(i[0], i[1], axis=a["axis"]),
    "take_along_axis_bwd": take_along_axis_bwd,
}
