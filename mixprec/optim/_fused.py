"""`FusedOptimizer`: optimizers whose step is one kernel over all parameters of a group.

It keeps the lists that the kernel takes, makes them anew when a parameter changes its memory or
dtype, and gives 16-bit parameters float32 masters. The formulas are in csrc/cpu and csrc/cuda.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import is_
from typing import Any

import numpy as np

from .. import _core
from ..autograd import enable_grad, no_grad
from .optimizer import Optimizer

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class _Item:
    """One parameter's part in a kernel call."""

    __slots__ = ("master", "moments", "param", "step")

    def __init__(self, param: Any, state: dict[str, Any], moments: tuple[str, ...]) -> None:
        self.param = param
        self.moments = [state[key] for key in moments]
        self.master = state.get("master")
        self.step = state["step"]


class _Binding:
    """The lists of one group, good as long as its parameters are what they were."""

    def __init__(
        self, params: list[Any], moments: tuple[str, ...], items: list[_Item], waiting: list[Any]
    ) -> None:
        self.params = params
        self.moments = moments
        self.signature = _signature(params)
        self.waiting = waiting  # parameters that have had no gradient yet, and so have no state
        self.narrow = [item for item in items if item.master is not None]
        self.odd = [item for item in items if not item.param.is_contiguous()]
        dense = [item for item in items if item.param.is_contiguous()]
        self.dense = [item.param for item in dense]
        self.lists = [[item.moments[k] for item in dense] for k in range(len(moments))]
        self.masters = [item.master for item in dense] if self.narrow else None
        self.steps = [item.step for item in dense]

    def fits(self, params: list[Any], moments: tuple[str, ...]) -> bool:
        return (
            moments == self.moments
            and len(params) == len(self.params)
            and all(map(is_, params, self.params))
            and _signature(params) == self.signature
            and not any(param.grad is not None for param in self.waiting)
        )


def _signature(params: list[Any]) -> list[Any]:
    return [(p.data_ptr(), p.dtype, p.is_contiguous()) for p in params]


def rate_of(group: dict[str, Any]) -> Any:
    """A group's learning rate as the kernels take it: a number, or a float64 on the device."""
    rate, params = group["lr"], group["params"]
    if (
        isinstance(rate, _core.ndarray)
        and rate.dtype == _FLOAT64
        and rate.device == params[0].device
    ):
        return rate
    return float(rate)


