"""Measures NumPy code on the GPU: throughput of functions, and how long scripts pause at first.

    python benchmarks/gpu_arrays.py [--json FILE] [--window SECONDS] [--windows N] [--small]

Functions over 2^26 float32, mixprec beside CuPy and torch: milliseconds of a call, how fast that is
against the best peer, and the share of the rate of a copy, by the bytes that have to be read and
written. Scripts of benchmarks/scripts with nothing but their import line changed, each in a process
of its own: seconds of the first run less those of a later one, which is what importing, compiling
and loading kernels costs, beside CuPy where it runs the script too. Writes
results/gpu-arrays-<card>-<date>.json and prints its tables last; the exit status is 1 where mixprec
could not run. --small tries the program: tiny sizes, on the CPU.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import operator
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu import find_card
from gpu_timing import HERE, Run, Setup, calling, describe, measure
from gpu_workloads import Limits
from report import revision, version

SIZE = 26  # log2 of the elements
PEERS = ("mixprec", "cupy", "torch")
SCRIPTS = ("finite_differences", "life", "mandelbrot", "mlp", "nbody")
PACKAGES = ("mixprec", "torch", "cupy-cuda13x")
TIMEOUT = 60  # seconds of a script

# A script's first run and a later one, in seconds. Both end where the GPU is done.
SCRIPT = """
import contextlib, io, json, sys, time
path, library, device = sys.argv[1:]
start = time.perf_counter()
source = open(path).read().replace("import numpy as np\\n", f"import {library} as np\\n", 1)
namespace = {"__name__": "script"}
if library == "mixprec":
    import mixprec
    mixprec.set_default_device(device)
    wait = mixprec.cuda.synchronize if device == "cuda" else lambda: None
else:
    import cupy
    wait = cupy.cuda.Device().synchronize
times = []
with contextlib.redirect_stdout(io.StringIO()):
    exec(compile(source, path, "exec"), namespace)
    for _ in range(4):
        namespace["main"]()
        wait()
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
print(json.dumps(times))
"""


# ---- functions ----


def functions(setup: Setup) -> dict[str, tuple[float, Callable[[str], Run]]]:
    """By name: the bytes that a call has to move, and what makes a system's run."""
    import numpy as np

    n = 1 << setup.size(SIZE, 10)
    rng = np.random.default_rng(0)
    host = rng.standard_normal(n, dtype=np.float32)
    whole = rng.integers(0, 1 << 16, n).astype(np.float32)
    places = rng.permutation(n)
    made: dict[tuple[str, str], Any] = {}

    def on_card(system: str, name: str) -> Any:
        key = (system, name)
        if key not in made:
            values = {"x": host, "whole": whole, "mask": host > 0, "places": places}[name]
            module = setup.systems[system]
            if system == "torch":
                made[key] = module.from_numpy(values).to(setup.device)
            elif system == "mixprec":
                made[key] = module.array(values, device=setup.device)
            else:
                made[key] = module.asarray(values)
        return made[key]

    def run(make: Callable[[Any, Callable[[str], Any]], Callable[[], Any]]) -> Any:
        def of_system(system: str) -> Run:
            return calling(
                make(setup.systems[system], lambda name: on_card(system, name)), most=2000
            )

        return of_system

    def one(name: str, array: str = "x") -> Any:
        return run(lambda m, get: functools.partial(getattr(m, name), get(array)))

    def scan(m: Any, get: Any) -> Any:
        axis = (0,) if m.__name__ == "torch" else ()
        return functools.partial(m.cumsum, get("x"), *axis)

    def indexed(name: str) -> Any:
        return run(lambda m, get: functools.partial(operator.getitem, get("x"), get(name)))

    kept = int((host > 0).sum())
    return {
        "x + x": (12 * n, run(lambda m, get: functools.partial(operator.add, get("x"), get("x")))),
        "exp": (8 * n, one("exp")),
        "sin": (8 * n, one("sin")),
        "sum": (4 * n, one("sum")),
        "cumsum": (8 * n, run(scan)),
        "sort": (8 * n, one("sort")),
        "argsort": (12 * n, one("argsort")),
        "x[mask]": (5 * n + 4 * kept, indexed("mask")),
        "x[places]": (16 * n, indexed("places")),
        "unique": (4 * n, one("unique", "whole")),
    }


