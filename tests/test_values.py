"""Values: 0-d results, which augmented operators leave alone and which hash as their numbers; and
what 0-d arrays do as Python numbers."""

import collections
import copy
import gc
import math
import operator
import pickle
import threading

import numpy as np
import pytest

import mixprec as mp
from mixprec import _core

pytestmark = pytest.mark.core
FLOATS = ("float16", "bfloat16", "float32", "float64")


def total(dtype="float32"):
    return mp.array([1.0, 2.0]).astype(dtype).sum()


@pytest.mark.parametrize(
    "change",
    [
        operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv,
        operator.imod, operator.ipow,
    ],
)  # fmt: skip
def test_augmented_operators_leave_a_value_alone(change):
    t = total()
    u = t
    t = change(t, 2)
    assert t is not u
    assert u.item() == 3.0
    assert t.item() == change(3.0, 2)
    assert _core.is_value(t)


def test_bits_of_a_value():
    t = mp.array([6, 1]).max()
    u = t
    t |= 1
    t <<= 2
    assert (t.item(), u.item()) == (28, 6)


def test_explicit_writes_reach_a_value():
    t = total()
    u = t
    t.add_(1)
    t[...] = t * 2
    assert u.item() == 8.0
    t.copy_(mp.array(5.0))
    assert u.item() == 5.0


def test_elements_are_values():
    x = mp.arange(4.0)
    first, swap = x[0], x[1]
    x[1] = x[0]
    x[0] = swap
    assert x.tolist() == [1.0, 0.0, 2.0, 3.0]
    assert first.item() == 0.0
    assert {2.0: "two"}[x[2]] == "two"
    assert not _core.is_value(x[2, ...])


NARROW = ("int8", "uint8", "int16", "uint16", "int32", "uint32")
BINARY = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift, operator.lt,
    operator.eq,
)  # fmt: skip


@pytest.mark.parametrize("dtype", NARROW)
def test_values_of_narrow_integers_compute_as_their_arrays(dtype):
    info = np.iinfo(dtype)
    numbers = mp.array([info.min, info.max, 0, 1, 3, info.max - 1], dtype=dtype)
    others = (*numbers, *mp.array([-3, 40], dtype=mp.int64), 2, 2.5, np.uint32(7), np.int64(-5))
    for x in numbers:
        assert (-x).item() == (-x[None]).item()
        assert abs(x).item() == abs(x[None]).item()
        for y in others:
            for op in BINARY:
                if isinstance(y, float) and op in BINARY[6:11]:
                    continue
                wide = y[None] if isinstance(y, mp.ndarray) else y
                want = op(x[None], wide)
                got = op(x, y)
                assert got.dtype == want.dtype, (op, x, y)
                np.testing.assert_array_equal(got.numpy(), want[0].numpy(), err_msg=f"{op} {x} {y}")
    with pytest.raises(OverflowError):
        numbers[0] + 2 * info.max
    with pytest.raises(OverflowError):
        numbers[0] * (2 * info.min - 1)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float16", "float32", "float64"])
def test_values_beside_numpy_scalars(dtype):
    x = mp.array([1, 0, 1]).astype(dtype)
    for scalar in (np.float64(1.1), np.float32(1.1), np.int64(3), np.uint32(3), np.bool_(True)):
        for op in (operator.add, operator.mul, operator.truediv, operator.le, operator.pow):
            for first, second in ((x[0], scalar), (scalar, x[0])):
                a, b = (v[None] if isinstance(v, mp.ndarray) else v for v in (first, second))
                got, want = op(first, second), op(a, b)
                assert isinstance(got, mp.ndarray)
                assert got.dtype == want.dtype
                np.testing.assert_array_equal(got.numpy(), want[0].numpy())


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "uint64", "float16", "float32"])
def test_numpy_scalars_are_written_as_numpy_writes_them(dtype):
    x, a = mp.zeros(5, dtype=dtype), np.zeros(5, dtype)
    scalars = np.int64(300), np.uint32(2**10), np.float32(0.1), np.float64(2.7), np.bool_(True)
    for y in (x, a):
        for i, scalar in enumerate(scalars):
            y[i] = scalar
    assert x.tolist() == a.tolist()


def test_a_list_times_an_integer_value_is_repeated():
    n = mp.array([3, 2])
    narrow = n.astype("uint8")[0]
    assert [0] * narrow == [0, 0, 0]
    assert [0] * n[0] == [0, 0, 0]
    assert n[1] * (1, 2) == (1, 2, 1, 2)
    items = [1]
    same = items
    items *= n[0]
    assert same == [1, 1, 1]
    assert "ab" * n[1] == "abab"
    assert (mp.array(2) * [1, 2]).tolist() == [2, 4]
    assert (n * [1, 2]).tolist() == [3, 4]


