"""Casts of 16 M elements between float32 and the narrow dtypes, against ndarray.astype."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import mixprec as mp
from timing import THREADS, Bar, Contest, play, threads, torch

COUNT = 16 * 1024 * 1024
PAIRS = [
    ("float32", "float16", 5.0),
    ("float16", "float32", None),
    ("float32", "bfloat16", None),
    ("bfloat16", "float32", None),
]


@pytest.mark.parametrize("count", THREADS, ids=lambda n: f"{n}threads")
@pytest.mark.parametrize(("source", "target", "least"), PAIRS)
def test_cast(benchmark, peak, source, target, least, count):
    values = np.random.default_rng(0).standard_normal(COUNT, dtype=np.float32)
    x = values.astype(_numpy_dtype(source))
    to = _numpy_dtype(target)
    runs = {
        "mixprec": ("x.astype(to)", {"x": mp.array(x), "to": to}),
        "numpy": ("x.astype(to)", {"x": x, "to": to}),
    }
    if torch is not None:
        names = {"x": torch.from_numpy(values).to(getattr(torch, source))}
        runs["torch"] = ("x.to(to)", {**names, "to": getattr(torch, target)})
    bars = [Bar("mixprec", "numpy", least)] if least else []
    limit = COUNT * (x.itemsize + to.itemsize) / (peak(count)["gbytes"] * 1e9)
    info = {"what": f"cast {source} to {target}, 16 M", "threads": count}
    with threads(count):
        play(benchmark, Contest(runs, bars, limit, info=info), rounds=12)


def _numpy_dtype(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, None) or name)
