"""Diagonals of matrices."""

from __future__ import annotations

import operator

from .. import _core
from .._core import ndarray
from .._short import short
from .._typing import ArrayLike, DTypeLike
from ..creation import asarray
from ._axis import several
from ._out import deliver

__all__ = ["diagonal", "trace"]


def diagonal(x: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> ndarray:
    """The diagonals of the matrices along two axes.

    Parameters
    ----------
    x : array_like
        Of at least two dimensions.
    offset : int
        Which one: 0 is the main diagonal, positive ones are above it.
    axis1, axis2 : int
        The axes of rows and columns.

    Returns
    -------
    ndarray
        The other axes of x, then the diagonal. A view of x if its elements lie in C order.

    Raises
    ------
    ValueError
        If x has less than two dimensions, or the axes are the same.

    Examples
    --------
    >>> mp.diagonal(mp.array([[1, 2], [3, 4]])).tolist()
    [1, 4]
    """
    y = asarray(x)
    if y.ndim < 2:
        raise ValueError(f"diagonal: x has {y.ndim} dimensions, at least 2 are wanted")
    offset = operator.index(offset)
    rows, columns = several("diagonal", (axis1, axis2), y.ndim)
    strides = [1] * y.ndim
    for i in range(y.ndim - 2, -1, -1):
        strides[i] = strides[i + 1] * y.shape[i + 1]
    first = max(offset, 0) * strides[columns] + max(-offset, 0) * strides[rows]
    n = min(y.shape[rows] - max(-offset, 0), y.shape[columns] - max(offset, 0))
    others = [i for i in range(y.ndim) if i not in (rows, columns)]
    extents = [*(y.shape[i] for i in others), max(n, 0)]
    steps = [*(strides[i] for i in others), strides[rows] + strides[columns]]
    return _core.as_strided(y, [*extents, *steps, first if n > 0 else 0])


@short("trace")
def trace(
    x: ArrayLike,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: DTypeLike = None,
    out: ndarray | None = None,
) -> ndarray:
    """The sums of the diagonals of the matrices along two axes.

    Parameters
    ----------
    x : array_like
        Of at least two dimensions.
    offset, axis1, axis2 : int
        As for `diagonal`.
    dtype : dtype, optional
        As for `sum`.
    out : ndarray, optional
        Where the result is written.

    Returns
    -------
    ndarray
        The sums.

    Examples
    --------
    >>> mp.trace(mp.eye(3)).item()
    3.0
    """
    y = _core.sum(diagonal(x, offset, axis1, axis2), (-1,), False, dtype)
    return y if out is None else deliver("trace", y, out)
