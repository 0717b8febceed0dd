"""The Python array API standard, with the package array-api-strict as its model: every name is
there, its signature takes what the model's takes, and results have the model's dtypes, shapes and
values, which are NumPy's.
"""

import inspect
import math
import warnings

import array_api_strict as model
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mixprec as mp

# What is left out: complex dtypes; and what belongs to the model itself.
COMPLEX = {"complex64", "complex128"}
OWN = {"ArrayAPIStrictFlags", "Device", "ModuleType"}
NAMES = sorted(
    name
    for name in dir(model)
    if not name.startswith("_") and not name.endswith("_flags") and name not in OWN | COMPLEX
)
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(model, name))]


@pytest.fixture(autouse=True, scope="module")
def _model_default():
    """The model's default dtype is float64."""
    mp.set_default_dtype(mp.float64)
    yield
    mp.set_default_dtype(mp.float32)


# ---- names and signatures ----


@pytest.mark.parametrize("name", NAMES)
def test_name(name):
    assert hasattr(mp, name)
    assert name in dir(mp)


@pytest.mark.parametrize("name", ["e", "inf", "nan", "newaxis", "pi"])
def test_constant(name):
    ours, theirs = getattr(mp, name), getattr(model, name)
    assert type(ours) is type(theirs)
    assert ours == theirs or ours != ours


def test_version():
    assert mp.__array_api_version__ == "2025.12"
    x = mp.ones(2)
    assert x.__array_namespace__() is mp
    assert x.__array_namespace__(api_version="2025.12") is mp
    with pytest.raises(ValueError, match=r"revision '1999\.01' is not known"):
        x.__array_namespace__(api_version="1999.01")


def takes(ours, position, parameter):
    """Whether a signature takes a parameter as the model's does, and why not."""
    kinds = inspect.Parameter
    parameters = list(ours.parameters.values())
    named = ours.parameters.get(parameter.name)
    if parameter.kind is kinds.VAR_POSITIONAL:
        return any(p.kind is kinds.VAR_POSITIONAL for p in parameters)
    if parameter.kind is not kinds.KEYWORD_ONLY:
        by_place = [
            p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        ]
        spread = any(p.kind is kinds.VAR_POSITIONAL for p in parameters)
        if position >= len(by_place) and not spread:
            return False
        if parameter.default is not kinds.empty and not spread:
            assert by_place[position].default is not kinds.empty
    if parameter.kind is not kinds.POSITIONAL_ONLY:
        if named is None:
            return any(p.kind is kinds.VAR_KEYWORD for p in parameters)
        if parameter.default is not kinds.empty:
            assert named.default is not kinds.empty, f"{parameter.name} has no default"
        return named.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    return True


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature(name):
    ours = inspect.signature(getattr(mp, name))
    theirs = inspect.signature(getattr(model, name))
    for position, parameter in enumerate(theirs.parameters.values()):
        assert takes(ours, position, parameter), f"{name}{ours} does not take {parameter}"
    for parameter in list(ours.parameters.values())[len(theirs.parameters) :]:
        optional = parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )
        assert optional or parameter.default is not inspect.Parameter.empty


METHODS = sorted(
    name
    for name, found in vars(type(model.ones(1))).items()
    if (callable(found) or isinstance(found, property))
    and (not name.startswith("_") or name.endswith("__"))
    and name not in ("__annotate_func__", "__buffer__")
)


@pytest.mark.parametrize("name", METHODS)
def test_method(name):
    assert hasattr(mp.ndarray, name)


# ---- inspection ----


def test_inspection():
    ours, theirs = mp.__array_namespace_info__(), model.__array_namespace_info__()
    assert ours.capabilities().keys() == theirs.capabilities().keys()
    assert ours.default_device() in ours.devices()
    defaults = {k: v.name for k, v in ours.default_dtypes().items()}
    assert defaults == {"real floating": "float64", "integral": "int64", "indexing": "int64"}
    for kind in (None, *mp._promotion.KINDS, ("bool", "integral")):
        wanted = set(theirs.dtypes(kind=kind)) - COMPLEX
        assert ours.dtypes(kind=kind).keys() == wanted
        assert all(getattr(mp, name) is found for name, found in ours.dtypes(kind=kind).items())
    with pytest.raises(ValueError, match="'real' is no kind"):
        ours.dtypes(kind="real")


DTYPES = [name for name in model.__array_namespace_info__().dtypes() if name not in COMPLEX]


