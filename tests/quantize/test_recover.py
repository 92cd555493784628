from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from golden.graphs import pattern

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import quantize_inputs, run_layers
from mcuq.graph.tensor import Array, Quant
from mcuq.lower import lower
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.weighted import BIAS_MAX
from mcuq.ops.window import Window
from mcuq.quantize import NO_RECOVERY, LayerScheme, Scheme, calibrate, quantize_graph, quantize_on_samples
from mcuq.quantize.grid import GRIDS
from mcuq.quantize.recover import Recovery, Rounding, recover

Samples = list[dict[str, Array]]

BIASES_ALONE = replace(NO_RECOVERY, bias_correction=True)


def correct_biases(float_graph: Graph, graph: Graph, samples: Samples) -> Graph:
    return recover(float_graph, graph, samples, BIASES_ALONE)


def conv_net(seed: int = 0) -> Graph:
    """Three convolutions, one of them depthwise, and a fully connected layer."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder("net")

    def constants(name: str, *shape: int) -> list[str]:
        weight = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:])) * rng.uniform(0.05, 2, (shape[0], 1, 1, 1))
        bias = rng.normal(size=shape[0]) * 0.3
        data = ((f"{name}.w", weight), (f"{name}.b", bias))
        return [builder.constant(value.astype(np.float32), key) for key, value in data]

    x = builder.input("x", (1, 8, 8, 3))
    same = Window((3, 3), pads=(1, 1, 1, 1))
    x = builder.add(Conv2d(same, minimum=0.0), [x, *constants("first", 8, 3, 3, 3)], "first")
    x = builder.add(Conv2d(same, 8, minimum=0.0), [x, *constants("depthwise", 8, 3, 3, 1)], "depthwise")
    x = builder.add(Conv2d(Window((1, 1))), [x, *constants("pointwise", 6, 1, 1, 8)], "pointwise")
    x = builder.add(Reshape((1, 384)), [x], "flat")
    dense = [builder.constant(pattern(5, 384) / 10, "dense.w"), builder.constant(pattern(5), "dense.b")]
    builder.outputs.append(builder.add(FullyConnected(), [x, *dense], "dense"))
    return builder.graph()


LAYERS = ("first", "depthwise", "pointwise", "dense")


def samples_of(graph: Graph, count: int, seed: int = 1) -> Samples:
    rng = np.random.default_rng(seed)
    return [
        {name: rng.uniform(-0.5, 2, graph.tensors[name].shape).astype(np.float32) for name in graph.inputs}
        for _ in range(count)
    ]


def mean_errors(float_graph: Graph, graph: Graph, samples: Sequence[dict[str, Array]], name: str) -> Array:
    """Mean error of each channel in steps."""
    model = FloatModel(write_onnx(float_graph, [name]))
    stacked = {key: np.stack([sample[key] for sample in samples]) for key in graph.inputs}
    got = run_layers(graph, quantize_inputs(graph, stacked), keep_all=True)[name]
    tensor = graph.tensors[name]
    want = np.stack([model.run(sample, [name])[name] for sample in samples]).reshape(-1, tensor.shape[-1])
    real = (got.reshape(-1, tensor.shape[-1]).astype(np.float64) - tensor.zero_point) * tensor.scale
    return (real.mean(axis=0) - want.mean(axis=0)) / tensor.scale


@pytest.fixture(scope="module")
def net() -> tuple[Graph, Graph, Samples]:
    """(float graph, its int8 graph with ranges that clip, samples)."""
    graph = conv_net()
    samples = samples_of(graph, 40)
    ranges = {name: (low * 0.9, high * 0.9) for name, (low, high) in calibrate(graph, samples).items()}
    return graph, quantize_graph(graph, ranges), samples


def test_each_channels_mean_error_becomes_smaller(net: tuple[Graph, Graph, Samples]) -> None:
    float_graph, graph, samples = net
    corrected = correct_biases(float_graph, graph, samples)
    for name in LAYERS:
        before = np.abs(mean_errors(float_graph, graph, samples, name))
        after = np.abs(mean_errors(float_graph, corrected, samples, name))
        assert after.mean() < 0.7 * before.mean(), name
        assert (after <= before + 0.05).all(), name


def test_only_biases_change(net: tuple[Graph, Graph, Samples]) -> None:
    float_graph, graph, samples = net
    corrected = correct_biases(float_graph, graph, samples)
    changed = {
        name
        for name, tensor in graph.tensors.items()
        if tensor.data is not None and not np.array_equal(tensor.data, corrected.tensors[name].values)
    }
    assert changed == {f"{name}.b" for name in LAYERS}
    assert corrected.text() == graph.text()
    assert corrected.nodes == graph.nodes


def test_the_uncorrected_graph_stays_as_it_was(net: tuple[Graph, Graph, Samples]) -> None:
    float_graph, graph, samples = net
    before = graph.tensors["first.b"].values.copy()
    correct_biases(float_graph, graph, samples)
    assert np.array_equal(graph.tensors["first.b"].values, before)


def test_the_same_samples_give_the_same_biases(net: tuple[Graph, Graph, Samples]) -> None:
    first, second = (correct_biases(*net).tensors["dense.b"].values for _ in range(2))
    assert np.array_equal(first, second)


def test_corrected_biases_leave_room_for_the_accumulator(net: tuple[Graph, Graph, Samples]) -> None:
    corrected = correct_biases(*net)
    for name in LAYERS:
        assert np.abs(corrected.tensors[f"{name}.b"].values.astype(np.int64)).max() < BIAS_MAX
    assert lower(corrected).steps


def test_a_bias_without_room_stays_as_it_is(net: tuple[Graph, Graph, Samples]) -> None:
    float_graph, graph, samples = net
    bias = graph.tensors["first.b"]
    # A channel of a scale so fine that the correction would leave int32.
    scale = (*bias.quantization.scale[:-1], 1e-13)
    tensors = {**graph.tensors, "first.b": replace(bias, quant=Quant(scale))}
    corrected = correct_biases(float_graph, replace(graph, tensors=tensors), samples)
    assert corrected.tensors["first.b"].values[-1] == bias.values[-1]
    assert (corrected.tensors["first.b"].values[:-1] != bias.values[:-1]).any()


def test_a_graph_without_biases_is_returned_as_it_is() -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Sigmoid(), [builder.input("x", (4,))], "y"))
    float_graph = builder.graph()
    graph = quantize_graph(float_graph, {"x": (-1, 1), "y": (0, 1)})
    assert correct_biases(float_graph, graph, samples_of(float_graph, 3)) is graph


def output_error(float_graph: Graph, graph: Graph, samples: Samples) -> float:
    """Squared error of the network's output, after subtracting its mean."""
    (name,) = graph.outputs
    model = FloatModel(write_onnx(float_graph))
    stacked = {key: np.stack([sample[key] for sample in samples]) for key in graph.inputs}
    got = graph.tensors[name].quantization.dequantize(run_layers(graph, quantize_inputs(graph, stacked))[name])
    want = np.stack([model.run(sample)[name] for sample in samples])
    return float(((got - want) ** 2).sum())


