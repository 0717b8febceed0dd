"""NumPy's own functions on zero-copy views of arrays: the cold ones, which nobody times.

`COLD` is their table. A function of it is made when its name is first asked for; it takes arrays of
this package wherever NumPy's takes arrays, and gives such arrays. `fallback` is the machinery, for
functions elsewhere that end in NumPy too.

- The views are read-only and share memory. A CUDA array is refused: the caller shall copy.
- float16, bfloat16 and float8 go in as float32.
- Floating results come in the widest floating dtype among the arrays given, in the default dtype
  where there is none, and in the dtype that was asked for by `dtype=`. Integers and bools stay.
- Complex results are refused.
- Nothing of it has a gradient: a result of arrays that require grad says so at backward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from . import _core
from ._core import ndarray
from ._dtypes import FLOATING, dtypes, float32, float64
from ._short import short, straight
from .creation import array

__all__ = ["COLD", "cold", "fallback", "is_text", "plain"]

COLD = {
    # counts
    "bincount": "How often each of the integers from 0 occurs, or the sum of its weights.",
    "histogram": "How many values lie in each of several bins, and the edges of the bins.",
    "histogram2d": "How many points of a plane lie in each bin of a grid, and its edges.",
    "histogram_bin_edges": "The edges of the bins that `histogram` would use.",
    "histogramdd": "How many points of a space lie in each bin of a grid, and its edges.",
    # polynomials and curves; polyval, polyder and polyint have gradients and are elsewhere
    "interp": "Values between the points of a piecewise linear curve.",
    "poly": "The coefficients of the polynomial with given zeros.",
    "polyadd": "The sum of two polynomials.",
    "polydiv": "The quotient of two polynomials and its remainder.",
    "polyfit": "The coefficients of the polynomial that fits points best.",
    "polymul": "The product of two polynomials.",
    "polysub": "The difference of two polynomials.",
    "roots": "The zeros of a polynomial, where all of them are real.",
    "unwrap": "Angles without their jumps by a period.",
    # new arrays
    "bartlett": "The window of Bartlett, a triangle.",
    "blackman": "The window of Blackman.",
    "frombuffer": "A copy of the numbers in a buffer.",
    "fromfile": "The numbers in a file, of text or of bytes.",
    "fromiter": "The numbers that an iterator gives.",
    "fromstring": "The numbers in a text.",
    "geomspace": "Values that are evenly spaced on a logarithmic scale, between two of them.",
    "hamming": "The window of Hamming.",
    "hanning": "The window of Hann.",
    "identity": "The square matrix with ones on its diagonal.",
    "indices": "The index of every element along each axis of a grid.",
    "kaiser": "The window of Kaiser.",
    "logspace": "Values that are evenly spaced on a logarithmic scale, between two powers.",
    "tri": "Ones at and below a diagonal, zeros above it.",
    "trim_zeros": "A vector without the zeros at its ends.",
    "vander": "The matrix with the powers of a vector as its columns.",
    # bits
    "packbits": "Bits of bytes from elements that are zero or not.",
    "unpackbits": "The bits of bytes as elements.",
    # element by element
    "angle": "The angle of numbers in the plane: 0, and pi for negative ones.",
    "bitwise_count": "How many bits of the size of integers are set.",
    "frexp": "Numbers as a part between 0.5 and 1 and a power of 2.",
    "gcd": "The greatest common divisor of integers.",
    "i0": "The modified Bessel function of the first kind and order 0.",
    "isneginf": "Whether elements are negative infinity.",
    "isposinf": "Whether elements are positive infinity.",
    "lcm": "The least common multiple of integers.",
    "spacing": "The distance to the next number of the dtype.",
    # indices
    "broadcast": "An object that goes through arrays as if they were broadcast.",
    "diag_indices_from": "The indices of the diagonal of an array.",
    "einsum_path": "The order of products in which `einsum` is cheapest, and a text about it.",
    "mask_indices": "The indices that a function such as `triu` keeps in a square matrix.",
    "tril_indices_from": "The indices of a matrix at and below a diagonal.",
    "triu_indices_from": "The indices of a matrix at and above a diagonal.",
    # text and files
    "array2string": "The text of an array, as asked for.",
    "array_str": "The text of an array's elements.",
    "format_float_positional": "The text of a number without an exponent.",
    "format_float_scientific": "The text of a number with an exponent.",
    "genfromtxt": "The numbers of a text file with gaps.",
    "loadtxt": "The numbers of a text file.",
    "savetxt": "Writes an array to a text file.",
    "savez": "Writes arrays to a file of NumPy's, `.npz`.",
    "savez_compressed": "Writes arrays to a compressed file of NumPy's, `.npz`.",
}

# What of NumPy needs no change: it takes and gives no arrays, or holds for NumPy alone.
SAME = frozenset(
    (
        "False_", "True_", "base_repr", "binary_repr", "bytes_", "char", "exceptions",
        "get_printoptions", "getbufsize", "geterr", "geterrcall", "index_exp", "iterable",
        "ndindex", "object_", "polynomial", "printoptions", "s_", "set_printoptions", "setbufsize",
        "seterr", "seterrcall", "str_", "strings", "typing",
    )
)  # fmt: skip

_UFUNC_METHODS = ("reduce", "accumulate", "reduceat", "outer")
_DTYPES = frozenset(dtypes.values())
_PLAIN = frozenset((bool, int, float, str, type(None)))  # most of what stands beside arrays


def fallback(
    func: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    op: str | None = None,
    keep: bool = False,
) -> Any:
    """Calls a function of NumPy with our arrays as views, and gives its results as our arrays.

    Parameters
    ----------
    func : callable
        The function.
    args, kwargs : tuple, dict
        Its arguments; arrays may be anywhere in lists, tuples and dicts. `out` may be an array of
        ours, which the result is then written to.
    op : str, optional
        The name in errors; by default the function's.
    keep : bool
        Keeps the dtype of floating results, as `dtype=` does.

    Returns
    -------
    Any
        What the function gives, its arrays and NumPy numbers as arrays of ours. Arrays of dtypes
        that we do not have, such as texts, stay NumPy's.
    """
    name = op or str(getattr(func, "__name__", "numpy"))
    given: list[Any] = []
    out = None
    args = _views(name, args, given)
    if kwargs:
        out = kwargs.get("out")
        kwargs = _views(name, {key: v for key, v in kwargs.items() if key != "out"}, given)
        keep = keep or kwargs.get("dtype") is not None
        result = func(*args, **kwargs)
    else:
        result = func(*args)
    made: list[ndarray] = []
    result = _wrapped(name, result, None if keep else _floating(given), _here(given), made)
    if made and _core.grad_mode() == (True, False):
        recorded = [x for x in given if type(x) is not np.ndarray and x.requires_grad]
        if recorded:
            _core.record_custom(name, _refusal(name), None, recorded, made)
    if out is None:
        return result
    out[...] = result
    return out


def plain(op: str, value: Any) -> Any:
    """`value` with the arrays of ours in it as read-only views of NumPy's."""
    return _views(op, value, [])


