"""What GPUs there are."""

from __future__ import annotations

from . import _core

__all__ = ["device_count", "is_available"]


def device_count() -> int:
    """The number of GPUs that can be used.

    Examples
    --------
    >>> mp.cuda.device_count() > 0 or not mp.cuda.is_available()
    True
    """
    return int(_core.info().get("cuda_devices", 0))


def is_available() -> bool:
    """Whether a GPU can be used. `mixprec info` says why not.

    Examples
    --------
    >>> device = "cuda" if mp.cuda.is_available() else "cpu"
    """
    return device_count() > 0
