"""What only a GPU shows: streams, memory, late errors, numbers of the host, training."""

import gc

import numpy as np
import pytest

import mixprec as mp
from helpers import host, run_python, words
from mixprec import nn, optim

WHY = mp._core.info()["cuda_why"]
pytestmark = pytest.mark.skipif(not mp.cuda.is_available(), reason=f"no GPU: {WHY}")


@pytest.fixture
def x(rng):
    return mp.array(rng.standard_normal((33, 65), dtype=np.float32)).to("cuda")


# ---- devices ----


def test_devices():
    assert mp.cuda.device_count() >= 1
    assert mp.cuda.get_device_capability() >= (7, 0)
    assert mp.cuda.device_name()
    with pytest.raises(mp.DeviceError, match="cuda:63"):
        mp.zeros(2, device="cuda:63")


def test_default_device():
    with mp.device("cuda"):
        for made in (
            mp.linspace(0, 1, 3), mp.eye(2), mp.identity(2), mp.arange(3), mp.sin([1.0, 2.0]),
            mp.full(2, mp.float64(3)), mp.logspace(0, 1, 3), mp.tril_indices(3)[0], mp.r_[1:3],
            mp.random.default_rng(0).poisson(3.0, 4), mp.where([True], [1], [2]), mp.mgrid[0:2],
            mp.fromfunction(lambda i, j: i + j, (2, 2)), mp.indices((2, 2)), mp.sort([2, 1]),
        ):  # fmt: skip
            assert made.device == "cuda:0"
        assert mp.zeros(3).device == "cuda:0"
        assert mp.array([1.0, 2.0]).device == "cuda:0"
        assert mp.random.rand(3).device == "cuda:0"
        assert mp.get_default_device() == "cuda:0"
    assert mp.zeros(3).device == "cpu"


def test_mixed_devices(x):
    with pytest.raises(ValueError, match=r"add: inputs are on cuda:0 and cpu|cpu and cuda:0"):
        x + mp.ones((33, 65))
    with pytest.raises(TypeError, match=r"\.numpy\(\)"):
        np.asarray(x)
    np.testing.assert_array_equal(x.numpy(), x.cpu().numpy())


several = pytest.mark.skipif(
    mp.cuda.is_available() and mp.cuda.device_count() < 2, reason="one GPU only"
)


@several
def test_two_gpus(x):
    """Each has its own memory and streams; arrays move between them; ops do not mix them."""
    y = x.to("cuda:1")
    assert y.device == "cuda:1"
    np.testing.assert_array_equal(host(y), host(x))
    with pytest.raises(ValueError, match="cuda:0 and cuda:1"):
        x + y
    with mp.device("cuda:1"):
        assert mp.zeros(3).device == "cuda:1"
    np.testing.assert_allclose(host(y @ y.T), host(x @ x.T), rtol=1e-4, atol=1e-4)
    for i in range(20):  # back and forth
        x, y = (x + i), (y + i)
    np.testing.assert_array_equal(host(y.to("cuda:0")), host(x))


@several
def test_models_on_two_gpus():
    losses = []
    for device in ("cuda:0", "cuda:1"):
        mp.manual_seed(3)
        model = nn.Linear(8, 4).to(device)
        opt, scaler = optim.AdamW(model.parameters(), lr=0.1), mp.GradScaler()
        for _ in range(3):
            opt.zero_grad()
            with mp.autocast():
                loss = model(mp.ones((4, 8), device=device)).square().mean()
            scaler.scale(loss).backward()
            scaler.step(opt, max_norm=1.0)
            scaler.update()
        losses.append(loss.item())
    assert losses[0] == losses[1]


# ---- numbers of the host ----


def test_numbers(x):
    y = host(x)
    for got, want in [
        (x * 2, y * 2),
        (3.5 - x, 3.5 - y),
        (x**2, y**2),
        (x > 0.5, y > 0.5),
        (x + np.float32(1), y + 1),
        (mp.where(x > 0, x, 0.0), np.where(y > 0, y, 0)),
        (mp.maximum(x, 0), np.maximum(y, 0)),
    ]:
        assert got.device == "cuda:0"
        np.testing.assert_allclose(host(got), want, rtol=1e-6)
    x += 1
    x[0] = 3.0
    x[1, 2] = 7
    np.testing.assert_array_equal(host(x)[0], 3)
    assert x[1, 2].item() == 7
    assert (x.half() * 2.0).dtype == np.float16


