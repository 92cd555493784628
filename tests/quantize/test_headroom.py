import numpy as np
import pytest

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.mean import Mean
from mcuq.ops.reshape import Reshape
from mcuq.ops.window import Window
from mcuq.quantize import calibrate, quantize_graph, quantize_on_samples
from mcuq.quantize.headroom import FACTORS, add_headroom
from mcuq.quantize.ranges import CalibrationMethod

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


@pytest.mark.parametrize(("count", "factor"), [(1, 3), (2, 2), (3, 2)])
def test_fewer_than_four_samples_widen_ranges_by_a_fixed_factor(count: int, factor: float) -> None:
    graph, samples = dense(3), samples_of(np.random.default_rng(0).normal(size=(count, 3)))
    for name, (low, high) in calibrate(graph, samples, MINMAX).items():
        assert add_headroom(graph, {name: (low, high)}, samples)[name] == (factor * low, factor * high)


def test_fewer_than_four_samples_leave_ranges_that_a_clip_ends() -> None:
    graph, samples = dense(3, minimum=0.0, maximum=0.1), samples_of(np.full((3, 3), 0.5))
    ranges = add_headroom(graph, {"x": (0.0, 0.5), "y": (0.0, 0.1)}, samples)
    assert quantize_graph(graph, ranges).tensors["y"].quantization.real_bounds == (0.0, pytest.approx(0.1))


def mobilenet(seed: int) -> Graph:
    """Random weights in MobileNetV1's form: depthwise and 1x1 convolutions up to ReLU6, mean, dense."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 16, 16, 3))

    def convolution(x: str, name: str, weight: Array, stride: int, groups: int = 1) -> str:
        size = weight.shape[1]
        window = Window((size, size), (stride, stride), (size // 2,) * 4)
        bias = rng.normal(size=len(weight)).astype(np.float32) / 10
        constants = [builder.constant(weight.astype(np.float32), f"{name}_w"), builder.constant(bias, f"{name}_b")]
        return builder.add(Conv2d(window, groups, minimum=0.0, maximum=6.0), [x, *constants], name)

    x = convolution(x, "first", rng.normal(size=(8, 3, 3, 3)) * (2 / 27) ** 0.5, 2)
    channels = 8
    for index, (outputs, stride) in enumerate([(16, 1), (32, 2), (32, 1), (64, 2), (64, 1)]):
        x = convolution(x, f"dw{index}", rng.normal(size=(channels, 3, 3, 1)) * (2 / 9) ** 0.5, stride, channels)
        x = convolution(x, f"pw{index}", rng.normal(size=(outputs, 1, 1, channels)) * (2 / channels) ** 0.5, 1)
        channels = outputs
    x = builder.add(Reshape((1, 64)), [builder.add(Mean((1, 2)), [x], "mean")], "flat")
    weight = (rng.normal(size=(10, 64)) / 8).astype(np.float32)
    constants = [builder.constant(weight, "w"), builder.constant(np.zeros(10, np.float32), "b")]
    builder.outputs.append(builder.add(FullyConnected(), [x, *constants], "y"))
    return builder.graph()


def pictures(count: int, seed: int) -> list[dict[str, Array]]:
    """Blocks of colour of different contrast and brightness, with noise."""
    rng = np.random.default_rng(seed)
    blocks = rng.normal(size=(count, 4, 4, 3)) * rng.uniform(0.3, 1.5, (count, 1, 1, 1))
    blocks += 0.7 * rng.normal(size=(count, 1, 1, 3))
    x = blocks.repeat(4, 1).repeat(4, 2) + 0.2 * rng.normal(size=(count, 16, 16, 3))
    return [{"x": sample[None].astype(np.float32)} for sample in x]


def test_fewer_samples_give_nearly_what_four_give() -> None:
    decibels: dict[int, list[float]] = {1: [], 2: [], 3: [], 4: []}
    for seed in range(2):
        graph, unseen = mobilenet(seed), pictures(40, 99)
        model = FloatModel(write_onnx(graph, ["y"]))
        expected = np.stack([model.run(sample, ["y"])["y"] for sample in unseen])
        for draw in range(2):
            for count, found in decibels.items():
                integer = quantize_on_samples(graph, pictures(count, draw)).graph
                stacked = {"x": np.stack([sample["x"] for sample in unseen])}
                got = dequantize_outputs(integer, simulate(integer, quantize_inputs(integer, stacked)))["y"]
                found.append(10 * np.log10((expected**2).sum() / ((expected - got) ** 2).sum()))
    mean = {count: float(np.mean(found)) for count, found in decibels.items()}
    print(mean)
    assert min(mean.values()) > mean[4] - 3


@pytest.mark.parametrize("seed", range(4))
def test_the_factor_is_that_of_least_error_over_all_halves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(3, 8)).astype(np.float32)
    values = rng.exponential(size=(14, 8)).astype(np.float32)
    order = np.argsort(-values.max(axis=1))
    largest = values.max(axis=1)[order].astype(np.float64)
    w = weight.astype(np.float64)

    def error(factor: float) -> float:
        """The module's words one by one: every value, whether clipped or not."""
        total = 0.0
        for rank in range(1, 11):
            beyond = np.maximum(values[order[:rank]].astype(np.float64) - factor * largest[rank], 0.0)
            total += 0.5**rank * ((beyond @ w.T) ** 2).sum() / (w**2).sum() * 8
        return float(8 * (factor * largest[0] / 255) ** 2 / 12 + total / 14)

    builder = GraphBuilder("net")
    constants = [builder.constant(weight, "w"), builder.constant(np.zeros(3, np.float32), "b")]
    builder.outputs.append(builder.add(FullyConnected(), [builder.input("x", (1, 8)), *constants], "y"))
    low, high = add_headroom(builder.graph(), {"x": (0.0, float(largest[0]))}, samples_of(values))["x"]
    chance = 0.5 ** np.arange(1, 12)
    expected = min(FACTORS, key=error) * float(chance @ largest[:11] / chance.sum())
    assert low == 0
    assert high == pytest.approx(max(float(largest[0]), expected), rel=1e-9)
