"""Comparisons of whole arrays, what arrays are, and real and imaginary parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._dtypes import FLOATING, float32, float64
from .._limits import finfo
from .._typing import ArrayLike
from ..creation import asarray
from ..functional._axis import normal

__all__ = [
    "allclose",
    "array_equal",
    "array_equiv",
    "array_repr",
    "conj",
    "conjugate",
    "copyto",
    "errstate",
    "imag",
    "iscomplex",
    "iscomplexobj",
    "isclose",
    "isreal",
    "isrealobj",
    "isscalar",
    "may_share_memory",
    "nan_to_num",
    "ndim",
    "real",
    "shape",
    "shares_memory",
    "size",
]


# ---- comparisons ----


def isclose(
    a: ArrayLike,
    b: ArrayLike,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> ndarray:
    """Whether elements are equal within a tolerance.

    Parameters
    ----------
    a, b : array_like
        The arrays; they broadcast.
    rtol, atol : array_like
        How much they may differ: atol + rtol * abs(b).
    equal_nan : bool
        Whether NaN equals NaN.

    Returns
    -------
    ndarray
        Bools. Infinities are close to themselves alone.

    Examples
    --------
    >>> mp.isclose(mp.array([1.0, 2.0]), [1.0 + 1e-7, 2.1]).tolist()
    [True, False]
    """
    x, y = _comparable(a), _comparable(b)
    near = _core.less_equal(_core.abs(_core.sub(x, y)), atol + rtol * _core.abs(y))
    near = _core.where(_core.equal(x, y), True, _core.where(y.isfinite(), near, False))
    if not equal_nan:
        return near
    return _core.where(_core.where(y.isnan(), x.isnan(), False), True, near)


def _comparable(a: ArrayLike) -> ndarray:
    """The array in a dtype that can be subtracted without overflow or loss."""
    x = asarray(a).detach()
    if x.dtype not in FLOATING:
        return x.astype(float64)
    return x.astype(float32) if x.dtype.itemsize < 4 else x


def allclose(
    a: ArrayLike,
    b: ArrayLike,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Whether all elements are equal within a tolerance, as `isclose` says of each.

    Examples
    --------
    >>> mp.allclose(mp.ones(3), 1.0)
    True
    """
    from ..functional import all

    return bool(all(isclose(a, b, rtol, atol, equal_nan)))


def array_equal(a1: ArrayLike, a2: ArrayLike, equal_nan: bool = False) -> bool:
    """Whether two arrays have the same shape and elements.

    Parameters
    ----------
    a1, a2 : array_like
        The arrays.
    equal_nan : bool
        Whether NaN equals NaN.

    Returns
    -------
    bool
        Whether they are equal.

    Examples
    --------
    >>> mp.array_equal(mp.arange(2), [0, 1])
    True
    """
    x, y = asarray(a1), asarray(a2)
    return x.shape == y.shape and _all_equal(x, y, equal_nan)


def array_equiv(a1: ArrayLike, a2: ArrayLike) -> bool:
    """Whether two arrays have the same elements where they are broadcast to one shape.

    Examples
    --------
    >>> mp.array_equiv([1, 2], [[1, 2], [1, 2]])
    True
    """
    x, y = asarray(a1), asarray(a2)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return _all_equal(x, y, False)


def _all_equal(x: ndarray, y: ndarray, equal_nan: bool) -> bool:
    from ..functional import all

    same = _core.equal(x, y)
    if equal_nan:
        same = _core.where(_core.where(x.isnan(), y.isnan(), False), True, same)
    return bool(all(same))


# ---- what arrays are ----


def ndim(a: ArrayLike) -> int:
    """The number of dimensions.

    Examples
    --------
    >>> mp.ndim([[1, 2]])
    2
    """
    return asarray(a).ndim


def shape(a: ArrayLike) -> tuple[int, ...]:
    """The extents.

    Examples
    --------
    >>> mp.shape([[1, 2]])
    (1, 2)
    """
    return asarray(a).shape


