"""Samples: casts, copies and views."""

from inputs import G, Sample, X, away

from .pointwise import one


def cast(rng, n):
    for dtype in ("float32", "float16", "bfloat16", "float64", "float8_e4m3fn", "int32", "bool"):
        x = away(X(rng, n, low=-4, high=4), 0.0, gap=0.6)
        yield Sample((x,), {"dtype": dtype})


def reshape(rng, n):
    yield Sample((X(rng, 2, n, 3),), {"shape": (n, 6)})
    yield Sample((X(rng, n),), {"shape": (n, 1, 1)})


def permute(rng, n):
    yield Sample((X(rng, 2, n, 3),), {"perm": (2, 0, 1)})
    yield Sample((X(rng, n),), {"perm": (0,)})


def expand(rng, n):
    yield Sample((X(rng, n, 1),), {"shape": (2, n, 3)})
    yield Sample((X(rng),), {"shape": (n,)})


def sliced(rng, n):
    """Geometries: starts, steps, extents."""
    k = (n + 1) // 2
    yield Sample((X(rng, n, 4),), {"geometry": (0, 1, 2, 2, k, 2)})
    if n:
        yield Sample((X(rng, n, 4),), {"geometry": (n - 1, 3, -1, -2, n, 2)})


def slice_bwd(rng, n):
    """Geometries: starts, steps, shape of what was sliced."""
    k = (n + 1) // 2
    yield Sample((G(rng, k, 2),), {"geometry": (0, 1, 2, 2, n, 4)})
    if n:
        yield Sample((G(rng, n, 2),), {"geometry": (n - 1, 3, -1, -2, n, 4)})


def as_strided(rng, n):
    if n:
        yield Sample((X(rng, n, 4),), {"geometry": (n, 2, 4, 1, 1)})
        yield Sample((X(rng, n, 4),), {"geometry": (n, 3, 1, 0, 2)})


def view_set(rng, n):
    if n:
        yield Sample((X(rng, n, 4), X(rng, n, 2)), {"geometry": (n, 2, 4, 1, 1)})


def concatenate(rng, n):
    yield Sample((X(rng, n, 3), X(rng, 2, 3), X(rng, n, 3)), {"axis": 0})
    yield Sample((X(rng, 2, n), X(rng, 2, 1)), {"axis": -1})


def pad(rng, n):
    yield Sample((X(rng, n, 2),), {"pads": (1, 2, 0, 3), "value": 0.5})
    yield Sample((X(rng, n),), {"pads": (0, 1), "value": 0.0})


SAMPLES = {
    "cast": cast,
    "copy": one(),
    "reshape": reshape,
    "permute": permute,
    "expand": expand,
    "slice": sliced,
    "slice_bwd": slice_bwd,
    "as_strided": as_strided,
    "view_set": view_set,
    "concatenate": concatenate,
    "pad": pad,
}
