"""Linear algebra: `numpy.linalg` on views of arrays on the CPU, with gradients where named.

`norm` and its kin are made of ops and run on every device. `solve`, `inv`, `det`, `slogdet` and
`cholesky`, and `matrix_power` and `multi_dot` which are products, have gradients; the others say at
backward that they have none. Results are in the dtype of the arrays; float16 and bfloat16 are
computed in float32.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.linalg import LinAlgError

from . import _core, _numpy
from ._core import ndarray
from ._dtypes import FLOATING, float32
from ._typing import ArrayLike, Axis
from .autograd import Function, is_grad_enabled
from .creation import asarray
from .functional import absolute, matmul, max, min, sqrt, swapaxes, where
from .functional import sum as sum_
from .functional._axis import normal
from .grids import eye

__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vector_norm",
]
_MAIN = ("tensordot", "vecdot")  # those of mixprec
__all__ += _MAIN


def _cold(name: str, summary: str) -> Callable[..., Any]:
    return _numpy.cold(f"linalg.{name}", summary, __name__)


# NumPy's own
cond = _cold("cond", "How much a matrix magnifies errors of a right-hand side.")
eig = _cold("eig", "Eigenvalues and eigenvectors of a square matrix, where all of them are real.")
eigh = _cold("eigh", "Eigenvalues and eigenvectors of a symmetric matrix.")
eigvals = _cold("eigvals", "The eigenvalues of a square matrix, where all of them are real.")
eigvalsh = _cold("eigvalsh", "The eigenvalues of a symmetric matrix.")
lstsq = _cold("lstsq", "The least-squares solution of linear equations.")
matrix_rank = _cold("matrix_rank", "The rank of a matrix: how many singular values are not small.")
pinv = _cold("pinv", "The pseudo-inverse of a matrix.")
qr = _cold("qr", "The factors of a matrix, orthogonal and upper triangular.")
svd = _cold("svd", "The singular value decomposition of a matrix.")
svdvals = _cold("svdvals", "The singular values of a matrix.")
tensorinv = _cold("tensorinv", "The inverse of an array, seen as a matrix.")
tensorsolve = _cold("tensorsolve", "The solution of linear equations whose unknown is an array.")


def __getattr__(name: str) -> Any:
    if name not in _MAIN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import mixprec

    return getattr(mixprec, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its size."""

    sign: ndarray
    logabsdet: ndarray


# ---- with gradients ----


class _Solve(Function):
    """x of a x = b. gb = solve(a^T, gx), ga = -gb x^T: the derivative of a x = b, solved for dx."""

    @staticmethod
    def forward(ctx: Any, a: ndarray, b: ndarray) -> ndarray:
        ctx.save_for_backward(a, b)
        x: ndarray = _numpy.fallback(np.linalg.solve, (a, b))
        ctx.x = x
        return x.detach()

    @staticmethod
    def backward(ctx: Any, g: ndarray) -> tuple[Any, ...]:
        a, b = ctx.saved_tensors
        gb = _Solve.apply(mT(a), g)
        x = _Solve.apply(a, b) if is_grad_enabled() else ctx.x
        return -matmul(gb, mT(x)), gb


class _Inv(Function):
    """y = a^-1. ga = -y^T gy y^T, from dy = -y da y."""

    @staticmethod
    def forward(ctx: Any, a: ndarray) -> ndarray:
        ctx.save_for_backward(a)
        y: ndarray = _numpy.fallback(np.linalg.inv, (a,))
        ctx.y = y
        return y.detach()

    @staticmethod
    def backward(ctx: Any, g: ndarray) -> ndarray:
        (a,) = ctx.saved_tensors
        y = mT(_Inv.apply(a) if is_grad_enabled() else ctx.y)
        return -matmul(matmul(y, g), y)


