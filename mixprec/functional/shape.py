"""Other shapes of the same elements: views wherever strides allow it."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._dtypes import to_dtype
from .._short import short
from .._typing import ArrayLike, Axis, DTypeLike, Shape
from ..creation import asarray, beside
from ._axis import normal, one_of, several

__all__ = [
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "copy",
    "expand_dims",
    "flatten",
    "moveaxis",
    "matrix_transpose",
    "permute",
    "permute_dims",
    "ravel",
    "reshape",
    "squeeze",
    "swapaxes",
    "transpose",
    "unsqueeze",
]


@short("reshape")
def reshape(
    x: ArrayLike, /, shape: Shape, order: str | None = "C", *, copy: bool | None = None
) -> ndarray:
    """x in another shape with as many elements.

    Parameters
    ----------
    x : array_like
        The array.
    shape : int or sequence of int
        The new shape; one extent may be -1, which is then computed.
    order : {"C", "F", "A"}
        "F" reads and places the elements with the first axis changing fastest.
    copy : bool, optional
        None copies only where strides allow no view, True always, False never.

    Returns
    -------
    ndarray
        A view of x where its strides allow it, else a copy.

    Raises
    ------
    ValueError
        If the numbers of elements differ, or a copy would be needed and `copy` is False.

    Examples
    --------
    >>> mp.reshape(mp.arange(6), (2, -1)).tolist()
    [[0, 1, 2], [3, 4, 5]]
    >>> mp.reshape(mp.arange(6), (2, 3), order="F").tolist()
    [[0, 2, 4], [1, 3, 5]]
    """
    if order == "F":
        extents = tuple(listed((shape,)))[::-1]
        y = _core.permute(_core.reshape(_core.permute(x, None), extents), None)
    elif order in ("C", "A", None):
        y = _core.reshape(x, shape)
    else:
        raise ValueError(f"reshape: order is {order!r}, must be 'C', 'F' or 'A'")
    if copy is None:
        return y
    shares = isinstance(x, ndarray) and y.data_ptr() == x.data_ptr()
    if copy:
        return _core.copy(y) if shares else y
    if y.size and not shares:
        raise ValueError(f"reshape: shape {y.shape} needs a copy, and copy is False")
    return y


def view(x: ndarray, *shape: Any, dtype: DTypeLike = None) -> ndarray:
    """x in another shape or another dtype, over the same memory.

    Parameters
    ----------
    x : ndarray
        The array.
    *shape : int or sequence of int, or a dtype
        The new shape; one extent may be -1. A dtype, which can be given by name too, leaves the
        bytes as they are: they are read as its elements, which NumPy and PyTorch mean by it.
    dtype : dtype, optional
        The dtype by name.

    Returns
    -------
    ndarray
        A view of x, in another dtype outside of any graph.

    Raises
    ------
    ValueError
        If the strides of x do not allow it; `reshape` then copies.

    Examples
    --------
    >>> mp.arange(6).view(2, 3).shape
    (2, 3)
    >>> mp.ones(2).view(mp.int32).tolist()
    [1065353216, 1065353216]
    """
    if dtype is None and len(shape) == 1 and isinstance(shape[0], (str, type, np.dtype)):
        dtype = shape[0]
    if dtype is not None:
        return _core.reinterpret(x, to_dtype("view", dtype))
    if not shape:
        return _core.reshape(x, x.shape)
    y = _core.reshape(x, listed(shape))
    if y.size and y.data_ptr() != x.data_ptr():
        raise ValueError(
            f"view: shape {x.shape} with strides {x.strides} has no view of shape {y.shape}; use "
            "reshape, which copies"
        )
    return y


@short("ravel")
def ravel(x: ArrayLike, order: str | None = "C") -> ndarray:
    """x in one dimension: a view where its strides allow it, else a copy.

    Parameters
    ----------
    x : array_like
        The array.
    order : {"C", "F", "A", "K"}
        By rows, by columns, by columns if x lies so, or as x lies in memory.

    Returns
    -------
    ndarray
        Of one dimension.

    Examples
    --------
    >>> mp.ravel(mp.ones((2, 3))).shape
    (6,)
    """
    x = _in_order("ravel", asarray(x), order)
    return _core.reshape(x, (x.size,))


def _in_order(op: str, x: ndarray, order: str | None) -> ndarray:
    """x with its axes so that its elements by rows are those of x in an order of NumPy's."""
    if order == "F" or (order == "A" and x.flags.fnc):
        return _core.permute(x, None)
    if order == "K":
        return _core.permute(x, sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis])))
    if order not in ("C", "A", None):
        raise ValueError(f"{op}: order is {order!r}, must be 'C', 'F', 'A' or 'K'")
    return x


