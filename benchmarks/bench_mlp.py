"""One training step of a 784-512-512-10 network, batch 128, Adam.

float32 against a loop written by hand in NumPy and against torch; float16 with a GradScaler and
bfloat16 against our own float32.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import mixprec as mp
from mixprec import nn, optim
from timing import THREADS, Bar, Contest, play, threads, torch

SIZES = (784, 512, 512, 10)
BATCH = 128
RATE = 1e-3


@pytest.mark.parametrize("count", THREADS, ids=lambda n: f"{n}threads")
def test_training_step(benchmark, peak, count):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, SIZES[0]), dtype=np.float32)
    y = rng.integers(0, SIZES[-1], BATCH)
    steps = {
        "mixprec": mixprec_step(x, y, None),
        "mixprec float16": mixprec_step(x, y, "float16"),
        "mixprec bfloat16": mixprec_step(x, y, "bfloat16"),
        "numpy": numpy_step(x, y, rng),
    }
    if torch is not None:
        steps["torch"] = torch_step(x, y)
    bars = [
        Bar("mixprec", "numpy", 1.5),
        Bar("mixprec", "torch", 1.0),
        Bar("mixprec float16", "mixprec", 1 / 1.15),
    ]
    layers = list(itertools.pairwise(SIZES))
    # forward and both gradients of each product; the first layer's input needs none
    flops = 2 * BATCH * (3 * sum(i * o for i, o in layers) - SIZES[0] * SIZES[1])
    limit = flops / (peak(count)["gflops"] * 1e9)
    runs = {name: ("step()", {"step": step}) for name, step in steps.items()}
    info = {"what": "training step, 784-512-512-10, batch 128", "threads": count}
    with threads(count):
        play(benchmark, Contest(runs, bars, limit, info=info))


def mixprec_step(x, y, dtype, sizes=SIZES, device="cpu"):
    """A training step as a user writes it; dtype: of autocast, None: none."""
    layers = []
    for i, o in itertools.pairwise(sizes):
        layers += [nn.Linear(i, o), nn.ReLU()]
    model = nn.Sequential(*layers[:-1]).to(device)
    optimizer = optim.Adam(model.parameters(), lr=RATE)
    scaler = mp.GradScaler(device, enabled=dtype == "float16")
    x, y = mp.array(x).to(device), mp.array(y).to(device)

    def step():
        optimizer.zero_grad()
        with mp.autocast(dtype=dtype, enabled=dtype is not None):
            loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


def torch_step(x, y):
    layers = []
    for i, o in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def numpy_step(x, y, rng):
    """The loop that a careful NumPy user writes: float32 throughout, updates in place."""
    weights = [
        (rng.standard_normal((i, o)) / np.sqrt(i)).astype(np.float32)
        for i, o in itertools.pairwise(SIZES)
    ]
    parameters = weights + [np.zeros(o, np.float32) for o in SIZES[1:]]
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    taken = 0
    count = len(weights)

    def gradients():
        inputs = [x]
        for k in range(count):
            z = inputs[-1] @ parameters[k] + parameters[count + k]
            inputs.append(np.maximum(z, 0) if k < count - 1 else z)
        logits = inputs.pop()
        g = np.exp(logits - logits.max(axis=1, keepdims=True))
        g /= g.sum(axis=1, keepdims=True)
        g[np.arange(BATCH), y] -= 1
        g /= BATCH
        found = [None] * len(parameters)
        for k in reversed(range(count)):
            found[k], found[count + k] = inputs[k].T @ g, g.sum(axis=0)
            if k:
                g = (g @ parameters[k].T) * (inputs[k] > 0)
        return found

    def step():
        nonlocal taken
        taken += 1
        rate = np.float32(RATE * np.sqrt(1 - 0.999**taken) / (1 - 0.9**taken))
        for p, g, m, v in zip(parameters, gradients(), first, second, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * g * g
            p -= rate * m / (np.sqrt(v) + 1e-8)

    return step
