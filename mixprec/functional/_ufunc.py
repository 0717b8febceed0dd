"""Functions of each element as ufuncs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])


def ufunc(row: str | None = None, *, identity: Any = None) -> Callable[[_F], _F]:
    """Makes a ufunc of a function of each element that runs the row `row`."""

    def make(function: _F) -> _F:
        return function

    return make
