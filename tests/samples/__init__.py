"""Sample calls of every row of ops.def, made for one main extent n: `SAMPLES[name](rng, n)`.

Values lie where the op is smooth (away from kinks and ties), so that the same samples serve the
gradient tests. Attributes are given by name. The files have the base names of csrc/ops, as those of
tests/refs.
"""

import importlib
import pkgutil

SAMPLES = {}
for _file in pkgutil.iter_modules(__path__):
    SAMPLES |= importlib.import_module(f"{__name__}.{_file.name}").SAMPLES
