"""Random numbers: one Philox generator per device, all seeded alike.

Element i of call k depends on the seed, k and i only, never on threads or vector width.
"""

from __future__ import annotations

import operator
from typing import Any

from . import _core
from ._core import ndarray
from ._dtypes import is_floating, to_dtype
from ._typing import ArrayLike, DTypeLike, Shape
from .creation import asarray

__all__ = [
    "get_state",
    "manual_seed",
    "normal",
    "permutation",
    "rand",
    "randint",
    "randn",
    "seed",
    "set_state",
    "uniform",
]


def manual_seed(seed: int) -> None:
    """Seeds the generators of all devices. Also spelled `random.seed`.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is out of range.

    Examples
    --------
    >>> mp.manual_seed(0)
    >>> x = mp.random.rand(3)
    >>> mp.manual_seed(0)
    >>> (x == mp.random.rand(3)).all().item()
    True
    """
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(f"manual_seed: seed is {seed!r}, must be an integer") from None
    if not 0 <= number < 2**64:
        raise ValueError(f"manual_seed: seed is {number}, must be from 0 to 2**64 - 1")
    _core.manual_seed(number)


seed = manual_seed


def get_state(device: str = "cpu") -> tuple[int, int]:
    """The generator's state: its seed and how many calls it has served.

    Parameters
    ----------
    device : str
        Whose generator.

    Returns
    -------
    tuple of int
        For `set_state`.

    Examples
    --------
    >>> state = mp.random.get_state()
    >>> x = mp.random.rand(3)
    >>> mp.random.set_state(state)
    >>> (x == mp.random.rand(3)).all().item()
    True
    """
    return _core.rng_state(device)


def set_state(state: tuple[int, int], device: str = "cpu") -> None:
    """Puts a generator back where `get_state` found it.

    Parameters
    ----------
    state : tuple of int
        What `get_state` gave.
    device : str
        Whose generator.

    Examples
    --------
    >>> mp.random.set_state(mp.random.get_state())
    """
    seed, offset = state
    _core.set_rng_state(device, seed, offset)


