"""Operators: those that come after arithmetic, what stands beside arrays, and numbers, which are
computed without the op but must give what it gives."""

import itertools
import operator

import numpy as np
import pytest

import mixprec as mp
from mixprec import _core

pytestmark = pytest.mark.core

ARITHMETIC = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
}
BITS = {
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "bitwise_left_shift": operator.lshift,
    "bitwise_right_shift": operator.rshift,
}
COMPARISONS = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
}
IN_PLACE = (
    operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv,
    operator.imod, operator.ipow,
)  # fmt: skip


def outcome(f, *args):
    """dtype and element of a result, or the kind of the error."""
    try:
        y = f(*args)
    except (TypeError, ValueError, OverflowError) as error:
        return type(error).__name__
    return y.dtype.name, repr(y.item())


# ---- numbers ----

DTYPES = ("bool", "int32", "int64", "float16", "bfloat16", "float32", "float64")
NUMBERS = (0, 1, 2, 3, -1, -7, 0.5, -0.25, 0.1, 16777217, float("inf"), float("nan"))
PYTHON = (0, 1, 2, 3, -1, 16777217, 2**40, 0.5, 0.1, -1.0, True, float("inf"))


def numbers(dtype):
    for value in NUMBERS:
        whole = value == value and abs(value) < 2**62 and value == int(value)
        if dtype.startswith(("int", "bool")) and not whole:
            continue
        yield mp.array(value).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*ARITHMETIC, *BITS, *COMPARISONS])
@pytest.mark.parametrize("default", ["float32", "float64"])
def test_numbers_are_what_the_op_gives(name, dtype, default):
    f = (ARITHMETIC | BITS | COMPARISONS)[name]
    row = getattr(_core, name)
    mp.set_default_dtype(default)
    try:
        for x in numbers(dtype):
            for p in PYTHON:
                assert outcome(f, x, p) == outcome(row, x, p), (x, p)
                if name != "div":  # a number over an array is a row of its own
                    assert outcome(f, p, x) == outcome(row, p, x), (p, x)
            for other, y in itertools.product(DTYPES, numbers(dtype)):
                y = y.astype(other)
                assert outcome(f, x, y) == outcome(row, x, y), (x, y)
    finally:
        mp.set_default_dtype("float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_number_over_a_number(dtype):
    for x in numbers(dtype):
        for p in (1, 3, 0.1, 2.5, -2.0):
            assert outcome(operator.truediv, p, x) == outcome(_core.reciprocal, x, p), (p, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "f"), [("neg", operator.neg), ("abs", operator.abs),
                                         ("bitwise_invert", operator.invert)])  # fmt: skip
def test_one_number(name, f, dtype):
    for x in numbers(dtype):
        assert outcome(f, x) == outcome(getattr(_core, name), x), x


def test_numbers_are_recorded_and_cast_as_arrays_are():
    x = mp.array(3.0, requires_grad=True)
    y = x * 2.0 - x / 4
    y.backward()
    assert x.grad.item() == 1.75
    a, b = mp.array(3.0), mp.array(2.0)
    with mp.autocast(dtype="bfloat16"):
        assert (a**b).dtype == np.float32
    with mp.autocast(dtype="float16", lower={"add"}):
        assert (a + b).dtype == np.float16
        assert (a + b).item() == 5.0


def test_stale_views_are_refused_as_numbers_too():
    x = mp.zeros(3)
    v = x[0:1].reshape(())
    x += mp.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="take the view again"):
        v + v


# ---- arrays ----


@pytest.mark.parametrize("f", [*ARITHMETIC.values(), *COMPARISONS.values()])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_arrays_and_reflections(f, dtype):
    a = np.array([[1, 2, 3], [4, 5, 7]], dtype)
    b = np.array([3, 2, 1], dtype)
    x, y = mp.array(a), mp.array(b)
    for got, want in ((f(x, y), f(a, b)), (f(x, 2), f(a, 2)), (f(2, y), f(2, b))):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-6)
        if f is not operator.truediv or dtype.startswith("float"):
            assert got.dtype == want.dtype
    np.testing.assert_allclose(f(x, [1, 2, 3]).numpy(), f(a, [1, 2, 3]), rtol=1e-6)


@pytest.mark.parametrize("f", BITS.values())
@pytest.mark.parametrize("dtype", ["int64", "uint8", "int16"])
def test_bits(f, dtype):
    a, b = np.array([5, 6, 7], dtype), np.array([1, 2, 3], dtype)
    x, y = mp.array(a), mp.array(b)
    for got, want in ((f(x, y), f(a, b)), (f(x, 2), f(a, 2)), (f(4, y), f(4, b))):
        np.testing.assert_array_equal(got.numpy(), want)
        assert got.dtype == want.dtype


