"""Tests of elements, and of their truth. Results are arrays of bool without gradients."""

from __future__ import annotations

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ._ufunc import ufunc

__all__ = [
    "isfinite",
    "isinf",
    "isnan",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "signbit",
]


@ufunc("isnan")
def isnan(x: ArrayLike) -> ndarray:
    """Where x is NaN, as an array of bool.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        Bools; False of integers.

    Examples
    --------
    >>> mp.isnan(mp.array([1.0, float("nan")])).tolist()
    [False, True]
    """
    return _core.isnan(x)


@ufunc("isinf")
def isinf(x: ArrayLike) -> ndarray:
    """Where x is infinite, of either sign, as an array of bool.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        Bools; False of integers.

    Examples
    --------
    >>> mp.isinf(mp.array([1.0, float("-inf")])).tolist()
    [False, True]
    """
    return _core.isinf(x)


@ufunc("isfinite")
def isfinite(x: ArrayLike) -> ndarray:
    """Where x is neither infinite nor NaN, as an array of bool.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        Bools; True of integers.

    Examples
    --------
    >>> mp.isfinite(mp.array([1.0, float("inf"), float("nan")])).tolist()
    [True, False, False]
    """
    return _core.isfinite(x)


@ufunc("signbit")
def signbit(x: ArrayLike) -> ndarray:
    """Where x has a minus sign, as -0.0 does, as an array of bool.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        Bools; of integers, where x < 0.

    Examples
    --------
    >>> mp.signbit(mp.array([1.0, -0.0])).tolist()
    [False, True]
    """
    return _core.signbit(x)


@ufunc("logical_not")
def logical_not(x: ArrayLike) -> ndarray:
    """Where x is 0, as an array of bool.

    Parameters
    ----------
    x : array_like
        The values, of any dtype.

    Returns
    -------
    ndarray
        Bools.

    Examples
    --------
    >>> mp.logical_not(mp.array([0.0, 2.0])).tolist()
    [True, False]
    """
    return _core.logical_not(x)


@ufunc("logical_and", identity=True)
def logical_and(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """Where both are true, as an array of bool.

    Parameters
    ----------
    x1, x2 : array_like
        The operands, of any dtype: true where they are not 0, NaN included.

    Returns
    -------
    ndarray
        Bools.

    Examples
    --------
    >>> mp.logical_and(mp.array([0, 2]), True).tolist()
    [False, True]
    """
    return _core.logical_and(x1, x2)


@ufunc("logical_or", identity=False)
def logical_or(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """Where one is true, as an array of bool.

    Parameters
    ----------
    x1, x2 : array_like
        The operands, of any dtype: true where they are not 0, NaN included.

    Returns
    -------
    ndarray
        Bools.

    Examples
    --------
    >>> mp.logical_or(mp.array([0, 2]), True).tolist()
    [True, True]
    """
    return _core.logical_or(x1, x2)


@ufunc("logical_xor", identity=False)
def logical_xor(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """Where one is true and the other is not, as an array of bool.

    Parameters
    ----------
    x1, x2 : array_like
        The operands, of any dtype: true where they are not 0, NaN included.

    Returns
    -------
    ndarray
        Bools.

    Examples
    --------
    >>> mp.logical_xor(mp.array([0, 2]), True).tolist()
    [True, False]
    """
    return _core.logical_xor(x1, x2)
