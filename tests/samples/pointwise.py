"""Samples: arithmetic, comparisons, activations and their backward rows."""

import numpy as np

from inputs import G, In, Sample, X, away


def two(rng, n, **kwargs):
    """Operands of one shape, of shapes that broadcast, and with a 0-d one."""
    yield Sample((X(rng, n, **kwargs), X(rng, n, **kwargs)), {})
    yield Sample((X(rng, n, 1, **kwargs), X(rng, 3, **kwargs)), {})
    yield Sample((X(rng, 2, n, **kwargs), X(rng, **kwargs)), {})


def ordered(rng, n):
    """Operands without ties."""
    for s in two(rng, n):
        x1, x2 = s.inputs
        x1.array = np.round(x1.array * 4) / 4
        x2.array = np.round(x2.array * 4) / 4 + 0.125
        yield s


def compared(rng, n):
    """Operands with ties."""
    for s in two(rng, n):
        for x in s.inputs:
            x.array = np.round(x.array)
        yield s


def divided(rng, n):
    for s in two(rng, n):
        s.inputs[1].array = np.abs(s.inputs[1].array) + 0.5
        yield s


def powered(rng, n):
    for s in two(rng, n):
        s.inputs[0].array = np.abs(s.inputs[0].array) + 0.25
        yield s


def chosen(rng, n):
    for s in two(rng, n):
        condition = In(
            rng.integers(0, 2, np.broadcast_shapes(*[x.array.shape for x in s.inputs])) > 0, "fixed"
        )
        yield Sample((condition, *s.inputs), {})
    yield Sample((In(np.array([True, False]), "fixed"), X(rng, n, 1), X(rng, n, 2)), {})


def apart(rng, n):
    """Operands that are not near 0."""
    for s in two(rng, n):
        for x in s.inputs:
            away(x, 0.0)
        yield s


def one(low=-2.0, high=2.0, kinks=(), **attrs):
    def make(rng, n):
        yield Sample((away(X(rng, n, low=low, high=high), *kinks),), dict(attrs))
        yield Sample((away(X(rng, 2, n, 3, low=low, high=high), *kinks),), dict(attrs))

    return make


def many(*makers):
    def make(rng, n):
        for m in makers:
            yield from m(rng, n)

    return make


def backward(low=-2.0, high=2.0, kinks=(), **attrs):
    def make(rng, n):
        yield Sample((G(rng, n), away(X(rng, n, low=low, high=high), *kinks)), dict(attrs))
        yield Sample((G(rng, n, 2), away(X(rng, n, 2, low=low, high=high), *kinks)), dict(attrs))

    return make


def scale(rng, n):
    yield Sample((X(rng, n), In(np.array(1024.0), "fixed32")), {})


SOFTPLUS = {"beta": 1.5, "threshold": 20.0}


SAMPLES = {
    **dict.fromkeys(("add", "sub", "mul"), two),
    "div": divided,
    "pow": powered,
    "maximum": ordered,
    "minimum": ordered,
    **dict.fromkeys(
        ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), compared
    ),
    "where": chosen,
    "neg": one(),
    "abs": one(kinks=(0.0,)),
    "sign": one(kinks=(0.0,)),
    "exp": one(),
    "log": one(low=0.25, high=9.0),
    "sqrt": one(low=0.25, high=9.0),
    "rsqrt": one(low=0.25, high=9.0),
    "reciprocal": one(low=0.25, high=9.0, value=1.5),
    "tanh": one(low=-3.0, high=3.0),
    "sigmoid": one(low=-6.0, high=6.0),
    "relu": one(kinks=(0.0,)),
    "leaky_relu": one(kinks=(0.0,), negative_slope=0.25),
    "gelu": many(one(low=-4.0, high=4.0, tanh=False), one(low=-4.0, high=4.0, tanh=True)),
    "silu": one(low=-6.0, high=6.0),
    "softplus": many(one(**SOFTPLUS), one(low=10.0, high=16.0, kinks=(40 / 3,), **SOFTPLUS)),
    "relu_bwd": backward(kinks=(0.0,)),
    "leaky_relu_bwd": backward(kinks=(0.0,), negative_slope=0.25),
    "gelu_bwd": many(backward(tanh=False), backward(tanh=True)),
    "silu_bwd": backward(),
    "softplus_bwd": backward(**SOFTPLUS),
    "tanh_bwd": backward(low=-0.9, high=0.9),
    "sigmoid_bwd": backward(low=0.1, high=0.9),
    "scale": scale,
}