@pytest.mark.parametrize("first", DTYPES)
@pytest.mark.parametrize("second", DTYPES)
def test_promotion(first, second):
    try:
        wanted = model.result_type(getattr(model, first), getattr(model, second))
    except TypeError:
        return  # the standard leaves it open
    assert mp.result_type(getattr(mp, first), getattr(mp, second)) == wanted._np_dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("to", DTYPES)
def test_can_cast(dtype, to):
    if model.can_cast(getattr(model, dtype), getattr(model, to)):
        assert mp.can_cast(getattr(mp, dtype), getattr(mp, to))
        assert mp.can_cast(mp.ones(1, getattr(mp, dtype)), getattr(mp, to))


# ---- values ----

BOOLS, INTS = ("bool",), ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float32", "float64")
NUMBERS, EVERY = INTS + FLOATS, BOOLS + INTS + FLOATS


def elements(dtype, low=-8, high=8):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind == "u":
        low = max(low, 0)
    if dtype.kind in "iu":
        return st.integers(math.ceil(low), math.floor(high))
    return st.integers(math.ceil(low * 64), math.floor(high * 64)).map(lambda n: n / 64)


def shapes(least=0, side=0):
    return hnp.array_shapes(min_dims=least, max_dims=3, min_side=side, max_side=4)


def arrays(draw, dtypes, shape=None, low=-8, high=8, least=0, side=0):
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    if shape is None:
        shape = draw(shapes(least, side))
    return draw(hnp.arrays(dtype, shape, elements=elements(dtype, low, high)))


def unary(dtypes, low=-8, high=8):
    return lambda draw: ((arrays(draw, dtypes, None, low, high),), {})


def binary(dtypes, low=-8, high=8, second=None):
    """Two arrays that broadcast, of dtypes of one kind; or an array and a Python number."""

    def make(draw):
        both = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
        x = arrays(draw, dtypes, both.input_shapes[0], low, high)
        least, most = second or (low, high)
        if draw(st.integers(0, 4)) == 0:
            number = draw(elements(x.dtype, least, most))
            return (x, number), {}
        same = [d for d in dtypes if np.dtype(d).kind == x.dtype.kind]
        return (x, arrays(draw, same, both.input_shapes[1], least, most)), {}

    return make


def axis_of(draw, x, many=False):
    if x.ndim == 0 or draw(st.integers(0, 3)) == 0:
        return None
    one = st.integers(-x.ndim, x.ndim - 1)
    if many and draw(st.booleans()):
        axes = draw(st.lists(one, max_size=x.ndim, unique_by=lambda a: a % x.ndim))
        return tuple(axes)
    return draw(one)


def reduction(dtypes, side=0, many=True, **options):
    def make(draw):
        x = arrays(draw, dtypes, side=side)
        keywords = {"axis": axis_of(draw, x, many), "keepdims": draw(st.booleans())}
        for key, strategy in options.items():
            if draw(st.booleans()):
                keywords[key] = draw(strategy)
        return (x,), keywords

    return make


def scan(dtypes):
    def make(draw):
        x = arrays(draw, dtypes, least=1)
        axis = draw(st.integers(-x.ndim, x.ndim - 1))
        return (x,), {"axis": axis, "include_initial": draw(st.booleans())}

    return make


def correction(draw_side=3):
    def make(draw):
        x = arrays(draw, FLOATS, least=1, side=draw_side)
        return (x,), {"axis": axis_of(draw, x, True), "correction": draw(st.sampled_from([0, 1]))}

    return make


def with_axis(dtypes, least=1, **options):
    def make(draw):
        x = arrays(draw, dtypes, least=least)
        keywords = {"axis": draw(st.integers(-x.ndim, x.ndim - 1))}
        for key, strategy in options.items():
            keywords[key] = draw(strategy)
        return (x,), keywords

    return make


def several(draw, dtypes, shape, n):
    return [arrays(draw, dtypes, shape) for _ in range(n)]


def concat(draw):
    first = arrays(draw, NUMBERS, least=1)
    axis = draw(st.one_of(st.none(), st.integers(-first.ndim, first.ndim - 1)))
    kind = [d for d in NUMBERS if np.dtype(d).kind == first.dtype.kind]
    return ([first, *several(draw, kind, first.shape, draw(st.integers(0, 2)))],), {"axis": axis}


def stack(draw):
    first = arrays(draw, EVERY)
    axis = draw(st.integers(-first.ndim - 1, first.ndim))
    return ([first, *several(draw, [first.dtype], first.shape, 2)],), {"axis": axis}


