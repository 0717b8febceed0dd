"""Functions of Python over arrays: along axes, element by element, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import _core, _numpy
from .._core import ndarray
from .._typing import ArrayLike
from ..creation import array, asarray, zeros
from ..functional import concatenate, expand_dims, stack, take
from ..functional._axis import normal

__all__ = [
    "apply_along_axis",
    "apply_over_axes",
    "frompyfunc",
    "ndenumerate",
    "nditer",
    "piecewise",
    "vectorize",
]


def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: ArrayLike, *args: Any, **kwargs: Any
) -> ndarray:
    """What a function gives for every vector along an axis.

    Parameters
    ----------
    func1d : callable
        Takes a vector, an array of ours, and gives a number or an array.
    axis : int
        The axis.
    arr : array_like
        The array.
    *args, **kwargs
        Go to the function.

    Returns
    -------
    ndarray
        The results, with their axes in place of that axis. Gradients pass if the function's do.

    Examples
    --------
    >>> mp.apply_along_axis(lambda v: v[0] + v[-1], 1, mp.array([[1, 2, 3], [4, 5, 6]])).tolist()
    [4, 10]
    """
    x = asarray(arr)
    axis = normal("apply_along_axis", axis, x.ndim)
    rest = [i for i in range(x.ndim) if i != axis]
    lead = tuple(x.shape[i] for i in rest)
    if 0 in lead:
        raise ValueError(f"apply_along_axis: shape {x.shape} has no vector along axis {axis}")
    vectors = _core.permute(x, [*rest, axis])
    found = [asarray(func1d(vectors[at], *args, **kwargs)) for at in np.ndindex(lead)]
    shape = found[0].shape
    y = _core.reshape(stack(found), (*lead, *shape))
    new = range(len(lead), len(lead) + len(shape))
    return _core.permute(y, [*range(axis), *new, *range(axis, len(lead))])


def apply_over_axes(func: Callable[..., Any], a: ArrayLike, axes: Any) -> ndarray:
    """Applies a function of an array and an axis for each of several axes in turn.

    Parameters
    ----------
    func : callable
        Takes an array and an axis; gives an array with that axis at extent 1, or without it.
    a : array_like
        The array.
    axes : int or sequence of int
        The axes.

    Returns
    -------
    ndarray
        As many dimensions as a.

    Examples
    --------
    >>> mp.apply_over_axes(mp.sum, mp.ones((2, 3)), [0, 1]).tolist()
    [[6.0]]
    """
    x = asarray(a)
    ndim = x.ndim
    for axis in axes if isinstance(axes, Sequence) else np.atleast_1d(_numpy.plain("", axes)):
        axis = normal("apply_over_axes", axis, ndim)
        y = asarray(func(x, axis))
        x = y if y.ndim == ndim else expand_dims(y, axis)
        if x.ndim != ndim:
            raise ValueError(
                f"apply_over_axes: the function gives {y.ndim} dimensions of {ndim} for axis {axis}"
            )
    return x


def piecewise(
    x: ArrayLike, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any
) -> ndarray:
    """A function that is defined by cases.

    Parameters
    ----------
    x : array_like
        Where to evaluate it.
    condlist : array_like of bool or list of them
        Where each case holds; of several the last counts.
    funclist : list of callables and numbers
        The cases: functions of the elements they hold for. One more than conditions is for the
        rest, which are 0 otherwise.
    *args, **kw
        Go to the functions.

    Returns
    -------
    ndarray
        In x's dtype. Gradients pass if the functions' do.

    Examples
    --------
    >>> x = mp.array([-2.0, 0.0, 3.0])
    >>> mp.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v * v])
    array([2., 0., 9.])
    """
    x = asarray(x)
    listed = isinstance(condlist, (list, tuple)) or getattr(condlist, "ndim", 0) > x.ndim
    if not listed or (x.ndim and np.ndim(condlist[0]) == 0):
        condlist = [condlist]
    masks = [np.broadcast_to(_mask(cond), x.shape).reshape(-1) for cond in condlist]
    if len(funclist) == len(masks) + 1:
        masks.append(~np.any(masks, axis=0))
    elif len(funclist) != len(masks):
        raise ValueError(
            f"piecewise: {len(funclist)} functions for {len(masks)} conditions; as many or one "
            "more are wanted"
        )
    flat = _core.reshape(x, (x.size,))
    # element i of the result is element places[i] of the pieces; the first piece is a zero
    pieces, places = [zeros(1, dtype=x.dtype, device=x.device)], np.zeros(x.size, np.int64)
    count = 1
    for mask, function in zip(masks, funclist, strict=True):
        picked = np.flatnonzero(mask)
        if not picked.size:
            continue
        if callable(function):
            values = asarray(function(flat[array(picked, device=x.device)], *args, **kw))
        else:
            values = asarray(function, device=x.device)
        values = values.astype(x.dtype, copy=False)
        pieces.append(_core.copy(_core.expand(values, (picked.size,))))
        places[picked] = np.arange(count, count + picked.size)
        count += picked.size
    y = take(concatenate(pieces), array(places, device=x.device))
    return _core.reshape(y, x.shape)


def _mask(cond: Any) -> Any:
    """A condition as bools of NumPy's: what it picks has to be known here."""
    return (cond.detach().cpu().numpy() if isinstance(cond, ndarray) else np.asarray(cond)) != 0