def measure_functions(setup: Setup) -> list[dict[str, Any]]:
    rate = None if setup.small else Limits(setup).rate("copy")
    rows = []
    for name, (moved, make) in functions(setup).items():
        runs, errors = {}, {}
        for system in PEERS:
            if system not in setup.systems:
                continue
            try:
                runs[system] = make(system)
            except Exception as error:
                errors[system] = describe(error)
        readings, failed = measure(setup, runs)
        errors.update(failed)
        runs.clear()
        setup.free()
        row: dict[str, Any] = {"function": name, "bytes": moved, "errors": errors}
        row["ms"] = {system: reading.median * 1e3 for system, reading in readings.items()}
        peers = [ms for system, ms in row["ms"].items() if system != "mixprec"]
        ours = row["ms"].get("mixprec")
        row["against_peer"] = min(peers) / ours if peers and ours else None
        row["copy_share"] = moved / rate / ours * 1e3 if rate and ours else None
        rows.append(row)
    return rows


# ---- scripts ----


def time_script(name: str, library: str, device: str) -> dict[str, Any]:
    command = [sys.executable, "-c", SCRIPT, str(HERE / "scripts" / f"{name}.py"), library, device]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"more than {TIMEOUT} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no text"])[-1][:200]}
    times = json.loads(done.stdout.splitlines()[-1])
    steady = min(times[1:])
    return {"first": times[0], "steady": steady, "pause": times[0] - steady}


def measure_scripts(setup: Setup) -> list[dict[str, Any]]:
    rows = []
    for name in SCRIPTS:
        row: dict[str, Any] = {"script": name}
        for library in ("mixprec", "cupy"):
            if library in setup.systems:
                row[library] = time_script(name, library, setup.device)
        rows.append(row)
    return rows


# ---- the program ----


def render(result: dict[str, Any]) -> str:
    def number(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    lines = ["| function | mixprec ms | CuPy | torch | against the best peer | of a copy |"]
    lines.append("|---" * 6 + "|")
    for row in result["functions"]:
        cells = [
            row["errors"].get(system) or number(row["ms"].get(system), ".3g") for system in PEERS
        ]
        cells += [number(row["against_peer"], ".2f"), number(row["copy_share"], ".0%")]
        lines.append(f"| {row['function']} | " + " | ".join(cells) + " |")
    lines += ["", "| script | mixprec pause s | steady | CuPy pause s | steady |"]
    lines.append("|---" * 5 + "|")
    for row in result["scripts"]:
        cells = []
        for library in ("mixprec", "cupy"):
            found = row.get(library, {})
            cells += [found.get("error") or number(found.get("pause"), ".2f")]
            cells += [number(found.get("steady"), ".3g")]
        lines.append(f"| {row['script']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def failures(result: dict[str, Any]) -> list[str]:
    functions = [row["function"] for row in result["functions"] if "mixprec" in row["errors"]]
    return functions + [
        row["script"] for row in result["scripts"] if "error" in row.get("mixprec", {})
    ]


def write(result: dict[str, Any], path: Path | None) -> Path:
    if path is None:
        folder = HERE / "results"
        folder.mkdir(exist_ok=True)
        card = result["machine"]["name"].lower().removeprefix("nvidia ").replace(" ", "-")
        path = folder / f"gpu-arrays-{card}-{result['date'][:10]}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the result")
    parser.add_argument("--window", metavar="SECONDS", type=float, default=0.05)
    parser.add_argument("--windows", metavar="N", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="tiny sizes, on the CPU")
    options = parser.parse_args()
    setup = Setup(
        "cpu" if options.small else "cuda", options.small, options.window, options.windows
    )
    setup.load()
    if "mixprec" in setup.missing:
        print(f"mixprec: {setup.missing['mixprec']}", file=sys.stderr)
        return 2
    result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": revision(),
        "machine": find_card(setup),
        "versions": {package: version(package) for package in PACKAGES},
        "missing": setup.missing,
        "scripts": measure_scripts(setup),
        "functions": measure_functions(setup),
    }
    for name, why in setup.missing.items():
        print(f"{name} is left out: {why}")
    print(f"written: {write(result, options.json)}\n")
    print(render(result))
    return 1 if failures(result) else 0


if __name__ == "__main__":
    sys.exit(main())
