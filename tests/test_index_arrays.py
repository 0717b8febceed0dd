"""Indexing by arrays, masks and mixtures, read and written, against NumPy on generated indices."""

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import mixprec as mp
from helpers import laid_out, to_device
from mixprec.functional.indexing import add_at

SETTINGS = settings(max_examples=300, deadline=None, derandomize=True, database=None)
DTYPES = st.sampled_from(["float32", "float64", "float16", "int8", "uint64", "bool"])
LAYOUTS = st.sampled_from(["contiguous", "strided", "reversed"])


def filled(shape, dtype="float32"):
    return np.arange(int(np.prod(shape))).astype(dtype).reshape(shape)


@st.composite
def item_of(draw, shape, axis, common):
    """One item of an index, and how many axes from `axis` on it uses."""
    n = shape[axis]
    kind = draw(st.sampled_from(["integer", "slice", "new", "array", "mask", "truth", "list"]))
    if kind == "new":
        return None, 0
    if kind == "truth":
        return draw(st.sampled_from([True, True, False, np.array(True)])), 0
    if kind == "mask":
        span = draw(st.integers(1, len(shape) - axis))
        assume(0 not in shape[axis : axis + span])
        return draw(npst.arrays(bool, shape[axis : axis + span])), span
    if kind == "slice" or n == 0:
        return draw(st.slices(n)), 1
    if kind == "integer":
        make = draw(st.sampled_from([int, np.int32, np.asarray]))
        return make(draw(st.integers(-n, n - 1))), 1
    if kind == "list":
        return draw(st.lists(st.integers(-n, n - 1), max_size=3)), 1
    dtype = draw(st.sampled_from([np.int64, np.int64, np.int8, np.uint16]))
    sizes = draw(st.sampled_from([common, common[-1:], (1,) * len(common)]))
    low = 0 if dtype == np.uint16 else -n
    return draw(npst.arrays(dtype, sizes, elements=st.integers(low, n - 1))), 1


@st.composite
def indexed(draw):
    """A shape and an index of it that NumPy takes: anything goes with anything."""
    shape = draw(npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    common = draw(npst.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=3))
    items, axis = [], 0
    while axis < len(shape) and len(items) < 6 and draw(st.integers(0, 4)):
        item, used = draw(item_of(shape, axis, common))
        items.append(item)
        axis += used
    if draw(st.booleans()):
        items.append(Ellipsis)
        left = range(axis, len(shape))
        if left and draw(st.booleans()):
            items.append(draw(st.integers(-shape[-1], shape[-1] - 1)) if shape[-1] else None)
    return shape, tuple(items)


def selection(shape, index):
    """What NumPy selects, as positions; None where it takes no such index."""
    try:
        return filled(shape, "int64")[index]
    except IndexError:
        return None


def ours(index, data):
    """The same index with some of its arrays as ours."""
    return tuple(
        mp.array(i) if isinstance(i, np.ndarray) and data.draw(st.booleans()) else i for i in index
    )


@SETTINGS
@given(indexed(), DTYPES, LAYOUTS, st.data())
def test_get(case, dtype, layout, data):
    shape, index = case
    a = laid_out(filled(shape, dtype), layout)
    positions = selection(shape, index)
    x = to_device(a, "cpu")
    if positions is None:
        with pytest.raises(IndexError, match=r"^index: "):
            x[ours(index, data)]
        return
    assume(np.ndim(positions) <= 8)
    got = x[ours(index, data)]
    assert got.shape == np.shape(positions)
    assert got.dtype == a.dtype
    np.testing.assert_array_equal(got.numpy(), a[index])


@SETTINGS
@given(indexed(), DTYPES, LAYOUTS, st.sampled_from(["one", "all", "row"]), st.data())
def test_set(case, dtype, layout, kind, data):
    shape, index = case
    positions = selection(shape, index)
    assume(positions is not None and np.ndim(positions) <= 8)
    a = laid_out(filled(shape, dtype), layout)
    value = 1 + filled(np.shape(positions), "float32")
    if kind == "one":
        value = np.float32(1)
    elif kind == "row" and value.ndim:
        value = value[:1]
    value = data.draw(st.sampled_from([value, value.astype("int64")]))
    x = to_device(a.copy(), "cpu")
    rows = to_device(laid_out(a, layout), "cpu")
    want = a.copy()
    want[index] = value
    for array in (x, rows):
        array[ours(index, data)] = mp.array(value)
        np.testing.assert_array_equal(array.numpy(), want)


