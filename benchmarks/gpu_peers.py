"""The peers' side of benchmarks/gpu_workloads.py, written as their users write it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from gpu_timing import Run, calling

RATE = 1e-3


# ---- torch ----


def torch_adamw(torch: Any, device: str, shapes: Sequence[tuple[int, ...]], calls: int) -> Run:
    """unscale_, clip_grad_norm_, fused AdamW."""
    params = [torch.nn.Parameter(torch.randn(shape, device=device) * 0.02) for shape in shapes]
    for param in params:
        param.grad = torch.randn_like(param) * 0.01
    optimizer = torch.optim.AdamW(params, lr=1e-4, weight_decay=0.1, fused=True)
    # a scale of 1: unscale_ writes the gradients, which here are the same ones in every call
    scaler = torch.amp.GradScaler(device, init_scale=1.0, growth_interval=2**20)
    scaler.scale(torch.zeros((), device=device))

    def call() -> None:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        scaler.step(optimizer)
        scaler.update()

    return calling(call, most=calls)


def torch_mlp_step(
    torch: Any, device: str, sizes: Sequence[int], x: Any, y: Any, compiled: bool
) -> Callable[[], None]:
    layers: list[Any] = []
    for i, o in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1]).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    scaler = torch.amp.GradScaler(device)
    x, y = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
    forward = torch.compile(model) if compiled else model

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device, dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(forward(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


# ---- JAX ----


def jax_random(jax: Any, shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    return jax.random.normal(jax.random.key(seed), shape, "float32").astype(dtype)


def jax_gemm(jax: Any, n: int, dtype: str, kind: str) -> Run:
    a, b = (jax_random(jax, (n, n), dtype, seed) for seed in range(2))
    precision = {"float32": "highest", "tf32": "tensorfloat32"}.get(kind)
    product = jax.jit(lambda a, b: jax.numpy.matmul(a, b, precision=precision))
    return Run("f(a, b)", {"f": product, "a": a, "b": b})


def jax_layer_norm(jax: Any, rows: int, columns: int, backward: bool) -> Run:
    def norm(x: Any, w: Any, b: Any) -> Any:
        wide = x.astype("float32")
        mean = wide.mean(axis=1, keepdims=True)
        spread = jax.lax.rsqrt(((wide - mean) ** 2).mean(axis=1, keepdims=True) + 1e-5)
        return ((wide - mean) * spread * w + b).astype(x.dtype)

    def both(x: Any, w: Any, b: Any, gy: Any) -> Any:
        return jax.vjp(norm, x, w, b)[1](gy)

    x, gy = (jax_random(jax, (rows, columns), "float16", seed) for seed in range(2))
    w, b = (jax_random(jax, (columns,), "float16", seed) for seed in range(2))
    call, inputs = (jax.jit(both), (x, w, b, gy)) if backward else (jax.jit(norm), (x, w, b))
    return calling(lambda: call(*inputs))


def jax_loss(jax: Any, logits: Any, y: Any) -> Any:
    wide = logits.astype("float32")
    picked = jax.numpy.take_along_axis(wide, y[:, None], axis=1)[:, 0]
    return (jax.nn.logsumexp(wide, axis=1) - picked).mean()


def jax_cross_entropy(jax: Any, rows: int, classes: int) -> Run:
    x = jax_random(jax, (rows, classes), "float16")
    y = jax.random.randint(jax.random.key(1), (rows,), 0, classes)
    both = jax.jit(jax.value_and_grad(lambda x, y: jax_loss(jax, x, y) * 65536))
    return calling(lambda: both(x, y))


def jax_mlp_step(jax: Any, sizes: Sequence[int], x: Any, y: Any) -> Callable[[], None]:
    """float16 products, a loss scale that doubles and halves as GradScaler's, Adam; one jit."""
    jnp, tree = jax.numpy, jax.tree
    layers = [
        (jax_random(jax, (i, o), "float32", k) / i**0.5, jnp.zeros(o))
        for k, (i, o) in enumerate(itertools.pairwise(sizes))
    ]
    x, y = jnp.asarray(x), jnp.asarray(y)

    def scaled_loss(layers: Any, scale: Any, x: Any, y: Any) -> Any:
        h = x.astype("float16")
        for k, (w, b) in enumerate(layers):
            h = h @ w.astype("float16") + b.astype("float16")
            h = jax.nn.relu(h) if k < len(layers) - 1 else h
        return jax_loss(jax, h, y) * scale

    def update(state: Any, x: Any, y: Any) -> Any:
        layers, first, second, taken, scale, good = state
        grads = tree.map(lambda g: g / scale, jax.grad(scaled_loss)(layers, scale, x, y))
        finite = jnp.all(jnp.stack([jnp.isfinite(g).all() for g in tree.leaves(grads)]))
        t = taken + 1
        m = tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
        v = tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grads)
        rate = RATE / (1 - 0.9**t)
        new = tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), layers, m, v
        )
        keep = lambda new, old: tree.map(lambda a, b: jnp.where(finite, a, b), new, old)  # noqa: E731
        good = jnp.where(finite, good + 1, 0.0)
        grown = jnp.where(good >= 2000, scale * 2, scale)
        good = jnp.where(good >= 2000, 0.0, good)
        scale = jnp.where(finite, grown, scale / 2)
        return (*keep((new, m, v, t), (layers, first, second, taken)), scale, good)

    jitted = jax.jit(update, donate_argnums=0)
    zeros = [tree.map(jnp.zeros_like, layers) for _ in range(2)]
    state = (layers, *zeros, jnp.asarray(0.0), jnp.asarray(65536.0), jnp.asarray(0.0))

    def step() -> None:
        nonlocal state
        state = jitted(state, x, y)

    return step