class _Slogdet(Function):
    """sign and log|det a|. ga = g a^-T, Jacobi's formula divided by det a."""

    @staticmethod
    def forward(ctx: Any, a: ndarray) -> tuple[ndarray, ndarray]:
        ctx.save_for_backward(a)
        sign, logabsdet = _numpy.fallback(np.linalg.slogdet, (a,))
        ctx.mark_non_differentiable(sign)
        return sign, logabsdet

    @staticmethod
    def backward(ctx: Any, _: Any, g: ndarray) -> Any:
        (a,) = ctx.saved_tensors
        return g[..., None, None] * mT(_Inv.apply(a))


class _Det(Function):
    """det a. ga = g det(a) a^-T: Jacobi's formula, for matrices that have an inverse."""

    @staticmethod
    def forward(ctx: Any, a: ndarray) -> ndarray:
        ctx.save_for_backward(a)
        y: ndarray = _numpy.fallback(np.linalg.det, (a,))
        return y

    @staticmethod
    def backward(ctx: Any, g: ndarray) -> Any:
        (a,) = ctx.saved_tensors
        return (g * _Det.apply(a))[..., None, None] * mT(_Inv.apply(a))


class _Cholesky(Function):
    """The lower factor l of a = l l^T.

    ga is the symmetric part of l^-T p l^-1, where p is the lower triangle of l^T gl with half its
    diagonal: I. Murray, Differentiation of the Cholesky decomposition, arXiv:1602.07527, eq. 10.
    """

    @staticmethod
    def forward(ctx: Any, a: ndarray) -> ndarray:
        ctx.save_for_backward(a)
        y: ndarray = _numpy.fallback(np.linalg.cholesky, (a,))
        return y

    @staticmethod
    def backward(ctx: Any, g: ndarray) -> Any:
        (a,) = ctx.saved_tensors
        low = _Cholesky.apply(a)
        n = low.shape[-1]
        half = np.tril(np.ones((n, n))) - np.eye(n) / 2
        p = matmul(mT(low), g) * asarray(half, low.dtype)
        inverse = _Inv.apply(low)
        s = matmul(matmul(mT(inverse), p), inverse)
        return (s + mT(s)) / 2


def solve(a: ArrayLike, b: ArrayLike) -> ndarray:
    """The solution of linear equations, with a gradient.

    Parameters
    ----------
    a : array_like
        (..., n, n).
    b : array_like
        (n,), or (..., n, k).

    Returns
    -------
    ndarray
        x of a @ x = b.

    Raises
    ------
    LinAlgError
        If a matrix is singular.

    Examples
    --------
    >>> mp.linalg.solve(mp.array([[2.0, 0.0], [0.0, 4.0]]), mp.array([2.0, 2.0]))
    array([1. , 0.5])
    """
    a, b = _floating(a), _floating(b)
    if b.ndim == 1:
        return _Solve.apply(a, _core.reshape(b, (b.size, 1)))[..., 0]  # type: ignore[no-any-return]
    return _Solve.apply(a, b)  # type: ignore[no-any-return]


