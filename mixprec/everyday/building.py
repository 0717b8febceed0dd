"""Arrays made of a rule: diagonals, grids, functions of the index, and `r_` and its kin."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _core, _numpy
from .._core import ndarray
from .._typing import ArrayLike, DTypeLike, Shape
from ..creation import array, asarray
from ..functional import concatenate, ravel

__all__ = [
    "c_",
    "diag",
    "diagflat",
    "fill_diagonal",
    "fromfunction",
    "mgrid",
    "ogrid",
    "r_",
    "resize",
]


def diag(v: ArrayLike, k: int = 0) -> ndarray:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal.

    Parameters
    ----------
    v : array_like
        A matrix, or a vector.
    k : int
        The diagonal: 0 is the main one, positive ones are above it.

    Returns
    -------
    ndarray
        A view of the matrix, or a matrix with zeros beside the diagonal.

    Raises
    ------
    ValueError
        If v has neither one dimension nor two.

    Examples
    --------
    >>> mp.diag(mp.array([1, 2])).tolist()
    [[1, 0], [0, 2]]
    >>> mp.diag(mp.array([[1, 2], [3, 4]])).tolist()
    [1, 4]
    """
    x = asarray(v)
    if x.ndim == 1:
        return _matrix(x, k)
    if x.ndim != 2:
        raise ValueError(f"diag: the array has {x.ndim} dimensions, 1 or 2 are wanted")
    n, m = x.shape
    count = max(min(n + min(k, 0), m - max(k, 0)), 0)
    first = k if k >= 0 else -k * m
    return _core.as_strided(x, (count, m + 1, first))


def diagflat(v: ArrayLike, k: int = 0) -> ndarray:
    """The matrix with the elements of an array on a diagonal.

    Parameters
    ----------
    v : array_like
        The elements, in any shape.
    k : int
        The diagonal: 0 is the main one, positive ones are above it.

    Returns
    -------
    ndarray
        The matrix.

    Examples
    --------
    >>> mp.diagflat([[1, 2]], 1).tolist()
    [[0, 1, 0], [0, 0, 2], [0, 0, 0]]
    """
    return _matrix(ravel(v), k)


def _matrix(x: ndarray, k: int) -> ndarray:
    """The square matrix with x on diagonal k: its elements lie n + 1 apart in memory."""
    n = x.size + abs(k)
    first = k if k >= 0 else -k * n
    spread = _core.reshape(_core.pad(_core.reshape(x, (x.size, 1)), (0, 0, 0, n), 0), (-1,))
    after = max(n * n - first - spread.size, 0)
    return _core.reshape(_core.pad(spread, (first, after), 0)[: n * n], (n, n))


def fill_diagonal(a: ndarray, val: ArrayLike, wrap: bool = False) -> None:
    """Writes values into the diagonal of an array.

    Parameters
    ----------
    a : ndarray
        A matrix, or an array of more dimensions with equal extents.
    val : array_like
        A number, or the values; fewer than there are places are repeated.
    wrap : bool
        Begins again below the square part of a tall matrix, after a row of its own.

    Raises
    ------
    ValueError
        If a has fewer than two dimensions, or more with different extents.

    Examples
    --------
    >>> x = mp.zeros((2, 2))
    >>> mp.fill_diagonal(x, 5.0)
    >>> x.tolist()
    [[5.0, 0.0], [0.0, 5.0]]
    """
    shape = a.shape
    if len(shape) < 2 or (len(shape) > 2 and len({*shape}) > 1):
        raise ValueError(f"fill_diagonal: shape {shape}, two axes or equal extents are wanted")
    step = sum(math.prod(shape[i + 1 :]) for i in range(len(shape)))
    end = a.size if wrap or len(shape) > 2 else min(a.size, shape[1] * shape[1])
    places = np.unravel_index(np.arange(0, end, step), shape)
    values = asarray(val)
    if values.ndim:
        values = resize(values, (len(places[0]),))
    a[tuple(array(place, device=a.device) for place in places)] = values


