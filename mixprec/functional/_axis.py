"""Axes as callers give them."""

from __future__ import annotations

import operator
from typing import Any


def one_of(op: str, axis: Any, dim: Any) -> Any:
    """`dim`, which is another name of `axis`, unless both are given."""
    if axis is not None:
        raise TypeError(f"{op}: axis and dim are both given")
    return dim


def normal(op: str, axis: int, ndim: int) -> int:
    """`axis` counted from the front. ValueError in the name of `op` if there is no such axis."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise ValueError(f"{op}: axis {axis} is out of bounds for an array of {ndim} dimensions")
    return axis % ndim