def inv(a: ArrayLike) -> ndarray:
    """The inverse of a square matrix, with a gradient.

    Parameters
    ----------
    a : array_like
        (..., n, n).

    Returns
    -------
    ndarray
        (..., n, n).

    Raises
    ------
    LinAlgError
        If a matrix is singular.

    Examples
    --------
    >>> mp.linalg.inv(mp.array([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return _Inv.apply(_floating(a))  # type: ignore[no-any-return]


def det(a: ArrayLike) -> ndarray:
    """The determinant of a square matrix, with a gradient where there is an inverse.

    Parameters
    ----------
    a : array_like
        (..., n, n).

    Returns
    -------
    ndarray
        (...).

    Examples
    --------
    >>> mp.linalg.det(mp.array([[2.0, 0.0], [0.0, 4.0]])).item()
    8.0
    """
    return _Det.apply(_floating(a))  # type: ignore[no-any-return]


def slogdet(a: ArrayLike) -> SlogdetResult:
    """The sign and the logarithm of the size of a determinant, with a gradient for the latter.

    Parameters
    ----------
    a : array_like
        (..., n, n).

    Returns
    -------
    SlogdetResult
        `sign` and `logabsdet`.

    Examples
    --------
    >>> mp.linalg.slogdet(mp.array([[1.0, 0.0], [0.0, -1.0]])).sign.item()
    -1.0
    """
    return SlogdetResult(*_Slogdet.apply(_floating(a)))


def cholesky(a: ArrayLike, /, *, upper: bool = False) -> ndarray:
    """The triangular factor of a positive definite matrix, with a gradient.

    Parameters
    ----------
    a : array_like
        (..., n, n), symmetric; one triangle of it is read.
    upper : bool
        Gives the upper factor u of a = u^T u rather than the lower one l of a = l l^T.

    Returns
    -------
    ndarray
        (..., n, n).

    Raises
    ------
    LinAlgError
        If a matrix is not positive definite.

    Examples
    --------
    >>> mp.linalg.cholesky(mp.array([[4.0, 2.0], [2.0, 5.0]])).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    x = _floating(a)
    return mT(_Cholesky.apply(mT(x))) if upper else _Cholesky.apply(x)


def _floating(a: ArrayLike) -> ndarray:
    x = asarray(a)
    return x if x.dtype in FLOATING else x.astype(_core.default_dtype())


def mT(x: ndarray) -> ndarray:
    """x with its last two axes exchanged."""
    return swapaxes(x, -1, -2)


# ---- products ----


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


# ---- norms ----


