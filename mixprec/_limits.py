"""The limits of dtypes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from ._dtypes import is_floating, to_dtype
from ._typing import DTypeLike

__all__ = ["finfo", "iinfo"]


class finfo:
    """The limits of a floating dtype.

    Parameters
    ----------
    dtype : dtype or array
        Any floating dtype, the narrow ones included, or an array of one.

    Attributes
    ----------
    bits : int
        The size of an element.
    eps, max, min, smallest_normal : float
        The distance from 1 to the next number, the largest and the least finite number, and the
        least positive number of full precision, as Python floats: they promote nothing.
    dtype : numpy.dtype
        The dtype.

    All that `numpy.finfo` has is there too, such as `tiny`, `resolution` and `nmant`.

    Raises
    ------
    TypeError
        If the dtype is not floating.

    Examples
    --------
    >>> mp.finfo(mp.float16).max
    65504.0
    >>> mp.finfo(mp.ones(2, mp.bfloat16)).eps
    0.0078125
    """

    __module__ = "mixprec"

    def __init__(self, dtype: DTypeLike, /) -> None:
        found = to_dtype("finfo", getattr(dtype, "dtype", dtype))
        if not is_floating(found):
            raise TypeError(f"finfo: {found} is not floating; iinfo has the limits of integers")
        self.dtype = found
        limits: Any = ml_dtypes.finfo  # not typed
        self._limits = limits(found)
        self.bits = int(self._limits.bits)
        self.eps = float(self._limits.eps)
        self.max = float(self._limits.max)
        self.min = float(self._limits.min)
        self.smallest_normal = float(self._limits.smallest_normal)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"finfo has no attribute {name!r}")
        value = getattr(self._limits, name)
        return float(value) if isinstance(value, (np.generic, np.ndarray)) else value

    def __repr__(self) -> str:
        return (
            f"finfo(bits={self.bits}, eps={self.eps}, max={self.max}, min={self.min}, "
            f"smallest_normal={self.smallest_normal}, dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer dtype.

    Parameters
    ----------
    dtype : dtype or array
        An integer dtype, or an array of one.

    Attributes
    ----------
    bits, max, min : int
        The size of an element, the largest and the least number.
    dtype : numpy.dtype
        The dtype.
    kind : {"i", "u"}
        Signed or not.

    Raises
    ------
    TypeError
        If the dtype is not one of integers.

    Examples
    --------
    >>> mp.iinfo(mp.int8).max
    127
    """

    __module__ = "mixprec"

    def __init__(self, dtype: DTypeLike, /) -> None:
        found = to_dtype("iinfo", getattr(dtype, "dtype", dtype))
        if found.kind not in "iu":
            raise TypeError(f"iinfo: {found} is no integer dtype; finfo has the limits of floats")
        limits = np.iinfo(found)
        self.dtype, self.kind = found, found.kind
        self.bits, self.max, self.min = int(limits.bits), int(limits.max), int(limits.min)

    def __repr__(self) -> str:
        return f"iinfo(bits={self.bits}, max={self.max}, min={self.min}, dtype={self.dtype})"
