"""The arithmetic of floats: against its C namesakes bit for bit, and its errors against double precision."""

from __future__ import annotations

import ctypes
import inspect
import re
from collections.abc import Callable

import numpy as np
import pytest
from float_twins import UNFUSED, assert_same_bits, floats, loops, pointer, run_loop
from onnx import TensorProto, helper

from mcuq.arithmetic import float32 as float_arithmetic
from mcuq.arithmetic.float32 import (
    dequantize_float,
    dynamic_range,
    exponential,
    float32,
    half_to_float,
    hyperbolic_tangent,
    logarithm,
    one_nan,
    quantize_float,
    reduced_exponential,
    sigmoid,
)
from mcuq.build.shared_library import build_library
from mcuq.graph.tensor import Array
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.resources import resource_dir

HEADER = (resource_dir("firmware") / "kernels" / "mcuq_float.h").read_text()

# Names whose C has no array to go over, or whose twin is NumPy's own.
NOT_COMPARED = {"float_of_bits", "infinity"}

UNARY: dict[str, Callable[[Array], Array]] = {
    "exponential": exponential,
    "logarithm": logarithm,
    "sigmoid": sigmoid,
    "hyperbolic_tangent": hyperbolic_tangent,
    "one_nan": one_nan,
    "clamp_float": lambda x: float_arithmetic.clamp_float(x, -0.5, 6.0),
}
# Of two values, which a layer limits behind; here of each element and of the one as far from the other end.
BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "float_quotient": float_arithmetic.float_quotient,
    "maximum": float_arithmetic.maximum,
    "minimum": float_arithmetic.minimum,
}
ARGUMENTS = {"clamp_float": ", -0.5f, 6.0f", **dict.fromkeys(BINARY, ", x[n - 1 - i]")}

LOOPS = (
    loops({**UNARY, **BINARY}, ARGUMENTS)
    + """
void each_reduced_exponential(int64_t n, const float *x, float *y, int32_t *power)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_reduced_exponential(x[i], power + i);
}

void each_half_to_float(int64_t n, const uint16_t *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_half_to_float(x[i]);
}

void each_quantize_float(int64_t n, const float *x, float inverse_scale, int32_t zero_point, int32_t output_min,
                         int32_t output_max, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_quantize_float(x[i], inverse_scale, zero_point, output_min, output_max);
}

void each_dequantize_float(int64_t n, const int32_t *x, float scale, int32_t zero_point, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_dequantize_float(x[i], scale, zero_point);
}

void each_dynamic_range(int64_t rows, int32_t n, const float *x, float *scale, float *inverse_scale, int32_t *y)
{
    for (int64_t i = 0; i < rows; i++)
        y[i] = mcuq_dynamic_range(x + i * n, n, scale + i, inverse_scale + i);
}
"""
)


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions of mcuq_float.h, each over arrays."""
    return build_library(UNFUSED + HEADER + LOOPS)


@pytest.mark.parametrize("name", UNARY)
def test_function_of_one_float_is_its_c_bit_for_bit(c: ctypes.CDLL, name: str) -> None:
    x = floats()
    assert_same_bits(UNARY[name](x), run_loop(c, name, x), x)


def test_reduced_exponential_is_its_c_bit_for_bit(c: ctypes.CDLL) -> None:
    x = floats()
    x = x[(x >= -87.33654) & (x <= 88.72283)]
    y, n = np.empty_like(x), np.empty(x.size, np.int32)
    c.each_reduced_exponential(ctypes.c_int64(x.size), pointer(x), pointer(y), pointer(n))
    want, power = reduced_exponential(x)
    assert_same_bits(want, y, x)
    assert np.array_equal(power, n)


def test_every_half_is_converted_exactly(c: ctypes.CDLL) -> None:
    x = np.arange(65536).astype(np.uint16)
    got = np.empty(x.size, np.float32)
    c.each_half_to_float(ctypes.c_int64(x.size), pointer(x), pointer(got))
    numbers = ~np.isnan(x.view(np.float16))
    assert_same_bits(x.view(np.float16).astype(np.float32)[numbers], got[numbers], x[numbers])
    assert np.isnan(got[~numbers]).all()
    assert np.array_equal(half_to_float(x)[numbers], got[numbers])


@pytest.mark.parametrize(
    ("zero_point", "low", "high"), [(0, -128, 127), (-128, -128, 127), (5, -3, 90), (0, -32768, 32767)]
)
@pytest.mark.parametrize("inverse_scale", [1.0, 12.7, 3e-5, 2e30])
def test_quantization_is_its_c_bit_for_bit(
    c: ctypes.CDLL, zero_point: int, low: int, high: int, inverse_scale: float
) -> None:
    x = floats()
    got = np.empty(x.size, np.int32)
    factor = ctypes.c_float(inverse_scale)
    c.each_quantize_float(ctypes.c_int64(x.size), pointer(x), factor, zero_point, low, high, pointer(got))
    assert np.array_equal(quantize_float(x, float32(inverse_scale), zero_point, low, high), got)


def test_dequantization_is_its_c_bit_for_bit(c: ctypes.CDLL) -> None:
    x = np.arange(-32768, 32768).astype(np.int32)
    got = np.empty(x.size, np.float32)
    c.each_dequantize_float(ctypes.c_int64(x.size), pointer(x), ctypes.c_float(0.013), 7, pointer(got))
    assert_same_bits(dequantize_float(x, float32(0.013), 7), got, x)


def ranges() -> Array:
    """Rows with ranges of all sizes, on one side of zero or around it, with infinities and NaN in some."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3000, 9)) * np.exp2(rng.uniform(-149, 127, (3000, 1)))
    x[::3] = np.abs(x[::3])
    x[1::7] = -np.abs(x[1::7])
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    x[::11, 2] = np.inf
    x[::13, 3] = np.nan
    x[0], x[1], x[2], x[3] = 0, np.nan, np.inf, -0.0
    return x


