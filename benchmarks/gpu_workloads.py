"""What benchmarks/gpu.py measures: the workloads and the bars they are held to.

Each function makes the workloads of one name. Makers of systems that are missing are never called.
Arrays hold random data, and what is bound by memory
is larger than the card's cache, so that a call finds nothing of the one before.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import gpu_peers
import numpy as np
from gpu_timing import QUEUE, Reading, Run, Setup, calling, launches, measure

Makers = Mapping[str, Callable[[], Run]]
# says what must hold, and whether it does: (readings, seconds at the limit) -> bool
Bar = tuple[str, Callable[[Mapping[str, Reading], float | None], bool | None]]


@dataclass
class Workload:
    """runs: by name, whose first word is the system. work: bytes or operations of a call, which
    `unit` (us, TB/s, TFLOP/s) may count; limit: "copy", or the dtype of a matrix product.
    """

    name: str
    configuration: str
    runs: Makers
    unit: str = "us"
    work: float = 0
    limit: str | None = None
    bars: list[Bar] = field(default_factory=list)


# ---- bars ----


def at_most(microseconds: float, ours: str = "mixprec") -> Bar:
    def met(readings, _):
        return readings[ours].median <= microseconds * 1e-6 if ours in readings else None

    return f"<= {microseconds:g} us", met


def of_limit(share: float) -> Bar:
    def met(readings, limit):
        if "mixprec" not in readings or limit is None:
            return None
        return limit / readings["mixprec"].median >= share

    return f">= {share:g} of the limit", met


def of_peer(peer: str, share: float) -> Bar:
    def met(readings, _):
        if "mixprec" not in readings or peer not in readings:
            return None
        return readings[peer].median / readings["mixprec"].median >= share

    return f">= {share:g} of {peer}", met


def near_launch(ours: str, more: float) -> Bar:
    """At most 3 us, or an empty kernel's launch + 0.7 us, and `more` on top."""

    def met(readings, _):
        if ours not in readings:
            return None
        bare = readings["empty kernel"].median if "empty kernel" in readings else 0
        return readings[ours].median <= max(3e-6, bare + 0.7e-6) + more * 1e-6

    extra = f" + {more:g}" if more else ""
    return f"{ours}: <= max(3, launch + 0.7){extra} us", met


# ---- limits ----


