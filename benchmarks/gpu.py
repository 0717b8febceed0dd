"""Measures mixprec on the GPU beside its peers and writes results/gpu-<card>-<date>.json.

    python benchmarks/gpu.py [--only NAME ...] [--json FILE] [--window SECONDS] [--windows N]
                             [--from FILE] [--readme]

A line per workload and system: the time or rate, how fast that is against the best peer, whether
the bar was met (the bars are of an H200), and the share of what the card does: bytes at the rate of
a copy, operations at the rate of a matrix product, both measured in the same run. A peer that
cannot be imported is named and left out. The exit status is 1 where a bar was missed or mixprec
could not run. --small tries the program: tiny sizes, on the CPU.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from gpu_timing import Reading, Setup, describe, measure
from gpu_workloads import WORKLOADS, Limits, Workload
from report import HERE, put_into_readme, revision, version

PACKAGES = ("mixprec", "numpy", "torch", "jax", "cupy-cuda13x")
SCALES = {"us": 1e6, "TB/s": 1e-12, "TFLOP/s": 1e-12}
COLUMNS = ("workload", "system", "value", "best window", "against the best peer", "bar", "of limit")
HEAD = "| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        metavar="NAME",
        nargs="+",
        choices=WORKLOADS,
        default=[*WORKLOADS],
        help=f"of {', '.join(WORKLOADS)}",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the result")
    parser.add_argument("--window", metavar="SECONDS", type=float, default=0.1)
    parser.add_argument("--windows", metavar="N", type=int, default=7)
    parser.add_argument("--from", metavar="FILE", type=Path, dest="source")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md too")
    parser.add_argument("--small", action="store_true", help="tiny sizes, on the CPU")
    options = parser.parse_args()
    if options.source:
        return show(json.loads(options.source.read_text()), options.readme)

    setup = Setup(
        "cpu" if options.small else "cuda", options.small, options.window, options.windows
    )
    setup.load()
    if "mixprec" in setup.missing:
        print(f"mixprec: {setup.missing['mixprec']}", file=sys.stderr)
        return 2
    card = find_card(setup)
    for name, why in setup.missing.items():
        print(f"{name} is left out: {why}")
    print(f"{card['name']}, driver {card['driver']}\n", flush=True)
    limits = Limits(setup)
    rows: list[dict[str, Any]] = []
    print(HEAD)
    for name in options.only:
        for workload in WORKLOADS[name](setup):
            found = play(setup, limits, workload)
            for row in found:
                print(line(row), flush=True)
            rows += found
    result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": revision(),
        "machine": {
            **card,
            "cpus": len(os.sched_getaffinity(0)),
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
        },
        "versions": {package: version(package) for package in PACKAGES},
        "missing": setup.missing,
        "rows": rows,
    }
    print(f"\nwritten: {write(result, options.json)}")
    if options.readme:
        put_into_readme("gpu benchmarks", render(result))
    return verdict(rows)


def show(result: dict[str, Any], readme: bool) -> int:
    print(render(result))
    if readme:
        put_into_readme("gpu benchmarks", render(result))
    return verdict(result["rows"])


def render(result: dict[str, Any]) -> str:
    machine = result["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    about = f"{machine['name']}, driver {machine['driver']}; Python {machine['python']}, {packages}"
    about += f"; {result['date'][:10]}, commit {result['commit']}."
    return "\n".join([about, "", HEAD, *map(line, result["rows"])])


def verdict(rows: list[dict[str, Any]]) -> int:
    failed = [row for row in rows if row["bar_met"] is False or is_broken(row)]
    return 1 if failed else 0


def is_broken(row: dict[str, Any]) -> bool:
    return row["system"].startswith("mixprec") and row["value"] is None


def find_card(setup: Setup) -> dict[str, Any]:
    if setup.device == "cpu":
        return {"name": "CPU", "driver": None}
    fields = "name,driver_version,memory.total"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader", "--id=0"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        name, driver, memory = (part.strip() for part in done.stdout.split(","))
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        return {"name": "unknown GPU", "driver": None, "why": describe(error)}
    return {"name": name, "driver": driver, "memory": memory}


def play(setup: Setup, limits: Limits, workload: Workload) -> list[dict[str, Any]]:
    """Measures one workload: its rows."""
    if setup.small:  # neither bars nor limits mean anything
        workload.bars, workload.limit = [], None
    limit = limits.rate(workload.limit) if workload.limit else None
    setup.free()
    runs: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, make in workload.runs.items():
        if name.split()[0] not in (*setup.systems, "empty"):
            continue
        try:
            runs[name] = make()
        except Exception as error:
            errors[name] = describe(error)
    readings, failed = measure(setup, runs)
    errors.update(failed)
    runs.clear()
    workload.runs = {}
    gc.collect()
    setup.free()
    best = workload.work / limit if limit else None
    rows = [row_of(workload, name, reading, best, readings) for name, reading in readings.items()]
    return rows + [
        row_of(workload, name, None, best, readings, why) for name, why in errors.items()
    ]


def row_of(
    workload: Workload,
    name: str,
    reading: Reading | None,
    limit: float | None,
    readings: dict[str, Reading],
    error: str | None = None,
) -> dict[str, Any]:
    """limit: seconds that a call takes at the rate of the card."""
    row: dict[str, Any] = {
        "workload": workload.name,
        "configuration": workload.configuration,
        "system": name,
        "metric": "time" if workload.unit == "us" else "rate",
        "value": None,
        "unit": workload.unit,
        "limit": in_unit(workload, limit) if limit else None,
        "peak_bytes": None,
        "best_window": None,
        "limit_share": None,
        "against_peer": None,
        "bar": None,
        "bar_met": None,
        "error": error,
    }
    if reading is None:
        return row
    row["value"] = in_unit(workload, reading.median)
    row["best_window"] = in_unit(workload, reading.minimum)
    row["peak_bytes"] = reading.peak_bytes
    row["limit_share"] = limit / reading.median if limit else None
    if not name.startswith("mixprec"):
        return row
    tape = name.endswith("with tape")
    peers = [
        other.median
        for peer, other in readings.items()
        if not peer.startswith(("mixprec", "empty")) and peer.endswith("with tape") == tape
    ]
    row["against_peer"] = min(peers) / reading.median if peers else None
    for text, met in workload.bars:
        of, colon, rest = text.partition(": ")
        if (of if colon else "mixprec") == name:
            row["bar"], row["bar_met"] = rest or text, met(readings, limit)
    return row


def in_unit(workload: Workload, seconds: float) -> float:
    scale = SCALES[workload.unit]
    return seconds * scale if workload.unit == "us" else workload.work / seconds * scale


def line(row: dict[str, Any]) -> str:
    def number(value: float | None, unit: str = "") -> str:
        return "" if value is None else f"{value:.4g}{unit}"

    bar = row["bar"] or ""
    if row["bar_met"] is not None:
        bar += ": met" if row["bar_met"] else ": **missed**"
    share = row["limit_share"]
    cells = [
        f"{row['workload']}, {row['configuration']}",
        row["system"],
        row["error"] or number(row["value"], f" {row['unit']}"),
        number(row["best_window"]),
        number(row["against_peer"]),
        bar,
        f"{share:.0%}" if share else "",
    ]
    return "| " + " | ".join(cells) + " |"


def write(result: dict[str, Any], path: Path | None) -> Path:
    if path is None:
        folder = HERE / "results"
        folder.mkdir(exist_ok=True)
        card = re.sub(r"[^a-z0-9]+", "-", result["machine"]["name"].lower()).strip("-")
        path = folder / f"gpu-{card.removeprefix('nvidia-')}-{result['date'][:10]}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
