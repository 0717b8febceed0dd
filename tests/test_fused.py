"""Fused rows against the ops that they stand for."""

import numpy as np
import pytest

import mixprec as mp
from dtypes import dtype_of, tolerance
from helpers import host, to_device
from mixprec.nn import functional as F

NARROW = ("float16", "bfloat16")
FUSED = {
    "add_layer_norm": "layer_norm",
    "scaled_masked_softmax": "softmax",
    "linear_gelu": "linear",
}


def draw(seed, *shape, dtype="float32", device="cpu"):
    values = np.random.default_rng(seed).uniform(-2, 2, shape).astype(dtype_of(dtype))
    return to_device(values, device).requires_grad_()


def near(got, want, units=4):
    """Equal but for the roundings of the steps that the fused op does not make."""
    got, want = host(got), host(want)
    assert got.dtype == want.dtype
    rtol, _ = tolerance(got.dtype)
    want = want.astype(np.float64)
    scale = np.abs(want).max(initial=1.0)
    np.testing.assert_allclose(got.astype(np.float64), want, units * rtol, units * rtol * scale)


def backward(outputs, inputs, seed=9):
    rng = np.random.default_rng(seed)
    grads = [
        to_device(rng.uniform(-1, 1, y.shape).astype(host(y).dtype), str(y.device)) for y in outputs
    ]
    return mp.grad(outputs, inputs, grads, allow_unused=True)


@pytest.mark.parametrize("preset", ["mixprec", "torch", "torch-cuda"])
@pytest.mark.parametrize(("fused", "last"), FUSED.items())
def test_policy_is_that_of_the_last_op(fused, last, preset):
    with mp.autocast("cpu", preset=preset):
        table = mp.autocast_table()
    assert table[fused] == table[last]


def add_then_norm(x, residual, weight, bias):
    h = x + residual
    return F.layer_norm(h, x.shape[-1], weight, bias), h


# Columns of the kernels for short and long rows, and of those that take any.
@pytest.mark.parametrize("columns", [1, 8, 33, 64, 768, 1000, 2048, 4096, 8192, 8200])
@pytest.mark.parametrize(
    "dtypes",
    [
        ("float32", "float32"),
        *((d, d) for d in NARROW),
        ("bfloat16", "float32"),
        ("float32", "float16"),
        ("float16", "bfloat16"),
        ("float64", "float64"),
    ],
    ids="-".join,
)
def test_add_layer_norm(dtypes, columns, device):
    rows = 5
    x, residual = (draw(i, rows, columns, dtype=d, device=device) for i, d in enumerate(dtypes))
    weight, bias = (draw(i, columns, device=device) for i in (2, 3))
    inputs = (x, residual, weight, bias)
    for used in ([0], [1], [0, 1]):
        fused = F.add_layer_norm(x, residual, columns, weight, bias)
        apart = add_then_norm(*inputs)
        near(fused[0], apart[0])
        assert host(fused[1]).tobytes() == host(apart[1]).tobytes()
        got = backward([fused[k] for k in used], inputs)
        want = backward([apart[k] for k in used], inputs)
        for g, w in zip(got, want, strict=True):
            assert (g is None) == (w is None)
            if g is not None:
                near(g, w, 32)


def test_add_layer_norm_of_many_rows(device):
    """More rows than blocks that run at once: each block has several, the last ones fewer."""
    for rows, columns in ((4099, 64), (1501, 1024)):
        x, residual = (draw(i, rows, columns, dtype="float16", device=device) for i in (0, 1))
        weight = draw(2, columns, device=device)
        got = F.add_layer_norm(x, residual, columns, weight)
        want = add_then_norm(x, residual, weight, None)
        for g, w in zip(got, want, strict=True):
            near(g, w)
        for g, w in zip(
            backward(got, (x, residual, weight)), backward(want, (x, residual, weight)), strict=True
        ):
            near(g, w, 64)


def test_add_layer_norm_twice_differentiable():
    x, residual, weight, bias = (draw(i, 3, 4) for i in range(4))
    weight, bias = weight[0], bias[0]

    def second(fused):
        both = (
            F.add_layer_norm(x, residual, 4, weight, bias)
            if fused
            else add_then_norm(x, residual, weight, bias)
        )
        total = (both[0] ** 3).sum() + (both[1] ** 3).sum()
        (gx,) = mp.grad([total], [x], create_graph=True)
        return mp.grad([(gx * gx).sum()], [x, residual])

    for g, w in zip(second(True), second(False), strict=True):
        near(g, w, 64)


