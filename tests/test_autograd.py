"""Autograd: backward and its refusals, hooks, double backward, Function, in-place writes."""

import gc
import weakref

import numpy as np
import pytest

import mixprec as mp
from helpers import run_python


def leaf(*values, dtype=mp.float32):
    return mp.array(values[0] if len(values) == 1 else list(values), dtype=dtype).requires_grad_()


def test_simple_backward():
    x, y = leaf(1.0, 2.0, 3.0), leaf(4.0, 5.0, 6.0)
    z = (x * y + x).sum()
    assert z.requires_grad
    assert not z.is_leaf
    assert x.is_leaf
    assert isinstance(z.grad_fn, str)
    assert x.grad_fn is None
    z.backward()
    assert x.grad.tolist() == [5, 6, 7]
    assert y.grad.tolist() == [1, 2, 3]


def test_gradients_accumulate():
    x = leaf(2.0)
    for want in (4.0, 8.0):
        (x * x).backward()
        assert x.grad.item() == want
    x.grad = None
    assert x.grad is None
    x.grad = mp.array(1.0)
    (x * 3).backward()
    assert x.grad.item() == 4


def test_gradient_has_the_dtype_of_its_leaf():
    for dtype in (mp.float16, mp.bfloat16, mp.float32, mp.float64):
        x = leaf(1.0, 2.0, dtype=dtype)
        (x.float() * 2).sum().backward()
        assert x.grad.dtype == x.dtype
        assert x.grad.tolist() == [2, 2]


def test_contributions_are_summed_in_float32():
    """512 contributions of 1: in bfloat16 their sum would stop at 256."""
    x = leaf(1.0, dtype=mp.bfloat16)
    total = sum((x * 1.0 for _ in range(512)), start=mp.array(0.0))
    total.backward()
    assert x.grad.item() == 512


def test_gradient_argument():
    x = leaf(1.0, 2.0)
    y = x * 3
    y.backward(mp.array([1.0, 10.0]))
    assert x.grad.tolist() == [3, 30]
    with pytest.raises(RuntimeError, match="backward"):
        (x * 2).backward()
    with pytest.raises(ValueError):
        (x * 2).backward(mp.ones(3))
    assert x.grad.tolist() == [3, 30]


def test_backward_twice():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8
    with pytest.raises(RuntimeError, match=r"twice|second|again|freed"):
        y.backward()
    assert x.grad.item() == 8


def test_backward_of_no_graph():
    with pytest.raises(RuntimeError):
        mp.array(1.0).backward()


def test_diamond_and_reuse():
    x = leaf(3.0)
    a = x * 2
    b = a * a + a + x
    b.backward()
    assert x.grad.item() == 2 * (2 * 6 + 1) + 1


def test_grad_function():
    x, y = leaf(2.0), leaf(3.0)
    z = x * x * y
    gx, gy = mp.grad(z, [x, y], retain_graph=True)
    assert (gx.item(), gy.item()) == (12, 4)
    assert x.grad is None
    assert y.grad is None
    middle = x * 5
    (g,) = mp.grad(middle * 2 + x, [middle])
    assert g.item() == 2
    gs = mp.grad([x * 2, y * 3], [x, y], [mp.array(1.0), mp.array(2.0)])
    assert [g.item() for g in gs] == [2, 6]
    with pytest.raises(RuntimeError):
        mp.grad(x * 2, [y])
    assert mp.grad(x * 2, [x, y], allow_unused=True)[1] is None


def test_backward_inputs():
    x, y = leaf(2.0), leaf(3.0)
    (x * y).backward(inputs=[x])
    assert x.grad.item() == 3
    assert y.grad is None


def test_modes():
    x = leaf(1.0)
    with mp.no_grad():
        assert not (x * 2).requires_grad
        with mp.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    with mp.inference_mode():
        y = x * 2
        assert not y.requires_grad
        with mp.enable_grad():
            assert not (x * 2).requires_grad

    @mp.no_grad()
    def f():
        return x * 2

    assert not f().requires_grad
    assert (x * 2).requires_grad
    with pytest.raises(KeyError), mp.no_grad():
        raise KeyError
    assert (x * 2).requires_grad
    with mp.no_grad():
        x += 1
    assert x.item() == 2
    assert x.requires_grad


