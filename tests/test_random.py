"""The generator: Philox's known answers, its mapping to numbers, seeds, and sane distributions."""

import numpy as np
import pytest

import mixprec as mp
from mixprec import _core
from refs.create import philox

# Random123's known answers of philox4x32-10: counter, key, result.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def uniform(n, seed, offset, dtype="float32"):
    return _core.random_uniform((n,), dtype, "cpu", 0.0, 1.0, seed, offset).numpy()


@pytest.mark.parametrize(("counter", "key", "want"), KNOWN)
def test_reference_philox(counter, key, want):
    """refs.philox, which the op tests compare with, is Philox 4x32-10."""
    c0, c1, c2, c3 = counter
    got = philox(key[0] | key[1] << 32, c2 | c3 << 32, [c0 | c1 << 32])[0]
    assert tuple(int(w) for w in got) == want


@pytest.mark.core
def test_core_philox():
    """The first numbers of seed 0, call 0 are the known answer's words, scaled."""
    want = np.array(KNOWN[0][2], np.uint64) >> np.uint64(8)
    np.testing.assert_array_equal(uniform(4, 0, 0), want.astype(np.float64) * 2.0**-24)


@pytest.mark.core
@pytest.mark.parametrize("n", [1, 4, 5, 1023, 100_003])
def test_element_depends_on_its_index_only(n):
    want = uniform(200_000, 9, 2**35)
    for threads in (1, 3):
        mp.set_num_threads(threads)
        np.testing.assert_array_equal(uniform(n, 9, 2**35), want[:n])


def test_seeds():
    def draw():
        return mp.random.rand(5).tolist() + mp.random.randn(5).tolist()

    mp.manual_seed(1)
    first, second = draw(), draw()
    mp.manual_seed(1)
    assert draw() == first
    assert draw() == second
    mp.manual_seed(2)
    assert draw() != first
    assert first != second
    for seed in (0, 2**63, 2**64 - 1):
        mp.manual_seed(seed)
    for bad in (-1, 2**64):
        with pytest.raises((ValueError, OverflowError)):
            mp.manual_seed(bad)
    with pytest.raises(TypeError):
        mp.manual_seed(1.5)


def test_state():
    mp.random.rand(2)
    state = _core.rng_state("cpu")
    a = mp.random.randn(7).tolist()
    _core.set_rng_state("cpu", *state)
    assert mp.random.randn(7).tolist() == a


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_uniform(dtype):
    x = _core.random_uniform((200_000,), dtype, "cpu", -2.0, 6.0, 3, 4).numpy().astype(np.float64)
    assert x.min() >= -2
    assert x.max() <= 6
    assert abs(x.mean() - 2) < 0.03
    assert abs(x.var() - 64 / 12) < 0.05
    counts, _ = np.histogram(x, 16, (-2, 6))
    assert np.abs(counts / 12500 - 1).max() < 0.06


def test_uniform_is_below_one():
    x = uniform(2_000_000, 11, 0)
    assert x.dtype == np.float32
    assert x.max() < 1
    assert x.min() >= 0
    x = uniform(100_000, 11, 0, "float64")
    assert x.max() < 1
    assert len(np.unique(x)) == x.size


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_normal(dtype):
    x = _core.random_normal((400_000,), dtype, "cpu", 5, 6).numpy().astype(np.float64)
    assert np.isfinite(x).all()
    assert abs(x.mean()) < 0.01
    assert abs(x.var() - 1) < 0.01
    assert abs((x**3).mean()) < 0.03
    assert abs((x**4).mean() - 3) < 0.08
    assert abs((np.abs(x) < 1).mean() - 0.6827) < 0.005
    assert abs((np.abs(x) > 3).mean() - 0.0027) < 0.0006
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.01


def test_normal_is_deterministic_for_any_thread_count():
    runs = []
    for threads in (1, 2, 5):
        mp.set_num_threads(threads)
        runs.append(_core.random_normal((100_001,), "float32", "cpu", 5, 6).numpy())
    for run in runs[1:]:
        np.testing.assert_array_equal(run, runs[0])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_integers(dtype):
    low = 0 if dtype.startswith("u") else -3
    x = _core.random_integers((60_000,), dtype, "cpu", low, 9, 1, 2).numpy()
    assert x.dtype == dtype
    values, counts = np.unique(x, return_counts=True)
    assert values.tolist() == list(range(low, 9))
    assert np.abs(counts / counts.mean() - 1).max() < 0.08


def test_integers_over_wide_ranges():
    x = _core.random_integers((10_000,), "int64", "cpu", -(2**62), 2**62, 1, 2).numpy()
    assert x.min() < -(2**61)
    assert x.max() > 2**61
    assert abs((x < 0).mean() - 0.5) < 0.03
    with pytest.raises(ValueError):
        _core.random_integers((2,), "int64", "cpu", 5, 5, 1, 2)


@pytest.mark.parametrize("n", [0, 1, 2, 31, 1000])
def test_permutation(n):
    x = mp.random.permutation(n).numpy()
    assert sorted(x.tolist()) == list(range(n))
    if n == 1000:
        assert (x != np.arange(n)).mean() > 0.9


def test_permutations_are_uniform():
    counts = {}
    for i in range(6000):
        p = tuple(_core.random_permutation((3,), "int64", "cpu", 77, i).tolist())
        counts[p] = counts.get(p, 0) + 1
    assert len(counts) == 6
    assert max(abs(c / 1000 - 1) for c in counts.values()) < 0.12


def test_public_functions():
    assert mp.random.rand(2, 3).shape == (2, 3)
    assert mp.random.rand(2).dtype == np.float32
    assert mp.random.randn(2, dtype=mp.float16).dtype == np.float16
    x = mp.random.randint(0, 5, (100,))
    assert x.dtype == np.int64
    assert x.min().item() >= 0
    assert x.max().item() < 5


def test_dropout_backward_draws_the_same_mask():
    x = mp.ones((100, 33)).requires_grad_()
    y = mp.nn.functional.dropout(x, 0.3)
    mp.random.rand(10)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
