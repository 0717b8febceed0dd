"""Learning-rate schedules, with PyTorch's names.

A schedule does not advance where a `GradScaler` has skipped every step of its optimizer since the
schedule's last step: the learning rate goes with the steps that were taken. Rates are computed
from the initial ones, not from those of the step before.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np

from .. import _core
from .optimizer import Optimizer

_ROWS = 1024  # of a table of rates, at first
_NOT_SAVED = ("optimizer", "_seen", "_place", "_epoch")

__all__ = ["CosineAnnealingLR", "LRScheduler", "LambdaLR", "LinearLR", "SequentialLR", "StepLR"]


class _Place:
    """How far a schedule is, where only the device knows which steps were taken."""

    def __init__(self, count: Any, seen: int, groups: int) -> None:
        self.device = str(count.device)
        self.most = 0  # it went on at most so often
        self.array = self._to_device([0.0, float(seen)])
        self.table = _core.empty((_ROWS, groups), "float64", self.device)

    def _to_device(self, values: list[float]) -> Any:
        array = _core.from_numpy(np.array(values))
        return array if self.device == "cpu" else array.to(self.device)

    def go_on(self, optimizer: Optimizer, count: Any, rates: list[float], sure: bool) -> None:
        """Sets the rates of the groups, on the device: these if the place moves."""
        self.most += 1
        rows, groups = self.table.shape
        if self.most == rows:
            more = _core.empty((rows, groups), "float64", self.device)
            self.table = _core.concatenate([self.table, more], 0)
        after = _core.optim_schedule(
            self.array, count, self.table, self.most, rates, self._before(optimizer), sure
        )
        for at, group in enumerate(optimizer.param_groups):
            group["lr"] = after[at]
        optimizer._rates = (after, [group["lr"] for group in optimizer.param_groups])

    def _before(self, optimizer: Optimizer) -> Any:
        """The rates of the groups until now, together."""
        lrs = [group["lr"] for group in optimizer.param_groups]
        together, parts = optimizer._rates
        if len(lrs) == len(parts) and all(map(is_, lrs, parts)):
            return together
        return self._to_device([float(lr) for lr in lrs])

    def read(self) -> tuple[int, int]:
        """How often it went on, and the count of steps that it then saw. Waits for the device."""
        moved, seen = self.array.tolist()
        return int(moved), int(seen)


class LRScheduler:
    """The base class of schedules. A subclass defines `get_lr`.

    Parameters
    ----------
    optimizer : Optimizer
        Its groups' "lr" is what is set; their "initial_lr" is what it is computed from.
    last_epoch : int
        How often `step` has been called in a run that goes on; -1 starts anew.

    Notes
    -----
    Where a `GradScaler` steps on a GPU, `step` does not wait to know whether the optimizer's step
    was skipped: the rates then are arrays of one element on the GPU, which picks them itself.
    Reading a rate or `last_epoch` waits.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{type(self).__name__}: a {type(optimizer).__name__} is not an Optimizer"
            )
        self.optimizer = optimizer
        optimizer._scheduled = True
        for at, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"{type(self).__name__}: group {at} has no 'initial_lr'")
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self._place: _Place | None = None
        self._epoch = last_epoch + 1
        self._seen = optimizer._counts()
        self._last_lr: list[float] = []
        self._set_rates()

    @property
    def last_epoch(self) -> int:
        """How often the schedule went on. Waits for the device."""
        self._settle()
        return self._epoch

    @last_epoch.setter
    def last_epoch(self, epoch: int) -> None:
        self._settle()
        self._epoch = epoch

    def get_lr(self) -> list[float]:
        """The rates of the groups after `self.last_epoch` steps."""
        raise NotImplementedError(f"{type(self).__name__}: get_lr is not defined")

    def get_last_lr(self) -> list[float]:
        """The rates that were set last. Waits for the device."""
        self._settle()
        return list(self._last_lr)

    def step(self) -> None:
        """Goes to the next rate, unless all that the optimizer did since was skipped."""
        count = self.optimizer._counted_on()
        if count is not None:
            self._step_on_device(count)
        elif not self._skipped():
            self.last_epoch += 1
            self._set_rates()

    def _skipped(self) -> bool:
        self._settle()
        before, self._seen = self._seen, self.optimizer._counts()
        return self._seen[0] > before[0] and self._seen[1] == before[1]

    def _step_on_device(self, count: Any) -> None:
        groups, (scaled, taken) = len(self.optimizer.param_groups), self._seen
        if self._place is None:
            self._place = _Place(count, taken - self.optimizer._taken, groups)
        rates = self._rates_at(self._epoch + self._place.most + 1)
        now = self.optimizer._scaled_steps
        self._place.go_on(self.optimizer, count, rates, sure=now == scaled)
        self._seen = now, taken

    def _settle(self) -> None:
        """Learns from the device how far it is."""
        if self._place is None:
            return
        moved, seen = self._place.read()
        self._place = None
        self._epoch += moved
        self._seen = self._seen[0], self.optimizer._taken + seen
        self._last_lr = self._rates_at(self._epoch)

    def _rates_at(self, epoch: int) -> list[float]:
        place, before = self._place, self._epoch
        self._place, self._epoch = None, epoch
        try:
            return [float(rate) for rate in self.get_lr()]
        finally:
            self._place, self._epoch = place, before

    def _set_rates(self) -> None:
        self._last_lr = [float(rate) for rate in self.get_lr()]
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs, without the optimizer."""
        state = {"last_epoch": self.last_epoch}
        return state | {k: v for k, v in self.__dict__.items() if k not in _NOT_SAVED}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a state_dict of the same class."""
        state = dict(state_dict)
        self.last_epoch = state.pop("last_epoch")
        self.__dict__.update(state)

    def __getstate__(self) -> dict[str, Any]:
        self._settle()
        return self.__dict__.copy()


