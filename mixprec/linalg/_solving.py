"""Linear equations, inverses and determinants: NumPy's, with gradients of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import _core, _numpy
from .._core import ndarray
from .._dtypes import FLOATING
from .._short import straight
from .._typing import ArrayLike
from ..autograd import Function, is_grad_enabled
from ..creation import asarray
from ..functional import matmul, swapaxes

__all__ = [
    "SlogdetResult",
    "cholesky",
    "det",
    "inv",
    "slogdet",
    "solve",
]


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its size."""

    sign: ndarray
    logabsdet: ndarray


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


@straight(np.linalg.solve)
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
    a, b = floating(a), floating(b)
    if b.ndim == 1:
        return _run(_Solve, np.linalg.solve, a, _core.reshape(b, (b.size, 1)))[..., 0]  # type: ignore[no-any-return]
    return _run(_Solve, np.linalg.solve, a, b)  # type: ignore[no-any-return]


@straight(np.linalg.inv)
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
    return _run(_Inv, np.linalg.inv, floating(a))  # type: ignore[no-any-return]


@straight(np.linalg.det)
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
    return _run(_Det, np.linalg.det, floating(a))  # type: ignore[no-any-return]


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
    return SlogdetResult(*_slogdet(a))


@straight(np.linalg.slogdet)
def _slogdet(a: ArrayLike) -> Any:
    return _run(_Slogdet, np.linalg.slogdet, floating(a))


@straight(np.linalg.cholesky)
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
    x = floating(a)
    y: ndarray = _run(_Cholesky, np.linalg.cholesky, mT(x) if upper else x)
    return mT(y) if upper else y


def _run(rule: type[Function], func: Callable[..., Any], *arrays: ndarray) -> Any:
    """NumPy's function, recorded with its gradient rule where one may be asked for."""
    if is_grad_enabled() and any(x.requires_grad for x in arrays):
        return rule.apply(*arrays)
    return _numpy.fallback(func, arrays)


def floating(a: ArrayLike) -> ndarray:
    x = asarray(a)
    return x if x.dtype in FLOATING else x.astype(_core.default_dtype())


def mT(x: ndarray) -> ndarray:
    """x with its last two axes exchanged."""
    return swapaxes(x, -1, -2)
