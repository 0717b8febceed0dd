"""mp.linalg compared with numpy.linalg, and its gradients."""

import inspect

import numpy as np
import pytest

import mixprec as mp
from mixprec.testing import gradcheck, gradgradcheck

rng = np.random.default_rng(7)
G = rng.normal(size=(4, 4))
S = G @ G.T + 4 * np.eye(4)
R = rng.normal(size=(5, 3))
BATCH = rng.normal(size=(2, 3, 4, 4))
SPD = BATCH @ BATCH.swapaxes(-1, -2) + 4 * np.eye(4)
V = rng.normal(size=4)
C = rng.normal(size=(2, 3))
DIAGONAL = np.diag([3.0, 1.0, 2.0])

CALLS = {
    "cholesky": [((S,), {}), ((SPD,), {}), ((S,), {"upper": True}), ((SPD,), {"upper": True})],
    "cond": [((G,), {}), ((G, "fro"), {}), ((R,), {}), ((BATCH,), {}), ((G,), {"p": 1})],
    "cross": [((C, C[::-1].copy()), {}), ((C.T, C.T * 2 + 1), {"axis": 0}), ((C, C[0]), {})],
    "det": [((G,), {}), ((BATCH,), {}), ((np.ones((2, 2)),), {})],
    "diagonal": [
        *(((R,), {"offset": k}) for k in (0, 1, 2, 3, -1, -4, -6)),
        ((BATCH[..., :3],), {"offset": -1}),
    ],
    "eig": [((DIAGONAL,), {}), ((np.array([[2.0, 1.0], [0.0, 3.0]]),), {})],
    "eigh": [((S,), {}), ((SPD,), {}), ((S, "U"), {})],
    "eigvals": [((DIAGONAL,), {}), ((np.array([[2.0, 1.0], [0.0, 3.0]]),), {})],
    "eigvalsh": [((S,), {}), ((SPD,), {"UPLO": "U"})],
    "inv": [((G,), {}), ((BATCH,), {})],
    "lstsq": [((R, rng.normal(size=5)), {}), ((R, rng.normal(size=(5, 2))), {"rcond": 1e-3})],
    "matmul": [((R, C.T), {}), ((BATCH, G), {})],
    "matrix_norm": [
        *(((BATCH,), {"ord": o}) for o in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
        ((R,), {"keepdims": True, "ord": 1}),
        ((R,), {}),
    ],
    "matrix_power": [((G, n), {}) for n in (0, 1, 2, 3, 7, -1, -3)] + [((BATCH, 3), {})],
    "matrix_rank": [((G,), {}), ((np.ones((3, 3)),), {}), ((BATCH,), {"tol": 0.5})],
    "matrix_transpose": [((BATCH,), {}), ((R,), {})],
    "multi_dot": [
        (([R, C.T],), {}),
        (([R, C.T, C, R.T],), {}),
        (([V, G, G, V],), {}),
        (([V, G, S],), {}),
        (([R, C.T, C[:, 0]],), {}),
    ],
    "norm": [
        ((V,), {}),
        ((R,), {}),
        ((BATCH,), {}),
        *(((V, o), {}) for o in (0, 1, 2, 3, -1, 0.5, np.inf, -np.inf)),
        *(((R, o), {}) for o in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
        *(((R, o), {"axis": 1}) for o in (None, 1, 2, np.inf, 0)),
        ((BATCH, 1), {"axis": (0, 2)}),
        ((BATCH, -np.inf), {"axis": (2, 0), "keepdims": True}),
        ((BATCH, "nuc"), {"axis": (1, 3), "keepdims": True}),
        ((BATCH,), {"axis": (1, 3)}),
        ((R,), {"keepdims": True}),
        ((R,), {"axis": -1, "keepdims": True}),
    ],
    "outer": [((V, C[0]), {})],
    "pinv": [((R,), {}), ((BATCH,), {}), ((R,), {"rcond": 0.1})],
    "qr": [((R,), {}), ((R, "complete"), {}), ((R,), {"mode": "r"}), ((BATCH,), {})],
    "slogdet": [((G,), {}), ((BATCH,), {})],
    "solve": [((G, V), {}), ((G, R[:4]), {}), ((BATCH, R[:4]), {}), ((BATCH, BATCH), {})],
    "svd": [((R,), {}), ((R, False), {}), ((BATCH,), {}), ((R,), {"compute_uv": False})],
    "svdvals": [((R,), {}), ((BATCH,), {})],
    "tensordot": [((R, C.T), {"axes": 1}), ((BATCH, G), {}), ((S, G), {"axes": ((0, 1), (1, 0))})],
    "tensorinv": [((rng.normal(size=(4, 2, 2)),), {"ind": 1})],
    "tensorsolve": [((rng.normal(size=(4, 2, 2)), V), {})],
    "trace": [((R,), {}), ((BATCH,), {"offset": 1}), ((BATCH,), {"offset": -2})],
    "vecdot": [((R, R[::-1].copy()), {}), ((BATCH, V), {}), ((R, R), {"axis": 0})],
    "vector_norm": [
        ((R,), {}),
        ((BATCH,), {"axis": (0, -1), "ord": 1}),
        ((BATCH,), {"axis": 2, "keepdims": True, "ord": 3}),
        ((R,), {"ord": np.inf, "keepdims": True}),
    ],
}
GRADIENTS = {
    "solve": lambda a, b: mp.linalg.solve(a, b),
    "solve of a vector": lambda a, b: mp.linalg.solve(a, b[:, 0]),
    "inv": lambda a, b: mp.linalg.inv(a),
    "det": lambda a, b: mp.linalg.det(a),
    "slogdet": lambda a, b: mp.linalg.slogdet(a).logabsdet,
    "cholesky": lambda a, b: mp.linalg.cholesky((a + a.T) / 2),
    "cholesky, upper": lambda a, b: mp.linalg.cholesky((a + a.T) / 2, upper=True),
    "matrix_power": lambda a, b: mp.linalg.matrix_power(a, -2),
    "multi_dot": lambda a, b: mp.linalg.multi_dot([a, b, b.T]),
    "trace": lambda a, b: mp.linalg.trace(a, offset=1),
    "outer": lambda a, b: mp.linalg.outer(a[0], b[:, 1]),
    "cross": lambda a, b: mp.linalg.cross(a[:, :3], b[:, :3]),
    "norm": lambda a, b: mp.linalg.norm(a),
    **{
        f"norm {o}": lambda a, b, o=o: mp.linalg.norm(a, o, axis=1)
        for o in (1, 2, 3, np.inf, -np.inf)
    },
    **{f"matrix norm {o}": lambda a, b, o=o: mp.linalg.norm(a, o) for o in ("fro", 1, -np.inf)},
}
NONE = {
    "cond": lambda a: mp.linalg.cond(a),
    "eigh": lambda a: mp.linalg.eigh(a).eigenvalues,
    "eigvalsh": lambda a: mp.linalg.eigvalsh(a),
    "lstsq": lambda a: mp.linalg.lstsq(a, a)[0],
    "norm": lambda a: mp.linalg.norm(a, "nuc"),
    "pinv": lambda a: mp.linalg.pinv(a),
    "qr": lambda a: mp.linalg.qr(a)[1],
    "svd": lambda a: mp.linalg.svd(a).S,
    "svdvals": lambda a: mp.linalg.svdvals(a),
    "tensorinv": lambda a: mp.linalg.tensorinv(a, 1),
}


def ours(value, dtype):
    if isinstance(value, np.ndarray):
        return mp.array(value, dtype=dtype)
    return type(value)(ours(v, dtype) for v in value) if isinstance(value, list) else value


def same(got, want, rtol, dtype):
    if isinstance(want, tuple):
        assert len(got) == len(want)
        assert getattr(got, "_fields", None) == getattr(want, "_fields", None)
        assert type(got).__name__ == type(want).__name__
        for g, w in zip(got, want, strict=True):
            same(g, w, rtol, dtype)
        return
    assert isinstance(got, mp.ndarray)
    assert got.shape == np.shape(want)
    assert got.dtype == (dtype if want.dtype.kind == "f" else want.dtype)
    np.testing.assert_allclose(
        got.numpy(), want, rtol, rtol * max(1.0, np.abs(want).max(initial=0))
    )


CASES = [(name, i) for name, calls in CALLS.items() for i in range(len(calls))]


@pytest.mark.parametrize(("name", "i"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(name, i, dtype):
    args, kwargs = CALLS[name][i]
    single = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in args]
    if isinstance(args[0], list):
        single = [[a.astype(dtype) for a in args[0]], *args[1:]]
    want = getattr(np.linalg, name)(*single, **kwargs)
    got = getattr(mp.linalg, name)(*[ours(a, dtype) for a in args], **kwargs)
    same(got, want, 2e-3 if dtype == np.float32 else 1e-9, dtype)


def test_names():
    assert set(CALLS) | {"LinAlgError"} == set(mp.linalg.__all__)
    theirs = {n for n in np.linalg.__all__ if n != "test"}
    assert set(mp.linalg.__all__) == theirs
    assert set(mp.linalg.__all__) <= set(dir(mp.linalg))
    assert mp.linalg.LinAlgError is np.linalg.LinAlgError
    with pytest.raises(AttributeError, match="nothing"):
        mp.linalg.nothing  # noqa: B018


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"matmul", "tensordot", "vecdot"}))
def test_signature(name):
    want = inspect.signature(getattr(np.linalg, name))
    got = inspect.signature(getattr(mp.linalg, name))
    assert list(got.parameters) == list(want.parameters)
    for p, q in zip(got.parameters.values(), want.parameters.values(), strict=True):
        assert (p.kind, p.default) == (q.kind, q.default)
    doc = inspect.getdoc(getattr(mp.linalg, name))
    assert doc