def test_dynamic_range_is_its_c_bit_for_bit(c: ctypes.CDLL) -> None:
    x = ranges()
    scale, inverse_scale = np.empty((2, len(x)), np.float32)
    zero_point = np.empty(len(x), np.int32)
    outputs = pointer(scale), pointer(inverse_scale), pointer(zero_point)
    c.each_dynamic_range(ctypes.c_int64(len(x)), x.shape[1], pointer(x), *outputs)
    want = dynamic_range(x)
    assert_same_bits(want[0][:, 0], scale, x)
    assert_same_bits(want[1][:, 0], inverse_scale, x)
    assert np.array_equal(want[2][:, 0], zero_point)


def test_dynamic_range_has_a_code_for_zero_and_for_all_else_within_half_a_step() -> None:
    x = ranges()
    scale, inverse_scale, zero_point = dynamic_range(x)
    assert (zero_point >= -128).all()
    assert (zero_point <= 127).all()
    usual = np.isfinite(x).all(axis=1) & (np.abs(x).max(axis=1) < 2.0**126)
    q = quantize_float(x, inverse_scale, zero_point, -128, 127)
    real = (q - zero_point) * scale.astype(np.float64)
    # the zero point is rounded, too
    off = np.abs(real - x)[usual] / scale[usual]
    assert off[np.abs(x[usual]).max(axis=1) > 2.0**-100].max() <= 1.001


