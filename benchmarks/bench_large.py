"""Every function of each element and every reduction against NumPy's, on large arrays: what
bench_arrays.py has a few of. Fast enough to be run whole; slow ones of NumPy's are played once."""

from __future__ import annotations

import pytest
from bench_arrays import compare

UNARY = ["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "atanh",
         "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "abs", "sign",
         "floor", "ceil", "round", "trunc", "isnan", "isinf", "isfinite", "signbit", "negative",
         "square", "reciprocal", "logical_not"]  # fmt: skip
BINARY = ["add", "subtract", "multiply", "divide", "power", "floor_divide", "remainder", "fmod",
          "maximum", "minimum", "fmax", "atan2", "hypot", "logaddexp", "copysign", "nextafter",
          "less", "equal", "logical_and"]  # fmt: skip
REDUCTIONS = ["sum", "mean", "var", "std", "max", "min", "prod", "any", "all", "argmax",
              "argmin", "cumsum", "cumprod", "count_nonzero", "median"]  # fmt: skip
# [0.5, 1.5) is not where these are defined
DOMAIN = {"asin": "x - 0.5", "acos": "x - 0.5", "atanh": "x - 0.5"}

IN_PLACE = ["x += y", "x *= 1.0", "m.add(x, y, out=y)", "m.exp(x, out=y)"]
MOVES = ["x.copy()", "x[::2] + y[::2]", "a.T.copy()", "a + a[:, :1]", "a.T + a", "a.T + a.T",
         "m.concatenate([x, y])", "m.repeat(x, 2)", "m.take(x, idx)", "m.clip(x, 0.7, 1.2)",
         "m.where(mask, x, y)", "x.astype('float64')", "x.astype('int32')", "m.full_like(x, 3)",
         "m.sort(a, axis=0)", "m.sort(a, axis=1)", "m.unique(x[:1000000])"]  # fmt: skip
# what moves elements to places of its own
LEAST = {"m.sort(a, axis=0)": 0.7, "m.sort(a, axis=1)": 0.7, "m.unique(x[:1000000])": 0.7,
         "m.take(x, idx)": 0.7, "a.T + a.T": 0.7}  # fmt: skip
SHORT_ROWS = ["r + r", "r * r", "r.sum(axis=1)", "r.sum(axis=0)", "m.linalg.norm(r, axis=1)"]
OTHERS = {
    "float64": ["x + y", "x < y", "m.exp(x)", "m.log(x)", "m.tanh(x)", "m.sin(x)", "x.sum()",
                "x.max()", "x.argmax()", "a.sum(axis=0)", "a @ a[0]"],
    "int32": ["x + y", "x * y", "x < y", "x // 3", "x.sum()", "x.max()", "a.max(axis=0)"],
    "int64": ["x + y", "x * y", "x < y", "x.sum()", "x.max()", "a.argmax(axis=1)"],
    "uint8": ["x + y", "x & y", "x.sum()", "x.max()", "a.max(axis=0)"],
    "bool": ["x & y", "m.logical_not(x)", "x.sum()", "x.any()", "a.all(axis=1)", "x.argmin()"],
    "float16": ["x.sum()", "x.max()", "m.cumsum(x)", "m.exp(x)", "m.sin(x)", "-x"],
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_unary(benchmark, name):
    statement = f"m.{name}(z)"
    setup = f"z = {DOMAIN.get(name, 'x')}"
    compare(benchmark, statement, 1.0, f"{name}, float32, 16 M", rounds=4, setup=setup)


@pytest.mark.parametrize("name", BINARY)
def test_binary(benchmark, name):
    compare(benchmark, f"m.{name}(x, y)", 1.0, f"{name}, float32, 16 M", rounds=3)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction(benchmark, name, axis):
    what = f"{name}, axis {axis}, float32, 4096 x 4096"
    if name.startswith("cum") and axis is None:
        statement = f"m.{name}(x)"
    else:
        statement = f"m.{name}(a, axis={axis})"
    compare(benchmark, statement, 1.0, what, rounds=3)


@pytest.mark.parametrize("statement", IN_PLACE + MOVES)
def test_moves(benchmark, statement):
    least = LEAST.get(statement, 1.0)
    compare(benchmark, statement, least, f"{statement}, float32, 16 M", rounds=3)


@pytest.mark.parametrize("statement", SHORT_ROWS)
def test_short_rows(benchmark, statement):
    setup = "r = x[:3 * 4194304].reshape(4194304, 3)"
    compare(benchmark, statement, 1.0, f"{statement}, 4 M x 3, float32", rounds=3, setup=setup)


@pytest.mark.parametrize(
    ("dtype", "statement"), [(dtype, s) for dtype, some in OTHERS.items() for s in some]
)
def test_dtypes(benchmark, dtype, statement):
    compare(benchmark, statement, 1.0, f"{statement}, {dtype}, 16 M", rounds=3, dtype=dtype)
