"""Functions of each element: arithmetic, exponentials, choices.

Operands broadcast as in NumPy. Floating dtypes beat integers, Python numbers are weak, and values
are computed in float32 (float64 for float64) whatever dtype they are kept in.
"""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from .. import _core
from .._core import add as _add
from .._core import div as _div
from .._core import mul as _mul
from .._core import ndarray
from .._core import sub as _sub
from .._numpy import fallback, is_text
from .._short import short
from .._typing import ArrayLike
from ._out import deliver
from ._ufunc import _MISSING, ufunc
from .indexing import nonzero

__all__ = [
    "abs",
    "absolute",
    "add",
    "clamp",
    "clip",
    "div",
    "divide",
    "exp",
    "log",
    "maximum",
    "minimum",
    "mul",
    "multiply",
    "neg",
    "negative",
    "pow",
    "power",
    "reciprocal",
    "rsqrt",
    "sign",
    "sqrt",
    "square",
    "sub",
    "subtract",
    "true_divide",
    "where",
]

# ---- two operands ----


@ufunc("add", identity=0)
def add(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 + x2.

    Parameters
    ----------
    x1, x2 : array_like
        The summands.

    Returns
    -------
    ndarray
        The sum; of bools, whether one of them is true.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> mp.add(mp.array([1.0, 2.0]), 1)
    array([2., 3.])
    """
    return _add(x1, x2)


@ufunc("sub")
def subtract(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 - x2. Also spelled `sub`.

    Parameters
    ----------
    x1, x2 : array_like
        The operands. Not bools.

    Returns
    -------
    ndarray
        The difference.

    Examples
    --------
    >>> mp.subtract(mp.array([1.0, 2.0]), 1)
    array([0., 1.])
    """
    return _sub(x1, x2)


@ufunc("mul", identity=1)
def multiply(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 * x2, element by element. Also spelled `mul`.

    Parameters
    ----------
    x1, x2 : array_like
        The factors.

    Returns
    -------
    ndarray
        The product.

    Examples
    --------
    >>> mp.multiply(mp.array([1.0, 2.0]), mp.array([3.0, 4.0]))
    array([3., 8.])
    """
    return _mul(x1, x2)


@ufunc("div")
def divide(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 / x2. Also spelled `div` and `true_divide`.

    Parameters
    ----------
    x1, x2 : array_like
        Dividend and divisor.

    Returns
    -------
    ndarray
        The quotient; of integers in the default dtype. Division by 0 gives inf or NaN.

    Examples
    --------
    >>> mp.divide(mp.array([1, 2]), 2)
    array([0.5, 1. ])
    """
    return _div(x1, x2)


@ufunc("pow")
def power(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """x1 to the power x2. Also spelled `pow`.

    Parameters
    ----------
    x1, x2 : array_like
        Bases and exponents.

    Returns
    -------
    ndarray
        The powers; float32 under autocast.

    Raises
    ------
    ValueError
        For integers to negative integer powers.

    Notes
    -----
    The gradient of x1 is x2 * x1**(x2 - 1), that of x2 is x1**x2 * log(x1).

    Examples
    --------
    >>> mp.power(mp.array([2.0, 3.0]), 2)
    array([4., 9.])
    """
    return _core.pow(x1, x2)


@ufunc("maximum")
def maximum(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The larger of two elements; NaN if one is NaN.

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
    >>> mp.maximum(mp.array([1.0, 5.0]), 3)
    array([3., 5.])
    """
    return _core.maximum(x1, x2)


@ufunc("minimum")
def minimum(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The smaller of two elements; NaN if one is NaN.

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
    >>> mp.minimum(mp.array([1.0, 5.0]), 3)
    array([1., 3.])
    """
    return _core.minimum(x1, x2)


def clip(
    x: ArrayLike,
    /,
    min: ArrayLike | None = None,
    max: ArrayLike | None = None,
    out: Any = None,
    *,
    a_min: ArrayLike | None = None,
    a_max: ArrayLike | None = None,
) -> ndarray:
    """x, held between two bounds. Also spelled `clamp`.

    Parameters
    ----------
    x : array_like
        The values.
    min, max : array_like, optional
        The bounds; None is none. `a_min` and `a_max` are other names of theirs.
    out : ndarray, optional
        Where the result is written.

    Returns
    -------
    ndarray
        ``minimum(maximum(x, min), max)``.

    Examples
    --------
    >>> mp.clip(mp.array([-2.0, 0.5, 2.0]), -1, 1)
    array([-1. ,  0.5,  1. ])
    """
    if (a_min is not None and min is not None) or (a_max is not None and max is not None):
        raise TypeError("clip: a bound is given twice")
    low = a_min if min is None else min
    high = a_max if max is None else max
    y = x if low is None else _core.maximum(x, low)
    y = y if high is None else _core.minimum(y, high)
    y = _core.copy(x) if low is None and high is None else y
    return y if out is None else deliver("clip", y, out)


def clamp(x: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None) -> ndarray:
    """`clip`, as PyTorch spells it.

    Examples
    --------
    >>> mp.clamp(mp.array([-2.0, 2.0]), min=0)
    array([0., 2.])
    """
    return clip(x, min, max)


@overload
def where(condition: ArrayLike) -> tuple[ndarray, ...]: ...
@overload
def where(condition: ArrayLike, x1: ArrayLike, x2: ArrayLike) -> ndarray: ...
@short("nonzero")  # of the condition alone
def where(condition: ArrayLike, x1: ArrayLike = _MISSING, x2: ArrayLike = _MISSING) -> Any:
    """Elements of x1 where the condition holds, and of x2 elsewhere.

    Parameters
    ----------
    condition : array_like
        True, or not 0, where x1 is wanted.
    x1, x2 : array_like
        The values to choose from. All three broadcast together. Without them the indices where
        the condition holds are given, as by `nonzero`. Of texts NumPy's array is made.

    Returns
    -------
    ndarray or tuple of ndarray
        In the dtype that x1 and x2 promote to.

    Examples
    --------
    >>> x = mp.array([-1.0, 2.0])
    >>> mp.where(x > 0, x, 0.0)
    array([0., 2.])
    >>> mp.where(x > 0)[0].tolist()
    [1]
    """
    if x1 is _MISSING and x2 is _MISSING:
        return nonzero(condition)
    if x1 is _MISSING or x2 is _MISSING:
        raise ValueError("where: x1 and x2 are wanted, or none of them")
    try:
        return _core.where(condition, x1, x2)
    except TypeError:
        if is_text(x1) or is_text(x2):
            return fallback(np.where, (condition, x1, x2))
        raise


# ---- one operand ----


@ufunc("neg")
def negative(x: ArrayLike) -> ndarray:
    """-x. Also spelled `neg`.

    Parameters
    ----------
    x : array_like
        The values. Not bools.

    Returns
    -------
    ndarray
        Their negatives.

    Examples
    --------
    >>> mp.negative(mp.array([1.0, -2.0]))
    array([-1.,  2.])
    """
    return _core.neg(x)


@ufunc("abs")
def absolute(x: ArrayLike) -> ndarray:
    """The absolute value of each element. Also spelled `abs`.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        Their absolute values. The gradient at 0 is 0.

    Examples
    --------
    >>> mp.absolute(mp.array([1.0, -2.0]))
    array([1., 2.])
    """
    return _core.abs(x)


@ufunc("sign")
def sign(x: ArrayLike) -> ndarray:
    """-1, 0 or 1: the sign of each element; NaN of NaN.

    Parameters
    ----------
    x : array_like
        The values.

    Returns
    -------
    ndarray
        Their signs, in x's dtype. The gradient is 0.

    Examples
    --------
    >>> mp.sign(mp.array([-3.0, 0.0, 2.0]))
    array([-1.,  0.,  1.])
    """
    return _core.sign(x)


@ufunc("exp")
def exp(x: ArrayLike) -> ndarray:
    """e to the power of each element.

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
    >>> mp.exp(mp.array([0.0, 1.0]))
    array([1. , 2.71828...])
    """
    return _core.exp(x)


@ufunc("log")
def log(x: ArrayLike) -> ndarray:
    """The natural logarithm of each element.

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
    >>> mp.log(mp.array([1.0, 2.0]))
    array([0. , 0.69314...])
    """
    return _core.log(x)


@ufunc("sqrt")
def sqrt(x: ArrayLike) -> ndarray:
    """The square root of each element.

    Parameters
    ----------
    x : array_like
        The values: NaN comes of negative ones.

    Returns
    -------
    ndarray
        The roots; of integers in the default dtype.

    Examples
    --------
    >>> mp.sqrt(mp.array([4.0, 9.0]))
    array([2., 3.])
    """
    return _core.sqrt(x)


@ufunc("rsqrt")
def rsqrt(x: ArrayLike) -> ndarray:
    """One over the square root of each element.

    Parameters
    ----------
    x : array_like
        The values: inf comes of 0, NaN of negative ones.

    Returns
    -------
    ndarray
        ``1 / sqrt(x)``; float32 under autocast.

    Examples
    --------
    >>> mp.rsqrt(mp.array([4.0, 0.25]))
    array([0.5, 2. ])
    """
    return _core.rsqrt(x)


@ufunc()
def square(x: ArrayLike) -> ndarray:
    """x * x.

    Examples
    --------
    >>> mp.square(mp.array([2.0, 3.0]))
    array([4., 9.])
    """
    return _core.pow(x, 2)


@ufunc("reciprocal")
def reciprocal(x: ArrayLike) -> ndarray:
    """1 / x.

    Examples
    --------
    >>> mp.reciprocal(mp.array([2.0, 4.0]))
    array([0.5 , 0.25])
    """
    return _core.reciprocal(x, 1.0)


# ---- PyTorch's spellings, and NumPy's shorter ones ----

sub = subtract
mul = multiply
div = true_divide = divide
pow = power
neg = negative
abs = absolute
