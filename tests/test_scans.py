"""Running results, products and truth values, and their gradients, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sorting import arrays, same

import helpers
import mixprec as mp
from dtypes import tolerance
from helpers import host, place
from mixprec import _core

FEW = settings(max_examples=40, deadline=None)
FLOATS = ("float16", "float32", "float64")
INTS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def close(got, want, length):
    """Floats as NumPy's in float64; where that overflows the dtype, ours must too."""
    got = host(got)
    assert got.shape == want.shape
    with np.errstate(all="ignore"):
        want = want.astype(got.dtype).astype(np.float64)
    rtol, atol = tolerance(got.dtype, length)
    np.testing.assert_allclose(got.astype(np.float64), want, rtol, atol)


@FEW
@given(arrays(INTS), st.data())
def test_integers_are_numpys(a, data):
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    x = place(a)
    for name in ("cumsum", "cumprod"):
        got, want = getattr(mp, name)(x, axis), getattr(np, name)(a, axis)
        assert got.dtype == want.dtype
        same(got, want)
    same(_core.cummax(x, axis), np.maximum.accumulate(a, axis))
    same(_core.cummin(x, axis), np.minimum.accumulate(a, axis))
    same(mp.prod(x, axis), np.prod(a, axis))


@FEW
@given(arrays(FLOATS), st.data())
def test_floats(a, data):
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    if helpers.DEVICE != "cpu":  # in another order, huge numbers cancel otherwise
        a = np.where(np.isfinite(a), np.clip(a, -8, 8), a)
    x, wide = place(a), a.astype(np.float64)
    with np.errstate(all="ignore"):
        close(mp.cumsum(x, axis), np.cumsum(wide, axis), a.shape[axis])
        close(mp.cumprod(x, axis), np.cumprod(wide, axis), a.shape[axis])
        close(mp.prod(x, axis), np.prod(wide, axis), a.shape[axis])
    same(_core.cummax(x, axis), np.maximum.accumulate(a, axis))
    same(_core.cummin(x, axis), np.minimum.accumulate(a, axis))


@FEW
@given(arrays((*INTS, *FLOATS), min_dims=0), st.data(), st.booleans())
def test_truth_values(a, data, keepdims):
    axes = st.one_of(st.none(), st.sets(st.integers(0, max(a.ndim - 1, 0)), max_size=a.ndim))
    axis = data.draw(axes)
    axis = None if axis is None else tuple(axis)
    x = place(a)
    for name in ("all", "any", "count_nonzero"):
        got = getattr(mp, name)(x, axis, keepdims=keepdims)
        want = np.asarray(getattr(np, name)(a, axis, keepdims=keepdims))
        assert got.dtype == (np.int64 if name == "count_nonzero" else bool)
        same(got, want)


