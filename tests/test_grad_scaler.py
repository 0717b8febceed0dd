"""GradScaler: its law, its state machine, results, saving, subclasses, and its edges.

Training loops are in test_scaler_loops.py. Comments name the behaviour of PyTorch's tests that a
test here stands for.
"""

import copy
import gc
import math
import pickle
import warnings
from collections import namedtuple

import numpy as np
import pytest

import mixprec as mp
from helpers import host
from mixprec import _core, nn, optim
from scaling import OPTIMIZERS, Recorder, backward, iterate, param, scaler_at, tracker

INF, NAN = math.inf, math.nan
FLOATS = [mp.float16, mp.bfloat16, mp.float32, mp.float64]


# ---- construction ----


def test_defaults():
    scaler = mp.GradScaler()
    assert scaler.get_scale() == 65536
    assert scaler.get_growth_factor() == 2.0
    assert scaler.get_backoff_factor() == 0.5
    assert scaler.get_growth_interval() == 2000
    assert scaler.is_enabled()
    assert "scale=65536" in repr(scaler)


@pytest.mark.parametrize(
    "args",
    [("cpu", 1024, 4.0, 0.25, 7), (1024.0, 4.0, 0.25, 7), (None, 1024, 4.0, 0.25, 7)],
    ids=str,
)
def test_both_positional_forms(args):
    scaler = mp.GradScaler(*args)
    assert scaler.get_scale() == 1024
    assert scaler.get_growth_factor() == 4.0
    assert scaler.get_backoff_factor() == 0.25
    assert scaler.get_growth_interval() == 7
    assert not mp.GradScaler(*args, False).is_enabled()


