"""Einstein's summation: a text that names axes becomes products of matrices.

Operands are contracted two at a time. A pair is laid out as (batch, rows, inner) and (batch, inner,
columns) and multiplied by the row of matrix products, which autocast lowers; where no axis is
summed over, it is a product of elements.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import DTypeLike
from ..creation import beside
from ._out import deliver
from .diagonals import diagonal
from .shape import reshape, transpose

__all__ = ["einsum"]

# A label is a letter's code or a sublist's number; axes under an ellipsis are -1, -2, ... from the
# right.
_Labels = tuple[int, ...]
_Step = Callable[..., ndarray]
_MAX_NAMES = 52  # of NumPy's search for a good order


def einsum(
    *operands: Any,
    out: ndarray | None = None,
    dtype: DTypeLike = None,
    order: str = "K",
    casting: str = "safe",
    optimize: Any = False,
) -> ndarray:
    """Sums of products, as labels of axes say.

    Parameters
    ----------
    *operands : str, then array_like; or array_like and list of int in turn
        "ij,jk->ik" names the axes of two arrays and of the result: labels that the result lacks
        are summed over. Without "->" it has those labels that come once, in alphabetic order.
        "..." stands for further axes, which broadcast; a label that an array has twice means its
        diagonal.
    out : ndarray, optional
        Where the result is written.
    dtype : dtype, optional
        To which the arrays are cast first.
    order, casting, optimize : optional
        Accepted for NumPy's sake; three and more arrays are always multiplied in a good order.

    Returns
    -------
    ndarray
        In the dtype that the arrays promote to.

    Raises
    ------
    ValueError
        If the text is wrong, or does not fit the arrays.

    Examples
    --------
    >>> a, b = mp.ones((2, 3)), mp.ones((3, 4))
    >>> mp.einsum("ij,jk->ik", a, b).shape
    (2, 4)
    >>> mp.einsum("ii", mp.eye(3)).item()
    3.0
    >>> mp.einsum("...ij->...ji", mp.ones((5, 2, 3))).shape
    (5, 3, 2)
    """
    if not operands:
        raise ValueError("einsum: nothing is given")
    if isinstance(operands[0], str):
        arrays = beside(*operands[1:])
        plan = _plan_of_text(operands[0], tuple([x.shape for x in arrays]))
    else:
        arrays, terms, wanted = _read_lists(operands)
        plan = _plan(terms, wanted, tuple(x.shape for x in arrays))
    if dtype is not None:
        arrays = [x.astype(dtype, copy=False) for x in arrays]
    y = _run(plan, arrays)
    return y if out is None else deliver("einsum", y, out)


# ---- reading ----

_Terms = tuple[tuple[Any, ...], ...]


@functools.lru_cache(maxsize=256)
def _read_text(text: str) -> tuple[_Terms, tuple[Any, ...] | None]:
    """The terms, as tuples of letters' codes and Ellipsis, and the one after "->"."""
    inputs, arrow, output = text.replace(" ", "").partition("->")
    terms = tuple(_read_term(text, term) for term in inputs.split(","))
    return terms, _read_term(text, output) if arrow else None


def _read_term(text: str, term: str) -> tuple[Any, ...]:
    before, dots, after = term.partition("...")
    for letter in before + after:
        if not (letter.isascii() and letter.isalpha()):
            raise ValueError(f"einsum: {letter!r} in {text!r} is no letter")
    middle = [Ellipsis] if dots else []
    return (*map(ord, before), *middle, *map(ord, after))


def _read_lists(
    operands: Sequence[Any],
) -> tuple[list[ndarray], _Terms, tuple[Any, ...] | None]:
    """The same of arrays that are followed by lists of numbers."""
    pairs = len(operands) // 2
    if not pairs:
        raise ValueError("einsum: a text, or an array and the list of its labels is wanted")
    for labels in operands[1::2]:
        if not isinstance(labels, (list, tuple)):
            raise TypeError(f"einsum: labels are a {type(labels).__name__}, a list is wanted")
    terms = [tuple(operands[2 * i + 1]) for i in range(pairs)]
    wanted = tuple(operands[-1]) if len(operands) % 2 else None
    for label in (label for term in [*terms, wanted or ()] for label in term):
        if label is not Ellipsis and not (hasattr(label, "__index__") and label >= 0):
            raise ValueError(f"einsum: {label!r} is no label, integers from 0 and ... are")
    return beside(*operands[: 2 * pairs : 2]), tuple(terms), wanted


def _name(label: int) -> str:
    """A label in an error."""
    return repr(chr(label)) if label >= 65 else str(label)


