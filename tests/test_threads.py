"""Several Python threads and several pool threads: same results, no lost gradients, own states."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mixprec as mp
from mixprec import _core, nn
from mixprec.nn import functional as F


def at_once(count, work):
    """Runs work(i) in `count` threads that start together; results in order, or an error."""
    gate = threading.Barrier(count)

    def run(i):
        gate.wait()
        return work(i)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(count) as pool:
            return [f.result() for f in [pool.submit(run, i) for i in range(count)]]
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("size", [8, 300])
def test_concurrent_backward_over_a_shared_trunk(size):
    """Four threads, each with its own head and loss on one trunk, several times."""
    rng = np.random.default_rng(0)
    x = mp.array(rng.normal(size=(size, size)))
    w = mp.array(rng.normal(size=(size, size)) / size).requires_grad_()
    heads = [mp.array(rng.normal(size=(size, 2))).requires_grad_() for _ in range(4)]
    trunk = mp.tanh(x @ w)

    def expected():
        t = np.tanh(x.numpy() @ w.detach().numpy())
        back = sum(np.ones((size, 2)) @ h.detach().numpy().T for h in heads)
        return x.numpy().T @ (back * (1 - t * t)), t

    def work(i):
        for _ in range(10):
            (trunk @ heads[i]).sum().backward(retain_graph=True)

    at_once(4, work)
    gw, t = expected()
    np.testing.assert_allclose(w.grad.numpy(), 10 * gw, rtol=1e-9, atol=1e-9)
    for h in heads:
        np.testing.assert_allclose(h.grad.numpy(), 10 * t.T @ np.ones((size, 2)), rtol=1e-9)


def test_threads_add_into_shared_leaves():
    w = mp.ones(1000).requires_grad_()

    def work(i):
        for _ in range(100):
            (w * float(i + 1)).sum().backward()

    at_once(4, work)
    assert (w.grad.numpy() == 100 * (1 + 2 + 3 + 4)).all()


def test_one_graph_is_freed_once():
    """Two threads run one graph without retain_graph: one wins or both finish; no crash."""
    for _ in range(30):
        x = mp.ones(100).requires_grad_()
        y = mp.tanh(mp.tanh(x)).sum()
        failed = []

        def work(i, y=y, failed=failed):
            try:
                y.backward()
            except RuntimeError as error:
                failed.append(error)

        at_once(2, work)
        assert len(failed) <= 1


def test_models_in_threads():
    """The same model read by four threads gives what one thread gives."""
    mp.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.LayerNorm(128), nn.Linear(128, 4))
    xs = [mp.random.randn(32, 64) for _ in range(4)]
    with mp.no_grad():
        want = [model(x).numpy() for x in xs]

    def work(i):
        for _ in range(20):
            with mp.no_grad(), mp.autocast("cpu", mp.bfloat16, enabled=i % 2 == 1):
                got = model(xs[i]).numpy()
        return got

    for i, got in enumerate(at_once(4, work)):
        if i % 2 == 0:
            np.testing.assert_array_equal(got, want[i])
        else:
            assert got.dtype != np.float32


def test_modes_belong_to_threads():
    inside, done = threading.Event(), threading.Event()
    seen = {}

    def other():
        inside.wait(10)
        seen["grad"] = (mp.ones(1).requires_grad_() * 2).requires_grad
        seen["dtype"] = (mp.ones((2, 2)) @ mp.ones((2, 2))).dtype
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with mp.no_grad(), mp.autocast("cpu", mp.bfloat16):
        inside.set()
        assert done.wait(10)
    thread.join()
    assert seen == {"grad": True, "dtype": np.dtype(np.float32)}


def test_backward_in_another_thread():
    x = mp.ones((50, 50)).requires_grad_()
    y = (x @ x).sum()
    at_once(1, lambda i: y.backward())
    assert (x.grad.numpy() == 100).all()


def results():
    """Ops whose work is split between threads."""
    mp.manual_seed(3)
    x = mp.random.randn(300, 700).requires_grad_()
    w = mp.random.randn(400, 700)
    y = F.linear(x, w)
    loss = F.cross_entropy(y, mp.random.randint(0, 400, (300,))) + F.layer_norm(x, (700,)).var()
    loss = loss + mp.exp(x * 0.1).sum() + F.dropout(x, 0.5).mean() + x.sum(axis=0).max()
    loss.backward()
    return loss.item(), y.detach().numpy().copy(), x.grad.numpy().copy()


def test_results_do_not_depend_on_the_thread_count():
    runs = []
    for threads in (1, 2, 3, 7):
        mp.set_num_threads(threads)
        assert mp._core.get_num_threads() == threads
        runs.append(results())
    for run in runs[1:]:
        assert run[0] == runs[0][0]
        np.testing.assert_array_equal(run[1], runs[0][1])
        np.testing.assert_array_equal(run[2], runs[0][2])


def test_callers_share_the_pool():
    """Large ops from several threads at once."""
    mp.set_num_threads(2)
    a = mp.random.randn(256, 256)
    want = (a @ a).numpy()

    def work(i):
        return [(a @ a).numpy() for _ in range(10)]

    for got in at_once(4, work):
        for g in got:
            np.testing.assert_array_equal(g, want)


def test_generator_is_shared_without_repeats():
    """Each call in each thread draws its own numbers."""
    drawn = at_once(4, lambda i: [tuple(mp.random.rand(4).tolist()) for _ in range(50)])
    flat = [row for rows in drawn for row in rows]
    assert len(set(flat)) == len(flat)


def test_thread_count_from_the_environment():
    from helpers import run_python

    code = "import mixprec; print(mixprec._core.get_num_threads())"
    assert run_python(code, env={"MIXPREC_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}) == "3\n"
    assert run_python(code, env={"MIXPREC_NUM_THREADS": "", "OMP_NUM_THREADS": "2"}) == "2\n"
    for bad in ("0", "-1", "many", "1.5", "99999"):
        with pytest.raises(AssertionError, match=f'MIXPREC_NUM_THREADS is "{bad}", 1 to 512'):
            run_python(code, env={"MIXPREC_NUM_THREADS": bad})


def test_hooks_from_threads():
    x = mp.ones(10).requires_grad_()
    seen = []
    x.register_hook(lambda g: seen.append(g.sum().item()))
    at_once(4, lambda i: (x * (i + 1.0)).sum().backward())
    assert sorted(seen) == [10, 20, 30, 40]


def test_memory_statistics_add_up():
    held = _core.memory_stats("cpu")[0]
    at_once(4, lambda i: [mp.zeros(1000 + k) for k in range(100)] and None)
    assert _core.memory_stats("cpu")[0] == held