@pytest.mark.parametrize(
    ("error", "match", "args", "options"),
    [
        (ValueError, "init_scale is nan", (), {"init_scale": NAN}),
        (ValueError, "init_scale is inf", (), {"init_scale": INF}),
        (ValueError, "init_scale is 0, must be finite and > 0", (0.0,), {}),
        (ValueError, "init_scale is -4", ("cpu", -4), {}),
        (ValueError, "growth_factor is 1, must be finite and > 1", (), {"growth_factor": 1.0}),
        (ValueError, "growth_factor is nan", (), {"growth_factor": NAN}),
        (ValueError, "growth_factor is inf", (), {"growth_factor": INF}),
        (ValueError, "backoff_factor is 1, must be .* < 1", (), {"backoff_factor": 1.0}),
        (ValueError, "backoff_factor is 0", (), {"backoff_factor": 0}),
        (ValueError, "growth_interval is 0", (), {"growth_interval": 0}),
        (ValueError, "growth_interval is 1.5", (), {"growth_interval": 1.5}),
        (ValueError, "hysteresis is 0", (), {"hysteresis": 0}),
        (ValueError, "min_scale is 0", (), {"min_scale": 0.0}),
        (
            ValueError,
            "min_scale is 8 and max_scale is 4, must be ordered",
            (),
            {"min_scale": 8, "max_scale": 4},
        ),
        (ValueError, "max_scale is inf", (), {"max_scale": INF}),
        (ValueError, "max_scale is 1e\\+39", (), {"max_scale": 1e39}),
        (ValueError, "min_scale is 1e-40", (), {"min_scale": 1e-40}),
        (ValueError, "device is 'tpu'", ("tpu",), {}),
        (TypeError, "init_scale is given twice", (2.0,), {"init_scale": 2.0}),
        (TypeError, "7 positional arguments", ("cpu", 1, 2, 0.5, 1, True, 1), {}),
        (TypeError, "init_scale is '1024'", (), {"init_scale": "1024"}),
        (TypeError, "init_scale is True", (True,), {}),
        (TypeError, "unexpected keyword", (), {"grow": 2}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments(error, match, args, options):
    with pytest.raises(error, match=match):
        mp.GradScaler(*args, **options)


def test_setters_are_validated():
    scaler = mp.GradScaler("cpu", 64)
    for set_to, bad in (
        (scaler.set_growth_factor, 0.9),
        (scaler.set_backoff_factor, 1.5),
        (scaler.set_growth_interval, -1),
    ):
        with pytest.raises(ValueError, match="GradScaler: "):
            set_to(bad)
    assert (scaler.get_growth_factor(), scaler.get_backoff_factor()) == (2.0, 0.5)
    for bad in (NAN, INF, 0, -1):
        with pytest.raises(ValueError, match="scale is"):
            scaler._scale = bad
    assert scaler.get_scale() == 64
    scaler.set_growth_factor(3)
    scaler.set_backoff_factor(0.1)
    scaler.set_growth_interval(5)
    assert scaler.state_dict() == {
        "scale": 64, "growth_factor": 3, "backoff_factor": 0.1, "growth_interval": 5,
        "_growth_tracker": 0,
    }  # fmt: skip


@pytest.mark.skipif(_core.info().get("cuda_devices", 0), reason="there is a GPU here")
def test_cuda_without_a_gpu():
    with pytest.warns(UserWarning, match="cuda is not available"):
        assert not mp.GradScaler("cuda").is_enabled()


# ---- scale ----


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_scale_multiplies_in_float32(dtype):
    x = mp.array([1.0, 3.0], dtype=dtype).requires_grad_()
    y = scaler_at(2.0**15).scale(x)
    assert y.dtype == (mp.float64 if dtype == mp.float64 else mp.float32)
    assert y.tolist() == [2**15, 3 * 2**15]


def test_scale_of_containers():
    """test_grad_scaling_scale."""
    scaler, x = mp.GradScaler("cpu", 2.0), mp.array(3.0)
    pair = namedtuple("pair", "a b")
    out = scaler.scale([x, (x, [x]), pair(x, x)])
    assert isinstance(out, list)
    assert isinstance(out[1], tuple)
    assert isinstance(out[2], pair)
    assert [out[0].item(), out[1][0].item(), out[1][1][0].item(), out[2].b.item()] == [6, 6, 6, 6]
    lazy = scaler.scale(v for v in [x, x])
    assert not isinstance(lazy, (list, tuple))
    assert [v.item() for v in lazy] == [6, 6]


@pytest.mark.parametrize("bad", [1.0, "ab", {"loss": 1}, None, np.ones(2)], ids=repr)
def test_scale_of_something_else(bad):
    with pytest.raises(ValueError, match=r"GradScaler.scale: outputs is a"):
        mp.GradScaler("cpu").scale(bad)


def test_the_scale_is_one_object_until_it_changes():
    scaler, p = scaler_at(4.0, growth_interval=2), param(1.0)
    opt = optim.SGD([p], lr=0.0)
    marks = []
    for _ in range(4):
        backward(scaler, p, 1.0)
        marks.append(_core.grad_scale(p).item())
        scaler.step(opt)
        scaler.update()
    assert marks == [4, 4, 8, 8]


# ---- the law ----


def test_update_scale():
    """test_grad_scaling_update_scale: interval 2, growth 2, backoff 0.25."""
    scaler, p = mp.GradScaler("cpu", 4.0, 2.0, 0.25, 2), param(1.0)
    opt = optim.SGD([p], lr=0.0)
    seen = []
    for factor in (1.0, 1.0, INF, 1.0, NAN):
        iterate(scaler, opt, p, factor)
        seen.append((scaler.get_scale(), tracker(scaler)))
    assert seen == [(4, 1), (8, 0), (2, 0), (2, 1), (0.5, 0)]


def test_scale_stays_finite():
    """test_grad_scale_will_not_overflow: capped instead of refused."""
    scaler, p = mp.GradScaler("cpu", 1e38, 16.0, growth_interval=1), param(1.0)
    opt = optim.SGD([p], lr=0.0)
    assert scaler.get_scale() == 2.0**126
    iterate(scaler, opt, p, 2.0**-100)
    assert scaler.get_scale() == 2.0**126
    assert tracker(scaler) == 0


def test_scale_stays_above_zero():
    """166 halvings take PyTorch's scale to 0, and then its parameters to NaN."""
    scaler, p = mp.GradScaler("cpu"), param(1.0)
    opt = optim.SGD([p], lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(170):
            iterate(scaler, opt, p, INF)
    assert scaler.get_scale() == 2.0**-126
    iterate(scaler, opt, p, 1.0)
    assert host(p)[0] == np.float32(1) - np.float32(0.1)


def test_bounds():
    scaler, p = (
        mp.GradScaler("cpu", 64.0, growth_interval=1, min_scale=32, max_scale=100),
        param(1.0),
    )
    opt = optim.SGD([p], lr=0.0)
    seen = []
    for factor in (1.0, 1.0, INF, INF, INF):
        iterate(scaler, opt, p, factor)
        seen.append(scaler.get_scale())
    assert seen == [100, 100, 50, 32, 32]
    scaler.update(1e9)
    assert scaler.get_scale() == 100
    scaler.update(1.0)
    assert scaler.get_scale() == 32
    assert mp.GradScaler("cpu", min_scale=2.0**20).get_scale() == 2.0**20


def test_hysteresis():
    """The scale backs off at the second bad step since it last grew, and at each one after."""
    scaler, p = mp.GradScaler("cpu", 64.0, growth_interval=2, hysteresis=2), param(1.0)
    opt = optim.SGD([p], lr=0.0)
    seen = []
    for factor in (INF, 1.0, INF, INF, 1.0, 1.0, INF, INF):
        iterate(scaler, opt, p, factor)
        seen.append(scaler.get_scale())
    assert seen == [64, 64, 32, 16, 16, 32, 32, 16]


def test_interval_lowered_below_the_tracker():
    scaler, p = mp.GradScaler("cpu", 4.0, growth_interval=100), param(1.0)
    opt = optim.SGD([p], lr=0.0)
    for _ in range(5):
        iterate(scaler, opt, p, 1.0)
    scaler.set_growth_interval(3)
    iterate(scaler, opt, p, 1.0)
    assert (scaler.get_scale(), tracker(scaler)) == (8, 0)


def test_update_with_a_new_scale():
    scaler, p = mp.GradScaler("cpu", 4.0), param(1.0)
    opt = optim.SGD([p], lr=0.0)
    iterate(scaler, opt, p, 1.0)
    backward(scaler, p, INF)
    scaler.unscale_(opt)
    scaler.update(16.0)  # found_inf is ignored, the tracker stays
    assert (scaler.get_scale(), tracker(scaler)) == (16, 1)
    for new in (mp.array(8.0), mp.array([8.0]), np.float32(8), 8):
        scaler.update(new)
        assert scaler.get_scale() == 8
    for bad in (NAN, INF, 0.0, -1, mp.array([1.0, 2.0]), mp.array(2.0).requires_grad_()):
        with pytest.raises(ValueError, match="scale"):
            scaler.update(bad)
    assert scaler.get_scale() == 8
    scaler.unscale_(opt)  # a stage begins anew after update(new_scale)


def test_static_scale():
    scaler, p = mp.GradScaler("cpu", 128.0, min_scale=128, max_scale=128), param(1.0)
    opt = optim.SGD([p], lr=1.0)
    iterate(scaler, opt, p, INF)
    assert scaler.get_scale() == 128
    assert p.tolist() == [1]
    iterate(scaler, opt, p, 0.25)
    assert p.tolist() == [0.75]


# ---- unscale ----


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "slice"])
def test_unscale(dtype, layout):
    """test_grad_scaling_unscale, test_grad_scaling_unscale_sparse's fp16: exact in every layout."""
    values = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    arrays = {
        "contiguous": values,
        "transposed": np.ascontiguousarray(values.T).T,
        "slice": np.repeat(values, 2, 1)[:, ::2],
    }
    ps = [nn.Parameter(mp.zeros((3, 4), dtype=dtype)) for _ in range(2)]
    opt, scaler = optim.SGD(ps, lr=1.0), scaler_at(4.0)
    for p in ps:
        p.grad = mp.array(arrays[layout]).astype(dtype)
        if layout == "transposed":
            p.grad = mp.array(np.ascontiguousarray(values.T)).astype(dtype).T
    scaler.unscale_(opt)
    for p in ps:
        assert p.grad.dtype == dtype
        assert p.grad.tolist() == (values / 4).tolist()
    result = scaler.step(opt)
    assert result
    assert result.where is None
    norm = math.sqrt(2 * float((values / 4).astype(np.float64).__pow__(2).sum()))
    assert result.norm == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize("bad", [INF, -INF, NAN], ids=str)
@pytest.mark.parametrize("where", range(4))
@pytest.mark.parametrize("explicit", [False, True])
def test_bad_values_are_found_anywhere(bad, where, explicit):
    """Mixed dtypes in one optimizer; an inf in any single gradient."""
    ps = [nn.Parameter(mp.ones(33, dtype=dtype)) for dtype in FLOATS]
    opt, scaler = optim.Adam(ps, lr=0.1), scaler_at(4.0)
    for i, p in enumerate(ps):
        values = np.ones(33, np.float32)
        if i == where:
            values[-1] = bad
        p.grad = mp.array(values).astype(p.dtype)
    if explicit:
        scaler.unscale_(opt)
    result = scaler.step(opt)
    scaler.update()
    assert result.skipped
    assert not result
    assert f"['params'][{where}] of shape (33,)" in result.where
    assert scaler.get_scale() == 2
    assert all((host(p).astype(np.float32) == 1).all() for p in ps)
    for i, p in enumerate(ps):  # gradients read unscaled, skipped or not
        good = host(p.grad).astype(np.float32)[: 32 if i == where else 33]
        assert (good == 0.25).all()


def test_overflow_during_unscale():
    """The check comes after the multiply: a scale below 1 makes finite gradients infinite."""
    p = nn.Parameter(mp.ones(2, dtype=mp.float16))
    opt, scaler = optim.SGD([p], lr=1.0), scaler_at(2.0**-10)
    p.grad = mp.array([60000.0, 1.0], dtype=mp.float16)
    scaler.unscale_(opt)
    assert not scaler.step(opt)
    assert p.tolist() == [1, 1]
    q = param(1.0)
    opt, scaler = optim.SGD([q], lr=1.0), scaler_at(2.0**-20)
    q.grad = mp.array([3e38])
    assert not scaler.step(opt)
    assert q.tolist() == [1]


def test_gradients_are_divided_by_the_scale_they_were_made_with():
    scaler, p, q = scaler_at(4.0), param(0.0), param(0.0)
    opt, other = optim.SGD([p], lr=1.0), optim.SGD([q], lr=1.0)
    backward(scaler, p, 1.0)
    backward(scaler, q, 1.0)
    scaler.step(other)
    scaler.update(64.0)  # comes between, as in a wrapper that updates after each optimizer
    scaler.step(opt)
    assert p.tolist() == [-1] == q.tolist()
    assert p.grad.tolist() == [1]


def test_gradients_of_two_scales_are_brought_to_one():
    scaler, p = scaler_at(4.0), param(0.0)
    opt = optim.SGD([p], lr=1.0)
    backward(scaler, p, 1.0)
    scaler.update(64.0)
    scaler.scale((p * 2.0).sum()).backward()
    scaler.step(opt)
    assert p.tolist() == [-3]


def test_parameter_of_two_optimizers_is_unscaled_once():
    scaler, p, q = scaler_at(4.0), param(0.0), param(0.0)
    opt, other = optim.SGD([p], lr=1.0), optim.SGD([p, q], lr=1.0)
    scaler.scale((p + q).sum()).backward()
    scaler.step(opt)
    scaler.step(other)
    assert p.tolist() == [-2]
    assert q.tolist() == [-1]
    assert p.grad.tolist() == q.grad.tolist() == [1]


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**-20, 1.0, 2.0**20, 2.0**100])
def test_powers_of_two_are_exact(scale):
    scaler, p = scaler_at(scale), param(0.0)
    backward(scaler, p, 1.2345)
    scaler.unscale_(optim.SGD([p], lr=1.0))
    assert host(p.grad)[0] == np.float32(1.2345)


