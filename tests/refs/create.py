"""References: arrays made from nothing."""

import math

import numpy as np


def philox(seed, call, blocks):
    """The words of Philox 4x32-10 for these block numbers, an array (len(blocks), 4) of uint32."""
    blocks = np.asarray(blocks, np.uint64)
    low = np.uint64(0xFFFFFFFF)
    c0, c1 = blocks & low, blocks >> np.uint64(32)
    c2 = np.full_like(blocks, call & 0xFFFFFFFF)
    c3 = np.full_like(blocks, call >> 32)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            p1 & low,
            (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            p0 & low,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def words(a, n):
    return philox(a["seed"], a["offset"], np.arange((n + 3) // 4)).reshape(-1)[:n]


def words64(a, n):
    """Two words per element: low, then high."""
    w = philox(a["seed"], a["offset"], np.arange((n + 1) // 2)).reshape(-1, 2)[:n].astype(np.uint64)
    return w[:, 0] | w[:, 1] << np.uint64(32)


def unit_floats(a, n):
    """The 24 upper bits of a word as a float32 in [0, 1)."""
    return (words(a, n) >> np.uint32(8)).astype(np.float64) * 2.0**-24


def random_uniform(i, a):
    n = math.prod(a["shape"])
    if a["dtype"] == "float64":
        u = (words64(a, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    else:
        u = unit_floats(a, n)
    return (a["low"] + (a["high"] - a["low"]) * u).reshape(a["shape"])


def create_arange(i, a):
    return (a["start"] + a["step"] * np.arange(math.prod(a["shape"]))).reshape(a["shape"])


REFS = {
    "full": lambda i, a: np.full(a["shape"], a["value"]),
    "arange": create_arange,
    "random_uniform": random_uniform,
}