def matmul(draw):
    m, k, n = (draw(st.integers(0, 3)) for _ in range(3))
    kind = draw(st.sampled_from([INTS, FLOATS]))
    batch = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=2))
    a, b = batch.input_shapes
    left, right = draw(st.sampled_from([((*a, m, k), (*b, k, n)), ((k,), (k,)), ((m, k), (k,))]))
    one = [d for d in kind if np.dtype(d).kind == np.dtype(kind[0]).kind]
    return (arrays(draw, one, left), arrays(draw, one, right)), {}


def tensordot(draw):
    a, b, c = (draw(st.integers(0, 3)) for _ in range(3))
    x, y = arrays(draw, FLOATS, (a, b, c)), arrays(draw, FLOATS, (c, b, a))
    axes = draw(st.sampled_from([0, 1, ((1, 2), (1, 0)), ((0,), (2,))]))
    return (x, y), {"axes": axes}


def vecdot(draw):
    both = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_dims=0, max_dims=2, max_side=3))
    k = draw(st.integers(0, 3))
    kind = draw(st.sampled_from([("int32",), FLOATS]))
    return tuple(arrays(draw, kind, (*shape, k)) for shape in both.input_shapes), {}


def reshape(draw):
    x = arrays(draw, EVERY)
    n = x.size
    shape = draw(st.sampled_from([(n,), (1, n), (n, 1, 1), (-1,) if n else (0,)]))
    return (x, shape), {"copy": draw(st.sampled_from([None, True]))}


def roll(draw):
    x = arrays(draw, EVERY, least=1)
    axis = axis_of(draw, x)
    shift = draw(st.integers(-5, 5))
    if axis is not None and draw(st.booleans()):
        return (x, (shift, 1)), {"axis": (axis, axis)}
    return (x, shift), {"axis": axis}


def repeat(draw):
    x = arrays(draw, EVERY, least=1)
    axis = axis_of(draw, x)
    n = x.size if axis is None else x.shape[axis]
    if n and draw(st.booleans()):
        return (x, draw(hnp.arrays(np.int64, n, elements=st.integers(0, 3)))), {"axis": axis}
    return (x, draw(st.integers(0, 3))), {"axis": axis}


def moveaxis(draw):
    x = arrays(draw, EVERY, least=2)
    order = draw(st.permutations(range(x.ndim)))
    n = draw(st.integers(1, x.ndim))
    return (x, tuple(order[:n]), tuple(range(n))), {}


def take(draw):
    x = arrays(draw, EVERY, least=1, side=1)
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    indices = draw(
        hnp.arrays(np.int64, draw(st.integers(0, 4)), elements=st.integers(0, x.shape[axis] - 1))
    )
    return (x, indices), {"axis": axis}


def take_along_axis(draw):
    x = arrays(draw, EVERY, least=1, side=1)
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    shape = list(x.shape)
    shape[axis] = draw(st.integers(0, 3))
    last = st.integers(-x.shape[axis], x.shape[axis] - 1)
    return (x, draw(hnp.arrays(np.int64, tuple(shape), elements=last))), {"axis": axis}


def searchsorted(draw):
    dtype = draw(st.sampled_from(["float32", "float64", "int64"]))
    x = np.sort(arrays(draw, [dtype], (draw(st.integers(1, 6)),)))
    side = draw(st.sampled_from(["left", "right"]))
    return (x, arrays(draw, [dtype])), {"side": side}


def where(draw):
    shape = draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3))
    first, second, third = shape.input_shapes
    kind = draw(st.sampled_from([BOOLS, FLOATS, ("int32", "int64")]))
    condition = arrays(draw, BOOLS, first)
    return (condition, arrays(draw, kind, second), arrays(draw, kind, third)), {}


def clip(draw):
    x = arrays(draw, NUMBERS)
    low, high = sorted([draw(elements(x.dtype)), draw(elements(x.dtype))])
    keywords = draw(st.sampled_from([{"min": low, "max": high}, {"min": low}, {"max": high}, {}]))
    return (x,), keywords


def diff(draw):
    x = arrays(draw, NUMBERS, least=1, side=1)
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    return (x,), {"axis": axis, "n": draw(st.integers(0, 2))}


def isin(draw):
    kind = draw(st.sampled_from([("int32", "int64"), ("uint8",), FLOATS]))
    return (arrays(draw, kind), arrays(draw, kind)), {"invert": draw(st.booleans())}


def broadcasting(draw):
    shape = draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3))
    return tuple(arrays(draw, EVERY, each) for each in shape.input_shapes), {}


def broadcast_to(draw):
    x = arrays(draw, EVERY)
    return (x, (2, *x.shape)), {}


def of_matrix(draw):
    return (arrays(draw, EVERY, least=2),), {"k": draw(st.integers(-4, 4))}


