"""Axes as callers give them."""

from __future__ import annotations

import math
import operator
from typing import Any

from numpy.exceptions import AxisError

from .. import _core
from .._core import ndarray
from .._typing import Axis


def one_of(op: str, axis: Any, dim: Any) -> Any:
    """`dim`, which is another name of `axis`, unless both are given."""
    if axis is not None:
        raise TypeError(f"{op}: axis and dim are both given")
    return dim


def integer(op: str, name: str, value: Any) -> int:
    """An argument that must be an integer, and no bool; TypeError in the name of `op`."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    kind = type(value).__name__
    raise TypeError(f"{op}: {name} is a {kind}, an integer is wanted")


def normal(op: str, axis: int, ndim: int) -> int:
    """`axis` counted from the front. AxisError, which is a ValueError and an IndexError, in the
    name of `op` if there is no such axis."""
    axis = integer(op, "axis", axis)
    if not -ndim <= axis < ndim:
        raise AxisError(f"{op}: axis {axis} is out of bounds for an array of {ndim} dimensions")
    return axis % ndim


def several(op: str, axis: Any, ndim: int) -> list[int]:
    """One axis or a sequence of them, counted from the front. ValueError if one comes twice."""
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = [normal(op, a, ndim) for a in given]
    if len(set(axes)) != len(axes):
        raise ValueError(f"{op}: {tuple(given)} names an axis twice")
    return axes


def listed(op: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """Ascending axes from the front; None is all of them."""
    if axis is None:
        return tuple(range(ndim))
    given: Any = axis if isinstance(axis, (tuple, list)) else [axis]
    axes = sorted(normal(op, a, ndim) for a in given)
    if len(set(axes)) < len(axes):
        raise ValueError(f"{op}: axis {axis} names an axis twice")
    return tuple(axes)


def count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """How many elements go into one result."""
    return math.prod(shape[a] for a in axes)


def merged_last(op: str, x: ndarray, axis: Axis) -> tuple[ndarray, tuple[int, ...]]:
    """x with some axes made one, the last; and the shape that has extents of 1 in their places."""
    axes = listed(op, axis, x.ndim)
    kept = [a for a in range(x.ndim) if a not in axes]
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    if axes != tuple(range(len(kept), x.ndim)):
        x = _core.permute(x, (*kept, *axes))
    rest = x.shape[: len(kept)]
    return _core.reshape(x, (*rest, count(x.shape, tuple(range(len(kept), x.ndim))))), shape
