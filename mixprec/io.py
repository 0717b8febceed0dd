"""Checkpoints: `save` and `load` keep a training run in one safetensors file.

Tensors are named `model.<name>`, `optimizer.<parameter name>.<exp_avg, step, ...>`, and as the
caller calls the rest; hyper-parameters, the scaler, the generator and the step are JSON texts in
the file's metadata. Nothing is ever pickled. `load` checks everything against the objects it fills
before it writes to the first of them. The file itself is _safetensors.py's.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np

from . import _core, _safetensors, random
from ._device import is_writable

__all__ = ["load", "save"]

_RESERVED = ("model.", "optimizer.", "__metadata__")
_FORMAT = "1"
_NUMPY = (".npy", ".npz")


def save(
    path: str | os.PathLike[str],
    arr: Any = None,
    *,
    model: Any = None,
    optimizer: Any = None,
    scaler: Any = None,
    rng: bool = True,
    step: int | None = None,
    **arrays: Any,
) -> None:
    """Write a training run to one safetensors file.

    Parameters
    ----------
    path : str or path
        The file. It is written beside its place, synced, and renamed: whoever reads `path` finds
        the old file or the new one, whole.
    arr : array_like, optional
        One array, for a file of NumPy's: `mp.save("x.npy", x)`. Nothing else is written then.
    model : Module, optional
        Its parameters and buffers are saved as `model.<name>`.
    optimizer : Optimizer, optional
        Its state is saved as `optimizer.<parameter name>.<key>`, its hyper-parameters in the
        metadata. The names are those of `model`; without one, a parameter's name is its number.
    scaler : GradScaler, optional
        Its `state_dict` is saved in the metadata.
    rng : bool
        Saves the state of the random generators.
    step : int, optional
        A number to come back with.
    **arrays : array_like
        More arrays, under their own names.

    Examples
    --------
    >>> mp.save("run.safetensors", model=model, optimizer=opt, scaler=scaler, step=100)
    """
    if arr is not None:
        if arrays or step is not None or not model is optimizer is scaler is None:
            raise TypeError("save: arr is one array for a file of NumPy's; give it a name, as x=x")
        _save_npy(path, arr)
        return
    if os.fsdecode(path).endswith(_NUMPY):
        raise ValueError(f"save: {os.fsdecode(path)} is a file of NumPy's; use savez or one array")
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    metadata = {"format": "mixprec", "version": _FORMAT}
    if model is not None:
        for name, value in model.state_dict().items():
            tensors[f"model.{name}"] = _host(f"model.{name}", value)
    if optimizer is not None:
        metadata["optimizer"] = _save_optimizer(optimizer, model, tensors)
    if scaler is not None:
        metadata["scaler"] = _dumps("scaler", scaler.state_dict())
    if rng:
        metadata["rng"] = json.dumps({d: list(random.get_state(d)) for d in _devices()})
    if step is not None:
        metadata["step"] = str(_step_number(step))
    for name, value in arrays.items():
        if name.startswith(_RESERVED):
            raise ValueError(f"save: the name {name!r} begins with a reserved word")
        tensors[name] = _host(name, value)
    _safetensors.write(os.fsdecode(path), tensors, metadata)


def load(
    path: str | os.PathLike[str] | IO[bytes],
    *,
    model: Any = None,
    optimizer: Any = None,
    scaler: Any = None,
    rng: bool = True,
    **arrays: Any,
) -> Any:
    """Read what `save` wrote, into the objects given here.

    Everything is checked first: the file, and every name, shape, dtype and number against the
    objects. Where anything is wrong, nothing is written.

    Parameters
    ----------
    path : str or path
        A safetensors file, from `save` or elsewhere. A path that ends in ``.npy`` is one of NumPy's
        and gives its array; one that ends in ``.npz`` gives a dict of arrays. An open file is
        one of NumPy's too.
    model, optimizer, scaler : optional
        The objects to fill. Tensors of those left out come back in the result.
    rng : bool
        Sets the random generators to the saved state, if the file has one.
    **arrays : ndarray
        Arrays to fill, by name.

    Returns
    -------
    dict
        The remaining arrays by name, and `"step"` if the file has one.

    Examples
    --------
    >>> mp.save("run.safetensors", model=model, optimizer=opt, scaler=scaler, step=100)
    >>> mp.load("run.safetensors", model=model, optimizer=opt, scaler=scaler)["step"]
    100
    """
    if hasattr(path, "read") or os.fsdecode(path).endswith(_NUMPY):
        return _load_npy(path)
    tensors, metadata = _safetensors.read(os.fsdecode(path))
    _check_metadata(metadata)
    writes: list[Any] = []
    if scaler is not None:
        writes.append(_load_scaler(scaler, metadata))
    if optimizer is not None:
        writes.append(_load_optimizer(optimizer, model, tensors, metadata))
    if model is not None:
        writes.append(_load_model(model, tensors))
    writes += [_load_array(name, array, tensors) for name, array in arrays.items()]
    if rng and "rng" in metadata:
        writes.append(_load_rng(metadata["rng"]))
    result: dict[str, Any] = {name: _core.from_numpy(value) for name, value in tensors.items()}
    if "step" in metadata:
        result["step"] = _parse_int("step", metadata["step"])
    with _undo_on_error(scaler):
        for write in writes:
            write()
    return result


def _save_npy(path: Any, arr: Any) -> None:
    array = _host("arr", arr)
    if array.dtype.kind == "V" or array.dtype.isbuiltin == 2:
        raise TypeError(
            f"save: NumPy's files have no {array.dtype}; give the array a name, as x=x, for a "
            "safetensors file"
        )
    np.save(path, array)


def _load_npy(path: Any) -> Any:
    found = np.load(path)
    if isinstance(found, np.ndarray):
        return _loaded(found)
    with found:
        return NpzFile({name: _loaded(found[name]) for name in found.files})


def _loaded(array: np.ndarray[Any, Any]) -> Any:
    """An array of ours, or NumPy's where it is of text."""
    return array if array.dtype.kind in "US" else _core.from_numpy(array)