def test_add_layer_norm_errors():
    x = mp.ones((2, 3))
    with pytest.raises(ValueError, match=r"add_layer_norm: residual has shape \(3,\), \(2, 3\)"):
        F.add_layer_norm(x, mp.ones(3), 3)
    with pytest.raises(TypeError, match="add_layer_norm: residual is int64"):
        F.add_layer_norm(x, mp.ones((2, 3), dtype="int64"), 3)
    with pytest.raises(ValueError, match=r"add_layer_norm: weight has shape \(2,\)"):
        F.add_layer_norm(x, x, 3, mp.ones(2))
    with pytest.raises(ValueError, match="add_layer_norm: x has shape"):
        F.add_layer_norm(x, x, 4)


# ---- scaled_masked_softmax ----


def mask_then_softmax(x, mask, scale, causal):
    """With a large negative number for -inf: every row keeps something."""
    x = x.astype("float32") * scale
    if mask is not None:
        x = mp.where(mask, x, -1e30) if mask.dtype == bool else x + mask
    if causal:
        keep = np.tri(*x.shape[-2:], dtype=bool)
        x = mp.where(mp.array(keep).to(x.device), x, -1e30)
    return F.softmax(x, -1)


MASKS = {
    "none": None,
    "rows": (2, 3, 9, None),
    "keys": (2, 1, 1, None),
    "matrix": (9, None),
    "queries": (9, 1),
}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", MASKS)
@pytest.mark.parametrize("kind", ["bool", "float32", "float16"])
@pytest.mark.parametrize("dtype", ["float32", *NARROW])
def test_scaled_masked_softmax(dtype, kind, shape, causal, device):
    for keys in (1, 7, 16, 64, 300, 1024, 2056):
        x = draw(0, 2, 3, 9, keys, dtype=dtype, device=device)
        mask = None
        if MASKS[shape]:
            values = np.random.default_rng(1).uniform(-2, 2, [n or keys for n in MASKS[shape]])
            values[..., 0] = 2.0
            mask = to_device(values > -1 if kind == "bool" else values.astype(kind), device)
        got = F.scaled_masked_softmax(x, mask, 0.25, causal)
        want = mask_then_softmax(x, mask, 0.25, causal)
        near(got, want.astype(dtype))
        (g,), (w,) = backward([got], [x]), backward([want.astype(dtype)], [x])
        near(g, w, 32)


def test_what_is_masked_does_not_count(device):
    x = np.array([[1.0, np.nan, 2.0], [np.inf, 1.0, 1.0], [0.0, 1.0, 2.0]], np.float32)
    keep = np.array([[True, False, True], [False, True, True], [False, False, False]])
    y = host(F.scaled_masked_softmax(to_device(x, device), to_device(keep, device)))
    first = np.exp(np.array([-1.0, 0.0])) / (1 + np.exp(-1.0))
    np.testing.assert_allclose(y, [[first[0], 0, first[1]], [0, 0.5, 0.5], [0, 0, 0]], 1e-6)
    nothing = np.full((1, 3), -np.inf, np.float32)
    for dtype in ("float32", "float64", *NARROW):
        rows = to_device(np.ones((4, 8), dtype_of(dtype)), device).requires_grad_()
        lost = to_device(np.full((1, 8), -np.inf, np.float32), device)
        y = F.scaled_masked_softmax(rows, lost)
        (g,) = backward([y], [rows])
        assert not host(y).any()
        assert not host(g).any()
    y = F.scaled_masked_softmax(to_device(x[2:], device), to_device(nothing, device))
    assert not host(y).any()


def test_scaled_masked_softmax_of_nan(device):
    """NaN that is not masked is everywhere in its row, as in softmax."""
    for n in (5, 8, 3000):
        x = np.zeros((2, n), np.float32)
        x[1, 0] = np.nan
        y = host(F.scaled_masked_softmax(to_device(x, device)))
        assert np.isfinite(y[0]).all()
        assert np.isnan(y[1]).all()


