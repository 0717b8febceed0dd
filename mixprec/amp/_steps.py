"""One optimizer's step under a scaler: where it is, how it is made, and its lazy result."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import _core
from ..optim._fused import FusedOptimizer


class Stage(enum.Enum):
    READY = 0
    UNSCALED = 1
    STEPPED = 2


class StepResult:
    """What came of a `GradScaler.step`. Reading a property waits for the device, making one never.

    It is true where the step was taken.
    """

    __slots__ = ("_name_of", "_scale", "_stats", "_values", "value")

    def __init__(
        self,
        stats: Any,
        scale: Any,
        name_of: Callable[[int], str],
        value: Any = None,
        known: list[float] | None = None,
    ) -> None:
        self._stats = stats if known is None else None
        self._values = known
        self._scale = scale
        self._name_of = name_of
        self.value = value  # what the step of an optimizer written in Python returned

    def _waiting(self) -> Any:
        """The array on a GPU that would have to be waited for, or None."""
        stats = self._stats
        return None if stats is None or str(stats.device) == "cpu" else stats

    def _read(self) -> list[float]:
        if self._values is None:
            self._values = [0.0, math.nan, 1.0, -1.0]
            if self._stats is not None:
                self._values = self._stats.tolist()
                self._stats = None
        return self._values

    @property
    def skipped(self) -> bool:
        """Whether the step was left out because of inf or NaN."""
        return self._read()[0] != 0

    @property
    def scale(self) -> float:
        """The loss scale at the step."""
        return float(self._scale)

    @property
    def norm(self) -> float:
        """The 2-norm of the unscaled gradients, before clipping. NaN where it was not measured."""
        return self._read()[1]

    @property
    def where(self) -> str | None:
        """The first parameter whose gradient held inf or NaN, if any."""
        index = int(self._read()[3])
        return None if index < 0 else self._name_of(index)

    def __bool__(self) -> bool:
        return not self.skipped

    def __repr__(self) -> str:
        where = f", where={self.where!r}" if self.skipped else ""
        return (
            f"StepResult(skipped={self.skipped}, scale={self.scale:g}, norm={self.norm:g}{where})"
        )


class PerOptimizer:
    """What one optimizer has been through since the last update()."""

    __slots__ = ("optimizer", "params", "scale", "stage", "stats")

    def __init__(self, optimizer: Any, params: list[Any]) -> None:
        self.optimizer = optimizer  # held, so that its id stays its own
        self.params = params
        self.stage = Stage.READY
        self.stats: Any = None
        self.scale: Any = None


def is_fused(optimizer: Any) -> bool:
    """Whether its step is the core's kernel, which unscales and skips by itself."""
    return (
        isinstance(optimizer, FusedOptimizer)
        and type(optimizer).step is FusedOptimizer.step
        and "step" not in vars(optimizer)
    )


def params_of(optimizer: Any) -> list[Any]:
    groups = getattr(optimizer, "param_groups", None)
    if groups is None:
        raise TypeError(
            f"GradScaler: a {type(optimizer).__name__} is not an optimizer: it has no param_groups"
        )
    params = [param for group in groups for param in group["params"]]
    for param in params:
        if not isinstance(param, _core.ndarray):
            raise TypeError(f"GradScaler: a parameter is a {type(param).__name__}, not an array")
    return params


def device_of(params: list[Any], default: str) -> str:
    return str(params[0].device) if params else default


def new_stats(params: list[Any]) -> Any:
    return _core.empty((4,), "float32", device_of(params, "cpu"))


def require_gradients(entry: PerOptimizer) -> None:
    for param in entry.params:
        if param.grad is not None:
            return
    raise RuntimeError(
        f"GradScaler.step: none of the {len(entry.params)} parameters has a gradient (no inf "
        "checks recorded): was backward called, and are these the parameters that the loss uses?"
    )


def namer(optimizer: Any) -> Callable[[int], str]:
    """Finds a parameter's name by its index in the optimizer, when asked."""

    def name_of(index: int) -> str:
        for at, group in enumerate(optimizer.param_groups):
            if index < len(group["params"]):
                names = group.get("param_names")
                if names:
                    return str(names[index])
                shape = tuple(group["params"][index].shape)
                return f"param_groups[{at}]['params'][{index}] of shape {shape}"
            index -= len(group["params"])
        return f"parameter {index}"

    return name_of


def step_in_python(entry: PerOptimizer, known: list[float], args: Any, kwargs: Any) -> Any:
    """The optimizer's own step, on gradients that are unscaled, clipped and finite, or none."""
    found, _, factor, _ = known
    if found:
        return None
    if factor != 1.0:
        for param in entry.params:
            if param.grad is not None:
                param.grad.detach().mul_(factor)
    return entry.optimizer.step(*args, **kwargs)


def diagnose(last_output: Any, entries: Iterable[PerOptimizer]) -> str:
    """What the last loss and the gradients that are still there tell about repeated skips."""
    loss = None if last_output is None else float(last_output)
    if loss is not None and not math.isfinite(loss):
        return (
            f"The scaled loss itself is {loss}: look for its cause in the forward pass, not in the "
            "scale."
        )
    for entry in entries:
        index = -1 if entry.stats is None else int(entry.stats.tolist()[3])
        if index < 0:
            continue
        name, grad = namer(entry.optimizer)(index), entry.params[index].grad
        if grad is None:
            return f"The loss is finite; the first bad gradient was that of {name}."
        values = np.asarray(grad.detach().cpu().numpy()).astype(np.float32)
        return (
            f"The loss is finite; the first bad gradient is that of {name}, with "
            f"{int(np.isnan(values).sum())} NaN and {int(np.isinf(values).sum())} inf of "
            f"{values.size}: they come from the backward pass, or were never cleared by "
            "zero_grad()."
        )
    return "No step without inf or NaN came in between."