# ---- the state machine ----


def ready():
    scaler, p = scaler_at(4.0), param(1.0)
    backward(scaler, p, 1.0)
    return scaler, optim.SGD([p], lr=1.0), p


def test_illegal_transitions():
    scaler, opt, _ = ready()
    scaler.unscale_(opt)
    with pytest.raises(
        RuntimeError, match=r"GradScaler.unscale_: already called .* since the last"
    ):
        scaler.unscale_(opt)
    scaler.step(opt)
    with pytest.raises(RuntimeError, match=r"GradScaler.unscale_: called after step\(\)"):
        scaler.unscale_(opt)
    with pytest.raises(RuntimeError, match=r"GradScaler.step: already called .* since the last"):
        scaler.step(opt)
    scaler.update()
    with pytest.raises(RuntimeError, match=r"GradScaler.update: no inf checks were recorded"):
        scaler.update()
    scaler.unscale_(opt)
    scaler.update()


@pytest.mark.parametrize("call", ["step", "unscale_", "update"])
def test_calls_before_scale(call):
    scaler, opt = mp.GradScaler("cpu"), optim.SGD([param(1.0)], lr=1.0)
    args = () if call == "update" else (opt,)
    with pytest.raises(RuntimeError, match=rf"GradScaler.{call}: scale\(\) has not been called"):
        getattr(scaler, call)(*args)