def _labels(
    terms: _Terms, wanted: tuple[Any, ...] | None, ndims: tuple[int, ...]
) -> tuple[tuple[_Labels, ...], _Labels]:
    """Labels of the axes of every array, and of the result."""
    labels, most = [], 0
    for i, (term, ndim) in enumerate(zip(terms, ndims, strict=True)):
        named = sum(label is not Ellipsis for label in term)
        if named > ndim or (named < ndim and named == len(term)):
            raise ValueError(f"einsum: operand {i} has {ndim} dimensions, {named} are named")
        if named != len(term):
            most = max(most, ndim - named)
        labels.append(_spread(term, ndim - named))
    every = [label for each in labels for label in each]
    if wanted is None:
        once = sorted(label for label in set(every) if label >= 0 and every.count(label) == 1)
        return tuple(labels), (*range(-most, 0), *once)
    result = _spread(wanted, most)
    for label in result:
        if result.count(label) > 1:
            raise ValueError(f"einsum: the result names {_name(label)} twice")
        if label not in every:
            raise ValueError(f"einsum: the result names {_name(label)}, no operand does")
    return tuple(labels), result


def _spread(term: Iterable[Any], n: int) -> _Labels:
    """A term with the labels of n axes in place of its ellipsis."""
    spread: list[int] = []
    for label in term:
        spread += range(-n, 0) if label is Ellipsis else [int(label)]
    return tuple(spread)


# ---- planning: what is done, from labels and shapes alone, is kept for the next call ----


class _Operand:
    """The labels and extents of an array's axes, and the steps that make it of what was given."""

    def __init__(self, labels: _Labels, shape: Sequence[int]) -> None:
        self.labels, self.shape = labels, tuple(shape)
        self.steps: list[tuple[_Step, tuple[Any, ...]]] = []

    def size(self, label: int) -> int:
        return self.shape[self.labels.index(label)]

    def keep(
        self, step: Callable[..., ndarray], arguments: tuple[Any, ...], axes: Sequence[int]
    ) -> None:
        """A step after which these axes are left, in this order."""
        self.steps.append((step, arguments))
        self.labels = tuple(self.labels[axis] for axis in axes)
        self.shape = tuple(self.shape[axis] for axis in axes)

    def take_diagonals(self) -> None:
        """One axis for every label."""
        for label in dict.fromkeys(self.labels):
            while self.labels.count(label) > 1:
                i = self.labels.index(label)
                j = self.labels.index(label, i + 1)
                if self.shape[i] != self.shape[j]:
                    raise ValueError(
                        f"einsum: {_name(label)} is {self.shape[i]} and {self.shape[j]} in one "
                        "operand"
                    )
                others = [axis for axis in range(len(self.shape)) if axis not in (i, j)]
                self.keep(diagonal, (0, i, j), [*others, i])

    def drop_ones(self, extents: dict[int, int]) -> None:
        """No axes of extent 1 that are longer elsewhere: they broadcast."""
        axes = [i for i, k in enumerate(self.labels) if self.shape[i] == extents[k]]
        if len(axes) < len(self.labels):
            self.keep(reshape, (tuple(self.shape[i] for i in axes),), axes)

    def sum_out(self, wanted: set[int]) -> None:
        """No axes whose labels nothing else wants."""
        axes = [i for i, label in enumerate(self.labels) if label not in wanted]
        if axes:
            kept = [i for i in range(len(self.labels)) if i not in axes]
            self.keep(_summed, (tuple(axes),), kept)

    def order(self, labels: Sequence[int]) -> None:
        """The axes in the order of these labels."""
        axes = [self.labels.index(label) for label in labels]
        if axes != list(range(len(axes))):
            self.keep(transpose, (tuple(axes),), axes)

    def group(self, *groups: list[int]) -> None:
        """One axis for each group of labels."""
        self.order([label for group in groups for label in group])
        flat = tuple(math.prod(self.size(label) for label in group) for group in groups)
        if flat != self.shape:
            self.steps.append((reshape, (flat,)))


def _summed(x: ndarray, axes: tuple[int, ...]) -> ndarray:
    if x.dtype.kind == "b":
        return _core.greater(_core.sum(x, axes, False, None), 0)
    return _core.sum(x, axes, False, x.dtype if x.dtype.kind in "iu" else None)


# Places i < j of two operands that make one, which comes last; the steps of each; whether to sum.
_Pair = tuple[int, int, list[Any], list[Any], bool]
# The pairs, then the steps of what is left.
_Plan = tuple[list[_Pair], list[Any]]


