"""The array type: creation, dtypes, promotion, sharing with NumPy, DLPack, copies, printing."""

import array
import bisect
import collections
import copy
import gc
import operator
import pickle
import random

import ml_dtypes
import numpy as np
import pytest

import mixprec as mp
from dtypes import DTYPES, FLOATS, INTS, dtype_of


def test_array_copies_and_asarray_shares():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    copied, shared = mp.array(a), mp.asarray(a)
    a[0, 0] = 7
    assert copied[0, 0].item() == 0
    assert shared[0, 0].item() == 7
    shared[1, 2] = 9
    assert a[1, 2] == 9
    assert mp.asarray(shared) is shared


@pytest.mark.parametrize("name", DTYPES)
def test_numpy_round_trip(name):
    a = np.arange(6).reshape(2, 3).astype(dtype_of(name))
    x = mp.array(a)
    assert isinstance(x.dtype, np.dtype)
    assert x.dtype == a.dtype
    assert (x.shape, x.ndim, x.size, x.itemsize, x.nbytes) == (
        a.shape, a.ndim, a.size, a.itemsize, a.nbytes,
    )  # fmt: skip
    assert x.strides == a.strides
    back = x.numpy()
    assert back.dtype == a.dtype
    assert back.tobytes() == a.tobytes()
    assert np.shares_memory(back, np.asarray(x.numpy()))


def test_dtype_of_python_values():
    assert mp.array([1.5, 2]).dtype == np.float32
    assert mp.array([1, 2]).dtype == np.int64
    assert mp.array([True]).dtype == np.bool_
    assert mp.array(np.float64(1)).dtype == np.float64
    assert mp.array([1, 2], dtype=mp.float16).dtype == np.float16
    assert mp.array(3.0).shape == ()
    assert mp.array([[1, 2], [3, 4]]).shape == (2, 2)


def test_default_dtype():
    mp.set_default_dtype(mp.float64)
    assert mp.array([1.5]).dtype == np.float64
    assert mp.zeros(3).dtype == np.float64
    assert (mp.array([1, 2]) / 2).dtype == np.float64
    mp.set_default_dtype(mp.float32)
    assert mp.zeros(3).dtype == np.float32
    with pytest.raises(TypeError):
        mp.set_default_dtype(mp.int32)


def test_creation():
    assert np.array_equal(mp.zeros((2, 3)).numpy(), np.zeros((2, 3), np.float32))
    assert np.array_equal(mp.ones(4, dtype=mp.int16).numpy(), np.ones(4, np.int16))
    assert np.array_equal(mp.full((2,), 7).numpy(), [7, 7])
    assert mp.empty((3, 0)).shape == (3, 0)
    x = mp.ones((2, 2), dtype=mp.float16)
    for like in (mp.zeros_like, mp.ones_like, mp.empty_like):
        assert like(x).dtype == np.float16
        assert like(x).shape == (2, 2)
    assert mp.full_like(x, 3).tolist() == [[3, 3], [3, 3]]
    for arguments in [(5,), (2, 7), (0, 1, 0.25), (5, 0, -2), (3, 3)]:
        got, want = mp.arange(*arguments), np.arange(*arguments)
        assert np.array_equal(got.numpy(), want), arguments
        assert got.dtype == (np.int64 if want.dtype == np.int64 else np.float32)
    np.testing.assert_allclose(mp.linspace(0, 1, 7).numpy(), np.linspace(0, 1, 7), rtol=1e-6)
    assert np.array_equal(mp.eye(3).numpy(), np.eye(3))
    assert np.array_equal(mp.eye(2, 4).numpy(), np.eye(2, 4))


# ---- promotion ----


def promoted(a, b):
    """The rule of the documentation: floats beat integers, two narrow floats meet at float32."""
    fa, fb = a in FLOATS, b in FLOATS
    if fa and fb:
        if {a, b} == {"float16", "bfloat16"}:
            return "float32"
        return max(a, b, key=lambda t: dtype_of(t).itemsize)
    if fa or fb:
        return a if fa else b
    return np.promote_types(a, b).name


