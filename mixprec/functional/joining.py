"""Arrays joined, cut and padded."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np

from .. import _core
from .._core import ndarray
from .._numpy import fallback, plain
from .._promotion import can_cast
from .._short import short
from .._typing import ArrayLike, DTypeLike
from ..creation import asarray, named
from ._axis import normal
from ._out import deliver
from .shape import ravel

__all__ = [
    "cat",
    "concat",
    "concatenate",
    "pad",
    "split",
    "stack",
    "unstack",
]

# ---- joining and cutting ----


@short("concatenate")
def concatenate(
    arrays: Sequence[ArrayLike],
    axis: int | None = 0,
    out: ndarray | None = None,
    *,
    dtype: DTypeLike = None,
    casting: str = "same_kind",
) -> ndarray:
    """Arrays joined along an axis. Also spelled `concat` and `cat`.

    Parameters
    ----------
    arrays : sequence of array_like
        At least one. They may differ in the extent of that axis only.
    axis : int, optional
        The axis; None joins the flattened arrays.
    out : ndarray, optional
        Where the result is written.
    dtype : dtype, optional
        Of the result; by default what the arrays promote to.
    casting : str
        Which casts `dtype` may ask for, as `can_cast` names them.

    Returns
    -------
    ndarray
        `out` if it is given.

    Raises
    ------
    ValueError
        If there is none, or the shapes do not fit.
    TypeError
        If a cast is not allowed.

    Examples
    --------
    >>> mp.concatenate([mp.ones(2), mp.zeros(1)])
    array([1., 1., 0.])
    """
    parts = _listed("concatenate", arrays)
    if axis is None:
        parts, axis = [ravel(x) for x in parts], 0
    if dtype is not None:
        parts = [_cast(asarray(x), dtype, casting) for x in parts]
    y = _core.concatenate(parts, axis)
    return y if out is None else deliver("concatenate", y, out)


def _cast(x: ndarray, dtype: Any, casting: str) -> ndarray:
    if not can_cast(x.dtype, dtype, casting):
        raise TypeError(f"concatenate: {x.dtype} cannot be cast to {dtype} with {casting!r} casts")
    return x.astype(dtype, copy=False)


def _listed(op: str, arrays: Any) -> list[Any]:
    if not isinstance(arrays, Iterable):
        raise TypeError(f"{op}: a {type(arrays).__name__} is given, a sequence of arrays is wanted")
    listed = list(arrays)
    if not listed:
        raise ValueError(f"{op}: no arrays")
    return listed


def cat(arrays: Sequence[ArrayLike], dim: int = 0, *, axis: int | None = None) -> ndarray:
    """`concatenate`, as PyTorch spells it.

    Examples
    --------
    >>> mp.cat([mp.ones((1, 2)), mp.zeros((1, 2))], dim=1)
    array([[1., 1., 0., 0.]])
    """
    return concatenate(arrays, dim if axis is None else axis)


def stack(
    arrays: Sequence[ArrayLike],
    axis: int = 0,
    out: ndarray | None = None,
    *,
    dtype: DTypeLike = None,
    casting: str = "same_kind",
    dim: int | None = None,
) -> ndarray:
    """Arrays of one shape joined along a new axis.

    Parameters
    ----------
    arrays : sequence of array_like
        At least one.
    axis : int
        Where the new axis is in the result. Also spelled `dim`.
    out, dtype, casting : optional
        As for `concatenate`.

    Returns
    -------
    ndarray
        In the dtype that they promote to.

    Examples
    --------
    >>> mp.stack([mp.ones(2), mp.zeros(2)])
    array([[1., 1.],
           [0., 0.]])
    """
    parts = [asarray(x) for x in _listed("stack", arrays)]
    shape = parts[0].shape
    for i, x in enumerate(parts):
        if x.shape != shape:
            raise ValueError(f"stack: array 0 has shape {shape}, array {i} has {x.shape}")
    axis = normal("stack", axis if dim is None else dim, len(shape) + 1)
    longer = (*shape[:axis], 1, *shape[axis:])
    parts = [_core.reshape(x, longer) for x in parts]
    return concatenate(parts, axis, out, dtype=dtype, casting=casting)


def unstack(x: ArrayLike, /, *, axis: int = 0) -> tuple[ndarray, ...]:
    """The parts of x along an axis, without that axis.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int
        The axis.

    Returns
    -------
    tuple of ndarray
        As many as x has elements along the axis.

    Examples
    --------
    >>> [part.tolist() for part in mp.unstack(mp.array([[1, 2], [3, 4]]), axis=1)]
    [[1, 3], [2, 4]]
    """
    x = asarray(x)
    axis = normal("unstack", axis, x.ndim)
    before = (slice(None),) * axis
    return tuple(x[(*before, i)] for i in range(x.shape[axis]))


def split(x: ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[ndarray]:
    """x cut into views along an axis.

    Parameters
    ----------
    x : array_like
        The array.
    indices_or_sections : int or sequence of int
        Into how many equal parts, or where to cut. (PyTorch's argument is the size of the parts.)
    axis : int
        The axis.

    Returns
    -------
    list of ndarray
        The parts.

    Raises
    ------
    ValueError
        If the parts cannot be equal.

    Examples
    --------
    >>> [part.tolist() for part in mp.split(mp.arange(4), 2)]
    [[0, 1], [2, 3]]
    >>> [part.tolist() for part in mp.split(mp.arange(4), [1, 3])]
    [[0], [1, 2], [3]]
    """
    x = asarray(x)
    axis = normal("split", axis, x.ndim)
    extent = x.shape[axis]
    if np.ndim(indices_or_sections):
        cuts = [operator.index(cut) for cut in cast("Sequence[int]", indices_or_sections)]
    else:
        sections = operator.index(cast("int", indices_or_sections))
        if sections < 1 or extent % sections:
            raise ValueError(
                f"split: axis {axis} has {extent} elements, not {sections} equal parts"
            )
        cuts = [extent // sections * i for i in range(1, sections)]
    ends = [*cuts, extent]
    before = (slice(None),) * axis
    return [x[(*before, slice(a, b))] for a, b in zip([0, *cuts], ends, strict=True)]


_REPEATING = ("edge", "reflect", "symmetric", "wrap")  # modes of pad that repeat elements


def pad(
    x: ArrayLike,
    pad_width: Any,
    mode: Any = "constant",
    *,
    constant_values: Any = 0.0,
    **kwargs: Any,
) -> ndarray:
    """x with a border around it.

    Parameters
    ----------
    x : array_like
        The array.
    pad_width : int, (before, after), a pair for every axis, or a dict of them by axis
        How many elements to add; one number or pair holds for all axes.
    mode : str or callable
        What the border is made of: "constant", "edge", "reflect", "symmetric" and "wrap" have
        gradients; the others are NumPy's own on a view.
    constant_values : number or nested sequence of them
        The value of a constant border, or NumPy's pairs of them.
    **kwargs
        Further arguments of NumPy's function, such as `reflect_type`.

    Returns
    -------
    ndarray
        In x's dtype.

    Examples
    --------
    >>> mp.pad(mp.array([1.0, 2.0]), (1, 2))
    array([0., 1., 2., 0., 0.])
    >>> mp.pad(mp.array([1.0, 2.0, 3.0]), 2, mode="reflect")
    array([3., 2., 1., 2., 3., 2., 1.])
    """
    y: ndarray = asarray(x)
    pairs = _pad_pairs(y, pad_width)
    if mode == "constant" and not kwargs and np.ndim(constant_values) == 0:
        return _core.pad(y, pairs.reshape(-1).tolist(), constant_values)
    if mode in _GATHERED and kwargs.get("reflect_type", "even") == "even":
        for axis, pair in enumerate(pairs.tolist()):
            if any(pair):
                with named("pad"):
                    places = np.pad(np.arange(y.shape[axis]), pair, mode)
                y = _core.take(y, asarray(places, device=y.device), axis)
        return y
    if mode == "constant":
        kwargs["constant_values"] = plain("pad", constant_values)
    numpy_pad: Any = np.pad
    with named("pad"):
        result: ndarray = fallback(numpy_pad, (y, pairs, mode), kwargs)
    return result


_GATHERED = ("edge", "reflect", "symmetric", "wrap")


def _pad_pairs(x: ndarray, pad_width: Any) -> Any:
    """How much is added before and after each axis of x, as a NumPy array of two columns."""
    if isinstance(pad_width, dict):
        given = pad_width
        pad_width = np.zeros((x.ndim, 2), np.int64)
        for axis, pair in given.items():
            pad_width[axis] = pair
    try:
        pairs = np.broadcast_to(np.asarray(plain("pad", pad_width)), (x.ndim, 2))
    except ValueError:
        raise ValueError(
            f"pad: pad_width is {pad_width!r}, wanted is a pair for each of {x.ndim} axes"
        ) from None
    if pairs.dtype.kind not in "iu":
        raise TypeError(f"pad: pad_width is {pad_width!r}, must be integers")
    return pairs


concat = concatenate
