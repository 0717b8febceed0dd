"""What the array API standard asks of a namespace about itself."""

from __future__ import annotations

from typing import Any

from . import _core
from ._device import device as _device
from ._device import get_default_device
from ._dtypes import default_dtype
from ._promotion import KINDS, isdtype
from ._scalar_types import (
    ScalarType,
    bool_,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    scalar_type,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .creation import MAX_DIMS

# The standard's own; bfloat16 and its kin are in `mp.dtypes`.
_STANDARD = (bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64)


class __array_namespace_info__:
    """The array API standard's inspection of this namespace.

    Examples
    --------
    >>> info = mp.__array_namespace_info__()
    >>> info.capabilities()["max dimensions"]
    32
    >>> list(info.dtypes(kind="real floating"))
    ['float32', 'float64']
    >>> info.default_device()
    'cpu'
    """

    __module__ = "mixprec"

    def capabilities(self) -> dict[str, Any]:
        """What of the optional parts of the standard is there."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": MAX_DIMS,
        }

    def default_device(self) -> _device:
        """The device on which new arrays are made, where none is named."""
        return get_default_device()

    def devices(self) -> tuple[_device, ...]:
        """The devices that are there."""
        gpus = range(_core.cuda_device_count())
        return (_device("cpu"), *(_device(f"cuda:{i}") for i in gpus))

    def default_dtypes(self, *, device: str | None = None) -> dict[str, ScalarType]:
        """The dtypes of new arrays by kind; there is none of complex numbers."""
        return {
            "real floating": scalar_type(default_dtype()),
            "integral": int64,
            "indexing": int64,
        }

    def dtypes(
        self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, ScalarType]:
        """The standard's dtypes by name, of a kind or several, as `isdtype` names them."""
        wanted = kind if isinstance(kind, (tuple, type(None))) else (kind,)
        for name in wanted or ():
            if name not in KINDS:
                raise ValueError(f"dtypes: {name!r} is no kind; they are {', '.join(KINDS)}")
        return {
            found.dtype.name: found
            for found in _STANDARD
            if wanted is None or isdtype(found, wanted)
        }
