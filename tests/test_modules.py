"""nn.Module and its containers beyond what models need: hooks, buffers, conversion, editing."""

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import mixprec as mp
from mixprec import nn


def test_hooks():
    layer = nn.Linear(2, 2)
    seen = []
    pre = layer.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    post = layer.register_forward_hook(lambda m, args, y: seen.append(args[0].tolist()))
    plain = layer.forward(mp.full((1, 2), 2.0))
    np.testing.assert_array_equal(layer(mp.ones((1, 2))).detach().numpy(), plain.detach().numpy())
    assert seen == [[[2, 2]]]
    pre.remove()
    post.remove()
    post.remove()
    layer(mp.ones((1, 2)))
    assert len(seen) == 1
    with layer.register_forward_hook(lambda m, args, y: "changed"):
        assert layer(mp.ones((1, 2))) == "changed"
    assert isinstance(layer(mp.ones((1, 2))), mp.ndarray)


def test_registration():
    m = nn.Module()
    m.register_parameter("nothing", None)
    assert m.nothing is None
    m.nothing = nn.Parameter(mp.ones(1))
    assert len(list(m.parameters())) == 1
    m.register_buffer("b", mp.ones(1))
    m.b = mp.zeros(2)
    assert dict(m.named_buffers())["b"].shape == (2,)
    with pytest.raises(TypeError, match="b must be a ndarray or None"):
        m.b = 3
    m.child = nn.ReLU()
    with pytest.raises(TypeError, match="child must be a Module or None"):
        m.child = 3
    m.child = None
    assert list(m.children()) == []
    for bad, error in (("a.b", KeyError), ("", KeyError), (3, TypeError)):
        with pytest.raises(error):
            m.register_buffer(bad, None)
    with pytest.raises(TypeError, match="register_parameter"):
        m.register_parameter("p", mp.ones(1))
    assert {"nothing", "b", "child"} <= set(dir(m))
    m.b2 = 1
    m.b2 = nn.Parameter(mp.ones(1))
    assert "b2" not in m.__dict__
    with pytest.raises(NotImplementedError, match="forward"):
        m(1)


def test_paths():
    m = nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.ReLU())
    assert m.get_submodule("0.0") is m[0][0]
    assert m.get_submodule("") is m
    assert m.get_parameter("0.0.weight") is m[0][0].weight
    for bad in ("0.1", "weight", "0.0.weight.x"):
        with pytest.raises(AttributeError, match="no module"):
            m.get_submodule(bad)
    with pytest.raises(AttributeError, match="no parameter"):
        m.get_parameter("0.0.scale")


def test_sequential():
    names = OrderedDict(first=nn.Linear(2, 3), second=nn.ReLU())
    named = nn.Sequential(names)
    assert named.first is named[0]
    assert list(named.state_dict()) == ["first.weight", "first.bias"]
    assert list(dict(named[1:].named_children())) == ["second"]
    seq = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert [type(m).__name__ for m in seq[::2]] == ["Linear", "Linear"]
    seq[1] = nn.Tanh()
    assert [type(m).__name__ for m in seq] == ["Linear", "Tanh", "Linear"]
    del seq[0]
    assert list(dict(seq.named_children())) == ["0", "1"]
    seq.insert(0, nn.Linear(2, 3))
    assert seq(mp.ones((4, 2))).shape == (4, 1)
    with pytest.raises(IndexError, match="index 3 of 3"):
        seq[3]
    with pytest.raises(TypeError):
        seq.append(3)
    assert repr(nn.Sequential(nn.ReLU())) == "Sequential(\n  (0): ReLU()\n)"


def test_module_list_and_dict():
    blocks = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    blocks += [nn.Sigmoid()]
    assert isinstance(blocks[1:], nn.ModuleList)
    assert len(blocks[1:]) == 2
    heads = nn.ModuleDict({"a": nn.Linear(1, 2)})
    heads["b"] = nn.Linear(1, 3)
    assert (list(heads), len(heads), "b" in heads) == (["a", "b"], 2, True)
    assert [k for k, _ in heads.items()] == list(heads.keys())
    assert heads.pop("a").out_features == 2
    del heads["b"]
    assert not list(heads.values())


def test_conversion_takes_gradients_and_buffers_along():
    m = nn.Linear(2, 2)
    m.register_buffer("count", mp.arange(3))
    m(mp.ones((1, 2))).sum().backward()
    weight = m.weight
    m.half()
    assert m.weight is weight
    assert m.weight.grad.dtype == m.weight.dtype == np.float16
    assert m.count.dtype == np.int64
    assert m.to(mp.zeros(1, dtype=mp.float64)).weight.dtype == np.float64
    with pytest.raises(TypeError, match="to: dtype is int32"):
        m.to(mp.int32)
    with pytest.raises(ValueError, match="tpu"):
        m.to("tpu")
    m(mp.ones((1, 2), dtype=mp.float64)).sum().backward()
    m.zero_grad(set_to_none=False)
    assert m.weight.grad.tolist() == [[0, 0], [0, 0]]
    m.requires_grad_(False)
    assert not m(mp.ones((1, 2), dtype=mp.float64)).requires_grad