@short("flatten")
def flatten(
    x: ArrayLike, start_dim: int | str = 0, end_dim: int = -1, *, order: str | None = "C"
) -> ndarray:
    """A copy of x with all its dimensions, or those of a range, made one.

    Parameters
    ----------
    x : array_like
        The array.
    start_dim, end_dim : int
        The first and the last dimension of the range. NumPy's order may stand here too.
    order : {"C", "F", "A", "K"}
        The order of the elements, of the whole array only. See `ravel`.

    Returns
    -------
    ndarray
        A copy, as NumPy's; `reshape` gives a view.

    Examples
    --------
    >>> mp.ones((2, 3, 4)).flatten(1).shape
    (2, 12)
    """
    x = asarray(x)
    if isinstance(start_dim, str):
        order = start_dim
        start_dim = 0
    if order != "C":
        x = _in_order("flatten", x, order)
    y = flat_view(x, start_dim, end_dim)
    return _core.copy(y) if y.data_ptr() == x.data_ptr() else y


def flat_view(x: ndarray, start: int, end: int) -> ndarray:
    """x with a range of dimensions made one, a view if it can be."""
    if x.ndim == 0:
        return _core.reshape(x, (1,))
    start, end = normal("flatten", start, x.ndim), normal("flatten", end, x.ndim)
    if start > end:
        raise ValueError(f"flatten: start_dim is {start}, after end_dim, which is {end}")
    shape = x.shape
    flat = math.prod(shape[start : end + 1])
    return _core.reshape(x, (*shape[:start], flat, *shape[end + 1 :]))


@short("transpose")
def transpose(x: ArrayLike, axes: Sequence[int] | None = None) -> ndarray:
    """x with its axes in another order. Also spelled `permute`.

    Parameters
    ----------
    x : array_like
        The array.
    axes : sequence of int, optional
        Axis i of the result is axis ``axes[i]`` of x. By default they are reversed.

    Returns
    -------
    ndarray
        A view of x.

    Examples
    --------
    >>> mp.transpose(mp.ones((2, 3, 4))).shape
    (4, 3, 2)
    >>> mp.transpose(mp.ones((2, 3, 4)), (1, 0, 2)).shape
    (3, 2, 4)
    """
    return _core.permute(x, axes)


def matrix_transpose(x: ArrayLike, /) -> ndarray:
    """A view of x with the last two axes exchanged.

    Parameters
    ----------
    x : array_like
        (..., M, N).

    Returns
    -------
    ndarray
        (..., N, M).

    Raises
    ------
    ValueError
        If x has less than two dimensions.

    Examples
    --------
    >>> mp.matrix_transpose(mp.ones((2, 3, 4))).shape
    (2, 4, 3)
    """
    y = asarray(x)
    if y.ndim < 2:
        raise ValueError(f"matrix_transpose: x has {y.ndim} dimensions, at least 2 are wanted")
    return y.mT


