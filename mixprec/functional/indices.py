"""Arrays made to be indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike, Shape
from ..creation import asarray
from ..grids import arange
from .indexing import flatnonzero
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


def _host(op: str, x: ArrayLike) -> Any:
    """x for NumPy."""
    if not isinstance(x, ndarray):
        return x
    if x.device != "cpu":
        raise NotImplementedError(f"{op}: not on {x.device}; use .cpu()")
    return x.detach().numpy()


def unravel_index(indices: ArrayLike, shape: Shape, order: str = "C") -> tuple[ndarray, ...]:
    """Positions in a flattened array as indices along each axis.

    Parameters
    ----------
    indices : array_like of int
        The positions, on the CPU.
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
    found = np.unravel_index(_host("unravel_index", indices), shape, order)  # type: ignore[call-overload]
    return tuple(asarray(i) for i in found)


def ravel_multi_index(
    multi_index: Sequence[ArrayLike], dims: Shape, mode: Any = "raise", order: str = "C"
) -> ndarray:
    """Indices along each axis as positions in the flattened array.

    Parameters
    ----------
    multi_index : sequence of array_like of int
        One array per axis, on the CPU.
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
    hosts = tuple(_host("ravel_multi_index", i) for i in multi_index)
    return asarray(np.ravel_multi_index(hosts, dims, mode, order))  # type: ignore[call-overload]


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
    return asarray(rows), asarray(columns)


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
    return asarray(rows), asarray(columns)


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
    if a.ndim == 2:
        step = a.shape[1] + 1
        end = a.size if wrap else min(a.size, a.shape[1] * a.shape[1])
    else:
        step, end = sum(a.shape[0] ** d for d in range(a.ndim)), a.size
    if isinstance(val, (int, float)) and a.flags.c_contiguous:
        _core.reshape(a, (a.size,))[:end:step] = val
    elif end > 0:
        put(a, arange(0, end, step, device=a.device), val)
