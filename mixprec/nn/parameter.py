"""`Parameter`: an array that a Module registers when it becomes an attribute."""

from __future__ import annotations

from .. import _core
from .._core import ndarray
from .._typing import ArrayLike
from ..creation import asarray

__all__ = ["Parameter"]


class Parameter(ndarray):
    """An array that is trained: as an attribute of a Module it is one of its parameters.

    Parameters
    ----------
    data : array_like
        The values; memory is shared where it can be.
    requires_grad : bool
        Whether it gets gradients.

    Notes
    -----
    Under autocast it keeps narrow copies of itself between ops, until it is written to.

    Examples
    --------
    >>> w = nn.Parameter(mp.zeros(2))
    >>> w.requires_grad
    True
    """

    def __new__(cls, data: ArrayLike, requires_grad: bool = True) -> Parameter:
        self = super().__new__(cls, asarray(data))
        _core.make_leaf(self)
        self.requires_grad_(requires_grad)
        return self
