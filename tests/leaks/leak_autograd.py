"""Graphs that are run, dropped, kept, hooked or failed: nothing may stay behind."""

from __future__ import annotations

import contextlib

import numpy as np
from leaks import check

import mixprec as mp
from mixprec import nn

RNG = np.random.default_rng(0)
X = mp.array(RNG.standard_normal((8, 16), dtype=np.float32))
W = mp.array(RNG.standard_normal((4, 16), dtype=np.float32)).requires_grad_()
LABELS = mp.array(RNG.integers(0, 4, 8))


def loss():
    return nn.functional.cross_entropy(nn.functional.linear(X, W), LABELS)


def backward():
    loss().backward()
    W.grad = None


def dropped_graph():
    loss()


def retained_graph():
    y = loss()
    y.backward(retain_graph=True)
    y.backward()
    W.grad = None


def double_backward():
    (g,) = mp.grad((W * W).sum(), [W], create_graph=True)
    mp.grad(g.sum(), [W])


def hooks():
    y = nn.functional.linear(X, W)
    handle = y.register_hook(lambda g: g * 2.0)
    leaf = W.register_hook(lambda g: None)
    y.sum().backward()
    handle.remove()
    leaf.remove()
    W.grad = None


def in_place():
    y = X @ W.T
    y += 1.0
    y[0] = 0.0
    y.sum().backward()
    W.grad = None


def autocast():
    with mp.autocast(dtype="float16"):
        y = loss()
    y.backward()
    W.grad = None


class Double(mp.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2.0

    @staticmethod
    def backward(ctx, gy):
        return gy * 2.0


class Fails(mp.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2.0

    @staticmethod
    def backward(ctx, gy):
        raise KeyError("on purpose")


def custom_function():
    Double.apply(W).sum().backward()
    W.grad = None


def failing_backward():
    with contextlib.suppress(KeyError):
        Fails.apply(W).sum().backward()
    W.grad = None


def backward_twice():
    y = loss()
    y.backward()
    with contextlib.suppress(RuntimeError):
        y.backward()
    W.grad = None


for work in (
    *(backward, dropped_graph, retained_graph, double_backward, hooks, in_place, autocast),
    *(custom_function, failing_backward, backward_twice),
):
    check(f"leak_autograd {work.__name__}", work, 10_000)
