"""Adam, and AdamW, whose weight decay does not pass through the moments."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ._fused import FusedOptimizer, rate_of
from .optimizer import check_range

__all__ = ["Adam", "AdamW"]


class Adam(FusedOptimizer):
    """Adam.

    Moments and arithmetic are float32 (float64 for float64 parameters); 16-bit parameters have
    float32 masters.

    Parameters
    ----------
    params : iterable
        Arrays, (name, array) pairs, or dicts of groups.
    lr : float
        The learning rate.
    betas : (float, float)
        How much of the old moments stays in each step.
    eps : float
        Added to the root of the second moment. Must not be 0 in the dtype of the arithmetic
        unless it is 0.
    weight_decay : float
        Times the parameter, is added to the gradient (in AdamW: times lr, is taken off it).
    maximize : bool
        Goes up instead of down.
    amsgrad : bool
        Not there: True is a NotImplementedError.
    foreach, capturable, fused
        Accepted for PyTorch's sake: every step is one kernel.

    Examples
    --------
    >>> opt = optim.Adam(model.parameters(), lr=1e-3)
    """

    _decoupled = False
    _weight_decay = 0.0

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float | None = None,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": self._weight_decay if weight_decay is None else weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        name = type(self).__name__
        if group["amsgrad"]:
            raise NotImplementedError(f"{name}: amsgrad is not there")
        check_range(name, "lr", group["lr"])
        check_range(name, "weight_decay", group["weight_decay"])
        if not isinstance(group["betas"], (tuple, list)) or len(group["betas"]) != 2:
            raise ValueError(f"{name}: betas is {group['betas']!r}, must be two numbers")
        for i, beta in enumerate(group["betas"]):
            check_range(name, f"betas[{i}]", beta, below=1.0)
        eps = check_range(name, "eps", group["eps"])
        computed: type[np.floating[Any]] = np.float64
        if any(param.dtype != np.float64 for param in group["params"]):
            computed = np.float32
        if eps != 0 and computed(eps) == 0:
            raise ValueError(f"{name}: eps is {eps:g}, which is 0 in {computed.__name__}")

    def _moments(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _state_keys(self, state: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _launch(
        self,
        group: dict[str, Any],
        params: list[Any],
        moments: list[list[Any]],
        masters: list[Any] | None,
        steps: list[Any],
        stats: Any,
        scale: Any,
    ) -> None:
        beta1, beta2 = group["betas"]
        _core.optim_adam(
            params,
            moments[0],
            moments[1],
            masters,
            steps,
            stats,
            scale,
            rate_of(group),
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            self._decoupled,
            group["maximize"],
        )


class AdamW(Adam):
    """Adam with decoupled weight decay, 0.01 by default. Parameters are those of Adam.

    Examples
    --------
    >>> opt = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    """

    _decoupled = True
    _weight_decay = 1e-2
