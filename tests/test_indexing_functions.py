"""mp.take, put, select, insert and their kin against NumPy's functions of the same names."""

import numpy as np
import pytest

import mixprec as mp

A = np.arange(12.0).reshape(3, 4) % 5
I = np.array([[2, 0], [1, -1]])  # noqa: E741
M = A > 2

READS = {
    "nonzero": lambda m, a, i, k: m.nonzero(a),
    "nonzero mask": lambda m, a, i, k: m.nonzero(k),
    "nonzero 1-d": lambda m, a, i, k: m.nonzero(a[1]),
    "nonzero 3-d": lambda m, a, i, k: m.nonzero(a.reshape(2, 3, 2)),
    "nonzero method": lambda m, a, i, k: a.T.nonzero(),
    "flatnonzero": lambda m, a, i, k: m.flatnonzero(a),
    "argwhere": lambda m, a, i, k: m.argwhere(a),
    "argwhere 0-d": lambda m, a, i, k: m.argwhere(m.array(3.0)),
    "take flat": lambda m, a, i, k: m.take(a, i),
    "take axis": lambda m, a, i, k: m.take(a, i, axis=1),
    "take clip": lambda m, a, i, k: m.take(a, i + 3, axis=1, mode="clip"),
    "take wrap": lambda m, a, i, k: m.take(a, i * 30 + 1, mode="wrap"),
    "take scalar": lambda m, a, i, k: m.take(a, 3),
    "take nothing": lambda m, a, i, k: m.take(a, [], axis=0),
    "take method": lambda m, a, i, k: a.take(i, 0),
    "extract": lambda m, a, i, k: m.extract(k, a),
    "compress": lambda m, a, i, k: m.compress([True, False, True], a, axis=1),
    "compress flat": lambda m, a, i, k: m.compress([True, False, True], a),
    "compress method": lambda m, a, i, k: a.compress([False, True], axis=0),
    "choose": lambda m, a, i, k: m.choose(k.astype("int64"), [a, -a]),
    "choose clip": lambda m, a, i, k: m.choose(i, [10, 20, m.array([1, 2])], mode="clip"),
    "choose wrap": lambda m, a, i, k: m.choose(i + 4, [10, 20, m.array([1, 2])], mode="wrap"),
    "choose method": lambda m, a, i, k: k.astype("int64").choose([a, -a]),
    "select": lambda m, a, i, k: m.select([k, a < 1], [a * 2, a - 7], 100.0),
    "unravel": lambda m, a, i, k: m.unravel_index(m.array([[5, 2], [0, 11]]), (3, 4)),
    "unravel F": lambda m, a, i, k: m.unravel_index(m.array([5, 2]), (3, 4), order="F"),
    "unravel int": lambda m, a, i, k: m.unravel_index(5, (3, 4)),
    "ravel_multi": lambda m, a, i, k: m.ravel_multi_index((m.array([2, 0]), [3, 1]), (3, 4)),
    "ravel_multi clip": lambda m, a, i, k: m.ravel_multi_index(([7], [1]), (3, 4), mode="clip"),
    "ix_": lambda m, a, i, k: a[m.ix_([2, 0], m.array([True, False, False, True]))],
    "ix_ empty": lambda m, a, i, k: a[m.ix_([], [1])],
    "diag_indices": lambda m, a, i, k: a[m.diag_indices(3)],
    "tril_indices": lambda m, a, i, k: a[m.tril_indices(3, -1, 4)],
    "triu_indices": lambda m, a, i, k: a[m.triu_indices(3, 1, 4)],
    "delete": lambda m, a, i, k: m.delete(a, 1, axis=0),
    "delete some": lambda m, a, i, k: m.delete(a, [0, -1, 0], axis=1),
    "delete slice": lambda m, a, i, k: m.delete(a, slice(1, None, 3)),
    "delete mask": lambda m, a, i, k: m.delete(a, m.array([True, False, True]), axis=0),
    "insert": lambda m, a, i, k: m.insert(a, 1, 9, axis=1),
    "insert row": lambda m, a, i, k: m.insert(a, -1, [7, 8, 9, 10], axis=0),
    "insert column": lambda m, a, i, k: m.insert(a, 1, [7, 8, 9], axis=1),
    "insert block": lambda m, a, i, k: m.insert(a, [1], [[7, 6], [8, 5], [9, 4]], axis=1),
    "insert several": lambda m, a, i, k: m.insert(a, [3, 1, 1], m.array([7, 8, 9]), axis=1),
    "insert flat": lambda m, a, i, k: m.insert(a, [0, 12], [7, 8]),
    "insert slice": lambda m, a, i, k: m.insert(a, slice(0, 3), -1, axis=0),
    "insert mask": lambda m, a, i, k: m.insert(a, m.array([True, False, True]), -1, axis=0),
    "append": lambda m, a, i, k: m.append(a, [[1, 2]]),
    "append axis": lambda m, a, i, k: m.append(a, a[:1], axis=0),
    "resize": lambda m, a, i, k: m.resize(a, (5, 3)),
    "resize less": lambda m, a, i, k: m.resize(a, 4),
    "resize none": lambda m, a, i, k: m.resize(a[:0], (2, 2)),
}


