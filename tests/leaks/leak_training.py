"""Training steps, models made and dropped, checkpoints and batches: nothing may stay behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from leaks import check

import mixprec as mp
from mixprec import nn, optim

RNG = np.random.default_rng(0)
X = RNG.standard_normal((32, 8), dtype=np.float32)
Y = RNG.integers(0, 3, 32)
INPUTS, LABELS = mp.array(X), mp.array(Y)


def network():
    return nn.Sequential(
        nn.Linear(8, 16), nn.LayerNorm(16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 3)
    )


def trainer(model, optimizer, scaler, dtype):
    def step():
        optimizer.zero_grad()
        with mp.autocast(dtype=dtype):
            loss = nn.functional.cross_entropy(model(INPUTS), LABELS)
        scaler.scale(loss).backward()
        result = scaler.step(optimizer, max_norm=1.0)
        scaler.update()
        return result.skipped

    return step


def made_and_dropped():
    model = network()
    trainer(model, optim.Adam(model.parameters(), lr=1e-3), mp.GradScaler(), "float16")()


def overflow():
    """Steps that are skipped: the scale falls to its minimum and stays there."""
    BIG.zero_grad()
    scaler = mp.GradScaler(init_scale=2.0**20)
    with mp.autocast(dtype="float16"):
        loss = (BIG_MODEL(INPUTS) * 1e4).sum()
    scaler.scale(loss).backward()
    scaler.step(BIG)
    scaler.update()


def batches():
    for _ in mp.data.batches(X, Y, batch_size=8, shuffle=True, prefetch=2):
        pass


def checkpoint():
    mp.save(FILE, model=MODEL, optimizer=OPTIMIZER)
    mp.load(FILE, model=MODEL, optimizer=OPTIMIZER)


BIG_MODEL = nn.Linear(8, 3)
BIG = optim.SGD(BIG_MODEL.parameters(), lr=1e-3)
MODEL = network()
OPTIMIZER = optim.Adam(MODEL.parameters(), lr=1e-3)

for dtype in ("float16", "bfloat16"):
    model = network()
    adam = optim.AdamW(model.parameters(), lr=1e-3)
    check(f"leak_training {dtype}", trainer(model, adam, mp.GradScaler(), dtype), 9_000)
    half = network().half() if dtype == "float16" else network().bfloat16()
    sgd = optim.SGD(half.parameters(), lr=1e-3, momentum=0.9)
    check(f"leak_training {dtype} parameters", trainer(half, sgd, mp.GradScaler(), dtype), 9_000)
check("leak_training made and dropped", made_and_dropped, 9_000)
check("leak_training overflow", overflow, 9_000)
check("leak_training batches", batches, 9_000)
with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
    FILE = Path(folder, "checkpoint.safetensors")
    check("leak_training checkpoint", checkpoint, 9_000)
