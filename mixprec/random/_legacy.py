"""The generators that `mp.manual_seed` seeds, and NumPy's older functions that draw from them."""

from __future__ import annotations

import operator
from typing import Any

from .. import _core
from .._core import ndarray
from .._dtypes import to_dtype
from .._typing import DTypeLike, Shape
from ._generator import _NUMPYS, Generator, _shape
from ._stream import Stream, counted, fresh_seed, to_seed

__all__ = [
    "RandomState",
    "bytes",
    "choice",
    "exponential",
    "get_state",
    "lognormal",
    "manual_seed",
    "normal",
    "permutation",
    "rand",
    "randint",
    "randn",
    "random",
    "random_sample",
    "ranf",
    "sample",
    "seed",
    "set_state",
    "shuffle",
    "standard_exponential",
    "standard_normal",
    "uniform",
]
__all__ += _NUMPYS

_stream = Stream(_core.rng_next)
_shared = Generator(_stream)


def manual_seed(seed: int) -> None:
    """Seeds the generators of all devices.

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
    _stream.forget()


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
    _stream.forget()  # what was drawn ahead is not part of the state
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
    _stream.forget()


def rand(
    *size: Any,
    dtype: DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Any:
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
        The numbers; without any argument a Python number.

    Examples
    --------
    >>> mp.random.rand(2, 3).shape
    (2, 3)
    """
    if dtype is None and device is None and not requires_grad:
        if not size:
            return _stream.uniform()
        return _core.random_uniform(_extents(size), None, None, 0.0, 1.0, *_core.rng_next("cpu"))
    result = _shared.random(_extents(size), dtype, device=device)
    return result.requires_grad_() if requires_grad else result


def randn(
    *size: Any,
    dtype: DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Any:
    """Numbers from the standard normal distribution. Parameters are those of `rand`.

    Examples
    --------
    >>> mp.random.randn(2, dtype=mp.bfloat16).dtype == mp.bfloat16
    True
    """
    if dtype is None and device is None and not requires_grad:
        if not size:
            return _stream.normal()
        return _core.random_normal(_extents(size), None, None, *_core.rng_next("cpu"))
    result = _shared.standard_normal(_extents(size), dtype, device=device)
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
    dtype = None if dtype is None else to_dtype("randint", dtype)
    seed, offset = _core.rng_next(device or _core.default_device())
    return _core.random_integers(_shape(size), dtype, device, low, high, seed, offset)


def seed(seed: Any = None) -> None:
    """Seeds the generators of all devices, as `mp.manual_seed` does.

    Parameters
    ----------
    seed : int, sequence of int, optional
        What NumPy takes as a seed. None is one that nobody can foretell.

    Examples
    --------
    >>> mp.random.seed(0)
    """
    _core.manual_seed(fresh_seed() if seed is None else to_seed("seed", seed))
    _stream.forget()


def _extents(size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and type(size[0]) is int:
        return size
    if len(size) == 1 and not hasattr(size[0], "__index__"):
        size = tuple(size[0])
    return tuple(map(operator.index, size))


class RandomState(Generator):
    """A generator of its own with the method names of `numpy.random.RandomState`.

    Parameters
    ----------
    seed : int, sequence of int, optional
        Equal seeds give equal numbers.

    Examples
    --------
    >>> mp.random.RandomState(0).rand(2, 3).shape
    (2, 3)
    """

    def __init__(self, seed: Any = None) -> None:
        super().__init__(counted(to_seed("RandomState", seed)))

    def seed(self, seed: Any = None) -> None:
        """Starts anew from a seed."""
        self._stream = counted(to_seed("RandomState.seed", seed))

    def rand(self, *size: int) -> Any:
        """Numbers from the uniform distribution over [0, 1)."""
        return self.random(size or None)

    def randn(self, *size: int) -> Any:
        """Numbers from the standard normal distribution."""
        return self.standard_normal(size or None)

    def randint(
        self, low: int, high: int | None = None, size: Shape | None = None, dtype: DTypeLike = None
    ) -> Any:
        """Integers from `low` (included) to `high` (not included)."""
        return self.integers(low, high, size, dtype)

    def random_sample(self, size: Shape | None = None) -> Any:
        """Numbers from the uniform distribution over [0, 1)."""
        return self.random(size)

    def __repr__(self) -> str:
        return "RandomState(Philox)"


bytes = _shared.bytes
choice = _shared.choice
exponential = _shared.exponential
lognormal = _shared.lognormal
normal = _shared.normal
permutation = _shared.permutation
random = random_sample = ranf = sample = _shared.random
shuffle = _shared.shuffle
standard_exponential = _shared.standard_exponential
standard_normal = _shared.standard_normal
uniform = _shared.uniform
for _name in _NUMPYS:
    globals()[_name] = getattr(_shared, _name)
