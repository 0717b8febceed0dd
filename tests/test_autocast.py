"""autocast: policies, presets, user lists, nesting, threads, shadows, custom_fwd and custom_bwd.

Comments name the behaviour of PyTorch's tests that a test here stands for.
"""

import threading

import ml_dtypes
import numpy as np
import pytest

import mixprec as mp
from helpers import host
from mixprec import _core, nn

F = nn.functional
F16, BF16, F32, F64 = mp.float16, mp.bfloat16, mp.float32, mp.float64
NARROW = [F16, BF16]


def rand(*shape, dtype=F32):
    return mp.array(np.random.default_rng(sum(shape)).standard_normal(shape)).astype(dtype)


def weight(*shape):
    return nn.Parameter(rand(*shape))


def depth():
    return _core.autocast_state(0)[0]


@pytest.fixture(autouse=True)
def no_region_is_left():
    """The harness of PyTorch's autocast tests: off before and after."""
    assert depth() == 0
    yield
    assert depth() == 0
    assert not mp.amp.is_autocast_enabled()


# ---- policies ----


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_products_run_narrow(dtype):
    """test_autocast_torch_fp16, _bf16, _nn_fp16, _methods_fp16: bitwise as a manual cast."""
    x, w, b = rand(5, 7), rand(3, 7), rand(3)
    with mp.autocast("cpu", dtype):
        linear, product, method = F.linear(x, w, b), mp.matmul(x, w.T), x @ w.T
        with mp.autocast("cpu", enabled=False):
            by_hand = F.linear(x.astype(dtype), w.astype(dtype), b.astype(dtype))
            by_hand_product = x.astype(dtype) @ w.astype(dtype).T
    assert linear.dtype == product.dtype == method.dtype == dtype
    assert type(linear) is type(x)
    assert linear.tolist() == by_hand.tolist()
    assert product.tolist() == method.tolist() == by_hand_product.tolist()


FP32_OPS = {
    "exp": mp.exp,
    "log": lambda x: mp.log(mp.abs(x)),
    "pow": lambda x: x**2,
    "rsqrt": lambda x: mp.rsqrt(mp.abs(x)),
    "softplus": F.softplus,
    "sum": lambda x: x.sum(),
    "var": lambda x: x.var(),
    "mse_loss": lambda x: F.mse_loss(x, x * 2),
    "l1_loss": lambda x: F.l1_loss(x, x * 2),
    "smooth_l1_loss": lambda x: F.smooth_l1_loss(x, x * 2),
    "huber_loss": lambda x: F.huber_loss(x, x * 2),
    "cross_entropy": lambda x: F.cross_entropy(x, mp.array([0, 1, 2])),
    "nll_loss": lambda x: F.nll_loss(x, mp.array([0, 1, 2])),
    "bce": lambda x: F.binary_cross_entropy_with_logits(x, mp.abs(x)),
}


@pytest.mark.parametrize("dtype", NARROW, ids=str)
@pytest.mark.parametrize("name", FP32_OPS)
def test_delicate_ops_give_float32(name, dtype):
    """test_autocast_torch_fp32, _nn_fp32, _methods_fp32: bitwise as with inputs cast by hand."""
    x = rand(3, 4, dtype=dtype)
    with mp.autocast("cpu", dtype):
        y = FP32_OPS[name](x)
        with mp.autocast("cpu", enabled=False):
            prepared = mp.abs(x) if name in ("log", "rsqrt") else x
            by_hand = FP32_OPS[name](prepared.float())
            without = FP32_OPS[name](x)
    assert y.dtype == F32
    assert without.dtype == dtype
    if "loss" not in name and name != "bce":  # x * 2 is rounded above, and is not in by_hand
        assert y.tolist() == by_hand.tolist()


KEEP_OPS = {
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "layer_norm": lambda x: F.layer_norm(x, (4,)),
    "rms_norm": lambda x: F.rms_norm(x, (4,)),
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": mp.tanh,
    "sigmoid": mp.sigmoid,
    "mean": lambda x: x.mean(),
    "max": lambda x: x.max(),
    "sqrt": lambda x: mp.sqrt(mp.abs(x)),
    "reshape": lambda x: x.reshape(-1),
    "dropout": lambda x: F.dropout(x, 0.5),
}


