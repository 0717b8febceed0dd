"""Products of vectors, matrices and more axes, all by the row of matrix products.

Under autocast that row's operands are brought to its dtype first.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from .. import _core
from .._core import ndarray
from .._short import short
from .._typing import ArrayLike, DTypeLike
from ..creation import asarray, beside
from ._axis import normal, several
from ._out import deliver
from .shape import matrix_transpose, moveaxis, ravel

__all__ = [
    "bmm",
    "cross",
    "dot",
    "inner",
    "kron",
    "matmul",
    "matvec",
    "mm",
    "outer",
    "tensordot",
    "vdot",
    "vecdot",
    "vecmat",
]


def matmul(
    x1: ArrayLike, x2: ArrayLike, /, out: ndarray | None = None, *, dtype: DTypeLike = None
) -> ndarray:
    """The matrix product, over the last two axes.

    Parameters
    ----------
    x1 : array_like
        (..., M, K), or (K,).
    x2 : array_like
        (..., K, N), or (K,). Leading axes broadcast; views with other strides, such as a
        transposed matrix, are read as they are.
    out : ndarray, optional
        Where the result is written.
    dtype : dtype, optional
        Of the result; by default what the operands promote to.

    Returns
    -------
    ndarray
        (..., M, N); without M or N where the operand has none.

    Raises
    ------
    ValueError
        If the inner extents differ.

    Notes
    -----
    ``y[m, n] = sum(x1[m, k] * x2[k, n] for k)``, summed in float32 (float64 for float64). Under
    autocast the operands are brought to its dtype first.

    Examples
    --------
    >>> mp.matmul(mp.array([[1.0, 2.0]]), mp.array([[3.0], [4.0]]))
    array([[11.]])
    """
    y = _core.matmul(x1, x2, dtype)
    return y if out is None else deliver("matmul", y, out)


def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> ndarray:
    """x @ weight.T + bias, in one kernel.

    Parameters
    ----------
    x : array_like
        (..., K).
    weight : array_like
        (N, K).
    bias : array_like, optional
        (N,).

    Returns
    -------
    ndarray
        (..., N).

    Raises
    ------
    ValueError
        If the extents do not fit.

    Notes
    -----
    ``y[..., n] = sum(x[..., k] * weight[n, k] for k) + bias[n]``, summed in float32. Under autocast
    the operands are brought to its dtype first.

    Examples
    --------
    >>> mp.nn.functional.linear(mp.ones((2, 3)), mp.ones((1, 3)), mp.ones(1)).tolist()
    [[4.0], [4.0]]
    """
    return _core.linear(x, weight, bias, None)


def tensordot(x1: ArrayLike, x2: ArrayLike, /, axes: Any = 2) -> ndarray:
    """The product of two arrays, summed over pairs of axes.

    Parameters
    ----------
    x1, x2 : array_like
        The arrays.
    axes : int or pair of (int or sequence of int)
        The axes of each that are summed over. A number n: the last n of x1, the first n of x2.

    Returns
    -------
    ndarray
        Its axes are the others of x1, then the others of x2.

    Raises
    ------
    ValueError
        If the extents of a pair differ.

    Examples
    --------
    >>> mp.tensordot(mp.ones((2, 3, 4)), mp.ones((4, 3, 5)), axes=([1, 2], [1, 0])).shape
    (2, 5)
    """
    a, b = asarray(x1), asarray(x2)
    over_a, over_b = _pairs(a, b, axes)
    for i, j in zip(over_a, over_b, strict=True):
        if a.shape[i] != b.shape[j]:
            raise ValueError(
                f"tensordot: axis {i} of x1 has {a.shape[i]} elements, axis {j} of x2 {b.shape[j]}"
            )
    free_a = [i for i in range(a.ndim) if i not in over_a]
    free_b = [j for j in range(b.ndim) if j not in over_b]
    rows, columns = [a.shape[i] for i in free_a], [b.shape[j] for j in free_b]
    k = math.prod(a.shape[i] for i in over_a)
    left = _core.reshape(_core.permute(a, free_a + over_a), (math.prod(rows), k))
    right = _core.reshape(_core.permute(b, over_b + free_b), (k, math.prod(columns)))
    return _core.reshape(_core.matmul(left, right, None), rows + columns)


def _pairs(a: ndarray, b: ndarray, axes: Any) -> tuple[list[int], list[int]]:
    """The axes that `tensordot` sums over, of a and of b."""
    if hasattr(axes, "__index__"):
        n = operator.index(axes)
        if not 0 <= n <= min(a.ndim, b.ndim):
            raise ValueError(
                f"tensordot: axes is {n}, the arrays have {a.ndim} and {b.ndim} dimensions"
            )
        return list(range(a.ndim - n, a.ndim)), list(range(n))
    of_a, of_b = axes
    given = [[x] if hasattr(x, "__index__") else list(x) for x in (of_a, of_b)]
    if len(given[0]) != len(given[1]):
        raise ValueError(
            f"tensordot: axes has {len(given[0])} of x1 and {len(given[1])} of x2, wanted are pairs"
        )
    return several("tensordot", given[0], a.ndim), several("tensordot", given[1], b.ndim)


def vecdot(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> ndarray:
    """The scalar products of vectors.

    Parameters
    ----------
    x1, x2 : array_like
        Arrays of vectors; the other axes broadcast.
    axis : int
        The axis of the vectors, counted from the end of both.

    Returns
    -------
    ndarray
        Without that axis.

    Raises
    ------
    ValueError
        If the vectors have different lengths.

    Examples
    --------
    >>> mp.vecdot(mp.array([[1.0, 2.0], [3.0, 4.0]]), mp.array([1.0, 10.0]))
    array([21., 43.])
    """
    a, b = asarray(x1), asarray(x2)
    if axis != -1:
        a, b = (moveaxis(x, normal("vecdot", axis, x.ndim), -1) for x in (a, b))
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("vecdot: a number is given, vectors are wanted")
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"vecdot: x1 has {a.shape[-1]} elements, x2 has {b.shape[-1]}")
    if a.ndim == b.ndim == 1:
        return _core.matmul(a, b, None)
    n = a.shape[-1]
    left, right = _core.reshape(a, (*a.shape[:-1], 1, n)), _core.reshape(b, (*b.shape[:-1], n, 1))
    y = _core.matmul(left, right, None)
    return _core.reshape(y, y.shape[:-2])


def matvec(x1: ArrayLike, x2: ArrayLike, /) -> ndarray:
    """Products of matrices and vectors.

    Parameters
    ----------
    x1 : array_like
        (..., M, N).
    x2 : array_like
        (..., N). Leading axes broadcast.

    Returns
    -------
    ndarray
        (..., M).

    Examples
    --------
    >>> mp.matvec(mp.ones((2, 3)), mp.ones((5, 3))).shape
    (5, 2)
    """
    a, b = asarray(x1), asarray(x2)
    if a.ndim < 2 or b.ndim < 1:
        raise ValueError(
            f"matvec: x1 has {a.ndim} dimensions and x2 {b.ndim}, at least 2 and 1 are wanted"
        )
    y = _core.matmul(a, _core.reshape(b, (*b.shape, 1)), None)
    return _core.reshape(y, y.shape[:-1])


def vecmat(x1: ArrayLike, x2: ArrayLike, /) -> ndarray:
    """Products of vectors and matrices.

    Parameters
    ----------
    x1 : array_like
        (..., N).
    x2 : array_like
        (..., N, M). Leading axes broadcast.

    Returns
    -------
    ndarray
        (..., M).

    Examples
    --------
    >>> mp.vecmat(mp.ones((5, 3)), mp.ones((3, 2))).shape
    (5, 2)
    """
    b = asarray(x2)
    if b.ndim < 2:
        raise ValueError(f"vecmat: x2 has {b.ndim} dimensions, at least 2 are wanted")
    return matvec(matrix_transpose(b), x1)


def outer(x1: ArrayLike, x2: ArrayLike, out: ndarray | None = None) -> ndarray:
    """All products of an element of one array and one of another.

    Parameters
    ----------
    x1, x2 : array_like
        The arrays, which are flattened.
    out : ndarray, optional
        Where the result is written.

    Returns
    -------
    ndarray
        (M, N) for M and N elements.

    Examples
    --------
    >>> mp.outer([1.0, 2.0], [10.0, 20.0]).tolist()
    [[10.0, 20.0], [20.0, 40.0]]
    """
    a = asarray(x1)
    y = _core.mul(_core.reshape(a, (a.size, 1)), ravel(x2))
    return y if out is None else deliver("outer", y, out)


@short("dot")
def dot(x1: ArrayLike, x2: ArrayLike, out: ndarray | None = None) -> ndarray:
    """NumPy's product: over the last axis of x1 and the last but one, or only one, of x2.

    Parameters
    ----------
    x1, x2 : array_like
        The arrays; a number multiplies the other one.
    out : ndarray, optional
        Where the result is written.

    Returns
    -------
    ndarray
        For matrices and vectors what `matmul` gives; else the axes of x1, then those of x2.

    Examples
    --------
    >>> mp.dot([1.0, 2.0], [3.0, 4.0]).item()
    11.0
    """
    a, b = beside(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        y = _core.mul(a, b)
    elif b.ndim <= 2:
        y = _core.matmul(a, b, None)
    else:
        y = tensordot(a, b, (-1, -2))
    return y if out is None else deliver("dot", y, out)


@short("inner")
def inner(x1: ArrayLike, x2: ArrayLike, /) -> ndarray:
    """The products of x1 and x2 over their last axes.

    Parameters
    ----------
    x1, x2 : array_like
        The arrays; a number multiplies the other one.

    Returns
    -------
    ndarray
        The other axes of x1, then those of x2.

    Examples
    --------
    >>> mp.inner(mp.ones((2, 3)), mp.ones((4, 3))).shape
    (2, 4)
    """
    a, b = beside(x1, x2)
    return _core.mul(a, b) if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, (-1, -1))


def vdot(x1: ArrayLike, x2: ArrayLike, /) -> ndarray:
    """The scalar product of two arrays as flat vectors.

    Examples
    --------
    >>> mp.vdot(mp.ones((2, 2)), mp.ones((2, 2))).item()
    4.0
    """
    return _core.matmul(ravel(x1), ravel(x2), None)


def kron(x1: ArrayLike, x2: ArrayLike) -> ndarray:
    """The Kronecker product: a copy of x2 for each element of x1, multiplied by it.

    Parameters
    ----------
    x1, x2 : array_like
        The arrays; the one of less dimensions gets axes of extent 1 before the others.

    Returns
    -------
    ndarray
        Each extent is the product of theirs.

    Examples
    --------
    >>> mp.kron([1, 10], [1, 2]).tolist()
    [1, 2, 10, 20]
    """
    a, b = asarray(x1), asarray(x2)
    ndim = max(a.ndim, b.ndim)
    rows, columns = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    y = _core.mul(_core.reshape(a, (a.size, 1)), _core.reshape(b, (1, b.size)))
    y = _core.reshape(y, rows + columns)
    y = _core.permute(y, [axis for i in range(ndim) for axis in (i, ndim + i)])
    return _core.reshape(y, [m * n for m, n in zip(rows, columns, strict=True)])


def cross(
    x1: ArrayLike,
    x2: ArrayLike,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> ndarray:
    """The vector products of vectors of 3 elements.

    Parameters
    ----------
    x1, x2 : array_like
        Arrays of vectors; the other axes broadcast. Vectors of 2 elements lie in the plane, and
        two of them give the third element alone.
    axisa, axisb, axisc : int
        The axis of the vectors in x1, in x2 and in the result.
    axis : int, optional
        All three.

    Returns
    -------
    ndarray
        The vectors at right angles to both.

    Raises
    ------
    ValueError
        If the vectors have neither 2 nor 3 elements.

    Examples
    --------
    >>> mp.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    array([0., 0., 1.])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError(
            f"cross: vectors have {a.shape[-1]} and {b.shape[-1]} elements, 2 or 3 are wanted"
        )
    (a0, a1, a2), (b0, b1, b2) = _elements(a), _elements(b)
    last = _core.sub(_core.mul(a0, b1), _core.mul(a1, b0))
    if a2 is None and b2 is None:
        return _core.reshape(last, last.shape[:-1])
    first = _difference(a1, b2, a2, b1)
    second = _difference(a2, b0, a0, b2)
    y = _core.concatenate([first, second, last], -1)
    return y if axisc == -1 else moveaxis(y, -1, axisc)


def _elements(x: ndarray) -> list[Any]:
    """The elements of the vectors along the last axis, with that axis; None for a third of two."""
    parts: list[Any] = [x[..., i : i + 1] for i in range(x.shape[-1])]
    return parts if len(parts) == 3 else [*parts, None]


def _difference(a: Any, b: Any, c: Any, d: Any) -> ndarray:
    """a b - c d, where a product with None is 0."""
    if a is None or b is None:
        return _core.neg(_core.mul(c, d))
    if c is None or d is None:
        return _core.mul(a, b)
    return _core.sub(_core.mul(a, b), _core.mul(c, d))


mm = bmm = matmul
