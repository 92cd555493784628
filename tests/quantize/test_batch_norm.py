"""Ranges without data from what BatchNormalizations gave in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx_models import imported, model, node, saved

import mcuq
from mcuq.compile import compile_model
from mcuq.graph.ir import Graph
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.quantize import synthetic_dataset, trained_outputs, trained_twin, widened

CHANNELS = 6
DEPTH = 4
GAMMA, BETA = np.linspace(0.5, 3, CHANNELS), np.linspace(-2, 2, CHANNELS)


def trained_network(gain: float = 1.0, constant_nodes: bool = False) -> onnx.ModelProto:
    """Convolutions with BatchNormalization and Relu, whose statistics are those of inputs in [0, gain]."""
    rng = np.random.default_rng(0)
    x = gain * rng.uniform(size=(64, 3, 8, 8))
    nodes, constants, name, channels = [], {}, "x", 3
    for depth in range(DEPTH):
        weight = rng.normal(size=(CHANNELS, channels)) * 3
        x = np.einsum("oi,nihw->nohw", weight, x)
        mean, variance = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
        each = (1, CHANNELS, 1, 1)
        x = (x - mean.reshape(each)) / np.sqrt(variance + 1e-5).reshape(each) * GAMMA.reshape(each) + BETA.reshape(each)
        x = np.maximum(x, 0)
        constants[f"w{depth}"] = weight.reshape(CHANNELS, channels, 1, 1)
        parameters = {"gamma": GAMMA, "beta": BETA, "mean": mean, "variance": variance}
        constants.update({f"{key}{depth}": value for key, value in parameters.items()})
        nodes.append(node("Conv", [name, f"w{depth}"], f"c{depth}"))
        nodes.append(node("BatchNormalization", [f"c{depth}", *(f"{key}{depth}" for key in parameters)], f"n{depth}"))
        nodes.append(node("Relu", [f"n{depth}"], f"r{depth}"))
        name, channels = f"r{depth}", CHANNELS
    tensors = {key: numpy_helper.from_array(value.astype(np.float32), key) for key, value in constants.items()}
    if constant_nodes:
        nodes = [node("Constant", [], key, value=tensor) for key, tensor in tensors.items()] + nodes
    return model(nodes, {"x": [1, 3, 8, 8]}, [name], {} if constant_nodes else tensors)


def outputs_of(graph: Graph, name: str, x: list[dict[str, np.ndarray]]) -> np.ndarray:
    """(channels, values)"""
    run = FloatModel(write_onnx(graph, [name])).run
    return np.concatenate([run(sample, [name])[name][0].reshape(CHANNELS, -1) for sample in x], axis=1)


@pytest.mark.parametrize("constant_nodes", [False, True])
def test_what_normalizations_gave_in_training_is_read_from_the_model(constant_nodes: bool) -> None:
    proto = trained_network(constant_nodes=constant_nodes)
    found = trained_outputs(proto, imported(proto))
    assert list(found) == [f"n{depth}" for depth in range(DEPTH)]
    for trained in found.values():
        np.testing.assert_allclose(trained.gamma, GAMMA, rtol=1e-6)
        np.testing.assert_allclose(trained.beta, BETA, rtol=1e-6)


def test_normalizations_that_are_not_in_the_graph_are_left_out() -> None:
    proto = trained_network()
    proto.graph.output[0].name = "r1"
    assert list(trained_outputs(proto, imported(proto))) == ["n0", "n1"]


def test_the_twin_gives_for_made_up_inputs_what_the_network_gave_in_training() -> None:
    proto = trained_network()
    graph = imported(proto)
    twin, dataset = trained_twin(graph, trained_outputs(proto, graph))
    for depth in range(DEPTH):
        values = outputs_of(twin, f"n{depth}", [dict(sample) for sample in dataset])
        np.testing.assert_allclose(values.mean(axis=1), BETA, atol=1e-3)
        np.testing.assert_allclose(values.std(axis=1), GAMMA, rtol=1e-3)
    assert twin.text() == graph.text()


def test_a_channel_that_made_up_inputs_do_not_move_stays_at_its_mean() -> None:
    proto = trained_network()
    weight = next(t for t in proto.graph.initializer if t.name == "w0")
    values = numpy_helper.to_array(weight).copy()
    values[2] = 0
    weight.CopyFrom(numpy_helper.from_array(values, "w0"))
    graph = imported(proto)
    twin, dataset = trained_twin(graph, trained_outputs(proto, graph))
    channel = outputs_of(twin, "n0", [dict(sample) for sample in dataset])[2]
    np.testing.assert_allclose(channel, BETA[2], rtol=1e-6)


@pytest.mark.parametrize(("gain", "least", "most"), [(0.01, 1, 1), (1.0, 1, 1), (255.0, 60, 255)])
def test_made_up_inputs_are_scaled_up_to_those_of_training_and_never_down(
    gain: float, least: float, most: float
) -> None:
    proto = trained_network(gain)
    graph = imported(proto)
    _, dataset = trained_twin(graph, trained_outputs(proto, graph))
    largest, plain = (max(np.abs(s["x"]).max() for s in d) for d in (dataset, synthetic_dataset(graph)))
    assert least <= largest / plain <= most


def test_a_network_without_normalizations_has_made_up_inputs_as_they_are() -> None:
    graph = imported(model([node("Relu", ["x"], "y")], {"x": [1, 2]}))
    twin, dataset = trained_twin(graph, {})
    assert twin is graph
    np.testing.assert_array_equal([s["x"] for s in dataset], [s["x"] for s in synthetic_dataset(graph)])


def test_ranges_are_doubled_but_for_inputs() -> None:
    graph = imported(model([node("Relu", ["x"], "y")], {"x": [1, 2]}))
    assert widened(graph, {"x": (-1.0, 2.0), "y": (-0.5, 2.0)}) == {"x": (-1.0, 2.0), "y": (-1.0, 4.0)}


@pytest.mark.parametrize(("gain", "sqnr_db"), [(1.0, 25), (255.0, 25)])
def test_a_network_with_normalizations_needs_no_data_to_be_of_use(tmp_path: Path, gain: float, sqnr_db: float) -> None:
    path = saved(trained_network(gain), tmp_path)
    x = (gain * np.random.default_rng(5).uniform(size=(20, 3, 8, 8))).astype(np.float32)
    compiled = compile_model(path, "host")
    assert compiled.origin.samples == 0
    assert compiled.origin.batch_normalizations == DEPTH
    assert mcuq.simulate(compiled, x).report.sqnr_db > sqnr_db
    with_data = compile_model(path, "host", x)
    assert with_data.origin.batch_normalizations == 0
    assert mcuq.simulate(with_data, x).report.sqnr_db > 35


def test_a_network_that_its_twin_is_simplified_otherwise_than_falls_back_to_made_up_inputs(tmp_path: Path) -> None:
    # One factor for all channels may stand along any axis; the twin has one for each.
    each = {name: np.ones(2, np.float32) for name in ("gamma", "beta", "mean", "var")}
    nodes = [node("BatchNormalization", ["x", *each], "n"), node("Relu", ["n"], "y")]
    path = saved(model(nodes, {"x": [1, 2, 4, 4]}, constants=each), tmp_path)
    compiled = compile_model(path, "host")
    assert compiled.origin.batch_normalizations == 0
    assert compiled.graph.tensors["x"].scale == pytest.approx(0.025, rel=0.3)
