"""Large blocks of the CPU's memory, of which a few are kept when they are freed."""

import os
import threading

import numpy as np
import pytest

import mixprec as mp

COUNT = 1_200_001  # float32: 4.8 MB


def test_block_is_used_again():
    x = mp.ones(COUNT)
    place = x.data_ptr()
    del x
    y = mp.zeros(COUNT - 1000)  # a little less fits too
    assert y.data_ptr() == place
    assert not np.asarray(y).any()


def test_block_in_use_is_left_alone():
    x = mp.ones(COUNT)
    view = x[5:]
    place = x.data_ptr()
    del x
    y = mp.zeros(COUNT)
    assert y.data_ptr() != place
    assert np.asarray(view).all()
    exported = np.asarray(y)
    place = y.data_ptr()
    del y
    assert mp.ones(COUNT).data_ptr() != place
    assert not exported.any()


def test_small_array_takes_no_large_block():
    x = mp.ones(4 * COUNT)
    place = x.data_ptr()
    del x
    assert mp.ones(COUNT).data_ptr() != place


def test_many_sizes():
    """More blocks than are kept, and more bytes: those freed first are given back."""
    for count in range(COUNT, 12 * COUNT, COUNT):
        x = mp.full(count, 2.0)
        assert float(x[-1]) == 2.0
        del x
    arrays = [mp.full(COUNT + i, i) for i in range(12)]
    assert [float(x[-1]) for x in arrays] == list(range(12))


def test_threads_share_no_block():
    wrong = []

    def work(value):
        for _ in range(5):
            x = mp.full(COUNT, value)
            y = x + value
            if not (np.asarray(y) == 2 * value).all():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_child_has_its_own():
    x = mp.ones(COUNT)
    del x
    child = os.fork()
    if child == 0:
        ok = float(mp.full(COUNT, 3.0).sum()) == 3.0 * COUNT
        os._exit(0 if ok else 1)
    y = mp.full(COUNT, 5.0)
    assert os.waitpid(child, 0)[1] == 0
    assert float(y.sum()) == 5.0 * COUNT