class NpzFile(dict[str, Any]):
    """The arrays of an ``.npz`` file by name, all of them in memory, with the names that NumPy's
    object for such files has."""

    @property
    def files(self) -> list[str]:
        """The names of the arrays."""
        return list(self)

    @property
    def f(self) -> Any:
        """The arrays as attributes."""
        return types.SimpleNamespace(**self)

    def close(self) -> None:
        """Nothing: the file is not open any more."""

    def __enter__(self) -> NpzFile:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


# ---- the parts of a run: each _load_ function checks, and returns what then writes ----


def _load_model(model: Any, tensors: dict[str, Any]) -> Any:
    current = model.state_dict()
    found = _take_prefix("model.", tensors)
    _check_names("model.", found, current)
    for name, value in found.items():
        _check_like(f"model.{name}", value, current[name].shape, current[name].dtype, "the model")
        _check_writable(f"model.{name}", current[name])
    state = {name: _core.from_numpy(value) for name, value in found.items()}
    return lambda: model.load_state_dict(state)


def _load_array(name: str, array: Any, tensors: dict[str, Any]) -> Any:
    if not isinstance(array, _core.ndarray):
        raise TypeError(f"load: {name} is a {type(array).__name__}, not an array to fill")
    if name not in tensors:
        raise ValueError(f"load: the file has no {name}")
    value = tensors.pop(name)
    _check_like(name, value, array.shape, array.dtype, "the array")
    _check_writable(name, array)
    return lambda: array.detach().copy_(_core.from_numpy(value))


# What a scaler's state may hold besides the keys that it must.
_SCALER_KEYS = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}
_SCALER_MORE = {"min_scale", "max_scale", "hysteresis", "_hysteresis_left"}


def _load_scaler(scaler: Any, metadata: Mapping[str, str]) -> Any:
    if "scaler" not in metadata:
        raise ValueError("load: the file has no scaler")
    state = _parse_object("scaler", metadata["scaler"])
    current = scaler.state_dict()
    if not current:  # disabled: it takes nothing
        return lambda: None
    if not state:
        raise ValueError("load: the file's scaler is a disabled one, this one is enabled")
    if _SCALER_KEYS - set(state) or set(state) - _SCALER_KEYS - _SCALER_MORE - set(current):
        raise ValueError(f"load: the file's scaler has {_listed(state)}")
    for key, value in state.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not _is_finite(value) or value < 0:
            raise ValueError(f"load: the scaler's {key} is {value!r}")
    if state["scale"] == 0 or state["growth_factor"] <= 1 or not 0 < state["backoff_factor"] < 1:
        raise ValueError(
            f"load: the scaler's scale is {state['scale']}, its growth and backoff factors are "
            f"{state['growth_factor']} and {state['backoff_factor']}"
        )
    return lambda: scaler.load_state_dict(state)


def _load_rng(text: str) -> Any:
    states = _parse_object("rng", text)
    for device, state in states.items():
        good = isinstance(state, list) and len(state) == 2
        if not good or not all(type(v) is int and 0 <= v < 2**64 for v in state):
            raise ValueError(f"load: the generator's state of {device} is {state!r}")
    here = [d for d in _devices() if d in states]

    def write() -> None:
        for device in here:
            random.set_state(states[device], device)

    return write


def _save_optimizer(optimizer: Any, model: Any, tensors: dict[str, Any]) -> str:
    """Adds the state's arrays to `tensors` and returns the JSON text of the rest."""
    names = _parameter_names(optimizer, model, "save")
    state_dict = optimizer.state_dict()
    values: dict[str, dict[str, Any]] = {}
    for index, state in state_dict["state"].items():
        if not isinstance(index, int):
            raise TypeError(f"save: the optimizer's state has {index!r}, which is no parameter")
        for key, value in state.items():
            if isinstance(value, (_core.ndarray, np.ndarray)):
                name = f"optimizer.{names[index]}.{key}"
                tensors[name] = _host(name, value)
            elif value is not None:
                values.setdefault(names[index], {})[key] = value
    groups = [
        {**group, "params": [names[i] for i in group["params"]]}
        for group in state_dict["param_groups"]
    ]
    more = {k: v for k, v in state_dict.items() if k not in ("state", "param_groups")}
    return _dumps(
        "optimizer",
        {"class": type(optimizer).__name__, "groups": groups, "values": values, "more": more},
    )


def _load_optimizer(
    optimizer: Any, model: Any, tensors: dict[str, Any], metadata: Mapping[str, str]
) -> Any:
    if "optimizer" not in metadata:
        raise ValueError("load: the file has no optimizer")
    saved = _parse_object("optimizer", metadata["optimizer"])
    if set(saved) != {"class", "groups", "values", "more"}:
        raise ValueError(f"load: the optimizer's metadata has {_listed(saved)}")
    if saved["class"] != type(optimizer).__name__:
        raise ValueError(
            f"load: the file's optimizer is {saved['class']}, this one is "
            f"{type(optimizer).__name__}"
        )
    names = _parameter_names(optimizer, model, "load")
    current = optimizer.state_dict()
    groups = _check_groups(saved["groups"], current["param_groups"], names)
    state = _check_state(optimizer, names, _take_prefix("optimizer.", tensors), saved["values"])
    more = saved["more"]
    if not isinstance(more, dict) or set(more) != set(current) - {"state", "param_groups"}:
        raise ValueError("load: the optimizer's metadata is not as save writes it")
    state_dict = {"state": state, "param_groups": groups, **more}
    return lambda: optimizer.load_state_dict(state_dict)


