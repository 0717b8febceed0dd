"""`Optimizer`: parameter groups, per-parameter state and state_dict, with PyTorch's keys.

The public base class. Its subclasses write `step` in Python; those whose step is one kernel over
all parameters derive from `_fused.FusedOptimizer`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import _core
from .._interchange import borrowed_gradient, borrowed_parameter, is_foreign

__all__ = ["Optimizer"]


class Optimizer:
    """The base class of optimizers.

    Parameters
    ----------
    params : iterable
        Arrays, (name, array) pairs, or dicts with the key "params" and hyper-parameters of their
        own. Arrays of PyTorch and CuPy are updated where they lie; their gradients are the `grads`
        of `step`, or what PyTorch's backward left in `.grad`.
    defaults : dict
        Hyper-parameters of groups that do not say otherwise.

    A subclass calls `super().__init__(params, defaults)` and defines `step`. Under a `GradScaler`
    it is called with unscaled gradients, and is not called where one is inf or NaN.

    Examples
    --------
    >>> class SignSGD(optim.Optimizer):
    ...     def __init__(self, params, lr=1e-3):
    ...         super().__init__(params, {"lr": lr})
    ...
    ...     @mp.no_grad()
    ...     def step(self, closure=None):
    ...         for group in self.param_groups:
    ...             for p in group["params"]:
    ...                 if p.grad is not None:
    ...                     p.sub_(mp.sign(p.grad) * group["lr"])
    """

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        name = type(self).__name__
        if isinstance(params, _core.ndarray) or is_foreign(params):
            raise TypeError(f"{name}: params is one array, must be an iterable of arrays or dicts")
        if isinstance(params, (set, frozenset, Mapping)):
            raise TypeError(f"{name}: params is a {type(params).__name__}, must have an order")
        self.defaults = dict(defaults)
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._sources: dict[int, Any] = {}  # arrays of other libraries, by the id of our view
        self._start_counting()
        groups = list(params)
        if not groups:
            raise ValueError(f"{name}: the parameter list is empty")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ---- groups ----

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a dict with "params" and hyper-parameters; what it does not name is the default."""
        name = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(f"{name}: a parameter group must be a dict with the key 'params'")
        params = param_group["params"]
        if isinstance(params, (set, frozenset)):
            raise TypeError(f"{name}: the params of a group are a set, must have an order")
        alone = isinstance(params, _core.ndarray) or is_foreign(params)
        given = [params] if alone else list(params)
        names, arrays = self._split_names(given)
        group = {**self.defaults, **param_group, "params": arrays}
        if names is not None:
            group["param_names"] = names
        named = "param_names" in group
        if self.param_groups and named != ("param_names" in self.param_groups[0]):
            raise ValueError(f"{name}: either all groups have named parameters, or none")
        taken = {self._identity(param) for param in self._params()}
        if any(self._identity(param) in taken for param in arrays):
            raise ValueError(f"{name}: a parameter is in more than one parameter group")
        self._check_group(group)
        self.param_groups.append(group)

    def _split_names(self, given: list[Any]) -> tuple[list[str] | None, list[Any]]:
        """Names, if they are given, and arrays, each once."""
        owner = type(self).__name__
        named = [isinstance(item, tuple) and len(item) == 2 for item in given]
        if any(named) and not all(named):
            raise ValueError(f"{owner}: either all parameters of a group are named, or none")
        names: list[str] = []
        arrays: list[Any] = []
        seen: set[int] = set()
        for at, item in enumerate(given):
            name, source = item if named[at] else (None, item)
            if id(source) in seen:
                continue
            seen.add(id(source))
            names.append(str(name))
            arrays.append(self._parameter(at, source))
        return (names if any(named) else None), arrays

    def _parameter(self, at: int, source: Any) -> Any:
        """What is given as a parameter, as a leaf of ours."""
        owner = type(self).__name__
        if is_foreign(source):
            array = borrowed_parameter(owner, at, source)
            self._sources[id(array)] = source
            return array
        if not isinstance(source, _core.ndarray):
            raise TypeError(
                f"{owner}: parameter {at} is a {type(source).__name__}, must be an array"
            )
        if not source.is_leaf:
            raise ValueError(
                f"{owner}: parameter {at} is the result of {source.grad_fn}, not a leaf"
            )
        return source

    def _identity(self, param: Any) -> int:
        """What tells parameters apart: of a borrowed one, the array that it was borrowed from."""
        return id(self._sources.get(id(param), param))

    def _check_group(self, group: dict[str, Any]) -> None:
        """Raises where a hyper-parameter cannot be. Subclasses add theirs."""

    # ---- training ----

    def step(self, closure: Any = None, *, grads: Iterable[Any] | None = None) -> Any:
        """Updates the parameters by their gradients.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss anew and calls backward.
        grads : iterable, optional
            A gradient for each parameter, None where there is none: arrays of any library that
            speaks DLPack, read where they lie. Without it, those in `.grad`.
        """
        raise NotImplementedError(f"{type(self).__name__}: step is not defined")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops the gradients, or fills them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                source: Any = self._sources.get(id(param))
                if getattr(source, "grad", None) is not None:
                    if set_to_none:
                        source.grad = None
                    else:
                        source.grad.zero_()
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad.detach().zero_()

    def _take_grads(self, grads: Iterable[Any] | None, use: str = "read") -> None:
        """Borrows gradients of other libraries: those given, or the .grad of borrowed parameters.

        `use` is what those given are for, see `borrowed_gradient`; what is in `.grad` a step may
        unscale where it lies, as PyTorch's own does.
        """
        params, owner = self._params(), type(self).__name__
        if grads is None:
            for at, param in enumerate(params):
                source: Any = self._sources.get(id(param))
                if not hasattr(source, "grad"):
                    continue
                grad = source.grad
                param.grad = (
                    grad if grad is None else borrowed_gradient(owner, at, param, grad, "write")
                )
            return
        given = list(grads)
        if len(given) != len(params):
            raise ValueError(f"{owner}: {len(given)} gradients for {len(params)} parameters")
        found = [
            grad if grad is None else borrowed_gradient(owner, at, param, grad, use)
            for at, (param, grad) in enumerate(zip(params, given, strict=True))
        ]
        for param, grad in zip(params, found, strict=True):
            param.grad = grad

    # ---- steps under a scaler, which schedulers ask about ----

    def _start_counting(self) -> None:
        self._scheduled = False  # nobody asks before there is a scheduler
        self._scaled_steps = 0
        self._taken = 0
        # steps taken beside those, counted on the device that they are done on
        self._unread: dict[str, Any] = {}
        # the groups' rates where a schedule has left them on a device: together, and each
        self._rates: tuple[Any, list[Any]] = (None, [])

    def _note_scaled_step(self, result: Any) -> None:
        """A GradScaler has stepped this optimizer; on a GPU it is read later whether it did."""
        if not self._scheduled:
            return
        self._scaled_steps += 1
        stats = result._waiting()
        if stats is None and not self._unread:
            self._taken += not result.skipped
            return
        if stats is None:
            next(iter(self._unread.values())).add_(float(not result.skipped))
            return
        device = str(stats.device)
        if device not in self._unread:
            self._unread[device] = _core.full((), "float64", device, 0.0)
        _core.optim_count(self._unread[device], stats)

    def _counts(self) -> tuple[int, int]:
        """Steps under a scaler so far, and how many were taken. Waits for the device."""
        unread = sum(int(count.item()) for count in self._unread.values())
        return self._scaled_steps, self._taken + unread

    def _counted_on(self) -> Any:
        """The count of steps taken, where one device keeps it and has all parameters."""
        if len(self._unread) != 1:
            return None
        ((device, count),) = self._unread.items()
        lists = [group["params"] for group in self.param_groups]
        return count if all(str(p[0].device) == device for p in lists if p) else None

    # ---- saving ----

    def _params(self) -> list[Any]:
        return [param for group in self.param_groups for param in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """{"state": {index: {key: array}}, "param_groups": [...]}, as PyTorch has it.

        The arrays are those of the optimizer, not copies.
        """
        index = {id(param): i for i, param in enumerate(self._params())}
        groups = [
            {**_plain(group), "params": [index[id(param)] for param in group["params"]]}
            for group in self.param_groups
        ]
        state = {
            index.get(id(key), key): dict(value)
            for key, value in self.state.items()
            if id(key) in index or not isinstance(key, _core.ndarray)
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a state_dict, copied; whole, or not at all where something does not fit."""
        groups = self._loaded_groups(state_dict["param_groups"])
        params = self._params()
        saved_order = [i for group in state_dict["param_groups"] for i in group["params"]]
        param_of = dict(zip(saved_order, params, strict=True))
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, values in state_dict["state"].items():
            param = param_of.get(key)
            if param is None:
                state[key] = values
                continue
            copied = {k: _copied(v, param) for k, v in values.items()}
            state[param] = self._loaded_state(param, copied, key)
        self.param_groups = groups
        self.state = state

    def _loaded_groups(self, saved: list[dict[str, Any]]) -> list[dict[str, Any]]:
        name = type(self).__name__
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"{name}.load_state_dict: {len(saved)} parameter groups, the optimizer has "
                f"{len(self.param_groups)}"
            )
        groups = []
        for at, (new, old) in enumerate(zip(saved, self.param_groups, strict=True)):
            if len(new["params"]) != len(old["params"]):
                raise ValueError(
                    f"{name}.load_state_dict: group {at} has {len(new['params'])} parameters, that "
                    f"of the optimizer {len(old['params'])}"
                )
            group = {**old, **new, "params": old["params"]}
            self._check_group(group)
            groups.append(group)
        return groups

    def _loaded_state(self, param: Any, state: dict[str, Any], index: Any) -> dict[str, Any]:
        """Checks the state of a parameter, already copied, and gives what is to be kept."""
        return state

    def __getstate__(self) -> dict[str, Any]:
        if self._sources:
            raise TypeError(
                f"{type(self).__name__}: {len(self._sources)} parameters belong to another "
                "library, so it cannot be pickled; save its state_dict()"
            )
        state = self.__dict__.copy()
        state["_taken"] = self._counts()[1]
        state |= {"_unread": {}, "_rates": (None, [])}
        state["param_groups"] = [_plain(group) for group in self.param_groups]
        return state

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for at, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {at}")
            plain = _plain(group)
            lines += [f"    {k}: {plain[k]}" for k in sorted(plain) if not k.startswith("param")]
        return "\n".join([*lines, ")"])


def _plain(group: dict[str, Any]) -> dict[str, Any]:
    """A group whose learning rate is a number: a schedule may have left it on a device."""
    rate = group.get("lr")
    return {**group, "lr": rate.item()} if isinstance(rate, _core.ndarray) else group


def _copied(value: Any, param: Any) -> Any:
    """A value of a loaded state: arrays, PyTorch's too, become copies beside `param`."""
    if isinstance(value, _core.ndarray):
        return _core.copy(value.detach().to(param.device))
    if isinstance(value, np.ndarray) or hasattr(value, "__dlpack__"):
        array = _core.from_numpy(np.asarray(value), copy=True)
        return array if str(param.device) == "cpu" else array.to(param.device)
    return value


def check_range(
    owner: str, name: str, value: Any, low: float = 0.0, below: float = math.inf
) -> float:
    """`value` as a float if low <= value < below; NaN never is."""
    if isinstance(value, (str, bytes)) or value is None:
        raise TypeError(f"{owner}: {name} is {value!r}, must be a number")
    number = float(value)
    if not low <= number < below:
        limit = "finite" if below == math.inf else f"< {below:g}"
        raise ValueError(f"{owner}: {name} is {number:g}, must be >= {low:g} and {limit}")
    return number
