"""Losses as modules. The functions of `nn.functional` say what they compute."""

from __future__ import annotations

from .._core import ndarray
from .._typing import ArrayLike
from . import functional as F
from .module import Module

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module):
    """A loss with a reduction: "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            name = type(self).__name__
            raise ValueError(f"{name}: reduction is {reduction!r}, must be 'mean', 'sum' or 'none'")
        self.reduction = reduction


class CrossEntropyLoss(_Loss):
    """Minus the log-probability that softmax gives to the right classes.

    Parameters are those of `nn.functional.cross_entropy`; `weight` is kept as a buffer.

    Examples
    --------
    >>> nn.CrossEntropyLoss()(mp.zeros((1, 2)), mp.array([1])).item()
    0.69314...
    """

    weight: ndarray | None

    def __init__(
        self,
        weight: ndarray | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: ndarray, target: ArrayLike) -> ndarray:
        """Computes the loss."""
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Loss):
    """Minus the log-probabilities at the right classes.

    Parameters are those of `nn.functional.nll_loss`; `weight` is kept as a buffer.

    Examples
    --------
    >>> nn.NLLLoss()(mp.array([[-1.0, -2.0]]), mp.array([1])).item()
    2.0
    """

    weight: ndarray | None

    def __init__(
        self, weight: ndarray | None = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: ndarray, target: ArrayLike) -> ndarray:
        """Computes the loss."""
        return F.nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class MSELoss(_Loss):
    """(input - target)**2.

    Examples
    --------
    >>> nn.MSELoss()(mp.array([3.0]), mp.array([1.0])).item()
    4.0
    """

    def forward(self, input: ndarray, target: ArrayLike) -> ndarray:
        """Computes the loss."""
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """abs(input - target).

    Examples
    --------
    >>> nn.L1Loss()(mp.array([3.0]), mp.array([1.0])).item()
    2.0
    """

    def forward(self, input: ndarray, target: ArrayLike) -> ndarray:
        """Computes the loss."""
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Squares of differences below `beta`, absolute values of larger ones.

    Examples
    --------
    >>> nn.SmoothL1Loss()(mp.array([4.0]), mp.array([0.0])).item()
    3.5
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: ndarray, target: ArrayLike) -> ndarray:
        """Computes the loss."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """Squares of differences up to `delta`, absolute values of larger ones.

    Examples
    --------
    >>> nn.HuberLoss()(mp.array([4.0]), mp.array([0.0])).item()
    3.5
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: ndarray, target: ArrayLike) -> ndarray:
        """Computes the loss."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class BCEWithLogitsLoss(_Loss):
    """Cross-entropy of independent yes-or-no questions.

    Parameters are those of `nn.functional.binary_cross_entropy_with_logits`; `weight` and
    `pos_weight` are kept as buffers.

    Examples
    --------
    >>> nn.BCEWithLogitsLoss()(mp.zeros(3), mp.ones(3)).item()
    0.69314...
    """

    weight: ndarray | None
    pos_weight: ndarray | None

    def __init__(
        self,
        weight: ndarray | None = None,
        *,
        reduction: str = "mean",
        pos_weight: ndarray | None = None,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: ndarray, target: ArrayLike) -> ndarray:
        """Computes the loss."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )
