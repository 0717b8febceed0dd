"""`autocast`: regions in which each op takes the dtype that its policy says.

The regions themselves are a stack per thread in the core; this file checks the arguments of a
region, asks about the one in force, and has the decorators of `mp.autograd.Function`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import ml_dtypes
import numpy as np

from .. import _core

__all__ = [
    "AutocastTable",
    "autocast",
    "autocast_table",
    "custom_bwd",
    "custom_fwd",
    "get_autocast_dtype",
    "is_autocast_available",
    "is_autocast_enabled",
]

_F = TypeVar("_F", bound=Callable[..., Any])

_KINDS = {"cpu": 0, "cuda": 1}
_ALL_KINDS = -1
_PRESETS = {"mixprec": 0, "torch": 1, "torch-cuda": 2}
_POLICIES = ("keep", "lower", "fp32", "promote")
_LOWER, _FP32 = _POLICIES.index("lower"), _POLICIES.index("fp32")
_NARROW = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


class autocast:
    """A region in which matrix products run in a narrow dtype and delicate ops in float32.

    A context manager and a decorator, usable any number of times and recursively. Regions nest;
    each thread has its own. Backward runs in the dtypes of the forward pass by itself, inside of
    a region or outside.

    Parameters
    ----------
    device_type : {"cpu", "cuda"}, optional
        The devices whose arrays it holds for. By default all of them.
    dtype : dtype, optional
        float16 or bfloat16. By default that of the enclosing region, even where that one is
        switched off, and else float16 on cuda and bfloat16 on the CPU. It is looked up on entry
        (PyTorch looks when the object is made, so that a decorator keeps what held at its
        definition).
    enabled : bool
        False makes a region in which ops keep the dtypes of their inputs.
    cache_enabled : bool, optional
        Whether parameters keep their narrow copies between ops. By default as around the region,
        and True outside of any.
    preset : {"mixprec", "torch", "torch-cuda"}, optional
        The table of policies: that of this library, PyTorch's for the op's device, or PyTorch's
        for CUDA on any device. By default as around the region.
    fp32, lower : iterable of str
        Names of ops that give float32, or run in `dtype`, whatever the table says.

    Examples
    --------
    >>> with mp.autocast(dtype=mp.bfloat16, fp32={"softmax"}):
    ...     loss = nn.functional.cross_entropy(model(x), y)
    """

    def __init__(
        self,
        device_type: str | None = None,
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
        *,
        preset: str | None = None,
        fp32: Iterable[str] = (),
        lower: Iterable[str] = (),
    ) -> None:
        self.device_type = device_type
        self._kind = _kind("autocast", device_type)
        self.enabled = bool(enabled)
        if self.enabled and device_type == "cuda" and not cuda_available():
            warnings.warn("autocast: cuda is not available, the region is off", stacklevel=2)
            self.enabled = False
        self.dtype = self._checked_dtype(dtype)
        self.cache_enabled = None if cache_enabled is None else bool(cache_enabled)
        if preset is not None and preset not in _PRESETS:
            raise ValueError(f"autocast: preset is {preset!r}, must be one of {_listed(_PRESETS)}")
        self.preset = preset
        self._preset = None if preset is None else _PRESETS[preset]
        self._overrides = _overrides(fp32, lower)

    def _checked_dtype(self, dtype: Any) -> np.dtype[Any] | None:
        """`dtype` if a region can have it; may switch this one off."""
        if dtype is None:
            return None
        checked = _dtype("autocast", dtype)
        if checked in _NARROW:
            return checked
        if not self.enabled:
            return None
        if checked != np.dtype(np.float32):
            raise TypeError(f"autocast: dtype is {checked.name}, must be float16 or bfloat16")
        warnings.warn(
            "autocast: dtype is float32, which lowers nothing: the region is off", stacklevel=3
        )
        self.enabled = False
        return None

    def __enter__(self) -> autocast:
        _core.autocast_push(
            self._kind, self.enabled, self.dtype, self.cache_enabled, self._preset, self._overrides
        )
        return self

    def __exit__(self, *error: object) -> None:
        _core.autocast_pop()

    def __call__(self, func: _F) -> _F:
        if not callable(func):
            raise TypeError(
                f"autocast: a {type(func).__name__} is not callable; write `with autocast(...):` "
                "or decorate a function with it"
            )

        @functools.wraps(func)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def __repr__(self) -> str:
        dtype = None if self.dtype is None else self.dtype.name
        return f"autocast(device_type={self.device_type!r}, dtype={dtype}, enabled={self.enabled})"


def is_autocast_available(device_type: str) -> bool:
    """Whether `autocast` knows the device type; the device itself need not be there."""
    return device_type in _KINDS


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether this thread is inside an autocast region, for a device or for any."""
    return any(_core.autocast_state(kind)[1] for kind in _kinds("is_autocast_enabled", device_type))


