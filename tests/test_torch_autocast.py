"""The dtype of every op under the presets "torch" and "torch-cuda", against PyTorch itself.

PyTorch's CPU build answers for CUDA as well: fake CUDA tensors go through its CUDA lists.
"""

import contextlib

import numpy as np
import pytest

import mixprec as mp

torch = pytest.importorskip("torch", reason="PyTorch is the oracle: pip install 'mixprec[oracle]'")
pytestmark = pytest.mark.oracle

SHAPE = (4, 4)
INDEX = [0, 1, 2, 3]


def row(t, x):
    """x[1]. PyTorch's subscripts ask the driver, even for fake tensors."""
    return t.select(x, 0, 1) if t is torch else x[1]


# Each op as a function of a library `t`, its nn.functional `F`, an index array and inputs.
ONE = {
    "neg": lambda t, F, i, x: -x,
    "abs": lambda t, F, i, x: t.abs(x),
    "sign": lambda t, F, i, x: t.sign(x),
    "exp": lambda t, F, i, x: t.exp(x),
    "log": lambda t, F, i, x: t.log(x),
    "sqrt": lambda t, F, i, x: t.sqrt(x),
    "sin": lambda t, F, i, x: t.sin(x),
    "cos": lambda t, F, i, x: t.cos(x),
    "tan": lambda t, F, i, x: t.tan(x),
    "asin": lambda t, F, i, x: t.asin(x),
    "acos": lambda t, F, i, x: t.acos(x),
    "atan": lambda t, F, i, x: t.atan(x),
    "sinh": lambda t, F, i, x: t.sinh(x),
    "cosh": lambda t, F, i, x: t.cosh(x),
    "asinh": lambda t, F, i, x: t.asinh(x),
    "acosh": lambda t, F, i, x: t.acosh(x),
    "atanh": lambda t, F, i, x: t.atanh(x),
    "exp2": lambda t, F, i, x: t.exp2(x),
    "expm1": lambda t, F, i, x: t.expm1(x),
    "log1p": lambda t, F, i, x: t.log1p(x),
    "log2": lambda t, F, i, x: t.log2(x),
    "log10": lambda t, F, i, x: t.log10(x),
    "erf": lambda t, F, i, x: t.erf(x),
    "floor": lambda t, F, i, x: t.floor(x),
    "ceil": lambda t, F, i, x: t.ceil(x),
    "trunc": lambda t, F, i, x: t.trunc(x),
    "round": lambda t, F, i, x: t.round(x),
    "positive": lambda t, F, i, x: t.positive(x),
    "isnan": lambda t, F, i, x: t.isnan(x),
    "isinf": lambda t, F, i, x: t.isinf(x),
    "isfinite": lambda t, F, i, x: t.isfinite(x),
    "signbit": lambda t, F, i, x: t.signbit(x),
    "logical_not": lambda t, F, i, x: t.logical_not(x),
    "rsqrt": lambda t, F, i, x: t.rsqrt(x),
    "tanh": lambda t, F, i, x: t.tanh(x),
    "sigmoid": lambda t, F, i, x: t.sigmoid(x),
    "relu": lambda t, F, i, x: F.relu(x),
    "leaky_relu": lambda t, F, i, x: F.leaky_relu(x, 0.1),
    "gelu": lambda t, F, i, x: F.gelu(x),
    "gelu tanh": lambda t, F, i, x: F.gelu(x, approximate="tanh"),
    "silu": lambda t, F, i, x: F.silu(x),
    "softplus": lambda t, F, i, x: F.softplus(x),
    "pow 2": lambda t, F, i, x: x**2,
    "pow method": lambda t, F, i, x: x.pow(3),
    "rpow": lambda t, F, i, x: 2**x,
    "rdiv": lambda t, F, i, x: 2.5 / x,
    "reciprocal": lambda t, F, i, x: t.reciprocal(x),
    "add scalar": lambda t, F, i, x: x + 1.5,
    "clone": lambda t, F, i, x: x.clone() if hasattr(x, "clone") else x.copy(),
    "reshape": lambda t, F, i, x: x.reshape(16),
    "permute": lambda t, F, i, x: x.permute(1, 0),
    "transpose": lambda t, F, i, x: x.T,
    "slice": lambda t, F, i, x: row(t, x),
    "pad": lambda t, F, i, x: F.pad(x, (1, 1)),
    "sum": lambda t, F, i, x: x.sum(),
    "prod": lambda t, F, i, x: t.prod(x),
    "logsumexp": lambda t, F, i, x: t.logsumexp(x, 0),
    "cumsum": lambda t, F, i, x: t.cumsum(x, 0),
    "cumprod": lambda t, F, i, x: t.cumprod(x, 0),
    "sort": lambda t, F, i, x: t.sort(x)[0] if t is torch else t.sort(x),
    "topk": lambda t, F, i, x: t.topk(x, 2)[0],
    "sum of rows": lambda t, F, i, x: t.sum(x, 1),
    "mean": lambda t, F, i, x: x.mean(),
    "var": lambda t, F, i, x: x.var(),
    "max": lambda t, F, i, x: x.max(),
    "min": lambda t, F, i, x: x.min(),
    "argmax": lambda t, F, i, x: x.argmax(),
    "softmax": lambda t, F, i, x: F.softmax(x, -1),
    "log_softmax": lambda t, F, i, x: F.log_softmax(x, -1),
    "layer_norm": lambda t, F, i, x: F.layer_norm(x, (4,)),
    "rms_norm": lambda t, F, i, x: F.rms_norm(x, (4,)),
    "cross_entropy": lambda t, F, i, x: F.cross_entropy(x, i),
    "cross_entropy, smoothed": lambda t, F, i, x: F.cross_entropy(x, i, label_smoothing=0.1),
    "nll_loss": lambda t, F, i, x: F.nll_loss(x, i),
    "dropout": lambda t, F, i, x: F.dropout(x, 0.5, True),
    "square": lambda t, F, i, x: t.square(x),
    "clamp": lambda t, F, i, x: t.clamp(x, -1, 1),
    "amax": lambda t, F, i, x: t.amax(x, 1),
    "std": lambda t, F, i, x: x.std(),
    "flatten": lambda t, F, i, x: x.flatten(),
    "unsqueeze": lambda t, F, i, x: t.unsqueeze(x, 0),
    "broadcast_to": lambda t, F, i, x: t.broadcast_to(x, (2, 4, 4)),
    "split": lambda t, F, i, x: t.split(x, 2)[0],
    "nll_loss of log_softmax": lambda t, F, i, x: F.nll_loss(F.log_softmax(x, -1), i),
    "embedding": lambda t, F, i, x: F.embedding(i, x),
    "index_select": lambda t, F, i, x: t.index_select(x, 0, i),
}
TWO = {
    "add": lambda t, F, i, x, y: x + y,
    "sub": lambda t, F, i, x, y: x - y,
    "mul": lambda t, F, i, x, y: x * y,
    "div": lambda t, F, i, x, y: x / y,
    "pow": lambda t, F, i, x, y: x**y,
    "maximum": lambda t, F, i, x, y: t.maximum(x, y),
    "minimum": lambda t, F, i, x, y: t.minimum(x, y),
    "equal": lambda t, F, i, x, y: x == y,
    "floor_divide": lambda t, F, i, x, y: t.floor_divide(x, y),
    "remainder": lambda t, F, i, x, y: t.remainder(x, y),
    "fmod": lambda t, F, i, x, y: t.fmod(x, y),
    "atan2": lambda t, F, i, x, y: t.atan2(x, y),
    "hypot": lambda t, F, i, x, y: t.hypot(x, y),
    "copysign": lambda t, F, i, x, y: t.copysign(x, y),
    "logaddexp": lambda t, F, i, x, y: t.logaddexp(x, y),
    "fmax": lambda t, F, i, x, y: t.fmax(x, y),
    "fmin": lambda t, F, i, x, y: t.fmin(x, y),
    "logical_and": lambda t, F, i, x, y: t.logical_and(x, y),
    "logical_or": lambda t, F, i, x, y: t.logical_or(x, y),
    "logical_xor": lambda t, F, i, x, y: t.logical_xor(x, y),
    "less": lambda t, F, i, x, y: x < y,
    "where": lambda t, F, i, x, y: t.where(x > 0, x, y),
    "cat": lambda t, F, i, x, y: t.cat([x, y]),
    "stack": lambda t, F, i, x, y: t.stack([x, y]),
    "matmul": lambda t, F, i, x, y: t.matmul(x, y),
    "mm": lambda t, F, i, x, y: t.mm(x, y),
    "@": lambda t, F, i, x, y: x @ y,
    "linear": lambda t, F, i, x, y: F.linear(x, y),
    "linear with bias": lambda t, F, i, x, y: F.linear(x, y, row(t, y)),
    "bmm": lambda t, F, i, x, y: t.bmm(x.reshape(1, 4, 4), y.reshape(1, 4, 4)),
    "layer_norm with weight": lambda t, F, i, x, y: F.layer_norm(x, (4, 4), y, y),
    "rms_norm with weight": lambda t, F, i, x, y: F.rms_norm(x, (4, 4), y),
    "mse_loss": lambda t, F, i, x, y: F.mse_loss(x, y),
    "l1_loss": lambda t, F, i, x, y: F.l1_loss(x, y),
    "smooth_l1_loss": lambda t, F, i, x, y: F.smooth_l1_loss(x, y),
    "huber_loss": lambda t, F, i, x, y: F.huber_loss(x, y),
    "cross_entropy, probabilities": lambda t, F, i, x, y: F.cross_entropy(x, y),
    "bce": lambda t, F, i, x, y: F.binary_cross_entropy_with_logits(x, y),
}
# What PyTorch's own kernels refuse, or its autocast.
REFUSED = {
    ("pow", "narrow, float32"),
    ("pow", "float32, narrow"),
    ("layer_norm with weight", "float32, narrow"),
}