def test_dynamic_range_is_that_of_onnx() -> None:
    """Scale within a unit in the last place, zero point and codes but for ties."""
    names = ["q", "scale", "zero_point"]
    node = helper.make_node("DynamicQuantizeLinear", ["x"], names)
    kinds = (TensorProto.UINT8, TensorProto.FLOAT, TensorProto.UINT8)
    outputs = [helper.make_tensor_value_info(n, k, s) for n, k, s in zip(names, kinds, ([64], [], []), strict=True)]
    x_info = helper.make_tensor_value_info("x", TensorProto.FLOAT, [64])
    graph = helper.make_graph([node], "dynamic", [x_info], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = FloatModel(model)
    rng = np.random.default_rng(0)
    for shift in (-3.0, -0.5, 0.0, 2.0):
        x = (rng.normal(size=(50, 64)) + shift).astype(np.float32)
        scale, inverse_scale, zero_point = dynamic_range(x)
        q = quantize_float(x, inverse_scale, zero_point, -128, 127)
        for i, row in enumerate(x):
            want = session.run({"x": row})
            assert abs(scale[i, 0] - want["scale"]) <= np.spacing(want["scale"])
            assert zero_point[i, 0] + 128 == want["zero_point"]
            assert np.abs(q[i] + 128 - want["q"].astype(int)).max() <= 1
            assert (q[i] + 128 != want["q"]).sum() <= 1


@pytest.mark.parametrize(
    ("function", "exact", "units", "low", "high"),
    [
        (exponential, np.exp, 1.2, -87.33, 88.72),
        (sigmoid, lambda x: 1 / (1 + np.exp(-x)), 3.0, -87.33, 88.0),
        (hyperbolic_tangent, np.tanh, 2.0, -12.0, 12.0),
    ],
)
def test_function_is_as_close_to_the_real_one_as_it_states(
    function: Callable[[Array], Array], exact: Callable[[Array], Array], units: float, low: float, high: float
) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(low, high, 500_000), rng.uniform(-1, 1, 200_000)]).astype(np.float32)
    want = exact(x.astype(np.float64))
    off = np.abs(function(x) - want) / np.spacing(np.abs(want).astype(np.float32))
    assert 0.5 < off.max() <= units


@pytest.mark.parametrize(("low", "high"), [(2.0**-126, 3.4e38), (1.0, 1e4), (0.5, 2.0), (0.99, 1.01)])
def test_logarithm_is_as_close_to_the_real_one_as_it_states(low: float, high: float) -> None:
    x = np.exp(np.random.default_rng(0).uniform(np.log(low), np.log(high), 500_000)).astype(np.float32)
    want = np.log(x.astype(np.float64))
    off = np.abs(logarithm(x) - want)
    assert (off <= 0.9 * np.spacing(np.abs(want).astype(np.float32))).all()


def test_logarithm_of_what_has_none() -> None:
    x = np.array([1, np.inf, 0, -0.0, 1e-40, -1, -np.inf, np.nan], np.float32)
    smallest = np.float32(-126 * np.log(2))
    assert np.array_equal(logarithm(x), np.array([0, np.inf, *[smallest] * 5, np.nan], np.float32), equal_nan=True)


def test_exponential_ends_at_zero_and_infinity() -> None:
    x = np.array([-np.inf, -88, 89, np.inf, 0, -0.0], np.float32)
    assert np.array_equal(exponential(x), np.array([0, 0, np.inf, np.inf, 1, 1], np.float32))


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_values_give_the_bits_of_their_namesakes(c: ctypes.CDLL, name: str) -> None:
    x = np.random.default_rng(3).permutation(np.concatenate([floats(), np.array([0, -0.0, np.nan, np.inf] * 9, "f")]))
    assert_same_bits(one_nan(BINARY[name](x, x[::-1])), one_nan(run_loop(c, name, x)), x)


def test_extremes_are_nan_where_one_value_is() -> None:
    a, b = np.array([[1, np.nan, 2, np.nan, 0.0, -np.inf], [np.nan, 3, 1, np.nan, -0.0, 5]], np.float32)
    assert np.array_equal(float_arithmetic.maximum(a, b), [np.nan, np.nan, 2, np.nan, 0, 5], equal_nan=True)
    assert np.array_equal(float_arithmetic.minimum(a, b), [np.nan, np.nan, 1, np.nan, 0, -np.inf], equal_nan=True)


def test_there_is_one_nan() -> None:
    x = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    for function in UNARY.values():
        assert (function(x).view(np.uint32) == 0x7FC00000).all()


def test_header_and_module_have_the_same_functions() -> None:
    in_c = set(re.findall(r"^static inline \w+ mcuq_(\w+)\(", HEADER, re.MULTILINE)) - NOT_COMPARED
    members = inspect.getmembers(float_arithmetic, inspect.isfunction)
    in_python = {name for name, f in members if f.__module__ == float_arithmetic.__name__ and not name.startswith("_")}
    assert in_c == in_python - {"float32"}
    assert in_c == {
        *UNARY,
        *BINARY,
        "half_to_float",
        "quantize_float",
        "dequantize_float",
        "dynamic_range",
        "reduced_exponential",
    }