@pytest.mark.parametrize("name", READS)
def test_read(name):
    got = READS[name](mp, mp.array(A), mp.array(I), mp.array(M))
    want = READS[name](np, A, I, M)
    assert isinstance(got, tuple) == isinstance(want, tuple)
    pairs = zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]
    for g, w in pairs:
        assert g.shape == np.shape(w)
        if np.asarray(w).dtype.kind in "iub":
            assert g.dtype.kind == "i"
        np.testing.assert_array_equal(g.numpy(), w)


WRITES = {
    "put": lambda m, a, k: m.put(a, [0, -1, 5], [7, 8]),
    "put one": lambda m, a, k: m.put(a, 3, 9.5),
    "put wrap": lambda m, a, k: m.put(a, [13, -14], [7, 8], mode="wrap"),
    "put clip": lambda m, a, k: m.put(a, [13, -14], [7, 8], mode="clip"),
    "put nothing": lambda m, a, k: m.put(a, [], []),
    "put method": lambda m, a, k: a.put([1, 2], [[3], [4]]),
    "put transposed": lambda m, a, k: m.put(a.T, [1, 2], [3, 4]),
    "place": lambda m, a, k: m.place(a, k, [7, 8, 9]),
    "place more": lambda m, a, k: m.place(a, k, m.arange(20)),
    "putmask": lambda m, a, k: m.putmask(a, k, [7, 8, 9]),
    "putmask all": lambda m, a, k: m.putmask(a, k, -a),
    "copyto": lambda m, a, k: m.copyto(a, [1, 2, 3, 4]),
    "copyto where": lambda m, a, k: m.copyto(a, -a, where=k),
    "copyto row": lambda m, a, k: m.copyto(a, 5, where=[True, False, True, False]),
    "fill_diagonal": lambda m, a, k: m.fill_diagonal(a, 9),
    "fill_diagonal some": lambda m, a, k: m.fill_diagonal(a.T, [7, 8]),
    "fill_diagonal wrap": lambda m, a, k: m.fill_diagonal(a.T[:, :1], 7, wrap=True),
    "put_along_axis": lambda m, a, k: m.put_along_axis(a, m.array([[1], [0], [3]]), 99, axis=1),
    "put_along_axis 0": lambda m, a, k: m.put_along_axis(a, m.array([[1, 0, 2, 1]]), 99, axis=0),
    "fill": lambda m, a, k: a.fill(3),
    "take out": lambda m, a, k: m.take(m.arange(3.0), [2, 1, 0, 0], out=a[1]),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_write(name, order):
    want = np.array(A, order=order)
    x = mp.asarray(want.copy(order="K"))
    WRITES[name](mp, x, mp.array(M))
    WRITES[name](np, want, M)
    np.testing.assert_array_equal(x.numpy(), want)


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (lambda x: mp.nonzero(mp.array(1)), ValueError, "nonzero: the array has no axes"),
        (lambda x: mp.put(x, [12], 1), IndexError, "12 is out of range for axis 0 of size 12"),
        (lambda x: mp.put(x, [0], []), ValueError, "no values"),
        (lambda x: mp.take(x, [0], mode="none"), ValueError, "take: mode is 'none'"),
        (lambda x: mp.take(x, [0], out=mp.zeros(2)), ValueError, r"out has shape \(2,\)"),
        (lambda x: mp.choose([2], [x, x]), ValueError, "choose: 2 numbers none of 2"),
        (lambda x: mp.select([x > 1], [x, x]), ValueError, "1 conditions, 2 choices"),
        (lambda x: mp.select([x], [x]), TypeError, "bool is wanted"),
        (lambda x: mp.unravel_index(12, (3, 4)), ValueError, "12"),
        (lambda x: mp.delete(x, 3, axis=0), IndexError, "3"),
        (lambda x: mp.insert(x, 4, 1, axis=0), IndexError, "insert: index 4"),
        (lambda x: mp.place(x, [True], 1), ValueError, "place: the mask has 1 elements"),
        (lambda x: mp.copyto(mp.zeros(2, dtype="int8"), x[0, :2]), TypeError, "copyto: float64"),
        (lambda x: mp.fill_diagonal(x[0], 1), ValueError, "fill_diagonal: .* 1 dimensions"),
        (lambda x: mp.put_along_axis(x, [1], 1, 0), ValueError, "put_along_axis: indices"),
        (lambda x: mp.ix_(x), ValueError, "ix_: argument 0"),
        (lambda x: mp.resize(x, -1), ValueError, "resize: .*negative"),
        (lambda x: x.item(12), IndexError, "item: 12 is out of range"),
        (lambda x: x.item(0, 4), IndexError, "index: 4 is out of range for axis 1 of size 4"),
    ],
)
def test_errors(function, error, text):
    with pytest.raises(error, match=text):
        function(mp.array(A))


