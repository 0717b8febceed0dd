"""Bits of integers and bools. Floats are a TypeError; there are no gradients."""

from __future__ import annotations

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ._ufunc import ufunc

__all__ = [
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "invert",
    "left_shift",
    "right_shift",
]


@ufunc("bitwise_and", identity=-1)
def bitwise_and(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 & x2, bit by bit.

    Parameters
    ----------
    x1, x2 : array_like
        The operands: integers or bools.

    Returns
    -------
    ndarray
        In the dtype that they promote to.

    Examples
    --------
    >>> mp.bitwise_and(mp.array([6, 7]), 3).tolist()
    [2, 3]
    """
    return _core.bitwise_and(x1, x2)


@ufunc("bitwise_or", identity=0)
def bitwise_or(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 | x2, bit by bit.

    Parameters
    ----------
    x1, x2 : array_like
        The operands: integers or bools.

    Returns
    -------
    ndarray
        In the dtype that they promote to.

    Examples
    --------
    >>> mp.bitwise_or(mp.array([6, 8]), 3).tolist()
    [7, 11]
    """
    return _core.bitwise_or(x1, x2)


@ufunc("bitwise_xor", identity=0)
def bitwise_xor(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 ^ x2, bit by bit.

    Parameters
    ----------
    x1, x2 : array_like
        The operands: integers or bools.

    Returns
    -------
    ndarray
        In the dtype that they promote to.

    Examples
    --------
    >>> mp.bitwise_xor(mp.array([6, 7]), 3).tolist()
    [5, 4]
    """
    return _core.bitwise_xor(x1, x2)


@ufunc("bitwise_invert")
def bitwise_invert(x: ArrayLike) -> ndarray:
    """~x: each bit the other way. Also spelled `bitwise_not` and `invert`.

    Parameters
    ----------
    x : array_like
        The values: integers or bools.

    Returns
    -------
    ndarray
        In x's dtype; of bools, where x is false.

    Examples
    --------
    >>> mp.bitwise_invert(mp.array([0, 5])).tolist()
    [-1, -6]
    """
    return _core.bitwise_invert(x)


@ufunc("bitwise_left_shift")
def bitwise_left_shift(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 << x2: bits moved up by x2 places. Also spelled `left_shift`.

    Parameters
    ----------
    x1, x2 : array_like
        The values and the counts: integers.

    Returns
    -------
    ndarray
        In the dtype that they promote to; 0 where a count is negative or not below the width.

    Examples
    --------
    >>> mp.bitwise_left_shift(mp.array([1, 3]), 2).tolist()
    [4, 12]
    """
    return _core.bitwise_left_shift(x1, x2)


@ufunc("bitwise_right_shift")
def bitwise_right_shift(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 >> x2: bits moved down by x2 places, the sign stays. Also spelled `right_shift`.

    Parameters
    ----------
    x1, x2 : array_like
        The values and the counts: integers.

    Returns
    -------
    ndarray
        In the dtype that they promote to; 0, or -1 of negative values, where a count is
        negative or not below the width.

    Examples
    --------
    >>> mp.bitwise_right_shift(mp.array([8, -8]), 2).tolist()
    [2, -2]
    """
    return _core.bitwise_right_shift(x1, x2)


# NumPy's shorter spellings, and PyTorch's
invert = bitwise_not = bitwise_invert
left_shift = bitwise_left_shift
right_shift = bitwise_right_shift