def test_lists_and_numpys_arrays_go_where_the_arrays_are(x):
    a, row, i = host(x), np.linspace(-1, 1, 65, dtype=np.float32), np.array([3, -1, 0])
    for got, want in [
        (x + row, a + row),
        (row - x, row - a),
        (x * [[2.0]] * 33, a * 66),
        (x > row, a > row),
        (mp.where(x > 0, x, row), np.where(a > 0, a, row)),
        (mp.where([[True]] * 33, x, 0), a),
        (mp.clip(x, row, 2.0), np.clip(a, row, 2)),
        (mp.concatenate([x, a]), np.concatenate([a, a])),
        (mp.vstack([x, row]), np.vstack([a, row])),
        (mp.take(x, i, axis=0), a[i]),
        (mp.take(x, mp.array(i), axis=1), a[:, i]),
        (mp.take(x, [1, 70], axis=1, mode="wrap"), np.take(a, [1, 70], 1, mode="wrap")),
        (mp.take_along_axis(x, np.argsort(a), 1), np.sort(a)),
        (mp.compress(a[:, 0] > 0, x, axis=0), a[a[:, 0] > 0]),
        (mp.searchsorted(mp.sort(x[0]), row), np.searchsorted(np.sort(a[0]), row)),
        (mp.digitize(x, [-1.0, 0.0, 1.0]), np.digitize(a, [-1, 0, 1])),
        (mp.isin(mp.round(x), [0, 1]), np.isin(np.round(a), [0, 1])),
        (mp.einsum("ij,j->i", x, row), np.einsum("ij,j->i", a, row)),
        (mp.sum(x, axis=1, where=row > 0), np.sum(a, axis=1, where=row > 0)),
        (x @ row, a @ row),
        (mp.append(x, a[:1], 0), np.append(a, a[:1], 0)),
        (mp.repeat(x, [1] * 32 + [2], 0), np.repeat(a, [1] * 32 + [2], 0)),
        (x[[mp.argmax(x[:, 0]), 1]], a[[a[:, 0].argmax(), 1]]),
    ]:
        assert got.device == "cuda:0"
        np.testing.assert_allclose(host(got), want, rtol=1e-5, atol=1e-5)
    y, want = x.clone(), a.copy()
    y += row
    y[i] = row
    y[x > 1] = np.float32(5)
    want += row
    want[i] = row
    want[a > 1] = 5
    np.testing.assert_array_equal(host(y), want)
    places = mp.unravel_index(mp.argsort(x.ravel())[:5], x.shape)
    expected = np.unravel_index(a.ravel().argsort()[:5], a.shape)
    np.testing.assert_array_equal([host(got) for got in places], expected)


def test_what_is_numpys_names_cpu(x):
    for name in ("histogram", "bincount", "unwrap"):
        with pytest.raises(NotImplementedError, match=rf"^{name}: .*\.cpu\(\)"):
            getattr(mp, name)(x)
    with pytest.raises(NotImplementedError, match=r"solve: .*\.cpu\(\)"):
        mp.linalg.solve(x, x)


# ---- rows beyond the table's sizes ----


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float8_e4m3fn", "float8_e5m2"])
def test_reductions_of_narrow_dtypes(dtype):
    """In packs or not: those of one and two bytes that no kernel of packs reads."""
    rng = np.random.default_rng(0)
    for shape in ((4096,), (64, 96), (96, 64, 3)):
        a = rng.integers(0, 4, shape)
        x = mp.array(a).astype(dtype).to("cuda")
        for axis in (None, 0, -1):
            for name in ("mean", "max", "min", "count_nonzero", "any", "all"):
                got, want = getattr(mp, name)(x, axis), getattr(np, name)(a, axis)
                got = host(got.astype("float32")).astype(np.float64)
                close = 0.13 if name == "mean" and "float8" in dtype else 1e-5
                np.testing.assert_allclose(got, want, rtol=close, err_msg=f"{name} {shape} {axis}")


@pytest.mark.parametrize("shape", [(1 << 20,), (5, 100_003), (100_003, 5), (700, 3, 40)])
def test_long_scans(shape):
    a = np.random.default_rng(0).integers(-3, 4, shape)
    for dtype in ("float32", "int32"):
        x = mp.array(a).astype(dtype).to("cuda")
        for axis in range(a.ndim):
            np.testing.assert_array_equal(host(mp.cumsum(x, axis)), np.cumsum(a, axis))
            got = host(mp._core.cummax(x, axis))
            np.testing.assert_array_equal(got, np.maximum.accumulate(a, axis))


def test_recurrence_of_factors_that_grow():
    """Their products overflow where y is 0 still."""
    n = 20_000
    b = np.zeros(n)
    b[-3:] = 1
    factors = mp.full(n, 2.0, dtype="float64", device="cuda")
    y = mp._core.recurrence(factors, mp.array(b).to("cuda"), 0)
    np.testing.assert_array_equal(host(y)[-4:], [0, 1, 3, 7])
    assert not host(y)[:-3].any()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64", "int64", "uint8"])