@pytest.mark.parametrize("dtype", ["bool", "int16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(300_000,), (700, 900), (3, 200_000), (200_000, 3)])
def test_truth_values_of_many(dtype, shape):
    """One element decides, wherever it is."""
    for at in (None, 0, 5000, -1):
        zeros, ones = np.zeros(shape, dtype), np.ones(shape, dtype)
        if at is not None:
            zeros.reshape(-1)[at] = 1
            ones.reshape(-1)[at] = 0
        for axis in (None, *range(len(shape))):
            for a in (zeros, ones):
                for name in ("all", "any", "count_nonzero"):
                    want = np.asarray(getattr(np, name)(a, axis))
                    same(getattr(mp, name)(place(a), axis), want)


def test_float64_runs_as_numpy_does():
    """The same additions in the same order, on the CPU: the same bits."""
    a = np.random.default_rng(0).standard_normal(10_000)
    same(mp.cumsum(mp.asarray(a)), np.cumsum(a))
    same(mp.cumprod(mp.asarray(a[:500])), np.cumprod(a[:500]))


def test_float16_sums_do_not_stall():
    """5000 ones in float16, whose integers end at 2048."""
    assert mp.cumsum(mp.ones(5000, dtype="float16"))[-1].item() == 5000.0


def test_products_do_not_overflow_on_the_way():
    x = np.tile(np.array([1e30, 1e-30], np.float32), 2000)
    assert mp.prod(place(x)).item() == pytest.approx(1.0, rel=1e-3)
    assert mp.prod(place(x.reshape(-1, 1)), axis=0).item() == pytest.approx(1.0, rel=1e-3)


def test_cumulative_sum_of_the_standard():
    x = mp.array([[1.0, 2.0], [3.0, 4.0]])
    assert mp.cumulative_sum(x, axis=0, include_initial=True).tolist() == [
        [0.0, 0.0],
        [1.0, 2.0],
        [4.0, 6.0],
    ]
    assert mp.cumulative_prod(x, axis=-1, include_initial=True).tolist() == [
        [1.0, 1.0, 2.0],
        [1.0, 3.0, 12.0],
    ]
    assert mp.cumulative_sum(mp.array([1, 2], dtype="int8")).dtype == np.int64
    with pytest.raises(ValueError, match=r"^cumulative_sum: axis is wanted"):
        mp.cumulative_sum(x)


# ---- gradients ----


def gradient(function, values, weights):
    x = place(np.array(values)).requires_grad_()
    (function(x) * place(np.array(weights))).sum().backward()
    return host(x.grad)


@pytest.mark.parametrize("zeros", [(), (2,), (1, 3), (0, 4)])
def test_products_with_zeros_have_gradients(zeros):
    """d prod / d x_i is the product of the others, whichever are 0."""
    x = np.array([1.5, -2.0, 0.5, 3.0, -0.25])
    x[list(zeros)] = 0.0
    others = [np.prod(np.delete(x, i)) for i in range(5)]
    np.testing.assert_allclose(gradient(mp.prod, x, 1.0), others)
    w = np.array([1.0, 10.0, -3.0, 0.5, 2.0])
    want = [sum(w[j] * np.prod(np.delete(x[: j + 1], i)) for j in range(i, 5)) for i in range(5)]
    np.testing.assert_allclose(gradient(mp.cumprod, x, w), want)


def test_gradient_of_a_gradient():
    x = place(np.array([1.5, 0.0, -0.5])).requires_grad_()
    (g,) = mp.grad(mp.prod(x), [x], create_graph=True)
    (h,) = mp.grad(g.sum(), [x])
    np.testing.assert_allclose(host(h), [0.0 - 0.5, 1.5 - 0.5, 1.5 + 0.0])
    (g,) = mp.grad(mp.cumprod(x).sum(), [x], create_graph=True)
    (h,) = mp.grad(g.sum(), [x])
    np.testing.assert_allclose(host(h), [1.0 - 0.5 + 0.0, 1.0 - 0.5 + 1.5, 1.5 + 0.0])


def test_gradient_of_cumsum_is_reversed():
    w = np.array([1.0, 10.0, 100.0])
    np.testing.assert_array_equal(gradient(mp.cumsum, [1.0, 2.0, 3.0], w), [111.0, 110.0, 100.0])


def test_running_extremes_give_to_the_place_that_won():
    w = np.array([1.0, 10.0, 100.0, 1000.0])
    x = [2.0, 1.0, 2.0, 3.0]
    got = gradient(lambda t: _core.cummax(t, 0), x, w)
    np.testing.assert_array_equal(got, [111.0, 0.0, 0.0, 1000.0])
    got = gradient(lambda t: _core.cummin(t, 0), x, w)
    np.testing.assert_array_equal(got, [1.0, 1110.0, 0.0, 0.0])


def test_logsumexp_at_the_ends():
    inf = np.inf
    assert host(mp.logsumexp(mp.array([-inf, -inf]))) == -inf
    assert host(mp.logsumexp(mp.array([inf, 1.0]))) == inf
    assert np.isnan(host(mp.logsumexp(mp.array([np.nan, 1.0]))))
    assert mp.logsumexp(mp.zeros(0)).item() == -inf
    got = gradient(mp.logsumexp, [[-inf, -inf], [0.0, 0.0]], 1.0)
    np.testing.assert_allclose(got, [[0.0, 0.0], [0.5, 0.5]])
    got = gradient(lambda t: mp.logsumexp(t, axis=1), [[-inf, -inf], [0.0, 0.0]], [1.0, 1.0])
    np.testing.assert_allclose(got, [[0.0, 0.0], [0.5, 0.5]])


def test_truth_has_no_gradient():
    x = mp.ones(3, requires_grad=True)
    for name in ("all", "any", "count_nonzero", "argsort"):
        assert not getattr(mp, name)(x).requires_grad


# ---- differences ----


@FEW
@given(arrays((*INTS, *FLOATS)), st.integers(0, 3), st.data())
def test_diff(a, n, data):
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    with np.errstate(all="ignore"):
        same(mp.diff(place(a), n, axis), np.diff(a, n, axis))


def test_diff_with_ends():
    a = np.array([[1.0, 4.0], [9.0, 16.0]])
    got = mp.diff(place(a), axis=1, prepend=0.0, append=place(a[:, :1]))
    same(got, np.diff(a, axis=1, prepend=0.0, append=a[:, :1]))
    same(mp.ediff1d(place(a), [7.0], [0.0, 1.0]), np.ediff1d(a, [7.0], [0.0, 1.0]))
