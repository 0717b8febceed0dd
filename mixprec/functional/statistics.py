"""Means, variances and covariances; quantiles are in quantiles.py."""

from __future__ import annotations

from typing import Any

from .. import _core
from .._core import ndarray
from .._dtypes import default_dtype, is_floating
from .._short import short
from .._typing import ArrayLike, Axis, DTypeLike
from ..creation import asarray, full
from ._axis import count, listed, one_of
from ._out import deliver

__all__ = [
    "average",
    "corrcoef",
    "cov",
    "mean",
    "std",
    "var",
]


@short("mean")
def mean(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The mean of elements.

    Parameters
    ----------
    a : array_like
        The values.
    axis : int or sequence of int, optional
        The axes to average along; by default all.
    dtype : dtype, optional
        Of the result; by default a's, for integers the default dtype.
    out : array, optional
        Where the result goes.
    keepdims : bool
        Leaves the axes there, with extent 1.
    where : array_like of bool
        Which elements count.

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
    keepdims = keepdims or keepdim
    if where is True:
        y = _core.mean(a, axis, keepdims, dtype)
    else:
        x = asarray(a)
        total = _core.sum(_core.where(where, x, 0), axis, keepdims, _wide(x, dtype))
        y = _core.div(total, _counted(x, where, axis, keepdims))
        y = y.astype(dtype or _floating(x), copy=False)
    return y if out is None else deliver("mean", y, out)


def _floating(x: ndarray) -> Any:
    """x's dtype, or the default one if x is not floating."""
    return x.dtype if is_floating(x.dtype) else default_dtype()


def _wide(x: ndarray, dtype: DTypeLike = None) -> Any:
    """What sums of x are kept in."""
    dtype = dtype or _floating(x)
    return "float64" if dtype == "float64" or x.dtype == "float64" else "float32"


def _counted(x: ndarray, where: Any, axis: Axis, keepdims: bool) -> ndarray:
    """How many elements count in each result."""
    mask = asarray(where, dtype="bool", device=str(x.device))
    return _core.count_nonzero(_core.expand(mask, x.shape), axis, keepdims)


def var(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
    dim: Axis = None,
    keepdim: bool = False,
) -> ndarray:
    """The variance of elements.

    Parameters
    ----------
    a : array_like
        The values.
    axis : int or sequence of int, optional
        The axes to reduce; by default all.
    dtype : dtype, optional
        Of the result; by default a's, for integers the default dtype.
    out : array, optional
        Where the result goes.
    ddof : number
        The sum of squares is divided by n - ddof: 0, NumPy's default, for the variance of the
        values, 1 for an estimate from a sample. Also spelled `correction`.
    keepdims : bool
        Leaves the axes there, with extent 1.
    where : array_like of bool
        Which elements count.
    mean : array_like, optional
        The means, with the axes there, if they are known.

    Returns
    -------
    ndarray
        The variances; float32 under autocast.

    Notes
    -----
    ``sum((a - mean(a))**2) / max(n - ddof, 0)``.

    Examples
    --------
    >>> mp.var(mp.array([1.0, 2.0, 3.0, 4.0])).item()
    1.25
    """
    if dim is not None:
        axis = one_of("var", axis, dim)
    ddof = ddof if correction is None else correction
    y = _variance(a, axis, dtype, ddof, keepdims or keepdim, where, mean)
    return y if out is None else deliver("var", y, out)


def _variance(
    a: ArrayLike,
    axis: Axis,
    dtype: DTypeLike,
    ddof: float,
    keepdims: bool,
    where: Any,
    mean: Any,
) -> ndarray:
    if dtype is not None:
        a = asarray(a).astype(dtype, copy=False)
    if where is True and mean is None and ddof == int(ddof):
        return _core.var(a, axis, keepdims, int(ddof))
    x = asarray(a)
    wide = _wide(x)
    if where is True:
        n: Any = count(x.shape, listed("var", axis, x.ndim))
        freedom: Any = n - ddof if n > ddof else 0
    else:
        n = _counted(x, where, axis, True)
        freedom = _core.maximum(_core.sub(_counted(x, where, axis, keepdims), ddof), 0)
        x = _core.where(where, x, 0)
    if mean is None:
        mean = _core.div(_core.sum(x, axis, True, wide), n)
    deviation = _core.sub(x, mean)
    square = _core.mul(deviation, deviation)
    if where is not True:
        square = _core.where(where, square, 0)
    total = _core.sum(square, axis, keepdims, wide)
    return _core.div(total, freedom).astype(_floating(x), copy=False)


def std(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
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
    x = asarray(a, dtype=dtype)
    narrow = x.dtype.itemsize < 4 and is_floating(x.dtype)
    ddof = ddof if correction is None else correction
    wide = x.astype("float32") if narrow else x
    y = root(_variance(wide, axis, None, ddof, keepdims or keepdim, where, mean))
    y = y.astype(x.dtype) if narrow else y
    return y if out is None else deliver("std", y, out)


def root(variance: ndarray) -> ndarray:
    """The square root, with gradient 0 where it is 0."""
    constant = _core.equal(variance, 0)
    return _core.where(constant, 0, _core.sqrt(_core.where(constant, 1, variance)))


def average(
    a: ArrayLike,
    axis: Axis = None,
    weights: ArrayLike | None = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """The weighted mean of elements.

    Parameters
    ----------
    a : array_like
        The values.
    axis : int or sequence of int, optional
        The axes to average along; by default all.
    weights : array_like, optional
        A weight per element, or per place of the one axis, or for several axes per place of
        them; by default all are equal.
    returned : bool
        Whether the sums of the weights are given too.
    keepdims : bool
        Leaves the axes there, with extent 1.

    Returns
    -------
    ndarray or (ndarray, ndarray)
        The averages; with `returned`, and the sums of the weights.

    Raises
    ------
    ZeroDivisionError
        If weights add up to 0.

    Examples
    --------
    >>> mp.average(mp.array([1.0, 2.0, 4.0]), weights=[3, 1, 0]).item()
    1.25
    """
    x = asarray(a)
    if weights is None:
        y = _core.mean(x, axis, keepdims, None)
        if not returned:
            return y
        n = float(count(x.shape, listed("average", axis, x.ndim)))
        return y, full(y.shape, n, dtype=y.dtype, device=str(y.device))
    w = asarray(weights, device=str(x.device))
    if w.shape != x.shape:
        w = _spread_weights(x, w, axis)
    total = _core.sum(w, axis, keepdims, None)
    if bool(_core.any(_core.equal(total, 0), None, False)):
        raise ZeroDivisionError("average: the weights add up to 0")
    y = _core.div(_core.sum(_core.mul(x, w), axis, keepdims, None), total)
    if not returned:
        return y
    return y, _core.copy(_core.expand(total, y.shape)).astype(y.dtype, copy=False)


def _spread_weights(x: ndarray, w: ndarray, axis: Axis) -> ndarray:
    """Weights of the places of some axes as weights of elements."""
    if axis is None:
        raise TypeError(
            f"average: the weights have shape {w.shape}, a has {x.shape}: axis is wanted"
        )
    axes = listed("average", axis, x.ndim)
    wanted = tuple(x.shape[i] for i in axes)
    if w.shape != wanted:
        raise ValueError(f"average: the weights have shape {w.shape}, {wanted} is wanted")
    shape = tuple(n if i in axes else 1 for i, n in enumerate(x.shape))
    return _core.expand(_core.reshape(w, shape), x.shape)


def cov(
    m: ArrayLike,
    y: ArrayLike | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: ArrayLike | None = None,
    aweights: ArrayLike | None = None,
    *,
    dtype: DTypeLike = None,
) -> ndarray:
    """The covariance matrix of variables.

    Parameters
    ----------
    m : array_like
        At most two dimensions: a row per variable, a column per observation.
    y : array_like, optional
        More variables.
    rowvar : bool
        False: variables are columns.
    bias : bool
        Divide by the number of observations, not by one less.
    ddof : int, optional
        Divide by the number of observations less this one, whatever `bias` is.
    fweights, aweights : array_like, optional
        How often each observation was made, and how much it counts.
    dtype : dtype, optional
        Of the result; by default m's, for integers the default dtype.

    Returns
    -------
    ndarray
        A matrix; of one variable its variance.

    Examples
    --------
    >>> mp.cov(mp.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    x = _variables("cov", m, rowvar)
    if y is not None:
        x = _core.concatenate([x, _variables("cov", y, rowvar)], 0)
    x = x.astype(dtype or _floating(x), copy=False)
    if ddof is None:
        ddof = 0 if bias else 1
    w: Any = None
    if fweights is not None:
        w = asarray(fweights, device=str(x.device)).astype(x.dtype)
    if aweights is not None:
        each = asarray(aweights, device=str(x.device)).astype(x.dtype)
        w = each if w is None else _core.mul(w, each)
    if w is None:
        freedom: Any = x.shape[1] - ddof
        x = _core.sub(x, _core.mean(x, (1,), True, None))
        weighted = x
    else:
        total = _core.sum(w, None, False, None)
        x = _core.sub(x, _core.div(_core.sum(_core.mul(x, w), (1,), True, None), total))
        weighted = _core.mul(x, w)
        if ddof == 0 or aweights is None:
            freedom = _core.sub(total, ddof)
        else:
            lost = _core.sum(_core.mul(w, each), None, False, None)
            freedom = _core.sub(total, _core.div(_core.mul(lost, ddof), total))
    product = _core.matmul(weighted, _core.permute(x, (1, 0)), x.dtype)
    result = _core.div(product, freedom)
    return _core.reshape(result, ()) if result.shape == (1, 1) else result


def _variables(op: str, m: ArrayLike, rowvar: bool) -> ndarray:
    """A row per variable."""
    x = asarray(m)
    if x.ndim > 2:
        raise ValueError(f"{op}: the array has {x.ndim} dimensions, at most 2 are wanted")
    if x.ndim < 2:
        return _core.reshape(x, (1, x.size))
    return x if rowvar else _core.permute(x, (1, 0))


def corrcoef(
    x: ArrayLike, y: ArrayLike | None = None, rowvar: bool = True, *, dtype: DTypeLike = None
) -> ndarray:
    """The matrix of correlation coefficients of variables. Parameters are those of `cov`.

    Examples
    --------
    >>> mp.corrcoef(mp.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return _core.div(c, c)
    n = c.shape[0]
    deviation = _core.sqrt(_core.as_strided(_core.copy(c), (n, n + 1, 0)))
    c = _core.div(_core.div(c, _core.reshape(deviation, (n, 1))), deviation)
    return _core.minimum(_core.maximum(c, -1), 1)
