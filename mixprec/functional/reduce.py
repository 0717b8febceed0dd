"""Sums, means, extremes and their like, over all elements or along axes.

Narrow dtypes are summed in float32. `dim` and `keepdim` are PyTorch's names of `axis` and
`keepdims`.
"""

from __future__ import annotations

from .. import _core
from .._core import ndarray
from .._dtypes import is_floating
from .._short import short
from .._typing import ArrayLike, Axis, DTypeLike
from ..creation import asarray
from ._axis import one_of

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "max",
    "mean",
    "min",
    "std",
    "sum",
    "var",
]


@short("sum")
def sum(
    x: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    keepdims: bool = False,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The sum of elements.

    Parameters
    ----------
    x : array_like
        The summands.
    axis : int or sequence of int, optional
        The axes to sum along; by default all.
    dtype : dtype, optional
        Of the result; by default x's, for integers and bools int64 (uint64 for unsigned ones).
    keepdims : bool
        Leaves the axes there, with extent 1.

    Returns
    -------
    ndarray
        The sums; float32 under autocast. The sum of nothing is 0.

    Examples
    --------
    >>> x = mp.array([[1.0, 2.0], [3.0, 4.0]])
    >>> mp.sum(x).item()
    10.0
    >>> mp.sum(x, axis=0)
    array([4., 6.])
    """
    if dim is not None:
        axis = one_of("sum", axis, dim)
    return _core.sum(x, axis, keepdims or keepdim, dtype)


@short("mean")
def mean(
    x: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    keepdims: bool = False,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The mean of elements.

    Parameters
    ----------
    x : array_like
        The values.
    axis : int or sequence of int, optional
        The axes to average along; by default all.
    dtype : dtype, optional
        Of the result; by default x's, for integers the default dtype.
    keepdims : bool
        Leaves the axes there, with extent 1.

    Returns
    -------
    ndarray
        The means. The mean of nothing is NaN.

    Examples
    --------
    >>> mp.mean(mp.array([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    array([1.5, 3.5])
    """
    if dim is not None:
        axis = one_of("mean", axis, dim)
    return _core.mean(x, axis, keepdims or keepdim, dtype)


def var(
    x: ArrayLike,
    axis: Axis = None,
    *,
    ddof: int = 0,
    keepdims: bool = False,
    correction: int | None = None,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The variance of elements.

    Parameters
    ----------
    x : array_like
        The values.
    axis : int or sequence of int, optional
        The axes to reduce; by default all.
    ddof : int
        The sum of squares is divided by n - ddof: 0, NumPy's default, for the variance of the
        values, 1 for an estimate from a sample. Also spelled `correction`.
    keepdims : bool
        Leaves the axes there, with extent 1.

    Returns
    -------
    ndarray
        The variances; float32 under autocast.

    Notes
    -----
    ``sum((x - mean(x))**2) / max(n - ddof, 0)``.

    Examples
    --------
    >>> mp.var(mp.array([1.0, 2.0, 3.0, 4.0])).item()
    1.25
    """
    if dim is not None:
        axis = one_of("var", axis, dim)
    return _core.var(x, axis, keepdims or keepdim, ddof if correction is None else correction)


def std(
    x: ArrayLike,
    axis: Axis = None,
    *,
    ddof: int = 0,
    keepdims: bool = False,
    correction: int | None = None,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The standard deviation of elements: the square root of `var`, whose parameters it takes.

    The variance of 16-bit elements is float32 and is rounded with its root. Where it is 0 the
    gradient is 0.

    Examples
    --------
    >>> mp.std(mp.array([1.0, 3.0])).item()
    1.0
    """
    if dim is not None:
        axis = one_of("std", axis, dim)
    ddof = ddof if correction is None else correction
    x = asarray(x)
    narrow = x.dtype.itemsize < 4 and is_floating(x.dtype)
    variance = _core.var(x.astype("float32") if narrow else x, axis, keepdims or keepdim, ddof)
    constant = _core.equal(variance, 0)
    root = _core.sqrt(_core.where(constant, 1, variance))
    deviation = _core.where(constant, 0, root)
    return deviation.astype(x.dtype) if narrow else deviation


@short("max")
def max(
    x: ArrayLike,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The largest element. Also spelled `amax`.

    Parameters
    ----------
    x : array_like
        The values.
    axis : int or sequence of int, optional
        The axes to reduce; by default all.
    keepdims : bool
        Leaves the axes there, with extent 1.

    Returns
    -------
    ndarray
        The values alone, as in NumPy, where PyTorch adds their places. NaN if there is one.
        Elements that are equally large share the gradient.

    Raises
    ------
    ValueError
        If there is no element.

    Examples
    --------
    >>> mp.max(mp.array([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    array([5., 4.])
    """
    if dim is not None:
        axis = one_of("max", axis, dim)
    return _core.max(x, axis, keepdims or keepdim)


@short("min")
def min(
    x: ArrayLike,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The smallest element. Also spelled `amin`. Parameters and rules are those of `max`.

    Examples
    --------
    >>> mp.min(mp.array([[1.0, 5.0], [3.0, 4.0]])).item()
    1.0
    """
    if dim is not None:
        axis = one_of("min", axis, dim)
    return _core.min(x, axis, keepdims or keepdim)


@short("argmax")
def argmax(
    x: ArrayLike,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    dim: int | None = None,
    keepdim: bool = False,
) -> ndarray:
    """The place of the largest element, of the first one if there are several.

    Parameters
    ----------
    x : array_like
        The values. NaN counts as the largest.
    axis : int, optional
        The axis to look along; by default the place in the flat array is given.
    keepdims : bool
        Leaves the axis there, with extent 1.

    Returns
    -------
    ndarray
        Indices, of int64.

    Raises
    ------
    ValueError
        If there is no element.

    Examples
    --------
    >>> mp.argmax(mp.array([[1.0, 5.0], [3.0, 2.0]]), axis=1).tolist()
    [1, 0]
    """
    if dim is not None:
        axis = one_of("argmax", axis, dim)
    return _core.argmax(x, axis, keepdims or keepdim)


@short("argmin")
def argmin(
    x: ArrayLike,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    dim: int | None = None,
    keepdim: bool = False,
) -> ndarray:
    """The place of the smallest element. Parameters and rules are those of `argmax`.

    Examples
    --------
    >>> mp.argmin(mp.array([4.0, 1.0, 3.0])).item()
    1
    """
    if dim is not None:
        axis = one_of("argmin", axis, dim)
    return _core.argmin(x, axis, keepdims or keepdim)


def all(
    x: ArrayLike,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """Whether every element is true, or not 0. Parameters are those of `max`.

    Returns
    -------
    ndarray
        Bools: True of nothing.

    Examples
    --------
    >>> mp.all(mp.array([1.0, 2.0]) > 0).item()
    True
    """
    if dim is not None:
        axis = one_of("all", axis, dim)
    return _core.equal(_core.sum(_core.equal(x, 0), axis, keepdims or keepdim, None), 0)


def any(
    x: ArrayLike,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """Whether some element is true, or not 0. Parameters are those of `max`.

    Returns
    -------
    ndarray
        Bools: False of nothing.

    Examples
    --------
    >>> mp.any(mp.array([1.0, 2.0]) > 1, axis=0).item()
    True
    """
    if dim is not None:
        axis = one_of("any", axis, dim)
    return _core.not_equal(_core.sum(_core.not_equal(x, 0), axis, keepdims or keepdim, None), 0)


amax = max
amin = min
