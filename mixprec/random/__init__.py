"""Random numbers: one Philox generator per device, all seeded alike, and generators of their own.

Element i of call k depends on the seed, k and i only, never on threads or vector width. The
functions draw from the generators that `mp.manual_seed` seeds; `default_rng` makes one apart. Both
have NumPy's names. Without `size`, `dtype` and `device` they give Python numbers, as NumPy does.
"""

from . import _legacy
from ._generator import Generator, default_rng
from ._legacy import *

__all__ = ["Generator", "default_rng"]
__all__ += _legacy.__all__