@pytest.mark.parametrize("dtype", [*NARROW, F32], ids=str)
@pytest.mark.parametrize("name", KEEP_OPS)
def test_other_ops_keep_their_dtype(name, dtype):
    with mp.autocast("cpu"):
        assert KEEP_OPS[name](rand(3, 4, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_mixed_inputs_promote(dtype):
    """test_autocast_torch_need_autocast_promote, _expect_builtin_promote."""
    narrow, wide = rand(4, dtype=dtype), rand(4)
    with mp.autocast("cpu", dtype):
        for y in (narrow + wide, narrow * wide, wide / narrow, mp.maximum(narrow, wide)):
            assert y.dtype == F32
        assert mp.concatenate([narrow, wide]).dtype == F32
        assert mp.stack([narrow, wide]).dtype == F32
        assert (narrow < wide).dtype == bool
        assert (rand(4, dtype=F16) + rand(4, dtype=BF16)).dtype == F32


def test_ignored_types():
    """test_autocast_ignored_types: float64 and integers pass every policy."""
    x64, i = rand(3, 3, dtype=F64), mp.arange(9).reshape(3, 3)
    with mp.autocast("cpu"):
        for y in (x64 @ x64, mp.exp(x64), x64.sum(), x64 + x64, F.softmax(x64, -1)):
            assert y.dtype == F64
        assert (i + i).dtype == mp.int64
        assert i.sum().dtype == mp.int64
        assert (i @ i).dtype == mp.int64
        assert (x64 @ rand(3, 3)).dtype == F64


def test_an_explicit_dtype_wins():
    x = rand(4, dtype=F16)
    with mp.autocast("cpu", F16):
        assert x.sum(dtype=F16).dtype == F16
        assert x.sum(dtype=F64).dtype == F64
        assert F.softmax(x, -1, dtype=F64).dtype == F64


def test_in_place_ops_keep_their_target():
    x = rand(4, dtype=BF16)
    with mp.autocast("cpu"):
        x += rand(4)
        x *= 2
    assert x.dtype == BF16


def test_default_dtypes():
    """test_autocast_fast_dtype."""
    assert mp.amp.get_autocast_dtype("cpu") == BF16
    assert mp.amp.get_autocast_dtype("cuda") == F16
    with mp.autocast():
        assert mp.amp.get_autocast_dtype("cpu") == BF16
        assert mp.amp.get_autocast_dtype("cuda") == F16
        assert (rand(2, 2) @ rand(2, 2)).dtype == BF16


# ---- presets and lists ----


def test_presets():
    x = rand(3, 4, dtype=BF16)
    with mp.autocast("cpu", preset="torch"):
        assert mp.exp(x).dtype == BF16
        assert F.softmax(x, -1).dtype == BF16
        assert x.sum().dtype == BF16
        with mp.autocast("cpu", preset="torch-cuda"):
            assert F.softmax(x, -1).dtype == F32
            assert F.layer_norm(x, (4,)).dtype == F32
            assert mp.exp(x).dtype == F32
            with mp.autocast("cpu"):  # as around it
                assert F.softmax(x, -1).dtype == F32
            with mp.autocast("cpu", preset="mixprec"):
                assert F.softmax(x, -1).dtype == BF16
                assert mp.exp(x).dtype == F32
        assert mp.exp(x).dtype == BF16


def test_user_lists():
    x, w = rand(3, 4, dtype=BF16), rand(3, 4)
    with mp.autocast("cpu", fp32={"softmax", "linear"}, lower=["layer_norm"]):
        assert F.softmax(x, -1).dtype == F32
        assert F.linear(x, w).dtype == F32
        assert F.layer_norm(w, (4,)).dtype == BF16
        with mp.autocast("cpu"):
            assert F.softmax(x, -1).dtype == F32
        with mp.autocast("cpu", lower="softmax"):
            assert F.softmax(w, -1).dtype == BF16
        assert F.softmax(x, -1).dtype == F32
    with mp.autocast("cpu"):
        assert F.softmax(x, -1).dtype == BF16


def test_lists_are_checked():
    with pytest.raises(ValueError, match=r"'softmx', which is not an op; close to it: .*'softmax'"):
        mp.autocast(fp32=["softmx"])
    with pytest.raises(ValueError, match="'softmax' is named by both fp32 and lower"):
        mp.autocast(fp32=["softmax"], lower=["softmax"])
    with pytest.raises(ValueError, match="preset is 'jax', must be one of 'mixprec', 'torch'"):
        mp.autocast(preset="jax")


def test_table():
    table = mp.autocast_table()
    assert table["linear"] == "lower"
    assert table["exp"] == "fp32"
    assert table["relu"] == "keep"
    assert not any(name.endswith("_bwd") for name in table)
    assert "off" in str(table)
    assert "preset mixprec" in str(table)
    with mp.autocast(preset="torch", dtype=F16, fp32={"softmax"}):
        table = mp.autocast_table()
        assert table["softmax"] == "fp32"
        assert table["exp"] == "keep"
        assert "on, lower = float16; preset torch" in str(table)
        assert mp.autocast_table("cuda")["exp"] == "fp32"
    lines = str(table).splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("lower") and " matmul" in line for line in lines)


# ---- regions ----


def test_nested_dtypes_and_the_weight():
    """Nested regions with different dtypes: each takes the narrow copy of its own dtype."""
    x, w = rand(2, 4), weight(3, 4)
    seen = []
    with mp.autocast("cpu", F16):
        seen.append(F.linear(x, w).dtype)
        with mp.autocast("cpu", BF16):
            seen.append(F.linear(x, w).dtype)
            with mp.autocast("cpu", enabled=False):
                seen.append(F.linear(x, w).dtype)
                with mp.autocast("cpu"):
                    seen.append(F.linear(x, w).dtype)
            seen.append(F.linear(x, w).dtype)
        seen.append(F.linear(x, w).dtype)
    assert seen == [F16, BF16, F32, BF16, BF16, F16]


def test_disabled_region_leaves_arrays_as_they_are():
    x, w = rand(2, 4), weight(3, 4)
    with mp.autocast("cpu", F16):
        y = F.linear(x, w)
        with mp.autocast("cpu", enabled=False):
            assert y.dtype == F16
            assert (y + y).dtype == F16
            assert mp.exp(y).dtype == F16
            assert (y @ y.T).dtype == F16
            assert F.linear(y, weight(2, 3)).dtype == F32  # with a float32 weight: promoted


def test_disabled_region_counts_as_a_level():
    with mp.autocast(enabled=False):
        assert depth() == 1
        assert not mp.amp.is_autocast_enabled("cpu")
        with mp.autocast():
            assert depth() == 2
            assert mp.amp.is_autocast_enabled("cpu")


def test_dtype_is_looked_up_on_entry():
    region = mp.autocast("cpu")
    with mp.autocast("cpu", F16), region:
        assert mp.amp.get_autocast_dtype("cpu") == F16
    with region:
        assert mp.amp.get_autocast_dtype("cpu") == BF16


def test_devices_are_independent():
    with mp.autocast("cpu", F16):
        assert mp.amp.is_autocast_enabled("cpu")
        assert not mp.amp.is_autocast_enabled("cuda")
        assert mp.amp.is_autocast_enabled()
        with mp.autocast("cuda", BF16, enabled=False):
            assert mp.amp.is_autocast_enabled("cpu")
            assert mp.amp.get_autocast_dtype("cpu") == F16
            assert mp.amp.get_autocast_dtype("cuda") == BF16


def test_region_gives_itself():
    region = mp.autocast("cpu")
    with region as entered:
        assert entered is region


def test_generic_autocast():
    """test_generic_autocast: two separate regions give equal outputs."""
    x, w = rand(3, 4), weight(5, 4)
    with mp.autocast("cpu"):
        one = F.linear(x, w)
    with mp.autocast(device_type="cpu"):
        two = F.linear(x, w)
    assert one.tolist() == two.tolist()


def test_exceptions_leave_the_region():
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError), mp.autocast(), mp.autocast(dtype=F16):
        fail()
    assert depth() == 0
    with pytest.raises(KeyError):
        mp.autocast()(fail)()
    assert depth() == 0
    with mp.autocast("cpu"):
        with pytest.raises(ValueError):
            rand(2, 3) @ rand(2, 3)
        assert depth() == 1
        assert (rand(2, 2) @ rand(2, 2)).dtype == BF16


