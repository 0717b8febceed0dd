"""Functions of each element at special values: what NumPy gives, to the sign of each zero.

Floats: every pair of zeros, infinities, NaN, subnormal, small, whole and huge numbers; integers:
every pair of extreme values. Results are compared as classes (NaN, infinity, zero with its sign)
and finite ones within a few units in the last place.
"""

import itertools
import warnings

import numpy as np
import pytest

import mixprec as mp
from dtypes import INTS, dtype_of
from helpers import host, words
from refs.math import floor_divide

# Our names, and NumPy's where it has another one.
FLOAT_ONE = words(
    "sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh exp exp2 expm1 log log1p log2 "
    "log10 sqrt cbrt floor ceil trunc rint positive negative absolute sign square reciprocal isnan "
    "isinf isfinite signbit logical_not deg2rad rad2deg sinc"
)
FLOAT_TWO = words(
    "add subtract multiply divide power floor_divide remainder fmod atan2 hypot copysign nextafter "
    "logaddexp logaddexp2 maximum minimum fmax fmin equal not_equal less less_equal greater "
    "greater_equal logical_and logical_or logical_xor heaviside"
)
INTEGER_ONE = words(
    "negative absolute sign square positive floor ceil trunc bitwise_invert isnan isinf isfinite "
    "signbit logical_not"
)
INTEGER_TWO = words(
    "add subtract multiply floor_divide remainder fmod maximum minimum fmax fmin bitwise_and "
    "bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift equal not_equal less less_equal "
    "greater greater_equal logical_and logical_or logical_xor"
)
# NumPy's greater one of two zeros depends on its vector width.
ZERO_OF_EITHER_SIGN = {"maximum", "minimum", "fmax", "fmin"}


def theirs(name, *inputs):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return floor_divide(*inputs) if name == "floor_divide" else getattr(np, name)(*inputs)


def ours(name, device, *inputs):
    return host(getattr(mp, name)(*(mp.array(x, device=device) for x in inputs)))


def special_floats(dtype):
    info = np.finfo(dtype)
    sizes = [
        *(0.0, info.smallest_subnormal, info.smallest_normal, info.eps, 0.1, 0.5, 1.0, 1.5, 2.0),
        *(2.5, 3.0, 8.0, 10.0, 88.0, 100.0, 1000.0, 1e6, 2.0**24 + 2, 2.0**31, info.max / 2),
        *(info.max, np.inf),
    ]
    values = [sign * x for x in sizes for sign in (1, -1)] + [np.nan]
    return np.array(values, dtype)


def special_integers(dtype):
    info = np.iinfo(dtype)
    values = {info.min, info.min + 1, info.max - 1, info.max, *range(4), info.bits - 1, info.bits}
    values |= {info.bits + 1, max(info.min, -1), max(info.min, -2), max(info.min, -info.bits)}
    return np.array(sorted(values), dtype)


def pairs(values):
    """Every pair, often enough that vector loops and their rests see each."""
    first, second = zip(*itertools.product(values, values), strict=True)
    return np.array(first, values.dtype), np.array(second, values.dtype)


def check(name, got, want, inputs, ulps=4):
    assert got.dtype == want.dtype, f"{name}: {got.dtype}, NumPy gives {want.dtype}"
    if got.dtype.kind != "f":
        wrong = got != want
    else:
        size = np.maximum(np.abs(want), np.finfo(want.dtype).smallest_normal)
        if name.startswith("logaddexp"):  # near 0 a difference of terms that are not small
            size = np.maximum(size, np.max(np.abs(inputs), axis=0))
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(got - want) <= ulps * np.finfo(want.dtype).eps * size
        same_sign = np.signbit(got) == np.signbit(want)
        if name in ZERO_OF_EITHER_SIGN:
            same_sign |= want == 0
        same = np.isnan(got) & np.isnan(want)
        same |= (got == want) & same_sign
        wrong = ~(same | (near & (want != 0) & np.isfinite(want) & same_sign))
    at = np.flatnonzero(wrong)
    shown = [tuple(x[i] for x in (*inputs, got, want)) for i in at[:5]]
    assert not at.size, f"{name}: {at.size} differ; (inputs, ours, NumPy's): {shown}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FLOAT_ONE)
