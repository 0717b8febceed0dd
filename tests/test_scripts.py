"""The research scripts of benchmarks/scripts, with nothing but `import numpy as np` changed.

Each asserts its own result. One that draws no random numbers must return NumPy's figures, too: to
RTOL, as float32 rounds at 6e-8 and the scripts make up to some thousand dependent steps.
"""

from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks" / "scripts"
SCRIPTS = sorted(FOLDER.glob("*.py"))
IMPORT = "import numpy as np\n"
RTOL, ATOL = 1e-3, 1e-4


def figures(path, library):
    """What the script's main returns, with `np` being the library."""
    source = path.read_text()
    assert source.startswith(IMPORT)
    namespace = {"__name__": path.stem}
    changed = source.replace(IMPORT, f"import {library} as np\n", 1)
    with np.printoptions():
        exec(compile(changed, str(path), "exec"), namespace)
        return namespace["main"]()


def test_there_are_thirty():
    assert len(SCRIPTS) == 30


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path):
    expected = figures(path, "numpy")
    found = figures(path, "mixprec")
    assert found.keys() == expected.keys()
    assert all(isinstance(value, float) and np.isfinite(value) for value in found.values())
    if "np.random" not in path.read_text():
        assert found == pytest.approx(expected, rel=RTOL, abs=ATOL)