@pytest.mark.parametrize("name", ["solve", "inv", "det", "cholesky", "norm", "svdvals", "qr"])
@pytest.mark.parametrize("dtype", [mp.float16, mp.bfloat16])
def test_narrow(name, dtype):
    a = mp.array(S, dtype=dtype)
    args = (a, a) if name == "solve" else (a,)
    wide = [x.astype(mp.float32) for x in args]
    got, want = getattr(mp.linalg, name)(*args), getattr(mp.linalg, name)(*wide)
    if name == "qr":
        got, want = got[0], want[0]
    assert got.dtype == dtype
    assert mp.array_equal(got, want.astype(dtype))


def test_integers():
    a = mp.array([[2, 1], [1, 3]])
    for got in (mp.linalg.inv(a), mp.linalg.norm(a), mp.linalg.det(a), mp.linalg.svdvals(a)):
        assert got.dtype == mp.float32
    assert mp.linalg.matrix_power(a, 3).dtype == mp.int64
    assert mp.linalg.trace(a).item() == 5
    np.testing.assert_allclose(mp.linalg.inv([[2, 0], [0, 4]]).numpy(), [[0.5, 0], [0, 0.25]])


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    a, b = mp.array(S, requires_grad=True), mp.array(R[:4] + 1, requires_grad=True)
    assert gradcheck(GRADIENTS[name], [a, b])


