"""Activations as modules. The functions of the same names say what they compute."""

from __future__ import annotations

from .._core import ndarray
from . import functional as F
from .module import Module

__all__ = [
    "GELU",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class ReLU(Module):
    """max(x, 0). `inplace` is accepted for PyTorch's sake.

    Examples
    --------
    >>> nn.ReLU()(mp.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: ndarray) -> ndarray:
        """Applies the function."""
        return F.relu(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """x where it is positive, and x times `negative_slope` elsewhere.

    Examples
    --------
    >>> nn.LeakyReLU(0.5)(mp.array([-1.0, 2.0]))
    array([-0.5,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: ndarray) -> ndarray:
        """Applies the function."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class GELU(Module):
    """The Gaussian error linear unit, exact or by tanh (``approximate="tanh"``).

    Examples
    --------
    >>> nn.GELU()(mp.array([0.0])).item()
    0.0
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: ndarray) -> ndarray:
        """Applies the function."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x * sigmoid(x). `inplace` is accepted for PyTorch's sake.

    Examples
    --------
    >>> nn.SiLU()(mp.array([0.0])).item()
    0.0
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: ndarray) -> ndarray:
        """Applies the function."""
        return F.silu(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Tanh(Module):
    """The hyperbolic tangent.

    Examples
    --------
    >>> nn.Tanh()(mp.array([0.0])).item()
    0.0
    """

    def forward(self, input: ndarray) -> ndarray:
        """Applies the function."""
        return F.tanh(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    Examples
    --------
    >>> nn.Sigmoid()(mp.array([0.0])).item()
    0.5
    """

    def forward(self, input: ndarray) -> ndarray:
        """Applies the function."""
        return F.sigmoid(input)


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta, and x where beta * x is above `threshold`.

    Examples
    --------
    >>> nn.Softplus()(mp.array([30.0])).item()
    30.0
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = float(beta)
        self.threshold = float(threshold)

    def forward(self, input: ndarray) -> ndarray:
        """Applies the function."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    """Probabilities along the dimension `dim`.

    Examples
    --------
    >>> nn.Softmax(dim=-1)(mp.array([1.0, 1.0]))
    array([0.5, 0.5])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: ndarray) -> ndarray:
        """Applies the function."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """Log-probabilities along the dimension `dim`.

    Examples
    --------
    >>> nn.LogSoftmax(dim=-1)(mp.array([5.0])).item()
    0.0
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: ndarray) -> ndarray:
        """Applies the function."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
