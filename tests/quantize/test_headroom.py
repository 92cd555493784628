import numpy as np
import pytest

from mcuq.builder import GraphBuilder
from mcuq.ir import Graph
from mcuq.ops.fully_connected import FullyConnected
from mcuq.quantize import calibrate
from mcuq.quantize.headroom import FACTORS, add_headroom
from mcuq.quantize.ranges import CalibrationMethod
from mcuq.tensor import Array

MINMAX = CalibrationMethod("minmax")


def dense(outputs: int, **bounds: float) -> Graph:
    """One layer that passes its inputs on."""
    builder = GraphBuilder("net")
    constants = [
        builder.constant(np.eye(outputs, dtype=np.float32), "w"),
        builder.constant(np.zeros(outputs, np.float32), "b"),
    ]
    builder.outputs.append(builder.add(FullyConnected(**bounds), [builder.input("x", (1, outputs)), *constants], "y"))
    return builder.graph()


def samples_of(values: Array) -> list[dict[str, Array]]:
    return [{"x": row[None].astype(np.float32)} for row in values]


def test_the_range_of_few_values_goes_beyond_the_largest_of_them() -> None:
    graph, samples = dense(3), samples_of(np.random.default_rng(0).normal(size=(15, 3)))
    ranges = calibrate(graph, samples, MINMAX)
    low, high = add_headroom(graph, ranges, samples)["y"]
    assert FACTORS[-1] * ranges["y"][0] <= low < 1.05 * ranges["y"][0]
    assert 1.05 * ranges["y"][1] < high <= FACTORS[-1] * ranges["y"][1]


def test_new_samples_of_a_small_tensor_err_less_with_headroom() -> None:
    errors = np.zeros(2)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        graph, samples = dense(3), samples_of(rng.normal(size=(15, 3)))
        unseen = rng.normal(size=(2000, 3))
        ranges = calibrate(graph, samples, MINMAX)
        for i, (low, high) in enumerate((ranges["y"], add_headroom(graph, ranges, samples)["y"])):
            step = (high - low) / 255
            errors[i] += ((unseen - np.clip(np.rint(unseen / step) * step, low, high)) ** 2).mean()
    assert errors[1] < 0.5 * errors[0]


def test_a_range_whose_end_many_samples_reach_stays() -> None:
    values = np.random.default_rng(1).uniform(-1, 1, (40, 64))
    values[:, 0], values[:, 1] = 1.0, -1.0
    graph, samples = dense(64), samples_of(values)
    assert add_headroom(graph, {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}, samples)["y"] == (-1.0, 1.0)


def test_an_end_that_was_put_inside_of_the_extremes_stays() -> None:
    graph, samples = dense(3), samples_of(np.random.default_rng(0).normal(size=(15, 3)))
    ranges = {"x": (-0.5, 0.5), "y": (-0.5, 0.5)}
    assert add_headroom(graph, ranges, samples) == ranges


def test_an_end_at_zero_stays_behind_relu() -> None:
    graph, samples = dense(3, minimum=0.0), samples_of(np.random.default_rng(0).normal(size=(15, 3)))
    low, high = add_headroom(graph, calibrate(graph, samples, MINMAX), samples)["y"]
    assert low == 0
    assert high > 0


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_than_four_samples_leave_ranges_as_they_are(count: int) -> None:
    graph, samples = dense(3), samples_of(np.random.default_rng(0).normal(size=(count, 3)))
    ranges = calibrate(graph, samples, MINMAX)
    assert add_headroom(graph, ranges, samples) == ranges
