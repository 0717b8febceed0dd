"""Axes as callers give them."""

from __future__ import annotations

import operator
from typing import Any

from numpy.exceptions import AxisError


def one_of(op: str, axis: Any, dim: Any) -> Any:
    """`dim`, which is another name of `axis`, unless both are given."""
    if axis is not None:
        raise TypeError(f"{op}: axis and dim are both given")
    return dim


def normal(op: str, axis: int, ndim: int) -> int:
    """`axis` counted from the front. AxisError, which is a ValueError and an IndexError, in the
    name of `op` if there is no such axis."""
    axis = operator.index(axis)
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
