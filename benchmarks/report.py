"""Runs the benchmarks, prints the table and writes benchmarks/results/<date>-<commit>.json.

    python benchmarks/report.py [--keyword EXPRESSION] [--from FILE] [--readme [PLACE]]

--keyword: only these benchmarks (pytest's -k). --from: print the table of an earlier result.
--readme: put the table into README.md as well, at a place of its own if one is named. The exit
status is 1 where a bar was missed.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGES = ("mixprec", "numpy", "ml_dtypes", "torch")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keyword", metavar="EXPRESSION", default="")
    parser.add_argument("--from", metavar="FILE", type=Path, dest="source")
    parser.add_argument("--readme", metavar="PLACE", nargs="?", const="benchmarks")
    options = parser.parse_args()

    if options.source:
        result = json.loads(options.source.read_text())
    else:
        result = run(options.keyword)
        print(f"written: {write(result).relative_to(ROOT)}\n")
    text = render(result)
    print(text)
    if options.readme:
        put_into_readme(options.readme, text)
    missed = [bar for row in result["rows"] for bar in row["bars"] if bar["speed"] < bar["least"]]
    return 1 if missed else 0


def run(keyword: str) -> dict[str, Any]:
    """Runs pytest on this folder and boils its JSON down to what a reader wants."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "benchmark.json")
        command = [sys.executable, "-m", "pytest", "-q", str(HERE), f"--benchmark-json={file}"]
        if keyword:
            command += ["-k", keyword]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        found = json.loads(file.read_text())
    cpu = found["machine_info"].get("cpu", {})
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": revision(),
        "machine": {
            "cpu": cpu.get("brand_raw") or platform.processor(),
            "cpus": len(os.sched_getaffinity(0)),
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
            "tier": tier(),
        },
        "versions": {name: version(name) for name in PACKAGES},
        "rows": [entry["extra_info"] for entry in found["benchmarks"]],
    }


def tier() -> str:
    from mixprec import _core

    return str(_core.info()["tier"])


def version(name: str) -> str | None:
    if name == "mixprec":  # which need not be installed
        import mixprec

        return mixprec.__version__
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def revision() -> str:
    """The commit: what MIXPREC_COMMIT says, for a copy without its history, else git's."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    named = os.environ.get("MIXPREC_COMMIT")
    if named:
        return named
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def write(result: dict[str, Any]) -> Path:
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{result['date'][:10]}-{result['commit']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def render(result: dict[str, Any]) -> str:
    """A Markdown table: a line per time, with the bars that it is held to."""
    machine, versions = result["machine"], result["versions"]
    packages = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    lines = [
        f"{machine['cpu']}, {machine['cpus']} CPUs, tier {machine['tier']}; Python "
        f"{machine['python']}, {packages}; {result['date'][:10]}, commit {result['commit']}.",
        "",
        "| what | threads | run | time | speed against (at least) | of the machine's limit |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        what, count = row["what"], row.get("threads", "")
        for name, seconds in row["seconds"].items():
            share = row["limit_share"] if name == "mixprec" else None
            cells = [what, str(count), name, duration(seconds), bars_of(row, name)]
            cells.append(f"{share:.0%}" if share else "")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def bars_of(row: dict[str, Any], name: str) -> str:
    texts = []
    for bar in row["bars"]:
        if bar["ours"] == name:
            miss = "" if bar["speed"] >= bar["least"] else " **missed**"
            texts.append(f"{bar['peer']}: {bar['speed']:.2f} ({bar['least']:.2f}){miss}")
    return ", ".join(texts)


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def put_into_readme(place: str, text: str) -> None:
    """Puts a text between the two comments of a place in README.md."""
    path = ROOT / "README.md"
    first, last = f"<!-- {place}: begin -->", f"<!-- {place}: end -->"
    before, begin, rest = path.read_text().partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise SystemExit(f"README.md has no lines {first} and {last}")
    path.write_text(f"{before}{first}\n\n{text}\n\n{last}{after}")


if __name__ == "__main__":
    sys.exit(main())
