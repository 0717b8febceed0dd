"""The argument `out`: results that go into an array that is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import ndarray
from .._promotion import can_cast


def into(op: str, y: ndarray, out: Any) -> Any:
    """Writes a result into `out`, an array or a tuple of one, and gives it."""
    if isinstance(out, tuple) and len(out) == 1:
        out = out[0]
    if not isinstance(out, (ndarray, np.ndarray)):
        raise TypeError(f"{op}: out is a {type(out).__name__}, an mp.ndarray is wanted")
    if out.shape != y.shape:
        raise ValueError(f"{op}: the result has shape {y.shape}, out has {out.shape}")
    if out.dtype != y.dtype and not can_cast(y.dtype, out.dtype, "same_kind"):
        raise TypeError(f"{op}: the result is {y.dtype}, which is not written into {out.dtype}")
    if isinstance(out, np.ndarray):
        out[...] = y.detach().numpy()
        return out
    return out.copy_(y)


def deliver(op: str, y: ndarray, out: Any) -> ndarray:
    """`y`, or `out` with y's elements if it is not None."""
    return y if out is None else into(op, y, out)
