"""Automatic mixed precision for NumPy-style arrays.

`mp.*` and the methods of arrays mean what NumPy means; `nn`, `optim`, `autograd` and `amp` mean
what PyTorch means. The files behind the names are loaded on first use where import can wait.

>>> import mixprec as mp
>>> from mixprec import nn, optim
>>> model, scaler = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), mp.GradScaler()
>>> opt = optim.AdamW(model.parameters(), lr=1e-3)
>>> for x, y in mp.data.batches(images, labels, batch_size=16):
...     opt.zero_grad()
...     with mp.autocast(dtype=mp.float16):
...         loss = nn.functional.cross_entropy(model(x), y)
...     scaler.scale(loss).backward()
...     step = scaler.step(opt, max_norm=1.0)
...     scaler.update()
"""

import builtins
import importlib
import math
import sys
from typing import TYPE_CHECKING, Any

from . import _core as _core
from . import _methods as _methods
from . import _numpy, _scalar_types, functional, grids
from . import _protocols as _protocols
from ._core import (
    get_num_threads,
    ndarray,
    set_num_threads,
    ufunc,
)
from ._device import (
    DeviceError,
    OutOfMemoryError,
    device,
    get_default_device,
    memory_stats,
    reset_peak_memory,
    set_default_device,
    set_float32_matmul_precision,
)
from ._dtypes import (
    default_dtype,
    dtypes,
    get_default_dtype,
    set_default_dtype,
)
from ._inspection import __array_namespace_info__
from ._layout import flatiter
from ._limits import finfo, iinfo
from ._promotion import (
    astype,
    can_cast,
    isdtype,
    issubdtype,
    promote_types,
    result_type,
)
from ._scalar_types import *
from .creation import (
    array,
    asarray,
    empty,
    empty_like,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from .everyday import HOMES
from .functional import *
from .grids import *

if TYPE_CHECKING:
    from . import amp, autograd, cuda, data, io, lib, linalg, nn, optim, random, testing
    from .amp import GradScaler, autocast, autocast_table
    from .autograd import (
        enable_grad,
        grad,
        inference_mode,
        is_grad_enabled,
        no_grad,
        set_grad_enabled,
    )
    from .io import load, save
    from .random import manual_seed, rand, randint, randn

    __version__: str

__all__ = [
    "__array_api_version__",
    "__array_namespace_info__",
    "Array",
    "DeviceError",
    "GradScaler",
    "OutOfMemoryError",
    "__version__",
    "amp",
    "array",
    "asarray",
    "astype",
    "autocast",
    "autocast_table",
    "autograd",
    "can_cast",
    "cuda",
    "data",
    "default_dtype",
    "device",
    "dtypes",
    "empty",
    "empty_like",
    "enable_grad",
    "finfo",
    "flatiter",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "get_default_device",
    "get_default_dtype",
    "get_num_threads",
    "grad",
    "iinfo",
    "inference_mode",
    "io",
    "is_grad_enabled",
    "isdtype",
    "issubdtype",
    "lib",
    "linalg",
    "load",
    "manual_seed",
    "memory_stats",
    "ndarray",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "optim",
    "promote_types",
    "rand",
    "randint",
    "randn",
    "random",
    "reset_peak_memory",
    "result_type",
    "save",
    "set_default_device",
    "set_default_dtype",
    "set_float32_matmul_precision",
    "set_grad_enabled",
    "set_num_threads",
    "tensor",
    "testing",
    "zeros",
    "zeros_like",
    "ufunc",
]
# `import *` must not hide Python's own abs, all, any, bool, max, min, pow and sum.
__all__ += _scalar_types.__all__
__all__ += grids.__all__
__all__ += [name for name in functional.__all__ if not hasattr(builtins, name)]
__all__ += functional.HOMES
__all__ += ["e", "euler_gamma", "inf", "little_endian", "nan", "newaxis", "pi"]
__all__ += sorted({*HOMES, *_numpy.COLD, *_numpy.SAME}.difference(__all__))

bool = bool_
Array = ndarray
__array_api_version__ = "2025.12"
pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
euler_gamma = 0.5772156649015329
newaxis = None
little_endian = sys.byteorder == "little"

# What is loaded when it is first asked for: modules, and names with the modules they are in.
_LAZY_MODULES = frozenset(
    (
        "amp", "autograd", "cli", "cuda", "data", "demo", "io", "lib", "linalg", "nn", "optim",
        "random", "testing",
    )
)  # fmt: skip
_LAZY = {
    **HOMES,
    **dict.fromkeys(functional.HOMES, "functional"),
    **dict.fromkeys(("GradScaler", "autocast", "autocast_table"), "amp"),
    **dict.fromkeys(("enable_grad", "grad", "inference_mode", "is_grad_enabled"), "autograd"),
    **dict.fromkeys(("no_grad", "set_grad_enabled"), "autograd"),
    **dict.fromkeys(("load", "save"), "io"),
    **dict.fromkeys(("manual_seed", "rand", "randint", "randn"), "random"),
}
_COMPLEX = frozenset(
    ("cdouble", "clongdouble", "complex64", "complex128", "complexfloating", "csingle", "fft")
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = importlib.import_module("._version", __name__).find()
    elif name in _LAZY_MODULES:
        value = importlib.import_module("." + name, __name__)
    elif name in _LAZY:
        value = getattr(importlib.import_module("." + _LAZY[name], __name__), name)
    elif name in _numpy.COLD or name in _numpy.SAME:
        value = getattr(_numpy, name)
    elif name in _COMPLEX:
        raise AttributeError(
            f"module {__name__!r} has no {name!r}: complex numbers are left out; use NumPy, on "
            "what `.numpy()` of an array gives"
        )
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
