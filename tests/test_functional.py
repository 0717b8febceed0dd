"""Functions of mp.* that are made of several rows, or take arguments in several spellings."""

import math

import numpy as np
import pytest

import mixprec as mp
from mixprec import nn


@pytest.fixture
def a(rng):
    return rng.normal(size=(2, 3, 4))


def same(got, want):
    assert got.shape == np.shape(want)
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-12)


def test_shapes(a):
    x = mp.array(a)
    pairs = [
        (mp.ravel(x.T), a.T.ravel()),
        (x.flatten(1), a.reshape(2, 12)),
        (x.flatten(0, 1), a.reshape(6, 4)),
        (mp.swapaxes(x, 0, -1), a.swapaxes(0, -1)),
        (mp.moveaxis(x, 0, 1), np.moveaxis(a, 0, 1)),
        (mp.moveaxis(x, -1, 0), np.moveaxis(a, -1, 0)),
        (mp.squeeze(x[None, :, :1]), a[:, 0]),
        (x[None, :, :1].squeeze((0, 2)), a[:, 0]),
        (x[None].squeeze(dim=0), a),
        (mp.expand_dims(x, (0, -1)), a[None, ..., None]),
        (mp.unsqueeze(x.T, 1), a.T[:, None]),
        (x.expand(5, -1, -1, -1), np.broadcast_to(a, (5, 2, 3, 4))),
        (mp.concatenate([x, x.T], axis=None), np.concatenate([a, a.T], axis=None)),
        (mp.cat([x, x], dim=2), np.concatenate([a, a], axis=2)),
        (mp.stack([x, x], dim=1), np.stack([a, a], axis=1)),
        (mp.take(x, [[5, -1]]), np.take(a, [[5, -1]])),
        (mp.index_select(x, 2, [0, 3]), a[:, :, [0, 3]]),
        (mp.pad(x, 1), np.pad(a, 1)),
        (mp.pad(x, (1, 2), constant_values=7), np.pad(a, (1, 2), constant_values=7)),
        (nn.functional.pad(x, (1, 2, 0, 3), value=2), np.pad(a, ((0, 0), (0, 3), (1, 2)),
                                                             constant_values=2)),
        *((getattr(x.T, f)(order=o), getattr(a.T, f)(order=o)) for f in ("ravel", "flatten")
          for o in "CFAK"),
        (x.swapaxes(0, 1).ravel("K"), a.swapaxes(0, 1).ravel("K")),
        (mp.ravel(x, order="F"), a.ravel("F")),
        (x.flatten("F"), a.flatten("F")),
        (mp.tile(x, mp.array(2)), np.tile(a, 2)),
        (mp.array(3.0).flatten(), [3.0]),
    ]  # fmt: skip
    for i, (got, want) in enumerate(pairs):
        assert got.shape == np.shape(want), i
        same(got, want)


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap"])
def test_pad_with_elements(a, mode):
    x = mp.array(a)
    for width in (1, (2, 1), ((0, 0), (1, 2), (5, 9))):
        same(mp.pad(x, width, mode), np.pad(a, width, mode))
    x = mp.array([1.0, 2.0, 3.0], requires_grad=True)
    mp.pad(x, (4, 2), mode).sum().backward()
    places = np.pad([0, 1, 2], (4, 2), mode)
    assert x.grad.tolist() == np.bincount(places).tolist()


def test_pad_as_numpy(a):
    x = mp.array(a)
    for mode, more in {
        "mean": {},
        "maximum": {"stat_length": 1},
        "linear_ramp": {"end_values": 2},
        "reflect": {"reflect_type": "odd"},
        "constant": {"constant_values": ((1, 2),)},
    }.items():
        got = mp.pad(x, 1, mode, **more)
        assert got.dtype == x.dtype
        np.testing.assert_allclose(got.numpy(), np.pad(a, 1, mode, **more), rtol=1e-6)
    same(mp.pad(x, {1: (1, 2)}), np.pad(a, ((0, 0), (1, 2), (0, 0))))
    same(mp.pad(x, mp.array([1, 2])), np.pad(a, (1, 2)))