def test_step_without_gradients():
    scaler, opt, p = ready()
    p.grad = None
    with pytest.raises(
        RuntimeError, match=r"none of the 1 parameters has a gradient \(no inf checks"
    ):
        scaler.step(opt)
    backward(scaler, p, 1.0)
    assert scaler.step(opt)


def test_unscale_then_update_without_step():
    scaler, opt, p = ready()
    backward(scaler, p, INF)
    scaler.unscale_(opt)
    scaler.update()
    assert scaler.get_scale() == 2


def test_not_an_optimizer():
    scaler, _, _ = ready()
    with pytest.raises(TypeError, match="list is not an optimizer"):
        scaler.step([])


@pytest.mark.parametrize("enabled", [True, False])
def test_closures_are_refused_in_any_position(enabled):
    scaler = mp.GradScaler("cpu", enabled=enabled)
    opt = optim.SGD([param(1.0)], lr=1.0)
    for args, kwargs in (((lambda: 1,), {}), ((), {"closure": lambda: 1}), ((1, print), {})):
        with pytest.raises(RuntimeError, match="closures are not supported"):
            scaler.step(opt, *args, **kwargs)


@pytest.mark.parametrize("bad", [0.0, -1.0, NAN])
def test_bad_max_norm(bad):
    scaler, opt, p = ready()
    with pytest.raises(ValueError, match=r"GradScaler.step: max_norm is"):
        scaler.step(opt, max_norm=bad)
    assert p.tolist() == [1]


