"""Sorting, searching and sets against NumPy, over made inputs of every dtype."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mixprec as mp
from dtypes import dtype_of
from helpers import LAYOUTS, host, laid_out, place

NATIVE = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NATIVE += ("float16", "float32", "float64")
ML = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
FEW = settings(max_examples=40, deadline=None)


@st.composite
def arrays(draw, dtypes=NATIVE, min_dims=1, max_dims=3, max_side=9):
    """Small arrays with many ties, NaN and infinities, in any layout."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(
        hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=0, max_side=max_side)
    )
    elements = hnp.from_dtype(dtype)
    if dtype.kind == "f":
        special = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0])
        elements = st.one_of(special, elements).map(dtype.type)
    array = draw(hnp.arrays(dtype, shape, elements=elements))
    return laid_out(array, draw(st.sampled_from(LAYOUTS[:3])))


def same(got, want):
    got = host(got)
    assert got.shape == want.shape
    np.testing.assert_array_equal(got, want)


# ---- sort, argsort ----


@FEW
@given(arrays(), st.data())
def test_sort_is_numpys(a, data):
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    x = place(a)
    same(mp.sort(x, axis=axis), np.sort(a, axis=axis))
    same(mp.argsort(x, axis=axis), np.argsort(a, axis=axis, kind="stable"))


@FEW
@given(arrays(), st.data())
def test_descending_is_stable(a, data):
    """The largest first, NaN included; equal ones in their order."""
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    back = np.argsort(np.flip(a, axis), axis=axis, kind="stable")
    want = np.flip(a.shape[axis] - 1 - back, axis)
    same(mp.argsort(place(a), axis=axis, descending=True), want)
    values = np.take_along_axis(a, want, axis)
    same(mp.sort(place(a), axis=axis, descending=True), values)


@pytest.mark.parametrize("n", [39, 40, 41, 255, 1000, 70_000, 200_000])
@pytest.mark.parametrize("dtype", [*NATIVE, *ML])
def test_long_lines(dtype, n):
    """Insertion, passes in one thread and in all, counting: every way that a line is sorted."""
    rng = np.random.default_rng(n)
    dtype = dtype_of(dtype)
    values = rng.standard_normal(n) * 100
    a = (np.abs(values) if dtype.kind == "u" else values).astype(dtype)
    if dtype.kind in "fV" or dtype.name in ML:
        a[::97] = np.nan
        a[1::89] = np.inf
        a[2::83] = -0.0
    wide = a.astype(np.float64) if dtype.name in ML else a
    x = place(a)
    same(mp.argsort(x), np.argsort(wide, kind="stable"))
    got = host(mp.sort(x))
    np.testing.assert_array_equal(got.astype(wide.dtype), np.sort(wide))


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64"])
@pytest.mark.parametrize("n", [300, 5000, 150_000])
def test_runs_of_equal_first_bytes(dtype, n):
    """Keys of 8 bytes that differ in their last bytes alone, but for a few."""
    rng = np.random.default_rng(n)
    a = rng.integers(0, 1000, n).astype(np.uint64)
    a[rng.integers(0, n, 5)] = 2**62
    a = a.view(dtype) if dtype == "float64" else a.astype(dtype)
    same(mp.sort(place(a)), np.sort(a))
    same(mp.argsort(place(a)), np.argsort(a, kind="stable"))


def test_threads_change_nothing():
    a = np.random.default_rng(0).standard_normal(300_000).astype(np.float32)
    threads = mp.get_num_threads()
    results = []
    try:
        for n in (1, 2, 5):
            mp.set_num_threads(n)
            results.append((host(mp.sort(place(a))), host(mp.argsort(place(a)))))
    finally:
        mp.set_num_threads(threads)
    for values, places in results:
        np.testing.assert_array_equal(values, np.sort(a))
        np.testing.assert_array_equal(places, np.argsort(a, kind="stable"))