def test_bare_decorators():
    x = leaf(1.0)

    @mp.no_grad
    def off():
        """Documented."""
        return x * 2

    @mp.enable_grad
    def on():
        return x * 2

    @mp.inference_mode
    def inference():
        return x * 2

    assert not off().requires_grad
    assert off.__doc__ == "Documented."
    assert not inference().requires_grad
    with mp.no_grad():
        assert on().requires_grad
    with pytest.raises(TypeError):
        mp.no_grad(5)


def test_detach():
    x = leaf(1.0, 2.0)
    d = (x * 2).detach()
    assert not d.requires_grad
    assert d.grad_fn is None
    shared = x.detach()
    shared[0] = 5
    assert x[0].item() == 5
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [5, 2]


def test_requires_grad_rules():
    with pytest.raises(TypeError):
        mp.array([1, 2]).requires_grad_()
    y = leaf(1.0) * 2
    with pytest.raises(RuntimeError):
        y.requires_grad_(False)
    x = mp.array(1.0)
    x.requires_grad = True
    assert x.requires_grad
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        x.grad = mp.ones(3)
    assert x.grad is None


def test_retain_grad():
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    (y * y).backward()
    assert y.grad.item() == 12
    assert x.grad.item() == 36


# ---- hooks ----


def test_hook_sees_and_replaces():
    x = leaf(2.0)
    seen = []
    y = x * 3
    y.register_hook(lambda g: seen.append(g.item()))
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: seen.append(g.item()))
    (y * 2).backward()
    assert seen == [2, 60]
    assert x.grad.item() == 60


def test_hook_removal():
    x = leaf(2.0)
    handle = x.register_hook(lambda g: g * 100)
    handle.remove()
    handle.remove()
    (x * 1).backward()
    assert x.grad.item() == 1


def test_failing_hook_keeps_its_error():
    x = leaf(2.0)
    y = x * 3

    def fail(g):
        raise LookupError("mine")

    y.register_hook(fail)
    with pytest.raises(LookupError, match="mine"):
        y.backward()
    assert x.grad is None
    with pytest.raises((RuntimeError, TypeError)):
        mp.array(1.0).register_hook(fail)


def test_hook_is_released():
    class Token:
        pass

    token = Token()
    alive = weakref.ref(token)
    y = leaf(1.0) * 2
    y.register_hook(lambda g, token=token: None)
    del token
    assert alive() is not None
    del y
    gc.collect()
    assert alive() is None


# ---- double backward ----


def test_double_backward():
    x = leaf(2.0, dtype=mp.float64)
    (g,) = mp.grad(x**3, [x], create_graph=True)
    assert g.item() == pytest.approx(12)
    (h,) = mp.grad(g, [x], create_graph=True)
    assert h.item() == pytest.approx(12)
    (i,) = mp.grad(h, [x])
    assert i.item() == pytest.approx(6)


def test_gradient_penalty():
    rng = np.random.default_rng(0)
    w = mp.array(rng.normal(size=(4, 3))).requires_grad_()
    x = mp.array(rng.normal(size=(5, 3))).requires_grad_()

    def penalty(w):
        y = mp.tanh(mp.nn.functional.linear(x, w)).sum()
        (g,) = mp.grad(y, [x], create_graph=True)
        return (g * g).sum()

    assert mp.testing.gradcheck(penalty, [w])


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "silu", "softmax", "log_softmax", "exp"])
def test_second_derivatives(name):
    f = getattr(mp.nn.functional, name, None) or getattr(mp, name)
    x = mp.array(np.linspace(-1, 1, 5)).requires_grad_()
    weights = mp.array(np.arange(5.0))

    def first(x):
        y = f(x, -1) if "softmax" in name else f(x)
        (g,) = mp.grad((y * weights).sum(), [x], create_graph=True)
        return g

    assert mp.testing.gradcheck(first, [x])


def test_missing_second_derivative_is_an_error():
    """A backward row without a gradient rule: that is said at backward, never a silent None."""
    x = leaf(1.0, 2.0, 4.0)
    loss = mp.nn.functional.binary_cross_entropy_with_logits(x, mp.ones(3))
    (g,) = mp.grad(loss, [x], create_graph=True)
    with pytest.raises(NotImplementedError, match="binary_cross_entropy_with_logits_bwd has no"):
        g[0].backward()


def test_third_derivatives_of_layer_norm():
    """Rules of rules: what create_graph records can be differentiated again."""

    def second(x):
        y = mp.nn.functional.layer_norm(x, (4,), eps=1e-3)
        (g,) = mp.grad((y**3).sum(), [x], create_graph=True)
        (h,) = mp.grad((g**2).sum(), [x], create_graph=True)
        return h

    x = mp.array([[0.5, -1.0, 2.0, 0.25], [1.0, 0.0, -0.5, 3.0]], dtype=mp.float64)
    assert mp.testing.gradcheck(second, [x.requires_grad_()])