def test_copies():
    m = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    for other in (copy.deepcopy(m), pickle.loads(pickle.dumps(m))):
        assert isinstance(other[0].weight, nn.Parameter)
        assert other[0].weight.requires_grad
        assert other[0].weight.data_ptr() != m[0].weight.data_ptr()
        np.testing.assert_array_equal(
            other(mp.ones((1, 2))).detach().numpy(), m(mp.ones((1, 2))).detach().numpy()
        )
    tied = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    tied[1].weight = tied[0].weight
    other = copy.deepcopy(tied)
    assert other[0].weight is other[1].weight


def test_load_state_dict_takes_foreign_arrays():
    m = nn.Linear(2, 1).half()
    result = m.load_state_dict({"weight": np.array([[1.0, 2.0]]), "bias": [3.0]})
    assert result == ([], [])
    assert m.weight.tolist() == [[1, 2]]
    assert m.weight.dtype == np.float16
    with pytest.raises(ValueError, match=r"weight has shape \(2, 1\).*bias is missing.*x is not"):
        m.load_state_dict({"weight": np.ones((2, 1)), "x": np.ones(1)})
    with pytest.raises(TypeError):
        m.load_state_dict([1])


def test_layers_refuse_bad_arguments():
    for make in (
        lambda: nn.Linear(2.5, 1),
        lambda: nn.Linear(True, 1),
        lambda: nn.Embedding(3, 2, padding_idx=3),
        lambda: nn.Dropout(-0.1),
        lambda: nn.MSELoss(reduction="average"),
        lambda: nn.GELU("other")(mp.ones(1)),
        lambda: nn.init.xavier_uniform_(mp.ones(3)),
        lambda: nn.init.kaiming_normal_(mp.ones((3, 3)), mode="fan"),
        lambda: nn.init.calculate_gain("other"),
        lambda: nn.functional.softmax(mp.ones(3)),
        lambda: nn.utils.clip_grad_norm_([], float("nan")),
    ):
        with pytest.raises((ValueError, TypeError), match=r"^\w+: "):
            make()


def test_options_of_layers():
    assert nn.Linear(0, 3)(mp.zeros((2, 0))).shape == (2, 3)
    assert nn.LayerNorm(4, bias=False).bias is None
    assert not list(nn.RMSNorm(4, elementwise_affine=False).parameters())
    assert nn.Linear(2, 2, dtype=mp.bfloat16).bias.dtype == mp.bfloat16
    frozen = nn.Embedding.from_pretrained(np.eye(3), padding_idx=-1)
    assert frozen.weight.dtype == np.float64
    assert (frozen.padding_idx, frozen.weight.requires_grad) == (2, False)
    weighted = nn.CrossEntropyLoss(mp.array([1.0, 3.0]), label_smoothing=0.1)
    assert weighted(mp.zeros((2, 2)), mp.array([0, 1])).item() > 0
    assert list(weighted.state_dict()) == ["weight"]


@pytest.mark.parametrize(("a", "b"), [(-2, 2), (-0.5, 0.25), (2.0, 2.5), (1.0, 3.0), (-9, -4)])
def test_truncated_normal(a, b):
    """Mean and spread of what is left of the normal distribution, by numerical integration."""
    w = nn.init.trunc_normal_(mp.empty(20_000), a=a, b=b).numpy().astype(np.float64)
    assert w.min() >= a
    assert w.max() <= b
    x = np.linspace(a, b, 20_001)
    p = np.exp(-x * x / 2)
    mean = (x * p).sum() / p.sum()
    std = np.sqrt(((x - mean) ** 2 * p).sum() / p.sum())
    assert abs(w.mean() - mean) < 5 * std / np.sqrt(w.size)
    assert abs(w.std() / std - 1) < 0.05


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
def test_clip_grad_norm_of_other_orders(p):
    params = [nn.Parameter(mp.zeros(2)), nn.Parameter(mp.zeros(1, dtype=mp.float16))]
    params[0].grad, params[1].grad = mp.array([3.0, -4.0]), mp.array([12.0], dtype=mp.float16)
    with mp.autocast("cpu", mp.bfloat16):  # the norm is of the gradients as they are
        norm = nn.utils.clip_grad_norm_(params, 1.0, norm_type=p)
    want = np.linalg.norm([3.0, 4.0, 12.0], p)
    assert norm.dtype == np.float32
    assert norm.item() == pytest.approx(want, rel=1e-5)
    assert params[1].grad.dtype == np.float16
    assert params[1].grad.item() == pytest.approx(12 / want, rel=2e-3)