@pytest.mark.parametrize("shape", [(300_001,), (40, 3000), (3000, 40)])
def test_long_sorts(shape, dtype):
    rng = np.random.default_rng(0)
    x = mp.array(rng.integers(0, 200, shape)).astype(dtype)
    a = host(x.astype("float64"))
    if x.dtype.kind not in "iu":
        a.reshape(-1)[::1001] = np.nan
    x = mp.array(a).astype(dtype).to("cuda")
    for axis in range(a.ndim):
        np.testing.assert_array_equal(
            host(mp.sort(x, axis=axis).astype("float64")), np.sort(a, axis)
        )
        want = np.argsort(a, axis, kind="stable")
        np.testing.assert_array_equal(host(mp.argsort(x, axis=axis)), want)
    values, counts = mp.unique(x[x == x], return_counts=True)
    want = np.unique(a[a == a], return_counts=True)
    np.testing.assert_array_equal(host(values.astype("float64")), want[0])
    np.testing.assert_array_equal(host(counts), want[1])


@pytest.mark.parametrize("n", [0, 1, 31, 33, 4095, 4097, 1 << 20])
def test_masks_of_every_size(n):
    mask = np.random.default_rng(n).random(n) > 0.3
    x = mp.array(mask).to("cuda")
    np.testing.assert_array_equal(host(mp.flatnonzero(x)), np.flatnonzero(mask))
    np.testing.assert_array_equal(host(mp.arange(n, device="cuda")[x]), np.flatnonzero(mask))
    odd = mp.array(np.r_[True, mask]).to("cuda")[1:]  # at an odd address
    np.testing.assert_array_equal(host(mp.flatnonzero(odd)), np.flatnonzero(mask))


def test_more_than_31_bits():
    """Indices of 64 bits, where the card has the memory."""
    n = (1 << 31) + 5
    if mp.cuda.mem_get_info()[0] < 40 * (1 << 30):
        pytest.skip("less than 40 GiB are free")
    x = mp.zeros(n, dtype="int8", device="cuda")
    x[-2:] = 1
    assert mp.count_nonzero(x).item() == 2
    assert mp.flatnonzero(x != 0).tolist() == [n - 2, n - 1]
    assert mp.cumsum(x[: 1 << 30])[-1].item() == 0
    assert (x + x)[-1].item() == 2
    assert mp.bitwise_or(x, 4)[-1].item() == 5
    assert x[mp.array([n - 1, 0]).to("cuda")].tolist() == [1, 0]
    assert mp.sort(x)[-3:].tolist() == [0, 1, 1]
    del x
    mp.cuda.empty_cache()


def test_rows_do_not_wait(x):
    """Pointwise ops, scans, sorts, searches and indices in a loop; unique and nonzero wait once."""
    i = mp.array([[3], [1]]).to("cuda")
    sorted_row = mp.sort(x[0])
    x.requires_grad_()

    def work():
        y = mp.hypot(mp.sin(x), mp.cos(x)) + mp.floor(x) // 2 + mp.logaddexp(x, 0.5)
        y = mp.cumsum(mp.sort(y, axis=1), axis=0) + mp.cumprod(x, 1)
        y = y + mp.take_along_axis(x, mp.argsort(x, axis=0), 0)
        z = mp.where(mp.isnan(y) | (y > 3), 0.0, y)
        mp.searchsorted(sorted_row, x.detach())
        mp.add.at(z.detach(), (i[:, 0],), 1.0)
        mp.all(x > 0), mp.count_nonzero(x, axis=0), mp.median(x.detach()), mp.var(x, axis=1)
        mp.percentile(x.detach(), [10, 90], axis=1)
        (z.sum() + mp.prod(z[:2, :2]) + mp.logsumexp(z)).backward()

    work()
    work()
    before = mp.cuda.wait_count()
    work()
    assert mp.cuda.wait_count() == before
    for found in (mp.unique, mp.nonzero, lambda a: a[a > 0], lambda a: mp.extract(a > 0, a)):
        found(x.detach())  # memory for the first time may wait
        before = mp.cuda.wait_count()
        found(x.detach())
        assert mp.cuda.wait_count() == before + 1


def test_numbers_keep_gradients(x):
    x.requires_grad_()
    ((x * 3 + 1) / 2).sum().backward()
    np.testing.assert_allclose(host(x.grad), 1.5)


# ---- random numbers ----


