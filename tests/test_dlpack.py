"""Capsules of DLPack that are wrong, used up, or of another version, made by hand."""

import ctypes
import gc

import numpy as np
import pytest

import mixprec as mp

pytestmark = pytest.mark.core


class Device(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int32), ("id", ctypes.c_int32))


class DType(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", Device),
        ("ndim", ctypes.c_int32),
        ("dtype", DType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class Managed(ctypes.Structure):
    _fields_ = (("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


class Versioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    )


DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class Producer:
    """Gives one capsule of the numbers from 0, again and again, and counts how often it is freed.

    The deleter is Python code: an error that is on its way must not reach it, nor be lost by it.
    """

    def __init__(
        self, versioned=True, shape=(2, 3), strides=None, dtype=(2, 32, 1), device=(1, 0),
        ndim=None, data=True, offset=0, major=1, minor=0, flags=0, named=True,
    ):  # fmt: skip
        self.memory = (ctypes.c_float * 64)(*range(64))
        self.arrays = [(ctypes.c_int64 * 40)(*given) for given in (shape, strides or ())]
        self.freed = 0
        self.deleter = DELETER(self.free)
        self.struct = Versioned() if versioned else Managed()
        self.struct.deleter = ctypes.cast(self.deleter, ctypes.c_void_p).value
        tensor = self.struct.tensor
        tensor.data = ctypes.addressof(self.memory) if data else None
        tensor.device, tensor.dtype = Device(*device), DType(*dtype)
        tensor.ndim = len(shape) if ndim is None else ndim
        extents, steps = (ctypes.cast(a, ctypes.POINTER(ctypes.c_int64)) for a in self.arrays)
        tensor.shape = extents if named else None
        tensor.strides = steps if strides else None
        tensor.byte_offset = offset
        if versioned:
            self.struct.major, self.struct.minor, self.struct.flags = major, minor, flags
        name = b"dltensor_versioned" if versioned else b"dltensor"
        self.capsule = new_capsule(ctypes.addressof(self.struct), name, None)

    def free(self, _):
        self.freed += 1

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, **_):
        return self.capsule


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize(
    ("more", "want"),
    [
        ({}, [[0, 1, 2], [3, 4, 5]]),
        ({"strides": (1, 2)}, [[0, 2, 4], [1, 3, 5]]),
        ({"strides": (-3, 1), "offset": 12}, [[3, 4, 5], [0, 1, 2]]),
        ({"strides": (0, 1)}, [[0, 1, 2], [0, 1, 2]]),
        ({"offset": 4}, [[1, 2, 3], [4, 5, 6]]),
        ({"shape": ()}, 0),
        ({"shape": (0, 3), "data": False}, []),
        ({"shape": (0, 2**50)}, []),
    ],
)
def test_capsule(versioned, more, want):
    producer = Producer(versioned, **more)
    x = mp.from_dlpack(producer)
    assert x.tolist() == want
    with pytest.raises(TypeError, match=r"from_dlpack: .* was used before"):
        mp.from_dlpack(producer)
    assert x.tolist() == want
    view = x[...]
    del x
    gc.collect()
    assert producer.freed == 0
    assert view.tolist() == want
    del view
    gc.collect()
    assert producer.freed == 1


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize(
    ("more", "kind", "text"),
    [
        ({"shape": (-1, 3)}, ValueError, "dimension 0 has negative size -1"),
        ({"shape": (2**62, 4)}, ValueError, r"shape \(4611686018427387904, 4\) does not fit"),
        ({"strides": (2**62, 2**62)}, ValueError, "strides .* do not fit in 64 bits"),
        ({"strides": (-(2**63), 1)}, ValueError, "strides .* do not fit in 64 bits"),
        ({"data": False}, ValueError, r"shape \(2, 3\), but no memory"),
        ({"named": False}, ValueError, "2 dimensions, but no shape"),
        ({"ndim": 33}, ValueError, "33 dimensions, at most 32"),
        ({"ndim": -1}, ValueError, "-1 dimensions, at most 32"),
        ({"offset": 3}, ValueError, "is not aligned to 4 bytes"),
        ({"dtype": (5, 64, 1)}, TypeError, "code 5, 64 bits and 1 lanes"),
        ({"dtype": (2, 32, 4)}, TypeError, "code 2, 32 bits and 4 lanes"),
        ({"dtype": (2, 0, 1)}, TypeError, "code 2, 0 bits"),
        ({"device": (99, 0)}, mp.DeviceError, "DLPack's type 99"),
        ({"device": (2, 10**7)}, mp.DeviceError, "cuda:10000000 is not possible"),
        ({"device": (2, -1)}, mp.DeviceError, "cuda:-1 is not possible"),
    ],
)
def test_bad_capsule(versioned, more, kind, text):
    """The error is ours, and the producer gets its memory back."""
    producer = Producer(versioned, **more)
    with pytest.raises(kind, match="from_dlpack: .*" + text):
        mp.from_dlpack(producer)
    assert producer.freed == 1


@pytest.mark.parametrize("major", [0, 2, 2**32 - 1])
def test_other_major_version(major):
    producer = Producer(major=major)
    with pytest.raises(BufferError, match=f"from_dlpack: version {major} of DLPack is not known"):
        mp.from_dlpack(producer)
    assert producer.freed == 1


def test_other_minor_version():
    assert mp.from_dlpack(Producer(minor=99)).shape == (2, 3)


def test_read_only_flag():
    x = mp.from_dlpack(Producer(flags=1))
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 1
    assert not np.from_dlpack(x).flags.writeable
    assert mp.from_dlpack(Producer(flags=1), copy=True).flags.writeable


@pytest.mark.parametrize("copy", ["yes", 2, object()])
def test_copy_is_a_bool(copy):
    with pytest.raises(TypeError, match="__dlpack__: copy is a"):
        mp.ones(2).__dlpack__(copy=copy)
    with pytest.raises(TypeError, match="from_dlpack: copy is a"):
        mp._core.from_dlpack(np.ones(2), copy=copy)


class Answers:
    """A producer that answers with anything."""

    def __init__(self, capsule, device=(1, 0)):
        self.answers = capsule, device

    def __dlpack__(self, **_):
        return self.answers[0]

    def __dlpack_device__(self):
        return self.answers[1]


@pytest.mark.parametrize("answer", [3, None, "capsule", new_capsule(1, b"other", None)])
def test_no_capsule(answer):
    with pytest.raises(TypeError, match="from_dlpack: what __dlpack__ gave is no capsule"):
        mp.from_dlpack(Answers(answer))


@pytest.mark.parametrize("device", ["cpu", None, {}, (1.5, 0), object()])
def test_no_device(device):
    with pytest.raises(TypeError, match="from_dlpack: __dlpack_device__ "):
        mp.from_dlpack(Answers(mp.ones(2).__dlpack__(), device))


def test_arrays_that_never_change():
    jnp = pytest.importorskip("jax.numpy", reason="needs jax")
    x = jnp.ones(3)
    for y in (mp.from_dlpack(x), mp.asarray(x)):
        with pytest.raises(ValueError, match="read-only"):
            y[0] = 5
    assert x.tolist() == [1, 1, 1]
