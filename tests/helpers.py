"""What several test files use: arrays in every layout, and calls of a row by its table entry."""

import os
import subprocess
import sys

import numpy as np

from dtypes import dtype_of
from mixprec import _core

ROWS = {row["name"]: row for row in _core.op_table()}
LAYOUTS = ("contiguous", "strided", "reversed", "broadcast")


def words(value):
    """A row's text as a list, whether the table gives text or a sequence."""
    return value.split() if isinstance(value, str) else list(value)


def laid_out(array, layout):
    """The same elements (for broadcast: the first row, repeated) as a view with other strides."""
    if array.ndim == 0 or array.size == 0 or layout == "contiguous":
        return np.ascontiguousarray(array).reshape(array.shape)
    if layout == "strided":  # Fortran order with gaps
        wide = np.empty([2 * e for e in array.shape[::-1]], array.dtype)
        view = wide[tuple(slice(None, None, 2) for _ in array.shape)].T
        view[...] = array
        return view
    if layout == "reversed":
        return np.ascontiguousarray(array[::-1])[::-1]
    return np.broadcast_to(np.ascontiguousarray(array[:1]), array.shape)


def kind_dtype(item, dtype):
    """The dtype that an input of a sample takes in a test of `dtype`."""
    if item.kind in ("fixed", "distinct"):
        return item.array.dtype
    if item.kind == "fixed32":
        return np.dtype(np.float32)
    if item.kind == "acc":
        return np.dtype(np.float64 if dtype == np.float64 else np.float32)
    return dtype


def make_inputs(sample, dtype, layout="contiguous"):
    """The sample's inputs as NumPy arrays of the test's dtype and layout; None stays None."""
    dtype = dtype_of(dtype)
    made = []
    for item in sample.inputs:
        if item is None:
            made.append(None)
            continue
        array = np.asarray(item.array).astype(kind_dtype(item, dtype))
        repeats = layout == "broadcast" and item.kind == "distinct"
        made.append(laid_out(array, "contiguous" if repeats else layout))
    return made


def to_device(array, device):
    """The array on a device, in the same layout."""
    if device == "cpu":
        return _core.from_numpy(array)
    if array.size == 0 or array.flags.c_contiguous:
        return _core.from_numpy(np.ascontiguousarray(array).reshape(array.shape)).to(device)
    strides = [step // array.itemsize for step in array.strides]
    reach = [(n - 1) * step for n, step in zip(array.shape, strides, strict=True)]
    low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
    flat = np.empty(high - low + 1, array.dtype)
    bytes_of = np.dtype(f"u{array.itemsize}")  # NumPy's strided views know no float8
    view = np.lib.stride_tricks.as_strided(flat.view(bytes_of)[-low:], array.shape, array.strides)
    view[...] = np.ascontiguousarray(array).view(bytes_of)
    flat = _core.from_numpy(flat).to(device)
    return _core.as_strided(flat, [*array.shape, *strides, -low])


DEVICE = "cpu"  # of the option --device


def place(array):
    """The array on the device that is tested, in the same layout."""
    return to_device(np.asarray(array), DEVICE)


def call_row(name, inputs, attrs, device="cpu"):
    """Runs a row on NumPy or mixprec inputs with attributes by name. Returns a tuple of arrays."""
    row = ROWS[name]
    arrays = [to_device(i, device) if isinstance(i, np.ndarray) else i for i in inputs]
    if words(row["inputs"]) == ["*"]:
        arrays = [arrays]
    values = {**attrs, "device": device} if "device" in attrs else attrs
    result = getattr(_core, name)(*arrays, *(values[a] for a in words(row["attrs"])))
    return result if isinstance(result, tuple) else (result,)


def host(array):
    """The elements as a NumPy array."""
    return np.asarray(array.detach().cpu().numpy())


def python(code, *args, timeout=120, env=None, **more):
    """Runs Python code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        text=True,
        timeout=timeout,
        env={**os.environ, **(env or {})},
        check=False,
        **more,
    )


def run_python(code, *args, **more):
    """The output of Python code run in a process of its own; fails with its errors."""
    done = python(code, *args, capture_output=True, **more)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
