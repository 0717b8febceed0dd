"""mp.data.batches: order, epochs, the prefetch thread's life, progress, errors."""

import gc
import itertools
import sys
import threading
import time

import numpy as np
import pytest

import mixprec as mp
from mixprec.data import batches


def threads():
    return [t for t in threading.enumerate() if t.name == "mixprec-batches"]


def rows(loader):
    return [b.tolist() for b in loader]


@pytest.mark.parametrize("prefetch", [0, 1, 2, 7])
def test_in_order(prefetch):
    x, y = np.arange(10, dtype=np.float32).reshape(5, 2), np.arange(5)
    loader = batches(x, y, batch_size=2, prefetch=prefetch)
    assert len(loader) == 3
    got = list(loader)
    assert all(isinstance(b, tuple) and isinstance(b[0], mp.ndarray) for b in got)
    assert [b[0].shape for b in got] == [(2, 2), (2, 2), (1, 2)]
    assert np.concatenate([b[1].numpy() for b in got]).tolist() == [0, 1, 2, 3, 4]
    assert got[0][0].dtype == np.float32
    assert got[0][1].dtype == np.int64
    assert not threads()


def test_one_array_comes_alone():
    assert rows(batches(np.arange(3), batch_size=2)) == [[0, 1], [2]]


def test_drop_last():
    loader = batches(np.arange(5), batch_size=2, drop_last=True)
    assert len(loader) == 2
    assert rows(loader) == [[0, 1], [2, 3]]
    assert len(batches(np.arange(1), batch_size=2, drop_last=True)) == 0
    assert rows(batches(np.zeros((0, 3)), batch_size=2)) == []


def test_shuffle_is_given_by_seed_and_epoch():
    make = lambda seed: batches(np.arange(50), batch_size=7, shuffle=True, seed=seed)  # noqa: E731
    a, b = make(3), make(3)
    first, second = rows(a), rows(a)
    assert [rows(b), rows(b)] == [first, second]
    assert first != second
    for epoch in (first, second):
        assert sorted(itertools.chain(*epoch)) == list(range(50))
    assert rows(make(4)) != first
    resumed = make(3)
    resumed.epoch = 1
    assert rows(resumed) == second
    assert resumed.epoch == 2


def test_pairs_stay_together():
    x = np.arange(40)
    for a, b in batches(x, x * 10, batch_size=6, shuffle=True, seed=0):
        assert (a * 10).tolist() == b.tolist()


def test_seed_from_the_generator():
    def order():
        mp.manual_seed(5)
        return rows(batches(np.arange(30), batch_size=30, shuffle=True))

    assert order() == order()
    mp.manual_seed(6)
    assert rows(batches(np.arange(30), batch_size=30, shuffle=True)) != order()


def test_batches_are_copies():
    x = np.zeros(4)
    for b in batches(x, batch_size=2):
        b += 1
    assert not x.any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint8", "bool"])
def test_mixprec_arrays(dtype):
    x = mp.arange(6).astype(getattr(mp, dtype, dtype)).reshape(6, 1)
    got = list(batches(x, batch_size=4))
    assert [b.shape for b in got] == [(4, 1), (2, 1)]
    assert got[0].dtype == x.dtype
    p = mp.ones(3).requires_grad_()
    assert not next(iter(batches(p, batch_size=3))).requires_grad


def test_thread_ends_with_the_loop():
    for _ in batches(np.arange(1000), batch_size=1):
        assert len(threads()) == 1
        break
    gc.collect()
    assert not threads()


def test_thread_ends_with_an_error_in_the_loop():
    def fail():
        for _ in batches(np.arange(1000), batch_size=1):
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    gc.collect()
    assert not threads()


def test_two_epochs_at_once():
    loader = batches(np.arange(6), batch_size=2)
    assert [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)] == [
        ([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4, 5], [4, 5]),
    ]  # fmt: skip


def test_error_in_the_thread_surfaces(monkeypatch):
    def fail(source, rows):
        raise OSError("disk on fire")

    loader = batches(np.arange(4), batch_size=2)
    monkeypatch.setattr(mp.data, "_rows", fail)
    with pytest.raises(OSError, match="disk on fire"):
        list(loader)
    assert not threads()


def test_thread_works_ahead():
    loader = batches(np.arange(100), batch_size=1, prefetch=3)
    made = []
    original = loader._make
    loader._make = lambda epoch: (made.append(1) or b for b in original(epoch))
    run = iter(loader)
    next(run)
    end = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    assert 4 <= len(made) <= 5
    run.close()


def test_progress(capsys):
    pytest.importorskip("tqdm")
    list(batches(np.arange(4), batch_size=2, progress="reading"))
    assert "reading" in capsys.readouterr().err


def test_progress_without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"mixprec\[demo\]"):
        batches(np.arange(4), batch_size=2, progress=True)


@pytest.mark.core
def test_errors():
    x = np.zeros((4, 2))
    cases = [
        (ValueError, "no arrays", (), {}),
        (ValueError, "array 1 has 3 rows, array 0 has 4", (x, np.zeros(3)), {}),
        (ValueError, r"array 0 has no rows .*\(\)", (np.float32(1),), {}),
        (ValueError, "batch_size is 0, less than 1", (x,), {"batch_size": 0}),
        (TypeError, "batch_size is 1.5", (x,), {"batch_size": 1.5}),
        (ValueError, "prefetch is -1", (x,), {"prefetch": -1}),
        (TypeError, "dtype <U1", (np.array(["a"]),), {}),
        (TypeError, "dtype object", (np.array([object()]),), {}),
        (ValueError, "device: 'tpu'", (x,), {"device": "tpu"}),
    ]
    for error, text, arrays, more in cases:
        with pytest.raises(error, match=text):
            batches(*arrays, **{"batch_size": 2, **more})
