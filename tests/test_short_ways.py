"""Short ways in C: what they give is what the Python function behind them gives."""

import subprocess
import sys

import numpy as np
import pytest

import mixprec as mp

X = mp.array([3.0, 1.0, 2.0, 5.0])
A = mp.array([[1.0, 8.0, 3.0], [4.0, 5.0, 6.0]])
I = mp.array([1, 4, 2, 1])  # noqa: E741
S = mp.array([[4.0, 1.0], [1.0, 3.0]])

REDUCTIONS = ["sum", "prod", "mean", "max", "min", "any", "all", "argmax", "argmin"]
CALLS = [
    *((name, (A,), {}) for name in REDUCTIONS),
    *((name, (A,), {"axis": 1}) for name in REDUCTIONS),
    *((name, (A, -1), {"keepdims": True}) for name in REDUCTIONS),
    *((name, (A,), {"axis": (0, 1)}) for name in REDUCTIONS[:7]),
    ("squeeze", (mp.ones((1, 3, 1)),), {}),
    ("squeeze", (mp.ones((1, 1)),), {}),
    ("atleast_1d", (mp.array(2.0),), {}),
    ("atleast_1d", (A,), {}),
    ("atleast_2d", (mp.array(2.0),), {}),
    ("atleast_2d", (X[::-1],), {}),
    ("flip", (A,), {}),
    ("flip", (A, -1), {}),
    ("flip", (A.T, 0), {}),
    ("flip", (mp.ones((0, 2)),), {}),
    ("trace", (A,), {}),
    ("trace", (A.T,), {}),
    ("trace", (A > 4,), {}),
    ("diff", (X,), {}),
    ("diff", (A.T,), {}),
    ("diff", (I,), {}),
    ("diff", (X > 2,), {}),
    ("diff", (X[:1],), {}),
    ("repeat", (X, 3), {}),
    ("repeat", (X[::2], 1), {}),
    ("repeat", (X, 0), {}),
    ("inner", (X, X), {}),
    ("inner", (A, A), {}),
    ("concatenate", ([X, I],), {}),
    ("concatenate", ((A, A),), {"axis": 1}),
    ("concatenate", ([A, A], -1), {}),
    ("concatenate", ([A, A], None), {}),
    ("concatenate", ([X] * 20,), {}),
    ("concatenate", ([X, [1.0]],), {}),
    ("zeros_like", (A,), {}),
    ("zeros_like", (A.T,), {"dtype": int}),
    ("ones_like", (I,), {}),
    ("ones_like", (X, bool), {}),
    ("full_like", (X, 2.5), {}),
    ("full_like", (I, 2), {}),
    ("full_like", (I, 2.5), {}),
    ("eye", (3,), {}),
    ("eye", (0,), {}),
    ("eye", (2,), {"dtype": bool}),
    ("eye", (2, 3), {}),
    ("identity", (3,), {}),
    ("identity", (2,), {"dtype": np.float64}),
    ("diag", (X,), {}),
    ("diag", (I[::-2],), {}),
    ("diag", (A,), {}),
    ("arange", (0, 1, 0.1), {}),
    ("arange", (2.5,), {}),
    ("arange", (1.0, 0.0, -0.25), {}),
    ("arange", (1.0, 0.0), {}),
    ("linspace", (0, 1), {}),
    ("linspace", (0.1, -0.7, 7), {}),
    ("linspace", (0.0, 1.0), {"num": 4, "endpoint": False}),
    ("linspace", (2.0, 2.0, 3), {}),
    ("linspace", (2.0, 3.0, 1), {}),
    ("linspace", (0.0, 1e-46, 3), {}),
    ("bincount", (I,), {}),
    ("bincount", (I[::2],), {"minlength": 9}),
    ("bincount", (I, X), {}),
    ("bincount", (I,), {"weights": X[::-1].astype(mp.float64)}),
    ("bincount", (I, I), {}),
    ("bincount", (I[:0],), {}),
    ("nonzero", (X > 2,), {}),
    ("nonzero", ((X > 2)[::-1],), {}),
    ("nonzero", (A > 3,), {}),
    ("where", (X > 2,), {}),
    ("where", (X > 2, X, 0), {}),
    ("interp", (X, I[1:2], X[:1]), {}),
    ("interp", (0.5, X, X), {}),
    ("convolve", (X, A[0]), {}),
    ("convolve", (I, I), {}),
    ("unravel_index", (5, (2, 4)), {}),
    ("unravel_index", (I, (2, 4)), {}),
    ("argpartition", (X, 2), {}),
    ("polyfit", (X, X, 1), {}),
    ("lcm", (I, 6), {}),
    ("isneginf", (X,), {}),
    ("histogram", (X, 3), {}),
    ("linalg.det", (S,), {}),
    ("linalg.inv", (S,), {}),
    ("linalg.solve", (S, X[:2]), {}),
    ("linalg.solve", (S, A), {}),
    ("linalg.cholesky", (S,), {"upper": True}),
    ("linalg.eigh", (S,), {}),
    ("linalg.lstsq", (A, X[:2]), {}),
    ("linalg.matrix_rank", (S.astype(mp.float64),), {}),
]


