"""Ufuncs: their calls with out=, where= and dtype=, their methods, and what they are to Python; and
functions whose plain calls take a short way."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import mixprec as mp
from mixprec import _core
from mixprec.functional._ufunc import ufunc

pytestmark = pytest.mark.core

UFUNCS = sorted(
    name for name in mp.functional.__all__ if isinstance(getattr(mp.functional, name), _core.ufunc)
)
A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]], np.float32)
B = np.array([3.0, 2.0, 1.0], np.float32)


# ---- objects ----


@pytest.mark.parametrize("name", UFUNCS)
def test_is_a_documented_object(name):
    f = getattr(mp.functional, name)
    assert f.__doc__ == f.__wrapped__.__doc__
    assert repr(f) == f"<ufunc '{f.__name__}'>"
    assert f.nargs == f.nin + f.nout
    assert pickle.loads(pickle.dumps(f)) is f
    assert copy.deepcopy(f) is f
    parameters = inspect.signature(f).parameters
    kinds = [p.kind for p in parameters.values()]
    assert kinds[: f.nin] == [inspect.Parameter.POSITIONAL_ONLY] * f.nin
    assert {"out", "where", "dtype"} <= set(parameters)
    with pytest.raises(TypeError):
        f(*[mp.ones(2)] * (f.nargs + 1))
    with pytest.raises(TypeError):
        f(*[mp.ones(2)] * f.nin, nothing=1)


@pytest.mark.parametrize("name", UFUNCS)
def test_is_numpys(name):
    theirs = getattr(np, name, None)
    if not isinstance(theirs, np.ufunc):
        return
    ours = getattr(mp.functional, name)
    assert (ours.nin, ours.nout) == (theirs.nin, theirs.nout)
    if ours.identity is not None:
        assert ours.identity == theirs.identity


def test_what_is_a_ufunc_in_numpy_is_one_here():
    of_vectors_or_of_two_results = {"matmul", "matvec", "vecdot", "vecmat", "divmod"}
    theirs = {n for n in mp.functional.__all__ if isinstance(getattr(np, n, None), np.ufunc)}
    assert theirs - set(UFUNCS) == of_vectors_or_of_two_results


def test_methods_of_arrays():
    x = mp.array(A)
    assert x.exp().tolist() == mp.exp(x).tolist()
    assert x.add(1).tolist() == (x + 1).tolist()
    bound = x.add
    assert bound(2).tolist() == (x + 2).tolist()


def test_plain_calls():
    x = mp.array(A)
    np.testing.assert_array_equal(mp.add(x, 1).numpy(), A + 1)
    np.testing.assert_array_equal(mp.add([1, 2], (3, 4)).numpy(), [4, 6])
    np.testing.assert_array_equal(mp.add(A, x).numpy(), A + A)
    assert mp.sqrt(4.0).item() == 2.0
    assert _core.is_value(mp.add(1, 2))
    assert mp.add(x.sum(), 1).item() == 23.0
    assert mp.square(x).tolist() == (A * A).tolist()  # without a row of its own
    for bad in ("a", None, object()):
        with pytest.raises(TypeError):
            mp.add(x, bad)
        with pytest.raises(TypeError):
            mp.sqrt(bad)


def test_subclasses_and_autocast():
    w = mp.nn.Parameter(mp.array(B))
    mp.multiply(w, w).sum().backward()
    assert w.grad.tolist() == (2 * B).tolist()
    with mp.autocast(dtype="bfloat16"):
        assert mp.exp(mp.ones(2, dtype=mp.float16)).dtype == np.float32


# ---- out, where, dtype ----


@pytest.mark.parametrize("as_tuple", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_out(dtype, as_tuple):
    x, out = mp.array(A), mp.zeros((2, 3), dtype=dtype)
    got = mp.add(x, B, out=(out,) if as_tuple else out)
    assert got is out
    assert out.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(out.numpy(), A + B)
    assert mp.add(x, 1, out) is out
    np.testing.assert_array_equal(out.numpy(), A + 1)


def test_out_may_be_an_operand():
    x = mp.array(A)
    address = x.data_ptr()
    mp.add(x, x, out=x)
    mp.sqrt(x, out=x)
    assert x.data_ptr() == address
    np.testing.assert_allclose(x.numpy(), np.sqrt(A + A), rtol=1e-6)
    mp.subtract(x[:, ::-1], x, out=x)
    r = np.sqrt(A + A)
    np.testing.assert_allclose(x.numpy(), r[:, ::-1] - r, rtol=1e-5, atol=1e-6)


def test_out_is_broadcast_to():
    out = mp.zeros((2, 3))
    mp.add(mp.array(B), 1, out=out)
    np.testing.assert_array_equal(out.numpy(), np.broadcast_to(B + 1, (2, 3)))


def test_out_errors():
    x = mp.array(A)
    with pytest.raises(TypeError, match=r"add: float32 cannot be cast to int64 under casting"):
        mp.add(x, x, out=mp.zeros((2, 3), dtype=mp.int64))
    mp.add(x, x, out=mp.zeros((2, 3), dtype=mp.int64), casting="unsafe")
    with pytest.raises(TypeError, match="add: "):
        mp.add(mp.array([1]), 1, out=mp.zeros(1, dtype=mp.uint8))
    with pytest.raises(ValueError, match="add: "):
        mp.add(x, x, out=mp.zeros(3))
    with pytest.raises(TypeError, match="add: out is a ndarray"):
        mp.add(x, x, out=np.zeros((2, 3)))
    with pytest.raises(TypeError, match="twice"):
        mp.add(x, x, x, out=x)
    with pytest.raises(ValueError, match="add: out has 2 arrays"):
        mp.add(x, x, out=(x, x))
    with pytest.raises(ValueError, match="casting"):
        mp.add(x, x, out=mp.zeros((2, 3), dtype=mp.float16), casting="whatever")
    frozen = mp.zeros((2, 3))
    frozen.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        mp.add(x, x, out=frozen)


def test_where():
    x, mask = mp.array(A), A > 2
    out = mp.full((2, 3), -1.0)
    mp.add(x, 10, out=out, where=mp.array(mask))
    want = np.full((2, 3), -1.0)
    np.add(A, 10, out=want, where=mask)
    np.testing.assert_array_equal(out.numpy(), want)
    alone = mp.add(x, 10, where=mask)
    np.testing.assert_array_equal(alone.numpy()[mask], (A + 10)[mask])
    with pytest.raises(TypeError, match="where"):
        mp.add(x, 10, where=x)


def test_dtype():
    x = mp.array(A)
    assert mp.add(x, 1, dtype=mp.float64).dtype == np.float64
    assert mp.sqrt(mp.array([4]), dtype="float16").dtype == np.float16
    assert mp.less(x, 2, dtype=mp.float64).dtype == np.bool_
    with pytest.raises(TypeError, match="add: "):
        mp.add(x, 1, dtype=mp.int32)


@pytest.mark.parametrize("masked", [False, True])
def test_out_is_recorded(masked):
    x = mp.array(B, requires_grad=True)
    y = mp.zeros(3) * 1.0
    mask = np.array([True, False, True])
    mp.multiply(x, x, out=y, where=mask if masked else True)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * B * (mask if masked else 1))
    with pytest.raises(RuntimeError, match="no_grad"):
        mp.add(x, 1, out=x)


# ---- methods ----

REDUCED = ["add", "multiply", "maximum", "minimum", "logical_and", "logical_or"]


@pytest.mark.parametrize("name", [*REDUCED, "subtract", "bitwise_or", "divide", "hypot"])
@pytest.mark.parametrize("axis", [0, 1, -1, None, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reduce(name, axis, keepdims):
    a = A.astype(np.int64) if name == "bitwise_or" else A
    x = mp.array(a)
    ours, theirs = getattr(mp, name), getattr(np, name)
    if (axis is None or isinstance(axis, tuple)) and name in ("subtract", "divide"):
        with pytest.raises(ValueError, match="order"):
            ours.reduce(x, axis=axis)
        return
    got = ours.reduce(x, axis=axis, keepdims=keepdims)
    want = theirs.reduce(a, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6)
    assert got.shape == np.shape(want)


def test_reduce_initial_where_dtype_out():
    x = mp.array(A)
    assert mp.add.reduce(x, axis=None, initial=10).item() == 32.0
    assert mp.maximum.reduce(x, axis=None, initial=10).item() == 10.0
    assert mp.add.reduce(x, axis=None, where=A > 2).item() == 19.0
    assert mp.maximum.reduce(x, axis=0, where=A < 5, initial=0).tolist() == [4.0, 2.0, 3.0]
    assert mp.add.reduce(x, dtype=mp.float64).dtype == np.float64
    out = mp.zeros(3)
    assert mp.add.reduce(x, 0, out=out) is out
    assert out.tolist() == A.sum(0).tolist()
    with pytest.raises(ValueError, match="identity"):
        mp.maximum.reduce(x, where=A > 2)
    with pytest.raises(ValueError):
        mp.sqrt.reduce(x)


def test_reduce_of_nothing():
    nothing = mp.zeros((0, 2))
    assert mp.add.reduce(nothing).tolist() == [0.0, 0.0]
    assert mp.multiply.reduce(nothing).tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match=r"maximum\.reduce"):
        mp.maximum.reduce(nothing)
    assert mp.maximum.reduce(nothing, initial=3.0).tolist() == [3.0, 3.0]


def test_reduce_has_a_gradient():
    x = mp.array(B, requires_grad=True)
    mp.subtract.reduce(x).backward()
    assert x.grad.tolist() == [1.0, -1.0, -1.0]


@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "minimum", "subtract"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_accumulate(name, axis):
    got = getattr(mp, name).accumulate(mp.array(A), axis)
    np.testing.assert_allclose(got.numpy(), getattr(np, name).accumulate(A, axis), rtol=1e-6)


@pytest.mark.parametrize("name", ["add", "maximum"])
@pytest.mark.parametrize("axis", [0, 1])
def test_reduceat(name, axis):
    a = np.arange(30.0, dtype=np.float32).reshape(5, 6)
    for indices in ([0, 2, 4], [3, 1, 2], [4]):
        got = getattr(mp, name).reduceat(mp.array(a), indices, axis)
        np.testing.assert_array_equal(got.numpy(), getattr(np, name).reduceat(a, indices, axis))
    with pytest.raises(IndexError, match="index 6"):
        mp.add.reduceat(mp.array(a), [6], 0)


def test_outer():
    got = mp.subtract.outer(mp.array(A), B)
    np.testing.assert_array_equal(got.numpy(), np.subtract.outer(A, B))
    assert mp.add.outer([1, 2], 3).tolist() == [4, 5]


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "maximum"])
def test_at(name):
    a = np.ones(4, np.float32)
    x = mp.array(a)
    index, values = [0, 1, 1, 3], np.array([2.0, 3.0, 4.0, 5.0], np.float32)
    getattr(np, name).at(a, index, values)
    version = x._version
    getattr(mp, name).at(x, index, mp.array(values))
    np.testing.assert_array_equal(x.numpy(), a)
    assert x._version > version


def test_add_at_is_recorded():
    x = mp.zeros(3) * 1.0
    v = mp.array([1.0, 2.0, 3.0], requires_grad=True)
    mp.add.at(x, [0, 2, 2], v)
    assert x.tolist() == [1.0, 0.0, 5.0]
    (x * mp.array([1.0, 10.0, 100.0])).sum().backward()
    assert v.grad.tolist() == [1.0, 100.0, 100.0]


def test_at_of_one_operand_and_its_errors():
    x = mp.array([1.0, 4.0])
    mp.negative.at(x, [0, 0, 1])
    assert x.tolist() == [1.0, -4.0]
    with pytest.raises(TypeError, match=r"negative\.at"):
        mp.negative.at(x, [0], 1.0)
    with pytest.raises(NotImplementedError, match="recorded"):
        mp.multiply.at(x, [0], mp.ones(1, requires_grad=True))


# ---- the decorator ----


def test_ufunc_without_a_row():
    @ufunc(identity=2, nout=2)
    def both(x1, x2):
        """Sum and difference."""
        return x1 + x2, x1 - x2

    assert (both.nin, both.nout, both.identity, both.row) == (2, 2, 2, None)
    x = mp.array(B)
    total, difference = both(x, 1)
    assert total.tolist() == (B + 1).tolist()
    out = mp.zeros(3)
    got = both(x, 1, out=(None, out))
    assert got[1] is out
    assert out.tolist() == difference.tolist()
    with pytest.raises(ValueError, match=r"both.reduce"):
        both.reduce(x)


def test_decorator_errors():
    with pytest.raises(ValueError, match="no row"):
        ufunc("nothing")(lambda x: x)
    with pytest.raises(ValueError, match="no way"):
        _core.function("nothing", len)


# ---- short ways ----


def test_functions_are_pickled_by_name_and_documented():
    for f in (mp.sum, mp.reshape, mp.zeros, mp.array):
        assert pickle.loads(pickle.dumps(f)) is f
        assert f.__doc__
        assert inspect.signature(f) == inspect.signature(f.__wrapped__)
        assert inspect.isroutine(f)
        assert repr(f) == f"<function {f.__name__}>"


CALLS = [
    lambda m, x: x.reshape(3, 2),
    lambda m, x: x.reshape((3, -1)),
    lambda m, x: x.T.reshape(6),
    lambda m, x: m.reshape(x, (6,)),
    lambda m, x: m.reshape(x, -1),
    lambda m, x: x.transpose(),
    lambda m, x: x.transpose(1, 0),
    lambda m, x: x.transpose((-1, 0)),
    lambda m, x: m.transpose(x, (1, 0)),
    lambda m, x: x.swapaxes(0, -1),
    lambda m, x: m.swapaxes(x, 1, 0),
    lambda m, x: x.ravel(),
    lambda m, x: x.T.ravel(),
    lambda m, x: x.T.flatten(),
    lambda m, x: x.copy(),
    lambda m, x: m.copy(x),
    lambda m, x: x.sum(),
    lambda m, x: x.sum(1),
    lambda m, x: x.sum(axis=0),
    lambda m, x: m.mean(x, 0),
    lambda m, x: m.max(x),
    lambda m, x: x.min(-1),
    lambda m, x: x.argmax(),
    lambda m, x: m.argmin(x, 1),
    lambda m, x: m.dot(x, x.T),
    lambda m, x: m.zeros(3, dtype="float32"),
    lambda m, x: m.zeros((2, 3), "int32"),
    lambda m, x: m.ones([2, 1], dtype=m.uint8),
    lambda m, x: m.ones((), "float64"),
    lambda m, x: m.full(4, 2.5, "float64"),
    lambda m, x: m.full((2, 2), 7),
    lambda m, x: m.empty((0, 3), "float32"),
    lambda m, x: m.arange(5),
    lambda m, x: m.arange(2, 11, 3),
    lambda m, x: m.arange(5, -4, -2),
    lambda m, x: m.arange(3, 3),
    lambda m, x: m.array(x),
]


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_short_ways_are_numpys(call, grad):
    x = mp.array(A)
    got, want = call(mp, x.requires_grad_() if grad else x), call(np, A)
    assert got.dtype == want.dtype
    assert got.shape == np.shape(want)
    np.testing.assert_array_equal(got.detach().numpy(), want)
    if grad and got.requires_grad:
        got.sum().backward()
        assert x.grad.shape == x.shape


def test_short_ways_leave_errors_to_the_function():
    x = mp.array(A)
    for wrong in (
        lambda: x.reshape(4, 2),
        lambda: x.reshape(-1, -1),
        lambda: x.transpose(0, 0),
        lambda: x.swapaxes(0, 5),
        lambda: x.sum(7),
        lambda: mp.zeros(-1),
        lambda: mp.arange(1, 2, 0),
        lambda: mp.dot(x, x),
    ):
        with pytest.raises(ValueError):
            wrong()
    for wrong in (lambda: mp.zeros("a"), lambda: mp.arange("a"), lambda: mp.full(2)):
        with pytest.raises(TypeError):
            wrong()


def test_views_share_memory_and_copies_do_not():
    x = mp.array(A)
    for y in (x.reshape(6), x.T, x.transpose(), x.swapaxes(0, 1), x.ravel(), mp.reshape(x, (3, 2))):
        assert y.data_ptr() == x.data_ptr()
    for y in (x.copy(), x.flatten(), mp.array(x), mp.copy(x)):
        assert y.data_ptr() != x.data_ptr()
    wide = mp.broadcast_to(mp.ones(1), (3,)).reshape(3, 1)
    with pytest.raises(ValueError, match="share memory"):
        wide[0] = 2.0


def test_large_arrays_and_other_devices_take_the_long_way():
    assert mp.zeros(100_000).sum().item() == 0
    assert mp.ones((300, 300)).sum().item() == 90_000
    assert mp.full(100_000, 3)[99_999].item() == 3
    assert mp.arange(100_000)[-1].item() == 99_999
    with mp.device("cpu"):
        assert mp.zeros(2).device == "cpu"


# ---- lists ----


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3], [1.0, 2, 3], [True, False], [True, 2], [[1, 2], [3, 4]], ((1.5,), (2.5,)), [],
        [[], []], [[[1]]], [2**62, 1], [2**63], [1e300, 1e-300], [float("nan"), 1], 5, 2.5, True,
        [-(2**63)],
    ],
)  # fmt: skip
def test_lists_are_what_numpy_makes_of_them(values):
    want = np.array(values)
    if want.dtype == np.float64:
        with np.errstate(over="ignore"):
            want = want.astype(np.float32)
    for make in (mp.array, mp.asarray):
        got = make(values)
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        np.testing.assert_array_equal(got.numpy(), want)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "uint16", "bool"])
def test_lists_into_a_dtype(dtype):
    values = [[0, 1], [2, 3]]
    got = mp.array(values, dtype=dtype)
    assert got.dtype.name == dtype
    assert got.tolist() == [[bool(v) if dtype == "bool" else v for v in row] for row in values]
    assert mp.array(values, getattr(mp, dtype.replace("bool", "bool_"))).dtype.name == dtype


def test_lists_that_do_not_fit():
    for bad, kind in (([[1], [1, 2]], ValueError), ([1, "a"], TypeError), ([[1], 2], ValueError)):
        with pytest.raises(kind):
            mp.array(bad)
    with pytest.raises(OverflowError):
        mp.array([300], dtype=mp.uint8)
    deep = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(ValueError):
        mp.array(deep)


def test_lists_of_arrays():
    s = mp.array([1.0, 2.0]).sum()
    assert mp.array([s, s]).tolist() == [3.0, 3.0]
    assert mp.array([[s, 1], [2.5, s]]).tolist() == [[3.0, 1.0], [2.5, 3.0]]
    assert mp.array([mp.array([1, 2]).sum(), 2]).dtype == np.int64
    assert mp.array([mp.array([1, 2]).sum(), 2.5]).dtype == np.float32
    assert mp.array([s.astype("float16"), 2.5]).dtype == np.float16
    assert mp.array([s.astype("float16"), s.astype("bfloat16")]).dtype == np.float32
    assert mp.array([mp.ones(2), mp.zeros(2)]).tolist() == [[1.0, 1.0], [0.0, 0.0]]
    with pytest.raises(ValueError):
        mp.array([mp.ones(2), mp.ones(3)])


@pytest.mark.parametrize("make", [mp.array, mp.asarray])
def test_lists_of_arrays_that_require_grad_are_recorded(make):
    x = mp.array([2.0, 3.0], requires_grad=True)
    y = make([x.sum(), 1.0, x.max()])
    assert y.tolist() == [5.0, 1.0, 3.0]
    (y * mp.array([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 101.0]
    rows = make([x, x * 2])
    assert rows.shape == (2, 2)
    rows.sum().backward()
    assert x.grad.tolist() == [4.0, 104.0]