@pytest.mark.parametrize("n", [1, 31, 1025, 100_003])
def test_random_numbers_as_on_the_cpu(n):
    draws = {
        "rand": lambda device: mp.random.rand(n, device=device),
        "rand float16": lambda device: mp.random.rand(n, dtype=mp.float16, device=device),
        "rand float64": lambda device: mp.random.rand(n, dtype=mp.float64, device=device),
        "randint": lambda device: mp.random.randint(-5, 1000, (n,), device=device),
        "permutation": lambda device: mp.random.permutation(n, device=device),
        "dropout": lambda device: nn.functional.dropout(mp.ones(n, device=device), 0.3),
    }
    for name, draw in draws.items():
        got, want = [], []
        for device, values in (("cuda", got), ("cpu", want)):
            mp.manual_seed(7)
            draw(device)  # the second call, so that the call number counts too
            values.append(host(draw(device)))
        np.testing.assert_array_equal(got[0], want[0], err_msg=name)
    mp.manual_seed(7)
    got = host(mp.random.randn(n, device="cuda"))
    mp.manual_seed(7)
    np.testing.assert_array_max_ulp(got, host(mp.random.randn(n)), 2)


# ---- indexing ----


def test_indexing(x):
    a, mask = host(x), host(x) > 0.5
    i, j = np.array([[1, -2], [0, 5]]), np.array([3, -1])
    for index in (1, (2, 3), i, (i, j), (slice(None), i), (1, j), (i, None, 2), mask, mask[:, 0]):
        for ours in (index, place_on_gpu(index)):
            np.testing.assert_array_equal(host(x[ours]), a[index])
            for value in (7.0, -a[index]):
                y, want = x.clone(), a.copy()
                y[ours] = mp.array(value) if np.ndim(value) else value
                want[index] = value
                np.testing.assert_array_equal(host(y), want)
    np.testing.assert_array_equal(host(mp.flatnonzero(x > 0.5)), np.flatnonzero(mask))
    for got, want in zip(mp.nonzero(x > 0.5), np.nonzero(mask), strict=True):
        np.testing.assert_array_equal(host(got), want)


def place_on_gpu(index):
    items = index if isinstance(index, tuple) else (index,)
    return tuple(mp.array(i).to("cuda") if isinstance(i, np.ndarray) else i for i in items)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int8", "int64"])
def test_add_at(dtype):
    rng = np.random.default_rng(0)
    a, i = rng.integers(0, 3, (50, 6)), rng.integers(-50, 50, 400)
    value = rng.integers(0, 2, (400, 6))
    x = mp.array(a).astype(dtype).to("cuda")
    mp.functional.indexing.add_at(x, mp.array(i).to("cuda"), mp.array(value).to("cuda"))
    np.add.at(a, i, value)
    np.testing.assert_array_equal(host(x.astype("int64")), a)


def test_indexing_does_not_wait(x):
    i, value = mp.array([3, 1]).to("cuda"), mp.zeros((2, 65), device="cuda")
    x.requires_grad_()

    def work():
        y = x * 1
        y[i] = value
        y[:, i] = 2.0
        y[1, 2:4] = 3.0
        (y[i, i].sum() + y[1, 2] + y[i[0]].sum()).backward()

    work()  # memory for the first time may wait
    before = mp.cuda.wait_count()
    work()
    assert mp.cuda.wait_count() == before
    x.detach()[mp.zeros(33, dtype="bool", device="cuda")]  # the number of elements is waited for
    assert mp.cuda.wait_count() == before + 1


# ---- late errors ----


def test_index_out_of_range(x):
    weight = mp.zeros((5, 4), device="cuda")
    nn.functional.embedding(mp.array([1, 7]).to("cuda"), weight)
    with pytest.raises(IndexError, match=r"embedding: index 7 at position 1.*extent of 5"):
        mp.cuda.synchronize()
    mp.cuda.synchronize()  # once
    np.testing.assert_array_equal(host(x + 0), host(x))


def test_index_array_out_of_range(x):
    a = host(x)
    i = mp.array([0, 40]).to("cuda")
    y = x[i]
    with pytest.raises(IndexError, match=r"index: index 40 at position 1.*extent of 33"):
        mp.cuda.synchronize()
    np.testing.assert_array_equal(host(y), [a[0], np.zeros(65, np.float32)])
    x[i] = 0
    with pytest.raises(IndexError, match="index_put: index 40"):
        mp.cuda.synchronize()
    a[0] = 0
    np.testing.assert_array_equal(host(x), a)


@pytest.mark.parametrize("name", ["take", "take_along_axis"])
def test_take_out_of_range(name, x):
    i = mp.array([[0], [65]]).to("cuda")
    y = mp.take(x, i, axis=1) if name == "take" else mp.take_along_axis(x[:2], i, 1)
    with pytest.raises(IndexError, match=rf"{name}: index 65 at position 1.*extent of 65"):
        mp.cuda.synchronize()
    assert not host(y).reshape(-1)[-1].any()
    np.testing.assert_array_equal(host(x + 0), host(x))


