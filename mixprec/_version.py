"""The version, looked up when it is asked for."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path


def find() -> str:
    """The version that the package is installed as, or that of the source tree it runs in."""
    try:
        return importlib.metadata.version("mixprec")
    except importlib.metadata.PackageNotFoundError:
        text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])
