"""nn: modules, state_dicts, layers' values and dtypes, initialisers, gradient clipping."""

import numpy as np
import pytest

import mixprec as mp
from dtypes import dtype_of
from mixprec import nn
from mixprec.nn import functional as F
from refs.pointwise import gelu, sigmoid
from refs.softmax import log_softmax, softmax


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.norm = nn.LayerNorm(8)
        self.blocks = nn.ModuleList([nn.Linear(8, 8), nn.Dropout(0.5)])
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(8, 2, bias=False))
        self.register_buffer("count", mp.zeros(1))
        self.register_buffer("scratch", mp.zeros(1), persistent=False)

    def forward(self, x):
        x = self.norm(self.first(x))
        for block in self.blocks:
            x = block(x)
        return self.last(x)


NAMES = [
    "first.weight", "first.bias", "norm.weight", "norm.bias",
    "blocks.0.weight", "blocks.0.bias", "last.1.weight",
]  # fmt: skip


def test_names():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert len(list(net.parameters())) == len(NAMES)
    assert [name for name, _ in net.named_buffers()] == ["count", "scratch"]
    assert [name for name, _ in net.named_children()] == ["first", "norm", "blocks", "last"]
    assert {"", "first", "blocks.1", "last.1"} <= {name for name, _ in net.named_modules()}
    assert set(net.state_dict()) == {*NAMES, "count"}
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in net.parameters())


def test_tied_parameters_appear_once():
    net = Net()
    net.blocks[0].weight = net.first.weight
    assert len(list(net.parameters())) == len(NAMES) - 1
    assert {"blocks.0.weight", "first.weight"} <= set(net.state_dict())


def test_attribute_rules():
    net = Net()
    with pytest.raises((AttributeError, TypeError)):
        nn.Module.__setattr__(object.__new__(Net), "p", nn.Parameter(mp.ones(1)))
    net.first.bias = None
    assert "first.bias" not in dict(net.named_parameters())
    with pytest.raises(AttributeError):
        net.absent  # noqa: B018
    with pytest.raises(TypeError):
        net.first.weight = mp.ones((8, 4))
    del net.norm
    assert "norm.weight" not in dict(net.named_parameters())


def test_train_and_eval():
    net = Net()
    x = mp.ones((3, 4))
    assert net.training
    assert net.blocks[1].training
    net.eval()
    assert not net.blocks[1].training
    assert net(x).tolist() == net(x).tolist()
    net.train()
    assert net(x).tolist() != net(x).tolist()


def test_apply_and_conversion():
    net = Net().half()
    assert all(p.dtype == np.float16 for p in net.parameters())
    net.norm.float()
    assert net.norm.weight.dtype == np.float32
    out = net(mp.ones((2, 4), dtype=mp.float16))
    assert out.dtype == np.float16
    for dtype in (mp.bfloat16, mp.float64, mp.float32):
        assert net.to(dtype).first.weight.dtype == dtype
    assert net.bfloat16().count.dtype == dtype_of("bfloat16")
    assert net.to("cpu") is net


def test_parameters_keep_their_identity():
    net = Net()
    before = list(net.parameters())
    net.half()
    assert all(a is b for a, b in zip(before, net.parameters(), strict=True))


def test_zero_grad():
    net = Net()
    net(mp.ones((2, 4))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_state_dict_round_trip():
    net, other = Net(), Net()
    net.count.fill_(5)
    result = other.load_state_dict(net.state_dict())
    assert not result.missing_keys
    assert not result.unexpected_keys
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())
    assert other.count.item() == 5


def test_state_dict_is_live_and_detached():
    net = Net()
    state = net.state_dict()
    assert not state["first.weight"].requires_grad
    with mp.no_grad():
        net.first.weight.fill_(3)
    assert state["first.weight"].numpy().max() == 3


@pytest.mark.core
def test_bad_state_dict_writes_nothing():
    net = Net()
    before = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    other = {k: v * 0 - 1 for k, v in before.items()}
    missing = {k: mp.array(v) for k, v in other.items() if k != "last.1.weight"}
    unexpected = {**missing, "last.1.weight": mp.zeros((2, 8)), "more": mp.zeros(1)}
    shape = {**missing, "last.1.weight": mp.zeros((8, 2))}
    for bad, word in ((missing, "last.1.weight"), (unexpected, "more"), (shape, "last.1.weight")):
        with pytest.raises((RuntimeError, ValueError, KeyError), match=word):
            net.load_state_dict(bad)
        for k, v in net.state_dict().items():
            assert np.array_equal(v.numpy(), before[k]), k
    result = net.load_state_dict(missing, strict=False)
    assert result.missing_keys == ["last.1.weight"]


