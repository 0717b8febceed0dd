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

import importlib
from typing import TYPE_CHECKING, Any

from . import _core as _core
from . import _methods as _methods
from . import amp, autograd, nn, optim, random
from ._core import (
    get_num_threads,
    ndarray,
    set_num_threads,
)
from ._device import (
    DeviceError,
    OutOfMemoryError,
    device,
    memory_stats,
    reset_peak_memory,
)
from ._dtypes import (
    bfloat16,
    bool_,
    default_dtype,
    dtypes,
    finfo,
    float8_e4m3fn,
    float8_e5m2,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .amp import (
    GradScaler,
    autocast,
    autocast_table,
)
from .autograd import (
    enable_grad,
    grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from .creation import (
    arange,
    array,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from .functional import (
    abs as abs,
)
from .functional import (
    absolute,
    add,
    amax,
    amin,
    argmax,
    argmin,
    bmm,
    broadcast_to,
    cat,
    clamp,
    clip,
    concatenate,
    copy,
    div,
    divide,
    eq,
    equal,
    exp,
    expand_dims,
    flatten,
    ge,
    gelu,
    greater,
    greater_equal,
    gt,
    index_select,
    isfinite,
    isinf,
    isnan,
    le,
    leaky_relu,
    less,
    less_equal,
    log,
    log_softmax,
    lt,
    matmul,
    maximum,
    mean,
    minimum,
    mm,
    moveaxis,
    mul,
    multiply,
    ne,
    neg,
    negative,
    not_equal,
    pad,
    permute,
    power,
    ravel,
    reciprocal,
    relu,
    reshape,
    rsqrt,
    sigmoid,
    sign,
    silu,
    softmax,
    softplus,
    split,
    sqrt,
    square,
    squeeze,
    stack,
    std,
    sub,
    subtract,
    swapaxes,
    take,
    tanh,
    transpose,
    true_divide,
    unsqueeze,
    var,
    where,
)
from .functional import (
    all as all,
)
from .functional import (
    any as any,
)
from .functional import (
    max as max,
)
from .functional import (
    min as min,
)
from .functional import (
    pow as pow,
)
from .functional import (
    sum as sum,
)
from .random import (
    manual_seed,
    rand,
    randint,
    randn,
)

if TYPE_CHECKING:
    from . import cuda, data, io, testing
    from .io import load, save

    __version__: str

# `import *` must not hide Python's own abs, all, any, bool, max, min, pow and sum.
__all__ = [
    "DeviceError",
    "GradScaler",
    "OutOfMemoryError",
    "__version__",
    "absolute",
    "add",
    "amax",
    "amin",
    "amp",
    "arange",
    "argmax",
    "argmin",
    "array",
    "asarray",
    "autocast",
    "autocast_table",
    "autograd",
    "bfloat16",
    "bmm",
    "bool_",
    "broadcast_to",
    "cat",
    "clamp",
    "clip",
    "concatenate",
    "copy",
    "cuda",
    "data",
    "default_dtype",
    "device",
    "div",
    "divide",
    "dtypes",
    "empty",
    "empty_like",
    "enable_grad",
    "eq",
    "equal",
    "exp",
    "expand_dims",
    "eye",
    "finfo",
    "flatten",
    "float16",
    "float32",
    "float64",
    "float8_e4m3fn",
    "float8_e5m2",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "ge",
    "gelu",
    "get_default_dtype",
    "get_num_threads",
    "grad",
    "greater",
    "greater_equal",
    "gt",
    "iinfo",
    "index_select",
    "inference_mode",
    "int16",
    "int32",
    "int64",
    "int8",
    "io",
    "is_grad_enabled",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "leaky_relu",
    "less",
    "less_equal",
    "linspace",
    "load",
    "log",
    "log_softmax",
    "lt",
    "manual_seed",
    "matmul",
    "maximum",
    "mean",
    "memory_stats",
    "minimum",
    "mm",
    "moveaxis",
    "mul",
    "multiply",
    "ndarray",
    "ne",
    "neg",
    "negative",
    "nn",
    "no_grad",
    "not_equal",
    "ones",
    "ones_like",
    "optim",
    "pad",
    "permute",
    "power",
    "promote_types",
    "rand",
    "randint",
    "randn",
    "random",
    "ravel",
    "reciprocal",
    "relu",
    "reset_peak_memory",
    "reshape",
    "rsqrt",
    "save",
    "set_default_dtype",
    "set_grad_enabled",
    "set_num_threads",
    "sigmoid",
    "sign",
    "silu",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "sub",
    "subtract",
    "swapaxes",
    "take",
    "tanh",
    "tensor",
    "testing",
    "transpose",
    "true_divide",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "unsqueeze",
    "var",
    "where",
    "zeros",
    "zeros_like",
]

bool = bool_

_LAZY = {"load": "io", "save": "io"}
_LAZY_MODULES = frozenset(("cli", "cuda", "data", "demo", "io", "testing"))


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = importlib.import_module("._version", __name__).find()
    elif name in _LAZY_MODULES:
        value = importlib.import_module("." + name, __name__)
    elif name in _LAZY:
        value = getattr(importlib.import_module("." + _LAZY[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