# ---- in-place writes ----


def test_modified_saved_input():
    x = leaf(1.0, 2.0)
    w = mp.array([3.0, 4.0])
    y = (x * w).sum()
    w += 1
    with pytest.raises(RuntimeError, match="mul"):
        y.backward()
    assert x.grad is None


def test_modified_saved_output():
    x = leaf(1.0, 2.0)
    y = mp.tanh(x)
    z = y.sum()
    with mp.no_grad():
        y += 1
    with pytest.raises(RuntimeError, match="tanh"):
        z.backward()


def test_unneeded_inputs_may_be_modified():
    x = mp.array([1.0, 2.0])
    w = leaf(3.0, 4.0)
    y = (x + w).sum()
    x += 1
    y.backward()
    assert w.grad.tolist() == [1, 1]


def test_leaf_refuses_writes():
    x = leaf(1.0, 2.0)
    for write in (lambda: x.fill_(0), lambda: x.add_(1), lambda: x[:1].zero_()):
        with pytest.raises(RuntimeError):
            write()
    with pytest.raises(RuntimeError):
        x[0] = 5
    assert x.tolist() == [1, 2]
    with mp.no_grad():
        x[0] = 5
    assert x.tolist() == [5, 2]


def test_recorded_write():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    y += 1
    y *= x
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 4 * x.detach().numpy() + 1)


def test_recorded_write_of_a_view():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    y[1:] *= x[1:]
    y[0] = 7
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0, 8, 12])


def test_write_of_what_its_own_value_keeps():
    """The product keeps y[1:], which its result then overwrites."""
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    y[1:] = y[1:] * x[1:]
    with pytest.raises(RuntimeError, match="mul keeps was modified"):
        y.sum().backward()
    assert x.grad is None


def test_write_of_values_with_a_graph():
    x = leaf(1.0, 2.0)
    y = mp.zeros(4)
    y[1:3] = x * 3
    assert y.requires_grad
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [18, 36])


def test_write_through_a_view_changes_the_base():
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = x * 1
    v = y.reshape(2, 2)[1]
    v *= 10
    assert y.tolist() == [1, 2, 30, 40]
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 10, 10]


def test_older_views_raise():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    old = y[:2]
    y += 1
    with pytest.raises(RuntimeError):
        old * 2
    assert (y[:2] * 2).sum().item() == 16


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "l1_loss"])
def test_zero_second_gradients(name):
    """Steps have a second gradient of zero, not none."""
    f = getattr(mp.nn.functional, name)
    x, other = leaf(-1.0, 2.0), mp.array([0.5, 0.5])
    y = f(x, other) if name == "l1_loss" else f(x)
    (g,) = mp.grad(y.sum(), [x], create_graph=True)
    (h,) = mp.grad(g.sum(), [x])
    assert h.tolist() == [0, 0]


def test_write_to_an_expanded_array():
    x = mp.broadcast_to(mp.zeros((1, 3)), (2, 3))
    with pytest.raises((RuntimeError, ValueError)):
        x += 1


# ---- Function ----