class Limits:
    """What the card reaches: bytes/s of a copy, operations/s of a matrix product, by torch, CuPy or
    else mixprec; measured when first asked for.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.rates: dict[str, float | None] = {}

    def rate(self, kind: str) -> float | None:
        if kind not in self.rates:
            self.rates[kind] = self.read(kind)
        return self.rates[kind]

    def read(self, kind: str) -> float | None:
        make, work = (copy_makers, copy_bytes) if kind == "copy" else (gemm_makers, gemm_flops)
        makers = make(self.setup, kind)
        for name in ("torch", "cupy", "mixprec"):
            if name not in makers or name not in self.setup.systems:
                continue
            with contextlib.suppress(Exception):
                readings, _ = measure(self.setup, {name: makers[name]()})
                return work(self.setup) / readings[name].minimum
        return None


# ---- workloads ----


def makers_of(
    setup: Setup, run: Callable[..., Run], path: str, *args: Any
) -> dict[str, Callable[[], Run]]:
    """run(module, function, *args) of mixprec and torch, and of torch with it compiled."""

    def make(name: str, compiled: bool) -> Run:
        module = setup.systems[name]
        function = operator.attrgetter(path)(module)
        return run(module, module.compile(function) if compiled else function, *args)

    makers = {name: functools.partial(make, name, False) for name in ("mixprec", "torch")}
    return {**makers, "torch compiled": functools.partial(make, "torch", True)}


def small_add(setup: Setup) -> Iterator[Workload]:
    def make(module: Any, tape: bool) -> Run:
        if module.__name__ == "cupy":
            x, y = module.random.rand(16, dtype="float32"), module.ones(16, "float32")
        elif module.__name__ == "jax":
            x, y = module.numpy.ones(16), module.numpy.ones(16)
        else:
            x, y = (module.rand(16, device=setup.device) for _ in range(2))
            y.requires_grad_(tape)
        return Run("x + y", {"x": x, "y": y}, host=True, most=QUEUE)

    makers = {}
    for name, module in setup.systems.items():
        makers[name] = functools.partial(make, module, False)
        if name in ("mixprec", "torch"):
            makers[f"{name} with tape"] = functools.partial(make, module, True)
    if setup.device == "cuda":
        folder = tempfile.TemporaryDirectory()
        many = launches(folder.name)
        makers["empty kernel"] = lambda: Run("", {}, host=True, most=QUEUE, many=many)
    bars = [near_launch("mixprec", 0), near_launch("mixprec with tape", 1)]
    yield Workload(
        "add of 16 elements",
        "float32, host time per call",
        makers,
        bars=bars,
    )


def copy_count(setup: Setup) -> int:
    return setup.size(2**30, 2**16)


def copy_bytes(setup: Setup) -> int:
    return 8 * copy_count(setup)


def copy_makers(setup: Setup, kind: str = "copy") -> Makers:
    """y[...] = x of float32: into float32, or float16 for kind "cast"."""
    n = copy_count(setup)
    dtype = "float32" if kind == "copy" else "float16"

    def mixprec() -> Run:
        mp = setup.systems["mixprec"]
        x = mp.randn(n, device=setup.device)
        y = mp.empty(n, dtype=dtype, device=setup.device)
        return Run("y.copy_(x)", {"x": x, "y": y})

    def torch() -> Run:
        torch = setup.systems["torch"]
        x = torch.randn(n, device=setup.device)
        return Run("y.copy_(x)", {"x": x, "y": torch.empty_like(x, dtype=getattr(torch, dtype))})

    def cupy() -> Run:
        cp = setup.systems["cupy"]
        x, y = cp.random.standard_normal(n, dtype="float32"), cp.empty(n, dtype)
        return calling(lambda: cp.copyto(y, x, casting="same_kind"))

    return {"mixprec": mixprec, "torch": torch, "cupy": cupy}


def copies(setup: Setup) -> Iterator[Workload]:
    n = copy_count(setup)
    for kind, what, work in (("copy", "float32", 8 * n), ("cast", "float32 to float16", 6 * n)):
        makers = copy_makers(setup, kind)
        name = f"{kind} of {n} elements"
        yield Workload(name, what, makers, "TB/s", work, "copy", [of_limit(0.97)])


def layer_norm(setup: Setup) -> Iterator[Workload]:
    rows, columns = setup.size(16384), setup.size(4096)

    def arrays(module: Any, grad: bool) -> tuple[Any, ...]:
        half = module.float16
        x = module.randn(rows, columns, device=setup.device).to(half)
        w, b = (module.rand(columns, device=setup.device).to(half) for _ in range(2))
        gy = module.randn(rows, columns, device=setup.device).to(half)
        return (*(a.requires_grad_(grad) for a in (x, w, b)), gy)

    def run(module: Any, norm: Callable[..., Any], backward: bool) -> Run:
        x, w, b, gy = arrays(module, backward)

        def forward() -> Any:
            with module.no_grad():
                return norm(x, (columns,), w, b)

        def both() -> Any:
            return module.autograd.grad(norm(x, (columns,), w, b), (x, w, b), gy)

        return calling(both if backward else forward)

    def makers(backward: bool) -> Makers:
        found = makers_of(setup, run, "nn.functional.layer_norm", backward)
        jax = setup.systems.get("jax")
        found["jax"] = lambda: gpu_peers.jax_layer_norm(jax, rows, columns, backward)
        return found

    size, what = 2 * rows * columns, f"float16, {rows} x {columns}"
    yield Workload(
        "layer_norm forward", what, makers(False), work=2 * size, limit="copy", bars=[at_most(75)]
    )
    yield Workload(  # forward: x, y; backward: x, gy, gx
        "layer_norm forward+backward",
        what,
        makers(True),
        work=5 * size,
        limit="copy",
        bars=[at_most(200)],
    )


def cross_entropy(setup: Setup) -> Iterator[Workload]:
    rows, classes = setup.size(8192), setup.size(50304)

    def run(module: Any, loss: Callable[..., Any]) -> Run:
        x = module.randn(rows, classes, device=setup.device).to(module.float16).requires_grad_()
        y = module.randint(0, classes, (rows,), device=setup.device)
        scale = module.full((), 65536.0, device=setup.device)

        def call() -> Any:
            with module.autocast(setup.device, dtype=module.float16):
                value = loss(x, y)
            return module.autograd.grad(value, x, scale)

        return calling(call)

    makers = makers_of(setup, run, "nn.functional.cross_entropy")
    makers["jax"] = lambda: gpu_peers.jax_cross_entropy(setup.systems["jax"], rows, classes)
    yield Workload(
        "cross_entropy forward+backward",
        f"float16, {rows} x {classes}",
        makers,
        work=4 * rows * classes,
        limit="copy",
        bars=[at_most(680)],
    )


def gpt2_shapes(setup: Setup) -> list[tuple[int, ...]]:
    """The parameters of GPT-2 124M with 50304 tokens: 124,475,904 in 148 tensors."""
    vocabulary, places, c, layers = (50304, 1024, 768, 12) if not setup.small else (50, 8, 8, 2)
    shapes: list[tuple[int, ...]] = [(vocabulary, c), (places, c)]
    for _ in range(layers):
        shapes += [(c,), (c,), (3 * c, c), (3 * c,), (c, c), (c,)]
        shapes += [(c,), (c,), (4 * c, c), (4 * c,), (c, 4 * c), (c,)]
    return [*shapes, (c,), (c,)]


def adamw(setup: Setup) -> Iterator[Workload]:
    shapes = gpt2_shapes(setup)
    count = sum(int(np.prod(shape)) for shape in shapes)
    calls = setup.size(16, 2)  # of a window: each takes gradients of its own

    def mixprec(dtype: str) -> Run:
        mp = setup.systems["mixprec"]
        made = [(mp.randn(shape, device=setup.device) * 0.02).astype(dtype) for shape in shapes]
        source = [(mp.randn(shape, device=setup.device) * 0.01).astype(dtype) for shape in shapes]
        params = [mp.nn.Parameter(array) for array in made]
        if dtype == "float32":
            for param in params:
                mp._core.shadow(param, mp.float16)
        optimizer = mp.optim.AdamW(params, lr=1e-4, weight_decay=0.1)
        scaler = mp.GradScaler(setup.device, init_scale=1024.0, growth_interval=2**20)
        scaler.scale(mp.zeros((), device=setup.device))
        sets: list[list[Any]] = []

        def prepare(calls: int) -> None:
            sets[:] = [[array.copy() for array in source] for _ in range(calls)]

        def call() -> None:
            for param, grad in zip(params, sets.pop(), strict=True):
                param.grad = grad
            scaler.step(optimizer, max_norm=1.0)
            scaler.update()

        return calling(call, prepare=prepare, most=calls)

    def torch() -> Run:
        return gpu_peers.torch_adamw(setup.systems["torch"], setup.device, shapes, calls)

    # read by the check and the update, and written: see csrc/cuda/lists_update.cu
    wide = {"mixprec": functools.partial(mixprec, "float32"), "torch": torch}
    narrow = {"mixprec": functools.partial(mixprec, "float16")}
    what = f"{count} parameters in {len(shapes)} tensors"
    name = "inf check + clip + AdamW + shadows"
    yield Workload(
        name,
        f"float32, {what}; torch: fused, no shadows",
        wide,
        work=34 * count,
        limit="copy",
        bars=[at_most(1160)],
    )
    yield Workload(
        name,
        f"float16 with masters, {what}",
        narrow,
        work=30 * count,
        limit="copy",
        bars=[at_most(1050)],
    )


def gemm_size(setup: Setup) -> int:
    return setup.size(8192, 64)


def gemm_flops(setup: Setup) -> int:
    return 2 * gemm_size(setup) ** 3


def gemm_makers(setup: Setup, kind: str) -> Makers:
    """Square products of float16, bfloat16, float32, or float32 in tf32."""
    n, dtype = gemm_size(setup), "float32" if kind == "tf32" else kind
    precision = "high" if kind == "tf32" else "highest"

    def run(module: Any) -> Run:
        a, b = (
            module.randn(n, n, device=setup.device).to(getattr(module, dtype)) for _ in range(2)
        )
        choose = getattr(module, "set_float32_matmul_precision", None)
        if choose is None and kind == "tf32":
            raise NotImplementedError("no set_float32_matmul_precision")
        prepare = (lambda _: choose(precision)) if choose else None
        return Run("f(a, b)", {"f": module.matmul, "a": a, "b": b}, prepare=prepare)

    def cupy() -> Run:
        cp = setup.systems["cupy"]
        a, b = (cp.random.standard_normal((n, n), dtype="float32") for _ in range(2))
        return Run("f(a, b)", {"f": cp.matmul, "a": a.astype(dtype), "b": b.astype(dtype)})

    makers: dict[str, Callable[[], Run]] = {
        "mixprec": lambda: run(setup.systems["mixprec"]),
        "torch": lambda: run(setup.systems["torch"]),
        "jax": lambda: gpu_peers.jax_gemm(setup.systems["jax"], n, dtype, kind),
    }
    if kind in ("float16", "float32"):
        makers["cupy"] = cupy
    return makers


def gemm(setup: Setup) -> Iterator[Workload]:
    n = gemm_size(setup)
    for kind in ("float16", "bfloat16", "tf32", "float32"):
        makers = gemm_makers(setup, kind)
        bars = [of_peer("torch", 0.98)]
        yield Workload(f"GEMM {kind}", f"{n}^3", makers, "TFLOP/s", gemm_flops(setup), kind, bars)


def mlp(setup: Setup, large: bool) -> Iterator[Workload]:
    from bench_mlp import SIZES, mixprec_step

    sizes = (setup.size(4096),) * 5 if large else SIZES
    batch = setup.size(8192) if large else 128
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, sizes[0]), dtype=np.float32)
    y = rng.integers(0, sizes[-1], batch)

    def torch(compiled: bool) -> Run:
        module = setup.systems["torch"]
        return calling(gpu_peers.torch_mlp_step(module, setup.device, sizes, x, y, compiled))

    makers: dict[str, Callable[[], Run]] = {
        "mixprec": lambda: calling(mixprec_step(x, y, "float16", sizes, setup.device)),
        "torch": lambda: torch(False),
        "torch compiled": lambda: torch(True),
        "jax": lambda: calling(gpu_peers.jax_mlp_step(setup.systems["jax"], sizes, x, y)),
    }
    layers = list(itertools.pairwise(sizes))
    # forward and both gradients of each product; the first layer's input needs none
    flops = 2 * batch * (3 * sum(i * o for i, o in layers) - sizes[0] * sizes[1])
    text = "-".join(map(str, sizes))
    yield Workload(
        f"MLP step {text}",
        f"batch {batch}, float16, GradScaler, Adam",
        makers,
        work=flops,
        limit="float16" if large else None,
        bars=[at_most(5500 if large else 300)],
    )


WORKLOADS: dict[str, Callable[[Setup], Iterator[Workload]]] = {
    "add": small_add,
    "copy": copies,
    "layer_norm": layer_norm,
    "cross_entropy": cross_entropy,
    "adamw": adamw,
    "gemm": gemm,
    "mlp_small": functools.partial(mlp, large=False),
    "mlp_large": functools.partial(mlp, large=True),
}
