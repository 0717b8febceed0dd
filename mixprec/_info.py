"""What this installation is: versions, the build, the machine. `mixprec info` prints it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

from . import _core

__all__ = ["collect", "render"]

# Packages that optional parts use; shown so that a report says what was there.
_PACKAGES = ("numpy", "ml_dtypes", "safetensors", "tqdm", "matplotlib", "scikit-learn", "torch")


def collect() -> dict[str, Any]:
    """Everything `mixprec info` shows, as plain JSON values."""
    core = dict(_core.info())
    return {
        "mixprec": _version("mixprec"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
        "cpu": {
            "tier": core.pop("tier", None),
            "tiers": _words(core.pop("tiers", ())),
            "threads": _core.get_num_threads(),
            "cpus": _cpus(),
        },
        "cuda": {
            "available": bool(core.pop("cuda", False)),
            "why_not": core.pop("cuda_why", "") or None,
            **json.loads(core.pop("cuda_found", "") or "{}"),
        },
        "dtypes": [row["name"] for row in _core.dtype_table()],
        "ops": len(_core.op_table()),
        "default_dtype": str(_core.default_dtype()),
        "build": _build(),
        "core": {key: value for key, value in core.items() if _is_plain(value)},
    }


def render(info: dict[str, Any]) -> str:
    """The text form of `collect`'s result."""
    cpu, cuda = info["cpu"], info["cuda"]
    packages = [f"{name} {version or 'absent'}" for name, version in info["packages"].items()]
    rows = [
        ("mixprec", f"{info['mixprec']}, Python {info['python']}, {info['platform']}"),
        ("packages", ", ".join(packages)),
        ("cpu", f"{cpu['tier']} (usable here: {' '.join(cpu['tiers'])})"),
        ("threads", f"{cpu['threads']} of {cpu['cpus']} CPUs"),
        *_cuda_rows(cuda),
        ("dtypes", " ".join(info["dtypes"])),
        ("ops", f"{info['ops']} rows"),
    ]
    build = dict(info["build"])
    if "cuda" in build:
        rows.append(("build cuda", _built(build.pop("cuda"))))
    rows += [(f"build {key}", _flat(value)) for key, value in build.items() if value is not None]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)


def _cuda_rows(cuda: dict[str, Any]) -> list[tuple[str, str]]:
    """Whether CUDA is there, each device and what it computes itself, and NVIDIA's libraries."""
    if not cuda["available"]:
        return [("cuda", f"absent: {cuda['why_not']}")]
    rows = [
        (
            "cuda",
            f"driver for CUDA {_cuda_version(cuda['driver'])}, run time "
            f"{_cuda_version(cuda['runtime'])}",
        )
    ]
    for i, device in enumerate(cuda["devices"]):
        size = device["bytes"] / 2**30
        rows.append(
            (
                f"cuda:{i}",
                f"{device['name']}, compute capability {device['capability']}, "
                f"{device['processors']} multiprocessors, {size:.1f} GiB",
            )
        )
        kinds: dict[str, list[str]] = {}
        for dtype, how in device["dtypes"].items():
            kinds.setdefault(how, []).append(dtype)
        rows += [
            (f"cuda:{i} {how.partition(':')[0]}", " ".join(names) + _reason(how))
            for how, names in kinds.items()
        ]
    for library in cuda["libraries"]:
        found = f"{library['version']} at {library['path']}"
        rows.append((library["file"], found if library["path"] else library["missing"]))
    return rows


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _reason(how: str) -> str:
    """What comes after the colon of a text such as "storage: there are no products"."""
    reason = how.partition(": ")[2]
    return f" ({reason})" if reason else ""


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _build() -> dict[str, Any]:
    """What setup.py wrote down about the build; empty where it left no file."""
    try:
        text = (Path(__file__).parent / "_build_info.json").read_text()
    except OSError:
        return {}
    values = json.loads(text)
    return values if isinstance(values, dict) else {}


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _words(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else [str(v) for v in value]


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool, list, tuple, dict))


def _built(cuda: dict[str, Any]) -> str:
    """What the build says of the CUDA library."""
    if not cuda["built"]:
        return f"no: {cuda['why_not']}"
    return f"for {' '.join(cuda['archs'])} by {cuda['nvcc']} {cuda['version']}"


def _flat(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
