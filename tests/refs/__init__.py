"""A float64 NumPy function for every row of ops.def: what test_ops.py compares with.

`REFS[name](inputs, attrs)` gets the inputs as float64 (or integer, or bool) NumPy arrays, None
where an optional one is absent, and the attributes by name; it returns one array or a tuple. The
files here have the base names of csrc/ops, and the calls that are compared are in the files of
tests/samples with the same names. A new row needs one entry here and one there.
"""

import importlib
import pkgutil

# Rows without a float64 formula: test_random.py checks them.
STATISTICAL = {"random_normal", "random_integers", "random_permutation"}

REFS = {}
for _file in pkgutil.iter_modules(__path__):
    REFS |= importlib.import_module(f"{__name__}.{_file.name}").REFS
