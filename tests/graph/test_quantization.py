"""From real ranges to scales and zero points, and from real values to int8 and back."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from mcuq.graph.quantization import SMALLEST_STEP, ActivationOptions, quant_for_range, with_dtype
from mcuq.graph.tensor import Quant, Tensor


@pytest.mark.parametrize(
    ("low", "high", "zero_point"),
    [
        (-1.0, 1.0, 0),  # -128 + 127.5 = -0.5, halves up
        (0.0, 6.0, -128),
        (-6.0, 0.0, 127),
        (-128.0, 127.0, 0),
        (-100.0, 155.0, -28),
        (-1e-6, 254e-6, -127),
    ],
)
def test_range_takes_255_steps_and_its_zero_is_a_code(low: float, high: float, zero_point: int) -> None:
    quant = quant_for_range(low, high)
    assert quant == Quant(((high - low) / 255,), zero_point)
    assert quant.quantize(np.array([0.0])).tolist() == [zero_point]
    assert quant.dequantize(np.array([zero_point], np.int8)).tolist() == [0.0]


@pytest.mark.parametrize(("low", "high", "as_if"), [(2.0, 5.0, (0.0, 5.0)), (-5.0, -2.0, (-5.0, 0.0))])
def test_range_without_zero_is_widened_to_hold_it(low: float, high: float, as_if: tuple[float, float]) -> None:
    assert quant_for_range(low, high) == quant_for_range(*as_if)


@pytest.mark.parametrize("width", [0.0, 1e-300, SMALLEST_STEP * 254])
def test_range_too_small_to_matter_gets_the_scale_1(width: float) -> None:
    assert quant_for_range(0.0, width) == Quant((1.0,), 0)
    assert quant_for_range(-width, 0.0) == Quant((1.0,), 0)


def test_both_ends_of_any_range_are_within_half_a_step_of_a_code() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        low, high = sorted(rng.normal(0, 1, 2) * 10.0 ** rng.uniform(-20, 20))
        quant = quant_for_range(low, high)
        assert -128 <= quant.zero_point <= 127
        for end in (min(low, 0.0), max(high, 0.0)):
            real = (int(quant.quantize(np.array([end]))[0]) - quant.zero_point) * quant.step
            assert abs(real - end) <= quant.step * (0.5 + 1e-9)


def test_quantize_rounds_halves_up() -> None:
    quant = Quant((0.5,), 3)
    real = np.array([-1.25, -0.75, -0.25, 0.0, 0.25, 0.75, 1.25])
    assert quant.quantize(real).tolist() == [1, 2, 3, 3, 4, 5, 6]
    assert quant.quantize(real).tolist() == [floor(Fraction(v) * 2 + 3 + Fraction(1, 2)) for v in real.tolist()]


def test_quantize_saturates_at_both_ends() -> None:
    quant = Quant((0.1,), 20)
    assert quant.quantize(np.array([-1e30, -14.9, -14.7, 10.6, 10.8, 1e30])).tolist() == [
        -128,
        -128,
        -127,
        126,
        127,
        127,
    ]


def test_dequantize_and_quantize_again_is_the_identity_on_all_codes() -> None:
    codes = np.arange(-128, 128).astype(np.int8)
    rng = np.random.default_rng(1)
    for _ in range(500):
        quant = Quant((float(10.0 ** rng.uniform(-20, 20)),), int(rng.integers(-128, 128)))
        real = quant.dequantize(codes)
        assert real.dtype == np.float32
        assert np.array_equal(quant.quantize(real), codes)


def test_quantize_keeps_shape_and_gives_int8() -> None:
    q = quant_for_range(-1, 1).quantize(np.zeros((2, 0, 3)))
    assert (q.shape, q.dtype) == ((2, 0, 3), np.int8)


def test_step_of_a_quantization_with_a_scale_per_channel_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError) as caught:
        _ = Quant((1.0, 2.0)).step
    assert str(caught.value) == "expected one scale, found 2"


def test_values_of_a_computed_tensor_are_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError) as caught:
        _ = Tensor("x", (1,)).values
    assert str(caught.value) == "tensor 'x' is not a constant"


def test_scale_of_a_float_tensor_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError) as caught:
        _ = Tensor("x", (1,)).scale
    assert str(caught.value) == "tensor 'x' is not quantized"


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_a_symmetric_range_has_its_zero_in_the_middle_and_holds_both_ends(dtype: str) -> None:
    quant = quant_for_range(-1.0, 3.0, dtype, ActivationOptions(symmetric=True))
    assert quant.zero_point == (128 if dtype == "uint8" else 0)
    low, high = quant.real_bounds
    assert low <= -1.0
    assert high == pytest.approx(3.0)
    assert quant.dtype == dtype


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_a_power_of_two_is_the_smallest_that_holds_the_range(dtype: str) -> None:
    free = quant_for_range(-1.0, 3.0, dtype)
    quant = quant_for_range(-1.0, 3.0, dtype, ActivationOptions(power_of_two=True))
    assert np.log2(quant.step) == np.rint(np.log2(quant.step))
    assert free.step <= quant.step < 2 * free.step


def test_int8_and_uint8_of_one_range_have_the_same_steps() -> None:
    quant = quant_for_range(-0.3, 2.0)
    other = with_dtype(quant, "uint8")
    assert (other.scale, other.zero_point) == (quant.scale, quant.zero_point + 128)
    assert with_dtype(other, "int8") == quant
    wide = with_dtype(quant, "int16")
    assert wide.dtype == "int16"
    assert wide.real_bounds[1] >= quant.real_bounds[1]
