"""The dtypes, as `numpy.dtype` objects, their limits, and how they promote."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from . import _core
from ._typing import DTypeLike

__all__ = [
    "DtypeTable",
    "bfloat16",
    "bool_",
    "default_dtype",
    "dtypes",
    "finfo",
    "float8_e4m3fn",
    "float8_e5m2",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "iinfo",
    "int8",
    "int16",
    "int32",
    "int64",
    "promote_types",
    "set_default_dtype",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]

bool_: np.dtype[Any] = np.dtype(np.bool_)
int8: np.dtype[Any] = np.dtype(np.int8)
int16: np.dtype[Any] = np.dtype(np.int16)
int32: np.dtype[Any] = np.dtype(np.int32)
int64: np.dtype[Any] = np.dtype(np.int64)
uint8: np.dtype[Any] = np.dtype(np.uint8)
uint16: np.dtype[Any] = np.dtype(np.uint16)
uint32: np.dtype[Any] = np.dtype(np.uint32)
uint64: np.dtype[Any] = np.dtype(np.uint64)
float16: np.dtype[Any] = np.dtype(np.float16)
bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
float8_e4m3fn: np.dtype[Any] = np.dtype(ml_dtypes.float8_e4m3fn)
float8_e5m2: np.dtype[Any] = np.dtype(ml_dtypes.float8_e5m2)
float32: np.dtype[Any] = np.dtype(np.float32)
float64: np.dtype[Any] = np.dtype(np.float64)

FLOATING = frozenset((float16, bfloat16, float8_e4m3fn, float8_e5m2, float32, float64))

_SHORT = {"int": "i", "uint": "u", "float": "f", "bfloat": "bf"}


def is_floating(dtype: Any) -> bool:
    """Whether it is one of the floating dtypes, narrow ones included."""
    return dtype in FLOATING


def to_dtype(op: str, dtype: DTypeLike) -> np.dtype[Any]:
    """`dtype` as a numpy.dtype. TypeError in the name of `op` if it is none, or none of ours."""
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
        lines = [f"{'dtype':<14} bytes  exponent  mantissa          max   least normal       eps"]
        for name, dtype in self.items():
            if dtype not in FLOATING:
                if dtype != bool_:
                    lines.append(f"{name:<14} {dtype.itemsize:>5}  {_range(dtype):>32}")
                continue
            info = finfo(dtype)
            lines.append(
                f"{name:<14} {dtype.itemsize:>5}  {info.nexp:>8}  {info.nmant:>8}  "
                f"{float(info.max):>11.5g}  {float(info.smallest_normal):>13.5g}  "
                f"{float(info.eps):>8.3g}"
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


dtypes: DtypeTable = DtypeTable(
    (dtype.name, dtype)
    for dtype in (
        bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
        float8_e4m3fn, float8_e5m2, float16, bfloat16, float32, float64,
    )
)  # fmt: skip
_SUPPORTED = frozenset(dtypes.values())


def finfo(dtype: DTypeLike) -> Any:
    """The limits of a floating dtype: `eps`, `max`, `smallest_normal`, `bits` and more.

    Parameters
    ----------
    dtype : dtype
        Any floating dtype, the narrow ones included.

    Returns
    -------
    finfo
        As `numpy.finfo` gives it.

    Examples
    --------
    >>> float(mp.finfo(mp.float16).max)
    65504.0
    >>> float(mp.finfo(mp.bfloat16).eps)
    0.0078125
    """
    limits: Any = ml_dtypes.finfo  # not typed
    return limits(to_dtype("finfo", dtype))


def iinfo(dtype: DTypeLike) -> Any:
    """The limits of an integer dtype: `min`, `max` and `bits`.

    Parameters
    ----------
    dtype : dtype
        An integer dtype.

    Returns
    -------
    iinfo
        As `numpy.iinfo` gives it.

    Examples
    --------
    >>> int(mp.iinfo(mp.int8).max)
    127
    """
    return np.iinfo(to_dtype("iinfo", dtype))


def promote_types(dtype1: DTypeLike, dtype2: DTypeLike) -> np.dtype[Any]:
    """The dtype that two operands are brought to.

    Parameters
    ----------
    dtype1, dtype2 : dtype
        Two dtypes.

    Returns
    -------
    dtype
        Floating dtypes beat integers; integers among themselves promote as in NumPy; float16 with
        bfloat16 is float32.

    Raises
    ------
    TypeError
        For float8 with anything but itself.

    Examples
    --------
    >>> mp.promote_types(mp.int64, mp.float16)
    dtype('float16')
    >>> mp.promote_types(mp.float16, mp.bfloat16)
    dtype('float32')
    """
    return _core.promote(to_dtype("promote_types", dtype1), to_dtype("promote_types", dtype2))


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