def size(a: ArrayLike, axis: int | Sequence[int] | None = None) -> int:
    """The number of elements, or the extent of an axis.

    Parameters
    ----------
    a : array_like
        The array.
    axis : int or sequence of int, optional
        The extent of one axis, or the product of the extents of several.

    Returns
    -------
    int
        The number.

    Examples
    --------
    >>> mp.size(mp.ones((2, 3))), mp.size(mp.ones((2, 3)), 1)
    (6, 3)
    """
    x = asarray(a)
    if axis is None:
        return x.size
    count = 1
    for one in axis if isinstance(axis, Sequence) else (axis,):
        count *= x.shape[normal("size", one, x.ndim)]
    return count


def isscalar(element: Any) -> bool:
    """Whether it is a number or text, or an array without dimensions, as `sum` gives.

    Examples
    --------
    >>> mp.isscalar(mp.ones(2).sum()), mp.isscalar(mp.ones(1))
    (True, False)
    """
    return element.ndim == 0 if isinstance(element, ndarray) else bool(np.isscalar(element))


def iscomplexobj(x: Any) -> bool:
    """Whether it is complex: no array of ours is.

    Examples
    --------
    >>> mp.iscomplexobj(mp.ones(2))
    False
    """
    return not isinstance(x, ndarray) and bool(np.iscomplexobj(x))


def isrealobj(x: Any) -> bool:
    """Whether it is not complex: all arrays of ours are real.

    Examples
    --------
    >>> mp.isrealobj(mp.ones(2))
    True
    """
    return not iscomplexobj(x)


def isreal(x: ArrayLike) -> ndarray:
    """Whether elements are real: all are.

    Examples
    --------
    >>> mp.isreal([1.0, 2.0]).tolist()
    [True, True]
    """
    x = asarray(x)
    return _core.full(x.shape, np.dtype(bool), x.device, True)


def iscomplex(x: ArrayLike) -> ndarray:
    """Whether elements have an imaginary part: none has.

    Examples
    --------
    >>> mp.iscomplex([1.0, 2.0]).tolist()
    [False, False]
    """
    x = asarray(x)
    return _core.full(x.shape, np.dtype(bool), x.device, False)


def real(val: ArrayLike) -> ndarray:
    """The real part: the array itself.

    Examples
    --------
    >>> mp.real(mp.array([1.0, 2.0]))
    array([1., 2.])
    """
    return asarray(val)


def imag(val: ArrayLike) -> ndarray:
    """The imaginary part: zeros.

    Examples
    --------
    >>> mp.imag(mp.array([1.0, 2.0]))
    array([0., 0.])
    """
    x = asarray(val)
    return _core.full(x.shape, x.dtype, x.device, 0)


def conj(x: ArrayLike) -> ndarray:
    """The complex conjugate: a copy. Also spelled `conjugate`.

    Examples
    --------
    >>> mp.conj(mp.array([1.0, 2.0]))
    array([1., 2.])
    """
    return _core.copy(x)


conjugate = conj


def may_share_memory(a: Any, b: Any, /, max_work: int = 0) -> bool:
    """Whether two arrays may have memory in common, as their bounds say.

    Examples
    --------
    >>> x = mp.ones(4)
    >>> mp.may_share_memory(x[:2], x[1:])
    True
    """
    return bool(np.may_share_memory(_memory(a), _memory(b), max_work=max_work))  # type: ignore[arg-type]


def shares_memory(a: Any, b: Any, /, max_work: int = -1) -> bool:
    """Whether two arrays have memory in common.

    Parameters
    ----------
    a, b : array_like
        The arrays.
    max_work : int
        How long to search, as NumPy takes it.

    Returns
    -------
    bool
        Whether they do. Those of two devices do not.

    Examples
    --------
    >>> x = mp.ones(4)
    >>> mp.shares_memory(x[:2], x[2:]), mp.shares_memory(x[:2], x[1:])
    (False, True)
    """
    return bool(np.shares_memory(_memory(a), _memory(b), max_work=max_work))  # type: ignore[arg-type]


