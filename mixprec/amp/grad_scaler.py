"""`GradScaler`: loss scaling with PyTorch's names, defaults, state machine and state_dict.

The scale, its tracker and what was found live in one small device array that the core updates;
this file decides which call may follow which. The law by which the scale moves is mp_scaler_law
in csrc/mp.h; the steps themselves are _steps.py's.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, overload

import numpy as np

from .. import _core
from .._interchange import is_foreign, lend
from ..cuda import Reading
from ..optim.optimizer import Optimizer
from ._checks import as_number, to_count, to_number, usable
from ._steps import (
    PerOptimizer,
    Stage,
    StepResult,
    device_of,
    diagnose,
    is_fused,
    namer,
    new_stats,
    params_of,
    require_gradients,
    step_in_python,
)
from .autocast_mode import cuda_available, kind_name

__all__ = ["GradScaler", "StepResult"]

_ORDER = ("device", "init_scale", "growth_factor", "backoff_factor", "growth_interval", "enabled")
# struct mp_scaler
_SCALE, _TRACKER, _FOUND, _HYSTERESIS, _SKIPPED, _STEPS = range(6)
_STATE_SIZE = 8
_DLPACK_CPU = 1
# Between them a scale and its inverse are normal float32 numbers.
_LOWEST, _HIGHEST = 2.0**-126, 2.0**126
# 20 halvings take the default 65536 to 1/16: no loss needs that much calibration.
_SKIPS_TO_WARN = 20
_LOOK_EVERY = 8  # updates, where a look takes a copy to the host


class GradScaler:
    """Scales the loss so that small float16 gradients survive, and adapts the scale.

    Parameters
    ----------
    device : str, optional
        Where the scale lives. By default on the device of the first scaled output. May be left
        out: a number in first place is `init_scale`.
    init_scale, growth_factor, backoff_factor, growth_interval : number
        The scale at first; what it is multiplied by after `growth_interval` steps without inf or
        NaN, and after a step with.
    enabled : bool
        False makes every method a no-op, and `step` the optimizer's own.
    min_scale, max_scale : float
        The scale stays between them.
    hysteresis : int
        How many bad steps there must be since the last growth before the scale backs off.

    Examples
    --------
    >>> scaler = mp.GradScaler()
    >>> scaler.scale(loss).backward()
    >>> result = scaler.step(opt, max_norm=1.0)   # unscales, checks, clips and updates
    >>> scaler.update()
    >>> if not result:
    ...     print("skipped because of", result.where)

    Subclasses may override `update()` and `_unscale_grads_(optimizer)`, also with PyTorch's
    parameters (optimizer, inv_scale, found_inf, allow_fp16), which is then
    called once for each optimizer that is unscaled, while its gradients are still scaled; and may
    assign a number to `_scale`.
    """

    @overload
    def __init__(
        self,
        device: str | None = None,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
        *,
        min_scale: float = _LOWEST,
        max_scale: float = _HIGHEST,
        hysteresis: int = 1,
    ) -> None: ...

    @overload
    def __init__(
        self,
        init_scale: float,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
        *,
        min_scale: float = _LOWEST,
        max_scale: float = _HIGHEST,
        hysteresis: int = 1,
    ) -> None: ...

    def __init__(self, *args: Any, **options: Any) -> None:
        with_device = not args or args[0] is None or isinstance(args[0], str)
        names = _ORDER if with_device else _ORDER[1:]
        if len(args) > len(names):
            raise TypeError(f"GradScaler: {len(args)} positional arguments, at most {len(names)}")
        for name, value in zip(names, args, strict=False):
            if name in options:
                raise TypeError(f"GradScaler: {name} is given twice")
            options[name] = value
        self._configure(**options)

    def _configure(
        self,
        device: str | None = None,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
        *,
        min_scale: float = _LOWEST,
        max_scale: float = _HIGHEST,
        hysteresis: int = 1,
    ) -> None:
        self._enabled = bool(enabled)
        if device is not None:
            self._enabled = usable(device) and self._enabled
        self._min_scale = to_number("GradScaler", "min_scale", min_scale, above=0.0)
        self._max_scale = to_number("GradScaler", "max_scale", max_scale, above=0.0)
        if not _LOWEST <= self._min_scale <= self._max_scale <= _HIGHEST:
            raise ValueError(
                f"GradScaler: min_scale is {min_scale:g} and max_scale is {max_scale:g}, must be "
                "ordered and from 2**-126 to 2**126"
            )
        self._hysteresis = to_count("GradScaler", "hysteresis", hysteresis)
        self._growth_factor = to_number("GradScaler", "growth_factor", growth_factor, above=1.0)
        self._backoff_factor = to_number(
            "GradScaler", "backoff_factor", backoff_factor, above=0.0, below=1.0
        )
        self._growth_interval = to_count("GradScaler", "growth_interval", growth_interval)
        self._device = "cpu" if device is None or not self._enabled else str(device)
        self._device_is_open = device is None  # the first scaled output decides
        self._used = False
        self._warned = False
        self._updates = 0
        self._good_at: tuple[float, float] = (0.0, 0.0)  # (steps, skipped) at the last good step
        self._last_output: Any = None
        self._per_optimizer: dict[int, PerOptimizer] = {}
        self._snapshots: dict[str, Any] = {}  # the scale as an array, by device
        values = [0.0] * _STATE_SIZE
        values[_SCALE] = self._bounded("init_scale", init_scale)
        values[_HYSTERESIS] = float(self._hysteresis)
        self._write_state(values)

    # ---- the device state ----

    def _write_state(self, values: list[float]) -> None:
        state = _core.from_numpy(np.array(values, dtype=np.float32), copy=True)
        self._state = state if self._device == "cpu" else state.to(self._device)
        self._device = str(self._state.device)  # with its number
        self._found = self._state[_FOUND : _FOUND + 1]
        self._snapshots.clear()
        self._snapshot_value = float(np.float32(values[_SCALE]))
        self._reading: Reading | None = None

    def _read_state(self) -> list[float]:
        values: list[float] = self._state.tolist()
        self._watch(values)
        return values

    def _change_state(self, index: int, value: float) -> None:
        values = self._state.tolist()
        values[index] = value
        self._write_state(values)

    def _scale_on(self, device: str) -> Any:
        """The scale now, as a 0-d array; the same object until the scale changes."""
        snapshot = self._snapshots.get(device)
        if snapshot is None:
            snapshot = _core.copy(self._state[_SCALE])
            if device != self._device:
                snapshot = snapshot.to(device)
            self._snapshots[device] = snapshot
        return snapshot

    def _bounded(self, name: str, value: Any) -> float:
        checked = to_number("GradScaler", name, value, above=0.0)
        return min(max(checked, self._min_scale), self._max_scale)

    @property
    def _scale(self) -> float:
        return float(self._state.tolist()[_SCALE])

    @_scale.setter
    def _scale(self, value: float) -> None:
        self._change_state(_SCALE, self._bounded("scale", value))

    # ---- scale ----

    def scale(self, outputs: Any) -> Any:
        """`outputs` times the scale, in float32: an array, or a list, tuple or iterable of them.

        An array of PyTorch, CuPy or JAX is multiplied by that library, in its own graph if it has
        one, with the scale where it lies.
        """
        if not self._enabled:
            return outputs
        if is_foreign(outputs):
            return outputs * lend(self._scale_on(self._settled_on(outputs)), outputs)
        if isinstance(outputs, _core.ndarray):
            device = str(outputs.device)
            if not self._used:
                self._settle_device(device)
            scaled = _core.scale(outputs, self._scale_on(device))
            if scaled.size == 1:
                self._last_output = scaled.detach()
            return scaled
        if isinstance(outputs, (list, tuple)):
            items = [self.scale(output) for output in outputs]
            return outputs._make(items) if hasattr(outputs, "_make") else type(outputs)(items)
        if isinstance(outputs, (str, bytes, Mapping, np.ndarray)) or not isinstance(
            outputs, Iterable
        ):
            raise ValueError(
                f"GradScaler.scale: outputs is a {type(outputs).__name__}, must be an array or an "
                "iterable of arrays"
            )
        return map(self.scale, outputs)

    def _settled_on(self, outputs: Any) -> str:
        """The device of an array of another library, by its name here."""
        kind, index = outputs.__dlpack_device__()
        device = "cpu" if kind == _DLPACK_CPU else f"cuda:{index}"
        if not self._used:
            self._settle_device(device)
        return device

    def _settle_device(self, device: str) -> None:
        self._used = True
        if self._device_is_open and device != self._device:
            values = self._state.tolist()
            self._device = device
            self._write_state(values)
        self._device_is_open = False

    # ---- unscale_ ----

    def unscale_(self, optimizer: Any, *, grads: Iterable[Any] | None = None) -> None:
        """Divides the optimizer's gradients by their scale and notes whether one is inf or NaN.

        `grads` are arrays of any library, one for each parameter, and written where they lie.
        """
        if not self._enabled:
            return
        self._take_grads(optimizer, grads, "write")
        entry = self._entry("unscale_", optimizer)
        if entry.stage is Stage.UNSCALED:
            raise RuntimeError(
                "GradScaler.unscale_: already called for this optimizer since the last update()"
            )
        if entry.stage is Stage.STEPPED:
            raise RuntimeError("GradScaler.unscale_: called after step() of this optimizer")
        self._unscale(entry)

    def _unscale(self, entry: PerOptimizer) -> None:
        entry.scale = self._scale_on(device_of(entry.params, self._device))
        more = _torch_arguments(type(self), entry.scale) if self._overrides_unscale() else ()
        self._unscale_grads_(entry.optimizer, *more)
        if entry.stats is None:  # an override that left it at its own doing: check what it left
            self._check(entry, None, None, False)
        entry.stage = Stage.UNSCALED

    def _unscale_grads_(self, optimizer: Any, *unused: Any) -> None:
        """Divides the optimizer's gradients by their scale. A subclass may do more."""
        entry = self._entry("unscale_", optimizer)
        self._check(entry, self._scale_on(device_of(entry.params, self._device)), None, True)

    def _check(self, entry: PerOptimizer, scale: Any, max_norm: float | None, write: bool) -> None:
        """Finds inf, NaN and the norm of the gradients; with `write` they are unscaled too."""
        if scale is not None:
            self._undo_other_steps(entry, scale)
        stats = new_stats(entry.params)
        limit = math.inf if max_norm is None else max_norm
        _core.optim_unscale(entry.params, stats, scale, limit, write)
        entry.stats = stats

    def _undo_other_steps(self, entry: PerOptimizer, scale: Any) -> None:
        """Brings back the scale of gradients that another optimizer's step has unscaled already."""
        if len(self._per_optimizer) < 2:
            return
        done = {
            id(param)
            for other in self._per_optimizer.values()
            if other is not entry and other.stage is not Stage.READY
            for param in other.params
        }
        for param in entry.params:
            if id(param) in done and param.grad is not None and _core.grad_scale(param) is None:
                param.grad = _core.mul(param.grad.detach(), scale).astype(param.grad.dtype)

    # ---- step ----

    def step(
        self,
        optimizer: Any,
        *args: Any,
        max_norm: float | None = None,
        grads: Iterable[Any] | None = None,
        **kwargs: Any,
    ) -> StepResult:
        """Unscales the gradients if `unscale_` did not, and steps unless one is inf or NaN.

        With `max_norm` the gradients are clipped to that norm, all together. `grads` are scaled
        gradients of any library, one for each parameter, in place of those in `.grad`. `args` and
        `kwargs` go to the step of an optimizer written in Python; closures are not supported.
        """
        if "closure" in kwargs or any(callable(arg) for arg in args):
            raise RuntimeError("GradScaler.step: closures are not supported while scaling")
        if max_norm is not None:
            max_norm = to_number("GradScaler.step", "max_norm", max_norm, above=0.0, infinite=True)
        fused = is_fused(optimizer) and not args and not kwargs
        at_once = fused and not self._overrides_unscale()  # nothing writes the gradients
        self._take_grads(optimizer, grads, "read" if at_once else "copy")
        if not self._enabled:
            return self._step_unscaled(optimizer, max_norm, args, kwargs)
        entry = self._entry("step", optimizer)
        if entry.stage is Stage.STEPPED:
            raise RuntimeError(
                "GradScaler.step: already called for this optimizer since the last update()"
            )
        require_gradients(entry)
        if entry.stage is Stage.READY and at_once:
            entry.scale = self._scale_on(device_of(entry.params, self._device))
            self._check(entry, entry.scale, max_norm, False)
            optimizer._apply(entry.stats, entry.scale)
            return self._stepped(entry)
        if entry.stage is Stage.READY:
            self._unscale(entry)
        if max_norm is not None:
            self._measure_again(entry, max_norm)
        if fused:
            optimizer._apply(entry.stats, None)
            return self._stepped(entry)
        return self._stepped_in_python(entry, args, kwargs)

    def _take_grads(self, optimizer: Any, grads: Iterable[Any] | None, use: str) -> None:
        """Gives the optimizer gradients of other libraries, if there are any."""
        if isinstance(optimizer, Optimizer) and (grads is not None or optimizer._sources):
            optimizer._take_grads(grads, use)
            if grads is not None and self._enabled and not self._used:
                self._settle_device(device_of(params_of(optimizer), self._device))
        elif grads is not None:
            raise TypeError(
                f"GradScaler: a {type(optimizer).__name__} takes no grads; it is no optim.Optimizer"
            )

    def _measure_again(self, entry: PerOptimizer, max_norm: float) -> None:
        """The clip factor of gradients as they are now, who knows by whose hand."""
        found = entry.stats
        self._check(entry, None, max_norm, False)
        _core.call_into("maximum", entry.stats[:1], (entry.stats[:1], found[:1]), ())

    def _overrides_unscale(self) -> bool:
        return type(self)._unscale_grads_ is not GradScaler._unscale_grads_

    def _stepped_in_python(self, entry: PerOptimizer, args: Any, kwargs: Any) -> StepResult:
        known = entry.stats.tolist()
        return self._stepped(entry, step_in_python(entry, known, args, kwargs), known)

    def _stepped(
        self, entry: PerOptimizer, value: Any = None, known: list[float] | None = None
    ) -> StepResult:
        entry.stage = Stage.STEPPED
        result = StepResult(entry.stats, entry.scale, namer(entry.optimizer), value, known)
        if isinstance(entry.optimizer, Optimizer):
            entry.optimizer._note_scaled_step(result)
        return result

    def _step_unscaled(
        self, optimizer: Any, max_norm: float | None, args: Any, kwargs: Any
    ) -> StepResult:
        """The step of a disabled scaler: the optimizer's own, clipped if asked for."""
        if max_norm is None:
            return StepResult(None, 1.0, str, optimizer.step(*args, **kwargs))
        entry = PerOptimizer(optimizer, params_of(optimizer))
        entry.scale = 1.0
        self._check(entry, None, max_norm, False)
        if is_fused(optimizer) and not args and not kwargs:
            optimizer._apply(entry.stats, None)
            return self._stepped(entry)
        return self._stepped_in_python(entry, args, kwargs)

    def _entry(self, op: str, optimizer: Any) -> PerOptimizer:
        if not self._used:
            raise RuntimeError(f"GradScaler.{op}: scale() has not been called on this scaler")
        entry = self._per_optimizer.get(id(optimizer))
        if entry is None:
            entry = PerOptimizer(optimizer, params_of(optimizer))
            self._per_optimizer[id(optimizer)] = entry
        return entry

    # ---- update ----

    def update(self, new_scale: Any = None) -> None:
        """Moves the scale by what the steps since the last update found, or sets it.

        `new_scale` is a number or an array of one element; the growth tracker stays as it is.
        """
        if not self._enabled:
            return
        if not self._used:
            raise RuntimeError("GradScaler.update: scale() has not been called on this scaler")
        if new_scale is not None:
            self._change_state(_SCALE, self._bounded("new_scale", as_number(new_scale)))
        else:
            stats, after = self._collect(), None
            if self._device != "cpu":
                after = _core.empty((), "float32", self._device)
            _core.scaler_update(
                self._state,
                stats,
                after,
                self._growth_factor,
                self._backoff_factor,
                self._growth_interval,
                self._min_scale,
                self._max_scale,
                self._hysteresis,
            )
            self._look(after)
        self._per_optimizer.clear()

    def _collect(self) -> Any:
        """Brings found_inf of every optimizer together in the state, but for a single one's stats
        on the scaler's device: these are the result.
        """
        checked = [e.stats for e in self._per_optimizer.values() if e.stats is not None]
        if not checked:
            raise RuntimeError(
                "GradScaler.update: no inf checks were recorded since the last update(); call "
                "step() or unscale_() before it"
            )
        if len(checked) == 1 and checked[0].device == self._device:
            return checked[0]
        for stats in checked:
            if str(stats.device) == self._device != "cpu":
                _core.call_into("maximum", self._found, (self._found, stats[:1]), ())
            elif stats.tolist()[0]:
                self._state[_FOUND] = 1.0
        return None

    def _look(self, after: Any) -> None:
        """After an update: see what came of it, on a GPU, where `after` is the scale, later."""
        if self._device != "cpu":
            self._snapshots = {self._device: after}
            self._look_later()
            return
        values = self._read_state()
        if values[_SCALE] != self._snapshot_value:
            self._snapshots.clear()
            self._snapshot_value = values[_SCALE]

    def _look_later(self) -> None:
        """Now and then watches the state as it was when the last reading set out."""
        self._updates += 1
        if self._updates % _LOOK_EVERY != 1:
            return
        if self._reading is not None and self._reading.set_out:
            values = self._reading.values()
            if values is None:
                return
            self._watch(values)
        self._reading = Reading(self._state)

    # ---- repeated skips ----

    def _watch(self, values: list[float]) -> None:
        """Warns once when many steps in a row were skipped."""
        steps, skipped = values[_STEPS], values[_SKIPPED]
        if steps != self._good_at[0]:
            self._good_at = (steps, skipped)
        in_a_row = skipped - self._good_at[1]
        if in_a_row < _SKIPS_TO_WARN or self._warned:
            return
        self._warned = True
        warnings.warn(
            f"GradScaler: {in_a_row:.0f} steps in a row were skipped, the scale is now "
            f"{values[_SCALE]:g}. {diagnose(self._last_output, self._per_optimizer.values())}",
            stacklevel=4,
        )

    # ---- reading and setting ----

    def get_scale(self) -> float:
        """The scale now, 1.0 if disabled. Waits for the device."""
        return self._read_state()[_SCALE] if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = to_number("GradScaler", "growth_factor", new_factor, above=1.0)

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = to_number(
            "GradScaler", "backoff_factor", new_factor, above=0.0, below=1.0
        )

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = to_count("GradScaler", "growth_interval", new_interval)

    def is_enabled(self) -> bool:
        return self._enabled

    @property
    def skipped_steps(self) -> int:
        """Updates so far that found inf or NaN. Waits for the device."""
        return int(self._read_state()[_SKIPPED])

    # ---- saving ----

    def state_dict(self) -> dict[str, Any]:
        """PyTorch's keys; bounds and hysteresis only where they are not the defaults."""
        if not self._enabled:
            return {}
        values = self._read_state()
        state: dict[str, Any] = {
            "scale": values[_SCALE],
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": int(values[_TRACKER]),
        }
        if (self._min_scale, self._max_scale) != (_LOWEST, _HIGHEST):
            state |= {"min_scale": self._min_scale, "max_scale": self._max_scale}
        if self._hysteresis != 1:
            state |= {
                "hysteresis": self._hysteresis,
                "_hysteresis_left": max(values[_HYSTERESIS], 0.0),
            }
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a state_dict of this class or of `torch.amp.GradScaler`, whole or not at all.

        Bounds and hysteresis that it does not name stay as they are.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "GradScaler.load_state_dict: the state is empty, as that of a disabled scaler"
            )
        missing = {"scale", "growth_factor", "backoff_factor", "growth_interval",
                   "_growth_tracker"} - state_dict.keys()  # fmt: skip
        if missing:
            raise ValueError(f"GradScaler.load_state_dict: no {', '.join(sorted(missing))}")
        fresh = GradScaler(
            "cpu",
            as_number(state_dict["scale"]),
            state_dict["growth_factor"],
            state_dict["backoff_factor"],
            state_dict["growth_interval"],
            min_scale=state_dict.get("min_scale", self._min_scale),
            max_scale=state_dict.get("max_scale", self._max_scale),
            hysteresis=state_dict.get("hysteresis", self._hysteresis),
        )
        values = self._state.tolist()
        values[_SCALE] = fresh._scale
        tracker = as_number(state_dict["_growth_tracker"])
        values[_TRACKER] = (
            0.0 if tracker == 0 else to_count("GradScaler", "_growth_tracker", tracker)
        )
        values[_HYSTERESIS] = float(state_dict.get("_hysteresis_left", fresh._hysteresis))
        for name in ("_growth_factor", "_backoff_factor", "_growth_interval", "_min_scale",
                     "_max_scale", "_hysteresis"):  # fmt: skip
            setattr(self, name, getattr(fresh, name))
        self._write_state(values)

    def __getstate__(self) -> dict[str, Any]:
        if self._per_optimizer:
            raise RuntimeError(
                "GradScaler: can be pickled only between update() and the next unscale_() or step()"
            )
        state = self.__dict__.copy()
        for name in ("_state", "_found", "_last_output", "_reading", "_snapshots",
                     "_per_optimizer"):  # fmt: skip
            del state[name]
        state["_values"] = self._state.tolist()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = state.copy()
        values = state.pop("_values")
        self.__dict__.update(state)
        self._used = False  # the next scale() finds the device, as that of a new scaler does
        self._device_is_open = True
        self._last_output = None
        self._snapshots = {}
        self._per_optimizer = {}
        if kind_name(self._device) == "cuda" and not cuda_available():
            self._device = "cpu"
        self._write_state(values)

    def __repr__(self) -> str:
        if not self._enabled:
            return "GradScaler(enabled=False)"
        return (
            f"{type(self).__name__}(scale={self._scale:g}, growth_factor={self._growth_factor:g}, "
            f"backoff_factor={self._backoff_factor:g}, growth_interval={self._growth_interval})"
        )


def _torch_arguments(cls: type, scale: Any) -> tuple[Any, ...]:
    """What PyTorch hands to `_unscale_grads_` after the optimizer, if an override asks for it."""
    import inspect

    parameters = [*inspect.signature(cls._unscale_grads_).parameters.values()][2:]  # type: ignore[attr-defined]
    required = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    inverse = _core.div(1.0, scale)
    found = _core.full((), "float32", str(inverse.device), 0.0)
    return (inverse, found, False)[: len(required)]
