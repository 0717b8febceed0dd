"""Basic indexing, views and broadcasting, against NumPy on generated shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import mixprec as mp

SETTINGS = settings(max_examples=150, deadline=None, derandomize=True, database=None)
shapes = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def filled(shape):
    return np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)


@st.composite
def indexed(draw):
    """A shape and a basic index of it (integers, slices, ..., None)."""
    shape = draw(shapes)
    index = draw(npst.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True, max_dims=6))
    return shape, index


@SETTINGS
@given(indexed())
def test_get(case):
    shape, index = case
    a = filled(shape)
    got, want = mp.array(a)[index], a[index]
    assert got.shape == np.shape(want)
    np.testing.assert_array_equal(got.numpy(), want)


@SETTINGS
@given(indexed())
def test_set(case):
    shape, index = case
    a = filled(shape)
    x = mp.array(a)
    value = -np.arange(1, a[index].size + 1, dtype=np.float32).reshape(np.shape(a[index]))
    a[index] = value
    x[index] = mp.array(value)
    np.testing.assert_array_equal(x.numpy(), a)
    a[index] = 7
    x[index] = 7
    np.testing.assert_array_equal(x.numpy(), a)


@SETTINGS
@given(indexed())
def test_gradient_of_get(case):
    shape, index = case
    x = mp.array(filled(shape)).requires_grad_()
    y = x[index]
    y.backward(mp.full(y.shape, 3.0))
    want = np.zeros(shape)
    want[index] = 3
    np.testing.assert_array_equal(x.grad.numpy(), want)


@SETTINGS
@given(npst.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4))
def test_broadcasting(case):
    a, b = (filled(s) for s in case.input_shapes)
    got = mp.array(a) * 2 - mp.array(b)
    assert got.shape == case.result_shape
    np.testing.assert_array_equal(got.numpy(), a * 2 - b)


@SETTINGS
@given(npst.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4))
def test_gradient_of_broadcasting(case):
    arrays = [mp.array(filled(s)).requires_grad_() for s in case.input_shapes]
    y = arrays[0] * arrays[1]
    y.backward(mp.ones(y.shape))
    other = np.broadcast_to(filled(case.input_shapes[1]), case.result_shape)
    np.testing.assert_allclose(
        arrays[0].grad.numpy(), unbroadcast(other, case.input_shapes[0]), rtol=1e-6
    )


def unbroadcast(a, shape):
    a = a.sum(axis=tuple(range(a.ndim - len(shape))))
    axes = tuple(i for i, e in enumerate(shape) if e == 1 and a.shape[i] != 1)
    return a.sum(axis=axes, keepdims=True)


@SETTINGS
@given(shapes, st.data())
def test_permute_and_reshape(shape, data):
    a = filled(shape)
    x = mp.array(a)
    perm = data.draw(st.permutations(range(a.ndim)))
    p, q = x.permute(*perm) if perm else x, a.transpose(perm)
    np.testing.assert_array_equal(p.numpy(), q)
    for new in ((-1,), (a.size,), (1, a.size, 1)):
        if a.size == 0 and -1 in new:
            continue
        np.testing.assert_array_equal(p.reshape(*new).numpy(), q.reshape(new))
    np.testing.assert_array_equal((p + 1).numpy(), q + 1)


@SETTINGS
@given(indexed(), st.sampled_from(["sum", "max", "mean"]))
def test_reductions_of_views(case, name):
    shape, index = case
    a, x = filled(shape)[index], mp.array(filled(shape))[index]
    for axis in (None, *range(np.ndim(a))):
        if name != "sum" and np.size(a) == 0:
            continue
        got = getattr(mp, name)(x, axis=axis)
        np.testing.assert_allclose(got.numpy(), getattr(np, name)(a, axis=axis), rtol=1e-6)


@SETTINGS
@given(indexed())
def test_pointwise_of_views(case):
    shape, index = case
    a, x = filled(shape)[index], mp.array(filled(shape))[index]
    np.testing.assert_allclose(mp.tanh(x * 0.1).numpy(), np.tanh(a * np.float32(0.1)), rtol=1e-5)
    x += 1
    np.testing.assert_array_equal(x.numpy(), a + 1)


def test_views_of_views():
    a = filled((4, 5, 3))
    x = mp.array(a)
    np.testing.assert_array_equal(x[1:, ::-2].T[2][:, None].numpy(), a[1:, ::-2].T[2][:, None])


def test_assignment_casts_and_broadcasts():
    x = mp.zeros((2, 3), dtype=mp.float16)
    x[:, 1] = mp.array([1.0, 2.0], dtype=mp.float64)
    x[1] = np.arange(3)
    assert x.tolist() == [[0, 1, 0], [0, 1, 2]]
    assert x.dtype == np.float16


@pytest.mark.core
def test_bad_indices():
    x = mp.zeros((2, 3))
    before = x.numpy().copy()
    for bad in (2, -3, (0, 3), (0, 0, 0)):
        with pytest.raises(IndexError):
            x[bad]
        with pytest.raises(IndexError):
            x[bad] = 1
    for bad in (1.5, "a", slice(1.0, 2)):
        with pytest.raises((IndexError, TypeError)):
            x[bad]
    with pytest.raises((IndexError, ValueError)):
        x[..., ...]
    with pytest.raises(ValueError):
        x[::0]
    with pytest.raises(ValueError):
        x[0] = mp.zeros(4)
    np.testing.assert_array_equal(x.numpy(), before)
