"""The dtypes as NumPy spells them: types such as `mp.float32`, which stand for a dtype and make
values of it.

An array's `.dtype` is a `numpy.dtype`. A scalar type equals it, hashes as it, has its attributes,
and goes wherever a dtype goes, in NumPy's functions too.
"""

from __future__ import annotations

import operator
from typing import Any

import ml_dtypes
import numpy as np
from numpy import dtype

from . import _core
from ._core import ndarray

__all__ = [
    "bfloat16",
    "bool_",
    "byte",
    "double",
    "dtype",
    "float16",
    "float32",
    "float64",
    "float8_e4m3fn",
    "float8_e5m2",
    "floating",
    "generic",
    "half",
    "inexact",
    "int16",
    "int32",
    "int64",
    "int8",
    "int_",
    "intc",
    "integer",
    "intp",
    "long",
    "longlong",
    "number",
    "short",
    "signedinteger",
    "single",
    "ubyte",
    "uint",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "uintc",
    "uintp",
    "ulong",
    "ulonglong",
    "unsignedinteger",
    "ushort",
]


_NUMBERS = frozenset((bool, int, float))


class ScalarType(type):
    """The class of `mp.float32` and its kin.

    Calling one makes a value of its dtype: a NumPy scalar of a number or text, an array of a
    sequence, and of an array the cast of it, which is recorded.

    Examples
    --------
    >>> mp.float32(3)
    np.float32(3.0)
    >>> mp.float16([1, 2])
    array([1., 2.], dtype=float16)
    >>> mp.zeros(2).dtype == mp.float32, mp.float32.itemsize
    (True, 4)
    >>> isinstance(np.float32(1), mp.float32)
    True
    """

    dtype: np.dtype[Any]
    of_number: Any  # NumPy's scalar type

    def __call__(cls, value: Any = 0, /) -> Any:
        if type(value) in _NUMBERS or isinstance(value, np.generic):  # the most frequent
            return cls.of_number(value)
        if isinstance(value, ndarray):
            return value.astype(cls.dtype)
        if isinstance(value, (np.ndarray, list, tuple, range)):
            from .creation import array

            return array(value, cls.dtype)
        if isinstance(value, (str, bytes)) and cls.dtype.isbuiltin == 2:
            value = float(value)  # ml_dtypes' own reading of a text that is no number crashes
        return cls.of_number(value)

    def __eq__(cls, other: object) -> bool:
        return cls is other or (not isinstance(other, ScalarType) and cls.dtype == other)

    # Of the dtype, and without Python code, in which an interrupt would end up: NumPy hashes types
    # where it looks for a dtype, and drops any error there.
    __hash__ = property(operator.attrgetter("dtype.__hash__"))

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return getattr(cls.dtype, name)

    def __instancecheck__(cls, instance: Any) -> bool:
        if isinstance(instance, ndarray):
            return instance.ndim == 0 and instance.dtype == cls.dtype
        return isinstance(instance, cls.dtype.type)

    def __repr__(cls) -> str:
        return f"mixprec.{cls.__name__}"

    def __str__(cls) -> str:
        return cls.dtype.name


class Kind(type):
    """The class of `mp.floating` and its kin, which are NumPy's and stand for our values too.

    Examples
    --------
    >>> isinstance(mp.ones(2)[0], mp.floating), isinstance(np.float32(1), mp.integer)
    (True, False)
    >>> issubclass(mp.float32, mp.floating), mp.floating == np.floating
    (True, True)
    """

    def __instancecheck__(cls, instance: Any) -> bool:
        kind = cls.__mro__[1]
        if isinstance(instance, ndarray):
            return instance.ndim == 0 and _is_kind(instance.dtype, kind)
        return isinstance(instance, kind)

    def __subclasscheck__(cls, subclass: type) -> bool:
        kind = cls.__mro__[1]
        if isinstance(subclass, ScalarType):
            return _is_kind(subclass.dtype, kind)
        return issubclass(subclass, kind)

    def __eq__(cls, other: object) -> bool:
        return cls is other or cls.__mro__[1] is other

    def __hash__(cls) -> int:
        return hash(cls.__mro__[1])


def _is_kind(found: np.dtype[Any], kind: type) -> bool:
    narrow = found.kind not in "biuf"  # bfloat16 and float8, which NumPy has no kind for
    return issubclass(np.floating if narrow else found.type, kind)


def _kind(name: str, kind: Any) -> Any:
    return Kind(name, (kind,), {"__module__": "mixprec", "__doc__": kind.__doc__})


generic: Any = _kind("generic", np.generic)
number: Any = _kind("number", np.number)
inexact: Any = _kind("inexact", np.inexact)
floating: Any = _kind("floating", np.floating)
integer: Any = _kind("integer", np.integer)
signedinteger: Any = _kind("signedinteger", np.signedinteger)
unsignedinteger: Any = _kind("unsignedinteger", np.unsignedinteger)


def _scalar_type(name: str, of: Any) -> ScalarType:
    found = np.dtype(of)
    doc = f"The dtype {found.name}; called, a value of it."
    # NumPy asks for both names, and drops errors of `__getattr__` too
    own = {
        "dtype": found,
        "__numpy_dtype__": found,
        "of_number": found.type,
        "__module__": "mixprec",
        "__doc__": doc,
    }
    return ScalarType(name, (), own)


bool_: ScalarType = _scalar_type("bool_", np.bool_)
int8: ScalarType = _scalar_type("int8", np.int8)
int16: ScalarType = _scalar_type("int16", np.int16)
int32: ScalarType = _scalar_type("int32", np.int32)
int64: ScalarType = _scalar_type("int64", np.int64)
uint8: ScalarType = _scalar_type("uint8", np.uint8)
uint16: ScalarType = _scalar_type("uint16", np.uint16)
uint32: ScalarType = _scalar_type("uint32", np.uint32)
uint64: ScalarType = _scalar_type("uint64", np.uint64)
float8_e4m3fn: ScalarType = _scalar_type("float8_e4m3fn", ml_dtypes.float8_e4m3fn)
float8_e5m2: ScalarType = _scalar_type("float8_e5m2", ml_dtypes.float8_e5m2)
float16: ScalarType = _scalar_type("float16", np.float16)
bfloat16: ScalarType = _scalar_type("bfloat16", ml_dtypes.bfloat16)
float32: ScalarType = _scalar_type("float32", np.float32)
float64: ScalarType = _scalar_type("float64", np.float64)

# in the order of the core's table
SCALAR_TYPES: tuple[ScalarType, ...] = (
    bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
    float16, bfloat16, float8_e4m3fn, float8_e5m2, float32, float64,
)  # fmt: skip
_core.set_scalar_types(SCALAR_TYPES)

# NumPy's other names of them; those of C's types have its sizes.
byte, short, intc, longlong = int8, int16, int32, int64
ubyte, ushort, uintc, ulonglong = uint8, uint16, uint32, uint64
half, single, double = float16, float32, float64
_BY_DTYPE = {found.dtype: found for found in SCALAR_TYPES}
int_, intp, long = (_BY_DTYPE[np.dtype(name)] for name in ("int_", "intp", "long"))
uint, uintp, ulong = (_BY_DTYPE[np.dtype(name)] for name in ("uint", "uintp", "ulong"))


def scalar_type(of: np.dtype[Any]) -> ScalarType:
    """The scalar type of one of our dtypes."""
    return _BY_DTYPE[of]
