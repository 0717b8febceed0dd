"""A float64 NumPy function for every row of ops.def: what test_ops.py compares with.

`REFS[name](inputs, attrs)` gets the inputs as float64 (or integer, or bool) NumPy arrays, None
where an optional one is absent, and the attributes by name; it returns one array or a tuple.
samples.py has the calls that are compared. A new row needs one entry here and one there.
"""

import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from refs_math import MATH

SIZES = (0, 1, 31, 33, 1025)
FLOATS = ("float32", "float16", "bfloat16", "float64")
FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = ("bool", *INTS, *FLOATS, *FLOAT8)


def dtype_of(name):
    """The numpy.dtype of that name, ml_dtypes' included."""
    return np.dtype(getattr(ml_dtypes, str(name), name))


def tolerance(dtype, length=1):
    """(rtol, atol) of a result of that dtype which sums `length` terms of order 1 in float32
    (float64 for float64): one rounding to the dtype, and a few per term in the accumulator."""
    dtype = dtype_of(dtype)
    if not is_float(dtype):
        return 0.0, 0.0
    info = ml_dtypes.finfo(dtype)
    eps, least = float(info.eps), float(info.smallest_subnormal)
    unit = float(np.finfo(np.float64 if dtype == np.float64 else np.float32).eps)
    return eps + 8 * unit, least + unit * (8 + 2 * length)


def is_float(dtype):
    return dtype_of(dtype).name in FLOATS + FLOAT8


@dataclass
class In:
    """One input of a sample. kind: 'x' takes the test's dtype; 'y' too, but no gradient is asked
    for; 'acc' takes the accumulator's (float32, or float64 for float64), 'fixed32' float32; 'fixed'
    stays as it is."""

    array: np.ndarray
    kind: str = "x"


@dataclass
class Sample:
    """Inputs (In or None; for '*' rows any number) and attributes of one call; its sums' length."""

    inputs: tuple
    attrs: dict
    length: int = 1


def X(rng, *shape, low=-2.0, high=2.0, kind="x"):
    return In(np.asarray(rng.uniform(low, high, shape)), kind)


def G(rng, *shape):
    """An incoming gradient."""
    return X(rng, *shape)


def ints(rng, high, *shape, low=0, dtype=np.int64):
    return In(np.asarray(rng.integers(low, high, shape, dtype=dtype)), "fixed")


def away(x, *points, gap=0.1):
    """Moves elements away from kinks, so that finite differences mean something."""
    for p in points:
        near = np.abs(x.array - p) < gap
        x.array = np.where(near, p + np.where(x.array >= p, 2 * gap, -2 * gap), x.array)
    return x


# ---- references ----


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def gelu(x, tanh):
    if tanh:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def gelu_slope(x, tanh):
    if tanh:
        c = math.sqrt(2 / math.pi)
        t = np.tanh(c * (x + 0.044715 * x**3))
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)
    return 0.5 * (1 + erf(x / math.sqrt(2))) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def softplus(x, beta, threshold):
    with np.errstate(over="ignore"):
        return np.where(
            x * beta > threshold, x, np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta
        )


def softplus_slope(x, beta, threshold):
    return np.where(x * beta > threshold, 1.0, sigmoid(beta * x))


def log_softmax(x, axis):
    if x.shape[axis] == 0:
        return x
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def softmax(x, axis):
    return np.exp(log_softmax(x, axis))


def scaled_masked_softmax(i, a):
    x, mask = i
    x = x * a["scale"]
    if mask is not None:
        x = np.where(mask, x, -np.inf) if mask.dtype == bool else x + mask
    if a["causal"]:
        x = np.where(np.tri(*x.shape[-2:], dtype=bool), x, -np.inf)
    most = x.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(x - np.where(most == -np.inf, 0.0, most))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1.0, total)


def softmax_bwd(i, axis):
    gy, y = i
    return y * (gy - (gy * y).sum(axis=axis, keepdims=True))


def reduced(loss, reduction, count=None):
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return loss.sum() / np.float64(loss.size if count is None else count)


