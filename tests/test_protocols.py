"""NumPy's functions and ufuncs on our arrays, and what else other code asks of them."""

import numpy as np
import pytest

import mixprec as mp

CALLS = {
    "add": lambda x, a: np.add(x, 1),
    "concatenate": lambda x, a: np.concatenate([x, x]),
    "concatenate with NumPy's": lambda x, a: np.concatenate([a, x]),
    "dot": lambda x, a: np.dot(a, x),
    "einsum": lambda x, a: np.einsum("i,i->", x, x),
    "exp": lambda x, a: np.exp(x),
    "full_like": lambda x, a: np.full_like(x, 2),
    "matmul": lambda x, a: np.matmul(x, x),
    "maximum": lambda x, a: np.maximum(x, 2),
    "mean": lambda x, a: np.mean(x),
    "moveaxis": lambda x, a: np.moveaxis(x[None], 0, 1),
    "norm": lambda x, a: np.linalg.norm(x),
    "operator": lambda x, a: a + x,
    "operator -": lambda x, a: a - x,
    "operator @": lambda x, a: a @ x,
    "operator <": lambda x, a: a < x,
    "reshape": lambda x, a: np.reshape(x, (3, 1)),
    "scalar": lambda x, a: np.float32(2) * x,
    "stack": lambda x, a: np.stack([x, x], axis=1),
    "sum": lambda x, a: np.sum(x, axis=0),
    "where": lambda x, a: np.where(x > 1, x, 0),
    "where of NumPy's": lambda x, a: np.where(a > 1, x, a),
    "cold": lambda x, a: np.interp(x, a, a),
}


@pytest.mark.parametrize("name", CALLS)
def test_numpy_gives_ours(name):
    a = np.array([0.5, 1.5, 2.5], np.float32)
    wanted = CALLS[name](a, a)
    found = CALLS[name](mp.asarray(a), a)
    assert isinstance(found, mp.ndarray)
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_recorded():
    x = mp.array([1.0, 2.0], requires_grad=True)
    a = np.array([3.0, 4.0], np.float32)
    (a * np.exp(np.concatenate([x[:1], x[1:]]))).sum().backward()
    np.testing.assert_allclose(x.grad, a * np.exp([1, 2]), rtol=1e-6)


def test_autocast():
    x = mp.ones((2, 2))
    with mp.autocast(dtype=mp.bfloat16):
        assert np.matmul(x, x).dtype == mp.bfloat16
        assert np.einsum("ij,jk", x, x).dtype == mp.bfloat16
        assert np.exp(np.matmul(x, x)).dtype == mp.float32


def test_output_of_numpy():
    a, x = np.zeros(2, np.float32), mp.array([1.0, 2.0])
    b = a
    a += x
    assert a is b
    assert a.tolist() == [1, 2]
    assert np.multiply(x, x, out=a) is a
    assert a.tolist() == [1, 4]
    np.copyto(a, x)
    assert a.tolist() == [1, 2]
    assert np.concatenate([x[:1], x[:1]], out=a) is a
    assert a.tolist() == [1, 1]


def test_output_of_ours():
    x, y = mp.array([1.0, 2.0]), mp.zeros(2)
    assert np.add(x, x, out=y) is y
    assert y.tolist() == [2, 4]
    assert np.concatenate([x[:1], x[:1]], out=y) is y
    assert y.tolist() == [1, 1]


def test_methods_of_ufuncs():
    x = mp.array([1.0, 2.0, 3.0])
    assert isinstance(np.add.reduce(x), mp.ndarray)
    assert np.add.reduce(x).item() == 6
    assert np.add.accumulate(x).tolist() == [1, 3, 6]
    assert np.multiply.outer(x, x).shape == (3, 3)
    np.add.at(x, [0, 0], 1.0)
    assert x.tolist() == [3, 2, 3]


def test_complex_results_are_refused():
    with pytest.raises(TypeError, match="fft: the result is complex"):
        np.fft.fft(mp.ones(4))


def test_files_of_numpy(tmp_path):
    np.save(tmp_path / "x.npy", mp.array([1.0, 2.0]))
    assert np.load(tmp_path / "x.npy").tolist() == [1, 2]


def test_foreign_types_are_left_alone():
    class Foreign:
        def __array_function__(self, func, types, args, kwargs):
            return "theirs"

        def __array_ufunc__(self, *args, **kwargs):
            return "theirs"

    assert np.concatenate([mp.ones(2), Foreign()]) == "theirs"


def test_views():
    x = mp.array([1.0, 2.0])
    view = np.asarray(x)
    view[0] = 5
    assert x.tolist() == [5, 2]
    np.array(x)[0] = 7
    assert x.tolist() == [5, 2]


def test_to_device():
    x = mp.ones(2)
    assert x.to_device("cpu") is x
    assert x.to_device(x.device) is x
    with pytest.raises(TypeError, match="to_device: stream is a int"):
        x.to_device("cpu", stream=1)
    with pytest.raises(ValueError, match="device: 'tpu' is not known"):
        x.to_device("tpu")


def test_complex():
    assert complex(mp.array(2.5)) == 2.5 + 0j
