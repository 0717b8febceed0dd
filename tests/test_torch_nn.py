"""Modules, containers and idioms of training code: the same calls as PyTorch's, the same answers.

Each test runs one function with both libraries, `t` the library and `nn` its layers, and compares
what it returns.
"""

import copy
from collections import OrderedDict

import numpy as np
import pytest

import mixprec as mp

torch = pytest.importorskip("torch", reason="PyTorch is the oracle: pip install 'mixprec[oracle]'")
pytestmark = pytest.mark.oracle

ARRAY = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def agree(run):
    ours, theirs = run(mp, mp.nn), run(torch, torch.nn)
    assert ours == theirs


def dtype_name(array):
    return str(array.dtype).split(".")[-1]


MODULES = {
    "sequential": lambda nn: nn.Sequential(
        nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Dropout(0.1), nn.Sequential(nn.Linear(1, 1))
    ),
    "named": lambda nn: nn.Sequential(OrderedDict(fc=nn.Linear(2, 2), act=nn.ReLU(inplace=True))),
    "empty": lambda nn: nn.Sequential(),
    "list": lambda nn: nn.ModuleList(nn.Linear(2, 2) for _ in range(3)),
    "list of others": lambda nn: nn.ModuleList(
        [nn.Linear(2, 2), nn.Linear(2, 3), nn.Linear(2, 3), nn.Sequential(nn.Tanh(), nn.ReLU())]
    ),
    "empty list": lambda nn: nn.ModuleList(),
    "dict": lambda nn: nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Identity()}),
    "norms": lambda nn: nn.Sequential(
        nn.LayerNorm(4), nn.LayerNorm((2, 3), eps=1e-6, elementwise_affine=False), nn.RMSNorm(4),
        nn.RMSNorm((4, 3), eps=1e-5, elementwise_affine=False),
    ),
    "activations": lambda nn: nn.Sequential(
        nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Tanh(), nn.Sigmoid(), nn.Softplus(),
        nn.Softmax(dim=-1), nn.LogSoftmax(dim=1), nn.LeakyReLU(0.1), nn.Flatten(),
    ),
    "embeddings": lambda nn: nn.Sequential(nn.Embedding(3, 4), nn.Embedding(3, 4, padding_idx=0)),
    "losses": lambda nn: nn.Sequential(
        nn.CrossEntropyLoss(), nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss(),
        nn.NLLLoss(), nn.BCEWithLogitsLoss(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_text(name):
    agree(lambda t, nn: repr(MODULES[name](nn)))


def kinds(modules):
    return [type(module).__name__ for module in modules]


def test_module_list():
    def run(t, nn):
        blocks = nn.ModuleList([nn.Linear(i + 1, 2) for i in range(5)])
        seen = [len(blocks), blocks[-1].in_features, kinds(blocks[1:3]), type(blocks[1:3]).__name__]
        blocks.append(nn.ReLU())
        blocks.insert(0, nn.Tanh())
        blocks.extend([nn.Identity()])
        blocks[0] = nn.Linear(9, 9)
        del blocks[1]
        blocks += [nn.ReLU()]
        seen += [list(dict(blocks.named_children())), kinds(blocks)]
        more = blocks + nn.ModuleList([nn.ReLU()])
        seen += [len(more), type(more).__name__, len(blocks), type(blocks.pop(0)).__name__]
        with pytest.raises(IndexError):
            blocks[100]
        return seen

    agree(run)


def test_sequential():
    def run(t, nn):
        model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        seen = [kinds(model[0:2]), type(model[0:2]).__name__, list(model[1:].state_dict())]
        model.append(nn.ReLU())
        model.insert(1, nn.Tanh())
        del model[0]
        seen += [kinds(model), list(model.state_dict())]
        both = nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh())
        return [*seen, kinds(both), list(dict(both.named_children())), kinds([both.pop(0)])]

    agree(run)


def test_tied_parameters():
    def run(t, nn):
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = nn.Embedding(5, 4)
                self.out = nn.Linear(4, 5, bias=False)
                self.out.weight = self.table.weight

        model = Model()
        once = [name for name, _ in model.named_parameters()]
        each = [name for name, _ in model.named_parameters(remove_duplicate=False)]
        seen = [once, each, list(model.state_dict())]
        model.half()
        model.load_state_dict(model.state_dict())
        other = copy.deepcopy(model)
        return [*seen, *(m.out.weight is m.table.weight for m in (model, other))]

    agree(run)


def full_module(t, nn):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("kept", t.zeros(3))
            self.register_buffer("unsaved", t.zeros(1), persistent=False)
            self.register_buffer("count", t.tensor(0))
            self.weight = nn.Parameter(t.ones(2))
            self.register_parameter("absent", None)
            self.plain = t.arange(3)

    return Model()


def test_names():
    def run(t, nn):
        model = full_module(t, nn)
        model.unsaved = None
        return [
            list(model.state_dict()),
            [name for name, _ in model.named_parameters(prefix="a")],
            [name for name, _ in model.named_buffers()],
            [name for name, _ in model.named_modules()],
            [name for name, _ in model.named_children()],
            model.absent is None,
            model.get_parameter("layer.weight").shape[0],
            model.get_buffer("kept").shape[0],
            hasattr(model, "unknown"),
        ]

    agree(run)


def test_conversions():
    def run(t, nn):
        model, seen = full_module(t, nn), []
        for convert in (
            lambda m: m.half(),
            lambda m: m.float(),
            lambda m: m.to(t.bfloat16),
            lambda m: m.double(),
            lambda m: m.to("cpu", t.float32),
        ):
            assert convert(model) is model
            seen.append([dtype_name(x) for x in (*model.parameters(), *model.buffers())])
        model.weight.grad = t.ones(2)
        seen.append(dtype_name(model.half().weight.grad))
        model.zero_grad()
        model.requires_grad_(False)
        model.train(False)
        return [*seen, model.weight.grad, model.layer.weight.requires_grad, model.layer.training]

    agree(run)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, t, nn: setattr(m, "weight", 3),
        lambda m, t, nn: setattr(m, "layer", 3),
        lambda m, t, nn: m.register_buffer("weight", t.zeros(1)),
        lambda m, t, nn: m.register_buffer("layer", t.zeros(1)),
        lambda m, t, nn: m.register_buffer("plain", t.zeros(1)),
        lambda m, t, nn: m.register_parameter("kept", nn.Parameter(t.zeros(1))),
        lambda m, t, nn: m.register_parameter("new", t.zeros(1)),
        lambda m, t, nn: m.add_module("weight", nn.ReLU()),
        lambda m, t, nn: m.add_module("", nn.ReLU()),
        lambda m, t, nn: m.register_buffer("a.b", t.zeros(1)),
        lambda m, t, nn: m.unknown,
        lambda m, t, nn: m.to(t.int32),
        lambda m, t, nn: m(1),
        lambda m, t, nn: m.get_buffer("weight"),
        lambda m, t, nn: m.get_submodule("layer.unknown"),
    ],
)
def test_errors_are_of_the_same_type(call):
    def run(t, nn):
        model = full_module(t, nn)
        before = list(model.state_dict())
        with pytest.raises((TypeError, KeyError, AttributeError, NotImplementedError)) as caught:
            call(model, t, nn)
        assert list(model.state_dict()) == before
        return type(caught.value).__mro__[-3]

    agree(run)


