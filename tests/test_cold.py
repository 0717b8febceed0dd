"""The table of NumPy's own functions: what goes in, what comes back, and what is refused."""

import inspect
import io

import numpy as np
import pytest

import mixprec as mp
from mixprec import _numpy

A = np.array([0.5, 2.0, 2.5, 1.0, 4.0, 3.0, 0.25])
M = np.array([[1.0, 2.0, 0.5], [4.0, 3.0, 2.0]])
I = np.array([1, 3, 1, 0, 3, 3, 2])  # noqa: E741
B = np.array([[1, 0, 1, 1, 0, 0, 1, 0], [0, 0, 0, 1, 1, 1, 0, 1]], np.uint8)

# Calls of a function, as (arguments, keywords); arrays in them are given as ours.
CALLS = {
    "array2string": [((A,), {"precision": 2}), ((M,), {"separator": ";"})],
    "array_str": [((A,), {}), ((M, 40, 2), {})],
    "angle": [((A,), {}), ((-A, True), {})],
    "bartlett": [((5,), {})],
    "bincount": [((I,), {}), ((I, A), {}), ((I,), {"weights": A, "minlength": 9})],
    "bitwise_count": [((I,), {}), ((-I,), {})],
    "blackman": [((5,), {})],
    "diag_indices_from": [((M[:, :2],), {})],
    "einsum_path": [(("ij,jk,kl", M, M.T, M), {"optimize": "optimal"})],
    "format_float_positional": [((A[0],), {}), ((A[4],), {"precision": 3, "trim": "-"})],
    "format_float_scientific": [((A[0],), {}), ((A[4],), {"precision": 3})],
    "frombuffer": [((A.tobytes(),), {}), ((I.tobytes(), np.int64), {"count": 3, "offset": 8})],
    "frexp": [((A,), {})],
    "fromiter": [(([1, 2, 3], np.float64), {}), (([1, 2, 3],), {"dtype": np.int64, "count": 2})],
    "fromstring": [(("1 2 3",), {"sep": " "}), (("1,2", np.int64), {"sep": ","})],
    "gcd": [((I, 2 * I[::-1].copy()), {}), ((I, 6), {})],
    "geomspace": [((1, 8, 4), {}), ((1.0, 100.0), {"num": 3, "endpoint": False})],
    "hamming": [((5,), {})],
    "hanning": [((5,), {})],
    "histogram": [
        ((A,), {}),
        ((A, 3), {"range": (0, 4)}),
        ((A,), {"bins": np.array([0.0, 1.0, 4.0]), "density": True}),
        ((I, 4), {"weights": A}),
    ],
    "histogram2d": [((A, A[::-1].copy(), 3), {}), ((A, A), {"bins": [2, 3], "density": True})],
    "histogram_bin_edges": [((A,), {"bins": "sqrt"}), ((A, 4, (0, 2)), {})],
    "histogramdd": [((M.T.copy(), 2), {}), ((M.T.copy(),), {"bins": [2, 3], "weights": A[:3]})],
    "i0": [((A,), {}), ((M,), {})],
    "identity": [((3,), {}), ((2,), {"dtype": np.int32})],
    "indices": [(((2, 3),), {}), (((2, 2),), {"dtype": np.float64, "sparse": True})],
    "interp": [
        ((M, np.arange(7.0), A), {}),
        ((A, [0.0, 1.0, 2.0], [0.0, 2.0, 1.0]), {"left": -1.0, "right": 9.0}),
        ((2.5, np.arange(7.0), A), {"period": 3.5}),
    ],
    "isneginf": [((np.array([1.0, np.inf, -np.inf]),), {})],
    "isposinf": [((np.array([1.0, np.inf, -np.inf]),), {})],
    "kaiser": [((5, 3.0), {})],
    "lcm": [((I, 6), {})],
    "logspace": [((0, 2, 4), {}), ((0, 3), {"num": 3, "base": 2.0, "endpoint": False})],
    "mask_indices": [((3, np.triu), {}), ((3, np.tril, -1), {})],
    "packbits": [((B,), {}), ((B,), {"axis": 1, "bitorder": "little"})],
    "poly": [((A[:3],), {})],
    "polyadd": [((A[:2], A[:3]), {})],
    "polydiv": [((A[:4], A[:2]), {})],
    "polyfit": [((np.arange(7.0), A, 2), {}), ((np.arange(7.0), A), {"deg": 1, "w": A})],
    "polymul": [((A[:2], A[:3]), {})],
    "polysub": [((A[:2], A[:3]), {})],
    "roots": [(([1.0, -3.0, 2.0],), {}), ((np.array([1.0, -6.0, 11.0, -6.0]),), {})],
    "tri": [((3,), {}), ((2, 4, 1), {"dtype": np.int64})],
    "tril_indices_from": [((M,), {}), ((M, -1), {})],
    "trim_zeros": [((np.array([0, 1, 0, 2, 0]),), {}), ((np.array([0.0, 1.0]), "f"), {})],
    "triu_indices_from": [((M,), {}), ((M, 1), {})],
    "unpackbits": [((B,), {}), ((B,), {"axis": 1, "count": 3, "bitorder": "little"})],
    "unwrap": [((A * 3,), {}), ((M * 4,), {"axis": 0})],
    "vander": [((A[:3],), {}), ((A[:3], 2), {"increasing": True})],
}
# tested on their own below
OTHERS = {
    "broadcast",
    "spacing",
    "fromfile",
    "genfromtxt",
    "loadtxt",
    "savetxt",
    "savez",
    "savez_compressed",
}
# NumPy's C functions of which some versions tell no signature
SILENT = {"fromstring", "frombuffer", "fromiter", "bincount", "packbits", "unpackbits", "interp"}


