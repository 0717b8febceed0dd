"""Where random numbers come from: call numbers of a Philox generator, and single numbers of it.

Element i of call k depends on the seed, k and i only. Arrays are one call each; single numbers for
loops in Python are taken one after another from a block that one call fills.
"""

from __future__ import annotations

import operator
import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core

BLOCK = 256
_RANGE = 2**64


class Stream:
    """Call numbers of one generator per device, and blocks of single numbers on the CPU.

    Parameters
    ----------
    take : callable
        Gives the seed and the next call number for a device.
    """

    __slots__ = ("_normals", "_uniforms", "_words", "take")

    def __init__(self, take: Callable[[str], tuple[int, int]]) -> None:
        self.take = take
        self.forget()

    def forget(self) -> None:
        """Drops what is left of the blocks: the next number comes from the next call."""
        self._uniforms: list[float] = []
        self._normals: list[float] = []
        self._words: list[int] = []

    def uniform(self) -> float:
        """A number in [0, 1), with 53 random bits."""
        if not self._uniforms:
            seed, call = self.take("cpu")
            block = _core.random_uniform((BLOCK,), "float64", "cpu", 0.0, 1.0, seed, call)
            self._uniforms = block.tolist()
        return self._uniforms.pop()

    def normal(self) -> float:
        """A number from the standard normal distribution."""
        if not self._normals:
            seed, call = self.take("cpu")
            self._normals = _core.random_normal((BLOCK,), "float64", "cpu", seed, call).tolist()
        return self._normals.pop()

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high), for at most 2**64 of them.

        Lemire's method: the upper word of a product of a random word with the count, drawn again
        where the lower one says that some results would come once more than others.
        """
        count = high - low
        while True:
            if not self._words:
                seed, call = self.take("cpu")
                halves = (2 * BLOCK,), "uint32", "cpu", 0, 2**32, seed, call
                self._words = _core.random_integers(*halves).numpy().view(np.uint64).tolist()
            product = self._words.pop() * count
            lower = product % _RANGE
            if lower >= count or lower >= (_RANGE - count) % count:
                return low + product // _RANGE

    def numpy(self) -> np.random.Generator:
        """NumPy's generator over Philox, keyed by the next call: for what is not drawn here."""
        seed, call = self.take("cpu")
        return np.random.Generator(np.random.Philox(key=seed, counter=[0, call, 0, 0]))


class Counted:
    """Gives the seed and the number of a call, counted for each device. A class, for pickle."""

    __slots__ = ("calls", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.calls: dict[str, int] = defaultdict(int)

    def __call__(self, device: str) -> tuple[int, int]:
        name = "cuda:0" if device == "cuda" else str(device)
        call = self.calls[name]
        self.calls[name] = call + 1
        return self.seed, call


def counted(seed: int) -> Stream:
    """A stream of its own."""
    return Stream(Counted(seed))


def fresh_seed() -> int:
    """A seed that nobody can foretell."""
    return int.from_bytes(os.urandom(8), "little")


def to_seed(op: str, seed: Any) -> int:
    """A seed of 64 bits of what NumPy takes as one: None, an integer, several, a SeedSequence."""
    if seed is None:
        return fresh_seed()
    if isinstance(seed, np.random.SeedSequence):
        return int(seed.generate_state(1, np.uint64)[0])
    if hasattr(seed, "tolist"):
        seed = seed.tolist()
    try:
        if isinstance(seed, (list, tuple)):  # NumPy's own reading of a list in itself crashes
            seed = [operator.index(s) for s in seed]
        if isinstance(seed, int) and 0 <= seed < _RANGE:
            return int(seed)
        return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    except (TypeError, ValueError) as error:
        raise type(error)(f"{op}: seed is {seed!r}: {error}") from None
