"""Devices: their names, moving arrays between them, what their memory holds, and their errors."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from . import _core
from ._core import ndarray

__all__ = [
    "DeviceError",
    "MemoryStats",
    "OutOfMemoryError",
    "device",
    "get_default_device",
    "memory_stats",
    "reset_peak_memory",
    "set_default_device",
    "set_float32_matmul_precision",
]


class DeviceError(RuntimeError):
    """A device that is not there, or that failed."""

    __module__ = "mixprec"


class OutOfMemoryError(MemoryError):
    """A device has less memory than was asked for; the text says how much that was."""

    __module__ = "mixprec"


class device(str):
    """The name of a device: "cpu" or "cuda:<i>".

    Parameters
    ----------
    name : str
        "cpu", "cuda" (which is "cuda:0") or "cuda:<i>".
    index : int, optional
        The number, where the name has none.

    Attributes
    ----------
    type : str
        "cpu" or "cuda".
    index : int or None
        The number of a GPU, None for the CPU.

    As a context it is the default device of the thread.

    Raises
    ------
    ValueError
        If no device has that name. Whether the device is there shows when it is used.

    Examples
    --------
    >>> mp.device("cuda").index
    0
    >>> mp.zeros(2).device == "cpu"
    True
    """

    __module__ = "mixprec"
    __slots__ = ()

    def __new__(cls, name: str = "cpu", index: int | None = None) -> device:
        if isinstance(name, device) and index is None:
            return name
        if not isinstance(name, str):
            raise TypeError(f"device: a {type(name).__name__} is not the name of a device")
        text = name if index is None else f"{name}:{index}"
        kind, colon, number = text.partition(":")
        if text == "cpu":
            return super().__new__(cls, text)
        if kind == "cuda" and (not colon or (number.isascii() and number.isdigit())):
            return super().__new__(cls, f"cuda:{int(number or 0)}")
        raise ValueError(f"device: {text!r} is not known, use 'cpu', 'cuda' or 'cuda:<i>'")

    def __enter__(self) -> device:
        _before.set((*_before.get(), _core.default_device()))
        set_default_device(self)
        return self

    def __exit__(self, *exception: object) -> None:
        *others, last = _before.get()
        _before.set(tuple(others))
        _core.set_default_device(last)

    @property
    def type(self) -> str:
        """ "cpu" or "cuda"."""
        return self.partition(":")[0]

    @property
    def index(self) -> int | None:  # type: ignore[override]
        """The number of a GPU, None for the CPU."""
        number = self.partition(":")[2]
        return int(number) if number else None


_core.set_device_class(device)
# What contexts of this thread will bring back.
_before: ContextVar[tuple[str, ...]] = ContextVar("before", default=())


def set_default_device(device: str) -> None:
    """Changes the device on which this thread's new arrays are made, where none is named.

    Arrays from NumPy share its memory and stay on the CPU, as PyTorch's `from_numpy` does;
    `array` and `asarray` of other things go to the default device.

    Parameters
    ----------
    device : str
        A device that is there.

    Raises
    ------
    DeviceError
        If the device is not there.

    Examples
    --------
    >>> mp.set_default_device("cpu")
    >>> with mp.device("cpu"):
    ...     x = mp.zeros(2)
    """
    _core.set_default_device(_class(device))


def get_default_device() -> device:
    """The device on which this thread's new arrays are made, where none is named.

    Examples
    --------
    >>> mp.get_default_device()
    'cpu'
    """
    return _class(_core.default_device())


def set_float32_matmul_precision(precision: str) -> None:
    """Chooses how float32 matrix products are computed on GPUs.

    Parameters
    ----------
    precision : {"highest", "high", "medium"}
        "highest" keeps float32 all through. "high" and "medium" let the tensor cores round the
        operands to TF32 (10 bits of mantissa), several times as fast. The CPU always computes in
        float32.

    Examples
    --------
    >>> mp.set_float32_matmul_precision("highest")
    """
    if precision not in ("highest", "high", "medium"):
        raise ValueError(
            f"set_float32_matmul_precision: precision is {precision!r}, must be 'highest', 'high' "
            "or 'medium'"
        )
    if _core.cuda_device_count():
        _core.cuda_set_tf32("cuda:0", precision != "highest")


_class = device  # in functions with a parameter of that name
_core.set_errors(OutOfMemoryError, DeviceError)


def move(x: ndarray, to: str) -> ndarray:
    """x on the device `to`: itself if it is there, else a copy with x's place in the graph."""
    to = device(to)
    if x.device == to:
        return x
    y = _core.to_device(x, to)
    grad, inference = _core.grad_mode()
    if x.requires_grad and grad and not inference:
        home = x.device
        _core.record_custom("to", lambda g: (move(g, home),), None, (x,), (y,))
    return y


def target(args: tuple[Any, ...], dtype: Any, where: Any) -> tuple[np.dtype[Any] | None, Any]:
    """(dtype, device) that the arguments of a `to` method mean, None where they are silent.

    Each argument is a device, a dtype, or an array that has both.
    """
    for arg in args:
        if isinstance(arg, ndarray):
            dtype, where = arg.dtype, arg.device
        elif isinstance(arg, str) and arg.partition(":")[0] in ("cpu", "cuda"):
            where = arg
        else:
            dtype = arg
    if isinstance(dtype, str):
        try:
            dtype = np.dtype(dtype)
        except TypeError:
            dtype = device(dtype)  # neither: its error names what a device can be
    return (None if dtype is None else np.dtype(dtype)), where


class MemoryStats(NamedTuple):
    """Bytes of a device that arrays hold, and the most that they have held."""

    held: int
    peak: int


def memory_stats(device: str = "cpu") -> MemoryStats:
    """Bytes that arrays hold on a device, now and at most so far.

    Arrays of the CPU of up to 64 bytes, which lie in their headers, are not counted.

    Parameters
    ----------
    device : str
        The device.

    Returns
    -------
    MemoryStats
        With the fields `held` and `peak`.

    Examples
    --------
    >>> before = mp.memory_stats().held
    >>> x = mp.zeros((1024, 1024))
    >>> (mp.memory_stats().held - before) // 1024
    4096
    """
    return MemoryStats(*_core.memory_stats(device))


def reset_peak_memory(device: str = "cpu") -> None:
    """Lets `memory_stats(device).peak` begin again at what is held now.

    Examples
    --------
    >>> mp.reset_peak_memory()
    >>> mp.memory_stats().peak == mp.memory_stats().held
    True
    """
    _core.reset_peak(device)


def is_writable(x: ndarray) -> bool:
    """Whether elements can be assigned: not of read-only memory, nor where some share memory."""
    shared = any(step == 0 and n > 1 for step, n in zip(x.strides, x.shape, strict=True))
    return not shared and _core.exposed(x)[1]
