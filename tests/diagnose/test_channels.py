"""Diagnosis of models whose inputs or outputs have scales per channel."""

from __future__ import annotations

import pytest
from quantize.test_input_channels import dense, sensors
from quantize.test_output_parts import detector, images

from mcuq.boards.find import load_board
from mcuq.compile import QuantizedModel
from mcuq.diagnose.report import Diagnosis, diagnose_model
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.passes import optimize
from mcuq.quantize import UNKNOWN_ORIGIN, Scheme, insert_conversions, quantize_on_samples


def diagnosis(graph: Graph, x: Array, scheme: Scheme = Scheme()) -> Diagnosis:  # noqa: B008
    samples = [{"x": sample} for sample in x]
    found = quantize_on_samples(insert_conversions(optimize(graph), scheme), samples, scheme=scheme)
    onnx_model = write_onnx(graph).SerializeToString()
    model = QuantizedModel(found.float_graph, found.graph, onnx_model, UNKNOWN_ORIGIN)
    return diagnose_model(model, load_board("cortex-m4"), samples)


def test_noise_of_the_first_layers_inputs_is_the_models_input() -> None:
    layers = diagnosis(dense(), sensors(60)).layers
    advice = {layer.op: layer.advice.text for layer in layers if layer.name != "last"}
    assert advice == {
        "FullyConnected": 'the model\'s input: --input-type int16 and [layers."fc"] activations = "int16"'
    }


def test_rounding_a_float_input_is_a_layer_without_weights() -> None:
    layers = diagnosis(dense(), sensors(60), Scheme(input="float32")).layers
    (rounding,) = (layer for layer in layers if layer.op == "QuantizeChannels")
    assert rounding.weights is None
    assert rounding.weight_histogram is None
    assert rounding.alone_db > 30


@pytest.mark.parametrize("output", [None, "uint8"])
def test_joined_output_is_measured_part_by_part(output: str | None) -> None:
    layers = diagnosis(detector(), images(30), Scheme(output=output)).layers
    (join,) = (layer for layer in layers if layer.op == "Join")
    assert join.alone_db > 40
    assert join.worst_channel_db > 25
