"""Products of matrices and vectors, and parts of matrices, by their last axes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from numpy.linalg import LinAlgError

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ..creation import asarray
from ..functional import matmul, sum
from ..functional._axis import normal
from ..grids import eye
from ._solving import inv, mT

__all__ = [
    "cross",
    "diagonal",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "outer",
    "trace",
]


def matrix_power(a: ArrayLike, n: int) -> ndarray:
    """A square matrix multiplied with itself.

    Parameters
    ----------
    a : array_like
        (..., m, m).
    n : int
        The exponent; a negative one takes powers of the inverse.

    Returns
    -------
    ndarray
        (..., m, m), with a gradient.

    Raises
    ------
    LinAlgError
        If a is not square.

    Examples
    --------
    >>> mp.linalg.matrix_power(mp.array([[1, 1], [0, 1]]), 5).tolist()
    [[1, 5], [0, 1]]
    """
    x, n = asarray(a), operator.index(n)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise LinAlgError(f"matrix_power: shape {x.shape} is not square")
    if n == 0:
        unit = eye(x.shape[-1], dtype=x.dtype, device=x.device)
        return _core.copy(_core.expand(unit, x.shape))
    if n < 0:
        x, n = inv(x), -n
    result: Any = None
    while True:
        if n & 1:
            result = x if result is None else matmul(result, x)
        n >>= 1
        if not n:
            return _core.copy(x) if result is x else result
        x = matmul(x, x)


def multi_dot(arrays: Sequence[ArrayLike], *, out: ndarray | None = None) -> ndarray:
    """The product of several matrices, in the order that costs least.

    Parameters
    ----------
    arrays : sequence of array_like
        At least two matrices; the first and the last one may be vectors.
    out : ndarray, optional
        Where to write the result.

    Returns
    -------
    ndarray
        The product, with a gradient.

    Examples
    --------
    >>> mp.linalg.multi_dot([mp.ones((2, 3)), mp.ones((3, 4)), mp.ones(4)])
    array([12., 12.])
    """
    given = [asarray(x) for x in arrays]
    if len(given) < 2:
        raise ValueError(f"multi_dot: {len(given)} arrays, at least 2 are wanted")
    for i, x in enumerate(given):
        if x.ndim != 2 and (x.ndim != 1 or 0 < i < len(given) - 1):
            raise LinAlgError(f"multi_dot: array {i} has {x.ndim} dimensions, 2 are wanted")
    first = 1 if given[0].ndim == 1 else given[0].shape[0]
    sizes = [first, *(x.shape[0] for x in given[1:])]
    sizes.append(1 if given[-1].ndim == 1 else given[-1].shape[1])
    result = _chain(given, _order(sizes), 0, len(given) - 1)
    if out is None:
        return result
    out[...] = result
    return out


def _order(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to cut each range of matrices i..j, of extents sizes[i] to sizes[j + 1], in two."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    cuts: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            found = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            found.sort()
            cost[i, j], cuts[i, j] = found[0]
    return cuts


def _chain(arrays: list[ndarray], cuts: dict[tuple[int, int], int], i: int, j: int) -> ndarray:
    if i == j:
        return arrays[i]
    k = cuts[i, j]
    return matmul(_chain(arrays, cuts, i, k), _chain(arrays, cuts, k + 1, j))


# ---- by the last axes, as the array API standard says ----


def matrix_transpose(x: ArrayLike, /) -> ndarray:
    """A view of an array with its last two axes exchanged.

    Examples
    --------
    >>> mp.linalg.matrix_transpose(mp.ones((2, 3, 4))).shape
    (2, 4, 3)
    """
    x = asarray(x)
    if x.ndim < 2:
        raise ValueError(
            f"matrix_transpose: the array has {x.ndim} dimensions, at least 2 are wanted"
        )
    return mT(x)


def diagonal(x: ArrayLike, /, *, offset: int = 0) -> ndarray:
    """The diagonals of the matrices in the last two axes.

    Parameters
    ----------
    x : array_like
        (..., m, n).
    offset : int
        The diagonal: 0 is the main one, positive ones are above it.

    Returns
    -------
    ndarray
        (..., k).

    Examples
    --------
    >>> mp.linalg.diagonal(mp.array([[1, 2], [3, 4]])).tolist()
    [1, 4]
    """
    x = asarray(x)
    if x.ndim < 2:
        raise ValueError(f"diagonal: the array has {x.ndim} dimensions, at least 2 are wanted")
    *lead, n, m = x.shape
    count = max(min(n + min(offset, 0), m - max(offset, 0)), 0)
    first = offset if offset >= 0 else -offset * m
    steps, step = [], n * m
    for extent in reversed(lead):
        steps.append(step)
        step *= extent
    return _core.as_strided(x, (*lead, count, *steps[::-1], m + 1, first))


def trace(x: ArrayLike, /, *, offset: int = 0, dtype: Any = None) -> ndarray:
    """The sums of the diagonals of the matrices in the last two axes.

    Parameters
    ----------
    x : array_like
        (..., m, n).
    offset : int
        The diagonal: 0 is the main one, positive ones are above it.
    dtype : dtype, optional
        Of the result.

    Returns
    -------
    ndarray
        (...).

    Examples
    --------
    >>> mp.linalg.trace(mp.array([[1, 2], [3, 4]])).item()
    5
    """
    return sum(diagonal(x, offset=offset), -1, dtype)


def outer(x1: ArrayLike, x2: ArrayLike, /) -> ndarray:
    """The products of all elements of one vector with all of another.

    Examples
    --------
    >>> mp.linalg.outer(mp.array([1, 2]), mp.array([3, 4])).tolist()
    [[3, 4], [6, 8]]
    """
    a, b = asarray(x1), asarray(x2)
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"outer: shapes {a.shape} and {b.shape}, two vectors are wanted")
    return _core.reshape(a, (a.size, 1)) * b


def cross(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> ndarray:
    """The cross product of vectors of three elements.

    Parameters
    ----------
    x1, x2 : array_like
        The vectors; the other axes broadcast.
    axis : int
        The axis of the vectors.

    Returns
    -------
    ndarray
        The products.

    Examples
    --------
    >>> mp.linalg.cross(mp.array([1, 0, 0]), mp.array([0, 1, 0])).tolist()
    [0, 0, 1]
    """
    a, b = (_last(asarray(x), axis) for x in (x1, x2))
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(
            f"cross: axis {axis} has {a.shape[-1]} and {b.shape[-1]} elements, 3 are wanted"
        )
    p, q = ([x[..., i] for i in range(3)] for x in (a, b))
    parts = [p[i - 2] * q[i - 1] - p[i - 1] * q[i - 2] for i in range(3)]
    y = _core.concatenate([_core.reshape(part, (*part.shape, 1)) for part in parts], -1)
    at = normal("cross", axis, y.ndim)
    order = [*range(y.ndim - 1)]
    order.insert(at, y.ndim - 1)
    return _core.permute(y, order)


def _last(x: ndarray, axis: int) -> ndarray:
    at = normal("cross", axis, x.ndim)
    return _core.permute(x, [*(i for i in range(x.ndim) if i != at), at])
