"""Gradients: grad modes, `backward`, `grad`, and `Function` for gradient rules written in Python.

Names and behaviour are those of `torch.autograd`. The graph and the traversal are the core's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from threading import local
from typing import Any, Self, TypeVar

from . import _core
from ._core import ndarray
from ._dtypes import is_floating

__all__ = [
    "Function",
    "FunctionContext",
    "backward",
    "enable_grad",
    "grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]

_F = TypeVar("_F", bound=Callable[..., Any])
_GENERATOR = 0x20 | 0x200  # CO_GENERATOR | CO_ASYNC_GENERATOR


# ---- modes ----


class _Stack(local):
    """What the modes entered in this thread will put back."""

    def __init__(self) -> None:
        self.before: list[tuple[bool, bool]] = []


_stack = _Stack()


class _Mode:
    """A context manager and decorator, usable any number of times, recursively, in any thread."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """A mode; or, where the bare name decorates a function, that function in the mode."""
        if args and callable(args[0]):
            return cls()(args[0])  # type: ignore[no-any-return]
        return super().__new__(cls)

    def __init__(self) -> None:
        """Most modes have no parameter."""

    def _inside(self, grad: bool, inference: bool) -> tuple[bool, bool]:
        """What (grad mode, inference mode) become, from what they are."""
        raise NotImplementedError

    def __enter__(self) -> None:
        before = _core.grad_mode()
        _core.set_grad_mode(*self._inside(*before))
        _stack.before.append(before)

    def __exit__(self, *error: object) -> None:
        _core.set_grad_mode(*_stack.before.pop())

    def __call__(self, func: _F) -> _F:
        name = type(self).__name__
        if not callable(func):
            raise TypeError(f"{name}: a {type(func).__name__} is not callable")
        if getattr(getattr(func, "__code__", None), "co_flags", 0) & _GENERATOR:
            raise TypeError(f"{name}: {func.__name__} is a generator; write `with` inside of it")

        @functools.wraps(func)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return inside  # type: ignore[return-value]


class no_grad(_Mode):
    """A region in which nothing is recorded, so that results do not require grad.

    A context manager and a decorator; it holds for its thread.

    Examples
    --------
    >>> w = mp.ones(2, requires_grad=True)
    >>> with mp.no_grad():
    ...     (w * 2).requires_grad
    False
    """

    def _inside(self, grad: bool, inference: bool) -> tuple[bool, bool]:
        return False, inference


class enable_grad(_Mode):
    """A region in which operations are recorded again, inside of `no_grad`.

    A context manager and a decorator; it holds for its thread. In `inference_mode` it does nothing.

    Examples
    --------
    >>> w = mp.ones(2, requires_grad=True)
    >>> with mp.no_grad(), mp.enable_grad():
    ...     (w * 2).requires_grad
    True
    """

    def _inside(self, grad: bool, inference: bool) -> tuple[bool, bool]:
        return True, inference


class inference_mode(_Mode):
    """A region in which nothing is recorded, whatever `enable_grad` says inside of it.

    A context manager and a decorator; it holds for its thread.

    Parameters
    ----------
    mode : bool
        False switches the mode off again.

    Examples
    --------
    >>> w = mp.ones(2, requires_grad=True)
    >>> with mp.inference_mode(), mp.enable_grad():
    ...     (w * 2).requires_grad
    False
    """

    def __init__(self, mode: bool = True) -> None:
        self.mode = bool(mode)

    def _inside(self, grad: bool, inference: bool) -> tuple[bool, bool]:
        return grad, self.mode


class set_grad_enabled(_Mode):
    """Switches recording on or off for this thread: as a call, from now on; with `with`, inside.

    Parameters
    ----------
    mode : bool
        Whether to record.

    Examples
    --------
    >>> w = mp.ones(2, requires_grad=True)
    >>> with mp.set_grad_enabled(False):
    ...     (w * 2).requires_grad
    False
    """

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self._called: tuple[bool, bool] | None = _core.grad_mode()
        _core.set_grad_mode(self.mode, self._called[1])

    def __enter__(self) -> None:
        self._undo_call()
        super().__enter__()

    def __call__(self, func: _F) -> _F:
        self._undo_call()
        return super().__call__(func)

    def _undo_call(self) -> None:
        """What making the object has set was meant for its region alone."""
        if self._called is not None:
            _core.set_grad_mode(*self._called)
            self._called = None

    def _inside(self, grad: bool, inference: bool) -> tuple[bool, bool]:
        return self.mode, inference


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread.

    Examples
    --------
    >>> mp.is_grad_enabled()
    True
    """
    grad, inference = _core.grad_mode()
    return grad and not inference


