"""Arrays joined and cut as `vstack`, `block`, `hsplit` and their like do it, and turned."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._promotion import can_cast
from .._typing import ArrayLike, DTypeLike
from ..creation import asarray, beside
from ..functional import concatenate, swapaxes
from ..functional._axis import normal

__all__ = [
    "array_split",
    "block",
    "column_stack",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "rollaxis",
    "rot90",
    "vsplit",
    "vstack",
]


def vstack(
    tup: Sequence[ArrayLike], *, dtype: DTypeLike = None, casting: str = "same_kind"
) -> ndarray:
    """Arrays on top of each other: joined along axis 0, vectors as rows.

    Parameters
    ----------
    tup : sequence of array_like
        The arrays.
    dtype : dtype, optional
        Of the result; by default what they promote to.
    casting : str
        Which casts `dtype` may ask for, as NumPy names them.

    Returns
    -------
    ndarray
        At least two-dimensional.

    Examples
    --------
    >>> mp.vstack([mp.ones(2), mp.zeros(2)]).tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    """
    return _joined("vstack", [rows(x) for x in _given("vstack", tup)], 0, dtype, casting)


def hstack(
    tup: Sequence[ArrayLike], *, dtype: DTypeLike = None, casting: str = "same_kind"
) -> ndarray:
    """Arrays beside each other: joined along axis 1, vectors along their only axis.

    Parameters are those of `vstack`.

    Examples
    --------
    >>> mp.hstack([mp.ones(2), mp.zeros(1)])
    array([1., 1., 0.])
    """
    arrays = [_core.reshape(x, (1,)) if x.ndim == 0 else x for x in _given("hstack", tup)]
    return _joined("hstack", arrays, 0 if arrays[0].ndim == 1 else 1, dtype, casting)


def dstack(tup: Sequence[ArrayLike]) -> ndarray:
    """Arrays behind each other: joined along axis 2, matrices as slices of extent 1.

    Parameters
    ----------
    tup : sequence of array_like
        The arrays.

    Returns
    -------
    ndarray
        At least three-dimensional.

    Examples
    --------
    >>> mp.dstack([mp.ones(2), mp.zeros(2)]).tolist()
    [[[1.0, 0.0], [1.0, 0.0]]]
    """
    arrays = [rows(x) for x in _given("dstack", tup)]
    arrays = [_core.reshape(x, (*x.shape, 1)) if x.ndim == 2 else x for x in arrays]
    return _joined("dstack", arrays, 2)


def column_stack(tup: Sequence[ArrayLike]) -> ndarray:
    """A matrix of columns: vectors, or the columns of matrices.

    Parameters
    ----------
    tup : sequence of array_like
        Vectors and matrices.

    Returns
    -------
    ndarray
        Two-dimensional.

    Examples
    --------
    >>> mp.column_stack([mp.ones(2), mp.zeros(2)]).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    arrays = _given("column_stack", tup)
    arrays = [_core.reshape(x, (x.size, 1)) if x.ndim < 2 else x for x in arrays]
    return _joined("column_stack", arrays, 1)


def block(arrays: Any) -> ndarray:
    """An array put together of blocks.

    Parameters
    ----------
    arrays : nested list of array_like
        The innermost lists are joined along the last axis, those around them along the one before,
        and so on.

    Returns
    -------
    ndarray
        In the dtype that they promote to.

    Raises
    ------
    ValueError
        If the lists are not nested alike, or one is empty.

    Examples
    --------
    >>> one, two = mp.ones((1, 2)), mp.full((1, 1), 2.0)
    >>> mp.block([[one, two], [two, one]]).tolist()
    [[1.0, 1.0, 2.0], [2.0, 1.0, 1.0]]
    """
    leaves: list[Any] = []
    depth = _depth(arrays, leaves)
    ndim = max(depth, *(asarray(x).ndim for x in leaves))

    def put(item: Any, level: int) -> ndarray:
        if level == depth:
            x = asarray(item)
            return _core.reshape(x, (1,) * (ndim - x.ndim) + x.shape)
        return concatenate([put(part, level + 1) for part in item], level - depth)

    result = put(arrays, 0)
    return result if depth else _core.copy(result)


def _depth(item: Any, leaves: list[Any]) -> int:
    """How many lists lie around the blocks, which are added to `leaves`."""
    if isinstance(item, tuple):
        raise TypeError("block: a tuple is given, only lists are joined")
    if not isinstance(item, list):
        leaves.append(item)
        return 0
    depths = {_depth(part, leaves) for part in item}
    if len(depths) != 1:
        what = "the lists are not nested alike" if depths else "a list is empty"
        raise ValueError(f"block: {what}")
    return depths.pop() + 1


def array_split(ary: ArrayLike, indices_or_sections: Any, axis: int = 0) -> list[ndarray]:
    """`split` into parts that differ by one element at most.

    Parameters
    ----------
    ary : array_like
        The array.
    indices_or_sections : int or sequence of int
        Into how many parts, the longer ones first, or where to cut.
    axis : int
        The axis.

    Returns
    -------
    list of ndarray
        Views of the array.

    Examples
    --------
    >>> [part.tolist() for part in mp.array_split(mp.arange(5), 2)]
    [[0, 1, 2], [3, 4]]
    """
    x = asarray(ary)
    axis = normal("array_split", axis, x.ndim)
    extent = x.shape[axis]
    if np.ndim(indices_or_sections):
        cuts = [operator.index(cut) for cut in indices_or_sections]
    else:
        sections = operator.index(indices_or_sections)
        if sections < 1:
            raise ValueError(f"array_split: {sections} parts are wanted, at least 1 must be")
        least, longer = divmod(extent, sections)
        cuts = [least * i + min(i, longer) for i in range(1, sections)]
    before = (slice(None),) * axis
    ends = zip([0, *cuts], [*cuts, extent], strict=True)
    return [x[(*before, slice(a, b))] for a, b in ends]