def test_decorator_and_recursion():
    """One decorated function, entered recursively: nothing leaks on after the outermost exit."""
    seen = []

    @mp.autocast("cpu", F16)
    def work(n):
        """Docs."""
        seen.append((depth(), (rand(2, 2) @ rand(2, 2)).dtype))
        if n:
            with mp.autocast("cpu", enabled=False):
                work(n - 1)
        seen.append((depth(), mp.amp.is_autocast_enabled("cpu")))
        return n

    assert work(2) == 2
    assert work.__doc__ == "Docs."
    assert work.__name__ == "work"
    assert seen == [(1, F16), (3, F16), (5, F16), (5, True), (3, True), (1, True)]


def test_one_object_entered_twice():
    region = mp.autocast("cpu")
    with region, mp.autocast("cpu", enabled=False), region:
        assert depth() == 3
        assert mp.amp.is_autocast_enabled("cpu")
    assert depth() == 0


def test_threads_have_their_own_regions():
    """State is per thread, in one decorated function too; a new thread starts with none."""
    errors = []
    barrier = threading.Barrier(4)

    @mp.autocast("cpu")
    def narrow():
        barrier.wait()
        assert depth() == 1
        y = rand(2, 2) @ rand(2, 2)
        barrier.wait()
        return y.dtype

    def work(inside):
        try:
            for _ in range(20):
                assert depth() == 0
                if inside:
                    assert narrow() == BF16
                else:
                    barrier.wait()
                    assert (rand(2, 2) @ rand(2, 2)).dtype == F32
                    barrier.wait()
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    with mp.autocast("cpu", F16):
        threads = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert depth() == 1
    assert not errors


