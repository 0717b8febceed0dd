"""Sample calls of every row of ops.def, made for one main extent n: `SAMPLES[name](rng, n)`.

Values lie where the op is smooth (away from kinks and ties), so that the same samples serve the
gradient tests. Attributes are given by name.
"""

import numpy as np

from refs import (
    G,
    In,
    Sample,
    X,
    away,
    ints,
    log_softmax,
    norm_stats,
    rms_stat,
    softmax,
)

REDUCTIONS = ("none", "mean", "sum")


def rounded(parts, *items):
    """Multiples of 1 / parts, few of which sum exactly in every float dtype of 16 bits or more."""
    for item in items:
        item.array = np.round(item.array * parts) / parts
    return items


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


def unequal_parts(rng, n):
    """Operands whose quotient is not near a whole number."""
    for s in divided(rng, n):
        x1, x2 = s.inputs
        shape = np.broadcast_shapes(x1.array.shape, x2.array.shape)
        whole = rng.integers(-4, 4, shape)
        x1.array = (whole + rng.uniform(0.2, 0.8, shape)) * x2.array
        yield s


def shifted(rng, n):
    """Values, and counts that are mostly in range."""
    for s in two(rng, n):
        s.inputs[1].array = np.abs(s.inputs[1].array)
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


def creation(**attrs):
    def make(rng, n):
        yield Sample((), {"shape": (n,), "dtype": None, "device": None, **attrs})
        yield Sample((), {"shape": (2, n), "dtype": None, "device": None, **attrs})

    return make


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


def layer_norm(rng, n):
    a = {"n_axes": 1, "eps": 1e-5}
    if n > 1:
        yield Sample((X(rng, 3, n), X(rng, n), X(rng, n)), a, n)
        yield Sample((X(rng, 2, n, 3), X(rng, n, 3), None), {**a, "n_axes": 2}, 3 * n)
    yield Sample((X(rng, n, 5), X(rng, 5), X(rng, 5)), a, 5)
    yield Sample((X(rng, n, 5), None, None), a, 5)


def layer_norm_bwd(rng, n):
    for s in layer_norm(rng, n):
        x, w, _ = s.inputs
        _, mean, rstd = norm_stats(x.array, s.attrs["n_axes"], s.attrs["eps"])
        stats = [In(v.reshape(x.array.shape[: -s.attrs["n_axes"]]), "acc") for v in (mean, rstd)]
        length = max(s.length, x.array.shape[0])
        yield Sample((G(rng, *x.array.shape), x, w, *stats), {"n_axes": s.attrs["n_axes"]}, length)


def add_layer_norm(rng, n):
    for s in layer_norm(rng, n):
        x, *rest = s.inputs
        terms = rounded(8, x, X(rng, *x.array.shape))
        yield Sample((*terms, *rest), s.attrs, s.length)


def add_layer_norm_bwd(rng, n):
    for i, s in enumerate(layer_norm_bwd(rng, n)):
        gy, *rest = s.inputs
        yield Sample((gy, G(rng, *gy.array.shape) if i % 2 else None, *rest), s.attrs, s.length)


def rms_norm(rng, n):
    for s in layer_norm(rng, n):
        yield Sample(s.inputs[:2], s.attrs, s.length)


def rms_norm_bwd(rng, n):
    for s in rms_norm(rng, n):
        x, w = s.inputs
        _, rstd = rms_stat(x.array, s.attrs["n_axes"], s.attrs["eps"])
        rstd = In(rstd.reshape(x.array.shape[: -s.attrs["n_axes"]]), "acc")
        length = max(s.length, x.array.shape[0])
        yield Sample((G(rng, *x.array.shape), x, w, rstd), {"n_axes": s.attrs["n_axes"]}, length)


def weights(rng, classes):
    return X(rng, classes, low=0.25, high=2.0, kind="y")


def targets(rng, n, classes):
    """Class indices, some of them the ignored -100."""
    t = rng.integers(0, classes, n)
    t[1::5] = -100
    return In(t, "fixed")


