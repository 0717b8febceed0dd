"""Builds mixprec._core (C, Python, the CPU backend) and mixprec/_cuda.so (CUDA, no Python ABI).

Everything static is in pyproject.toml. Sources are found by pattern: a new op or kernel file needs
no change here. Objects are kept in build/objects under a hash of all that made them, so that a
rebuild compiles what changed.

Environment: CC, CFLAGS, LDFLAGS, MAX_JOBS; NVCC, CUDA_HOME; MIXPREC_CUDA=auto|0|1;
MIXPREC_CUDA_ARCHS (see buildtools/mixprec_build.py); MIXPREC_CFLAGS: more flags for every C file;
MIXPREC_SANITIZE, such as address,undefined: a build to test under those sanitizers.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "buildtools"))
from mixprec_build import CUDA_REQUIREMENT, cuda_archs, cuda_mode, find_nvcc  # noqa: E402

CACHE = ROOT / "build" / "objects"
CACHE_DAYS = 14
X86 = platform.machine() in ("x86_64", "AMD64")
TIERS = {"baseline": []}
if X86:
    TIERS["avx2"] = ["-mavx2", "-mfma", "-mf16c"]
    TIERS["avx512"] = [
        *("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mf16c"),
        "-mprefer-vector-width=512",
    ]
UNTIERED = {"backend.c", "memory.c", "parallel.c"}  # of csrc/cpu: compiled once, for any CPU
# core files that the CUDA library has its own copy of
SHARED_WITH_CUDA = ["csrc/dtype.c", "csrc/iter.c"]
NVCC_FLAGS = ["-std=c++17", "-O3", "-lineinfo", "--compress-mode=size"]
NUMPY_API = [
    "-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION",
    "-DNPY_TARGET_VERSION=NPY_2_0_API_VERSION",
]


class BackendLibrary(Extension):
    """A library without Python ABI: one file for every Python, loaded by the core."""


@dataclass(frozen=True)
class Object:
    """One compilation; extra_key is what its result depends on beyond files and flags."""

    source: str
    command: tuple[str, ...]
    name: str
    extra_key: str = ""


def sources(*patterns: str) -> list[str]:
    found = (path for pattern in patterns for path in ROOT.glob(pattern))
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def sanitizers() -> str:
    return os.environ.get("MIXPREC_SANITIZE", "").strip()


def c_compiler() -> list[str]:
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def c_flags() -> list[str]:
    """Flags of every C file. -O3 goes first: CFLAGS and MIXPREC_CFLAGS may say otherwise."""
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O3", "-fPIC", "-pthread"]
    flags += ["-fvisibility=hidden", "-fno-math-errno"]
    if sanitizers():
        flags += [f"-fsanitize={sanitizers()}", "-fno-sanitize-recover=all", "-O1", "-g"]
        flags += ["-fno-omit-frame-pointer"]
    for variable in ("CFLAGS", "MIXPREC_CFLAGS"):
        flags += shlex.split(os.environ.get(variable, ""))
    return flags


def c_object(source: str, flags: list[str], suffix: str = "", extra_key: str = "") -> Object:
    command = (*c_compiler(), *c_flags(), *flags, "-Icsrc", "-c", source)
    return Object(source, command, source.replace("/", "_") + suffix, extra_key)


def core_objects() -> list[Object]:
    objects = []
    for source in sources("csrc/*.c", "csrc/ops/*.c"):
        objects.append(c_object(source, ["-ffp-contract=off"]))
    include = [f"-I{sysconfig.get_path('include')}", f"-I{sysconfig.get_path('platinclude')}"]
    include += [f"-I{numpy.get_include()}", *NUMPY_API]
    for source in sources("csrc/py/*.c"):
        key = f"{sys.version} {numpy.__version__}"
        objects.append(c_object(source, [*include, "-ffp-contract=off"], ".py", key))
    for source in sources("csrc/cpu/*.c"):
        name = Path(source).name
        # fused where sums are long, and where doubles are rounded to float32 in the end
        fused = name.startswith(("gemm", "math"))
        contract = "-ffp-contract=fast" if fused else "-ffp-contract=off"
        # no kernel reads the floating-point flags; GCC then vectorises "c ? a : b"
        math = [contract, "-fno-trapping-math"]
        if name in UNTIERED:
            objects.append(c_object(source, math))
            continue
        for tier, flags in TIERS.items():
            objects.append(c_object(source, [*flags, *math, f"-DMP_TIER={tier}"], f".{tier}"))
    return objects


def cuda_objects(nvcc: str) -> list[Object]:
    objects = []
    host = ["-Xcompiler=-fPIC,-fvisibility=hidden,-O3", "-Icsrc"]
    for source in [*SHARED_WITH_CUDA, *sources("csrc/cuda/*.c", "csrc/cuda/abi/*.c")]:
        command = (nvcc, *host, "-Xcompiler=-std=c11,-D_GNU_SOURCE", "-c", source)
        objects.append(Object(source, command, source.replace("/", "_") + ".cuda"))
    for source in sources("csrc/cuda/*.cu"):
        command = (nvcc, *NVCC_FLAGS, *gencode(), *host, "-c", source)
        objects.append(Object(source, command, source.replace("/", "_")))
    return objects


def gencode() -> list[str]:
    flags = []
    for arch in cuda_archs():
        number = arch.removeprefix("compute_")
        code = arch if arch.startswith("compute_") else f"sm_{number}"
        flags += ["-gencode", f"arch=compute_{number},code={code}"]
    return flags


@cache
def version_of(program: str) -> str:
    """What a compiler says of itself, last lines included: nvcc tells its build there."""
    command = [program, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split())


@cache
def included(path: Path) -> frozenset[Path]:
    """The project's headers that a file includes, directly or through others."""
    found: set[Path] = set()
    for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', path.read_text(), re.MULTILINE):
        for folder in (path.parent, ROOT / "csrc"):
            header = (folder / name).resolve()
            if header.is_file():
                found |= {header, *included(header)}
                break
    return frozenset(found)


