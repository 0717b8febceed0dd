"""Exponentials, logarithms and roots beyond exp, log and sqrt, and the error function."""

from __future__ import annotations

import math

from .. import _core
from .._core import ndarray
from .._dtypes import float32, float64
from .._typing import ArrayLike
from ._ufunc import ufunc

__all__ = [
    "cbrt",
    "erf",
    "exp2",
    "expm1",
    "float_power",
    "ldexp",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logaddexp2",
]


@ufunc("exp2")
def exp2(x: ArrayLike) -> ndarray:
    """2 to the power of each element.

    Parameters
    ----------
    x : array_like
        The exponents.

    Returns
    -------
    ndarray
        The powers; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.exp2(mp.array([0.0, 3.0]))
    array([1., 8.])
    """
    return _core.exp2(x)


@ufunc("expm1")
def expm1(x: ArrayLike) -> ndarray:
    """exp(x) - 1, exact where x is small.

    Parameters
    ----------
    x : array_like
        The exponents.

    Returns
    -------
    ndarray
        The powers less 1; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.expm1(mp.array([0.0, 1e-8]))
    array([0.e+00, 1.e-08])
    """
    return _core.expm1(x)


@ufunc("log1p")
def log1p(x: ArrayLike) -> ndarray:
    """log(1 + x), exact where x is small.

    Parameters
    ----------
    x : array_like
        The values: -inf comes of -1, NaN of lesser ones.

    Returns
    -------
    ndarray
        The logarithms; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.log1p(mp.array([0.0, 1e-8]))
    array([0.e+00, 1.e-08])
    """
    return _core.log1p(x)


@ufunc("log2")
def log2(x: ArrayLike) -> ndarray:
    """The logarithm to base 2 of each element.

    Parameters
    ----------
    x : array_like
        The values: -inf comes of 0, NaN of negative ones.

    Returns
    -------
    ndarray
        The logarithms; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.log2(mp.array([1.0, 8.0]))
    array([0., 3.])
    """
    return _core.log2(x)


@ufunc("log10")
def log10(x: ArrayLike) -> ndarray:
    """The logarithm to base 10 of each element.

    Parameters
    ----------
    x : array_like
        The values: -inf comes of 0, NaN of negative ones.

    Returns
    -------
    ndarray
        The logarithms; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.log10(mp.array([1.0, 1000.0]))
    array([0., 3.])
    """
    return _core.log10(x)


@ufunc("logaddexp", identity=-math.inf)
def logaddexp(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """log(exp(x1) + exp(x2)), without their overflow.

    Parameters
    ----------
    x1, x2 : array_like
        The logarithms of what is added.

    Returns
    -------
    ndarray
        The logarithm of the sum; of integers in the default dtype.

    Examples
    --------
    >>> mp.logaddexp(mp.array([0.0, 1000.0]), 0.0)
    array([6.9314...e-01, 1.0000...e+03])
    """
    return _core.logaddexp(x1, x2)


@ufunc()
def logaddexp2(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """log2(2**x1 + 2**x2), without their overflow.

    Parameters
    ----------
    x1, x2 : array_like
        The logarithms to base 2 of what is added.

    Returns
    -------
    ndarray
        The logarithm of the sum; of integers in the default dtype.

    Examples
    --------
    >>> mp.logaddexp2(mp.array([0.0, 3.0]), mp.array([0.0, 3.0]))
    array([1., 4.])
    """
    alike = _core.equal(x1, x2)
    apart = _core.where(alike, 0.0, _core.abs(_core.sub(x1, x2)))
    more = _core.log1p(_core.exp2(_core.neg(apart)))
    return _core.add(_core.maximum(x1, x2), _core.mul(more, 1 / math.log(2)))


@ufunc("cbrt")
def cbrt(x: ArrayLike) -> ndarray:
    """The cube root of each element.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        The roots, of x's sign; of integers in the default dtype.

    Examples
    --------
    >>> mp.cbrt(mp.array([8.0, -27.0]))
    array([ 2., -3.])
    """
    return _core.cbrt(x)


@ufunc("erf")
def erf(x: ArrayLike) -> ndarray:
    """The error function of each element: the integral of the normal distribution from -x to x.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        From -1 to 1; of integers in the default dtype.

    Examples
    --------
    >>> mp.erf(mp.array([0.0, 1.0]))
    array([0. , 0.84270...])
    """
    return _core.erf(x)


@ufunc()
def float_power(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 to the power x2, in float64.

    Parameters
    ----------
    x1, x2 : array_like
        Bases and exponents, on the CPU or a GPU.

    Returns
    -------
    ndarray
        The powers in float64.

    Examples
    --------
    >>> mp.float_power(mp.array([2, 3]), -1)
    array([0.5 , 0.33333333], dtype=float64)
    """
    return _core.pow(_core.cast(x1, float64), _core.cast(x2, float64))


@ufunc()
def ldexp(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 times 2 to the power x2.

    Parameters
    ----------
    x1, x2 : array_like
        The values and the exponents.

    Returns
    -------
    ndarray
        The products; of integers in the default dtype. They are rounded once, however great the
        exponents are.

    Examples
    --------
    >>> mp.ldexp(mp.array([0.5, 3.0]), mp.array([2, -1]))
    array([2. , 1.5])
    """
    x = _core.mul(x1, 1.0)
    dtype, most = (float64, 2200) if x.dtype == float64 else (float32, 300)
    exponent = _core.maximum(_core.minimum(_core.cast(x2, dtype), most), -most)
    third = _core.floor(_core.div(exponent, 3))
    power, last = _core.exp2(third), _core.exp2(_core.sub(exponent, _core.mul(third, 2)))
    return _core.cast(_core.mul(_core.mul(_core.mul(x, power), power), last), x.dtype)