def cross_entropy(rng, n):
    for i, reduction in enumerate(REDUCTIONS):
        if n == 0 and reduction == "mean":
            continue
        a = {"label_smoothing": 0.1 * i, "ignore_index": -100, "reduction": reduction}
        yield Sample((X(rng, n, 7), targets(rng, n, 7), None), a, max(n, 7))
        yield Sample((X(rng, n, 7), targets(rng, n, 7), weights(rng, 7)), a, max(n, 7))
    if n:
        yield Sample((X(rng, 3, n), ints(rng, n, 3), None), {**a, "reduction": "mean"}, n)


def lse_of(x):
    return In(-(log_softmax(x, 1) - x)[:, 0], "acc")


def loss_gradient(rng, shape, reduction):
    return G(rng, *shape) if reduction == "none" else G(rng)


def cross_entropy_bwd(rng, n):
    for s in cross_entropy(rng, n):
        x, t, w = s.inputs
        gy = loss_gradient(rng, t.array.shape, s.attrs["reduction"])
        yield Sample((gy, x, t, w, lse_of(x.array)), s.attrs, s.length)


def probabilities(rng, n, classes):
    return In(softmax(rng.uniform(-2, 2, (n, classes)), 1))


def cross_entropy_soft(rng, n):
    for i, reduction in enumerate(REDUCTIONS):
        if n == 0 and reduction == "mean":
            continue
        a = {"label_smoothing": 0.1 * i, "reduction": reduction}
        yield Sample((X(rng, n, 7), probabilities(rng, n, 7), None), a, max(n, 7))
        yield Sample((X(rng, n, 7), probabilities(rng, n, 7), weights(rng, 7)), a, max(n, 7))


def cross_entropy_soft_bwd(rng, n):
    for s in cross_entropy_soft(rng, n):
        x, t, w = s.inputs
        gy = loss_gradient(rng, t.array.shape[:1], s.attrs["reduction"])
        yield Sample((gy, x, t, w, lse_of(x.array)), s.attrs, s.length)


def nll_loss(rng, n):
    for reduction in REDUCTIONS:
        if n == 0 and reduction == "mean":
            continue
        a = {"ignore_index": -100, "reduction": reduction}
        yield Sample((X(rng, n, 7), targets(rng, n, 7), None), a, n)
        yield Sample((X(rng, n, 7), targets(rng, n, 7), weights(rng, 7)), a, n)


def nll_loss_bwd(rng, n):
    for s in nll_loss(rng, n):
        gy = loss_gradient(rng, s.inputs[1].array.shape, s.attrs["reduction"])
        yield Sample((gy, *s.inputs), s.attrs, s.length)


def pair_loss(**more):
    def make(rng, n):
        for reduction in REDUCTIONS:
            if n == 0 and reduction == "mean":
                continue
            x = X(rng, n, 2)
            d = away(X(rng, n, 2), 0.0, 0.5, -0.5, gap=0.05)
            yield Sample((x, In(x.array - d.array)), {**more, "reduction": reduction}, 2 * n)

    return make


def pair_loss_bwd(**more):
    def make(rng, n):
        for s in pair_loss(**more)(rng, n):
            gy = loss_gradient(rng, s.inputs[0].array.shape, s.attrs["reduction"])
            yield Sample((gy, *s.inputs), s.attrs)

    return make


def bce(rng, n):
    for reduction in REDUCTIONS:
        if n == 0 and reduction == "mean":
            continue
        a = {"reduction": reduction}
        t = X(rng, n, 3, low=0.0, high=1.0)
        yield Sample((X(rng, n, 3, low=-5, high=5), t, None, None), a, 3 * n)
        w, pw = X(rng, n, 3, low=0.1, kind="y"), X(rng, 3, low=0.1, kind="y")
        yield Sample((X(rng, n, 3), t, w, pw), a, 3 * n)


def bce_bwd(rng, n):
    for s in bce(rng, n):
        gy = loss_gradient(rng, s.inputs[0].array.shape, s.attrs["reduction"])
        yield Sample((gy, *s.inputs), s.attrs)


