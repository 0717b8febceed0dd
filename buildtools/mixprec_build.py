"""The build backend: setuptools', with nvcc from PyPI where MIXPREC_CUDA=1 finds none.

setup.py imports the search for nvcc from here. What is compiled, and how, is setup.py's business.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import build_meta as _setuptools
from setuptools.build_meta import *  # noqa: F403  (the hooks that stay setuptools')

CUDA_REQUIREMENT = "cuda-toolkit[nvcc,crt,cudart,cccl]==13.0.*"


def get_requires_for_build_wheel(config_settings=None):
    return _setuptools.get_requires_for_build_wheel(config_settings) + _cuda_requirements()


def get_requires_for_build_editable(config_settings=None):
    return _setuptools.get_requires_for_build_editable(config_settings) + _cuda_requirements()


def _cuda_requirements() -> list[str]:
    return [CUDA_REQUIREMENT] if cuda_mode() == "1" and find_nvcc() is None else []


def cuda_mode() -> str:
    """MIXPREC_CUDA: "auto" (build where nvcc is found), "0" (never) or "1" (fail without)."""
    mode = os.environ.get("MIXPREC_CUDA", "auto").strip() or "auto"
    if mode not in ("auto", "0", "1"):
        raise SystemExit(f"MIXPREC_CUDA is {mode!r}, it can be auto, 0 or 1")
    return mode


def find_nvcc() -> Path | None:
    """nvcc of NVCC, CUDA_HOME, CUDA_PATH, an installed cuda-toolkit, PATH or /usr/local/cuda."""
    candidates = [Path(os.environ["NVCC"])] if os.environ.get("NVCC") else []
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(variable):
            candidates.append(Path(os.environ[variable], "bin", "nvcc"))
    candidates += [Path(entry, "nvidia", "cu13", "bin", "nvcc") for entry in sys.path if entry]
    found = shutil.which("nvcc")
    if found:
        candidates.append(Path(found))
    candidates.append(Path("/usr/local/cuda/bin/nvcc"))
    return next((path for path in candidates if os.access(path, os.X_OK) and path.is_file()), None)


def cuda_archs() -> list[str]:
    """MIXPREC_CUDA_ARCHS, ';' between them: "90a" is machine code, "compute_90" PTX.

    "native", which is also the default, means the GPUs present, and 90a where there is none.
    """
    names: list[str] = []
    for name in os.environ.get("MIXPREC_CUDA_ARCHS", "native").split(";"):
        name = name.strip().replace("+PTX", "compute_90")
        if name in ("native", ""):
            names += _archs_present() or ["90a"]
        elif re.fullmatch(r"(compute_)?\d{2,3}[af]?", name):
            names.append(name)
        else:
            raise SystemExit(f"MIXPREC_CUDA_ARCHS: {name!r} is not one such as 90a or compute_90")
    return list(dict.fromkeys(names))


def _archs_present() -> list[str]:
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    suffix = {"90": "a", "100": "f", "120": "f"}
    numbers = [line.strip().replace(".", "") for line in done.stdout.splitlines()]
    return [n + suffix.get(n, "") for n in dict.fromkeys(numbers) if n.isdigit()]
