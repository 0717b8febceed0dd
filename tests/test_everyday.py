"""NumPy's everyday names beyond the standard, compared with NumPy, and their gradients."""

import importlib
import inspect

import numpy as np
import pytest

import mixprec as mp
from mixprec.everyday import HOMES, NAMES
from mixprec.lib import stride_tricks
from mixprec.testing import gradcheck, gradgradcheck

V = np.array([0.5, -1.5, 2.0, 3.0, 0.25, 4.0])
W = np.array([1.0, -2.0, 0.5])
M = np.arange(12.0).reshape(3, 4) ** 1.5
T = np.arange(24.0).reshape(2, 3, 4) ** 1.2
I = np.array([[1, 2], [3, 4], [5, 7]])  # noqa: E741
ODD = np.array([1.0, np.nan, np.inf, -np.inf, 2.0, 0.0])
N = np.newaxis

# Calls of a function, as (arguments, keywords); arrays in them are given as ours.
CALLS = {
    "allclose": [
        ((V, V + 1e-9), {}),
        ((V, V + 1e-2), {}),
        ((ODD, ODD), {}),
        ((ODD, ODD), {"equal_nan": True}),
        ((I, I), {"rtol": 0, "atol": 0}),
        ((V, 1.0), {"atol": 10}),
    ],
    "apply_along_axis": [
        ((lambda v: v.sum(), 0, M), {}),
        ((lambda v: v[::-1], 1, M), {}),
        ((lambda v: v[:2, N] * v[N, :3], -2, T), {}),
        ((lambda v, a, b: v.sum() * a + b, 0, V, 2.0), {"b": 1.0}),
    ],
    "apply_over_axes": [
        ((lambda a, i: a.sum(i), T, [0, 2]), {}),
        ((lambda a, i: a.sum(i, keepdims=True), T, (1,)), {}),
        ((lambda a, i: a.sum(i), T, 1), {}),
    ],
    "array_equal": [
        ((V, V), {}),
        ((V, V[:3]), {}),
        ((I, I + 1), {}),
        ((ODD, ODD), {}),
        ((ODD, ODD), {"equal_nan": True}),
        (([1, 2], [1, 2]), {}),
    ],
    "array_equiv": [((V, np.stack([V, V])), {}), ((V, W), {}), ((V, V + 1), {})],
    "array_split": [
        ((V, 4), {}),
        ((M, 3), {"axis": 1}),
        ((V, [1, 4]), {}),
        ((V, np.array([2, 9])), {}),
        ((V, 8), {}),
        ((T, 2, -1), {}),
    ],
    "asanyarray": [((M,), {}), (([1, 2],), {})],
    "asarray_chkfinite": [((M,), {}), ((I,), {"dtype": np.float64})],
    "ascontiguousarray": [((M.T,), {}), ((2.0,), {}), ((I,), {"dtype": np.float64})],
    "asfortranarray": [((M,), {}), ((T.T,), {})],
    "block": [
        (([[M, M], [M[:2], M[:2] + 1]],), {}),
        (([V, W, 1.0],), {}),
        ((V,), {}),
        (([[V], [V]],), {}),
        (([T, T],), {}),
        (([[1.0, 2.0], [3.0, 4.0]],), {}),
    ],
    "column_stack": [(((V, V),), {}), (([M, W, M],), {}), (([V, 2 * V[:, N]],), {})],
    "conj": [((M,), {}), ((I,), {}), ((2.0,), {})],
    "conjugate": [((M,), {})],
    "convolve": [
        *(((V[:n], W[:m]), {"mode": mode}) for mode in ("full", "same", "valid")
          for n in (1, 2, 5, 6) for m in (1, 2, 3)),
        ((W, V), {}),
        ((W, V, "same"), {}),
        ((W[:2], V, "same"), {}),
        ((V, 2.0), {}),
        ((I[0], I[:, 0]), {}),
    ],
    "correlate": [
        *(((V[:n], W[:m]), {"mode": mode}) for mode in ("full", "same", "valid")
          for n in (1, 2, 5, 6) for m in (1, 2, 3)),
        *(((W[:m], V[:n], mode), {}) for mode in ("full", "same", "valid")
          for n in (5, 6) for m in (1, 2, 3)),
        ((V, V), {}),
        ((I[0], I[:, 0]), {}),
    ],
    "diag": [
        *(((V[:3], k), {}) for k in (0, 1, 2, -1, -3)),
        *(((M, k), {}) for k in (0, 1, 3, 4, 9, -1, -2, -3)),
        *(((M.T, k), {}) for k in (0, 2, -2)),
        ((I[0],), {}),
        ((np.array([True, False]),), {"k": 1}),
        ((np.zeros(0),), {}),
        ((np.zeros(0), 2), {}),
    ],
    "diagflat": [((M,), {}), ((I, 1), {}), ((3.0,), {}), ((V,), {"k": -2})],
    "dsplit": [((T, 2), {}), ((T, [1, 3]), {})],
    "dstack": [(((V, V),), {}), (([M, M],), {}), (([T, T],), {}), (([1.0, 2.0],), {})],
    "fabs": [((V,), {}), ((-I,), {})],
    "fromfunction": [
        ((lambda i, j: i * 2 + j, (2, 3)), {}),
        ((lambda i: i * 2, (5,)), {"dtype": np.int64}),
        ((lambda i, k: i + k, (3,)), {"k": 2.0}),
    ],
    "gradient": [
        ((V,), {}),
        ((V, 2.0), {}),
        ((V, np.array([0.0, 1.0, 1.5, 3.5, 4.0, 6.0])), {}),
        ((V, np.array([0.0, 1.0, 1.5, 3.5, 4.0, 6.0])), {"edge_order": 2}),
        ((V, np.arange(6) * 0.5), {"edge_order": 2}),
        ((M,), {}),
        ((M, 2.0, np.array([0.0, 1.0, 3.0, 4.0])), {}),
        ((M, 0.5), {"axis": 1}),
        ((T,), {"axis": (0, -1)}),
        ((M,), {"edge_order": 2, "axis": 0}),
        ((I,), {}),
    ],
    "hsplit": [((V, 3), {}), ((M, 2), {}), ((M, np.array([1, 2])), {}), ((T, [1]), {})],
    "hstack": [
        (((V, W),), {}),
        (([M, M[:, :2]],), {}),
        (([1.0, V],), {}),
        (([I, I],), {"dtype": np.float64}),
    ],
    "imag": [((V,), {}), ((I,), {})],
    "iscomplex": [((M,), {}), (([1, 2],), {})],
    "iscomplexobj": [((M,), {}), ((1j,), {}), ((2.0,), {})],
    "isclose": [
        ((V, V + np.array([0, 1e-9, 1e-4, 0, 1, 0])), {}),
        ((ODD, ODD), {}),
        ((ODD, ODD), {"equal_nan": True}),
        ((ODD, ODD[::-1].copy()), {}),
        ((1.0, ODD), {}),
        ((I, I + 1), {"rtol": 0.3}),
        ((M, M[0] + 1), {"atol": 5.0}),
        ((np.array([2**60]), np.array([2**60 + 1024])), {"rtol": 0, "atol": 0}),
        ((np.array([True, False]), np.array([True, True])), {}),
    ],
    "isreal": [((M,), {}), (([1, 2],), {})],
    "isrealobj": [((M,), {}), ((1j,), {})],
    "isscalar": [((2.0,), {}), (("a",), {}), ((V,), {}), (([1],), {}), ((None,), {})],
    "modf": [((V * 1.3,), {}), ((np.array([np.inf, -np.inf, -0.0, -3.0]),), {}), ((I,), {})],
    "nan_to_num": [
        ((ODD,), {}),
        ((ODD,), {"nan": 5.0, "posinf": 7.0, "neginf": -7.0}),
        ((I,), {}),
        ((V,), {}),
        ((np.inf,), {"posinf": 1.0}),
    ],
    "ndim": [((M,), {}), ((2.0,), {}), (([[1, 2]],), {})],
    "piecewise": [
        ((V, [V < 0, V >= 2], [-1.0, lambda v: v * 2]), {}),
        ((V, [V < 0], [lambda v: -v, lambda v: v + 1]), {}),
        ((V, V < 1, [5.0]), {}),
        ((M, [M > 3, M > 10], [lambda v, a: v + a, lambda v, a: v * a, 1.0], 3.0), {}),
        ((I, [I > 3], [1, 0]), {}),
        ((0.5, [True], [2.0]), {}),
    ],
    "polyder": [((V,), {}), ((V, 2), {}), ((V,), {"m": 0}), (([3, 2, 1],), {}), ((V, 9), {})],
    "polyint": [
        ((V,), {}),
        ((V, 2), {}),
        ((V,), {"m": 2, "k": [1.0, 3.0]}),
        ((V,), {"m": 2, "k": 2.0}),
        (([6.0, 2.0],), {"k": [4.0]}),
    ],
    "polyval": [((W, V), {}), (([3, 0, 1], V), {}), ((W, 2.0), {}), ((W, M), {})],
    "real": [((V,), {}), ((I,), {})],
    "real_if_close": [((V,), {})],
    "rollaxis": [((T, a), {"start": s}) for a in (0, 1, -1) for s in (0, 1, 2, 3, -1)],
    "rot90": [
        *(((M, k), {}) for k in (-1, 0, 1, 2, 3, 4)),
        ((T, 1), {"axes": (1, 2)}),
        ((T, 3, (2, 0)), {}),
    ],
    "shape": [((M,), {}), ((2.0,), {}), (([[1, 2]],), {})],
    "size": [((M,), {}), ((M, 1), {}), ((M,), {"axis": -2}), ((2.0,), {})],
    "trapezoid": [
        ((V,), {}),
        ((V, np.array([0.0, 1.0, 1.5, 3.5, 4.0, 6.0])), {}),
        ((M,), {"dx": 0.5}),
        ((M,), {"axis": 0}),
        ((M, M * 2), {}),
        ((M, np.arange(3.0) ** 2), {"axis": 0}),
        ((I,), {}),
    ],
    "vsplit": [((M, 3), {}), ((M, [1]), {}), ((T, 2), {})],
    "vstack": [
        (((V, V),), {}),
        (([M, M[:1]],), {}),
        (([V, V[N]],), {}),
        (([1.0, 2.0],), {}),
        (([I, I],), {"dtype": np.float32}),
    ],
}  # fmt: skip
ALONE = {  # tested on their own below
    "array_repr", "c_", "errstate", "frompyfunc",
    "may_share_memory", "mgrid", "ndenumerate", "nditer", "ogrid", "poly1d", "r_",
    "shares_memory", "trapz", "vectorize",
}  # fmt: skip


