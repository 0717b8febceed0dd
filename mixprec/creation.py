"""Arrays made from Python and NumPy values, from other libraries' arrays, and from nothing."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import _core
from ._core import ndarray
from ._device import move
from ._dtypes import bool_, check_dtype, float64, int64, is_floating, to_dtype
from ._short import short
from ._typing import ArrayLike, DTypeLike, Shape

__all__ = [
    "arange",
    "array",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "ones",
    "ones_like",
    "tensor",
    "zeros",
    "zeros_like",
]

_EXACT = 2**53  # integers up to here are exact as the doubles that the kernels are given


# ---- from values ----


@short("array")
def array(
    obj: ArrayLike,
    dtype: DTypeLike = None,
    *,
    copy: bool | None = True,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """A new array with the given elements.

    Parameters
    ----------
    obj : array_like
        Numbers, nested sequences of them, or an array of NumPy, of this or of another library.
    dtype : dtype, optional
        By default that of `obj` if it is an array or NumPy scalar, float64 included. Python floats
        become the default dtype (float32), Python ints int64, Python bools bool.
    copy : bool, optional
        True always copies; None only where memory cannot be shared; False never.
    device : str, optional
        Where the array goes. By default where `obj` is, and else the default device.
    requires_grad : bool
        Whether to record what is done with it.

    Returns
    -------
    ndarray
        A leaf: it has no part in the graph that `obj` may be in (`asarray` keeps that).

    Raises
    ------
    TypeError
        For dtypes that are not supported: object, complex, text, foreign byte order.
    ValueError
        For ragged sequences, and where `copy` is False and a copy would be needed.

    Examples
    --------
    >>> mp.array([1.0, 2.0])
    array([1., 2.])
    >>> mp.array([1.0, 2.0], dtype=mp.bfloat16).nbytes
    4
    >>> mp.array(np.zeros(3)).dtype
    dtype('float64')
    """
    if isinstance(obj, ndarray):
        obj = obj.detach()
    result = _convert("array", obj, dtype, copy, device)
    return result.requires_grad_() if requires_grad else result


@short("asarray")
def asarray(
    obj: ArrayLike,
    dtype: DTypeLike = None,
    *,
    copy: bool | None = None,
    device: str | None = None,
) -> ndarray:
    """`obj` as an array, without a copy where that is possible.

    Parameters
    ----------
    obj : array_like
        As for `array`. Writing to the result writes to a NumPy array given here, and a read-only
        one gives a read-only result.
    dtype : dtype, optional
        As for `array`.
    copy : bool, optional
        None copies only where memory cannot be shared, False never, True always.
    device : str, optional
        Where the array must be.

    Returns
    -------
    ndarray
        `obj` itself if it is an array of that dtype and device.

    Raises
    ------
    ValueError
        Where `copy` is False and a copy would be needed.

    Examples
    --------
    >>> a = np.zeros(2)
    >>> x = mp.asarray(a)
    >>> x[0] = 5.0
    >>> a
    array([5., 0.])
    """
    return _convert("asarray", obj, dtype, copy, device)


def from_numpy(a: np.ndarray[Any, Any]) -> ndarray:
    """An array over the memory of a NumPy array.

    Parameters
    ----------
    a : numpy.ndarray
        The array, of a dtype that mixprec has.

    Returns
    -------
    ndarray
        It shares memory with `a`, and is read-only if `a` is.

    Raises
    ------
    TypeError
        If `a` is not a NumPy array, or its dtype is not supported.
    ValueError
        If its strides are not whole elements, as those of a field of a record array.

    Examples
    --------
    >>> mp.from_numpy(np.arange(3.0)).sum().item()
    3.0
    """
    if not isinstance(a, np.ndarray):
        raise TypeError(f"from_numpy: a {type(a).__name__} is not a numpy.ndarray")
    return _convert("from_numpy", a, None, False, None)


def from_dlpack(x: Any, *, device: str | None = None, copy: bool | None = None) -> ndarray:
    """An array over the memory of any object that speaks DLPack, such as a PyTorch tensor.

    Parameters
    ----------
    x : object
        Has the methods ``__dlpack__`` and ``__dlpack_device__``.
    device : str, optional
        Where the array must be; elsewhere it is copied.
    copy : bool, optional
        None copies only where it must, False never, True always.

    Returns
    -------
    ndarray
        It shares memory with `x`.

    Examples
    --------
    >>> mp.from_dlpack(np.arange(3.0)).tolist()
    [0.0, 1.0, 2.0]
    """
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"from_dlpack: a {type(x).__name__} has no __dlpack__")
    return _placed("from_dlpack", _core.from_dlpack(x), None, copy, device)


def _convert(op: str, obj: Any, dtype: Any, copy: bool | None, device: str | None) -> ndarray:
    """What `array` and its kin have in common; errors are in the name of `op`."""
    if dtype is not None:
        dtype = to_dtype(op, dtype)
    if isinstance(obj, ndarray):
        return _placed(op, obj, dtype, copy, device)
    if isinstance(obj, (np.ndarray, np.generic)):
        values = np.asarray(obj)
    elif hasattr(obj, "__dlpack__"):
        return _placed(op, _core.from_dlpack(obj), dtype, copy, device)
    else:
        values = _from_python(op, obj, dtype)
        if dtype is None and values.dtype == float64 and _has_python_floats(obj):
            dtype = _core.default_dtype()
        if copy is False:
            raise ValueError(f"{op}: a {type(obj).__name__} has no memory to share: copy is False")
        copy = True
        device = device or _core.default_device()
    check_dtype(op, values.dtype)
    if not _is_shareable(values):
        if copy is False:
            raise ValueError(
                f"{op}: strides {values.strides} are not whole elements of {values.itemsize} bytes "
                "(or the memory is not aligned to them): the array can only be copied"
            )
        values = values.copy()
    return _placed(op, _core.from_numpy(values), dtype, copy, device)


def _placed(op: str, x: ndarray, dtype: Any, copy: bool | None, device: str | None) -> ndarray:
    """x in that dtype and on that device, copied as `copy` says."""
    y = x if dtype is None else x.astype(dtype, copy=False)
    if device is not None:
        y = move(y, device)
    if y is not x:
        if copy is False:
            raise ValueError(f"{op}: another dtype or device needs a copy, and copy is False")
        return y
    return _core.copy(x) if copy else x


def _from_python(op: str, obj: Any, dtype: np.dtype[Any] | None) -> np.ndarray[Any, Any]:
    """Python values as NumPy has them; for narrow floats wider, so that they round once."""
    if dtype is not None and is_floating(dtype):
        dtype = float64
    with _named(op):
        return np.array(obj, dtype)


@contextlib.contextmanager
def _named(op: str) -> Iterator[None]:
    """Puts the op's name before the texts of NumPy's and Python's errors."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        kind = next(k for k in (TypeError, ValueError, OverflowError) if isinstance(error, k))
        raise kind(f"{op}: {error}") from error