@functools.lru_cache(maxsize=256)
def _plan_of_text(text: str, shapes: tuple[tuple[int, ...], ...]) -> _Plan:
    return _plan(*_read_text(text), shapes)


@functools.lru_cache(maxsize=256)
def _plan(
    terms: _Terms, wanted: tuple[Any, ...] | None, shapes: tuple[tuple[int, ...], ...]
) -> _Plan:
    if len(shapes) != len(terms):
        raise ValueError(f"einsum: axes of {len(terms)} arrays are named, {len(shapes)} are given")
    labels, result = _labels(terms, wanted, tuple(map(len, shapes)))
    operands = [_Operand(each, shape) for each, shape in zip(labels, shapes, strict=True)]
    for operand in operands:
        operand.take_diagonals()
    extents = _extents(operands)
    for operand in operands:
        operand.drop_ones(extents)
    pairs: list[_Pair] = []
    for i, j in _order(operands, result):
        b, a = operands.pop(j), operands.pop(i)
        kept = {*result, *(label for operand in operands for label in operand.labels)}
        product, sums = _multiply(a, b, kept)
        pairs.append((i, j, a.steps, b.steps, sums))
        operands.append(product)
    last = operands[0]
    last.sum_out(set(result))
    last.order(result)
    return pairs, last.steps


def _extents(operands: list[_Operand]) -> dict[int, int]:
    """What every label is; 1 only where it is so everywhere."""
    extents: dict[int, int] = {}
    for i, operand in enumerate(operands):
        for extent, label in zip(operand.shape, operand.labels, strict=True):
            known = extents.setdefault(label, extent)
            if known == 1:
                extents[label] = extent
            elif extent not in (1, known):
                what = "an axis under ..." if label < 0 else _name(label)
                raise ValueError(f"einsum: {what} is {extent} in operand {i}, {known} before")
    return extents


def _order(operands: list[_Operand], result: _Labels) -> list[tuple[int, int]]:
    """Which two operands to multiply, i < j, one after the other; the product becomes the last."""
    count = len(operands)
    names = {k: i for i, k in enumerate({k for x in operands for k in x.labels})}
    if count <= 2 or len(names) > _MAX_NAMES:
        return [(0, max(count - k, 1)) for k in range(1, count)]
    given: list[Any] = []
    for x in operands:
        given += [np.broadcast_to(np.float32(0), x.shape), [names[k] for k in x.labels]]
    path: Any = np.einsum_path(*given, [names[k] for k in result], optimize="greedy")[0]
    pairs: list[tuple[int, int]] = []
    for step in path[1:]:
        step = sorted(step)
        while len(step) > 1:  # NumPy may name more than two at once
            pairs.append((step[0], step[1]))
            count -= 1
            step = [*(k - 2 for k in step[2:]), count - 1]
    return pairs


def _multiply(a: _Operand, b: _Operand, kept: set[int]) -> tuple[_Operand, bool]:
    """The product, and whether it is summed over; the steps of a and b lay them out for it."""
    a.sum_out(kept | {*b.labels})
    b.sum_out(kept | {*a.labels})
    batch = [k for k in a.labels if k in b.labels and k in kept]
    inner = [k for k in a.labels if k in b.labels and k not in kept]
    rows = [k for k in a.labels if k not in b.labels]
    columns = [k for k in b.labels if k not in a.labels]
    shape = [*map(a.size, batch), *map(a.size, rows), *map(b.size, columns)]
    product = _Operand((*batch, *rows, *columns), shape)
    made = [math.prod(map(a.size, rows)), math.prod(map(b.size, columns))]
    groups = [] if inner and not batch else [batch]
    if inner:
        a.group(*groups, rows, inner)
        b.group(*groups, inner, columns)
    else:
        a.group(*groups, rows, [])
        b.group(*groups, [], columns)
    if groups:
        made.insert(0, math.prod(product.size(k) for k in batch))
    if made != shape:
        product.steps.append((reshape, (tuple(shape),)))
    return product, bool(inner)


# ---- running ----


def _run(plan: _Plan, arrays: list[ndarray]) -> ndarray:
    pairs, last = plan
    for i, j, left, right, sums in pairs:
        b, a = _follow(right, arrays.pop(j)), _follow(left, arrays.pop(i))
        arrays.append(_core.matmul(a, b, None) if sums else _core.mul(a, b))
    return _follow(last, arrays[0])


def _follow(steps: list[Any], x: ndarray) -> ndarray:
    for step, arguments in steps:
        x = step(x, *arguments)
    return x
