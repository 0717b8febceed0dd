"""Every row of the op table has what a user and a reader need: a reference, a docstring, a stub."""

import ast
import inspect
from pathlib import Path

import pytest

import mixprec as mp
from dtypes import DTYPES, dtype_of
from helpers import ROWS, words
from mixprec import _core
from refs import REFS, STATISTICAL
from samples import SAMPLES

PACKAGE = Path(mp.__file__).parent
STUB = PACKAGE / "_core.pyi"

# Where the public function of a row has another name or is a method or operator only.
PUBLIC = {
    "cast": "ndarray.astype",
    "copy": "ndarray.__copy__",
    "div": "divide",
    "embedding": "nn.functional.embedding",
    "expand": "broadcast_to",
    "full": "full",
    "index": "ndarray.__getitem__",
    "index_add": "functional.indexing.add_at",
    "index_put": "put",
    "mul": "multiply",
    "neg": "negative",
    "permute": "ndarray.permute",
    "random_integers": "random.randint",
    "random_normal": "random.randn",
    "random_permutation": "random.permutation",
    "random_uniform": "random.rand",
    "slice": "ndarray.__getitem__",
    "sub": "subtract",
    "scale": "GradScaler.scale",
}
# Rows that only other rows and the core call.
INTERNAL = {"as_strided", "view_set", "cross_entropy_soft", "cummax", "cummin", "recurrence"}


def find(path):
    found = mp
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def public(name):
    """The function users call for a row."""
    if name in PUBLIC:
        return find(PUBLIC[name])
    for place in ("", "nn.functional.", "ndarray."):
        found = find(place + name)
        if callable(found):
            return found
    return None


def is_public(name):
    return not name.endswith("_bwd") and name not in INTERNAL


@pytest.mark.core
@pytest.mark.parametrize("name", ROWS)
def test_reference(name):
    if name in STATISTICAL:
        return
    assert name in REFS, f"tests/refs has no float64 reference of {name}"
    assert name in SAMPLES, f"tests/samples has no sample call of {name}"


def test_no_stale_reference():
    assert set(REFS) | STATISTICAL == set(ROWS)
    assert set(SAMPLES) == set(REFS)


@pytest.mark.parametrize("name", [n for n in ROWS if is_public(n)])
def test_public_function_has_a_docstring(name):
    function = public(name)
    assert callable(function), f"{name} has no public function"
    doc = inspect.getdoc(function)
    assert len(doc or "") > 20, f"{name} has no docstring"


def stubbed():
    tree = ast.parse(STUB.read_text())
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


@pytest.mark.parametrize("name", ROWS)
def test_stub(name):
    assert name in stubbed(), f"_core.pyi has no {name}"


def test_table_texts():
    for name, row in ROWS.items():
        inputs = [w.rstrip("?") for w in words(row["inputs"])]
        assert len(set(inputs)) == len(inputs), name
        if name.endswith("_bwd"):
            assert inputs[0].startswith("g"), f"{name} takes its gradient first"
            assert name.removesuffix("_bwd") in ROWS, f"{name} is of no row"


def test_dtype_table():
    table = _core.dtype_table()
    assert [row["name"] for row in table]
    assert {row["name"] for row in table} == set(DTYPES)
    for row in table:
        dtype = dtype_of(row["name"])
        assert _core.empty((0,), dtype, "cpu").dtype == dtype


@pytest.mark.parametrize("name", ROWS)
def test_cpu_kernel(name):
    assert "cpu" in ROWS[name]["backends"], f"{name} has no cpu kernel"


def test_stub_of_the_array_type():
    tree = ast.parse(STUB.read_text())
    (stub,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "ndarray"]
    named = {n.name for n in stub.body if isinstance(n, ast.FunctionDef)}
    for node in stub.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        named |= {target.id for target in targets}
    assert {name for name in dir(mp.ndarray) if not name.startswith("_")} <= named