class Cube(mp.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x * x * x * factor

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x * ctx.factor, None


def test_function():
    x = leaf(2.0, 3.0)
    y = Cube.apply(x, 2)
    assert y.requires_grad
    assert "Cube" in y.grad_fn
    y.sum().backward()
    assert x.grad.tolist() == [24, 54]
    with mp.no_grad():
        assert not Cube.apply(x, 2).requires_grad


def test_function_of_several_outputs():
    class Split(mp.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y, x * 2

        @staticmethod
        def backward(ctx, ga, gb):
            a = ga if ga is not None else mp.array(0.0)
            b = gb if gb is not None else mp.array(0.0)
            return a + 2 * b, a

    x, y = leaf(1.0), leaf(2.0)
    a, b = Split.apply(x, y)
    (a * 3 + b).backward()
    assert (x.grad.item(), y.grad.item()) == (5, 3)
    x.grad = None
    Split.apply(x, y)[1].backward()
    assert x.grad.item() == 2


def test_function_frees_what_it_saved():
    held, _ = mp._core.memory_stats("cpu")
    x = leaf(2.0, 3.0)
    y = Cube.apply(x * mp.ones((50_000, 2)), 1).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [2 * 50_000 * 12, 2 * 50_000 * 27]
    assert mp._core.memory_stats("cpu")[0] - held < 100_000
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        y.backward()


def test_function_without_saved_arrays_runs_again():
    class Double(mp.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf(1.0)
    y = Double.apply(x)
    y.backward()
    y.backward()
    assert x.grad.item() == 4


def test_function_that_lacks_a_method():
    class Half(mp.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x / 2

    class Nothing(mp.autograd.Function):
        pass

    x = leaf(1.0)
    with pytest.raises(NotImplementedError, match="Half: backward"):
        Half.apply(x).backward()
    with pytest.raises(NotImplementedError, match="Nothing: forward"):
        Nothing.apply(x)


def test_function_double_backward():
    x = leaf(2.0, dtype=mp.float64)
    (g,) = mp.grad(Cube.apply(x, 1), [x], create_graph=True)
    (h,) = mp.grad(g, [x])
    assert h.item() == pytest.approx(12)


def test_function_errors():
    class Wrong(mp.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise LookupError("mine")

    x = leaf(1.0)
    with pytest.raises(LookupError, match="mine"):
        Wrong.apply(x).backward()

    class Shapes(Wrong):
        @staticmethod
        def backward(ctx, g):
            return mp.ones(7)

    with pytest.raises((ValueError, RuntimeError)):
        Shapes.apply(leaf(1.0, 2.0)).sum().backward()

    class Count(Wrong):
        @staticmethod
        def backward(ctx, g):
            return g, g

    with pytest.raises((ValueError, RuntimeError, TypeError)):
        Count.apply(x).backward()
    assert x.grad is None


def test_custom_fwd_and_bwd():
    class Square(mp.autograd.Function):
        @staticmethod
        @mp.amp.custom_fwd(device_type="cpu", cast_inputs=mp.float32)
        def forward(ctx, x):
            ctx.save_for_backward(x)
            assert x.dtype == np.float32
            return x * x

        @staticmethod
        @mp.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x

    x = leaf(300.0, dtype=mp.float16)
    with mp.autocast("cpu", mp.float16):
        y = Square.apply(x)
    assert y.dtype == np.float32
    assert y.item() == 90000
    y.backward()
    assert x.grad.dtype == np.float16
    assert x.grad.item() == 600


# ---- lifetime and depth ----


def test_long_chain():
    """300,000 nodes: recording, backward and release are iterative."""
    out = run_python(
        "import mixprec as mp\n"
        "x = mp.array(1.0).requires_grad_()\n"
        "y = x\n"
        "for _ in range(300_000): y = y + 0.0\n"
        "y.backward()\n"
        "print(x.grad.item())\n"
        "y = x\n"
        "for _ in range(300_000): y = y * 1.0\n"
        "del y\n"
        "print('released')\n"
    )
    assert out.split() == ["1.0", "released"]


def test_graph_is_released_without_gc():
    gc.disable()
    try:
        held, _ = mp._core.memory_stats("cpu")
        x = mp.ones(100_000).requires_grad_()
        y = mp.tanh(mp.tanh(x)).sum()
        y.backward()
        del x, y
        assert mp._core.memory_stats("cpu")[0] == held
    finally:
        gc.enable()


def test_activations_go_after_backward():
    x = mp.ones(100_000).requires_grad_()
    held, _ = mp._core.memory_stats("cpu")
    y = mp.tanh(mp.tanh(mp.tanh(x))).sum()
    assert mp._core.memory_stats("cpu")[0] - held >= 3 * x.nbytes
    y.backward()
    assert mp._core.memory_stats("cpu")[0] - held < 2 * x.nbytes


def test_relu_keeps_one_array():
    """ReLU and dropout keep no input besides what is already kept."""
    x = mp.ones(100_000).requires_grad_()
    held, _ = mp._core.memory_stats("cpu")
    y = mp.nn.functional.dropout(mp.nn.functional.relu(x), 0.5)
    assert mp._core.memory_stats("cpu")[0] - held < 2.1 * x.nbytes
    y.sum().backward()


def test_gradcheck_finds_a_wrong_gradient():
    class Wrong(mp.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    x = mp.array(np.ones(3)).requires_grad_()
    assert mp.testing.gradcheck(lambda x: x * 2, [x])
    with pytest.raises(AssertionError):
        mp.testing.gradcheck(Wrong.apply, [x])
