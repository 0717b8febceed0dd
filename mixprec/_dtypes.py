"""The table of dtypes, arguments that name one, and the dtype of new floating arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from ._scalar_types import (
    SCALAR_TYPES,
    ScalarType,
    bfloat16,
    bool_,
    float8_e4m3fn,
    float8_e5m2,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from ._typing import DTypeLike

__all__ = [
    "DtypeTable",
    "bfloat16",
    "bool_",
    "default_dtype",
    "dtypes",
    "float16",
    "float32",
    "float64",
    "float8_e4m3fn",
    "float8_e5m2",
    "get_default_dtype",
    "int16",
    "int32",
    "int64",
    "int8",
    "set_default_dtype",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
]

FLOATING = frozenset(
    t.dtype for t in (float16, bfloat16, float8_e4m3fn, float8_e5m2, float32, float64)
)

_SHORT = {"int": "i", "uint": "u", "float": "f", "bfloat": "bf"}


def is_floating(dtype: Any) -> bool:
    """Whether it is one of the floating dtypes, narrow ones included."""
    return dtype in FLOATING


def to_dtype(op: str, dtype: DTypeLike) -> np.dtype[Any]:
    """`dtype` as a numpy.dtype. TypeError in the name of `op` if it is none, or none of ours."""
    if isinstance(dtype, ScalarType):
        return dtype.dtype
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{op}: {dtype!r} is not a dtype") from None
    check_dtype(op, found)
    return found


def check_dtype(op: str, dtype: np.dtype[Any]) -> None:
    """TypeError in the name of `op` unless arrays can have that dtype."""
    if dtype in _SUPPORTED:
        return
    if not dtype.isnative and dtype.newbyteorder("=") in _SUPPORTED:
        raise TypeError(
            f"{op}: dtype {dtype.str} has not this machine's byte order; convert it in NumPy, with "
            "a.astype(a.dtype.newbyteorder('='))"
        )
    raise TypeError(f"{op}: arrays of dtype {dtype} are not supported")


class DtypeTable(dict[str, np.dtype[Any]]):
    """The dtypes by name. Its text shows their formats and how they promote."""

    def __repr__(self) -> str:
        return f"{self._formats()}\n\n{self._promotion()}"

    __str__ = __repr__

    def _formats(self) -> str:
        from ._limits import finfo

        lines = [f"{'dtype':<14} bytes  exponent  mantissa          max   least normal       eps"]
        for name, dtype in self.items():
            if dtype not in FLOATING:
                if dtype != bool_:
                    lines.append(f"{name:<14} {dtype.itemsize:>5}  {_range(dtype):>32}")
                continue
            info = finfo(dtype)
            lines.append(
                f"{name:<14} {dtype.itemsize:>5}  {info.nexp:>8}  {info.nmant:>8}  "
                f"{info.max:>11.5g}  {info.smallest_normal:>13.5g}  "
                f"{info.eps:>8.3g}"
            )
        return "\n".join(lines)

    def _promotion(self) -> str:
        """What two operands give; '-' where they do not mix. Python numbers are weak."""
        names = [_short(name) for name in self]
        width = max(len(name) for name in names)
        lines = [" ".join(f"{name:>{width}}" for name in ["", *names])]
        for a, name in zip(self.values(), names, strict=True):
            cells = [_promoted(a, b) for b in self.values()]
            lines.append(" ".join(f"{cell:>{width}}" for cell in [name, *cells]))
        return "\n".join(lines)


def _range(dtype: np.dtype[Any]) -> str:
    info = np.iinfo(dtype)
    return f"{info.min} to {info.max}" if dtype.itemsize < 8 else f"{dtype.itemsize * 8} bits"


def _short(name: str) -> str:
    """ "f16" for "float16", "e4m3" for "float8_e4m3fn"."""
    if name.startswith("float8_"):
        return name[7:11]
    word = name.rstrip("0123456789")
    return _SHORT.get(word, word) + name[len(word) :]


def _promoted(a: np.dtype[Any], b: np.dtype[Any]) -> str:
    try:
        return _short(_core.promote(a, b).name)
    except TypeError:
        return "-"


dtypes: DtypeTable = DtypeTable((t.dtype.name, t.dtype) for t in SCALAR_TYPES)
_SUPPORTED = frozenset(dtypes.values())


def default_dtype() -> np.dtype[Any]:
    """The dtype of new floating arrays: float32 unless `set_default_dtype` said otherwise.

    Returns
    -------
    dtype
        The default.

    Examples
    --------
    >>> mp.default_dtype()
    dtype('float32')
    """
    return _core.default_dtype()


def set_default_dtype(dtype: DTypeLike) -> None:
    """Changes the dtype of new floating arrays, and of what integers give where floats must come.

    Arrays taken from NumPy keep their dtype in any case.

    Parameters
    ----------
    dtype : dtype
        A floating dtype.

    Examples
    --------
    >>> mp.set_default_dtype(mp.float64)
    >>> mp.zeros(2).dtype
    dtype('float64')
    >>> mp.set_default_dtype(mp.float32)
    """
    _core.set_default_dtype(to_dtype("set_default_dtype", dtype))


get_default_dtype = default_dtype
