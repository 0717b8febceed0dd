"""What README and CONTRIBUTING say: listings run, commands are complete, links lead to files, and
the worked diff fits the sources."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="no source tree here")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(name):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / name).read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


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
        exec(compile(listing, str(README), "exec"), names)
    assert np.shares_memory(names["a"].numpy(), names["images"])
    assert names["found"]["step"] == 1000
    assert (tmp_path / "run.safetensors").exists()


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
