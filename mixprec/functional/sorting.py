"""Sorting along an axis. NaN counts as the largest; equal elements keep their order."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .._core import ndarray
from .._numpy import fallback, is_text
from .._short import straight
from .._typing import ArrayLike
from ..creation import asarray
from ._axis import normal, one_of

__all__ = [
    "argpartition",
    "argsort",
    "lexsort",
    "partition",
    "sort",
    "topk",
]

_KINDS = ("quicksort", "mergesort", "heapsort", "stable", "q", "m", "h", "s", None)


class TopK(NamedTuple):
    """What `topk` gives."""

    values: ndarray
    indices: ndarray


def _line(op: str, a: ArrayLike, axis: int | None, kind: Any, order: Any) -> tuple[Any, int]:
    """The array and the axis to sort along. Every kind is stable."""
    if kind not in _KINDS:
        raise ValueError(f"{op}: kind is {kind!r}, must be one of {_KINDS[:4]}")
    if order is not None:
        raise ValueError(f"{op}: order is {order!r}, but there are no fields")
    if axis is not None:
        return a, axis
    x = asarray(a)
    return _core.reshape(x, (x.size,)), 0


def sort(
    a: ArrayLike,
    axis: int | None = -1,
    kind: str | None = None,
    order: None = None,
    *,
    descending: bool = False,
    stable: bool | None = True,
    dim: int | None = None,
) -> ndarray:
    """A sorted copy.

    Parameters
    ----------
    a : array_like
        The elements.
    axis : int, optional
        The axis to sort along; None sorts the flattened array.
    kind, stable
        Accepted for NumPy's sake: sorting is stable.
    order : None
        There are no fields.
    descending : bool
        The largest first, NaN included.

    Returns
    -------
    ndarray
        In a's shape and dtype.

    Notes
    -----
    Gradients go back to the places that the elements came from.

    Examples
    --------
    >>> mp.sort(mp.array([3.0, 1.0, 2.0]))
    array([1., 2., 3.])
    >>> mp.sort(mp.array([3.0, 1.0, 2.0]), descending=True)
    array([3., 2., 1.])
    """
    if dim is not None:
        axis = dim
    if not (isinstance(a, ndarray) or descending) and is_text(a):
        numpy_sort: Any = np.sort
        texts: ndarray = fallback(numpy_sort, (a, axis))
        return texts
    x, axis = _line("sort", a, axis, kind, order)
    return _core.sort(x, axis, descending)


def argsort(
    a: ArrayLike,
    axis: int | None = -1,
    kind: str | None = None,
    order: None = None,
    *,
    descending: bool = False,
    stable: bool | None = True,
    dim: int | None = None,
) -> ndarray:
    """The indices that sort an array. Parameters are those of `sort`.

    Returns
    -------
    ndarray
        Places along the axis, of int64; those of equal elements ascend.

    Examples
    --------
    >>> mp.argsort(mp.array([3.0, 1.0, 2.0])).tolist()
    [1, 2, 0]
    """
    if dim is not None:
        axis = dim
    if not (isinstance(a, ndarray) or descending) and is_text(a):
        numpy_argsort: Any = np.argsort
        places: ndarray = fallback(numpy_argsort, (a, axis, "stable"))
        return places
    x, axis = _line("argsort", a, axis, kind, order)
    return _core.argsort(x, axis, descending)


def partition(
    a: ArrayLike,
    kth: int | Sequence[int],
    axis: int | None = -1,
    kind: str = "introselect",
    order: None = None,
) -> ndarray:
    """A copy in which certain places have what they have when it is sorted.

    Parameters
    ----------
    a : array_like
        The elements.
    kth : int or sequence of int
        The places. What is smaller lies before them, in any order.
    axis : int, optional
        The axis to go along; None takes the flattened array.
    kind, order
        Accepted for NumPy's sake.

    Returns
    -------
    ndarray
        In a's shape and dtype.

    Raises
    ------
    ValueError
        If a place is out of range.

    Examples
    --------
    >>> mp.partition(mp.array([3.0, 1.0, 2.0]), 0)[0].item()
    1.0
    """
    x, axis, places = _partition_line("partition", a, kth, axis, kind, order)
    if x.requires_grad or not _is_native(x):
        return _core.sort(x, axis, False)
    return _core.from_numpy(np.partition(x.numpy(), places, axis))


@straight(np.argpartition)
def argpartition(
    a: ArrayLike,
    kth: int | Sequence[int],
    axis: int | None = -1,
    kind: str = "introselect",
    order: None = None,
) -> ndarray:
    """The indices that partition an array. Parameters are those of `partition`.

    Examples
    --------
    >>> mp.argpartition(mp.array([3.0, 1.0, 2.0]), 0)[0].item()
    1
    """
    x, axis, places = _partition_line("argpartition", a, kth, axis, kind, order)
    if not _is_native(x):
        return _core.argsort(x, axis, False)
    return _core.from_numpy(np.argpartition(x.detach().numpy(), places, axis))


def _is_native(x: ndarray) -> bool:
    """Whether NumPy can look at x's memory and knows its dtype."""
    return x.device == "cpu" and x.dtype.kind in "biuf" and x.dtype.isbuiltin == 1