def test_special_floats(name, dtype, device):
    """In a row by themselves, among many others, and each alone."""
    x = special_floats(dtype)
    want = theirs(name, x)
    check(name, ours(name, device, x), want, (x,))
    many = np.concatenate([np.full(1000, 0.5, dtype), x, np.linspace(0, 1, 5000).astype(dtype)])
    check(name, ours(name, device, many)[1000 : 1000 + x.size], want, (x,))
    each = np.array([ours(name, device, x[i : i + 1])[0] for i in range(x.size)])
    check(name, each, want, (x,))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FLOAT_TWO)
def test_special_pairs_of_floats(name, dtype, device):
    x1, x2 = pairs(special_floats(dtype))
    want = theirs(name, x1, x2)
    check(name, ours(name, device, x1, x2), want, (x1, x2))
    each = np.array([ours(name, device, a[None], b[None])[0] for a, b in zip(x1, x2, strict=True)])
    check(name, each, want, (x1, x2))


@pytest.mark.parametrize("name", FLOAT_TWO)
def test_special_number_on_the_right(name, device):
    """Numbers as exponents, divisors and bounds: some have loops of their own."""
    x = special_floats("float32")
    for number in (0.0, -0.0, 0.5, 1.0, 2.0, 3.0, -1.0, np.inf, -np.inf, np.nan):
        got = host(getattr(mp, name)(mp.array(x, device=device), number))
        row = np.full_like(x, number)  # NumPy's power of -0 and one number 0.5 is -0
        check(name, got, theirs(name, x, row), (x, row))


@pytest.mark.parametrize("dtype", INTS)
@pytest.mark.parametrize("name", INTEGER_ONE)
def test_extreme_integers(name, dtype, device):
    x = special_integers(dtype)
    check(name, ours(name, device, x), theirs(name, x), (x,))


@pytest.mark.parametrize("dtype", INTS)
@pytest.mark.parametrize("name", INTEGER_TWO)
def test_extreme_pairs_of_integers(name, dtype, device):
    x1, x2 = pairs(special_integers(dtype))
    want = theirs(name, x1, x2)
    check(name, ours(name, device, x1, x2), want, (x1, x2))
    check(name, ours(name, device, x1[::-1], x2[::-1])[::-1], want, (x1, x2))


@pytest.mark.parametrize("name", words("add multiply maximum fmin less equal logical_and"))
def test_integers_of_two_dtypes(name, device):
    for first, second in itertools.product(INTS, INTS):
        x1, x2 = special_integers(first), special_integers(second)
        x1, x2 = np.repeat(x1, x2.size), np.tile(x2, x1.size)
        want = theirs(name, x1, x2)
        got = ours(name, device, x1, x2)
        check(name, got.astype(want.dtype), want, (x1, x2))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_nextafter_in_its_own_grid(dtype, device):
    """From every number, one step up and one down."""
    dtype = dtype_of(dtype)
    bits = np.arange(1 << 16, dtype=np.uint16)
    x = bits.view(dtype)
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float64)
    for target in (np.inf, -np.inf):
        got = host(mp.nextafter(mp.array(x, device=device), target))
        assert got.dtype == dtype
        order = np.where(bits & 0x8000, -(bits & 0x7FFF).astype(int), (bits & 0x7FFF).astype(int))
        stays = np.isnan(wide) | (wide == target)
        goal = np.where(stays, order, order + (1 if target > 0 else -1))
        after = got.view(np.uint16)
        found = np.where(after & 0x8000, -(after & 0x7FFF).astype(int), after.astype(int))
        np.testing.assert_array_equal(found[~np.isnan(wide)], goal[~np.isnan(wide)])
        assert (np.abs(found[np.isnan(wide)]) > np.abs(order[~np.isnan(wide)]).max()).all()


@pytest.mark.parametrize("name", words("isnan isinf isfinite signbit"))
def test_kinds_of_every_float16(name, device):
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    check(name, ours(name, device, x), theirs(name, x), (x,))


