"""Bad input: a clear error of the form "op: fact, with numbers", and nothing changed by it."""

import contextlib

import numpy as np
import pytest

import mixprec as mp
from helpers import ROWS, call_row, make_inputs, words
from mixprec import _core, nn, optim
from mixprec.nn import functional as F
from samples import SAMPLES

pytestmark = pytest.mark.core

f32 = lambda *shape: mp.ones(shape)  # noqa: E731
i64 = lambda *shape: mp.ones(shape, dtype=mp.int64)  # noqa: E731

# Error type, part of the text, and the call.
CASES = {
    "matmul shapes": (ValueError, "matmul: .*3.*4", lambda: f32(2, 3) @ f32(4, 2)),
    "matmul batches": (ValueError, "matmul: ", lambda: f32(2, 2, 3) @ f32(3, 3, 2)),
    "matmul 0-d": (ValueError, "matmul: ", lambda: mp.matmul(mp.array(1.0), f32(2))),
    "linear columns": (
        ValueError,
        "linear: x has 5 columns, weight has 7",
        lambda: F.linear(f32(3, 5), f32(2, 7)),
    ),
    "linear bias": (ValueError, "linear: ", lambda: F.linear(f32(3, 5), f32(2, 5), f32(3))),
    "broadcast": (ValueError, r"add: .*\(2, 3\).*\(4,\)", lambda: f32(2, 3) + f32(4)),
    "broadcast into": (ValueError, "add: ", lambda: f32(3).__iadd__(f32(2, 3))),
    "where": (ValueError, "where: ", lambda: mp.where(f32(2) > 0, f32(3), f32(2))),
    "reshape": (ValueError, "reshape: ", lambda: f32(2, 3).reshape(4, 2)),
    "reshape unknown": (ValueError, "reshape: ", lambda: f32(2, 3).reshape(-1, 4)),
    "reshape two unknown": (ValueError, "reshape: ", lambda: f32(2, 3).reshape(-1, -1)),
    "permute": (ValueError, "permute: |transpose: ", lambda: f32(2, 3).permute(0, 0)),
    "permute count": (ValueError, "permute: |transpose: ", lambda: f32(2, 3).permute(0)),
    "expand": (ValueError, "", lambda: mp.broadcast_to(f32(2, 3), (2, 4))),
    "squeeze": (ValueError, "", lambda: f32(2, 3).reshape(2, 3)[None].squeeze(0).squeeze(5)),
    "axis": ((ValueError, IndexError), "sum: ", lambda: f32(2, 3).sum(axis=2)),
    "axis twice": (ValueError, "sum: ", lambda: f32(2, 3).sum(axis=(0, 0))),
    "softmax axis": ((ValueError, IndexError), "softmax: ", lambda: F.softmax(f32(2), 1)),
    "max of nothing": (ValueError, "max: ", lambda: f32(0).max()),
    "min of nothing": (ValueError, "min: ", lambda: f32(2, 0).min(axis=1)),
    "argmax of nothing": (ValueError, "argmax: ", lambda: f32(0).argmax()),
    "concatenate": (ValueError, "concatenate: ", lambda: mp.concatenate([f32(2, 3), f32(2, 4)])),
    "concatenate none": (ValueError, "concatenate: ", lambda: mp.concatenate([])),
    "stack": (ValueError, "", lambda: mp.stack([f32(2), f32(3)])),
    "pad": (ValueError, "pad: ", lambda: _core.pad(f32(2), (-1, 0), 0.0)),
    "take": (IndexError, "take: .*5", lambda: mp.take(f32(3), mp.array([5]), axis=0)),
    "take floats": ((TypeError, IndexError), "take: ", lambda: mp.take(f32(3), f32(1), axis=0)),
    "embedding": (IndexError, "embedding: .*9", lambda: F.embedding(mp.array([9]), f32(3, 2))),
    "embedding floats": (TypeError, "embedding: ", lambda: F.embedding(f32(1), f32(3, 2))),
    "layer_norm": (ValueError, "layer_norm: ", lambda: F.layer_norm(f32(2, 3), (3,), f32(4))),
    "layer_norm ints": (TypeError, "layer_norm: ", lambda: F.layer_norm(i64(2, 3), (3,))),
    "cross_entropy rows": (
        ValueError,
        "cross_entropy: ",
        lambda: F.cross_entropy(f32(3, 5), i64(2)),
    ),
    "cross_entropy class": (
        IndexError,
        "cross_entropy: .*7",
        lambda: F.cross_entropy(f32(2, 5), mp.array([0, 7])),
    ),
    "cross_entropy weight": (
        ValueError,
        "cross_entropy: ",
        lambda: F.cross_entropy(f32(2, 5), i64(2), weight=f32(4)),
    ),
    "cross_entropy dtype": (
        TypeError,
        "cross_entropy: ",
        lambda: F.cross_entropy(i64(2, 5), i64(2)),
    ),
    "mse_loss": (ValueError, "mse_loss: ", lambda: F.mse_loss(f32(2, 3), f32(4))),
    "bce": (
        ValueError,
        "binary_cross_entropy_with_logits: ",
        lambda: F.binary_cross_entropy_with_logits(f32(2, 3), f32(2)),
    ),
    "dropout": (ValueError, "dropout: .*1.5", lambda: F.dropout(f32(2), 1.5)),
    "dropout NaN": (ValueError, "dropout: ", lambda: F.dropout(f32(2), float("nan"))),
    "sub of bool": (TypeError, "sub: ", lambda: mp.array([True]) - mp.array([True])),
    "float8": (TypeError, "add: .*float8_e4m3fn", lambda: f32(2).astype("float8_e4m3fn") + f32(2)),
    "negative extent": (ValueError, "-2", lambda: mp.zeros((3, -2))),
    "nine dimensions": (ValueError, "9", lambda: mp.zeros((1,) * 9)),
    "unknown dtype": (TypeError, "complex", lambda: mp.zeros(2, dtype="complex64")),
    "unknown dtype name": (TypeError, "", lambda: mp.zeros(2, dtype="float7")),
    "unknown device": (
        (mp.DeviceError, ValueError),
        "tpu",
        lambda: mp.zeros(2, device="tpu"),
    ),
    "unknown device of to": ((mp.DeviceError, ValueError), "tpu", lambda: f32(2).to("tpu")),
    "object array": (TypeError, "object", lambda: mp.array(np.array([object()]))),
    "text array": (TypeError, "", lambda: mp.array(np.array(["a"]))),
    "complex array": (TypeError, "complex", lambda: mp.array(np.ones(2, np.complex64))),
    "date array": (TypeError, "", lambda: mp.array(np.zeros(2, "datetime64[s]"))),
    "record array": (TypeError, "", lambda: mp.array(np.zeros(2, [("a", "f4")]))),
    "byte order": (TypeError, "byte order|>f4", lambda: mp.asarray(np.ones(2, ">f4"))),
    "ragged": (ValueError, "", lambda: mp.array([[1, 2], [3]])),
    "none": (TypeError, "", lambda: f32(2) + None),
    "text": (TypeError, "", lambda: f32(2) + "a"),
    "item": (ValueError, "", lambda: f32(2).item()),
    "non-scalar loss": (RuntimeError, "", lambda: f32(2).requires_grad_().mul(2).backward()),
    "no graph": (RuntimeError, "", lambda: mp.array(1.0).backward()),
    "gradient of integers": (TypeError, "int64", lambda: i64(2).requires_grad_()),
    "arange step": (ValueError, "", lambda: mp.arange(0, 5, 0)),
    "randint": (ValueError, "", lambda: mp.random.randint(5, 5, (2,))),
    "threads": (ValueError, "0", lambda: mp.set_num_threads(0)),
    "power of integers": (ValueError, "pow: ", lambda: i64(2) ** mp.array([-1, 2])),
    "learning rate": (ValueError, "-1", lambda: optim.SGD([nn.Parameter(f32(2))], lr=-1)),
    "learning rate NaN": (
        ValueError,
        "",
        lambda: optim.Adam([nn.Parameter(f32(2))], lr=float("nan")),
    ),
    "betas": (ValueError, "", lambda: optim.Adam([nn.Parameter(f32(2))], betas=(1.0, 0.9))),
    "no parameters": (ValueError, "", lambda: optim.SGD([], lr=0.1)),
    "NaN scale": (ValueError, "nan", lambda: mp.GradScaler("cpu", init_scale=float("nan"))),
    "zero scale": (ValueError, "0", lambda: mp.GradScaler("cpu", init_scale=0.0)),
    "growth": (
        (ValueError, AssertionError),
        "",
        lambda: mp.GradScaler("cpu", growth_factor=0.5),
    ),
    "autocast dtype": ((TypeError, ValueError), "int32", lambda: enter("cpu", mp.int32)),
    "autocast device": ((mp.DeviceError, ValueError, RuntimeError), "tpu", lambda: enter("tpu")),
}


