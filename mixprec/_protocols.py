"""Protocols of NumPy, the array API standard and CUDA: how other code finds this package.

`np.exp(x)`, `np.concatenate([x, y])` and `numpy_array + x` with arrays of ours run the function of
that name in `mp`, recorded and under autocast. What `mp` does not have is NumPy's own on views.
Importing this file binds the methods to the type.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _core
from ._core import ndarray
from ._device import move
from ._numpy import fallback

# What means something else in `mp` than in NumPy.
_OTHERS = frozenset(("save",))
_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")


# ---- NumPy ----


@functools.cache
def _counterpart(module: str, name: str) -> Callable[..., Any] | None:
    """The function of ours for NumPy's `module`.`name`."""
    package, *path = module.split(".")
    found: Any = sys.modules["mixprec"]
    if package != "numpy" or (not path and name in _OTHERS):
        return None
    for part in [*path, name]:
        found = getattr(found, part, None)
    return found if callable(found) else None


# What plain calls of ufuncs run: rows for operators; others are added when they are first met.
_KNOWN: dict[np.ufunc, Callable[..., Any]] = {
    np.add: _core.add,
    np.subtract: _core.sub,
    np.multiply: _core.mul,
    np.divide: _core.div,
    np.equal: _core.equal,
    np.not_equal: _core.not_equal,
    np.less: _core.less,
    np.less_equal: _core.less_equal,
    np.greater: _core.greater,
    np.greater_equal: _core.greater_equal,
    np.power: _core.pow,
}


@functools.cache
def _ufunc(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """The function of ours for a ufunc, if it is NumPy's own."""
    name = ufunc.__name__
    return _counterpart("numpy", name) if getattr(np, name, None) is ufunc else None


def _wants_numpy(out: Any) -> bool:
    """Whether results go into arrays of NumPy's."""
    outs = out if isinstance(out, tuple) else (out,)
    return any(isinstance(x, np.ndarray) for x in outs)


def _in_numpy(value: Any) -> Any:
    """`value` with NumPy's views of arrays of ours."""
    if isinstance(value, ndarray):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_in_numpy(x) for x in value)
    return value


def _into_numpy(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """NumPy's function itself: its result has memory of NumPy's already."""
    return func(*_in_numpy(args), **{key: _in_numpy(value) for key, value in kwargs.items()})


def _takes_over(x: Any) -> bool:
    """Whether an operand of another library computes with arrays of ours itself."""
    kind = type(x)
    return hasattr(kind, "__array_ufunc__") and not issubclass(
        kind, (ndarray, np.ndarray, np.generic)
    )


def _array_ufunc(self: ndarray, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """`ndarray.__array_ufunc__` where the core does not know what to call."""
    if any(_takes_over(x) for x in inputs):
        return NotImplemented
    found = _ufunc(ufunc)
    if method == "at" and isinstance(inputs[0], np.ndarray):
        return _into_numpy(ufunc.at, inputs, kwargs)
    if kwargs:
        out = kwargs.get("out")
        if out is not None:
            if _wants_numpy(out):
                return _into_numpy(getattr(ufunc, method), inputs, kwargs)
            if len(out) == 1:
                kwargs["out"] = out[0]
        kwargs = {k: v for k, v in kwargs.items() if k not in ("casting", "order", "subok")}
    if found is not None:
        if method == "__call__":
            _KNOWN[ufunc] = found
        else:
            found = getattr(found, method, None)
    if found is None:
        return fallback(getattr(ufunc, method), inputs, kwargs, op=ufunc.__name__)
    return found(*inputs, **kwargs)


def array_function(
    self: ndarray,
    func: Callable[..., Any],
    types: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """What NumPy calls for a function that is given an array of ours.

    Parameters
    ----------
    func : callable
        NumPy's function.
    types : collection of type
        The types of arguments that speak this protocol.
    args, kwargs : tuple, dict
        Its arguments.

    Returns
    -------
    Any
        What the function of that name in `mp` gives; NotImplemented beside other libraries' arrays.
    """
    if not all(issubclass(kind, (ndarray, np.ndarray)) for kind in types):
        return NotImplemented
    if _wants_numpy(kwargs.get("out")) or (func is np.copyto and _wants_numpy(args[:1])):
        return _into_numpy(func, args, kwargs)
    found = _counterpart(func.__module__, func.__name__)
    return fallback(func, args, kwargs) if found is None else found(*args, **kwargs)


# ---- the array API standard ----


def array_namespace(self: ndarray, /, *, api_version: str | None = None) -> Any:
    """The module with the functions of the array API standard for this array.

    Parameters
    ----------
    api_version : str, optional
        The revision that is wanted, such as "2025.12".

    Returns
    -------
    module
        `mixprec`.

    Raises
    ------
    ValueError
        If the revision is not known.
    """
    if api_version is not None and api_version not in _VERSIONS:
        raise ValueError(
            f"__array_namespace__: revision {api_version!r} is not known, {_VERSIONS[-1]!r} is the "
            "latest"
        )
    return sys.modules["mixprec"]


def to_device(self: ndarray, device: str, /, *, stream: Any = None) -> ndarray:
    """The array on a device: itself if it is there.

    Parameters
    ----------
    device : str
        The device.
    stream : mp.cuda.Stream, optional
        On which a copy to or from a GPU runs; by default the thread's.

    Returns
    -------
    ndarray
        With its place in the graph.

    Raises
    ------
    ValueError
        If no device has that name, or a stream is given where none is used.
    """
    if stream is None:
        return move(self, device)
    from . import cuda

    if not isinstance(stream, cuda.Stream):
        raise TypeError(f"to_device: stream is a {type(stream).__name__}, not an mp.cuda.Stream")
    with cuda.stream(stream):
        return move(self, device)


# ---- other libraries on a GPU ----


def cuda_array_interface(self: ndarray) -> dict[str, Any]:
    """The CUDA Array Interface, version 3: address, shape and type for libraries that read it.

    Only arrays on a GPU have it, and only those whose dtype NumPy can name; bfloat16 and float8
    travel by DLPack.
    """
    from .cuda import current_stream

    name = str(self.device)
    if name == "cpu":
        raise AttributeError("__cuda_array_interface__: the array is on the CPU")
    if self.dtype.type.__module__ == "ml_dtypes":
        raise AttributeError(
            f"__cuda_array_interface__: NumPy has no name for {self.dtype}; use DLPack"
        )
    if self.requires_grad:
        raise AttributeError("__cuda_array_interface__: the array requires grad; use .detach()")
    address, writable = _core.exposed(self)
    return {
        "shape": tuple(self.shape),
        "typestr": self.dtype.str,
        "data": (address if self.size else 0, not writable),
        "strides": None if self.is_contiguous() else self.strides,
        "version": 3,
        "stream": current_stream(name).cuda_stream or 1,
    }


_METHODS: dict[str, Any] = {
    "__array_function__": array_function,
    "__array_namespace__": array_namespace,
    "__cuda_array_interface__": property(cuda_array_interface),
    "to_device": to_device,
}
for _name, _method in _METHODS.items():
    setattr(ndarray, _name, _method)
_core.set_ufuncs(_KNOWN, _array_ufunc)
