"""What samples are made of: inputs, and the calls that take them."""

from dataclasses import dataclass

import numpy as np


@dataclass
class In:
    """One input of a sample. kind: 'x' takes the test's dtype; 'y' too, but no gradient is asked
    for; 'acc' takes the accumulator's (float32, or float64 for float64), 'fixed32' float32; 'fixed'
    stays as it is, and 'distinct' too, in layouts that repeat no element: where a place is written
    twice, any value may win on a GPU."""

    array: np.ndarray
    kind: str = "x"


@dataclass
class Sample:
    """Inputs (In or None; for '*' rows any number) and attributes of one call; its sums' length."""

    inputs: tuple
    attrs: dict
    length: int = 1


def X(rng, *shape, low=-2.0, high=2.0, kind="x"):
    return In(np.asarray(rng.uniform(low, high, shape)), kind)


def G(rng, *shape):
    """An incoming gradient."""
    return X(rng, *shape)


def ints(rng, high, *shape, low=0, dtype=np.int64):
    return In(np.asarray(rng.integers(low, high, shape, dtype=dtype)), "fixed")


def away(x, *points, gap=0.1):
    """Moves elements away from kinks, so that finite differences mean something."""
    for p in points:
        near = np.abs(x.array - p) < gap
        x.array = np.where(near, p + np.where(x.array >= p, 2 * gap, -2 * gap), x.array)
    return x


def rounded(parts, *items):
    """Multiples of 1 / parts, few of which sum exactly in every float dtype of 16 bits or more."""
    for item in items:
        item.array = np.round(item.array * parts) / parts
    return items
