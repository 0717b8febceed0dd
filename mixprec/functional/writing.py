"""Elements written by index: what `x[index] = value` does, as functions."""

from __future__ import annotations

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ..creation import asarray
from ..grids import arange
from ._axis import normal
from .indexing import flatnonzero, in_range, take
from .shape import ravel

__all__ = ["copyto", "place", "put", "put_along_axis", "putmask"]


def _cycled(values: ArrayLike, like: ndarray, n: int) -> ndarray:
    """n values, begun anew where they end."""
    flat = ravel(asarray(values, device=like.device))
    if flat.size == n or flat.size == 1 or n == 0:
        return flat if n else flat[:0]
    if flat.size == 0:
        raise ValueError(f"index: no values for {n} elements")
    return _core.concatenate([flat] * -(-n // flat.size), 0)[:n]


def _put_flat(a: ndarray, positions: ndarray, values: ArrayLike) -> None:
    """Writes at positions in C order, wherever they lie in memory."""
    _core.call_into("index_put", a, (a, values, positions), (0, [0, a.ndim, 0]))


def put(a: ndarray, ind: ArrayLike, v: ArrayLike, mode: str = "raise") -> None:
    """Writes values at positions, counted in C order.

    Parameters
    ----------
    a : ndarray
        What is written.
    ind : array_like of int
        The positions. Of one that comes several times the last value stays (on a GPU any).
    v : array_like
        The values, begun anew where there are fewer.
    mode : {"raise", "wrap", "clip"}
        What becomes of positions out of range.

    Examples
    --------
    >>> x = mp.zeros(4)
    >>> mp.put(x, [0, 2], [5, 6])
    >>> x
    array([5., 0., 6., 0.])
    """
    positions = in_range("put", ind, a.size, mode, a.device)
    positions = ravel(asarray(positions, device=a.device))
    if positions.size:
        _put_flat(a, positions, _cycled(v, a, positions.size))


def place(arr: ndarray, mask: ArrayLike, vals: ArrayLike) -> None:
    """Writes values one after the other where a mask is true.

    Parameters
    ----------
    arr : ndarray
        What is written.
    mask : array_like of bool
        As many values as `arr` has elements.
    vals : array_like
        The values, begun anew where there are fewer.

    Examples
    --------
    >>> x = mp.arange(5)
    >>> mp.place(x, x > 1, [7, 8])
    >>> x.tolist()
    [0, 1, 7, 8, 7]
    """
    put(arr, flatnonzero(_of_size("place", mask, arr)), vals)


def _of_size(op: str, mask: ArrayLike, a: ndarray) -> ndarray:
    given = asarray(mask, device=a.device)
    if given.size != a.size:
        raise ValueError(f"{op}: the mask has {given.size} elements, the array {a.size}")
    return given


def putmask(a: ndarray, mask: ArrayLike, values: ArrayLike) -> None:
    """Writes the values at the places where a mask is true.

    Parameters
    ----------
    a : ndarray
        What is written.
    mask : array_like of bool
        As many values as `a` has elements.
    values : array_like
        One for each element of `a`, begun anew where there are fewer; `place` counts only those
        that are written.

    Examples
    --------
    >>> x = mp.arange(5)
    >>> mp.putmask(x, x > 1, [7, 8])
    >>> x.tolist()
    [0, 1, 7, 8, 7]
    """
    positions = flatnonzero(_of_size("putmask", mask, a))
    values = _cycled(values, a, a.size)
    _put_flat(a, positions, values if values.size == 1 else take(values, positions))


def copyto(
    dst: ndarray, src: ArrayLike, casting: str = "same_kind", where: ArrayLike = True
) -> None:
    """Writes the elements of one array into another.

    Parameters
    ----------
    dst : ndarray
        What is written.
    src : array_like
        Broadcast to dst.
    casting : {"no", "equiv", "safe", "same_kind", "unsafe"}
        Which conversions are allowed, as `numpy.can_cast` names them.
    where : array_like of bool
        Which elements are written, broadcast to dst.

    Raises
    ------
    TypeError
        If the conversion is not allowed.

    Examples
    --------
    >>> x = mp.zeros(3)
    >>> mp.copyto(x, [1, 2, 3], where=[True, False, True])
    >>> x
    array([1., 0., 3.])
    """
    if not isinstance(dst, ndarray):
        raise TypeError(f"copyto: dst is a {type(dst).__name__}, an mp.ndarray is wanted")
    number = isinstance(src, int | float)
    if number and where is True and dst.dtype.kind not in "biu":
        dst[...] = src
        return
    src = asarray(src, device=dst.device)
    allowed = number and (dst.dtype.kind not in "iub" or src.dtype.kind in "iub")
    if not allowed and not np.can_cast(src.dtype, dst.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"copyto: {src.dtype} to {dst.dtype} is no {casting!r} conversion")
    if where is True:
        dst[...] = src
    else:
        dst[...] = _core.where(where, src.astype(dst.dtype, copy=False), dst)


def put_along_axis(arr: ndarray, indices: ArrayLike, values: ArrayLike, axis: int | None) -> None:
    """Writes values at indices along an axis, those of each place along the others its own.

    Parameters
    ----------
    arr : ndarray
        What is written.
    indices : array_like of int
        As many axes as `arr`; broadcast against it along the others.
    values : array_like
        Broadcast to the indices.
    axis : int or None
        The axis; None writes in C order.

    Examples
    --------
    >>> x = mp.array([[10, 30, 20], [60, 40, 50]])
    >>> mp.put_along_axis(x, mp.array([[1], [0]]), 99, axis=1)
    >>> x.tolist()
    [[10, 99, 20], [99, 40, 50]]
    """
    indices = asarray(indices, device=arr.device)
    if axis is None:
        if indices.ndim != 1:
            raise ValueError(f"put_along_axis: indices have {indices.ndim} dimensions, not 1")
        _put_flat(arr, indices, values)
        return
    axis = normal("put_along_axis", axis, arr.ndim)
    if indices.ndim != arr.ndim:
        raise ValueError(
            f"put_along_axis: indices have {indices.ndim} dimensions, the array {arr.ndim}"
        )
    arr[_along(arr, indices, axis)] = values


def _along(x: ndarray, indices: ndarray, axis: int) -> tuple[ndarray, ...]:
    """The index of x that has `indices` along an axis and each place's own along the others."""
    index = []
    for d, extent in enumerate(x.shape):
        shape = [extent if d == k else 1 for k in range(x.ndim)]
        along = arange(extent, device=x.device)
        index.append(indices if d == axis else _core.reshape(along, shape))
    return tuple(index)