def test_who_is_a_value():
    x = mp.arange(4.0)
    loss = (x.requires_grad_() * 2).sum()
    values = (total(), x.mean(), x.max(), -total(), total() * 2, total() > 1, loss, x @ x)
    assert all(_core.is_value(v) for v in values)
    arrays = (
        mp.array(1.0), mp.zeros(()), mp.full((), 2.0), mp.asarray(np.array(1.0)), loss.detach(),
        x[:1].reshape(()), mp.array(total()), mp.nn.Parameter(mp.array(1.0)), x.sum(keepdims=True),
        mp.array(1.0).copy(), mp.array(1.0).astype("float64"),
    )  # fmt: skip
    assert not any(_core.is_value(a) for a in arrays)
    assert _core.is_value(total().copy())
    assert _core.is_value(total().astype("float64"))
    assert _core.is_value(copy.copy(loss))


def test_a_0d_array_is_written_by_augmented_operators():
    a = mp.array(1.0)
    b = a
    a += 1
    assert a is b
    assert b.item() == 2.0


def test_augmented_operator_on_a_value_is_recorded():
    x = mp.array([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    before = loss
    loss += x.sum()
    loss.backward()
    assert x.grad.tolist() == [3.0, 5.0]
    assert before.item() == 5.0


def test_value_of_which_gradients_are_asked_is_written():
    w = total().requires_grad_()
    (w * w).backward()
    same = w
    with mp.no_grad():
        w -= 0.5 * w.grad
    assert w is same
    assert w.item() == 0.0
    v = total()
    v.requires_grad = True
    assert not _core.is_value(v)


@pytest.mark.parametrize("dtype", FLOATS)
def test_hash_is_the_numbers(dtype):
    t = total(dtype)
    assert hash(t) == hash(3.0) == hash(3)
    assert {t: "three"}[3.0] == "three"
    assert {3.0: "three"}[t] == "three"
    assert len({total(dtype), total(dtype), total("float64")}) == 1


def test_hash_of_arrays_and_of_what_requires_grad_is_identity():
    a, b = mp.array(3.0), mp.array(3.0)
    assert hash(a) != hash(b)
    x = mp.array([3.0], requires_grad=True)
    assert hash(x.sum()) != hash(3.0)
    assert len({x.sum(), x.sum()}) == 2


def test_counter():
    x = mp.array([1, 2, 1, 1])
    counted = collections.Counter(x)
    assert counted[1] == 3
    assert counted[2] == 1
    assert counted.most_common(1) == [(1, 3)]


def test_pickle_and_copies():
    t = total()
    for u in (pickle.loads(pickle.dumps(t)), copy.copy(t), copy.deepcopy(t)):
        assert u.item() == 3.0
        u.add_(1)
        assert t.item() == 3.0


def test_values_are_made_anew():
    """Kept objects must not be seen again with what an earlier owner left."""
    for _ in range(3):
        kept = [total() for _ in range(600)]
        for i, v in enumerate(kept):
            assert v._version == 0
            assert not v.requires_grad
            v[...] = i
        assert [v.item() for v in kept] == list(range(600))
        views = [v.numpy() for v in kept]
        other = [v.detach() for v in kept]
        del kept, v
        fresh = [total() + 0 for _ in range(600)]
        assert [float(a) for a in views] == [a.item() for a in other] == list(range(600))
        assert {v.item() for v in fresh} == {3.0}
        halves = [total("float16") * 2 for _ in range(600)]
        assert {(v.dtype.name, v.nbytes, v.item()) for v in halves} == {("float16", 2, 6.0)}


def test_values_in_threads():
    def work(k, results):
        t = mp.array([float(k)]).sum()
        for _ in range(2000):
            t = t * 2.0 - t
        results[k] = t.item()

    results = {}
    threads = [threading.Thread(target=work, args=(k, results)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: float(k) for k in range(4)}


def test_truth_values_are_shared_and_read_only():
    yes, no = total() > 1, total() < 1
    assert (bool(yes), bool(no)) == (True, False)
    assert (yes & no).item() is False
    before = yes
    yes &= mp.array([True, False])
    assert yes.tolist() == [True, False]
    with pytest.raises(ValueError, match="read-only"):
        before[...] = False
    with pytest.raises(ValueError, match="setflags"):
        before.setflags(write=True)
    with pytest.raises(RuntimeError, match="data: "):
        before.data = mp.array(False)
    assert (total() > 1).item() is True


def test_made_of_a_number_or_an_array():
    assert _core.value(2.5, mp.float16).dtype == np.float16
    assert _core.value(2**64 - 1, mp.uint64).item() == 2**64 - 1
    a = mp.array(2.0)
    v = _core.as_value(a)
    assert _core.is_value(v)
    assert not _core.is_value(a)
    assert v.data_ptr() == a.data_ptr()
    x = mp.ones(2)
    assert _core.as_value(x) is x


# ---- as Python numbers ----


@pytest.mark.parametrize(("f", "shape"), [(float, (1,)), (int, (1, 1)), (complex, (3,))])
def test_only_0d_arrays_are_numbers(f, shape):
    assert f(mp.array(2.0)) == 2
    with pytest.raises(TypeError, match="0 dimensions"):
        f(mp.ones(shape))


@pytest.mark.parametrize("f", [round, math.trunc, math.floor, math.ceil])
@pytest.mark.parametrize("number", [2.5, -2.5, 3.5, 7.0])
def test_rounding(f, number):
    got = f(mp.array([number]).sum())
    assert got == f(number)
    assert type(got) is int
    with pytest.raises(TypeError):
        f(mp.ones(3))


def test_rounding_to_digits_keeps_the_dtype():
    got = round(mp.array([1.27]).sum(), 1)
    assert got.dtype == np.float32
    assert got.item() == np.float32(1.3)
    assert round(mp.array([127]).sum(), -1).item() == 130


def test_index():
    assert operator.index(mp.array(3)) == 3
    assert [10, 20, 30][mp.array([0, 1]).max()] == 20
    for bad in (mp.array([1]), mp.array(1.0), mp.array(True)):
        with pytest.raises(TypeError, match="index: "):
            operator.index(bad)


def test_truth():
    assert bool(mp.ones((1, 1)))
    for bad in (mp.ones(2), mp.ones(0)):
        with pytest.raises(ValueError, match=r"any\(\) or .all\(\)"):
            bool(bad)


def test_is_integer():
    assert mp.array(2.0).is_integer()
    assert mp.array(2).is_integer()
    assert not mp.array(2.5).is_integer()


# ---- flags, flat and their kin ----


def test_flags_are_numpys():
    a = np.arange(12.0).reshape(3, 4)
    x = mp.asarray(a.copy())
    for view in ((), (slice(None, None, 2),), (slice(None), slice(1, 2)), (slice(0, 1),)):
        for b, y in ((a[view], x[view]), (a[view].T, x[view].T)):
            for name in ("C_CONTIGUOUS", "F_CONTIGUOUS", "WRITEABLE", "FNC", "FORC"):
                assert y.flags[name] == b.flags[name], (view, name)
    assert repr(mp.zeros((2, 3)).flags) == repr(np.zeros((2, 3)).flags)
    with pytest.raises(KeyError):
        x.flags["NOTHING"]


def test_setflags():
    x = mp.arange(3)
    x.setflags(write=False)
    assert not x.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 1
    x.flags.writeable = True
    x[0] = 1
    frozen = np.arange(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="setflags"):
        mp.asarray(frozen).setflags(write=True)
    with pytest.raises(ValueError, match="setflags"):
        mp.broadcast_to(mp.ones(1), (3,)).setflags(write=True)


def test_base():
    x = mp.arange(6)
    assert x.base is None
    assert x.reshape(2, 3)[0].base.data_ptr() == x.data_ptr()
    a = np.arange(3.0)
    assert mp.asarray(a).base is a


def test_real_and_imag():
    x = mp.arange(3.0)
    assert x.real is x
    assert x.imag.tolist() == [0, 0, 0]


@pytest.mark.parametrize("transposed", [False, True])
def test_flat(transposed):
    a = np.arange(6.0).reshape(2, 3)
    x = mp.array(a)
    if transposed:
        a, x = a.T, x.T
    assert [v.item() for v in x.flat] == list(a.flat)
    assert len(x.flat) == 6
    for index in (2, -1, slice(1, 5, 2), [0, 3]):
        np.testing.assert_array_equal(x.flat[index].numpy(), a.flat[index])
    for index, value in ((1, 9.0), (slice(2, 4), 7.0), ([0, 5], [1.0, 2.0]), (slice(None), [8, 4])):
        a.flat[index] = value
        x.flat[index] = value
        np.testing.assert_array_equal(x.numpy(), a)
    x.flat[0] = -1
    flat = x.flat
    next(flat)
    assert flat.coords == (0, 1)
    assert np.array(flat).shape == (6,)
    assert flat.copy().shape == (6,)


@pytest.mark.parametrize("dtype", ["int32", "int8", "float64", "uint16"])
def test_view_in_another_dtype(dtype):
    a = np.arange(8, dtype=np.float32).reshape(2, 4)
    x = mp.array(a)
    np.testing.assert_array_equal(x.view(getattr(mp, dtype)).numpy(), a.view(dtype))
    np.testing.assert_array_equal(x.view(dtype=dtype).numpy(), a.view(dtype))
    x.view("int32")[0, 0] = np.float32(5).view(np.int32)
    assert x[0, 0].item() == 5.0


def test_view_errors():
    x = mp.arange(8.0).reshape(2, 4)
    with pytest.raises(ValueError, match="view: "):
        x.T.view(mp.float64)
    with pytest.raises(ValueError, match="view: "):
        x[:, :3].view(mp.float64)
    with pytest.raises(RuntimeError, match="view: "):
        x.requires_grad_().view(mp.int32)


def test_kept_values_do_not_keep_other_memory():
    gc.collect()
    held = mp.memory_stats().held
    x = mp.ones((64, 64))
    t = x.sum()
    v = x[0, 0]
    del x, t, v
    assert mp.memory_stats().held == held