def test_target_out_of_range():
    logits = mp.zeros((4, 10), device="cuda")
    nn.functional.cross_entropy(logits, mp.array([0, 1, 2, 10]).to("cuda"))
    with pytest.raises(IndexError, match="cross_entropy: index 10"):
        mp.cuda.synchronize()


def test_sync_names_the_op():
    code = """
import mixprec as mp
from mixprec import nn
try:
    nn.functional.embedding(mp.array([9]).to("cuda"), mp.zeros((5, 4), device="cuda"))
except IndexError as error:
    print(error)
"""
    assert "embedding: index 9" in run_python(code, env={"MIXPREC_SYNC": "1"})


def test_fork():
    code = """
import os, sys
import mixprec as mp
x = mp.ones(3, device="cuda")
if os.fork() == 0:
    try:
        x + 1
    except mp.DeviceError as error:
        print(error, flush=True)
        os._exit(0)
    os._exit(1)
assert os.wait()[1] == 0
assert (x + 1).sum().item() == 6
"""
    assert "spawn" in run_python(code)


def test_queries_leave_no_error(x):
    """That a stream is not done yet is no failure of the next call."""
    big = mp.ones((4096, 4096), device="cuda")
    for _ in range(20):
        big = big @ big * (1 / 4096)
    assert mp.cuda.current_stream().query() in (True, False)
    event = mp.cuda.current_stream().record_event()
    assert event.query() in (True, False)
    np.testing.assert_array_equal(host(x + 0), host(x))


# ---- memory ----


def test_memory_is_reused():
    def step():
        a = mp.random.rand(1000, 300, device="cuda")
        return (a * a + 1).sum()

    for _ in range(3):
        step()
    mp.cuda.synchronize()
    reserved = mp.cuda.memory_reserved()
    for _ in range(50):
        step()
    assert mp.cuda.memory_reserved() == reserved
    gc.collect()
    mp.cuda.empty_cache()
    assert mp.cuda.memory_reserved() <= reserved
    assert mp.cuda.memory_allocated() <= mp.cuda.memory_reserved()
    assert "held by arrays" in mp.cuda.memory_summary()


def test_out_of_memory(x):
    total = mp.cuda.mem_get_info()[1]
    with pytest.raises(mp.OutOfMemoryError, match=rf"{2 * total} bytes were asked for on cuda:0"):
        mp.empty((2 * total,), dtype=mp.int8, device="cuda")
    np.testing.assert_array_equal(host(x * 1), host(x))


# ---- streams ----


def test_streams(x):
    side = mp.cuda.Stream()
    main = mp.cuda.current_stream()
    side.wait_stream(main)
    with mp.cuda.stream(side):
        assert mp.cuda.current_stream() == side
        y = x @ x.T
        for _ in range(10):
            y = y / 2
    main.wait_stream(side)
    z = y + 1
    del y
    np.testing.assert_allclose(host(z), host(x) @ host(x).T / 1024 + 1, rtol=1e-4, atol=1e-4)
    assert mp.cuda.current_stream() == main
    begin, end = mp.cuda.Event(enable_timing=True), mp.cuda.Event(enable_timing=True)
    begin.record()
    x = x + 1
    end.record()
    end.synchronize()
    assert end.query()
    assert begin.elapsed_time(end) >= 0
    side.synchronize()
    assert side.query()


def test_memory_of_another_stream():
    """What a stream still reads is not given out to another one."""
    side = mp.cuda.Stream()
    big = mp.ones((4096, 4096), device="cuda")
    with mp.cuda.stream(side):
        source = mp.ones((1 << 20,), device="cuda")
    side.synchronize()
    total = mp.zeros((), device="cuda")
    for _ in range(20):
        big = big @ big * (1 / 4096)
    total = total + source.sum() * 0 + source.sum()
    del source
    with mp.cuda.stream(side):
        other = mp.zeros((1 << 20,), device="cuda")
    assert total.item() == 1 << 20
    assert other.sum().item() == 0


# ---- training ----


def train(device, dtype, steps=40):
    rng = np.random.default_rng(0)
    mp.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(20, 64),
        nn.LayerNorm(64),
        nn.GELU(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 5),
    ).to(device)
    opt = optim.AdamW(model.parameters(), lr=3e-3)
    scaler = mp.GradScaler(enabled=dtype == mp.float16)
    images = rng.standard_normal((40, 32, 20), dtype=np.float32)
    labels = (images[..., :5].argmax(-1)).astype(np.int64)
    losses = []
    for i in range(steps):
        x, y = mp.array(images[i % 40]).to(device), mp.array(labels[i % 40]).to(device)
        opt.zero_grad()
        with mp.autocast(dtype=dtype, enabled=dtype is not None):
            loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(opt, max_norm=1.0)
        scaler.update()
        losses.append(loss.detach())
    return np.array([float(loss) for loss in losses]), scaler