@SETTINGS
@given(indexed(), st.data())
def test_gradients(case, data):
    """Of a read: gy where elements came from, summed. Of a write: 0 there, and gy's selection."""
    shape, index = case
    positions = selection(shape, index)
    assume(positions is not None and np.ndim(positions) <= 8)
    x = mp.array(filled(shape, "float64")).requires_grad_()
    y = x[ours(index, data)]
    gy = 1.0 + filled(np.shape(positions), "float64")
    y.backward(mp.array(gy))
    want = np.zeros(int(np.prod(shape)))
    np.add.at(want, positions, gy)
    np.testing.assert_array_equal(x.grad.numpy(), want.reshape(shape))
    x.grad = None
    value = mp.array(filled(np.shape(positions), "float64")).requires_grad_()
    z = x * 1
    z[ours(index, data)] = value
    gz = 1.0 + filled(shape, "float64")
    z.backward(mp.array(gz))
    want = np.array(gz)
    want[index or ...] = 0
    got = np.zeros(shape) if x.grad is None else x.grad.numpy()  # None: nothing of x is left
    np.testing.assert_array_equal(got, want)
    if np.unique(positions).size == np.size(positions):
        np.testing.assert_array_equal(value.grad.numpy(), gz[index])


@SETTINGS
@given(indexed(), st.sampled_from(["float32", "int16", "bool"]), LAYOUTS)
def test_add_at(case, dtype, layout):
    shape, index = case
    positions = selection(shape, index)
    assume(positions is not None and np.ndim(positions) <= 8)
    a = laid_out(filled(shape, dtype), layout)
    x = to_device(a.copy(), "cpu")
    value = filled(np.shape(positions), dtype)
    want = a.copy()
    np.add.at(want, index, value)
    add_at(x, index, mp.array(value))
    np.testing.assert_array_equal(x.numpy(), want)


SEVERAL = [
    (([[0, 1, 3], [2, 3, 1]], [0, 0, 4]), (2, 3)),
    ((slice(None), [0, 0, 4]), (4, 3)),
    ((slice(1, None), None, [0, 2]), (3, 1, 2)),
    ((2, [1, 1, 2]), (3,)),
    ((1, 2), ()),
]


@pytest.mark.parametrize(("index", "shape"), SEVERAL)
def test_gradients_against_differences(index, shape):
    rng = np.random.default_rng(0)
    x, v = (mp.array(rng.random(s)).requires_grad_() for s in ((4, 5), shape))

    def write(x, v):
        y = x * 1
        y[index] = v
        y[index] *= 2
        return y * y

    assert mp.testing.gradcheck(lambda x: x[index] ** 2, [x])
    picked = filled((4, 5), "int64")[index]
    if np.unique(picked).size == np.size(picked):
        assert mp.testing.gradcheck(write, [x, v])


def test_gradients_of_masks():
    x = mp.array(np.random.default_rng(0).random((4, 5))).requires_grad_()
    mask = x.detach() > 0.5

    def write(x):
        y = x * 1
        y[mask] = 0
        y[~mask.numpy()] += 1
        return y * x + x[mask].sum()

    assert mp.testing.gradcheck(write, [x])


def test_second_gradients():
    x = mp.array([1.0, 2.0, 3.0]).requires_grad_()
    i = mp.array([[0, 2], [2, 2]])
    (g,) = mp.grad((x[i, None] ** 3).sum(), [x], create_graph=True)
    g.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * x.detach().numpy() * [1, 0, 3], rtol=1e-6)


# ---- what NumPy means ----


