"""Training loops with GradScaler, against the same loops without.

Comments name the behaviour of PyTorch's tests that a test here stands for.
"""

import math
import pickle

import numpy as np
import pytest

import mixprec as mp
from helpers import host
from mixprec import nn, optim
from scaling import OPTIMIZERS, backward, iterate, param, scaler_at

F = nn.functional
INF = math.inf


def models(seed=0):
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    for p in model.parameters():
        p.data = mp.array(rng.uniform(-0.3, 0.3, p.shape).astype(np.float32))
    return model


def batches(n=4, seed=1):
    rng = np.random.default_rng(seed)
    return [[mp.array(rng.random((8, 8), np.float32)) for _ in "xy"] for _ in range(n)]


def make_bad(p):
    p.grad.fill_(INF)


def run_case(loop, name="sgd", enabled=True, unskipped=3, skipped=1, exact=True):
    """The harness of PyTorch's scaling tests: a control without scaling, a run with it."""
    control, scaled = models(), models()
    control_opt, scaled_opt = (
        OPTIMIZERS[name](control.parameters()),
        OPTIMIZERS[name](scaled.parameters()),
    )
    scaler = mp.GradScaler("cpu", 128.0, 2.0, 0.5, 1, enabled=enabled)
    loop(control, control_opt, scaler, False)
    scaler = loop(scaled, scaled_opt, scaler, True) or scaler
    want = 128.0 * 2.0**unskipped * 0.5**skipped if enabled else 1.0
    assert scaler.get_scale() == want
    compare = np.testing.assert_array_equal if exact else np.testing.assert_allclose
    options = {} if exact else {"rtol": 1e-5, "atol": 1e-6}
    for c, s in zip(control.parameters(), scaled.parameters(), strict=True):
        compare(host(c), host(s), **options)
        compare(host(c.grad), host(s.grad), **options)
        for key, value in control_opt.state[c].items():
            compare(host(value), host(scaled_opt.state[s][key]), **options)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("pickled", [False, True])
def test_scaled_run_is_the_unscaled_run(name, enabled, pickled):
    """test_grad_scaling_autocast's loop, in float32: scaling by powers of two is exact."""

    def loop(model, opt, scaler, scaling):
        for i, (x, y) in enumerate(batches()):
            opt.zero_grad()
            loss = F.mse_loss(model(x), y)
            if scaling:
                scaler.scale(loss).backward()
                if i == 2 and scaler.is_enabled():
                    make_bad(model[1].weight)
                scaler.step(opt)
                scaler.update()
                if pickled:
                    scaler = pickle.loads(pickle.dumps(scaler))
            else:
                loss.backward()
                if i == 2 and scaler.is_enabled():
                    make_bad(model[1].weight)
                else:
                    opt.step()
        return scaler

    run_case(loop, name, enabled)


