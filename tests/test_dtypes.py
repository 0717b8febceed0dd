"""Scalar types, limits and promotion: `mp.float32` and what is asked of dtypes."""

import copy
import pickle

import numpy as np
import pytest

import mixprec as mp
from mixprec import _core
from mixprec._scalar_types import SCALAR_TYPES


def test_order_is_the_core_table():
    assert [t.dtype for t in SCALAR_TYPES] == [row["dtype"] for row in _core.dtype_table()]


@pytest.mark.parametrize("scalar", SCALAR_TYPES, ids=str)
def test_stands_for_its_dtype(scalar):
    dtype = scalar.dtype
    x = mp.zeros(3, scalar)
    assert x.dtype is dtype
    assert x.dtype == scalar
    assert scalar == x.dtype
    assert (scalar != dtype) is False
    assert hash(scalar) == hash(dtype)
    assert {scalar: 1}[dtype] == {dtype: 1}[scalar] == 1
    assert np.dtype(scalar) is dtype
    assert np.zeros(2, scalar).dtype == dtype
    assert x.astype(scalar).dtype == dtype
    assert (scalar.name, scalar.itemsize, scalar.kind) == (dtype.name, dtype.itemsize, dtype.kind)
    assert scalar.type is dtype.type
    assert str(scalar) == dtype.name
    assert [t for t in SCALAR_TYPES if t == dtype] == [scalar]


@pytest.mark.parametrize("scalar", SCALAR_TYPES, ids=str)
def test_makes_values(scalar):
    value = scalar(1)
    assert type(value) is scalar.dtype.type
    assert value == 1
    assert isinstance(value, scalar)
    assert isinstance(mp.ones((), scalar), scalar)
    assert not isinstance(mp.ones(2, scalar), scalar)
    made = scalar([1, 0])
    assert isinstance(made, mp.ndarray)
    assert made.dtype == scalar


@pytest.mark.parametrize("scalar", SCALAR_TYPES, ids=str)
def test_pickles_as_itself(scalar):
    assert pickle.loads(pickle.dumps(scalar)) is scalar
    assert copy.deepcopy(scalar) is scalar


def test_cast_of_an_array_is_recorded():
    x = mp.ones(2, requires_grad=True)
    mp.float64(x).sum().backward()
    assert x.grad.tolist() == [1, 1]
    assert x.grad.dtype == mp.float32


def test_numpy_hierarchy():
    assert np.issubdtype(mp.float32, np.floating)
    assert mp.issubdtype(mp.zeros(1, mp.bfloat16).dtype, mp.floating)
    assert mp.issubdtype(mp.int8, mp.signedinteger)
    assert not mp.issubdtype(mp.float32, mp.integer)
    assert isinstance(np.int8(1), mp.integer)
    assert mp.intp == np.intp
    assert mp.uint == np.uint
    assert mp.half is mp.float16


@pytest.mark.parametrize("name", ["complex64", "complex128", "fft"])
def test_complex_is_left_out(name):
    assert not hasattr(mp, name)
    with pytest.raises(AttributeError, match="complex numbers are left out"):
        getattr(mp, name)


def test_limits_are_python_numbers():
    for name in ("float16", "float32", "float64"):
        ours, theirs = mp.finfo(getattr(mp, name)), np.finfo(name)
        for field in ("eps", "max", "min", "smallest_normal", "tiny"):
            assert type(getattr(ours, field)) is float
            assert getattr(ours, field) == getattr(theirs, field)
        assert (ours.bits, ours.dtype, ours.nmant) == (theirs.bits, theirs.dtype, theirs.nmant)
    assert mp.finfo(mp.ones(1, mp.bfloat16)).eps == 2.0**-7
    assert (mp.iinfo(mp.uint64).max, mp.iinfo(mp.int8).min) == (2**64 - 1, -128)
    with pytest.raises(TypeError, match="finfo: int32 is not floating"):
        mp.finfo(mp.int32)
    with pytest.raises(TypeError, match="iinfo: float32 is no integer dtype"):
        mp.iinfo(mp.float32)


def test_result_type():
    assert mp.result_type(mp.int8, mp.uint8) == mp.int16
    assert mp.result_type(mp.ones(2, mp.int8), 3) == mp.int8
    assert mp.result_type(mp.bool, 3) == mp.int64
    assert mp.result_type(mp.int64, mp.float16, 2.5) == mp.float16
    assert mp.result_type(True) == mp.bool
    assert mp.result_type(1.5, 2) == mp.float32
    with pytest.raises(ValueError, match="at least one"):
        mp.result_type()
    with pytest.raises(TypeError, match="complex"):
        mp.result_type(mp.float32, 1j)


def test_kinds():
    assert mp.isdtype(mp.bool, "bool")
    assert mp.isdtype(np.dtype("int8"), "signed integer")
    assert mp.isdtype(mp.uint8, ("signed integer", "unsigned integer"))
    assert mp.isdtype(mp.float8_e5m2, "real floating")
    assert not mp.isdtype(mp.bool, "numeric")
    assert not mp.isdtype(mp.float64, "complex floating")
    assert mp.isdtype(mp.float32, mp.float32)
    with pytest.raises(ValueError, match="'float' is no kind"):
        mp.isdtype(mp.float32, "float")


def test_values_are_instances_of_kinds():
    x, n = mp.array([1.5]), mp.array([1], dtype=mp.uint8)
    assert isinstance(x[0], mp.floating)
    assert isinstance(x.astype(mp.bfloat16)[0], mp.floating)
    assert isinstance(n[0], mp.integer)
    assert isinstance(n.sum(), mp.unsignedinteger)
    assert isinstance(x.mean(), (mp.number, mp.generic))
    assert isinstance(np.float64(1), mp.floating)
    for value, kind in (
        (n[0], mp.floating),
        (x[0], mp.integer),
        (x, mp.floating),
        (1.5, mp.floating),
        (n.sum(), mp.signedinteger),
        (x[0] > 1, mp.number),
    ):
        assert not isinstance(value, kind)


def test_kinds_are_numpys():
    assert mp.floating == np.floating
    assert len({mp.integer, np.integer}) == 1
    assert mp.floating != mp.integer
    assert issubclass(mp.bfloat16, mp.floating)
    assert issubclass(np.int8, mp.signedinteger)
    assert not issubclass(mp.int8, mp.unsignedinteger)
    for kind in (mp.floating, np.floating):
        assert mp.issubdtype(mp.float16, kind)
        assert mp.issubdtype(mp.bfloat16, kind)
        assert np.issubdtype(np.float32, kind)
        assert not mp.issubdtype(mp.int8, kind)


def test_casts_as_asked():
    x = mp.ones(2)
    assert x.astype(mp.float64, order="C", casting="safe", subok=False).dtype == mp.float64
    assert x.astype(mp.int8, casting="unsafe").dtype == mp.int8
    with pytest.raises(TypeError, match="astype: float32 cannot be cast to int8 with 'same_kind'"):
        x.astype(mp.int8, casting="same_kind")