# ---- arguments ----


def test_invalid_device():
    """test_invalid_device, test_non_string_device."""
    for device in ("tpu", "cuda:0", ""):
        with pytest.raises(RuntimeError, match="must be 'cpu' or 'cuda'"):
            mp.autocast(device)
    for device in (0, np.float32, ("cpu",)):
        with pytest.raises(ValueError, match="must be 'cpu' or 'cuda'"):
            mp.autocast(device)
    with pytest.raises(ValueError, match="get_autocast_dtype"):
        mp.amp.get_autocast_dtype(None)


def test_availability():
    available = [mp.amp.is_autocast_available(device) for device in ("cpu", "cuda", "tpu")]
    assert available == [True, True, False]


def test_called_with_non_callable():
    """test_autocast_called_with_non_callable."""
    with pytest.raises(TypeError, match="ndarray is not callable; write `with autocast"):
        mp.autocast("cpu")(rand(2))


def test_unsupported_dtype():
    """test_autocast_disabled_with_fp32_dtype, test_mps_autocast_error_message."""
    with pytest.warns(UserWarning, match="the region is off"):
        region = mp.autocast("cpu", F32)
    with region:
        assert not mp.amp.is_autocast_enabled("cpu")
        assert mp.amp.get_autocast_dtype("cpu") == BF16
    with mp.autocast("cpu", dtype=F32, enabled=False), mp.autocast("cpu"):
        assert mp.amp.get_autocast_dtype("cpu") == BF16
    for dtype in (mp.int32, F64, "float8_e4m3fn", bool):
        with pytest.raises(TypeError, match="must be float16 or bfloat16"):
            mp.autocast("cpu", dtype)
    with pytest.raises(TypeError, match="not a dtype"):
        mp.autocast("cpu", "half precision")


def test_dtype_names():
    for dtype in ("float16", np.float16, np.dtype(np.float16), mp.float16):
        with mp.autocast("cpu", dtype):
            assert mp.amp.get_autocast_dtype("cpu") == np.float16
    with mp.autocast("cpu", ml_dtypes.bfloat16):
        assert mp.amp.get_autocast_dtype("cpu") == BF16
    assert repr(mp.autocast("cpu", "float16")) == (
        "autocast(device_type='cpu', dtype=float16, enabled=True)"
    )


