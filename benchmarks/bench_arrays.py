"""What NumPy does too: elementwise, reductions, lookups, sorting of 16 M elements, small arrays."""

from __future__ import annotations

import numpy as np
import pytest

import mixprec as mp
from timing import CPUS, Bar, Contest, play, threads

COUNT = 16 * 1024 * 1024
BOTH = min(2, CPUS)

BINARY = ["x + y", "x * y", "x / y", "x < y", "m.maximum(x, y)", "x + 2"]
UNARY = ["-x", "x * x", "m.sqrt(x)", "m.exp(x)", "m.log(x)", "m.sin(x)", "m.tanh(x)", "m.abs(x)"]
REDUCTIONS = ["x.sum()", "x.mean()", "x.max()", "x.var()", "x.argmax()", "x.prod()",
              "a.sum(axis=0)", "a.sum(axis=1)", "a.max(axis=0)", "m.cumsum(x)"]  # fmt: skip
LOOKUPS = [("x[mask]", 0.7), ("x[idx]", 0.7), ("x[mask] = 0.5", 0.7), ("x[idx] = y", 0.7),
           ("m.sort(x)", 0.7), ("m.argsort(x)", 0.7)]  # fmt: skip
# 16 elements: at most 1.2 times NumPy's time
SMALL = ["x + x", "m.add(x, x)", "x[3]", "a[1, 2]", "x[2:5]", "x[3] = 1.0", "x[2:5] = 0.0",
         "x.sum()", "m.sum(x)", "x.reshape(4, 4)", "m.reshape(x, (4, 4))"]  # fmt: skip


def names(m, dtype="float32", count=COUNT):
    """What the statements use, made by the library `m`."""
    rng = np.random.default_rng(0)
    x = (rng.random(count, dtype=np.float32) + 0.5).astype(dtype)
    idx = rng.permutation(count)
    side = 1 << (count.bit_length() // 2)
    made = {"x": x, "y": x[::-1].copy(), "a": x[: side * side].reshape(side, side), "idx": idx}
    made["mask"] = rng.random(count) < 0.5
    convert = mp.asarray if m is mp else np.asarray
    return {"m": m, **{name: convert(value) for name, value in made.items()}}


def compare(
    benchmark, statement, least, what, used=BOTH, peer="numpy", rounds=6, setup="", **options
):
    runs = {
        "mixprec": (statement, names(mp, **options)),
        peer: (statement, names(np, **options)),
    }
    for _, used_names in runs.values():
        exec(setup, used_names)
    info = {"what": what, "threads": used}
    with threads(used):
        play(benchmark, Contest(runs, [Bar("mixprec", peer, least)], info=info), rounds=rounds)


@pytest.mark.parametrize("statement", BINARY + UNARY)
def test_elementwise(benchmark, statement):
    compare(benchmark, statement, 1.0, f"{statement}, float32, 16 M")


@pytest.mark.parametrize("statement", ["x + y", "x * y", "-x", "m.exp(x)", "m.sqrt(x)"])
def test_elementwise_float16(benchmark, statement):
    compare(benchmark, statement, 10.0, f"{statement}, float16, 16 M", dtype="float16", rounds=3)


@pytest.mark.parametrize("statement", REDUCTIONS)
def test_reduction(benchmark, statement):
    compare(benchmark, statement, 1.0, f"{statement}, float32, 16 M")


@pytest.mark.parametrize(("statement", "least"), LOOKUPS)
def test_lookup(benchmark, statement, least):
    compare(benchmark, statement, least, f"{statement}, float32, 16 M", rounds=4)


@pytest.mark.parametrize("statement", SMALL)
def test_small(benchmark, statement):
    compare(benchmark, statement, 1 / 1.2, f"{statement}, 16 elements", 1, count=16, rounds=25)
