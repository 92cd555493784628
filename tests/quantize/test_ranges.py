"""Ranges from streamed values: exact, independent of order and chunks, and good at their stated purpose."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcuq.errors import QuantizationError
from mcuq.quantize.calibrators import CALIBRATORS
from mcuq.quantize.method import CalibrationMethod
from mcuq.quantize.mse_range import expected_error
from mcuq.quantize.ranges import RangeCollector

MINMAX = CalibrationMethod("minmax")
MSE = CalibrationMethod("mse")
ENTROPY = CalibrationMethod("entropy")
AVERAGE = CalibrationMethod("moving_average")
METHODS = [
    CalibrationMethod("percentile", 99.0),
    *(CalibrationMethod(name) for name, calibrator in CALIBRATORS.items() if not calibrator.averages),
]

# Magnitudes across all of float32, so that the bins' width grows in jumps of any size.
WIDE = st.builds(
    lambda sign, exponent, mantissa: np.float32(sign * mantissa * 2.0**exponent),
    st.sampled_from([-1, 0, 1]),
    st.integers(-149, 126),
    st.floats(1, 1.9375, width=32),
)
NARROW = st.floats(-100, 100, width=32)


def arrays(elements: st.SearchStrategy) -> st.SearchStrategy:
    return hnp.arrays(np.float32, st.integers(1, 60), elements=elements)


def collected(*chunks: np.ndarray) -> RangeCollector:
    collector = RangeCollector("t")
    for chunk in chunks:
        collector.update(chunk)
    return collector


def quantization_error(values: np.ndarray, low: float, high: float, levels: int = 256) -> float:
    """The mean squared error of really quantizing `values` to so many integers over low..high."""
    values = values.astype(np.float64)
    scale = (high - low) / (levels - 1)
    zero_point = np.rint(-(levels // 2) - low / scale)
    q = np.clip(np.rint(values / scale) + zero_point, -(levels // 2), levels // 2 - 1)
    return float(np.mean(((q - zero_point) * scale - values) ** 2))


DISTRIBUTIONS = {
    "normal": lambda rng, n: rng.normal(0, 0.3, n),
    "relu": lambda rng, n: np.maximum(rng.normal(0, 5, n), 0),
    "relu6": lambda rng, n: np.clip(rng.normal(3, 3, n), 0, 6),
    "laplace": lambda rng, n: rng.laplace(1, 2, n),
    "uniform": lambda rng, n: rng.uniform(-1, 3, n),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
    "long upper tail": lambda rng, n: rng.gamma(0.7, 40, n) - 4,
    "all negative": lambda rng, n: -rng.gamma(2, 1, n) - 1,
    "one outlier on one side": lambda rng, n: np.append(rng.uniform(-3, 0, n - 1), 300),
    "far from zero": lambda rng, n: rng.uniform(20, 21, n),
    "one outlier": lambda rng, n: np.append(rng.normal(0, 1, n - 1), 300),
    "tiny": lambda rng, n: rng.normal(0, 1e-30, n),
    "huge": lambda rng, n: rng.normal(0, 1e30, n),
}


def drawn(name: str, n: int = 50_000) -> np.ndarray:
    return DISTRIBUTIONS[name](np.random.default_rng(1), n).astype(np.float32)


@given(values=st.one_of(arrays(WIDE), arrays(NARROW)), data=st.data())
def test_neither_order_nor_chunks_change_a_range(values, data):
    shuffled = np.array(data.draw(st.permutations(values.tolist())), np.float32)
    cuts = data.draw(st.lists(st.integers(0, values.size), max_size=5).map(sorted))
    a, b = collected(values), collected(*np.split(shuffled, cuts))
    for method in METHODS:
        assert a.range(method) == b.range(method)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_many_values_in_any_order_and_chunks_give_the_same_range(name):
    values = drawn(name, 200_000)
    shuffled = np.random.default_rng(2).permutation(values)
    a, b = collected(values), collected(*np.array_split(shuffled, 17))
    for method in METHODS:
        assert a.range(method) == b.range(method)


@given(values=st.one_of(arrays(WIDE), arrays(NARROW)))
def test_minmax_is_numpys_with_zero_included(values):
    assert collected(values).range(MINMAX) == (min(values.min(), 0), max(values.max(), 0))


@given(values=st.one_of(arrays(WIDE), arrays(NARROW)))
def test_every_range_includes_zero_and_stays_within_minmax(values):
    collector = collected(values)
    minimum, maximum = collector.range(MINMAX)
    for method in [*METHODS, AVERAGE]:
        low, high = collector.range(method)
        assert minimum <= low <= 0 <= high <= maximum
        assert not (low == high and minimum < maximum)


@given(values=arrays(NARROW))
def test_mse_is_worse_than_minmax_by_two_bins_at_most_on_any_values(values):
    # A value's distance to the nearest level changes by at most the distance to another value in its bin, so
    # the root mean square over the histogram is within one bin's width of the real one, for either range.
    collector = collected(values)
    low, high = collector.range(MINMAX)
    if low == high:
        return
    bin_width = 2 * (high - low) / 2048
    real = [np.sqrt(quantization_error(values, *collector.range(method))) for method in (MSE, MINMAX)]
    assert real[0] <= real[1] + 2 * bin_width


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_mse_is_never_worse_than_minmax_when_really_quantized(name):
    values = drawn(name)
    collector = collected(values)
    mse, minmax = (quantization_error(values, *collector.range(method)) for method in (MSE, MINMAX))
    assert mse <= minmax * 1.001


@pytest.mark.parametrize("name", ["normal", "laplace", "heavy tails", "all negative", "relu"])
def test_mse_is_near_the_best_of_an_exhaustive_search_over_the_values(name):
    values = drawn(name, 20_000)
    collector = collected(values)
    minimum, maximum = collector.range(MINMAX)
    fractions = np.linspace(0.1, 1, 31)
    best = min(
        quantization_error(values, low, high)
        for low in minimum * (fractions if minimum < 0 else fractions[:1])
        for high in maximum * (fractions if maximum > 0 else fractions[:1])
    )
    assert quantization_error(values, *collector.range(MSE)) <= best * 1.02


@pytest.mark.parametrize("name", ["one outlier", "one outlier on one side"])
def test_mse_halves_the_error_where_one_value_in_a_million_is_far_out(name):
    values = drawn(name, 1_000_000)
    collector = collected(values)
    mse, minmax = (quantization_error(values, *collector.range(method)) for method in (MSE, MINMAX))
    assert mse < minmax / 2


@pytest.mark.parametrize("name", ["normal", "relu", "long upper tail"])
@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.05])
@pytest.mark.parametrize("levels", [256, 16])
def test_the_expected_error_is_the_real_one(name, fraction, levels):
    values = drawn(name, 200_000)
    values = values[values != 0]  # so many of one value are no even spread within a bin
    low, high = (fraction * bound for bound in collected(values).range(MINMAX))
    counts, edges = np.histogram(values.astype(np.float64), 2048)
    estimate = expected_error(edges, counts, np.array([low]), np.array([high]), levels)
    np.testing.assert_allclose(estimate, quantization_error(values, low, high, levels), rtol=0.02)


@pytest.mark.parametrize("percentile", [90.0, 99.0, 99.9])
@pytest.mark.parametrize("name", ["normal", "relu", "uniform", "long upper tail", "tiny", "huge"])
def test_a_percentile_cuts_half_of_the_rest_at_each_end(name, percentile):
    values = np.sort(drawn(name))
    cut = int((100 - percentile) / 200 * values.size)
    collector = collected(values)
    low, high = collector.range(CalibrationMethod("percentile", percentile))
    minimum, maximum = collector.range(MINMAX)
    bin_width = 2 * (maximum - minimum) / 2048
    assert low == pytest.approx(min(0, values[cut]), abs=bin_width)
    assert high == pytest.approx(max(0, values[-1 - cut]), abs=bin_width)


def test_a_percentile_of_100_is_minmax():
    collector = collected(drawn("laplace"))
    assert collector.range(CalibrationMethod("percentile", 100.0)) == collector.range(MINMAX)


@given(values=arrays(WIDE))
def test_negated_values_have_the_negated_percentile_range(values):
    method = CalibrationMethod("percentile", 90.0)
    minimum, maximum = collected(values).range(MINMAX)
    low, high = collected(-values).range(method)
    # A value on an edge belongs to the bin above it, whose mirror image lies on the edge's other side.
    bin_width = 2 * (maximum - minimum) / 2048 + 2.0**-126
    rounding = 4 * np.spacing(max(maximum, -minimum))  # of the edges, in float64
    assert collected(values).range(method) == pytest.approx((-high, -low), abs=bin_width + rounding, rel=0)


@pytest.mark.parametrize("method", [*METHODS, AVERAGE], ids=str)
def test_values_that_are_all_zero_have_the_range_zero(method):
    low, high = collected(np.array([0.0, -0.0], np.float32)).range(method)
    assert (low, high) == (0, 0)
    assert not np.signbit([low, high]).any()


@pytest.mark.parametrize("method", [MINMAX, AVERAGE, MSE, ENTROPY, CalibrationMethod("percentile", 100.0)], ids=str)
@pytest.mark.parametrize("value", [3.0, -3.0, 1e-45, -1e-45, 1e-39, 3e38, -3e38])
def test_a_constant_reaches_from_zero_to_itself(method, value):
    value = float(np.float32(value))
    low, high = collected(np.full(100, value, np.float32)).range(method)
    assert (low, high) == (min(value, 0), max(value, 0))
    assert not (low == 0 and np.signbit(low)) and not np.signbit(high)


def test_a_relu_output_keeps_zero_as_its_lower_end():
    for method in [*METHODS, AVERAGE]:
        low, high = collected(drawn("relu")).range(method)
        assert low == 0 < high


def test_a_tiny_negative_value_stays_below_zero_beside_a_huge_one():
    # Times 2^-e the tiny value is less than float32 can hold; counted as zero it would depend on the order.
    tiny, huge = np.float32([-1e-45] * 3), np.float32([1e30])
    method = CalibrationMethod("percentile", 50.0)
    assert collected(tiny, huge).range(method) == collected(huge, tiny).range(method)
    assert collected(huge, tiny).range(method)[0] == float(tiny[0])


def test_other_dtypes_shapes_and_empty_arrays_are_taken():
    collector = collected(np.zeros((0, 3)), np.array([[1, -2]], np.int8), np.arange(8.0).reshape(2, 2, 2).T)
    assert collector.values_seen == 10
    assert collector.range(MINMAX) == (-2, 7)


def test_memory_does_not_grow_with_the_number_of_samples():
    def peak_bytes(samples: int) -> int:
        rng = np.random.default_rng(0)
        tracemalloc.start()
        collector = RangeCollector("t")
        for _ in range(samples):
            collector.update(rng.standard_normal(1000, np.float32))
        collector.range(MSE)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    few, many = peak_bytes(10), peak_bytes(1000)
    assert many < few + 4_000  # one sample is 4,000 bytes


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_are_not_finite_are_refused_and_leave_the_collector_as_it_was(bad):
    collector = collected([1.0, 2.0])
    message = (
        "tensor 't': 2 of 3 values are NaN or Inf during calibration; "
        "check the calibration data and the model's weights"
    )
    with pytest.raises(QuantizationError, match=f"^{re.escape(message)}$"):
        collector.update([bad, 9.0, bad])
    assert collector.values_seen == 2
    assert collector.range(MINMAX) == (0, 2)


def test_a_range_of_no_values_is_refused():
    message = "tensor 't': calibration saw no values; give at least one sample"
    with pytest.raises(QuantizationError, match=f"^{message}$"):
        RangeCollector("t").range(MINMAX)
    with pytest.raises(QuantizationError, match=f"^{message.replace(chr(32) + chr(39) + 't' + chr(39), '')}$"):
        RangeCollector().range(MINMAX)


@pytest.mark.parametrize("bins", [0, 3])
def test_an_odd_or_empty_histogram_is_a_mistake_of_the_caller(bins):
    with pytest.raises(ValueError, match=f"^bins must be even and positive, got {bins}$"):
        RangeCollector("t", bins)


@pytest.mark.parametrize("averaging", [0.01, 0.3, 1.0])
def test_a_moving_average_weighs_later_samples_more_and_the_first_no_more_than_it_should(averaging):
    rng = np.random.default_rng(3)
    samples = [np.sort(rng.normal(size=20)).astype(np.float32) for _ in range(50)]
    collector = RangeCollector("t", averaging=averaging)
    for sample in samples:
        collector.update(sample)
    weights = averaging * (1 - averaging) ** np.arange(49, -1, -1.0)
    low, high = (np.average([s[end] for s in samples], weights=weights) for end in (0, -1))
    found = collector.range(CalibrationMethod("moving_average", averaging=averaging))
    assert found == pytest.approx((low, high))


def test_a_moving_average_by_hand():
    collector = RangeCollector("t", averaging=0.5)
    for sample in ([-4.0, 2.0], [-2.0, 8.0], [1.0, 4.0]):
        collector.update(sample)
    # Weights 1/8, 2/8, 4/8; the last sample's lowest value, with zero, is 0.
    low, high = (-4 * 1 - 2 * 2 + 0 * 4) / 7, (2 * 1 + 8 * 2 + 4 * 4) / 7
    assert collector.range(CalibrationMethod("moving_average", averaging=0.5)) == pytest.approx((low, high))


def test_a_moving_average_of_one_sample_is_minmax():
    assert collected(drawn("laplace")).range(AVERAGE) == pytest.approx(collected(drawn("laplace")).range(MINMAX))


def test_zeros_at_the_end_leave_a_moving_average_its_values():
    collector = RangeCollector("t", averaging=1.0)
    for sample in ([-1.0, 3.0], [0.0, 0.0]):
        collector.update(sample)
    assert collector.range(CalibrationMethod("moving_average", averaging=1.0)) == (-1, 3)


def test_a_moving_average_that_was_not_collected_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match=r"^collected with an averaging constant of 0\.01, not 0\.5$"):
        collected([1.0]).range(CalibrationMethod("moving_average", averaging=0.5))


@pytest.mark.parametrize("method", [MSE, ENTROPY], ids=str)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_65536_levels_need_no_clipping(name, method):
    collector = collected(drawn(name))
    assert collector.range(method, levels=65536) == collector.range(MINMAX)


@pytest.mark.parametrize("method", [MSE, ENTROPY], ids=str)
@pytest.mark.parametrize("name", ["normal", "laplace", "heavy tails"])
def test_fewer_levels_clip_more(name, method):
    collector = collected(drawn(name))
    widths = [high - low for low, high in (collector.range(method, levels) for levels in (16, 256, 65536))]
    assert widths[0] < widths[1] <= widths[2]
