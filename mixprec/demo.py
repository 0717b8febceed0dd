"""`mixprec demo`: the same code trains a classifier of handwritten digits in three precisions.

The data are scikit-learn's 1,797 real images of 8 x 8 pixels; 597 of them, one fixed stratified
split, are the test set. `train` is the training loop: the rest loads, measures, and shows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import (
    GradScaler,
    _core,
    array,
    autocast,
    bfloat16,
    data,
    float16,
    float32,
    manual_seed,
    nn,
    no_grad,
    optim,
)

__all__ = ["PRECISIONS", "digits", "plot", "render", "run", "train"]

PRECISIONS = {"float32": float32, "bfloat16": bfloat16, "float16": float16}
SEEDS = (0, 1, 2)
TEST_IMAGES = 597
BATCH = 64
HIDDEN = 256
# Short runs want to see the scale move: it grows after 50 good steps instead of 2,000.
GROWTH_INTERVAL = 50


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images, training labels, test images, test labels."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise ImportError("scikit-learn is missing: pip install 'mixprec[demo]'") from None
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    x, x_test, y, y_test = train_test_split(
        images, labels, test_size=TEST_IMAGES, stratify=labels, random_state=0
    )
    return x, y, x_test, y_test


def make_model() -> nn.Sequential:
    """The classifier: two hidden layers with dropout."""
    return nn.Sequential(
        nn.Linear(64, HIDDEN), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(HIDDEN, 10),
    )  # fmt: skip


def region(precision: str, device: str) -> autocast:
    """The autocast region that a precision trains and predicts in."""
    kind = device.split(":")[0]
    return autocast(kind, PRECISIONS[precision], enabled=precision != "float32")


def train(
    precision: str, seed: int, steps: int, device: str, sets: tuple[np.ndarray, ...], bar: Any
) -> dict[str, Any]:
    """Trains one model and returns what was measured."""
    x_train, y_train, x_test, y_test = sets
    manual_seed(seed)
    model = make_model().to(device)
    opt = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = optim.lr_scheduler.CosineAnnealingLR(opt, steps)
    scaler = GradScaler(device, growth_interval=GROWTH_INTERVAL, enabled=precision == "float16")
    losses: list[float] = []
    scales: list[float] = []
    skipped = 0
    memory = {"narrow_copies": copies_bytes(model, precision, device)}
    batches = data.batches(
        x_train, y_train, batch_size=BATCH, shuffle=True, seed=seed, drop_last=True, device=device
    )
    begin = time.perf_counter()
    for x, y in _repeat(batches, steps):
        opt.zero_grad()
        measure = len(losses) == 1  # the second step: by then every narrow copy exists
        held = _held(device) if measure else 0
        with region(precision, device):
            loss = nn.functional.cross_entropy(model(x), y)
        if measure:
            memory["activations"] = _held(device) - held
        scaler.scale(loss).backward()
        scales.append(float(scaler.get_scale()))
        result = scaler.step(opt, max_norm=1.0)
        scaler.update()
        if precision == "float16":
            skipped += bool(result.skipped)
        schedule.step()
        losses.append(loss.item())
        bar.update()
    seconds = time.perf_counter() - begin
    parameters = list(model.parameters())
    memory["weights"] = sum(p.nbytes for p in parameters)
    memory["gradients"] = sum(p.grad.nbytes for p in parameters if p.grad is not None)
    return {
        "accuracy": accuracy(model, x_test, y_test, precision, device),
        "final_loss": statistics.fmean(losses[-len(batches):]),
        "seconds": seconds,
        "skipped": skipped,
        "memory": memory,
        "losses": losses,
        "scales": scales,
    }  # fmt: skip


def copies_bytes(model: nn.Module, precision: str, device: str) -> int:
    """Bytes of the narrow weight copies that a first forward makes and keeps."""
    model.eval()
    x = array(np.zeros((1, 64), np.float32), device=device)
    held = _held(device)
    with no_grad(), region(precision, device):
        model(x)
    model.train()
    return _held(device) - held


def accuracy(model: nn.Module, x: np.ndarray, y: np.ndarray, precision: str, device: str) -> float:
    """The share of images that the model, run in its precision, puts in the right class."""
    model.eval()
    with no_grad(), region(precision, device):
        guess = model(array(x, device=device)).argmax(axis=1)
    model.train()
    return float(np.mean(guess.cpu().numpy() == y))


def run(steps: int = 600, device: str = "cpu", quiet: bool = False) -> dict[str, Any]:
    """Trains every precision from every seed. Returns settings, means and runs as JSON values."""
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError("tqdm is missing: pip install 'mixprec[demo]'") from None
    sets = digits()
    _core.empty((0,), "float32", device)  # an unknown device ends here
    runs: dict[str, list[dict[str, Any]]] = {precision: [] for precision in PRECISIONS}
    total = steps * len(PRECISIONS) * len(SEEDS)
    with tqdm(total=total, unit="step", disable=quiet) as bar:
        for seed in SEEDS:
            for precision in PRECISIONS:
                bar.set_description(f"{precision}, seed {seed}")
                runs[precision].append(train(precision, seed, steps, device, sets, bar))
    return {
        "steps": steps,
        "seeds": list(SEEDS),
        "device": device,
        "threads": _core.get_num_threads(),
        "train_images": len(sets[0]),
        "test_images": len(sets[2]),
        "results": {precision: _mean(each) for precision, each in runs.items()},
        "runs": runs,
    }


def _mean(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One precision's row of the table."""
    return {
        "accuracy": statistics.fmean(r["accuracy"] for r in runs),
        "final_loss": statistics.fmean(r["final_loss"] for r in runs),
        "seconds": statistics.fmean(r["seconds"] for r in runs),
        "skipped": statistics.fmean(r["skipped"] for r in runs),
        **{f"{name}_bytes": size for name, size in runs[0]["memory"].items()},
    }


