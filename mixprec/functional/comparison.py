"""Comparisons of elements. Their results are arrays of bool and have no gradients."""

from __future__ import annotations

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ._ufunc import ufunc

__all__ = [
    "eq",
    "equal",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "le",
    "less",
    "less_equal",
    "lt",
    "ne",
    "not_equal",
]


@ufunc("equal")
def equal(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """Where x1 == x2, as an array of bool. Also spelled `eq`.

    Parameters
    ----------
    x1, x2 : array_like
        The operands, compared in the dtype that they promote to.

    Returns
    -------
    ndarray
        Bools. NaN equals nothing.

    Examples
    --------
    >>> mp.equal(mp.array([1.0, 2.0]), 2).tolist()
    [False, True]
    """
    return _core.equal(x1, x2)


@ufunc("not_equal")
def not_equal(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """Where x1 != x2, as an array of bool. Also spelled `ne`. See `equal`.

    Examples
    --------
    >>> mp.not_equal(mp.array([1.0, 2.0]), 2).tolist()
    [True, False]
    """
    return _core.not_equal(x1, x2)


@ufunc("less")
def less(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """Where x1 < x2, as an array of bool. Also spelled `lt`. See `equal`.

    Examples
    --------
    >>> mp.less(mp.array([1.0, 2.0]), 2).tolist()
    [True, False]
    """
    return _core.less(x1, x2)


@ufunc("less_equal")
def less_equal(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """Where x1 <= x2, as an array of bool. Also spelled `le`. See `equal`.

    Examples
    --------
    >>> mp.less_equal(mp.array([1.0, 2.0]), 2).tolist()
    [True, True]
    """
    return _core.less_equal(x1, x2)


@ufunc("greater")
def greater(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """Where x1 > x2, as an array of bool. Also spelled `gt`. See `equal`.

    Examples
    --------
    >>> mp.greater(mp.array([1.0, 2.0]), 1).tolist()
    [False, True]
    """
    return _core.greater(x1, x2)


@ufunc("greater_equal")
def greater_equal(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """Where x1 >= x2, as an array of bool. Also spelled `ge`. See `equal`.

    Examples
    --------
    >>> mp.greater_equal(mp.array([1.0, 2.0]), 2).tolist()
    [False, True]
    """
    return _core.greater_equal(x1, x2)


# PyTorch's spellings
eq = equal
ne = not_equal
lt = less
le = less_equal
gt = greater
ge = greater_equal
