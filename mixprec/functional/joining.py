"""Arrays joined, cut and padded."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ..creation import asarray
from ._axis import normal
from .shape import expand_dims, ravel

__all__ = [
    "cat",
    "concatenate",
    "pad",
    "split",
    "stack",
]

# ---- joining and cutting ----


def concatenate(arrays: Sequence[ArrayLike], axis: int | None = 0) -> ndarray:
    """Arrays joined along an axis. Also spelled `cat`.

    Parameters
    ----------
    arrays : sequence of array_like
        At least one. They may differ in the extent of that axis only.
    axis : int, optional
        The axis; None joins the flattened arrays.

    Returns
    -------
    ndarray
        In the dtype that they promote to.

    Raises
    ------
    ValueError
        If there is none, or the shapes do not fit.

    Examples
    --------
    >>> mp.concatenate([mp.ones(2), mp.zeros(1)])
    array([1., 1., 0.])
    """
    arrays = _listed("concatenate", arrays)
    if axis is None:
        return _core.concatenate([ravel(x) for x in arrays], 0)
    return _core.concatenate(arrays, axis)


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


def stack(arrays: Sequence[ArrayLike], axis: int = 0, *, dim: int | None = None) -> ndarray:
    """Arrays of one shape joined along a new axis.

    Parameters
    ----------
    arrays : sequence of array_like
        At least one.
    axis : int
        Where the new axis is in the result. Also spelled `dim`.

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
    arrays = [asarray(x) for x in _listed("stack", arrays)]
    for i, x in enumerate(arrays):
        if x.shape != arrays[0].shape:
            raise ValueError(f"stack: array 0 has shape {arrays[0].shape}, array {i} has {x.shape}")
    axis = normal("stack", axis if dim is None else dim, arrays[0].ndim + 1)
    return _core.concatenate([expand_dims(x, axis) for x in arrays], axis)


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
    if isinstance(indices_or_sections, Sequence):
        cuts = [operator.index(cut) for cut in indices_or_sections]
    else:
        sections = operator.index(indices_or_sections)
        if sections < 1 or extent % sections:
            raise ValueError(
                f"split: axis {axis} has {extent} elements, not {sections} equal parts"
            )
        cuts = [extent // sections * i for i in range(1, sections)]
    ends = [*cuts, extent]
    before = (slice(None),) * axis
    return [x[(*before, slice(a, b))] for a, b in zip([0, *cuts], ends, strict=True)]


def pad(
    x: ArrayLike,
    pad_width: Any,
    mode: str = "constant",
    *,
    constant_values: float = 0.0,
) -> ndarray:
    """x with a border around it.

    Parameters
    ----------
    x : array_like
        The array.
    pad_width : int, (before, after) or a pair for every axis
        How many elements to add; one number or pair holds for all axes.
    mode : {"constant"}
        Only constant borders are there.
    constant_values : number
        The value of the border.

    Returns
    -------
    ndarray
        In x's dtype.

    Examples
    --------
    >>> mp.pad(mp.array([1.0, 2.0]), (1, 2))
    array([0., 1., 2., 0., 0.])
    """
    if mode != "constant":
        raise NotImplementedError(f"pad: mode {mode!r} is not there, only 'constant'")
    x = asarray(x)
    try:
        pairs = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    except ValueError:
        raise ValueError(
            f"pad: pad_width is {pad_width!r}, wanted is a pair for each of {x.ndim} axes"
        ) from None
    if pairs.dtype.kind not in "iu":
        raise TypeError(f"pad: pad_width is {pad_width!r}, must be integers")
    return _core.pad(x, pairs.reshape(-1).tolist(), constant_values)