class LambdaLR(LRScheduler):
    """The initial rate times a function of the number of steps, or of one function per group."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        n = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * n if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != n:
            raise ValueError(f"LambdaLR: {len(self.lr_lambdas)} functions for {n} groups")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base * factor(self.last_epoch) for base, factor in pairs]

    def state_dict(self) -> dict[str, Any]:
        """Functions are left out; objects that can be called are saved by their attributes."""
        state = super().state_dict()
        state["lr_lambdas"] = [
            vars(f).copy() if hasattr(f, "__dict__") and not hasattr(f, "__code__") else None
            for f in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        state = dict(state_dict)
        for function, saved in zip(self.lr_lambdas, state.pop("lr_lambdas"), strict=True):
            if saved is not None:
                vars(function).update(saved)
        super().load_state_dict(state)


class StepLR(LRScheduler):
    """The rate times `gamma` every `step_size` steps."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: step_size is {step_size}, must be >= 1")
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        factor = self.gamma ** (self.last_epoch // self.step_size)
        return [base * factor for base in self.base_lrs]


class LinearLR(LRScheduler):
    """Warm-up: the rate times a factor that goes in a line from the first to the second."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: start_factor is {start_factor:g}, must be > 0 and <= 1")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor is {end_factor:g}, must be >= 0 and <= 1")
        if total_iters < 1:
            raise ValueError(f"LinearLR: total_iters is {total_iters}, must be >= 1")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        way = min(self.last_epoch, self.total_iters) / self.total_iters
        factor = self.start_factor + (self.end_factor - self.start_factor) * way
        return [base * factor for base in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial rate down to `eta_min` in `T_max` steps, and back up."""

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max is {T_max}, must be >= 1")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]


class SequentialLR(LRScheduler):
    """One schedule after the other: the next begins, at its own start, at each milestone."""

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedules and {len(milestones)} milestones, must "
                "be one milestone fewer"
            )
        if any(schedule.optimizer is not optimizer for schedule in schedulers):
            raise ValueError("SequentialLR: the schedules are of different optimizers")
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        at = bisect.bisect_right(self._milestones, self.last_epoch)
        schedule = self._schedulers[at]
        schedule.last_epoch = self.last_epoch - (self._milestones[at - 1] if at else 0)
        schedule._last_lr = [float(rate) for rate in schedule.get_lr()]
        return schedule._last_lr

    def state_dict(self) -> dict[str, Any]:
        """The states of the schedules are inside, under "_schedulers"."""
        state = super().state_dict()
        state["_schedulers"] = [schedule.state_dict() for schedule in self._schedulers]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        state = dict(state_dict)
        for schedule, saved in zip(self._schedulers, state.pop("_schedulers"), strict=True):
            schedule.load_state_dict(saved)
        super().load_state_dict(state)
