"""The methods of `ndarray` that are written in Python: functions of this package, bound by name.

The core brings the operators and what needs the array's insides; every method beside them is a row
of the tables below. Importing this file binds them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from . import _core, _layout
from . import functional as F
from ._core import ndarray
from ._device import move, target
from ._dtypes import bfloat16, float16, float32, float64, int32, int64
from ._short import short
from ._typing import ArrayLike
from .functional.shape import listed, view

# Functions whose first argument is the array.
_FUNCTIONS = (
    "add subtract sub multiply mul divide div power pow maximum minimum "
    "eq ne lt le gt ge isnan isinf isfinite "
    "negative neg absolute abs sign exp log sqrt rsqrt tanh sigmoid relu square reciprocal "
    "clip clamp sum prod mean var std max min amax amin ptp all any argmax argmin count_nonzero "
    "softmax log_softmax logsumexp cumsum cumprod argsort argpartition searchsorted topk "
    "matmul mm bmm dot trace diagonal swapaxes flatten ravel squeeze unsqueeze broadcast_to "
    "repeat round take put choose nonzero index_select copy"
)


@short("ndarray.reshape")
def reshape(
    self: ndarray, *shape: Any, order: str | None = "C", copy: bool | None = None
) -> ndarray:
    """The array in another shape, given as integers or as one sequence. See `mp.reshape`."""
    return F.reshape(self, listed(shape), order, copy=copy)


@short("ndarray.transpose")
def transpose(self: ndarray, *axes: Any) -> ndarray:
    """The array with its axes in another order, reversed if none is given. See `mp.transpose`."""
    if not axes or axes == (None,):
        return _core.permute(self, None)
    return _core.permute(self, listed(axes))


def permute(self: ndarray, *dims: Any) -> ndarray:
    """The array with its axes in another order. See `mp.transpose`."""
    return _core.permute(self, listed(dims))


def expand(self: ndarray, *shape: Any) -> ndarray:
    """The array repeated to a shape; -1 keeps an extent. See `mp.broadcast_to`."""
    return _core.expand(self, listed(shape))


def t(self: ndarray) -> ndarray:
    """The transpose of an array of at most two dimensions, as PyTorch spells it."""
    if self.ndim > 2:
        raise ValueError(f"t: the array has {self.ndim} dimensions, at most 2 are wanted")
    return _core.permute(self, None)


def lerp_(self: ndarray, end: ArrayLike, weight: float) -> ndarray:
    """Goes the part `weight` of the way to `end`, in place: a moving average."""
    return self.add_(_core.sub(end, self), alpha=weight)


def sort(
    self: ndarray,
    axis: int = -1,
    kind: str | None = None,
    order: None = None,
    *,
    descending: bool = False,
    stable: bool | None = True,
) -> None:
    """Sorts the array in place, as NumPy's method does. See `mp.sort`, which gives a copy."""
    x = _core.copy(self) if self.requires_grad else self  # what backward keeps is not written
    self.copy_(F.sort(x, axis, kind, order, descending=descending, stable=stable))


def partition(
    self: ndarray,
    kth: int | Sequence[int],
    axis: int = -1,
    kind: str = "introselect",
    order: None = None,
) -> None:
    """Partitions the array in place. See `mp.partition`, which gives a copy."""
    x = _core.copy(self) if self.requires_grad else self
    self.copy_(F.partition(x, kth, axis, kind, order))


def where(self: ndarray, condition: ArrayLike, other: ArrayLike) -> ndarray:
    """The array's elements where the condition holds, and those of `other` elsewhere."""
    return _core.where(condition, self, other)


def compress(
    self: ndarray, condition: ArrayLike, axis: int | None = None, out: ndarray | None = None
) -> ndarray:
    """Slices along an axis for which a condition holds. See `mp.compress`."""
    return F.compress(condition, self, axis, out)


def to(
    self: ndarray,
    *args: Any,
    dtype: Any = None,
    device: str | None = None,
    non_blocking: bool = False,
    copy: bool = False,
) -> ndarray:
    """The array in another dtype, on another device, or in those of another array.

    Parameters
    ----------
    *args : dtype, device or ndarray
        Any of them, in any order.
    dtype, device : optional
        The same by name.
    non_blocking : bool
        Accepted for PyTorch's sake.
    copy : bool
        True copies where nothing changes too.

    Returns
    -------
    ndarray
        The array itself if it is so already.
    """
    dtype, device = target(args, dtype, device)
    y = self if dtype is None else self.astype(dtype, copy=False)
    if device is not None:
        y = move(y, device)
    return _core.copy(self) if copy and y is self else y


