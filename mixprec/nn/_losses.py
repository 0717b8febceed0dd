"""The losses of `nn.functional`, with PyTorch's names and arguments."""

from __future__ import annotations

import warnings

import numpy as np

from .. import _core
from .._core import ndarray
from .._dtypes import is_floating
from .._typing import ArrayLike
from ..creation import asarray


def cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> ndarray:
    """Minus the log-probability that softmax gives to the right classes.

    Parameters
    ----------
    input : array_like
        Logits, (N, C), (N, C, d1, ...) or (C,).
    target : array_like
        The right classes: integers, of the input's shape without C; or their probabilities, of the
        input's shape.
    weight : array_like, optional
        A weight for each class, (C,).
    ignore_index : int
        Targets of this value count for nothing (not with probabilities).
    reduction : {"mean", "sum", "none"}
        The mean over the targets, weighted by their classes' weights; the sum; or each loss.
    label_smoothing : float
        The share of each target that is spread over all classes.

    Returns
    -------
    ndarray
        The loss; float32 under autocast.

    Raises
    ------
    IndexError
        If a target is no class.

    Notes
    -----
    ``-log_softmax(x)[target]``, computed in float32 in one kernel.

    Examples
    --------
    >>> logits = mp.zeros((2, 2))
    >>> F.cross_entropy(logits, mp.array([0, 1]), reduction="none").tolist()
    [0.69314..., 0.69314...]
    >>> F.cross_entropy(logits, mp.array([[0.5, 0.5], [0.0, 1.0]])).item()
    0.69314...
    """
    target = asarray(target)
    if is_floating(target.dtype):
        return _core.cross_entropy_soft(input, target, weight, label_smoothing, reduction)
    return _core.cross_entropy(input, target, weight, label_smoothing, ignore_index, reduction)


def nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> ndarray:
    """Minus the input at the right classes: cross-entropy of log-probabilities.

    Parameters
    ----------
    input : array_like
        Log-probabilities, (N, C), (N, C, d1, ...) or (C,).
    target : array_like of int
        The right classes, of the input's shape without C.
    weight : array_like, optional
        A weight for each class, (C,).
    ignore_index : int
        Targets of this value count for nothing.
    reduction : {"mean", "sum", "none"}
        As for `cross_entropy`.

    Returns
    -------
    ndarray
        The loss; float32 under autocast.

    Examples
    --------
    >>> F.nll_loss(mp.array([[-1.0, -2.0]]), mp.array([1])).item()
    2.0
    """
    return _core.nll_loss(input, target, weight, ignore_index, reduction)


def _paired(name: str, loss: ndarray, input: ArrayLike, target: ArrayLike) -> ndarray:
    """The loss, with a warning where shapes differ: (N, 1) beside (N,) makes N * N pairs."""
    shapes = np.shape(input), np.shape(target)
    if shapes[0] != shapes[1] and () not in shapes:
        warnings.warn(
            f"{name}: input has shape {shapes[0]}, target {shapes[1]}: they are broadcast, which "
            "is rarely meant; reshape one of them",
            stacklevel=3,
        )
    return loss


def mse_loss(input: ArrayLike, target: ArrayLike, *, reduction: str = "mean") -> ndarray:
    """(input - target)**2.

    Parameters
    ----------
    input, target : array_like
        They broadcast.
    reduction : {"mean", "sum", "none"}
        The mean, the sum, or each loss.

    Returns
    -------
    ndarray
        The loss; float32 under autocast.

    Examples
    --------
    >>> F.mse_loss(mp.array([1.0, 3.0]), mp.array([1.0, 1.0])).item()
    2.0
    """
    return _paired("mse_loss", _core.mse_loss(input, target, reduction), input, target)


def l1_loss(input: ArrayLike, target: ArrayLike, *, reduction: str = "mean") -> ndarray:
    """abs(input - target). Parameters are those of `mse_loss`.

    Examples
    --------
    >>> F.l1_loss(mp.array([1.0, 3.0]), mp.array([1.0, 1.0])).item()
    1.0
    """
    return _paired("l1_loss", _core.l1_loss(input, target, reduction), input, target)


def smooth_l1_loss(
    input: ArrayLike, target: ArrayLike, *, reduction: str = "mean", beta: float = 1.0
) -> ndarray:
    """Squares of small differences, absolute values of large ones.

    Parameters
    ----------
    input, target : array_like
        They broadcast.
    reduction : {"mean", "sum", "none"}
        The mean, the sum, or each loss.
    beta : float
        Where one goes over into the other.

    Returns
    -------
    ndarray
        The loss; float32 under autocast.

    Notes
    -----
    ``0.5 * d**2 / beta`` where ``abs(d) < beta``, else ``abs(d) - 0.5 * beta``.

    Examples
    --------
    >>> F.smooth_l1_loss(mp.array([1.0, 4.0]), mp.array([0.0, 0.0]), reduction="none").tolist()
    [0.5, 3.5]
    """
    return _paired(
        "smooth_l1_loss", _core.smooth_l1_loss(input, target, beta, reduction), input, target
    )


def huber_loss(
    input: ArrayLike, target: ArrayLike, *, reduction: str = "mean", delta: float = 1.0
) -> ndarray:
    """`smooth_l1_loss` times delta.

    Parameters
    ----------
    input, target : array_like
        They broadcast.
    reduction : {"mean", "sum", "none"}
        The mean, the sum, or each loss.
    delta : float
        Where squares go over into absolute values.

    Returns
    -------
    ndarray
        The loss; float32 under autocast.

    Notes
    -----
    ``0.5 * d**2`` where ``abs(d) <= delta``, else ``delta * (abs(d) - 0.5 * delta)``.

    Examples
    --------
    >>> F.huber_loss(mp.array([1.0, 4.0]), mp.array([0.0, 0.0]), delta=2.0, reduction="sum").item()
    6.5
    """
    return _paired("huber_loss", _core.huber_loss(input, target, delta, reduction), input, target)


def binary_cross_entropy_with_logits(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    reduction: str = "mean",
    pos_weight: ArrayLike | None = None,
) -> ndarray:
    """Cross-entropy of independent yes-or-no questions.

    Parameters
    ----------
    input : array_like
        The logits.
    target : array_like
        The right answers, from 0 to 1, of the input's shape.
    weight : array_like, optional
        A weight for each loss; broadcasts to the input's shape.
    reduction : {"mean", "sum", "none"}
        The mean, the sum, or each loss.
    pos_weight : array_like, optional
        A weight for the answer yes; broadcasts to the input's shape.

    Returns
    -------
    ndarray
        The loss; float32 under autocast.

    Notes
    -----
    ``-weight * (pos_weight * t * log(sigmoid(x)) + (1 - t) * log(1 - sigmoid(x)))``, computed
    without overflow.

    Examples
    --------
    >>> F.binary_cross_entropy_with_logits(mp.array([0.0]), mp.array([1.0])).item()
    0.69314...
    """
    return _core.binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)
