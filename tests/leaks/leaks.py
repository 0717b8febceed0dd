"""Runs a function many times and checks that memory stays: the process's, and what mixprec holds.

The scripts leak_*.py beside this file use it; each is run in a process of its own, where no test
runner keeps references to anything.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

from mixprec import _core

PAGE = os.sysconf("SC_PAGE_SIZE")
WARM_UP = 0.25  # of the rounds: caches, pools and the allocator find their size
ROOM = 512 * 1024  # bytes of resident memory that may come and go by themselves


def check(name: str, work: Callable[[], object], rounds: int) -> None:
    """Ends the process with status 1 if `work` leaves anything behind, rounds times over.

    A leak of one 64-byte object per round would show: rounds * 64 must exceed ROOM. What shows once
    is measured again: a leak grows every time, the allocator's next arena (1 MiB) comes once.
    """
    assert rounds * 64 > ROOM, f"{name}: {rounds} rounds are too few to see a small leak"
    for _ in range(int(rounds * WARM_UP)):
        work()
    bad = _growth(work, rounds) and _growth(work, rounds)
    print(f"{name}: {rounds} rounds, {bad or 'nothing left behind'}", flush=True)
    if bad:
        sys.exit(1)


def _growth(work: Callable[[], object], rounds: int) -> dict[str, int]:
    """What `rounds` calls left behind, by kind."""
    gc.collect()
    held, resident, objects = _held(), _resident(), len(gc.get_objects())
    for _ in range(rounds):
        work()
    gc.collect()
    grown = {
        "bytes held by arrays": _held() - held,
        "resident bytes": max(0, _resident() - resident - ROOM),
        "Python objects": max(0, len(gc.get_objects()) - objects - 50),
    }
    return {what: count for what, count in grown.items() if count}


def _held() -> int:
    return int(_core.memory_stats("cpu")[0])


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE
