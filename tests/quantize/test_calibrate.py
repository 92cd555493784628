import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax import Softmax
from mcuq.quantize.calibrate import DEFAULT_METHOD, calibrate, collect, scaled_tensors
from mcuq.quantize.method import CalibrationMethod

MINMAX = CalibrationMethod("minmax")


def doubled(shape: tuple[int, ...] = (1, 4)) -> Graph:
    """y = x + x, and views of it."""
    builder = GraphBuilder("net")
    x = builder.input("x", shape)
    total = builder.add(Add(), [x, x], "total")
    builder.outputs.append(builder.add(Reshape((int(np.prod(shape)),)), [total], "y"))
    return builder.graph()


def samples(*rows: list[float]) -> list[dict[str, Array]]:
    return [{"x": np.array([row], np.float32)} for row in rows]


def test_ranges_are_those_of_all_samples() -> None:
    data = samples([0.5, -1.0, 0.25, 0], [2.0, 0, 0, 0], [1.0, -0.5, 0, 0])
    assert calibrate(doubled(), data, MINMAX) == {"x": (-1.0, 2.0), "total": (-2.0, 4.0)}


def test_a_range_always_holds_zero() -> None:
    assert calibrate(doubled(), samples([1, 2, 3, 4]), MINMAX) == {"x": (0.0, 4.0), "total": (0.0, 8.0)}


def test_only_tensors_that_choose_their_scale_are_looked_at() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 4))
    s, c = builder.add(Softmax(), [x], "s"), builder.add(Clip(0.0, 6.0), [x], "c")
    builder.outputs.append(builder.add(Concat(1), [s, c], "y"))
    assert scaled_tensors(builder.graph()) == ["x", "c"]
    assert set(calibrate(builder.graph(), samples([1, 2, 3, 4]), MINMAX)) == {"x", "c"}


def test_a_graph_with_several_inputs_is_calibrated() -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Mul(), [builder.input("a", (2,)), builder.input("b", (2,))], "y"))
    data = [{"a": np.array([2, -3], np.float32), "b": np.array([-1, 4], np.float32)}]
    assert calibrate(builder.graph(), data, MINMAX) == {"a": (-3.0, 2.0), "b": (-1.0, 4.0), "y": (-12.0, 0.0)}


def test_an_outlier_counts_for_minmax_and_is_cut_off_by_a_percentile() -> None:
    rng = np.random.default_rng(0)
    data = [{"x": rng.uniform(-1, 1, (1, 1000)).astype(np.float32)} for _ in range(10)]
    data[3]["x"][0, 7] = 100.0
    graph = doubled((1, 1000))
    assert calibrate(graph, data, MINMAX)["x"][1] == 100.0
    assert calibrate(graph, data, CalibrationMethod("percentile", 99.9))["x"][1] < 2
    assert CalibrationMethod("percentile", 99.999) == DEFAULT_METHOD
    assert calibrate(graph, data) == calibrate(graph, data, DEFAULT_METHOD)


def test_progress_is_told_after_each_sample() -> None:
    ticks: list[int] = []
    calibrate(doubled(), samples([1, 2, 3, 4], [5, 6, 7, 8], [1, 1, 1, 2]), MINMAX, lambda: ticks.append(1))
    assert len(ticks) == 3


def test_samples_may_come_one_by_one() -> None:
    assert calibrate(doubled(), iter(samples([1, 2, 3, 4], [0, 0, 0, 5])), MINMAX)["x"] == (0.0, 5.0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [[0.5] * 4],
            "tensor 'x': is 0.5 throughout the 1 calibration sample, so its range cannot be known; "
            "give calibration data that varies",
        ),
        (
            [[0.0] * 4] * 3,
            "tensor 'x': is 0 throughout the 3 calibration samples, so its range cannot be known; "
            "give calibration data that varies",
        ),
    ],
)
def test_a_tensor_that_never_varies_is_an_error(rows: list[list[float]], message: str) -> None:
    with pytest.raises(QuantizationError) as caught:
        calibrate(doubled(), samples(*rows), MINMAX)
    assert str(caught.value) == message


def test_an_inner_tensor_that_never_varies_is_told() -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Clip(0.0, 6.0), [builder.input("x", (1, 4))], "cut"))
    collectors = collect(builder.graph(), samples([-1, -2, -3, -4], [-4, -3, -2, -1]))
    assert collectors.ranges(MINMAX)["cut"] == (0.0, 0.0)
    assert collectors.constants() == {"cut": 0.0}


def test_one_sample_of_a_single_value_is_no_constant() -> None:
    assert calibrate(doubled((1, 1)), samples([3.0]), MINMAX) == {"x": (0.0, 3.0), "total": (0.0, 6.0)}
    with pytest.raises(QuantizationError):
        calibrate(doubled((1, 1)), samples([3.0], [3.0]), MINMAX)


def test_no_sample_is_an_error() -> None:
    with pytest.raises(QuantizationError) as caught:
        calibrate(doubled(), [], MINMAX)
    assert str(caught.value) == "tensor 'x': calibration saw no values; give at least one sample"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_an_error(value: float) -> None:
    with pytest.raises(QuantizationError) as caught:
        calibrate(doubled(), samples([1, 2, 3, 4], [1, value, 3, 4]), MINMAX)
    assert str(caught.value) == (
        "tensor 'x': 1 of 4 values are NaN or Inf during calibration; "
        "check the calibration data and the model's weights"
    )


def test_a_computed_value_that_is_not_finite_is_told_of_by_its_node() -> None:
    graph = doubled()
    big = float(np.finfo(np.float32).max)
    with pytest.raises(QuantizationError) as caught:
        calibrate(graph, samples([1, 2, big, 4]), MINMAX)
    assert str(caught.value) == (
        f"the output of '{graph.producers()['total'].names[-1]}': 1 of 4 values are NaN or Inf during calibration; "
        "check the calibration data and the model's weights"
    )


def test_memory_does_not_grow_with_the_samples() -> None:
    graph = doubled((1, 20_000))

    def data(count: int) -> Iterator[dict[str, Array]]:
        rng = np.random.default_rng(0)
        return ({"x": rng.normal(size=(1, 20_000)).astype(np.float32)} for _ in range(count))

    def peak_bytes(count: int) -> int:
        tracemalloc.start()
        calibrate(graph, data(count))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(2)
    assert peak_bytes(60) < 1.2 * peak_bytes(6) + 100_000


def test_a_graph_that_only_moves_data_needs_the_range_of_its_input_alone() -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Reshape((4,)), [builder.input("x", (1, 4))], "y"))
    assert calibrate(builder.graph(), samples([1, -2, 3, 4]), MINMAX) == {"x": (-2.0, 4.0)}


def test_one_run_serves_several_methods() -> None:
    rng = np.random.default_rng(0)
    data = [{"x": rng.normal(size=(1, 1000)).astype(np.float32)} for _ in range(5)]
    graph = doubled((1, 1000))
    collectors = collect(graph, data, averaging=0.5)
    for method in (MINMAX, CalibrationMethod("mse"), CalibrationMethod("moving_average", averaging=0.5)):
        assert calibrate(graph, data, method) == collectors.ranges(method)


def test_a_moving_average_counts_each_sample_once() -> None:
    method = CalibrationMethod("moving_average", averaging=0.5)
    found = calibrate(doubled(), samples([-3, 0, 0, 3], [-6, 0, 0, 0]), method)
    assert found["x"] == pytest.approx((-(3 * 1 + 6 * 2) / 3, 3 * 1 / 3))


def test_tensors_may_have_other_numbers_of_levels() -> None:
    rng = np.random.default_rng(0)
    data = [{"x": rng.standard_t(3, size=(1, 1000)).astype(np.float32)} for _ in range(5)]
    graph, method = doubled((1, 1000)), CalibrationMethod("mse")
    found = calibrate(graph, data, method, levels={"x": 65536})
    assert found["x"] == calibrate(graph, data, MINMAX)["x"]
    assert found["total"] == calibrate(graph, data, method)["total"] != calibrate(graph, data, MINMAX)["total"]