def unreduced(gy, reduction, shape, count=None):
    """The gradient of each element of the loss."""
    if reduction == "none":
        return gy
    divisor = 1 if reduction == "sum" else (math.prod(shape) if count is None else count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.broadcast_to(gy / np.float64(divisor), shape)


def norm_stats(x, n_axes, eps):
    axes = tuple(range(x.ndim - n_axes, x.ndim))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = x.mean(axis=axes, keepdims=True) if x.size else x.sum(axis=axes, keepdims=True)
        var = ((x - mean) ** 2).mean(axis=axes, keepdims=True) if x.size else mean
    return axes, mean, 1 / np.sqrt(var + eps)


def rms_stat(x, n_axes, eps):
    axes = tuple(range(x.ndim - n_axes, x.ndim))
    square = (
        (x * x).mean(axis=axes, keepdims=True) if x.size else (x * x).sum(axis=axes, keepdims=True)
    )
    return axes, 1 / np.sqrt(square + eps)


def layer_norm(i, a):
    x, w, b = i
    _, mean, rstd = norm_stats(x, a["n_axes"], a["eps"])
    y = (x - mean) * rstd * (1 if w is None else w)
    return y if b is None else y + b


def layer_norm_bwd(i, a):
    gy, x, w, mean, rstd = i
    n = a["n_axes"]
    axes = tuple(range(x.ndim - n, x.ndim))
    lead = tuple(range(x.ndim - n))
    mean, rstd = (s.reshape(x.shape[: x.ndim - n] + (1,) * n) for s in (mean, rstd))
    xhat = (x - mean) * rstd
    g = gy if w is None else gy * w
    count = max(math.prod(x.shape[x.ndim - n :]), 1)
    gx = rstd * (
        g
        - g.sum(axis=axes, keepdims=True) / count
        - xhat * (g * xhat).sum(axis=axes, keepdims=True) / count
    )
    return gx, (gy * xhat).sum(axis=lead), gy.sum(axis=lead)


def add_layer_norm(i, a):
    x, residual, w, b = i
    return layer_norm((x + residual, w, b), a), x + residual


def add_layer_norm_bwd(i, a):
    gy, gh, *rest = i
    gx, gw, gb = layer_norm_bwd((gy, *rest), a)
    return gx if gh is None else gx + gh, gw, gb


def rms_norm(i, a):
    x, w = i
    _, rstd = rms_stat(x, a["n_axes"], a["eps"])
    return x * rstd * (1 if w is None else w)


def rms_norm_bwd(i, a):
    gy, x, w, rstd = i
    n = a["n_axes"]
    axes = tuple(range(x.ndim - n, x.ndim))
    rstd = rstd.reshape(x.shape[: x.ndim - n] + (1,) * n)
    g = gy if w is None else gy * w
    count = max(math.prod(x.shape[x.ndim - n :]), 1)
    gx = rstd * (g - x * rstd**2 * (g * x).sum(axis=axes, keepdims=True) / count)
    return gx, (gy * x * rstd).sum(axis=tuple(range(x.ndim - n)))


def picked(x, target, weight, ignore_index):
    """One-hot targets, each row's class weight (0 where ignored), and the classes' weights."""
    classes = x.shape[1]
    w = np.ones(classes) if weight is None else weight
    valid = target != ignore_index
    safe = np.where(valid, target, 0)
    onehot = np.eye(classes)[safe]
    return (
        np.moveaxis(onehot, -1, 1),
        np.where(valid, w[safe], 0.0),
        w.reshape((1, -1) + (1,) * (x.ndim - 2)),
    )


def smoothed(onehot, row_weight, w, label_smoothing, valid):
    """Weighted soft targets whose product with -log p is the loss."""
    keep = np.expand_dims(valid, 1)
    return (1 - label_smoothing) * onehot * np.expand_dims(
        row_weight, 1
    ) + label_smoothing / onehot.shape[1] * w * keep


def cross_entropy(i, a):
    x, target, weight = i
    onehot, row, w = picked(x, target, weight, a["ignore_index"])
    t = smoothed(onehot, row, w, a["label_smoothing"], target != a["ignore_index"])
    return reduced(-(t * log_softmax(x, 1)).sum(axis=1), a["reduction"], row.sum())


def cross_entropy_bwd(i, a):
    gy, x, target, weight, lse = i
    onehot, row, w = picked(x, target, weight, a["ignore_index"])
    t = smoothed(onehot, row, w, a["label_smoothing"], target != a["ignore_index"])
    g = unreduced(gy, a["reduction"], target.shape, row.sum())
    p = np.exp(x - np.expand_dims(lse, 1))
    return np.expand_dims(g, 1) * (p * t.sum(axis=1, keepdims=True) - t)


def soft_targets(x, target, weight, label_smoothing):
    w = 1.0 if weight is None else weight.reshape((1, -1) + (1,) * (x.ndim - 2))
    return w * (target * (1 - label_smoothing) + label_smoothing / max(x.shape[1], 1)), w


def cross_entropy_soft(i, a):
    x, target, weight = i
    t, _ = soft_targets(x, target, weight, a["label_smoothing"])
    loss = -(t * log_softmax(x, 1)).sum(axis=1)
    return reduced(loss, a["reduction"])


def cross_entropy_soft_bwd(i, a):
    gy, x, target, weight, lse = i
    t, w = soft_targets(x, target, weight, a["label_smoothing"])
    g = np.expand_dims(unreduced(gy, a["reduction"], x.shape[:1] + x.shape[2:]), 1)
    logp = x - np.expand_dims(lse, 1)
    gx = g * (np.exp(logp) * t.sum(axis=1, keepdims=True) - t)
    return gx, -g * w * (1 - a["label_smoothing"]) * logp


def nll_loss(i, a):
    x, target, weight = i
    onehot, row, _ = picked(x, target, weight, a["ignore_index"])
    return reduced(-(onehot * x).sum(axis=1) * row, a["reduction"], row.sum())


def nll_loss_bwd(i, a):
    gy, x, target, weight = i
    onehot, row, _ = picked(x, target, weight, a["ignore_index"])
    g = unreduced(gy, a["reduction"], target.shape, row.sum())
    return -onehot * np.expand_dims(g * row, 1)


def smooth_l1(d, beta):
    if beta == 0:
        return np.abs(d)
    return np.where(np.abs(d) < beta, 0.5 * d * d / beta, np.abs(d) - 0.5 * beta)


def huber(d, delta):
    return np.where(np.abs(d) <= delta, 0.5 * d * d, delta * (np.abs(d) - 0.5 * delta))


def pair(value):
    return lambda i, a: reduced(value(i[0] - i[1], a), a["reduction"])


def pair_bwd(slope):
    def ref(i, a):
        gy, x, target = i
        return unreduced(gy, a["reduction"], x.shape) * slope(x - target, a)

    return ref


def smooth_l1_slope(d, a):
    return np.sign(d) if a["beta"] == 0 else np.clip(d / a["beta"], -1, 1)


def bce_parts(x, t, w, pw):
    w = 1.0 if w is None else w
    pw = 1.0 if pw is None else pw
    value = w * (pw * t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x))
    gx = w * ((1 - t) * sigmoid(x) - pw * t * sigmoid(-x))
    gt = w * (pw * np.logaddexp(0, -x) - np.logaddexp(0, x))
    return value, gx, gt


