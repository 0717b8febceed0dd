"""Ordinary research scripts, with nothing but the line `import numpy as np` changed, against NumPy.

    python benchmarks/bench_scripts.py [--rounds N] [NAME ...]

prints for each script of benchmarks/scripts both times and their ratio, then the median of the
ratios and what failed; the exit status is 1 where a script failed or the median misses the bar.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from timing import THREADS, threads

FOLDER = Path(__file__).parent / "scripts"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
IMPORT = "import numpy as np\n"
LIBRARIES = ("mixprec", "numpy")
BAR = 1.3  # times NumPy's, the median of the scripts
ROUNDS = 5


@dataclass
class Result:
    """The least seconds of one script by library, or why it failed."""

    name: str
    seconds: dict[str, float]
    error: str | None = None

    @property
    def ratio(self) -> float:
        return self.seconds["mixprec"] / self.seconds["numpy"]


def main_of(name: str, library: str) -> Callable[[], dict[str, float]]:
    """A script's main, with `np` being the library."""
    path = FOLDER / f"{name}.py"
    source = path.read_text()
    if not source.startswith(IMPORT):
        raise ValueError(f"{name}: the first line is not {IMPORT.strip()!r}")
    namespace: dict[str, Any] = {"__name__": name}
    changed = source.replace(IMPORT, f"import {library} as np\n", 1)
    exec(compile(changed, str(path), "exec"), namespace)
    return namespace["main"]


def contest(name: str, rounds: int) -> Result:
    """Runs a script with both libraries in turns, in this process, its printing set aside."""
    best = dict.fromkeys(LIBRARIES, float("inf"))
    with contextlib.redirect_stdout(io.StringIO()), np.printoptions():
        try:
            mains = {library: main_of(name, library) for library in LIBRARIES}
            for library in LIBRARIES:
                mains[library]()  # to warm up
            for _ in range(rounds):
                for library in LIBRARIES:
                    start = time.perf_counter()
                    mains[library]()
                    best[library] = min(best[library], time.perf_counter() - start)
        except Exception as error:
            return Result(name, best, f"{type(error).__name__}: {error}")
    return Result(name, best)


def run(names: Sequence[str], rounds: int) -> list[Result]:
    with threads(THREADS[-1]):
        return [contest(name, rounds) for name in names]


def median_ratio(results: Sequence[Result]) -> float:
    """Of the scripts that ran; infinite where none did."""
    ratios = [result.ratio for result in results if result.error is None]
    return statistics.median(ratios) if ratios else float("inf")


def report(results: Sequence[Result]) -> str:
    lines = [f"{'script':<22}{'mixprec':>10}{'numpy':>10}{'ratio':>8}"]
    for result in results:
        if result.error is None:
            times = "".join(f"{1e3 * result.seconds[library]:>7.1f} ms" for library in LIBRARIES)
            lines.append(f"{result.name:<22}{times}{result.ratio:>8.2f}")
    failed = [result for result in results if result.error is not None]
    lines.append(f"median ratio {median_ratio(results):.2f} (at most {BAR}), {len(failed)} failed")
    lines += [f"{result.name}: {result.error}" for result in failed]
    return "\n".join(lines)


def test_scripts(benchmark):
    rounds = ROUNDS if benchmark.enabled else 1
    results = benchmark.pedantic(run, args=(NAMES, rounds), rounds=1)
    print(report(results))
    assert not [result.name for result in results if result.error is not None]
    benchmark.extra_info.update(
        what=f"{len(results)} research scripts: the sum of their times, the median of the ratios",
        threads=THREADS[-1],
        seconds={
            library: sum(result.seconds[library] for result in results) for library in LIBRARIES
        },
        ratios={result.name: result.ratio for result in results},
        bars=[
            {
                "ours": "mixprec",
                "peer": "numpy",
                "least": 1 / BAR,
                "speed": 1 / median_ratio(results),
            }
        ],
        limit_share=None,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the scripts; all of them")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"no such script: {', '.join(unknown)}")
    results = run(options.names or NAMES, options.rounds)
    print(report(results))
    failed = any(result.error is not None for result in results)
    return 1 if failed or median_ratio(results) > BAR else 0


if __name__ == "__main__":
    sys.exit(main())
