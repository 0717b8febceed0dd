"""Reductions with all of NumPy's arguments, statistics and quantiles, against NumPy."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mixprec as mp
from dtypes import tolerance
from helpers import host, place, words

FEW = settings(max_examples=30, deadline=None)
METHODS = words(
    "inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen "
    "weibull linear median_unbiased normal_unbiased lower higher midpoint nearest"
)


@st.composite
def values(draw, nan=False, least=0, dims=3):
    """Small float64 arrays and the axes to reduce."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=dims, min_side=least, max_side=7))
    elements = st.floats(-8, 8, width=32)
    if nan:
        elements = st.one_of(st.just(np.nan), elements)
    array = draw(hnp.arrays(np.float64, shape, elements=elements))
    axes = st.sets(st.integers(0, len(shape) - 1), min_size=1).map(tuple)
    axis = draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1), axes))
    return array, axis


def close(got, want, length=64):
    got, want = host(got), np.asarray(want)
    assert got.shape == want.shape
    rtol, atol = tolerance(got.dtype, length * 64)
    np.testing.assert_allclose(got.astype(np.float64), want, rtol * 16, atol)


def numpys(function, *args, **kwargs):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **kwargs)


# ---- arguments of reductions ----


@FEW
@given(values(), st.data(), st.booleans())
def test_where_and_initial(case, data, keepdims):
    a, axis = case
    x = place(a)
    mask = data.draw(hnp.arrays(bool, a.shape))
    some = {"axis": axis, "keepdims": keepdims, "where": mask}
    for name in ("sum", "prod", "max", "min"):
        got = getattr(mp, name)(x, initial=1.5, **some)
        close(got, getattr(np, name)(a, initial=1.5, **some))
    for name in ("mean", "var", "std"):
        close(getattr(mp, name)(x, **some), numpys(getattr(np, name), a, **some))
    for name in ("all", "any"):
        close(getattr(mp, name)(x, **some), getattr(np, name)(a, **some))


def test_where_of_an_extreme_asks_for_initial():
    with pytest.raises(ValueError, match=r"^max: where asks for initial"):
        mp.max(mp.ones(3), where=mp.array([True, False, True]))
    assert mp.max(mp.zeros(0), initial=2.0).item() == 2.0


def test_nothing_has_no_extreme():
    for name in ("max", "min"):
        with pytest.raises(ValueError, match=rf"^{name}: zero-size array to reduction operation"):
            getattr(mp, name)(mp.zeros((0, 3)), axis=0)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min", "ptp"])
def test_out(name):
    x, out = mp.array([[1.0, 2.0], [5.0, 4.0]]), mp.zeros(2)
    assert getattr(mp, name)(x, axis=0, out=out) is out
    close(out, getattr(np, name)(host(x), axis=0))
    with pytest.raises(ValueError, match=rf"^{name}: out has shape \(2,\), the result has \(\)"):
        getattr(mp, name)(x, out=out)
    array = np.zeros(2, np.float32)
    assert getattr(mp, name)(x, axis=0, out=array) is array
    close(place(array), getattr(np, name)(host(x), axis=0))


def test_out_of_places_and_bools():
    x = mp.array([[1.0, 0.0], [5.0, 4.0]])
    out = mp.zeros(2, dtype="int64")
    assert mp.argmax(x, axis=0, out=out).tolist() == [1, 1]
    out = mp.zeros(2, dtype="bool")
    assert mp.all(x, axis=0, out=out).tolist() == [True, False]
    out = mp.zeros(2)
    assert mp.cumsum(x[0], out=out).tolist() == [1.0, 1.0]


def test_dtypes_of_results():
    for dtype, wide in (("int8", "int64"), ("bool", "int64"), ("uint16", "uint64")):
        x = mp.ones(3, dtype=dtype)
        for name in ("sum", "prod", "cumsum", "cumprod"):
            assert getattr(mp, name)(x).dtype == wide
            assert getattr(mp, name)(x, dtype="float64").dtype == "float64"
    assert mp.var(mp.ones(3, dtype="float32"), dtype="float64").dtype == "float64"
    with mp.autocast(dtype=mp.bfloat16):
        x = mp.ones(3, dtype="bfloat16")
        for name in ("prod", "cumsum", "cumprod", "logsumexp"):
            y = getattr(mp, name)(x) if name == "logsumexp" else getattr(mp, name)(x, 0)
            assert y.dtype == "float32"
        assert mp.sort(x).dtype == "bfloat16"


@pytest.mark.parametrize("ddof", [0, 1, 0.5, 3])
def test_degrees_of_freedom(ddof):
    a = np.array([1.0, 2.0, 4.0])
    for name in ("var", "std"):
        want = numpys(getattr(np, name), a, ddof=ddof)
        close(getattr(mp, name)(place(a), ddof=ddof), want)
        close(getattr(mp, name)(place(a), correction=ddof), want)


def test_known_means():
    a = np.array([[1.0, 2.0], [3.0, 5.0]])
    mean = a.mean(axis=1, keepdims=True)
    close(mp.var(place(a), axis=1, mean=place(mean)), np.var(a, axis=1))


# ---- averages and covariances ----


@FEW
@given(values(least=1))
def test_average(case):
    a, axis = case
    x = place(a)
    close(mp.average(x, axis), np.average(a, axis))
    w = np.abs(a) + 1
    got = mp.average(x, axis, place(w), True)
    for g, n in zip(got, np.average(a, axis, w, True), strict=True):
        close(g, n)
    if isinstance(axis, int):
        w = np.arange(1.0, a.shape[axis] + 1)
        close(mp.average(x, axis, w), np.average(a, axis, w))