def test_where_of_a_condition_alone(a):
    for condition in (a > 0, a[0, 0] > 0, a[0]):
        got, want = mp.where(mp.array(condition)), np.where(condition)
        assert type(got) is tuple
        assert [i.tolist() for i in got] == [i.tolist() for i in want]


def test_split(a):
    x = mp.array(a)
    for how, axis in ((2, 0), (3, 1), ([1, 2], -1), ([0, 5], 2), ([-1], 1)):
        for got, want in zip(mp.split(x, how, axis), np.split(a, how, axis), strict=True):
            same(got, want)
    for bad in (0, 2, -1):
        with pytest.raises(ValueError, match="split: "):
            mp.split(x, bad, 1)


def test_view_never_copies(a):
    x = mp.array(a)
    assert x.view(6, 4).data_ptr() == x.data_ptr()
    assert x.view((-1,)).shape == (24,)
    with pytest.raises(ValueError, match="view: "):
        x.T.view(24)
    assert x.T.reshape(24).shape == (24,)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: mp.swapaxes(x, 0, 3),
        lambda x: mp.moveaxis(x, 0, -4),
        lambda x: x.squeeze(0),
        lambda x: mp.expand_dims(x, (0, 0)),
        lambda x: mp.expand_dims(x, 7),
        lambda x: mp.pad(x, ((1, 2), (3, 4))),
        lambda x: x.flatten(2, 1),
        lambda x: x.ravel("X"),
        lambda x: mp.where(x > 0, x),
        lambda x: mp.stack([]),
        lambda x: mp.broadcast_to(x, (3, 4)),
    ],
)
def test_bad_shapes(a, call):
    with pytest.raises(ValueError, match=r"^\w+: "):
        call(mp.array(a))


def test_clip(a):
    x = mp.array(a)
    same(mp.clip(x, -0.5, 0.5), a.clip(-0.5, 0.5))
    same(x.clamp(min=0), a.clip(0))
    same(x.clip(max=0), a.clip(None, 0))
    same(mp.clip(x), a)
    assert math.isnan(mp.clip(mp.array(math.nan), 0, 1).item())
    with pytest.raises(TypeError, match="clip: "):
        mp.clip(x, 0, a_min=1)


def test_truth(a):
    x = mp.array(a)
    for axis in (None, 0, (0, 2)):
        np.testing.assert_array_equal((x > 1).any(axis=axis).numpy(), (a > 1).any(axis=axis))
        np.testing.assert_array_equal((x > -1).all(axis=axis).numpy(), (a > -1).all(axis=axis))
    assert mp.all(mp.zeros(0)).item() is True
    assert mp.any(mp.zeros(0)).item() is False
    odd = np.array([1.0, math.inf, -math.inf, math.nan])
    for name in ("isnan", "isinf", "isfinite"):
        got = getattr(mp, name)(mp.array(odd)).numpy()
        np.testing.assert_array_equal(got, getattr(np, name)(odd))
        assert getattr(mp, name)(mp.arange(3)).dtype == np.bool_


def test_statistics(a):
    x = mp.array(a)
    same(mp.var(x, axis=1, ddof=1), a.var(axis=1, ddof=1))
    same(x.var(dim=1, correction=1, keepdim=True), a.var(axis=1, ddof=1, keepdims=True))
    same(mp.std(x, axis=(0, 2), ddof=1), a.std(axis=(0, 2), ddof=1))
    same(mp.amax(x, dim=0), a.max(axis=0))
    same(mp.square(x), a * a)
    same(mp.reciprocal(x), 1 / a)
    assert mp.sum(x, dtype=mp.float32).dtype == np.float32
    with pytest.raises(TypeError, match="sum: axis and dim"):
        mp.sum(x, axis=0, dim=0)