def ours(value, dtype=np.float64, grad=False):
    """The arrays of a call as ours, floating ones in `dtype`."""
    if isinstance(value, np.ndarray):
        floats = value.dtype.kind == "f"
        return mp.array(value, dtype if floats else None, requires_grad=grad and floats)
    if isinstance(value, (list, tuple)):
        return type(value)(ours(item, dtype, grad) for item in value)
    return value


def same(got, want, rtol=1e-12, dtype=None):
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            same(g, w, rtol, dtype)
    elif isinstance(want, (np.ndarray, np.generic)) and not isinstance(got, (bool, int)):
        assert isinstance(got, mp.ndarray)
        assert got.shape == want.shape
        kind = np.dtype(got.dtype).kind
        assert kind == want.dtype.kind
        if dtype is not None and kind == "f":
            assert got.dtype == dtype
        np.testing.assert_allclose(got.detach().numpy(), want, rtol, rtol)
    else:
        assert type(got) is type(want) or isinstance(want, np.bool_)
        assert got == want


CASES = [(name, i) for name, calls in CALLS.items() for i in range(len(calls))]


@pytest.mark.parametrize(("name", "i"), CASES)
def test_values(name, i):
    mp.set_default_dtype(np.float64)
    args, kwargs = CALLS[name][i]
    want = getattr(np, name)(*args, **kwargs)
    got = getattr(mp, name)(*ours(args), **{k: ours(v) for k, v in kwargs.items()})
    same(got, want)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"isclose", "allclose", "nan_to_num"}))