def test_repr():
    text = repr(Net())
    for part in ("Net(", "first", "Linear(", "in_features=4", "ModuleList", "bias=False"):
        assert part in text


# ---- layers ----


def close(got, want, rtol=1e-5):
    np.testing.assert_allclose(got.detach().numpy(), want, rtol, 1e-6)


def test_layer_values(rng):
    x = rng.normal(size=(3, 5)).astype(np.float32)
    m = mp.array(x)
    linear = nn.Linear(5, 2)
    close(linear(m), x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy(), 1e-4)
    close(nn.ReLU()(m), np.maximum(x, 0))
    close(nn.LeakyReLU(0.1)(m), np.where(x > 0, x, 0.1 * x))
    close(nn.GELU()(m), gelu(x, False))
    close(nn.GELU(approximate="tanh")(m), gelu(x, True))
    close(nn.SiLU()(m), x * sigmoid(x))
    close(nn.Tanh()(m), np.tanh(x))
    close(nn.Sigmoid()(m), sigmoid(x))
    close(nn.Softplus()(m), np.log1p(np.exp(x)))
    close(nn.Softmax(dim=-1)(m), softmax(x, -1))
    close(nn.LogSoftmax(dim=-1)(m), log_softmax(x, -1))
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    close(nn.LayerNorm(5)(m), (x - mean) / np.sqrt(var + 1e-5), 1e-4)
    rms = np.sqrt((x * x).mean(-1, keepdims=True) + np.finfo(np.float32).eps)
    close(nn.RMSNorm(5)(m), x / rms, 1e-4)
    close(nn.Identity()(m), x)


def test_losses(rng):
    x, t = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    labels = np.array([0, 2, 1, 1])
    mx, mt = mp.array(x), mp.array(t)
    close(nn.MSELoss()(mx, mt), ((x - t) ** 2).mean())
    close(nn.L1Loss(reduction="sum")(mx, mt), np.abs(x - t).sum())
    nll = -log_softmax(x, 1)[np.arange(4), labels]
    close(nn.CrossEntropyLoss()(mx, mp.array(labels)), nll.mean())
    close(F.cross_entropy(mx, mp.array(labels), reduction="none"), nll)
    close(F.nll_loss(F.log_softmax(mx, 1), mp.array(labels)), nll.mean())
    p = softmax(t, 1)
    close(F.cross_entropy(mx, mp.array(p)), -(p * log_softmax(x, 1)).sum(1).mean())
    y = sigmoid(t)
    want = (np.logaddexp(0, x) - x * y).mean()
    close(nn.BCEWithLogitsLoss()(mx, mp.array(y)), want)


def test_norm_keeps_float16():
    """Float32 parameters, float16 input: float16 output, and gradients in both dtypes."""
    for norm in (nn.LayerNorm(8), nn.RMSNorm(8)):
        x = mp.array(np.linspace(-100, 100, 24).reshape(3, 8), dtype=mp.float16).requires_grad_()
        y = norm(x)
        assert y.dtype == np.float16
        y.float().sum().backward()
        assert x.grad.dtype == np.float16
        assert norm.weight.grad.dtype == np.float32


def test_embedding():
    table = nn.Embedding(5, 3, padding_idx=1)
    assert not table.weight[1].detach().numpy().any()
    out = table(mp.array([[0, 1], [4, 4]]))
    assert out.shape == (2, 2, 3)
    out.sum().backward()
    assert table.weight.grad.numpy()[:, 0].tolist() == [1, 0, 0, 0, 2]
    with pytest.raises(IndexError):
        table(mp.array([5]))


def test_dropout():
    x = mp.ones((1000, 10)).requires_grad_()
    y = F.dropout(x, 0.25)
    kept = y.detach().numpy() != 0
    assert abs(kept.mean() - 0.75) < 0.02
    np.testing.assert_allclose(y.detach().numpy()[kept], 1 / 0.75, rtol=1e-6)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy() != 0, kept)
    assert F.dropout(x, 0.5, training=False).detach().numpy().all()
    assert not F.dropout(x, 1.0).detach().numpy().any()
    with pytest.raises(ValueError):
        F.dropout(x, 1.5)


