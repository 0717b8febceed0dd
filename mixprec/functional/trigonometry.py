"""Angles: circular and hyperbolic functions and their inverses."""

from __future__ import annotations

import math

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ._ufunc import ufunc

__all__ = [
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "hypot",
    "rad2deg",
    "radians",
    "sin",
    "sinc",
    "sinh",
    "tan",
    "tanh",
]


@ufunc("sin")
def sin(x: ArrayLike) -> ndarray:
    """The sine of each element, an angle in radians.

    Parameters
    ----------
    x : array_like
        The angles: NaN comes of infinite ones.

    Returns
    -------
    ndarray
        From -1 to 1; of integers in the default dtype.

    Examples
    --------
    >>> mp.sin(mp.array([0.0, 1.0]))
    array([0. , 0.84147...])
    """
    return _core.sin(x)


@ufunc("cos")
def cos(x: ArrayLike) -> ndarray:
    """The cosine of each element, an angle in radians.

    Parameters
    ----------
    x : array_like
        The angles: NaN comes of infinite ones.

    Returns
    -------
    ndarray
        From -1 to 1; of integers in the default dtype.

    Examples
    --------
    >>> mp.cos(mp.array([0.0, 1.0]))
    array([1. , 0.54030...])
    """
    return _core.cos(x)


@ufunc("tan")
def tan(x: ArrayLike) -> ndarray:
    """The tangent of each element, an angle in radians.

    Parameters
    ----------
    x : array_like
        The angles: NaN comes of infinite ones.

    Returns
    -------
    ndarray
        The tangents; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.tan(mp.array([0.0, 1.0]))
    array([0. , 1.5574...])
    """
    return _core.tan(x)


@ufunc("asin")
def asin(x: ArrayLike) -> ndarray:
    """The angle whose sine each element is. Also spelled `arcsin`.

    Parameters
    ----------
    x : array_like
        The sines: NaN comes of those beyond -1 and 1.

    Returns
    -------
    ndarray
        From -pi/2 to pi/2; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.asin(mp.array([0.0, 1.0]))
    array([0. , 1.5707...])
    """
    return _core.asin(x)


@ufunc("acos")
def acos(x: ArrayLike) -> ndarray:
    """The angle whose cosine each element is. Also spelled `arccos`.

    Parameters
    ----------
    x : array_like
        The cosines: NaN comes of those beyond -1 and 1.

    Returns
    -------
    ndarray
        From 0 to pi; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.acos(mp.array([1.0, 0.0]))
    array([0. , 1.5707...])
    """
    return _core.acos(x)


@ufunc("atan")
def atan(x: ArrayLike) -> ndarray:
    """The angle whose tangent each element is. Also spelled `arctan`.

    Parameters
    ----------
    x : array_like
        The tangents.

    Returns
    -------
    ndarray
        From -pi/2 to pi/2; of integers in the default dtype.

    Examples
    --------
    >>> mp.atan(mp.array([0.0, 1.0]))
    array([0. , 0.78539...])
    """
    return _core.atan(x)