def test_sort_method_sorts_in_place():
    x = mp.array([3.0, 1.0, 2.0])
    assert x.sort() is None
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_sort_takes_numpys_arguments():
    a = np.array([[3, 1], [2, 4]])
    x = place(a)
    same(mp.sort(x, axis=None), np.sort(a, axis=None))
    for kind in ("quicksort", "mergesort", "heapsort", "stable"):
        same(mp.sort(x, 0, kind), np.sort(a, 0, kind))
    with pytest.raises(ValueError, match=r"^sort: kind is 'bubble'"):
        mp.sort(x, kind="bubble")
    with pytest.raises(ValueError, match=r"^sort: axis 2 is out of bounds"):
        mp.sort(x, axis=2)


def test_gradient_of_sort_goes_through_the_permutation():
    x = mp.array([[3.0, 1.0, 2.0], [0.0, 0.0, -1.0]], requires_grad=True)
    weights = mp.array([[1.0, 10.0, 100.0], [1.0, 10.0, 100.0]])
    (mp.sort(x, axis=1) * weights).sum().backward()
    assert x.grad.tolist() == [[100.0, 1.0, 10.0], [10.0, 100.0, 1.0]]


# ---- partitions, several keys, the largest few ----


@FEW
@given(arrays(max_dims=2), st.data())
def test_partition(a, data):
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    if a.shape[axis] == 0:
        return
    k = data.draw(st.integers(-a.shape[axis], a.shape[axis] - 1))
    want = np.take(np.sort(a, axis=axis), k, axis=axis)
    got = host(mp.partition(place(a), k, axis=axis))
    np.testing.assert_array_equal(np.take(got, k, axis=axis), want)
    places = host(mp.argpartition(place(a), k, axis=axis))
    np.testing.assert_array_equal(np.take(np.take_along_axis(a, places, axis), k, axis=axis), want)


def test_partition_says_what_is_out_of_range():
    with pytest.raises(
        ValueError, match=r"^partition: kth is 3, out of range for axis 0 of size 3"
    ):
        mp.partition(mp.array([1.0, 2.0, 3.0]), 3)


@FEW
@given(st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_lexsort(n, seed):
    rng = np.random.default_rng(seed)
    keys = [rng.integers(0, 3, n) for _ in range(3)]
    same(mp.lexsort([place(k) for k in keys]), np.lexsort(keys))


def test_topk():
    x = mp.array([[3.0, 1.0, 2.0], [6.0, 5.0, float("nan")]], requires_grad=True)
    found = mp.topk(x, 2)
    np.testing.assert_array_equal(host(found.values), [[3.0, 2.0], [np.nan, 6.0]])
    assert found.indices.tolist() == [[0, 2], [2, 0]]
    assert mp.topk(x, 1, dim=0, largest=False).indices.tolist() == [[0, 0, 0]]
    (found.values[0] * mp.array([1.0, 10.0])).sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0, 10.0], [0.0, 0.0, 0.0]]
    with pytest.raises(ValueError, match=r"^topk: k is 4, axis 1 has 3 elements"):
        mp.topk(x, 4)


# ---- searching ----


@FEW
@given(arrays(max_dims=1, max_side=40), st.data(), st.sampled_from(["left", "right"]))
def test_searchsorted(a, data, side):
    values = data.draw(hnp.arrays(a.dtype, (3, 4), elements=hnp.from_dtype(a.dtype)))
    s = np.sort(a)
    same(mp.searchsorted(place(s), place(values), side), np.searchsorted(s, values, side))
    if a.size:
        order = np.argsort(a, kind="stable")
        got = mp.searchsorted(place(a), place(values), side, place(order))
        same(got, np.searchsorted(a, values, side, order))


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint64", "float16", "float32", "float64"])
def test_searchsorted_of_many(dtype):
    rng = np.random.default_rng(0)
    s = np.sort(rng.integers(0, 100, 5000).astype(dtype))
    values = rng.integers(-3 if np.dtype(dtype).kind != "u" else 0, 110, 20_000).astype(dtype)
    for v in (values, np.sort(values)):
        same(mp.searchsorted(place(s), place(v)), np.searchsorted(s, v))


