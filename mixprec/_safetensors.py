"""A safetensors file, written whole or not at all, read without trust. io.py says what is in it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import stat
import time
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from . import _core

__all__ = ["read", "write"]

# safetensors' names of the dtypes, and ours.
_DTYPES = {
    "BOOL": "bool",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F32": "float32",
    "F64": "float64",
}
_MOST_DIMENSIONS = 8
_HEADER_LIMIT = 100_000_000  # bytes, as the format says


def write(path: str, tensors: Mapping[str, np.ndarray[Any, Any]], metadata: Any) -> None:
    """Writes contiguous arrays to a temporary file beside `path`, syncs and renames it.

    A file that was there keeps its mode; what killed processes have left of it goes.
    """
    from safetensors import SafetensorError, TensorSpec, serialize_file

    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"save: {path} is not a regular file")
    if not os.path.isdir(os.path.dirname(path)):
        raise FileNotFoundError(f"save: {path}: there is no folder {os.path.dirname(path)}")
    specs = {
        name: TensorSpec(
            dtype=array.dtype.name,
            shape=list(array.shape),
            data_ptr=array.ctypes.data,
            data_len=array.nbytes,
        )
        for name, array in tensors.items()
    }
    folder, base = os.path.split(path)
    _sweep(folder, base)
    temporary = os.path.join(folder, f".{base}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        mode = stat.S_IMODE(os.fstat(fd).st_mode)  # what the umask leaves; serialize_file makes 600
        os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(os.stat(path).st_mode)
        serialize_file(specs, temporary, metadata)
        os.chmod(temporary, mode)
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, SafetensorError):  # the disk is full, say
            raise OSError(f"save: {path}: {error}") from None
        raise
    _sync(folder)


def _sweep(folder: str, base: str) -> None:
    """Removes temporary files for `base` whose process on this machine is gone, an hour old."""
    for name in os.listdir(folder):
        found = re.fullmatch(rf"\.{re.escape(base)}\.(\d+)\.[0-9a-f]{{8}}\.tmp", name)
        file = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            if found and time.time() - os.stat(file).st_mtime > 3600 and not _is_alive(found[1]):
                os.unlink(file)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read(path: str) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """Every tensor of a safetensors file, copied into memory of its own, and its metadata.

    The package checks the header; the data are read, not mapped, so that a file that is cut
    meanwhile is an error and not a dead process.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError(f"load: {path} is not a regular file")
        header, begin = _read_header(fd, path)
        metadata = header.pop("__metadata__", None) or {}
        tensors = {name: _read_tensor(fd, begin, name, entry) for name, entry in header.items()}
    finally:
        os.close(fd)
    return tensors, metadata


def _read_header(fd: int, path: str) -> tuple[dict[str, Any], int]:
    """The checked header and where the data begin."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            pass
    except SafetensorError as error:
        raise ValueError(f"load: {path} is not a whole safetensors file: {error}") from None
    length = int.from_bytes(_read_at(fd, 0, bytearray(8), "the header"), "little")
    if length > _HEADER_LIMIT:
        raise ValueError(f"load: {path} has a header of {length} bytes")
    text = _read_at(fd, 8, bytearray(length), "the header")
    try:
        header = json.loads(bytes(text), object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"load: {path} has a header that is nested too deep") from None
    return cast(dict[str, Any], header), 8 + length


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("load: the header has a name twice")
    return values


def _read_tensor(fd: int, begin: int, name: str, entry: Any) -> np.ndarray[Any, Any]:
    if entry["dtype"] not in _DTYPES:
        raise TypeError(f"load: {name} is {entry['dtype']}, a dtype that mixprec lacks")
    dtype = np.dtype(_core.empty((0,), _DTYPES[entry["dtype"]], "cpu").dtype)
    first, end = entry["data_offsets"]
    if end - first != math.prod(entry["shape"]) * dtype.itemsize:
        raise ValueError(f"load: {name} has {end - first} bytes for shape {entry['shape']}")
    if len(entry["shape"]) > _MOST_DIMENSIONS:
        raise ValueError(f"load: {name} has {len(entry['shape'])} dimensions")
    data = np.empty(end - first, np.uint8)
    _read_at(fd, begin + first, data.data, name)
    if dtype == np.bool_ and data.size and data.max() > 1:
        raise ValueError(f"load: {name} is BOOL with a byte of {data.max()}")
    try:
        return data.view(dtype).reshape(entry["shape"])
    except ValueError:  # one extent is 0, and another is beyond all bounds
        raise ValueError(f"load: {name} has shape {entry['shape']}") from None


def _read_at(fd: int, position: int, buffer: Any, what: str) -> Any:
    """Fills the buffer from that place of the file."""
    rest = memoryview(buffer)
    while len(rest):
        count = os.preadv(fd, [rest], position)
        if count == 0:
            raise ValueError(f"load: the file ends within {what}")
        position, rest = position + count, rest[count:]
    return buffer