def test_scaler_used_on_after_its_optimizer_is_gone():
    scaler = scaler_at(4.0)
    for _ in range(20):  # ids of dead optimizers come back: stages must not
        p = param(1.0)
        opt = optim.SGD([p], lr=1.0)
        backward(scaler, p, 1.0)
        scaler.unscale_(opt)
        assert scaler.step(opt)
        del opt, p
        gc.collect()
    scaler.update()
    assert scaler.get_scale() == 4


def test_gradients_corrupted_between_unscale_and_step_reach_the_parameters():
    """test_params_invalidated_with_grads_invalidated_between_unscale_and_step."""
    for make in OPTIMIZERS.values():
        for bad in (INF, NAN):
            p = param(1.0, 2.0)
            opt, scaler = make([p]), scaler_at(4.0)
            backward(scaler, p, 1.0, 1.0)
            scaler.unscale_(opt)
            p.grad.fill_(bad)
            assert scaler.step(opt)
            scaler.update()
            assert not np.isfinite(host(p)).any()


# ---- results ----


def test_result_of_a_step():
    scaler, p, q = scaler_at(4.0), param(3.0), param(4.0)
    opt = optim.SGD([("first", p), ("second", q)], lr=0.0)
    scaler.scale((p * 3 + q * 4).sum()).backward()
    result = scaler.step(opt)
    scaler.update(64.0)
    assert result
    assert not result.skipped
    assert result.scale == 4
    assert result.norm == 5
    assert result.where is None
    assert result.value is None
    assert repr(result) == "StepResult(skipped=False, scale=4, norm=5)"
    opt.zero_grad()
    scaler.scale((p * 3 + q * INF).sum()).backward()
    result = scaler.step(opt)
    assert result.skipped
    assert result.where == "second"
    assert result.scale == 64
    assert "where='second'" in repr(result)


