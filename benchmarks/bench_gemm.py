"""Matrix products: float32 against NumPy and torch, float16 and bfloat16 against our float32."""

from __future__ import annotations

import numpy as np
import pytest

import mixprec as mp
from timing import THREADS, Bar, Contest, play, threads, torch

SIZES = (512, 1024, 2048)


@pytest.mark.parametrize("count", THREADS, ids=lambda n: f"{n}threads")
@pytest.mark.parametrize("size", SIZES)
def test_gemm(benchmark, peak, size, count):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    runs = {"mixprec": ("f(a, b)", {"f": mp.matmul, "a": mp.array(a), "b": mp.array(b)})}
    bars = [Bar("mixprec", "numpy", 0.75)]
    for dtype in ("float16", "bfloat16"):
        names = {"f": mp.matmul, "a": mp.array(a).astype(dtype), "b": mp.array(b).astype(dtype)}
        runs[f"mixprec {dtype}"] = ("f(a, b)", names)
        bars.append(Bar(f"mixprec {dtype}", "mixprec", 0.9))
    runs["numpy"] = ("f(a, b)", {"f": np.matmul, "a": a, "b": b})
    if torch is not None:
        names = {"f": torch.matmul, "a": torch.from_numpy(a), "b": torch.from_numpy(b)}
        runs["torch"] = ("f(a, b)", names)
    limit = 2 * size**3 / (peak(count)["gflops"] * 1e9)
    with threads(count):
        play(benchmark, Contest(runs, bars, limit, info={"what": f"GEMM {size}", "threads": count}))