CASES = {
    # of each element
    **dict.fromkeys(["abs", "sign", "square", "negative", "positive"], unary(NUMBERS)),
    **dict.fromkeys(["ceil", "floor", "trunc", "round"], unary(NUMBERS)),
    **dict.fromkeys(["isfinite", "isinf", "isnan", "real", "conj"], unary(FLOATS)),
    **dict.fromkeys(["sin", "cos", "tan", "sinh", "cosh", "tanh"], unary(FLOATS)),
    **dict.fromkeys(["signbit", "exp", "expm1", "atan", "asinh"], unary(FLOATS)),
    **dict.fromkeys(["log", "log1p", "log2", "log10", "sqrt"], unary(FLOATS, 1 / 64, 8)),
    **dict.fromkeys(["acos", "asin", "atanh"], unary(FLOATS, -0.9, 0.9)),
    "acosh": unary(FLOATS, 1.25, 8),
    "reciprocal": unary(FLOATS, 0.5, 8),
    "logical_not": unary(BOOLS),
    "bitwise_invert": unary(BOOLS + INTS),
    **dict.fromkeys(["add", "subtract", "multiply", "maximum", "minimum"], binary(NUMBERS)),
    **dict.fromkeys(["equal", "not_equal"], binary(EVERY)),
    **dict.fromkeys(["less", "less_equal", "greater", "greater_equal"], binary(NUMBERS)),
    **dict.fromkeys(["atan2", "copysign", "hypot", "logaddexp", "nextafter"], binary(FLOATS)),
    "divide": binary(FLOATS, -8, 8, (0.5, 8)),
    **dict.fromkeys(["floor_divide", "remainder"], binary(NUMBERS, -8, 8, (1, 8))),
    "pow": binary(("float32", "float64", "int32", "int64", "uint32"), 1, 4, (0, 3)),
    **dict.fromkeys(["bitwise_and", "bitwise_or", "bitwise_xor"], binary(BOOLS + INTS)),
    **dict.fromkeys(["bitwise_left_shift", "bitwise_right_shift"], binary(INTS, 0, 8, (0, 4))),
    **dict.fromkeys(["logical_and", "logical_or", "logical_xor"], binary(BOOLS)),
    "clip": clip,
    # over axes
    **dict.fromkeys(["sum", "prod"], reduction(NUMBERS, dtype=st.sampled_from(["float64", None]))),
    "mean": reduction(FLOATS, side=1),
    **dict.fromkeys(["std", "var"], correction()),
    **dict.fromkeys(["min", "max"], reduction(NUMBERS, side=1)),
    **dict.fromkeys(["all", "any"], reduction(EVERY)),
    "count_nonzero": reduction(EVERY),
    **dict.fromkeys(["argmin", "argmax"], reduction(NUMBERS, side=1, many=False)),
    **dict.fromkeys(["cumulative_sum", "cumulative_prod"], scan(NUMBERS)),
    "diff": diff,
    # order and lookups
    "sort": with_axis(NUMBERS, descending=st.booleans(), stable=st.booleans()),
    "argsort": with_axis(NUMBERS, descending=st.booleans(), stable=st.just(True)),
    "searchsorted": searchsorted,
    "where": where,
    "take": take,
    "take_along_axis": take_along_axis,
    "nonzero": lambda draw: ((arrays(draw, EVERY, least=1),), {}),
    "isin": isin,
    **dict.fromkeys(["unique_all", "unique_counts", "unique_inverse", "unique_values"],
                    unary(EVERY)),
    # products
    "matmul": matmul,
    "tensordot": tensordot,
    "vecdot": vecdot,
    "matrix_transpose": lambda draw: ((arrays(draw, EVERY, least=2),), {}),
    # shapes
    "broadcast_arrays": broadcasting,
    "broadcast_to": broadcast_to,
    "concat": concat,
    "stack": stack,
    "expand_dims": lambda draw: (
        (arrays(draw, EVERY),), {"axis": draw(st.sampled_from([0, -1]))}
    ),
    "flip": lambda draw: (lambda x: ((x,), {"axis": axis_of(draw, x, True)}))(
        arrays(draw, EVERY)
    ),
    "moveaxis": moveaxis,
    "permute_dims": lambda draw: (lambda x: ((x, tuple(draw(st.permutations(range(x.ndim))))), {}))(
        arrays(draw, EVERY)
    ),
    "repeat": repeat,
    "reshape": reshape,
    "roll": roll,
    "squeeze": lambda draw: ((arrays(draw, EVERY)[None, ..., None],), {"axis": (0, -1)}),
    "tile": lambda draw: (
        (arrays(draw, EVERY), tuple(draw(st.lists(st.integers(0, 3), max_size=3)))), {}
    ),
    "unstack": with_axis(EVERY),
    # creation and casts
    "arange": lambda draw: (
        tuple(draw(st.sampled_from(numbers)) for numbers in ([-5, 0, 2], [-4, 3, 9], [1, -2, 0.5])),
        {},
    ),
    "asarray": lambda draw: ((draw(elements(draw(st.sampled_from(["bool", "int64", "float64"])))),),
                             {}),
    "linspace": lambda draw: (
        (draw(st.integers(-5, 5)), draw(elements("float64")), draw(st.integers(1, 7))),
        {"endpoint": draw(st.booleans())},
    ),
    "eye": lambda draw: (
        (draw(st.integers(0, 4)), draw(st.one_of(st.none(), st.integers(0, 4)))),
        {"k": draw(st.integers(-5, 5)), "dtype": draw(st.sampled_from(EVERY))},
    ),
    **dict.fromkeys(["zeros", "ones"], lambda draw: (
        (draw(shapes()),), {"dtype": draw(st.sampled_from([None, *EVERY]))}
    )),
    "full": lambda draw: ((draw(shapes()), draw(st.sampled_from([True, 3, 2.5]))), {}),
    **dict.fromkeys(["zeros_like", "ones_like"], unary(EVERY)),
    "full_like": lambda draw: ((arrays(draw, NUMBERS), 3), {}),
    "meshgrid": lambda draw: (
        tuple(several(draw, ["float64"], (draw(st.integers(0, 3)),), draw(st.integers(0, 3)))),
        {"indexing": draw(st.sampled_from(["xy", "ij"]))},
    ),
    "tril": of_matrix,
    "triu": of_matrix,
    "astype": lambda draw: (
        (arrays(draw, EVERY, None, 0, 8), draw(st.sampled_from(EVERY))),
        {"copy": draw(st.booleans())},
    ),
}  # fmt: skip
# functions of shapes and dtypes, and arrays without values of their own
ELSEWHERE = {
    "broadcast_shapes", "can_cast", "empty", "empty_like", "finfo", "from_dlpack", "iinfo",
    "imag", "isdtype", "result_type",
}  # fmt: skip


