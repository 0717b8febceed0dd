"""`out=`: results that go into an array that is there."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from .._core import ndarray
from .._promotion import can_cast


def deliver(op: str, y: ndarray, out: Any) -> ndarray:
    """`y`, or `out` with y's elements if it is not None; a tuple of one array means the array.

    ValueError if the shapes differ, TypeError if the cast is none of the same kind.
    """
    if out is None:
        return y
    if isinstance(out, tuple) and len(out) == 1:
        out = out[0]
    if not isinstance(out, (ndarray, np.ndarray)):
        raise TypeError(f"{op}: out is a {type(out).__name__}, an array is wanted")
    if out.shape != y.shape:
        raise ValueError(f"{op}: out has shape {out.shape}, the result has {y.shape}")
    if out.dtype != y.dtype and not can_cast(y.dtype, out.dtype, "same_kind"):
        raise TypeError(f"{op}: the result is {y.dtype}, which is not written into {out.dtype}")
    if isinstance(out, ndarray):
        out.copy_(y)
    else:
        np.copyto(out, y.detach().numpy(), casting="same_kind")
    return cast("ndarray", out)
