"""Reductions and running results that leave NaN out; quantiles are in quantiles.py."""

from __future__ import annotations

from typing import Any

from .. import _core
from .._core import ndarray
from .._dtypes import is_floating
from .._typing import ArrayLike, Axis, DTypeLike
from ..creation import asarray
from . import reduce, scan, statistics
from ._out import deliver

__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]


def _filled(a: ArrayLike, value: float) -> ndarray:
    """The elements, with a value in the place of NaN."""
    x = asarray(a)
    if not is_floating(x.dtype):
        return x
    return _core.where(_core.equal(x, x), x, value)


def _present(a: ArrayLike, where: Any) -> Any:
    """Where elements count and are no NaN."""
    x = asarray(a)
    present = _core.equal(x, x)
    return present if where is True else _core.where(where, present, False)


def nansum(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> ndarray:
    """The sum of elements, in which NaN is 0. Parameters are those of `sum`.

    Examples
    --------
    >>> mp.nansum(mp.array([1.0, float("nan"), 2.0])).item()
    3.0
    """
    return reduce.sum(_filled(a, 0), axis, dtype, out, keepdims, initial, where)


def nanprod(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> ndarray:
    """The product of elements, in which NaN is 1. Parameters are those of `prod`.

    Examples
    --------
    >>> mp.nanprod(mp.array([3.0, float("nan"), 2.0])).item()
    6.0
    """
    return reduce.prod(_filled(a, 1), axis, dtype, out, keepdims, initial, where)


def nanmean(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> ndarray:
    """The mean of the elements that are no NaN; NaN of none. Parameters are those of `mean`.

    Examples
    --------
    >>> mp.nanmean(mp.array([1.0, float("nan"), 2.0])).item()
    1.5
    """
    return statistics.mean(a, axis, dtype, out, keepdims, where=_present(a, where))


def nanvar(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
) -> ndarray:
    """The variance of the elements that are no NaN; NaN of none. Parameters are those of `var`.

    Examples
    --------
    >>> mp.nanvar(mp.array([1.0, float("nan"), 3.0])).item()
    1.0
    """
    ddof = ddof if correction is None else correction
    present = _present(a, where)
    y = statistics.var(a, axis, dtype, None, ddof, keepdims, where=present, mean=mean)
    return deliver("nanvar", y, out)


def nanstd(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
) -> ndarray:
    """The square root of `nanvar`, whose parameters it takes.

    Examples
    --------
    >>> mp.nanstd(mp.array([1.0, float("nan"), 3.0])).item()
    1.0
    """
    ddof = ddof if correction is None else correction
    present = _present(a, where)
    y = statistics.std(a, axis, dtype, None, ddof, keepdims, where=present, mean=mean)
    return deliver("nanstd", y, out)


def nanmax(
    a: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> ndarray:
    """The largest element that is no NaN; NaN where there is none. Parameters are those of `max`.

    Examples
    --------
    >>> mp.nanmax(mp.array([1.0, float("nan"), 2.0])).item()
    2.0
    """
    y = _extreme(reduce.max, float("-inf"), a, axis, keepdims, initial, where)
    return deliver("nanmax", y, out)


def nanmin(
    a: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> ndarray:
    """The smallest element that is no NaN; NaN where there is none. Parameters are those of `max`.

    Examples
    --------
    >>> mp.nanmin(mp.array([1.0, float("nan"), 2.0])).item()
    1.0
    """
    y = _extreme(reduce.min, float("inf"), a, axis, keepdims, initial, where)
    return deliver("nanmin", y, out)


def _extreme(
    function: Any,
    least: float,
    a: ArrayLike,
    axis: Axis,
    keepdims: bool,
    initial: Any,
    where: Any,
) -> ndarray:
    x = asarray(a)
    y: ndarray
    if x.device == "cpu":  # where results can be looked at, one pass is often all
        y = function(x, axis, None, keepdims, initial, where)
        if reduce.all(_core.equal(y, y)):
            return y
    y = function(_filled(x, least), axis, None, keepdims, initial, where)
    if not is_floating(x.dtype) or initial is not None:
        return y
    return _core.where(_core.any(_core.equal(x, x), axis, keepdims), y, float("nan"))


def nanargmax(
    a: ArrayLike, axis: int | None = None, out: Any = None, *, keepdims: bool = False
) -> ndarray:
    """The place of the largest element that is no NaN. Parameters are those of `argmax`.

    Raises
    ------
    ValueError
        Where all are NaN, or there is none.

    Examples
    --------
    >>> mp.nanargmax(mp.array([1.0, float("nan"), 2.0])).item()
    2
    """
    _refuse_all_nan("nanargmax", a, axis)
    return reduce.argmax(_filled(a, float("-inf")), axis, out, keepdims=keepdims)


def nanargmin(
    a: ArrayLike, axis: int | None = None, out: Any = None, *, keepdims: bool = False
) -> ndarray:
    """The place of the smallest element that is no NaN. Parameters are those of `argmax`.

    Raises
    ------
    ValueError
        Where all are NaN, or there is none.

    Examples
    --------
    >>> mp.nanargmin(mp.array([1.0, float("nan"), 2.0])).item()
    0
    """
    _refuse_all_nan("nanargmin", a, axis)
    return reduce.argmin(_filled(a, float("inf")), axis, out, keepdims=keepdims)


def _refuse_all_nan(op: str, a: ArrayLike, axis: int | None) -> None:
    x = asarray(a)
    if not is_floating(x.dtype) or not x.size:
        return
    if not bool(_core.all(_core.any(_core.equal(x, x), axis, False), None, False)):
        raise ValueError(f"{op}: All-NaN slice encountered")


def nancumsum(
    a: ArrayLike, axis: int | None = None, dtype: DTypeLike = None, out: Any = None
) -> ndarray:
    """`cumsum` with NaN as 0.

    Examples
    --------
    >>> mp.nancumsum(mp.array([1.0, float("nan"), 2.0]))
    array([1., 1., 3.])
    """
    return scan.cumsum(_filled(a, 0), axis, dtype, out)


def nancumprod(
    a: ArrayLike, axis: int | None = None, dtype: DTypeLike = None, out: Any = None
) -> ndarray:
    """`cumprod` with NaN as 1.

    Examples
    --------
    >>> mp.nancumprod(mp.array([3.0, float("nan"), 2.0]))
    array([3., 3., 6.])
    """
    return scan.cumprod(_filled(a, 1), axis, dtype, out)
