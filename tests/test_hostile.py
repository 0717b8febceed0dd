"""Nonsense for everything public: no crash, no hang, and errors that say whose they are."""

import contextlib
import pickle
import random
import signal
import threading

import numpy as np
import pytest

import mixprec as mp
from mixprec.testing import gradcheck

x = mp.array([3.0, 1.0, 2.0])
n = mp.array([3, 2])


class Index:
    """Is asked for its number, and empties a list meanwhile."""

    def __init__(self, victim):
        self.victim = victim

    def __index__(self):
        self.victim.clear()
        return 1


class Array:
    """Of another library, which knows NumPy's __array__ only."""

    def __init__(self, victim=None):
        self.victim = [] if victim is None else victim

    def __array__(self, dtype=None, copy=None):
        self.victim.clear()
        return np.arange(3.0, dtype=np.float32)


class Takes:
    """Computes with other libraries' arrays itself."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return ufunc.__name__, method


class Endless(list):
    """A list that has itself as its element."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self


def emptied(call, element, *more):
    """Calls with a list that `element` empties when it is read."""
    items = []
    items += [element(items), *more]
    return call(items)


@pytest.mark.core
def test_lists_that_change_while_they_are_read():
    assert emptied(mp.zeros, Index, 1, 2).shape == (1, 1, 2)
    assert emptied(mp.concatenate, Array, x).tolist() == [0, 1, 2, 3, 1, 2]
    with pytest.raises(ValueError, match="permute: axis 1 is given twice"):
        emptied(lambda axes: mp.transpose(mp.zeros((2, 2, 2)), axes), Index, 1, 2)


def test_a_list_without_end():
    assert mp.array(Endless()).size <= 1
    nested = []
    nested.append(nested)
    with pytest.raises(TypeError, match="default_rng: seed is"):
        mp.random.default_rng(nested)


@pytest.mark.parametrize("dtype", [mp.bfloat16, mp.float8_e4m3fn, mp.float8_e5m2, mp.float32])
def test_values_of_text(dtype):
    assert dtype("1.5") == dtype(b"1.5") == 1.5
    for text in ("abc", b"abc", ""):
        with pytest.raises(ValueError, match="could not convert string to float"):
            dtype(text)
    assert hash(dtype) == hash(dtype.dtype)
    assert {dtype.dtype: 1}[dtype] == 1