@pytest.mark.parametrize("a", [*FLOATS, *INTS, "bool"])
def test_promotion(a):
    for b in (*FLOATS, *INTS, "bool"):
        x, y = mp.ones(2, dtype=dtype_of(a)), mp.ones(2, dtype=dtype_of(b))
        if {a, b} == {"bool"}:
            continue
        assert (x + y).dtype == dtype_of(promoted(a, b)), (a, b)
        assert mp._core.promote(dtype_of(a), dtype_of(b)) == dtype_of(promoted(a, b))


@pytest.mark.parametrize("name", FLOATS)
def test_python_scalars_are_weak(name):
    x = mp.ones(2, dtype=dtype_of(name))
    for y in (x + 1, x + 1.5, 2 - x, 3.0 * x, x / 2, x**2, x + True):
        assert y.dtype == dtype_of(name)
    i = mp.ones(2, dtype=mp.int8)
    assert (i + 1).dtype == np.int8
    assert (i + 1.5).dtype == np.float32
    assert (i / 2).dtype == np.float32


def test_float8_mixes_with_nothing():
    x = mp.ones(2, dtype=mp.float8_e4m3fn)
    for other in (mp.float32, mp.float16, mp.float8_e5m2):
        with pytest.raises(TypeError):
            x + mp.ones(2, dtype=other)


# ---- operators ----


def test_operators_with_numpy(rng):
    a, b = rng.uniform(0.5, 2, (3, 4)), rng.uniform(0.5, 2, (3, 4))
    x = mp.array(a)
    for name in ("add", "sub", "mul", "truediv", "pow", "eq", "ne", "lt", "le", "gt", "ge"):
        direct = getattr(x, f"__{name}__")(mp.array(b))
        want = getattr(a, f"__{name}__")(b)
        np.testing.assert_allclose(direct.numpy(), want, rtol=1e-12)
    for y in (a + x, b * x, 2 - x, 1 / x, a - x, a / x):
        assert isinstance(y, mp.ndarray)
    np.testing.assert_allclose((a - x).numpy(), np.zeros_like(a))
    np.testing.assert_allclose((x @ x.T).numpy(), a @ a.T, rtol=1e-12)
    np.testing.assert_allclose((a @ x.T).numpy(), a @ a.T, rtol=1e-12)
    np.testing.assert_allclose((-x).numpy(), -a)
    np.testing.assert_allclose(abs(-x).numpy(), a)


def test_in_place_operators():
    base = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    x = mp.asarray(base)
    same = x
    x += 1
    x *= 2
    x -= mp.ones(3)
    x /= 2
    assert x is same
    np.testing.assert_allclose(base, ((np.arange(1, 7).reshape(2, 3) + 1) * 2 - 1) / 2)
    half = mp.ones(3, dtype=mp.float16)
    half += mp.ones(3)
    assert half.dtype == np.float16
    y = mp.zeros((2, 3))
    assert y.fill_(2.5) is y
    assert y.copy_(mp.ones(3)) is y
    assert y.tolist() == [[1, 1, 1]] * 2
    assert y.zero_().tolist() == [[0, 0, 0]] * 2
    assert y.add_(2).mul_(3).sub_(1).div_(5).tolist() == [[1, 1, 1]] * 2


def test_in_place_overlap():
    """What is read is what was there before."""
    for n in (2, 33, 1025):
        a = np.arange(n, dtype=np.float64)
        x = mp.array(a)
        x[1:] += x[:-1]
        a[1:] = a[1:] + a[:-1].copy()
        np.testing.assert_array_equal(x.numpy(), a)
        x[:] = x[::-1]
        np.testing.assert_array_equal(x.numpy(), a[::-1])


def test_scalars():
    x = mp.array(2.5)
    assert (float(x), int(x), bool(x), x.item()) == (2.5, 2, True, 2.5)
    assert range(5)[mp.array(3)] == 3
    assert f"{x:.2f}" == "2.50"
    with pytest.raises((ValueError, TypeError)):
        float(mp.ones(2))
    with pytest.raises(ValueError):
        bool(mp.ones(2))
    with pytest.raises(TypeError):
        range(5)[mp.array(3.0)]
    assert mp.array([[1, 2]], dtype=mp.bfloat16).tolist() == [[1.0, 2.0]]
    assert mp.array([2**63 + 1], dtype=mp.uint64).tolist() == [2**63 + 1]
    assert mp.array([-(2**63)]).item() == -(2**63)


