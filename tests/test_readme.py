"""What README, CONTRIBUTING and docs/ say: listings run, commands are complete, links lead to
files, and the worked diff fits the sources."""

import re
from pathlib import Path

import numpy as np
import pytest

import mixprec as mp

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
FROM_NUMPY = ROOT / "docs" / "numpy.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
pytestmark = pytest.mark.skipif(not README.exists(), reason="no source tree here")


def blocks(language, page=README):
    """The listings of a page whose fence says exactly that."""
    text = page.read_text() if page.exists() else ""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(listing, page, names):
    exec(compile(listing, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    assert links or page.parent != ROOT
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_worked_diff_fits():
    """Each hunk's old lines stand together in their file, and its new ones are not there yet."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (diff,) = re.findall(r"^```diff\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    files = re.split(r"^--- a/(\S+)\n\+\+\+ b/\S+\n", diff, flags=re.MULTILINE)
    assert len(files) > 9
    for path, hunks in zip(files[1::2], files[2::2], strict=True):
        source = (ROOT / path).read_text()
        for hunk in re.split(r"^@@ .*\n", hunks, flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines(keepends=True)
            assert "".join(line[1:] for line in lines if line[0] != "+") in source, path
            assert "".join(line[1:] for line in lines if line[0] != "-") not in source, path


def test_listings_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    names = {
        "images": rng.standard_normal((256, 64), dtype=np.float32),
        "labels": rng.integers(0, 10, 256),
    }
    listings = blocks("python")
    assert len(listings) >= 4
    for listing in listings:
        run(listing, README, names)
    assert np.shares_memory(names["a"].numpy(), names["images"])
    assert names["found"]["step"] == 1000
    assert (tmp_path / "run.safetensors").exists()


def test_numpy_listings_run(capsys):
    names = {}
    listings = blocks("python", FROM_NUMPY)
    assert len(listings) == 4
    for listing in listings:
        run(listing, FROM_NUMPY, names)
    assert float(re.search(r"([\d.]+)% right", capsys.readouterr().out)[1]) > 90
    assert names["loss"].item() < 0.2  # by autograd and under autocast, as by hand


def test_functions_said_to_be_numpys_are():
    """The table of what runs on the CPU without a gradient names such functions only."""
    (table,) = re.findall(
        r"^\| group \| functions \|\n(.*?)\n\n", FROM_NUMPY.read_text(), re.M | re.S
    )
    names = re.findall(r"`(\w+)`", re.sub(r"\(`poly.*?\)", "", table))
    assert len(names) > 40
    of_python = {"vectorize", "frompyfunc", "nditer"}
    for name in set(names) - of_python:
        function = getattr(mp, name, None) or getattr(mp.linalg, name)
        assert "on views of the arrays" in function.__doc__, name


@pytest.mark.parametrize("library", ["torch", "cupy", "jax"])
def test_listings_of_other_libraries_run(library):
    (listing,) = blocks(f"python needs {library}", FROM_NUMPY)
    pytest.importorskip(library, reason=f"{library} is not installed")
    if library == "cupy" and not mp.cuda.is_available():
        pytest.skip("CuPy needs a GPU")
    names = {}
    run(listing, FROM_NUMPY, names)
    found = names["model"].weight.detach() if library == "torch" else names["w"]
    np.testing.assert_allclose(found.reshape(-1).tolist(), np.ones(8), atol=0.1)


@pytest.mark.parametrize(
    ("number", "extra", "last"), [(0, "demo", "mixprec demo"), (1, "test", "pytest")]
)
def test_commands_are_complete(number, extra, last):
    """Each is one line that makes its own environment, so that it can be pasted alone."""
    command = blocks("sh")[number].strip()
    assert "\n" not in command
    assert command.startswith("python3 -m venv .venv && ")
    assert f'pip install ".[{extra}]"' in command
    assert command.endswith(f".venv/bin/{last}")
