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


for work in (operators, functions, creation, exchange, errors):
    check(f"leak_ops {work.__name__}", work, 10_000)
