"""Arrays made from Python and NumPy values, from other libraries' arrays, and from nothing.

`order` is accepted for NumPy's sake wherever NumPy has it: new arrays are in C order.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import _core
from ._core import ndarray
from ._device import move
from ._dtypes import check_dtype, float64, int64, is_floating, to_dtype
from ._promotion import result_type
from ._scalar_types import ScalarType
from ._short import short
from ._typing import ArrayLike, DTypeLike, Shape

__all__ = [
    "array",
    "asarray",
    "empty",
    "empty_like",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "ones",
    "ones_like",
    "tensor",
    "zeros",
    "zeros_like",
]

MAX_DIMS = 32  # of an array, as csrc/mp.h has it
EXACT = 2**53  # integers up to here are exact as the doubles that the kernels are given


# ---- from values ----


@short("array")
def array(
    obj: ArrayLike,
    dtype: DTypeLike = None,
    *,
    copy: bool | None = True,
    order: str | None = "K",
    subok: bool = False,
    ndmin: int = 0,
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
    order, subok : optional
        Accepted for NumPy's sake.
    ndmin : int
        Axes of extent 1 are put before the others up to that number.
    device : str, optional
        Where the array goes. By default where `obj` is, and else the default device.
    requires_grad : bool
        Whether to record what is done with it.

    Returns
    -------
    ndarray
        Of an array a leaf: it has no part in the graph that `obj` may be in (`asarray` keeps that).
        Of a sequence that holds arrays, these joined, which is recorded.

    Raises
    ------
    TypeError
        For dtypes that are not supported: complex, structured, foreign byte order. An array of
        text, and one of objects that is asked for by its dtype, is NumPy's.
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
    try:
        result = _convert("array", obj, dtype, copy, device)
    except TypeError:
        text: ndarray | None = _text(obj, dtype)
        if text is None:
            raise
        return text
    if order != "K":
        check_order("array", order)
    if result.ndim < ndmin:
        result = _core.reshape(result, (1,) * (ndmin - result.ndim) + result.shape)
    return result.requires_grad_() if requires_grad else result


def _text(obj: Any, dtype: Any) -> Any:
    """NumPy's array where `obj` is text, or an array of text or of objects is asked for; else None.

    Numbers among texts are taken for a mistake.
    """
    if isinstance(dtype, ScalarType) or (dtype is None and isinstance(obj, (str, bytes))):
        return None
    try:
        found = np.array(obj, dtype)
        if dtype is not None:
            return found if found.dtype.kind in "USO" else None
        texts = isinstance(obj, np.ndarray) or np.array(obj, object).ravel().tolist()
    except (TypeError, ValueError):
        return None
    alike = texts is True or all(isinstance(item, (str, bytes)) for item in texts)
    return found if found.dtype.kind in "US" and alike else None


@short("asarray")
def asarray(
    obj: ArrayLike,
    dtype: DTypeLike = None,
    order: str | None = None,
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
    order : optional
        Accepted for NumPy's sake.
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
    if order is not None:
        check_order("asarray", order)
    return _convert("asarray", obj, dtype, copy, device)


def beside(*values: ArrayLike) -> list[ndarray]:
    """All of them as arrays; what is none yet goes to the device of the first that is."""
    place = next((x.device for x in values if isinstance(x, ndarray)), None)
    return [x if isinstance(x, ndarray) else asarray(x, device=place) for x in values]


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


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> ndarray:
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
    return _placed("from_dlpack", _shared(x), None, copy, device)


def _shared(x: Any) -> ndarray:
    """An array over another library's memory, which is not written if its arrays never change."""
    from ._interchange import is_immutable

    return _core.from_dlpack(x, read_only=is_immutable(x))