def smooth_samples(count: int, seed: int = 1) -> Samples:
    """Images whose neighbouring pixels are alike, as those of the world are."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-0.5, 2, (count, 1, 2, 2, 3)).repeat(4, axis=2).repeat(4, axis=3)
    return [{"x": (x + rng.normal(size=x.shape) * 0.05).astype(np.float32)} for x in coarse]


@pytest.mark.parametrize(
    ("grid", "rounding"), [("int4", "gptq"), ("int2", "gptq"), ("ternary", "gptq"), ("int2", "adaround")]
)
def test_rounding_by_inputs_brings_coarse_weights_nearer_to_float(grid: str, rounding: Rounding) -> None:
    graph, scheme = conv_net(), Scheme(LayerScheme(grid))
    samples, unseen = smooth_samples(120), smooth_samples(60, seed=9)
    nearest = quantize_graph(graph, calibrate(graph, samples), scheme)
    biased = recover(graph, nearest, samples, BIASES_ALONE, scheme)
    rounded = recover(graph, nearest, samples, Recovery(rounding), scheme)
    for name in LAYERS:
        assert set(np.unique(rounded.tensors[f"{name}.w"].values)) <= set(GRIDS[grid].levels), name
    assert output_error(graph, rounded, unseen) < 0.9 * output_error(graph, biased, unseen)


def test_each_layer_can_have_a_grid_of_its_own() -> None:
    graph = conv_net()
    samples = samples_of(graph, 12)
    scheme = Scheme(layers={"depthwise": LayerScheme("int4"), "dense": LayerScheme("ternary")})
    integer = recover(graph, quantize_graph(graph, calibrate(graph, samples), scheme), samples, Recovery(), scheme)
    reach = [int(np.abs(integer.tensors[f"{name}.w"].values.astype(int)).max()) for name in LAYERS]
    assert reach == [127, 7, 127, 1]
    assert lower(integer).steps


@pytest.mark.parametrize("rounding", ["gptq", "adaround"])
def test_the_same_samples_give_the_same_weights(net: tuple[Graph, Graph, Samples], rounding: Rounding) -> None:
    first, second = (recover(*net, Recovery(rounding)) for _ in range(2))
    for name in LAYERS:
        assert np.array_equal(first.tensors[f"{name}.w"].values, second.tensors[f"{name}.w"].values)
        assert np.array_equal(first.tensors[f"{name}.b"].values, second.tensors[f"{name}.b"].values)


def test_every_phase_is_told_with_as_many_steps_as_it_takes() -> None:
    seen: dict[str, list[int | None]] = {}

    def progress(phase: str, steps: int | None) -> Callable[[], None]:
        told = seen.setdefault(phase, [steps, 0])

        def tick() -> None:
            assert told[1] is not None
            told[1] += 1

        return tick

    graph = conv_net()
    quantize_on_samples(graph, samples_of(graph, 20), progress=progress, judged=True)
    assert seen == {
        "calibrating": [20, 20],
        "rounding weights (gptq) and correcting biases": [4, 4],
        "judging on held-back samples": [2, 2],
    }


@pytest.mark.parametrize("most", [0, 10**9])
def test_biases_are_the_same_whether_sums_are_held_or_made_anew(
    most: int, net: tuple[Graph, Graph, Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected = recover(*net, BIASES_ALONE)
    monkeypatch.setattr("mcuq.quantize.recover._MOST_SUMS", most)
    found = recover(*net, BIASES_ALONE)
    assert [t.values.tolist() for t in found.tensors.values() if t.is_constant] == [
        t.values.tolist() for t in corrected.tensors.values() if t.is_constant
    ]
    assert found is not net[1]