@pytest.mark.parametrize("dtype", [mp.float16, mp.bfloat16], ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_autocast_and_scaling(name, dtype):
    """test_grad_scaling_autocast: with one bad step, near the float32 run with it left out."""
    control, scaled = models(), models()
    opts = [OPTIMIZERS[name](m.parameters()) for m in (control, scaled)]
    scaler = mp.GradScaler("cpu", 128.0, growth_interval=1)
    for i, (x, y) in enumerate(batches()):
        for opt in opts:
            opt.zero_grad()
        F.mse_loss(control(x), y).backward()
        with mp.autocast("cpu", dtype):
            loss = F.mse_loss(scaled(x), y)
        assert loss.dtype == mp.float32
        scaler.scale(loss).backward()
        if i == 2:
            make_bad(scaled[1].weight)
        else:
            opts[0].step()
        assert bool(scaler.step(opts[1])) == (i != 2)
        scaler.update()
    assert scaler.get_scale() == 128 * 2**3 * 0.5
    atol = 0.05 if name == "sgd" else 0.25  # Adam's first steps depend on signs alone
    for c, s in zip(control.parameters(), scaled.parameters(), strict=True):
        np.testing.assert_allclose(host(c), host(s), atol=atol)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("max_norm", [None, 0.1, 1e6])
def test_fused_step_equals_unscale_clip_step(name, explicit, max_norm):
    """test_grad_scaling_autocast_fused_optimizers: gradients, parameters and state, step too."""
    runs = []
    for fused in (True, False):
        model = models()
        opt, scaler = OPTIMIZERS[name](model.parameters()), mp.GradScaler("cpu", 128.0)
        for i, (x, y) in enumerate(batches()):
            opt.zero_grad()
            scaler.scale(F.mse_loss(model(x), y)).backward()
            if i == 1:
                make_bad(model[0].bias)
            if fused:
                if explicit:
                    scaler.unscale_(opt)
                scaler.step(opt, max_norm=max_norm)
            else:
                scaler.unscale_(opt)
                if max_norm is not None and i != 1:
                    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
                scaler.step(opt)
            scaler.update()
        state = [v for p in model.parameters() for v in opt.state[p].values()]
        grads = [p.grad for p in model.parameters()]
        runs.append([host(a) for a in (*model.parameters(), *grads, *state)])
    for a, b in zip(*runs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_clipping_scaled_gradients():
    """test_grad_scaling_clipping: max_norm times the scale."""

    def loop(model, opt, scaler, scaling):
        for i, (x, y) in enumerate(batches()):
            opt.zero_grad()
            loss = F.mse_loss(model(x), y)
            factor = scaler.get_scale() if scaling else 1.0
            (scaler.scale(loss) if scaling else loss).backward()
            if i == 2:
                make_bad(model[1].weight)
            else:
                nn.utils.clip_grad_norm_(model.parameters(), 0.2 * factor)
            if scaling:
                scaler.step(opt)
                scaler.update()
            elif i != 2:
                opt.step()

    run_case(loop, exact=False)


def test_clipping_separate_unscale():
    """test_grad_scaling_clipping_separate_unscale."""

    def loop(model, opt, scaler, scaling):
        for i, (x, y) in enumerate(batches()):
            opt.zero_grad()
            loss = F.mse_loss(model(x), y)
            (scaler.scale(loss) if scaling else loss).backward()
            if i == 2:
                make_bad(model[1].weight)
            if scaling:
                scaler.unscale_(opt)
            if i != 2:
                nn.utils.clip_grad_norm_(model.parameters(), 0.2, error_if_nonfinite=False)
            if scaling:
                scaler.step(opt)
                scaler.update()
            elif i != 2:
                opt.step()

    run_case(loop, exact=False)


def test_clip_as_an_argument_with_a_bad_gradient():
    scaler, p = scaler_at(4.0), param(1.0, 1.0)
    opt = optim.SGD([p], lr=1.0)
    result = iterate(scaler, opt, p, INF, 1.0, max_norm=1.0)
    assert result.skipped
    assert p.tolist() == [1, 1]
    assert not math.isfinite(result.norm)


def test_penalty():
    """test_grad_scaling_penalty: double backward with the inverse scale by hand."""

    def loop(model, opt, scaler, scaling):
        params = list(model.parameters())
        for i, (x, y) in enumerate(batches()):
            opt.zero_grad()
            loss = F.mse_loss(model(x), y)
            if scaling:
                grads = mp.grad(scaler.scale(loss), params, create_graph=True)
                inverse = 1.0 / scaler.get_scale()
                grads = [g * inverse for g in grads]
            else:
                grads = mp.grad(loss, params, create_graph=True)
            penalty = sum((g.pow(2).sum() for g in grads), start=mp.array(0.0))
            loss = loss + mp.sqrt(penalty)
            (scaler.scale(loss) if scaling else loss).backward()
            if i == 2:
                make_bad(model[1].weight)
            if scaling:
                scaler.step(opt)
                scaler.update()
            elif i != 2:
                opt.step()

    run_case(loop, exact=False)


def test_penalty_of_a_classifier():
    """The recipe as it is written: float16 products, cross entropy, gradients by mp.grad."""
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    opt, scaler = optim.SGD(model.parameters(), lr=0.2), mp.GradScaler("cpu")
    rng = np.random.default_rng(0)
    x = mp.array(rng.standard_normal((64, 8)).astype(np.float32))
    labels = mp.array((host(x)[:, 0] > 0).astype(np.int64))
    penalties = []
    for _ in range(20):
        opt.zero_grad()
        with mp.autocast("cpu", mp.float16):
            loss = F.cross_entropy(model(x), labels)
        scaled = mp.grad(scaler.scale(loss), model.parameters(), create_graph=True)
        inverse = 1.0 / scaler.get_scale()
        with mp.autocast("cpu", mp.float16):
            norm = sum((g * inverse).pow(2).sum() for g in scaled) ** 0.5
            total = loss + norm
        scaler.scale(total).backward()
        assert scaler.step(opt)
        scaler.update()
        penalties.append(norm.item())
    assert penalties[-1] < 0.5 * penalties[0]


def test_accumulation():
    """test_grad_scaling_accumulation: two micro-batches, one step and update."""

    def loop(model, opt, scaler, scaling):
        for i, (x, y) in enumerate(batches()):
            loss = F.mse_loss(model(x), y) / 2
            (scaler.scale(loss) if scaling else loss).backward()
            if i % 2 == 1:
                if scaling:
                    scaler.step(opt)
                    scaler.update()
                else:
                    opt.step()
                if i != 3:
                    opt.zero_grad()

    run_case(loop, unskipped=2, skipped=0)


@pytest.mark.parametrize("enabled", [True, False])
def test_several_models_losses_and_optimizers(enabled):
    """test_grad_scaling_multiple: a bad gradient skips its own optimizer, and lowers the scale."""
    runs = []
    for scaling in (False, True):
        pair = [models(0), models(5)]
        opts = [optim.SGD(m.parameters(), lr=0.5) for m in pair]
        scaler = mp.GradScaler("cpu", 128.0, growth_interval=1, enabled=enabled)
        for i, (x, y) in enumerate(batches()):
            for opt in opts:
                opt.zero_grad()
            out = [m(x) for m in pair]
            losses = [
                F.mse_loss(0.3 * out[0] + 0.7 * out[1], y),
                F.mse_loss(0.6 * out[0] - 0.4 * out[1], y),
            ]
            if scaling:
                scaler.scale(losses[0]).backward(retain_graph=True)
                scaler.scale(losses[1]).backward()
                if i == 2 and enabled:
                    make_bad(pair[1][1].weight)
                scaler.unscale_(opts[0])
                scaler.step(opts[0])
                scaler.step(opts[1])
                scaler.update()
            else:
                losses[0].backward(retain_graph=True)
                losses[1].backward()
                opts[0].step()
                if i != 2 or not enabled:
                    opts[1].step()
        runs.append([host(p) for m in pair for p in m.parameters()])
    assert scaler.get_scale() == (128 * 2**3 * 0.5 if enabled else 1.0)
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_multiple_groups_share_one_norm_and_one_check():
    p, q = param(0.0), param(0.0)
    opt = optim.SGD([{"params": [p], "lr": 1.0}, {"params": [q], "lr": 2.0}], lr=1.0)
    scaler = scaler_at(4.0)
    scaler.scale((3 * p + 4 * q).sum()).backward()
    result = scaler.step(opt, max_norm=1.0)
    scaler.update()
    assert result.norm == 5
    np.testing.assert_allclose([p.item(), q.item()], [-0.6, -1.6], rtol=1e-5)
    np.testing.assert_allclose([p.grad.item(), q.grad.item()], [0.6, 0.8], rtol=1e-5)
    p.grad = q.grad = None
    scaler.scale((p + q * INF).sum()).backward()
    assert not scaler.step(opt)
    np.testing.assert_allclose([p.item(), q.item()], [-0.6, -1.6], rtol=1e-5)


def test_half_model():
    """float16 and bfloat16 gradients are accepted; masters keep what is too small for them."""
    for dtype in (mp.float16, mp.bfloat16):
        model = models().to(dtype)
        opt, scaler = optim.Adam(model.parameters(), lr=1e-4), mp.GradScaler("cpu", 1024.0)
        before = [host(p).astype(np.float32) for p in model.parameters()]
        for x, y in batches() * 3:
            opt.zero_grad()
            loss = F.mse_loss(model(x.astype(dtype)).float(), y)
            scaler.scale(loss).backward()
            assert model[0].weight.grad.dtype == dtype
            assert scaler.step(opt)
            scaler.update()
        moved = np.abs(host(opt.state[model[0].weight]["master"]) - before[0])
        assert moved.max() < 12 * 1.1e-4
        assert moved.mean() > 1e-4


def test_first_overflow_calibrates_the_scale():
    """65536 is more than float16 holds: the first steps are skipped, then training goes on."""
    model = models().half()
    opt, scaler = optim.SGD(model.parameters(), lr=0.1), mp.GradScaler()
    results = []
    for x, _ in batches() * 3:
        opt.zero_grad()
        loss = model(x.half()).sum() * 4
        scaler.scale(loss).backward()
        results.append(bool(scaler.step(opt)))
        scaler.update()
    assert not results[0]
    assert results[-1]
    assert scaler.get_scale() < 65536
    assert all(np.isfinite(host(p).astype(np.float32)).all() for p in model.parameters())


def test_gradient_held_elsewhere_keeps_its_values():
    scaler, p = scaler_at(4.0), param(1.0)
    opt = optim.SGD([p], lr=0.0)
    backward(scaler, p, 0.5)
    held = p.grad
    scaler.step(opt)
    opt.zero_grad()
    assert p.grad is None
    assert held.tolist() == [0.5]