def _convert(op: str, obj: Any, dtype: Any, copy: bool | None, device: str | None) -> ndarray:
    """What `array` and its kin have in common; errors are in the name of `op`."""
    if dtype is not None:
        dtype = to_dtype(op, dtype)
    if isinstance(obj, ndarray):
        return _placed(op, obj, dtype, copy, device)
    if isinstance(obj, (np.ndarray, np.generic)):
        values = np.asarray(obj)
    elif hasattr(obj, "__dlpack__"):
        return _placed(op, _shared(obj), dtype, copy, device)
    elif _has_arrays(obj):
        return _placed(op, _joined(op, obj, dtype), dtype, None, device)
    elif _is_buffer(obj):
        values = np.asarray(obj)
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
        dtype = float64.dtype
    with named(op):
        values = np.array(obj, dtype)
    if isinstance(obj, int) and values.dtype.hasobject:
        raise OverflowError(f"{op}: the Python integer {obj} does not fit in 64 bits")
    return values


def _has_arrays(obj: Any, depth: int = 0) -> bool:
    """Whether there are arrays of ours in sequences nested as deep as arrays can be."""
    if not isinstance(obj, (list, tuple)) or depth == MAX_DIMS:
        return False
    kinds = set(map(type, obj))
    if any(issubclass(kind, ndarray) for kind in kinds):
        return True
    return (list in kinds or tuple in kinds) and any(_has_arrays(x, depth + 1) for x in obj)


def _joined(op: str, obj: Any, dtype: Any) -> ndarray:
    """A sequence of arrays, numbers and such sequences as one array, with their gradients."""
    parts = [_joined(op, x, dtype) if _has_arrays(x) else x for x in obj]
    where = next(x.device for x in parts if isinstance(x, ndarray))
    if dtype is None:
        dtype = result_type(*parts)
    parts = [_convert(op, x, None if isinstance(x, ndarray) else dtype, None, where) for x in parts]
    shape = parts[0].shape
    for i, x in enumerate(parts):
        if x.shape != shape:
            raise ValueError(f"{op}: element 0 has shape {shape}, element {i} has {x.shape}")
    y = _core.concatenate([_core.reshape(x, (1, *shape)) for x in parts], 0)
    return y.astype(dtype, copy=False)


def _is_buffer(obj: Any) -> bool:
    """Whether an object that is no text shows memory, as `array.array` does."""
    if isinstance(obj, (list, tuple, int, float, str, bytes)):
        return False
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