class vectorize(np.vectorize):
    """A function of numbers, made one of arrays: it is called for every element in turn.

    It is NumPy's, runs on the CPU at Python's pace, and has no gradient.

    Parameters
    ----------
    pyfunc : callable
        The function. Left out, the object decorates one.
    otypes : text or list of dtype, optional
        The dtypes of the results, which are then kept.
    doc, excluded, cache, signature : optional
        As `numpy.vectorize` takes them.

    Examples
    --------
    >>> mp.vectorize(lambda a, b: a if a > b else b)(mp.array([1, 5]), 3).tolist()
    [3, 5]
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        keep = self.otypes is not None
        return _numpy.fallback(super().__call__, args, kwargs, op="vectorize", keep=keep)


def frompyfunc(
    func: Callable[..., Any], /, nin: int, nout: int, **kwargs: Any
) -> Callable[..., Any]:
    """A function of numbers, made one of arrays that broadcast, as `vectorize` does.

    Parameters
    ----------
    func : callable
        The function.
    nin, nout : int
        How many arguments it has, and how many results.
    **kwargs
        `identity`, which is of no use here.

    Returns
    -------
    callable
        Gives arrays of the numbers; results that are none come as NumPy's arrays of objects.

    Examples
    --------
    >>> mp.frompyfunc(lambda a: a + 1, 1, 1)(mp.array([1, 2])).tolist()
    [2, 3]
    """
    inner = np.frompyfunc(func, nin, nout, **kwargs)

    def each(*args: Any) -> Any:
        found = inner(*args)
        return tuple(map(_numbers, found)) if nout > 1 else _numbers(found)

    def function(*args: Any) -> Any:
        return _numpy.fallback(each, args, op=getattr(func, "__name__", "frompyfunc"))

    return function


def _numbers(found: Any) -> Any:
    """Objects as an array of the dtype of what they are, if they are numbers."""
    typed = np.array(found.tolist() if isinstance(found, np.ndarray) else found)
    return typed if typed.shape == np.shape(found) and typed.dtype.kind in "biufc" else found


def ndenumerate(arr: ArrayLike) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Pairs of the index and the value of each element, as NumPy's numbers.

    Examples
    --------
    >>> [(at, int(value)) for at, value in mp.ndenumerate(mp.array([[1, 2]]))]
    [((0, 0), 1), ((0, 1), 2)]
    """
    return iter(np.ndenumerate(_numpy.plain("ndenumerate", asarray(arr))))


def nditer(op: Any, flags: Any = None, op_flags: Any = None, **kwargs: Any) -> Any:
    """NumPy's iterator over arrays, whose elements come as NumPy's.

    Parameters
    ----------
    op : array_like or sequence of array_like
        The arrays. Those that are written to are shown as they are, and no graph hears of it.
    flags, op_flags, **kwargs
        As `numpy.nditer` takes them.

    Returns
    -------
    numpy.nditer
        The iterator.

    Examples
    --------
    >>> [int(value) for value in mp.nditer(mp.array([1, 2]))]
    [1, 2]
    """
    given = {key: v for key, v in (("flags", flags), ("op_flags", op_flags)) if v is not None}
    written = "write" in str(op_flags)
    arrays = _exported(op) if written else _numpy.plain("nditer", op)
    return np.nditer(arrays, **given, **kwargs)


def _exported(op: Any) -> Any:
    """The arrays as NumPy's that may be written to."""
    if isinstance(op, (list, tuple)):
        return [_exported(x) for x in op]
    return op.numpy() if isinstance(op, ndarray) else op