def dropout(rng, n):
    for p in (0.0, 0.25):
        yield Sample((X(rng, n),), {"p": p, "seed": 1234567890123, "offset": 7})
    yield Sample((X(rng, 3, n),), {"p": 0.5, "seed": 1, "offset": 2**40 + 1})


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
        return In(rng.permutation(high)[:size].reshape(shape).astype(dtype), "fixed")

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
    **dict.fromkeys(("floor_divide", "remainder", "fmod"), unequal_parts),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), compared),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), compared),
    **dict.fromkeys(("bitwise_left_shift", "bitwise_right_shift"), shifted),
    **dict.fromkeys(("bitwise_invert", "isnan", "isinf", "isfinite", "signbit"), one()),
    "logical_not": many(one(), one(low=0.0, high=0.0)),
    **dict.fromkeys(("sin", "cos"), many(one(low=-9.0, high=9.0), one(low=-0.5, high=0.5))),
    "tan": one(low=-1.2, high=1.2),
    **dict.fromkeys(("asin", "acos", "atanh"), one(low=-0.9, high=0.9)),
    **dict.fromkeys(("atan", "asinh"), one(low=-5.0, high=5.0)),
    **dict.fromkeys(("sinh", "cosh", "exp2", "expm1", "erf", "positive"), one()),
    "acosh": one(low=1.25, high=9.0),
    "log1p": one(low=-0.5, high=9.0),
    **dict.fromkeys(("log2", "log10"), one(low=0.25, high=9.0)),
    "cbrt": one(kinks=(0.0,)),
    **dict.fromkeys(("floor", "ceil", "trunc"), one(kinks=(-2.0, -1.0, 0.0, 1.0, 2.0))),
    "round": one(kinks=(-1.5, -0.5, 0.5, 1.5)),
    **dict.fromkeys(("atan2", "hypot", "copysign"), apart),
    **dict.fromkeys(("logaddexp", "nextafter"), two),
    **dict.fromkeys(("fmax", "fmin"), ordered),
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
    "full": creation(value=2.5),
    "arange": creation(start=1.5, step=0.25),
    "random_uniform": creation(low=-1.0, high=3.0, seed=5, offset=2**33 + 3),
    "matmul": matmul,
    "linear": linear,
    "linear_gelu": linear_gelu,
    "linear_gelu_bwd": linear_gelu_bwd,
    "sum": reduce(last={"dtype": None}),
    "mean": reduce(last={"dtype": None}),
    "var": variance,
    "max": distinct(reduce(empty=False)),
    "min": distinct(reduce(empty=False)),
    "argmax": arg,
    "argmin": arg,
    "softmax": soft,
    "log_softmax": soft,
    "softmax_bwd": soft_bwd(softmax),
    "scaled_masked_softmax": scaled_masked_softmax,
    "scaled_masked_softmax_bwd": scaled_masked_softmax_bwd,
    "log_softmax_bwd": soft_bwd(log_softmax),
    "layer_norm": layer_norm,
    "layer_norm_bwd": layer_norm_bwd,
    "add_layer_norm": add_layer_norm,
    "add_layer_norm_bwd": add_layer_norm_bwd,
    "rms_norm": rms_norm,
    "rms_norm_bwd": rms_norm_bwd,
    "cross_entropy": cross_entropy,
    "cross_entropy_bwd": cross_entropy_bwd,
    "cross_entropy_soft": cross_entropy_soft,
    "cross_entropy_soft_bwd": cross_entropy_soft_bwd,
    "nll_loss": nll_loss,
    "nll_loss_bwd": nll_loss_bwd,
    "mse_loss": pair_loss(),
    "l1_loss": pair_loss(),
    "smooth_l1_loss": pair_loss(beta=0.5),
    "huber_loss": pair_loss(delta=0.5),
    "mse_loss_bwd": pair_loss_bwd(),
    "l1_loss_bwd": pair_loss_bwd(),
    "smooth_l1_loss_bwd": pair_loss_bwd(beta=0.5),
    "huber_loss_bwd": pair_loss_bwd(delta=0.5),
    "binary_cross_entropy_with_logits": bce,
    "binary_cross_entropy_with_logits_bwd": bce_bwd,
    "dropout": dropout,
    "embedding": embedding,
    "embedding_bwd": embedding_bwd,
    "take": take,
    "take_bwd": take_bwd,
    "index": index,
    "index_put": index_put,
    "index_add": index_add,
    "nonzero": nonzero,
}