@contextlib.contextmanager
def named(op: str) -> Iterator[None]:
    """Puts the op's name before the texts of NumPy's and Python's errors."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        kind = next(k for k in (TypeError, ValueError, OverflowError) if isinstance(error, k))
        raise kind(f"{op}: {error}") from error


def check_order(op: str, order: Any) -> None:
    """ValueError unless it is one that NumPy knows."""
    if order not in ("C", "F", "A", "K", None):
        raise ValueError(f"{op}: order is {order!r}, must be 'C', 'F', 'A' or 'K'")


def _has_python_floats(obj: Any) -> bool:
    """Whether the values are Python's, and not NumPy's in a list."""
    for _ in range(MAX_DIMS):  # a class that claims to be a list may go on for ever
        if isinstance(obj, (list, tuple)) and obj:
            obj = obj[0]
    return isinstance(obj, (list, tuple, int, float)) and not isinstance(obj, np.generic)


def _is_shareable(a: np.ndarray[Any, Any]) -> bool:
    return a.flags.aligned and not any(stride % a.itemsize for stride in a.strides)


# ---- from nothing ----


@short("zeros")
def zeros(
    shape: Shape,
    dtype: DTypeLike = None,
    order: str = "C",
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
    order : optional
        Accepted for NumPy's sake.
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
    check_order("zeros", order)
    return _filled("zeros", shape, 0, dtype, device, requires_grad)


@short("ones")
def ones(
    shape: Shape,
    dtype: DTypeLike = None,
    order: str = "C",
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
    check_order("ones", order)
    return _filled("ones", shape, 1, dtype, device, requires_grad)


@short("full")
def full(
    shape: Shape,
    fill_value: ArrayLike,
    dtype: DTypeLike = None,
    order: str = "C",
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
    order : optional
        Accepted for NumPy's sake.
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
    check_order("full", order)
    if dtype is not None:
        dtype = to_dtype("full", dtype)
    elif type(fill_value) is int:
        dtype = int64.dtype
    exact = type(fill_value) is float or (type(fill_value) is int and abs(fill_value) <= EXACT)
    if exact and (dtype is None or dtype == int64 or is_floating(dtype)):
        return _filled("full", shape, fill_value, dtype, device, requires_grad)
    value = _convert("full", fill_value, dtype, None, device)
    if device is None and value.ndim == 0 and value.device == "cpu":  # a number
        value = move(value, _core.default_device())
    result = _core.copy(_core.expand(value.detach(), shape))
    return result.requires_grad_() if requires_grad else result


@short("empty")
def empty(
    shape: Shape,
    dtype: DTypeLike = None,
    order: str = "C",
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
    check_order("empty", order)
    dtype = _core.default_dtype() if dtype is None else to_dtype("empty", dtype)
    result = _core.empty(shape, dtype, device)
    return result.requires_grad_() if requires_grad else result


@short("zeros_like")
def zeros_like(
    x: ArrayLike,
    dtype: DTypeLike = None,
    order: str = "K",
    subok: bool = True,
    shape: Shape | None = None,
    *,
    device: str | None = None,
) -> ndarray:
    """Zeros with the shape, dtype and device of an array, unless others are given.

    Parameters
    ----------
    x : array_like
        The array.
    dtype : dtype, optional
        Another dtype.
    order, subok : optional
        Accepted for NumPy's sake.
    shape : int or sequence of int, optional
        Another shape.
    device : str, optional
        Another device.

    Returns
    -------
    ndarray
        The zeros; they have no part in the graph.

    Examples
    --------
    >>> mp.zeros_like(mp.ones(2, dtype=mp.float16)).dtype
    dtype('float16')
    """
    shape, dtype, device = _like(x, dtype, shape, device)
    return zeros(shape, dtype, order, device=device)


@short("ones_like")
def ones_like(
    x: ArrayLike,
    dtype: DTypeLike = None,
    order: str = "K",
    subok: bool = True,
    shape: Shape | None = None,
    *,
    device: str | None = None,
) -> ndarray:
    """Ones with the shape, dtype and device of an array. Parameters are those of `zeros_like`.

    Examples
    --------
    >>> mp.ones_like([[1.0, 2.0]])
    array([[1., 1.]])
    """
    shape, dtype, device = _like(x, dtype, shape, device)
    return ones(shape, dtype, order, device=device)


@short("full_like")
def full_like(
    x: ArrayLike,
    fill_value: ArrayLike,
    dtype: DTypeLike = None,
    order: str = "K",
    subok: bool = True,
    shape: Shape | None = None,
    *,
    device: str | None = None,
) -> ndarray:
    """`fill_value` in the shape of an array. Other parameters are those of `zeros_like`.

    Examples
    --------
    >>> mp.full_like([1.0, 2.0], 3)
    array([3., 3.])
    """
    shape, dtype, device = _like(x, dtype, shape, device)
    return full(shape, fill_value, dtype, order, device=device)


@short("empty_like")
def empty_like(
    x: ArrayLike,
    dtype: DTypeLike = None,
    order: str = "K",
    subok: bool = True,
    shape: Shape | None = None,
    *,
    device: str | None = None,
) -> ndarray:
    """Uninitialised, in the shape of an array. Parameters are those of `zeros_like`.

    Examples
    --------
    >>> mp.empty_like(mp.ones((2, 3))).shape
    (2, 3)
    """
    shape, dtype, device = _like(x, dtype, shape, device)
    return empty(shape, dtype, order, device=device)


def _like(x: Any, dtype: Any, shape: Any, device: str | None) -> tuple[Any, Any, str]:
    """The shape, dtype and device of x, unless others are given."""
    x = asarray(x)
    return (
        x.shape if shape is None else shape,
        x.dtype if dtype is None else dtype,
        device or x.device,
    )


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


tensor = array
