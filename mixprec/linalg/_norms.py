"""Norms of vectors and matrices, made of ops."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core, _numpy
from .._core import ndarray
from .._dtypes import float32
from .._typing import ArrayLike, Axis
from ..creation import asarray
from ..functional import absolute, max, min, sqrt, sum, where
from ..functional._axis import normal
from ._solving import floating

__all__ = [
    "matrix_norm",
    "norm",
    "vector_norm",
]


def norm(
    x: ArrayLike,
    ord: Any = None,  # NumPy's name
    axis: Axis = None,
    keepdims: bool = False,
) -> ndarray:
    """The norm of vectors or matrices.

    Parameters
    ----------
    x : array_like
        The array.
    ord : number or {"fro", "nuc"}, optional
        Of vectors: 1, 2 (the default), inf, -inf, 0 (how many are not zero), or any power. Of
        matrices: "fro" (the default), "nuc", 1, -1, 2, -2, inf, -inf.
    axis : int or pair of int, optional
        The axis of vectors or the two of matrices. By default x is a vector or a matrix; without
        `ord`, an array of any shape counts as a vector.
    keepdims : bool
        Leaves the axes there, with extent 1.

    Returns
    -------
    ndarray
        The norms, with a gradient but for 2, -2 and "nuc" of matrices, which come of singular
        values. That of the 2-norm of zeros is zero.

    Examples
    --------
    >>> mp.linalg.norm(mp.array([3.0, 4.0])).item()
    5.0
    >>> mp.linalg.norm(mp.array([[3.0, 4.0], [0.0, 1.0]]), ord=1, axis=1)
    array([7., 1.])
    """
    x = asarray(x)
    if axis is None:
        if ord is None or (x.ndim == 1 and ord == 2) or (x.ndim == 2 and ord == "fro"):
            return _vector(x, 2, tuple(range(x.ndim)), keepdims)
        axes = tuple(range(x.ndim))
    else:
        listed = axis if isinstance(axis, Sequence) else (operator.index(axis),)
        axes = tuple(normal("norm", one, x.ndim) for one in listed)
    if len(axes) == 1:
        return _vector(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueError(f"norm: axes {axes}, one of vectors or two of matrices are wanted")
    return _matrix(x, "fro" if ord is None else ord, axes, keepdims)


def vector_norm(
    x: ArrayLike,
    /,
    *,
    axis: Axis = None,
    keepdims: bool = False,
    ord: Any = 2,
) -> ndarray:
    """The norm of vectors along one or several axes.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int or sequence of int, optional
        The axes, whose elements make one vector; by default all.
    keepdims : bool
        Leaves the axes there, with extent 1.
    ord : number
        As for `norm`.

    Returns
    -------
    ndarray
        The norms.

    Examples
    --------
    >>> mp.linalg.vector_norm(mp.array([[3.0], [4.0]])).item()
    5.0
    """
    x = asarray(x)
    if axis is None:
        axes = tuple(range(x.ndim))
    else:
        listed = axis if isinstance(axis, Sequence) else (operator.index(axis),)
        axes = tuple(normal("vector_norm", one, x.ndim) for one in listed)
    return _vector(x, ord, axes, keepdims)


def matrix_norm(x: ArrayLike, /, *, keepdims: bool = False, ord: Any = "fro") -> ndarray:
    """The norm of the matrices in the last two axes.

    Parameters
    ----------
    x : array_like
        (..., m, n).
    keepdims : bool
        Leaves the axes there, with extent 1.
    ord : number or {"fro", "nuc"}
        As for `norm`.

    Returns
    -------
    ndarray
        (...).

    Examples
    --------
    >>> mp.linalg.matrix_norm(mp.array([[3.0, 0.0], [0.0, 4.0]])).item()
    5.0
    """
    x = asarray(x)
    if x.ndim < 2:
        raise ValueError(f"matrix_norm: the array has {x.ndim} dimensions, at least 2 are wanted")
    return _matrix(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


def _wide(x: ndarray) -> tuple[ndarray, np.dtype[Any]]:
    """x in a dtype whose squares do not overflow at once, and the dtype of the result."""
    x = floating(x)
    return (x.astype(float32) if x.dtype.itemsize < 4 else x), x.dtype


def _vector(x: ndarray, ord: Any, axes: tuple[int, ...], keepdims: bool) -> ndarray:
    x, dtype = _wide(x)
    if isinstance(ord, str):
        raise ValueError(f"norm: ord is {ord!r}, which is not a norm of vectors")
    if ord == 2:
        y = _root(sum(x * x, axes, keepdims=keepdims))
    elif ord == np.inf:
        y = max(absolute(x), axes, keepdims=keepdims)
    elif ord == -np.inf:
        y = min(absolute(x), axes, keepdims=keepdims)
    elif ord == 0:
        y = sum((x != 0).astype(x.dtype), axes, keepdims=keepdims)
    elif ord == 1:
        y = sum(absolute(x), axes, keepdims=keepdims)
    else:
        y = sum(absolute(x) ** ord, axes, keepdims=keepdims) ** (1.0 / ord)
    return y.astype(dtype, copy=False)


def _root(squares: ndarray) -> ndarray:
    """The square root, whose gradient at 0 is 0."""
    if not squares.requires_grad:
        return sqrt(squares)
    zero = squares == 0
    root: ndarray = where(zero, 0.0, sqrt(where(zero, 1.0, squares)))
    return root


def _matrix(x: ndarray, ord: Any, axes: tuple[int, ...], keepdims: bool) -> ndarray:
    if ord == "fro":
        return _vector(x, 2, axes, keepdims)
    row, column = axes
    if ord in (1, -1, np.inf, -np.inf):
        x, dtype = _wide(x)
        along, over = (row, column) if abs(ord) == 1 else (column, row)
        extreme = max if ord > 0 else min
        y = extreme(sum(absolute(x), along, keepdims=True), over, keepdims=True)
    elif ord in (2, -2, "nuc"):
        rest = [i for i in range(x.ndim) if i not in axes]
        dtype = floating(x).dtype
        values = _numpy.fallback(np.linalg.svdvals, (_core.permute(x, [*rest, *axes]),), op="norm")
        y = sum(values, -1) if ord == "nuc" else max(values, -1) if ord == 2 else min(values, -1)
        shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
        y = _core.reshape(y, shape)
    else:
        raise ValueError(f"norm: ord is {ord!r}, which is not a norm of matrices")
    if not keepdims:
        y = _core.reshape(y, [n for i, n in enumerate(y.shape) if i not in axes])
    return y.astype(dtype, copy=False)