def object_path(item: Object) -> Path:
    digest = hashlib.sha256()
    # NumPy's headers lie elsewhere in every isolated build; extra_key has its version instead
    flags = [flag for flag in item.command if flag != f"-I{numpy.get_include()}"]
    for text in (version_of(item.command[0]), item.extra_key, *flags):
        digest.update(text.encode() + b"\0")
    source = ROOT / item.source
    for path in (source, *sorted(included(source))):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return CACHE / f"{item.name}.{digest.hexdigest()[:20]}.o"


def compile_object(item: Object) -> Path:
    path = object_path(item)
    if path.exists():
        os.utime(path)
        return path
    scratch = path.with_suffix(f".{os.getpid()}.tmp.o")
    print(" ".join(item.command), flush=True)
    done = subprocess.run([*item.command, "-o", str(scratch)], cwd=ROOT, check=False)
    if done.returncode:
        scratch.unlink(missing_ok=True)
        raise CompileError(f"{item.source}: {item.command[0]} failed with status {done.returncode}")
    scratch.replace(path)
    return path


def compile_all(objects: list[Object]) -> list[str]:
    CACHE.mkdir(parents=True, exist_ok=True)
    jobs = int(os.environ.get("MAX_JOBS") or os.cpu_count() or 1)
    with ThreadPoolExecutor(jobs) as pool:
        paths = [str(path) for path in pool.map(compile_object, objects)]
    oldest = time.time() - CACHE_DAYS * 86400
    for path in CACHE.glob("*.o"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
    return paths


def link(command: list[str], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    print(" ".join([*command[:2], "...", "-o", str(target)]), flush=True)
    if subprocess.run([*command, "-o", str(scratch)], cwd=ROOT, check=False).returncode:
        scratch.unlink(missing_ok=True)
        raise LinkError(f"linking {target.name} failed")
    scratch.replace(target)  # a running process keeps the library that it mapped


def git_revision() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None if (ROOT / ".git").exists() else None


class BuildLibraries(build_ext):
    """Compiles both libraries with the objects' cache and writes mixprec/_build_info.json."""

    def run(self) -> None:
        self.cuda: dict[str, object] = {"built": False, "mode": cuda_mode(), "why_not": None}
        self.prepare_cuda()
        super().run()
        where = [Path(self.build_lib)]
        if self.inplace:
            where.append(ROOT)
        text = json.dumps(self.build_info(), indent=2) + "\n"
        for folder in where:
            (folder / "mixprec").mkdir(parents=True, exist_ok=True)
            (folder / "mixprec" / "_build_info.json").write_text(text)

    def prepare_cuda(self) -> None:
        """Drops the CUDA library from the list where it is not to be built."""
        if self.cuda["mode"] == "0":
            why = "MIXPREC_CUDA=0"
        elif find_nvcc() is None:
            why = "nvcc was not found"
            if self.cuda["mode"] == "1":
                raise CompileError(
                    "MIXPREC_CUDA=1, but nvcc was not found in NVCC, CUDA_HOME, site-packages, PATH"
                    f" or /usr/local/cuda. Install it: pip install '{CUDA_REQUIREMENT}'"
                )
        else:
            return
        self.cuda["why_not"] = why
        self.extensions = [ext for ext in self.extensions if not isinstance(ext, BackendLibrary)]
        Path(self.build_lib, "mixprec", "_cuda.so").unlink(missing_ok=True)
        if self.inplace and self.cuda["mode"] == "0":  # else it may be a copy from another machine
            Path(ROOT, "mixprec", "_cuda.so").unlink(missing_ok=True)

    def get_ext_filename(self, fullname: str) -> str:
        if fullname.rpartition(".")[2] == "_cuda":
            return os.path.join("mixprec", "_cuda.so")
        return super().get_ext_filename(fullname)

    def get_outputs(self) -> list[str]:
        return [*super().get_outputs(), os.path.join(self.build_lib, "mixprec", "_build_info.json")]

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.build_lib, self.get_ext_filename(ext.name))
        if isinstance(ext, BackendLibrary):
            self.build_cuda(target)
        else:
            self.build_core(target)

    def build_core(self, target: Path) -> None:
        objects = compile_all(core_objects())
        flags = ["-shared", "-pthread", "-Wl,-O1,-z,relro,-z,now"]
        flags += shlex.split(os.environ.get("LDFLAGS", ""))
        if sanitizers():
            flags.append(f"-fsanitize={sanitizers()}")
        link([*c_compiler(), *flags, *objects, "-lm", "-ldl"], target)

    def build_cuda(self, target: Path) -> None:
        nvcc = find_nvcc()
        try:
            objects = compile_all(cuda_objects(str(nvcc)))
            # the toolkit from PyPI keeps its libraries in lib, where its nvcc does not look
            beside = nvcc.resolve().parent.parent / "lib"
            flags = [
                "-shared",
                "-cudart=static",
                "-Xcompiler=-static-libgcc,-static-libstdc++",
                f"-L{beside}",
            ]
            flags += ["-Xlinker=--exclude-libs,ALL,-z,defs"]
            link([str(nvcc), *gencode(), *flags, *objects, "-ldl", "-lpthread"], target)
        except (CompileError, LinkError) as error:
            target.unlink(missing_ok=True)
            self.cuda["why_not"] = str(error)
            raise
        version = version_of(str(nvcc)).partition("release ")[2].partition(" ")[0].rstrip(",")
        self.cuda.update(built=True, nvcc=str(nvcc), version=version, archs=cuda_archs())

    def build_info(self) -> dict[str, object]:
        return {
            "compiler": version_of(c_compiler()[0]).partition(" Copyright")[0],
            "flags": " ".join(c_flags()),
            "tiers": list(TIERS),
            "sanitize": sanitizers() or None,
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "revision": git_revision(),
            "cuda": self.cuda,
        }


if __name__ == "__main__":
    os.chdir(ROOT)
    core = Extension(
        "mixprec._core", sources("csrc/*.c", "csrc/ops/*.c", "csrc/cpu/*.c", "csrc/py/*.c")
    )
    cuda = BackendLibrary(
        "mixprec._cuda", sources("csrc/cuda/**/*.c*"), optional=cuda_mode() == "auto"
    )
    setup(ext_modules=[core, cuda], cmdclass={"build_ext": BuildLibraries})