def _has_python_floats(obj: Any) -> bool:
    """Whether the values are Python's, and not NumPy's in a list."""
    while isinstance(obj, (list, tuple)) and obj:
        obj = obj[0]
    return isinstance(obj, (list, tuple, int, float)) and not isinstance(obj, np.generic)


def _is_shareable(a: np.ndarray[Any, Any]) -> bool:
    return a.flags.aligned and not any(stride % a.itemsize for stride in a.strides)


# ---- from nothing ----


@short("zeros")
def zeros(
    shape: Shape,
    dtype: DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """An array of zeros.

    Parameters
    ----------
    shape : int or sequence of int
        Its shape.
    dtype : dtype, optional
        By default the default dtype.
    device : str, optional
        By default the thread's default device, the CPU at first.
    requires_grad : bool
        Whether to record what is done with it.

    Returns
    -------
    ndarray
        The array.

    Examples
    --------
    >>> mp.zeros((2, 2))
    array([[0., 0.],
           [0., 0.]])
    """
    return _filled("zeros", shape, 0, dtype, device, requires_grad)


@short("ones")
def ones(
    shape: Shape,
    dtype: DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """An array of ones. Parameters are those of `zeros`.

    Examples
    --------
    >>> mp.ones(3, dtype=mp.int16).tolist()
    [1, 1, 1]
    """
    return _filled("ones", shape, 1, dtype, device, requires_grad)


@short("full")
def full(
    shape: Shape,
    fill_value: ArrayLike,
    dtype: DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """An array filled with one value.

    Parameters
    ----------
    shape : int or sequence of int
        Its shape.
    fill_value : number or array_like
        The value; an array is broadcast.
    dtype : dtype, optional
        By default that of ``array(fill_value)``.
    device : str, optional
        By default the thread's default device, the CPU at first.
    requires_grad : bool
        Whether to record what is done with it.

    Returns
    -------
    ndarray
        The array.

    Examples
    --------
    >>> mp.full(2, 0.5)
    array([0.5, 0.5])
    >>> mp.full(2, 7).dtype
    dtype('int64')
    """
    if dtype is not None:
        dtype = to_dtype("full", dtype)
    elif type(fill_value) is int:
        dtype = int64
    exact = type(fill_value) is float or (type(fill_value) is int and abs(fill_value) <= _EXACT)
    if exact and (dtype is None or dtype == int64 or is_floating(dtype)):
        return _filled("full", shape, fill_value, dtype, device, requires_grad)
    value = _convert("full", fill_value, dtype, None, device)
    result = _core.copy(_core.expand(value.detach(), shape))
    return result.requires_grad_() if requires_grad else result


@short("empty")
def empty(
    shape: Shape,
    dtype: DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """An array whose elements are whatever its memory held. Parameters are those of `zeros`.

    Examples
    --------
    >>> mp.empty((3, 0)).shape
    (3, 0)
    """
    dtype = _core.default_dtype() if dtype is None else to_dtype("empty", dtype)
    result = _core.empty(shape, dtype, device)
    return result.requires_grad_() if requires_grad else result


def zeros_like(x: ArrayLike, dtype: DTypeLike = None, *, device: str | None = None) -> ndarray:
    """Zeros with the shape, dtype and device of `x`, unless others are given.

    Examples
    --------
    >>> mp.zeros_like(mp.ones(2, dtype=mp.float16)).dtype
    dtype('float16')
    """
    x = asarray(x)
    return zeros(x.shape, dtype or x.dtype, device=device or x.device)


def ones_like(x: ArrayLike, dtype: DTypeLike = None, *, device: str | None = None) -> ndarray:
    """Ones with the shape, dtype and device of `x`, unless others are given.

    Examples
    --------
    >>> mp.ones_like([[1.0, 2.0]])
    array([[1., 1.]])
    """
    x = asarray(x)
    return ones(x.shape, dtype or x.dtype, device=device or x.device)


def full_like(
    x: ArrayLike, fill_value: ArrayLike, dtype: DTypeLike = None, *, device: str | None = None
) -> ndarray:
    """`fill_value` with the shape, dtype and device of `x`, unless others are given.

    Examples
    --------
    >>> mp.full_like([1.0, 2.0], 3)
    array([3., 3.])
    """
    x = asarray(x)
    return full(x.shape, fill_value, dtype or x.dtype, device=device or x.device)


def empty_like(x: ArrayLike, dtype: DTypeLike = None, *, device: str | None = None) -> ndarray:
    """Uninitialised, with the shape, dtype and device of `x`, unless others are given.

    Examples
    --------
    >>> mp.empty_like(mp.ones((2, 3))).shape
    (2, 3)
    """
    x = asarray(x)
    return empty(x.shape, dtype or x.dtype, device=device or x.device)


def _filled(
    op: str, shape: Any, value: float, dtype: Any, device: str | None, requires_grad: bool
) -> ndarray:
    if dtype is not None:
        dtype = to_dtype(op, dtype)
    try:
        result = _core.full(shape, dtype, device, value)
    except (TypeError, ValueError) as error:
        text = str(error)
        if op == "full" or not text.startswith("full: "):
            raise
        raise type(error)(op + text[4:]) from None
    return result.requires_grad_() if requires_grad else result


# ---- ranges ----


@short("arange")
def arange(
    start: Any,
    stop: Any = None,
    step: Any = 1,
    dtype: DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """Evenly spaced values in the half-open interval from `start` to `stop`.

    Parameters
    ----------
    start : number
        The first value. Alone it is the stop, and the first value is 0.
    stop : number, optional
        The end, not included.
    step : number
        The distance of the values; must not be 0.
    dtype : dtype, optional
        By default int64 if all numbers are integers, else the default dtype.
    device : str, optional
        By default the thread's default device, the CPU at first.
    requires_grad : bool
        Whether to record what is done with it.

    Returns
    -------
    ndarray
        One-dimensional.

    Raises
    ------
    ValueError
        If `step` is 0, or a number is NaN or infinite.

    Examples
    --------
    >>> mp.arange(3).tolist()
    [0, 1, 2]
    >>> mp.arange(0, 1, 0.25)
    array([0.  , 0.25, 0.5 , 0.75])
    """
    if stop is None:
        start, stop = 0, start
    start, stop, step = (_number("arange", value) for value in (start, stop, step))
    if step == 0:
        raise ValueError("arange: step is 0")
    integers = all(isinstance(value, int) for value in (start, stop, step))
    if integers:
        count = max(-((start - stop) // step), 0)
    else:
        distance = (stop - start) / step
        if not math.isfinite(distance):
            raise ValueError(f"arange: from {start} to {stop} by {step} is not a finite range")
        count = max(math.ceil(distance), 0)
    if dtype is None:
        dtype = int64 if integers else _core.default_dtype()
    dtype = to_dtype("arange", dtype)
    if integers and max(abs(start), abs(stop)) > _EXACT:
        values = np.arange(start, stop, step)
        return array(values, dtype, device=device, requires_grad=requires_grad)
    result = _core.arange((count,), dtype, device, start, step)
    return result.requires_grad_() if requires_grad else result


def _number(op: str, value: Any) -> int | float:
    """A Python number of a Python or NumPy number, or of an array with one element."""
    try:
        return operator.index(value)
    except TypeError:
        pass
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{op}: {value!r} is not a number")
    with _named(op):
        return float(value)


def linspace(
    start: float,
    stop: float,
    num: int = 50,
    endpoint: bool = True,
    dtype: DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """`num` evenly spaced values from `start` to `stop`.

    Parameters
    ----------
    start, stop : number
        The first value and the last.
    num : int
        How many.
    endpoint : bool
        False leaves `stop` out.
    dtype : dtype, optional
        By default the default dtype.
    device : str, optional
        By default the thread's default device, the CPU at first.
    requires_grad : bool
        Whether to record what is done with it.

    Returns
    -------
    ndarray
        One-dimensional.

    Examples
    --------
    >>> mp.linspace(0, 1, 5)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    start, stop = _number("linspace", start), _number("linspace", stop)
    with _named("linspace"):
        values = np.linspace(start, stop, num, endpoint=endpoint, dtype=np.float64)
    dtype = _core.default_dtype() if dtype is None else dtype
    return array(values, dtype, device=device, requires_grad=requires_grad)


def eye(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """A matrix with ones on a diagonal and zeros elsewhere.

    Parameters
    ----------
    n, m : int
        Rows and columns; as many columns as rows by default.
    k : int
        The diagonal: 0 is the main one, positive ones are above it.
    dtype : dtype, optional
        By default the default dtype.
    device : str, optional
        By default the thread's default device, the CPU at first.
    requires_grad : bool
        Whether to record what is done with it.

    Returns
    -------
    ndarray
        The matrix.

    Examples
    --------
    >>> mp.eye(2)
    array([[1., 0.],
           [0., 1.]])
    """
    dtype = _core.default_dtype() if dtype is None else dtype
    with _named("eye"):
        values = np.eye(n, m, k, dtype=bool_)
    return array(values, dtype, device=device, requires_grad=requires_grad)


tensor = array