def test_load_state_dict_results():
    def run(t, nn):
        model = nn.Linear(2, 3)
        loose = model.load_state_dict({"more": t.zeros(1)}, strict=False)
        whole = model.load_state_dict(model.state_dict())
        return [loose.missing_keys, loose.unexpected_keys, repr(whole)]

    agree(run)


def test_moving_average_of_weights():
    def run(t, nn):
        weight = t.asarray(ARRAY.copy())
        average, other = t.zeros_like(weight), t.zeros_like(weight)
        state = {"weight": t.zeros_like(weight)}
        for _ in range(3):
            weight.mul_(1.5)
            average.mul_(0.75).add_(weight, alpha=0.25)
            other.sub_(weight, alpha=2)
            state["weight"].lerp_(weight, 0.5)
        return [np.asarray(x) for x in (average, other, state["weight"], weight.t())]

    for ours, theirs in zip(run(mp, mp.nn), run(torch, torch.nn), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


LOSSES = {
    "mean": {},
    "sum": {"reduction": "sum"},
    "each": {"reduction": "none"},
    "smoothed": {"label_smoothing": 0.2},
    "ignoring": {"ignore_index": 1},
    "weighted": {"weight": np.array([0.5, 2.0, 1.0, 0.1])},
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_gradients_of_cross_entropy(name):
    """What a gradient penalty needs, and the order after it."""
    values = ARRAY.astype(np.float64)

    def run(t, grad):
        x = t.asarray(values.copy()).requires_grad_()
        options = {
            key: t.asarray(value) if key == "weight" else value
            for key, value in LOSSES[name].items()
        }
        loss = t.nn.functional.cross_entropy(x, t.asarray([0, 1, 2, 3, 1, 0]), **options).sum()
        (first,) = grad(loss, [x], create_graph=True)
        (second,) = grad((first**3).sum(), [x], create_graph=True)
        (third,) = grad((second**2).sum(), [x])
        return [np.asarray(g.detach()) for g in (first, second, third)]

    for ours, theirs in zip(run(mp, mp.grad), run(torch, torch.autograd.grad), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_gradients_of_gradients_of_norms(name, affine):
    values = ARRAY.astype(np.float64)

    def run(t, grad):
        x = t.asarray(values.copy()).requires_grad_()
        weight = t.asarray(values[0].copy()).requires_grad_()
        bias = t.asarray(values[1].copy()).requires_grad_()
        parameters = {"layer_norm": [weight, bias], "rms_norm": [weight]}[name] if affine else []
        wanted = [x, *parameters]
        y = getattr(t.nn.functional, name)(x, (4,), *parameters, eps=1e-3)
        firsts = grad((y**3).sum(), wanted, create_graph=True)
        seconds = grad(sum((g**2).sum() for g in firsts), wanted)
        return [np.asarray(g.detach()) for g in (*firsts, *seconds)]

    for ours, theirs in zip(run(mp, mp.grad), run(torch, torch.autograd.grad), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
