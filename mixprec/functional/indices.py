"""Arrays made to be indices."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._short import straight
from .._typing import ArrayLike, Shape
from ..creation import asarray, beside
from ..grids import arange
from .indexing import flatnonzero, in_range
from .writing import put

__all__ = [
    "diag_indices",
    "fill_diagonal",
    "ix_",
    "ravel_multi_index",
    "tril_indices",
    "triu_indices",
    "unravel_index",
]


def _host(x: ArrayLike) -> Any:
    """x for NumPy."""
    return x.detach().numpy() if isinstance(x, ndarray) else x


@straight(np.unravel_index)
def unravel_index(indices: ArrayLike, shape: Shape, order: str = "C") -> tuple[ndarray, ...]:
    """Positions in a flattened array as indices along each axis.

    Parameters
    ----------
    indices : array_like of int
        The positions. On a GPU it is waited for whether they are in range.
    shape : int or sequence of int
        Of the array.
    order : {"C", "F"}
        Which axis is counted fastest: the last or the first.

    Returns
    -------
    tuple of ndarray
        int64, one array per axis.

    Raises
    ------
    ValueError
        If a position is out of range.

    Examples
    --------
    >>> rows, columns = mp.unravel_index(mp.array([5, 2]), (2, 3))
    >>> rows.tolist(), columns.tolist()
    ([1, 0], [2, 2])
    """
    if isinstance(indices, ndarray) and indices.device != "cpu":
        return _unravelled(indices, shape, order)
    found = np.unravel_index(_host(indices), shape, order)  # type: ignore[call-overload]
    here = isinstance(indices, ndarray)
    return tuple(asarray(i) if here else _new(i) for i in found)


def _new(x: Any) -> ndarray:
    """What NumPy has made, where new arrays go."""
    return asarray(x, device=_core.default_device())


def _extents(shape: Shape, order: str, op: str) -> tuple[int, ...]:
    """The extents, the one that is counted slowest first."""
    extents = tuple(shape) if isinstance(shape, Sequence) else (operator.index(shape),)
    if order not in ("C", "F"):
        raise ValueError(f"{op}: order is {order!r}, must be 'C' or 'F'")
    return extents if order == "C" else extents[::-1]


def _check_range(op: str, x: ndarray, n: int) -> None:
    """Whether all of x lies in [0, n): waits for the device."""
    if x.size == 0:
        return
    wrong = _core.logical_or(_core.less(x, 0), _core.greater_equal(x, n))
    if bool(_core.any(wrong, None, False)):
        raise ValueError(f"{op}: an index is out of range for a size of {n}")


def _unravelled(rest: ndarray, shape: Shape, order: str) -> tuple[ndarray, ...]:
    """On the array's device."""
    extents = _extents(shape, order, "unravel_index")
    _check_range("unravel_index", rest, math.prod(extents))
    rest, found = rest.astype(np.int64, copy=False), []
    for n in reversed(extents):
        found.append(_core.remainder(rest, n))
        rest = _core.floor_divide(rest, n)
    return tuple(found if order == "F" else reversed(found))


def ravel_multi_index(
    multi_index: Sequence[ArrayLike], dims: Shape, mode: Any = "raise", order: str = "C"
) -> ndarray:
    """Indices along each axis as positions in the flattened array.

    Parameters
    ----------
    multi_index : sequence of array_like of int
        One array per axis.
    dims : int or sequence of int
        The shape of the array.
    mode : {"raise", "wrap", "clip"}, or one for each axis
        What becomes of indices out of range.
    order : {"C", "F"}
        Which axis is counted fastest: the last or the first.

    Returns
    -------
    ndarray
        int64.

    Raises
    ------
    ValueError
        If an index is out of range.

    Examples
    --------
    >>> mp.ravel_multi_index(([1, 0], [2, 2]), (2, 3)).tolist()
    [5, 2]
    """
    if any(isinstance(i, ndarray) and i.device != "cpu" for i in multi_index):
        return _ravelled(beside(*multi_index), dims, mode, order)
    hosts = tuple(_host(i) for i in multi_index)
    return asarray(np.ravel_multi_index(hosts, dims, mode, order))  # type: ignore[call-overload]


