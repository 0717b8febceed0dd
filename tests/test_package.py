"""The installed package: its metadata, its files, what importing it loads, how it is built."""

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mixprec as mp
from helpers import run_python

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(mp.__file__).parent
needs_source = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="no source tree here"
)


def metadata():
    try:
        return importlib.metadata.metadata("mixprec")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("mixprec is built in place, not installed")


def test_metadata():
    found = metadata()
    assert found["Name"] == "mixprec"
    assert found["Version"] == mp.__version__
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Requires-Python"] == ">=3.11"
    assert {"demo", "test", "bench", "oracle", "cuda13", "dev"} <= set(
        found.get_all("Provides-Extra")
    )


def test_hard_dependencies():
    metadata()
    hard = [r for r in importlib.metadata.requires("mixprec") if "extra ==" not in r]
    assert sorted(re.match(r"[\w-]+", r)[0] for r in hard) == ["ml_dtypes", "numpy", "safetensors"]


@needs_source
def test_version_is_written_once():
    text = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{mp.__version__}"' in text


def test_files():
    for name in ("py.typed", "_core.pyi", "_build_info.json"):
        assert (PACKAGE / name).is_file(), name


def test_build_info():
    info = json.loads((PACKAGE / "_build_info.json").read_text())
    assert "baseline" in info["tiers"]
    assert info["compiler"]
    assert info["cuda"]["built"] == (PACKAGE / "_cuda.so").exists()
    assert info["cuda"]["built"] or info["cuda"]["why_not"]


def test_import_loads_no_optional_package():
    optional = ("tqdm", "safetensors", "matplotlib", "sklearn", "torch", "multiprocessing")
    out = run_python(
        "import sys, json, numpy, ml_dtypes; before = set(sys.modules); import mixprec;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    loaded = {name.partition(".")[0] for name in json.loads(out)}
    assert not loaded & set(optional)


def test_import_starts_no_thread():
    out = run_python("import os, mixprec; print(len(os.listdir('/proc/self/task')))")
    alone = run_python("import os, numpy, ml_dtypes; print(len(os.listdir('/proc/self/task')))")
    assert out == alone


def test_core_links_no_cuda():
    core = importlib.util.find_spec("mixprec._core").origin
    done = subprocess.run(["ldd", core], capture_output=True, text=True, check=True)
    assert "cuda" not in done.stdout
    assert "libcu" not in done.stdout


@pytest.fixture(scope="module")
def build_module():
    pytest.importorskip("setuptools")
    path = ROOT / "buildtools" / "mixprec_build.py"
    if not path.exists():
        pytest.skip("no source tree here")
    spec = importlib.util.spec_from_file_location("mixprec_build", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nvcc_is_required_only_where_asked_and_missing(build_module, monkeypatch):
    requirements = build_module._cuda_requirements
    monkeypatch.setattr(build_module, "find_nvcc", lambda: None)
    monkeypatch.setenv("MIXPREC_CUDA", "1")
    assert requirements() == [build_module.CUDA_REQUIREMENT]
    for mode in ("0", "auto", ""):
        monkeypatch.setenv("MIXPREC_CUDA", mode)
        assert requirements() == []
    monkeypatch.setattr(build_module, "find_nvcc", lambda: Path("/usr/bin/nvcc"))
    monkeypatch.setenv("MIXPREC_CUDA", "1")
    assert requirements() == []
    monkeypatch.setenv("MIXPREC_CUDA", "yes")
    with pytest.raises(SystemExit, match="MIXPREC_CUDA is 'yes'"):
        requirements()


def test_nvcc_is_found(build_module, monkeypatch, tmp_path):
    for variable in ("NVCC", "CUDA_HOME", "CUDA_PATH"):
        monkeypatch.delenv(variable, raising=False)
    program = tmp_path / "nvidia" / "cu13" / "bin" / "nvcc"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert build_module.find_nvcc() == program
    other = tmp_path / "nvcc"
    program.rename(other)
    monkeypatch.setenv("NVCC", str(other))
    assert build_module.find_nvcc() == other


def test_archs(build_module, monkeypatch):
    monkeypatch.setattr(build_module, "_archs_present", list)
    monkeypatch.delenv("MIXPREC_CUDA_ARCHS", raising=False)
    assert build_module.cuda_archs() == ["90a"]
    monkeypatch.setenv("MIXPREC_CUDA_ARCHS", "80;90a; 100f;+PTX")
    assert build_module.cuda_archs() == ["80", "90a", "100f", "compute_90"]
    monkeypatch.setattr(build_module, "_archs_present", lambda: ["89"])
    monkeypatch.setenv("MIXPREC_CUDA_ARCHS", "native")
    assert build_module.cuda_archs() == ["89"]
    monkeypatch.setenv("MIXPREC_CUDA_ARCHS", "hopper")
    with pytest.raises(SystemExit, match="'hopper' is not"):
        build_module.cuda_archs()
