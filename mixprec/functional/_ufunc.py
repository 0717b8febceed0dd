"""Functions of each element as ufuncs.

`ufunc` makes an object of the C type of that name of a Python function. A call with the arrays
alone runs the row; everything else NumPy lets one ask of a ufunc is written here: calls with out=,
where= or dtype=, and the methods.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from .. import _core
from .._core import ndarray
from .._dtypes import is_floating, to_dtype
from .._short import dress
from .._typing import ArrayLike, Axis, DTypeLike
from ..creation import asarray, beside
from ._axis import normal

if TYPE_CHECKING:
    import inspect

_F = TypeVar("_F", bound=Callable[..., Any])


class _Missing:
    """What stands for an argument that was not given, where None means something."""

    def __repr__(self) -> str:
        return "<no value>"


_MISSING: Any = _Missing()


def ufunc(row: str | None = None, *, identity: Any = None, nout: int = 1) -> Callable[[_F], _F]:
    """Makes a ufunc of a function of each element that runs the row `row`.

    Parameters
    ----------
    row : str, optional
        The row of plain calls, which has no attributes; without one they call the function.
    identity : number, optional
        What changes no operand: the result of reducing nothing.
    nout : int
        The number of arrays that the function gives.

    Returns
    -------
    callable
        Takes the function, whose positional parameters are arrays, and gives the ufunc.
    """

    def make(function: Any) -> Any:
        nin = function.__code__.co_argcount
        return dress(_core.ufunc(row, function, _call, identity, nin, nout), function)

    return cast("Callable[[_F], _F]", make)


def _signature(self: Any) -> inspect.Signature:
    """The function's, its arrays by position, and the keywords of every ufunc."""
    import inspect

    kinds = inspect.Parameter
    own = inspect.signature(self.__wrapped__)
    arrays = [p.replace(kind=kinds.POSITIONAL_ONLY) for p in own.parameters.values()]
    defaults = (("out", None), ("where", True), ("casting", "same_kind"), ("dtype", None))
    keywords = [kinds(name, kinds.KEYWORD_ONLY, default=value) for name, value in defaults]
    return own.replace(parameters=[*arrays, *keywords])


# ---- calls ----


def _call(
    self: Any,
    /,
    *args: Any,
    out: Any = None,
    where: Any = True,
    dtype: DTypeLike = None,
    casting: str = "same_kind",
    order: str = "K",
    subok: bool = True,
    **unknown: Any,
) -> Any:
    """Calls that are not plain: with an output, a mask or a dtype, or the wrong count."""
    name, nin = self.__name__, self.nin
    if unknown:
        raise TypeError(f"{name}: there is no argument {next(iter(unknown))!r}")
    if not nin <= len(args) <= nin + self.nout:
        raise TypeError(f"{name}: {nin} arrays are wanted, {len(args)} arguments given")
    if len(args) > nin:
        if out is not None:
            raise TypeError(f"{name}: out is given twice")
        args, out = args[:nin], args[nin:]
    outs = _outputs(name, out, self.nout)
    if dtype is not None:
        return _call_in_dtype(self, args, outs, where, to_dtype(name, dtype), casting)
    if where is True and outs[0] is not None and _goes_directly(self, args, outs[0]):
        return _core.call_into(self.row, outs[0], args, ())
    results = self.__wrapped__(*args)
    return _place(name, results, outs, where, casting)


def _outputs(name: str, out: Any, nout: int) -> tuple[ndarray | None, ...]:
    """`out` as a tuple of `nout` arrays and Nones."""
    outs = out if isinstance(out, tuple) else (out,) if out is not None else (None,) * nout
    outs += (None,) * (nout - len(outs) if isinstance(out, tuple) and nout > len(outs) else 0)
    if len(outs) != nout:
        raise ValueError(f"{name}: out has {len(outs)} arrays, {nout} are wanted")
    for y in outs:
        if y is not None and not isinstance(y, ndarray):
            raise TypeError(f"{name}: out is a {type(y).__name__}, an mp.ndarray is wanted")
    return outs


def _call_in_dtype(
    self: Any, args: Any, outs: Any, where: Any, dtype: np.dtype[Any], casting: str
) -> Any:
    """The elements are brought to `dtype` before; what tests them gives bools as ever."""

    arrays = []
    for x in map(asarray, args):
        check_cast(self.__name__, x.dtype, dtype, casting)
        arrays.append(x.astype(dtype, copy=False))
    results = self.__wrapped__(*arrays)
    if self.nout == 1 and results.dtype != dtype and results.dtype != np.bool_:
        results = results.astype(dtype)
    return _place(self.__name__, results, outs, where, casting)


