"""Every row of the op table against its float64 reference, and its gradient against differences.

Nothing here names an op: the rows, refs/ and samples/ do.
"""

import numpy as np
import pytest

import mixprec as mp
from dtypes import FLOAT8, INTS, dtype_of, is_float, tolerance
from helpers import LAYOUTS, ROWS, call_row, host, kind_dtype, make_inputs, to_device, words
from refs import REFS, STATISTICAL
from samples import SAMPLES

SIZES = (0, 1, 31, 33, 1025)

# Rows that take integers and bools only.
BIT_ROWS = words(
    "bitwise_and bitwise_or bitwise_xor bitwise_invert bitwise_left_shift bitwise_right_shift"
)
NAMES = [name for name in ROWS if name not in STATISTICAL and name not in BIT_ROWS]

BOOL_ROWS = words(
    "equal not_equal less less_equal greater greater_equal isnan isinf isfinite signbit "
    "logical_not logical_and logical_or logical_xor all any"
)
INDEX_ROWS = words("argmax argmin argsort searchsorted count_nonzero nonzero")
# Rows that also take integers, and those that any dtype passes through unchanged.
INTEGER_ROWS = words(
    "add sub mul maximum minimum neg abs sign relu where sum max min argmax argmin "
    "floor_divide remainder fmod fmax fmin floor ceil trunc round positive index_add "
    "prod count_nonzero cumsum cumprod cummax cummin sort argsort searchsorted"
)
# Rows that have no result of bools, and those whose results are int8.
NO_BOOL_ROWS = words("neg sub positive")
BOOL_TO_INT8_ROWS = words("floor_divide remainder fmod bitwise_left_shift bitwise_right_shift")
MOVING_ROWS = words(
    "copy reshape permute expand slice as_strided concatenate pad take index index_put "
    "take_along_axis"
)


def seeded(name, n):
    return np.random.default_rng([n, *name.encode()])


def wide(arrays):
    """Inputs for the reference: floats as float64."""
    return [
        a if a is None or not is_float(a.dtype) else np.asarray(a).astype(np.float64)
        for a in arrays
    ]


def result_dtype(name, dtype, attrs):
    """The dtype that the first output must have."""
    if attrs.get("dtype") is not None:
        return dtype_of(attrs["dtype"])
    if name in BOOL_ROWS:
        return np.dtype(bool)
    if name in BOOL_TO_INT8_ROWS and dtype == np.bool_:
        return np.dtype(np.int8)
    if name in INDEX_ROWS:
        return np.dtype(np.int64)
    if name == "scale":
        return np.dtype(np.float64 if dtype == np.float64 else np.float32)
    if name in ("sum", "prod", "cumsum", "cumprod") and dtype.kind in "iub" and not is_float(dtype):
        return np.dtype(np.uint64 if dtype.kind == "u" else np.int64)
    return dtype


def compare(name, got, want, length, note):
    for k, (g, w) in enumerate(zip(got, want, strict=False)):
        g = host(g)
        w = np.asarray(w)
        assert g.shape == w.shape, f"{name} output {k}: shape {g.shape}, not {w.shape}; {note}"
        if not is_float(g.dtype):
            np.testing.assert_array_equal(g, w.astype(g.dtype), err_msg=f"{name} {k} {note}")
            continue
        rtol, atol = tolerance(g.dtype, length)
        np.testing.assert_allclose(
            g.astype(np.float64), w, rtol, atol, err_msg=f"{name} output {k}; {note}"
        )


def check_row(name, dtype, layout, device, sizes=SIZES):
    dtype = dtype_of(dtype)
    for n in sizes:
        for sample in SAMPLES[name](seeded(name, n), n):
            attrs = dict(sample.attrs)
            if not sample.inputs:
                attrs["dtype"] = dtype.name
            inputs = make_inputs(sample, dtype, layout)
            before = [None if i is None else i.copy() for i in inputs]
            got = call_row(name, inputs, attrs, device)
            want = REFS[name](wide(inputs), attrs)
            note = f"n={n} {dtype.name} {layout} {attrs}"
            assert host(got[0]).dtype == result_dtype(name, dtype, attrs), note
            compare(name, got, want if isinstance(want, tuple) else (want,), sample.length, note)
            for old, new in zip(before, inputs, strict=True):
                assert old is None or old.tobytes() == new.tobytes(), f"{name} wrote to its input"


