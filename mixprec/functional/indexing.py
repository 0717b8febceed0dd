"""Elements picked by index: what `x[index]` gives, as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._short import short
from .._typing import ArrayLike
from ..creation import asarray, beside
from ..grids import arange
from ._axis import normal, one_of
from ._out import deliver
from .shape import ravel

__all__ = [
    "argwhere",
    "choose",
    "compress",
    "extract",
    "flatnonzero",
    "index_select",
    "nonzero",
    "select",
    "take",
]

# ---- positions ----


def _mask(x: ArrayLike) -> ndarray:
    """Where x is not 0."""
    x = asarray(x)
    return x if x.dtype == np.bool_ else _core.not_equal(x, 0)


def flatnonzero(a: ArrayLike) -> ndarray:
    """The positions, counted in C order, of elements that are not 0.

    Parameters
    ----------
    a : array_like
        The array. On a GPU their number is waited for.

    Returns
    -------
    ndarray
        int64, ascending.

    Examples
    --------
    >>> mp.flatnonzero(mp.array([[0, 3], [5, 0]])).tolist()
    [1, 2]
    """
    mask = _mask(a)
    return _core.nonzero(mask, int(_core.sum(mask, None, False, None)))


@short("nonzero")
def nonzero(a: ArrayLike) -> tuple[ndarray, ...]:
    """The indices along each axis of elements that are not 0.

    Parameters
    ----------
    a : array_like
        The array, of at least one axis. On a GPU the number of elements is waited for.

    Returns
    -------
    tuple of ndarray
        int64, one array per axis, in C order: `a[mp.nonzero(a)]` has those elements.

    Raises
    ------
    ValueError
        If it has no axes.

    Examples
    --------
    >>> rows, columns = mp.nonzero(mp.array([[0, 3], [5, 0]]))
    >>> rows.tolist(), columns.tolist()
    ([0, 1], [1, 0])
    """
    a = asarray(a)
    if a.ndim == 0:
        raise ValueError("nonzero: the array has no axes; use mp.atleast_1d(a)")
    positions = flatnonzero(a)
    return (positions,) if a.ndim == 1 else _coordinates(positions, a.shape)


def _coordinates(positions: ndarray, shape: tuple[int, ...]) -> tuple[ndarray, ...]:
    """The indices along each axis of positions in an array of a shape."""
    ndim, found = len(shape), []
    for axis, extent in enumerate(shape):
        grid = _core.reshape(
            arange(extent, device=positions.device),
            [extent if d == axis else 1 for d in range(ndim)],
        )
        found.append(_flat(_core.expand(grid, shape), positions))
    return tuple(found)


def _flat(x: ndarray, positions: ndarray) -> ndarray:
    """Elements at positions in C order, wherever they lie in memory."""
    return _core.index([x, positions], 0, [0, x.ndim, 0])


def argwhere(a: ArrayLike) -> ndarray:
    """The indices of elements that are not 0, a row for each.

    Parameters
    ----------
    a : array_like
        The array.

    Returns
    -------
    ndarray
        int64, of shape (elements, a.ndim).

    Examples
    --------
    >>> mp.argwhere(mp.array([[0, 3], [5, 0]])).tolist()
    [[0, 1], [1, 0]]
    """
    a = asarray(a)
    if a.ndim == 0:
        return _core.reshape(flatnonzero(a), [-1, 1])[:, :0]
    return _core.concatenate([_core.reshape(i, [-1, 1]) for i in nonzero(a)], 1)


# ---- picking ----


def in_range(op: str, indices: ArrayLike, extent: int, mode: str, device: str) -> Any:
    """Indices as `mode` says: those out of range are errors, wrapped around or clipped."""
    if mode == "raise":
        return indices
    if mode not in ("wrap", "clip"):
        raise ValueError(f"{op}: mode is {mode!r}, must be 'raise', 'wrap' or 'clip'")
    given = asarray(indices, device=device)
    if extent == 0:
        return given
    if mode == "clip":
        return _core.minimum(_core.maximum(given, 0), extent - 1)
    return _core.remainder(given, extent)


def take(
    a: ArrayLike,
    indices: ArrayLike,
    axis: int | None = None,
    out: ndarray | None = None,
    mode: str = "raise",
    *,
    dim: int | None = None,
) -> ndarray:
    """Elements, or slices, at the given indices.

    Parameters
    ----------
    a : array_like
        Where to take from.
    indices : array_like of int
        Which ones; negative ones count from the end.
    axis : int, optional
        The axis that is indexed; None takes from the flattened array. Also spelled `dim`.
    out : ndarray, optional
        Where to write them.
    mode : {"raise", "wrap", "clip"}
        What becomes of indices out of range; "clip" counts no negative ones from the end.

    Returns
    -------
    ndarray
        a's shape with `axis` replaced by the shape of the indices.

    Raises
    ------
    IndexError
        If an index is out of range.

    Notes
    -----
    The gradients of elements that are taken several times are summed.

    Examples
    --------
    >>> x = mp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> mp.take(x, [2, 0], axis=0).tolist()
    [[5.0, 6.0], [1.0, 2.0]]
    """
    if dim is not None:
        axis = one_of("take", axis, dim)
    if axis is None:
        a, axis = ravel(a), 0
    elif mode != "raise":
        a = asarray(a)
        axis = normal("take", axis, a.ndim)
    if mode != "raise":
        indices = in_range("take", indices, a.shape[axis], mode, a.device)
    elif isinstance(indices, list | tuple) and not len(indices):
        indices = np.zeros(0, np.int64)
    return deliver("take", _core.take(a, indices, axis), out)


def index_select(x: ArrayLike, dim: int, index: ArrayLike) -> ndarray:
    """`take` along an axis, as PyTorch spells it.

    Examples
    --------
    >>> mp.index_select(mp.array([[1.0, 2.0]]), 1, mp.array([1, 1])).tolist()
    [[2.0, 2.0]]
    """
    return _core.take(x, index, dim)


def compress(
    condition: ArrayLike, a: ArrayLike, axis: int | None = None, out: ndarray | None = None
) -> ndarray:
    """Slices along an axis for which a condition holds.

    Parameters
    ----------
    condition : array_like of bool
        One value per slice, for the first ones.
    a : array_like
        Where to take from.
    axis : int, optional
        The axis; None takes from the flattened array.
    out : ndarray, optional
        Where to write them.

    Returns
    -------
    ndarray
        a with less along the axis.

    Examples
    --------
    >>> mp.compress([False, True], mp.array([[1, 2], [3, 4]]), axis=0).tolist()
    [[3, 4]]
    """
    a, condition = beside(a, condition)
    if condition.ndim != 1:
        raise ValueError(f"compress: condition has {condition.ndim} dimensions, 1 is wanted")
    return take(a, flatnonzero(condition), axis, out)


def extract(condition: ArrayLike, arr: ArrayLike) -> ndarray:
    """Elements for which a condition holds.

    Parameters
    ----------
    condition : array_like of bool
        As many values as `arr` has elements.
    arr : array_like
        Where to take from.

    Returns
    -------
    ndarray
        1-dimensional.

    Examples
    --------
    >>> x = mp.arange(6)
    >>> mp.extract(x > 3, x).tolist()
    [4, 5]
    """
    return take(arr, flatnonzero(condition))


def choose(
    a: ArrayLike, choices: Sequence[ArrayLike], out: ndarray | None = None, mode: str = "raise"
) -> ndarray:
    """For each element, that of the array which its value numbers.

    Parameters
    ----------
    a : array_like of int
        The numbers of the choices.
    choices : sequence of array_like
        The arrays; they broadcast with `a` and each other.
    out : ndarray, optional
        Where to write them.
    mode : {"raise", "wrap", "clip"}
        What becomes of numbers out of range.

    Returns
    -------
    ndarray
        In the dtype that the choices promote to.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> mp.choose(mp.array([1, 0, 1]), [mp.array([1, 2, 3]), mp.array([10, 20, 30])]).tolist()
    [10, 2, 30]
    """
    if not choices:
        raise ValueError("choose: no choices")
    a, *choices = beside(a, *choices)
    n = len(choices)
    if mode == "raise" and a.size:
        low, high = int(_core.min(a, None, False)), int(_core.max(a, None, False))
        if low < 0 or high >= n:
            raise ValueError(f"choose: {low if low < 0 else high} numbers none of {n} choices")
    a = in_range("choose", a, n, mode, a.device)
    y = _core.where(_core.equal(a, 0), choices[0], choices[-1])
    for k in range(1, n):
        y = _core.where(_core.equal(a, k), choices[k], y)
    return deliver("choose", y, out)


def select(
    condlist: Sequence[ArrayLike], choicelist: Sequence[ArrayLike], default: ArrayLike = 0
) -> ndarray:
    """For each element, that of the first array whose condition holds.

    Parameters
    ----------
    condlist : sequence of array_like of bool
        The conditions.
    choicelist : sequence of array_like
        An array for each of them.
    default : array_like
        Where none holds.

    Returns
    -------
    ndarray
        In the dtype that the choices and the default promote to.

    Examples
    --------
    >>> x = mp.arange(6)
    >>> mp.select([x < 2, x > 3], [x, 10 * x], -1).tolist()
    [0, 1, -1, -1, 40, 50]
    """
    if len(condlist) != len(choicelist):
        raise ValueError(f"select: {len(condlist)} conditions, {len(choicelist)} choices")
    if not condlist:
        raise ValueError("select: no conditions")
    y: Any = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        condition = asarray(condition)
        if condition.dtype != np.bool_:
            raise TypeError(f"select: a condition is {condition.dtype}, bool is wanted")
        y = _core.where(condition, choice, y)
    return asarray(y)


# ---- adding ----


def add_at(x: ndarray, indices: Any, values: ArrayLike) -> None:
    """`x[indices] += values`, where elements that come several times get each value: `add.at`.

    Sums are made in the order of the indices; on a GPU in any order, so that floats may differ in
    their last places from run to run.
    """
    _core.add_at(x, indices, values)
