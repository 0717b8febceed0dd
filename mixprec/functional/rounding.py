"""Whole numbers, neighbours, signs, and choices that pass NaN over."""

from __future__ import annotations

from .. import _core
from .._core import ndarray
from .._dtypes import float64
from .._typing import ArrayLike
from ._axis import integer
from ._out import deliver
from ._ufunc import ufunc

__all__ = [
    "around",
    "ceil",
    "copysign",
    "fix",
    "floor",
    "fmax",
    "fmin",
    "heaviside",
    "nextafter",
    "positive",
    "rint",
    "round",
    "trunc",
]


@ufunc("floor")
def floor(x: ArrayLike) -> ndarray:
    """The greatest whole number that is not above each element.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        In x's dtype; integers as they are. The gradient is 0.

    Examples
    --------
    >>> mp.floor(mp.array([-1.5, 1.5]))
    array([-2.,  1.])
    """
    return _core.floor(x)


@ufunc("ceil")
def ceil(x: ArrayLike) -> ndarray:
    """The least whole number that is not below each element.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        In x's dtype; integers as they are. The gradient is 0.

    Examples
    --------
    >>> mp.ceil(mp.array([-1.5, 1.5]))
    array([-1.,  2.])
    """
    return _core.ceil(x)


@ufunc("trunc")
def trunc(x: ArrayLike) -> ndarray:
    """Each element without its fraction. Also spelled `fix`.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        In x's dtype; integers as they are. The gradient is 0.

    Examples
    --------
    >>> mp.trunc(mp.array([-1.5, 1.5]))
    array([-1.,  1.])
    """
    return _core.trunc(x)


@ufunc("round")
def rint(x: ArrayLike) -> ndarray:
    """The whole number nearest to each element, halves to the even one.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        In x's dtype; integers as they are. The gradient is 0.

    Examples
    --------
    >>> mp.rint(mp.array([0.5, 1.5, 2.6]))
    array([0., 2., 3.])
    """
    return _core.round(x)


def round(x: ArrayLike, decimals: int = 0, out: ndarray | None = None) -> ndarray:
    """Each element, rounded to a number of decimal places, halves to even. Also spelled `around`.

    Parameters
    ----------
    x : array_like
        The values.
    decimals : int
        The places after the point; with a negative number, tens and hundreds are rounded.
    out : ndarray, optional
        Where the result goes.

    Returns
    -------
    ndarray
        In x's dtype; integers as they are, unless decimals is negative. The gradient is 0.

    Examples
    --------
    >>> mp.round(mp.array([0.5, 1.5, 2.75]))
    array([0., 2., 3.])
    >>> mp.round(mp.array([1.234, 5.678]), 1)
    array([1.2, 5.7])
    """
    y = _core.round(x)
    if decimals != 0 and not (integer("round", "decimals", decimals) > 0 and y.dtype.kind in "biu"):
        if y.dtype.kind in "biu":
            y = _core.cast(_scaled(_core.cast(x, float64), decimals), y.dtype)
        else:
            y = _scaled(x, decimals)
    return deliver("round", y, out)


def _scaled(x: ArrayLike, decimals: int) -> ndarray:
    """x rounded at a power of ten other than 1, as NumPy does it: multiplied, rounded, divided."""
    factor = 10.0 ** min(abs(decimals), 308)  # a float's largest power
    if decimals > 0:
        return _core.div(_core.round(_core.mul(x, factor)), factor)
    return _core.mul(_core.round(_core.div(x, factor)), factor)


@ufunc("positive")
def positive(x: ArrayLike) -> ndarray:
    """+x: a copy.

    Parameters
    ----------
    x : array_like
        The values. Not bools.

    Returns
    -------
    ndarray
        The same values.

    Examples
    --------
    >>> mp.positive(mp.array([1.0, -2.0]))
    array([ 1., -2.])
    """
    return _core.positive(x)


@ufunc("copysign")
def copysign(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 with the sign of x2.

    Parameters
    ----------
    x1, x2 : array_like
        The values, and what lends the sign: -0.0 is negative.

    Returns
    -------
    ndarray
        The values; of integers in the default dtype.

    Examples
    --------
    >>> mp.copysign(mp.array([1.0, -2.0]), -1.0)
    array([-1., -2.])
    """
    return _core.copysign(x1, x2)


@ufunc("nextafter")
def nextafter(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The number next to x1 on the way to x2, of those that the dtype has.

    Parameters
    ----------
    x1, x2 : array_like
        Where to start, and where to go.

    Returns
    -------
    ndarray
        The next numbers; x2 where the two are equal.

    Examples
    --------
    >>> mp.nextafter(mp.array([1.0], dtype=mp.float16), 2.0)
    array([1.001], dtype=float16)
    """
    return _core.nextafter(x1, x2)


@ufunc("fmax")
def fmax(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The larger of two elements; the other one where one is NaN.

    Parameters
    ----------
    x1, x2 : array_like
        The operands.

    Returns
    -------
    ndarray
        The larger ones. Where they are equal, each gets half of the gradient.

    Examples
    --------
    >>> mp.fmax(mp.array([1.0, float("nan")]), 3.0)
    array([3., 3.])
    """
    return _core.fmax(x1, x2)


@ufunc("fmin")
def fmin(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The smaller of two elements; the other one where one is NaN.

    Parameters
    ----------
    x1, x2 : array_like
        The operands.

    Returns
    -------
    ndarray
        The smaller ones. Where they are equal, each gets half of the gradient.

    Examples
    --------
    >>> mp.fmin(mp.array([1.0, float("nan")]), 3.0)
    array([1., 3.])
    """
    return _core.fmin(x1, x2)


@ufunc()
def heaviside(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The step: 0 below 0, 1 above, and x2 at 0.

    Parameters
    ----------
    x1, x2 : array_like
        The values, and what the step is at 0.

    Returns
    -------
    ndarray
        0, 1 or x2; NaN of NaN; of integers in the default dtype.

    Examples
    --------
    >>> mp.heaviside(mp.array([-1.0, 0.0, 2.0]), 0.5)
    array([0. , 0.5, 1. ])
    """
    side = _core.mul(_core.add(_core.sign(x1), 1.0), 0.5)
    return _core.where(_core.equal(x1, 0), x2, side)


fix = trunc
around = round
