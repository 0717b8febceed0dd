"""Samples: layer norm and its kin."""

from inputs import G, In, Sample, X, rounded
from refs.norm import norm_stats, rms_stat


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


SAMPLES = {
    "layer_norm": layer_norm,
    "layer_norm_bwd": layer_norm_bwd,
    "add_layer_norm": add_layer_norm,
    "add_layer_norm_bwd": add_layer_norm_bwd,
    "rms_norm": rms_norm,
    "rms_norm_bwd": rms_norm_bwd,
}
