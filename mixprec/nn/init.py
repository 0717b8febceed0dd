"""Initialisers: they fill an array in place and return it. Names are those of `torch.nn.init`."""

from __future__ import annotations

import math

from .. import _core
from .._core import ndarray
from ..autograd import no_grad
from ..functional import clip
from ..random import normal, uniform

__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {
    "linear": 1.0,
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4.0,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which an activation wants the standard deviation of weights raised.

    Parameters
    ----------
    nonlinearity : str
        "linear", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
    param : float, optional
        The negative slope of leaky_relu, 0.01 by default.

    Returns
    -------
    float
        The gain.

    Examples
    --------
    >>> nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else float(param)
        return math.sqrt(2.0 / (1 + slope * slope))
    if nonlinearity not in _GAINS:
        names = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(
            f"calculate_gain: nonlinearity is {nonlinearity!r}, must be one of {names}"
        )
    return _GAINS[nonlinearity]


@no_grad()
def uniform_(tensor: ndarray, a: float = 0.0, b: float = 1.0) -> ndarray:
    """Fills an array with numbers from the uniform distribution over [a, b).

    Examples
    --------
    >>> w = nn.init.uniform_(mp.empty((2, 3)), -1, 1)
    >>> bool(w.min() >= -1 and w.max() < 1)
    True
    """
    return tensor.copy_(uniform(a, b, tensor.shape, device=tensor.device))


@no_grad()
def normal_(tensor: ndarray, mean: float = 0.0, std: float = 1.0) -> ndarray:
    """Fills an array with numbers from a normal distribution.

    Examples
    --------
    >>> nn.init.normal_(mp.empty((2, 3)), std=0.02).shape
    (2, 3)
    """
    return tensor.copy_(normal(mean, std, tensor.shape, device=tensor.device))


@no_grad()
def trunc_normal_(
    tensor: ndarray, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> ndarray:
    """Fills an array from a normal distribution of which only what lies in [a, b] is left.

    Parameters
    ----------
    tensor : ndarray
        The array.
    mean, std : float
        Of the distribution before it is cut.
    a, b : float
        The bounds, as values (not in standard deviations).

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    ValueError
        If there is nothing between the bounds.

    Notes
    -----
    By rejection: numbers that fall outside are drawn again.

    Examples
    --------
    >>> w = nn.init.trunc_normal_(mp.empty(1000), std=1.0, a=-0.5, b=0.5)
    >>> bool(w.min() >= -0.5 and w.max() <= 0.5)
    True
    """
    if not (a < b and std > 0):
        raise ValueError(f"trunc_normal_: a is {a:g}, b is {b:g}, std is {std:g}: a < b, std > 0")
    low, high = (a - mean) / std, (b - mean) / std
    values, good = _truncated(tensor, low, high)
    while not good.all():
        more, accepted = _truncated(tensor, low, high)
        values, good = _core.where(good, values, more), _core.maximum(good, accepted)
    return tensor.copy_(clip(values.mul_(std).add_(mean), a, b))


def _truncated(like: ndarray, low: float, high: float) -> tuple[ndarray, ndarray]:
    """Draws of the standard normal distribution, and which of them to accept as cut to bounds."""
    share = 0.5 * (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)))
    if share > 0.25:
        values = normal(size=like.shape, device=like.device)
        inside = _core.mul(_core.greater_equal(values, low), _core.less_equal(values, high))
        return values, inside
    # Far out few normal draws would be inside: uniform ones, accepted by their density.
    values = uniform(low, high, like.shape, device=like.device)
    peak = min(max(low, 0.0), high)
    density = _core.exp(_core.mul(_core.sub(peak * peak, _core.mul(values, values)), 0.5))
    return values, _core.less(uniform(size=like.shape, device=like.device), density)


@no_grad()
def constant_(tensor: ndarray, val: float) -> ndarray:
    """Fills an array with one value.

    Examples
    --------
    >>> nn.init.constant_(mp.empty(2), 3.0)
    array([3., 3.])
    """
    return tensor.fill_(val)


def zeros_(tensor: ndarray) -> ndarray:
    """Fills an array with zeros.

    Examples
    --------
    >>> nn.init.zeros_(mp.empty(2))
    array([0., 0.])
    """
    return constant_(tensor, 0.0)


def ones_(tensor: ndarray) -> ndarray:
    """Fills an array with ones.

    Examples
    --------
    >>> nn.init.ones_(mp.empty(2))
    array([1., 1.])
    """
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: ndarray, gain: float = 1.0) -> ndarray:
    """Glorot's uniform initialisation.

    Parameters
    ----------
    tensor : ndarray
        Weights, (outputs, inputs, ...).
    gain : float
        See `calculate_gain`.

    Returns
    -------
    ndarray
        The array.

    Notes
    -----
    Over [-b, b), with ``b = gain * sqrt(6 / (fan_in + fan_out))``.

    Examples
    --------
    >>> bool(nn.init.xavier_uniform_(mp.empty((3, 3))).max() <= 1)
    True
    """
    fan_in, fan_out = _fans("xavier_uniform_", tensor)
    bound = gain * math.sqrt(6.0 / max(fan_in + fan_out, 1))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: ndarray, gain: float = 1.0) -> ndarray:
    """Glorot's normal initialisation: std is ``gain * sqrt(2 / (fan_in + fan_out))``.

    Parameters are those of `xavier_uniform_`.

    Examples
    --------
    >>> nn.init.xavier_normal_(mp.empty((3, 3))).shape
    (3, 3)
    """
    fan_in, fan_out = _fans("xavier_normal_", tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / max(fan_in + fan_out, 1)))


def kaiming_uniform_(
    tensor: ndarray, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> ndarray:
    """He's uniform initialisation.

    Parameters
    ----------
    tensor : ndarray
        Weights, (outputs, inputs, ...).
    a : float
        The negative slope of leaky_relu.
    mode : {"fan_in", "fan_out"}
        Whether to preserve the variance of the forward or of the backward pass.
    nonlinearity : str
        The activation that follows; see `calculate_gain`.

    Returns
    -------
    ndarray
        The array.

    Notes
    -----
    Over [-b, b), with ``b = gain * sqrt(3 / fan)``.

    Examples
    --------
    >>> bool(nn.init.kaiming_uniform_(mp.empty((3, 6))).max() <= 1)
    True
    """
    bound = _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity) * math.sqrt(3.0)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: ndarray, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> ndarray:
    """He's normal initialisation: std is ``gain / sqrt(fan)``.

    Parameters are those of `kaiming_uniform_`.

    Examples
    --------
    >>> nn.init.kaiming_normal_(mp.empty((3, 6)), nonlinearity="relu").shape
    (3, 6)
    """
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity))


def _kaiming_std(op: str, tensor: ndarray, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{op}: mode is {mode!r}, must be 'fan_in' or 'fan_out'")
    fan = _fans(op, tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def _fans(op: str, tensor: ndarray) -> tuple[int, int]:
    """How many inputs each output has, and how many outputs each input."""
    if tensor.ndim < 2:
        raise ValueError(f"{op}: the array has {tensor.ndim} dimensions, at least 2 are needed")
    outputs, inputs, *rest = tensor.shape
    field = math.prod(rest)
    return inputs * field, outputs * field