@pytest.mark.core
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", NAMES)
def test_row(name, dtype, device):
    """Contiguous inputs, every size."""
    check_row(name, dtype, "contiguous", device)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_row_in_other_floats(name, dtype, device):
    check_row(name, dtype, "contiguous", device)


@pytest.mark.core
@pytest.mark.parametrize("layout", [x for x in LAYOUTS if x != "contiguous"])
@pytest.mark.parametrize("name", [n for n in NAMES if ROWS[n]["inputs"]])
def test_layout(name, layout, device):
    for dtype in ("float32", "float16"):
        check_row(name, dtype, layout, device, (0, 1, 33))


@pytest.mark.parametrize("layout", [x for x in LAYOUTS if x != "contiguous"])
@pytest.mark.parametrize("name", [n for n in NAMES if ROWS[n]["inputs"]])
def test_layout_in_other_floats(name, layout, device):
    for dtype in ("bfloat16", "float64"):
        check_row(name, dtype, layout, device, (31,))


@pytest.mark.parametrize("dtype", [*INTS, "bool"])
@pytest.mark.parametrize("name", [*INTEGER_ROWS, *BIT_ROWS, *BOOL_ROWS, *MOVING_ROWS])
def test_integers(name, dtype, device):
    if dtype == "bool" and name in NO_BOOL_ROWS:
        pytest.skip(f"{name} of bool is an error: test_bool_has_no_difference")
    if dtype == "bool" and name == "sign":
        pytest.skip("NumPy, the reference, has no sign of bool")
    dtype = dtype_of(dtype)
    for n in (0, 1, 33):
        for sample in SAMPLES[name](seeded(name, n), n):
            for item in sample.inputs:
                if item.kind == "x":
                    values = np.round(item.array * 3)
                    item.array = np.abs(values) if dtype.kind in "ub" else values
            inputs = make_inputs(sample, dtype, "strided")
            attrs = {**sample.attrs, "value": 1} if "value" in sample.attrs else sample.attrs
            got = call_row(name, inputs, attrs, device)
            want = REFS[name](inputs, attrs)
            assert host(got[0]).dtype == result_dtype(name, dtype, attrs)
            compare(name, got, (want,), 1, f"n={n} {dtype.name} {attrs}")


@pytest.mark.parametrize("name", BIT_ROWS)
def test_floats_have_no_bits(name, device):
    inputs = [np.ones(3, np.float32)] * len(words(ROWS[name]["inputs"]))
    with pytest.raises(TypeError, match=rf"^{name}: x1? is float32, an integer dtype or bool is"):
        call_row(name, inputs, {}, device)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", BIT_ROWS)
def test_bits_in_every_layout(name, layout, device):
    for dtype in ("int16", "uint64", "bool"):
        for sample in SAMPLES[name](seeded(name, 33), 33):
            for item in sample.inputs:
                item.array = np.abs(np.round(item.array * 3))
            inputs = make_inputs(sample, dtype, layout)
            got = call_row(name, inputs, {}, device)
            compare(name, got, (REFS[name](inputs, {}),), 1, f"{dtype} {layout}")


@pytest.mark.parametrize("name", NO_BOOL_ROWS)
def test_bool_has_no_difference(name, device):
    inputs = [np.ones(3, bool)] * len(words(ROWS[name]["inputs"]))
    with pytest.raises(TypeError, match=rf"^{name}: bool has no "):
        call_row(name, inputs, {}, device)


@pytest.mark.parametrize("dtype", FLOAT8)
@pytest.mark.parametrize("name", MOVING_ROWS)
def test_float8_moves(name, dtype, device):
    for layout in LAYOUTS:
        check_row(name, dtype, layout, device, (0, 1, 33))


@pytest.mark.parametrize("name", [n for n in NAMES if words(ROWS[n]["inputs"])[:2] == ["x1", "x2"]])
def test_mixed_dtypes(name, device):
    """float16 with float32: the kernel reads each as it is."""
    for sample in SAMPLES[name](seeded(name, 33), 33):
        half = make_inputs(sample, "float16", "strided")
        full = make_inputs(sample, "float32")
        inputs = [half[0], *full[1:]]
        got = call_row(name, inputs, sample.attrs, device)
        want = REFS[name](wide(inputs), sample.attrs)
        compare(name, got, (want,), sample.length, "float16 with float32")
        if name not in BOOL_ROWS:
            assert got[0].dtype == np.float32


