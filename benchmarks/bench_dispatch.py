"""What one call costs: an addition of 16 elements, without and with the tape, against np.add."""

from __future__ import annotations

import numpy as np

import mixprec as mp
from timing import Bar, Contest, play, threads, torch


def test_small_add(benchmark):
    values = np.arange(16, dtype=np.float32)
    x, y = mp.array(values), mp.array(values)
    w = mp.array(values).requires_grad_()
    runs = {
        "mixprec": ("add(x, y)", {"add": mp.add, "x": x, "y": y}),
        "mixprec, tape on": ("add(x, y)", {"add": mp.add, "x": x, "y": w}),
        "mixprec, operator": ("x + y", {"x": x, "y": y}),
        "numpy": ("add(x, y)", {"add": np.add, "x": values, "y": values.copy()}),
    }
    if torch is not None:
        t = torch.from_numpy(values)
        runs["torch"] = ("add(x, y)", {"add": torch.add, "x": t, "y": t.clone()})
    bars = [Bar("mixprec", "numpy", 1.0), Bar("mixprec, tape on", "numpy", 1 / 1.5)]
    with threads(1):
        play(benchmark, Contest(runs, bars, info={"what": "add of 16 elements", "threads": 1}))