def resize(a: ArrayLike, new_shape: Shape) -> ndarray:
    """The elements of an array, repeated as often as a new shape wants.

    Parameters
    ----------
    a : array_like
        The array.
    new_shape : int or sequence of int
        The shape.

    Returns
    -------
    ndarray
        A copy, with zeros if a is empty.

    Examples
    --------
    >>> mp.resize(mp.array([1, 2, 3]), (2, 2)).tolist()
    [[1, 2], [3, 1]]
    """
    flat = ravel(a)
    shape = tuple(new_shape) if isinstance(new_shape, Sequence) else (operator.index(new_shape),)
    if any(extent < 0 for extent in shape):
        raise ValueError(f"resize: shape {shape} has a negative extent")
    if not flat.size:
        return _core.full(shape, flat.dtype, flat.device, 0)
    places = np.arange(math.prod(shape)) % flat.size
    return _core.reshape(_core.take(flat, array(places, device=flat.device), 0), shape)


def fromfunction(
    function: Callable[..., Any], shape: Sequence[int], *, dtype: DTypeLike = float, **kwargs: Any
) -> Any:
    """What a function gives for the indices of all elements of a grid, as arrays.

    Parameters
    ----------
    function : callable
        Is called once, with an array per axis.
    shape : sequence of int
        The grid's extents.
    dtype : dtype
        Of the arrays of indices; by default the default dtype.
    **kwargs
        Go to the function.

    Returns
    -------
    Any
        What the function returns.

    Examples
    --------
    >>> mp.fromfunction(lambda i, j: i + j, (2, 2))
    array([[0., 1.],
           [1., 2.]])
    """
    wanted = _core.default_dtype() if dtype is float or dtype is None else dtype
    grid = asarray(np.indices(shape)).astype(wanted)
    return function(*grid, **kwargs)


class _Grid:
    """`mgrid` and `ogrid`: NumPy's, whose floating values come in the default dtype."""

    def __init__(self, name: str, grid: Any) -> None:
        self._name = name
        self._grid = grid

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        keys = tuple(slice(*map(_number, (k.start, k.stop, k.step))) for k in keys)
        taken = keys if isinstance(key, tuple) else keys[0]
        return _numpy.fallback(self._grid.__getitem__, (taken,), op=self._name)

    def __repr__(self) -> str:
        return f"mixprec.{self._name}"


def _number(value: Any) -> Any:
    """A bound of a slice: an array with one element counts as its number."""
    return value.item() if isinstance(value, ndarray) else value


class _Join:
    """`r_` and `c_`: arrays, numbers and slices between brackets, joined.

    A slice stands for its range, with an imaginary step for that many values from end to end. Texts
    that say how to join are taken as NumPy takes them; the result then has no gradient.
    """

    def __init__(self, name: str, columns: bool) -> None:
        self._name = name
        self._columns = columns
        self._numpy = getattr(np, name)

    def __getitem__(self, key: Any) -> Any:
        items = key if isinstance(key, tuple) else (key,)
        if isinstance(items[0], str):
            return _numpy.fallback(self._numpy.__getitem__, (items,), op=self._name)
        return concatenate([self._array(item) for item in items], -1 if self._columns else 0)

    def _array(self, item: Any) -> ndarray:
        if isinstance(item, slice):
            item = slice(*map(_number, (item.start, item.stop, item.step)))
            x: ndarray = _numpy.fallback(np.r_.__getitem__, (item,), op=self._name)
        else:
            x = asarray(item)
        if self._columns and x.ndim < 2:
            return _core.reshape(x, (x.size, 1))
        return _core.reshape(x, (1,)) if x.ndim == 0 else x

    def __repr__(self) -> str:
        return f"mixprec.{self._name}"


mgrid = _Grid("mgrid", np.mgrid)
ogrid = _Grid("ogrid", np.ogrid)
r_ = _Join("r_", False)
c_ = _Join("c_", True)
