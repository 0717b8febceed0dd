"""`numpy.lib` as far as it is used: `stride_tricks`."""

from . import stride_tricks

__all__ = ["stride_tricks"]