def _memory(a: Any) -> Any:
    """A NumPy array over the same addresses, which nobody reads."""
    if not isinstance(a, ndarray):
        return a

    class Place:
        __array_interface__ = {  # noqa: RUF012
            "version": 3,
            "typestr": f"|V{a.itemsize}",
            "shape": a.shape,
            "strides": a.strides,
            "data": (a.data_ptr(), True),
        }

    return np.asarray(Place()) if a.size else np.empty(0)


# ---- values ----


def nan_to_num(
    x: ArrayLike,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> ndarray:
    """x with numbers in place of NaN and infinities.

    Parameters
    ----------
    x : array_like
        The array.
    copy : bool
        False writes into x.
    nan : number
        What stands for NaN.
    posinf, neginf : number, optional
        What stands for the infinities; by default the largest and the least number of the dtype.

    Returns
    -------
    ndarray
        In x's dtype; gradients come only through what was kept.

    Examples
    --------
    >>> mp.nan_to_num(mp.array([1.0, mp.nan, mp.inf]), posinf=9.0)
    array([1., 0., 9.])
    """
    x = y = asarray(x)
    if x.dtype in FLOATING:
        limits = finfo(x.dtype)
        high = float(limits.max) if posinf is None else posinf
        low = float(limits.min) if neginf is None else neginf
        y = _core.where(_core.equal(x, np.inf), high, y)
        y = _core.where(_core.equal(x, -np.inf), low, y)
        y = _core.where(x.isnan(), nan, y).astype(x.dtype, copy=False)
    if copy:
        return _core.copy(y) if y is x else y
    if y is not x:
        x[...] = y
    return asarray(x)


def copyto(dst: ndarray, src: ArrayLike, casting: str = "same_kind", where: Any = True) -> None:
    """Writes the elements of one array into another.

    Parameters
    ----------
    dst : ndarray
        Where to write.
    src : array_like
        The elements; they broadcast to it.
    casting : str
        Which casts are allowed, as NumPy names them.
    where : array_like of bool
        Where to write.

    Examples
    --------
    >>> x = mp.zeros(2)
    >>> mp.copyto(x, 3.0, where=[True, False])
    >>> x
    array([3., 0.])
    """
    given = getattr(src, "dtype", None)
    if given is not None and not np.can_cast(given, dst.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"copyto: {given} to {dst.dtype} is not a {casting!r} cast")
    dst[...] = src if where is True else _core.where(asarray(where), src, dst)


# ---- text and settings ----


def array_repr(
    arr: ArrayLike,
    max_line_width: int | None = None,
    precision: int | None = None,
    suppress_small: bool | None = None,
) -> str:
    """The text of an array, as `repr` gives it unless asked for otherwise.

    Parameters
    ----------
    arr : array_like
        The array.
    max_line_width, precision, suppress_small : optional
        As `numpy.array_repr` takes them.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> mp.array_repr(mp.array([1.0, 1 / 3]), precision=2)
    'array([1.  , 0.33])'
    """
    options: dict[str, Any] = {
        "linewidth": max_line_width,
        "precision": precision,
        "suppress": suppress_small,
    }
    with np.printoptions(**{key: value for key, value in options.items() if value is not None}):
        return repr(asarray(arr))


class errstate(np.errstate):
    """NumPy's settings for floating-point errors, within a region or a decorated function.

    The operations on our arrays signal nothing, whatever is set: 1 / 0 is inf and 0 / 0 is NaN in
    silence, also where "raise" is asked for. The settings hold for what is NumPy's own, such as
    `mp.interp`, and for NumPy's arrays. Code that silences warnings runs as it stands; code that
    wants them raised has to ask `mp.isfinite`.

    Parameters
    ----------
    **kwargs
        `all`, `divide`, `over`, `under`, `invalid` and `call`, as `numpy.errstate` takes them.

    Examples
    --------
    >>> with mp.errstate(divide="ignore"):
    ...     1 / mp.zeros(1)
    array([inf])
    """

    __module__ = "mixprec"