def test_every_function_has_a_case():
    assert set(CASES) | ELSEWHERE == set(FUNCTIONS)


def given_to(namespace, value):
    """An argument as one of the namespaces takes it."""
    if isinstance(value, np.ndarray):
        return namespace.asarray(value.copy())
    if isinstance(value, list):
        return [given_to(namespace, x) for x in value]
    if isinstance(value, str) and value in EVERY:
        return getattr(namespace, value)
    return value


def call(namespace, name, args, kwargs):
    args = [given_to(namespace, x) for x in args]
    kwargs = {key: given_to(namespace, x) for key, x in kwargs.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(namespace, name)(*args, **kwargs)


def compare(ours, theirs, length):
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        if hasattr(theirs, "_fields"):
            assert ours._fields == theirs._fields
        for a, b in zip(ours, theirs, strict=True):
            compare(a, b, length)
        return
    wanted = np.asarray(theirs._array)
    assert isinstance(ours, mp.ndarray)
    assert ours.dtype == wanted.dtype
    assert ours.shape == wanted.shape
    found = ours.numpy()
    if wanted.dtype.kind == "f":
        eps = np.finfo(wanted.dtype).eps
        scale = np.nanmax(np.abs(wanted), initial=1.0, where=np.isfinite(wanted))
        np.testing.assert_allclose(found, wanted, rtol=8 * eps, atol=8 * length * eps * scale)
    else:
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", sorted(CASES))
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_values(name, data):
    args, kwargs = CASES[name](data.draw)
    theirs = call(model, name, args, kwargs)
    sizes = [x.size for x in args if isinstance(x, np.ndarray)]
    compare(call(mp, name, args, kwargs), theirs, max([1, *sizes]))


def test_functions_of_shapes():
    for shapes_ in [((3, 1), (4,)), ((), (2, 0)), ((1,),), ()]:
        assert mp.broadcast_shapes(*shapes_) == model.broadcast_shapes(*shapes_)
    with pytest.raises(ValueError, match=r"broadcast_shapes: shapes \(3,\), \(4,\) do not"):
        mp.broadcast_shapes((3,), (4,))
    assert mp.empty((2, 3), dtype=mp.int8).shape == (2, 3)
    assert mp.imag(mp.ones(2)).tolist() == [0, 0]
    x = mp.empty_like(mp.ones((2, 3), mp.int8))
    assert (x.shape, x.dtype) == ((2, 3), mp.int8)