ACCURATE = words(
    "sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh exp exp2 expm1 log log1p log2 "
    "log10 cbrt"
)


@pytest.mark.parametrize("name", ACCURATE)
def test_float32_is_accurate(name, device):
    """Within 2 units in the last place over all magnitudes, and angles up to 1e7 and beyond; on a
    GPU within the 4 that its functions promise."""
    rng = np.random.default_rng(5)
    x = np.concatenate(
        [
            np.arange(0, 1 << 32, 65521, dtype=np.uint64).astype(np.uint32).view(np.float32),
            rng.uniform(-1, 1, 20000).astype(np.float32),
            rng.uniform(-100, 100, 20000).astype(np.float32),
            rng.uniform(-1e7, 1e7, 20000).astype(np.float32),
        ]
    )
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float64)
    want = theirs(name, wide)
    got = np.concatenate([ours(name, device, part) for part in np.array_split(x, 500)])
    with np.errstate(all="ignore"):
        narrow = want.astype(np.float32)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(got[np.isinf(narrow)], narrow[np.isinf(narrow)])
    finite = np.isfinite(narrow)
    unit = np.spacing(np.abs(narrow[finite])).astype(np.float64)
    error = np.abs(got[finite].astype(np.float64) - want[finite]) / unit
    most = 2 if device == "cpu" else 4
    assert error.max() <= most, f"{error.max()} at {x[finite][error.argmax()]}"


def test_round_to_decimals(device):
    x = np.array([0.5, 1.5, -2.5, 1.234, 5.678, -0.05, 1234.5], np.float32)
    for decimals in (-2, -1, 0, 1, 2):
        got = host(mp.round(mp.array(x, device=device), decimals))
        np.testing.assert_allclose(got, np.round(x, decimals), rtol=1e-6)
    whole = np.array([15, 25, -14, 1234])
    for decimals in (-2, -1, 0, 2):
        got = host(mp.round(mp.array(whole, device=device), decimals=decimals))
        np.testing.assert_array_equal(got, np.round(whole, decimals))
        assert got.dtype == whole.dtype


def test_ldexp_is_rounded_once(device):
    x = np.array([0.75, 1.0, 3.0, -0.5, 0.0, np.inf, np.nan], np.float32)
    for exponent in (-149, -130, -1, 0, 5, 126, 250, 10**6, -(10**6)):
        got = host(mp.ldexp(mp.array(x, device=device), exponent))
        np.testing.assert_array_equal(got, theirs("ldexp", x, exponent))


def test_divmod_and_float_power(device):
    x1, x2 = np.array([7, -7, 5], np.int32), np.array([3, 3, 0], np.int32)
    for got, want in zip(
        mp.divmod(mp.array(x1, device=device), mp.array(x2, device=device)),
        theirs("divmod", x1, x2),
        strict=True,
    ):
        np.testing.assert_array_equal(host(got), want)
    got = host(mp.float_power(mp.array(x1, device=device), 0.5))
    np.testing.assert_array_equal(got, theirs("float_power", x1, 0.5))


def test_gradients_pass_nan_over(device):
    """The gradient of fmax and fmin goes to the number, halves to equal ones."""
    x1 = mp.array([1.0, np.nan, 2.0, np.nan], device=device, requires_grad=True)
    x2 = mp.array([np.nan, 1.0, 2.0, np.nan], device=device, requires_grad=True)
    for name in ("fmax", "fmin"):
        g1, g2 = mp.grad(getattr(mp, name)(x1, x2).sum(), [x1, x2])
        np.testing.assert_array_equal(host(g1), [1, 0, 0.5, 1])
        np.testing.assert_array_equal(host(g2), [0, 1, 0.5, 1])


@pytest.mark.parametrize("name", ["atan2", "hypot", "copysign"])
def test_gradient_at_the_origin_is_zero(name, device):
    x1 = mp.array([0.0], device=device, requires_grad=True)
    x2 = mp.array([0.0], device=device, requires_grad=True)
    for g in mp.grad(getattr(mp, name)(x1, x2).sum(), [x1, x2]):
        assert host(g).tolist() == [0.0]