def test_elements_are_values():
    x = mp.array([1.0, 2.0])
    t = x[0]
    x[0] = x[1]
    x[1] = t
    assert x.tolist() == [2, 1]
    y = mp.array([[1.0, 2.0], [3.0, 4.0]]).requires_grad_()
    (y[0, 1] * y[1][0]).backward()
    assert y.grad.tolist() == [[0, 3], [2, 0]]
    elements = list(x)
    x[:] = 0
    assert [float(e) for e in elements] == [2, 1]
    rows = list(mp.array([[1.0], [2.0]]))
    rows[0][0] = 5
    assert rows[0].tolist() == [5]


def test_views_stay_views():
    x = mp.zeros(3)
    x[..., 0][...] = 1
    x[1:][:1] = 2
    x[None][0, 2:] = 3
    x[mp.array(0) : mp.array(1)] += 4
    assert x.tolist() == [5, 2, 3]
    m = mp.zeros((2, 2))
    m[1][0] = 1
    assert m.tolist() == [[0, 0], [1, 0]]


def test_the_last_write_stays():
    x = mp.zeros(3)
    x[[0, 1, 0, 0]] = [1, 2, 3, 4]
    assert x.tolist() == [4, 2, 0]
    n = 100_000
    i = np.random.default_rng(0).integers(0, 50, n)
    want = np.zeros(50)
    want[i] = np.arange(n)
    x = mp.zeros(50, dtype="float64")
    x[mp.array(i)] = mp.arange(n)
    np.testing.assert_array_equal(x.numpy(), want)


@pytest.mark.parametrize(
    "write",
    [
        lambda x, a: x.__setitem__(slice(None, None, -1), a),
        lambda x, a: x.__setitem__([0, 1, 2], a[3:]),
        lambda x, a: x.__setitem__([5, 4, 3, 2, 1, 0], a),
        lambda x, a: x.__setitem__(a > 2, a[:3]),
        lambda x, a: x.__setitem__(a, a[::-1]),
    ],
)
def test_writes_of_what_is_written(write):
    a = np.arange(6)
    x = mp.array(a)
    write(x, x)
    write(a, a)
    np.testing.assert_array_equal(x.numpy(), a)


def test_in_place_operators():
    a, x = np.arange(6.0), mp.arange(6.0)
    for array in (a, x):
        array[[1, 1, 3]] += 10
        array[array > 12] *= 2
        array[2:4] -= 1
        array[5] = array[0] + 3
    np.testing.assert_array_equal(x.numpy(), a)


def test_conversions_of_values():
    x = mp.zeros(3, dtype="int8")
    x[0], x[1:], x[[2]] = 3.7, [1.5, -2.5], mp.array([9.9])
    assert x.tolist() == [3, 1, 9]
    x[:] = mp.array([-1.5, 2.5, 3.0])
    assert x.tolist() == [-1, 2, 3]
    b = mp.zeros(2, dtype="bool")
    b[0], b[[1]] = 0.5, 2
    assert b.tolist() == [True, True]
    wide = mp.zeros(1, dtype="float64")
    wide[:] = [0.1]
    wide[[0]] = [0.1]
    assert wide.item() == 0.1
    big = mp.zeros(2, dtype="uint64")
    big[0], big[[1]] = 2**64 - 1, 2**63
    assert big.tolist() == [2**64 - 1, 2**63]


def test_large_selections():
    """More elements than one task takes, and masks of several chunks."""
    rng = np.random.default_rng(0)
    a = rng.random((300, 400), dtype=np.float32)
    mask, i = a > 0.3, rng.integers(-300, 300, 5000)
    for array in (a, np.asfortranarray(a)):
        x = mp.asarray(array)
        np.testing.assert_array_equal(x[mp.array(mask)].numpy(), a[mask])
        np.testing.assert_array_equal(x[mp.array(i)].numpy(), a[i])
        np.testing.assert_array_equal(x[:, mp.array(i)].numpy(), a[:, i])
        np.testing.assert_array_equal(x[mp.array(i), mp.array(i)].numpy(), a[i, i])
        y, b = mp.array(array), a.copy()
        for target, m in ((y, mp.array(mask)), (b, mask)):
            target[m] = target[m] * 2
            target[i] = 5
        np.testing.assert_array_equal(y.numpy(), b)


# ---- errors ----

