"""fork after use: the child has a working pool, generator and tape. Each case is a process."""

import os

import pytest

from helpers import run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

PRELUDE = """
import warnings
warnings.simplefilter("ignore")
import os, sys
import numpy as np
import mixprec as mp
mp.set_num_threads(2)
a = mp.random.randn(400, 400)
def work():
    x = mp.array(a.numpy()).requires_grad_()
    (mp.tanh(x @ x) * 0.5).sum().backward()
    return float(x.grad.sum().item())
want = work()
"""


def test_fork_after_use():
    out = run_python(
        PRELUDE
        + """
for _ in range(5):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if work() == want else 7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert work() == want
print("ok")
"""
    )
    assert out == "ok\n"


def test_fork_of_a_fork_and_new_thread_count():
    out = run_python(
        PRELUDE
        + """
pid = os.fork()
if pid == 0:
    mp.set_num_threads(3)
    good = work() == want
    inner = os.fork()
    if inner == 0:
        os._exit(0 if work() == want else 7)
    good &= os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) == 0
    os._exit(0 if good else 8)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
print("ok")
"""
    )
    assert out == "ok\n"


def test_fork_while_the_pool_works():
    out = run_python(
        PRELUDE
        + """
import threading
stop = False
def busy():
    while not stop:
        work()
threads = [threading.Thread(target=busy) for _ in range(2)]
for t in threads: t.start()
for _ in range(5):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if work() == want else 7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
stop = True
for t in threads: t.join()
print("ok")
"""
    )
    assert out == "ok\n"


def test_multiprocessing_fork(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(
        PRELUDE
        + """
import multiprocessing
def job(_):
    return work()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(job, range(4)) == [want] * 4
    print("ok")
"""
    )
    out = run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")
    assert out == "ok\n"


def test_prefetch_thread_is_gone_in_the_child():
    out = run_python(
        PRELUDE
        + """
from mixprec.data import batches
run = iter(batches(np.arange(100), batch_size=1, prefetch=1))
next(run)
pid = os.fork()
if pid == 0:
    try:
        for _ in range(50): next(run)
    except RuntimeError as error:
        os._exit(0 if "fork" in str(error) else 7)
    os._exit(8)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert len(list(run)) == 99
print("ok")
"""
    )
    assert out == "ok\n"