def test_python_optimizer():
    """test_inf_gradients_skip_optim_step, and in place of test_grad_scaler_pass_itself."""
    scaler, p = scaler_at(4.0), param(1.0, 1.0)
    opt = Recorder([p])
    result = iterate(scaler, opt, p, 0.5, 0.25)
    assert result
    assert result.value == "stepped"
    assert p.tolist() == [0.5, 0.75]
    result = iterate(scaler, opt, p, INF, 1.0)
    assert not result
    assert result.value is None
    assert len(opt.calls) == 1
    assert p.tolist() == [0.5, 0.75]
    assert scaler.get_scale() == 2
    backward(scaler, p, 0.5, 0.25)
    assert scaler.step(opt, 7, key="x").value == "stepped"
    assert opt.calls[-1] == ((7,), {"key": "x"})


def test_python_optimizer_clips():
    scaler, p = scaler_at(4.0), param(0.0, 0.0)
    result = iterate(scaler, Recorder([p]), p, 3.0, 4.0, max_norm=1.0)
    assert result.norm == 5
    np.testing.assert_allclose(host(p), [-0.6, -0.8], rtol=1e-5)


def test_a_step_overridden_in_python():
    class Half(optim.SGD):
        def step(self, closure=None):
            for p in self.param_groups[0]["params"]:
                p.grad.mul_(0.5)
            super().step(closure)
            return "half"

    scaler, p = scaler_at(4.0), param(1.0)
    opt = Half([p], lr=1.0)
    assert iterate(scaler, opt, p, 1.0).value == "half"
    assert p.tolist() == [0.5]
    assert not iterate(scaler, opt, p, INF)
    assert p.tolist() == [0.5]


def test_object_with_param_groups():
    class Plain:
        def __init__(self, p):
            self.param_groups = [{"params": [p]}]

        def step(self):
            with mp.no_grad():
                p = self.param_groups[0]["params"][0]
                p.sub_(p.grad)

    scaler, p = scaler_at(4.0), param(1.0)
    iterate(scaler, Plain(p), p, 0.5)
    assert p.tolist() == [0.5]


# ---- disabled ----


def test_disabled():
    """A no-op: same objects, the optimizer's own step, getters that answer."""
    scaler, p = mp.GradScaler("cpu", 8.0, enabled=False), param(1.0)
    opt, loss = optim.SGD([p], lr=1.0), (p * 0.5).sum()
    assert scaler.scale(loss) is loss
    assert scaler.scale("text") == "text"
    scaler.scale(loss).backward()
    scaler.unscale_(opt)
    scaler.unscale_(opt)
    result = scaler.step(opt)
    scaler.update()
    scaler.update()
    assert result
    assert p.tolist() == [0.5]
    assert scaler.get_scale() == 1.0
    assert scaler.state_dict() == {}
    assert scaler.load_state_dict({"scale": 1}) is None
    assert scaler.get_growth_factor() == 2.0
    assert scaler.get_backoff_factor() == 0.5
    assert scaler.get_growth_interval() == 2000
    assert not scaler.is_enabled()
    assert "enabled=False" in repr(scaler)
    assert scaler.step(Recorder([p])).value == "stepped"
    p.grad.fill_(INF)
    assert scaler.step(opt)
    assert not np.isfinite(host(p)).any()