@pytest.mark.skipif(_core.info().get("cuda_devices", 0), reason="there is a GPU here")
def test_cuda_without_a_gpu():
    with pytest.warns(UserWarning, match="cuda is not available, the region is off"):
        assert not mp.autocast("cuda").enabled
    assert not mp.autocast("cuda", enabled=False).enabled


# ---- narrow copies of weights ----


def test_weights_are_cast_once():
    """test_cast_cache_is_global, test_autocast_caching_still_works_with_gradients."""
    x, w = rand(2, 4), weight(3, 4)
    with mp.autocast("cpu"):
        F.linear(x, w)
        first = _core.shadow(w, BF16).data_ptr()
        for _ in range(3):
            F.linear(x, w).sum().backward()
    with mp.autocast("cpu"):
        F.linear(x, w)
        assert _core.shadow(w, BF16).data_ptr() == first


def test_cache_disabled():
    """test_cache_disabled: results are the same."""
    x, w = rand(2, 4), weight(3, 4)
    with mp.autocast("cpu"):
        kept = F.linear(x, w)
    with mp.autocast("cpu", cache_enabled=False):
        made = F.linear(x, w)
        made.sum().backward()
    assert kept.tolist() == made.tolist()
    assert w.grad.dtype == F32


def test_weight_mutated_inside_a_region():
    x, w = rand(2, 4), weight(3, 4)
    with mp.autocast("cpu"):
        before = F.linear(x, w)
        with mp.no_grad():
            w.mul_(2)
        assert F.linear(x, w).tolist() == (before * 2).tolist()
        with mp.no_grad():
            w[0] = 0
        assert not host(F.linear(x, w))[:, 0].any()
        w.data = w.data * 0
        assert not host(F.linear(x, w)).any()


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_optimizer_step_inside_a_region(dtype):
    x, w = rand(2, 4), weight(3, 4)
    opt = mp.optim.Adam([w], lr=0.5)
    for _ in range(3):
        with mp.autocast("cpu", dtype):
            opt.zero_grad()
            F.linear(x, w).sum().backward()
            opt.step()
            inside = F.linear(x, w)
        assert inside.tolist() == F.linear(x.astype(dtype), w.detach().astype(dtype)).tolist()


def test_weight_written_through_numpy():
    """Memory that was handed out is not watched: the copy is made anew at each entry."""
    x, w = mp.ones((1, 4)), nn.Parameter(mp.ones((3, 4)))
    with mp.autocast("cpu"):
        F.linear(x, w)
    view = w.detach().numpy()
    view[...] = 2
    with mp.autocast("cpu"):
        assert F.linear(x, w).tolist() == [[8, 8, 8]]
    view[...] = 3
    del view
    with mp.autocast("cpu"):
        assert F.linear(x, w).tolist() == [[12, 12, 12]]


def test_views_of_a_weight():
    x, w = rand(2, 3), weight(3, 4)
    with mp.autocast("cpu"):
        y, part = x @ w, F.linear(x, w.T[1:3])
        (y.sum() + part.sum()).backward()
    assert y.dtype == part.dtype == BF16
    assert y.tolist() == (x.bfloat16() @ w.detach().bfloat16()).tolist()
    assert w.grad.shape == (3, 4)
    assert w.grad.dtype == F32


def test_no_grad_first():
    """test_autocast_nograd_caching_issue_158232."""
    x, layer = rand(2, 4), nn.Linear(4, 3)
    with mp.autocast("cpu"):
        with mp.no_grad():
            assert not layer(x).requires_grad
        y = layer(x)
        assert y.requires_grad
        assert y.grad_fn is not None
    y.sum().backward()
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None


def test_alternating_grad_modes():
    """test_autocast_mixed_grad_contexts."""
    x, layer = rand(2, 4), nn.Linear(4, 3)
    with mp.autocast("cpu"):
        for _ in range(4):
            with mp.no_grad():
                assert not layer(x).requires_grad
            y = layer(x)
            assert y.requires_grad
    y.sum().backward()
    assert layer.weight.grad.dtype == F32


