"""Sums, products, extremes and their like, over all elements or along axes.

Narrow dtypes are summed in float32. `dim` and `keepdim` are PyTorch's names of `axis` and
`keepdims`. Means and what goes with them are in statistics.py.
"""

from __future__ import annotations

from typing import Any

from .. import _core
from .._core import ndarray
from .._short import short
from .._typing import ArrayLike, Axis, DTypeLike
from ..creation import asarray, full
from ._axis import one_of
from ._out import deliver

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "logsumexp",
    "max",
    "min",
    "prod",
    "ptp",
    "sum",
]


@short("sum")
def sum(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The sum of elements.

    Parameters
    ----------
    a : array_like
        The summands.
    axis : int or sequence of int, optional
        The axes to sum along; by default all.
    dtype : dtype, optional
        Of the result; by default a's, for integers and bools int64 (uint64 for unsigned ones).
    out : array, optional
        Where the result goes.
    keepdims : bool
        Leaves the axes there, with extent 1.
    initial : number, optional
        What is added to the sums.
    where : array_like of bool
        Which elements count.

    Returns
    -------
    ndarray
        The sums; float32 under autocast. The sum of nothing is 0.

    Examples
    --------
    >>> x = mp.array([[1.0, 2.0], [3.0, 4.0]])
    >>> mp.sum(x).item()
    10.0
    >>> mp.sum(x, axis=0)
    array([4., 6.])
    """
    if dim is not None:
        axis = one_of("sum", axis, dim)
    if where is not True:
        a = _core.where(where, a, 0)
    y = _core.sum(a, axis, keepdims or keepdim, dtype)
    if initial is not None:
        y = _core.add(y, initial)
    return y if out is None else deliver("sum", y, out)


@short("prod")
def prod(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The product of elements. Parameters are those of `sum`.

    Returns
    -------
    ndarray
        The products; float32 under autocast. The product of nothing is 1.

    Notes
    -----
    The gradient of an element is the product of the others, also where some are 0.

    Examples
    --------
    >>> mp.prod(mp.array([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    array([ 2., 12.])
    """
    if dim is not None:
        axis = one_of("prod", axis, dim)
    if where is not True:
        a = _core.where(where, a, 1)
    y = _core.prod(a, axis, keepdims or keepdim, dtype)
    if initial is not None:
        y = _core.mul(y, initial)
    return y if out is None else deliver("prod", y, out)


def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The logarithm of the sum of exponentials, which neither overflows nor vanishes.

    Parameters
    ----------
    a : array_like
        The exponents.
    axis : int or sequence of int, optional
        The axes to reduce; by default all.
    keepdims : bool
        Leaves the axes there, with extent 1.

    Returns
    -------
    ndarray
        ``log(sum(exp(a)))``; float32 under autocast. -inf of nothing.

    Examples
    --------
    >>> mp.logsumexp(mp.array([1000.0, 1000.0]))
    array(1000.6932)
    """
    if dim is not None:
        axis = one_of("logsumexp", axis, dim)
    return _core.logsumexp(a, axis, keepdims or keepdim)


@short("max")
def max(
    a: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The largest element. Also spelled `amax`.

    Parameters
    ----------
    a : array_like
        The values.
    axis : int or sequence of int, optional
        The axes to reduce; by default all.
    out : array, optional
        Where the result goes.
    keepdims : bool
        Leaves the axes there, with extent 1.
    initial : number, optional
        The least that a result can be, and the result of nothing.
    where : array_like of bool
        Which elements count. Asks for `initial`.

    Returns
    -------
    ndarray
        The values alone, as in NumPy, where PyTorch adds their places. NaN if there is one.
        Elements that are equally large share the gradient.

    Raises
    ------
    ValueError
        If there is no element and no `initial`.

    Examples
    --------
    >>> mp.max(mp.array([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    array([5., 4.])
    """
    if dim is not None:
        axis = one_of("max", axis, dim)
    keepdims = keepdims or keepdim
    if initial is None and where is True:
        y = _core.max(a, axis, keepdims)
    else:
        y = _bounded("max", _core.max, _core.maximum, a, axis, keepdims, initial, where)
    return y if out is None else deliver("max", y, out)


@short("min")
def min(
    a: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The smallest element. Also spelled `amin`. Parameters and rules are those of `max`.

    Examples
    --------
    >>> mp.min(mp.array([[1.0, 5.0], [3.0, 4.0]])).item()
    1.0
    """
    if dim is not None:
        axis = one_of("min", axis, dim)
    keepdims = keepdims or keepdim
    if initial is None and where is True:
        y = _core.min(a, axis, keepdims)
    else:
        y = _bounded("min", _core.min, _core.minimum, a, axis, keepdims, initial, where)
    return y if out is None else deliver("min", y, out)


def _bounded(
    op: str,
    row: Any,
    join: Any,
    a: ArrayLike,
    axis: Axis,
    keepdims: bool,
    initial: Any,
    where: Any,
) -> ndarray:
    """An extreme of some elements and a first value."""
    if initial is None:
        raise ValueError(f"{op}: where asks for initial, since there is no extreme of nothing")
    x = asarray(a)
    if where is not True:
        x = _core.where(where, x, initial)
    if x.size:
        y: ndarray = join(row(x, axis, keepdims), initial)
        return y
    shape = _core.sum(x, axis, keepdims, None).shape
    return full(shape, initial, dtype=x.dtype, device=str(x.device))


def ptp(
    a: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    dim: Axis = None,
) -> ndarray:
    """The largest element less the smallest. Parameters are those of `max`.

    Examples
    --------
    >>> mp.ptp(mp.array([4.0, 1.0, 3.0])).item()
    3.0
    """
    if dim is not None:
        axis = one_of("ptp", axis, dim)
    y = _core.sub(_core.max(a, axis, keepdims), _core.min(a, axis, keepdims))
    return y if out is None else deliver("ptp", y, out)


@short("argmax")
def argmax(
    a: ArrayLike,
    axis: int | None = None,
    out: Any = None,
    *,
    keepdims: bool = False,
    dim: int | None = None,
    keepdim: bool = False,
) -> ndarray:
    """The place of the largest element, of the first one if there are several.

    Parameters
    ----------
    a : array_like
        The values. NaN counts as the largest.
    axis : int, optional
        The axis to look along; by default the place in the flat array is given.
    out : array, optional
        Where the result goes.
    keepdims : bool
        Leaves the axis there, with extent 1.

    Returns
    -------
    ndarray
        Indices, of int64.

    Raises
    ------
    ValueError
        If there is no element.

    Examples
    --------
    >>> mp.argmax(mp.array([[1.0, 5.0], [3.0, 2.0]]), axis=1).tolist()
    [1, 0]
    """
    if dim is not None:
        axis = one_of("argmax", axis, dim)
    y = _core.argmax(a, axis, keepdims or keepdim)
    return y if out is None else deliver("argmax", y, out)


@short("argmin")
def argmin(
    a: ArrayLike,
    axis: int | None = None,
    out: Any = None,
    *,
    keepdims: bool = False,
    dim: int | None = None,
    keepdim: bool = False,
) -> ndarray:
    """The place of the smallest element. Parameters and rules are those of `argmax`.

    Examples
    --------
    >>> mp.argmin(mp.array([4.0, 1.0, 3.0])).item()
    1
    """
    if dim is not None:
        axis = one_of("argmin", axis, dim)
    y = _core.argmin(a, axis, keepdims or keepdim)
    return y if out is None else deliver("argmin", y, out)


@short("all")
def all(
    a: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """Whether every element is true, or not 0.

    Parameters
    ----------
    a : array_like
        The values, of any dtype. NaN is not 0.
    axis : int or sequence of int, optional
        The axes to reduce; by default all.
    out : array, optional
        Where the result goes.
    keepdims : bool
        Leaves the axes there, with extent 1.
    where : array_like of bool
        Which elements count.

    Returns
    -------
    ndarray
        Bools: True of nothing.

    Examples
    --------
    >>> mp.all(mp.array([1.0, 2.0]) > 0).item()
    True
    """
    if dim is not None:
        axis = one_of("all", axis, dim)
    if where is not True:
        a = _core.where(where, a, 1)
    y = _core.all(a, axis, keepdims or keepdim)
    return y if out is None else deliver("all", y, out)


@short("any")
def any(
    a: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """Whether some element is true, or not 0. Parameters are those of `all`.

    Returns
    -------
    ndarray
        Bools: False of nothing.

    Examples
    --------
    >>> mp.any(mp.array([1.0, 2.0]) > 1, axis=0).item()
    True
    """
    if dim is not None:
        axis = one_of("any", axis, dim)
    if where is not True:
        a = _core.where(where, a, 0)
    y = _core.any(a, axis, keepdims or keepdim)
    return y if out is None else deliver("any", y, out)


def count_nonzero(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> ndarray:
    """How many elements are true, or not 0.

    Parameters
    ----------
    a : array_like
        The values, of any dtype. NaN is not 0.
    axis : int or sequence of int, optional
        The axes to reduce; by default all.
    keepdims : bool
        Leaves the axes there, with extent 1.

    Returns
    -------
    ndarray
        Numbers of int64.

    Examples
    --------
    >>> mp.count_nonzero(mp.array([[0.0, 2.0], [3.0, 4.0]]), axis=0).tolist()
    [1, 2]
    """
    return _core.count_nonzero(a, axis, keepdims)


amax = max
amin = min