ERRORS = [
    ((1, [1, -7]), IndexError, "index: -7 is out of range for axis 1 of size 3"),
    (([[5]],), IndexError, "index: 5 is out of range for axis 0 of size 5"),
    ((slice(None), 3), IndexError, "index: 3 is out of range for axis 1 of size 3"),
    (([0, 1], [1, 2, 0]), IndexError, r"index: .*\(2,\) and \(3,\) cannot be broadcast"),
    (np.ones(4, bool), IndexError, r"index: the mask has shape \(4,\), .* \(5,\)"),
    ((0, 0, 0), IndexError, "index: 3 indices for an array of 2 dimensions"),
    ((..., ...), IndexError, "index: 2 ellipses"),
    (1.5, IndexError, "index: a float is not an index"),
    ([1.5], IndexError, "index: an array of dtype float64 is not an index"),
    ("a", IndexError, "index: a str is not an index"),
    ((0, slice(1.0, 2)), TypeError, "slice indices must be integers"),
    (2**70, IndexError, "index: an index does not fit"),
]


@pytest.mark.core
@pytest.mark.parametrize(("index", "error", "text"), ERRORS)
def test_bad_indices(index, error, text):
    x = mp.zeros((5, 3))
    for array in (x, x.astype("int8"), mp.zeros((5, 3)).requires_grad_()):
        with pytest.raises(error, match=text):
            array[index]
        with pytest.raises(error, match=text), mp.no_grad():
            array[index] = 1
        assert not array.detach().numpy().any()


@pytest.mark.core
@pytest.mark.parametrize("index", [0, slice(2), [0], np.array([True, False, False])])
def test_bad_values(index):
    x = mp.zeros(3, dtype="int8")
    for value, error in ((300, OverflowError), (-129, OverflowError), (1j, TypeError)):
        with pytest.raises(error):
            x[index] = value
    with pytest.raises(ValueError, match="NaN does not fit in int8"):
        x[index] = float("nan")
    with pytest.raises(OverflowError, match="float does not fit in int8"):
        x[index] = float("inf")
    with pytest.raises(ValueError, match=r"\(4,\)"):
        x[index] = mp.zeros(4)
    assert x.tolist() == [0, 0, 0]
    read_only = np.zeros(3)
    read_only.flags.writeable = False
    for y, error in (
        (mp.asarray(read_only), ValueError),
        (mp.broadcast_to(mp.zeros(1), (3,)), ValueError),
        (mp.zeros(3).requires_grad_(), RuntimeError),
    ):
        with pytest.raises(error):
            y[index] = 1.0


def test_writes_are_counted():
    x = mp.zeros(4)
    for n, index in enumerate((0, slice(2), [0], x.numpy() == 0), 1):
        x[index] = 1.0
        assert x._version == n
    y = mp.ones(3).requires_grad_()
    saved = mp.ones(3)
    z = y * saved
    saved[0] = 2.0
    with pytest.raises(RuntimeError, match="modified"):
        z.sum().backward()


def test_stale_views_are_refused():
    w = mp.ones(3).requires_grad_()
    x = w * 1
    view = x[1:]
    x[[0]] = 5
    with pytest.raises(RuntimeError, match="view"):
        view[0] * 1
    with pytest.raises(RuntimeError, match="view"):
        view[[0]]


def test_nothing_is_left_behind():
    x, m, i = mp.zeros((4, 4)), mp.array([True, False, True, True]), mp.array([0, 3])

    def work():
        for _ in range(200):
            x[1], x[1, 2], x[m], x[i], x[i, i], x[:, m], x[True], x[[0]]
            x[1, 2] = 1.0
            x[m], x[i], x[i, i], x[:, m] = 1.0, mp.ones(4), 2, 3.0
            for bad in ([9], m[:2], (0, [1, 9]), "a", ([0, 1], [0, 1, 2])):
                with pytest.raises(IndexError):
                    x[bad]

    work()
    gc.collect()
    held = mp.memory_stats().held
    tracemalloc.start()
    work()
    gc.collect()
    grown = tracemalloc.take_snapshot()
    tracemalloc.stop()
    size = sum(s.size for s in grown.statistics("filename") if "mixprec" in s.traceback[0].filename)
    assert size < 20_000
    assert mp.memory_stats().held == held