def test_searchsorted_of_large_integers():
    s = np.array([2**60, 2**60 + 1, 2**60 + 2])
    same(mp.searchsorted(place(s), place(s)), np.arange(3))


@pytest.mark.parametrize("right", [False, True])
def test_digitize(right):
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.5, 3.0, np.nan])
    for bins in (np.array([0.0, 1.0, 2.0, 3.0]), np.array([3.0, 1.0, 0.0])):
        same(mp.digitize(place(x), place(bins), right), np.digitize(x, bins, right))
    with pytest.raises(ValueError, match=r"^digitize: bins neither ascend nor descend"):
        mp.digitize(place(x), mp.array([0.0, 2.0, 1.0]))


@FEW
@given(arrays(max_dims=3, max_side=5), st.data())
def test_take_along_axis(a, data):
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    n = a.shape[axis]
    if n == 0:
        return
    shape = list(a.shape)
    shape[axis] = data.draw(st.integers(0, 4))
    indices = data.draw(hnp.arrays(np.int64, tuple(shape), elements=st.integers(-n, n - 1)))
    same(
        mp.take_along_axis(place(a), place(indices), axis),
        np.take_along_axis(a, indices, axis),
    )


def test_take_along_axis_broadcasts():
    a = np.arange(12.0).reshape(3, 4)
    places = np.array([[0, -1]])
    same(mp.take_along_axis(place(a), places, 1), np.take_along_axis(a, places, 1))
    with pytest.raises(ValueError, match="do not broadcast"):
        mp.take_along_axis(place(a), np.zeros((2, 1), int), 1)


def test_take_along_axis_out_of_range():
    x = mp.array([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(
        IndexError,
        match=r"^take_along_axis: index -3 at position 1 is out of range for axis 1 of size 2",
    ):
        mp.take_along_axis(x, mp.array([[0], [-3]]), 1)


# ---- sets ----


@FEW
@given(arrays(max_dims=2), st.booleans())
def test_unique(a, equal_nan):
    got = mp.unique(place(a), True, True, True, equal_nan=equal_nan)
    want = np.unique(a, True, True, True, equal_nan=equal_nan)
    for g, w in zip(got, want, strict=True):
        same(g, w)
    same(mp.unique(place(a), equal_nan=equal_nan), want[0])


def test_unique_slices():
    a = np.array([[1, 2], [0, 1], [1, 2]])
    got = mp.unique(mp.asarray(a), return_counts=True, axis=0)
    for g, w in zip(got, np.unique(a, return_counts=True, axis=0), strict=True):
        same(g, w)


def test_unique_of_bfloat16():
    x = place(np.array([2.0, 1.0, 2.0], ml_dtypes.bfloat16))
    values, counts = mp.unique_counts(x)
    assert values.dtype == mp.bfloat16
    assert values.tolist() == [1.0, 2.0]
    assert counts.tolist() == [1, 2]


def test_each_nan_is_unique_in_the_standard():
    x = mp.array([[float("nan"), 1.0], [float("nan"), 1.0]])
    found = mp.unique_all(x)
    assert found.counts.tolist() == [2, 1, 1]
    assert found.inverse_indices.shape == (2, 2)
    assert found.indices.tolist() == [1, 0, 2]
    assert mp.unique_values(x).size == 3
    assert mp.unique_inverse(x).inverse_indices.tolist() == [[1, 0], [2, 0]]


@FEW
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_set_functions(n, m, seed, invert):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 8, n), rng.integers(0, 8, m)
    x, y = place(a), place(b)
    same(mp.isin(x, y, invert=invert), np.isin(a, b, invert=invert))
    same(mp.union1d(x, y), np.union1d(a, b))
    same(mp.intersect1d(x, y), np.intersect1d(a, b))
    same(mp.setdiff1d(x, y), np.setdiff1d(a, b))
    same(mp.setxor1d(x, y), np.setxor1d(a, b))
    got, want = mp.intersect1d(x, y, False, True), np.intersect1d(a, b, return_indices=True)
    for g, w in zip(got, want, strict=True):
        same(g, w)
