"""Arrays of other libraries: borrowed by optimizers and scaler, lent to the library's own loop."""

import numpy as np
import pytest

import mixprec as mp
from mixprec import optim
from mixprec._interchange import borrow, lend

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[oracle]'")
pytestmark = pytest.mark.oracle


def torch_model(dtype=None):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
    return model if dtype is None else model.to(dtype)


def batches(n=6):
    rng = np.random.default_rng(3)
    for _ in range(n):
        x, y = rng.standard_normal((12, 6)), rng.integers(0, 3, 12)
        yield torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def values(model):
    return [p.detach().numpy().copy() for p in model.parameters()]


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_torch_parameters_step_where_they_lie(name):
    """Our optimizer on torch's parameters, after torch's backward, is torch's optimizer."""
    ours, theirs = torch_model(), torch_model()
    places = [p.data_ptr() for p in ours.parameters()]
    a = getattr(optim, name)(list(ours.parameters()), lr=0.05)
    b = getattr(torch.optim, name)(theirs.parameters(), lr=0.05)
    for x, y in batches():
        for model, opt in ((ours, a), (theirs, b)):
            opt.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            opt.step()
    assert [p.data_ptr() for p in ours.parameters()] == places
    for p, q in zip(values(ours), values(theirs), strict=True):
        np.testing.assert_allclose(p, q, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("max_norm", [None, 0.1])
def test_scaler_with_torch(max_norm):
    ours, theirs = torch_model(), torch_model()
    a, scaler = optim.AdamW(list(ours.parameters()), lr=0.05), mp.GradScaler(init_scale=1024.0)
    b = torch.optim.AdamW(theirs.parameters(), lr=0.05)
    for x, y in batches():
        a.zero_grad()
        loss = torch.nn.functional.cross_entropy(ours(x), y)
        scaled = scaler.scale(loss)
        assert isinstance(scaled, torch.Tensor)
        assert scaled.item() == pytest.approx(1024 * loss.item())
        scaled.backward()
        assert scaler.step(a, max_norm=max_norm)
        scaler.update()
        b.zero_grad()
        torch.nn.functional.cross_entropy(theirs(x), y).backward()
        if max_norm:
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad, q.grad, rtol=1e-4, atol=1e-6)
        b.step()
    for p, q in zip(values(ours), values(theirs), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-4, atol=1e-5)


def test_unscale_writes_torch_gradients():
    model, scaler = torch_model(), mp.GradScaler(init_scale=256.0)
    opt = optim.SGD(list(model.parameters()), lr=0.1)
    x, y = next(batches())
    loss = torch.nn.functional.cross_entropy(model(x), y)
    want = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    scaler.scale(loss).backward()
    scaler.unscale_(opt)
    for p, g in zip(model.parameters(), want, strict=True):
        np.testing.assert_allclose(p.grad, g, rtol=1e-5, atol=1e-7)


def test_a_bad_gradient_skips_the_step():
    w = torch.ones(4)
    opt, scaler = optim.AdamW([w], lr=0.1), mp.GradScaler()
    scaler.scale(w.sum())
    result = scaler.step(opt, grads=[torch.tensor([1.0, float("inf"), 0.0, 0.0])])
    scaler.update()
    assert not result
    assert scaler.get_scale() == 32768.0
    assert w.tolist() == [1, 1, 1, 1]
    scaler.step(opt, grads=[torch.full((4,), 32768.0)])
    assert w[0].item() == pytest.approx(0.9 - 0.1 * 0.01, abs=1e-6)


def test_gradients_scaled_by_hand():
    """A loop that multiplies by get_scale() itself never calls scale()."""
    w = torch.ones(3)
    opt, scaler = optim.SGD([w], lr=0.5), mp.GradScaler(init_scale=64.0)
    assert scaler.step(opt, grads=[torch.full((3,), scaler.get_scale())])
    scaler.update()
    assert w.tolist() == [0.5, 0.5, 0.5]


def test_given_gradients_are_only_read():
    w, v = torch.ones(3), mp.ones(3)
    g, h = torch.full((3,), 256.0), mp.full(3, 256.0)
    opt, scaler = optim.SGD([w, v], lr=0.5), mp.GradScaler(init_scale=256.0)
    for _ in range(3):
        scaler.step(opt, grads=[g, h], max_norm=1e9)
        scaler.update()
        opt.step(grads=[g * 0, h * 0])
    assert w.tolist() == v.tolist() == [-0.5] * 3
    assert g.tolist() == h.tolist() == [256.0] * 3
    scaler.unscale_(opt, grads=[g, h])  # which is asked to write
    assert g.tolist() == h.tolist() == [1.0] * 3


def test_half_parameters_have_masters():
    """A hundred steps below half an ulp add up in the master, and a write of torch's is seen."""
    w = torch.ones(3, dtype=torch.float16)
    opt = optim.SGD([w], lr=1.0)
    for _ in range(100):
        opt.step(grads=[torch.full((3,), 1e-4, dtype=torch.float16)])
    assert w[0].item() == pytest.approx(0.99, abs=6e-4)
    w.fill_(5.0)
    opt.step(grads=[torch.zeros(3, dtype=torch.float16)])
    assert w.tolist() == [5, 5, 5]


def test_gradients_in_another_dtype_are_cast():
    w = torch.ones(3)
    optim.SGD([w], lr=0.5).step(grads=[torch.ones(3, dtype=torch.bfloat16)])
    assert w.tolist() == [0.5, 0.5, 0.5]


def test_own_parameters_take_gradients_of_others():
    w = mp.ones(3)
    opt = optim.SGD([w], lr=0.5)
    opt.step(grads=[torch.ones(3)])
    opt.step(grads=[np.ones(3, np.float32)])
    assert w.tolist() == [0, 0, 0]
    opt.step(grads=[None])
    assert w.tolist() == [0, 0, 0]


def test_errors():
    w = torch.ones(3)
    opt = optim.SGD([w], lr=0.5)
    with pytest.raises(ValueError, match=r"^SGD: 2 gradients for 1 parameters"):
        opt.step(grads=[w, w])
    with pytest.raises(
        ValueError, match=r"^SGD: gradient 0 has shape \(4,\), its parameter \(3,\)"
    ):
        opt.step(grads=[torch.ones(4)])
    with pytest.raises(TypeError, match=r"^SGD: params is one array"):
        optim.SGD(w, lr=0.5)
    with pytest.raises(TypeError, match="cannot be pickled"):
        opt.__getstate__()
    with pytest.raises(ValueError, match="more than one parameter group"):
        opt.add_param_group({"params": [w]})
    assert len(optim.SGD([w, w], lr=0.5).param_groups[0]["params"]) == 1
    assert w.tolist() == [1, 1, 1]


def test_lend_and_borrow_share_memory():
    x = mp.arange(6.0).reshape(2, 3)
    there = lend(x, torch.ones(1))
    there[0, 0] = 7
    assert x[0, 0].item() == 7
    y = torch.ones(2, requires_grad=True)
    borrow(y)[0] = 3
    assert y.tolist() == [3, 1]


def test_cuda_array_interface_is_for_gpus():
    assert not hasattr(mp.ones(3), "__cuda_array_interface__")
