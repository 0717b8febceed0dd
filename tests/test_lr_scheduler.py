"""Learning-rate schedules: their rates, and that they wait for skipped steps."""

import math

import numpy as np
import pytest

import mixprec as mp
from mixprec import nn, optim
from mixprec.optim import lr_scheduler as lrs


def optimizer(lr=1.0, groups=1):
    params = [{"params": [nn.Parameter(mp.ones(2))], "lr": lr / 2**i} for i in range(groups)]
    return optim.SGD(params, lr=lr)


def rates(schedule, n):
    seen = []
    for _ in range(n):
        seen.append(schedule.optimizer.param_groups[0]["lr"])
        assert schedule.get_last_lr()[0] == seen[-1]
        schedule.step()
    return seen


def test_step_lr():
    assert rates(lrs.StepLR(optimizer(), 2, gamma=0.5), 6) == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_lambda_lr():
    assert rates(lrs.LambdaLR(optimizer(2.0), lambda n: 1 / (n + 1)), 3) == [2, 1, 2 / 3]


def test_lambda_lr_per_group():
    opt = optimizer(1.0, groups=2)
    schedule = lrs.LambdaLR(opt, [lambda n: n + 1, lambda n: 1])
    schedule.step()
    assert schedule.get_last_lr() == [2.0, 0.5] == [group["lr"] for group in opt.param_groups]
    with pytest.raises(ValueError, match="LambdaLR: 1 functions for 2 groups"):
        lrs.LambdaLR(opt, [lambda n: 1])


def test_linear_warm_up():
    np.testing.assert_allclose(
        rates(lrs.LinearLR(optimizer(), 0.25, total_iters=3), 5), [0.25, 0.5, 0.75, 1, 1]
    )


def test_cosine():
    want = [0.1 + 0.9 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(7)]
    np.testing.assert_allclose(rates(lrs.CosineAnnealingLR(optimizer(), 4, 0.1), 7), want)


