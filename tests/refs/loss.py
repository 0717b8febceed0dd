"""References: losses."""

import math

import numpy as np

from .pointwise import sigmoid
from .softmax import log_softmax


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


REFS = {
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
}
