"""Views whose elements overlap or repeat."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ..autograd import is_grad_enabled
from ..creation import array, asarray
from ..functional import broadcast_to, ravel, take
from ..functional._axis import normal

__all__ = ["as_strided", "broadcast_to", "sliding_window_view"]


def as_strided(
    x: ArrayLike,
    shape: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    subok: bool = False,
    writeable: bool = True,
    *,
    check_bounds: bool | None = None,
) -> ndarray:
    """A view of an array with a shape and strides of one's own.

    Parameters
    ----------
    x : array_like
        The array, which must be contiguous.
    shape : sequence of int, optional
        By default x's.
    strides : sequence of int, optional
        The bytes from an element to the next along each axis; by default x's own.
    subok : bool
        Accepted for NumPy's sake.
    writeable : bool
        False forbids to write.
    check_bounds : bool, optional
        Accepted for NumPy's sake: it is always checked.

    Returns
    -------
    ndarray
        The view. Its gradient is there unless elements overlap.

    Raises
    ------
    IndexError
        If an element lies outside of the array.
    ValueError
        If x is not contiguous, or a stride is no whole number of elements.

    Examples
    --------
    >>> x = mp.arange(4)
    >>> mp.lib.stride_tricks.as_strided(x, (2, 3), (8, 8)).tolist()
    [[0, 1, 2], [1, 2, 3]]
    """
    x = asarray(x)
    if not x.is_contiguous():
        raise ValueError(
            f"as_strided: the array of shape {x.shape} and strides {x.strides} is not contiguous"
        )
    extents = x.shape if shape is None else tuple(map(operator.index, shape))
    size = x.itemsize
    steps = x.strides if strides is None else tuple(strides)
    if len(steps) != len(extents):
        raise ValueError(f"as_strided: {len(steps)} strides for {len(extents)} axes")
    if any(step % size for step in steps):
        raise ValueError(f"as_strided: strides {steps} are not whole elements of {size} B")
    y = _core.as_strided(x, (*extents, *(step // size for step in steps), 0))
    return y if writeable else _core.expand(y, y.shape)


def sliding_window_view(
    x: ArrayLike,
    window_shape: int | Sequence[int],
    axis: int | Sequence[int] | None = None,
    *,
    subok: bool = False,
    writeable: bool = False,
) -> ndarray:
    """All windows of a shape that fit into an array.

    Parameters
    ----------
    x : array_like
        The array.
    window_shape : int or sequence of int
        The windows' extent along each of the axes.
    axis : int or sequence of int, optional
        The axes; by default all.
    subok : bool
        Accepted for NumPy's sake.
    writeable : bool
        True allows to write into the view.

    Returns
    -------
    ndarray
        x's axes, for the places of the windows, and then the axes of the windows. A view; a copy
        where x requires grad, so that the gradients of overlapping windows are summed.

    Raises
    ------
    ValueError
        If a window is larger than the array.

    Examples
    --------
    >>> mp.lib.stride_tricks.sliding_window_view(mp.arange(4), 3).tolist()
    [[0, 1, 2], [1, 2, 3]]
    """
    x = asarray(x)
    windows = _listed(window_shape)
    axes = [*range(x.ndim)] if axis is None else _listed(axis)
    if len(windows) != len(axes):
        raise ValueError(f"sliding_window_view: {len(windows)} extents for {len(axes)} axes")
    shape, steps = list(x.shape), [*_dense(x.shape)]
    strides = [*steps]
    for extent, one in zip(windows, axes, strict=True):
        at = normal("sliding_window_view", one, x.ndim)
        if extent < 0 or extent > shape[at]:
            raise ValueError(
                f"sliding_window_view: a window of {extent} does not fit in {shape[at]} elements "
                f"of axis {at}"
            )
        shape[at] -= extent - 1
        strides.append(steps[at])
    shape += windows
    if x.requires_grad and is_grad_enabled():
        places = np.zeros(shape, np.int64)
        for i, (n, step) in enumerate(zip(shape, strides, strict=True)):
            places += (np.arange(n) * step).reshape((-1, *(1,) * (len(shape) - i - 1)))
        return take(ravel(x), array(places, device=x.device))
    y = _core.as_strided(x, (*shape, *strides, 0))
    return y if writeable else _core.expand(y, y.shape)


def _listed(given: int | Sequence[int]) -> list[int]:
    return [operator.index(n) for n in (given if isinstance(given, Sequence) else (given,))]


def _dense(shape: tuple[int, ...]) -> list[int]:
    """The strides of an array in C order, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return strides[::-1]