def test_len_iter_hash():
    x = mp.array([[1, 2], [3, 4]])
    assert len(x) == 2
    assert [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert len({x, x, x[0]}) == 2
    with pytest.raises(TypeError):
        len(mp.array(1))
    with pytest.raises(TypeError):
        iter(mp.array(1))


@pytest.mark.parametrize("name", DTYPES)
def test_repr(name):
    x = mp.array(np.ones((2, 2))).astype(dtype_of(name))
    text = repr(x)
    assert "array" in text
    if name != "float32":
        assert name in text
    if name not in ("float32", "float64", "int64", "bool"):  # NumPy's defaults are others
        assert text == repr(x.numpy()).replace("'", "")
    assert str(x) == str(x.numpy())


def test_integers_at_the_edge_of_a_dtype():
    for name in ("int8", "uint8", "int32", "uint32", "int64", "uint64"):
        info = np.iinfo(name)
        for value in (info.min, info.max):
            x = mp.zeros(2, dtype=name)
            assert (x + value).tolist() == [value, value]
            assert x.fill_(value).tolist() == [value, value]
            with pytest.raises(OverflowError):
                x + (value + (1 if value > 0 else -1))
    x = mp.array([1, 200], dtype="uint8")
    assert (x < 300).tolist() == [True, True]
    assert (x == -56).tolist() == [False, False]
    assert mp.take(mp.zeros(400, dtype="uint8"), 399).item() == 0


def test_text_of_special_arrays():
    assert repr(mp.zeros((0, 3))) == "array([], shape=(0, 3))"
    assert repr(mp.zeros(2000)) == "array([0., 0., 0., ..., 0., 0., 0.], shape=(2000,))"
    assert repr(mp.ones(2).requires_grad_()) == "array([1., 1.], requires_grad=True)"
    assert repr(mp.ones(2).requires_grad_() * 2) == "array([2., 2.], grad_fn=<mul>)"
    assert str(mp.array(0.5)) == "0.5"
    assert str(mp.zeros((0, 3))) == "[]"
    assert str(mp.ones(2).requires_grad_()) == "[1. 1.]"


def test_astype():
    x = mp.arange(4, dtype=mp.float32)
    assert x.astype(mp.float32) is not x
    assert x.astype(mp.float32, copy=False) is x
    assert x.astype("float16").dtype == np.float16
    assert x.half().dtype == np.float16
    assert x.bfloat16().dtype == dtype_of("bfloat16")
    assert x.half().float().dtype == np.float32
    assert x.double().dtype == np.float64
    assert x.to("cpu").device == "cpu"


# ---- shapes ----


def test_shape_methods(rng):
    a = rng.normal(size=(2, 3, 4)).astype(np.float32)
    x = mp.array(a)
    pairs = [
        (x.reshape(6, 4), a.reshape(6, 4)),
        (x.reshape((4, -1)), a.reshape(4, -1)),
        (x.view(3, 8), a.reshape(3, 8)),
        (x.transpose(), a.transpose()),
        (x.transpose(2, 0, 1), a.transpose(2, 0, 1)),
        (x.permute(1, 0, 2), a.transpose(1, 0, 2)),
        (x.T, a.T),
        (x.mT, a.swapaxes(1, 2)),
        (x.flatten(), a.flatten()),
        (x.unsqueeze(1), a[:, None]),
        (x[:, None].squeeze(1), a),
        (mp.stack([x, x]), np.stack([a, a])),
        (mp.stack([x, x], axis=-1), np.stack([a, a], axis=-1)),
        (mp.concatenate([x, x], axis=1), np.concatenate([a, a], axis=1)),
        (mp.broadcast_to(x[0, 0], (5, 4)), np.broadcast_to(a[0, 0], (5, 4))),
        (mp.pad(x, ((0, 1), (2, 0), (1, 1))), np.pad(a, ((0, 1), (2, 0), (1, 1)))),
        (mp.take(x, mp.array([2, 0]), axis=1), np.take(a, [2, 0], axis=1)),
        (mp.where(x > 0, x, 0.0), np.where(a > 0, a, 0)),
    ]
    for i, (got, want) in enumerate(pairs):
        assert got.shape == want.shape, i
        np.testing.assert_array_equal(got.numpy(), want, err_msg=str(i))


def test_views_share_memory(rng):
    x = mp.zeros((2, 3))
    for view in (x.reshape(3, 2), x.T, x[0], x[:, ::2], x.view(6), x.unsqueeze(0), x.detach()):
        assert view.data_ptr() >= x.data_ptr()
        view.fill_(1)
        assert x.numpy().any()
        x.zero_()
    assert x.is_contiguous()
    assert not x.T.is_contiguous()
    assert x.T.contiguous().is_contiguous()
    assert x.contiguous().data_ptr() == x.data_ptr()


def test_numpy_names(rng):
    a = rng.normal(size=(4, 5))
    x = mp.array(a)
    np.testing.assert_allclose(x.sum(axis=0).numpy(), a.sum(axis=0))
    np.testing.assert_allclose(x.sum(dim=0, keepdim=True).numpy(), a.sum(axis=0, keepdims=True))
    np.testing.assert_allclose(x.mean().item(), a.mean())
    np.testing.assert_allclose(x.var().item(), a.var())
    np.testing.assert_allclose(x.std(axis=1).numpy(), a.std(axis=1))
    np.testing.assert_allclose(x.max(axis=1).numpy(), a.max(axis=1))
    np.testing.assert_allclose(x.min().item(), a.min())
    np.testing.assert_array_equal(x.argmax(axis=1).numpy(), a.argmax(axis=1))
    assert x.argmax().item() == a.argmax()


# ---- sharing with NumPy and others ----


def test_numpy_array_protocol():
    x = mp.arange(4, dtype=mp.float32)
    a = np.asarray(x)
    a[0] = 5
    assert x[0].item() == 5
    assert np.array(x, dtype=np.float64).dtype == np.float64
    copied = np.array(x)
    copied[0] = 1
    assert x[0].item() == 5
    np.testing.assert_array_equal(np.asarray(mp.ones(2, dtype=mp.bfloat16)), np.ones(2))


def test_memory_outlives_its_owner():
    a = mp.arange(1000).numpy()
    x = mp.asarray(np.arange(1000))
    gc.collect()
    mp.zeros(1000).fill_(7)
    assert a.sum() == x.sum().item() == 499500


def test_buffer_protocol():
    x = mp.arange(6, dtype=mp.int32).reshape(2, 3)
    view = memoryview(x)
    assert (view.shape, view.format, view.itemsize) == ((2, 3), "i", 4)
    view[1, 2] = 50
    assert x[1, 2].item() == 50
    with pytest.raises(BufferError):
        memoryview(mp.ones(2, dtype=mp.bfloat16))


def test_read_only_source_stays_so():
    a = np.arange(4.0)
    a.flags.writeable = False
    x = mp.asarray(a)
    with pytest.raises((ValueError, RuntimeError)):
        x += 1
    with pytest.raises((ValueError, RuntimeError)):
        x[0] = 1
    assert a[0] == 0
    assert not x.numpy().flags.writeable
    assert (x + 1).sum().item() == 10


def test_odd_strides():
    """Strides that are not whole elements: a copy, or an error where none is allowed."""
    records = np.zeros(4, dtype=[("a", "u1"), ("b", "<f4")])
    records["b"] = [1, 2, 3, 4]
    assert mp.asarray(records["b"]).tolist() == [1, 2, 3, 4]
    with pytest.raises(ValueError):
        mp.asarray(records["b"], copy=False)


@pytest.mark.parametrize("name", ["float32", "float16", "int64", "uint8", "bool", "float64"])
def test_dlpack_with_numpy(name):
    a = np.arange(6).reshape(2, 3).astype(name)
    x = mp.array(a)
    assert x.__dlpack_device__() == (1, 0)
    b = np.from_dlpack(x)
    np.testing.assert_array_equal(b, a)
    assert np.shares_memory(b, x.numpy())
    y = mp.from_dlpack(a)
    assert y.dtype == a.dtype
    np.testing.assert_array_equal(y.numpy(), a)
    np.testing.assert_array_equal(mp.from_dlpack(x.T).numpy(), a.T)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_dlpack_of_narrow_types(name):
    x = mp.arange(4).astype(dtype_of(name))
    for version in (None, (1, 0)):
        capsule = x.__dlpack__(max_version=version)
        assert ("versioned" in repr(capsule)) == (version is not None)
        del capsule
    y = mp.from_dlpack(x)
    assert y.dtype == x.dtype
    assert y.data_ptr() == x.data_ptr()


def test_copies():
    x = mp.arange(4, dtype=mp.bfloat16).requires_grad_()
    for y in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.dtype == x.dtype
        assert y.tolist() == x.tolist()
        assert y.requires_grad
    deep = copy.deepcopy(x)
    assert deep.data_ptr() != x.data_ptr()
    strided = mp.arange(6).reshape(2, 3).T
    assert pickle.loads(pickle.dumps(strided)).tolist() == strided.tolist()


def test_subclass_and_attributes():
    class Tagged(mp.ndarray):
        pass

    t = Tagged(mp.ones(3))
    t.tag = "kept"
    assert isinstance(t, mp.ndarray)
    assert t.tag == "kept"
    assert t.sum().item() == 3


def test_device():
    x = mp.ones(2)
    assert x.device == "cpu"
    assert isinstance(x.device, str)
    assert x.cpu() is x or x.cpu().tolist() == [1, 1]


def test_memory_is_counted():
    held, _ = mp._core.memory_stats("cpu")
    x = mp.zeros((1000, 100))
    assert mp._core.memory_stats("cpu")[0] - held >= x.nbytes
    del x
    assert mp._core.memory_stats("cpu")[0] == held
    mp._core.reset_peak("cpu")
    mp.zeros((1000, 100))
    assert mp._core.memory_stats("cpu")[1] >= held + 400_000


def test_eight_dimensions():
    shape = (1, 2, 1, 2, 3, 1, 2, 2)
    a = np.arange(48.0).reshape(shape)
    x = mp.array(a)
    assert x.ndim == 8
    perm = (7, 0, 3, 4, 1, 2, 6, 5)
    np.testing.assert_array_equal((x.permute(*perm) + 1).numpy(), a.transpose(perm) + 1)


def test_most_dimensions():
    """32, the most: axes that merge, axes that do not, and one more."""
    a = np.arange(64.0).reshape((1, 2) * 6 + (1,) * 20)
    x = mp.array(a)
    assert x.ndim == mp.__array_namespace_info__().capabilities()["max dimensions"] == 32
    perm = tuple(range(32))[::-1]
    swapped = x.permute(*perm)
    np.testing.assert_array_equal((swapped + x).numpy(), a.transpose(perm) + a)
    np.testing.assert_array_equal(mp.sum(swapped, axis=(20, -3)).numpy(), a.T.sum((20, -3)))
    np.testing.assert_array_equal(mp.reshape(swapped, (8, 8)).numpy(), a.T.reshape(8, 8))
    np.testing.assert_array_equal(mp.flip(x, axis=3).numpy(), np.flip(a, 3))
    one = np.array([0, -1])
    np.testing.assert_array_equal(x[:, one].numpy(), a[:, one])
    np.testing.assert_array_equal(x[(one,) * 32].numpy(), a[(one,) * 32])
    np.testing.assert_array_equal(np.from_dlpack(x), a)
    assert mp.sum(x).item() == mp.max(x).item() * 32 == 63 * 32
    with pytest.raises(ValueError, match=r"zeros: shape \((10{17}, ){15}"):
        mp.zeros((10**17,) * 31 + (0,))
    for many in (
        lambda: x[None],
        lambda: mp.array(np.zeros((1,) * 33)),
        lambda: mp.ones((1,) * 33),
        lambda: mp.expand_dims(x, axis=0),
        lambda: mp.tensordot(x, x, axes=0),
        lambda: x[mp.zeros((1, 1), dtype="int64")],
    ):
        with pytest.raises(ValueError, match=r"3[23]|64"):
            many()
    w = mp.array(a, dtype="float64")
    w.requires_grad_()
    mp.sum(mp.swapaxes(w * w, 1, 30)[..., one]).backward()
    np.testing.assert_array_equal(w.grad.numpy(), 4 * a)


def test_sequences_and_buffers_are_arrays():
    rows = collections.deque([mp.ones(2), mp.zeros(2)])
    for given, want in (
        (rows, [[1, 1], [0, 0]]),
        (range(3), [0, 1, 2]),
        (collections.UserList([1.5, 2.5]), [1.5, 2.5]),
        (array.array("d", [1, 2]), [1, 2]),
        (memoryview(b"\x01\x02"), [1, 2]),
        ([range(2), range(2)], [[0, 1], [0, 1]]),
    ):
        assert mp.mean(given, axis=0).tolist() == np.mean(want, axis=0).tolist()
        assert mp.add(given, 1).tolist() == np.add(want, 1).tolist()
    assert mp.mean(collections.UserList([1.5, 2.5])).dtype == mp.float32
    x = mp.zeros(3)
    x[:] = range(3)
    assert (x + range(3)).tolist() == [0, 2, 4]
    x[1:] = collections.deque([7, 8])
    assert x.tolist() == [0, 7, 8]
    x[:2] = array.array("f", [3, 4])
    assert x.tolist() == [3, 4, 8]
    w = mp.ones(2, requires_grad=True)
    mp.sum(collections.deque([w, w])).backward()
    assert w.grad.tolist() == [2, 2]
    for bad in ("text", b"bytes", {1: 2}, {1, 2}, None, iter([1])):
        with pytest.raises(TypeError):
            mp.mean(bad)


def test_as_a_sequence_for_others():
    x = mp.array([1.0, 3.0, 5.0])
    assert [v.item() for v in reversed(x)] == [5, 3, 1]
    assert [row.tolist() for row in reversed(mp.eye(2))] == [[0, 1], [1, 0]]
    assert bisect.bisect(x, 3.5) == 2
    assert operator.length_hint(x) == 3
    assert random.Random(0).choice(x).item() in (1, 3, 5)
    with pytest.raises(TypeError):
        reversed(mp.array(1.0))


def test_shape_can_be_set():
    x = mp.arange(6)
    y, z = x, x[::2]
    x.shape = (2, -1)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert y is x
    x[0, 0] = 7
    assert z.tolist() == [7, 2, 4]
    x.shape = 6
    z.shape = (3, 1)
    z[1] = 9
    assert x.tolist() == [7, 1, 9, 3, 4, 5]
    x.shape = (3, 2)
    with pytest.raises(AttributeError, match=r"shape: an array of shape \(2, 3\) with gaps"):
        x.T.shape = (6,)
    with pytest.raises(ValueError, match="reshape: "):
        x.shape = (4, 2)
    with pytest.raises(AttributeError, match="shape: it cannot be deleted"):
        del x.shape
    w = mp.ones(4, requires_grad=True)
    for recorded in (w, w * 2):
        with pytest.raises(RuntimeError, match="shape: the array takes part in a graph"):
            recorded.shape = (2, 2)
    assert x.shape == (3, 2)
    assert x.size == 6


@pytest.mark.parametrize("shape", [(3, 2), (2, 2), (4, 3), (0,), ()])
def test_resize_in_place(shape):
    x, a = mp.arange(6).reshape(2, 3).copy(), np.arange(6).reshape(2, 3).copy()
    x.resize(shape)
    a.resize(shape)
    assert x.shape == a.shape
    assert x.tolist() == a.tolist()
    assert x.dtype == mp.int64


def test_resize_of_what_is_not_its_own():
    x = mp.ones(6)
    x.resize(2, 3, refcheck=False)
    assert x.shape == (2, 3)
    with pytest.raises(ValueError, match="resize: the array is a view"):
        x[0].resize(9)
    with pytest.raises(ValueError, match=r"resize: .*negative"):
        x.resize(-1, 3)


def test_ml_dtypes_scalars():
    assert mp.array(ml_dtypes.bfloat16(1.5)).dtype == dtype_of("bfloat16")
    assert (mp.ones(2) + np.float16(1)).tolist() == [2, 2]