INPUTS = {
    "float32": ("float32", "float32"),
    "narrow": ("narrow", "narrow"),
    "narrow, float32": ("narrow", "float32"),
    "float32, narrow": ("float32", "narrow"),
    "float64": ("float64", "float64"),
}
CASES = [
    (name, kind)
    for names, kinds in ((ONE, ("float32", "narrow", "float64")), (TWO, tuple(INPUTS)))
    for name in names
    for kind in kinds
    if (name, kind) not in REFUSED
]


@contextlib.contextmanager
def torch_region(kind, dtype):
    """PyTorch's autocast, entered without a check for a GPU."""
    before = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
    torch.set_autocast_enabled(kind, True)
    torch.set_autocast_dtype(kind, dtype)
    try:
        yield
    finally:
        torch.set_autocast_enabled(kind, before[0])
        torch.set_autocast_dtype(kind, before[1])
        torch.clear_autocast_cache()


def torch_dtype(call, names, kind, narrow):
    """The dtype of the op's result in PyTorch on that kind of device."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode() if kind == "cuda" else contextlib.nullcontext():
        dtypes = [getattr(torch, narrow if name == "narrow" else name) for name in names]
        inputs = [torch.ones(SHAPE, dtype=dtype, device=kind) for dtype in dtypes]
        index = torch.tensor(INDEX, device=kind)
        with torch_region(kind, getattr(torch, narrow)):
            return str(call(torch, torch.nn.functional, index, *inputs).dtype).split(".")[1]


def our_dtype(call, names, preset, narrow):
    inputs = [mp.ones(SHAPE, dtype=narrow if name == "narrow" else name) for name in names]
    with mp.autocast("cpu", narrow, preset=preset):
        return call(mp, mp.nn.functional, mp.array(INDEX), *inputs).dtype.name


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")  # PyTorch's
@pytest.mark.parametrize("narrow", ["bfloat16", "float16"])
@pytest.mark.parametrize(("preset", "kind"), [("torch", "cpu"), ("torch-cuda", "cuda")])
@pytest.mark.parametrize(("name", "inputs"), CASES, ids=lambda value: value)
def test_dtype(name, inputs, preset, kind, narrow):
    call = ONE.get(name) or TWO[name]
    names = INPUTS[inputs][: 1 if name in ONE else 2]
    assert our_dtype(call, names, preset, narrow) == torch_dtype(call, names, kind, narrow)


def test_values_of_a_layer_in_a_region():
    """Same inputs, same region: the same numbers to the last bits of bfloat16."""
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in ((5, 7), (3, 7), (3,)))
    with torch.autocast("cpu", torch.bfloat16):
        theirs = torch.nn.functional.linear(*map(torch.from_numpy, (x, w, b)))
        theirs = torch.nn.functional.mse_loss(theirs, torch.zeros(5, 3)).item()
    with mp.autocast("cpu", mp.bfloat16, preset="torch"):
        ours = mp.nn.functional.linear(mp.array(x), mp.array(w), mp.array(b))
        ours = mp.nn.functional.mse_loss(ours, mp.zeros((5, 3))).item()
    assert ours == pytest.approx(theirs, rel=2**-7)


def test_every_policy_that_differs_is_compared():
    """Rows whose policy is not plain KEEP in PyTorch's columns are among the cases above."""
    tables = []
    for preset in ("torch", "torch-cuda"):
        with mp.autocast("cpu", preset=preset):
            tables.append(mp.autocast_table())
    names = {name for table in tables for name, policy in table.items() if policy != "keep"}
    compared = {n.split(",")[0].split(" ")[0] for n in (*ONE, *TWO)}
    aliases = {
        "concatenate": "cat",
        "binary_cross_entropy_with_logits": "bce",
        "cross_entropy_soft": "cross_entropy",
        "add_layer_norm": "layer_norm",
        "scaled_masked_softmax": "softmax",
        "linear_gelu": "linear",
    }
    missing = {n for n in names if aliases.get(n, n) not in compared} - {"scale"}
    assert not missing
