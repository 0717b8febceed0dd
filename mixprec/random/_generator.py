"""`Generator`: NumPy's method names over a Philox stream of its own, on any device."""

from __future__ import annotations

import math
import operator
from collections.abc import MutableSequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._dtypes import is_floating, to_dtype
from .._numpy import is_text
from .._typing import ArrayLike, DTypeLike, Shape
from ..creation import array, asarray
from ._stream import Stream, counted, to_seed

# Distributions drawn by NumPy's generator over Philox, on the CPU.
_NUMPYS: list[str] = (  # noqa: SIM905
    "beta binomial chisquare dirichlet f gamma geometric gumbel hypergeometric laplace logistic "
    "logseries multinomial multivariate_hypergeometric multivariate_normal negative_binomial "
    "noncentral_chisquare noncentral_f pareto poisson power rayleigh standard_cauchy "
    "standard_gamma standard_t triangular vonmises wald weibull zipf"
).split()


class Generator:
    """Random numbers with the method names of `numpy.random.Generator`.

    Made by `mp.random.default_rng`. Its numbers are those of Philox: element i of call k depends
    on the seed, k and i only. Without `size` the methods give Python numbers. Floating results
    have the default dtype, or `dtype`; `device` says where they are made.

    The distributions `beta binomial chisquare dirichlet f gamma geometric gumbel hypergeometric
    laplace logistic logseries multinomial multivariate_hypergeometric multivariate_normal
    negative_binomial noncentral_chisquare noncentral_f pareto poisson power rayleigh
    standard_cauchy standard_gamma standard_t triangular vonmises wald weibull zipf` are drawn by
    NumPy on the CPU, over a Philox generator keyed by the next call, with NumPy's arguments.

    Examples
    --------
    >>> rng = mp.random.default_rng(7)
    >>> rng.normal(size=(2, 3)).shape
    (2, 3)
    >>> 0 <= rng.random() < 1
    True
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    # ---- floats ----

    def random(
        self,
        size: Shape | None = None,
        dtype: DTypeLike = None,
        out: ndarray | None = None,
        *,
        device: str | None = None,
    ) -> Any:
        """Numbers from the uniform distribution over [0, 1)."""
        if dtype is None and out is None and device is None:
            if size is None:
                return self._stream.uniform()
            seed, call = self._stream.take("cpu")
            return _core.random_uniform(_shape(size), None, None, 0.0, 1.0, seed, call)
        return self._filled("random", "random_uniform", size, dtype, out, device, (0.0, 1.0))

    def standard_normal(
        self,
        size: Shape | None = None,
        dtype: DTypeLike = None,
        out: ndarray | None = None,
        *,
        device: str | None = None,
    ) -> Any:
        """Numbers from the standard normal distribution."""
        if dtype is None and out is None and device is None:
            if size is None:
                return self._stream.normal()
            seed, call = self._stream.take("cpu")
            return _core.random_normal(_shape(size), None, None, seed, call)
        return self._filled("standard_normal", "random_normal", size, dtype, out, device, ())

    def uniform(
        self,
        low: ArrayLike = 0.0,
        high: ArrayLike = 1.0,
        size: Shape | None = None,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> Any:
        """Numbers from the uniform distribution over [low, high); the bounds may be arrays."""
        numbers = isinstance(low, (int, float)) and isinstance(high, (int, float))
        if numbers and not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"uniform: the bounds are {low} and {high}, must be finite")
        if numbers and size is None and _none(dtype, device):
            return low + (high - low) * self._stream.uniform()
        if numbers:
            bounds = float(low), float(high)
            return self._filled("uniform", "random_uniform", size, dtype, None, device, bounds)
        low, high = _parameters(device, low, high)
        unit = self.random(_common(size, low, high), dtype, device=_place(device, low, high))
        return low + (high - low) * unit

    def normal(
        self,
        loc: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        size: Shape | None = None,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> Any:
        """Numbers from normal distributions; mean and standard deviation may be arrays."""
        if isinstance(loc, (int, float)) and isinstance(scale, (int, float)):
            if not scale >= 0:
                raise ValueError(f"normal: scale is {scale}, must be >= 0")
            if size is None and dtype is None and device is None:
                return loc + scale * self._stream.normal()
            result = self.standard_normal(() if size is None else size, dtype, device=device)
            return result if loc == 0 and scale == 1 else result.mul_(scale).add_(loc)
        loc, scale = _parameters(device, loc, scale)
        if not bool((asarray(scale) >= 0).all()):
            raise ValueError("normal: scale is negative or NaN somewhere, must be >= 0")
        shape = _common(size, loc, scale)
        return loc + scale * self.standard_normal(shape, dtype, device=_place(device, loc, scale))

    def lognormal(
        self, mean: ArrayLike = 0.0, sigma: ArrayLike = 1.0, size: Shape | None = None
    ) -> Any:
        """Numbers whose logarithms are normal."""
        x = self.normal(mean, sigma, size)
        return math.exp(x) if isinstance(x, float) else _core.exp(x)

    def standard_exponential(
        self, size: Shape | None = None, dtype: DTypeLike = None, *, device: str | None = None
    ) -> Any:
        """Numbers from the exponential distribution of scale 1."""
        return self.exponential(1.0, size, dtype=dtype, device=device)

    def exponential(
        self,
        scale: ArrayLike = 1.0,
        size: Shape | None = None,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> Any:
        """Numbers from exponential distributions; the scale may be an array."""
        if isinstance(scale, (int, float)):
            if not scale >= 0:
                raise ValueError(f"exponential: scale is {scale}, must be >= 0")
            if size is None and dtype is None and device is None:
                return -scale * math.log1p(-self._stream.uniform())
            shape: Any = () if size is None else size
        else:
            (scale,) = _parameters(device, scale)
            shape, device = _common(size, scale), _place(device, scale)
        rest = 1 - self.random(shape, dtype, device=device)  # never 0
        return _core.log(rest) * -scale

    # ---- integers and choices ----

    def integers(
        self,
        low: ArrayLike,
        high: ArrayLike | None = None,
        size: Shape | None = None,
        dtype: DTypeLike = None,
        endpoint: bool = False,
        *,
        device: str | None = None,
    ) -> Any:
        """Integers from `low` to `high`, which with `endpoint` is one of them."""
        low, high = (0, low) if high is None else (low, high)
        if not (_is_index(low) and _is_index(high)):
            low, high = _plain(low), _plain(high)
            return self._by_numpy(
                "integers", low, high, size=size, dtype=dtype or np.int64, endpoint=endpoint
            )
        first, last = operator.index(low), operator.index(high) + bool(endpoint)
        if size is None and _none(dtype, device):
            if first >= last:
                raise ValueError(f"integers: low is {first}, high is {last}: low must be less")
            return self._stream.integer(first, last)
        dtype = None if dtype is None else to_dtype("integers", dtype)
        seed, call = self._stream.take(device or _core.default_device())
        shape = _shape(size)
        return _core.random_integers(shape, dtype, device, first, last, seed, call)

    def choice(
        self,
        a: int | ArrayLike,
        size: Shape | None = None,
        replace: bool = True,
        p: ArrayLike | None = None,
        axis: int = 0,
        shuffle: bool = True,
    ) -> Any:
        """Integers below `a`, or rows of `a`, picked at random, with probabilities `p`."""
        if _is_index(a):
            count, rows = operator.index(a), None
            if count <= 0 and (size is None or _count(size)):
                raise ValueError(f"choice: there is nothing to choose from: a is {count}")
        elif is_text(a):
            texts = np.asarray(a)
            picked = self.choice(texts.shape[axis], size, replace, p, 0, shuffle)
            return np.take(texts, _plain(picked), axis)
        else:
            rows = asarray(a)
            if rows.ndim == 0:
                raise ValueError("choice: a has no rows (its shape is ())")
            count = rows.shape[axis]
            if count == 0 and (size is None or _count(size)):
                raise ValueError(
                    f"choice: there is nothing to choose from: a has shape {rows.shape}"
                )
        if size is None and p is None:
            at = self._stream.integer(0, count)
            return at if rows is None else _pick(rows, at, axis)
        place = None if rows is None else str(rows.device)
        if p is None and replace:
            picked = self.integers(count, size=() if size is None else size, device=place)
        elif p is None:
            wanted = _count(size)
            if wanted > count:
                raise ValueError(f"choice: {wanted} of {count} cannot be taken without replacement")
            picked = self.permutation(count, device=place)[:wanted].reshape(_shape(size))
        else:
            picked = self._weighted(count, size, replace, p, shuffle)
        if rows is None:
            return int(picked) if size is None else picked
        if size is None:
            return _pick(rows, int(picked), axis)
        return _core.take(rows, picked.to(rows.device), axis)

    def _weighted(
        self, count: int, size: Shape | None, replace: bool, p: ArrayLike, shuffle: bool
    ) -> Any:
        weights = np.asarray(_plain(p), np.float64)
        if weights.shape != (count,):
            raise ValueError(
                f"choice: p has shape {weights.shape}, there are {count} to choose from"
            )
        if not np.all(weights >= 0):
            raise ValueError("choice: p has negative or NaN elements")
        # float32 probabilities sum to 1 within their own precision
        total = weights.sum()
        if abs(total - 1) > 1e-4:
            raise ValueError(f"choice: p sums to {total:g}, must sum to 1")
        weights /= total
        if replace:
            steps = np.cumsum(weights)
            steps /= steps[-1]
            if size is None:
                return int(np.searchsorted(steps, self._stream.uniform(), side="right"))
            unit = self.random(size, np.float64).numpy()
            return array(np.searchsorted(steps, unit, side="right"))
        found = self._stream.numpy().choice(
            count, _tuple(size), replace=False, p=weights, shuffle=shuffle
        )
        return array(np.asarray(found))

    def permutation(self, x: int | ArrayLike, axis: int = 0, *, device: str | None = None) -> Any:
        """The integers below a number in random order, or an array with its rows so."""
        if type(x) is int:
            count, rows = x, None
        elif _is_index(x):
            count, rows = operator.index(x), None
        elif is_text(x):
            texts: Any = np.asarray(x)
            return np.take(texts, _plain(self.permutation(texts.shape[axis])), axis)
        else:
            rows = asarray(x, device=device)
            if rows.ndim == 0:
                raise ValueError("permutation: x has no rows (its shape is ())")
            count, device = rows.shape[axis], rows.device
        seed, call = self._stream.take(device or _core.default_device())
        order = _core.random_permutation((count,), None, device, seed, call)
        return order if rows is None else _core.take(rows, order, axis)

    def permuted(
        self, x: ArrayLike, *, axis: int | None = None, out: ndarray | None = None
    ) -> ndarray:
        """A copy whose elements along an axis are in random order, each line in its own."""
        result = array(x)
        if axis is None:
            result = self.permutation(result.reshape(-1)).reshape(result.shape)
        else:
            keys = self.random(result.shape, np.float64, device=str(result.device))
            result = _core.take_along_axis(result, _core.argsort(keys, axis, False), axis)
        return result if out is None else out.copy_(result)

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Puts the rows of an array, or the items of a list, in random order, in place."""
        if isinstance(x, ndarray):
            x.copy_(self.permutation(x, axis))
        elif isinstance(x, np.ndarray):
            x[...] = np.take(x, self.permutation(x.shape[axis]).numpy(), axis)
        elif isinstance(x, MutableSequence):
            x[:] = [x[i] for i in self.permutation(len(x)).tolist()]
        else:
            raise TypeError(f"shuffle: a {type(x).__name__} cannot be shuffled in place")

    def bytes(self, length: int) -> bytes:
        """So many random bytes."""
        words = self.integers(0, 256, size=length, dtype=np.uint8)
        return bytes(words.numpy())

    def spawn(self, n_children: int) -> list[Generator]:
        """Generators of their own, seeded by this one."""
        return [Generator(counted(self._stream.integer(0, 2**64))) for _ in range(n_children)]

    # ---- what they share ----

    def _filled(
        self,
        op: str,
        row: str,
        size: Shape | None,
        dtype: Any,
        out: ndarray | None,
        device: str | None,
        bounds: tuple[float, ...],
    ) -> Any:
        """An array of one call of a row; into `out` if it is given."""
        if out is not None:
            dtype, device = out.dtype, str(out.device)
            if size is not None and _shape(size) != tuple(out.shape):
                raise ValueError(f"{op}: size is {_shape(size)}, out has shape {tuple(out.shape)}")
            size = out.shape
        if dtype is not None and not is_floating(dtype := to_dtype(op, dtype)):
            raise TypeError(f"{op}: dtype is {dtype}, must be floating")
        seed, call = self._stream.take(device or _core.default_device())
        result = getattr(_core, row)(_shape(size), dtype, device, *bounds, seed, call)
        return result if out is None else out.copy_(result)

    def _by_numpy(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A distribution of NumPy's; floats come in the default dtype."""
        plain = {key: _plain(value) for key, value in kwargs.items()}
        result = getattr(self._stream.numpy(), name)(*map(_plain, args), **plain)
        if not isinstance(result, np.ndarray):
            return result.item() if isinstance(result, np.generic) else result
        place = _place(None, *args, *kwargs.values()) or _core.default_device()
        dtype = _core.default_dtype() if result.dtype.kind == "f" else None
        return array(result, dtype, device=place)

    def __repr__(self) -> str:
        return "Generator(Philox)"


def _add_numpys(name: str) -> None:
    def draw(self: Generator, *args: Any, **kwargs: Any) -> Any:
        return self._by_numpy(name, *args, **kwargs)

    draw.__name__, draw.__qualname__ = name, f"Generator.{name}"
    draw.__doc__ = f"Numbers drawn by `numpy.random.Generator.{name}`, with its arguments."
    setattr(Generator, name, draw)


for _name in _NUMPYS:
    _add_numpys(_name)


def default_rng(seed: Any = None) -> Generator:
    """A generator of its own.

    Parameters
    ----------
    seed : int, sequence of int, SeedSequence or Generator, optional
        Equal seeds give equal numbers. None is a seed that nobody can foretell; a generator is
        given back as it is.

    Returns
    -------
    Generator
        With the method names of `numpy.random.Generator`.

    Examples
    --------
    >>> a, b = mp.random.default_rng(3), mp.random.default_rng(3)
    >>> (a.random(4) == b.random(4)).all().item()
    True
    """
    if isinstance(seed, Generator):
        return seed
    return Generator(counted(to_seed("default_rng", seed)))


def _none(*values: Any) -> bool:
    return all(value is None for value in values)


def _is_index(value: Any) -> bool:
    return hasattr(value, "__index__") and not getattr(value, "shape", ())


def _plain(value: Any) -> Any:
    """An argument as NumPy's generator takes it."""
    if isinstance(value, ndarray):
        return value.detach().cpu().numpy()
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return value


def _tuple(size: Shape | None) -> tuple[int, ...] | None:
    return None if size is None else _shape(size)


def _shape(size: Shape | None) -> tuple[int, ...]:
    if type(size) is int:
        return (size,)
    if size is None:
        return ()
    return (operator.index(size),) if _is_index(size) else tuple(map(operator.index, size))  # type: ignore[arg-type]


def _count(size: Shape | None) -> int:
    return int(np.prod(_shape(size), dtype=np.int64))


def _parameters(device: str | None, *values: Any) -> list[Any]:
    """Parameters of a distribution as floating arrays (numbers stay)."""
    return [
        value if isinstance(value, (int, float)) else asarray(value, device=device)
        for value in values
    ]


def _place(device: str | None, *values: Any) -> str | None:
    """Where numbers for these parameters are made."""
    for value in values:
        if device is None and isinstance(value, ndarray):
            return str(value.device)
    return device


def _common(size: Shape | None, *values: Any) -> tuple[int, ...]:
    if size is not None:
        return _shape(size)
    return np.broadcast_shapes(*(getattr(value, "shape", ()) for value in values))


def _pick(rows: ndarray, at: int, axis: int) -> Any:
    return rows[(slice(None),) * (axis % rows.ndim) + (at,)]
