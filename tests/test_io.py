"""mp.save and mp.load: what a file holds, resuming exactly, and files that lie."""

import json
import os
import stat
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mixprec as mp
from dtypes import DTYPES, dtype_of
from mixprec import nn, optim

OPTIMIZERS = {
    "adam": lambda p: optim.Adam(p, lr=1e-2),
    "adamw": lambda p: optim.AdamW(p, lr=1e-2, weight_decay=0.1),
    "sgd": lambda p: optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True),
    "plain": lambda p: optim.SGD(p, lr=1e-2),
}


class Run:
    """A small training run."""

    def __init__(self, kind="adamw", seed=0, half=False):
        mp.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
        if half:
            self.model.half()
        self.opt = OPTIMIZERS[kind](self.model.parameters())
        self.scaler = mp.GradScaler("cpu", init_scale=256.0, growth_interval=3)
        self.half = half

    def step(self, n=1):
        for _ in range(n):
            x = mp.random.randn(16, 4)
            with mp.autocast("cpu", mp.float16):
                loss = (self.model(x.half() if self.half else x).float() ** 2).mean()
            self.opt.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.step(self.opt)
            self.scaler.update()

    def parts(self):
        return {"model": self.model, "optimizer": self.opt, "scaler": self.scaler}

    def values(self):
        """Everything there is, as bytes and plain values."""
        out = {k: v.numpy().tobytes() for k, v in self.model.state_dict().items()}
        state = self.opt.state_dict()
        for i, entry in state["state"].items():
            for key, value in entry.items():
                plain = value.numpy().tobytes() if isinstance(value, mp.ndarray) else value
                out[f"{i}.{key}"] = plain
        out["groups"] = json.dumps(state["param_groups"], default=str)
        out["scaler"] = json.dumps(self.scaler.state_dict(), default=float)
        return out


@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_resume_is_exact(tmp_path, kind, half):
    path = tmp_path / "run.safetensors"
    a = Run(kind, half=half)
    a.step(4)
    mp.save(path, **a.parts(), step=4)
    a.step(3)
    b = Run(kind, seed=99, half=half)
    assert mp.load(path, **b.parts())["step"] == 4
    b.step(3)
    assert b.values() == a.values()


def test_names_in_the_file(tmp_path):
    from safetensors import safe_open

    path = tmp_path / "run.safetensors"
    run = Run("adam", half=True)
    run.step(2)
    mp.save(path, **run.parts(), step=2, table=np.eye(3))
    with safe_open(path, framework="np") as f:
        names, metadata = set(f.keys()), f.metadata()
    assert {"model.0.weight", "model.3.bias", "table"} <= names
    for key in ("exp_avg", "exp_avg_sq", "step", "master"):
        assert f"optimizer.0.weight.{key}" in names
    assert metadata["step"] == "2"
    assert json.loads(metadata["optimizer"])["groups"][0]["params"][0] == "0.weight"
    assert "scale" in json.loads(metadata["scaler"])
    assert all(isinstance(v, str) for v in metadata.values())
    run = Run("sgd")
    run.step()
    mp.save(path, **run.parts())
    with safe_open(path, framework="np") as f:
        assert "optimizer.0.weight.momentum_buffer" in set(f.keys())


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype(tmp_path, name):
    a = np.arange(12).reshape(3, 4).astype(dtype_of(name))
    mp.save(tmp_path / "x", a=a, b=mp.array(a).T, zero=a[0, 0], empty=a[:0], rng=False)
    got = mp.load(tmp_path / "x")
    assert set(got) == {"a", "b", "zero", "empty"}
    for key, want in {"a": a, "b": a.T, "zero": np.asarray(a[0, 0]), "empty": a[:0]}.items():
        assert got[key].dtype == a.dtype
        assert got[key].shape == want.shape
        assert got[key].numpy().tobytes() == np.ascontiguousarray(want).tobytes()
    got["a"].fill_(1)