@short("swapaxes")
def swapaxes(x: ArrayLike, axis1: int, axis2: int) -> ndarray:
    """A view of x with two axes exchanged.

    Examples
    --------
    >>> mp.swapaxes(mp.ones((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    x = asarray(x)
    a, b = normal("swapaxes", axis1, x.ndim), normal("swapaxes", axis2, x.ndim)
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return _core.permute(x, order)


def moveaxis(
    x: ArrayLike, source: int | Sequence[int], destination: int | Sequence[int]
) -> ndarray:
    """A view of x with axes moved to other places, the others in their order.

    Parameters
    ----------
    x : array_like
        The array.
    source, destination : int or sequence of int
        Where the axes are, and where they go.

    Returns
    -------
    ndarray
        The view.

    Examples
    --------
    >>> mp.moveaxis(mp.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    >>> mp.moveaxis(mp.ones((2, 3, 4)), (0, 1), (-1, -2)).shape
    (4, 3, 2)
    """
    x = asarray(x)
    a, b = several("moveaxis", source, x.ndim), several("moveaxis", destination, x.ndim)
    if len(a) != len(b):
        raise ValueError(f"moveaxis: {len(a)} axes are given and {len(b)} destinations")
    order = [axis for axis in range(x.ndim) if axis not in a]
    for to, axis in sorted(zip(b, a, strict=True)):
        order.insert(to, axis)
    return _core.permute(x, order)


@short("squeeze")
def squeeze(x: ArrayLike, axis: Axis = None, *, dim: Axis = None) -> ndarray:
    """x without its axes of extent 1.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int or sequence of int, optional
        The axes to drop; by default all of extent 1. Also spelled `dim`.

    Returns
    -------
    ndarray
        A view of x.

    Raises
    ------
    ValueError
        If one of the axes has another extent than 1.

    Examples
    --------
    >>> mp.squeeze(mp.ones((1, 3, 1))).shape
    (3,)
    """
    x = asarray(x)
    shape = x.shape
    if dim is not None:
        axis = one_of("squeeze", axis, dim)
    if axis is None:
        return _core.reshape(x, tuple(extent for extent in shape if extent != 1))
    drop = several("squeeze", axis, x.ndim)
    for a in drop:
        if shape[a] != 1:
            raise ValueError(f"squeeze: axis {a} of shape {shape} has extent {shape[a]}, not 1")
    return _core.reshape(x, tuple(extent for a, extent in enumerate(shape) if a not in drop))


def expand_dims(x: ArrayLike, axis: int | Sequence[int]) -> ndarray:
    """x with new axes of extent 1. Also spelled `unsqueeze`.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int or sequence of int
        Where they are in the result.

    Returns
    -------
    ndarray
        A view of x.

    Examples
    --------
    >>> mp.expand_dims(mp.ones(3), 0).shape
    (1, 3)
    """
    x = asarray(x)
    ndim = x.ndim + (len(axis) if isinstance(axis, (tuple, list)) else 1)
    new = several("expand_dims", axis, ndim)
    rest = iter(x.shape)
    return _core.reshape(x, tuple(1 if a in new else next(rest) for a in range(ndim)))


def unsqueeze(x: ArrayLike, dim: int) -> ndarray:
    """`expand_dims` with one axis, as PyTorch spells it.

    Examples
    --------
    >>> mp.unsqueeze(mp.ones(3), -1).shape
    (3, 1)
    """
    return expand_dims(x, dim)


def broadcast_to(x: ArrayLike, shape: Shape, subok: bool = False) -> ndarray:
    """x repeated to a shape, without a copy.

    Parameters
    ----------
    x : array_like
        The array.
    shape : int or sequence of int
        What x broadcasts to.
    subok : bool
        Accepted for NumPy's sake.

    Returns
    -------
    ndarray
        A view of x that cannot be written to.

    Examples
    --------
    >>> mp.broadcast_to(mp.array([1.0, 2.0]), (2, 2)).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    extents = listed((shape,))
    if any(extent < 0 for extent in extents):
        raise ValueError(f"broadcast_to: shape {extents} has a negative extent")
    return _core.expand(x, extents)


def broadcast_shapes(*shapes: Shape) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to.

    Parameters
    ----------
    *shapes : int or sequence of int
        The shapes.

    Returns
    -------
    tuple of int
        The common shape.

    Raises
    ------
    ValueError
        If they do not broadcast.

    Examples
    --------
    >>> mp.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    for shape in shapes:
        if not isinstance(shape, Sequence) and not hasattr(shape, "__index__"):
            kind = type(shape).__name__
            raise TypeError(f"broadcast_shapes: a shape is a {kind}, a tuple is wanted")
    given = [listed((shape,)) for shape in shapes]
    result = [1] * max(map(len, given), default=0)
    for shape in given:
        for i in range(-len(shape), 0):
            extent = operator.index(shape[i])
            if extent < 0:
                raise ValueError(f"broadcast_shapes: shape {shape} has a negative extent")
            if extent == 1 or extent == result[i]:
                continue
            if result[i] != 1:
                raise ValueError(
                    f"broadcast_shapes: shapes {', '.join(map(str, given))} do not broadcast"
                )
            result[i] = extent
    return tuple(result)


def broadcast_arrays(*arrays: ArrayLike, subok: bool = False) -> tuple[ndarray, ...]:
    """Arrays repeated to their common shape, without a copy.

    Parameters
    ----------
    *arrays : array_like
        The arrays.
    subok : bool
        Accepted for NumPy's sake.

    Returns
    -------
    tuple of ndarray
        Views that cannot be written to where elements repeat.

    Raises
    ------
    ValueError
        If they do not broadcast.

    Examples
    --------
    >>> [x.shape for x in mp.broadcast_arrays(mp.ones((3, 1)), mp.ones(4))]
    [(3, 4), (3, 4)]
    """
    given = beside(*arrays)
    shape = broadcast_shapes(*(x.shape for x in given))
    return tuple(x if x.shape == shape else _core.expand(x, shape) for x in given)


@short("copy")
def copy(x: ArrayLike) -> ndarray:
    """A copy of x, with its place in the graph.

    Examples
    --------
    >>> x = mp.ones(2)
    >>> mp.copy(x).data_ptr() == x.data_ptr()
    False
    """
    return _core.copy(x)


def listed(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """The items of a signature ``*items`` that also takes one sequence of them."""
    if len(given) == 1 and not hasattr(given[0], "__index__"):
        return tuple(given[0])
    return given


permute = permute_dims = transpose
