"""`default_rng`, `RandomState`, NumPy's older functions: shapes, dtypes, distributions."""

import collections
import math

import numpy as np
import pytest

import mixprec as mp

N = 20_000

# method, arguments, mean and standard deviation
MOMENTS = [
    ("random", {}, 0.5, math.sqrt(1 / 12)),
    ("uniform", {"low": -2, "high": 6}, 2, 8 * math.sqrt(1 / 12)),
    ("standard_normal", {}, 0, 1),
    ("normal", {"loc": 3, "scale": 0.5}, 3, 0.5),
    ("standard_exponential", {}, 1, 1),
    ("exponential", {"scale": 2.0}, 2, 2),
    ("lognormal", {"sigma": 0.25}, math.exp(1 / 32), 0.2577),
    ("integers", {"low": 0, "high": 11}, 5, math.sqrt(10)),
    ("poisson", {"lam": 4}, 4, 2),
    ("binomial", {"n": 10, "p": 0.5}, 5, math.sqrt(2.5)),
    ("gamma", {"shape": 4}, 4, 2),
    ("beta", {"a": 1, "b": 1}, 0.5, math.sqrt(1 / 12)),
]


@pytest.mark.parametrize(("name", "options", "mean", "deviation"), MOMENTS)
def test_distribution(name, options, mean, deviation):
    rng = mp.random.default_rng(11)
    draw = getattr(rng, name)
    arrays = draw(**options, size=N).numpy().astype(np.float64)
    numbers = np.array([draw(**options) for _ in range(2000)], np.float64)
    for x in (arrays, numbers):
        error = 5 * deviation / math.sqrt(x.size)
        assert abs(x.mean() - mean) < error
        assert abs(x.std() - deviation) < 3 * error


def test_types_are_numpys():
    rng, numpys = mp.random.default_rng(0), np.random.default_rng(0)
    assert type(rng.random()) is type(numpys.random()) is float
    assert isinstance(rng.integers(5), int)
    assert rng.random(3).dtype == np.float32
    assert rng.random(3, dtype=np.float64).dtype == np.float64
    assert rng.integers(5, size=(2, 3)).dtype == np.int64
    assert rng.poisson(2.0, 3).dtype == np.int64
    assert rng.gamma(2.0, size=3).dtype == np.float32
    assert rng.normal(np.zeros(3), 1.0).shape == (3,)
    assert rng.normal(0, mp.ones((2, 1)), (2, 4)).shape == (2, 4)
    assert rng.integers([0, 10], [5, 20]).shape == (2,)
    assert rng.multivariate_normal([0, 1], np.eye(2), 5).shape == (5, 2)
    out = mp.zeros(4, dtype=mp.float64)
    assert rng.random(out=out) is out
    assert (out > 0).all()


def test_seeds_and_streams():
    def draws(rng):
        return [rng.random(), rng.normal(), rng.integers(1000), *rng.random(4).tolist(),
                *rng.poisson(100, 3).tolist(), *rng.permutation(5).tolist()]  # fmt: skip

    assert draws(mp.random.default_rng(5)) == draws(mp.random.default_rng(5))
    assert draws(mp.random.default_rng(5)) != draws(mp.random.default_rng(6))
    assert draws(mp.random.default_rng([1, 2])) == draws(mp.random.default_rng([1, 2]))
    assert draws(mp.random.RandomState(3)) == draws(mp.random.RandomState(3))
    assert mp.random.default_rng().random() != mp.random.default_rng().random()
    rng = mp.random.default_rng(1)
    assert mp.random.default_rng(rng) is rng
    a, b = rng.spawn(2)
    assert a.random() != b.random()
    with pytest.raises(ValueError, match=r"^default_rng: seed is -1"):
        mp.random.default_rng(-1)


def test_shared_generator_is_seeded():
    def draws():
        return [mp.random.rand(), mp.random.randn(), mp.random.random(), mp.random.uniform(),
                mp.random.choice(9), *mp.random.rand(3).tolist()]  # fmt: skip

    mp.random.seed(4)
    first = draws()
    mp.random.rand()  # leaves numbers drawn ahead
    mp.random.seed(4)
    assert draws() == first
    state = mp.random.get_state()
    second = draws()
    mp.random.set_state(state)
    assert draws() == second
    mp.random.seed(None)
    assert draws() != first


@pytest.mark.parametrize("count", [1, 2, 7, 2**40, 2**63 + 1, 2**64])
def test_single_integers_are_in_range(count):
    rng = mp.random.default_rng(2)
    drawn = [rng._stream.integer(-3, count - 3) for _ in range(500)]
    assert min(drawn) >= -3
    assert max(drawn) < count - 3
    if count == 7:
        assert set(drawn) == set(range(-3, 4))
        counts = collections.Counter(drawn)
        assert max(counts.values()) < 2 * min(counts.values())


def test_choice():
    rng = mp.random.default_rng(8)
    rows = mp.arange(12.0).reshape(4, 3)
    assert rng.choice(rows).shape == (3,)
    assert rng.choice(rows, 2).shape == (2, 3)
    assert rng.choice(rows, 2, axis=1).shape == (4, 2)
    assert rng.choice([10, 20, 30], size=(2, 2)).shape == (2, 2)
    assert set(rng.choice(5, 5, replace=False).tolist()) == set(range(5))
    assert set(rng.choice([4, 9], 50, p=[0, 1]).tolist()) == {9}
    assert rng.choice(3, p=[0, 0, 1]) == 2
    assert sorted(rng.choice(3, 2, replace=False, p=[0.5, 0.5, 0]).tolist()) == [0, 1]
    many = rng.choice(3, N, p=mp.array([0.2, 0.3, 0.5])).numpy()
    np.testing.assert_allclose(np.bincount(many) / N, [0.2, 0.3, 0.5], atol=0.02)
    for call, text in [
        (lambda: rng.choice(0), "there is nothing to choose from"),
        (lambda: rng.choice(3, 4, replace=False), "4 of 3 cannot be taken"),
        (lambda: rng.choice(3, p=[1.0]), r"p has shape \(1,\)"),
        (lambda: rng.choice(2, p=[0.5, 0.6]), "p sums to 1.1"),
        (lambda: rng.choice(2, p=[-0.5, 1.5]), "negative"),
        (lambda: rng.integers(3, 3), "low is 3, high is 3"),
        (lambda: rng.normal(0, -1), "scale is -1"),
        (lambda: rng.exponential(-1.0), "scale is -1"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()


def test_orders():
    rng = mp.random.default_rng(4)
    x = mp.arange(30).reshape(10, 3)
    assert sorted(rng.permutation(x)[:, 0].tolist()) == x[:, 0].tolist()
    mixed = rng.permuted(x, axis=0)
    assert sorted(mixed[:, 1].tolist()) == x[:, 1].tolist()
    assert (mixed[:, 0] + 1 != mixed[:, 1]).any()
    y, items, there = x.copy(), list(range(10)), np.arange(10)
    for z in (y, items, there):
        rng.shuffle(z)
    assert (y != x).any()
    assert sorted(y[:, 0].tolist()) == x[:, 0].tolist()
    assert sorted(items) == sorted(there.tolist()) == list(range(10))
    with pytest.raises(TypeError, match=r"^shuffle: a tuple"):
        rng.shuffle((1, 2))
    assert len(rng.bytes(7)) == 7


def test_every_method_of_numpys_generator():
    """What NumPy's Generator has and ours has not."""
    missing = {n for n in dir(np.random.Generator) if not n.startswith("_")}
    missing -= set(dir(mp.random.Generator))
    assert missing == {"bit_generator"}
