"""Whole quotients and remainders."""

from __future__ import annotations

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ._ufunc import ufunc

__all__ = [
    "divmod",
    "floor_divide",
    "fmod",
    "mod",
    "remainder",
]


@ufunc("floor_divide")
def floor_divide(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The quotient x1 / x2, rounded down to a whole number.

    Parameters
    ----------
    x1, x2 : array_like
        Dividend and divisor.

    Returns
    -------
    ndarray
        In the dtype that they promote to; of bools int8. An integer divided by 0 is 0, a float
        inf or NaN. Of and by infinities it is the quotient, as the array API standard asks:
        inf // 2 is inf, where NumPy has NaN.

    Notes
    -----
    The gradient is 0.

    Examples
    --------
    >>> mp.floor_divide(mp.array([7, -7]), 2).tolist()
    [3, -4]
    """
    return _core.floor_divide(x1, x2)


@ufunc("remainder")
def remainder(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """What floor_divide leaves: x1 - x2 * floor(x1 / x2). Also spelled `mod`.

    Parameters
    ----------
    x1, x2 : array_like
        Dividend and divisor.

    Returns
    -------
    ndarray
        The remainders, of x2's sign. That of an integer by 0 is 0, of a float NaN.

    Notes
    -----
    The gradient of x1 is 1, that of x2 is -floor(x1 / x2).

    Examples
    --------
    >>> mp.remainder(mp.array([7, -7]), 3).tolist()
    [1, 2]
    """
    return _core.remainder(x1, x2)


@ufunc("fmod")
def fmod(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """What a division towards zero leaves: x1 - x2 * trunc(x1 / x2).

    Parameters
    ----------
    x1, x2 : array_like
        Dividend and divisor.

    Returns
    -------
    ndarray
        The remainders, of x1's sign. That of an integer by 0 is 0, of a float NaN.

    Notes
    -----
    The gradient of x1 is 1, that of x2 is -trunc(x1 / x2).

    Examples
    --------
    >>> mp.fmod(mp.array([7, -7]), 3).tolist()
    [1, -1]
    """
    return _core.fmod(x1, x2)


def divmod(x1: ArrayLike, x2: ArrayLike) -> tuple[ndarray, ndarray]:
    """`floor_divide` and `remainder` at once.

    Parameters
    ----------
    x1, x2 : array_like
        Dividend and divisor.

    Returns
    -------
    tuple of ndarray
        The whole quotients and what they leave.

    Examples
    --------
    >>> quotient, rest = mp.divmod(mp.array([7, -7]), 3)
    >>> quotient.tolist(), rest.tolist()
    ([2, -3], [1, 2])
    """
    return _core.floor_divide(x1, x2), _core.remainder(x1, x2)


mod = remainder