@pytest.mark.parametrize("dtype", [None, mp.float16, mp.bfloat16], ids=str)
def test_training_as_on_the_cpu(dtype):
    """Whole runs: the same losses up to what roundings do over the steps."""
    ours, scaler = train("cuda", dtype)
    theirs, other = train("cpu", dtype)
    close = 1e-3 if dtype is None else 0.05
    np.testing.assert_allclose(ours, theirs, rtol=close, atol=close)
    assert scaler.get_scale() == other.get_scale()
    assert ours[-5:].mean() < 0.8 * ours[:5].mean()


@pytest.mark.parametrize("kind", ["adamw", "sgd in float16"])
def test_training_does_not_wait(kind):
    """Float16, scaler, clipping, groups, a schedule, batches of NumPy arrays."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Linear(20, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 5)
    ).to("cuda")  # fmt: skip
    if kind == "adamw":
        groups = [{"params": model[:2].parameters()}, {"params": model[3].parameters(), "lr": 1e-3}]
        opt = optim.AdamW(groups, lr=3e-3)
    else:
        opt = optim.SGD(model.half().parameters(), lr=1e-2, momentum=0.9)
    schedule = optim.lr_scheduler.CosineAnnealingLR(opt, 100)
    scaler = mp.GradScaler()
    images = rng.standard_normal((32 * 30, 20), dtype=np.float32)
    labels = images[:, :5].argmax(-1)
    waits, results = [], []
    for x, y in mp.data.batches(images, labels, batch_size=32, shuffle=True, device="cuda"):
        opt.zero_grad()
        with mp.autocast(dtype=mp.float16):
            loss = nn.functional.cross_entropy(model(x), y)
        if len(results) == 7:
            loss = loss * float("inf")
        scaler.scale(loss).backward()
        results.append(scaler.step(opt, max_norm=1.0))
        scaler.update()
        schedule.step()
        waits.append(mp.cuda.wait_count())
    assert len(set(waits[2:])) == 1
    assert [bool(result) for result in results] == [i != 7 for i in range(30)]
    assert schedule.last_epoch == 29
    assert float(opt.param_groups[0]["lr"]) == schedule.get_last_lr()[0]
    assert mp.cuda.wait_count() > waits[-1]  # reading waits, and is counted


def test_schedules_as_on_the_cpu():
    """Skipped steps leave the rate where it is, without the host knowing."""
    runs = []
    for device in ("cpu", "cuda"):
        model = nn.Linear(8, 4)
        model.load_state_dict({"weight": mp.full((4, 8), 0.5), "bias": mp.zeros(4)})
        opt = optim.Adam(model.to(device).parameters(), lr=0.1)
        schedule = optim.lr_scheduler.StepLR(opt, 1, 0.5)
        scaler, rates = mp.GradScaler(), []
        for i in range(10):
            opt.zero_grad()
            loss = (model(mp.ones((2, 8), device=device)) ** 2).sum()
            scaler.scale(loss * (float("inf") if i % 3 == 1 else 1.0)).backward()
            scaler.step(opt)
            scaler.update()
            schedule.step()
            rates.append(opt.param_groups[0]["lr"])
        runs.append((host(model.weight), [float(rate) for rate in rates], schedule.last_epoch))
    np.testing.assert_allclose(runs[1][0], runs[0][0], rtol=1e-5)
    assert runs[0][1:] == runs[1][1:]


def test_repeated_skips_warn():
    """Without that anything is waited for."""
    model = nn.Linear(8, 4).to("cuda")
    opt, scaler = optim.SGD(model.parameters(), lr=0.1), mp.GradScaler()

    def step():
        opt.zero_grad()
        scaler.scale(model(mp.ones((2, 8), device="cuda")).sum() * float("nan")).backward()
        scaler.step(opt)
        mp.cuda.synchronize()
        before = mp.cuda.wait_count()
        scaler.update()
        return mp.cuda.wait_count() - before

    with pytest.warns(UserWarning, match=r"steps in a row were skipped.*loss itself is nan"):
        waits = [step() for _ in range(60)]
    assert sum(map(bool, waits[1:])) == 1  # the diagnosis reads the loss


def test_injected_inf_skips():
    """A step with inf in a gradient changes nothing but the scale."""
    model = nn.Linear(8, 4).to("cuda")
    opt = optim.Adam(model.parameters(), lr=0.1)
    scaler = mp.GradScaler(init_scale=1024.0)
    before = host(model.weight).copy()
    for factor in (float("inf"), 1.0):
        opt.zero_grad()
        loss = (model(mp.ones((2, 8), device="cuda")) * factor).sum()
        scaler.scale(loss).backward()
        result = scaler.step(opt)
        scaler.update()
        if factor != 1.0:
            assert result.skipped
            assert result.where
            np.testing.assert_array_equal(host(model.weight), before)
            assert scaler.get_scale() == 512
    assert bool(result)
    assert not np.array_equal(host(model.weight), before)


def test_batches_on_the_gpu():
    images = np.arange(64 * 4, dtype=np.float32).reshape(64, 4)
    seen = []
    for x, y in mp.data.batches(images, np.arange(64), batch_size=10, device="cuda"):
        assert x.device == "cuda:0"
        seen.append(host(x * 1))
        assert y.dtype == np.int64
    np.testing.assert_array_equal(np.concatenate(seen), images)


@pytest.mark.parametrize("source", ["numpy", "gpu"])
def test_batches_are_ordered_and_safe(source):
    """Made on a stream of their own while the consumer is behind; memory is not reused early."""
    rows = np.arange(40 * 8 * 5000, dtype=np.float32).reshape(40 * 8, 5000)
    given = rows if source == "numpy" else mp.array(rows).to("cuda") + 0
    for _ in range(2):
        big, sums = mp.ones((2048, 2048), device="cuda"), []
        for x in mp.data.batches(given, batch_size=8, device="cuda"):
            for _ in range(3):
                big = big @ big * (1 / 2048)
            sums.append((x - big[0, 0] + 1).sum(axis=1))
        got = np.concatenate([host(each) for each in sums])
        np.testing.assert_allclose(got, rows.sum(axis=1), rtol=1e-5)


def test_save_and_load(tmp_path):
    model = nn.Linear(3, 2).to("cuda")
    opt = optim.Adam(model.parameters())
    model(mp.ones((1, 3), device="cuda")).sum().backward()
    opt.step()
    mp.save(tmp_path / "run.safetensors", model=model, optimizer=opt, step=1)
    other = nn.Linear(3, 2).to("cuda")
    again = optim.Adam(other.parameters())
    assert mp.load(tmp_path / "run.safetensors", model=other, optimizer=again)["step"] == 1
    np.testing.assert_array_equal(host(other.weight), host(model.weight))


# ---- other libraries ----


@pytest.mark.parametrize("name", ["torch", "cupy"])
def test_dlpack(name, x):
    library = pytest.importorskip(name, reason=f"{name} is not installed")
    there = library.from_dlpack(x)
    back = mp.from_dlpack(there)
    assert back.device == "cuda:0"
    np.testing.assert_array_equal(host(back), host(x))


@pytest.mark.parametrize("stream", [None, 1, 2, -1, "own"])
def test_dlpack_does_not_wait(stream, x):
    side = mp.cuda.Stream()
    handle = side.cuda_stream if stream == "own" else stream
    y = x * 2
    before = mp.cuda.wait_count()
    capsule = y.__dlpack__(stream=handle)
    back = mp._core.from_dlpack(capsule)
    again = mp.from_dlpack(y)
    assert mp.cuda.wait_count() == before
    np.testing.assert_array_equal(host(back), host(x) * 2)
    np.testing.assert_array_equal(host(again), host(x) * 2)
    with pytest.raises(ValueError, match="stream is 0"):
        y.__dlpack__(stream=0)


def test_dlpack_is_ordered(x):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    big = mp.ones((4096, 4096), device="cuda")
    for _ in range(30):
        big = big @ big * (1 / 4096)
    there = torch.from_dlpack(big * 3)  # the consumer's stream waits for ours
    total = there.sum()
    for _ in range(30):
        there = there @ there / 4096 / 3
    back = mp.from_dlpack(there + 1).sum()  # ours waits for theirs
    assert total.item() == 3 * 4096**2
    assert back.item() == 4 * 4096**2


DTYPES = words(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 "
    "float8_e4m3fn float8_e5m2"
)


def torch_on_gpus():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    return torch


def bits(x):
    """An array's bytes on the host."""
    return host(x).view(np.uint8).tolist()


