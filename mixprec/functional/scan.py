"""Running sums and products along an axis, and differences of neighbours."""

from __future__ import annotations

import operator
from typing import Any

from .. import _core
from .._core import ndarray
from .._dtypes import bool_
from .._short import short
from .._typing import ArrayLike, DTypeLike
from ..creation import asarray
from ._axis import normal, one_of
from ._out import deliver

__all__ = [
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "ediff1d",
]


def cumsum(
    a: ArrayLike,
    axis: int | None = None,
    dtype: DTypeLike = None,
    out: Any = None,
    *,
    dim: int | None = None,
) -> ndarray:
    """The sums of the elements up to each.

    Parameters
    ----------
    a : array_like
        The summands.
    axis : int, optional
        The axis to go along; by default a is flattened.
    dtype : dtype, optional
        Of the result; by default a's, for integers and bools int64 (uint64 for unsigned ones).
    out : array, optional
        Where the result goes.

    Returns
    -------
    ndarray
        As many elements as a has; float32 under autocast.

    Examples
    --------
    >>> mp.cumsum(mp.array([1.0, 2.0, 4.0]))
    array([1., 3., 7.])
    """
    return _run("cumsum", _core.cumsum, a, axis if dim is None else dim, dtype, out)


def cumprod(
    a: ArrayLike,
    axis: int | None = None,
    dtype: DTypeLike = None,
    out: Any = None,
    *,
    dim: int | None = None,
) -> ndarray:
    """The products of the elements up to each. Parameters are those of `cumsum`.

    Notes
    -----
    The gradient is right where elements are 0 too.

    Examples
    --------
    >>> mp.cumprod(mp.array([1.0, 2.0, 4.0]))
    array([1., 2., 8.])
    """
    return _run("cumprod", _core.cumprod, a, axis if dim is None else dim, dtype, out)


def _run(op: str, row: Any, a: ArrayLike, axis: int | None, dtype: Any, out: Any) -> ndarray:
    if axis is None:
        x = asarray(a)
        y: ndarray = row(_core.reshape(x, (x.size,)), 0, dtype)
    else:
        y = row(a, axis, dtype)
    return y if out is None else deliver(op, y, out)


def cumulative_sum(
    x: ArrayLike,
    /,
    *,
    axis: int | None = None,
    dtype: DTypeLike = None,
    out: Any = None,
    include_initial: bool = False,
) -> ndarray:
    """The sums of the elements up to each, as the array API standard spells it.

    Parameters
    ----------
    x : array_like
        The summands.
    axis : int, optional
        The axis to go along. May be left out where there is but one.
    dtype : dtype, optional
        Of the result; by default x's, for integers and bools int64 (uint64 for unsigned ones).
    out : array, optional
        Where the result goes.
    include_initial : bool
        Begin with the sum of nothing, so that there is one more.

    Returns
    -------
    ndarray
        In the shape of x, but for `include_initial`.

    Raises
    ------
    ValueError
        If axis is left out and x has not one dimension.

    Examples
    --------
    >>> mp.cumulative_sum(mp.array([1.0, 2.0]), include_initial=True)
    array([0., 1., 3.])
    """
    y = _cumulative("cumulative_sum", _core.cumsum, 0, x, axis, dtype, include_initial)
    return deliver("cumulative_sum", y, out)


def cumulative_prod(
    x: ArrayLike,
    /,
    *,
    axis: int | None = None,
    dtype: DTypeLike = None,
    out: Any = None,
    include_initial: bool = False,
) -> ndarray:
    """The products of the elements up to each. Parameters are those of `cumulative_sum`.

    Examples
    --------
    >>> mp.cumulative_prod(mp.array([3.0, 2.0]), include_initial=True)
    array([1., 3., 6.])
    """
    y = _cumulative("cumulative_prod", _core.cumprod, 1, x, axis, dtype, include_initial)
    return deliver("cumulative_prod", y, out)


def _cumulative(
    op: str, row: Any, start: int, x: ArrayLike, axis: int | None, dtype: Any, initial: bool
) -> ndarray:
    x = asarray(x)
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"{op}: axis is wanted for an array of {x.ndim} dimensions")
        axis = 0
    axis = normal(op, axis, x.ndim)
    y: ndarray = row(x, axis, dtype)
    if not initial:
        return y
    pads = [0] * (2 * x.ndim)
    pads[2 * axis] = 1
    return _core.pad(y, pads, start)


@short("diff")
def diff(
    a: ArrayLike,
    n: int = 1,
    axis: int = -1,
    prepend: ArrayLike | None = None,
    append: ArrayLike | None = None,
    *,
    dim: int | None = None,
) -> ndarray:
    """The differences of neighbours.

    Parameters
    ----------
    a : array_like
        At least one dimension.
    n : int
        How often differences are taken.
    axis : int
        The axis to go along.
    prepend, append : array_like, optional
        What comes before and after a, along the axis.

    Returns
    -------
    ndarray
        n elements less along the axis. Of bools, where neighbours differ.

    Examples
    --------
    >>> mp.diff(mp.array([1.0, 2.0, 4.0]))
    array([1., 2.])
    """
    x = asarray(a)
    n = operator.index(n)
    if n < 0:
        raise ValueError(f"diff: n is {n}, must not be negative")
    if n == 0:
        return x
    if x.ndim == 0:
        raise ValueError("diff: the array has 0 dimensions, at least 1 is wanted")
    axis = normal("diff", axis if dim is None else one_of("diff", None, dim), x.ndim)
    if prepend is not None or append is not None:
        ends = [_end(x, axis, prepend), x, _end(x, axis, append)]
        x = _core.concatenate([e for e in ends if e is not None], axis)
    before = (slice(None),) * axis
    for _ in range(min(n, x.shape[axis])):  # after so many there is nothing left
        later, earlier = x[(*before, slice(1, None))], x[(*before, slice(None, -1))]
        x = _core.not_equal(later, earlier) if x.dtype == bool_ else _core.sub(later, earlier)
    return x


def _end(x: ndarray, axis: int, value: ArrayLike | None) -> ndarray | None:
    if value is None:
        return None
    plain = not hasattr(value, "dtype")
    end = asarray(value, dtype=x.dtype if plain else None, device=str(x.device))
    if end.ndim:
        return end
    return _core.expand(end, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))


def ediff1d(
    ary: ArrayLike, to_end: ArrayLike | None = None, to_begin: ArrayLike | None = None
) -> ndarray:
    """The differences of neighbours in the flat array.

    Parameters
    ----------
    ary : array_like
        The elements.
    to_end, to_begin : array_like, optional
        What comes after and before the differences.

    Returns
    -------
    ndarray
        One dimension.

    Examples
    --------
    >>> mp.ediff1d(mp.array([1.0, 2.0, 4.0]), to_begin=0.0)
    array([0., 1., 2.])
    """
    x = asarray(ary)
    x = _core.reshape(x, (x.size,))
    y = diff(x) if x.size > 1 else x[:0]
    parts = [y]
    for given, first in ((to_begin, True), (to_end, False)):
        if given is None:
            continue
        end = asarray(given, dtype=x.dtype, device=str(x.device))
        end = _core.reshape(end, (end.size,))
        parts = [end, *parts] if first else [*parts, end]
    return _core.concatenate(parts, 0) if len(parts) > 1 else y