def test_arrays_are_filled(tmp_path):
    mp.save(tmp_path / "x", ema=np.arange(3.0), rng=False)
    ema = mp.zeros(3, dtype=mp.float64)
    assert mp.load(tmp_path / "x", ema=ema) == {}
    assert ema.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="load: ema has shape"):
        mp.load(tmp_path / "x", ema=mp.zeros(4, dtype=mp.float64))
    with pytest.raises(TypeError, match="load: ema is float64 in the file, float32"):
        mp.load(tmp_path / "x", ema=mp.zeros(3))
    with pytest.raises(ValueError, match="load: the file has no other"):
        mp.load(tmp_path / "x", other=ema)


def test_parts_left_out_come_back(tmp_path):
    run = Run()
    run.step()
    mp.save(tmp_path / "x", **run.parts(), step=1)
    got = mp.load(tmp_path / "x", model=Run(seed=5).model)
    assert got["step"] == 1
    assert "optimizer.0.weight.exp_avg" in got
    assert not any(name.startswith("model.") for name in got)


def test_generator(tmp_path):
    mp.manual_seed(7)
    mp.random.rand(3)
    mp.save(tmp_path / "x")
    a = mp.random.rand(5).tolist()
    mp.load(tmp_path / "x")
    assert mp.random.rand(5).tolist() == a
    mp.load(tmp_path / "x", rng=False)
    assert mp.random.rand(5).tolist() != a


def test_rename_is_atomic_and_clean(tmp_path):
    path = tmp_path / "x"
    mp.save(path, a=np.zeros(3))
    with pytest.raises(TypeError):
        mp.save(path, a=np.array([object()]))
    with pytest.raises(ValueError):
        mp.save(path, **{"model.a": np.zeros(1)})
    assert os.listdir(tmp_path) == ["x"]
    assert mp.load(path)["a"].shape == (3,)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666 & ~umask
    link = tmp_path / "link"
    link.symlink_to(path)
    mp.save(link, a=np.zeros(4))
    assert link.is_symlink()
    assert mp.load(path)["a"].shape == (4,)


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    mp.save(path, a=np.zeros(3))

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        mp.save(path, a=np.zeros(4))
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["x"]
    assert mp.load(path)["a"].shape == (3,)


# ---- what load refuses, leaving everything as it was ----


def edited(path, change):
    """Rewrites the file's header (a dict) by `change`."""
    data = path.read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + n])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + n :])


def metadata(key, value):
    def change(header):
        header["__metadata__"][key] = value

    return change


def inner(key, *path, value):
    """Changes one value inside a JSON text of the metadata."""

    def change(header):
        tree = json.loads(header["__metadata__"][key])
        node = tree
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value
        header["__metadata__"][key] = json.dumps(tree)

    return change


def renamed(old, new):
    def change(header):
        header[new] = header.pop(old)

    return change


def entry(name, **values):
    def change(header):
        header[name].update(values)

    return change


