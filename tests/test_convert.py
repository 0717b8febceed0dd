"""Conversions between dtypes, bit for bit with ml_dtypes and NumPy."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from dtypes import FLOAT8, FLOATS, INTS, dtype_of
from mixprec import _core

NARROW = ("float16", "bfloat16", *FLOAT8)
# Exponent bits, mantissa bits and bias of the narrow formats.
FORMATS = {
    "float16": (5, 10, 15),
    "bfloat16": (8, 7, 127),
    "float8_e4m3fn": (4, 3, 7),
    "float8_e5m2": (5, 2, 15),
}
BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

# NumPy warns where it widens a signalling NaN and where it narrows beyond a format's range.
pytestmark = [
    pytest.mark.core,
    pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning"),
]


def cast(array, dtype):
    return _core.cast(_core.from_numpy(array), dtype_of(dtype)).numpy()


def bits(array):
    return np.asarray(array).view(BITS[array.dtype.itemsize])


def same_bits(got, want):
    """The same bits; a NaN may have any payload but must have its sign."""
    assert got.dtype == want.dtype
    nan = np.isnan(want.astype(np.float64))
    np.testing.assert_array_equal(np.isnan(got.astype(np.float64)), nan)
    different = (bits(got) != bits(want)) & ~nan
    where = np.flatnonzero(different)
    assert not where.size, f"{where.size} differ, first at {where[0]}: {got[where[0]]}"
    np.testing.assert_array_equal(np.signbit(got[nan]), np.signbit(want[nan]))


def all_patterns(name):
    dtype = dtype_of(name)
    unsigned = BITS[dtype.itemsize]
    return np.arange(2 ** (8 * dtype.itemsize), dtype=np.uint64).astype(unsigned).view(dtype)


def float32_edges():
    """float32 patterns at the rounding edges of every narrow format: for each of the 256 exponents,
    the mantissas at and beside the ties and the representable values, with both signs."""
    mantissas = {0, 1, 2**23 - 1}
    for kept in range(0, 12):
        step = 1 << (23 - kept)
        for k in {0, 1, 2, 3, (1 << kept) // 2, (1 << kept) - 2, (1 << kept) - 1}:
            for centre in (k * step, k * step + step // 2):
                mantissas.update((centre + d) % 2**23 for d in (-1, 0, 1))
    m = np.array(sorted(x for x in mantissas if x >= 0), np.uint32)
    e = np.arange(256, dtype=np.uint32) << np.uint32(23)
    positive = (e[:, None] | m).reshape(-1)
    return np.concatenate([positive, positive | np.uint32(1 << 31)]).view(np.float32)


def every_mantissa(name):
    """float32 values at, and one ulp beside, each value of the format and each midpoint."""
    values = all_patterns(name).astype(np.float64)
    values = np.sort(values[np.isfinite(values) & (values >= 0)])
    values = np.append(values, [2 * values[-1] - values[-2], values[-1] * 2])
    middles = (values[1:] + values[:-1]) / 2
    edges = np.concatenate([values, middles]).astype(np.float32)
    up, down = np.nextafter(edges, np.float32(np.inf)), np.nextafter(edges, np.float32(-np.inf))
    all_edges = np.concatenate([edges, up, down])
    return np.concatenate([all_edges, -all_edges])


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("to", ["float32", "float64"])
def test_widening(name, to):
    x = all_patterns(name)
    same_bits(cast(x, to), x.astype(to))


@pytest.mark.parametrize("name", NARROW)
def test_round_trip(name):
    x = all_patterns(name)
    same_bits(cast(cast(x, "float32"), name), x)
    same_bits(cast(cast(x, "float64"), name), x)


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("source", [float32_edges, every_mantissa])
def test_narrowing_from_float32(name, source):
    x = source() if source is float32_edges else source(name)
    same_bits(cast(x, name), x.astype(dtype_of(name)))


@pytest.mark.parametrize("name", NARROW)
def test_narrowing_strided_and_short(name):
    """Vector body, scalar tail and strided rows agree."""
    x = np.random.default_rng(3).permutation(float32_edges())
    want = x.astype(dtype_of(name))
    for n in (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65):
        same_bits(cast(x[:n], name), want[:n])
        same_bits(cast(x[5 : 5 + 3 * n : 3], name), want[5 : 5 + 3 * n : 3])
    same_bits(cast(x[::-1], name), want[::-1])


@pytest.mark.parametrize("name", NARROW)
def test_narrowing_from_float64_rounds_once(name):
    """A float64 a hair beside a tie goes to the nearer value: float32 in between would lose it."""
    x = every_mantissa(name).astype(np.float64)
    x = x[np.isfinite(x) & (x != 0)]
    beside = np.concatenate([x, np.nextafter(x, np.inf), np.nextafter(x, -np.inf)])
    want = nearest(beside, name)
    same_bits(cast(beside, name), want)


def nearest(x, name):
    """x rounded once to the format: exact scaling by powers of two, and rint."""
    _exponent_bits, mantissa_bits, bias = FORMATS[name]
    _, e = np.frexp(x)
    quantum = np.maximum(e - 1, 1 - bias) - mantissa_bits
    rounded = np.ldexp(np.rint(np.ldexp(x, -quantum)), quantum)
    limit = float(ml_dtypes.finfo(dtype_of(name)).max)
    over = np.where(np.abs(rounded) > limit, np.copysign(np.inf, x), rounded)
    return over.astype(np.float64).astype(dtype_of(name))


@pytest.mark.parametrize("pair", [*itertools.permutations(NARROW, 2)], ids="-".join)
def test_between_narrow_formats(pair):
    source, to = pair
    x = all_patterns(source)
    same_bits(cast(x, to), x.astype(np.float32).astype(dtype_of(to)))


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_special_values(name, bad):
    got = cast(np.full(37, bad, np.float32), name)
    if np.isnan(bad) or name == "float8_e4m3fn":
        assert np.isnan(got.astype(np.float32)).all()
    else:
        assert (got.astype(np.float32) == bad).all()


def test_nan_payloads_stay_nan():
    payloads = np.array([0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0x7F801000, 0xFF800001], np.uint32)
    for name in NARROW:
        got = cast(payloads.view(np.float32), name).astype(np.float32)
        assert np.isnan(got).all()
        np.testing.assert_array_equal(np.signbit(got), [False] * 4 + [True])


@pytest.mark.parametrize("pair", [*itertools.product(INTS, INTS)], ids="-".join)
def test_between_integers(pair):
    source, to = pair
    info = np.iinfo(source)
    x = np.array([info.min, info.min + 1, 0, 1, 2, 100, info.max - 1, info.max], source)
    np.testing.assert_array_equal(cast(x, to), x.astype(to))


@pytest.mark.parametrize("to", [*FLOATS, "bool"])
@pytest.mark.parametrize("source", [*INTS, "bool"])
def test_from_integers(source, to):
    if source == "bool":
        x = np.array([False, True, True])
    else:
        info = np.iinfo(source)
        x = np.array([info.min, 0, 1, 3, 100, info.max // 3, info.max], source)
    got = cast(x, to)
    if to in ("float16", "bfloat16"):
        want = x.astype(np.float64)
        with np.errstate(over="ignore"):
            assert np.array_equal(got, nearest_of(want, to))
    else:
        np.testing.assert_array_equal(got, x.astype(to))


def nearest_of(x, to):
    out = np.zeros(x.shape, dtype_of(to))
    out[x != 0] = nearest(x[x != 0], to)
    return out


@pytest.mark.parametrize("source", FLOATS)
def test_to_integers_truncates(source):
    x = np.array([-100.7, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 100.7]).astype(dtype_of(source))
    for to in ("int8", "int16", "int32", "int64"):
        np.testing.assert_array_equal(cast(x, to), np.trunc(x.astype(np.float64)).astype(to))
    y = x[3:]
    for to in ("uint8", "uint16", "uint32", "uint64"):
        np.testing.assert_array_equal(cast(y, to), np.trunc(y.astype(np.float64)).astype(to))


@pytest.mark.parametrize("source", [*FLOATS, *FLOAT8])
def test_to_bool(source):
    x = np.array([0.0, -0.0, 0.5, -2.0, np.nan]).astype(dtype_of(source))
    np.testing.assert_array_equal(cast(x, "bool"), [False, False, True, True, True])