def test_put_along_no_axis():
    x = mp.array(A).T
    mp.put_along_axis(x, mp.array([1, 5]), [8, 9], axis=None)
    want = A.T.copy()
    np.put(want, [1, 5], [8, 9])
    np.testing.assert_array_equal(x.numpy(), want)


def test_item():
    x = mp.array(A)
    assert (x.item(5), x.item(-1), x.item(2, 1), x.item((2, 1))) == (A.item(5), 1, 4, 4)
    assert isinstance(x.item(5), float)
    assert isinstance(mp.arange(3).item(1), int)


GRADIENTS = {
    "take": lambda x: mp.take(x, [[1, 5], [5, 0]]),
    "compress": lambda x: mp.compress([True, False, True], x, axis=0),
    "choose": lambda x: mp.choose(mp.array([0, 1, 1, 0]), [x, x * x]),
    "select": lambda x: mp.select([x > 0.5, x < 0.2], [x * 2, x * x], 1.0),
    "insert": lambda x: mp.insert(x, [0, 2], x[:2] * 3, axis=0),
    "delete": lambda x: mp.delete(x, 1, axis=1),
    "resize": lambda x: mp.resize(x, (4, 4)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    x = mp.array(np.random.default_rng(3).random((3, 4))).requires_grad_()
    assert mp.testing.gradcheck(GRADIENTS[name], [x])


def test_gradients_of_writes():
    x = mp.array(np.random.default_rng(3).random((3, 4))).requires_grad_()

    def write(x):
        y = x * 2
        mp.put(y, [1, 4], [5.0, 6.0])
        mp.put(y.T, [3], x[0, :1])
        mp.putmask(y, mp.array(M), x * x)
        mp.put_along_axis(y, mp.array([[0, 1, 2, 0]]), x[:1], axis=0)
        return y

    assert mp.testing.gradcheck(write, [x])
