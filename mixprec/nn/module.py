"""`Module`: what models and layers are made of: parameters, buffers, children, and their names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from .._core import ndarray
from .._device import is_writable, move, target
from .._dtypes import bfloat16, float16, float32, float64, is_floating
from .._methods import cuda_name
from .._typing import DTypeLike
from ..autograd import no_grad
from ..creation import asarray
from .parameter import Parameter

__all__ = ["IncompatibleKeys", "Module"]


class IncompatibleKeys(NamedTuple):
    """What did not fit in a `load_state_dict` that is not strict."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


class HookHandle:
    """Takes a hook away again."""

    def __init__(self, hooks: dict[int, Any], hook: Callable[..., Any]) -> None:
        self._hooks = hooks
        self._key = max(hooks, default=0) + 1
        hooks[self._key] = hook

    def remove(self) -> None:
        """Removes the hook; more than once does no harm."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class Module:
    """The base class of models and layers, with the names of `torch.nn.Module`.

    A subclass calls ``super().__init__()``, sets parameters, modules and buffers as attributes, and
    defines ``forward``. Calling the module runs its hooks and forward.

    Attributes
    ----------
    training : bool
        True in training, False in evaluation; see `train` and `eval`.

    Examples
    --------
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(mp.ones(1))
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, ndarray | None]
    _modules: dict[str, Module | None]

    def __init__(self) -> None:
        fields = self.__dict__
        fields["training"] = True
        fields["_parameters"] = {}
        fields["_buffers"] = {}
        fields["_transient"] = set()  # buffers that are not saved
        fields["_modules"] = {}
        fields["_forward_hooks"] = {}
        fields["_forward_pre_hooks"] = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the result. To be defined by a subclass."""
        raise NotImplementedError(f"{type(self).__name__}: forward is not defined")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward_pre_hooks or self._forward_hooks:
            return self._call_hooked(args, kwargs)
        return self.forward(*args, **kwargs)

    def _call_hooked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in list(self._forward_pre_hooks.values()):
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        result = self.forward(*args, **kwargs)
        for hook in list(self._forward_hooks.values()):
            changed = hook(self, args, result)
            if changed is not None:
                result = changed
        return result

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Has ``hook(module, args)`` called before forward; it may return other arguments."""
        return HookHandle(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Has ``hook(module, args, output)`` called after forward; it may return another output."""
        return HookHandle(self._forward_hooks, hook)

    # ---- attributes ----

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            members = fields.get(kind)
            if members is not None and name in members:
                return members[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        if isinstance(value, (Parameter, Module)) and "_parameters" not in fields:
            raise AttributeError(
                f"{type(self).__name__}: {name} is set before super().__init__() was called"
            )
        parameters = fields.get("_parameters", ())
        if isinstance(value, Parameter):
            _check_name("register_parameter", name)
            self._forget(name)
            self._parameters[name] = value
        elif name in parameters:
            self._set_member("_parameters", name, value, Parameter)
        elif isinstance(value, Module):
            self._forget(name)
            self._modules[name] = value
        elif name in fields.get("_modules", ()):
            self._set_member("_modules", name, value, Module)
        elif name in fields.get("_buffers", ()):
            self._set_member("_buffers", name, value, ndarray)
        else:
            object.__setattr__(self, name, value)

    def _set_member(self, kind: str, name: str, value: Any, wanted: type) -> None:
        """Replaces a parameter, module or buffer by one of its kind or None."""
        if value is not None and not isinstance(value, wanted):
            raise TypeError(
                f"{type(self).__name__}: {name} must be a {wanted.__name__} or None, not a "
                f"{type(value).__name__}"
            )
        self.__dict__[kind][name] = value

    def __delattr__(self, name: str) -> None:
        if not self._forget(name, plain=False):
            object.__delattr__(self, name)

    def _forget(self, name: str, plain: bool = True) -> bool:
        """Drops what is registered under a name; with `plain` an ordinary attribute too."""
        fields = self.__dict__
        self._transient.discard(name)
        members = [fields["_parameters"], fields["_buffers"], fields["_modules"]]
        if plain:
            members.append(fields)
        found = [m for m in members if name in m]
        for m in found:
            del m[name]
        return bool(found)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Makes `param` the parameter of that name; None is a place without one."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"register_parameter: {name} is a {type(param).__name__}, not a Parameter or None"
            )
        self._check_free("register_parameter", name, self._parameters)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: ndarray | None, persistent: bool = True) -> None:
        """Makes `tensor` part of the module's state without training it.

        Parameters
        ----------
        name : str
            The attribute's name.
        tensor : ndarray or None
            The array.
        persistent : bool
            Whether it is part of `state_dict`.
        """
        if tensor is not None and not isinstance(tensor, ndarray):
            raise TypeError(
                f"register_buffer: {name} is a {type(tensor).__name__}, not an array or None"
            )
        self._check_free("register_buffer", name, self._buffers)
        self._buffers[name] = tensor
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Makes `module` the child of that name."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(
                f"add_module: {name} is a {type(module).__name__}, not a Module or None"
            )
        self._check_free("add_module", name, self._modules)
        self._modules[name] = module

    register_module = add_module

    def _check_free(self, op: str, name: str, members: Mapping[str, Any]) -> None:
        """Raises where a name is none, or an attribute that is not one of `members`."""
        _check_name(op, name)
        if name not in members and hasattr(self, name):
            raise KeyError(f"{op}: {type(self).__name__} has an attribute {name!r} already")

    # ---- walking ----

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module, under the name "", and all below it with their dotted names."""
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                below = f"{prefix}.{name}" if prefix else name
                yield from child.named_modules(seen, below, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that are attributes of this one, with their names."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        """The modules that are attributes of this one."""
        return (child for _, child in self.named_children())

    def _named_members(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        owners = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in owners:
            for name, value in module.__dict__[kind].items():
                if value is None or (remove_duplicate and id(value) in seen):
                    continue
                seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names, each once."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and of those below it, each once.

        Examples
        --------
        >>> sum(p.size for p in nn.Linear(3, 2).parameters())
        8
        """
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, ndarray]]:
        """The buffers with their dotted names, each once."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[ndarray]:
        """The buffers of this module and of those below it, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name; "" is this one."""
        module: Any = self
        for name in target.split(".") if target else ():
            module = module._modules.get(name) if isinstance(module, Module) else None
        if not isinstance(module, Module):
            raise AttributeError(f"{type(self).__name__} has no module {target!r}")
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name."""
        path, _, name = target.rpartition(".")
        param = self.get_submodule(path)._parameters.get(name)
        if param is None:
            raise AttributeError(f"{type(self).__name__} has no parameter {target!r}")
        return param

    def get_buffer(self, target: str) -> ndarray:
        """The buffer of a dotted name."""
        path, _, name = target.rpartition(".")
        buffer = self.get_submodule(path)._buffers.get(name)
        if buffer is None:
            raise AttributeError(f"{type(self).__name__} has no buffer {target!r}")
        return buffer

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Calls `fn` with every module below this one, children first, and then with this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # ---- modes and gradients ----

    def train(self, mode: bool = True) -> Self:
        """Training mode for this module and those below it: dropout drops."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode is {mode!r}, must be True or False")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode for this module and those below it."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Switches the gradients of all parameters on or off."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops the gradients of all parameters, or fills them with zeros."""
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad.detach().zero_()

    # ---- dtypes and devices ----

    def _apply(self, fn: Callable[[ndarray], ndarray]) -> Self:
        """Replaces the memory of parameters and buffers. Parameters stay the objects they are."""
        for module in self.modules():
            for param in module._parameters.values():
                if param is not None:
                    _replace(param, fn)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = fn(buffer)
        return self

    def _cast(self, dtype: Any) -> Self:
        return self._apply(lambda x: x.astype(dtype, copy=False) if is_floating(x.dtype) else x)

    def float(self) -> Self:
        """Makes all floating parameters and buffers float32."""
        return self._cast(float32)

    def half(self) -> Self:
        """Makes all floating parameters and buffers float16."""
        return self._cast(float16)

    def bfloat16(self) -> Self:
        """Makes all floating parameters and buffers bfloat16."""
        return self._cast(bfloat16)

    def double(self) -> Self:
        """Makes all floating parameters and buffers float64."""
        return self._cast(float64)

    def cpu(self) -> Self:
        """Brings all parameters and buffers to the CPU."""
        return self.to(device="cpu")

    def cuda(self, device: int | str | None = None) -> Self:
        """Brings all parameters and buffers to a GPU."""
        return self.to(device=cuda_name(device))

    def to(
        self,
        *args: Any,
        dtype: DTypeLike = None,
        device: str | None = None,
        non_blocking: bool = False,
    ) -> Self:
        """Brings parameters and buffers to a device, and floating ones to a dtype.

        Parameters
        ----------
        *args : dtype, device or ndarray
            Any of them, in any order; an array stands for its dtype and device.
        dtype, device : optional
            The same by name.
        non_blocking : bool
            Accepted for PyTorch's sake.

        Returns
        -------
        Module
            This one. Its parameters stay the objects they are.

        Examples
        --------
        >>> nn.Linear(2, 2).to(mp.bfloat16).weight.dtype == mp.bfloat16
        True
        """
        to_dtype, to_device = target(args, dtype, device)
        if to_dtype is not None and not is_floating(to_dtype):
            raise TypeError(f"to: dtype is {to_dtype}, must be floating")

        def convert(x: ndarray) -> ndarray:
            y = x
            if to_dtype is not None and is_floating(x.dtype):
                y = x.astype(to_dtype, copy=False)
            return y if to_device is None else move(y, to_device)

        return self._apply(convert)

    # ---- saving ----

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Any]:
        """Parameters and persistent buffers by their dotted names.

        The arrays share memory with the module's, and are out of the graph unless `keep_vars`.
        """
        state: dict[str, Any] = OrderedDict()
        for path, value in self._saved(prefix):
            state[path] = value if keep_vars else value.detach()
        return state

    def _saved(self, prefix: str = "") -> Iterator[tuple[str, ndarray]]:
        """What is saved, by its dotted name; shared arrays under each of theirs."""
        for path, module in self.named_modules(remove_duplicate=False):
            before = f"{prefix}{path}." if path else prefix
            for name, param in module._parameters.items():
                if param is not None:
                    yield before + name, param
            for name, buffer in module._buffers.items():
                if buffer is not None and name not in module._transient:
                    yield before + name, buffer

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Copies arrays into parameters and buffers of the same names.

        Everything is checked first; where something does not fit, nothing is written.

        Parameters
        ----------
        state_dict : mapping
            Arrays by name, as `state_dict` gives them; also NumPy's or PyTorch's.
        strict : bool
            False lets names be missing or unknown.

        Returns
        -------
        IncompatibleKeys
            The names that are missing and those that are unknown.

        Raises
        ------
        ValueError
            If names (unless `strict` is False) or shapes do not fit; it lists all of them.

        Examples
        --------
        >>> a, b = nn.Linear(2, 2), nn.Linear(2, 2)
        >>> b.load_state_dict(a.state_dict()).missing_keys
        []
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"load_state_dict: a {type(state_dict).__name__} is not a mapping of arrays"
            )
        places = dict(self._saved())
        missing = [path for path in places if path not in state_dict]
        unexpected = [path for path in state_dict if path not in places]
        wrong = []
        writes = []
        for path, array in places.items():
            if path not in state_dict:
                continue
            value = asarray(state_dict[path]).detach()
            if value.shape != array.shape:
                wrong.append(f"{path} has shape {value.shape}, the module's has {array.shape}")
            if not is_writable(array):
                wrong.append(f"{path} cannot be written to")
            writes.append((array, value))
        if strict:
            wrong += [f"{path} is missing" for path in missing]
            wrong += [f"{path} is not in the module" for path in unexpected]
        if wrong:
            raise ValueError(f"load_state_dict: {type(self).__name__}: {'; '.join(wrong)}")
        with no_grad():
            for array, value in writes:
                array.copy_(move(value, array.device))
        return IncompatibleKeys(missing, unexpected)

    # ---- text ----

    def extra_repr(self) -> str:
        """What the text of the module says between its parentheses. Subclasses say more."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = self._child_texts()
        lines = [*extra.splitlines(), *children]
        if not children and len(lines) <= 1:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"

    def _child_texts(self) -> list[str]:
        """The children with their names, as they stand inside of the module's own text."""
        return [f"({name}): {indented(child)}" for name, child in self._modules.items()]


def indented(child: Module | None) -> str:
    return repr(child).replace("\n", "\n  ")


def _replace(param: Parameter, fn: Callable[[ndarray], ndarray]) -> None:
    """Gives a parameter other memory, and its gradient with it."""
    with no_grad():
        old = param.data
        new = fn(old)
        if new is old:
            return
        grad = param.grad
        param.grad = None
        param.data = new
        if grad is not None:
            param.grad = fn(grad.detach())


def _check_name(op: str, name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{op}: the name is a {type(name).__name__}, not a str")
    if not name or "." in name:
        raise KeyError(f"{op}: the name {name!r} is empty or has a dot")