def test_bits_of_bools():
    a, b = np.array([True, False, True]), np.array([True, True, False])
    x, y = mp.array(a), mp.array(b)
    np.testing.assert_array_equal((x & y).numpy(), a & b)
    np.testing.assert_array_equal((x | False).numpy(), a | False)
    np.testing.assert_array_equal((True ^ x).numpy(), True ^ a)
    np.testing.assert_array_equal((~x).numpy(), ~a)
    with pytest.raises(TypeError):
        mp.ones(2) & mp.ones(2)


def test_divmod():
    x = mp.array([7.5, -7.5])
    q, r = divmod(x, 2)
    assert (q.tolist(), r.tolist()) == ([3.0, -4.0], [1.5, 0.5])
    q, r = divmod(17, mp.array([5, -5]))
    assert (q.tolist(), r.tolist()) == ([3, -4], [2, -3])
    assert all(v.item() == w for v, w in zip(divmod(x.max(), 2), divmod(7.5, 2), strict=True))
    with pytest.raises(TypeError):
        divmod(x, "a")


@pytest.mark.parametrize("f", IN_PLACE)
def test_in_place(f):
    a = np.array([4.0, 9.0, 2.0], np.float32)
    x = mp.array(a)
    same = x
    x = f(x, 2.0)
    assert x is same
    np.testing.assert_allclose(x.numpy(), f(a, 2.0), rtol=1e-6)


def test_bits_in_place():
    x = mp.array([1, 2, 3])
    same = x
    x |= 4
    x &= 6
    x ^= 1
    x <<= 2
    x >>= 1
    assert x is same
    assert x.tolist() == [10, 14, 14]


def test_matmul_in_place():
    a = mp.array([[1.0, 2.0], [3.0, 4.0]])
    same = a
    a @= mp.array([[0.0, 1.0], [1.0, 0.0]])
    assert a is same
    assert a.tolist() == [[2.0, 1.0], [4.0, 3.0]]
    with pytest.raises(ValueError, match="matmul: "):
        a @= mp.ones((2, 3))


# ---- other types beside arrays ----


@pytest.mark.parametrize("other", [None, "a", b"a"])
def test_what_is_no_number_equals_no_element(other):
    x = mp.ones((2, 2))
    assert (x == other).tolist() == [[False] * 2] * 2
    assert (x != other).tolist() == [[True] * 2] * 2
    assert not (other == x).any()
    assert (x.sum() != other).item()
    for f in (operator.lt, operator.add, operator.mod, operator.and_):
        with pytest.raises(TypeError):
            f(x, other)


def test_lists_and_tuples_are_converted():
    x = mp.array([1.0, 2.0])
    assert operator.add(x, [1, 2]).tolist() == [2.0, 4.0]
    assert ((1, 2) * x).tolist() == [1.0, 4.0]
    assert (x == [1.0, 5.0]).tolist() == [True, False]


def test_numpy_scalars():
    x = mp.array([1.0, 2.0])
    assert (x * np.float32(2)).dtype == np.float32
    assert (x * np.float64(2)).dtype == np.float64
    assert (mp.array([3, 4]) // np.int32(2)).tolist() == [1, 2]


class Unit:
    """Computes with arrays itself."""

    def __radd__(self, other):
        return "added"

    def __rfloordiv__(self, other):
        return "divided"

    def __eq__(self, other):
        return "compared"

    __hash__ = None


class Heavy(np.ndarray):
    """Extends NumPy's arrays and wants to be asked first."""

    __array_priority__ = 2000.0

    def __radd__(self, other):
        return "added"


class Refusing(np.ndarray):
    __array_ufunc__ = None

    def __radd__(self, other):
        return "added"


def test_reflected_operators_of_others():
    for x in (mp.ones(2), mp.ones(2).sum()):
        assert x + Unit() == "added"
        assert x // Unit() == "divided"
        assert (x == Unit()) == "compared"
        assert x + np.ones(2).view(Heavy) == "added"
        assert x + np.ones(2).view(Refusing) == "added"
    assert (mp.ones(2) + np.ones(2).view(np.ndarray)).tolist() == [2.0, 2.0]


def test_quotients_by_big_integers():
    x = mp.array([2**31, 1], dtype=mp.uint32)
    for quotient in (x / 2**32, mp.divide(x, 2**32), x[:1] / 2**32):
        assert quotient[0].item() == 0.5
    assert (mp.array([100], dtype=mp.int8) / 1000).item() == pytest.approx(0.1)
    with pytest.raises(OverflowError):
        x // 2**32


def test_big_integers():
    with pytest.raises(OverflowError):
        mp.array([1], dtype=mp.int8) + 1000
    with pytest.raises(OverflowError):
        mp.array([1], dtype=mp.uint8) & -1
    assert (mp.array([1], dtype=mp.uint8) < 1000).tolist() == [True]
