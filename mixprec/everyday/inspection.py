"""What arrays are: their extents, that they are real, what memory they share, their text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ..creation import asarray
from ..functional._axis import normal

__all__ = [
    "array_repr",
    "conj",
    "conjugate",
    "errstate",
    "imag",
    "iscomplex",
    "iscomplexobj",
    "isreal",
    "isrealobj",
    "isscalar",
    "may_share_memory",
    "ndim",
    "real",
    "real_if_close",
    "shape",
    "shares_memory",
    "size",
]


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
    """Whether it is a number or text, such as an element or the result of `sum`.

    Examples
    --------
    >>> mp.isscalar(mp.ones(2).sum()), mp.isscalar(mp.array(1.0))
    (True, False)
    """
    if type(element) is float or type(element) is int:
        return True
    return _core.is_value(element) or bool(np.isscalar(element))


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


def real_if_close(a: ArrayLike, tol: float = 100) -> ndarray:
    """The array itself: all are real.

    Examples
    --------
    >>> mp.real_if_close([1.0, 2.0])
    array([1., 2.])
    """
    return asarray(a)


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
