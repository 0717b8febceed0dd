"""Creation, rearrangement and products that are composed of rows: values as NumPy's, gradients as
finite differences, and errors.
"""

import numpy as np
import pytest

import mixprec as mp
from mixprec.testing import gradcheck


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


A, B = normal(2, 3), normal(3, 4)
CASES = {
    "atleast_1d": [(np.float64(3),)],
    "atleast_2d": [(A[0],)],
    "atleast_3d": [(A,), (A[0],)],
    "broadcast_to": [(A, (2, 2, 3))],
    "concatenate": [([A, A], 1), ([A, B], None)],
    "cross": [(A, A[::-1]), (A.T, A.T[:, ::-1], 0, 0, 0)],
    "diagonal": [(A,), (A, 1), (A, 9), (normal(3, 4, 5), -1, 2, 0)],
    "dot": [(A, B), (A, 2.0), (A[0], A[1]), (A, B[:, 0]), (normal(2, 4), normal(3, 4, 2))],
    "expand_dims": [(A, (0, 3)), (A, 1)],
    "flip": [(A,), (A, 1), (A, (0, 1))],
    "fliplr": [(A,)],
    "flipud": [(A,)],
    "inner": [(A, normal(5, 3)), (A, 2.0)],
    "kron": [(A, B), (A, B[0])],
    "linspace": [(A[0], A[1], 4), (A[0], 1.0, 3, False), (A[0], A[1], 4, True, False, None, 1)],
    "matvec": [(A, B[:, 0]), (normal(4, 2, 3), normal(4, 3))],
    "moveaxis": [(normal(2, 3, 4), 0, -1), (normal(2, 3, 4), (0, 1), (-1, 0))],
    "outer": [(A, B)],
    "repeat": [(A, 2), (A, 3, 0), (A, [1, 0, 2], 1), (A, [2], 1)],
    "reshape": [(A, (3, 2)), (A, (3, 2), "F"), (A, -1, "F")],
    "roll": [(A, 2), (A, 1, 1), (A, (1, -1), (0, 1)), (A, 1, (0, 1)), (A, 4, (0, 0))],
    "squeeze": [(A[None, :, None],), (A[None, :, None], (0, 2))],
    "stack": [([A, A], 1), ([A, A], -1)],
    "tensordot": [(A, B, 1), (A, B, 0), (normal(2, 3, 4), normal(3, 4, 5))],
    "tile": [(A, 2), (A, (2, 1, 3)), (A, ())],
    "trace": [(A,), (A, 1), (normal(2, 3, 4), 0, 1, 2)],
    "transpose": [(A,), (normal(2, 3, 4), (1, 2, 0))],
    "tril": [(A,), (A, -1), (A[0],)],
    "triu": [(A,), (A, 1)],
    "vdot": [(A, A)],
    "vecdot": [(A, A), (A, A[0])],
    "vecmat": [(B[:, 0], B), (normal(5, 3), B)],
}
PAIRS = [pytest.param(name, args, id=f"{name} {i}") for name in CASES for i, args in
         enumerate(CASES[name])]  # fmt: skip


def ours(value, wrap):
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return [wrap(x) for x in value]
    return wrap(value) if isinstance(value, (np.ndarray, np.float64)) else value


@pytest.mark.parametrize(("name", "args"), PAIRS)
def test_as_numpy(name, args):
    wanted = getattr(np, name)(*args)
    found = getattr(mp, name)(*[ours(x, mp.array) for x in args])
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("name", "args"), PAIRS)
def test_gradient(name, args):
    leaves = []

    def leaf(x):
        leaves.append(mp.array(x).requires_grad_())
        return len(leaves) - 1

    places = [ours(x, leaf) for x in args]

    def run(*given):
        def put(place, arg):
            if isinstance(arg, list) and isinstance(arg[0], np.ndarray):
                return [given[i] for i in place]
            return given[place] if isinstance(arg, (np.ndarray, np.float64)) else arg

        return getattr(mp, name)(*[put(p, a) for p, a in zip(places, args, strict=True)])

    if run(*leaves).size:
        assert gradcheck(run, tuple(leaves))


SUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("ij->ji", (2, 3)),
    ("ij->", (2, 3)), ("ij,ij->i", (2, 3), (2, 3)), ("i,j->ij", (2,), (3,)), ("ba", (2, 3)),
    ("...ij,...jk->...ik", (5, 2, 3), (5, 3, 4)), ("...ij,jk", (5, 2, 3), (3, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)), ("i,i,i->", (3,), (3,), (3,)),
    ("iij,jk->ik", (3, 3, 4), (4, 2)), ("ijij->ij", (2, 3, 2, 3)), ("i,->i", (3,), ()),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)), (",", (), ()), ("ij,j", (2, 3), (3,)),
    ("ij,jk->ik", (2, 1), (3, 4)), ("...,...->...", (3, 1), (1, 4)), ("ij,kl->il", (2, 3), (3, 4)),
    ("ik,jkl,il->ij", (2, 3), (4, 3, 5), (2, 5)), ("a...b->b...a", (2, 3, 4, 5)),
    ("ij,jk", (2, 0), (0, 3)), ("ij , jk -> ki", (2, 3), (3, 4)),
    ("ab,bc,cd,de,ef->af", (2, 3), (3, 4), (4, 2), (2, 3), (3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "int8", "bool"])
@pytest.mark.parametrize("case", SUMS, ids=lambda case: case[0] + str(case[1:]))
def test_einsum(case, dtype):
    text, *shapes = case
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 4, shape).astype(dtype) for shape in shapes]
    wanted = np.einsum(text, *arrays)
    found = mp.einsum(text, *map(mp.array, arrays))
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("case", [c for c in SUMS if 0 not in c[1]], ids=lambda c: c[0])
def test_einsum_gradient(case):
    leaves = tuple(mp.array(normal(*shape)).requires_grad_() for shape in case[1:])
    assert gradcheck(lambda *given: mp.einsum(case[0], *given), leaves)


def test_einsum_of_lists():
    a, b = mp.array(A), mp.array(B)
    np.testing.assert_allclose(mp.einsum(a, [0, 1], b, [1, 2], [0, 2]), A @ B)
    np.testing.assert_allclose(mp.einsum(a, [0, 1], b, [1, 2]), A @ B)
    np.testing.assert_allclose(mp.einsum(a, [..., 7], [7, ...]), A.T)


def test_einsum_arguments():
    a, b, out = mp.array(A), mp.array(B), mp.zeros((2, 4), mp.float64)
    assert mp.einsum("ij,jk", a, b, out=out, optimize=True) is out
    np.testing.assert_allclose(out, A @ B)
    assert mp.einsum("ij,jk", a, b, dtype=mp.float32).dtype == mp.float32


@pytest.mark.parametrize(
    ("text", "shapes", "error"),
    [
        ("ij,jk", [(2, 3)], "axes of 2 arrays are named, 1 are given"),
        ("ijk", [(2, 3)], "operand 0 has 2 dimensions, 3 are named"),
        ("i", [(2, 3)], "operand 0 has 2 dimensions, 1 are named"),
        ("ij->ii", [(2, 3)], "the result names 'i' twice"),
        ("ij->k", [(2, 3)], "the result names 'k', no operand does"),
        ("i$", [(2, 3)], r"'\$' in 'i\$' is no letter"),
        ("ij,jk", [(2, 3), (2, 3)], "'j' is 2 in operand 1, 3 before"),
        ("ii", [(2, 3)], "'i' is 2 and 3 in one operand"),
    ],
)
def test_einsum_error(text, shapes, error):
    with pytest.raises(ValueError, match=f"einsum: {error}"):
        mp.einsum(text, *[mp.ones(shape) for shape in shapes])


