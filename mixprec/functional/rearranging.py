"""Elements in another order, or repeated."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._short import short
from .._typing import ArrayLike, Axis
from ..creation import asarray
from ._axis import normal, several
from .shape import ravel

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "flip",
    "fliplr",
    "flipud",
    "repeat",
    "roll",
    "tile",
    "tril",
    "triu",
]

# ---- order ----


@short("flip")
def flip(x: ArrayLike, axis: Axis = None) -> ndarray:
    """x with the elements along axes in reverse order.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int or sequence of int, optional
        The axes; by default all.

    Returns
    -------
    ndarray
        A view of x.

    Examples
    --------
    >>> mp.flip(mp.array([[1, 2], [3, 4]]), axis=1).tolist()
    [[2, 1], [4, 3]]
    """
    y = asarray(x)
    axes = range(y.ndim) if axis is None else several("flip", axis, y.ndim)
    back = slice(None, None, -1)
    return y[tuple(back if a in axes else slice(None) for a in range(y.ndim))]


def fliplr(x: ArrayLike) -> ndarray:
    """x with its columns in reverse order.

    Examples
    --------
    >>> mp.fliplr([[1, 2], [3, 4]]).tolist()
    [[2, 1], [4, 3]]
    """
    return flip(x, 1)


def flipud(x: ArrayLike) -> ndarray:
    """x with its rows in reverse order.

    Examples
    --------
    >>> mp.flipud([[1, 2], [3, 4]]).tolist()
    [[3, 4], [1, 2]]
    """
    return flip(x, 0)


def roll(x: ArrayLike, shift: int | Sequence[int], axis: Axis = None) -> ndarray:
    """x with its elements moved along axes; what leaves at an end comes in at the other.

    Parameters
    ----------
    x : array_like
        The array.
    shift : int or sequence of int
        By how many places, for each axis.
    axis : int or sequence of int, optional
        The axes, of which one may come several times. None rolls the flattened array.

    Returns
    -------
    ndarray
        A copy in x's shape.

    Raises
    ------
    ValueError
        If there are other numbers of shifts than of axes, and neither is one.

    Examples
    --------
    >>> mp.roll(mp.arange(5), 2).tolist()
    [3, 4, 0, 1, 2]
    """
    x = asarray(x)
    if axis is None:
        return _core.reshape(roll(ravel(x), shift, 0), x.shape)
    shifts = [operator.index(s) for s in (shift if isinstance(shift, Sequence) else (shift,))]
    axes = [normal("roll", a, x.ndim) for a in (axis if isinstance(axis, Sequence) else (axis,))]
    if len(shifts) != len(axes):
        if 1 not in (len(shifts), len(axes)):
            raise ValueError(f"roll: {len(shifts)} shifts are given and {len(axes)} axes")
        n = max(len(shifts), len(axes))
        shifts, axes = shifts * (n // len(shifts)), axes * (n // len(axes))
    total = dict.fromkeys(axes, 0)
    for s, a in zip(shifts, axes, strict=True):
        total[a] += s
    y = x
    for a, s in total.items():
        cut = -s % y.shape[a] if y.shape[a] else 0
        if cut:
            before = (slice(None),) * a
            parts = [y[(*before, slice(cut, None))], y[(*before, slice(None, cut))]]
            y = _core.concatenate(parts, a)
    return _core.copy(x) if y is x else y


# ---- repetition: an axis of extent 1 is expanded, whose gradient is a sum ----


def _expanded(x: ndarray, axis: int, times: int, inner: bool) -> ndarray:
    """x with each element (inner), or the whole axis, repeated along an axis."""
    shape = x.shape
    split = axis + inner
    flat = (math.prod(shape[:split]), 1, math.prod(shape[split:]))
    y = _core.expand(_core.reshape(x, flat), (flat[0], times, flat[2]))
    return _core.reshape(y, (*shape[:axis], shape[axis] * times, *shape[axis + 1 :]))


@short("repeat")
def repeat(x: ArrayLike, repeats: int | ArrayLike, axis: int | None = None) -> ndarray:
    """x with each element repeated.

    Parameters
    ----------
    x : array_like
        The array.
    repeats : int or array_like of int
        How often; one number, or one for each element along the axis.
    axis : int, optional
        The axis; None repeats the elements of the flattened array.

    Returns
    -------
    ndarray
        A copy.

    Raises
    ------
    ValueError
        If a number is negative, or there are not as many as elements along the axis.

    Examples
    --------
    >>> mp.repeat(mp.array([1, 2]), 2).tolist()
    [1, 1, 2, 2]
    >>> mp.repeat(mp.array([[1, 2]]), [1, 3], axis=1).tolist()
    [[1, 2, 2, 2]]
    """
    x = asarray(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normal("repeat", axis, x.ndim)
    counts = _counts(repeats)
    if isinstance(counts, int):
        y = _expanded(x, axis, counts, True)
        return _core.copy(y) if y.data_ptr() == x.data_ptr() else y
    if counts.size != x.shape[axis]:
        raise ValueError(
            f"repeat: {counts.size} counts are given, axis {axis} has {x.shape[axis]} elements"
        )
    places = asarray(np.repeat(np.arange(x.shape[axis]), counts), device=x.device)
    return _core.take(x, places, axis)


def _counts(repeats: Any) -> Any:
    """The counts of `repeat`: an int, or several in a NumPy array."""
    if type(repeats) is int and repeats >= 0:
        return repeats
    if isinstance(repeats, ndarray):
        repeats = repeats.numpy()
    counts = np.asarray(repeats)
    if counts.size == 0:
        counts = counts.astype(np.int64)
    if counts.dtype.kind not in "iub":
        raise TypeError(f"repeat: repeats is {counts.dtype}, integers are wanted")
    if counts.ndim > 1:
        raise ValueError(f"repeat: repeats has {counts.ndim} dimensions, at most 1 is wanted")
    if (counts < 0).any():
        raise ValueError("repeat: a count is negative")
    return int(counts.reshape(())) if counts.size == 1 else counts.astype(np.int64)


def tile(x: ArrayLike, reps: int | Sequence[int]) -> ndarray:
    """x laid out several times along its axes.

    Parameters
    ----------
    x : array_like
        The array.
    reps : int or sequence of int
        How often along each axis, the last ones if there are fewer; more of them give x more axes.

    Returns
    -------
    ndarray
        A copy.

    Raises
    ------
    ValueError
        If a number is negative.

    Examples
    --------
    >>> mp.tile(mp.array([1, 2]), (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    x = asarray(x)
    given: Any = (reps,) if np.ndim(reps) == 0 else reps
    times = [operator.index(n) for n in given]
    if any(n < 0 for n in times):
        raise ValueError(f"tile: reps {tuple(times)} has a negative number")
    ndim = max(len(times), x.ndim)
    times = [1] * (ndim - len(times)) + times
    y = _core.reshape(x, (1,) * (ndim - x.ndim) + x.shape)
    for axis, n in enumerate(times):
        if n != 1:
            y = _expanded(y, axis, n, False)
    return _core.copy(y) if y.data_ptr() == x.data_ptr() else y


# ---- triangles ----


def tril(x: ArrayLike, /, k: int = 0) -> ndarray:
    """x with zeros above a diagonal of its last two axes.

    Parameters
    ----------
    x : array_like
        (..., M, N). One dimension is taken as the row of a square matrix.
    k : int
        The last diagonal that is kept: 0 is the main one, positive ones are above it.

    Returns
    -------
    ndarray
        A copy.

    Examples
    --------
    >>> mp.tril(mp.ones((2, 3))).tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    x = asarray(x)
    return _triangle("tril", x, k, True)


def triu(x: ArrayLike, /, k: int = 0) -> ndarray:
    """x with zeros below a diagonal of its last two axes. Parameters are those of `tril`.

    Examples
    --------
    >>> mp.triu(mp.ones((2, 3))).tolist()
    [[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
    """
    x = asarray(x)
    return _triangle("triu", x, k, False)


def _triangle(op: str, x: ndarray, k: int, lower: bool) -> ndarray:
    if x.ndim == 0:
        raise ValueError(f"{op}: x has 0 dimensions, at least 1 is wanted")
    columns = x.shape[-1]
    rows = x.shape[-2] if x.ndim > 1 else columns
    k = operator.index(k)
    row = _core.arange((rows, 1), np.dtype(np.int64), x.device, k, 1)
    column = _core.arange((columns,), np.dtype(np.int64), x.device, 0, 1)
    keep = _core.greater_equal(row, column) if lower else _core.less_equal(row, column)
    return _core.where(keep, x, False)


# ---- dimensions ----


@short("atleast_1d")
def atleast_1d(*arrays: ArrayLike) -> Any:
    """Arrays as views of at least one dimension.

    Parameters
    ----------
    *arrays : array_like
        One or several.

    Returns
    -------
    ndarray, or a tuple of them if several are given
        The views.

    Examples
    --------
    >>> mp.atleast_1d(3.0)
    array([3.])
    """
    return _each(arrays, lambda x: x if x.ndim else _core.reshape(x, (1,)))


@short("atleast_2d")
def atleast_2d(*arrays: ArrayLike) -> Any:
    """Arrays as views of at least two dimensions, of which new ones come first.

    Examples
    --------
    >>> mp.atleast_2d(mp.ones(3)).shape
    (1, 3)
    """
    return _each(
        arrays, lambda x: x if x.ndim > 1 else _core.reshape(x, (1,) * (2 - x.ndim) + x.shape)
    )


def atleast_3d(*arrays: ArrayLike) -> Any:
    """Arrays as views of at least three dimensions: (N,) as (1, N, 1), (M, N) as (M, N, 1).

    Examples
    --------
    >>> mp.atleast_3d(mp.ones(3)).shape, mp.atleast_3d(mp.ones((2, 3))).shape
    ((1, 3, 1), (2, 3, 1))
    """
    shapes: dict[int, Any] = {
        0: lambda s: (1, 1, 1),
        1: lambda s: (1, *s, 1),
        2: lambda s: (*s, 1),
    }
    return _each(arrays, lambda x: x if x.ndim > 2 else _core.reshape(x, shapes[x.ndim](x.shape)))


def _each(arrays: tuple[Any, ...], change: Any) -> Any:
    results = tuple(change(asarray(x)) for x in arrays)
    return results[0] if len(results) == 1 else results
