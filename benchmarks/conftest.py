"""Fixtures of the benchmarks: a fair environment, and what the machine can do at most."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_configure() -> None:
    tuned = sorted(name for name in os.environ if name.startswith("OPENBLAS_"))
    if tuned:
        pytest.exit(f"unset {', '.join(tuned)}: NumPy is compared as users have it", returncode=4)


@pytest.fixture(scope="session")
def peak(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], dict[str, float]]:
    """peak(threads) -> {"gflops": float32, "gbytes": copied, read and written}, both per second."""
    program = tmp_path_factory.mktemp("peak") / "peak"
    flags = ["-O3", "-march=native", "-ffast-math", "-pthread"]
    compiler = os.environ.get("CC", "gcc")
    subprocess.run([compiler, *flags, str(HERE / "peak.c"), "-o", str(program)], check=True)

    @functools.cache
    def measure(threads: int) -> dict[str, float]:
        done = subprocess.run([program, str(threads)], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return measure