ERRORS = {
    "broadcast_to: shape .-1,. has a negative": lambda: mp.broadcast_to(mp.ones(1), (-1,)),
    "cross: vectors have 4": lambda: mp.cross(mp.ones(4), mp.ones(3)),
    "diagonal: x has 1 dimensions": lambda: mp.diagonal(mp.ones(3)),
    "flip: axis 2 is out of bounds": lambda: mp.flip(mp.ones((2, 2)), 2),
    "linspace: num is -1": lambda: mp.linspace(0, 1, -1),
    "meshgrid: indexing is 'ab'": lambda: mp.meshgrid([1], indexing="ab"),
    "moveaxis: 1 axes are given and 2": lambda: mp.moveaxis(mp.ones((2, 2)), 0, (0, 1)),
    "repeat: 2 counts are given, axis 0 has 3": lambda: mp.repeat(mp.ones(3), [1, 2]),
    "repeat: a count is negative": lambda: mp.repeat(mp.ones(3), -1),
    "reshape: order is 'Z'": lambda: mp.reshape(mp.ones(3), 3, "Z"),
    "reshape: shape .6,. needs a copy": lambda: mp.reshape(mp.ones((2, 3)).T, 6, copy=False),
    "roll: 2 shifts are given and 3": lambda: mp.roll(mp.ones((2, 2)), (1, 2), (0, 1, 0)),
    "tensordot: axis 1 of x1 has 3": lambda: mp.tensordot(mp.ones((2, 3)), mp.ones(2), 1),
    "tile: reps .-1,. has a negative": lambda: mp.tile(mp.ones(3), (-1,)),
    "vecdot: x1 has 3 elements, x2 has 2": lambda: mp.vecdot(mp.ones(3), mp.ones(2)),
    "zeros: order is 'Z'": lambda: mp.zeros(3, order="Z"),
}


@pytest.mark.parametrize("error", ERRORS)
def test_error(error):
    with pytest.raises(ValueError, match=error):
        ERRORS[error]()


def test_axis_errors_are_index_errors_too():
    with pytest.raises(IndexError, match="flip: axis 5"):
        mp.flip(mp.ones(2), 5)


def test_meshgrid():
    for options in ({}, {"indexing": "ij"}, {"sparse": True}, {"copy": False}):
        for given in ([], [A[0]], [A[0], B[0]], [A[0], B[0], A[1]]):
            wanted = np.meshgrid(*given, **options)
            found = mp.meshgrid(*map(mp.array, given), **options)
            assert isinstance(found, tuple)
            for x, y in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(x, y, strict=True)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64"])
def test_counts_of_repeat_have_any_integer_dtype(dtype):
    counts = mp.array([1, 0, 1], dtype=dtype)
    assert mp.repeat(mp.arange(3), counts).tolist() == [0, 2]


def test_linspace_of_numbers():
    y, step = mp.linspace(0, 1, 4, endpoint=False, retstep=True, dtype=mp.float64)
    assert (y.tolist(), step) == ([0, 0.25, 0.5, 0.75], 0.25)
    assert mp.linspace(-1.5, 1.5, 3, dtype=int).tolist() == [-2, 0, 1]
    assert mp.linspace(0, 1, 1).tolist() == [0]


def test_arrays_in_sequences_are_joined():
    x = mp.array([1.0, 2.0], requires_grad=True)
    y = mp.array([[x[0] * 2, 3.0], [x[1], x[0]]])
    assert y.shape == (2, 2)
    assert y.dtype == mp.float32
    y.sum().backward()
    assert x.grad.tolist() == [3, 1]
    assert mp.asarray([mp.arange(2), mp.arange(2)]).dtype == mp.int64
    with pytest.raises(ValueError, match="array: element 0 has shape"):
        mp.array([mp.ones(2), mp.ones(3)])


def test_creation_as_numpy_spells_it():
    assert mp.zeros(3, int).dtype == mp.int64
    assert mp.ones((2,), float, "C").dtype == mp.float64
    assert mp.asarray([1], float, order="C").dtype == mp.float64
    assert mp.array([1, 2], ndmin=3).shape == (1, 1, 2)
    assert mp.zeros_like(mp.ones(3, mp.int8), shape=(2, 2)).shape == (2, 2)
    assert mp.full_like(mp.ones(3), 2, dtype=mp.int16).tolist() == [2, 2, 2]
    assert mp.eye(N=2, M=3, k=1).tolist() == [[0, 1, 0], [0, 0, 1]]
    with pytest.raises(OverflowError, match="asarray: the Python integer"):
        mp.asarray(2**70)


def test_reshape_copies_as_asked():
    x = mp.arange(6)
    assert mp.reshape(x, (2, 3)).data_ptr() == x.data_ptr()
    assert mp.reshape(x, (2, 3), copy=True).data_ptr() != x.data_ptr()
    assert mp.reshape(x, (2, 3), copy=False).data_ptr() == x.data_ptr()


def test_products_are_lowered():
    x = mp.ones((2, 3))
    with mp.autocast(dtype=mp.bfloat16):
        for y in (mp.dot(x, x.T), mp.tensordot(x, x), mp.inner(x, x), mp.vecdot(x, x)):
            assert y.dtype == mp.bfloat16