def get_autocast_dtype(device_type: str) -> np.dtype[Any]:
    """The dtype that the ops of a device are lowered to in this thread, or would be by default."""
    if device_type is None:
        raise ValueError("get_autocast_dtype: device_type is None, must be 'cpu' or 'cuda'")
    (kind,) = _kinds("get_autocast_dtype", device_type)
    return np.dtype(_core.autocast_state(kind)[2])


class AutocastTable(dict[str, str]):
    """Op names with their policies: "keep", "lower", "fp32" or "promote". Its text is a table."""

    title: str = ""

    def __repr__(self) -> str:
        lines = [self.title]
        for policy in ("lower", "fp32", "promote", "keep"):
            names = sorted(name for name, held in self.items() if held == policy)
            lines += _wrapped(f"{policy:<8}", names)
        return "\n".join(lines)

    __str__ = __repr__


def autocast_table(device_type: str = "cpu") -> AutocastTable:
    """The policy of every op in force for a device: a dict whose text is a readable table.

    Examples
    --------
    >>> with mp.autocast(preset="torch", fp32={"softmax"}):
    ...     print(mp.autocast_table())
    autocast on cpu: on, lower = bfloat16; preset torch
    lower    linear linear_gelu matmul
    fp32     ... softmax
    ...
    """
    (kind,) = _kinds("autocast_table", device_type)
    _, enabled, dtype, _, preset = _core.autocast_state(kind)
    table = AutocastTable(
        (name, _POLICIES[policy])
        for name, policy in _core.autocast_policies(kind).items()
        if not name.endswith("_bwd")
    )
    state = f"on, lower = {np.dtype(dtype).name}" if enabled else "off"
    table.title = f"autocast on {device_type}: {state}; preset {tuple(_PRESETS)[preset]}"
    return table


# ---- mp.autograd.Function ----


def custom_fwd(
    fwd: Callable[..., Any] | None = None,
    *,
    device_type: str | None = None,
    cast_inputs: Any = None,
) -> Any:
    """Decorates `forward` of an `mp.autograd.Function` for use under autocast.

    Without `cast_inputs` forward runs in the region it is called in, and `custom_bwd` runs
    backward in the same. With a dtype, inside of a region, floating inputs other than float64 are
    cast to it (in lists, tuples and mappings too) and the body runs with autocast off; outside of
    a region nothing happens.

    Examples
    --------
    >>> class Product(mp.autograd.Function):
    ...     @staticmethod
    ...     @mp.amp.custom_fwd(cast_inputs=mp.float32)
    ...     def forward(ctx, a, b): ...
    """
    kinds = _kinds("custom_fwd", device_type)
    cast_to = None if cast_inputs is None else _dtype("custom_fwd", cast_inputs)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        states = [(kind, *_core.autocast_state(kind)[1:3]) for kind in kinds]
        inside = any(enabled for _, enabled, _ in states)
        if cast_to is None or not inside:
            ctx._autocast = states
            return fwd(ctx, *args, **kwargs)
        ctx._autocast = [(kind, False, dtype) for kind, _, dtype in states]
        args, kwargs = _cast((args, kwargs), cast_to, device_type)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *args, **kwargs)

    return forward


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str | None = None) -> Any:
    """Decorates `backward` of an `mp.autograd.Function`: runs it in the region of its forward.

    Its forward must be decorated with `custom_fwd`.
    """
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    _kinds("custom_bwd", device_type)

    @functools.wraps(bwd)
    def backward(ctx: Any, *grads: Any) -> Any:
        states = getattr(ctx, "_autocast", None)
        if states is None:
            raise RuntimeError("custom_bwd: forward is not decorated with custom_fwd")
        for kind, enabled, dtype in states:
            _core.autocast_push(kind, enabled, dtype, None, None, None)
        try:
            return bwd(ctx, *grads)
        finally:
            for _ in states:
                _core.autocast_pop()

    return backward