def behind(function):
    """The Python function at the end of the short ways."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def named(path):
    found = mp
    for part in path.split("."):
        found = getattr(found, part)
    return found


def parts(result):
    return result if isinstance(result, (tuple, list)) else (result,)


@pytest.mark.parametrize(("path", "args", "kwargs"), CALLS)
def test_same_as_behind(path, args, kwargs):
    function = named(path)
    assert behind(function) is not function
    got, want = parts(function(*args, **kwargs)), parts(behind(function)(*args, **kwargs))
    assert len(got) == len(want)
    for y, wanted in zip(got, want, strict=True):
        if not isinstance(wanted, mp.ndarray):
            assert type(y) is type(wanted)
            assert y == wanted
            continue
        assert (y.dtype, y.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(y.numpy(), wanted.numpy())


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("squeeze", ()),
        ("flip", ()),
        ("diff", ()),
        ("repeat", (2,)),
        ("diag", ()),
        ("atleast_2d", ()),
    ],
)
def test_gradients_go_through(name, rest):
    x = mp.array([1.0, 2.0, 4.0], requires_grad=True)
    y = getattr(mp, name)(x, *rest)
    assert y.requires_grad
    (y * y).sum().backward()
    assert x.grad.shape == x.shape
    assert (x.grad != 0).any()


def test_gradients_of_joins_and_equations():
    x = mp.array([[2.0, 0.5], [0.5, 1.0]], requires_grad=True)
    mp.concatenate([x, x]).sum().backward()
    assert x.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert mp.linalg.inv(x).requires_grad
    assert mp.array([x, x]).requires_grad
    with pytest.raises(NotImplementedError, match="interp: it has no gradient"):
        mp.interp(x[0], [0.0, 1.0], [0.0, 1.0]).sum().backward()


def test_views_share_memory_and_copies_do_not():
    x = mp.ones((1, 3))
    mp.squeeze(x)[0] = 5.0
    mp.flip(x)[0, 0] = 7.0
    assert x.tolist() == [[5.0, 1.0, 7.0]]
    row = x[0]
    joined = mp.array([row, row])
    joined[0, 0] = 9.0
    assert x[0, 0] == 5
    assert mp.array([row, row], dtype=mp.float64).dtype == mp.float64


def test_float64_stays_wide():
    x = mp.array([0.0, 1.0], dtype=mp.float64)
    assert mp.interp(0.25, x, x).dtype == mp.float64
    assert mp.linalg.inv(mp.eye(2, dtype=mp.float64)).dtype == mp.float64


def test_subclasses_and_narrow_floats():
    half = mp.array([[2.0, 0.0], [0.0, 4.0]], dtype=mp.float16)
    assert mp.linalg.inv(half).dtype == mp.float16
    assert mp.linalg.inv(mp.nn.Parameter(mp.eye(2))).requires_grad


def test_fill():
    for dtype, value, want in ((mp.float32, 2, 2.0), (mp.float16, 1.5, 1.5), (mp.int32, 3, 3)):
        x = mp.zeros((2, 2), dtype=dtype)
        assert x.fill(value) is None
        assert x.tolist() == [[want] * 2] * 2


def test_where_of_the_condition():
    mask = mp.array([[0, 1], [1, 1]]) > 0
    assert [i.tolist() for i in mp.where(mask)] == [[0, 1, 1], [1, 0, 1]]
    with pytest.raises(ValueError, match="where: x1 and x2 are wanted"):
        mp.where(mask, 1.0)


@pytest.mark.parametrize("obj", [0, 2, -1])
def test_delete_and_insert_at_one_place(obj):
    for x in (X, I):
        np.testing.assert_array_equal(mp.delete(x, obj).numpy(), np.delete(x.numpy(), obj))
        inserted = mp.insert(x, obj, 9)
        np.testing.assert_array_equal(inserted.numpy(), np.insert(x.numpy(), obj, 9))
        assert inserted.dtype == x.dtype


@pytest.mark.parametrize("n", [1, 7, 63, 64, 65, 200, 1500])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_places_of_extremes(n, dtype):
    rng = np.random.default_rng(n)
    for x in (
        rng.integers(0, 9, (3, n)).astype(dtype),
        np.arange(3 * n, dtype=dtype).reshape(3, n),
    ):
        assert mp.array(x).argmax(axis=1).tolist() == x.argmax(axis=1).tolist()
        assert mp.array(x).argmin(axis=1).tolist() == x.argmin(axis=1).tolist()
        if dtype != np.int64:
            x[1, n // 2] = np.nan
            assert mp.array(x).argmax(axis=1).tolist() == x.argmax(axis=1).tolist()


@pytest.mark.parametrize("n", [1, 7, 8, 9, 1000, 40000])
def test_places_of_runs(n):
    for mask in (np.arange(n) >= n // 2, np.arange(n) % 16 < 8, np.ones(n, bool), np.arange(n) < 0):
        assert mp.flatnonzero(mp.array(mask)).tolist() == np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("dtype", [mp.float32, mp.float64, mp.float16])
@pytest.mark.parametrize("k", [1, 3, 16, 17])
def test_stacks_of_dots(k, dtype):
    a = mp.random.rand(50, 2, k).astype(dtype)[:, 0]
    b = mp.random.rand(k, 50).astype(dtype).T
    y = mp.einsum("nk,nk->n", a, b)
    want = (a.numpy().astype(np.float64) * b.numpy().astype(np.float64)).sum(axis=1)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), want, rtol=2 * k * mp.finfo(dtype).eps)


def test_numbers_as_values():
    assert mp.sqrt(2.25).dtype == mp.float32
    assert mp.abs(-3) == 3
    assert mp.abs(-3).dtype == mp.int64
    assert mp.sin(0).dtype == mp.float32
    assert mp.abs(-(2**62)) == 2**62
    assert str(mp.float32(0.1) * mp.array(1.0)) == "0.1"
    assert str(mp.array(7)[()]) == "7"


def test_comparisons_of_numbers_are_exact():
    big = mp.array([2**53, 2**53 + 1])
    assert big[0] < big[1]
    assert bool(big[0] == big[1]) is False
    nan = mp.array([np.nan])[0]
    assert bool(nan == nan) is False
    assert nan != nan
    assert bool(nan)
    assert not mp.array(0.0)
    assert mp.array(-0.5, dtype=mp.float16)


def test_training_parts_are_loaded_when_asked_for():
    code = (
        "import sys, mixprec as mp\n"
        "late = 'amp autograd linalg nn optim random'.split()\n"
        "assert not [n for n in late if 'mixprec.' + n in sys.modules]\n"
        "assert set(late) <= set(dir(mp))\n"
        "from mixprec import nn, optim\n"
        "assert mp.nn is nn and mp.no_grad is mp.autograd.no_grad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