def bce(i, a):
    return reduced(bce_parts(*i)[0], a["reduction"])


def bce_bwd(i, a):
    gy, *rest = i
    _, gx, gt = bce_parts(*rest)
    g = unreduced(gy, a["reduction"], rest[0].shape)
    return g * gx, g * gt


def axes_of(a):
    return None if a["axes"] is None else tuple(np.atleast_1d(a["axes"]))


def var(i, a):
    with np.errstate(invalid="ignore", divide="ignore"):
        return quiet(np.var, i[0], axis=axes_of(a), keepdims=bool(a["keepdims"]), ddof=a["ddof"])


def quiet(f, *args, **kwargs):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return f(*args, **kwargs)


def reduction(f):
    return lambda i, a: quiet(f, i[0], axis=axes_of(a), keepdims=bool(a["keepdims"]))


def slice_ref(i, a):
    (x,) = i
    n = x.ndim
    starts, steps, extents = (a["geometry"][k * n : (k + 1) * n] for k in range(3))
    index = [
        np.asarray(s + np.arange(e) * t, int)
        for s, t, e in zip(starts, steps, extents, strict=False)
    ]
    return x[np.ix_(*index)] if n else x


def slice_bwd(i, a):
    (gy,) = i
    n = gy.ndim
    starts, steps, shape = (a["geometry"][k * n : (k + 1) * n] for k in range(3))
    gx = np.zeros(shape)
    index = [
        np.asarray(s + np.arange(e) * t, int)
        for s, t, e in zip(starts, steps, gy.shape, strict=False)
    ]
    gx[np.ix_(*index)] = gy
    return gx


