"""Modules that hold modules."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Self, overload

from .module import Module, indented

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class _Numbered(Module):
    """Children under the names "0", "1", ..., as a list."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def _items(self) -> list[Module]:
        return [module for module in self._modules.values() if module is not None]

    def _renumber(self, modules: Iterable[Module]) -> None:
        members = list(modules)
        self._modules.clear()
        for i, module in enumerate(members):
            self.add_module(str(i), module)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._items())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._of(list(self._modules.items())[index])
        return self._items()[self._place(index)]

    def _of(self, items: list[tuple[str, Module | None]]) -> Self:
        """One of the same kind with some of the children."""
        return type(self)(module for _, module in items)  # type: ignore[misc]

    def _place(self, index: int) -> int:
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"{type(self).__name__}: index {place} of {len(self)} modules")
        return place % len(self)

    def __setitem__(self, index: int, module: Module) -> None:
        name = list(self._modules)[self._place(index)]
        self._set_member("_modules", name, module, Module)

    def __delitem__(self, index: int | slice) -> None:
        items = self._items()
        if not isinstance(index, slice):
            index = self._place(index)
        del items[index]
        self._renumber(items)

    def append(self, module: Module) -> Self:
        """Adds a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Adds modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Adds a module before a place."""
        items = self._items()
        items.insert(index, module)
        self._renumber(items)

    def pop(self, index: int = -1) -> Module:
        """Takes a module out and returns it."""
        module = self[index]
        del self[index]
        return module

    def __add__(self, modules: Iterable[Module]) -> Self:
        if not isinstance(modules, Iterable):
            return NotImplemented
        more = [*self, *modules]
        return self._of([(str(i), module) for i, module in enumerate(more)])

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)


class ModuleList(_Numbered):
    """A list whose modules are children of it.

    Parameters
    ----------
    modules : iterable of Module
        What is in it at first.

    Examples
    --------
    >>> blocks = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    >>> len(list(blocks.parameters()))
    6
    """

    def _child_texts(self) -> list[str]:
        """Equal texts in a row stand there once: `(0-2): 3 x Linear(...)`."""
        groups = [list(run) for _, run in groupby(self._modules, lambda n: repr(self._modules[n]))]
        texts = []
        for names in groups:
            count = f"{len(names)} x " if len(names) > 1 else ""
            span = names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}"
            texts.append(f"({span}): {count}{indented(self._modules[names[0]])}")
        return texts


class Sequential(_Numbered):
    """Modules that are called one after the other.

    Parameters
    ----------
    *modules : Module
        In their order; or one dict of modules, for names of their own.

    Examples
    --------
    >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))(mp.ones((5, 4))).shape
    (5, 2)
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self.extend(modules)

    def forward(self, input: Any) -> Any:
        """Calls the modules, each with what the one before returned."""
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input

    def _of(self, items: list[tuple[str, Module | None]]) -> Self:
        return type(self)(dict(items))


class ModuleDict(Module):
    """A dict whose modules are children of it.

    Parameters
    ----------
    modules : mapping of str to Module, optional
        What is in it at first.

    Examples
    --------
    >>> heads = nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Linear(2, 3)})
    >>> heads["b"](mp.ones((1, 2))).shape
    (1, 3)
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module]) -> None:
        """Adds modules, or replaces those of the same names."""
        for key, module in modules.items():
            self.add_module(key, module)

    def pop(self, key: str) -> Any:
        """Takes a module out and returns it."""
        return self._modules.pop(key)

    def clear(self) -> None:
        """Takes all modules out."""
        self._modules.clear()
