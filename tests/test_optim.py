"""Optimizers: their formulas, groups, masters, state and errors."""

import copy
import pickle

import numpy as np
import pytest

import mixprec as mp
from helpers import host
from mixprec import nn, optim

F = nn.functional
FLOATS = [mp.float16, mp.bfloat16, mp.float32, mp.float64]


def param(values, dtype=mp.float32):
    return nn.Parameter(mp.array(values).astype(dtype))


def set_grad(p, values):
    p.grad = mp.array(np.asarray(values)).astype(p.dtype)


# ---- formulas, in float64 ----


def sgd(p, g, s, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    g = (-g if maximize else g) + weight_decay * p
    if momentum:
        s["b"] = momentum * s["b"] + (1 - dampening) * g if "b" in s else g
        g = g + momentum * s["b"] if nesterov else s["b"]
    return p - lr * g


def adam(
    p, g, s, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, maximize=False, decoupled=False
):
    g = -g if maximize else g
    if decoupled:
        p = p * (1 - lr * weight_decay)
    else:
        g = g + weight_decay * p
    t = s["t"] = s.get("t", 0) + 1
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g * g
    root = np.sqrt(s["v"]) / np.sqrt(1 - betas[1] ** t)
    return p - lr / (1 - betas[0] ** t) * s["m"] / (root + eps)


CASES = {
    "sgd": (optim.SGD, sgd, {}),
    "sgd decay": (optim.SGD, sgd, {"weight_decay": 0.1, "maximize": True}),
    "momentum": (optim.SGD, sgd, {"momentum": 0.9}),
    "dampening": (optim.SGD, sgd, {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    "nesterov": (optim.SGD, sgd, {"momentum": 0.9, "nesterov": True}),
    "adam": (optim.Adam, adam, {}),
    "adam decay": (optim.Adam, adam, {"weight_decay": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}),
    "adam up": (optim.Adam, adam, {"maximize": True}),
    "adamw": (optim.AdamW, lambda *a, **k: adam(*a, decoupled=True, **k), {"weight_decay": 0.1}),
}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_formula(name, dtype):
    cls, reference, options = CASES[name]
    rng = np.random.default_rng(0)
    p = param(rng.standard_normal(65), dtype)
    opt, state = cls([p], lr=0.05, **options), {}
    want = host(p).astype(np.float64)
    for _ in range(8):
        set_grad(p, rng.standard_normal(65))
        want = reference(want, host(p.grad).astype(np.float64), state, lr=0.05, **options)
        opt.step()
    tight = dtype == mp.float64
    wide = p if p.dtype.itemsize >= 4 else opt.state[p]["master"]
    np.testing.assert_allclose(host(wide), want, rtol=1e-12 if tight else 2e-5, atol=1e-6)
    narrow = host(wide).astype(p.dtype)
    np.testing.assert_array_equal(host(p).astype(np.float64), narrow.astype(np.float64))
    assert opt.state[p]["step"].item() == 8
    for key, value in opt.state[p].items():
        assert value.dtype == (mp.float64 if tight and key != "step" else mp.float32)


def test_masters_keep_small_steps():
    """0.0001 is less than half a unit in the last place of 1 in float16: without them, no move."""
    p = param(np.ones(3), mp.float16)
    opt = optim.SGD([p], lr=1e-4)
    for _ in range(100):
        set_grad(p, np.ones(3))
        opt.step()
    np.testing.assert_allclose(host(opt.state[p]["master"]), 0.99, rtol=1e-5)
    assert p.tolist() == [float(np.float16(0.99))] * 3


def test_rebinds_after_half_and_float():
    model = nn.Sequential(nn.Linear(4, 3))
    opt = optim.Adam(model.parameters(), lr=0.01)
    weight = model[0].weight

    def step():
        opt.zero_grad()
        x = mp.ones((2, 4)).astype(weight.dtype)
        model(x).float().sum().backward()
        opt.step()

    step()
    assert set(opt.state[weight]) == {"step", "exp_avg", "exp_avg_sq"}
    for dtype in (mp.float16, mp.bfloat16):
        model.to(dtype)
        step()
        assert set(opt.state[weight]) == {"step", "exp_avg", "exp_avg_sq", "master"}
        assert weight.dtype == dtype
        assert opt.state[weight]["exp_avg"].dtype == mp.float32
    before = host(weight).astype(np.float64)
    model.double()
    step()
    assert "master" not in opt.state[weight]
    assert opt.state[weight]["exp_avg"].dtype == mp.float64
    assert opt.state[weight]["step"].item() == 4
    assert 0.005 < np.abs(host(weight) - before).max() < 0.02


def test_writes_to_a_narrow_parameter_reach_its_master():
    p = param([1.0, 2.0], mp.float16)
    opt = optim.SGD([p], lr=1e-4)
    set_grad(p, [1.0, 1.0])
    opt.step()
    with mp.no_grad():
        p[0] = 5.0
    set_grad(p, [0.0, 0.0])
    opt.step()
    np.testing.assert_allclose(host(opt.state[p]["master"]), [5.0, 1.9999], rtol=1e-6)
    assert p.tolist() == [5, 2]


def test_replaced_data():
    p = param([1.0, 2.0])
    opt = optim.SGD([p], lr=1.0, momentum=0.9)
    set_grad(p, [1.0, 1.0])
    opt.step()
    p.data = mp.array([10.0, 20.0])
    set_grad(p, [1.0, 1.0])
    opt.step()
    np.testing.assert_allclose(host(p), [8.1, 18.1], rtol=1e-6)


@pytest.mark.parametrize("dtype", [mp.float16, mp.float32], ids=str)
@pytest.mark.parametrize("scaled", [False, True])
def test_parameter_that_is_not_contiguous(dtype, scaled):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    base = mp.array(values.T.copy()).astype(dtype)
    odd, even = nn.Parameter(base.T), param(values, dtype)
    assert not odd.is_contiguous()
    opt, scaler = optim.Adam([odd, even], lr=0.5), mp.GradScaler("cpu", 8.0, enabled=scaled)
    for _ in range(3):
        opt.zero_grad()
        loss = sum((p.float() ** 2).sum() for p in (odd, even))
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
        assert odd.tolist() == even.tolist()
        assert odd.grad.tolist() == even.grad.tolist()
    assert base.T.tolist() == odd.tolist() != values.tolist()


def test_parameters_without_gradient_are_left_alone():
    p, q = param([1.0]), param([1.0])
    opt = optim.AdamW([p, q], lr=0.1, weight_decay=0.5)
    set_grad(p, [1.0])
    opt.step()
    assert q.tolist() == [1]
    assert q not in opt.state
    assert 1 not in opt.state_dict()["state"]
    set_grad(q, [1.0])
    opt.step()
    p.grad = None
    before = p.tolist()
    opt.step()
    assert p.tolist() == before
    assert opt.state[p]["step"].item() == 2 == opt.state[q]["step"].item()


def test_skipped_steps_do_not_count():
    p = param([1.0, 2.0])
    opt, scaler = optim.Adam([p], lr=0.1), mp.GradScaler("cpu", 4.0)
    for bad in (False, True, False):
        opt.zero_grad()
        scaler.scale((p * (np.inf if bad else 1.0)).sum()).backward()
        scaler.step(opt)
        scaler.update()
    assert opt.state[p]["step"].item() == 2
    assert np.isfinite(host(opt.state[p]["exp_avg"])).all()


@pytest.mark.parametrize("dtype", [mp.float16, mp.bfloat16], ids=str)
def test_narrow_copies_are_written_with_the_step(dtype):
    layer, x = nn.Linear(33, 5), mp.ones((2, 33))
    opt = optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(3):
        with mp.autocast("cpu", dtype):
            y = layer(x)
        by_hand = F.linear(
            x.astype(dtype), layer.weight.detach().astype(dtype), layer.bias.detach().astype(dtype)
        )
        assert y.tolist() == by_hand.tolist()
        y.float().sum().backward()
        opt.step()


# ---- groups ----


def test_groups():
    p, q, r = param([1.0]), param([1.0]), param([1.0])
    opt = optim.SGD([{"params": [p]}, {"params": q, "lr": 0.5}], lr=0.1)
    opt.add_param_group({"params": (x for x in [r]), "weight_decay": 1.0, "name": "late"})
    assert [g["lr"] for g in opt.param_groups] == [0.1, 0.5, 0.1]
    assert opt.param_groups[2]["name"] == "late"
    assert opt.param_groups[0]["weight_decay"] == 0
    for x in (p, q, r):
        set_grad(x, [1.0])
    opt.step()
    np.testing.assert_allclose([x.item() for x in (p, q, r)], [0.9, 0.5, 0.8], rtol=1e-6)
    opt.param_groups[0]["lr"] = 0.2
    opt.step()
    assert p.item() == pytest.approx(0.7)


def test_named_parameters():
    model = nn.Linear(3, 2)
    opt = optim.SGD(model.named_parameters(), lr=0.1)
    assert opt.param_groups[0]["param_names"] == ["weight", "bias"]
    assert opt.param_groups[0]["params"][0] is model.weight


def test_tied_parameters_appear_once():
    p = param([1.0])
    opt = optim.SGD([p, p], lr=1.0)
    assert len(opt.param_groups[0]["params"]) == 1
    set_grad(p, [0.25])
    opt.step()
    assert p.tolist() == [0.75]


class NotThere:
    pass


@pytest.mark.parametrize(
    ("error", "match", "make"),
    [
        (ValueError, "SGD: the parameter list is empty", lambda p: optim.SGD([])),
        (TypeError, "SGD: params is one array", lambda p: optim.SGD(p)),
        (TypeError, "must have an order", lambda p: optim.SGD({p})),
        (TypeError, "must have an order", lambda p: optim.SGD([{"params": {p}}])),
        (TypeError, "parameter 1 is a float", lambda p: optim.SGD([p, 1.0])),
        (TypeError, "a dict with the key 'params'", lambda p: optim.SGD([{"lr": 1.0}])),
        (ValueError, "parameter 0 is the result of mul", lambda p: optim.SGD([p * 2])),
        (ValueError, "more than one", lambda p: optim.SGD([{"params": [p]}, {"params": [p]}])),
        (ValueError, "all parameters of a group are named", lambda p: optim.SGD([("a", p), p])),
        (ValueError, "Adam: lr is -0.1, must be >= 0", lambda p: optim.Adam([p], lr=-0.1)),
        (ValueError, "SGD: lr is nan", lambda p: optim.SGD([p], lr=float("nan"))),
        (ValueError, "SGD: lr is inf", lambda p: optim.SGD([p], lr=float("inf"))),
        (ValueError, "lr is -1", lambda p: optim.SGD([{"params": [p], "lr": -1}])),
        (TypeError, "lr is 'fast'", lambda p: optim.SGD([p], lr="fast")),
        (ValueError, "momentum is -1", lambda p: optim.SGD([p], momentum=-1)),
        (ValueError, "weight_decay is -1", lambda p: optim.AdamW([p], weight_decay=-1)),
        (ValueError, "nesterov needs momentum > 0", lambda p: optim.SGD([p], nesterov=True)),
        (
            ValueError,
            r"betas\[0\] is 1, must be >= 0 and < 1",
            lambda p: optim.Adam([p], betas=(1, 0)),
        ),
        (ValueError, r"betas\[1\] is -0.5", lambda p: optim.Adam([p], betas=(0.5, -0.5))),
        (ValueError, "must be two numbers", lambda p: optim.Adam([p], betas=0.9)),
        (ValueError, "eps is -1", lambda p: optim.Adam([p], eps=-1)),
        (ValueError, "eps is 1e-50, which is 0 in float32", lambda p: optim.Adam([p], eps=1e-50)),
        (NotImplementedError, "AdamW: amsgrad", lambda p: optim.AdamW([p], amsgrad=True)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments(error, match, make):
    with pytest.raises(error, match=match):
        make(param([1.0]))


def test_eps_is_checked_against_the_dtype_of_the_arithmetic():
    optim.Adam([param([1.0], mp.float64)], eps=1e-50)
    optim.Adam([param([1.0], mp.float16)], eps=1e-8)  # computed in float32, where it is not 0
    optim.Adam([param([1.0])], eps=0)


def test_bad_group_changes_nothing():
    opt = optim.SGD([param([1.0])], lr=0.1)
    with pytest.raises(ValueError, match="lr is -1"):
        opt.add_param_group({"params": [param([1.0])], "lr": -1})
    assert len(opt.param_groups) == 1


# ---- the base class ----


def test_zero_grad():
    p, q = param([1.0]), param([1.0])
    opt = optim.SGD([p, q], lr=1.0)
    set_grad(p, [2.0])
    held = p.grad
    opt.zero_grad(set_to_none=False)
    assert held.tolist() == [0]
    assert q.grad is None
    opt.zero_grad()
    assert p.grad is None


def test_closure():
    p = param([3.0])
    opt = optim.SGD([p], lr=0.5)

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with mp.no_grad():
        assert opt.step(closure).item() == 9
    assert p.tolist() == [0]
    assert opt.step() is None


def test_python_optimizer():
    class Sign(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @mp.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    state["count"] = state.get("count", 0) + 1
                    state.setdefault("sum", mp.zeros(p.shape)).add_(p.grad)
                    p.sub_(mp.sign(p.grad) * group["lr"])

    p = param([1.0, 2.0])
    opt = Sign([p], lr=0.5)
    set_grad(p, [3.0, -3.0])
    opt.step()
    assert p.tolist() == [0.5, 2.5]
    other = Sign([param([1.0, 2.0])], lr=0.1)
    other.load_state_dict(opt.state_dict())
    state = other.state_dict()["state"][0]
    assert state["count"] == 1
    assert state["sum"].tolist() == [3, -3]
    assert state["sum"] is not opt.state[p]["sum"]
    assert other.param_groups[0]["lr"] == 0.5
    with pytest.raises(NotImplementedError, match="Optimizer: step is not defined"):
        optim.Optimizer([p], {}).step()


def test_repr():
    text = repr(optim.SGD([param([1.0])], lr=0.25))
    assert text.startswith("SGD (\nParameter Group 0\n")
    assert "    lr: 0.25" in text


# ---- saving ----


def trained(cls=optim.Adam, dtype=mp.float32, steps=2, **options):
    rng = np.random.default_rng(0)
    ps = [param(rng.standard_normal((3, 4)), dtype), param(rng.standard_normal(3), dtype)]
    opt = cls(ps, lr=0.1, **options)
    for _ in range(steps):
        more(opt, rng)
    return opt, rng


def more(opt, rng):
    for p in opt.param_groups[0]["params"]:
        set_grad(p, rng.standard_normal(p.shape))
    opt.step()


def test_state_dict_has_pytorchs_keys():
    opt, _ = trained()
    state = opt.state_dict()
    assert set(state) == {"state", "param_groups"}
    assert set(state["state"]) == {0, 1}
    assert set(state["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
    assert state["param_groups"][0]["params"] == [0, 1]
    assert state["param_groups"][0]["lr"] == 0.1
    assert state["state"][0]["step"].shape == ()
    assert state["state"][0]["exp_avg"].shape == (3, 4)
    assert set(trained(optim.SGD, momentum=0.9)[0].state_dict()["state"][0]) == {
        "step",
        "momentum_buffer",
    }


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("how", ["state_dict", "pickle", "deepcopy"])
@pytest.mark.parametrize(
    ("cls", "options"), [(optim.Adam, {}), (optim.SGD, {"momentum": 0.9})], ids=["adam", "sgd"]
)
def test_goes_on_as_if_nothing_had_happened(how, cls, options, dtype):
    first, _ = trained(cls, dtype, **options)
    if how == "state_dict":
        second = cls([nn.Parameter(p.detach()) for p in first._params()], lr=0.5, **options)
        for a, b in zip(first._params(), second._params(), strict=True):
            b.data = mp.array(host(a))
        second.load_state_dict(first.state_dict())
    else:
        second = pickle.loads(pickle.dumps(first)) if how == "pickle" else copy.deepcopy(first)
    draws = np.random.default_rng(5), np.random.default_rng(5)
    for opt, draw in zip((first, second), draws, strict=True):
        for _ in range(3):
            more(opt, draw)
    for a, b in zip(first._params(), second._params(), strict=True):
        assert a is not b
        assert a.tolist() == b.tolist()
        for key in first.state[a]:
            assert first.state[a][key].tolist() == second.state[b][key].tolist()
            assert first.state[a][key].data_ptr() != second.state[b][key].data_ptr()


def test_loads_numpy_arrays_and_numbers():
    opt, _ = trained()
    state = opt.state_dict()
    for entry in state["state"].values():
        entry.update({k: host(v).copy() for k, v in entry.items()})
        entry["step"] = 7
    opt.load_state_dict(state)
    assert [s["step"].item() for s in opt.state.values()] == [7, 7]


def test_bad_state_changes_nothing():
    opt, rng = trained()
    good = opt.state_dict()
    before = [host(v).copy() for s in opt.state.values() for v in s.values()]
    bad = copy.deepcopy(good)
    bad["state"][1]["exp_avg"] = mp.zeros((4, 4))
    with pytest.raises(
        ValueError, match=r"exp_avg of parameter 1 has shape \(4, 4\), must be \(3,\)"
    ):
        opt.load_state_dict(bad)
    bad = copy.deepcopy(good)
    bad["state"][0]["exp_avg"] = "text"
    with pytest.raises(TypeError, match="exp_avg of parameter 0 is a str"):
        opt.load_state_dict(bad)
    bad = copy.deepcopy(good)
    bad["param_groups"][0]["lr"] = -1.0
    with pytest.raises(ValueError, match="lr is -1"):
        opt.load_state_dict(bad)
    bad = copy.deepcopy(good)
    bad["param_groups"][0]["params"] = [0]
    with pytest.raises(ValueError, match="group 0 has 1 parameters, that of the optimizer 2"):
        opt.load_state_dict(bad)
    with pytest.raises(ValueError, match="0 parameter groups, the optimizer has 1"):
        opt.load_state_dict({"state": {}, "param_groups": []})
    after = [host(v) for s in opt.state.values() for v in s.values()]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    more(opt, rng)