def _goes_directly(self: Any, args: Any, out: ndarray) -> bool:
    """Whether the row can write into `out`: the dtype and shape of the result are its own."""
    if self.row is None or not is_floating(out.dtype):
        return False
    shaped = False
    for x in args:
        if isinstance(x, ndarray):
            if x.dtype != out.dtype or x.device != out.device:
                return False
            if x.shape != out.shape and x.ndim:
                return False
            shaped |= x.shape == out.shape
        elif type(x) not in (int, float):
            return False
    return shaped


def _place(name: str, results: Any, outs: Any, where: Any, casting: str) -> Any:
    """The results where the mask holds, in the outputs that were given."""
    if where is True and outs[0] is None and len(outs) == 1:
        return results
    many = isinstance(results, tuple)
    placed = tuple(
        _place_one(name, y, out, where, casting)
        for y, out in zip(results if many else (results,), outs, strict=True)
    )
    return placed if many else placed[0]


def _place_one(name: str, y: ndarray, out: ndarray | None, where: Any, casting: str) -> ndarray:
    mask = None if where is True else _mask(name, where, y)
    if out is None:  # NumPy leaves the rest as its memory was
        return y if mask is None else _core.where(mask, y, 0)
    check_cast(name, y.dtype, out.dtype, casting)
    y = y.astype(out.dtype, copy=False)
    if mask is not None:
        y = _core.where(mask, y, out)
    if y.shape != out.shape and np.broadcast_shapes(y.shape, out.shape) != out.shape:
        raise ValueError(f"{name}: a result of shape {y.shape} does not fit in out of {out.shape}")
    return out.copy_(y)


def _mask(name: str, where: Any, x: ndarray) -> ndarray:

    _, mask = beside(x, where)
    if mask.dtype != np.bool_:
        raise TypeError(f"{name}: where is {mask.dtype}, bools are wanted")
    return mask


_RANKS = {"b": 0, "u": 1, "i": 2, "f": 3, "V": 3}


def check_cast(name: str, source: np.dtype[Any], target: np.dtype[Any], casting: str) -> None:
    """TypeError in the name of `name` unless NumPy's rule `casting` lets source become target."""
    if casting not in ("no", "equiv", "safe", "same_kind", "unsafe"):
        raise ValueError(f"{name}: casting is {casting!r}, must be 'no', 'equiv', 'safe', "
                         "'same_kind' or 'unsafe'")  # fmt: skip
    if source == target or casting == "unsafe":
        return
    ranks = (3 if is_floating(source) else _RANKS[source.kind],
             3 if is_floating(target) else _RANKS[target.kind])  # fmt: skip
    allowed = ranks[0] <= ranks[1] if casting == "same_kind" else False
    if casting == "safe":
        allowed = ranks[0] <= ranks[1] and _core.promote(source, target) == target
    if not allowed:
        raise TypeError(f"{name}: {source} cannot be cast to {target} under casting {casting!r}")


# ---- methods ----

# Functions of this package that do what a method does; they are faster and have gradients.
_REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}
_ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod"}
_ONE_WAY = ("subtract", "divide", "floor_divide", "remainder", "power", "fmod")  # order matters


def _known(table: dict[str, str], name: str) -> Callable[..., ndarray] | None:
    functional = importlib.import_module("mixprec.functional")
    return getattr(functional, table[name], None) if name in table else None


def _want_binary(self: Any, method: str) -> str:
    name: str = self.__name__
    if self.nin != 2 or self.nout != 1:
        raise ValueError(f"{name}.{method}: only functions of two arrays have it")
    return f"{name}.{method}"


def _axes(op: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, Sequence) else (axis,)
    axes = tuple(normal(op, a, ndim) for a in given)
    if len(set(axes)) != len(axes):
        raise ValueError(f"{op}: {tuple(given)} names an axis twice")
    return axes


def _to_front(x: ndarray, axes: Sequence[int]) -> ndarray:
    """x with those axes first, as one."""
    rest = [a for a in range(x.ndim) if a not in axes]
    moved = _core.permute(x, [*axes, *rest])
    count = math.prod(x.shape[a] for a in axes)
    return _core.reshape(moved, (count, *(x.shape[a] for a in rest)))


