"""Einstein's summation: a text that names axes becomes products of matrices.

Operands are contracted two at a time. A pair is laid out as (batch, rows, inner) and (batch, inner,
columns) and multiplied by the row of matrix products, which autocast lowers; where no axis is
summed over, it is a product of elements.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import ndarray
from .._typing import DTypeLike
from ..creation import asarray
from ._out import into
from .diagonals import diagonal

__all__ = ["einsum"]

# A label is a letter's code or a sublist's number; axes under an ellipsis are -1, -2, ... from the
# right. An operand is an array and the labels of its axes.
_Labels = tuple[int, ...]
_Operand = tuple[ndarray, _Labels]


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
        text, arrays = operands[0], [asarray(x) for x in operands[1:]]
        terms, wanted = _read_text(text)
    else:
        arrays, terms, wanted = _read_lists(operands)
    if len(arrays) != len(terms):
        raise ValueError(f"einsum: axes of {len(terms)} arrays are named, {len(arrays)} are given")
    if dtype is not None:
        arrays = [x.astype(dtype, copy=False) for x in arrays]
    labels, result = _labels(terms, wanted, tuple(x.ndim for x in arrays))
    y = _contract_all(arrays, labels, result)
    return y if out is None else into("einsum", y, out)


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
    terms = [tuple(operands[2 * i + 1]) for i in range(pairs)]
    wanted = tuple(operands[-1]) if len(operands) % 2 else None
    for label in (label for term in [*terms, wanted or ()] for label in term):
        if label is not Ellipsis and not (hasattr(label, "__index__") and label >= 0):
            raise ValueError(f"einsum: {label!r} is no label, integers from 0 and ... are")
    return [asarray(operands[2 * i]) for i in range(pairs)], tuple(terms), wanted


def _name(label: int) -> str:
    """A label in an error."""
    return repr(chr(label)) if label >= 65 else str(label)


@functools.lru_cache(maxsize=256)
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


# ---- contracting ----


def _contract_all(arrays: list[ndarray], labels: tuple[_Labels, ...], result: _Labels) -> ndarray:
    operands = _broadcast([_diagonals(x, each) for x, each in zip(arrays, labels, strict=True)])
    for i, j in _order(operands, result):
        b, a = operands.pop(j), operands.pop(i)
        kept = {*result, *(label for _, each in operands for label in each)}
        operands.append(_contract(a, b, kept))
    y, named = _sum_out(operands[0], set(result))
    return y if named == result else _core.permute(y, [named.index(label) for label in result])


def _diagonals(x: ndarray, labels: _Labels) -> _Operand:
    """x with one axis for every label."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ValueError(
                    f"einsum: {_name(label)} is {x.shape[i]} and {x.shape[j]} in one operand"
                )
            x = diagonal(x, 0, i, j)
            labels = (*labels[:i], *labels[i + 1 : j], *labels[j + 1 :], label)
    return x, labels


def _broadcast(operands: list[_Operand]) -> list[_Operand]:
    """The operands without axes of extent 1 that others have longer."""
    extents: dict[int, int] = {}
    for i, (x, labels) in enumerate(operands):
        for extent, label in zip(x.shape, labels, strict=True):
            known = extents.setdefault(label, extent)
            if known == 1:
                extents[label] = extent
            elif extent not in (1, known):
                what = "an axis under ..." if label < 0 else _name(label)
                raise ValueError(f"einsum: {what} is {extent} in operand {i}, {known} before")
    result = []
    for x, labels in operands:
        kept = [
            (extent, label)
            for extent, label in zip(x.shape, labels, strict=True)
            if extent == extents[label]
        ]
        if len(kept) < len(labels):
            x = _core.reshape(x, [extent for extent, _ in kept])
            labels = tuple(label for _, label in kept)
        result.append((x, labels))
    return result


def _order(operands: list[_Operand], result: _Labels) -> list[tuple[int, int]]:
    """Which two operands to multiply, i < j, one after the other; the product becomes the last."""
    if len(operands) <= 2:
        return [(0, 1)] * (len(operands) - 1)
    given: list[Any] = []

    names = {label: i for i, label in enumerate({k for _, each in operands for k in each})}
    if len(names) > 52:
        return [(0, 1)] + [(0, len(operands) - k) for k in range(2, len(operands))]
    for x, labels in operands:
        given += [np.broadcast_to(np.float32(0), x.shape), [names[label] for label in labels]]
    path: Any = np.einsum_path(*given, [names[k] for k in result], optimize="greedy")[0]
    pairs: list[tuple[int, int]] = []
    count = len(operands)
    for step in path[1:]:
        step = sorted(step)
        while len(step) > 1:  # NumPy may name more than two at once
            i, j = step[0], step[1]
            pairs.append((i, j))
            count -= 1
            step = [k - 2 for k in step[2:]] + [count - 1]
    return pairs


def _sum_out(operand: _Operand, kept: set[int]) -> _Operand:
    """The operand summed over the labels that nothing else wants."""
    x, labels = operand
    axes = [i for i, label in enumerate(labels) if label not in kept]
    if not axes:
        return operand
    if x.dtype.kind == "b":
        x = _core.greater(_core.sum(x, axes, False, None), 0)
    else:
        x = _core.sum(x, axes, False, x.dtype if x.dtype.kind in "iu" else None)
    return x, tuple(label for label in labels if label in kept)


def _contract(a: _Operand, b: _Operand, kept: set[int]) -> _Operand:
    """The product of two operands, summed over the labels that are not kept."""
    (x, in_x), (y, in_y) = _sum_out(a, kept | {*b[1]}), _sum_out(b, kept | {*a[1]})
    sizes = {**dict(zip(in_x, x.shape, strict=True)), **dict(zip(in_y, y.shape, strict=True))}
    both = [label for label in in_x if label in in_y]
    batch = [label for label in both if label in kept]
    inner = [label for label in both if label not in kept]
    rows = [label for label in in_x if label not in in_y]
    columns = [label for label in in_y if label not in in_x]
    labels = (*batch, *rows, *columns)
    shape = [sizes[label] for label in labels]

    def laid_out(z: ndarray, named: _Labels, *groups: list[int]) -> ndarray:
        order = [named.index(label) for group in groups for label in group]
        extents = [math.prod(sizes[label] for label in group) for group in groups]
        z = z if order == list(range(z.ndim)) else _core.permute(z, order)
        return _core.reshape(z, extents)

    if inner and not batch:
        product = _core.matmul(
            laid_out(x, in_x, rows, inner), laid_out(y, in_y, inner, columns), None
        )
    elif inner:
        product = _core.matmul(
            laid_out(x, in_x, batch, rows, inner), laid_out(y, in_y, batch, inner, columns), None
        )
    else:
        product = _core.mul(
            laid_out(x, in_x, batch, rows, []), laid_out(y, in_y, batch, [], columns)
        )
    return _core.reshape(product, shape), labels
