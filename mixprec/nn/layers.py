"""Layers with parameters, dropout, and those that only reshape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .._core import ndarray
from .._typing import ArrayLike, DTypeLike
from ..autograd import no_grad
from ..creation import array, empty, ones, zeros
from ..functional.shape import flat_view
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = [
    "Dropout",
    "Embedding",
    "Flatten",
    "Identity",
    "LayerNorm",
    "Linear",
    "RMSNorm",
]


class Identity(Module):
    """Its input. Arguments are ignored.

    Examples
    --------
    >>> nn.Identity()(mp.ones(1))
    array([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: ndarray) -> ndarray:
        """Returns the input."""
        return input


class Flatten(Module):
    """The input with its dimensions from `start_dim` to `end_dim` made one.

    Examples
    --------
    >>> nn.Flatten()(mp.ones((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: ndarray) -> ndarray:
        """Reshapes the input, without a copy where its strides allow it."""
        return flat_view(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Linear(Module):
    """x @ weight.T + bias.

    Parameters
    ----------
    in_features, out_features : int
        The extents of the last dimension of input and output.
    bias : bool
        Whether to add a bias.
    device : str, optional
        Where the parameters are.
    dtype : dtype, optional
        Of the parameters; by default the default dtype.

    Attributes
    ----------
    weight : Parameter
        (out_features, in_features); at first uniform over plus and minus 1 / sqrt(in_features).
    bias : Parameter or None
        (out_features,); likewise.

    Examples
    --------
    >>> nn.Linear(3, 2)(mp.ones((5, 3))).shape
    (5, 2)
    """

    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.in_features = _extent("Linear", "in_features", in_features)
        self.out_features = _extent("Linear", "out_features", out_features)
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(empty(shape, dtype, device=device))
        shift = Parameter(empty(self.out_features, dtype, device=device)) if bias else None
        self.register_parameter("bias", shift)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the parameters anew."""
        if self.in_features:
            init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: ndarray) -> ndarray:
        """Applies the layer."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """A table whose rows are looked up.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    padding_idx : int, optional
        A row that is 0 at first and gets no gradient; a negative number counts from the end.
    device : str, optional
        Where the table is.
    dtype : dtype, optional
        Of the table; by default the default dtype.

    Attributes
    ----------
    weight : Parameter
        The table, at first from the standard normal distribution.

    Examples
    --------
    >>> nn.Embedding(10, 4)(mp.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        device: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = _extent("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = _extent("Embedding", "embedding_dim", embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(
                    f"Embedding: padding_idx is {padding_idx}, there are {num_embeddings} rows"
                )
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        shape = (self.num_embeddings, self.embedding_dim)
        self.weight = Parameter(empty(shape, dtype, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].zero_()

    @classmethod
    def from_pretrained(
        cls, embeddings: ArrayLike, freeze: bool = True, padding_idx: int | None = None
    ) -> Embedding:
        """An Embedding with a given table, which is trained unless `freeze` is true."""
        table = array(embeddings)
        if table.ndim != 2:
            raise ValueError(f"Embedding: the table has {table.ndim} dimensions, must have 2")
        rows, columns = table.shape
        layer = cls(rows, columns, padding_idx, table.device, table.dtype)
        layer.weight = Parameter(table, requires_grad=not freeze)
        return layer

    def forward(self, input: ndarray) -> ndarray:
        """Looks rows up."""
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class Dropout(Module):
    """In training, zeros with probability `p`, and the rest divided by 1 - p.

    Parameters
    ----------
    p : float
        The probability of a zero, from 0 to 1.
    inplace : bool
        Accepted for PyTorch's sake.

    Examples
    --------
    >>> nn.Dropout(0.5).eval()(mp.ones(2))
    array([1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"Dropout: p is {p}, must be from 0 to 1")
        self.p = p
        self.inplace = inplace

    def forward(self, input: ndarray) -> ndarray:
        """Drops elements in training."""
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class LayerNorm(Module):
    """Brings the last dimensions to mean 0 and variance 1, then scales and shifts them.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The extents of those dimensions.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Whether there are a weight and a bias.
    bias : bool
        Whether there is a bias beside the weight.
    device : str, optional
        Where the parameters are.
    dtype : dtype, optional
        Of the parameters; by default the default dtype. The result has the input's dtype: float32
        parameters serve float16 inputs.

    Examples
    --------
    >>> nn.LayerNorm(2, eps=0.0)(mp.array([[1.0, 3.0]])).tolist()
    [[-1.0, 1.0]]
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape
        weight = Parameter(ones(shape, dtype, device=device)) if elementwise_affine else None
        self.register_parameter("weight", weight)
        shift = elementwise_affine and bias
        self.register_parameter(
            "bias", Parameter(zeros(shape, dtype, device=device)) if shift else None
        )

    def reset_parameters(self) -> None:
        """Makes the weight 1 and the bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: ndarray) -> ndarray:
        """Applies the layer."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        text = f"{self.normalized_shape}, eps={self.eps}"
        return f"{text}, elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"


class RMSNorm(Module):
    """Divides the last dimensions by their root mean square, then scales them.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The extents of those dimensions.
    eps : float, optional
        Added to the mean square; by default the machine epsilon of float32.
    elementwise_affine : bool
        Whether there is a weight.
    device : str, optional
        Where the weight is.
    dtype : dtype, optional
        Of the weight; by default the default dtype. The result has the input's dtype.

    Examples
    --------
    >>> nn.RMSNorm(2, eps=0.0)(mp.array([[3.0, 3.0]])).tolist()
    [[1.0, 1.0]]
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape
        weight = Parameter(ones(shape, dtype, device=device)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def reset_parameters(self) -> None:
        """Makes the weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: ndarray) -> ndarray:
        """Applies the layer."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        text = f"{self.normalized_shape}, eps={self.eps}"
        return f"{text}, elementwise_affine={self.elementwise_affine}"


def _extent(layer: str, name: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{layer}: {name} is {value!r}, must be an integer")
    if value < 0:
        raise ValueError(f"{layer}: {name} is {value}, must be >= 0")
    return int(value.__index__())


def _shape(layer: str, given: Any) -> tuple[int, ...]:
    extents = (given,) if hasattr(given, "__index__") else tuple(given)
    return tuple(_extent(layer, "normalized_shape", extent) for extent in extents)