def render(result: dict[str, Any]) -> str:
    """The table, with what it says underneath."""
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        "test accuracy": lambda r: f"{r['accuracy']:.2%}",
        "final loss": lambda r: f"{r['final_loss']:.4f}",
        "weights": lambda r: _kib(r["weights_bytes"]),
        "narrow copies": lambda r: _kib(r["narrow_copies_bytes"]),
        "gradients": lambda r: _kib(r["gradients_bytes"]),
        "activations": lambda r: _kib(r.get("activations_bytes")),
        "time": lambda r: f"{r['seconds']:.2f} s",
        "skipped": lambda r: f"{r['skipped']:.1f}",
    }
    rows = [["", *columns]]
    for precision, r in result["results"].items():
        rows.append([precision, *(text(r) for text in columns.values())])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
    note = (
        f"\nMeans of {len(result['seeds'])} seeds, {result['steps']} steps of {BATCH} images; "
        f"{result['train_images']} training and {result['test_images']} test images; "
        f"{result['device']}, {result['threads']} threads."
    )
    return "\n".join(lines) + "\n" + note


def plot(result: dict[str, Any], path: str) -> None:
    """Writes a figure of the first seed's runs: the losses, and float16's loss scale."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("matplotlib is missing: pip install 'mixprec[demo]'") from None
    figure = Figure(figsize=(9, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    for precision, runs in result["runs"].items():
        upper.plot(_smooth(runs[0]["losses"]), label=precision, linewidth=1)
    upper.set(yscale="log", ylabel="training loss (mean of 10 steps)")
    upper.legend()
    lower.step(
        range(result["steps"]), result["runs"]["float16"][0]["scales"], where="post", color="C2"
    )
    lower.set_yscale("log", base=2)
    lower.set(xlabel="step", ylabel="loss scale (float16)")
    figure.savefig(path, dpi=120)


def _smooth(values: list[float], width: int = 10) -> np.ndarray:
    """Running means, as long as the values."""
    sums = np.cumsum([0.0, *values])
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - width, 0)
    return np.asarray((sums[ends] - sums[begins]) / (ends - begins))


def _repeat(batches: data.Batches, steps: int) -> Any:
    """Epoch after epoch, until `steps` batches have come."""
    done = 0
    while True:
        for batch in batches:
            yield batch
            done += 1
            if done == steps:
                return


def _held(device: str) -> int:
    """Bytes that arrays hold on a device now."""
    return int(_core.memory_stats(device)[0])


def _kib(size: int | None) -> str:
    return "-" if size is None else f"{size / 1024:.0f} KiB"
