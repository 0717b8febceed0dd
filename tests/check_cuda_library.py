"""Checks a built _cuda.so without a GPU: its one symbol, that it links no CUDA library, its ABI.

python check_cuda_library.py PATH
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path


def main(path: str) -> None:
    symbols = _run("nm", "-D", "--defined-only", path)
    exported = [line.split()[-1] for line in symbols.splitlines()]
    assert exported == ["mp_backend_get"], exported
    needed = re.findall(r"NEEDED.*\[(.*?)\]", _run("readelf", "-d", path))
    assert not [name for name in needed if "cu" in name or "stdc++" in name], needed

    get = ctypes.CDLL(str(Path(path).resolve())).mp_backend_get
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_uint32]
    header = Path(__file__).parent.parent / "csrc" / "mp.h"
    abi = int(re.search(r"#define MP_ABI (\d+)", header.read_text())[1])
    assert get(abi), "no backend for this ABI"
    assert get(abi + 1) is None, "a backend for an ABI that it was not built for"
    print(f"{path}: exports mp_backend_get, needs {', '.join(needed)}")


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(sys.argv[1])
