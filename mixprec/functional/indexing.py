"""Elements picked and written by index: what `x[index]` does, as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ..creation import asarray
from ..grids import arange
from ._axis import normal, one_of
from .shape import ravel

__all__ = [
    "argwhere",
    "choose",
    "compress",
    "copyto",
    "extract",
    "flatnonzero",
    "index_select",
    "nonzero",
    "place",
    "put",
    "put_along_axis",
    "putmask",
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


def _in_range(op: str, indices: ArrayLike, extent: int, mode: str, device: str) -> Any:
    """Indices as `mode` says: those out of range are errors, wrapped around or clipped."""
    if mode == "raise":
        return indices
    if mode not in ("wrap", "clip"):
        raise ValueError(f"{op}: mode is {mode!r}, must be 'raise', 'wrap' or 'clip'")
    given = asarray(indices)
    if extent == 0:
        return given
    if mode == "clip":
        return _core.minimum(_core.maximum(given, 0), extent - 1)
    if given.device != "cpu":
        raise NotImplementedError(f"{op}: mode 'wrap' on {given.device}; use .cpu()")
    return asarray(np.mod(given.numpy(), extent), device=device)


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
        indices = _in_range("take", indices, a.shape[axis], mode, a.device)
    elif isinstance(indices, list | tuple) and not len(indices):
        indices = np.zeros(0, np.int64)
    return _into("take", _core.take(a, indices, axis), out)


def _into(op: str, y: ndarray, out: ndarray | None) -> ndarray:
    if out is None:
        return y
    if out.shape != y.shape:
        raise ValueError(f"{op}: out has shape {out.shape}, the result has {y.shape}")
    out[...] = y
    return out


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
    condition, a = asarray(condition), asarray(a)
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
    a, choices = asarray(a), [asarray(c) for c in choices]
    if not choices:
        raise ValueError("choose: no choices")
    n = len(choices)
    if mode == "raise" and a.size:
        low, high = int(_core.min(a, None, False)), int(_core.max(a, None, False))
        if low < 0 or high >= n:
            raise ValueError(f"choose: {low if low < 0 else high} numbers none of {n} choices")
    a = _in_range("choose", a, n, mode, a.device)
    y = _core.where(_core.equal(a, 0), choices[0], choices[-1])
    for k in range(1, n):
        y = _core.where(_core.equal(a, k), choices[k], y)
    return _into("choose", y, out)


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


# ---- writing ----


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
    positions = _in_range("put", ind, a.size, mode, a.device)
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
    number = isinstance(src, int | float)
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


def add_at(x: ndarray, indices: Any, values: ArrayLike) -> None:
    """`x[indices] += values`, where elements that come several times get each value: `add.at`.

    Sums are made in the order of the indices; on a GPU in any order, so that floats may differ in
    their last places from run to run.
    """
    _core.add_at(x, indices, values)
