"""Bad input: a clear error of the form "op: fact, with numbers", and nothing changed by it."""

import numpy as np
import pytest

import mixprec as mp
from helpers import ROWS, call_row, make_inputs, words
from mixprec import _core, nn, optim
from mixprec.nn import functional as F
from samples import SAMPLES

pytestmark = pytest.mark.core

f32 = lambda *shape: mp.ones(shape)  # noqa: E731
u8 = lambda *shape: mp.ones(shape, dtype=mp.uint8)  # noqa: E731
i64 = lambda *shape: mp.ones(shape, dtype=mp.int64)  # noqa: E731

# Error type, part of the text, and the call.
CASES = {
    "matmul shapes": (
        ValueError,
        "matmul: a has 3 columns, b has 4 rows",
        lambda: f32(2, 3) @ f32(4, 2),
    ),
    "matmul batches": (
        ValueError,
        r"matmul: .*\(2, 2, 3\).*\(3, 3, 2\)",
        lambda: f32(2, 2, 3) @ f32(3, 3, 2),
    ),
    "matmul 0-d": (
        ValueError,
        "matmul: a has 0 dimensions",
        lambda: mp.matmul(mp.array(1.0), f32(2)),
    ),
    "linear columns": (
        ValueError,
        "linear: x has 5 columns, weight has 7",
        lambda: F.linear(f32(3, 5), f32(2, 7)),
    ),
    "linear bias": (
        ValueError,
        r"linear: bias .*\(3,\).* 2 rows",
        lambda: F.linear(f32(3, 5), f32(2, 5), f32(3)),
    ),
    "broadcast": (ValueError, r"add: .*\(2, 3\).*\(4,\)", lambda: f32(2, 3) + f32(4)),
    "broadcast into": (ValueError, r"add: .*\(2, 3\).*\(3,\)", lambda: f32(3).__iadd__(f32(2, 3))),
    "where": (ValueError, r"where: .*\(2,\).*\(3,\)", lambda: mp.where(f32(2) > 0, f32(3), f32(2))),
    "reshape": (ValueError, r"reshape: .*\(2, 3\).*\(4, 2\)", lambda: f32(2, 3).reshape(4, 2)),
    "reshape unknown": (ValueError, r"reshape: .* 6 .*\(-1, 4\)", lambda: f32(2, 3).reshape(-1, 4)),
    "reshape two unknown": (
        ValueError,
        "reshape: .*more than one -1",
        lambda: f32(2, 3).reshape(-1, -1),
    ),
    "permute": (ValueError, "permute: axis 0 is given twice", lambda: f32(2, 3).permute(0, 0)),
    "permute count": (ValueError, "permute: 1 axes .* 2 dimensions", lambda: f32(2, 3).permute(0)),
    "expand": (
        ValueError,
        r"expand: .*\(2, 3\).*\(2, 4\)",
        lambda: mp.broadcast_to(f32(2, 3), (2, 4)),
    ),
    "squeeze": (ValueError, "squeeze: axis 5 .* 2 dim", lambda: f32(2, 3).squeeze(5)),
    "axis": (ValueError, "sum: axis 2 .* 2 dimensions", lambda: f32(2, 3).sum(axis=2)),
    "axis twice": (ValueError, "sum: axis 0 is given twice", lambda: f32(2, 3).sum(axis=(0, 0))),
    "softmax axis": (ValueError, "softmax: axis 1 .* 1 dim", lambda: F.softmax(f32(2), 1)),
    "max of nothing": (ValueError, r"max: .*\(0,\)", lambda: f32(0).max()),
    "min of nothing": (ValueError, r"min: .*\(2, 0\)", lambda: f32(2, 0).min(axis=1)),
    "argmax of nothing": (ValueError, r"argmax: .*\(0,\)", lambda: f32(0).argmax()),
    "concatenate": (
        ValueError,
        r"concatenate: .*\(2, 3\).*\(2, 4\)",
        lambda: mp.concatenate([f32(2, 3), f32(2, 4)]),
    ),
    "concatenate none": (ValueError, "concatenate: no arrays", lambda: mp.concatenate([])),
    "stack": (ValueError, r"stack: .*\(2,\).*\(3,\)", lambda: mp.stack([f32(2), f32(3)])),
    "pad": (ValueError, "pad: axis 0 is padded by -1", lambda: _core.pad(f32(2), (-1, 0), 0.0)),
    "take": (IndexError, "take: index 5 .* size 3", lambda: mp.take(f32(3), mp.array([5]), axis=0)),
    "take floats": (TypeError, "take: .*float32", lambda: mp.take(f32(3), f32(1), axis=0)),
    "embedding": (
        IndexError,
        "embedding: index 9 .* size 3",
        lambda: F.embedding(mp.array([9]), f32(3, 2)),
    ),
    "embedding floats": (TypeError, "embedding: .*float32", lambda: F.embedding(f32(1), f32(3, 2))),
    "layer_norm": (
        ValueError,
        r"layer_norm: .*\(4,\).*\(3,\)",
        lambda: F.layer_norm(f32(2, 3), (3,), f32(4)),
    ),
    "layer_norm ints": (TypeError, "layer_norm: x is int64", lambda: F.layer_norm(i64(2, 3), (3,))),
    "cross_entropy rows": (
        ValueError,
        r"cross_entropy: .*\(3, 5\).*\(2,\)",
        lambda: F.cross_entropy(f32(3, 5), i64(2)),
    ),
    "cross_entropy class": (
        IndexError,
        "cross_entropy: target 7 .* 5 classes",
        lambda: F.cross_entropy(f32(2, 5), mp.array([0, 7])),
    ),
    "cross_entropy weight": (
        ValueError,
        r"cross_entropy: .*\(4,\).* 5 classes",
        lambda: F.cross_entropy(f32(2, 5), i64(2), weight=f32(4)),
    ),
    "cross_entropy dtype": (
        TypeError,
        "cross_entropy: x is int64",
        lambda: F.cross_entropy(i64(2, 5), i64(2)),
    ),
    "mse_loss": (
        ValueError,
        r"mse_loss: .*\(2, 3\).*\(4,\)",
        lambda: F.mse_loss(f32(2, 3), f32(4)),
    ),
    "bce": (
        ValueError,
        r"binary_cross_entropy_with_logits: .*\(2,\).*\(2, 3\)",
        lambda: F.binary_cross_entropy_with_logits(f32(2, 3), f32(2)),
    ),
    "dropout": (ValueError, "dropout: p is 1.5", lambda: F.dropout(f32(2), 1.5)),
    "dropout NaN": (ValueError, "dropout: p is nan", lambda: F.dropout(f32(2), float("nan"))),
    "sub of bool": (TypeError, "sub: bool", lambda: mp.array([True]) - mp.array([True])),
    "float8": (
        TypeError,
        "add: float8_e4m3fn and float32",
        lambda: f32(2).astype("float8_e4m3fn") + f32(2),
    ),
    "negative extent": (ValueError, r"zeros: shape \(3, -2\)", lambda: mp.zeros((3, -2))),
    "many dimensions": (ValueError, "zeros: 33 dimensions", lambda: mp.zeros((1,) * 33)),
    "unknown dtype": (TypeError, "zeros: .*complex64", lambda: mp.zeros(2, dtype="complex64")),
    "unknown dtype name": (TypeError, "zeros: 'float7'", lambda: mp.zeros(2, dtype="float7")),
    "unknown device": (
        ValueError,
        "device: 'tpu'",
        lambda: mp.zeros(2, device="tpu"),
    ),
    "unknown device of to": (ValueError, "device: 'tpu'", lambda: f32(2).to("tpu")),
    "object array": (TypeError, "array: .*object", lambda: mp.array(np.array([object()]))),
    "text array": (TypeError, "asarray: .*<U1", lambda: mp.asarray(np.array(["a"]))),
    "complex array": (TypeError, "array: .*complex64", lambda: mp.array(np.ones(2, np.complex64))),
    "date array": (
        TypeError,
        "array: .*datetime64",
        lambda: mp.array(np.zeros(2, "datetime64[s]")),
    ),
    "record array": (
        TypeError,
        "array: .*'a', '<f4'",
        lambda: mp.array(np.zeros(2, [("a", "f4")])),
    ),
    "byte order": (
        TypeError,
        "asarray: dtype >f4 .*byte order",
        lambda: mp.asarray(np.ones(2, ">f4")),
    ),
    "ragged": (ValueError, "array: .*inhomogeneous shape", lambda: mp.array([[1, 2], [3]])),
    "ragged operand": (ValueError, "add: .*inhomogeneous", lambda: mp.add(f32(2), [[1, 2], [3]])),
    "list in itself": (ValueError, "array: .*dimension", lambda: mp.array(nested())),
    "not a number": (TypeError, "array: .*NoneType", lambda: mp.array(None, "int64")),
    "NaN as integer": (ValueError, "array: .*NaN", lambda: mp.array(float("nan"), "int64")),
    "complex attribute": (
        TypeError,
        "softplus: beta is a numpy.complex64",
        lambda: F.softplus(f32(2), np.complex64(1)),
    ),
    "arange of text": (TypeError, "arange: .*'x'", lambda: mp.arange("x")),
    "arange of none": (TypeError, "arange: .*NoneType", lambda: mp.arange(None)),
    "linspace of text": (TypeError, "linspace: .*'x'", lambda: mp.linspace(0, "x")),
    "linspace count": (ValueError, "linspace: .*-1", lambda: mp.linspace(0, 1, -1)),
    "eye": (ValueError, "eye: .*negative", lambda: mp.eye(-1)),
    "eye of text": (TypeError, "eye: .*str", lambda: mp.eye("3")),
    "concatenate number": (TypeError, "concatenate: .*int", lambda: mp.concatenate(3)),
    "stack number": (TypeError, "stack: .*int", lambda: mp.stack(3)),
    "stack none": (ValueError, "stack: no arrays", lambda: mp.stack([])),
    "gradients of a number": (TypeError, "grad: outputs is a int", lambda: mp.grad(3, f32(2))),
    "none": (TypeError, "ndarray.*NoneType", lambda: f32(2) + None),
    "text": (TypeError, "ndarray.*str", lambda: f32(2) + "a"),
    "integer out of range": (OverflowError, "add: .*300.*uint8", lambda: u8(2) + 300),
    "negative integer": (OverflowError, "mul: .*-1.*uint8", lambda: mp.multiply(-1, u8(2))),
    "huge integer": (OverflowError, "add: .*uint8", lambda: u8(2) + 10**30),
    "integer into": (OverflowError, "add: .*300.*uint8", lambda: u8(2).__iadd__(300)),
    "integer filled": (OverflowError, "fill_: .*256.*uint8", lambda: u8(2).fill_(256)),
    "integer set": (OverflowError, "index: .*-129.*int8", lambda: set_first(np.int8, -129)),
    "full of integers": (OverflowError, "full: .*300.*uint8", lambda: mp.full(2, 300, "uint8")),
    "item": (ValueError, r"item: .*\(2,\)", lambda: f32(2).item()),
    "non-scalar loss": (
        RuntimeError,
        r"backward: .*\(2,\) needs a gradient",
        lambda: f32(2).requires_grad_().mul(2).backward(),
    ),
    "no graph": (
        RuntimeError,
        "backward: .*does not require grad",
        lambda: mp.array(1.0).backward(),
    ),
    "gradient of integers": (TypeError, "requires_grad: .*int64", lambda: i64(2).requires_grad_()),
    "arange step": (ValueError, "arange: step is 0", lambda: mp.arange(0, 5, 0)),
    "randint": (ValueError, "low is 5, high is 5", lambda: mp.random.randint(5, 5, (2,))),
    "threads": (ValueError, "set_num_threads: n is 0", lambda: mp.set_num_threads(0)),
    "power of integers": (
        ValueError,
        "pow: .*negative integer powers",
        lambda: i64(2) ** mp.array([-1, 2]),
    ),
    "learning rate": (
        ValueError,
        "SGD: lr is -1",
        lambda: optim.SGD([nn.Parameter(f32(2))], lr=-1),
    ),
    "learning rate NaN": (
        ValueError,
        "Adam: lr is nan",
        lambda: optim.Adam([nn.Parameter(f32(2))], lr=float("nan")),
    ),
    "betas": (
        ValueError,
        r"Adam: betas\[0\] is 1",
        lambda: optim.Adam([nn.Parameter(f32(2))], betas=(1.0, 0.9)),
    ),
    "no parameters": (
        ValueError,
        "SGD: the parameter list is empty",
        lambda: optim.SGD([], lr=0.1),
    ),
    "NaN scale": (
        ValueError,
        "GradScaler: init_scale is nan",
        lambda: mp.GradScaler("cpu", init_scale=float("nan")),
    ),
    "zero scale": (
        ValueError,
        "GradScaler: init_scale is 0",
        lambda: mp.GradScaler("cpu", init_scale=0.0),
    ),
    "growth": (
        ValueError,
        "GradScaler: growth_factor is 0.5",
        lambda: mp.GradScaler("cpu", growth_factor=0.5),
    ),
    "autocast dtype": (TypeError, "autocast: dtype is int32", lambda: enter("cpu", mp.int32)),
    "autocast device": (RuntimeError, "autocast: device_type is 'tpu'", lambda: enter("tpu")),
}