HOSTILE = {
    "missing tensor": renamed("model.0.weight", "other"),
    "unexpected tensor": renamed("model.0.weight", "model.9.weight"),
    "wrong shape": entry("model.0.weight", shape=[4, 8]),
    "wrong dtype": entry("model.0.weight", dtype="I32"),
    "unknown dtype": entry("model.0.weight", dtype="F99"),
    "too large a shape": entry("model.0.weight", shape=[2**40, 2**40]),
    "negative shape": entry("model.0.weight", shape=[-8, -4]),
    "shape of text": entry("model.0.weight", shape="84"),
    "offsets outside": entry("model.0.weight", data_offsets=[0, 2**40]),
    "offsets reversed": entry("model.0.weight", data_offsets=[128, 0]),
    "overlapping offsets": entry("model.3.bias", data_offsets=[0, 8]),
    "state of no parameter": renamed("optimizer.0.weight.exp_avg", "optimizer.7.weight.exp_avg"),
    "unknown state": renamed("optimizer.0.weight.exp_avg", "optimizer.0.weight.velocity"),
    "missing state": renamed("optimizer.0.weight.exp_avg", "mean"),
    "wrong state shape": entry("optimizer.0.weight.exp_avg", shape=[4, 8]),
    "wrong state dtype": entry("optimizer.0.weight.exp_avg", dtype="I32"),
    "other optimizer": inner("optimizer", "class", value="SGD"),
    "other groups": inner("optimizer", "groups", value=[]),
    "groups of text": inner("optimizer", "groups", value="x"),
    "other parameters": inner("optimizer", "groups", 0, "params", value=["0.bias"]),
    "text for a rate": inner("optimizer", "groups", 0, "lr", value="fast"),
    "NaN for a rate": inner("optimizer", "groups", 0, "lr", value=float("nan")),
    "a rate beyond float64": inner("optimizer", "groups", 0, "lr", value=10**400),
    "text for an initial rate": inner("optimizer", "groups", 0, "initial_lr", value="x"),
    "other attributes": inner("optimizer", "more", "state", value={}),
    "more hyper-parameters": inner("optimizer", "groups", 0, "more", value=1),
    "no optimizer": metadata("optimizer", "null"),
    "no JSON": metadata("optimizer", "{"),
    "deep JSON": metadata("optimizer", "[" * 100_000),
    "many dimensions": entry("model.0.weight", shape=[8, 4] + [1] * 70),
    "boundless shape": entry("model.0.weight", shape=[0, 2**62], data_offsets=[0, 0]),
    "NaN scale": inner("scaler", "scale", value=float("nan")),
    "infinite scale": inner("scaler", "scale", value=float("inf")),
    "negative scale": inner("scaler", "scale", value=-1.0),
    "zero scale": inner("scaler", "scale", value=0.0),
    "text scale": inner("scaler", "scale", value="1"),
    "growth factor below 1": inner("scaler", "growth_factor", value=0.5),
    "scaler without scale": metadata("scaler", "{}"),
    "scaler of text": metadata("scaler", "x"),
    "generator of text": metadata("rng", '{"cpu": "x"}'),
    "generator too large": metadata("rng", '{"cpu": [0, 18446744073709551616]}'),
    "step of text": metadata("step", "one"),
    "huge step": metadata("step", "9" * 10_000),
    "other version": metadata("version", "99"),
}


@pytest.mark.core
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file_changes_nothing(tmp_path, case):
    path = tmp_path / "x"
    run = Run("adamw")
    run.step(2)
    mp.save(path, **run.parts(), step=2)
    edited(path, HOSTILE[case])
    other = Run("adamw", seed=1)
    other.step(1)
    before, random = other.values(), mp._core.rng_state("cpu")
    with pytest.raises((ValueError, TypeError), match=r"load|scale|growth|lr"):
        mp.load(path, **other.parts())
    assert other.values() == before
    assert mp._core.rng_state("cpu") == random


@pytest.mark.core
def test_truncated_file(tmp_path):
    path = tmp_path / "x"
    run = Run()
    run.step()
    mp.save(path, **run.parts())
    data = path.read_bytes()
    before = run.values()
    for cut in [*range(0, 200, 13), len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:cut])
        with pytest.raises(ValueError, match="load: "):
            mp.load(path, **run.parts())
    for head in (b"\xff" * 8, struct.pack("<Q", 2**63), struct.pack("<Q", 4) + b"null"):
        path.write_bytes(head + data[8:])
        with pytest.raises(ValueError, match="load: "):
            mp.load(path)
    assert run.values() == before


@pytest.mark.core
def test_name_twice(tmp_path):
    one = b'"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}'
    two = b'"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}'
    text = b"{" + one + b"," + two + b"}"
    path = tmp_path / "x"
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 4)
    with pytest.raises(ValueError, match="load: "):
        mp.load(path)


@pytest.mark.core
def test_bool_that_is_none(tmp_path):
    mp.save(tmp_path / "x", a=np.array([True, False]))
    data = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(data[:-1] + b"\x02")
    with pytest.raises(ValueError, match="load: a is BOOL with a byte of 2"):
        mp.load(tmp_path / "x")


