"""The functions of layers and losses, with the names and arguments of `torch.nn.functional`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _core
from .._core import ndarray
from .._dtypes import float64
from .._limits import finfo
from .._typing import ArrayLike, DTypeLike
from ..creation import asarray
from ..functional import gelu, sigmoid, silu, softplus, tanh
from ..functional.product import linear
from ._losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

__all__ = [
    "add_layer_norm",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "embedding",
    "gelu",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "linear_gelu",
    "log_softmax",
    "mse_loss",
    "nll_loss",
    "pad",
    "relu",
    "rms_norm",
    "scaled_masked_softmax",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
]

# ---- activations ----


def relu(input: ArrayLike, inplace: bool = False) -> ndarray:
    """max(input, 0), for each element.

    Parameters
    ----------
    input : array_like
        The values.
    inplace : bool
        Accepted for PyTorch's sake; the result is a new array.

    Returns
    -------
    ndarray
        In the input's dtype.

    Examples
    --------
    >>> F.relu(mp.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return _core.relu(input)


def leaky_relu(input: ArrayLike, negative_slope: float = 0.01, inplace: bool = False) -> ndarray:
    """The input where it is positive, and it times a small slope elsewhere.

    Parameters
    ----------
    input : array_like
        The values.
    negative_slope : float
        The slope for negative values.
    inplace : bool
        Accepted for PyTorch's sake; the result is a new array.

    Returns
    -------
    ndarray
        In the input's dtype.

    Examples
    --------
    >>> F.leaky_relu(mp.array([-1.0, 2.0]), 0.5)
    array([-0.5,  2. ])
    """
    return _core.leaky_relu(input, negative_slope)


def softmax(
    input: ArrayLike, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike = None
) -> ndarray:
    """Exponentials of the elements along a dimension, divided by their sum.

    Parameters
    ----------
    input : array_like
        The logits.
    dim : int
        The dimension along which the results sum to 1.
    dtype : dtype, optional
        Of the result; by default the input's.

    Returns
    -------
    ndarray
        Probabilities, of the input's shape.

    Notes
    -----
    ``exp(x - max(x)) / sum(exp(x - max(x)))``, summed in float32.

    Examples
    --------
    >>> F.softmax(mp.array([[1.0, 1.0]]), dim=1)
    array([[0.5, 0.5]])
    """
    return _core.softmax(input, _dim("softmax", dim), dtype)


def log_softmax(
    input: ArrayLike, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike = None
) -> ndarray:
    """The logarithm of softmax, computed without overflow. Parameters are those of `softmax`.

    Examples
    --------
    >>> F.log_softmax(mp.array([0.0, 0.0]), dim=0)
    array([-0.69314..., -0.69314...])
    """
    return _core.log_softmax(input, _dim("log_softmax", dim), dtype)


def scaled_masked_softmax(
    input: ArrayLike, mask: ArrayLike | None = None, scale: float = 1.0, causal: bool = False
) -> ndarray:
    """The softmax of masked scores along the last dimension: what attention needs, in one pass.

    Parameters
    ----------
    input : array_like
        The scores, (..., queries, keys) for attention.
    mask : array_like, optional
        Broadcast to the scores, without a copy. Of bool: True keeps a score, False masks it. Of a
        floating dtype: what is added to the scaled scores.
    scale : float
        What the scores are multiplied by.
    causal : bool
        Masks score j of query i where j > i.

    Returns
    -------
    ndarray
        Probabilities, in the input's shape and dtype.

    Notes
    -----
    ``softmax(input * scale + mask)``, in float32 (float64 for float64). What is masked is 0 and
    does not count, whatever its score; a row in which everything is masked, or has a sum of -inf,
    is 0, where `softmax` would give NaN. Backward keeps the result only.

    Examples
    --------
    >>> F.scaled_masked_softmax(mp.zeros((2, 2)), causal=True)
    array([[1. , 0. ],
           [0.5, 0.5]])
    >>> F.scaled_masked_softmax(mp.zeros((2, 2)), mp.array([True, False]))
    array([[1., 0.],
           [1., 0.]])
    """
    return _core.scaled_masked_softmax(input, mask, scale, causal)


def _dim(op: str, dim: int | None) -> int:
    if dim is None:
        raise TypeError(f"{op}: dim is not given")
    return dim


# ---- layers ----


def linear_gelu(
    input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, approximate: str = "none"
) -> ndarray:
    """``gelu(linear(input, weight, bias), approximate)``: the first half of a transformer's MLP.

    Parameters
    ----------
    input : array_like
        (..., K).
    weight : array_like
        (N, K).
    bias : array_like, optional
        (N,).
    approximate : {"none", "tanh"}
        The exact form by erf, or the one by tanh.

    Returns
    -------
    ndarray
        (..., N), in the dtype that input and weight promote to.

    Notes
    -----
    Backward makes the gradient of the bias in the pass that makes that of the product's result.

    Examples
    --------
    >>> F.linear_gelu(mp.array([[1.0, 2.0]]), mp.array([[1.0, 1.0]]), mp.array([-3.0]))
    array([[0.]])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"linear_gelu: approximate is {approximate!r}, must be 'none' or 'tanh'")
    return _core.linear_gelu(input, weight, bias, approximate == "tanh")


def dropout(
    input: ArrayLike, p: float = 0.5, training: bool = True, inplace: bool = False
) -> ndarray:
    """In training, zeros in random places and the rest divided by 1 - p.

    Parameters
    ----------
    input : array_like
        The values.
    p : float
        The probability of a zero, from 0 to 1.
    training : bool
        False returns the input.
    inplace : bool
        Accepted for PyTorch's sake; the result is a new array.

    Returns
    -------
    ndarray
        In the input's dtype.

    Notes
    -----
    Backward draws the same places again from the generator's counter: no mask is kept.

    Examples
    --------
    >>> F.dropout(mp.ones(3), 0.5, training=False)
    array([1., 1., 1.])
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: p is {p}, must be from 0 to 1")
    x = asarray(input)
    if not training or p == 0.0:
        return x
    seed, offset = _core.rng_next(x.device)
    return _core.dropout(x, p, seed, offset)


def embedding(
    input: ArrayLike,
    weight: ArrayLike,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> ndarray:
    """Rows of a table.

    Parameters
    ----------
    input : array_like of int
        Which rows.
    weight : array_like
        The table, (rows, columns).
    padding_idx : int, optional
        A row that gets no gradient; a negative number counts from the end.
    max_norm, norm_type, scale_grad_by_freq, sparse
        PyTorch's; other values than the defaults are a NotImplementedError.

    Returns
    -------
    ndarray
        The shape of `input`, and the columns.

    Raises
    ------
    IndexError
        If there is no such row.

    Examples
    --------
    >>> F.embedding(mp.array([2, 0]), mp.array([[1.0], [2.0], [3.0]])).tolist()
    [[3.0], [1.0]]
    """
    if max_norm is not None or scale_grad_by_freq or sparse:
        raise NotImplementedError(
            "embedding: max_norm, scale_grad_by_freq and sparse are not there"
        )
    row = -1
    if padding_idx is not None:
        rows = asarray(weight).shape[0]
        if not -rows <= padding_idx < rows:
            raise ValueError(f"embedding: padding_idx is {padding_idx}, weight has {rows} rows")
        row = padding_idx % rows
    return _core.embedding(weight, input, row)


def layer_norm(
    input: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> ndarray:
    """The input, brought to mean 0 and variance 1 over its last dimensions.

    Parameters
    ----------
    input : array_like
        The values.
    normalized_shape : int or sequence of int
        The extents of the last dimensions, over which it is normalised.
    weight, bias : array_like, optional
        Of that shape: what the result is multiplied by, and what is added then.
    eps : float
        Added to the variance.

    Returns
    -------
    ndarray
        In the input's dtype, whatever that of weight and bias.

    Notes
    -----
    ``(x - mean(x)) / sqrt(var(x) + eps) * weight + bias``, in float32 (float64 for float64).

    Examples
    --------
    >>> F.layer_norm(mp.array([[1.0, 3.0]]), 2, eps=0.0)
    array([[-1.,  1.]])
    """
    x = asarray(input)
    return _core.layer_norm(x, weight, bias, _axes("layer_norm", x, normalized_shape), eps)


def add_layer_norm(
    input: ArrayLike,
    residual: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> tuple[ndarray, ndarray]:
    """The sum of two arrays, and its `layer_norm`: what stands between two blocks of a transformer.

    Parameters
    ----------
    input, residual : array_like
        What is added, of one shape.
    normalized_shape : int or sequence of int
        The extents of the last dimensions, over which the sum is normalised.
    weight, bias : array_like, optional
        Of that shape: what the result is multiplied by, and what is added then.
    eps : float
        Added to the variance.

    Returns
    -------
    y, h : ndarray
        ``layer_norm(h)`` and ``h = input + residual``, both in the dtype that the two promote to.

    Notes
    -----
    It is ``h = input + residual`` and ``layer_norm(h, ...)`` in one pass: it saves reading ``h``
    again, and in backward the pass that adds the gradient of ``h`` to that of the norm.

    Examples
    --------
    >>> y, h = F.add_layer_norm(mp.array([[1.0, 2.0]]), mp.array([[0.0, 1.0]]), 2, eps=0.0)
    >>> y
    array([[-1.,  1.]])
    >>> h
    array([[1., 3.]])
    """
    x = asarray(input)
    n_axes = _axes("add_layer_norm", x, normalized_shape)
    return _core.add_layer_norm(x, residual, weight, bias, n_axes, eps)


def rms_norm(
    input: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    eps: float | None = None,
) -> ndarray:
    """The input, divided by its root mean square over its last dimensions.

    Parameters
    ----------
    input : array_like
        The values.
    normalized_shape : int or sequence of int
        The extents of the last dimensions, over which it is normalised.
    weight : array_like, optional
        Of that shape: what the result is multiplied by.
    eps : float, optional
        Added to the mean square; by default the machine epsilon of float32 (float64 for float64).

    Returns
    -------
    ndarray
        In the input's dtype, whatever that of weight.

    Notes
    -----
    ``x / sqrt(mean(x**2) + eps) * weight``, in float32 (float64 for float64).

    Examples
    --------
    >>> F.rms_norm(mp.array([[3.0, 3.0]]), 2, eps=0.0)
    array([[1., 1.]])
    """
    x = asarray(input)
    if eps is None:
        eps = float(finfo("float64" if x.dtype == float64 else "float32").eps)
    return _core.rms_norm(x, weight, _axes("rms_norm", x, normalized_shape), eps)


def _axes(op: str, x: ndarray, normalized_shape: int | Sequence[int]) -> int:
    """How many dimensions are normalised."""
    given: Any = normalized_shape
    shape = (given,) if hasattr(given, "__index__") else tuple(given)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"{op}: x has shape {x.shape}, normalized_shape is {shape}")
    return len(shape)


def pad(
    input: ArrayLike, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> ndarray:
    """The input with a border around its last dimensions.

    Parameters
    ----------
    input : array_like
        The array.
    pad : sequence of int
        (before, after) of the last dimension, then of the one before it, and so on. (`mp.pad` has
        NumPy's order.)
    mode : {"constant"}
        Only constant borders are there.
    value : number, optional
        The value of the border, 0 by default.

    Returns
    -------
    ndarray
        In the input's dtype.

    Examples
    --------
    >>> F.pad(mp.ones((1, 2)), (0, 1))
    array([[1., 1., 0.]])
    """
    x = asarray(input)
    if mode != "constant":
        raise NotImplementedError(f"pad: mode {mode!r} is not there, only 'constant'")
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: {len(pad)} numbers for an array of {x.ndim} dimensions")
    pads = [0] * (2 * x.ndim)
    for i in range(len(pad) // 2):
        at = 2 * (x.ndim - 1 - i)
        pads[at : at + 2] = pad[2 * i : 2 * i + 2]
    return _core.pad(x, pads, 0.0 if value is None else value)