def torch_bits(torch, x):
    return x.contiguous().view(torch.uint8).cpu().numpy().tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_shares_every_dtype(dtype):
    """Through DLPack, there and back, without a copy and without waiting."""
    torch = torch_on_gpus()
    x = mp.array([0, 1, 1, 0]).astype(dtype).to("cuda")
    before = mp.cuda.wait_count()
    there = torch.from_dlpack(x)
    back = mp.from_dlpack(there)
    assert mp.cuda.wait_count() == before
    assert there.dtype == getattr(torch, dtype)
    assert there.data_ptr() == x.data_ptr() == back.data_ptr()
    assert back.dtype == x.dtype
    want = bits(x)
    assert torch_bits(torch, there) == want
    del x, there
    gc.collect()
    assert bits(back) == want


@pytest.mark.parametrize("dtype", DTYPES)
def test_cuda_array_interface(dtype):
    x = mp.array([[0, 1], [1, 0]]).astype(dtype).to("cuda")
    if dtype in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):  # it has no name for them
        assert not hasattr(x, "__cuda_array_interface__")
        return
    torch = torch_on_gpus()
    said = x.T.__cuda_array_interface__
    assert said["data"][0] == x.data_ptr()
    assert said["shape"] == (2, 2)
    there = torch.as_tensor(x, device="cuda")
    assert there.data_ptr() == x.data_ptr()
    assert torch_bits(torch, there) == bits(x)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if "float8" not in d and d != "bfloat16"])