def reduce(
    self: Any,
    array: ArrayLike,
    axis: Axis = 0,
    dtype: DTypeLike = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = _MISSING,
    where: Any = True,
) -> ndarray:
    """One element of those along an axis, by calls one after the other. See NumPy's method.

    Parameters
    ----------
    array : array_like
        The elements.
    axis : int, sequence of int or None
        The axes to reduce, None for all.
    dtype : dtype, optional
        What the elements are brought to before.
    out : ndarray, optional
        Where the result goes.
    keepdims : bool
        Leaves the axes there, with extent 1.
    initial : number, optional
        What the first call starts with.
    where : array_like of bool, optional
        Which elements count.

    Returns
    -------
    ndarray
        Of nothing it is `initial` or the identity.

    Raises
    ------
    ValueError
        If there is nothing to reduce and no identity.
    """

    op = _want_binary(self, "reduce")
    x = asarray(array)
    if dtype is not None:
        x = x.astype(to_dtype(op, dtype), copy=False)
    axes = _axes(op, axis, x.ndim)
    start = self.identity if initial is _MISSING or initial is None else initial
    if where is not True:
        if start is None:
            raise ValueError(f"{op}: there is no identity; where needs initial")
        x = _core.where(_mask(op, where, x), x, start)
    known = _known(_REDUCTIONS, self.__name__)
    empty = math.prod(x.shape[a] for a in axes) == 0
    if known is not None and not (empty and self.identity is None):
        y = known(x, axis=axes, keepdims=keepdims)
        if dtype is not None:
            y = y.astype(x.dtype, copy=False)
    else:
        y = _reduce_in_turn(self, op, x, axes, start, keepdims)
    if initial is not _MISSING and initial is not None and not empty:
        y = self(initial, y)
    return _place_one(op, y, _outputs(op, out, 1)[0], True, "same_kind")


def _reduce_in_turn(
    self: Any, op: str, x: ndarray, axes: tuple[int, ...], start: Any, keepdims: bool
) -> ndarray:
    if len(axes) > 1 and self.__name__ in _ONE_WAY:
        raise ValueError(f"{op}: the order of the elements matters; one axis at a time is possible")
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes)
    flat = _to_front(x, axes)
    if len(flat) == 0:
        if start is None:
            raise ValueError(f"{op}: there is nothing to reduce, and no identity")
        return _core.full(shape, x.dtype, x.device, start)
    y = flat[0]
    for i in range(1, len(flat)):
        y = self(y, flat[i])
    return _core.reshape(y, shape) if keepdims else y


def accumulate(
    self: Any, array: ArrayLike, axis: int = 0, dtype: DTypeLike = None, out: Any = None
) -> ndarray:
    """The results of reducing the elements up to each one along an axis. See NumPy's method.

    Parameters
    ----------
    array : array_like
        The elements.
    axis : int
        The axis to go along.
    dtype : dtype, optional
        What the elements are brought to before.
    out : ndarray, optional
        Where the result goes.

    Returns
    -------
    ndarray
        Of the shape of `array`.
    """

    op = _want_binary(self, "accumulate")
    x = asarray(array)
    if dtype is not None:
        x = x.astype(to_dtype(op, dtype), copy=False)
    axis = normal(op, axis, x.ndim)
    known = _known(_ACCUMULATIONS, self.__name__)
    if known is not None:
        y = known(x, axis=axis)
    else:
        rows = _to_front(x, (axis,))
        results = [rows[i] for i in range(min(len(rows), 1))]
        for i in range(1, len(rows)):
            results.append(self(results[-1], rows[i]))
        y = _from_rows(results, x, axis)
    return _place_one(op, y, _outputs(op, out, 1)[0], True, "same_kind")


def _from_rows(rows: Sequence[ndarray], x: ndarray, axis: int) -> ndarray:
    """Results of x's shape but for `axis`, of which there is one for each row."""
    rest = [n for a, n in enumerate(x.shape) if a != axis]
    if not rows:
        return _core.reshape(_core.copy(x), x.shape)
    y = _core.concatenate([_core.reshape(r, (1, *rest)) for r in rows], 0)
    order = list(range(1, x.ndim))
    order.insert(axis, 0)
    return _core.permute(y, order)


