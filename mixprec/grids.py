"""Arrays of evenly spaced values, identity matrices and grids."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from . import _core
from ._core import ndarray
from ._dtypes import int64, to_dtype
from ._short import short
from ._typing import ArrayLike, DTypeLike
from .creation import EXACT, array, asarray, beside, check_order, named

__all__ = ["arange", "eye", "linspace", "meshgrid"]


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
    if integers and max(abs(start), abs(stop)) > EXACT:
        values = np.arange(start, stop, step)
        return _new(values, dtype, device, requires_grad)
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
    with named(op):
        return float(value)


@short("linspace")
def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike = None,
    axis: int = 0,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> Any:
    """`num` evenly spaced values from `start` to `stop`.

    Parameters
    ----------
    start, stop : number or array_like
        The first value and the last; arrays broadcast, and gradients go back to them.
    num : int
        How many.
    endpoint : bool
        False leaves `stop` out.
    retstep : bool
        Whether to give the distance of the values too.
    dtype : dtype, optional
        By default the default dtype; of integers the values are rounded down.
    axis : int
        Where the values lie in the result, if `start` or `stop` is an array.
    device : str, optional
        By default the thread's default device, the CPU at first.
    requires_grad : bool
        Whether to record what is done with it.

    Returns
    -------
    ndarray, or a pair of it and the step if `retstep` is True
        One-dimensional where `start` and `stop` are numbers.

    Raises
    ------
    ValueError
        If `num` is negative.

    Examples
    --------
    >>> mp.linspace(0, 1, 5)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    >>> mp.linspace(0, 1, 4, endpoint=False, retstep=True)
    (array([0.  , 0.25, 0.5 , 0.75]), 0.25)
    """
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"linspace: num is {num}, must not be negative")
    if _is_open(start) or _is_open(stop):
        y, step = _between(start, stop, num, endpoint, dtype, axis, device)
        return (y, step) if retstep else y
    start, stop = _number("linspace", start), _number("linspace", stop)
    dtype = _core.default_dtype() if dtype is None else to_dtype("linspace", dtype)
    with named("linspace"):
        made: Any = np.linspace
        wide = dtype if dtype.kind in "iu" else np.float64
        values, step = made(start, stop, num, endpoint=endpoint, retstep=True, dtype=wide)
    y = _new(values, dtype, device, requires_grad)
    return (y, float(step)) if retstep else y


def _new(values: Any, dtype: Any, device: str | None, requires_grad: bool) -> ndarray:
    """An array of what NumPy has made, where new arrays go."""
    device = device or _core.default_device()
    return array(values, dtype, device=device, requires_grad=requires_grad)


def _is_open(value: Any) -> bool:
    """Whether it is an array with axes, or one that a gradient must reach."""
    if isinstance(value, ndarray):
        return value.ndim > 0 or value.requires_grad
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _between(
    start: Any, stop: Any, num: int, endpoint: bool, dtype: Any, axis: int, device: str | None
) -> tuple[ndarray, Any]:
    """`linspace` of arrays, by recorded ops; the ends are exact."""
    where = next((x.device for x in (start, stop) if isinstance(x, ndarray)), device)
    start, stop = asarray(start, device=where), asarray(stop, device=where)
    places = max(num - 1 if endpoint else num, 0)
    wide = start.dtype if start.dtype.kind not in "iub" else _core.default_dtype()
    distance = stop - start
    step: Any = distance / places if places else math.nan
    ramp = _core.reshape(arange(num, dtype=wide, device=where), (num,) + (1,) * distance.ndim)
    ramp = ramp / max(places, 1)
    y = start * (1 - ramp) + stop * ramp
    if dtype is not None:
        found = to_dtype("linspace", dtype)
        if found.kind in "iu":
            y = asarray(np.floor(y.detach().numpy()), device=where)
        y = y.astype(found, copy=False)
    if axis != 0:
        order = list(range(1, y.ndim))
        order.insert(axis if axis >= 0 else y.ndim + axis, 0)
        y = _core.permute(y, order)
    return y, step


@short("eye")
def eye(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: DTypeLike = None,
    order: str = "C",
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """A matrix with ones on a diagonal and zeros elsewhere.

    Parameters
    ----------
    N, M : int
        Rows and columns; as many columns as rows by default.
    k : int
        The diagonal: 0 is the main one, positive ones are above it.
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
        The matrix.

    Examples
    --------
    >>> mp.eye(2)
    array([[1., 0.],
           [0., 1.]])
    """
    check_order("eye", order)
    dtype = _core.default_dtype() if dtype is None else dtype
    with named("eye"):
        values = np.eye(N, M, k, dtype=np.bool_)
    return _new(values, dtype, device, requires_grad)


def meshgrid(
    *xi: ArrayLike, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[ndarray, ...]:
    """Coordinates of the points of a grid.

    Parameters
    ----------
    *xi : array_like
        One-dimensional: the coordinates along each axis.
    copy : bool
        False gives views that cannot be written to.
    sparse : bool
        Whether the axes along which a result would repeat itself have extent 1.
    indexing : {"xy", "ij"}
        "ij": axis i of the results belongs to ``xi[i]``; "xy" exchanges the first two.

    Returns
    -------
    tuple of ndarray
        One of each argument, in its dtype.

    Raises
    ------
    ValueError
        If `indexing` is another text.

    Examples
    --------
    >>> x, y = mp.meshgrid([1, 2], [10, 20, 30])
    >>> x.tolist()
    [[1, 2], [1, 2], [1, 2]]
    >>> y.tolist()
    [[10, 10], [20, 20], [30, 30]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is {indexing!r}, must be 'xy' or 'ij'")
    arrays = beside(*xi)
    n = len(arrays)
    axes = list(range(n))
    if indexing == "xy" and n > 1:
        axes[:2] = [1, 0]
    shape = [1] * n
    for x, axis in zip(arrays, axes, strict=True):
        shape[axis] = x.size
    grids = []
    for x, axis in zip(arrays, axes, strict=True):
        y = _core.reshape(x, [x.size if a == axis else 1 for a in range(n)])
        if not sparse:
            y = _core.expand(y, shape)
        grids.append(_core.copy(y) if copy else y)
    return tuple(grids)