def test_sequential_is_warm_up_then_cosine():
    opt = optimizer()
    parts = [lrs.LinearLR(opt, 0.5, total_iters=2), lrs.CosineAnnealingLR(opt, 2)]
    schedule = lrs.SequentialLR(opt, parts, [2])
    np.testing.assert_allclose(rates(schedule, 5), [0.5, 0.75, 1, 0.5, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("error", "match", "make"),
    [
        (ValueError, "step_size is 0", lambda o: lrs.StepLR(o, 0)),
        (ValueError, "T_max is 0", lambda o: lrs.CosineAnnealingLR(o, 0)),
        (ValueError, "start_factor is 0", lambda o: lrs.LinearLR(o, 0.0)),
        (ValueError, "end_factor is 2", lambda o: lrs.LinearLR(o, 1.0, 2.0)),
        (ValueError, "total_iters is 0", lambda o: lrs.LinearLR(o, total_iters=0)),
        (
            ValueError,
            "1 schedules and 1 mile",
            lambda o: lrs.SequentialLR(o, [lrs.StepLR(o, 1)], [1]),
        ),
        (TypeError, "is not an Optimizer", lambda o: lrs.StepLR(None, 1)),
        (KeyError, "group 0 has no 'initial_lr'", lambda o: lrs.StepLR(o, 1, last_epoch=3)),
        (NotImplementedError, "get_lr is not defined", lrs.LRScheduler),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments(error, match, make):
    with pytest.raises(error, match=match):
        make(optimizer())


@pytest.mark.parametrize(
    "make",
    [
        lambda o: lrs.StepLR(o, 2),
        lambda o: lrs.LinearLR(o, 0.5),
        lambda o: lrs.CosineAnnealingLR(o, 7),
        lambda o: lrs.LambdaLR(o, lambda n: 0.9**n),
        lambda o: lrs.SequentialLR(o, [lrs.LinearLR(o), lrs.StepLR(o, 1)], [3]),
    ],
    ids=["step", "linear", "cosine", "lambda", "sequential"],
)
def test_state_dict(make):
    whole = make(optimizer())
    want = rates(whole, 8)
    first = make(optimizer())
    rates(first, 4)
    opt = optimizer()
    second = make(opt)
    second.load_state_dict(first.state_dict())
    opt.load_state_dict(first.optimizer.state_dict())
    assert rates(second, 4) == want[4:]


def test_object_as_lambda():
    class Factor:
        def __init__(self, base):
            self.base = base

        def __call__(self, n):
            return self.base**n

    saved = lrs.LambdaLR(optimizer(), Factor(0.5)).state_dict()
    loaded = lrs.LambdaLR(optimizer(), Factor(0.9))
    loaded.load_state_dict(saved)
    assert rates(loaded, 3)[1:] == [0.5, 0.25]


def test_goes_on_from_last_epoch():
    opt = optimizer()
    rates(lrs.StepLR(opt, 2, 0.5), 3)
    assert lrs.StepLR(opt, 2, 0.5, last_epoch=3).get_last_lr() == [0.25]


# ---- skipped steps ----


def train(opt, scaler, bad):
    (p,) = opt.param_groups[0]["params"]
    opt.zero_grad()
    scaler.scale((p * (math.inf if bad else 1.0)).sum()).backward()
    result = scaler.step(opt)
    scaler.update()
    return result


@pytest.mark.parametrize("kind", ["fused", "python"])
def test_skipped_steps_do_not_count(kind):
    class Plain(optim.Optimizer):
        @mp.no_grad()
        def step(self, closure=None):
            for p in self.param_groups[0]["params"]:
                p.sub_(p.grad * self.param_groups[0]["lr"])

    p = nn.Parameter(mp.ones(2))
    opt = optim.SGD([p], lr=1.0) if kind == "fused" else Plain([p], {"lr": 1.0})
    schedule, scaler = lrs.StepLR(opt, 1, 0.5), mp.GradScaler("cpu")
    seen = []
    for bad in (False, True, True, False, True, False):
        assert bool(train(opt, scaler, bad)) is not bad
        schedule.step()
        seen.append(schedule.last_epoch)
    assert seen == [1, 1, 1, 2, 2, 3]
    assert schedule.get_last_lr() == [0.125]


def test_one_step_per_epoch_counts_unless_all_were_skipped():
    opt = optimizer()
    schedule, scaler = lrs.StepLR(opt, 1, 0.5), mp.GradScaler("cpu")
    seen = []
    for epoch in ([False, True], [True, True], [True, False, True]):
        for bad in epoch:
            train(opt, scaler, bad)
        schedule.step()
        seen.append(schedule.last_epoch)
    assert seen == [1, 1, 2]


def test_two_schedules_each_see_the_skips():
    opt = optimizer()
    one, scaler = lrs.StepLR(opt, 1, 0.5), mp.GradScaler("cpu")
    two = lrs.StepLR(opt, 1, 0.5)
    for bad in (True, False, True):
        train(opt, scaler, bad)
        one.step()
        two.step()
    assert one.last_epoch == two.last_epoch == 1


def test_steps_without_a_scaler_count():
    opt = optimizer()
    schedule = lrs.StepLR(opt, 1, 0.5)
    (p,) = opt.param_groups[0]["params"]
    for _ in range(3):
        p.sum().backward()
        opt.step()
        schedule.step()
    disabled = mp.GradScaler("cpu", enabled=False)
    train(opt, disabled, False)
    schedule.step()
    assert schedule.last_epoch == 4


def test_many_steps_between():
    opt = optimizer(lr=0.0)
    schedule, scaler = lrs.StepLR(opt, 1), mp.GradScaler("cpu", growth_interval=10**6)
    for _ in range(300):
        train(opt, scaler, False)
    assert len(opt._unread) <= 128
    schedule.step()
    assert schedule.last_epoch == 1
    assert opt._counts() == (300, 300)
