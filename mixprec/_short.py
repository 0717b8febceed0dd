"""Functions whose plain calls take a short way in C, without passing through Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from . import _core

_F = TypeVar("_F", bound=Callable[..., Any])

_NAMES = ("__module__", "__name__", "__qualname__", "__doc__")


def short(way: str) -> Callable[[_F], _F]:
    """Has plain calls of a function take the way `way` of csrc/py/short.c; others come to it."""

    def make(function: _F) -> _F:
        return cast("_F", dress(_core.function(way, function), function))

    return make


def straight(func: Callable[..., Any]) -> Callable[[_F], _F]:
    """Has plain calls of a function go to one of NumPy's, with views of arrays; see cold.c."""

    def make(function: _F) -> _F:
        return cast("_F", dress(_core.function(func, function), function))

    return make


def dress(obj: Any, function: Callable[..., Any]) -> Any:
    """Gives an object the name, the texts and the signature of a function."""
    for name in _NAMES:
        setattr(obj, name, getattr(function, name))
    obj.__wrapped__ = function
    return obj
