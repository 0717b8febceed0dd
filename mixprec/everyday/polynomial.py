"""Polynomials as vectors of coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _numpy
from .._core import ndarray
from ..creation import array, asarray, zeros_like
from ..functional import concatenate

__all__ = ["poly1d", "polyder", "polyint", "polyval"]


def polyval(p: Any, x: Any) -> Any:
    """The values of a polynomial.

    Parameters
    ----------
    p : array_like or poly1d
        The coefficients, the highest power first.
    x : array_like or poly1d
        Where; a polynomial is put in place of the variable.

    Returns
    -------
    ndarray or poly1d
        The values, by Horner's rule.

    Examples
    --------
    >>> mp.polyval([3, 0, 1], mp.array([0.0, 2.0]))
    array([ 1., 13.])
    """
    if isinstance(x, np.poly1d):
        return poly1d(np.polyval(_numpy.plain("polyval", p), x))
    x = asarray(x)
    y = zeros_like(x, device=x.device)
    for coefficient in p.coeffs if isinstance(p, np.poly1d) else p:
        y = y * x + coefficient
    return y


def polyder(p: Any, m: int = 1) -> Any:
    """The coefficients of the derivative of a polynomial.

    Parameters
    ----------
    p : array_like or poly1d
        The coefficients, the highest power first.
    m : int
        How many times to differentiate.

    Returns
    -------
    ndarray or poly1d
        As p is given.

    Examples
    --------
    >>> mp.polyder(mp.array([3.0, 0.0, 1.0]))
    array([6., 0.])
    """
    _check("polyder", m)
    y = _coefficients(p)
    for _ in range(m):
        powers = np.arange(y.size - 1, 0, -1)
        y = y[:-1] * array(powers, device=y.device)
    return poly1d(y) if isinstance(p, np.poly1d) else y


def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The coefficients of an antiderivative of a polynomial.

    Parameters
    ----------
    p : array_like or poly1d
        The coefficients, the highest power first.
    m : int
        How many times to integrate.
    k : number or sequence of numbers, optional
        The constants of integration, in the order of the steps; by default 0.

    Returns
    -------
    ndarray or poly1d
        As p is given.

    Examples
    --------
    >>> mp.polyint(mp.array([6.0, 0.0]))
    array([3., 0., 0.])
    """
    _check("polyint", m)
    constants = np.zeros(m) if k is None else np.atleast_1d(_numpy.plain("polyint", k))
    if constants.size == 1:
        constants = np.repeat(constants, m)
    if constants.size < m:
        raise ValueError(f"polyint: {constants.size} constants for {m} steps")
    y = _coefficients(p)
    for i in range(m):
        y = y / array(np.arange(y.size, 0, -1), y.dtype, device=y.device)
        y = concatenate([y, array([constants[i]], y.dtype, device=y.device)])
    return poly1d(y) if isinstance(p, np.poly1d) else y


def _check(op: str, m: int) -> None:
    if m < 0:
        raise ValueError(f"{op}: m is {m}, must not be negative")


def _coefficients(p: Any) -> ndarray:
    return asarray(p.coeffs if isinstance(p, np.poly1d) else p)


class poly1d(np.poly1d):
    """A polynomial in one variable, which is called, added, multiplied and differentiated.

    It keeps its coefficients in NumPy; its values at arrays of ours are arrays of ours, with
    gradients for those arrays.

    Parameters
    ----------
    c_or_r : array_like
        The coefficients, the highest power first, or the zeros.
    r : bool
        Whether they are the zeros.
    variable : str, optional
        The name of the variable in texts.

    Examples
    --------
    >>> p = mp.poly1d([1.0, 0.0, -1.0])
    >>> p(mp.array([2.0, 3.0])), p.deriv()(1.0).item()
    (array([3., 8.]), 2.0)
    """

    __module__ = "mixprec"

    def __init__(self, c_or_r: Any, r: bool = False, variable: str | None = None) -> None:
        super().__init__(_numpy.plain("poly1d", c_or_r), r, variable)

    def __call__(self, val: Any) -> Any:
        return polyval(self, val)

    def deriv(self, m: Any = 1) -> poly1d:
        return poly1d(super().deriv(m))

    def integ(self, m: Any = 1, k: Any = 0) -> poly1d:
        return poly1d(super().integ(m, _numpy.plain("integ", k)))


def _same_kind(name: str) -> None:
    """Makes an operator of poly1d give polynomials of this class."""
    theirs = getattr(np.poly1d, name)

    def operator(self: poly1d, *others: Any) -> Any:
        result = theirs(self, *_numpy.plain(name, others))
        if isinstance(result, tuple):
            return tuple(map(poly1d, result))
        return poly1d(result) if isinstance(result, np.poly1d) else result

    operator.__name__ = name
    setattr(poly1d, name, operator)


for _name in "add radd sub rsub mul rmul truediv rtruediv pow neg pos".split():  # noqa: SIM905
    _same_kind(f"__{_name}__")