def set_first(dtype, value):
    mp.zeros(2, dtype=dtype)[0] = value


def nested():
    endless = []
    endless.append(endless)
    return endless


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
    with pytest.raises(
        MemoryError, match=rf"empty: .*{size * 8} bytes .* cpu, .* {held} "
    ) as caught:
        mp.empty((size,), dtype=mp.float64)
    assert isinstance(caught.value, mp.OutOfMemoryError)
    assert _core.memory_stats("cpu")[0] == held
    assert mp.zeros(3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("shape", [(2**62, 2**62), (2**63 - 1, 2), (2**40, 2**40, 0)])
def test_extents_that_overflow(shape):
    """As in NumPy, an extent of 0 does not help the others."""
    with pytest.raises(ValueError, match=rf"zeros: shape .*{shape[0]}, {shape[1]}.* 64 bits"):
        mp.zeros(shape)
    with pytest.raises(ValueError, match=rf"expand: shape .*{shape[0]}.* 64 bits"):
        mp.broadcast_to(mp.zeros((1,) * len(shape)), shape)


def test_more_bytes_than_memory_can_have():
    wide = mp.broadcast_to(mp.zeros((1, 1)), (2**31, 2**31))
    with pytest.raises(mp.OutOfMemoryError, match=r"add: .*\(2147483648, 2147483648\) of float32"):
        wide + 1


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
    for indices in ([0, 3], [-1, 0], [2**40, 0]):
        with pytest.raises(IndexError):
            F.embedding(mp.array(indices), w)
    F.embedding(mp.array([0, 2]), w).sum().backward()
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
        pytest.skip("there is a GPU here")
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
    shapes = [(), (0,), (3,), (2, 3), (3, 2), (0, 3), (2, 3, 4), (1,) * 8, (1,) * 32]
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
        pytest.skip("no GPU here, one device only")
    with pytest.raises((ValueError, mp.DeviceError), match=r"cpu.*cuda|cuda.*cpu"):
        f32(2) + f32(2).cuda()