class FusedOptimizer(Optimizer):
    """An optimizer that is one kernel call per group. Subclasses say which, and with what state."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        # by group, with the size that the state had
        self._bindings: dict[int, tuple[int, _Binding]] = {}
        # the versions of narrow parameters when their masters wrote them
        self._written: dict[Any, int] = {}
        super().__init__(params, defaults)

    # ---- what a subclass defines ----

    def _moments(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The keys of the state that are shaped like the parameter, in the kernel's order."""
        raise NotImplementedError

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
        """Calls the kernel."""
        raise NotImplementedError

    # ---- the step ----

    def step(self, closure: Any = None, *, grads: Iterable[Any] | None = None) -> Any:
        """Updates the parameters by their gradients.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss anew, calls backward and returns the loss, which then is the result.
        grads : iterable, optional
            A gradient for each parameter, None where there is none: arrays of any library that
            speaks DLPack, read where they lie. Without it, those in `.grad`.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if grads is not None or self._sources:
            self._take_grads(grads)
        self._apply(None, None)
        return loss

    def _apply(self, stats: Any, scale: Any) -> None:
        """One step. `stats` is what an unscale has found: where that is inf, nothing changes.

        With `scale` the gradients are still scaled, by what they record or else by it.
        """
        for at, group in enumerate(self.param_groups):
            binding = self._binding(at, group)
            self._follow_writes(binding.narrow)
            if binding.dense:
                self._launch(
                    group,
                    binding.dense,
                    binding.lists,
                    binding.masters,
                    binding.steps,
                    stats,
                    scale,
                )
            for item in binding.odd:
                self._step_odd(group, item, stats, scale)
            for item in binding.narrow:
                self._written[item.param] = item.param._version

    def _step_odd(self, group: dict[str, Any], item: _Item, stats: Any, scale: Any) -> None:
        """A parameter that is not contiguous: its contiguous copy is stepped and written back."""
        param = item.param
        if param.grad is None:
            return
        own = None if scale is None else _core.grad_scale(param)
        copy = param.detach().contiguous()
        _core.make_leaf(copy)
        copy.grad = param.grad.detach().contiguous()
        masters = None if item.master is None else [item.master]
        moments = [[moment] for moment in item.moments]
        used = scale if own is None else own
        self._launch(group, [copy], moments, masters, [item.step], stats, used)
        with no_grad():
            param.copy_(copy)
        if stats is not None or scale is not None:
            param.grad = copy.grad

    def _follow_writes(self, items: list[_Item]) -> None:
        """Masters take over what others wrote into their parameters since the last step."""
        for item in items:
            param, master = item.param, item.master
            seen = self._written.get(param) == param._version and id(param) not in self._sources
            if master is None or seen:
                continue
            with no_grad():
                same = _core.equal(master.astype(param.dtype), param)
                master.copy_(_core.where(same, master, param.detach().astype(_FLOAT32)))

    # ---- binding ----

    def _binding(self, at: int, group: dict[str, Any]) -> _Binding:
        params, moments = group["params"], self._moments(group)
        size, binding = self._bindings.get(at, (0, None))
        if binding is None or size != len(self.state) or not binding.fits(params, moments):
            binding = self._bind(list(params), moments)
            self._bindings[at] = (len(self.state), binding)
        return binding

    def _bind(self, params: list[Any], moments: tuple[str, ...]) -> _Binding:
        items: list[_Item] = []
        waiting: list[Any] = []
        for at, param in enumerate(params):
            if str(param.device) != str(params[0].device):
                raise ValueError(
                    f"{type(self).__name__}: parameter {at} is on {param.device}, the first of its "
                    f"group on {params[0].device}"
                )
            if param not in self.state and param.grad is None:
                waiting.append(param)
                continue
            state = self.state[param]
            self._fit_state(param, state, moments, at)
            items.append(_Item(param, state, moments))
        return _Binding(params, moments, items, waiting)

    def _fit_state(
        self, param: Any, state: dict[str, Any], moments: tuple[str, ...], index: Any
    ) -> None:
        """Makes what is missing of a parameter's state, and moves and casts what there is."""
        device, shape = str(param.device), tuple(param.shape)
        wide = _FLOAT64 if param.dtype == _FLOAT64 else _FLOAT32
        for key in moments:
            if key in state:
                state[key] = self._fitted(key, state[key], param, shape, wide, index)
            else:
                state[key] = _core.full(shape, wide, device, 0.0)
        if "step" in state:
            state["step"] = self._fitted("step", state["step"], param, (), _FLOAT32, index)
        else:
            state["step"] = _core.full((), _FLOAT32, device, 0.0)
        if param.dtype.itemsize >= 4:
            state.pop("master", None)
        elif "master" in state:
            state["master"] = self._fitted("master", state["master"], param, shape, _FLOAT32, index)
        else:
            state["master"] = param.detach().astype(_FLOAT32).contiguous()

    def _fitted(
        self, key: str, array: Any, param: Any, shape: tuple[int, ...], dtype: Any, index: Any
    ) -> Any:
        """A state array as the kernel takes it: contiguous, of `dtype`, beside the parameter."""
        if not isinstance(array, _core.ndarray):
            raise TypeError(
                f"{type(self).__name__}: {key} of parameter {index} is a {type(array).__name__}, "
                "not an array"
            )
        if tuple(array.shape) != shape:
            raise ValueError(
                f"{type(self).__name__}: {key} of parameter {index} has shape "
                f"{tuple(array.shape)}, must be {shape}"
            )
        if str(array.device) != str(param.device):
            array = array.to(param.device)
        return array.astype(dtype, copy=False).contiguous()

    # ---- saving ----

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        self._bindings.clear()
        self._written.clear()

    def _loaded_state(self, param: Any, state: dict[str, Any], index: Any) -> dict[str, Any]:
        state = {key: value for key, value in state.items() if value is not None}
        step = state.get("step")
        if step is None:  # PyTorch's SGD counts no steps: a buffer tells that there was one
            state["step"] = step = float(bool(state))
        if not isinstance(step, _core.ndarray):
            state["step"] = _core.full((), _FLOAT32, str(param.device), float(step))
        elif step.size == 1:
            state["step"] = step.reshape(())
        self._fit_state(param, state, self._state_keys(state), index)
        return state

    def _state_keys(self, state: dict[str, Any]) -> tuple[str, ...]:
        """The moments that a loaded state must have."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_bindings": {}, "_written": {}}