def test_disabled_clips():
    scaler, p = mp.GradScaler("cpu", enabled=False), param(0.0, 0.0)
    opt = optim.SGD([p], lr=1.0)
    (p * mp.array([3.0, 4.0])).sum().backward()
    assert scaler.step(opt, max_norm=1.0).norm == 5
    np.testing.assert_allclose(host(p), [-0.6, -0.8], rtol=1e-5)
    p.grad = mp.array([6.0, 8.0])
    scaler.step(Recorder([p]), max_norm=5.0)
    np.testing.assert_allclose(host(p), [-3.6, -4.8], rtol=1e-5)


# ---- saving ----


def test_state_dict():
    """test_grad_scaling_state_dict: before and after first use."""
    for used in (False, True):
        a, b = mp.GradScaler("cpu", 3.0, 4.0, 0.5, 2), mp.GradScaler("cpu", 6.0, 7.0, 0.8, 9)
        state = a.state_dict()
        assert set(state) == {
            "scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker",
        }  # fmt: skip
        state["_growth_tracker"] = 1
        if used:
            b.scale(mp.array(1.0))
        b.load_state_dict(state)
        assert b.state_dict() == state
        assert b.get_scale() == 3
        assert b.get_growth_factor() == 4
        p = param(1.0)
        iterate(b, optim.SGD([p], lr=0.0), p, 1.0)
        assert (b.get_scale(), tracker(b)) == (12, 0)


def test_state_dict_with_bounds():
    options = {"min_scale": 2.0, "max_scale": 2.0**20, "hysteresis": 3}
    a, p = mp.GradScaler("cpu", 64.0, **options), param(1.0)
    opt = optim.SGD([p], lr=0.0)
    for _ in range(2):
        iterate(a, opt, p, INF)
    b = mp.GradScaler("cpu")
    b.load_state_dict(a.state_dict())
    for scaler in (a, b):
        iterate(scaler, opt, p, INF)
        assert scaler.get_scale() == 32
    assert a.state_dict() == b.state_dict()
    assert all(value >= 0 for value in b.state_dict().values())


def test_bad_state_changes_nothing():
    scaler = mp.GradScaler("cpu", 64.0)
    before = scaler.state_dict()
    with pytest.raises(RuntimeError, match="the state is empty"):
        scaler.load_state_dict({})
    with pytest.raises(ValueError, match="no _growth_tracker, growth_factor"):
        scaler.load_state_dict({"scale": 1.0, "backoff_factor": 0.5, "growth_interval": 1})
    for key, value in (
        ("scale", NAN), ("scale", 0.0), ("growth_factor", 1.0), ("backoff_factor", 1.0),
        ("growth_interval", 0), ("_growth_tracker", -1), ("_growth_tracker", 0.5),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            scaler.load_state_dict({**before, key: value})
    assert scaler.state_dict() == before


@pytest.mark.parametrize("how", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy])
@pytest.mark.parametrize("used", [False, True])
def test_pickle(how, used):
    """test_pickle_gradscaler."""
    a = mp.GradScaler("cpu", 3.0, 4.0, 0.5, 2, hysteresis=2)
    p = param(1.0)
    opt = optim.SGD([p], lr=0.0)
    if used:
        iterate(a, opt, p, 1.0)
    b = how(a)
    assert b.is_enabled()
    assert b.state_dict() == a.state_dict()
    assert b.scale(mp.array(4.0)).item() == 12
    backward(b, p, 1.0)
    b.unscale_(opt)
    b.step(opt)
    b.update()
    assert not how(mp.GradScaler("cpu", enabled=False)).is_enabled()


def test_pickle_between_step_and_update():
    scaler, opt, _ = ready()
    scaler.unscale_(opt)
    with pytest.raises(RuntimeError, match=r"only between update\(\)"):
        pickle.dumps(scaler)


# ---- subclasses ----