def enter(*arguments):
    with mp.autocast(*arguments):
        pass


@pytest.mark.parametrize("case", CASES)
def test_error(case):
    kind, text, call = CASES[case]
    with pytest.raises(kind, match=text):
        call()


@pytest.mark.parametrize("size", [2**57, 2**58])
def test_out_of_memory(size):
    """A request of 1 EB says what was asked and what is held; nothing is lost by it."""
    held = _core.memory_stats("cpu")[0]
    with pytest.raises(MemoryError, match=r"\d+") as caught:
        mp.empty((size,), dtype=mp.float64)
    assert isinstance(caught.value, mp.OutOfMemoryError)
    assert (
        str(size * 8) in str(caught.value).replace(",", "")
        or "EB" in str(caught.value)
        or ("EiB" in str(caught.value))
    )
    assert _core.memory_stats("cpu")[0] == held
    assert mp.zeros(3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("shape", [(2**62, 2**62), (2**63 - 1, 2), (2**40, 2**40, 0)])
def test_extents_that_overflow(shape):
    if 0 in shape:
        with contextlib.suppress(ValueError, MemoryError):
            assert mp.zeros(shape).size == 0
        return
    with pytest.raises((ValueError, MemoryError)):
        mp.zeros(shape)
    x = mp.zeros((1, 1))
    with pytest.raises((ValueError, MemoryError)):
        (mp.broadcast_to(x, shape[:2]) + 1).sum()


def test_failed_op_changes_nothing():
    x = mp.array([1.0, 2.0]).requires_grad_()
    y = x * 2
    version, held = y._version, _core.memory_stats("cpu")[0]
    for bad in (lambda: y.add_(mp.ones(3)), lambda: y.copy_(mp.ones((2, 2))), lambda: y @ f32(3)):
        with pytest.raises(ValueError):
            bad()
    assert y._version == version
    assert y.tolist() == [2, 4]
    assert _core.memory_stats("cpu")[0] == held
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_failed_kernel_leaves_the_destination():
    """An index out of range shows while the kernel runs: nothing is recorded."""
    w = mp.ones((3, 2)).requires_grad_()
    for indices in ([0, 3], [-4, 0], [2**40, 0]):
        with pytest.raises(IndexError):
            F.embedding(mp.array(indices), w)
    F.embedding(mp.array([0, -1]), w).sum().backward()
    assert w.grad.tolist() == [[1, 1], [0, 0], [1, 1]]


def test_failed_backward_leaves_gradients():
    x = mp.array([1.0, 2.0]).requires_grad_()
    w = mp.array([1.0, 2.0]).requires_grad_()
    (x * w).sum().backward()
    before = (x.grad.tolist(), w.grad.tolist())
    y = x * w
    z = (y * y).sum()
    with mp.no_grad():
        w += 1
    with pytest.raises(RuntimeError):
        z.backward()
    assert (x.grad.tolist(), w.grad.tolist()) == before


def test_cuda_without_a_gpu():
    if _core.info()["cuda"]:
        pytest.skip("there is one")
    with pytest.raises(mp.DeviceError, match=r"cuda:0 is not available: .+"):
        mp.zeros(2, device="cuda")
    assert issubclass(mp.DeviceError, RuntimeError)
    with pytest.raises(mp.DeviceError):
        f32(2).cuda()


@pytest.mark.parametrize("name", [n for n in ROWS if n in SAMPLES and ROWS[n]["inputs"]])
def test_row_refuses_nonsense(name):
    """Wrong counts and types of arguments are TypeErrors for every row, never crashes."""
    sample = next(iter(SAMPLES[name](np.random.default_rng(0), 3)))
    inputs = make_inputs(sample, "float32")
    function = getattr(_core, name)
    with pytest.raises(TypeError):
        function()
    attrs = [sample.attrs[a] for a in words(ROWS[name]["attrs"])]
    if words(ROWS[name]["inputs"]) == ["*"]:
        inputs = [inputs]
    with pytest.raises(TypeError):
        function(*inputs, *attrs, 1, 2, 3)
    for i in range(len(inputs)):
        for bad in (object(), "text", np.array([object()])):
            with pytest.raises(TypeError):
                function(*inputs[:i], bad, *inputs[i + 1 :], *attrs)
    for i in range(len(attrs)):
        with pytest.raises((TypeError, ValueError)):
            function(*inputs, *attrs[:i], object(), *attrs[i + 1 :])


@pytest.mark.parametrize("name", [n for n in ROWS if n in SAMPLES and ROWS[n]["inputs"]])
def test_row_with_odd_shapes(name):
    """Shapes that the row was not made for give a result or an error, never a crash."""
    shapes = [(), (0,), (3,), (2, 3), (3, 2), (0, 3), (2, 3, 4), (1,) * 8]
    rng = np.random.default_rng(1)
    sample = next(iter(SAMPLES[name](rng, 3)))
    for i, item in enumerate(sample.inputs):
        if item is None:
            continue
        for shape in shapes:
            inputs = make_inputs(sample, "float32")
            inputs[i] = np.ones(shape, inputs[i].dtype)
            try:
                call_row(name, inputs, sample.attrs)
                text = f"{name}: fine"
            except (ValueError, TypeError, IndexError) as error:
                text = str(error)
            assert text.startswith(f"{name}: ")


def test_mixed_devices():
    if not _core.info()["cuda"]:
        pytest.skip("one device only")
    with pytest.raises((ValueError, mp.DeviceError), match=r"cpu.*cuda|cuda.*cpu"):
        f32(2) + f32(2).cuda()