def reduceat(
    self: Any,
    array: ArrayLike,
    indices: ArrayLike,
    axis: int = 0,
    dtype: DTypeLike = None,
    out: Any = None,
) -> ndarray:
    """The results of reducing the parts that begin at indices along an axis. See NumPy's method.

    Parameters
    ----------
    array : array_like
        The elements.
    indices : array_like of int
        Where parts begin. One that is not below its successor gives its element alone.
    axis : int
        The axis to go along.
    dtype : dtype, optional
        What the elements are brought to before.
    out : ndarray, optional
        Where the result goes.

    Returns
    -------
    ndarray
        With as many elements along the axis as there are indices.
    """

    op = _want_binary(self, "reduceat")
    x = asarray(array)
    axis = normal(op, axis, x.ndim)
    places = asarray(indices)
    if places.ndim != 1 or (places.size and places.dtype.kind not in "iu"):
        raise (ValueError if places.ndim != 1 else TypeError)(
            f"{op}: indices are a {places.dtype} array of {places.ndim} dimensions, integers in 1 "
            "dimension are wanted"
        )
    begins = [int(i) for i in places.tolist()]
    extent = x.shape[axis]
    for i in begins:
        if not 0 <= i < extent:
            raise IndexError(f"{op}: index {i} is out of range for axis {axis} of size {extent}")
    rows = _to_front(x, (axis,))
    results = []
    for begin, end in zip(begins, [*begins[1:], extent], strict=True):
        part = rows[begin : max(end, begin + 1)]
        results.append(reduce(self, part, 0, dtype))
    y = _from_rows(results, x, axis) if results else rows[:0]
    return _place_one(op, y, _outputs(op, out, 1)[0], True, "same_kind")


def outer(self: Any, a: ArrayLike, b: ArrayLike, /, **kwargs: Any) -> ndarray:
    """The function of every pair of an element of `a` and one of `b`. See NumPy's method.

    Parameters
    ----------
    a, b : array_like
        The elements.
    **kwargs : object
        Of the call.

    Returns
    -------
    ndarray
        Of the shape of `a`, then that of `b`.
    """

    _want_binary(self, "outer")
    x, y = asarray(a), asarray(b)
    return cast("ndarray", self(_core.reshape(x, (*x.shape, *(1,) * y.ndim)), y, **kwargs))


def at(self: Any, a: ndarray, indices: Any, b: Any = _MISSING, /) -> None:
    """The function of the elements at indices, in place, once for each time one is named.

    Parameters
    ----------
    a : ndarray
        What is written.
    indices : index
        As in ``a[indices]``.
    b : array_like, optional
        The second operand, of functions that have one.

    Raises
    ------
    NotImplementedError
        Where the write would have to be recorded, unless the function is `add` or `subtract`.
    """
    op = f"{self.__name__}.at"
    if not isinstance(a, ndarray):
        raise TypeError(f"{op}: a is a {type(a).__name__}, an mp.ndarray is wanted")
    if (b is _MISSING) != (self.nin == 1):
        raise TypeError(f"{op}: {self.nin} operands are wanted, {1 if b is _MISSING else 2} given")
    if self.__name__ in ("add", "subtract"):
        _core.add_at(a, indices, b if self.__name__ == "add" else _core.neg(b))
        return
    grad, inference = _core.grad_mode()
    operands = [x for x in (a, b) if isinstance(x, ndarray)]
    if grad and not inference and any(x.requires_grad for x in operands):
        raise NotImplementedError(f"{op}: a write that would have to be recorded")
    for x in operands:
        if x.device != "cpu":
            raise NotImplementedError(f"{op}: the array is on {x.device}; use .cpu()")
    numpys = getattr(np, self.__name__, None)
    if not isinstance(numpys, np.ufunc):
        raise NotImplementedError(f"{op}: NumPy, which does it, has no such function")
    elements = a.detach().numpy().copy()
    more = () if b is _MISSING else (_numpys(b),)
    numpys.at(elements, _numpy_index(indices), *more)
    a.copy_(_core.from_numpy(elements))


def _numpys(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, ndarray) else x


def _numpy_index(index: Any) -> Any:
    return tuple(map(_numpys, index)) if isinstance(index, tuple) else _numpys(index)


for _method in (reduce, accumulate, reduceat, outer, at):
    setattr(_core.ufunc, _method.__name__, _method)
setattr(_core.ufunc, "__signature__", property(_signature))  # noqa: B010