def test_float32_stays(name):
    for args, kwargs in CALLS[name]:
        if kwargs.get("dtype"):
            continue
        want = getattr(np, name)(*args, **kwargs)
        got = getattr(mp, name)(
            *ours(args, np.float32), **{k: ours(v, np.float32) for k, v in kwargs.items()}
        )
        same(got, want, 2e-5, np.float32)


def test_names():
    for module, names in NAMES.items():
        home = importlib.import_module(f"mixprec.everyday.{module}")
        assert sorted(names.split()) == sorted(home.__all__)
    assert set(CALLS) | ALONE == set(HOMES)
    for name in HOMES:
        assert name in mp.__all__
        assert name in dir(mp)
        assert getattr(mp, name) is getattr(mp, name)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"asanyarray"}))
def test_parameters_are_numpys(name):
    try:
        want = list(inspect.signature(getattr(np, name)).parameters.values())
    except ValueError:
        pytest.skip("this NumPy tells no signature of its C function")
    if isinstance(getattr(np, name), np.ufunc):
        return  # theirs are ufuncs
    got = list(inspect.signature(getattr(mp, name)).parameters.values())
    assert [p.name for p in got] == [p.name for p in want if p.name != "like"]
    for p, q in zip(got, [p for p in want if p.name != "like"], strict=True):
        assert p.kind == q.kind
        assert p.default == q.default