def test_gradients_of_compositions(a):
    x = mp.array(a).requires_grad_()
    for f in (
        lambda x: mp.std(x, axis=1),
        lambda x: mp.split(x, 2, 2)[1] * 2,
        lambda x: mp.stack([x, x.square()], axis=1),
        lambda x: mp.concatenate([x, x * 2], axis=None),
        lambda x: x.clip(-0.3, 0.4),
        lambda x: mp.take(x, [1, 1, 7]),
        lambda x: mp.moveaxis(x, 0, 2) * mp.squeeze(mp.expand_dims(x, 0), 0).transpose(1, 2, 0),
    ):
        assert mp.testing.gradcheck(f, x)


def test_lists_are_arrays():
    assert mp.add([1.0, 2.0], [3.0, 4.0]).tolist() == [4.0, 6.0]
    assert mp.add([1.0, 2.0], 1).dtype == np.float32
    assert mp.sum([[1, 2], [3, 4]], axis=0).tolist() == [4, 6]
    assert mp.squeeze([[1.0]]).shape == ()


def test_to():
    x = mp.ones(2)
    assert x.to("cpu") is x
    assert x.to(mp.float32) is x
    assert x.to(x) is x
    assert x.to(x, copy=True) is not x
    assert x.to("cpu", mp.float16).dtype == np.float16
    assert x.to("bfloat16", non_blocking=True).dtype == mp.bfloat16
    assert x.to(mp.zeros(1, dtype=mp.int8)).dtype == np.int8
    assert x.to(dtype=mp.float64, device="cpu").dtype == np.float64
    with pytest.raises(ValueError, match="device: 'tpu' is not known"):
        x.to("tpu")
    y = mp.ones(2, requires_grad=True)
    y.half().float().sum().backward()
    assert y.grad.tolist() == [1, 1]


def test_device_names():
    assert mp.device("cuda") == "cuda:0" == mp.device("cuda", 0)
    assert (mp.device("cuda:3").type, mp.device("cuda:3").index) == ("cuda", 3)
    assert (mp.device("cpu").type, mp.device().index) == ("cpu", None)
    for bad in ("gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0:0", ""):
        with pytest.raises(ValueError, match="is not known"):
            mp.device(bad)
    with pytest.raises(TypeError):
        mp.device(0)


def test_dtype_table():
    text = str(mp.dtypes)
    for name in ("bfloat16", "float8_e4m3fn", "65504"):
        assert name in text
    assert mp.dtypes["bfloat16"] == mp.bfloat16
    assert float(mp.finfo(mp.float8_e4m3fn).max) == 448
    assert mp.iinfo(mp.int8).max == 127
    with pytest.raises(TypeError, match="finfo: 'float7'"):
        mp.finfo("float7")


def test_random_spellings():
    assert mp.random.rand((2, 3)).shape == (2, 3)
    assert mp.randn(2, requires_grad=True).requires_grad
    assert mp.random.randint(5).shape == ()
    assert mp.random.randint(3, size=4, dtype=mp.int8).dtype == np.int8
    x = mp.random.normal(5.0, 0.1, (10_000,), dtype=mp.float64)
    assert abs(x.mean().item() - 5) < 0.01
    u = mp.random.uniform(-2, -1, 1000)
    assert -2 <= u.min().item() <= u.max().item() < -1
    rows = mp.arange(12).reshape(6, 2)
    shuffled = mp.random.permutation(rows)
    assert sorted(shuffled.tolist()) == rows.tolist()
    with pytest.raises(TypeError):
        mp.random.rand(2, dtype=mp.int32)
    with pytest.raises(ValueError, match="scale"):
        mp.random.normal(0, -1, 2)


