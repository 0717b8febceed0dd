"""Arrays of JAX, which must not be written: as gradients and losses, and as readers of ours."""

import numpy as np
import pytest

import mixprec as mp
from mixprec import optim
from mixprec._interchange import lend

try:
    import jax
except ImportError:
    jax = None

pytestmark = pytest.mark.skipif(jax is None, reason="needs jax: pip install jax")


@pytest.fixture
def gradient():
    return jax.numpy.full(3, 1024.0, dtype=jax.numpy.float32)


def test_gradients_and_loss(gradient):
    w = mp.ones(3)
    opt, scaler = optim.SGD([w], lr=0.5), mp.GradScaler(init_scale=1024.0)
    scaled = scaler.scale(gradient[:1])
    assert isinstance(scaled, jax.Array)
    assert float(scaled[0]) == 1024 * 1024
    assert scaler.step(opt, grads=[gradient])
    scaler.update()
    assert w.tolist() == [0.5, 0.5, 0.5]
    scaler.unscale_(opt, grads=[gradient])
    scaler.step(opt)
    assert w.tolist() == [0, 0, 0]
    assert gradient.tolist() == [1024.0] * 3  # read, never written


def test_parameters_stay_ours(gradient):
    with pytest.raises(TypeError, match=r"^SGD: parameter 0 is an array of jax"):
        optim.SGD([gradient], lr=0.5)
    w = mp.ones(3)
    np.testing.assert_array_equal(lend(w, gradient), 1)


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16", "int32", "uint8", "bool"])
def test_round_trip(name):
    x = mp.array([0, 1, 1, 0], dtype=getattr(mp, name))
    there = jax.numpy.from_dlpack(x)
    assert str(there.dtype) == name
    back = mp.from_dlpack(there)
    assert back.dtype == x.dtype
    assert back.tolist() == x.tolist()
