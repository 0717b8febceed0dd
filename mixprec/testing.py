"""What tests of code that uses mixprec need: comparisons that know dtypes, and gradient checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import _core
from ._core import ndarray
from ._dtypes import FLOATING, float64, is_floating
from ._limits import finfo
from .autograd import grad
from .creation import array, asarray
from .random import randn

__all__ = [
    "assert_allclose",
    "assert_almost_equal",
    "assert_array_almost_equal",
    "assert_array_equal",
    "assert_array_less",
    "assert_equal",
    "assert_raises",
    "assert_raises_regex",
    "gradcheck",
    "gradgradcheck",
]

assert_raises = np.testing.assert_raises
assert_raises_regex = np.testing.assert_raises_regex


def assert_allclose(
    actual: Any,
    desired: Any,
    rtol: float | None = None,
    atol: float | None = None,
    *,
    equal_nan: bool = True,
    err_msg: str = "",
) -> None:
    """Raises an AssertionError unless two arrays agree, as closely as their dtypes let expect.

    Parameters
    ----------
    actual, desired : array_like
        The arrays, on any device.
    rtol, atol : float, optional
        How much they may differ, relatively and absolutely. By default 8 eps and eps of the
        coarser floating dtype of the two, and nothing for integers.
    equal_nan : bool
        Whether NaN equals NaN.
    err_msg : str
        Goes into the error's text.

    Examples
    --------
    >>> mp.testing.assert_allclose(mp.array([0.1], dtype=mp.bfloat16), [0.1])
    """
    arrays = [asarray(x).detach().cpu() for x in (actual, desired)]
    eps = max((float(finfo(x.dtype).eps) for x in arrays if x.dtype in FLOATING), default=0.0)
    wide = [np.asarray((x.astype(float64) if is_floating(x.dtype) else x).numpy()) for x in arrays]
    np.testing.assert_allclose(
        wide[0],
        wide[1],
        8 * eps if rtol is None else rtol,
        eps if atol is None else atol,
        equal_nan=equal_nan,
        err_msg=err_msg,
    )


def assert_array_equal(
    actual: Any, desired: Any, err_msg: str = "", verbose: bool = True, *, strict: bool = False
) -> None:
    """Raises an AssertionError unless two arrays have the same shape and elements.

    Parameters
    ----------
    actual, desired : array_like
        The arrays, on any device. NaN equals NaN; a number equals an array of it.
    err_msg : str
        Goes into the error's text.
    verbose : bool
        Whether the text shows the arrays.
    strict : bool
        Whether a number and an array, and two dtypes, differ.

    Examples
    --------
    >>> mp.testing.assert_array_equal(mp.arange(3), [0, 1, 2])
    """
    np.testing.assert_array_equal(_host(actual), _host(desired), err_msg, verbose, strict=strict)


def assert_array_less(
    x: Any, y: Any, err_msg: str = "", verbose: bool = True, *, strict: bool = False
) -> None:
    """Raises an AssertionError unless the elements of one array are less than those of another.

    Parameters are those of `assert_array_equal`.

    Examples
    --------
    >>> mp.testing.assert_array_less(mp.arange(3), 3)
    """
    np.testing.assert_array_less(_host(x), _host(y), err_msg, verbose, strict=strict)


def assert_array_almost_equal(
    actual: Any, desired: Any, decimal: int = 6, err_msg: str = "", verbose: bool = True
) -> None:
    """Raises an AssertionError unless arrays agree up to some decimals: 1.5 * 10**-decimal.

    Parameters
    ----------
    actual, desired : array_like
        The arrays, on any device.
    decimal : int
        How many decimals.
    err_msg, verbose
        As for `assert_array_equal`.

    Examples
    --------
    >>> mp.testing.assert_array_almost_equal(mp.array([1.0]), [1.0000001])
    """
    np.testing.assert_array_almost_equal(_host(actual), _host(desired), decimal, err_msg, verbose)


def assert_almost_equal(
    actual: Any, desired: Any, decimal: int = 7, err_msg: str = "", verbose: bool = True
) -> None:
    """Raises an AssertionError unless numbers or arrays agree up to some decimals.

    Parameters are those of `assert_array_almost_equal`.

    Examples
    --------
    >>> mp.testing.assert_almost_equal(mp.ones(2).sum(), 2.0)
    """
    np.testing.assert_almost_equal(_host(actual), _host(desired), decimal, err_msg, verbose)


def assert_equal(
    actual: Any, desired: Any, err_msg: str = "", verbose: bool = True, *, strict: bool = False
) -> None:
    """Raises an AssertionError unless two objects are equal: arrays, and lists and dicts of them.

    Parameters are those of `assert_array_equal`.

    Examples
    --------
    >>> mp.testing.assert_equal({"a": mp.arange(2)}, {"a": [0, 1]})
    """
    np.testing.assert_equal(_host(actual), _host(desired), err_msg, verbose, strict=strict)


def _host(value: Any) -> Any:
    """`value` with NumPy's arrays in place of ours, also within lists, tuples and dicts."""
    if isinstance(value, ndarray):
        return value.detach().cpu().numpy()
    if isinstance(value, (list, tuple)):
        return type(value)(map(_host, value)) if type(value) in (list, tuple) else value
    if isinstance(value, dict):
        return {key: _host(item) for key, item in value.items()}
    return value


