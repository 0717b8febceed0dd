"""The array functions of `mp.*`: a signature and a docstring for each row of the op table.

They mean what NumPy means; PyTorch's spellings are there where they collide with nothing. The
bodies are calls of the core, and of a few rows in turn where there is no row of that name.
"""

import importlib
from typing import Any

from . import (
    activation,
    bitwise,
    comparison,
    diagonals,
    division,
    exponential,
    indexing,
    joining,
    logical,
    pointwise,
    product,
    rearranging,
    reduce,
    rounding,
    scan,
    searching,
    shape,
    sorting,
    statistics,
    trigonometry,
    writing,
)
from .activation import *
from .bitwise import *
from .comparison import *
from .diagonals import *
from .division import *
from .exponential import *
from .indexing import *
from .joining import *
from .logical import *
from .pointwise import *
from .product import *
from .rearranging import *
from .reduce import *
from .rounding import *
from .scan import *
from .searching import *
from .shape import *
from .sorting import *
from .statistics import *
from .trigonometry import *
from .writing import *

# Modules that are loaded when one of their names is first asked for, here or in `mp`.
LATE = {
    "contraction": "einsum",
    "editing": "append delete insert resize",
    "indices": (
        "diag_indices fill_diagonal ix_ ravel_multi_index tril_indices triu_indices unravel_index"
    ),
    "nanreduce": (
        "nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmin nanprod nanstd nansum "
        "nanvar"
    ),
    "quantiles": "median nanmedian nanpercentile nanquantile percentile quantile",
    "sets": (
        "intersect1d isin setdiff1d setxor1d union1d unique unique_all unique_counts "
        "unique_inverse unique_values"
    ),
}
HOMES = {name: module for module, names in LATE.items() for name in names.split()}

__all__ = []
__all__ += activation.__all__
__all__ += bitwise.__all__
__all__ += comparison.__all__
__all__ += diagonals.__all__
__all__ += division.__all__
__all__ += exponential.__all__
__all__ += indexing.__all__
__all__ += joining.__all__
__all__ += logical.__all__
__all__ += pointwise.__all__
__all__ += product.__all__
__all__ += rearranging.__all__
__all__ += reduce.__all__
__all__ += rounding.__all__
__all__ += scan.__all__
__all__ += searching.__all__
__all__ += shape.__all__
__all__ += sorting.__all__
__all__ += statistics.__all__
__all__ += trigonometry.__all__
__all__ += writing.__all__


def __getattr__(name: str) -> Any:
    if name in HOMES:
        value = getattr(importlib.import_module("." + HOMES[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})
