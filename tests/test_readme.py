"""The README: its Python listings run one after the other, and its first commands are complete."""

import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="no source tree here")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


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