def test_scaled_masked_softmax_of_views(device):
    """Rows of x and of the mask are read where they lie."""
    x = draw(0, 3, 5, 2, 16, dtype="float16", device=device)
    mask = draw(1, 5, 1, 16, dtype="float16", device=device)
    for view in (
        lambda a: a.permute(1, 2, 0, 3),
        lambda a: a[:, ::2, :, ::2],
        lambda a: a[..., 1:],
        lambda a: a.permute(3, 2, 1, 0),
    ):
        got = F.scaled_masked_softmax(view(x), scale=2.0)
        near(got, F.softmax(view(x).astype("float32") * 2, -1).astype("float16"))
    wide = mp.broadcast_to(mask, (3, 5, 2, 16))
    near(F.scaled_masked_softmax(x, wide), F.scaled_masked_softmax(x, mask), 1)
    (g,) = backward([F.scaled_masked_softmax(x, mask)], [mask])
    (w,) = backward([F.softmax(x.astype("float32") + mask, -1).astype("float16")], [mask])
    near(g, w, 32)


def test_scaled_masked_softmax_errors():
    x = mp.ones((2, 3))
    with pytest.raises(TypeError, match="scaled_masked_softmax: mask is int64, bool"):
        F.scaled_masked_softmax(x, mp.ones((2, 3), dtype="int64"))
    with pytest.raises(ValueError, match=r"scaled_masked_softmax: mask of shape \(3, 2\)"):
        F.scaled_masked_softmax(x, mp.ones((3, 2)))
    with pytest.raises(ValueError, match=r"scaled_masked_softmax: x has 1 dim.* 2 are"):
        F.scaled_masked_softmax(mp.ones(3), causal=True)
    with pytest.raises(TypeError, match="scaled_masked_softmax: x is int64"):
        F.scaled_masked_softmax(mp.ones(3, dtype="int64"))


# ---- linear_gelu ----


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("shape", [(5,), (4, 7), (2, 33, 16), (700, 24)])
@pytest.mark.parametrize("columns", [1, 8, 31, 256, 520])
@pytest.mark.parametrize("dtype", ["float32", *NARROW])
def test_linear_gelu(dtype, columns, shape, approximate, device):
    x = draw(0, *shape, dtype=dtype, device=device)
    weight = draw(1, columns, shape[-1], dtype=dtype, device=device)
    bias = draw(2, columns, dtype=dtype, device=device)
    for inputs in ((x, weight, bias), (x, weight)):
        got = F.linear_gelu(*inputs, approximate=approximate)
        want = F.gelu(F.linear(*inputs), approximate)
        assert host(got).tobytes() == host(want).tobytes()
        for g, w in zip(backward([got], inputs), backward([want], inputs), strict=True):
            near(g, w, 16)


def test_linear_gelu_of_frozen_inputs():
    x, weight, bias = draw(0, 4, 3), draw(1, 5, 3), draw(2, 5)
    for wanted in ([x], [weight], [bias], [x, bias]):
        fixed = [i if any(i is w for w in wanted) else i.detach() for i in (x, weight, bias)]
        got = backward([F.linear_gelu(*fixed)], wanted)
        want = backward([F.gelu(F.linear(*fixed))], wanted)
        for g, w in zip(got, want, strict=True):
            near(g, w)


def test_linear_gelu_twice_differentiable():
    inputs = [draw(i, *shape) for i, shape in enumerate([(4, 3), (5, 3), (5,)])]

    def second(y):
        grads = mp.grad([(y**2).sum()], inputs, create_graph=True)
        return mp.grad([(g**2).sum() for g in grads], inputs, [mp.array(1.0)] * 3)

    for approximate in ("none", "tanh"):
        got = second(F.linear_gelu(*inputs, approximate=approximate))
        want = second(F.gelu(F.linear(*inputs), approximate))
        for g, w in zip(got, want, strict=True):
            near(g, w, 64)


def test_linear_gelu_errors():
    with pytest.raises(ValueError, match="linear_gelu: approximate is 'erf'"):
        F.linear_gelu(mp.ones((2, 3)), mp.ones((4, 3)), approximate="erf")
    with pytest.raises(ValueError, match="linear_gelu: x has 3 columns, weight has 2"):
        F.linear_gelu(mp.ones((2, 3)), mp.ones((4, 2)))
