"""Products of matrices."""

from __future__ import annotations

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike, DTypeLike

__all__ = [
    "bmm",
    "matmul",
    "mm",
]


def matmul(a: ArrayLike, b: ArrayLike, dtype: DTypeLike = None) -> ndarray:
    """The matrix product, over the last two axes.

    Parameters
    ----------
    a : array_like
        (..., M, K), or (K,).
    b : array_like
        (..., K, N), or (K,). Leading axes broadcast; views with other strides, such as a
        transposed matrix, are read as they are.
    dtype : dtype, optional
        Of the result; by default what a and b promote to.

    Returns
    -------
    ndarray
        (..., M, N); without M or N where the operand has none.

    Raises
    ------
    ValueError
        If the inner extents differ.

    Notes
    -----
    ``y[m, n] = sum(a[m, k] * b[k, n] for k)``, summed in float32 (float64 for float64). Under
    autocast the operands are brought to its dtype first.

    Examples
    --------
    >>> mp.matmul(mp.array([[1.0, 2.0]]), mp.array([[3.0], [4.0]]))
    array([[11.]])
    """
    return _core.matmul(a, b, dtype)


def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> ndarray:
    """x @ weight.T + bias, in one kernel.

    Parameters
    ----------
    x : array_like
        (..., K).
    weight : array_like
        (N, K).
    bias : array_like, optional
        (N,).

    Returns
    -------
    ndarray
        (..., N).

    Raises
    ------
    ValueError
        If the extents do not fit.

    Notes
    -----
    ``y[..., n] = sum(x[..., k] * weight[n, k] for k) + bias[n]``, summed in float32. Under autocast
    the operands are brought to its dtype first.

    Examples
    --------
    >>> mp.nn.functional.linear(mp.ones((2, 3)), mp.ones((1, 3)), mp.ones(1)).tolist()
    [[4.0], [4.0]]
    """
    return _core.linear(x, weight, bias, None)


mm = bmm = matmul