def is_inference_mode_enabled() -> bool:
    """Whether this thread is in `inference_mode`.

    Examples
    --------
    >>> mp.autograd.is_inference_mode_enabled()
    False
    """
    return _core.grad_mode()[1]


# ---- running backward ----


def backward(
    tensors: ndarray | Sequence[ndarray],
    grad_tensors: ndarray | Sequence[ndarray | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: ndarray | Sequence[ndarray] | None = None,
) -> None:
    """Adds the gradients of some arrays to `.grad` of the leaves that they were made from.

    Parameters
    ----------
    tensors : ndarray or sequence of ndarray
        What to differentiate.
    grad_tensors : ndarray or sequence of ndarray, optional
        The gradient that comes into each of them; may be left out for those of one element.
    retain_graph : bool, optional
        Keeps what backward needs, for another run. By default as `create_graph`.
    create_graph : bool
        Records the run itself, so that it can be differentiated.
    inputs : ndarray or sequence of ndarray, optional
        Only these get gradients.

    Raises
    ------
    RuntimeError
        If there is no graph, it was used up, or an array that it kept was modified.

    Examples
    --------
    >>> x = mp.array([1.0, 2.0], requires_grad=True)
    >>> mp.autograd.backward((x * x).sum())
    >>> x.grad
    array([2., 4.])
    """
    roots = _sequence("backward", "tensors", tensors)
    grads = _gradients("backward", grad_tensors, roots)
    wanted = None if inputs is None else _sequence("backward", "inputs", inputs)
    if wanted is not None and not wanted:
        raise ValueError("backward: inputs is empty")
    retain = create_graph if retain_graph is None else retain_graph
    _core.backward(roots, grads, wanted, retain, create_graph, True)


def grad(
    outputs: ndarray | Sequence[ndarray],
    inputs: ndarray | Sequence[ndarray],
    grad_outputs: ndarray | Sequence[ndarray | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    *,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """Gradients of outputs with respect to inputs; nothing is added to `.grad`.

    Parameters
    ----------
    outputs : ndarray or sequence of ndarray
        What to differentiate. The gradients of several are summed.
    inputs : ndarray or sequence of ndarray
        With respect to what: leaves, or arrays in between.
    grad_outputs : ndarray or sequence of ndarray, optional
        The gradient that comes into each output; may be left out for those of one element.
    retain_graph : bool, optional
        Keeps what backward needs, for another run. By default as `create_graph`.
    create_graph : bool
        Records the run itself, so that the gradients can be differentiated.
    allow_unused : bool
        Gives None for inputs that the outputs do not depend on.

    Returns
    -------
    tuple of ndarray
        One gradient per input.

    Raises
    ------
    RuntimeError
        If an input does not require grad, or the outputs do not depend on it.

    Examples
    --------
    >>> x = mp.array(3.0, requires_grad=True)
    >>> (slope,) = mp.grad(x**3, x, create_graph=True)
    >>> slope.item(), mp.grad(slope, x)[0].item()
    (27.0, 18.0)
    """
    roots = _sequence("grad", "outputs", outputs)
    wanted = _sequence("grad", "inputs", inputs)
    grads = _gradients("grad", grad_outputs, roots)
    for i, x in enumerate(wanted):
        if not x.requires_grad:
            raise RuntimeError(f"grad: input {i} of shape {x.shape} does not require grad")
    retain = create_graph if retain_graph is None else retain_graph
    found = _core.backward(roots, grads, wanted, retain, create_graph, False) or []
    if not allow_unused:
        for i, g in enumerate(found):
            if g is None:
                raise RuntimeError(
                    f"grad: the outputs do not depend on input {i} of shape {wanted[i].shape}; "
                    "allow_unused=True gives None for it"
                )
    return tuple(found)


def _sequence(op: str, name: str, arrays: Any) -> list[Any]:
    """One array or several, as a list."""
    listed = _listed(op, name, arrays)
    for i, x in enumerate(listed):
        if not isinstance(x, ndarray):
            raise TypeError(f"{op}: {name}[{i}] is a {type(x).__name__}, not an array")
    return listed


def _listed(op: str, name: str, arrays: Any) -> list[Any]:
    if isinstance(arrays, ndarray):
        return [arrays]
    if not isinstance(arrays, Iterable):
        raise TypeError(f"{op}: {name} is a {type(arrays).__name__}, arrays are wanted")
    return list(arrays)


def _gradients(op: str, grads: Any, roots: list[Any]) -> list[Any] | None:
    if grads is None:
        return None
    listed = _listed(op, "the gradient", grads)
    if len(listed) != len(roots):
        raise ValueError(f"{op}: {len(listed)} gradients for {len(roots)} outputs")
    return listed


# ---- Function ----


class FunctionContext:
    """What `forward` of a `Function` leaves to its `backward`. Other attributes may be set freely.

    Attributes
    ----------
    needs_input_grad : tuple of bool
        For each argument of forward, whether its gradient is wanted.
    saved_tensors : tuple
        What `save_for_backward` was given.
    """

    def __init__(self, name: str, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._name = name
        self._saved: list[tuple[Any, int, bool]] = []
        self._constant: set[int] = set()
        self._materialize = True
        self._released = False

    def save_for_backward(self, *arrays: Any) -> None:
        """Keeps inputs, outputs or others for backward, which is refused if one is modified."""
        for i, x in enumerate(arrays):
            if x is not None and not isinstance(x, ndarray):
                raise TypeError(
                    f"{self._name}: save_for_backward is given a {type(x).__name__} in place {i}, "
                    "not an array; keep it as an attribute of ctx"
                )
        self._saved = [(x, 0 if x is None else x._version, False) for x in arrays]

    def mark_non_differentiable(self, *arrays: ndarray) -> None:
        """Says that these outputs have no gradient."""
        self._constant.update(map(id, arrays))

    def set_materialize_grads(self, value: bool) -> None:
        """False gives backward None, not zeros, for outputs that no gradient came to."""
        self._materialize = bool(value)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` was given."""
        if self._released:
            raise RuntimeError(
                f"{self._name}: the saved arrays were freed by an earlier backward; pass "
                "retain_graph=True to it"
            )
        for x, version, is_output in self._saved:
            if x is None:
                continue
            if x._version != version:
                raise RuntimeError(
                    f"{self._name}: a saved array of shape {x.shape} was modified in place since "
                    f"forward (its version is {x._version}, was {version})"
                )
            if is_output and is_grad_enabled():
                raise NotImplementedError(
                    f"{self._name}: an output that is saved has no second derivative; save inputs "
                    "and compute it again"
                )
        return tuple(x for x, _, _ in self._saved)

    def _release(self) -> None:
        """Lets go of the saved arrays, after a backward that does not retain the graph."""
        self._released = bool(self._saved)
        self._saved = []

    def _release_outputs(self, outputs: list[Any]) -> None:
        """Keeps outputs without their node, which holds this context: no cycle arises."""
        ids = set(map(id, outputs))
        self._saved = [
            (x.detach(), version, True) if id(x) in ids else (x, version, is_output)
            for x, version, is_output in self._saved
        ]


class Function:
    """An operation with a gradient rule of its own, both written in Python.

    A subclass defines two static methods. ``forward(ctx, *args)`` computes the result, one array or
    a tuple; nothing is recorded inside of it. ``backward(ctx, *grads)`` gets the gradient of each
    output and returns that of each argument of forward, None where there is none. What backward
    needs goes through ``ctx.save_for_backward(...)`` and ``ctx.saved_tensors``, or is set as an
    attribute of ctx. If there is a static method ``setup_context(ctx, inputs, output)``, forward is
    called without ctx, and it sets up ctx afterwards.

    Decorate forward and backward with `mp.amp.custom_fwd` and `mp.amp.custom_bwd` for use under
    autocast.

    Examples
    --------
    >>> class Cube(mp.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x * x
    >>> x = mp.array(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad.item()
    12.0
    """

    setup_context: Callable[..., Any] | None = None

    @classmethod
    def forward(cls, *args: Any) -> Any:
        """Computes the result. To be defined by a subclass."""
        raise NotImplementedError(f"{cls.__name__}: forward is not defined")

    @classmethod
    def backward(cls, ctx: Any, *grads: Any) -> Any:
        """Computes the gradients. To be defined by a subclass."""
        raise NotImplementedError(f"{cls.__name__}: backward is not defined")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Runs forward and records it."""
        needs = tuple(isinstance(x, ndarray) and x.requires_grad for x in args)
        ctx = FunctionContext(cls.__name__, needs)
        with no_grad():
            if cls.setup_context is None:
                result = cls.forward(ctx, *args)
            else:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
        if not is_grad_enabled() or not any(needs):
            return result
        several = isinstance(result, tuple)
        outputs = list(result) if several else [result]
        _record(cls, ctx, args, outputs)
        return tuple(outputs) if several else outputs[0]


def _record(
    cls: type[Function], ctx: FunctionContext, args: tuple[Any, ...], outputs: list[Any]
) -> None:
    """Gives the differentiable outputs a node; those that are arguments are replaced by views."""
    given = set(map(id, args))
    places = []
    for i, y in enumerate(outputs):
        if not isinstance(y, ndarray) or not is_floating(y.dtype) or id(y) in ctx._constant:
            continue
        if id(y) in given or y.requires_grad:
            outputs[i] = y.detach()
        places.append(i)
    if not places:
        return
    arrays = [i for i, x in enumerate(args) if isinstance(x, ndarray)]
    shapes = [(outputs[i].shape, outputs[i].dtype, outputs[i].device) for i in places]
    count = len(outputs)
    ctx._release_outputs(outputs)

    def run(*grads: Any) -> tuple[Any, ...]:
        full: list[Any] = [None] * count
        for i, g, (shape, dtype, device) in zip(places, grads, shapes, strict=True):
            if g is None and ctx._materialize:
                g = _core.full(shape, dtype, device, 0)
            full[i] = g
        return _checked(cls, cls.backward(ctx, *full), args_shapes, arrays)

    args_shapes = [x.shape if isinstance(x, ndarray) else None for x in args]
    inputs, results = [args[i] for i in arrays], [outputs[i] for i in places]
    _core.record_custom(cls.__name__, run, ctx._release, inputs, results)


def _checked(
    cls: type[Function], result: Any, shapes: list[Any], arrays: list[int]
) -> tuple[Any, ...]:
    """The gradients of the arguments that are arrays, of what backward has returned."""
    name = f"{cls.__name__}.backward"
    grads = result if isinstance(result, tuple) else (result,)
    extra = grads[len(shapes) :]
    if len(grads) < len(shapes) or any(g is not None for g in extra):
        raise ValueError(f"{name}: {len(grads)} gradients for {len(shapes)} arguments of forward")
    for i, (g, shape) in enumerate(zip(grads, shapes, strict=False)):
        if g is None:
            continue
        if shape is None:
            raise TypeError(f"{name}: argument {i} of forward is no array, its gradient is None")
        if not isinstance(g, ndarray):
            raise TypeError(f"{name}: gradient {i} is a {type(g).__name__}, not an array")
        if not _sums_to(g.shape, shape):
            raise ValueError(f"{name}: gradient {i} has shape {g.shape}, its argument {shape}")
    return tuple(grads[i] for i in arrays)


def _sums_to(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether `target` broadcasts to `shape`, so that a gradient can be summed to it."""
    extra = len(shape) - len(target)
    return extra >= 0 and all(b in (a, 1) for a, b in zip(shape[extra:], target, strict=True))
