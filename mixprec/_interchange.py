"""Arrays of other libraries: borrowed through DLPack without a copy, and given back to them.

`GradScaler` and the optimizers take arrays of PyTorch, CuPy and JAX as parameters and gradients;
what they do to them happens in the memory that the other library sees. The capsules themselves are
csrc/py/dlpack.c's.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from . import _core
from ._core import ndarray
from ._device import is_writable

# Where a library's from_dlpack is, by the package that defines its arrays.
_FROM_DLPACK = {
    "torch": "torch",
    "cupy": "cupy",
    "jax": "jax.numpy",
    "jaxlib": "jax.numpy",
    "numpy": "numpy",
}

# Libraries whose arrays never change, though their capsules do not say so.
_IMMUTABLE = frozenset(("jax", "jaxlib"))


def is_foreign(x: Any) -> bool:
    """Whether it is an array of another library, NumPy's aside, that speaks DLPack."""
    return hasattr(x, "__dlpack__") and not isinstance(x, (ndarray, np.ndarray, np.generic))


def library_of(x: Any) -> str:
    """The package that an array comes from: "torch", "cupy", "jax"."""
    return type(x).__module__.partition(".")[0]


def is_immutable(x: Any) -> bool:
    """Whether its memory must not be written, whatever its capsule says."""
    return library_of(x) in _IMMUTABLE


def borrow(x: Any) -> ndarray:
    """An array over the memory of another library's, outside of that library's graph."""
    detach = getattr(x, "detach", None)
    x = detach() if callable(detach) else x
    return _core.from_dlpack(x, read_only=is_immutable(x))


def lend(array: ndarray, like: Any) -> Any:
    """An array of the library that `like` comes from, over our memory."""
    name = library_of(like)
    place = _FROM_DLPACK.get(name, name)
    function = getattr(importlib.import_module(place), "from_dlpack", None)
    if function is None:
        raise TypeError(
            f"from_dlpack: {place} has no such function, so arrays cannot be lent to it"
        )
    return function(array)


def borrowed_parameter(owner: str, at: int, x: Any) -> ndarray:
    """A leaf over a parameter of another library. TypeError if it cannot be written."""
    array = borrow(x)
    if not is_writable(array):
        raise TypeError(
            f"{owner}: parameter {at} is an array of {library_of(x)} that must not be written; "
            "keep it in mixprec, lend it by from_dlpack, and give its gradients by grads="
        )
    _core.make_leaf(array)
    return array


def borrowed_gradient(owner: str, at: int, param: ndarray, x: Any, use: str) -> ndarray:
    """A gradient as `param.grad` takes it, over x's memory where the dtypes are the same.

    `use` is "read" where x must stay as it is, "write" where it may be unscaled in place (of what
    must not be written a copy is), and "copy".
    """
    grad: ndarray = x.detach() if isinstance(x, ndarray) else _view_of(x)
    if tuple(grad.shape) != tuple(param.shape):
        raise ValueError(
            f"{owner}: gradient {at} has shape {tuple(grad.shape)}, its parameter "
            f"{tuple(param.shape)}"
        )
    if grad.device != param.device:
        raise ValueError(
            f"{owner}: gradient {at} is on {grad.device}, its parameter on {param.device}"
        )
    if grad.dtype != param.dtype:
        return grad.astype(param.dtype)
    if use == "read":
        return _core.from_dlpack(grad, read_only=True) if is_writable(grad) else grad
    return grad if use == "write" and is_writable(grad) else _core.copy(grad)


def _view_of(x: Any) -> ndarray:
    return _core.from_numpy(x) if isinstance(x, np.ndarray) else borrow(x)
