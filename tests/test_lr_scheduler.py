"""Learning-rate schedules: their rates, and that they wait for skipped steps."""

import contextlib
import copy
import math

import numpy as np
import pytest

import mixprec as mp
from mixprec import amp, nn, optim
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


# ---- schedules that live on the device: as on a GPU, but here ----


@pytest.fixture
def late(monkeypatch):
    """No step tells the host whether it was taken, and nothing reads an array before `allow`."""
    reading = []
    monkeypatch.setattr(amp._steps.StepResult, "_waiting", lambda result: result._stats)
    for owner, name in ((lrs._Place, "read"), (optim.Optimizer, "_counts")):
        original = getattr(owner, name)

        def read(*args, original=original):
            assert reading, "the host waited"
            return original(*args)

        monkeypatch.setattr(owner, name, read)

    @contextlib.contextmanager
    def allow():
        reading.append(True)
        yield
        reading.pop()

    return allow


def quiet():
    return mp.GradScaler("cpu", growth_interval=10**6)


def test_on_the_device_it_follows_the_steps_that_were_taken(late):
    p = nn.Parameter(mp.zeros(2))
    opt = optim.SGD([p], lr=1.0)
    with late():
        schedule = lrs.StepLR(opt, 1, 0.5)
    scaler, went = quiet(), []
    for bad in (False, True, True, False, True, False):
        before = p.detach().numpy().copy()
        train(opt, scaler, bad)
        went.append(float((before - p.detach().numpy())[0]))
        schedule.step()
    assert went == [1, 0, 0, 0.5, 0, 0.25]
    assert isinstance(opt.param_groups[0]["lr"], mp.ndarray)
    with late():
        assert schedule.last_epoch == 3
        assert schedule.get_last_lr() == [0.125]
    assert float(opt.param_groups[0]["lr"]) == 0.125
    train(opt, scaler, False)
    schedule.step()
    with late():
        assert schedule.last_epoch == 4


@pytest.mark.parametrize("make", [optim.Adam, optim.AdamW, optim.SGD])
def test_on_the_device_the_numbers_are_those_of_the_host(make, request):
    def run(allow):
        rng = np.random.default_rng(1)
        params = [nn.Parameter(mp.array(rng.standard_normal(7))) for _ in range(3)]
        opt = make([{"params": params[:2]}, {"params": params[2:], "lr": 0.3}], lr=0.1)
        with allow():
            parts = [lrs.LinearLR(opt, 0.5, total_iters=3), lrs.CosineAnnealingLR(opt, 9)]
            schedule = lrs.SequentialLR(opt, parts, [3])
        scaler = quiet()
        for i in range(12):
            opt.zero_grad()
            loss = sum((q * q).sum() for q in params) * (math.inf if i % 4 == 2 else 1.0)
            scaler.scale(loss).backward()
            scaler.step(opt, max_norm=1.0)
            scaler.update()
            schedule.step()
        with allow():
            return [q.detach().numpy() for q in params], schedule.state_dict(), opt.state_dict()

    host = run(contextlib.nullcontext)
    there = run(request.getfixturevalue("late"))
    np.testing.assert_array_equal(host[0], there[0])
    assert host[1] == there[1]
    assert host[2]["param_groups"] == there[2]["param_groups"]


def test_on_the_device_one_step_per_epoch(late):
    opt = optimizer()
    with late():
        schedule = lrs.StepLR(opt, 1, 0.5)
    scaler = quiet()
    for epoch in ([False, True], [True, True], [True, False, True]):
        for bad in epoch:
            train(opt, scaler, bad)
        schedule.step()
    schedule.step()  # no step came in between: it goes on
    with late():
        assert schedule.last_epoch == 3


def test_on_the_device_rates_are_kept_and_overridden(late):
    """A rate that was read stays what it was; one that was set by hand holds until the next."""
    opt = optimizer(groups=2)
    with late():
        one, two = lrs.StepLR(opt, 1, 0.5), lrs.StepLR(opt, 1, 0.5)
    scaler, seen = quiet(), []
    for bad in (False, True, False):
        train(opt, scaler, bad)
        one.step()
        two.step()
        seen.append(opt.param_groups[1]["lr"])
    assert [float(lr) for lr in seen] == [0.25, 0.25, 0.125]
    opt.param_groups[1]["lr"] = 3.0
    train(opt, scaler, True)
    one.step()
    assert [float(group["lr"]) for group in opt.param_groups] == [0.25, 3.0]
    with late():
        assert one.last_epoch == two.last_epoch == 2
        assert "lr: 3.0" in repr(opt)


def test_on_the_device_many_steps_between(late):
    opt = optimizer(lr=1.0)
    with late():
        schedule = lrs.LambdaLR(opt, lambda n: n)
    scaler, n = quiet(), 2 * lrs._ROWS + 10
    for i in range(n):
        train(opt, scaler, i % 3 == 1)
        schedule.step()
    taken = sum(i % 3 != 1 for i in range(n))
    assert float(opt.param_groups[0]["lr"]) == taken
    with late():
        assert schedule.last_epoch == taken
        assert opt._counts() == (n, taken)


def test_on_the_device_copies_and_saved_states(late):
    opt = optimizer()
    with late():
        schedule = lrs.StepLR(opt, 1, 0.5)
    scaler = quiet()
    for bad in (False, True, False):
        train(opt, scaler, bad)
        schedule.step()
    with late():
        copied = copy.deepcopy(schedule)
        saved, state = schedule.state_dict(), opt.state_dict()
        other = optimizer()
        loaded = lrs.StepLR(other, 1, 0.5)
    assert state["param_groups"][0]["lr"] == 0.25
    loaded.load_state_dict(saved)
    other.load_state_dict(state)
    for each in (copied, loaded, schedule):
        for bad in (True, False):
            train(each.optimizer, scaler, bad)
            each.step()
        with late():
            assert each.last_epoch == 3
            assert each.get_last_lr() == [0.125]
