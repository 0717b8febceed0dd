"""Arrays made of a rule: diagonals, grids, functions of the index, and `r_` and its kin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _core, _numpy
from .._core import ndarray
from .._short import short
from .._typing import ArrayLike, DTypeLike
from ..creation import asarray
from ..functional import concatenate, isfinite, ravel

__all__ = [
    "asanyarray",
    "asarray_chkfinite",
    "ascontiguousarray",
    "asfortranarray",
    "c_",
    "diag",
    "diagflat",
    "fromfunction",
    "mgrid",
    "ogrid",
    "r_",
]


asanyarray = asarray


def ascontiguousarray(a: ArrayLike, dtype: DTypeLike = None) -> ndarray:
    """The array with its elements by rows in memory, without a copy where they lie so.

    Parameters
    ----------
    a : array_like
        The array.
    dtype : dtype, optional
        As for `asarray`.

    Returns
    -------
    ndarray
        At least one-dimensional.

    Examples
    --------
    >>> mp.ascontiguousarray(mp.ones((2, 3)).T).is_contiguous()
    True
    """
    x = asarray(a, dtype)
    return _core.contiguous(x) if x.ndim else _core.reshape(x, (1,))


def asfortranarray(a: ArrayLike, dtype: DTypeLike = None) -> ndarray:
    """The array with its elements by columns in memory, without a copy where they lie so.

    Parameters are those of `ascontiguousarray`.

    Examples
    --------
    >>> mp.asfortranarray(mp.ones((2, 3))).strides
    (4, 8)
    """
    x = asarray(a, dtype)
    if x.ndim == 0:  # as in NumPy
        return _core.reshape(x, (1,))
    return _core.permute(_core.contiguous(_core.permute(x, None)), None)


def asarray_chkfinite(a: ArrayLike, dtype: DTypeLike = None, order: str | None = None) -> ndarray:
    """`asarray` of what has no NaN and no infinity.

    Parameters
    ----------
    a : array_like
        The array.
    dtype : dtype, optional
        As for `asarray`.
    order : str, optional
        Accepted for NumPy's sake.

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    ValueError
        If there is NaN or infinity.

    Examples
    --------
    >>> mp.asarray_chkfinite([1.0, 2.0])
    array([1., 2.])
    """
    x = asarray(a, dtype)
    if not isfinite(x).all():
        raise ValueError("asarray_chkfinite: the array has NaN or infinity")
    return x


@short("diag")
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
    grid = asarray(np.indices(shape), device=_core.default_device()).astype(wanted)
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