def test_interrupts_arrive_while_dtypes_are_compared():
    """NumPy drops errors of a type's own hash function."""

    def handler(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        for _ in range(5):
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012
                for _ in range(10**7):
                    x.dtype == mp.bool_  # noqa: B015
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_integers_that_are_values_repeat_lists():
    assert [0] * n[0] == n[0] * [0] == [0, 0, 0]
    assert ("a",) * n.sum() == ("a",) * 5
    row = [1]
    row *= n[1]
    assert row == [1, 1]
    assert ([1, 2] * mp.array(2)).tolist() == [2, 4]
    assert ([1, 2] * x[2]).tolist() == [2, 4]


def test_reversed():
    assert [float(v) for v in reversed(x)] == [2, 1, 3]
    with pytest.raises(TypeError, match="0-d"):
        reversed(x[0])


def test_objects_that_know_array_only():
    assert mp.exp(Array()).tolist() == mp.exp(mp.arange(3.0)).tolist()
    assert (x + Array()).tolist() == (Array() + x).tolist() == [3, 2, 4]
    y = x.copy()
    y[:] = Array()
    assert y.tolist() == [0, 1, 2]


def test_objects_that_take_over():
    assert np.add(x, Takes()) == np.add(Takes(), x) == ("add", "__call__")
    assert np.multiply.outer(x, Takes()) == ("multiply", "outer")


def test_at_into_an_array_of_numpy():
    y = np.zeros(3)
    np.add.at(y, mp.array([0, 0]), mp.array([1.0, 2.0]))
    assert y.tolist() == [3, 0, 0]


def test_generators_are_pickled():
    rng = mp.random.default_rng(3)
    rng.random(3)
    other = pickle.loads(pickle.dumps(rng))
    assert rng.normal(size=3).tolist() == other.normal(size=3).tolist()


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap", "mean", "linear_ramp"])
def test_pad(mode):
    a = np.arange(12.0).reshape(3, 4)
    width = ((2, 0), (1, 5))
    got = mp.pad(mp.array(a), width, mode)
    assert got.tolist() == np.pad(a, width, mode).tolist()
    if mode not in ("mean", "linear_ramp"):
        assert gradcheck(lambda t: mp.pad(t, width, mode) ** 2, [mp.array(a).requires_grad_()])
    with pytest.raises(ValueError, match="pad: can't extend empty axis 0"):
        mp.pad(mp.zeros(0), 1, "edge")


def test_sets_have_gradients():
    y = mp.array([3.0, 1.0, 3.0], requires_grad=True)
    (mp.unique(y) * mp.array([1.0, 10.0])).sum().backward()
    assert y.grad.tolist() == [10, 1, 0]
    assert mp.union1d(y, x).requires_grad
    assert mp.setdiff1d(y, [1.0]).requires_grad
    rows = mp.array([[2.0, 1.0], [0.0, 1.0], [2.0, 1.0]], requires_grad=True)
    values, counts = mp.unique(rows, axis=0, return_counts=True)
    assert (values.tolist(), counts.tolist()) == ([[0, 1], [2, 1]], [1, 2])
    (values * mp.array([[1.0], [10.0]])).sum().backward()
    assert rows.grad.tolist() == [[10, 10], [1, 1], [0, 0]]


@pytest.mark.parametrize("method", ["sort", "partition"])
def test_sorting_in_place_has_a_gradient(method):
    leaf = mp.array([3.0, 1.0, 2.0], requires_grad=True)
    y = leaf * 1
    getattr(y, method)(*([1] if method == "partition" else []))
    (y * mp.array([1.0, 10.0, 100.0])).sum().backward()
    assert leaf.grad.tolist() == [100, 1, 10]


CASES = {
    "axis": (np.exceptions.AxisError, "sum: axis 5 is out", lambda: x.sum(axis=5)),
    "axis of a layer": (IndexError, "softmax: axis 4 is out", lambda: mp.softmax(x, axis=4)),
    "bool axis": (TypeError, "sum: axes is a bool", lambda: x.sum(True)),
    "bool axis of a sort": (TypeError, "sort: axis is a bool", lambda: mp.sort(x, True)),
    "float axis": (TypeError, "flip: axis is a float", lambda: mp.flip(x, 1.0)),
    "text axis": (TypeError, "stack: axis is a str", lambda: mp.stack([x], "0")),
    "no axis": (TypeError, "diff: axis is a NoneType", lambda: mp.diff(x, axis=None)),
    "dict axis": (TypeError, "sum: axes is a dict", lambda: x.sum(axis={})),
    "new axis": (TypeError, "expand_dims: axis is a float", lambda: mp.expand_dims(x, 1.5)),
    "set shape": (TypeError, "zeros: shape is a set", lambda: mp.zeros({2, 3})),
    "no shape": (TypeError, "broadcast_shapes: a shape is", lambda: mp.broadcast_shapes(None)),
    "decimals": (TypeError, "round: decimals is a str", lambda: mp.round(x, "1")),
    "keyword": (TypeError, "add: there is no argument 'foo'", lambda: mp.add(x, 1, foo=2)),
    "reduceat": (TypeError, "add.reduceat: indices", lambda: mp.add.reduceat(x, [0.5])),
    "reduceat of one": (ValueError, "add.reduceat: indices", lambda: mp.add.reduceat(x, 1)),
    "reduce": (TypeError, "add.reduce: axis is a str", lambda: mp.add.reduce(x, "C")),
    "einsum": (ValueError, "einsum: a text, or", lambda: mp.einsum({})),
    "labels": (TypeError, "einsum: labels are a int", lambda: mp.einsum(x, 0)),
    "copyto": (TypeError, "copyto: dst is a int", lambda: mp.copyto(3, 1)),
}


@pytest.mark.core
@pytest.mark.parametrize("name", CASES)
def test_error(name):
    kind, text, call = CASES[name]
    with pytest.raises(kind, match=text):
        call()


def test_differences_end():
    assert mp.diff(mp.ones((3, 2)), 2**62).shape == (3, 0)
    assert mp.round(mp.array([1.26]), 1, out=mp.zeros(1)).tolist() == mp.array([1.3]).tolist()


# ---- everything with anything ----

ODD = {
    "None": None, "True": True, "-1": -1, "2**62": 2**62, "2**64": 2**64,
    "nan": float("nan"), "1j": 1j, "text": "abc", "bytes": b"abc", "dict": {}, "object": object(),
    "type": int, "slice": slice(None, None, 0), "()": (), "(-1,)": (-1,), "huge": (2**62, 4),
    "[nan]": [float("nan")], "['a']": ["a"], "ragged": [[1], [2, 3]], "9 axes": (1,) * 9,
    "NumPy": np.arange(3.0), "big-endian": np.arange(3).astype(">i4"), "strings": np.array(["a"]),
    "objects": np.array([1, None]), "dates": np.array(["2020-01-01"], "M8[D]"),
    "complex": np.array([1j]), "records": np.zeros(2, [("a", "i1"), ("b", "f4")]),
    "field": np.zeros(2, [("a", "i1"), ("b", "f4")])["b"], "void": np.void(b"abc"),
    "dtype": np.dtype("f4"), "array": x, "0-d": mp.array(2.0), "empty": mp.zeros((0, 3)),
    "bools": mp.array([True, False, True]), "integers": n, "half": mp.ones(2, dtype="float16"),
    "float8": mp.ones(2, dtype=mp.float8_e5m2), "leaf": mp.ones((2, 3), requires_grad=True),
    "repeated": mp.broadcast_to(mp.ones(2), (3, 2)), "turned": mp.ones((4, 3)).T[::-1],
}  # fmt: skip
STATEFUL = frozenset(
    (
        "load", "manual_seed", "save", "savetxt", "savez", "savez_compressed", "fromfile",
        "genfromtxt", "loadtxt", "set_default_device", "set_default_dtype",
        "set_float32_matmul_precision", "set_grad_enabled", "set_num_threads",
        "set_printoptions", "seterr", "seterrcall", "setbufsize",
    )
)  # fmt: skip
FAIR = (TypeError, ValueError, IndexError, OverflowError, MemoryError, NotImplementedError,
        AttributeError, RuntimeError, BufferError)  # fmt: skip


def public():
    for name in mp.__all__:
        f = getattr(mp, name)
        if callable(f) and name not in STATEFUL and not isinstance(f, type):
            yield name, f
            if isinstance(f, mp.ufunc):
                for method in ("reduce", "accumulate", "outer", "at", "reduceat"):
                    yield f"{name}.{method}", getattr(f, method)
    for name in dir(mp.linalg):
        if not name.startswith("_") and callable(getattr(mp.linalg, name)):
            yield f"linalg.{name}", getattr(mp.linalg, name)
    others = ("cuda", "tofile", "setflags", "requires_grad_", "register_hook")
    for name in dir(mp.ndarray):
        f = getattr(mp.ndarray, name)
        if callable(f) and not name.startswith("__") and name not in others:
            yield f"ndarray.{name}", f


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_nonsense(seed):
    """Seeded: who finds a crash here finds it again."""
    choose = random.Random(seed).choice
    for name, f in public():
        for count in (1, 2, 2, 3):
            keys = [choose(list(ODD)) for _ in range(count)]
            if name.startswith("ndarray."):
                keys[0] = choose(("array", "0-d", "empty", "bools", "integers", "turned"))
            arguments = [v.copy() if isinstance(v, mp.ndarray) else v for v in map(ODD.get, keys)]
            with contextlib.suppress(*FAIR):
                f(*arguments)


def test_shared_among_threads():
    """Whatever the order of the writes, nothing fails, and each thread has its own graph."""
    shared, failures = mp.zeros(100), []

    def work():
        try:
            for k in range(200):
                mp.add(shared, 1, out=shared)
                mp.add.at(shared, [1, 2], 1.0)
                shared[1:5] = k
                shared.sort()
                shared[shared > 5]
                leaf = mp.ones(3, requires_grad=True)
                (leaf * leaf).sum().backward()
                assert leaf.grad.tolist() == [2, 2, 2]
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
