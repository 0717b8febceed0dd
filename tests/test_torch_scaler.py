"""GradScaler and optimizers in lockstep with PyTorch's, over random gradients with inf and NaN."""

import numpy as np
import pytest

import mixprec as mp
from helpers import host
from mixprec import nn, optim

torch = pytest.importorskip("torch", reason="PyTorch is the oracle: pip install 'mixprec[oracle]'")
pytestmark = pytest.mark.oracle

OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 0.1}),
    "momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    "nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    "adam": ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    "adamw": ("AdamW", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-6}),
}
SCALERS = {
    "defaults": {"growth_interval": 2000},
    "lively": {"init_scale": 2.0**10, "growth_interval": 3},
    "not powers of two": {
        "init_scale": 1000.0, "growth_factor": 1.7, "backoff_factor": 0.3, "growth_interval": 2,
    },
}  # fmt: skip
SHAPES = ((7, 5), (5,), (3, 1, 2))
STEPS = 40


class Pair:
    """The same parameters, optimizer and scaler in both libraries."""

    def __init__(self, name, settings, seed=0):
        rng = np.random.default_rng(seed)
        kind, options = OPTIMIZERS[name]
        values = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
        self.ours = [nn.Parameter(mp.array(v)) for v in values]
        self.theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
        self.our_opt = getattr(optim, kind)(self.ours, **options)
        self.their_opt = getattr(torch.optim, kind)(self.theirs, **options)
        self.our_scaler = mp.GradScaler("cpu", **settings)
        self.their_scaler = torch.amp.GradScaler("cpu", **settings)

    def backward(self, factors):
        """Both get the gradients `factors`, scaled."""
        self.our_opt.zero_grad()
        self.their_opt.zero_grad()
        our_loss = sum((p * mp.array(f)).sum() for p, f in zip(self.ours, factors, strict=True))
        pairs = zip(self.theirs, factors, strict=True)
        their_loss = sum((p * torch.tensor(f)).sum() for p, f in pairs)
        self.our_scaler.scale(our_loss).backward()
        self.their_scaler.scale(their_loss).backward()

    def compare(self):
        ours, theirs = self.our_scaler.state_dict(), self.their_scaler.state_dict()
        assert ours == theirs
        for p, q in zip(self.ours, self.theirs, strict=True):
            np.testing.assert_allclose(host(p), q.detach().numpy(), rtol=2e-5, atol=2e-6)
            np.testing.assert_allclose(host(p.grad), q.grad.numpy(), rtol=2e-6, atol=1e-30)


def random_factors(rng):
    factors = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
    bad = bool(rng.random() < 0.3)
    if bad:
        array = factors[rng.integers(len(factors))].reshape(-1)
        array[rng.integers(array.size)] = rng.choice([np.inf, -np.inf, np.nan])
    return factors, bad


@pytest.mark.parametrize("how", ["step", "unscale_, step", "unscale_, clip, step", "mixed"])
@pytest.mark.parametrize("settings", SCALERS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lockstep(name, settings, how):
    rng = np.random.default_rng(42)
    pair = Pair(name, SCALERS[settings])
    for i in range(STEPS):
        factors, bad = random_factors(rng)
        pair.backward(factors)
        if how != "step" and not (how == "mixed" and i % 2):
            pair.our_scaler.unscale_(pair.our_opt)
            pair.their_scaler.unscale_(pair.their_opt)
        if "clip" in how and not bad:
            nn.utils.clip_grad_norm_(pair.ours, 0.5)
            torch.nn.utils.clip_grad_norm_(pair.theirs, 0.5)
        result = pair.our_scaler.step(pair.our_opt)
        pair.their_scaler.step(pair.their_opt)
        assert result.skipped == bad
        pair.our_scaler.update()
        pair.their_scaler.update()
        pair.compare()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_clip_as_an_argument(name):
    """step(max_norm=) is PyTorch's unscale_, clip_grad_norm_, step."""
    rng = np.random.default_rng(3)
    pair = Pair(name, SCALERS["lively"])
    for _ in range(STEPS):
        factors, bad = random_factors(rng)
        pair.backward(factors)
        pair.their_scaler.unscale_(pair.their_opt)
        norm = torch.nn.utils.clip_grad_norm_(pair.theirs, 0.5) if not bad else None
        pair.their_scaler.step(pair.their_opt)
        result = pair.our_scaler.step(pair.our_opt, max_norm=0.5)
        assert result.skipped == bad
        if not bad:
            assert result.norm == pytest.approx(norm.item(), rel=1e-5)
        pair.our_scaler.update()
        pair.their_scaler.update()
        if not bad:
            pair.compare()


def test_manual_changes_in_lockstep():
    rng = np.random.default_rng(9)
    pair = Pair("sgd", SCALERS["lively"])
    both = pair.our_scaler, pair.their_scaler
    for i in range(STEPS):
        factors, _ = random_factors(rng)
        pair.backward(factors)
        pair.our_scaler.step(pair.our_opt)
        pair.their_scaler.step(pair.their_opt)
        for scaler in both:
            scaler.update(256.0 if i % 7 == 6 else None)
            if i == 10:
                scaler.set_growth_factor(4.0)
                scaler.set_backoff_factor(0.25)
            if i == 20:  # not below the tracker, where PyTorch's equality misses it
                scaler.set_growth_interval(5)
        pair.compare()


def test_state_dicts_are_exchanged():
    """Scaler and optimizer states go from PyTorch to mixprec, and the scaler's goes back."""
    for name in OPTIMIZERS:
        rng = np.random.default_rng(1)
        first, second = Pair(name, SCALERS["lively"]), Pair(name, SCALERS["defaults"], seed=5)
        for _ in range(5):
            first.backward(random_factors(rng)[0])
            first.our_scaler.step(first.our_opt)
            first.their_scaler.step(first.their_opt)
            first.our_scaler.update()
            first.their_scaler.update()
        for p, q in zip(second.ours, first.theirs, strict=True):
            p.data = mp.array(q.detach().numpy().copy())
        second.their_opt, second.theirs = first.their_opt, first.theirs
        second.our_opt.load_state_dict(first.their_opt.state_dict())
        second.our_scaler.load_state_dict(first.their_scaler.state_dict())
        second.their_scaler.load_state_dict(first.our_scaler.state_dict())
        for _ in range(5):
            second.backward(random_factors(rng)[0])
            second.our_scaler.step(second.our_opt)
            second.their_scaler.step(second.their_opt)
            second.our_scaler.update()
            second.their_scaler.update()
            second.compare()


@pytest.mark.parametrize(
    "make",
    [
        lambda lrs, opt: lrs.StepLR(opt, 3, 0.5),
        lambda lrs, opt: lrs.CosineAnnealingLR(opt, 8, 0.01),
        lambda lrs, opt: lrs.LinearLR(opt, 0.1, total_iters=6),
        lambda lrs, opt: lrs.LambdaLR(opt, lambda n: 0.9**n),
        lambda lrs, opt: lrs.SequentialLR(
            opt, [lrs.LinearLR(opt, 0.5, total_iters=4), lrs.CosineAnnealingLR(opt, 10)], [4]
        ),
    ],
    ids=["step", "cosine", "linear", "lambda", "sequential"],
)
def test_schedules(make):
    pair = Pair("sgd", {})
    ours = make(optim.lr_scheduler, pair.our_opt)
    theirs = make(torch.optim.lr_scheduler, pair.their_opt)
    for _ in range(14):
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-9, abs=1e-12)
        pair.their_opt.step()
        ours.step()
        theirs.step()
