"""Arrays with elements left out, put in, appended or repeated."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike, Shape
from ..creation import asarray, beside, zeros
from ._axis import normal
from .joining import concatenate
from .shape import ravel

__all__ = ["append", "delete", "insert", "resize"]


def append(arr: ArrayLike, values: ArrayLike, axis: int | None = None) -> ndarray:
    """An array with others behind it.

    Parameters
    ----------
    arr, values : array_like
        The arrays.
    axis : int, optional
        The axis along which they are joined; None joins them flattened.

    Returns
    -------
    ndarray
        In the dtype that they promote to.

    Examples
    --------
    >>> mp.append(mp.array([1, 2]), [[3], [4]]).tolist()
    [1, 2, 3, 4]
    """
    return concatenate(beside(arr, values), axis)


def _host(obj: Any) -> Any:
    return obj.cpu().numpy() if isinstance(obj, ndarray) else obj


def _flattened(op: str, arr: ArrayLike, axis: int | None) -> tuple[ndarray, int]:
    arr = asarray(arr)
    if axis is None:
        return (arr if arr.ndim == 1 else ravel(arr)), 0
    return arr, normal(op, axis, arr.ndim)


def delete(arr: ArrayLike, obj: Any, axis: int | None = None) -> ndarray:
    """An array without the slices of some indices.

    Parameters
    ----------
    arr : array_like
        The array.
    obj : int, slice or array_like of int or bool
        Which slices are left out. Arrays on a GPU are waited for.
    axis : int, optional
        The axis; None leaves elements out of the flattened array.

    Returns
    -------
    ndarray
        A copy.

    Raises
    ------
    IndexError
        If an index is out of range.

    Examples
    --------
    >>> mp.delete(mp.arange(5), [1, 3]).tolist()
    [0, 2, 4]
    """
    arr, axis = _flattened("delete", arr, axis)
    if type(obj) is int and arr.ndim == 1 and -arr.size <= obj < arr.size:
        at = obj % arr.size
        return concatenate([arr[:at], arr[at + 1 :]])
    keep = np.delete(np.arange(arr.shape[axis]), _host(obj))
    return _core.take(arr, asarray(keep, device=arr.device), axis)


def insert(arr: ArrayLike, obj: Any, values: ArrayLike, axis: int | None = None) -> ndarray:
    """An array with values before some indices.

    Parameters
    ----------
    arr : array_like
        The array.
    obj : int, slice or array_like of int or bool
        Before which indices of `arr`.
    values : array_like
        What is put in, in arr's dtype: for several indices a slice for each.
    axis : int, optional
        The axis; None puts elements into the flattened array.

    Returns
    -------
    ndarray
        A copy.

    Raises
    ------
    IndexError
        If an index is out of range.

    Examples
    --------
    >>> mp.insert(mp.arange(4), [1, 3], [10, 20]).tolist()
    [0, 10, 1, 2, 20, 3]
    """
    arr, axis = _flattened("insert", arr, axis)
    n = arr.shape[axis]
    if type(obj) is int and arr.ndim == 1 and -n <= obj < n:
        new = asarray(values, dtype=arr.dtype, device=arr.device)
        at = obj % n
        return concatenate([arr[:at], ravel(new), arr[at:]])
    obj = _host(obj)
    indices = np.arange(n)[obj] if isinstance(obj, slice) else np.array(obj)
    if indices.dtype == bool:
        indices = np.flatnonzero(indices)
    elif indices.size == 0:
        indices = indices.astype(np.int64)
    values = asarray(values, dtype=arr.dtype, device=arr.device)
    if indices.size == 1:
        return _insert_block(arr, indices, values, axis)
    places = _checked(indices, n)
    order = places.argsort(kind="stable")
    places[order] += np.arange(places.size)
    new = _longer(arr, places.size, axis)
    kept = np.ones(new.shape[axis], bool)
    kept[places] = False
    before = (slice(None),) * axis
    new[(*before, asarray(places, device=arr.device))] = values
    new[(*before, asarray(np.flatnonzero(kept), device=arr.device))] = arr
    return new


def _checked(indices: Any, n: int) -> Any:
    bad = indices[(indices < -n) | (indices > n)]
    if bad.size:
        raise IndexError(f"insert: index {int(bad[0])} is out of range for {n} elements")
    return np.where(indices < 0, indices + n, indices)


def _longer(arr: ndarray, more: int, axis: int) -> ndarray:
    shape = list(arr.shape)
    shape[axis] += more
    return zeros(shape, dtype=arr.dtype, device=arr.device)


def _insert_block(arr: ndarray, indices: Any, values: ndarray, axis: int) -> ndarray:
    """Values as a whole before one index."""
    at = int(_checked(indices, arr.shape[axis]).reshape(-1)[0])
    if values.ndim < arr.ndim:
        values = _core.reshape(values, [1] * (arr.ndim - values.ndim) + list(values.shape))
    if indices.ndim == 0:
        order = list(range(1, values.ndim))
        values = _core.permute(values, [*order[:axis], 0, *order[axis:]])
    more = values.shape[axis]
    new = _longer(arr, more, axis)
    before = (slice(None),) * axis
    new[(*before, slice(at))] = arr[(*before, slice(at))]
    new[(*before, slice(at, at + more))] = values
    new[(*before, slice(at + more, None))] = arr[(*before, slice(at, None))]
    return new


def resize(a: ArrayLike, new_shape: Shape) -> ndarray:
    """An array of another shape, filled with copies of the elements one after the other.

    Parameters
    ----------
    a : array_like
        The elements, in C order.
    new_shape : int or sequence of int
        The shape, of any number of elements.

    Returns
    -------
    ndarray
        A copy; zeros where `a` has no elements.

    Examples
    --------
    >>> mp.resize(mp.array([1, 2, 3]), (2, 2)).tolist()
    [[1, 2], [3, 1]]
    """
    flat = ravel(a)
    given = new_shape if isinstance(new_shape, tuple | list) else (new_shape,)
    shape = [operator.index(extent) for extent in given]
    if any(extent < 0 for extent in shape):
        raise ValueError(f"resize: shape {tuple(shape)} has a negative extent")
    n = int(np.prod(shape, dtype=np.int64))
    if flat.size == 0 or n == 0:
        return zeros(shape, dtype=flat.dtype, device=flat.device)
    whole = _core.concatenate([flat] * -(-n // flat.size), 0)
    return _core.reshape(whole[:n], shape)