def rand(
    *size: Any,
    dtype: DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """Numbers from the uniform distribution over [0, 1).

    Parameters
    ----------
    *size : int or sequence of int
        The shape.
    dtype : dtype, optional
        A floating dtype; by default the default dtype.
    device : str, optional
        By default the thread's default device, the CPU at first.
    requires_grad : bool
        Whether to record what is done with it.

    Returns
    -------
    ndarray
        The numbers.

    Examples
    --------
    >>> mp.random.rand(2, 3).shape
    (2, 3)
    """
    result = _uniform("rand", _shape(size), 0.0, 1.0, dtype, device)
    return result.requires_grad_() if requires_grad else result


def randn(
    *size: Any,
    dtype: DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> ndarray:
    """Numbers from the standard normal distribution. Parameters are those of `rand`.

    Examples
    --------
    >>> mp.random.randn(2, dtype=mp.bfloat16).dtype == mp.bfloat16
    True
    """
    result = _normal("randn", _shape(size), dtype, device)
    return result.requires_grad_() if requires_grad else result


def randint(
    low: int,
    high: int | None = None,
    size: Shape | None = None,
    dtype: DTypeLike = None,
    *,
    device: str | None = None,
) -> ndarray:
    """Integers from `low` (included) to `high` (not included), all equally likely.

    Parameters
    ----------
    low, high : int
        The bounds; one alone is the upper one, and the lower one is 0.
    size : int or sequence of int, optional
        The shape; by default one number, of shape ().
    dtype : dtype, optional
        An integer dtype; by default int64.
    device : str, optional
        By default the thread's default device, the CPU at first.

    Returns
    -------
    ndarray
        The numbers.

    Raises
    ------
    ValueError
        If there is no integer between the bounds, or one does not fit into the dtype.

    Examples
    --------
    >>> x = mp.random.randint(0, 10, (100,))
    >>> 0 <= x.min().item() and x.max().item() < 10
    True
    """
    low = operator.index(low)
    low, high = (0, low) if high is None else (low, operator.index(high))
    shape = () if size is None else _shape((size,))
    dtype = None if dtype is None else to_dtype("randint", dtype)
    seed, offset = _core.rng_next(device or "cpu")
    return _core.random_integers(shape, dtype, device, low, high, seed, offset)


def permutation(x: int | ArrayLike, *, device: str | None = None) -> ndarray:
    """The integers below a number in random order, or an array's rows in random order.

    Parameters
    ----------
    x : int or array_like
        How many integers; or what to shuffle a copy of, along its first axis.
    device : str, optional
        Where the integers go; by default the default device.

    Returns
    -------
    ndarray
        Every order is equally likely.

    Examples
    --------
    >>> sorted(mp.random.permutation(4).tolist())
    [0, 1, 2, 3]
    """
    if hasattr(x, "__index__") and not getattr(x, "shape", ()):
        count, rows = operator.index(x), None
    else:
        rows = asarray(x, device=device)
        if rows.ndim == 0:
            raise ValueError("permutation: x has no rows (its shape is ())")
        count, device = rows.shape[0], rows.device
    seed, offset = _core.rng_next(device or "cpu")
    order = _core.random_permutation((count,), None, device, seed, offset)
    return order if rows is None else _core.take(rows, order, 0)


def uniform(
    low: float = 0.0,
    high: float = 1.0,
    size: Shape | None = None,
    *,
    dtype: DTypeLike = None,
    device: str | None = None,
) -> ndarray:
    """Numbers from the uniform distribution over [low, high).

    Parameters
    ----------
    low, high : float
        The bounds.
    size : int or sequence of int, optional
        The shape; by default one number, of shape ().
    dtype : dtype, optional
        A floating dtype; by default the default dtype.
    device : str, optional
        By default the thread's default device, the CPU at first.

    Returns
    -------
    ndarray
        The numbers.

    Examples
    --------
    >>> mp.random.uniform(-1, 1, 5).shape
    (5,)
    """
    shape = () if size is None else _shape((size,))
    return _uniform("uniform", shape, low, high, dtype, device)


def normal(
    loc: float = 0.0,
    scale: float = 1.0,
    size: Shape | None = None,
    *,
    dtype: DTypeLike = None,
    device: str | None = None,
) -> ndarray:
    """Numbers from a normal distribution.

    Parameters
    ----------
    loc, scale : float
        Mean and standard deviation.
    size : int or sequence of int, optional
        The shape; by default one number, of shape ().
    dtype : dtype, optional
        A floating dtype; by default the default dtype.
    device : str, optional
        By default the thread's default device, the CPU at first.

    Returns
    -------
    ndarray
        The numbers.

    Examples
    --------
    >>> mp.random.normal(10.0, 0.1, (2, 2)).shape
    (2, 2)
    """
    if not scale >= 0:
        raise ValueError(f"normal: scale is {scale}, must be >= 0")
    result = _normal("normal", () if size is None else _shape((size,)), dtype, device)
    return result.mul_(scale).add_(loc)


def _shape(size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and not hasattr(size[0], "__index__"):
        size = tuple(size[0])
    return tuple(operator.index(extent) for extent in size)


def _uniform(
    op: str, shape: tuple[int, ...], low: float, high: float, dtype: Any, device: str | None
) -> ndarray:
    dtype = _floating(op, dtype)
    seed, offset = _core.rng_next(device or "cpu")
    return _core.random_uniform(shape, dtype, device, low, high, seed, offset)


def _normal(op: str, shape: tuple[int, ...], dtype: Any, device: str | None) -> ndarray:
    dtype = _floating(op, dtype)
    seed, offset = _core.rng_next(device or "cpu")
    return _core.random_normal(shape, dtype, device, seed, offset)


def _floating(op: str, dtype: Any) -> Any:
    if dtype is None:
        return None
    dtype = to_dtype(op, dtype)
    if not is_floating(dtype):
        raise TypeError(f"{op}: dtype is {dtype}, must be floating")
    return dtype
