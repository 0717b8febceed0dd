"""A short script that an installed mixprec must run on every Python: arrays, training, a file.

Run by .ci/run for each CPython on the machine, outside the source tree, with the hard dependencies
only.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

import numpy as np

import mixprec as mp
from mixprec import nn, optim


def main() -> None:
    x = np.random.default_rng(0).standard_normal((256, 8), dtype=np.float32)
    labels = (x[:, 0] > x[:, 1]).astype(np.int64)
    mp.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    scaler = mp.GradScaler()
    inputs, targets = mp.array(x), mp.array(labels)
    for _ in range(60):
        optimizer.zero_grad()
        with mp.autocast(dtype="float16"):
            loss = nn.functional.cross_entropy(model(inputs), targets)
        scaler.scale(loss).backward()
        scaler.step(optimizer, max_norm=1.0)
        scaler.update()
    accuracy = float((model(inputs).argmax(1).numpy() == labels).mean())
    assert accuracy > 0.9, accuracy
    assert "tqdm" not in sys.modules
    assert "matplotlib" not in sys.modules

    narrow = mp.array(x).astype("bfloat16")
    assert str(narrow.dtype) == "bfloat16"
    assert np.shares_memory(mp.from_numpy(x).numpy(), x)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.safetensors")
        mp.save(file, model=model, optimizer=optimizer, scaler=scaler)
        mp.load(file, model=model, optimizer=optimizer, scaler=scaler)
    print(f"smoke test passed: Python {platform.python_version()}, NumPy {np.__version__}")


if __name__ == "__main__":
    main()