def cpu(self: ndarray) -> ndarray:
    """The array on the CPU: itself if it is there."""
    return move(self, "cpu")


def cuda(self: ndarray, device: int | str | None = None) -> ndarray:
    """The array on a GPU: itself if it is there."""
    return move(self, cuda_name(device))


def cuda_name(device: int | str | None) -> str:
    """The name of a GPU given by number or name; None is the first."""
    if isinstance(device, str):
        return device
    return "cuda" if device is None else f"cuda:{device}"


def half(self: ndarray) -> ndarray:
    """The array in float16: itself if it is so."""
    return self.astype(float16, copy=False)


def _bfloat16(self: ndarray) -> ndarray:
    """The array in bfloat16: itself if it is so."""
    return self.astype(bfloat16, copy=False)


def _float(self: ndarray) -> ndarray:
    """The array in float32: itself if it is so."""
    return self.astype(float32, copy=False)


def double(self: ndarray) -> ndarray:
    """The array in float64: itself if it is so."""
    return self.astype(float64, copy=False)


def _int(self: ndarray) -> ndarray:
    """The array in int32: itself if it is so."""
    return self.astype(int32, copy=False)


def long(self: ndarray) -> ndarray:
    """The array in int64: itself if it is so."""
    return self.astype(int64, copy=False)


# ---- NumPy's that write in place, or give no array ----


@short("ndarray.fill")
def fill(self: ndarray, value: ArrayLike) -> None:
    """Sets all elements to a number."""
    self.fill_(value)


def resize(self: ndarray, *new_shape: Any, refcheck: bool = True) -> None:
    """Gives the array another shape and size, in place; new elements are 0.

    `mp.resize` gives a copy, and repeats the elements instead.
    """
    shape = tuple(listed(new_shape))
    size = math.prod(shape)
    if any(extent < 0 for extent in shape):
        raise ValueError(f"resize: shape {shape} has a negative extent")
    if size == self.size:
        self.shape = shape
        return
    if not self.flags.owndata:
        raise ValueError("resize: the array is a view, or its memory is another library's")
    from .autograd import no_grad

    kept = min(size, self.size)
    with no_grad():
        longer = _core.full((size,), self.dtype, self.device, 0)
        longer[:kept] = _core.reshape(self.detach(), (self.size,))[:kept]
        self.data = _core.reshape(longer, shape)


def tobytes(self: ndarray, order: str = "C") -> bytes:
    """The bytes of the elements, by rows ("C") or by columns ("F")."""
    return self.detach().cpu().numpy().tobytes(order)  # type: ignore[arg-type]


def tofile(self: ndarray, fid: Any, sep: str = "", format: str = "%s") -> None:
    """Writes the elements to a file: as bytes, or as text between separators."""
    self.detach().cpu().numpy().tofile(fid, sep, format)


def conj(self: ndarray) -> ndarray:
    """The complex conjugate: the array itself. Also spelled `conjugate`."""
    return self


# ---- PyTorch's ----


def numel(self: ndarray) -> int:
    """The number of elements: `size`, as PyTorch spells it."""
    return self.size


def dim(self: ndarray) -> int:
    """The number of dimensions: `ndim`, as PyTorch spells it."""
    return self.ndim


def element_size(self: ndarray) -> int:
    """The bytes of an element: `itemsize`, as PyTorch spells it."""
    return self.itemsize


_METHODS = {
    **{name: getattr(F, name) for name in _FUNCTIONS.split()},
    **{f.__name__: f for f in (view, reshape, transpose, permute, expand, t, where, to)},
    **{f.__name__: f for f in (sort, partition)},
    **{f.__name__: f for f in (cpu, cuda, half, double, long, lerp_, numel, dim, element_size)},
    **{f.__name__: f for f in _layout.METHODS},
    **{f.__name__: f for f in (compress, conj, fill, resize, tobytes, tofile)},
    "bfloat16": _bfloat16,
    "conjugate": conj,
    "clone": F.copy,
    "float": _float,
    "int": _int,
}

for _name, _method in (*_METHODS.items(), *_layout.PROPERTIES.items()):
    setattr(ndarray, _name, _method)
