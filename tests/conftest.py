"""Options and fixtures of the whole suite. `--device` runs the op tests on another device."""

import os
from pathlib import Path

import numpy as np
import pytest

import helpers
import mixprec as mp

# Processes that tests start import the mixprec that is tested here, not one that lies in the
# current folder, such as the sources beside an installed package.
os.environ["PYTHONSAFEPATH"] = "1"
os.environ["PYTHONPATH"] = str(Path(mp.__file__).parent.parent)


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="device of the op tests (default: cpu)")


def pytest_configure(config):
    helpers.DEVICE = config.getoption("--device")


@pytest.fixture(scope="session")
def device(request):
    return request.config.getoption("--device")


@pytest.fixture
def rng():
    """NumPy's generator, seeded alike for every test."""
    return np.random.default_rng(20240607)


@pytest.fixture(autouse=True)
def clean_state():
    """Seeds mixprec's generator, and puts back what a test may have changed for its thread."""
    mp.manual_seed(1234)
    threads, grad, default = mp._core.get_num_threads(), mp._core.grad_mode(), mp.default_dtype()
    yield
    mp._core.set_grad_mode(*grad)
    if mp._core.get_num_threads() != threads:
        mp.set_num_threads(threads)
    if mp.default_dtype() != default:
        mp.set_default_dtype(default)