def _cast(value: Any, dtype: np.dtype[Any], device_type: str | None) -> Any:
    """`value` with its eligible arrays cast, containers rebuilt."""
    if isinstance(value, _core.ndarray):
        floating = value.dtype in _NARROW or value.dtype == np.float32
        here = device_type is None or kind_name(value.device) == device_type
        return value.astype(dtype) if floating and here else value
    if isinstance(value, (str, bytes, np.ndarray)):
        return value
    if isinstance(value, Mapping):
        return {
            _cast(k, dtype, device_type): _cast(v, dtype, device_type) for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        items = [_cast(v, dtype, device_type) for v in value]
        return value._make(items) if hasattr(value, "_make") else type(value)(items)
    return value


# ---- checks ----


def kind_name(device: str) -> str:
    """ "cpu" or "cuda", of a device's name."""
    return str(device).partition(":")[0]


@functools.cache
def cuda_available() -> bool:
    """Whether a GPU can be used here."""
    return bool(_core.info().get("cuda_devices", 0))


def _kind(op: str, device_type: Any) -> int:
    """The core's number of a device type. Errors are of the types that PyTorch raises."""
    if device_type is None:
        return _ALL_KINDS
    if not isinstance(device_type, str):
        raise ValueError(
            f"{op}: device_type is a {type(device_type).__name__}, must be 'cpu' or 'cuda'"
        )
    if device_type not in _KINDS:
        raise RuntimeError(f"{op}: device_type is {str(device_type)!r}, must be 'cpu' or 'cuda'")
    return _KINDS[device_type]


def _kinds(op: str, device_type: Any) -> tuple[int, ...]:
    kind = _kind(op, device_type)
    return tuple(_KINDS.values()) if kind == _ALL_KINDS else (kind,)


def _dtype(op: str, dtype: Any) -> np.dtype[Any]:
    try:
        known: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{op}: dtype is {dtype!r}, which is not a dtype") from None
    return known


@functools.cache
def _op_names() -> frozenset[str]:
    return frozenset(name for name in _core.autocast_policies(0) if not name.endswith("_bwd"))


def _overrides(fp32: Iterable[str], lower: Iterable[str]) -> dict[str, int] | None:
    """The user's lists as the core takes them."""
    if not fp32 and not lower:
        return None
    found: dict[str, int] = {}
    for word, names, policy in (("fp32", fp32, _FP32), ("lower", lower, _LOWER)):
        for name in (names,) if isinstance(names, str) else names:
            if name not in _op_names():
                import difflib

                close = difflib.get_close_matches(str(name), _op_names())
                hint = f"; close to it: {_listed(close)}" if close else ""
                raise ValueError(f"autocast: {word} names {name!r}, which is not an op{hint}")
            if found.setdefault(name, policy) != policy:
                raise ValueError(f"autocast: {name!r} is named by both fp32 and lower")
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _wrapped(head: str, names: list[str], width: int = 100) -> list[str]:
    """Lines of names behind a heading."""
    lines = [head]
    for name in names:
        if len(lines[-1]) + 1 + len(name) > width:
            lines.append(" " * len(head))
        lines[-1] += " " + name
    return lines