def test_cupy_shares_every_dtype(dtype):
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    x = mp.array([0, 1, 1, 0]).astype(dtype).to("cuda")
    for there in (cupy.asarray(x), cupy.from_dlpack(x)):
        assert there.dtype == x.dtype
        assert there.data.ptr == x.data_ptr()
        back = mp.from_dlpack(there)
        assert back.data_ptr() == x.data_ptr()
        np.testing.assert_array_equal(cupy.asnumpy(there), host(x))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if "float8" not in d and "64" not in d])
def test_jax_shares_every_dtype(dtype):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    if jax.default_backend() != "gpu":
        pytest.skip(f"jax runs on {jax.default_backend()}")
    x = mp.array([0, 1, 1, 0]).astype(dtype).to("cuda")
    there = jax.numpy.from_dlpack(x)
    back = mp.from_dlpack(there)
    assert str(there.dtype) == dtype
    assert back.dtype == x.dtype
    del there
    gc.collect()
    assert bits(back) == bits(x)


def test_memory_outlives_its_producer():
    torch = torch_on_gpus()
    there = torch.from_dlpack(mp.full((1 << 16,), 3.0, device="cuda"))
    ours = mp.from_dlpack(torch.full((1 << 16,), 5.0, device="cuda"))
    gc.collect()
    filled = [mp.zeros(1 << 16, device="cuda") for _ in range(8)]
    more = [torch.zeros(1 << 16, device="cuda") for _ in range(8)]
    assert there.sum().item() == 3 * (1 << 16)
    assert ours.sum().item() == 5 * (1 << 16)
    del filled, more


def torch_steps(torch, steps=5, dtype=None):
    """Losses of a small torch model under our optimizer and scaler, and what was waited for."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
    model = model.to("cuda", dtype)
    places = [p.data_ptr() for p in model.parameters()]
    opt = optim.AdamW(list(model.parameters()), lr=0.05)
    scaler = mp.GradScaler(init_scale=256.0)
    x = torch.randn(32, 8, device="cuda", dtype=dtype)
    y = torch.randint(0, 3, (32,), device="cuda")
    waits, losses = [], []
    for _ in range(steps):
        opt.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x).float(), y)
        scaler.scale(loss).backward()
        scaler.step(opt, max_norm=1.0)
        scaler.update()
        losses.append(loss.detach())
        waits.append(mp.cuda.wait_count())
    assert [p.data_ptr() for p in model.parameters()] == places
    return [loss.item() for loss in losses], waits


@pytest.mark.parametrize("dtype", [None, "float16"])
def test_torch_model_trains_where_it_lies(dtype):
    torch = torch_on_gpus()
    losses, waits = torch_steps(torch, 8, None if dtype is None else getattr(torch, dtype))
    assert len(set(waits[2:])) == 1
    assert losses[-1] < losses[0]


def test_cupy_parameters_step_where_they_lie():
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    w, g = cupy.ones(1000, dtype="float32"), cupy.full(1000, 256.0, dtype="float32")
    place = w.data.ptr
    opt, scaler = optim.SGD([w], lr=0.5), mp.GradScaler(init_scale=256.0)
    waits = []
    for _ in range(5):
        scaler.step(opt, grads=[g])
        scaler.update()
        waits.append(mp.cuda.wait_count())
    assert w.data.ptr == place
    assert len(set(waits[2:])) == 1
    np.testing.assert_array_equal(cupy.asnumpy(w), 1 - 5 * 0.5)
    np.testing.assert_array_equal(cupy.asnumpy(g), 256.0)  # read, never written