@pytest.mark.parametrize("name", ["solve", "inv", "det", "slogdet", "cholesky", "norm"])
def test_second_gradients(name):
    a, b = mp.array(S[:3, :3], requires_grad=True), mp.array(R[:3], requires_grad=True)
    assert gradgradcheck(GRADIENTS[name], [a, b])


def test_gradients_of_batches():
    a = mp.array(SPD[:, :2], requires_grad=True)
    b = mp.array(R[:4], requires_grad=True)
    assert gradcheck(mp.linalg.solve, [a, b])
    for function in (mp.linalg.inv, mp.linalg.det, lambda x: mp.linalg.slogdet(x).logabsdet):
        assert gradcheck(function, a)
    assert gradcheck(lambda x: mp.linalg.cholesky((x + x.mT) / 2), a)


def test_gradient_of_the_norm_of_zeros():
    x = mp.zeros((2, 3), requires_grad=True)
    mp.linalg.norm(x, axis=1).sum().backward()
    assert x.grad.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_norm_of_large_narrow_numbers():
    assert mp.linalg.norm(mp.full(4, 300.0, dtype=mp.float16)).item() == 600.0


@pytest.mark.parametrize("name", NONE)
def test_no_gradient(name):
    shape = (4, 2, 2) if name == "tensorinv" else (4, 4)
    a = mp.array(S.reshape(shape), requires_grad=True)
    y = NONE[name](a)
    assert y.requires_grad
    with pytest.raises(NotImplementedError, match=f"^{name}: it has no gradient"):
        y.sum().backward()


def test_complex_eigenvalues():
    turn = mp.array([[0.0, -1.0], [1.0, 0.0]])
    for name in ("eig", "eigvals"):
        with pytest.raises(TypeError, match=f"^{name}: the result is complex; complex dtypes are"):
            getattr(mp.linalg, name)(turn)


def test_errors():
    zero = mp.zeros((2, 2))
    for call in (
        lambda: mp.linalg.solve(zero, mp.ones(2)),
        lambda: mp.linalg.inv(zero),
        lambda: mp.linalg.cholesky(-mp.eye(2)),
        lambda: mp.linalg.matrix_power(mp.ones((2, 3)), 2),
        lambda: mp.linalg.inv(mp.ones((2, 3))),
        lambda: mp.linalg.multi_dot([mp.ones((2, 2)), mp.ones(2), mp.ones((2, 2))]),
    ):
        with pytest.raises(mp.linalg.LinAlgError):
            call()
    for call, text in (
        (lambda: mp.linalg.multi_dot([zero]), "multi_dot: 1 arrays, at least 2"),
        (lambda: mp.linalg.norm(mp.ones((2, 2, 2)), 1), "norm: axes"),
        (lambda: mp.linalg.norm(zero, "odd"), "norm: ord is 'odd', which is not a norm of matri"),
        (lambda: mp.linalg.norm(zero, 3), "norm: ord is 3, which is not a norm of matrices"),
        (lambda: mp.linalg.norm(zero[0], "fro"), "norm: ord is 'fro', which is not a norm of vec"),
        (lambda: mp.linalg.norm(zero, axis=2), "norm: axis 2 is out of bounds"),
        (lambda: mp.linalg.outer(zero, zero), "outer: shapes"),
        (lambda: mp.linalg.cross(zero, zero), "cross: axis -1 has 2 and 2 elements, 3"),
        (lambda: mp.linalg.trace(zero[0]), "diagonal: the array has 1 dimensions"),
        (lambda: mp.linalg.matrix_norm(zero[0]), "matrix_norm: the array has 1 dimensions"),
        (lambda: mp.linalg.matrix_transpose(zero[0]), "matrix_transpose: the array has 1"),
    ):
        with pytest.raises(ValueError, match=text):
            call()


def test_out_of_multi_dot():
    out = mp.zeros((4, 4))
    assert mp.linalg.multi_dot([mp.array(G), mp.array(G)], out=out) is out
    np.testing.assert_allclose(out.numpy(), G @ G, rtol=1e-5)