def _check_groups(saved: Any, current: list[dict[str, Any]], names: list[str]) -> list[Any]:
    """The saved parameter groups as a state_dict has them. They must be like the current ones."""
    if not isinstance(saved, list) or not all(isinstance(g, dict) for g in saved):
        raise ValueError("load: the optimizer's groups are not as save writes them")
    if len(saved) != len(current):
        raise ValueError(
            f"load: the file's optimizer has {len(saved)} groups, this one has {len(current)}"
        )
    groups = []
    for i, (old, new) in enumerate(zip(saved, current, strict=True)):
        where = f"optimizer group {i}"
        if (set(old) ^ set(new)) - {"initial_lr"}:  # a schedule's, who may come later
            raise ValueError(f"load: {where} has {_listed(old)}, this one has {_listed(new)}")
        params = [names[p] for p in new["params"]]
        if old["params"] != params:
            raise ValueError(f"load: {where} is of other parameters than this optimizer's")
        like = {"initial_lr": 0.0, **new}
        hyper = {k: _like(f"{where}: {k}", old[k], like[k]) for k in old if k != "params"}
        groups.append({**hyper, "params": new["params"]})
    return groups


def _like(where: str, value: Any, current: Any) -> Any:
    """A hyper-parameter from JSON, as the type that the optimizer now has."""
    if isinstance(current, (tuple, list)) and isinstance(value, list):
        if len(value) == len(current):
            pairs = zip(value, current, strict=True)
            return type(current)(_like(where, v, c) for v, c in pairs)
    elif isinstance(current, bool) or isinstance(value, bool):
        if isinstance(current, bool) and isinstance(value, bool):
            return value
    elif isinstance(current, (int, float)) and isinstance(value, (int, float)):
        if _is_finite(value) or not math.isfinite(current):
            return value
    elif current is None or value is None or type(value) is type(current):
        return value
    raise ValueError(f"load: {where} is {value!r} in the file, {current!r} here")


# What the states of the optimizers here hold: every key of a kind must be there with the others.
_STATE_KEYS = {
    "Adam": {"step", "exp_avg", "exp_avg_sq"},
    "AdamW": {"step", "exp_avg", "exp_avg_sq"},
    "SGD": {"step", "momentum_buffer"},
}
_OPTIONAL_KEYS = {"Adam": {"master"}, "AdamW": {"master"}, "SGD": {"master", *_STATE_KEYS["SGD"]}}


def _check_state(
    optimizer: Any, names: list[str], tensors: dict[str, Any], values: Any
) -> dict[int, dict[str, Any]]:
    """The optimizer's state per parameter; shapes, dtypes and keys must be right."""
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
        raise ValueError("load: the optimizer's metadata is not as save writes it")
    params = list(_parameters(optimizer))
    index = {name: i for i, name in enumerate(names)}
    state: dict[int, dict[str, Any]] = {}
    for full, value in tensors.items():
        name, _, key = full.rpartition(".")
        if name not in index:
            raise ValueError(f"load: optimizer.{full} is of no parameter of this optimizer")
        param = params[index[name]]
        wide = "float64" if str(param.dtype) == "float64" and key != "step" else "float32"
        shape = () if key == "step" else param.shape
        if type(optimizer).__name__ in _STATE_KEYS:
            _check_like(f"optimizer.{full}", value, shape, np.dtype(wide), "the optimizer")
        state.setdefault(index[name], {})[key] = _core.from_numpy(value)
    for name, more in values.items():
        if name not in index:
            raise ValueError(f"load: optimizer.{name} is of no parameter of this optimizer")
        state.setdefault(index[name], {}).update(more)
    for i, entry in state.items():
        _check_keys(type(optimizer).__name__, names[i], set(entry))
    return state


def _check_keys(kind: str, name: str, keys: set[str]) -> None:
    if kind not in _STATE_KEYS:
        return
    optional = _OPTIONAL_KEYS[kind]
    for key in sorted(_STATE_KEYS[kind] - optional - keys):
        raise ValueError(f"load: the file has no optimizer.{name}.{key}")
    for key in sorted(keys - _STATE_KEYS[kind] - optional):
        raise ValueError(f"load: optimizer.{name}.{key} is not a state of {kind}")


