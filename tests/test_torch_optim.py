"""Optimizers on random problems beside PyTorch's: options per group, gradients that are missing."""

import numpy as np
import pytest

import mixprec as mp
from helpers import host
from mixprec import nn, optim

torch = pytest.importorskip("torch", reason="PyTorch is the oracle: pip install 'mixprec[oracle]'")
pytestmark = pytest.mark.oracle

SHAPES = ((7, 5), (5,), (), (3, 1, 2), (0, 3))
STEPS = 25


def options(kind, rng):
    """Arguments of the optimizer, and those of its second group."""

    def one_of(*values):
        return values[rng.integers(len(values))]

    given = {
        "lr": one_of(1e-3, 0.1, 0.0),
        "weight_decay": one_of(0.0, 0.1),
        "maximize": one_of(True, False),
    }
    group = {"lr": one_of(0.01, 0.3), "weight_decay": one_of(0.0, 0.2)}
    if kind == "SGD":
        given["momentum"] = one_of(0.0, 0.9)
        if given["momentum"]:
            given |= one_of({"nesterov": True}, {"dampening": 0.4}, {"dampening": -0.2})
            group["momentum"] = one_of(0.5, 0.8)
    else:
        given["betas"], given["eps"] = one_of((0.9, 0.999), (0.5, 0.9), (0.0, 0.99)), 1e-8
        group["betas"], group["eps"] = (0.8, 0.95), one_of(1e-3, 1e-6)
    return given, group


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_random_problems(kind, seed, dtype):
    rng = np.random.default_rng(seed)
    given, group = options(kind, rng)
    values = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    ours = [nn.Parameter(mp.array(v)) for v in values]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    opts = [
        getattr(library, kind)([{"params": params[:2]}, {"params": params[2:], **group}], **given)
        for library, params in ((optim, ours), (torch.optim, theirs))
    ]
    largest = [{"param": 0.0} for _ in SHAPES]  # what rounding errors of all steps are relative to
    for i in range(STEPS):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = q.grad = None
            if rng.random() < 0.8:
                size = 10.0 ** rng.uniform(-4, 2)
                gradient = (rng.standard_normal(p.shape) * size).astype(dtype)
                p.grad, q.grad = mp.array(gradient), torch.tensor(gradient)
        for opt in opts:
            opt.step()
            if i == 10:
                opt.param_groups[0]["lr"] *= 0.5
        for seen, q in zip(largest, theirs, strict=True):
            for key, value in {"param": q, **opts[1].state[q]}.items():
                if value is not None:
                    most = np.abs(value.detach().numpy()).max(initial=0.0)
                    seen[key] = max(seen.get(key, 0.0), most)
    error = STEPS * np.finfo(dtype).eps
    for p, q, seen in zip(ours, theirs, largest, strict=True):
        mine, their = {"param": p, **opts[0].state[p]}, {"param": q, **opts[1].state[q]}
        for key, most in seen.items():
            want = their[key].detach().numpy()
            np.testing.assert_allclose(host(mine[key]), want, rtol=error, atol=error * most)
