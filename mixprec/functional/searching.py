"""Searching what is sorted, and taking elements line by line."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ..creation import asarray, beside
from ._axis import normal

__all__ = [
    "digitize",
    "searchsorted",
    "take_along_axis",
]


def searchsorted(
    a: ArrayLike, v: ArrayLike, side: str = "left", sorter: ArrayLike | None = None
) -> ndarray:
    """Where values go among sorted elements, so that they stay sorted.

    Parameters
    ----------
    a : array_like
        Ascending elements, in one dimension.
    v : array_like
        The values.
    side : {"left", "right"}
        Before or after the elements that are equal to a value.
    sorter : array_like of int, optional
        Indices that sort a, which then need not be sorted.

    Returns
    -------
    ndarray
        Indices of int64, in the shape of v.

    Examples
    --------
    >>> mp.searchsorted(mp.array([1.0, 2.0, 3.0]), mp.array([2.0, 9.0])).tolist()
    [1, 3]
    >>> mp.searchsorted(mp.array([1.0, 2.0, 3.0]), 2.0, side="right").item()
    2
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side is {side!r}, must be 'left' or 'right'")
    if sorter is not None:
        a = _core.take(asarray(a), sorter, 0)
    return _core.searchsorted(a, v, side == "right")


def digitize(x: ArrayLike, bins: ArrayLike, right: bool = False) -> ndarray:
    """Which bin each value falls into.

    Parameters
    ----------
    x : array_like
        The values.
    bins : array_like
        Edges, ascending or descending, in one dimension.
    right : bool
        Whether a bin has its right edge and not its left one.

    Returns
    -------
    ndarray
        Indices of int64, in the shape of x: i where ``bins[i - 1] <= x < bins[i]``.

    Raises
    ------
    ValueError
        If the edges neither ascend nor descend.

    Examples
    --------
    >>> mp.digitize(mp.array([0.5, 2.5]), mp.array([0.0, 1.0, 2.0])).tolist()
    [1, 3]
    """
    x, edges = beside(x, bins)
    if edges.ndim != 1:
        raise ValueError(f"digitize: bins has {edges.ndim} dimensions, 1 is wanted")
    later, earlier = edges[1:], edges[:-1]
    if bool(_core.all(_core.greater_equal(later, earlier), None, False)):
        return _core.searchsorted(edges, x, not right)
    if not bool(_core.all(_core.less_equal(later, earlier), None, False)):
        raise ValueError("digitize: bins neither ascend nor descend")
    return _core.sub(edges.size, _core.searchsorted(edges[::-1], x, not right))


def take_along_axis(
    arr: ArrayLike, indices: ArrayLike, axis: int | None = -1, *, dim: int | None = None
) -> ndarray:
    """Elements of each line along an axis, at indices of its own.

    Parameters
    ----------
    arr : array_like
        Where to take from.
    indices : array_like of int
        Which ones, in as many dimensions as arr; negative ones count from the end. The shapes
        broadcast but for the axis.
    axis : int, optional
        The axis; None takes from the flattened array.

    Returns
    -------
    ndarray
        In the shape of the indices.

    Raises
    ------
    IndexError
        If an index is out of range.

    Notes
    -----
    The gradients of elements that are taken several times are summed.

    Examples
    --------
    >>> x = mp.array([[3.0, 1.0], [2.0, 4.0]])
    >>> mp.take_along_axis(x, mp.argsort(x, axis=1), axis=1).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    x: Any = asarray(arr)
    places = asarray(indices, device=str(x.device))
    if dim is not None:
        axis = dim
    if axis is None:
        x, axis = _core.reshape(x, (x.size,)), 0
    axis = normal("take_along_axis", axis, x.ndim)
    if x.ndim != places.ndim:
        raise ValueError(
            f"take_along_axis: indices have {places.ndim} dimensions, the array has {x.ndim}"
        )
    rest = [n if i != axis else 1 for i, n in enumerate(x.shape)]
    wanted = [n if i != axis else 1 for i, n in enumerate(places.shape)]
    if rest != wanted:
        try:
            common = list(np.broadcast_shapes(tuple(rest), tuple(wanted)))
        except ValueError:
            raise ValueError(
                f"take_along_axis: indices of shape {places.shape} do not broadcast with an array "
                f"of shape {x.shape} but for axis {axis}"
            ) from None
        x = _core.expand(x, (*common[:axis], x.shape[axis], *common[axis + 1 :]))
        places = _core.expand(places, (*common[:axis], places.shape[axis], *common[axis + 1 :]))
    return _core.take_along_axis(x, places, axis)