@ufunc("atan2")
def atan2(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The angle of the point (x2, x1). Also spelled `arctan2`.

    Parameters
    ----------
    x1, x2 : array_like
        The point's second coordinate and its first one.

    Returns
    -------
    ndarray
        From -pi to pi, of x1's sign; of integers in the default dtype.

    Notes
    -----
    The gradient at the origin is 0.

    Examples
    --------
    >>> mp.atan2(mp.array([1.0, -1.0]), mp.array([1.0, 0.0]))
    array([ 0.78539..., -1.5707...])
    """
    return _core.atan2(x1, x2)


@ufunc("hypot", identity=0)
def hypot(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The distance of the point (x1, x2) from the origin.

    Parameters
    ----------
    x1, x2 : array_like
        The point's coordinates.

    Returns
    -------
    ndarray
        ``sqrt(x1**2 + x2**2)``, whose squares do not overflow; of integers in the default
        dtype.

    Notes
    -----
    The gradient at the origin is 0.

    Examples
    --------
    >>> mp.hypot(mp.array([3.0, 5.0]), mp.array([4.0, 12.0]))
    array([ 5., 13.])
    """
    return _core.hypot(x1, x2)


@ufunc("sinh")
def sinh(x: ArrayLike) -> ndarray:
    """The hyperbolic sine of each element.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        ``(exp(x) - exp(-x)) / 2``; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.sinh(mp.array([0.0, 1.0]))
    array([0. , 1.1752...])
    """
    return _core.sinh(x)


@ufunc("cosh")
def cosh(x: ArrayLike) -> ndarray:
    """The hyperbolic cosine of each element.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        ``(exp(x) + exp(-x)) / 2``; of integers in the default dtype; float32 under autocast.

    Examples
    --------
    >>> mp.cosh(mp.array([0.0, 1.0]))
    array([1. , 1.5430...])
    """
    return _core.cosh(x)


@ufunc("tanh")
def tanh(x: ArrayLike) -> ndarray:
    """The hyperbolic tangent of each element.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        From -1 to 1.

    Examples
    --------
    >>> mp.tanh(mp.array([0.0, 1.0]))
    array([0. , 0.76159...])
    """
    return _core.tanh(x)


@ufunc("asinh")
def asinh(x: ArrayLike) -> ndarray:
    """The value whose hyperbolic sine each element is. Also spelled `arcsinh`.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        The inverses; of integers in the default dtype.

    Examples
    --------
    >>> mp.asinh(mp.array([0.0, 1.0]))
    array([0. , 0.88137...])
    """
    return _core.asinh(x)


@ufunc("acosh")
def acosh(x: ArrayLike) -> ndarray:
    """The value whose hyperbolic cosine each element is. Also spelled `arccosh`.

    Parameters
    ----------
    x : array_like
        The values: NaN comes of those below 1.

    Returns
    -------
    ndarray
        The inverses, not negative; of integers in the default dtype.

    Examples
    --------
    >>> mp.acosh(mp.array([1.0, 2.0]))
    array([0. , 1.3169...])
    """
    return _core.acosh(x)


@ufunc("atanh")
def atanh(x: ArrayLike) -> ndarray:
    """The value whose hyperbolic tangent each element is. Also spelled `arctanh`.

    Parameters
    ----------
    x : array_like
        The values: inf of their sign comes of -1 and 1, NaN of those beyond.

    Returns
    -------
    ndarray
        The inverses; of integers in the default dtype.

    Examples
    --------
    >>> mp.atanh(mp.array([0.0, 0.5]))
    array([0. , 0.54930...])
    """
    return _core.atanh(x)


@ufunc()
def deg2rad(x: ArrayLike) -> ndarray:
    """Degrees as radians. Also spelled `radians`.

    Parameters
    ----------
    x : array_like
        Angles in degrees.

    Returns
    -------
    ndarray
        x times pi / 180; of integers in the default dtype.

    Examples
    --------
    >>> mp.deg2rad(mp.array([0.0, 180.0]))
    array([0. , 3.1415...])
    """
    return _core.mul(x, math.pi / 180)


@ufunc()
def rad2deg(x: ArrayLike) -> ndarray:
    """Radians as degrees. Also spelled `degrees`.

    Parameters
    ----------
    x : array_like
        Angles in radians.

    Returns
    -------
    ndarray
        x times 180 / pi; of integers in the default dtype.

    Examples
    --------
    >>> mp.rad2deg(mp.array([0.0, 1.0]))
    array([ 0. , 57.295...])
    """
    return _core.mul(x, 180 / math.pi)


@ufunc()
def sinc(x: ArrayLike) -> ndarray:
    """sin(pi x) / (pi x), and 1 at 0.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        The quotients; of integers in the default dtype.

    Examples
    --------
    >>> mp.sinc(mp.array([0.0, 0.5]))
    array([1. , 0.63661...])
    """
    flat = _core.equal(x, 0)
    angle = _core.mul(_core.where(flat, 1.0, x), math.pi)
    return _core.where(flat, 1.0, _core.div(_core.sin(angle), angle))


# NumPy's longer spellings
arcsin = asin
arccos = acos
arctan = atan
arctan2 = atan2
arcsinh = asinh
arccosh = acosh
arctanh = atanh
radians = deg2rad
degrees = rad2deg
