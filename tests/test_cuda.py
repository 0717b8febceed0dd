"""What only a GPU shows: streams, memory, late errors, numbers of the host, training."""

import gc

import numpy as np
import pytest

import mixprec as mp
from helpers import host, run_python
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
