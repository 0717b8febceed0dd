"""mp.autograd.Function beyond the plain case, and the grad modes as objects."""

import gc
import threading
import weakref

import numpy as np
import pytest

import mixprec as mp
from mixprec.autograd import Function


def leaf(*values):
    return mp.array(list(values), requires_grad=True)


class Exp(Function):
    """Saves its output."""

    @staticmethod
    def forward(ctx, x):
        y = mp.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


def test_saved_output():
    x = leaf(1.0, 2.0)
    y = Exp.apply(x)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp([1, 2]), rtol=1e-6)


def test_saved_output_makes_no_cycle():
    gc.disable()
    try:
        held = mp.memory_stats().held
        x = mp.ones(10_000, requires_grad=True)
        y = Exp.apply(x)
        z = y * 2
        del x, y, z
        assert mp.memory_stats().held == held
    finally:
        gc.enable()


def test_second_derivative_through_a_saved_output_is_refused():
    x = leaf(1.0)
    with pytest.raises(NotImplementedError, match="Exp"):
        mp.grad(Exp.apply(x), x, create_graph=True)


@pytest.mark.parametrize("which", ["input", "output"])
def test_modified_saved_array(which):
    class Mul(Function):
        @staticmethod
        def forward(ctx, x, w):
            y = x * w
            ctx.save_for_backward(w, y, None)
            return y

        @staticmethod
        def backward(ctx, g):
            w, _, nothing = ctx.saved_tensors
            assert nothing is None
            return g * w, None

    x, w = leaf(1.0, 2.0), mp.array([3.0, 4.0])
    y = Mul.apply(x, w)
    z = y.sum()
    with mp.no_grad():
        if which == "input":
            w += 1
        else:
            y += 1
    with pytest.raises(RuntimeError, match=r"Mul: .*modified"):
        z.backward()


def test_setup_context_and_attributes():
    class Scale(Function):
        @staticmethod
        def forward(x, factor):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            _, ctx.factor = inputs
            assert output.shape == (1,)

        @staticmethod
        def backward(ctx, g):
            assert ctx.needs_input_grad == (True, False)
            return g * ctx.factor, None

    x = leaf(2.0)
    Scale.apply(x, 5.0).backward()
    assert x.grad.tolist() == [5]


def test_non_differentiable_and_integer_outputs():
    class Parts(Function):
        @staticmethod
        def forward(ctx, x):
            y, mask, places = x * 2, x > 0, mp.arange(x.size)
            noise = mp.ones_like(x)
            ctx.mark_non_differentiable(noise)
            return y, noise, mask, places, "text"

        @staticmethod
        def backward(ctx, gy, gnoise, *rest):
            assert gnoise is None
            assert rest == (None, None, None)
            return gy * 2

    x = leaf(1.0, -1.0)
    y, noise, mask, places, text = Parts.apply(x)
    assert y.requires_grad
    assert not noise.requires_grad
    assert (mask.tolist(), places.tolist(), text) == ([True, False], [0, 1], "text")
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


@pytest.mark.parametrize("materialize", [True, False])
def test_missing_gradients(materialize):
    seen = []

    class Two(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, ga, gb):
            seen.append(None if ga is None else ga.tolist())
            return gb * 2

    x = leaf(1.0)
    Two.apply(x)[1].sum().backward()
    assert seen == [[0.0] if materialize else None]
    assert x.grad.tolist() == [2]


def test_returned_input():
    """Identity with a gradient of its own: the input keeps its place in the graph."""

    class Reverse(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return -g

    x = leaf(1.0)
    y = x * 3
    z = Reverse.apply(y)
    assert z is not y
    (z + y).backward()
    assert x.grad.tolist() == [0]


def test_gradient_is_summed_to_its_argument():
    class Add(Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, g):
            return g, g

    a, b = mp.ones((2, 3), requires_grad=True), mp.ones(3, requires_grad=True)
    Add.apply(a, b).sum().backward()
    assert (a.grad.shape, b.grad.tolist()) == ((2, 3), [2, 2, 2])


@pytest.mark.parametrize(
    ("result", "kind", "text"),
    [
        (lambda g: (g, g), ValueError, "2 gradients for 1"),
        (lambda g: (), ValueError, "0 gradients for 1"),
        (lambda g: mp.ones(7), ValueError, r"shape \(7,\)"),
        (lambda g: 1.0, TypeError, "is a float"),
    ],
)
def test_bad_gradients(result, kind, text):
    class Bad(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return result(g)

    with pytest.raises(kind, match=f"Bad.backward: .*{text}"):
        Bad.apply(leaf(1.0, 2.0)).sum().backward()


def test_trailing_none_is_accepted():
    class Extra(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2, None

    x = leaf(1.0)
    Extra.apply(x).backward()
    assert x.grad.tolist() == [2]


def test_context_is_released_after_backward():
    class Token:
        pass

    alive = []

    class Keep(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.token = Token()
            alive.append(weakref.ref(ctx.token))
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf(1.0)
    y = Keep.apply(x)
    assert alive[0]() is not None
    y.backward()
    del y
    gc.collect()
    assert alive[0]() is None


# ---- modes ----


def test_modes_are_reentrant_and_shared():
    w = leaf(1.0)
    mode = mp.no_grad()

    @mode
    def inner(depth):
        assert not (w * 2).requires_grad
        if depth:
            inner(depth - 1)
        assert not (w * 2).requires_grad

    with mode, mode:
        inner(3)
    assert (w * 2).requires_grad
    gate = threading.Barrier(2)
    failed = []

    def other():
        gate.wait()
        for _ in range(200):
            with mode:
                if (w * 2).requires_grad:
                    failed.append("inside")
            if not (w * 2).requires_grad:
                failed.append("outside")

    threads = [threading.Thread(target=other) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


def test_set_grad_enabled():
    w = leaf(1.0)
    mp.set_grad_enabled(False)
    assert not mp.is_grad_enabled()
    mp.set_grad_enabled(True)
    assert (w * 2).requires_grad
    with mp.set_grad_enabled(False):
        assert not (w * 2).requires_grad
    assert mp.is_grad_enabled()

    @mp.set_grad_enabled(False)
    def f():
        return w * 2

    assert mp.is_grad_enabled()
    assert not f().requires_grad
    assert mp.is_grad_enabled()


def test_inference_mode_can_be_left():
    w = leaf(1.0)
    with mp.inference_mode():
        assert mp.autograd.is_inference_mode_enabled()
        with mp.inference_mode(False):
            assert (w * 2).requires_grad
        assert not mp.is_grad_enabled()


def test_modes_refuse_what_they_cannot_decorate():
    def generator():
        yield 1

    with pytest.raises(TypeError, match="generator"):
        mp.no_grad()(generator)
    with pytest.raises(TypeError, match="not callable"):
        mp.no_grad()(3)


def test_grad_arguments():
    x, y = leaf(1.0), leaf(2.0)
    assert isinstance(mp.grad(x * y, x), tuple)
    with pytest.raises(RuntimeError, match="do not depend on input 0"):
        mp.grad(x * 2, y)
    with pytest.raises(RuntimeError, match="does not require grad"):
        mp.grad(x * 2, mp.ones(1))
    with pytest.raises(TypeError, match=r"outputs\[0\]"):
        mp.grad([1.0], x)
    with pytest.raises(ValueError, match="2 gradients for 1 outputs"):
        mp.grad(x * 2, x, [mp.ones(1), mp.ones(1)])
    mp.autograd.backward([x * 2, y * 3], [mp.ones(1), mp.ones(1)], inputs=[x])
    assert x.grad.tolist() == [2]
    assert y.grad is None
