"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Any

from .. import _core
from ._fused import FusedOptimizer, rate_of
from .optimizer import check_range

__all__ = ["SGD"]


class SGD(FusedOptimizer):
    """Stochastic gradient descent, with PyTorch's momentum.

    Parameters
    ----------
    params : iterable
        Arrays, (name, array) pairs, or dicts of groups.
    lr : float
        The learning rate.
    momentum, dampening : float
        The buffer is momentum * buffer + (1 - dampening) * gradient; at first, the gradient.
    weight_decay : float
        Times the parameter, is added to the gradient.
    nesterov : bool
        Steps by gradient + momentum * buffer.
    maximize : bool
        Goes up instead of down.
    foreach, fused
        Accepted for PyTorch's sake: every step is one kernel.

    Examples
    --------
    >>> opt = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        for name in ("lr", "momentum", "weight_decay"):
            check_range("SGD", name, group[name])
        check_range("SGD", "dampening", group["dampening"], low=-float("inf"))
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(
                f"SGD: nesterov needs momentum > 0 and dampening 0, they are {group['momentum']:g} "
                f"and {group['dampening']:g}"
            )

    def _moments(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _state_keys(self, state: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if "momentum_buffer" in state else ()

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
        _core.optim_sgd(
            params,
            moments[0] if moments else None,
            masters,
            steps,
            stats,
            scale,
            rate_of(group),
            group["momentum"],
            group["dampening"],
            group["weight_decay"],
            group["nesterov"],
            group["maximize"],
        )