def test_inference_mode():
    """test_autocast_inference_mode_interaction."""
    x, layer = rand(2, 4), nn.Linear(4, 3)
    with mp.autocast("cpu"):
        with mp.inference_mode():
            assert layer(x).dtype == BF16
        y = layer(x)
        y.sum().backward()
    assert layer.weight.grad is not None
    with mp.inference_mode(), mp.autocast("cpu"):
        assert layer(x).dtype == BF16


def test_no_memory_is_kept():
    """test_autocast_cache_leak: forwards without grad do not grow memory."""
    x, layer = rand(2, 64), nn.Linear(64, 64)
    held = []
    with mp.no_grad(), mp.autocast("cpu"):
        for _ in range(5):
            layer(x)
            held.append(_core.memory_stats("cpu")[0])
    assert held[1:] == held[1:2] * 4


# ---- backward ----


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_backward_runs_in_the_dtypes_of_forward(dtype):
    x, layer = rand(2, 4).requires_grad_(), nn.Linear(4, 3)
    with mp.autocast("cpu", dtype):
        y = layer(x)
        loss = F.mse_loss(y, mp.zeros((2, 3)))
    assert y.dtype == dtype
    assert loss.dtype == F32
    loss.backward()
    assert x.grad.dtype == layer.weight.grad.dtype == layer.bias.grad.dtype == F32
    gy = (y.detach() * (2 / 6)).astype(dtype)
    expected = gy.T @ x.detach().astype(dtype)
    np.testing.assert_allclose(
        host(layer.weight.grad),
        host(expected.float()),
        rtol=4 * float(ml_dtypes.finfo(dtype).eps),
        atol=float(ml_dtypes.finfo(dtype).eps),
    )


def test_backward_inside_a_region():
    """test_autocast_prioritize: the region around backward, of whatever dtype, changes nothing."""
    x, layer = rand(5, 4), nn.Linear(4, 3)
    grads = []
    for around in (None, F16, BF16):
        layer.zero_grad()
        with mp.autocast("cpu", BF16):
            loss = layer(x).pow(2).sum()
        if around is None:
            loss.backward()
        else:
            with mp.autocast("cpu", around):
                loss.backward()
        grads.append(layer.weight.grad.tolist())
    assert grads[0] == grads[1] == grads[2]


def test_several_uses_are_summed_in_float32():
    """512 contributions of 1: in bfloat16 their sum would stop at 256."""
    x, w = mp.ones((1, 1)), nn.Parameter(mp.ones((1, 1)))
    with mp.autocast("cpu"):
        total = sum((F.linear(x, w).float() for _ in range(512)), start=mp.zeros((1, 1)))
    total.sum().backward()
    assert w.grad.item() == 512


def test_recomputation_in_backward():
    """test_autocast_checkpointing: a backward that runs the forward again, in its dtype."""
    seen = []

    class Again(mp.autograd.Function):
        @staticmethod
        @mp.amp.custom_fwd
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            y = F.linear(x, w)
            seen.append(y.dtype)
            return y

        @staticmethod
        @mp.amp.custom_bwd
        def backward(ctx, gy):
            x, w = (t.detach().requires_grad_() for t in ctx.saved_tensors)
            with mp.enable_grad():
                y = F.linear(x, w)
            seen.append(y.dtype)
            return tuple(mp.grad(y, [x, w], gy))

    x, w = rand(2, 4).requires_grad_(), weight(3, 4)
    with mp.autocast("cpu", F16):
        y = Again.apply(x, w)
        plain = F.linear(x, w)
    y.sum().backward()
    got = w.grad.tolist()
    w.grad = None
    plain.sum().backward()
    assert seen == [F16, F16]
    assert y.tolist() == plain.tolist()
    assert got == w.grad.tolist()


# ---- custom_fwd, custom_bwd ----