def hsplit(ary: ArrayLike, indices_or_sections: int | Sequence[int]) -> list[ndarray]:
    """`split` along axis 1, or along the only axis of a vector.

    Examples
    --------
    >>> [part.shape for part in mp.hsplit(mp.ones((2, 4)), 2)]
    [(2, 2), (2, 2)]
    """
    x = _at_least("hsplit", ary, 1)
    return _equal("hsplit", x, indices_or_sections, 0 if x.ndim == 1 else 1)


def vsplit(ary: ArrayLike, indices_or_sections: int | Sequence[int]) -> list[ndarray]:
    """`split` along axis 0 of an array with two axes or more.

    Examples
    --------
    >>> [part.shape for part in mp.vsplit(mp.ones((2, 4)), 2)]
    [(1, 4), (1, 4)]
    """
    return _equal("vsplit", _at_least("vsplit", ary, 2), indices_or_sections, 0)


def dsplit(ary: ArrayLike, indices_or_sections: int | Sequence[int]) -> list[ndarray]:
    """`split` along axis 2.

    Examples
    --------
    >>> [part.shape for part in mp.dsplit(mp.ones((1, 2, 4)), 2)]
    [(1, 2, 2), (1, 2, 2)]
    """
    return _equal("dsplit", _at_least("dsplit", ary, 3), indices_or_sections, 2)


def _equal(op: str, x: ndarray, how: Any, axis: int) -> list[ndarray]:
    if not np.ndim(how):
        sections, extent = operator.index(how), x.shape[axis]
        if sections < 1 or extent % sections:
            raise ValueError(f"{op}: axis {axis} has {extent} elements, not {sections} equal parts")
    return array_split(x, how, axis)


def rollaxis(a: ArrayLike, axis: int, start: int = 0) -> ndarray:
    """A view of an array with one axis moved before another. `moveaxis` says it more clearly.

    Parameters
    ----------
    a : array_like
        The array.
    axis : int
        The axis that moves.
    start : int
        Before which one it lies then; the number of axes makes it the last.

    Returns
    -------
    ndarray
        A view.

    Examples
    --------
    >>> mp.rollaxis(mp.ones((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    x = asarray(a)
    axis = normal("rollaxis", axis, x.ndim)
    start = start + x.ndim if start < 0 else start
    if not 0 <= start <= x.ndim:
        raise ValueError(f"rollaxis: start {start} is out of bounds, 0 to {x.ndim} is wanted")
    order = [i for i in range(x.ndim) if i != axis]
    order.insert(start - (start > axis), axis)
    return _core.permute(x, order)


def rot90(m: ArrayLike, k: int = 1, axes: Sequence[int] = (0, 1)) -> ndarray:
    """A view of an array turned by right angles in the plane of two axes.

    Parameters
    ----------
    m : array_like
        The array.
    k : int
        How many times, from the first axis towards the second.
    axes : pair of int
        The axes.

    Returns
    -------
    ndarray
        A view.

    Examples
    --------
    >>> mp.rot90(mp.array([[1, 2], [3, 4]])).tolist()
    [[2, 4], [1, 3]]
    """
    x = asarray(m)
    if len(axes) != 2:
        raise ValueError(f"rot90: {len(axes)} axes are given, 2 are wanted")
    a, b = (normal("rot90", axis, x.ndim) for axis in axes)
    if a == b:
        raise ValueError(f"rot90: both axes are {a}")
    k = operator.index(k) % 4
    if k == 0:
        return x[...]
    if k == 2:
        return _reversed(_reversed(x, a), b)
    return swapaxes(_reversed(x, b), a, b) if k == 1 else _reversed(swapaxes(x, a, b), b)


def _reversed(x: ndarray, axis: int) -> ndarray:
    return x[(*(slice(None),) * axis, slice(None, None, -1))]


def rows(x: ndarray) -> ndarray:
    """x with two axes at least: a vector as a row."""
    return _core.reshape(x, (1, x.size)) if x.ndim < 2 else x


def _at_least(op: str, ary: ArrayLike, ndim: int) -> ndarray:
    x = asarray(ary)
    if x.ndim < ndim:
        raise ValueError(f"{op}: the array has {x.ndim} dimensions, at least {ndim} are wanted")
    return x


def _given(op: str, arrays: Any) -> list[ndarray]:
    if not isinstance(arrays, Iterable):
        raise TypeError(f"{op}: a {type(arrays).__name__} is given, a sequence of arrays is wanted")
    listed = beside(*arrays)
    if not listed:
        raise ValueError(f"{op}: no arrays")
    return listed


def _joined(
    op: str, arrays: list[ndarray], axis: int, dtype: DTypeLike = None, casting: str = "same_kind"
) -> ndarray:
    """`arrays` joined; errors are in the name of `op`."""
    if dtype is not None:
        for x in arrays:
            if not can_cast(x.dtype, dtype, casting):
                raise TypeError(f"{op}: {x.dtype} to {np.dtype(dtype)} is not a {casting!r} cast")
        arrays = [x.astype(dtype, copy=False) for x in arrays]
    try:
        return _core.concatenate(arrays, axis)
    except ValueError as error:
        raise ValueError(f"{op}{str(error).removeprefix('concatenate')}") from None
