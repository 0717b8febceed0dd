"""Activations and softmax."""

from __future__ import annotations

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike, DTypeLike
from ._axis import one_of

__all__ = [
    "gelu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
]


def sigmoid(x: ArrayLike) -> ndarray:
    """1 / (1 + exp(-x)), for each element.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        From 0 to 1.

    Examples
    --------
    >>> mp.sigmoid(mp.array([0.0, 2.0]))
    array([0.5 , 0.88079...])
    """
    return _core.sigmoid(x)


def relu(x: ArrayLike) -> ndarray:
    """max(x, 0), for each element.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        In x's dtype. The gradient at 0 is 0.

    Examples
    --------
    >>> mp.relu(mp.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return _core.relu(x)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> ndarray:
    """x where it is positive, and x times a small slope elsewhere.

    Parameters
    ----------
    x : array_like
        The values.
    negative_slope : float
        The slope for negative values.

    Returns
    -------
    ndarray
        In x's dtype.

    Examples
    --------
    >>> mp.leaky_relu(mp.array([-1.0, 2.0]), 0.5)
    array([-0.5,  2. ])
    """
    return _core.leaky_relu(x, negative_slope)


def gelu(x: ArrayLike, approximate: str = "none") -> ndarray:
    """The Gaussian error linear unit.

    Parameters
    ----------
    x : array_like
        The values.
    approximate : {"none", "tanh"}
        The exact form by erf, or the one by tanh.

    Returns
    -------
    ndarray
        In x's dtype.

    Notes
    -----
    ``x * (1 + erf(x / sqrt(2))) / 2``, or
    ``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``.

    Examples
    --------
    >>> mp.gelu(mp.array([0.0, 1.0]))
    array([0. , 0.84134...])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate is {approximate!r}, must be 'none' or 'tanh'")
    return _core.gelu(x, approximate == "tanh")


def silu(x: ArrayLike) -> ndarray:
    """x * sigmoid(x), for each element.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        In x's dtype.

    Examples
    --------
    >>> mp.silu(mp.array([0.0, 1.0]))
    array([0. , 0.73105...])
    """
    return _core.silu(x)


def softplus(x: ArrayLike, beta: float = 1.0, threshold: float = 20.0) -> ndarray:
    """A smooth form of relu: log(1 + exp(beta * x)) / beta.

    Parameters
    ----------
    x : array_like
        The values.
    beta : float
        How sharp the bend is.
    threshold : float
        Where beta * x is above it, the result is x.

    Returns
    -------
    ndarray
        In x's dtype; float32 under autocast.

    Examples
    --------
    >>> mp.softplus(mp.array([0.0, 30.0]))
    array([ 0.69314..., 30. ])
    """
    return _core.softplus(x, beta, threshold)


def softmax(
    x: ArrayLike, axis: int = -1, dtype: DTypeLike = None, *, dim: int | None = None
) -> ndarray:
    """Exponentials of the elements along an axis, divided by their sum.

    Parameters
    ----------
    x : array_like
        The logits.
    axis : int
        The axis along which the results sum to 1. Also spelled `dim`.
    dtype : dtype, optional
        Of the result; by default x's.

    Returns
    -------
    ndarray
        Probabilities, of x's shape.

    Notes
    -----
    ``exp(x - max(x)) / sum(exp(x - max(x)))``, summed in float32.

    Examples
    --------
    >>> mp.softmax(mp.array([[1.0, 1.0], [0.0, 200.0]]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    if dim is not None:
        axis = one_of("softmax", None if axis == -1 else axis, dim)
    return _core.softmax(x, axis, dtype)


def log_softmax(
    x: ArrayLike, axis: int = -1, dtype: DTypeLike = None, *, dim: int | None = None
) -> ndarray:
    """The logarithm of softmax, computed without overflow. Parameters are those of `softmax`.

    Returns
    -------
    ndarray
        Log-probabilities, of x's shape.

    Notes
    -----
    ``x - max(x) - log(sum(exp(x - max(x))))``.

    Examples
    --------
    >>> mp.log_softmax(mp.array([0.0, 0.0]))
    array([-0.69314..., -0.69314...])
    """
    if dim is not None:
        axis = one_of("log_softmax", None if axis == -1 else axis, dim)
    return _core.log_softmax(x, axis, dtype)