def product(**options):
    states = []

    class Product(mp.autograd.Function):
        @staticmethod
        @mp.amp.custom_fwd(**options)
        def forward(ctx, a, b, container=None):
            states.append((mp.amp.is_autocast_enabled("cpu"), a.dtype, b.dtype, container))
            ctx.save_for_backward(a, b)
            return a @ b

        @staticmethod
        @mp.amp.custom_bwd(**{k: v for k, v in options.items() if k == "device_type"})
        def backward(ctx, gy):
            a, b = ctx.saved_tensors
            ga, gb = gy @ b.T, a.T @ gy
            states.append((mp.amp.is_autocast_enabled("cpu"), ga.dtype, gb.dtype, None))
            return ga, gb, None

    return Product, states


@pytest.mark.parametrize("dtype", NARROW, ids=str)
@pytest.mark.parametrize("options", [{}, {"device_type": "cpu"}], ids=str)
def test_custom_enabled(dtype, options):
    """test_autocast_custom_enabled: on in both passes, backward's products in forward's dtype."""
    x, y = rand(8, 8).requires_grad_(), rand(8, 8).requires_grad_()
    cls, states = product(**options)
    with mp.autocast("cpu", dtype):
        out = cls.apply(x, y)
        assert out.dtype == dtype
        loss = out.float().sum()
    loss.backward()
    assert states == [(True, F32, F32, None), (True, dtype, dtype, None)]
    assert x.grad.dtype == y.grad.dtype == F32
    states.clear()
    with mp.autocast("cpu", F16 if dtype == BF16 else BF16):  # another one around backward
        with mp.autocast("cpu", dtype):
            loss = cls.apply(x, y).float().sum()
        loss.backward()
    assert states == [(True, F32, F32, None), (True, dtype, dtype, None)]


def test_custom_cast_inputs():
    """test_autocast_custom_cast_inputs: containers too, off inside, float32 out."""
    x, y = rand(8, 8, dtype=F16).requires_grad_(), rand(8, 8).requires_grad_()
    i = mp.arange(3)
    more = {"a": [rand(2, dtype=BF16), i, "text"], "b": (rand(2, dtype=F64), np.ones(2, F16))}
    cls, states = product(cast_inputs=F32)
    with mp.autocast("cpu", F16):
        out = cls.apply(x, y, more)
    assert out.dtype == F32
    out.sum().backward()
    (enabled, a, b, container), (back, ga, gb, _) = states
    assert (enabled, a, b) == (False, F32, F32)
    assert (back, ga, gb) == (False, F32, F32)
    assert container["a"][0].dtype == F32
    assert container["a"][1] is i
    assert container["a"][2] == "text"
    assert container["b"][0].dtype == F64
    assert container["b"][1].dtype == np.float16
    assert x.grad.dtype == F16
    assert y.grad.dtype == F32


def test_custom_cast_inputs_outside_of_a_region():
    x, y = rand(8, 8, dtype=F16).requires_grad_(), rand(8, 8, dtype=F16).requires_grad_()
    cls, states = product(cast_inputs=F32)
    out = cls.apply(x, y)
    assert out.dtype == F16
    out.sum().backward()
    assert [s[:3] for s in states] == [(False, F16, F16)] * 2


def test_custom_bwd_without_custom_fwd():
    class Half(mp.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        @mp.amp.custom_bwd
        def backward(ctx, gy):
            return gy * 2

    y = Half.apply(rand(2).requires_grad_())
    with pytest.raises(RuntimeError, match="forward is not decorated with custom_fwd"):
        y.sum().backward()


def test_custom_functions_that_fail_leave_their_regions():
    class Failing(mp.autograd.Function):
        @staticmethod
        @mp.amp.custom_fwd(cast_inputs=F32)
        def forward(ctx, a, fail):
            if fail:
                raise KeyError("forward")
            return a * 2

        @staticmethod
        @mp.amp.custom_bwd
        def backward(ctx, gy):
            raise KeyError("backward")

    x = rand(2).requires_grad_()
    with mp.autocast("cpu"):
        with pytest.raises(KeyError, match="forward"):
            Failing.apply(x, True)
        assert depth() == 1
        y = Failing.apply(x, False).sum()
    with pytest.raises(KeyError, match="backward"):
        y.backward()
    assert depth() == 0
