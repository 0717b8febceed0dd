"""Samples: dropout."""

from inputs import Sample, X


def dropout(rng, n):
    for p in (0.0, 0.25):
        yield Sample((X(rng, n),), {"p": p, "seed": 1234567890123, "offset": 7})
    yield Sample((X(rng, 3, n),), {"p": 0.5, "seed": 1, "offset": 2**40 + 1})


SAMPLES = {
    "dropout": dropout,
}
