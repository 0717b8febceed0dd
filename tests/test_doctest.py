"""Runs the examples in the docstrings of every module of the package.

An example may use what a reader takes for granted without making it: a model and its optimizer, a
batch, a loss. `world` makes them anew for each docstring.
"""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import mixprec as mp
from mixprec import nn, optim

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FINDER = doctest.DocTestFinder(exclude_empty=True)


def modules():
    names = [m.name for m in pkgutil.walk_packages(mp.__path__, "mixprec.")]
    return ["mixprec", *(name for name in names if not name.endswith("__main__"))]


def examples():
    for name in modules():
        module = importlib.import_module(name)
        for test in FINDER.find(module, name):
            if test.examples:
                yield pytest.param(test, id=test.name)


def world():
    rng = np.random.default_rng(0)
    mp.manual_seed(0)
    images = rng.standard_normal((32, 4), dtype=np.float32)
    labels = rng.integers(0, 3, 32)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    opt = optim.SGD(model.parameters(), lr=0.1)
    x, y = mp.array(images), mp.array(labels)
    names = {"mp": mp, "np": np, "nn": nn, "optim": optim, "F": nn.functional}
    names |= {"model": model, "opt": opt, "optimizer": opt, "scaler": mp.GradScaler()}
    names |= {"images": images, "labels": labels, "x": x, "y": y}
    return names | {"loss": nn.functional.cross_entropy(model(x), y)}


@pytest.mark.parametrize("test", [*examples()])
def test_examples(test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test.globs = {**test.globs, **world()}
    report = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
    runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
