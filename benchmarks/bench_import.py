"""The time of `import mixprec` against `import numpy`, each in new interpreters, in turn."""

from __future__ import annotations

import subprocess
import sys

from timing import Bar, Contest, play

TIMED_IMPORT = (
    "import time; start = time.perf_counter(); import {0}; print(time.perf_counter() - start)"
)
ROUNDS = 20


def test_import(benchmark):
    best = {"mixprec": float("inf"), "numpy": float("inf")}

    def import_in_new_interpreter(name):
        code = TIMED_IMPORT.format(name)
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
        )
        best[name] = min(best[name], float(done.stdout))

    names = {"run": import_in_new_interpreter}
    runs = {name: (f"run({name!r})", names) for name in best}
    # the interpreter's own start is not part of it: the seconds are those that each one printed
    contest = Contest(runs, [Bar("mixprec", "numpy", 1 / 1.3)], info={"what": "import"})
    play(benchmark, contest, rounds=ROUNDS, seconds=best)