def test_average_says_what_is_wrong():
    x = mp.ones((2, 3))
    with pytest.raises(ZeroDivisionError, match=r"^average: the weights add up to 0"):
        mp.average(x, 0, [0, 0])
    with pytest.raises(ValueError, match=r"^average: the weights have shape \(3,\), \(2,\)"):
        mp.average(x, 0, [1, 2, 3])
    with pytest.raises(TypeError, match=r"axis is wanted"):
        mp.average(x, weights=[1, 2, 3])


@pytest.mark.parametrize("rowvar", [False, True])
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"bias": True},
        {"ddof": 2},
        {"fweights": [1, 2, 3, 1]},
        {"aweights": [0.5, 2.0, 1.0, 1.0]},
        {"fweights": [1, 2, 3, 1], "aweights": [0.5, 2.0, 1.0, 1.0], "ddof": 0},
    ],
)
def test_cov(kwargs, rowvar):
    a = np.random.default_rng(0).standard_normal((3, 4))
    m = a if rowvar else a.T
    close(mp.cov(place(m), rowvar=rowvar, **kwargs), np.cov(m, rowvar=rowvar, **kwargs))


def test_cov_of_two_and_of_one():
    a = np.random.default_rng(0).standard_normal((2, 5))
    close(mp.cov(place(a[0]), place(a[1])), np.cov(a[0], a[1]))
    close(mp.cov(place(a[0])), np.cov(a[0]))
    close(mp.corrcoef(place(a)), np.corrcoef(a))
    assert mp.cov(place(a.astype("f4"))).dtype == "float32"
    with mp.autocast(dtype=mp.bfloat16):
        assert mp.cov(place(a.astype("f4"))).dtype == "float32"


# ---- quantiles ----


@FEW
@given(values(least=1), st.sampled_from(METHODS), st.booleans(), st.data())
def test_quantile(case, method, keepdims, data):
    a, axis = case
    q = data.draw(
        st.one_of(
            st.floats(0, 1),
            st.sampled_from([0.0, 0.25, 0.5, 1.0]),
            hnp.arrays(float, (2, 2), elements=st.floats(0, 1)),
        )
    )
    some = {"axis": axis, "method": method, "keepdims": keepdims}
    close(mp.quantile(place(a), q, **some), np.quantile(a, q, **some))
    close(
        mp.percentile(place(a), np.asarray(q) * 100, **some),
        np.percentile(a, np.asarray(q) * 100, **some),
    )


@FEW
@given(values(nan=True, least=1), st.sampled_from(METHODS))
def test_quantiles_with_nan(case, method):
    a, axis = case
    x, q = place(a), np.array([0.0, 0.3, 0.5, 1.0])
    close(mp.quantile(x, q, axis, method=method), np.quantile(a, q, axis, method=method))
    want = numpys(np.nanquantile, a, q, axis, method=method)
    close(mp.nanquantile(x, q, axis, method=method), want)
    close(mp.nanpercentile(x, 30, axis), numpys(np.nanpercentile, a, 30, axis))


@FEW
@given(values(nan=True, least=1), st.booleans())
def test_median(case, keepdims):
    a, axis = case
    x = place(a)
    close(mp.median(x, axis, keepdims=keepdims), numpys(np.median, a, axis, keepdims=keepdims))
    want = numpys(np.nanmedian, a, axis, keepdims=keepdims)
    close(mp.nanmedian(x, axis, keepdims=keepdims), want)


def test_quantiles_of_infinite_ends():
    a = np.array([-np.inf, 1.0, np.inf])
    close(mp.quantile(place(a), [0.0, 0.5, 1.0]), [-np.inf, 1.0, np.inf])


def test_quantile_says_what_is_wrong():
    x = mp.ones(3)
    with pytest.raises(ValueError, match=r"^quantile: q is 1.5, must be between 0 and 1"):
        mp.quantile(x, 1.5)
    with pytest.raises(ValueError, match=r"^percentile: method is 'best'"):
        mp.percentile(x, 50, method="best")


def test_gradient_of_a_quantile_is_shared():
    x = mp.array([4.0, 1.0, 3.0, 2.0], requires_grad=True)
    mp.quantile(x, 0.25).backward()
    assert x.grad.tolist() == [0.0, 0.25, 0.0, 0.75]
    x = place(np.array([[4.0, 1.0, 3.5], [0.0, 2.0, 7.0]])).requires_grad_()
    assert mp.testing.gradcheck(lambda t: mp.median(t, axis=0), [x])


def test_quantiles_keep_the_dtype():
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        assert mp.median(mp.ones(3, dtype=dtype)).dtype == dtype
    assert mp.median(mp.arange(3)).dtype == "float32"


# ---- without NaN ----


@FEW
@given(values(nan=True, least=1), st.booleans())
def test_nan_reductions(case, keepdims):
    a, axis = case
    x = place(a)
    for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin"):
        want = numpys(getattr(np, name), a, axis, keepdims=keepdims)
        close(getattr(mp, name)(x, axis, keepdims=keepdims), want)
    for name in ("nancumsum", "nancumprod"):
        close(getattr(mp, name)(x), getattr(np, name)(a))


def test_nan_places():
    a = np.array([[np.nan, 2.0, 1.0], [3.0, np.nan, 4.0]])
    for name in ("nanargmax", "nanargmin"):
        close(getattr(mp, name)(place(a), 1), getattr(np, name)(a, 1))
        with pytest.raises(ValueError, match=rf"^{name}: All-NaN slice"):
            getattr(mp, name)(mp.array([float("nan")]))


def test_nan_has_no_gradient():
    x = mp.array([1.0, float("nan"), 3.0], requires_grad=True)
    (mp.nanmean(x) + mp.nanmax(x)).backward()
    assert x.grad.tolist() == [0.5, 0.0, 1.5]