def _ravelled(indices: list[ndarray], dims: Shape, mode: Any, order: str) -> ndarray:
    """On the arrays' device."""
    op = "ravel_multi_index"
    extents = _extents(dims, order, op)
    modes = [mode] * len(extents) if isinstance(mode, str) else list(mode)
    if not len(indices) == len(extents) == len(modes):
        raise ValueError(f"{op}: {len(indices)} index arrays for {len(extents)} axes")
    if order == "F":
        indices, modes = indices[::-1], modes[::-1]
    y: Any = 0
    for i, n, how in zip(indices, extents, modes, strict=True):
        if how == "raise":
            _check_range(op, i, n)
        i = in_range(op, i, n, how, i.device).astype(np.int64, copy=False)
        y = _core.add(_core.mul(y, n), i)
    return asarray(y)


def ix_(*args: ArrayLike) -> tuple[ndarray, ...]:
    """Indices that pick a grid: all combinations of those along each axis.

    Parameters
    ----------
    *args : array_like of int or bool
        For each axis, which indices.

    Returns
    -------
    tuple of ndarray
        They broadcast to the grid.

    Examples
    --------
    >>> x = mp.arange(6).reshape(2, 3)
    >>> x[mp.ix_([0, 1], [2, 0])].tolist()
    [[2, 0], [5, 3]]
    """
    grid = []
    for axis, given in enumerate(args):
        i = asarray(given)
        if i.ndim != 1:
            raise ValueError(f"ix_: argument {axis} has {i.ndim} dimensions, 1 is wanted")
        if i.size == 0:
            i = i.astype(np.int64, copy=False)
        if i.dtype == np.bool_:
            i = flatnonzero(i)
        grid.append(_core.reshape(i, [-1 if d == axis else 1 for d in range(len(args))]))
    return tuple(grid)


def diag_indices(n: int, ndim: int = 2) -> tuple[ndarray, ...]:
    """Indices of the main diagonal.

    Parameters
    ----------
    n : int
        The extent of each axis.
    ndim : int
        The number of axes.

    Returns
    -------
    tuple of ndarray
        One array per axis.

    Examples
    --------
    >>> x = mp.zeros((2, 2))
    >>> x[mp.diag_indices(2)] = 1
    >>> x.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return (arange(n),) * ndim


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[ndarray, ndarray]:
    """Indices of the lower triangle of a matrix.

    Parameters
    ----------
    n, m : int
        Rows and columns; m is n by default.
    k : int
        The highest diagonal that belongs to it.

    Returns
    -------
    tuple of ndarray
        Rows and columns, row after row.

    Examples
    --------
    >>> [i.tolist() for i in mp.tril_indices(2)]
    [[0, 1, 1], [0, 0, 1]]
    """
    rows, columns = np.tril_indices(n, k, m)
    return _new(rows), _new(columns)


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[ndarray, ndarray]:
    """Indices of the upper triangle of a matrix.

    Parameters
    ----------
    n, m : int
        Rows and columns; m is n by default.
    k : int
        The lowest diagonal that belongs to it.

    Returns
    -------
    tuple of ndarray
        Rows and columns, row after row.

    Examples
    --------
    >>> [i.tolist() for i in mp.triu_indices(2)]
    [[0, 0, 1], [0, 1, 1]]
    """
    rows, columns = np.triu_indices(n, k, m)
    return _new(rows), _new(columns)


def fill_diagonal(a: ndarray, val: ArrayLike, wrap: bool = False) -> None:
    """Writes values on the main diagonal.

    Parameters
    ----------
    a : ndarray
        At least 2-dimensional, of equal extents if it has more axes.
    val : array_like
        One value, or several, begun anew where there are fewer.
    wrap : bool
        Whether the diagonal of a tall matrix goes on below, one row left out.

    Examples
    --------
    >>> x = mp.zeros((2, 2))
    >>> mp.fill_diagonal(x, 3)
    >>> x.tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    """
    if a.ndim < 2:
        raise ValueError(f"fill_diagonal: the array has {a.ndim} dimensions, 2 are wanted")
    if a.ndim > 2 and len(set(a.shape)) > 1:
        raise ValueError(f"fill_diagonal: the extents of {a.shape} are not equal")
    if a.ndim == 2 and not wrap and isinstance(val, (int, float)):
        i = arange(min(a.shape), device=a.device)
        a[i, i] = val
        return
    if a.ndim == 2:
        step = a.shape[1] + 1
        end = a.size if wrap else min(a.size, a.shape[1] * a.shape[1])
    else:
        step, end = sum(a.shape[0] ** d for d in range(a.ndim)), a.size
    if isinstance(val, (int, float)) and a.flags.c_contiguous:
        _core.reshape(a, (a.size,))[:end:step] = val
    elif end > 0:
        put(a, arange(0, end, step, device=a.device), val)
