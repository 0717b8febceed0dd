"""Comparisons of whole arrays, and elements replaced or taken apart."""

from __future__ import annotations

import numpy as np

from .. import _core
from .._core import ndarray
from .._dtypes import FLOATING, float32, float64
from .._limits import finfo
from .._typing import ArrayLike
from ..creation import asarray
from ..functional import all, copysign, isinf, trunc

__all__ = [
    "allclose",
    "array_equal",
    "array_equiv",
    "fabs",
    "isclose",
    "modf",
    "nan_to_num",
]


def isclose(
    a: ArrayLike,
    b: ArrayLike,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> ndarray:
    """Whether elements are equal within a tolerance.

    Parameters
    ----------
    a, b : array_like
        The arrays; they broadcast.
    rtol, atol : array_like
        How much they may differ: atol + rtol * abs(b).
    equal_nan : bool
        Whether NaN equals NaN.

    Returns
    -------
    ndarray
        Bools. Infinities are close to themselves alone.

    Examples
    --------
    >>> mp.isclose(mp.array([1.0, 2.0]), [1.0 + 1e-7, 2.1]).tolist()
    [True, False]
    """
    x, y = _comparable(a), _comparable(b)
    near = _core.less_equal(_core.abs(_core.sub(x, y)), atol + rtol * _core.abs(y))
    near = _core.where(_core.equal(x, y), True, _core.where(y.isfinite(), near, False))
    if not equal_nan:
        return near
    return _core.where(_core.where(y.isnan(), x.isnan(), False), True, near)


def _comparable(a: ArrayLike) -> ndarray:
    """The array in a dtype that can be subtracted without overflow or loss."""
    x = asarray(a).detach()
    if x.dtype not in FLOATING:
        return x.astype(float64)
    return x.astype(float32) if x.dtype.itemsize < 4 else x


def allclose(
    a: ArrayLike,
    b: ArrayLike,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Whether all elements are equal within a tolerance, as `isclose` says of each.

    Examples
    --------
    >>> mp.allclose(mp.ones(3), 1.0)
    True
    """
    return bool(all(isclose(a, b, rtol, atol, equal_nan)))


def array_equal(a1: ArrayLike, a2: ArrayLike, equal_nan: bool = False) -> bool:
    """Whether two arrays have the same shape and elements.

    Parameters
    ----------
    a1, a2 : array_like
        The arrays.
    equal_nan : bool
        Whether NaN equals NaN.

    Returns
    -------
    bool
        Whether they are equal.

    Examples
    --------
    >>> mp.array_equal(mp.arange(2), [0, 1])
    True
    """
    x, y = asarray(a1), asarray(a2)
    return x.shape == y.shape and _all_equal(x, y, equal_nan)


def array_equiv(a1: ArrayLike, a2: ArrayLike) -> bool:
    """Whether two arrays have the same elements where they are broadcast to one shape.

    Examples
    --------
    >>> mp.array_equiv([1, 2], [[1, 2], [1, 2]])
    True
    """
    x, y = asarray(a1), asarray(a2)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return _all_equal(x, y, False)


def _all_equal(x: ndarray, y: ndarray, equal_nan: bool) -> bool:
    same = _core.equal(x, y)
    if equal_nan:
        same = _core.where(_core.where(x.isnan(), y.isnan(), False), True, same)
    return bool(all(same))


def fabs(x: ArrayLike) -> ndarray:
    """The size of numbers, as floating ones.

    Examples
    --------
    >>> mp.fabs([-1, 2])
    array([1., 2.])
    """
    return _core.abs(_floating(x))


def modf(x: ArrayLike) -> tuple[ndarray, ndarray]:
    """The fractional and the whole part of numbers, each with their sign.

    Parameters
    ----------
    x : array_like
        The numbers.

    Returns
    -------
    tuple of ndarray
        The fractional parts, 0 of infinities, and the whole ones.

    Examples
    --------
    >>> mp.modf(mp.array([1.5, -0.25]))
    (array([ 0.5 , -0.25]), array([ 1., -0.]))
    """
    given = _floating(x)
    whole: ndarray = trunc(given)
    return copysign(_core.where(isinf(given), 0.0, given - whole), given), whole


def _floating(a: ArrayLike) -> ndarray:
    x = asarray(a)
    return x if x.dtype in FLOATING else x.astype(_core.default_dtype())


def nan_to_num(
    x: ArrayLike,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> ndarray:
    """x with numbers in place of NaN and infinities.

    Parameters
    ----------
    x : array_like
        The array.
    copy : bool
        False writes into x.
    nan : number
        What stands for NaN.
    posinf, neginf : number, optional
        What stands for the infinities; by default the largest and the least number of the dtype.

    Returns
    -------
    ndarray
        In x's dtype; gradients come only through what was kept.

    Examples
    --------
    >>> mp.nan_to_num(mp.array([1.0, mp.nan, mp.inf]), posinf=9.0)
    array([1., 0., 9.])
    """
    x = y = asarray(x)
    if x.dtype in FLOATING:
        limits = finfo(x.dtype)
        high = float(limits.max) if posinf is None else posinf
        low = float(limits.min) if neginf is None else neginf
        y = _core.where(_core.equal(x, np.inf), high, y)
        y = _core.where(_core.equal(x, -np.inf), low, y)
        y = _core.where(x.isnan(), nan, y).astype(x.dtype, copy=False)
    if copy:
        return _core.copy(y) if y is x else y
    if y is not x:
        x[...] = y
    return asarray(x)