GRADIENTS = {
    "diag of a vector": lambda x: mp.diag(x, 1),
    "diag of a matrix": lambda x: mp.diag(mp.reshape(x, (2, 3)), -1),
    "diagflat": mp.diagflat,
    "trapezoid": lambda x: mp.trapezoid(x, x * x),
    "gradient": lambda x: mp.gradient(x, 0.5, edge_order=2),
    "gradient of coordinates": lambda x: mp.gradient(x, [0.0, 1.0, 1.5, 3.5, 4.0, 6.0]),
    "nan_to_num": mp.nan_to_num,
    "fabs": mp.fabs,
    "modf": lambda x: mp.modf(x * 1.1)[0],
    "polyval": lambda x: mp.polyval(x[:3], x[3:]),
    "polyder": mp.polyder,
    "polyint": mp.polyint,
    "vstack": lambda x: mp.vstack([x, 2 * x]),
    "hstack": lambda x: mp.hstack([x, x * x]),
    "dstack": lambda x: mp.dstack([x, x * x]),
    "column_stack": lambda x: mp.column_stack([x, x * x]),
    "block": lambda x: mp.block([[x, x * x], [x, x]]),
    "array_split": lambda x: tuple(mp.array_split(x, 4)),
    "rot90": lambda x: mp.rot90(mp.reshape(x, (2, 3)), 3),
    "rollaxis": lambda x: mp.rollaxis(mp.reshape(x, (2, 3)), 1),
    "r_": lambda x: mp.r_[x, 1.0, x * x],
    "c_": lambda x: mp.c_[x, x * x],
    "apply_along_axis": lambda x: mp.apply_along_axis(
        lambda v: v * v.sum(), 1, mp.reshape(x, (2, 3))
    ),
    "apply_over_axes": lambda x: mp.apply_over_axes(mp.sum, mp.reshape(x, (2, 3)), [0, 1]),
    "piecewise": lambda x: mp.piecewise(x, [x < 1], [lambda v: v * v, lambda v: 3 * v]),
    "sliding_window_view": lambda x: stride_tricks.sliding_window_view(x, 3),
    "as_strided": lambda x: stride_tricks.as_strided(x, (2, 2), (24, 8)),
    "poly1d": lambda x: mp.poly1d([1.0, 2.0, 3.0])(x),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    x = mp.array(V, requires_grad=True)
    assert gradcheck(GRADIENTS[name], x)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("function", [mp.convolve, mp.correlate])
@pytest.mark.parametrize(("n", "m"), [(6, 3), (6, 2), (3, 6), (4, 4), (1, 3)])
def test_gradients_of_convolutions(function, mode, n, m):
    rng = np.random.default_rng(1)
    a, v = (mp.array(rng.normal(size=k), requires_grad=True) for k in (n, m))
    assert gradcheck(lambda x, y: function(x, y, mode), [a, v])
    assert gradgradcheck(lambda x, y: function(x, y, mode), [a, v])
    assert gradcheck(lambda x: function(x, v.detach(), mode), [a])
    assert gradcheck(lambda y: function(a.detach(), y, mode), [v])


def test_convolution_by_windows():
    """What runs on a GPU, here on the CPU."""
    from mixprec.everyday.calculus import _Convolve

    class Elsewhere(mp.ndarray):
        device = "elsewhere"

    for full in (True, False):
        got = _Convolve.apply(Elsewhere(mp.array(V)), Elsewhere(mp.array(W)), full)
        same(got, np.convolve(V, W, "full" if full else "valid"))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: mp.asarray_chkfinite(ODD), ValueError, "asarray_chkfinite: the array has NaN"),
        (lambda: mp.vstack([]), ValueError, "vstack: no arrays"),
        (lambda: mp.vstack([V, W]), ValueError, r"vstack: input 0 has shape \(1, 6\), input 1"),
        (lambda: mp.hstack([M, T]), ValueError, r"hstack: input 0 has shape \(3, 4\), input 1 has"),
        (lambda: mp.hstack(3), TypeError, "hstack: a int is given"),
        (lambda: mp.vstack([V], dtype=int), TypeError, "vstack: float64 to int64 is not"),
        (lambda: mp.block([[1], 2]), ValueError, "block: the lists are not nested alike"),
        (lambda: mp.block([]), ValueError, "block: a list is empty"),
        (lambda: mp.block((1, 2)), TypeError, "block: a tuple is given"),
        (lambda: mp.array_split(V, 0), ValueError, "array_split: 0 parts"),
        (lambda: mp.hsplit(V, 4), ValueError, "hsplit: axis 0 has 6 elements, not 4 equal parts"),
        (lambda: mp.vsplit(V, 2), ValueError, "vsplit: the array has 1 dimensions, at least 2"),
        (lambda: mp.rollaxis(T, 5), ValueError, "rollaxis: axis 5 is out of bounds"),
        (lambda: mp.rollaxis(T, 0, 5), ValueError, "rollaxis: start 5 is out of bounds"),
        (lambda: mp.rot90(M, 1, (0, 0)), ValueError, "rot90: both axes are 0"),
        (lambda: mp.diag(T), ValueError, "diag: the array has 3 dimensions, 1 or 2"),
        (lambda: mp.convolve([], [1]), ValueError, r"convolve: shapes \(0,\) and \(1,\)"),
        (lambda: mp.convolve(M, V), ValueError, "convolve: shapes"),
        (lambda: mp.convolve(V, W, "some"), ValueError, "convolve: mode is 'some'"),
        (lambda: mp.gradient(V, 1.0, 2.0), TypeError, "gradient: 2 distances for 1 axes"),
        (lambda: mp.gradient(V, W), ValueError, r"gradient: coordinates of shape \(3,\) for 6"),
        (lambda: mp.gradient(V[:1]), ValueError, "gradient: axis 0 has 1 samples, 2 are wanted"),
        (lambda: mp.gradient(V, edge_order=3), ValueError, "gradient: edge_order is 3"),
        (lambda: mp.polyder(V, -1), ValueError, "polyder: m is -1"),
        (lambda: mp.polyint(V, 3, [1, 2]), ValueError, "polyint: 2 constants for 3 steps"),
        (lambda: mp.piecewise(V, [V > 0], [1, 2, 3]), ValueError, "piecewise: 3 functions for 1"),
        (
            lambda: mp.apply_along_axis(np.sum, 1, np.zeros((0, 2))),
            ValueError,
            "apply_along_axis: shape",
        ),
        (
            lambda: stride_tricks.sliding_window_view(V, 9),
            ValueError,
            "sliding_window_view: a window of 9 does not fit in 6",
        ),
        (lambda: stride_tricks.as_strided(mp.array(V), (9,), (8,)), IndexError, "as_strided: "),
        (
            lambda: stride_tricks.as_strided(mp.array(V)[::2], (2,), (8,)),
            ValueError,
            "as_strided: the array of shape",
        ),
        (
            lambda: stride_tricks.as_strided(mp.array(V), (2,), (4,)),
            ValueError,
            "as_strided: strides",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


# ---- names that are no plain functions ----


def test_trapz():
    assert mp.trapz is mp.trapezoid


def test_grids():
    same(mp.mgrid[0:3], np.mgrid[0:3])
    same(mp.mgrid[0:2, 1:4:2], np.mgrid[0:2, 1:4:2])
    same(mp.mgrid[0:1:5j, 0:2], np.mgrid[0:1:5j, 0:2], 1e-6, np.float32)
    same(mp.mgrid[0 : mp.array(3)], np.mgrid[0:3])
    same(mp.ogrid[0:2, 0:3], np.ogrid[0:2, 0:3])
    same(mp.ogrid[0:1:3j], np.ogrid[0:1:3j], 1e-6, np.float32)


def test_joins():
    v, m = mp.array(V), mp.array(M)
    same(mp.r_[1:4, 0, v], np.r_[1:4, 0, V])
    same(mp.r_[0:1:3j, 5.0], np.r_[0:1:3j, 5.0], 1e-6, np.float32)
    same(mp.r_[m, m], np.r_[M, M])
    same(mp.r_["0,2", v, v], np.r_["0,2", V, V])
    same(mp.r_["-1", m, m], np.r_["-1", M, M])
    same(mp.c_[v, v], np.c_[V, V])
    same(mp.c_[m, m[:, 0]], np.c_[M, M[:, 0]])
    same(mp.c_[m, mp.array(W)], np.c_[M, W])
    same(mp.c_[1:3, 4:6], np.c_[1:3, 4:6])


def test_index_helpers():
    assert mp.s_[1:2, ...] == np.s_[1:2, ...]
    assert mp.index_exp[3] == (3,)
    assert list(mp.ndindex(2, 2)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_ndenumerate_and_nditer():
    assert list(mp.ndenumerate(mp.array(I))) == list(np.ndenumerate(I))
    assert [float(a * b) for a, b in mp.nditer([mp.array(V), mp.array(V)])] == list(V * V)
    it = mp.nditer(mp.array(I), flags=["multi_index"])
    assert [(it.multi_index, int(v)) for v in it] == [*np.ndenumerate(I)]
    x = mp.zeros(3)
    for value in mp.nditer(x, op_flags=["readwrite"]):
        value[...] = 2
    assert x.tolist() == [2, 2, 2]


def test_vectorize():
    def step(a, b=1.0):
        return a if a > b else b

    x = mp.array(V, dtype=mp.float32)
    same(mp.vectorize(step)(x), np.vectorize(step)(V), 1e-6, np.float32)
    same(mp.vectorize(step)(x, 2.0), np.vectorize(step)(V, 2.0), 1e-6, np.float32)
    same(mp.vectorize(step)(x, b=mp.array(2.0)), np.vectorize(step)(V, 2.0), 1e-6, np.float32)
    assert mp.vectorize(step, otypes=[np.float64])(x).dtype == mp.float64
    assert mp.vectorize(lambda a: int(a))(x).dtype == mp.int64
    got = mp.vectorize(lambda a: (a, a > 0))(x)
    assert [g.dtype for g in got] == [mp.float32, bool]
    same(mp.vectorize(lambda v: v.sum(), signature="(n)->()")(mp.array(M)), M.sum(1))
    assert mp.vectorize(lambda a: mp.exp(a))(mp.zeros(2)).tolist() == [1.0, 1.0]

    @mp.vectorize
    def double(a):
        """Twice."""
        return 2 * a

    assert double(mp.array(I)).tolist() == (2 * I).tolist()
    assert double.__doc__ == "Twice."

    @mp.vectorize(otypes=[int])
    def whole(a):
        return a

    assert whole(x).dtype == mp.int64
    with pytest.raises(NotImplementedError, match="vectorize: it has no gradient"):
        mp.vectorize(step)(mp.array(V, requires_grad=True)).sum().backward()


def test_frompyfunc():
    add = mp.frompyfunc(lambda a, b: a + b, 2, 1)
    same(add(mp.array(M), mp.array(M[0])), M + M[0])
    both = mp.frompyfunc(lambda a: (a, -a), 1, 2)(mp.array(I))
    same(list(both), [I, -I])
    words = mp.frompyfunc(str, 1, 1)(mp.array([1, 2]))
    assert words.tolist() == ["1", "2"]


def test_poly1d():
    p, q = mp.poly1d(mp.array([1.0, 0.0, -4.0])), np.poly1d([1.0, 0.0, -4.0])
    x = mp.array(V)
    same(p(x), q(V))
    same(mp.polyval(p, x), q(V))
    for got, want in (
        (p + 1, q + 1), (1 + p, 1 + q), (p * p, q * q), (p - 2, q - 2), (2 - p, 2 - q),
        (p**2, q**2), (-p, -q), (p / 2, q / 2), (p.deriv(), q.deriv()),
        (p.integ(2, [1, 2]), q.integ(2, [1, 2])),
        (mp.polyder(p), np.polyder(q)), (mp.polyint(p), np.polyint(q)), (mp.polyval(p, p), q(q)),
        ((p / mp.poly1d([1, 1]))[0], (q / np.poly1d([1, 1]))[0]), (p(p), q(q)),
    ):  # fmt: skip
        assert isinstance(got, mp.poly1d)
        np.testing.assert_allclose(got.coeffs, want.coeffs)
    assert p == mp.poly1d([1, 0, -4])
    np.testing.assert_allclose(np.sort(p.roots), [-2, 2])
    assert mp.poly1d([1.0, 2.0], True).coeffs.tolist() == [1.0, -3.0, 2.0]
    assert str(p) == str(q)


def test_shared_memory():
    x = mp.arange(10)
    assert mp.shares_memory(x[::2], x[2:])
    assert not mp.shares_memory(x[::2], x[1::2])
    assert mp.may_share_memory(x[::2], x[1::2])
    assert not mp.may_share_memory(x[:3], x[3:])
    assert mp.shares_memory(x, x.numpy())
    assert not mp.shares_memory(x, mp.arange(10))
    half = mp.ones(4, dtype=mp.bfloat16, requires_grad=True)
    assert mp.shares_memory(half, half.detach()[1:])
    assert not mp.shares_memory(x[:0], x)


def test_nan_to_num_in_place():
    x = mp.array(ODD)
    assert mp.nan_to_num(x, copy=False) is x
    np.testing.assert_array_equal(x.numpy(), np.nan_to_num(ODD))
    y = mp.array(V)
    z = mp.nan_to_num(y)
    assert not mp.shares_memory(y, z)
    for dtype in (mp.float16, mp.bfloat16, mp.float32):
        limits = mp.finfo(dtype)
        got = mp.nan_to_num(mp.array(ODD, dtype=dtype))
        assert got.dtype == dtype
        assert got.tolist() == [1, 0, float(limits.max), float(limits.min), 2, 0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_isclose_in_other_dtypes(dtype):
    a = np.array([1, 1.001, 300, np.inf], dtype)
    b = np.array([1.0001, 1, 301, np.inf], dtype)
    same(mp.isclose(mp.array(a), mp.array(b)), np.isclose(a.astype(float), b.astype(float)))


def test_isscalar_of_results():
    assert mp.isscalar(mp.ones(2).sum())
    assert not mp.isscalar(mp.ones(1))
    assert not mp.isscalar(mp.array(1.0))
    assert mp.isscalar(mp.ones(2)[0])


def test_errstate():
    with mp.errstate(all="raise"):
        assert (1 / mp.zeros(1)).tolist() == [np.inf]
        assert mp.geterr()["divide"] == "raise"

    @mp.errstate(divide="ignore", invalid="ignore")
    def silent():
        return mp.geterr()["invalid"]

    assert silent() == "ignore"
    before = mp.seterr(over="ignore")
    assert mp.geterr()["over"] == "ignore"
    mp.seterr(**before)


def test_print_options():
    x = mp.array([1.0, 1 / 3])
    with mp.printoptions(precision=2):
        assert repr(x) == "array([1.  , 0.33])"
        assert mp.array_repr(x) == repr(x)
    assert mp.array_repr(x, precision=3) == "array([1.   , 0.333])"
    assert mp.array_repr(x) == repr(x)
    assert mp.get_printoptions()["precision"] == 8


def test_constants():
    for name in ("pi", "e", "inf", "euler_gamma", "newaxis", "little_endian"):
        assert getattr(mp, name) == getattr(np, name)
        assert name in mp.__all__
    assert np.isnan(mp.nan)


def test_stride_tricks():
    x = mp.array(T)
    windows, theirs = stride_tricks.sliding_window_view, np.lib.stride_tricks.sliding_window_view
    for shape, axis in ((2, 1), ((2, 3), (0, 2)), ((1, 2, 4), None), ((2, 2), (1, 1)), (3, -1)):
        want = theirs(T, shape, axis)
        same(windows(x, shape, axis), want)
        same(windows(mp.array(T, requires_grad=True), shape, axis), want)
    same(windows(x.T, 2, 0), theirs(T.T, 2, 0))
    view = windows(mp.array(V), 3)
    with pytest.raises(ValueError, match="cannot be written to"):
        view[0, 0] = 1.0
    y = mp.array(V)
    windows(y, 3, writeable=True)[0, 0] = 9.0
    assert y[0].item() == 9.0
    strided = stride_tricks.as_strided
    same(strided(y, (2, 3), (8, 16)), np.lib.stride_tricks.as_strided(y.numpy(), (2, 3), (8, 16)))
    assert mp.lib.stride_tricks is stride_tricks
    same(strided(y), y.numpy())


def test_testing_names():
    t = mp.testing
    x = mp.arange(3.0)
    for check in (t.assert_array_equal, t.assert_equal, t.assert_almost_equal,
                  t.assert_array_almost_equal, t.assert_allclose):  # fmt: skip
        check(x, [0, 1, 2])
        check(mp.array(x, requires_grad=True), x)
        with pytest.raises(AssertionError):
            check(x, [0, 1, 3])
    t.assert_array_less(x, x + 1)
    with pytest.raises(AssertionError):
        t.assert_array_less(x, x)
    t.assert_equal({"a": [x, 1]}, {"a": [x, 1]})
    with pytest.raises(AssertionError):
        t.assert_equal((x, 1), (x, 2))
    t.assert_almost_equal(x.sum(), 3.0)
    t.assert_raises(ValueError, mp.reshape, x, (2, 2))
    with t.assert_raises_regex(ValueError, "reshape"):
        mp.reshape(x, (2, 2))


def test_methods():
    x = mp.array(V)
    x.fill(2)
    assert x.tolist() == [2.0] * 6
    assert x.conj() is x.conjugate() is x
    assert mp.array(I).tobytes() == I.tobytes()
    assert mp.array(I).tobytes("F") == I.tobytes("F")
    assert mp.array(M, requires_grad=True).tobytes() == M.tobytes()
    assert mp.array(M).T.tobytes() == M.T.tobytes()


def test_split_takes_arrays():
    for cuts in (mp.array([1, 3]), np.array([1, 3]), (1, 3)):
        assert [p.tolist() for p in mp.split(mp.arange(4), cuts)] == [[0], [1, 2], [3]]
