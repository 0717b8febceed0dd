"""Names of types that the signatures of this package use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

# What NumPy takes too: arrays of any kind, numbers, nested sequences of numbers.
ArrayLike: TypeAlias = Any
# A numpy.dtype, a NumPy or ml_dtypes scalar type, or a name.
DTypeLike: TypeAlias = Any
Axis: TypeAlias = int | Sequence[int] | None
Shape: TypeAlias = int | Sequence[int]
