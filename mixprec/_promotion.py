"""Which dtype comes of which, kinds of dtypes, and casts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import issubdtype as _issubdtype

from . import _core
from ._core import ndarray
from ._device import move
from ._dtypes import default_dtype, is_floating, to_dtype
from ._scalar_types import ScalarType
from ._typing import ArrayLike, DTypeLike

__all__ = ["astype", "can_cast", "isdtype", "issubdtype", "promote_types", "result_type"]

KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "",
    "numeric": "iuf",
}


def promote_types(type1: DTypeLike, type2: DTypeLike) -> np.dtype[Any]:
    """The dtype that two operands are brought to.

    Parameters
    ----------
    type1, type2 : dtype
        Two dtypes.

    Returns
    -------
    numpy.dtype
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
    return _core.promote(to_dtype("promote_types", type1), to_dtype("promote_types", type2))


def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """The dtype that operands are brought to.

    Parameters
    ----------
    *arrays_and_dtypes : array_like or dtype
        At least one. Python numbers are weak: they decide only what arrays and dtypes leave open.

    Returns
    -------
    numpy.dtype
        As for `promote_types`.

    Raises
    ------
    ValueError
        If nothing is given.
    TypeError
        If they do not mix.

    Examples
    --------
    >>> mp.result_type(mp.ones(2, mp.float16), mp.int32, 1.5)
    dtype('float16')
    >>> mp.result_type(mp.int8, 1.5)
    dtype('float32')
    """
    if not arrays_and_dtypes:
        raise ValueError("result_type: at least one array or dtype is wanted")
    found: np.dtype[Any] | None = None
    numbers = set()
    for given in arrays_and_dtypes:
        if type(given) in (bool, int, float, complex):
            numbers.add(type(given))
            continue
        dtype = to_dtype("result_type", _dtype_of(given))
        found = dtype if found is None else _core.promote(found, dtype)
    if complex in numbers:
        raise TypeError("result_type: complex numbers are not supported")
    return _with_numbers(found, numbers)


def _dtype_of(given: Any) -> Any:
    if isinstance(given, (list, tuple)):
        from .creation import asarray

        return asarray(given).dtype
    return getattr(given, "dtype", given)


def _with_numbers(found: np.dtype[Any] | None, numbers: set[type]) -> np.dtype[Any]:
    """The dtype `found` of arrays beside Python numbers of these types."""
    if float in numbers and (found is None or not is_floating(found)):
        return default_dtype()
    if int in numbers and (found is None or found.kind == "b"):
        return np.dtype(np.int64)
    return np.dtype(np.bool_) if found is None else found


def can_cast(from_: Any, to: DTypeLike, /, casting: str = "safe") -> bool:
    """Whether a cast is of a kind, as NumPy classes them.

    Parameters
    ----------
    from_ : dtype or array
        What is cast.
    to : dtype
        To which dtype.
    casting : {"safe", "same_kind", "unsafe", "equiv", "no"}
        "safe": no value can be lost.

    Returns
    -------
    bool
        Whether it is.

    Examples
    --------
    >>> mp.can_cast(mp.int32, mp.float64), mp.can_cast(mp.int64, mp.float32)
    (True, False)
    """
    if type(from_) in (bool, int, float, complex):
        raise TypeError(f"can_cast: {from_!r} is a Python number, an array or dtype is wanted")
    source, target = to_dtype("can_cast", _dtype_of(from_)), to_dtype("can_cast", to)
    cast: Any = np.can_cast
    return bool(cast(source, target, casting))


def isdtype(dtype: DTypeLike, kind: Any) -> bool:
    """Whether a dtype is of a kind.

    Parameters
    ----------
    dtype : dtype
        The dtype.
    kind : str, dtype or tuple of them
        "bool", "signed integer", "unsigned integer", "integral", "real floating" (the narrow ones
        too), "complex floating" (no dtype of ours is), "numeric", or a dtype; of a tuple any.

    Returns
    -------
    bool
        Whether it is.

    Raises
    ------
    ValueError
        If no kind has that name.

    Examples
    --------
    >>> mp.isdtype(mp.bfloat16, "real floating"), mp.isdtype(mp.int8, (mp.bool, "integral"))
    (True, True)
    """
    if not isinstance(dtype, (np.dtype, ScalarType, type)):
        raise TypeError(f"isdtype: {dtype!r} is not a dtype")
    found = np.dtype(dtype)
    if isinstance(kind, tuple):
        if any(isinstance(one, tuple) for one in kind):
            raise TypeError("isdtype: a kind in a tuple is a tuple")
        return any(isdtype(found, one) for one in kind)
    if not isinstance(kind, str):
        return found == to_dtype("isdtype", kind)
    if kind not in KINDS:
        raise ValueError(f"isdtype: {kind!r} is no kind; they are {', '.join(map(repr, KINDS))}")
    letter = "f" if is_floating(found) else found.kind
    return letter in KINDS[kind]


def issubdtype(arg1: Any, arg2: Any) -> bool:
    """Whether a dtype or scalar type is `arg2` or a kind of it, in NumPy's hierarchy of types.

    Parameters
    ----------
    arg1, arg2 : dtype or type
        Such as ``x.dtype`` and `mp.floating`.

    Returns
    -------
    bool
        Whether it is. bfloat16 and float8 are floating, as NumPy's own are.

    Examples
    --------
    >>> mp.issubdtype(mp.float32, mp.floating), mp.issubdtype(mp.int8, mp.unsignedinteger)
    (True, False)
    """
    if isinstance(arg1, ScalarType):
        arg1 = arg1.dtype
    if isinstance(arg2, ScalarType):
        arg2 = arg2.dtype
    if arg2 in (np.floating, np.inexact, np.number) and _is_narrow(arg1):
        return True
    return bool(_issubdtype(arg1, arg2))


def _is_narrow(given: Any) -> bool:
    """Whether it is a floating dtype that NumPy does not know."""
    try:
        found = np.dtype(given)
    except TypeError:
        return False
    return found.kind not in "fiub" and is_floating(found)


def astype(
    x: ArrayLike,
    dtype: DTypeLike,
    /,
    *,
    copy: bool = True,
    device: str | None = None,
) -> ndarray:
    """x in another dtype.

    Parameters
    ----------
    x : array_like
        The array.
    dtype : dtype
        The dtype; floats are rounded to nearest even, and toward 0 to integers.
    copy : bool
        Whether the same dtype makes a copy too.
    device : str, optional
        Where the result goes.

    Returns
    -------
    ndarray
        Gradients go back through it.

    Examples
    --------
    >>> mp.astype(mp.array([1.5, 2.5]), mp.int32).tolist()
    [1, 2]
    """
    from .creation import asarray

    y = asarray(x).astype(to_dtype("astype", dtype), copy=copy)
    return y if device is None else move(y, device)