def ours(value, dtype=np.float32):
    """The arrays of a call as ours, floating ones in `dtype`."""
    if isinstance(value, np.ndarray):
        return mp.array(value.astype(dtype) if value.dtype.kind == "f" else value)
    if isinstance(value, (list, tuple)):
        return type(value)(ours(item, dtype) for item in value)
    return value


def same(got, want, rtol, dtype):
    if isinstance(want, (list, tuple)):
        assert type(got) is type(want)
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            same(g, w, rtol, dtype)
    elif isinstance(want, (np.ndarray, np.generic)):
        assert isinstance(got, mp.ndarray)
        assert got.shape == want.shape
        if dtype is not None:
            assert got.dtype == (dtype if want.dtype.kind == "f" else want.dtype)
        np.testing.assert_allclose(got.numpy(), want, rtol, rtol)
    else:
        assert got == want


CASES = [(name, i) for name, calls in CALLS.items() for i in range(len(calls))]


@pytest.mark.parametrize(("name", "i"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(name, i, dtype):
    args, kwargs = CALLS[name][i]
    want = getattr(np, name)(*args, **kwargs)
    if isinstance(want, str):
        args = tuple(a.astype(dtype) if isinstance(a, np.ndarray) else a for a in args)
        args = tuple(dtype(a) if isinstance(a, float) else a for a in args)
        want = getattr(np, name)(*args, **kwargs)
    mp.set_default_dtype(dtype)
    got = getattr(mp, name)(*ours(args, dtype), **{k: ours(v, dtype) for k, v in kwargs.items()})
    asked = kwargs.get("dtype") or (len(args) > 1 and args[1] is np.float64)
    same(got, want, 2e-5 if dtype == np.float32 else 1e-12, None if asked else dtype)


def test_every_row_is_called():
    assert set(CALLS) | OTHERS == set(_numpy.COLD)


@pytest.mark.parametrize("name", sorted(_numpy.COLD))
def test_function(name):
    function = getattr(mp, name)
    assert isinstance(function, mp._core.function)
    assert function is getattr(mp, name)
    assert function.__name__ == function.__qualname__ == name
    assert function.__module__ == "mixprec"
    assert name in mp.__all__
    assert name in dir(mp)
    doc = inspect.getdoc(function)
    assert doc.startswith(_numpy.COLD[name])
    assert "Parameters\n---" in doc
    assert "Returns\n---" in doc
    try:
        want = inspect.signature(getattr(np, name))
    except ValueError:
        assert name in SILENT
    else:
        assert inspect.signature(function) == want


@pytest.mark.parametrize("name", sorted(_numpy.SAME))
def test_same(name):
    assert getattr(mp, name) is getattr(np, name)
    assert name in mp.__all__


def test_unknown_name():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        mp.nothing_of_the_kind  # noqa: B018
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _numpy.nothing_of_the_kind  # noqa: B018


@pytest.mark.parametrize(
    ("dtypes", "want"),
    [
        ((mp.float16,), mp.float16),
        ((mp.bfloat16,), mp.bfloat16),
        ((mp.float16, mp.bfloat16), mp.float32),
        ((mp.float16, mp.float32), mp.float32),
        ((mp.float32, mp.float64), mp.float64),
        ((mp.bfloat16, mp.float64), mp.float64),
        ((mp.int32, mp.float16), mp.float16),
        ((mp.int32, mp.int64), mp.float32),
    ],
)
def test_result_dtype(dtypes, want):
    got = mp.polyadd(*[mp.ones(2, dtype=d) for d in (*dtypes, dtypes[0])][:2])
    if all(np.dtype(d).kind in "iu" for d in dtypes):
        assert mp.interp(mp.ones(2, dtype=dtypes[0]), [0, 1], [0, 1]).dtype == want
        assert got.dtype == dtypes[1]
    else:
        assert got.dtype == want


def test_narrow_inputs_are_computed_in_float32():
    x = mp.array([0.0, 1.0, 2.0, 3.0], dtype=mp.bfloat16)
    y = mp.array([1.0, 3.0, 5.0, 7.0], dtype=mp.bfloat16)
    fit = mp.polyfit(x, y, 1)
    assert fit.dtype == mp.bfloat16
    assert fit.tolist() == [2.0, 1.0]


def test_numpy_arrays_count_and_numbers_do_not():
    assert mp.interp(np.float64(0.5), mp.arange(3.0), mp.arange(3.0)).dtype == mp.float32
    assert mp.interp(np.array([0.5]), mp.arange(3.0), mp.arange(3.0)).dtype == mp.float64
    assert mp.interp([0.5], [0, 1], [0, 1]).dtype == mp.float32
    mp.set_default_dtype(mp.float64)
    assert mp.interp([0.5], [0, 1], [0, 1]).dtype == mp.float64


def test_views_are_read_only_and_not_exported():
    x = mp.arange(6.0).reshape(2, 3)
    seen = []
    _numpy.fallback(lambda *a, **k: seen.append((a, k)), ([x, (x.T, 1)],), {"k": {"x": x}})
    (args, kwargs) = seen[0]
    for view in (args[0][0], args[0][1][0], kwargs["k"]["x"]):
        assert type(view) is np.ndarray
        assert not view.flags.writeable
        assert view.ctypes.data == x.data_ptr()
    np.testing.assert_array_equal(args[0][1][0], x.numpy().T)


def test_results_of_all_kinds():
    def kinds(x):
        return {"kept": 1}, [x + 0.5, x > 1], np.float64(2), np.int64(3), "text", None

    first, (half, mask), number, whole, text, none = _numpy.fallback(kinds, (mp.arange(3.0),))
    assert first == {"kept": 1}
    assert half.tolist() == [0.5, 1.5, 2.5]
    assert mask.dtype == bool
    assert number.dtype == mp.float32
    assert (number.shape, whole.shape) == ((), ())
    before = number
    number += 1
    assert before.item() == 2
    assert whole.dtype == mp.int64
    assert (text, none) == ("text", None)


def test_a_view_of_the_input_comes_back_as_a_copy():
    x = mp.arange(3.0)
    y = _numpy.fallback(lambda a: a[1:], (x,))
    y[0] = 9.0
    assert x.tolist() == [0.0, 1.0, 2.0]


def test_dtypes_that_are_not_ours_stay_numpys():
    words = mp.loadtxt(io.StringIO("a b"), dtype=str)
    assert type(words) is np.ndarray
    assert words.tolist() == ["a", "b"]


def test_out():
    out = mp.zeros(3)
    result = _numpy.fallback(np.multiply, (mp.arange(3.0), 2.0), {"out": out})
    assert result is out
    assert out.tolist() == [0.0, 2.0, 4.0]


def test_complex_results():
    with pytest.raises(TypeError, match=r"^roots: the result is complex; complex dtypes are left"):
        mp.roots(mp.array([1.0, 0.0, 1.0]))
    with pytest.raises(TypeError, match=r"^vectorize: the result is complex"):
        mp.vectorize(lambda a: a + 1j)(mp.ones(2))


class OnGpu(mp.ndarray):
    device = "cuda:0"


def test_cuda_arrays():
    x = OnGpu(mp.ones(3))
    with pytest.raises(
        NotImplementedError, match=r"^histogram: .* runs on the CPU: call \.cpu\(\)"
    ):
        mp.histogram(x)
    with pytest.raises(NotImplementedError, match=r"^svd: .*\.cpu\(\)"):
        mp.linalg.svd([[x]])
    with pytest.raises(NotImplementedError, match=r"^bincount: .*\.cpu\(\)"):
        mp.bincount([1, 2, 3], weights=x)


def test_no_gradient():
    x = mp.array(A, requires_grad=True)
    y = mp.interp(x, [0, 1], [0, 1])
    assert y.requires_grad
    assert y.grad_fn == "interp"
    with pytest.raises(NotImplementedError, match=r"^interp: it has no gradient"):
        y.sum().backward()
    number = mp.interp(x[0], [0, 1], [0, 1])
    with pytest.raises(NotImplementedError, match=r"^interp: it has no gradient"):
        number.backward()
    counts, edges = mp.histogram(x)
    assert not counts.requires_grad
    assert edges.requires_grad
    with pytest.raises(NotImplementedError, match=r"^histogram: it has no gradient"):
        edges.sum().backward()
    with mp.no_grad():
        assert not mp.interp(x, [0, 1], [0, 1]).requires_grad
    with mp.inference_mode():
        assert not mp.interp(x, [0, 1], [0, 1]).requires_grad
    assert not mp.interp(x.detach(), [0, 1], [0, 1]).requires_grad


def test_numpy_errors_pass():
    with pytest.raises(ValueError, match="same length"):
        mp.interp(mp.ones(2), mp.ones(2), mp.ones(3))


def test_broadcast():
    pairs = mp.broadcast(mp.array(M), mp.array(M[0]))
    assert pairs.shape == (2, 3)
    assert [a + b for a, b in pairs] == (M + M[0]).ravel().tolist()


def test_spacing():
    for dtype in (np.float32, np.float64):
        assert mp.spacing(mp.array(A, dtype=dtype)).tolist() == np.spacing(A.astype(dtype)).tolist()


def test_text_files(tmp_path):
    path = tmp_path / "a.txt"
    mp.savetxt(path, mp.array(M), fmt="%.3f", delimiter=",")
    got = mp.loadtxt(path, delimiter=",")
    assert got.dtype == mp.float32
    np.testing.assert_array_equal(got.numpy(), M)
    assert mp.loadtxt(path, np.float64, delimiter=",").dtype == mp.float64
    assert mp.loadtxt(path, dtype=mp.float16, delimiter=",").dtype == mp.float16
    path.write_text("1,2\n,4\n")
    got = mp.genfromtxt(path, delimiter=",")
    np.testing.assert_array_equal(got.numpy(), np.array([[1, 2], [np.nan, 4]]))


def test_binary_files(tmp_path):
    path = tmp_path / "a.bin"
    mp.array(A).tofile(path)
    np.testing.assert_array_equal(mp.fromfile(path, dtype=np.float64).numpy(), A)
    assert path.read_bytes() == mp.array(A).tobytes() == A.tobytes()
    for save in (mp.savez, mp.savez_compressed):
        save(tmp_path / "b.npz", mp.array(A), m=mp.array(M, dtype=mp.float32))
        found = mp.load(tmp_path / "b.npz")
        assert sorted(found) == ["arr_0", "m"]
        assert found["m"].dtype == mp.float32
        np.testing.assert_array_equal(found["arr_0"].numpy(), A)
        np.testing.assert_array_equal(np.load(tmp_path / "b.npz")["m"], M)


def test_npy(tmp_path):
    path = tmp_path / "a.npy"
    for x in (
        mp.array(A),
        mp.arange(3),
        mp.array([1.0], dtype=mp.float16),
        mp.ones(2, requires_grad=True),
    ):
        mp.save(path, x)
        got = mp.load(path)
        assert got.dtype == x.dtype
        np.testing.assert_array_equal(got.numpy(), x.detach().numpy())
    with pytest.raises(TypeError, match="save: NumPy's files have no bfloat16"):
        mp.save(path, mp.ones(2, dtype=mp.bfloat16))
    with pytest.raises(TypeError, match="save: arr is one array"):
        mp.save(path, mp.ones(2), step=3)
    with pytest.raises(ValueError, match=r"save: .* is a file of NumPy's"):
        mp.save(path, x=mp.ones(2))


def test_default_device_of_new_arrays():
    assert mp.logspace(0, 1, 3).device == "cpu"


def test_npz_files_are_read_as_numpy_reads_them(tmp_path):
    path = tmp_path / "a.npz"
    mp.savez(path, mp.arange(3), x=mp.ones(2))
    np.savez(tmp_path / "b.npz", names=np.array(["a", "b"]))
    found = mp.load(path)
    assert sorted(found.files) == ["arr_0", "x"]
    assert found["arr_0"].tolist() == found.f.arr_0.tolist() == [0, 1, 2]
    with mp.load(tmp_path / "b.npz") as texts:
        assert texts["names"].tolist() == ["a", "b"]
    found.close()


def test_open_files(tmp_path):
    for file in (io.BytesIO(), (tmp_path / "a").open("w+b")):
        with file:
            mp.save(file, mp.arange(3.0))
            file.seek(0)
            got = mp.load(file)
            assert isinstance(got, mp.ndarray)
            assert got.tolist() == [0.0, 1.0, 2.0]


def test_methods_of_ufuncs_that_are_cold():
    assert mp.gcd.reduce(mp.array([12, 18, 24])).item() == 6
    assert mp.lcm.accumulate([2, 3, 4]).tolist() == [2, 6, 12]
    assert mp.gcd.outer([4, 6], [2, 3]).tolist() == [[2, 1], [2, 3]]
    assert not hasattr(mp.bincount, "reduce")


# ---- texts ----


def test_arrays_of_text_are_numpys():
    names = mp.array(["b", "a", "c"])
    assert type(names) is np.ndarray
    assert names[mp.array([2, 0])].tolist() == ["c", "b"]
    assert names[mp.array([1.0, -1.0, 2.0]) > 0].tolist() == ["b", "c"]
    assert mp.where(names == "a")[0].tolist() == [1]
    assert mp.array(["1.5", "2"], dtype=float).tolist() == [1.5, 2.0]
    assert mp.array([["x", None]], dtype=object).dtype == object
    for bad in (["a", "b"], object()):
        with pytest.raises((TypeError, ValueError)):
            mp.asarray(bad)
    with pytest.raises(TypeError, match=r"array: .*object"):
        mp.array([None])


def test_functions_of_text():
    names = ["b", "a", "b"]
    values, places, counts = mp.unique(mp.array(names), return_inverse=True, return_counts=True)
    assert values.tolist() == ["a", "b"]
    assert isinstance(places, mp.ndarray)
    assert places.tolist() == [1, 0, 1]
    assert counts.tolist() == [1, 2]
    assert mp.sort(names).tolist() == ["a", "b", "b"]
    assert mp.argsort(np.array(names)).tolist() == [1, 0, 2]
    assert mp.isin(names, ["a"]).tolist() == [False, True, False]
    assert mp.where(mp.array([1.0, -1.0]) > 0, "up", "down").tolist() == ["up", "down"]
    with pytest.raises(TypeError):
        mp.where(True, object(), 1)


def test_texts_are_chosen_and_permuted():
    rng = mp.random.default_rng(0)
    names = ["a", "b", "c"]
    assert rng.choice(names) in names
    assert rng.choice(names, p=[0, 1, 0]) == "b"
    assert sorted(rng.choice(mp.array(names), 3, replace=False)) == names
    assert rng.choice(names, (2, 4)).shape == (2, 4)
    assert sorted(rng.permutation(names)) == names
    assert mp.random.choice(names) in names
