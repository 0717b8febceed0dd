"""The command line: info, the demo on few steps, and its errors."""

import json
import os
import subprocess
import sys

import pytest

import mixprec as mp
from helpers import python, run_python
from mixprec import _info, cli


def test_info(capsys):
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    for part in ("mixprec", "numpy", "cpu", "threads", "cuda", "float8_e4m3fn"):
        assert part in out


def test_info_json(capsys):
    assert cli.main(["info", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["cpu"]["tier"] in info["cpu"]["tiers"]
    assert info["cpu"]["threads"] == mp._core.get_num_threads()
    assert "bfloat16" in info["dtypes"]
    assert info["ops"] > 80
    assert info["cuda"]["available"] or info["cuda"]["why_not"]


def test_module_runs():
    code = (
        "import runpy, sys; sys.argv = ['mixprec', 'info', '--json']; runpy.run_module('mixprec')"
    )
    out = run_python(f"try:\n    {code}\nexcept SystemExit as e:\n    assert not e.code")
    assert json.loads(out)["mixprec"]


def test_info_tells_of_the_cuda_build():
    built = {"built": True, "nvcc": "/opt/nvcc", "version": "13.0", "archs": ["80", "90a"]}
    missing = {"built": False, "why_not": "nvcc was not found"}
    for cuda, text in (
        (built, "for 80 90a by /opt/nvcc 13.0"),
        (missing, "no: nvcc was not found"),
    ):
        info = _info.collect()
        info["build"] = {"sanitize": None, "cuda": cuda}
        lines = _info.render(info).splitlines()
        assert lines[-1].split(maxsplit=2) == ["build", "cuda", text]
        assert not any("sanitize" in line for line in lines)


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"mixprec {mp.__version__}\n"


def test_output_that_nobody_reads():
    code = "import sys; from mixprec.cli import main; sys.exit(main(['info']))"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = python(code, stdout=closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "")


def test_bad_arguments(capsys):
    for bad in ([], ["fly"], ["demo", "--steps", "0"], ["demo", "--steps", "x"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(bad)
        assert stop.value.code == 2
    assert "usage: mixprec" in capsys.readouterr().err


def test_unknown_device(capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("tqdm")
    assert cli.main(["demo", "--steps", "1", "--device", "tpu"]) == 1
    assert "tpu" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--plot", "--json"])
def test_folder_is_looked_for_before_training(option, capsys, tmp_path):
    path = str(tmp_path / "missing" / "file")
    assert cli.main(["demo", option, path]) == 1
    assert capsys.readouterr().err == f"mixprec demo: there is no folder for {path}\n"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    for name in ("sklearn", "tqdm", "matplotlib"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("demo")
    code = "import sys; from mixprec.cli import main; sys.exit(main(sys.argv[1:]))"
    files = ["--json", str(folder / "out.json"), "--plot", str(folder / "out.png")]
    out = run_python(code, "demo", "--steps", "150", *files)
    return out, json.loads((folder / "out.json").read_text()), folder / "out.png"


def test_demo_prints_a_table(demo):
    out, _, png = demo
    for part in ("float32", "bfloat16", "float16", "test accuracy", "final loss", "skipped"):
        assert part in out
    assert png.read_bytes().startswith(b"\x89PNG")


def test_demo_learns(demo):
    results = demo[1]["results"]
    for precision in ("float32", "bfloat16", "float16"):
        assert results[precision]["accuracy"] > 0.9
        assert abs(results[precision]["accuracy"] - results["float32"]["accuracy"]) < 0.015
        assert results[precision]["final_loss"] < 1


def test_demo_measures(demo):
    result = demo[1]
    assert (result["train_images"], result["test_images"]) == (1200, 597)
    full, half = result["results"]["float32"], result["results"]["float16"]
    assert full["weights_bytes"] == half["weights_bytes"] == half["gradients_bytes"]
    assert full["narrow_copies_bytes"] == 0
    assert half["narrow_copies_bytes"] > 0
    assert 0 < half["activations_bytes"] < 0.75 * full["activations_bytes"]
    runs = result["runs"]["float16"]
    assert len(runs) == 3
    assert len(runs[0]["losses"]) == len(runs[0]["scales"]) == 150
    assert max(runs[0]["scales"]) > min(runs[0]["scales"])


def test_demo_without_its_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert cli.main(["demo"]) == 1
    assert "mixprec[demo]" in capsys.readouterr().err