def test_paths_that_are_no_files(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for verb, call in (("load", mp.load), ("save", mp.save)):
        with pytest.raises(ValueError, match=f"{verb}: .*not a regular file"):
            call(fifo)
    with pytest.raises((ValueError, OSError)):
        mp.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        mp.load(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        mp.save(tmp_path / "absent" / "x")


def test_path_types(tmp_path):
    for path in (tmp_path / "x", str(tmp_path / "x"), os.fsencode(tmp_path / "x")):
        mp.save(path, a=np.ones(2), rng=False)
        assert list(mp.load(path)) == ["a"]
    with pytest.raises(TypeError):
        mp.load(3)


@pytest.mark.parametrize(
    ("error", "match", "options"),
    [
        (TypeError, "save: a: arrays of dtype complex128", {"a": np.ones(2, complex)}),
        (TypeError, "save: a: dtype >f4 has not this machine's", {"a": np.ones(2, ">f4")}),
        (TypeError, "save: a: arrays of dtype object", {"a": None}),
        (TypeError, "save: a: arrays of dtype <U1", {"a": "x"}),
        (ValueError, "'__metadata__' begins with a reserved word", {"__metadata__": np.ones(1)}),
        (ValueError, "'optimizer.x' begins with a reserved word", {"optimizer.x": np.ones(1)}),
        (TypeError, "save: step is True, not an integer", {"step": True}),
        (TypeError, "save: step is 1.5, not an integer", {"step": 1.5}),
        (ValueError, r"save: step is 1e\+30, too large for an int64", {"step": 10**30}),
    ],
    ids=lambda value: "" if isinstance(value, (dict, type)) else value,
)
def test_what_save_refuses(tmp_path, error, match, options):
    with pytest.raises(error, match=match):
        mp.save(tmp_path / "x", **options)
    assert os.listdir(tmp_path) == []


def test_step_numbers(tmp_path):
    for step in (0, -2, np.int64(3), 2**63 - 1):
        mp.save(tmp_path / "x", step=step)
        assert mp.load(tmp_path / "x")["step"] == step


def read_only(shape, dtype=np.float32):
    values = np.zeros(shape, dtype)
    values.flags.writeable = False
    return mp.asarray(values)


def test_targets_that_cannot_be_written(tmp_path):
    """All of them are looked at before the first is written to."""
    path = tmp_path / "x"
    run, other = Run(), Run(seed=1)
    mp.save(path, **run.parts(), a=np.ones(2))
    before = other.values()
    for target in (read_only(2, np.float64), mp.broadcast_to(mp.zeros(1, dtype="float64"), (2,))):
        with pytest.raises(ValueError, match="load: a is an array that cannot be written to"):
            mp.load(path, **other.parts(), a=target)
    assert other.values() == before
    other.model[3].bias.data = read_only(2)
    before = other.values()
    with pytest.raises(ValueError, match=r"load: model.3.bias is an array that cannot be"):
        mp.load(path, **other.parts())
    with pytest.raises(ValueError, match=r"3.bias cannot be written to"):
        other.model.load_state_dict(run.model.state_dict())
    assert other.values() == before


def test_schedule_made_before_or_after(tmp_path):
    """A group's initial rate is a schedule's: it comes along, and need not be there yet."""
    path = tmp_path / "x"
    for before in (True, False):
        run, other = Run(), Run(seed=1)
        schedule = optim.lr_scheduler.StepLR(run.opt, 1, 0.5)
        run.step()
        schedule.step()
        mp.save(path, **run.parts())
        if before:
            optim.lr_scheduler.StepLR(other.opt, 1, 0.5)
        mp.load(path, **other.parts())
        resumed = optim.lr_scheduler.StepLR(other.opt, 1, 0.5, last_epoch=0)
        assert resumed.get_last_lr() == schedule.get_last_lr()
        plain = Run(seed=2)
        mp.save(path, **plain.parts())
        mp.load(path, **other.parts())
        assert other.opt.param_groups[0]["initial_lr"] == 1e-2


def test_scaler_that_is_disabled(tmp_path):
    mp.save(tmp_path / "on", scaler=mp.GradScaler("cpu"))
    mp.save(tmp_path / "off", scaler=mp.GradScaler(enabled=False))
    mp.load(tmp_path / "on", scaler=mp.GradScaler(enabled=False))
    mp.load(tmp_path / "off", scaler=mp.GradScaler(enabled=False))
    with pytest.raises(ValueError, match="load: the file's scaler is a disabled one"):
        mp.load(tmp_path / "off", scaler=mp.GradScaler("cpu"))


def test_killed_while_saving(tmp_path):
    """Whoever reads finds a whole file, the old one or the new."""
    path = tmp_path / "x"
    code = (
        "import numpy as np, mixprec as mp, itertools\n"
        "for i in itertools.count(1):\n"
        f"    mp.save({str(path)!r}, a=np.full(2_000_000, i))\n"
        "    print(i, flush=True)\n"
    )
    for delay in (0.0, 0.01, 0.03):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            time.sleep(delay)
            child.kill()
        a = mp.load(path)["a"].numpy()
        assert a.shape == (2_000_000,)
        assert (a == a[0]).all()


def test_readers_beside_writers(tmp_path):
    path, errors = tmp_path / "x", []
    mp.save(path, a=np.zeros(1000))

    def write(value):
        for _ in range(20):
            mp.save(path, a=np.full(1000, value))

    def read():
        for _ in range(40):
            a = mp.load(path, rng=False)["a"].numpy()
            if not (a == a[0]).all():
                errors.append(a)

    calls = [lambda: write(1.0), lambda: write(2.0), read, read]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result()
    assert not errors
    assert os.listdir(tmp_path) == ["x"]


def test_other_libraries_read_and_write_it(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from safetensors.torch import load_file, save_file

    model = nn.Linear(2, 2).bfloat16()
    mp.save(tmp_path / "x", model=model, a=mp.ones(3, dtype="float8_e5m2"))
    read = load_file(tmp_path / "x")
    assert read["model.weight"].dtype == torch.bfloat16
    assert read["model.weight"].tolist() == model.weight.tolist()
    assert read["a"].dtype == torch.float8_e5m2
    state = {f"model.{k}": torch.ones(v.shape).bfloat16() for k, v in model.state_dict().items()}
    save_file(state, tmp_path / "y")
    assert mp.load(tmp_path / "y", model=model) == {}
    assert model.weight.tolist() == [[1, 1], [1, 1]]


def test_loaded_arrays_survive_the_file(tmp_path):
    """Nothing is mapped: a file that is cut later does not hurt."""
    mp.save(tmp_path / "x", a=np.arange(100_000.0))
    a = mp.load(tmp_path / "x")["a"]
    os.truncate(tmp_path / "x", 10)
    assert a.sum().item() == np.arange(100_000.0).sum()


def test_optimizer_of_another_model(tmp_path):
    a, b = Run(), Run()
    with pytest.raises(ValueError, match="parameter 0 of the optimizer is not one of the model"):
        mp.save(tmp_path / "x", model=a.model, optimizer=b.opt)
    assert not os.listdir(tmp_path)


def test_optimizer_without_model(tmp_path):
    a, b = Run(), Run(seed=3)
    a.step(2)
    mp.save(tmp_path / "x", optimizer=a.opt)
    mp.load(tmp_path / "x", optimizer=b.opt)
    assert b.opt.state_dict()["param_groups"] == a.opt.state_dict()["param_groups"]


def test_missing_parts(tmp_path):
    run = Run()
    mp.save(tmp_path / "x", rng=False)
    for part in ("optimizer", "scaler", "model"):
        with pytest.raises(ValueError, match="load: the file has no"):
            mp.load(tmp_path / "x", **{part: run.parts()[part]})


def test_changed_hyper_parameters_come_back(tmp_path):
    run, other = Run(), Run()
    run.opt.param_groups[0]["lr"] = 0.125
    mp.save(tmp_path / "x", **run.parts())
    mp.load(tmp_path / "x", **other.parts())
    assert other.opt.param_groups[0]["lr"] == 0.125
    betas = other.opt.param_groups[0]["betas"]
    assert isinstance(betas, tuple)
    assert betas == run.opt.param_groups[0]["betas"]


def test_no_pickle():
    import inspect

    from mixprec import _safetensors, io

    for module in (io, _safetensors):
        assert "import pickle" not in inspect.getsource(module)


def test_a_file_keeps_its_mode(tmp_path):
    path = tmp_path / "private.safetensors"
    mp.save(path, a=mp.ones(1))
    path.chmod(0o600)
    mp.save(path, a=mp.ones(2))
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_killed_save_has_left_goes(tmp_path):
    old, new = (tmp_path / f".run.2147483646.0123456{n}.tmp" for n in (7, 8))
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    mp.save(tmp_path / "run", a=mp.ones(1))
    assert sorted(p.name for p in tmp_path.iterdir()) == [new.name, "run"]


def test_save_into_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"save: .*there is no folder"):
        mp.save(tmp_path / "nowhere" / "run", a=mp.ones(1))
