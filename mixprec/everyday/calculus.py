"""Convolutions, differences and integrals of sampled functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core, _numpy
from .._core import ndarray
from .._dtypes import FLOATING
from .._short import straight
from .._typing import ArrayLike
from ..autograd import Function
from ..creation import array, asarray
from ..functional import concatenate, sum
from ..functional._axis import normal

__all__ = ["convolve", "correlate", "gradient", "trapezoid", "trapz"]

# ---- convolution ----


class _Convolve(Function):
    """``y[i] = sum(a[i - k] * v[k] for k)``, of the lengths n >= m.

    All of it (n + m - 1 elements), or where the two overlap wholly (n - m + 1). Both gradients are
    convolutions of the other kind with one of the inputs reversed.
    """

    @staticmethod
    def forward(ctx: Any, a: ndarray, v: ndarray, full: bool) -> ndarray:
        ctx.save_for_backward(a, v)
        ctx.full = full
        if a.device == v.device == "cpu":
            result: ndarray = _numpy.fallback(np.convolve, (a, v, "full" if full else "valid"))
            return result
        m = v.size
        if full:
            a = _core.pad(a, (m - 1, m - 1), 0)
        windows = _core.as_strided(a, (a.size - m + 1, m, 1, 1, 0))
        return _core.matmul(windows, v[::-1], None)

    @staticmethod
    def backward(ctx: Any, g: ndarray) -> tuple[Any, ...]:
        a, v = ctx.saved_tensors
        need_a, need_v, _ = ctx.needs_input_grad
        if ctx.full:
            ga = _Convolve.apply(g, v[::-1], False) if need_a else None
            gv = _Convolve.apply(g, a[::-1], False) if need_v else None
        else:
            ga = _longer(g, v[::-1], True) if need_a else None
            gv = _Convolve.apply(a, g[::-1], False)[::-1] if need_v else None
        return ga, gv, None


def _longer(a: ndarray, v: ndarray, full: bool) -> ndarray:
    """The convolution, which does not depend on the order, with the longer array first."""
    if a.size < v.size:
        a, v = v, a
    result: ndarray = _Convolve.apply(a, v, full)
    return result


@straight(np.convolve)
def convolve(a: ArrayLike, v: ArrayLike, mode: str = "full") -> ndarray:
    """The convolution of two vectors.

    Parameters
    ----------
    a, v : array_like
        The vectors.
    mode : {"full", "same", "valid"}
        All of it, as much as the longer one has, or only where they overlap wholly.

    Returns
    -------
    ndarray
        ``y[i] = sum(a[i - k] * v[k] for k)``.

    Raises
    ------
    ValueError
        If one is empty or no vector.

    Examples
    --------
    >>> mp.convolve(mp.array([1.0, 2.0, 3.0]), [0.0, 1.0, 0.5])
    array([0. , 1. , 2.5, 4. , 1.5])
    """
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolve: mode is {mode!r}, full, same or valid is wanted")
    x, y = _vectors("convolve", a, v)
    if x.device == y.device == "cpu" and not (x.requires_grad or y.requires_grad):
        return _numpy.fallback(np.convolve, (x, y, mode))  # type: ignore[no-any-return]
    dtype = _core.promote(x.dtype, y.dtype)
    x, y = x.astype(dtype, copy=False), y.astype(dtype, copy=False)
    if mode == "valid":
        return _longer(x, y, False)
    full = _longer(x, y, True)
    if mode == "full":
        return full
    first = (min(x.size, y.size) - 1) // 2
    return full[first : first + max(x.size, y.size)]


def correlate(a: ArrayLike, v: ArrayLike, mode: str = "valid") -> ndarray:
    """The cross-correlation of two vectors.

    Parameters
    ----------
    a, v : array_like
        The vectors.
    mode : {"valid", "same", "full"}
        As for `convolve`.

    Returns
    -------
    ndarray
        ``y[i] = sum(a[i + k] * v[k] for k)``.

    Examples
    --------
    >>> mp.correlate(mp.array([1.0, 2.0, 3.0]), [0.0, 1.0, 0.5])
    array([3.5])
    """
    x, y = _vectors("correlate", a, v)
    if x.size < y.size:  # NumPy centres the shorter one before it turns the result around
        return convolve(y, x[::-1], mode)[::-1]
    return convolve(x, y[::-1], mode)


def _vectors(op: str, a: ArrayLike, v: ArrayLike) -> tuple[ndarray, ndarray]:
    x, y = asarray(a), asarray(v)
    for one in (x, y):
        if one.ndim > 1 or one.size == 0:
            raise ValueError(f"{op}: shapes {x.shape} and {y.shape}, two vectors are wanted")
    return _core.reshape(x, (x.size,)), _core.reshape(y, (y.size,))


# ---- differences and integrals ----


def gradient(
    f: ArrayLike, *varargs: Any, axis: int | Sequence[int] | None = None, edge_order: int = 1
) -> Any:
    """The slope of a sampled function along each axis, by central differences.

    Parameters
    ----------
    f : array_like
        The samples.
    *varargs : number or array_like
        The distance of samples, 1 by default, or their coordinates: for all axes, or for each.
    axis : int or sequence of int, optional
        The axes; by default all.
    edge_order : {1, 2}
        How exact the one-sided differences at the ends are.

    Returns
    -------
    ndarray or tuple of ndarray
        The slope along the axis, or along each of several.

    Raises
    ------
    ValueError
        If an axis has fewer than edge_order + 1 samples.

    Examples
    --------
    >>> mp.gradient(mp.array([1.0, 2.0, 4.0, 7.0]))
    array([1. , 1.5, 2.5, 3. ])
    """
    x = asarray(f)
    if x.dtype not in FLOATING:
        x = x.astype(_core.default_dtype())
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order is {edge_order}, 1 or 2 is wanted")
    given = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    axes = [normal("gradient", one, x.ndim) for one in given]
    if len(varargs) not in (0, 1, len(axes)) or (
        len(varargs) == 1 != len(axes) and np.ndim(varargs[0])
    ):
        raise TypeError(f"gradient: {len(varargs)} distances for {len(axes)} axes")
    steps = varargs or (1.0,)
    steps = steps * len(axes) if len(steps) < len(axes) else steps
    found = tuple(
        _slope(x, one, _step(step, x, one), edge_order)
        for one, step in zip(axes, steps, strict=True)
    )
    return found[0] if len(found) == 1 else found


def _step(step: Any, x: ndarray, axis: int) -> Any:
    """The distance of samples: a number, or the distances in float64 if they differ."""
    values = np.asarray(_numpy.plain("gradient", step))
    if values.ndim == 0:
        return step
    if values.ndim > 1 or values.size != x.shape[axis]:
        raise ValueError(
            f"gradient: coordinates of shape {values.shape} for {x.shape[axis]} samples"
        )
    steps = np.diff(values.astype(np.float64))
    return float(steps[0]) if (steps == steps[0]).all() else steps


def _slope(x: ndarray, axis: int, step: Any, order: int) -> ndarray:
    n = x.shape[axis]
    if n < order + 1:
        raise ValueError(f"gradient: axis {axis} has {n} samples, {order + 1} are wanted at least")

    def at(begin: int, end: int | None) -> ndarray:
        return x[(*(slice(None),) * axis, slice(begin, end))]

    def weight(value: Any) -> Any:
        """A number for a number; values per sample lie along the axis."""
        if np.ndim(value) == 0:
            return value
        made = array(value, x.dtype, device=x.device)
        return _core.reshape(made, (-1, *(1,) * (x.ndim - axis - 1)))

    uneven = np.ndim(step) > 0
    low, high = (float(step[0]), float(step[-1])) if uneven else (step, step)
    first, last = (at(1, 2) - at(0, 1)) / low, (at(-1, None) - at(-2, -1)) / high
    if order == 2:
        inward = (float(step[1]), float(step[-2])) if uneven else (step, step)
        first = _parabola(at(0, 1), at(1, 2), at(2, 3), low, inward[0])
        last = -_parabola(at(-1, None), at(-2, -1), at(-3, -2), high, inward[1])
    if not uneven:
        inner = (at(2, None) - at(0, -2)) / (2.0 * step)
    else:
        a, b = step[:-1], step[1:]
        inner = (
            weight(-b / (a * (a + b))) * at(0, -2)
            + weight((b - a) / (a * b)) * at(1, -1)
            + weight(a / (b * (a + b))) * at(2, None)
        )
    return concatenate([first, inner, last], axis)


def _parabola(x: ndarray, y: ndarray, z: ndarray, a: float, b: float) -> ndarray:
    """The slope at x of the parabola through x, y and z, which are a and then b apart."""
    return y * ((a + b) / (a * b)) - z * (a / (b * (a + b))) - x * ((2.0 * a + b) / (a * (a + b)))


def trapezoid(y: ArrayLike, x: ArrayLike | None = None, dx: float = 1.0, axis: int = -1) -> ndarray:
    """The integral of a sampled function, by trapezoids. Also spelled `trapz`.

    Parameters
    ----------
    y : array_like
        The samples.
    x : array_like, optional
        Their coordinates: a vector, or an array that broadcasts to y.
    dx : number
        Their distance, where x is not given.
    axis : int
        The axis.

    Returns
    -------
    ndarray
        y's shape without the axis.

    Examples
    --------
    >>> mp.trapezoid(mp.array([1.0, 2.0, 3.0]), dx=0.5).item()
    2.0
    """
    y = asarray(y)
    axis = normal("trapezoid", axis, y.ndim)
    before = (slice(None),) * axis
    d: Any = dx
    if x is not None:
        x = asarray(x)
        if x.ndim == 1:
            d = _core.reshape(x[1:] - x[:-1], (-1, *(1,) * (y.ndim - axis - 1)))
        else:
            d = x[(*before, slice(1, None))] - x[(*before, slice(None, -1))]
    pairs = y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]
    return sum(d * pairs / 2.0, axis)


trapz = trapezoid