def test_containers():
    seq = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    assert len(seq) == 2
    assert isinstance(seq[1], nn.ReLU)
    assert isinstance(seq[-1], nn.ReLU)
    assert [type(m).__name__ for m in seq] == ["Linear", "ReLU"]
    modules = nn.ModuleList()
    modules.append(nn.Linear(1, 1))
    modules.extend([nn.ReLU()])
    assert len(modules) == 2


# ---- init and utils ----


def test_init():
    w = mp.empty((200, 300))
    rows = {
        "uniform_": ((-1, 1), lambda a: a.min() >= -1 and a.max() < 1),
        "normal_": ((1.0, 0.5), lambda a: abs(a.mean() - 1) < 0.01 and abs(a.std() - 0.5) < 0.01),
        "constant_": ((3.0,), lambda a: (a == 3).all()),
        "zeros_": ((), lambda a: (a == 0).all()),
        "ones_": ((), lambda a: (a == 1).all()),
        "xavier_uniform_": ((), lambda a: a.max() <= np.sqrt(6 / 500) < a.max() * 1.01),
        "kaiming_uniform_": ((), lambda a: a.max() <= np.sqrt(6 / 300) < a.max() * 1.01),
        "xavier_normal_": ((), lambda a: abs(a.std() - np.sqrt(2 / 500)) < 1e-3),
        "kaiming_normal_": ((), lambda a: abs(a.std() - np.sqrt(2 / 300)) < 1e-3),
    }
    for name, (arguments, check) in rows.items():
        assert getattr(nn.init, name)(w, *arguments) is w
        assert check(w.numpy().astype(np.float64)), name


def test_linear_init_matches_its_fan_in():
    w = nn.Linear(100, 50).weight.detach().numpy()
    assert 0.09 < np.abs(w).max() <= 0.1


def test_clip_grad_norm():
    p, q = nn.Parameter(mp.zeros(3)), nn.Parameter(mp.zeros(1))
    p.grad, q.grad = mp.array([3.0, 0.0, 0.0]), mp.array([4.0])
    norm = nn.utils.clip_grad_norm_([p, q], 1.0)
    assert float(norm) == pytest.approx(5)
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0, 0], rtol=1e-5)
    norm = nn.utils.clip_grad_norm_([p, q], 10.0)
    np.testing.assert_allclose(q.grad.numpy(), [0.8], rtol=1e-5)
    p.grad = mp.array([np.inf, 0.0, 0.0])
    with pytest.raises(RuntimeError):
        nn.utils.clip_grad_norm_([p, q], 1.0, error_if_nonfinite=True)
    q.grad = mp.array([5.0])
    for bad in (np.inf, np.nan):  # a norm that is no number scales nothing
        p.grad = mp.array([bad, 2.0, 0.0])
        assert not np.isfinite(nn.utils.clip_grad_norm_([p, q], 1.0).item())
        np.testing.assert_array_equal(p.grad.numpy(), [bad, 2, 0])
        assert q.grad.tolist() == [5]
    assert nn.utils.clip_grad_norm_([], 1.0) == 0


def test_clip_grad_value():
    p = nn.Parameter(mp.zeros(3))
    p.grad = mp.array([3.0, -4.0, 0.5])
    nn.utils.clip_grad_value_([p], 1.0)
    assert p.grad.tolist() == [1, -1, 0.5]


@pytest.mark.core
def test_layer_errors():
    with pytest.raises(ValueError, match="linear: x has 5 columns, weight has 7"):
        nn.Linear(7, 2)(mp.ones((3, 5)))
    with pytest.raises(ValueError):
        nn.LayerNorm(7)(mp.ones((3, 5)))
    with pytest.raises(ValueError):
        F.cross_entropy(mp.ones((3, 5)), mp.array([0, 1]))
    with pytest.raises((IndexError, ValueError)):
        F.cross_entropy(mp.ones((2, 5)), mp.array([0, 5]))
    with pytest.raises((ValueError, TypeError)):
        F.mse_loss(mp.ones(2), mp.ones(2), reduction="average")
    with pytest.raises((ValueError, TypeError)):
        nn.Linear(-1, 2)
