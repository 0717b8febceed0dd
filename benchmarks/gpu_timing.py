"""Times calls that run on a GPU: interleaved windows with a synchronisation on either side.

A window holds as many calls as fill its duration; systems take turns, so that all of them meet the
same clocks and temperatures. What counts is the median of the windows. Also here: the systems that
are compared, and how each of them is waited for.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import statistics
import subprocess
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
QUEUE = 500  # calls that are sent without waiting: fewer than a stream's queue holds


@dataclass
class Run:
    """What one system does: `statement` with `names`, or call() of names["call"].

    prepare(calls) is run before each window, outside of the time. host: the time is that of the
    host alone, until the last call has returned. most: calls of a window at most. many(calls), if
    given, does a whole window by itself and returns its seconds.
    """

    statement: str
    names: Mapping[str, Any]
    prepare: Callable[[int], None] | None = None
    host: bool = False
    most: int = 20000
    many: Callable[[int], float] | None = None


def calling(call: Callable[[], Any], **options: Any) -> Run:
    return Run("call()", {"call": call}, **options)


@dataclass
class Reading:
    """Seconds per call, over the windows, and the most bytes that the system has held."""

    median: float
    minimum: float
    peak_bytes: int | None = None


@dataclass
class Setup:
    """Where things run. small: tiny sizes, to try the program where there is no GPU."""

    device: str = "cuda"
    small: bool = False
    window: float = 0.1
    windows: int = 7
    systems: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def size(self, full: int, small: int = 16) -> int:
        return small if self.small else full

    def load(self) -> None:
        """Imports the systems; one that fails is named in `missing`."""
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        names = {"mixprec": "mixprec", "torch": "torch", "jax": "jax", "cupy": "cupy"}
        for name, module in names.items():
            try:
                found = importlib.import_module(module)
                if self.device == "cuda":
                    probe(name, found)
                elif name == "cupy":
                    raise RuntimeError("runs on GPUs only")
                self.systems[name] = found
            except Exception as error:
                self.missing[name] = describe(error)

    def wait(self, system: str) -> None:
        """Until everything that the system has sent is done."""
        module = self.systems.get(system)
        if module is None or self.device == "cpu":
            return
        if system == "cupy":
            module.cuda.Device().synchronize()
        elif system == "jax":
            (module.numpy.zeros(()) + 1).block_until_ready()  # behind what was sent before
        else:
            module.cuda.synchronize()

    def free(self) -> None:
        """Gives the memory that allocators keep back to the driver, where they can."""
        torch, mp = self.systems.get("torch"), self.systems.get("mixprec")
        if self.device == "cpu":
            return
        if torch is not None:
            torch.cuda.empty_cache()
        if "cupy" in self.systems:
            self.systems["cupy"].get_default_memory_pool().free_all_blocks()
        if mp is not None and hasattr(mp.cuda, "empty_cache"):
            mp.cuda.empty_cache()

    def reset_peak(self, system: str) -> None:
        if system == "mixprec":
            self.systems[system].reset_peak_memory(self.device)
        elif system == "torch" and self.device == "cuda":
            self.systems[system].cuda.reset_peak_memory_stats()

    def peak(self, system: str) -> int | None:
        if system == "mixprec":
            return int(self.systems[system].memory_stats(self.device).peak)
        if system == "torch" and self.device == "cuda":
            return int(self.systems[system].cuda.max_memory_allocated())
        return None


def probe(name: str, module: Any) -> None:
    """Raises where the system has no GPU that works."""
    if name == "mixprec":
        if not module.cuda.is_available():
            raise RuntimeError("no GPU; `mixprec info` says why")
        module.ones(4).to("cuda").cpu()
    elif name == "torch":
        module.ones(4, device="cuda").cpu()
    elif name == "cupy":
        module.ones(4).get()
    elif module.default_backend() != "gpu":
        raise RuntimeError(f"its backend is {module.default_backend()}")


def measure(setup: Setup, runs: Mapping[str, Run]) -> tuple[dict[str, Reading], dict[str, str]]:
    """Readings and errors of runs by name; a name's first word is its system."""
    timers = {
        name: timeit.Timer(run.statement, globals=dict(run.names)) for name, run in runs.items()
    }

    def window(name: str, count: int) -> float:
        run, system = runs[name], name.split()[0]
        if run.many:
            return run.many(count)
        if run.prepare:
            run.prepare(count)
        setup.wait(system)
        start = timeit.default_timer()
        sent = timers[name].timeit(count)
        setup.wait(system)
        return sent if run.host else timeit.default_timer() - start

    calls: dict[str, int] = {}
    peaks: dict[str, int | None] = {}
    errors: dict[str, str] = {}
    for name, run in runs.items():
        system, few = name.split()[0], min(4, run.most)
        try:
            for _ in range(3):  # load, compile, plan, fill the allocators
                window(name, few)
            setup.reset_peak(system)
            once = window(name, few) / few
            peaks[name] = setup.peak(system)
        except Exception as error:
            errors[name] = describe(error)
            continue
        calls[name] = max(1, min(run.most, int(setup.window / max(once, 1e-7))))
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(setup.windows):
        for name, count in calls.items():
            for _ in range(5 if runs[name].host else 1):  # these are short
                taken[name].append(window(name, count) / count)
    readings = {
        name: Reading(statistics.median(times), min(times), peaks[name])
        for name, times in taken.items()
    }
    return readings, errors


def describe(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:200]


def launches(folder: str) -> Callable[[int], float]:
    """launch_many of launch.c, built in a folder: the host's seconds for n empty kernels."""
    library = str(Path(folder, "launch.so"))
    compiler = os.environ.get("CC", "gcc")
    command = [compiler, "-O2", "-shared", "-fPIC", str(HERE / "launch.c"), "-o", library, "-ldl"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    launch_many = ctypes.CDLL(library).launch_many
    launch_many.argtypes, launch_many.restype = [ctypes.c_int], ctypes.c_double
    return launch_many
