"""Fused rows against the ops that they stand for."""

import numpy as np
import pytest

import mixprec as mp
from helpers import host, to_device
from mixprec.nn import functional as F
from refs import dtype_of, tolerance

NARROW = ("float16", "bfloat16")
FUSED = {"add_layer_norm": "layer_norm"}


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
