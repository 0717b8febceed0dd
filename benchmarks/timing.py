"""Times several ways of doing one thing: interleaved windows, of which the minimum counts.

Interleaved, all of them meet the same noise; and the minimum of many windows is what the machine
does when nothing disturbs it. What is compared, and the bars, are in the bench_*.py files.
"""

from __future__ import annotations

import contextlib
import os
import timeit
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from threadpoolctl import threadpool_limits

import mixprec as mp

try:
    import torch
except ImportError:
    torch = None

WINDOW = 0.04  # seconds, at least, of one window
ROUNDS = 25
CPUS = len(os.sched_getaffinity(0))
THREADS = sorted({1, min(2, CPUS)})


@dataclass
class Bar:
    """`ours` must run at least `least` times as fast as `peer`."""

    ours: str
    peer: str
    least: float


@dataclass
class Contest:
    """What runs (name -> (statement, names it uses)), the bars, and what the machine could do.

    limit: seconds that one call of `limit_of` takes at the machine's peak, or None.
    """

    runs: Mapping[str, tuple[str, Mapping[str, Any]]]
    bars: list[Bar]
    limit: float | None = None
    limit_of: str = "mixprec"
    info: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """The same number of threads for mixprec, NumPy's BLAS and torch."""
    before = mp.get_num_threads()
    mp.set_num_threads(count)
    if torch is not None:
        torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        mp.set_num_threads(before)


def play(
    benchmark: Any,
    contest: Contest,
    rounds: int = ROUNDS,
    seconds: Mapping[str, float] | None = None,
) -> None:
    """Runs a contest and records its result with pytest-benchmark, whose own statistics are of the
    first run's windows. `seconds`: what the runs measure by themselves, instead of their duration.
    """
    timers = {
        name: timeit.Timer(stmt, globals=dict(names))
        for name, (stmt, names) in contest.runs.items()
    }
    calls = dict.fromkeys(timers, 1)
    if benchmark.enabled and seconds is None:
        calls = {name: _calls_per_window(timer) for name, timer in timers.items()}
    best = dict.fromkeys(timers, float("inf"))

    def measure(name: str) -> None:
        timers[name].timeit(calls[name] // 2)  # the one before spins on for some milliseconds
        best[name] = min(best[name], timers[name].timeit(calls[name]) / calls[name])

    first, *peers = timers
    benchmark.pedantic(
        lambda: measure(first),
        setup=lambda: [measure(name) for name in peers] and None,
        rounds=rounds,
    )
    best.update(seconds or {})
    benchmark.extra_info.update(
        contest.info,
        seconds=best,
        calls_per_window=calls,
        bars=[
            {
                "ours": bar.ours,
                "peer": bar.peer,
                "least": bar.least,
                "speed": best[bar.peer] / best[bar.ours],
            }
            for bar in contest.bars
            if bar.peer in best
        ],
        limit_share=contest.limit / best[contest.limit_of] if contest.limit else None,
    )


def _calls_per_window(timer: timeit.Timer) -> int:
    """How many calls fill a window, after one to warm up."""
    timer.timeit(1)
    calls = 1
    while (taken := timer.timeit(calls)) < WINDOW:
        calls = max(2 * calls, int(calls * WINDOW / max(taken, 1e-9)))
        calls = min(calls, 10_000_000)
    return calls