def norm(
    x: ArrayLike,
    ord: Any = None,  # NumPy's name
    axis: Axis = None,
    keepdims: bool = False,
) -> ndarray:
    """The norm of vectors or matrices.

    Parameters
    ----------
    x : array_like
        The array.
    ord : number or {"fro", "nuc"}, optional
        Of vectors: 1, 2 (the default), inf, -inf, 0 (how many are not zero), or any power. Of
        matrices: "fro" (the default), "nuc", 1, -1, 2, -2, inf, -inf.
    axis : int or pair of int, optional
        The axis of vectors or the two of matrices. By default x is a vector or a matrix; without
        `ord`, an array of any shape counts as a vector.
    keepdims : bool
        Leaves the axes there, with extent 1.

    Returns
    -------
    ndarray
        The norms, with a gradient but for 2, -2 and "nuc" of matrices, which come of singular
        values. That of the 2-norm of zeros is zero.

    Examples
    --------
    >>> mp.linalg.norm(mp.array([3.0, 4.0])).item()
    5.0
    >>> mp.linalg.norm(mp.array([[3.0, 4.0], [0.0, 1.0]]), ord=1, axis=1)
    array([7., 1.])
    """
    x = asarray(x)
    if axis is None:
        if ord is None or (x.ndim == 1 and ord == 2) or (x.ndim == 2 and ord == "fro"):
            return _vector(x, 2, tuple(range(x.ndim)), keepdims)
        axes = tuple(range(x.ndim))
    else:
        listed = axis if isinstance(axis, Sequence) else (operator.index(axis),)
        axes = tuple(normal("norm", one, x.ndim) for one in listed)
    if len(axes) == 1:
        return _vector(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueError(f"norm: axes {axes}, one of vectors or two of matrices are wanted")
    return _matrix(x, "fro" if ord is None else ord, axes, keepdims)


def vector_norm(
    x: ArrayLike,
    /,
    *,
    axis: Axis = None,
    keepdims: bool = False,
    ord: Any = 2,
) -> ndarray:
    """The norm of vectors along one or several axes.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int or sequence of int, optional
        The axes, whose elements make one vector; by default all.
    keepdims : bool
        Leaves the axes there, with extent 1.
    ord : number
        As for `norm`.

    Returns
    -------
    ndarray
        The norms.

    Examples
    --------
    >>> mp.linalg.vector_norm(mp.array([[3.0], [4.0]])).item()
    5.0
    """
    x = asarray(x)
    if axis is None:
        axes = tuple(range(x.ndim))
    else:
        listed = axis if isinstance(axis, Sequence) else (operator.index(axis),)
        axes = tuple(normal("vector_norm", one, x.ndim) for one in listed)
    return _vector(x, ord, axes, keepdims)


def matrix_norm(x: ArrayLike, /, *, keepdims: bool = False, ord: Any = "fro") -> ndarray:
    """The norm of the matrices in the last two axes.

    Parameters
    ----------
    x : array_like
        (..., m, n).
    keepdims : bool
        Leaves the axes there, with extent 1.
    ord : number or {"fro", "nuc"}
        As for `norm`.

    Returns
    -------
    ndarray
        (...).

    Examples
    --------
    >>> mp.linalg.matrix_norm(mp.array([[3.0, 0.0], [0.0, 4.0]])).item()
    5.0
    """
    x = asarray(x)
    if x.ndim < 2:
        raise ValueError(f"matrix_norm: the array has {x.ndim} dimensions, at least 2 are wanted")
    return _matrix(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


def _wide(x: ndarray) -> tuple[ndarray, np.dtype[Any]]:
    """x in a dtype whose squares do not overflow at once, and the dtype of the result."""
    x = _floating(x)
    return (x.astype(float32) if x.dtype.itemsize < 4 else x), x.dtype


def _vector(x: ndarray, ord: Any, axes: tuple[int, ...], keepdims: bool) -> ndarray:
    x, dtype = _wide(x)
    if isinstance(ord, str):
        raise ValueError(f"norm: ord is {ord!r}, which is not a norm of vectors")
    if ord == 2:
        y = _root(sum_(x * x, axes, keepdims=keepdims))
    elif ord == np.inf:
        y = max(absolute(x), axes, keepdims=keepdims)
    elif ord == -np.inf:
        y = min(absolute(x), axes, keepdims=keepdims)
    elif ord == 0:
        y = sum_((x != 0).astype(x.dtype), axes, keepdims=keepdims)
    elif ord == 1:
        y = sum_(absolute(x), axes, keepdims=keepdims)
    else:
        y = sum_(absolute(x) ** ord, axes, keepdims=keepdims) ** (1.0 / ord)
    return y.astype(dtype, copy=False)


def _root(squares: ndarray) -> ndarray:
    """The square root, whose gradient at 0 is 0."""
    if not squares.requires_grad:
        return sqrt(squares)
    zero = squares == 0
    return where(zero, 0.0, sqrt(where(zero, 1.0, squares)))


def _matrix(x: ndarray, ord: Any, axes: tuple[int, ...], keepdims: bool) -> ndarray:
    if ord == "fro":
        return _vector(x, 2, axes, keepdims)
    row, column = axes
    if ord in (1, -1, np.inf, -np.inf):
        x, dtype = _wide(x)
        along, over = (row, column) if abs(ord) == 1 else (column, row)
        extreme = max if ord > 0 else min
        y = extreme(sum_(absolute(x), along, keepdims=True), over, keepdims=True)
    elif ord in (2, -2, "nuc"):
        rest = [i for i in range(x.ndim) if i not in axes]
        dtype = _floating(x).dtype
        values = _numpy.fallback(np.linalg.svdvals, (_core.permute(x, [*rest, *axes]),), op="norm")
        y = sum_(values, -1) if ord == "nuc" else max(values, -1) if ord == 2 else min(values, -1)
        shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
        y = _core.reshape(y, shape)
    else:
        raise ValueError(f"norm: ord is {ord!r}, which is not a norm of matrices")
    if not keepdims:
        y = _core.reshape(y, [n for i, n in enumerate(y.shape) if i not in axes])
    return y.astype(dtype, copy=False)


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
    count = builtins.max(builtins.min(n + builtins.min(offset, 0), m - builtins.max(offset, 0)), 0)
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
    return sum_(diagonal(x, offset=offset), -1, dtype)


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