def test_creation_arguments():
    a = np.arange(4.0)
    for dtype in (None, mp.float32):
        assert mp.array(a, dtype, requires_grad=True).is_leaf
    with pytest.raises(ValueError, match="copy is False"):
        mp.asarray(a, mp.float32, copy=False)
    with pytest.raises(ValueError, match="copy is False"):
        mp.asarray([1.0], copy=False)
    assert mp.array([np.float64(1)]).dtype == np.float64
    assert mp.array([a, a]).dtype == np.float64
    assert mp.array([]).dtype == np.float32
    assert mp.array([[1.0, 2], [3, 4]], dtype=mp.float8_e5m2).tolist() == [[1, 2], [3, 4]]
    assert mp.array([0.1], dtype=mp.bfloat16).item() == float(mp.bfloat16.type(0.1))
    assert mp.full((), 2**62 + 1).item() == 2**62 + 1
    assert mp.full((2, 2), [1.0, 2.0]).tolist() == [[1, 2], [1, 2]]
    assert mp.full(2, True).dtype == np.bool_
    assert mp.arange(2**60, 2**60 + 3).tolist() == [2**60, 2**60 + 1, 2**60 + 2]
    assert mp.arange(5, 0, -2, dtype=mp.float16).tolist() == [5, 3, 1]
    assert mp.eye(2, k=1).tolist() == [[0, 1], [0, 0]]
    x = mp.ones(2, requires_grad=True)
    assert mp.asarray(x * 2).requires_grad
    assert not mp.array(x * 2).requires_grad
    with pytest.raises(ValueError, match="zeros: "):
        mp.zeros((2, -1))
    with pytest.raises(TypeError, match="ones: 'float7'"):
        mp.ones(2, "float7")
    for bad in ((0, 5, 0), (0, math.inf), (0, 1, math.nan)):
        with pytest.raises(ValueError, match="arange: "):
            mp.arange(*bad)
    with pytest.raises(TypeError):
        mp.arange("3")


def test_testing_compares_by_dtype():
    third = mp.array([1 / 3], dtype=mp.float16)
    mp.testing.assert_allclose(third, [1 / 3])
    mp.testing.assert_allclose(third.bfloat16(), third)
    with pytest.raises(AssertionError):
        mp.testing.assert_allclose(mp.array([1 / 3]), mp.array([0.3334]))
    with pytest.raises(AssertionError):
        mp.testing.assert_allclose(mp.arange(3), [0, 1, 3])
    x = mp.ones(2, dtype=mp.float64, requires_grad=True)
    assert mp.testing.gradgradcheck(lambda x: mp.exp(x) * x, x)
    assert not mp.testing.gradcheck(lambda x: x + x.detach(), x, raise_exception=False)
    with pytest.raises(ValueError, match="float32"):
        mp.testing.gradcheck(mp.tanh, mp.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="none of"):
        mp.testing.gradcheck(mp.tanh, mp.ones(2))


def test_star_import_hides_nothing():
    import builtins

    names = {}
    exec("from mixprec import *", names)
    assert not [n for n in names if hasattr(builtins, n) and not n.startswith("__")]
    assert names["array"] is mp.array
    assert all(hasattr(mp, name) for name in mp.__all__)


@pytest.mark.parametrize("scale", [1e-4, 3e-4, 1e3])
def test_std_of_float16(scale):
    """Its variance does not fit in float16; the deviation does."""
    x = (np.random.default_rng(0).normal(size=1000) * scale).astype(np.float16)
    got = mp.std(mp.array(x))
    assert got.dtype == np.float16
    np.testing.assert_allclose(got.item(), x.astype(np.float64).std(), rtol=2e-3)


def test_std_of_a_constant_has_no_gradient():
    x = mp.array([[1.0, 1.0], [1.0, 3.0]]).requires_grad_()
    mp.std(x, axis=1).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [[0, 0], [-0.5, 0.5]])


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_losses_warn_where_pairs_are_broadcast(name):
    loss = getattr(mp.nn.functional, name)
    with pytest.warns(UserWarning, match=rf"{name}: input has shape \(4, 1\), target \(4,\)"):
        loss(mp.ones((4, 1)), mp.ones(4))
    loss(mp.ones(4), 1.0)