def is_text(value: Any) -> bool:
    """Whether `value` is text, or a sequence or an array of NumPy's of it."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "US"
    return isinstance(value, (str, bytes))


def view(op: str, x: ndarray) -> np.ndarray[Any, Any]:
    """A read-only view of an array; float16, bfloat16 and float8 are copied into float32."""
    if x.device != "cpu":
        raise NotImplementedError(f"{op}: it is NumPy's and runs on the CPU: call .cpu() first")
    x = x.detach()
    if x.dtype in FLOATING and x.dtype.itemsize < 4:
        x = x.astype(float32)
    # what was expanded is shown read-only: nobody has to watch for writes from outside
    return _core.expand(x, x.shape).numpy()


def _views(op: str, value: Any, given: list[Any]) -> Any:
    """`value` with views for the arrays in it, which are added to `given`."""
    if isinstance(value, ndarray):
        given.append(value)
        return view(op, value)
    if isinstance(value, np.ndarray):
        given.append(value)
    elif isinstance(value, (list, tuple)):
        items = list(value)
        changed = False
        for i, item in enumerate(value):
            if type(item) not in _PLAIN:
                items[i] = _views(op, item, given)
                changed = changed or items[i] is not item
        if changed:
            return items if isinstance(value, list) else tuple(items)
    elif isinstance(value, dict):
        return {key: _views(op, item, given) for key, item in value.items()}
    return value


def _floating(given: list[Any]) -> np.dtype[Any]:
    """The widest floating dtype of the arrays, float32 where narrow ones differ."""
    found: Any = None
    for x in given:
        dtype = x.dtype
        if dtype not in FLOATING:
            continue
        if found is None:
            found = dtype
        elif dtype != found:
            found = float64 if float64 in (dtype, found) else float32
    return _core.default_dtype() if found is None else np.dtype(found)


def _here(given: list[Any]) -> bool:
    """Whether results stay on the CPU: with arrays of ours, else where the default device is."""
    return _core.default_device() == "cpu" or any(isinstance(x, ndarray) for x in given)


def _wrapped(op: str, result: Any, dtype: Any, here: bool, made: list[ndarray]) -> Any:
    """`result` with arrays of ours, in `dtype` where floating; the floating ones join `made`."""
    if isinstance(result, (np.ndarray, np.generic)):
        if result.dtype.kind == "c":
            raise TypeError(f"{op}: the result is complex; complex dtypes are left out")
        if result.dtype not in _DTYPES:
            return result
        number = isinstance(result, np.generic)
        if dtype is not None and result.dtype != dtype and result.dtype in FLOATING:
            result = result.astype(dtype)
        shared = not number and not result.flags.writeable
        y = (
            _core.from_numpy(result, shared or None)
            if here
            else array(result, copy=shared or None, device=_core.default_device())
        )
        y = _core.as_value(y) if number else y
        if y.dtype in FLOATING:
            made.append(y)
        return y
    if isinstance(result, tuple):
        items = [_wrapped(op, item, dtype, here, made) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else tuple(items)
    if isinstance(result, list):
        return [_wrapped(op, item, dtype, here, made) for item in result]
    if isinstance(result, complex):
        raise TypeError(f"{op}: the result is complex; complex dtypes are left out")
    return result


def _refusal(op: str) -> Callable[..., NoReturn]:
    def backward(*grads: Any) -> NoReturn:
        raise NotImplementedError(f"{op}: it has no gradient")

    return backward


def cold(path: str, summary: str, module: str = "mixprec") -> Callable[..., Any]:
    """The function of NumPy at `path`, such as "linalg.svd", on our arrays."""
    func: Any = np
    for part in path.split("."):
        func = getattr(func, part)
    signature = _signature(func)
    names = list(signature.parameters) if signature else []
    place = names.index("dtype") if "dtype" in names else None

    def behind(*args: Any, **kwargs: Any) -> Any:
        asked = place is not None and place < len(args) and args[place] is not None
        return fallback(func, args, kwargs, op=behind.__name__, keep=asked)

    behind.__name__ = behind.__qualname__ = func.__name__
    behind.__module__ = module
    behind.__doc__ = _doc(path, summary, names)
    if signature:
        behind.__signature__ = signature  # type: ignore[attr-defined]
    function = straight(func)(behind)
    for method in _UFUNC_METHODS if isinstance(func, np.ufunc) else ():
        setattr(function, method, _method(func, method))
    return short(_WAYS[path])(function) if path in _WAYS else function


# Functions whose plain calls do not need NumPy, and their short ways.
_WAYS = {"bincount": "bincount", "identity": "eye"}


def _method(func: Any, method: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return fallback(getattr(func, method), args, kwargs, op=f"{func.__name__}.{method}")

    function.__name__ = method
    return function


def _signature(func: Callable[..., Any]) -> Any:
    import inspect

    try:
        return inspect.signature(func)
    except ValueError:  # some functions written in C do not say
        return None


def _doc(path: str, summary: str, names: list[str]) -> str:
    parameters = ", ".join(names) or "*args, **kwargs"
    return f"""{summary}

`numpy.{path}` itself, on views of the arrays: it runs on the CPU and has no gradient.

Parameters
----------
{parameters}
    As `numpy.{path}` takes them.

Returns
-------
Any
    As `numpy.{path}`; floating arrays in the widest floating dtype of those given, or in the
    default dtype.
"""


def __getattr__(name: str) -> Any:
    if name in COLD:
        value: Any = cold(name, COLD[name])
    elif name in SAME:
        value = getattr(np, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value