def _parameters(optimizer: Any) -> Iterator[Any]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _parameter_names(optimizer: Any, model: Any, verb: str) -> list[str]:
    """The names of the optimizer's parameters, in its order."""
    params = list(_parameters(optimizer))
    if model is None:
        return [str(i) for i in range(len(params))]
    names = {id(param): name for name, param in model.named_parameters()}
    for i, param in enumerate(params):
        if id(param) not in names:
            raise ValueError(f"{verb}: parameter {i} of the optimizer is not one of the model")
    return [names[id(param)] for param in params]


@contextlib.contextmanager
def _undo_on_error(scaler: Any) -> Iterator[None]:
    """The scaler is written first: it goes back where the optimizer then refuses its state."""
    before = None if scaler is None else scaler.state_dict()
    try:
        yield
    except BaseException:
        if before is not None:
            scaler.load_state_dict(before)
        raise


# ---- checks ----


def _check_metadata(metadata: Mapping[str, str]) -> None:
    if metadata.get("format") == "mixprec" and metadata.get("version") != _FORMAT:
        raise ValueError(
            f"load: the file has format version {metadata.get('version')!r}, this mixprec reads "
            f"{_FORMAT!r}"
        )


def _take_prefix(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    """Moves the tensors of that prefix out, under the rest of their names."""
    found = [name for name in tensors if name.startswith(prefix)]
    return {name[len(prefix) :]: tensors.pop(name) for name in found}


def _check_names(prefix: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    missing = [prefix + name for name in wanted if name not in found]
    unexpected = [prefix + name for name in found if name not in wanted]
    if missing:
        raise ValueError(f"load: the file has no {_listed(missing)}")
    if unexpected:
        raise ValueError(f"load: the file has {_listed(unexpected)}, which nothing here is named")


def _check_like(name: str, value: Any, shape: Any, dtype: Any, whose: str) -> None:
    if tuple(value.shape) != tuple(shape):
        raise ValueError(
            f"load: {name} has shape {tuple(value.shape)} in the file, {tuple(shape)} in {whose}"
        )
    if value.dtype != dtype:
        raise TypeError(f"load: {name} is {value.dtype.name} in the file, {dtype.name} in {whose}")


def _check_writable(name: str, array: Any) -> None:
    if not is_writable(array):
        raise ValueError(f"load: {name} is an array that cannot be written to")


def _is_finite(value: float) -> bool:
    """False for what is no float64 too: JSON's integers have no end."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _listed(names: Iterable[str], most: int = 5) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return (", ".join(ordered[:most]) or "nothing") + more


def _step_number(value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"save: step is {value!r}, not an integer")
    number = int(value.__index__())
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"save: step is {number:.3g}, too large for an int64")
    return number


def _dumps(what: str, value: Any) -> str:
    try:
        return json.dumps(value, default=_plain)
    except (TypeError, ValueError) as error:
        raise TypeError(f"save: the {what}'s state has a value that is no JSON: {error}") from None


def _plain(value: Any) -> Any:
    """0-d arrays and NumPy's scalars, as JSON's numbers."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r}")


def _parse_object(what: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"load: the {what}'s metadata is not a JSON object")
    return value


def _parse_int(what: str, text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise ValueError(f"load: {what} is {text[:40]!r}, not an integer")
    return int(text)


def _host(name: str, value: Any) -> np.ndarray[Any, Any]:
    """The elements as a contiguous NumPy array; a view of the same memory where it can be."""
    if not isinstance(value, _core.ndarray):
        try:
            value = _core.from_numpy(np.asarray(value), copy=True)
        except (TypeError, ValueError) as error:
            text = str(error).removeprefix("from_numpy: ")
            raise type(error)(f"save: {name}: {text}") from None
    if value.device != "cpu":
        value = value.cpu()
    array = np.asarray(value.detach().numpy())
    return array if array.flags.c_contiguous else array.copy(order="C")


def _devices() -> list[str]:
    """The devices that have a generator here."""
    count = _core.info().get("cuda_devices", 0)
    return ["cpu", *(f"cuda:{i}" for i in range(count if isinstance(count, int) else 0))]
