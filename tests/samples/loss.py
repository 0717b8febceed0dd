"""Samples: losses."""

from inputs import G, In, Sample, X, away, ints
from refs.softmax import log_softmax, softmax

REDUCTIONS = ("none", "mean", "sum")


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


SAMPLES = {
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
}