def _partition_line(
    op: str, a: ArrayLike, kth: Any, axis: int | None, kind: Any, order: Any
) -> tuple[ndarray, int, Any]:
    if kind != "introselect":
        raise ValueError(f"{op}: kind is {kind!r}, must be 'introselect'")
    x, axis = _line(op, asarray(a), axis, None, order)
    axis = normal(op, axis, x.ndim)
    extent = x.shape[axis]
    places = [operator.index(k) for k in np.atleast_1d(np.asarray(kth)).tolist()]
    for k in places:
        if not -extent <= k < extent:
            raise ValueError(f"{op}: kth is {k}, out of range for axis {axis} of size {extent}")
    return x, axis, places


def lexsort(keys: Any, axis: int = -1) -> ndarray:
    """The indices that sort by several keys.

    Parameters
    ----------
    keys : sequence of array_like
        Keys of one shape; the last decides first.
    axis : int
        The axis to sort along.

    Returns
    -------
    ndarray
        Places along the axis, of int64.

    Examples
    --------
    >>> mp.lexsort([mp.array([2, 1, 3]), mp.array([1, 1, 0])]).tolist()
    [2, 1, 0]
    """
    listed = [asarray(k) for k in keys]
    if not listed:
        raise TypeError("lexsort: no keys")
    if listed[0].ndim == 0:
        return asarray(0, device=str(listed[0].device))
    axis = normal("lexsort", axis, listed[0].ndim)
    order = _core.argsort(listed[0], axis, False)
    for key in listed[1:]:
        if key.shape != listed[0].shape:
            raise ValueError(f"lexsort: a key has shape {key.shape}, another {listed[0].shape}")
        later = _core.argsort(_core.take_along_axis(key.detach(), order, axis), axis, False)
        order = _core.take_along_axis(order, later, axis)
    return order


def topk(
    x: ArrayLike,
    k: int,
    dim: int = -1,
    largest: bool = True,
    sorted: bool = True,
    *,
    axis: int | None = None,
) -> TopK:
    """The k largest elements along an axis, as PyTorch spells it.

    Parameters
    ----------
    x : array_like
        The elements. NaN counts as the largest.
    k : int
        How many.
    dim : int
        The axis. Also spelled `axis`.
    largest : bool
        False gives the smallest.
    sorted : bool
        Accepted for PyTorch's sake: the elements are sorted.

    Returns
    -------
    TopK
        The values, through which gradients go back, and their indices.

    Raises
    ------
    ValueError
        If there are less than k.

    Examples
    --------
    >>> values, indices = mp.topk(mp.array([3.0, 1.0, 2.0]), 2)
    >>> values
    array([3., 2.])
    >>> indices.tolist()
    [0, 2]
    """
    a = asarray(x)
    at = normal("topk", dim if axis is None else one_of("topk", None, axis), a.ndim)
    k = operator.index(k)
    if not 0 <= k <= a.shape[at]:
        raise ValueError(f"topk: k is {k}, axis {at} has {a.shape[at]} elements")
    order = _core.argsort(a, at, largest)
    indices = _core.copy(order[(*(slice(None),) * at, slice(k))])
    return TopK(_core.take_along_axis(a, indices, at), indices)
