"""The layers of csrc: who may include what and call whom. Needs the source tree, not the build."""

import re
from pathlib import Path

import pytest

CSRC = Path(__file__).resolve().parent.parent / "csrc"
FOLDERS = (".", "ops", "cpu", "cuda", "py")
SUFFIXES = {".c", ".h", ".cu", ".cuh", ".def"}

# Project headers that the files of a folder may include, beside the .def tables and their own.
HEADERS = {
    ".": {"mp.h", "tape.h", "autocast.h", "refs.h", "rules.h"},
    "ops": {"mp.h", "index.h"},
    "cpu": {"mp.h", "index.h", "narrow.h", "normal.h", "division.h"},
    "cuda": {"mp.h", "index.h", "narrow.h", "normal.h", "cublaslt.h"},
    "py": {"mp.h", "division.h"},
}
C11 = {"ctype", "errno", "float", "inttypes", "limits", "locale", "math", "stdalign", "stdarg"}
C11 |= {"stdatomic", "stdbool", "stddef", "stdint", "stdio", "stdlib", "string", "time"}
SYSTEM = {
    ".": {"dlfcn", "pthread", "sched", "unistd", "sys/mman", "sys/random", "sys/types"},
    "ops": set(),
    "cpu": {
        "dlfcn",
        "pthread",
        "sched",
        "signal",
        "unistd",
        "immintrin",
        "sys/mman",
        "sys/syscall",
    },
    "cuda": {"cfloat", "dlfcn", "glob", "link", "pthread", "unistd", "type_traits"},
    "py": {"Python", "structmember"},
}
FOREIGN = {"cuda": re.compile(r"(cuda|cub/|nvtx3/|cooperative_groups)"), "py": re.compile("numpy/")}

# What the functions of a folder may not use: (pattern, why).
ARRAYS = r"\bmp_array_(new|scalar|view|over|detach|contiguous|to_device|assign)\("
TAPE = r"\bmp_(record|autocast|leaf|grad|node|hook|backward|custom)\w*\(|(->|\.)(edge|leaf|node)\b"
KERNELS_DO_NOT = [
    (r"\bmp_op(_call|1|2|3|_scalar)\w*\(", "kernels call no ops"),
    (ARRAYS, "kernels allocate no results"),
    (TAPE, "kernels do not see the tape"),
]
RULES_DO_NOT = [
    (r"\bMP_(CPU|KIND_\w+)\b|\bmp_(backend_of|device_kind|cuda_\w+)\(", "rules name no device"),
    (r"\bmp_data\(|storage->data", "rules touch no data"),
    (r"->kernels\b|->lists\b", "rules call no kernels"),
]
FORBIDDEN = {"cpu": KERNELS_DO_NOT, "cuda": KERNELS_DO_NOT, "ops": RULES_DO_NOT, ".": [], "py": []}

pytestmark = pytest.mark.skipif(not CSRC.is_dir(), reason="no source tree here")


def files_of(folder):
    return sorted(path for path in (CSRC / folder).glob("*") if path.suffix in SUFFIXES)


ALL = [(folder, path) for folder in FOLDERS for path in files_of(folder)]


def code_of(path):
    """The text without comments and string literals' contents."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    return re.sub(r"//[^\n]*", "", text)


def label(value):
    return value.relative_to(CSRC).as_posix() if isinstance(value, Path) else None


@pytest.mark.parametrize(("folder", "path"), ALL, ids=label)
def test_includes(folder, path):
    own = {file.name for file in files_of(folder)}
    for mark, name in re.findall(r'#\s*include\s*([<"])([^>"]+)[>"]', path.read_text()):
        if mark == '"':
            base = Path(name).name
            known = base in HEADERS[folder] | own or base.endswith(".def")
            assert known, f'"{name}" is not a header for csrc/{folder}'
            continue
        stem = name.removesuffix(".h")
        foreign = FOREIGN.get(folder)
        known = stem in C11 | SYSTEM[folder] or (foreign and foreign.match(name))
        assert known, f"<{name}> is not a header for csrc/{folder}"


@pytest.mark.parametrize(("folder", "path"), ALL, ids=label)
def test_calls(folder, path):
    code = code_of(path)
    for pattern, why in FORBIDDEN[folder]:
        found = re.search(pattern, code)
        assert not found, f"{found[0]!r}: {why}"


def test_kernels_are_called_in_one_place():
    callers = [p.name for _, p in ALL if re.search(r"->kernels\[|->lists\[", code_of(p))]
    assert sorted(callers) == ["lists.c", "op.c"]


@pytest.mark.parametrize(("folder", "path"), ALL, ids=label)
def test_no_switch_over_ops(folder, path):
    assert not re.search(r"\bcase\s+MP_OP_", code_of(path))


@pytest.mark.parametrize(("folder", "path"), ALL, ids=label)
def test_nothing_ends_the_process(folder, path):
    found = re.search(r"(?<![\w.>])(abort|exit|_exit|assert)\s*\(", code_of(path))
    assert not found, f"{found[0]!r}: bad input is an error status"