def gradcheck(
    func: Callable[..., Any],
    inputs: ndarray | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    *,
    raise_exception: bool = True,
) -> bool:
    """Compares gradients with central differences, (f(x + eps) - f(x - eps)) / (2 eps).

    Parameters
    ----------
    func : callable
        Takes the inputs, returns an array or a tuple of them.
    inputs : ndarray or sequence
        Gradients are checked of those arrays that require grad; they must be float64.
    eps : float
        How far the inputs are moved.
    atol, rtol : float
        How much the two may differ: atol + rtol * abs(difference quotient).
    raise_exception : bool
        False returns False where they differ.

    Returns
    -------
    bool
        True.

    Raises
    ------
    AssertionError
        If they differ; it names the output and the input.

    Examples
    --------
    >>> x = mp.array(np.linspace(-1, 1, 5), requires_grad=True)
    >>> mp.testing.gradcheck(mp.tanh, x)
    True
    """
    given = [inputs] if isinstance(inputs, ndarray) else list(inputs)
    places = _checked_places("gradcheck", given)
    try:
        _compare(func, given, places, eps, atol, rtol)
    except AssertionError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: ndarray | Sequence[Any],
    grad_outputs: Sequence[ndarray] | None = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    *,
    raise_exception: bool = True,
) -> bool:
    """Compares second derivatives with differences of the first.

    Parameters are those of `gradcheck`.

    Parameters
    ----------
    grad_outputs : sequence of ndarray, optional
        The gradients that come into the outputs; by default random ones.

    Examples
    --------
    >>> x = mp.array(np.linspace(-1, 1, 5), requires_grad=True)
    >>> mp.testing.gradgradcheck(mp.tanh, x)
    True
    """
    given = [inputs] if isinstance(inputs, ndarray) else list(inputs)
    places = _checked_places("gradgradcheck", given)
    if grad_outputs is None:
        result = _listed(func(*given))
        outputs = [result[k] for k in _differentiable(result)]
        grad_outputs = [randn(y.shape, dtype=y.dtype, device=y.device) for y in outputs]
    coming = [array(g, requires_grad=True) for g in grad_outputs]

    def first(*args: Any) -> tuple[Any, ...]:
        xs, grads = args[: len(given)], args[len(given) :]
        result = _listed(func(*xs))
        outputs = [result[k] for k in _differentiable(result)]
        wanted = [xs[i] for i in places]
        found = grad(outputs, wanted, grads, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(first, [*given, *coming], eps, atol, rtol, raise_exception=raise_exception)


def _checked_places(op: str, inputs: list[Any]) -> list[int]:
    """Which inputs are to be differentiated."""
    places = [i for i, x in enumerate(inputs) if isinstance(x, ndarray) and x.requires_grad]
    if not places:
        raise ValueError(f"{op}: none of the {len(inputs)} inputs requires grad")
    for i in places:
        if inputs[i].dtype != float64:
            raise ValueError(f"{op}: input {i} is {inputs[i].dtype}, differences need float64")
    return places


def _listed(result: Any) -> list[Any]:
    return [result] if isinstance(result, ndarray) else list(result)


def _differentiable(result: Any) -> list[int]:
    """Which outputs of a function have a gradient."""
    listed = _listed(result)
    return [k for k, y in enumerate(listed) if isinstance(y, ndarray) and y.requires_grad]


def _compare(
    func: Callable[..., Any],
    inputs: list[Any],
    places: list[int],
    eps: float,
    atol: float,
    rtol: float,
) -> None:
    result = _listed(func(*inputs))
    which = _differentiable(result)
    for i in places:
        wanted = _differences(func, inputs, i, which, eps)
        for k in which:
            found = _jacobian(result[k], inputs[i])
            expected = wanted[k] if wanted else np.zeros_like(found)
            bad = ~(np.abs(found - expected) <= atol + rtol * np.abs(expected))
            if bad.any():
                row, column = np.argwhere(bad)[0]
                raise AssertionError(
                    f"gradcheck: the gradient of output {k} with respect to input {i} is wrong in "
                    f"{int(bad.sum())} of {bad.size} places: element {row} by element {column} is "
                    f"{found[row, column]:.9g}, the difference quotient is "
                    f"{expected[row, column]:.9g}"
                )


def _jacobian(y: ndarray, x: ndarray) -> np.ndarray[Any, Any]:
    """The gradients of each element of y, as rows."""
    rows = np.zeros((y.size, x.size))
    for k in range(y.size):
        unit = np.zeros(y.size)
        unit[k] = 1.0
        coming = array(unit.reshape(y.shape), y.dtype, device=y.device)
        (g,) = grad(y, x, coming, retain_graph=True, allow_unused=True)
        if g is not None:
            rows[k] = _flat(g)
    return rows


def _differences(
    func: Callable[..., Any], inputs: list[Any], at: int, which: list[int], eps: float
) -> dict[int, np.ndarray[Any, Any]]:
    """Difference quotients of the outputs `which`, laid out as `_jacobian`'s; {} of no elements."""
    x = inputs[at]
    values = _flat(x)
    columns: dict[int, list[np.ndarray[Any, Any]]] = {k: [] for k in which}
    for j in range(x.size):
        ends = []
        for step in (eps, -eps):
            moved = values.copy()
            moved[j] += step
            args = list(inputs)
            args[at] = array(moved.reshape(x.shape), device=x.device, requires_grad=True)
            ends.append(_listed(func(*args)))
        for k, column in columns.items():
            column.append((_flat(ends[0][k]) - _flat(ends[1][k])) / (2 * eps))
    return {k: np.stack(column, axis=1) for k, column in columns.items() if column}


def _flat(x: ndarray) -> np.ndarray[Any, Any]:
    """The elements as a float64 copy in one dimension."""
    values = _core.copy(x.detach().cpu().astype(float64)).numpy()
    return np.array(values).reshape(-1)
