"""Checks of a scaler's arguments."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

from .autocast_mode import cuda_available, kind_name


def usable(device: Any) -> bool:
    """Whether a scaler can live on `device`; warns where there is no GPU."""
    if not isinstance(device, str):
        raise TypeError(f"GradScaler: device is a {type(device).__name__}, must be a str")
    if kind_name(device) not in ("cpu", "cuda"):
        raise ValueError(f"GradScaler: device is {device!r}, must be 'cpu' or 'cuda'")
    if kind_name(device) == "cuda" and not cuda_available():
        warnings.warn("GradScaler: cuda is not available, the scaler is disabled", stacklevel=4)
        return False
    return True


def to_number(
    op: str,
    name: str,
    value: Any,
    *,
    above: float,
    below: float = math.inf,
    infinite: bool = False,
) -> float:
    """`value` as a float inside of the open interval. NaN is outside of any."""
    if isinstance(value, (str, bytes, bool)) or value is None:
        raise TypeError(f"{op}: {name} is {value!r}, must be a number")
    number = float(value)
    inside = above < number < below or (infinite and number == math.inf)
    if not inside:
        limits = f"> {above:g}" + ("" if below == math.inf else f" and < {below:g}")
        finite = "" if infinite else "finite and "
        raise ValueError(f"{op}: {name} is {number:g}, must be {finite}{limits}")
    return number


def to_count(op: str, name: str, value: Any) -> int:
    number = to_number(op, name, value, above=0.0)
    if number != int(number):
        raise ValueError(f"{op}: {name} is {number:g}, must be a whole number")
    return int(number)


def as_number(value: Any) -> float:
    """A number, or the one element of an array."""
    if hasattr(value, "item"):
        if getattr(value, "requires_grad", False):
            raise ValueError("GradScaler: the new scale is an array that requires grad")
        if math.prod(value.shape) != 1:
            raise ValueError(
                f"GradScaler: the new scale has shape {tuple(value.shape)}, not one value"
            )
        return float(value.item())
    return float(operator.pos(value))