def strided(x, geometry):
    """The view of x that an as_strided geometry means: extents, strides and offset in elements."""
    n = (len(geometry) - 1) // 2
    extents, strides, offset = geometry[:n], geometry[n : 2 * n], geometry[-1]
    flat = np.ascontiguousarray(x).reshape(-1)
    return np.lib.stride_tricks.as_strided(
        flat[offset:], extents, [s * flat.itemsize for s in strides]
    )


def view_set(i, a):
    x, value = i
    y = x.copy()
    strided(y, a["geometry"])[...] = value
    return y


def pad(i, a):
    widths = list(zip(a["pads"][::2], a["pads"][1::2], strict=False))
    return np.pad(i[0], widths, constant_values=a["value"])


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


def philox(seed, call, blocks):
    """The words of Philox 4x32-10 for these block numbers, an array (len(blocks), 4) of uint32."""
    blocks = np.asarray(blocks, np.uint64)
    low = np.uint64(0xFFFFFFFF)
    c0, c1 = blocks & low, blocks >> np.uint64(32)
    c2 = np.full_like(blocks, call & 0xFFFFFFFF)
    c3 = np.full_like(blocks, call >> 32)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            p1 & low,
            (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            p0 & low,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def words(a, n):
    return philox(a["seed"], a["offset"], np.arange((n + 3) // 4)).reshape(-1)[:n]


def words64(a, n):
    """Two words per element: low, then high."""
    w = philox(a["seed"], a["offset"], np.arange((n + 1) // 2)).reshape(-1, 2)[:n].astype(np.uint64)
    return w[:, 0] | w[:, 1] << np.uint64(32)


def unit_floats(a, n):
    """The 24 upper bits of a word as a float32 in [0, 1)."""
    return (words(a, n) >> np.uint32(8)).astype(np.float64) * 2.0**-24


def random_uniform(i, a):
    n = math.prod(a["shape"])
    if a["dtype"] == "float64":
        u = (words64(a, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    else:
        u = unit_floats(a, n)
    return (a["low"] + (a["high"] - a["low"]) * u).reshape(a["shape"])


def dropout(i, a):
    (x,) = i
    keep = unit_floats(a, x.size).reshape(x.shape) >= a["p"]
    return np.where(keep, x / (1 - a["p"]), 0.0)


def binary(f):
    return lambda i, a: f(i[0], i[1])


def unary(f):
    return lambda i, a: f(i[0])


def create_arange(i, a):
    return (a["start"] + a["step"] * np.arange(math.prod(a["shape"]))).reshape(a["shape"])


def linear(i, a):
    x, w, b = i
    y = x @ w.T
    return y if b is None else y + b


def linear_gelu_bwd(i, a):
    gy, z = i
    gz = gy * gelu_slope(z, a["tanh"])
    return gz, gz.sum(axis=tuple(range(z.ndim - 1)))


# Rows without a float64 formula: test_random.py checks them.
STATISTICAL = {"random_normal", "random_integers", "random_permutation"}

REFS = {
    "add": binary(np.add),
    "sub": binary(np.subtract),
    "mul": binary(np.multiply),
    "div": binary(np.divide),
    "pow": binary(np.power),
    "maximum": binary(np.maximum),
    "minimum": binary(np.minimum),
    "equal": binary(np.equal),
    "not_equal": binary(np.not_equal),
    "less": binary(np.less),
    "less_equal": binary(np.less_equal),
    "greater": binary(np.greater),
    "greater_equal": binary(np.greater_equal),
    "where": lambda i, a: np.where(i[0], i[1], i[2]),
    **MATH,
    "neg": unary(np.negative),
    "abs": unary(np.abs),
    "sign": unary(np.sign),
    "exp": unary(np.exp),
    "log": unary(np.log),
    "sqrt": unary(np.sqrt),
    "rsqrt": unary(lambda x: 1 / np.sqrt(x)),
    "reciprocal": lambda i, a: a["value"] / i[0],
    "tanh": unary(np.tanh),
    "sigmoid": unary(sigmoid),
    "relu": unary(lambda x: np.maximum(x, 0)),
    "leaky_relu": lambda i, a: np.where(i[0] > 0, i[0], i[0] * a["negative_slope"]),
    "gelu": lambda i, a: gelu(i[0], a["tanh"]),
    "silu": unary(lambda x: x * sigmoid(x)),
    "softplus": lambda i, a: softplus(i[0], a["beta"], a["threshold"]),
    "relu_bwd": lambda i, a: np.where(i[1] > 0, i[0], 0.0),
    "leaky_relu_bwd": lambda i, a: np.where(i[1] > 0, i[0], i[0] * a["negative_slope"]),
    "gelu_bwd": lambda i, a: i[0] * gelu_slope(i[1], a["tanh"]),
    "silu_bwd": lambda i, a: i[0] * (sigmoid(i[1]) * (1 + i[1] * (1 - sigmoid(i[1])))),
    "softplus_bwd": lambda i, a: i[0] * softplus_slope(i[1], a["beta"], a["threshold"]),
    "tanh_bwd": lambda i, a: i[0] * (1 - i[1] ** 2),
    "sigmoid_bwd": lambda i, a: i[0] * i[1] * (1 - i[1]),
    "scale": binary(np.multiply),
    "cast": unary(np.copy),
    "copy": unary(np.copy),
    "reshape": lambda i, a: i[0].reshape(a["shape"]),
    "permute": lambda i, a: i[0].transpose(a["perm"]),
    "expand": lambda i, a: np.broadcast_to(i[0], a["shape"]),
    "slice": slice_ref,
    "slice_bwd": slice_bwd,
    "as_strided": lambda i, a: strided(i[0], a["geometry"]).copy(),
    "view_set": view_set,
    "concatenate": lambda i, a: np.concatenate(i, axis=a["axis"]),
    "pad": pad,
    "full": lambda i, a: np.full(a["shape"], a["value"]),
    "arange": create_arange,
    "random_uniform": random_uniform,
    "matmul": lambda i, a: np.matmul(i[0], i[1]),
    "linear": linear,
    "linear_gelu": lambda i, a: gelu(linear(i, a), a["tanh"]),
    "linear_gelu_bwd": linear_gelu_bwd,
    "sum": reduction(np.sum),
    "mean": reduction(np.mean),
    "var": var,
    "max": reduction(np.max),
    "min": reduction(np.min),
    "argmax": lambda i, a: np.argmax(i[0], axis=a["axis"], keepdims=bool(a["keepdims"])),
    "argmin": lambda i, a: np.argmin(i[0], axis=a["axis"], keepdims=bool(a["keepdims"])),
    "softmax": lambda i, a: softmax(i[0], a["axis"]),
    "log_softmax": lambda i, a: log_softmax(i[0], a["axis"]),
    "softmax_bwd": lambda i, a: softmax_bwd(i, a["axis"]),
    "scaled_masked_softmax": scaled_masked_softmax,
    "scaled_masked_softmax_bwd": lambda i, a: a["scale"] * softmax_bwd(i, -1),
    "log_softmax_bwd": lambda i, a: i[0] - np.exp(i[1]) * i[0].sum(axis=a["axis"], keepdims=True),
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
    "mse_loss": pair(lambda d, a: d * d),
    "l1_loss": pair(lambda d, a: np.abs(d)),
    "smooth_l1_loss": pair(lambda d, a: smooth_l1(d, a["beta"])),
    "huber_loss": pair(lambda d, a: huber(d, a["delta"])),
    "mse_loss_bwd": pair_bwd(lambda d, a: 2 * d),
    "l1_loss_bwd": pair_bwd(lambda d, a: np.sign(d)),
    "smooth_l1_loss_bwd": pair_bwd(smooth_l1_slope),
    "huber_loss_bwd": pair_bwd(lambda d, a: np.clip(d, -a["delta"], a["delta"])),
    "binary_cross_entropy_with_logits": bce,
    "binary_cross_entropy_with_logits_bwd": bce_bwd,
    "dropout": dropout,
    "embedding": lambda i, a: i[0][i[1]],
    "embedding_bwd": embedding_bwd,
    "take": lambda i, a: np.take(i[0], i[1], axis=a["axis"]),
    "take_bwd": take_bwd,
    "index": lambda i, a: i[0].reshape(-1)[selected(i[0], i[1:], a)],
    "index_put": index_put,
    "index_add": index_add,
    "nonzero": lambda i, a: np.flatnonzero(i[0]),
}
