"""Quantiles: sorted elements, and between two of them a mixture. NaN makes NaN, or is left out by
the functions whose names begin with nan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._dtypes import default_dtype, is_floating
from .._typing import ArrayLike, Axis
from ..creation import asarray
from ._axis import merged_last
from ._out import deliver

__all__ = [
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]

_Floats = Any  # NumPy arrays of float64


def _between(alpha: float, beta: float) -> Callable[[_Floats, _Floats], _Floats]:
    return lambda n, q: n * q + alpha + q * (1 - alpha - beta) - 1


# Where a quantile is among n sorted elements, counted from 0: a fraction mixes the two beside it.
_CONTINUOUS: dict[str, Callable[[_Floats, _Floats], _Floats]] = {
    "interpolated_inverted_cdf": _between(0, 1),
    "hazen": _between(0.5, 0.5),
    "weibull": _between(0, 0),
    "linear": lambda n, q: (n - 1) * q,
    "median_unbiased": _between(1 / 3, 1 / 3),
    "normal_unbiased": _between(3 / 8, 3 / 8),
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "nearest": lambda n, q: np.rint((n - 1) * q),
    "midpoint": lambda n, q: (np.floor((n - 1) * q) + np.ceil((n - 1) * q)) / 2,
}
# The same where the fraction only says which of the two: the place, and the share of the upper one.
_STEPS: dict[str, tuple[float, Callable[[_Floats, _Floats], _Floats]]] = {
    "inverted_cdf": (0.0, lambda below, rest: np.where(rest > 0, 1.0, 0.0)),
    "averaged_inverted_cdf": (0.0, lambda below, rest: np.where(rest > 0, 1.0, 0.5)),
    "closest_observation": (
        0.5,
        lambda below, rest: np.where((rest == 0) & (below % 2 == 1), 0.0, 1.0),
    ),
}


def _places(op: str, n: _Floats, q: _Floats, method: str) -> tuple[_Floats, _Floats, _Floats]:
    """The lower and the upper place among n elements, and the share of the upper one."""
    if method in _CONTINUOUS:
        at = _CONTINUOUS[method](n, q)
        at = np.clip(at, 0, n - 1)
        below = np.floor(at)
        share = at - below
    elif method in _STEPS:
        shift, share_of = _STEPS[method]
        at = n * q - 1 - shift
        below = np.floor(at)
        share = share_of(below, at - below)
    else:
        known = ", ".join(sorted([*_CONTINUOUS, *_STEPS]))
        raise ValueError(f"{op}: method is {method!r}, must be one of {known}")
    low = np.clip(below, 0, n - 1)
    return low.astype(np.int64), np.clip(below + 1, 0, n - 1).astype(np.int64), share


def _probabilities(op: str, q: ArrayLike, most: float) -> _Floats:
    given = np.asarray(q.detach().cpu().numpy() if isinstance(q, ndarray) else q, np.float64)
    if not ((given >= 0) & (given <= most)).all():
        raise ValueError(f"{op}: q is {given.tolist()}, must be between 0 and {most:g}")
    return given / most


def _mix(low: ndarray, high: ndarray, share: Any) -> ndarray:
    """low (1 - share) + high share, begun at the nearer one; equal ones are not changed."""
    step = _core.sub(high, low)
    if isinstance(share, float):
        if share in (0.0, 1.0):
            return high if share else low
        far = _core.mul(step, share if share < 0.5 else share - 1)
        mixed = _core.add(low if share < 0.5 else high, far)
    else:
        up = _core.add(low, _core.mul(step, share))
        down = _core.sub(high, _core.mul(step, _core.sub(1, share)))
        mixed = _core.where(_core.greater_equal(share, 0.5), down, up)
        mixed = _core.where(_core.equal(share, 0), low, mixed)
    return _core.where(_core.equal(low, high), low, mixed)


def _floating(a: ArrayLike) -> ndarray:
    x = asarray(a)
    return x if is_floating(x.dtype) else x.astype(default_dtype())


def _uploaded(values: _Floats, x: ndarray, dtype: Any = None) -> ndarray:
    return asarray(np.ascontiguousarray(values), dtype=dtype, device=str(x.device))


def _quantile(
    op: str,
    a: ArrayLike,
    q: _Floats,
    axis: Axis,
    method: str,
    keepdims: bool,
    skip_nan: bool,
) -> ndarray:
    x, kept = merged_last(op, _floating(a), axis)
    lines = x.shape[:-1]
    if x.shape[-1] == 0:
        x = _core.pad(x, (0, 0) * len(lines) + (0, 1), float("nan"))
    s = _core.sort(x, -1, False)
    y = (_of_numbers if skip_nan else _of_all)(op, s, q.reshape(-1), method)
    y = y.astype(s.dtype, copy=False)
    if lines:
        y = _core.permute(y, (len(lines), *range(len(lines))))
    return _core.reshape(y, (*q.shape, *(kept if keepdims else lines)))


def _of_all(op: str, s: ndarray, q: _Floats, method: str) -> ndarray:
    """Quantiles of sorted lines, the last axis; NaN where a line has one."""
    n = s.shape[-1]
    if q.size == 1 and method == "linear":
        at = (n - 1) * float(q[0])
        low, share = int(at), at - int(at)
        high = low + 1 if share else low
        y = _mix(s[..., low : low + 1], s[..., high : high + 1], share)
    else:
        low, high, share = _places(op, np.float64(n), q, method)
        below, above = (_core.take(s, _uploaded(p, s), s.ndim - 1) for p in (low, high))
        y = _mix(below, above, _uploaded(share, s, _wide(s)))
    last = s[..., -1:]
    return _core.where(_core.equal(last, last), y, float("nan"))


def _of_numbers(op: str, s: ndarray, q: _Floats, method: str) -> ndarray:
    """The same of the elements before the first NaN, as many as each line has."""
    counts = _core.count_nonzero(_core.equal(s, s), (-1,), False).cpu().numpy()
    n = np.maximum(counts.astype(np.float64), 1)[..., None]
    low, high, share = _places(op, n, q, method)
    shape = (*s.shape[:-1], q.size)
    below, above = (
        _core.take_along_axis(s, _uploaded(np.broadcast_to(p, shape), s), -1) for p in (low, high)
    )
    return _mix(below, above, _uploaded(np.broadcast_to(share, shape), s, _wide(s)))


def _wide(s: ndarray) -> Any:
    return np.float64 if s.dtype == np.float64 else np.float32


def quantile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: None = None,
    dim: Axis = None,
) -> ndarray:
    """The values below which parts of the elements lie.

    Parameters
    ----------
    a : array_like
        The elements.
    q : number or array_like
        Which parts, between 0 and 1.
    axis : int or sequence of int, optional
        The axes to reduce; by default all.
    out : array, optional
        Where the result goes.
    overwrite_input : bool
        Accepted for NumPy's sake.
    method : str
        What is between two elements: any of NumPy's names.
    keepdims : bool
        Leaves the axes there, with extent 1.
    weights : None
        Weights are not there.

    Returns
    -------
    ndarray
        q's shape before what is left of a's, in a's dtype (of integers the default dtype). NaN
        where an element is.

    Raises
    ------
    ValueError
        If q is out of range or the method unknown.

    Notes
    -----
    Gradients go to the two elements that a quantile lies between.

    Examples
    --------
    >>> mp.quantile(mp.array([4.0, 1.0, 3.0, 2.0]), [0.5, 1.0])
    array([2.5, 4. ])
    """
    axis = _checked("quantile", axis, dim, weights)
    parts = _probabilities("quantile", q, 1)
    return deliver("quantile", _quantile("quantile", a, parts, axis, method, keepdims, False), out)


def _checked(op: str, axis: Axis, dim: Axis, weights: Any) -> Axis:
    if weights is not None:
        raise NotImplementedError(f"{op}: weights are not there")
    return axis if dim is None else dim


def percentile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: None = None,
) -> ndarray:
    """`quantile`, with q between 0 and 100.

    Examples
    --------
    >>> mp.percentile(mp.array([4.0, 1.0, 3.0, 2.0]), 50).item()
    2.5
    """
    axis = _checked("percentile", axis, None, weights)
    parts = _probabilities("percentile", q, 100)
    y = _quantile("percentile", a, parts, axis, method, keepdims, False)
    return deliver("percentile", y, out)


def median(
    a: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> ndarray:
    """The value that half of the elements lie below: of an even number, the mean of the middle two.

    Parameters and rules are those of `quantile`.

    Examples
    --------
    >>> mp.median(mp.array([[4.0, 1.0], [3.0, 2.0]]), axis=0)
    array([3.5, 1.5])
    """
    y = _quantile("median", a, np.array(0.5), axis, "linear", keepdims, False)
    return deliver("median", y, out)


def nanquantile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: None = None,
) -> ndarray:
    """`quantile` of the elements that are no NaN; NaN where there is none.

    Examples
    --------
    >>> mp.nanquantile(mp.array([4.0, float("nan"), 3.0, 2.0]), 0.5).item()
    3.0
    """
    axis = _checked("nanquantile", axis, None, weights)
    parts = _probabilities("nanquantile", q, 1)
    y = _quantile("nanquantile", a, parts, axis, method, keepdims, True)
    return deliver("nanquantile", y, out)


def nanpercentile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: None = None,
) -> ndarray:
    """`percentile` of the elements that are no NaN; NaN where there is none.

    Examples
    --------
    >>> mp.nanpercentile(mp.array([4.0, float("nan"), 3.0, 2.0]), 50).item()
    3.0
    """
    axis = _checked("nanpercentile", axis, None, weights)
    parts = _probabilities("nanpercentile", q, 100)
    y = _quantile("nanpercentile", a, parts, axis, method, keepdims, True)
    return deliver("nanpercentile", y, out)


def nanmedian(
    a: ArrayLike,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> ndarray:
    """`median` of the elements that are no NaN; NaN where there is none.

    Examples
    --------
    >>> mp.nanmedian(mp.array([4.0, float("nan"), 3.0, 2.0])).item()
    3.0
    """
    y = _quantile("nanmedian", a, np.array(0.5), axis, "linear", keepdims, True)
    return deliver("nanmedian", y, out)
