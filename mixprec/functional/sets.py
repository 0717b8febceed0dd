"""Arrays as sets. The gradient of an element goes to where it was first met."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .._core import ndarray
from .._numpy import fallback, is_text
from .._typing import ArrayLike
from ..creation import asarray, beside, full, ones
from .sorting import _is_native

__all__ = [
    "intersect1d",
    "isin",
    "setdiff1d",
    "setxor1d",
    "union1d",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


class UniqueAll(NamedTuple):
    """What `unique_all` gives."""

    values: ndarray
    indices: ndarray
    inverse_indices: ndarray
    counts: ndarray


class UniqueCounts(NamedTuple):
    """What `unique_counts` gives."""

    values: ndarray
    counts: ndarray


class UniqueInverse(NamedTuple):
    """What `unique_inverse` gives."""

    values: ndarray
    inverse_indices: ndarray


def _flat(a: ArrayLike) -> ndarray:
    x = asarray(a)
    return _core.reshape(x, (x.size,))


def _first(s: ndarray, equal_nan: bool) -> ndarray:
    """Where sorted elements are the first of their kind."""
    s = s.detach()
    later, earlier = s[1:], s[:-1]
    new = _core.not_equal(later, earlier)
    if equal_nan:
        both = _core.where(_core.not_equal(later, later), _core.not_equal(earlier, earlier), False)
        new = _core.where(both, False, new)
    return _core.concatenate([ones(1, dtype="bool", device=str(s.device)), new], 0)


def _distinct(x: ndarray, equal_nan: bool) -> UniqueAll:
    """What the flat array has; the inverse is flat too."""
    device = str(x.device)
    if x.size == 0:
        none = full((0,), 0, dtype="int64", device=device)
        return UniqueAll(x, none, none, none)
    order = _core.argsort(x.detach(), 0, False)
    s = _core.take(x, order, 0)
    first = _first(s, equal_nan)
    starts = _core.arange((x.size,), "int64", device, 0, 1)[first]
    end = full((1,), x.size, dtype="int64", device=device)
    counts = _core.sub(_core.concatenate([starts[1:], end], 0), starts)
    kinds = _core.sub(_core.cumsum(first, 0, None), 1)
    inverse = _core.take(kinds, _core.argsort(order, 0, False), 0)
    return UniqueAll(s[first], order[first], inverse, counts)


def _values(x: ndarray, equal_nan: bool) -> ndarray:
    if x.size == 0:
        return x
    s = _core.sort(x, 0, False)
    return s[_first(s, equal_nan)]


def unique(
    ar: ArrayLike,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """The distinct elements, sorted.

    Parameters
    ----------
    ar : array_like
        The elements; texts are sorted by NumPy, and stay its own.
    return_index : bool
        Whether the places where they are first met are given too.
    return_inverse : bool
        Whether which of them each element is is given too.
    return_counts : bool
        Whether how often they are met is given too.
    axis : int, optional
        Compare slices along an axis; by default elements.
    equal_nan : bool
        Whether all NaN are one.
    sorted : bool
        Accepted for NumPy's sake: they are sorted.

    Returns
    -------
    ndarray or tuple of ndarray
        The elements, and what was asked for in this order.

    Examples
    --------
    >>> values, counts = mp.unique(mp.array([3, 1, 3]), return_counts=True)
    >>> values.tolist(), counts.tolist()
    ([1, 3], [1, 2])
    """
    if is_text(ar):
        return fallback(
            np.unique, (ar, return_index, return_inverse, return_counts, axis), op="unique"
        )
    x = asarray(ar)
    if axis is not None:
        return _unique_slices(x, return_index, return_inverse, return_counts, axis, equal_nan)
    if not (return_index or return_inverse or return_counts):
        return _values(_core.reshape(x, (x.size,)), equal_nan)
    found = _distinct(_core.reshape(x, (x.size,)), equal_nan)
    asked = (return_index, return_inverse, return_counts)
    more = (found.indices, _core.reshape(found.inverse_indices, x.shape), found.counts)
    return (found.values, *(m for m, wanted in zip(more, asked, strict=True) if wanted))


def _unique_slices(
    x: ndarray, index: bool, inverse: bool, counts: bool, axis: int, equal_nan: bool
) -> Any:
    if not _is_native(x):
        raise NotImplementedError(
            f"unique: axis is there for CPU arrays of NumPy's own dtypes, not for {x.dtype} on "
            f"{x.device}; use .cpu()"
        )
    numpy_unique: Any = np.unique
    found = numpy_unique(x.detach().numpy(), True, inverse, counts, axis, equal_nan=equal_nan)
    places, *more = (_core.from_numpy(np.ascontiguousarray(f)) for f in found[1:])
    values = _core.take(x, places, axis)
    if not (index or inverse or counts):
        return values
    return (values, *([places] if index else []), *more)


def unique_all(x: ArrayLike, /) -> UniqueAll:
    """The distinct elements, where each is first met, which of them each element is, and counts.

    Parameters
    ----------
    x : array_like
        The elements. Every NaN is distinct.

    Returns
    -------
    UniqueAll
        values, indices, inverse_indices (in the shape of x) and counts.

    Examples
    --------
    >>> mp.unique_all(mp.array([3, 1, 3])).inverse_indices.tolist()
    [1, 0, 1]
    """
    a = asarray(x)
    found = _distinct(_flat(a), False)
    return found._replace(inverse_indices=_core.reshape(found.inverse_indices, a.shape))


def unique_counts(x: ArrayLike, /) -> UniqueCounts:
    """The distinct elements and how often they are met. See `unique_all`.

    Examples
    --------
    >>> mp.unique_counts(mp.array([3, 1, 3])).counts.tolist()
    [1, 2]
    """
    found = _distinct(_flat(x), False)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: ArrayLike, /) -> UniqueInverse:
    """The distinct elements and which of them each element is. See `unique_all`.

    Examples
    --------
    >>> mp.unique_inverse(mp.array([3, 1, 3])).inverse_indices.tolist()
    [1, 0, 1]
    """
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: ArrayLike, /) -> ndarray:
    """The distinct elements. See `unique_all`.

    Examples
    --------
    >>> mp.unique_values(mp.array([3, 1, 3])).tolist()
    [1, 3]
    """
    return _values(_flat(x), False)


def isin(
    x1: ArrayLike,
    x2: ArrayLike,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: str | None = None,
) -> ndarray:
    """Which elements are among others.

    Parameters
    ----------
    x1 : array_like
        The elements.
    x2 : array_like
        The others.
    assume_unique, kind
        Accepted for NumPy's sake.
    invert : bool
        Which elements are not.

    Returns
    -------
    ndarray
        Bools in the shape of x1. NaN is among nothing.

    Examples
    --------
    >>> mp.isin(mp.array([1, 2, 3]), [3, 1]).tolist()
    [True, False, True]
    """
    if is_text(x1):
        result: ndarray = fallback(np.isin, (x1, x2), {"invert": invert})
        return result
    device = next((str(x.device) for x in (x1, x2) if isinstance(x, ndarray)), None)
    x, others = asarray(x1, device=device).detach(), _flat(asarray(x2, device=device)).detach()
    if others.size == 0:
        return full(x.shape, invert, dtype="bool", device=str(x.device))
    s = _core.sort(others, 0, False)
    at = _core.minimum(_core.searchsorted(s, x, False), others.size - 1)
    found = _core.take(s, at, 0)
    return _core.not_equal(found, x) if invert else _core.equal(found, x)


def union1d(ar1: ArrayLike, ar2: ArrayLike) -> ndarray:
    """The distinct elements of two arrays, sorted.

    Examples
    --------
    >>> mp.union1d(mp.array([3, 1]), mp.array([2, 3])).tolist()
    [1, 2, 3]
    """
    return _values(_core.concatenate([_flat(x) for x in beside(ar1, ar2)], 0), True)


def intersect1d(
    ar1: ArrayLike,
    ar2: ArrayLike,
    assume_unique: bool = False,
    return_indices: bool = False,
) -> Any:
    """The distinct elements that two arrays have in common, sorted.

    Parameters
    ----------
    ar1, ar2 : array_like
        The arrays.
    assume_unique : bool
        Accepted for NumPy's sake.
    return_indices : bool
        Whether where they are first met in the two arrays is given too.

    Returns
    -------
    ndarray or tuple of ndarray
        The elements, and the indices if asked for.

    Examples
    --------
    >>> mp.intersect1d(mp.array([3, 1]), mp.array([2, 3])).tolist()
    [3]
    """
    a, b = _flat(ar1), _flat(ar2)
    if not return_indices:
        values = _values(a, True)
        return values[isin(values, b)]
    first, second = _distinct(a, True), _distinct(b, True)
    here, there = isin(first.values, second.values), isin(second.values, first.values)
    return first.values[here], first.indices[here], second.indices[there]


def setdiff1d(ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False) -> ndarray:
    """The distinct elements of one array that another does not have, sorted.

    With `assume_unique` they keep their order, as in NumPy.

    Examples
    --------
    >>> mp.setdiff1d(mp.array([3, 1]), mp.array([2, 3])).tolist()
    [1]
    """
    a = _flat(ar1) if assume_unique else _values(_flat(ar1), True)
    return a[isin(a, ar2, invert=True)]


def setxor1d(ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False) -> ndarray:
    """The distinct elements that only one of two arrays has, sorted.

    Examples
    --------
    >>> mp.setxor1d(mp.array([3, 1]), mp.array([2, 3])).tolist()
    [1, 2]
    """
    a, b = _values(_flat(ar1), True), _values(_flat(ar2), True)
    return _core.sort(
        _core.concatenate([a[isin(a, b, invert=True)], b[isin(b, a, invert=True)]], 0), 0, False
    )
