"""Samples: products."""

from inputs import G, Sample, X, rounded


def matmul(rng, n):
    a = {"dtype": None}
    yield Sample((X(rng, 3, n), X(rng, n, 5)), a, n)
    yield Sample((X(rng, n, 3), X(rng, 3, 2)), a, 3)
    yield Sample((X(rng, n), X(rng, n)), a, n)
    yield Sample((X(rng, 2, n), X(rng, n)), a, n)
    yield Sample((X(rng, n), X(rng, n, 2)), a, n)
    if n < 100:
        yield Sample((X(rng, 2, 1, 3, n), X(rng, 4, n, 5)), a, n)


def linear(rng, n):
    a = {"dtype": None}
    yield Sample((X(rng, 3, n), X(rng, 5, n), X(rng, 5)), a, n)
    yield Sample((X(rng, n, 7), X(rng, 3, 7), None), a, 7)
    yield Sample((X(rng, 7), X(rng, n, 7), X(rng, n)), a, 7)
    yield Sample((X(rng, 2, 3, n), X(rng, 2, n), X(rng, 2)), a, n)


def linear_gelu(rng, n):
    """With products that are exact: gelu is steeper than what it gives in its tail."""
    for tanh in (False, True):
        few = X(rng, 5, n)
        few.array[:, 4:] = 0.0
        a = {"tanh": tanh}
        yield Sample(rounded(2, X(rng, 3, n), few, X(rng, 5)), a, 4)
        yield Sample((*rounded(2, X(rng, n, 4), X(rng, 3, 4)), None), a, 4)
        yield Sample(rounded(2, X(rng, 4), X(rng, n, 4), X(rng, n)), a, 4)
        yield Sample(rounded(2, X(rng, 2, n, 3), X(rng, 8, 3), X(rng, 8)), a, max(3, 2 * n))


def linear_gelu_bwd(rng, n):
    for tanh in (False, True):
        for shape in ((n, 8), (2, 3, n), (n,)):
            yield Sample((G(rng, *shape), X(rng, *shape)), {"tanh": tanh}, max(n, 6))


SAMPLES = {
    "matmul": matmul,
    "linear": linear,
    "linear_gelu": linear_gelu,
    "linear_gelu_bwd": linear_gelu_bwd,
}
