"""Gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .. import _core
from .._core import ndarray
from .._device import move
from .._dtypes import float32, float64
from ..autograd import no_grad

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


@no_grad()
def clip_grad_norm_(
    parameters: ndarray | Iterable[ndarray],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> ndarray:
    """Scales gradients down, in place, so that their norm, all together, is at most `max_norm`.

    Gradients that a GradScaler has scaled are clipped as they are, scaled; after
    ``scaler.unscale_(optimizer)`` they are the true ones. ``scaler.step(opt, max_norm=...)`` does
    all of it in the optimizer's own pass. Where the norm is inf or NaN nothing is scaled (PyTorch
    makes zeros and NaN of all), so that it shows which gradient was bad.

    Parameters
    ----------
    parameters : ndarray or iterable of ndarray
        Those without a gradient are left out.
    max_norm : float
        The largest norm.
    norm_type : float
        Which norm: 2, another p, or inf.
    error_if_nonfinite : bool
        Raises where the norm is inf or NaN; this waits for the device.
    foreach : bool, optional
        Accepted for PyTorch's sake.

    Returns
    -------
    ndarray
        The norm before clipping: float32 (float64 for float64 gradients), of shape ().

    Raises
    ------
    RuntimeError
        If the norm is not finite and `error_if_nonfinite` is true.

    Examples
    --------
    >>> w = nn.Parameter(mp.zeros(2))
    >>> w.grad = mp.array([3.0, 4.0])
    >>> nn.utils.clip_grad_norm_(w, 1.0).item()
    5.0
    """
    grads = _gradients(parameters)
    max_norm, norm_type = float(max_norm), float(norm_type)
    if not norm_type > 0:
        raise ValueError(f"clip_grad_norm_: norm_type is {norm_type:g}, must be > 0")
    if math.isnan(max_norm) or max_norm < 0:
        raise ValueError(f"clip_grad_norm_: max_norm is {max_norm:g}, must be >= 0")
    if not grads:
        return _core.full((), float32, None, 0.0)
    home = grads[0].device
    norms = [move(_norm(grad, norm_type), home) for grad in grads]
    flat = [_core.reshape(norm, (1,)) for norm in norms]
    total = _norm(_core.concatenate(flat, 0), norm_type) if len(flat) > 1 else norms[0]
    if error_if_nonfinite and not math.isfinite(float(total)):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of {len(grads)} gradients is {float(total)}, so they "
            "cannot be clipped"
        )
    factor = _core.minimum(_core.div(max_norm, _core.add(total, 1e-6)), 1.0)
    factor = _core.where(_core.less(total, math.inf), factor, 1.0)
    for grad in grads:
        grad.mul_(move(factor, grad.device))
    return total


def _norm(x: ndarray, p: float) -> ndarray:
    """The p-norm of all elements, in float32 or float64."""
    wide = x.astype(float64 if x.dtype == float64 else float32, copy=False)
    if p == 2.0:
        return _core.sqrt(_core.sum(_core.mul(wide, wide), None, False, None))
    size = _core.abs(wide)
    if p == math.inf:
        return _core.max(size, None, False) if x.size else _core.sum(size, None, False, None)
    return _core.pow(_core.sum(_core.pow(size, p), None, False, None), 1.0 / p)


@no_grad()
def clip_grad_value_(
    parameters: ndarray | Iterable[ndarray], clip_value: float, foreach: bool | None = None
) -> None:
    """Holds every element of the gradients, in place, between -clip_value and clip_value.

    Parameters
    ----------
    parameters : ndarray or iterable of ndarray
        Those without a gradient are left out.
    clip_value : float
        The largest absolute value.
    foreach : bool, optional
        Accepted for PyTorch's sake.

    Examples
    --------
    >>> w = nn.Parameter(mp.zeros(2))
    >>> w.grad = mp.array([3.0, -0.5])
    >>> nn.utils.clip_grad_value_(w, 1.0)
    >>> w.grad
    array([ 1. , -0.5])
    """
    clip_value = float(clip_value)
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: clip_value is {clip_value:g}, must be >= 0")
    for grad in _gradients(parameters):
        _core.call_into("minimum", grad, (grad, clip_value), ())
        _core.call_into("maximum", grad, (grad, -clip_value), ())


def _gradients(parameters: ndarray | Iterable[ndarray]) -> list[ndarray]:
    given = [parameters] if isinstance(parameters, ndarray) else list(parameters)
    return [param.grad.detach() for param in given if param.grad is not None]
