"""Ops, views, conversions, errors and files: nothing may stay behind."""

from __future__ import annotations

import contextlib
import copy

import numpy as np
from leaks import check

import mixprec as mp

X = mp.array(np.arange(64, dtype=np.float32).reshape(8, 8))
HALF = X.astype("float16")
SOURCE = np.arange(64, dtype=np.float32)


def operators():
    y = (X + HALF) * 2.0 - X / 3.0
    y += X
    y[1:, ::2] = 0.0
    return (y > 1.0).sum(), y.max(1), -y[2], y.T.reshape(-1)


def functions():
    mp.exp(X)
    mp.softmax(X, 1)
    mp.concatenate([X, HALF])
    mp.where(X > 3.0, X, 0.0)
    return X @ HALF


def creation():
    mp.zeros((4, 4), dtype="bfloat16")
    mp.arange(10)
    mp.array([[1.0, 2.0], [3.0, 4.0]])
    return mp.random.randn(3, 3)


def values():
    t = X.sum()
    u = t * 2.0 - t / 3
    u += 1
    counts = {u: 1, t: 2}
    listed = mp.array([t, u, 1.0])
    w = mp.ones(2, requires_grad=True)
    mp.array([w.sum(), u]).sum().backward()
    return counts, listed, t > u, divmod(u, 2), round(u, 1), float(u)


def ufuncs():
    out = mp.zeros((8, 8))
    mp.add(X, 1, out=out, where=X > 3)
    mp.add.reduce(X, axis=None)
    mp.maximum.accumulate(X[:2], 1)
    mp.subtract.outer(X[0], X[1])
    mp.add.at(out, [0, 0], 1.0)
    for wrong in (lambda: mp.add(X, "a"), lambda: mp.add(X, X, out=X[0]), lambda: X.reshape(7)):
        with contextlib.suppress(ValueError, TypeError):
            wrong()
    return X.reshape(-1).T, X.flags, X.flat[1], X.view(mp.int32)


def exchange():
    shared = mp.from_numpy(SOURCE)
    shared.numpy()
    np.asarray(shared)
    memoryview(shared).release()
    np.from_dlpack(shared)
    copy.deepcopy(shared)
    shared.tolist()
    return repr(shared), shared[3].item()


def errors():
    for wrong in (
        lambda: X + mp.zeros((3,)),
        lambda: mp.matmul(X, mp.zeros((3, 3))),
        lambda: X[100],
        lambda: mp.zeros((2,), dtype="float8_e5m2") + X,
        lambda: mp.array([object()]),
        lambda: X.astype("nothing"),
        lambda: mp.zeros((2,), device="tpu"),
    ):
        with contextlib.suppress(ValueError, TypeError, IndexError, RuntimeError):
            wrong()
            raise AssertionError("no error")


for work in (operators, functions, creation, values, ufuncs, exchange, errors):
    check(f"leak_ops {work.__name__}", work, 10_000)