# ---- gradients ----


def differentiable(row):
    value = row.get("differentiable", row.get("grad", row.get("vjp")))
    return bool(value)


GRADIENT_NAMES = [n for n in NAMES if differentiable(ROWS[n])]


def float_inputs(sample):
    return [i for i, item in enumerate(sample.inputs) if item is not None and item.kind == "x"]


def gradients(name, sample, dtype, device, layout="contiguous"):
    """Gradients of the float inputs, for cotangents drawn from the outputs' shapes alone."""
    inputs = [
        None if a is None else to_device(a, device) for a in make_inputs(sample, dtype, layout)
    ]
    wrt = [inputs[i] for i in float_inputs(sample)]
    for x in wrt:
        x.requires_grad_()
    outputs = [y for y in call_row(name, inputs, sample.attrs, device) if y.requires_grad]
    rng = np.random.default_rng(7)
    cotangents = [rng.uniform(-1, 1, y.shape) for y in outputs]
    grads = [
        to_device(c.astype(host(y).dtype), device) for c, y in zip(cotangents, outputs, strict=True)
    ]
    return [host(g) for g in mp.grad(outputs, wrt, grads)]


@pytest.mark.parametrize("name", GRADIENT_NAMES)
def test_gradient(name, device):
    """Against finite differences in float64."""
    for n in (1, 4):
        for sample in SAMPLES[name](seeded(name, n), n):
            if "float" not in str(sample.attrs.get("dtype") or "float"):
                continue
            if sample.attrs.get("dtype") not in (None, "float64"):
                continue
            inputs = make_inputs(sample, "float64")
            wrt = float_inputs(sample)

            def call(*xs, inputs=inputs, wrt=wrt, sample=sample):
                arrays = [None if a is None else to_device(a, device) for a in inputs]
                for i, x in zip(wrt, xs, strict=True):
                    arrays[i] = x
                return call_row(name, arrays, sample.attrs, device)

            xs = [to_device(inputs[i].copy(), device).requires_grad_() for i in wrt]
            assert mp.testing.gradcheck(call, xs), f"{name} {sample.attrs}"


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", GRADIENT_NAMES)
def test_gradient_in_narrow_dtypes(name, dtype, device):
    """Against the float64 run on the same rounded values: a few roundings apart."""
    eps = float(np.finfo(np.float32).eps) if dtype == "float32" else None
    for n in (1, 33):
        for sample in SAMPLES[name](seeded(name, n), n):
            if sample.attrs.get("dtype") is not None:
                continue
            for item, array in zip(sample.inputs, make_inputs(sample, dtype), strict=True):
                if item is not None and item.kind not in ("fixed", "distinct"):
                    item.array = array.astype(np.float64)
            want = gradients(name, sample, "float64", device)
            got = gradients(name, sample, dtype, device, "strided")
            unit = eps or float(dtype_of_eps(dtype))
            for g, w, i in zip(got, want, float_inputs(sample), strict=True):
                assert g.dtype == kind_dtype(sample.inputs[i], dtype_of(dtype))
                rtol, atol = tolerance(dtype, sample.length)
                scale = np.abs(w).max(initial=1.0)
                np.testing.assert_allclose(
                    g.astype(np.float64), w, rtol + 8 * unit, atol + 8 * unit * scale
                )


def dtype_of_eps(dtype):
    import ml_dtypes

    return ml_dtypes.finfo(dtype_of(dtype)).eps


@pytest.mark.parametrize("name", GRADIENT_NAMES)
def test_gradient_of_nothing(name, device):
    """Empty inputs have empty gradients of the right shape."""
    for sample in SAMPLES[name](seeded(name, 0), 0):
        if sample.attrs.get("dtype") is not None:
            continue
        got = gradients(name, sample, "float32", device)
        for g, i in zip(got, float_inputs(sample), strict=True):
            assert g.shape == sample.inputs[i].array.shape
            assert np.isfinite(g).all()