def test_unscale_grads_overridden():
    """Called once per unscaled optimizer, with gradients still scaled inside."""
    seen = []

    class Watching(mp.GradScaler):
        def _unscale_grads_(self, optimizer, *unused):
            (p,) = optimizer.param_groups[0]["params"]
            seen.append(p.grad.tolist())
            super()._unscale_grads_(optimizer, *unused)
            seen.append(p.grad.tolist())

    scaler, p = Watching("cpu", 4.0), param(0.0)
    opt = optim.SGD([p], lr=1.0)
    iterate(scaler, opt, p, 1.0)
    assert seen == [[4], [1]]
    assert p.tolist() == [-1]
    backward(scaler, p, 1.0)
    scaler.unscale_(opt)
    scaler.step(opt, max_norm=0.5)
    scaler.update()
    assert len(seen) == 4
    assert p.tolist() == pytest.approx([-1.5], rel=1e-5)
    assert not iterate(scaler, opt, p, INF)


def test_unscale_grads_replaced():
    """An override that does it all by itself: what it leaves is checked and used as it is."""

    class Own(mp.GradScaler):
        def _unscale_grads_(self, optimizer, *unused):
            for p in optimizer.param_groups[0]["params"]:
                p.grad.div_(self._scale * 2)

    scaler, p = Own("cpu", 4.0), param(0.0)
    opt = optim.SGD([p], lr=1.0)
    assert iterate(scaler, opt, p, 1.0)
    assert p.tolist() == [-0.5]
    assert not iterate(scaler, opt, p, NAN)


def test_update_overridden():
    class Rising(mp.GradScaler):
        def update(self):
            self._scale = min(self._scale * 1.5, 100.0)
            super().update()

    scaler, p = Rising(64.0), param(0.0)
    opt = optim.SGD([p], lr=1.0)
    assert scaler._scale == 64
    assert isinstance(scaler._scale, float)
    for want in (96, 100):
        iterate(scaler, opt, p, 1.0)
        assert scaler.get_scale() == want
    assert p.tolist() == [-2]


# ---- repeated skips ----


def test_repeated_skips_warn_once():
    scaler, p = mp.GradScaler("cpu"), param(1.0)
    opt = optim.SGD([("weight", p)], lr=1.0)
    for _ in range(19):
        iterate(scaler, opt, p, INF)
    with pytest.warns(UserWarning, match="20 steps in a row were skipped") as caught:
        iterate(scaler, opt, p, INF)
    for _ in range(40):
        iterate(scaler, opt, p, INF)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "The scaled loss itself is inf" in text
    assert "scale is now 0.0625" in text


def test_diagnosis_names_the_gradient():
    scaler, p = mp.GradScaler("cpu"), param(1.0, 2.0)
    opt = optim.SGD([("weight", p)], lr=1.0)
    for _ in range(20):
        backward(scaler, p, 1.0, 1.0)
        p.grad[1] = NAN
        scaler.step(opt)
        if scaler.skipped_steps < 19:
            scaler.update()
    with pytest.warns(UserWarning, match="first bad gradient is that of weight, with 1 NaN and 0"):
        scaler.update()


def test_calibration_does_not_warn():
    scaler, p = mp.GradScaler("cpu", growth_interval=1), param(1.0)
    opt = optim.SGD([p], lr=0.0)
    for factor in [INF] * 16 + [1.0] + [INF] * 19 + [1.0]:
        iterate(scaler, opt, p, factor)
    assert scaler.skipped_steps == 35


def test_an_override_with_torchs_parameters():
    """PyTorch calls _unscale_grads_(optimizer, inv_scale, found_inf, allow_fp16)."""
    seen = []

    class Scaler(mp.GradScaler):
        def _unscale_grads_(self, optimizer, inv_scale, found_inf, allow_fp16):
            seen.append((float(inv_scale), float(found_inf), allow_fp16))
            super()._unscale_grads_(optimizer, inv_scale, found_inf, allow_fp16)

    model = nn.Linear(2, 1)
    opt, scaler = optim.SGD(model.parameters(), lr=0.1), Scaler(init_scale=8.0)
    scaler.scale(model(mp.ones((1, 2))).sum()).backward()
    scaler.step(opt)
    assert seen == [(0.125, 0.0, False)]
    np.testing.assert_allclose(model.weight.grad.numpy(), 1.0)
