"""Weights of layers that compute in float: what is stored, what is refused, and which conversions come before them."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import DYNAMIC, FLOAT, HALF, float_layer, with_scheme

from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Quant
from mcuq.ops.float_weights import dynamic_bound, weighted_operand_dtype
from mcuq.ops.fully_connected import FullyConnected
from mcuq.quantize import Scheme, insert_conversions, quantize_graph
from mcuq.quantize.scheme import LayerScheme


def one_layer(weight: Array, scheme: Scheme) -> Graph:
    return float_layer(FullyConnected(), [(1, weight.shape[1]), weight, np.ones(len(weight))], scheme)


def test_float_weights_and_their_bias_are_as_they_were() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    (layer,) = one_layer(weight, FLOAT).layers()
    assert [(t.dtype, t.quant) for t in layer.inputs[1:]] == [("float32", None), ("float32", None)]
    assert np.array_equal(layer.inputs[1].values, weight)


def test_half_weights_are_the_nearest_ones_and_take_two_bytes() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    (layer,) = one_layer(weight, HALF).layers()
    assert layer.inputs[1].dtype == "float16"
    assert layer.inputs[1].size_bytes == 2 * weight.size
    assert np.array_equal(layer.inputs[1].values, weight.astype(np.float16))


def test_a_weight_beyond_float16_is_refused() -> None:
    with pytest.raises(QuantizationError) as error:
        one_layer(np.array([[1.0, -7e4]]), HALF)
    assert str(error.value) == (
        "FullyConnected 'layer0': a weight of magnitude 70000 is beyond float16, which ends at 65504; "
        'use weights = "float32" for this layer'
    )


def test_dynamic_weights_use_all_of_their_range_in_each_channel() -> None:
    weight = np.array([[0.5, -1.0], [1e-6, 2e-6], [0.0, 0.0]], np.float32)
    (layer,) = one_layer(weight, DYNAMIC).layers()
    assert np.array_equal(layer.inputs[1].values, [[64, -127], [64, 127], [0, 0]])
    assert layer.inputs[2].dtype == "float32"
    assert dynamic_bound(layer) == 255 * 191


def test_sums_of_given_integers_beyond_int32_are_refused() -> None:
    builder = GraphBuilder("net")
    weight = builder.constant(np.ones((1, 70_000), np.float32), "w", Quant((1 / 127,)))
    names = [builder.input("x", (1, 70_000)), weight, builder.constant(np.zeros(1, np.float32), "b")]
    builder.outputs.append(builder.add(FullyConnected(), names, "y", "layer0"))
    (layer,) = quantize_graph(insert_conversions(builder.graph(), DYNAMIC), {}, DYNAMIC).layers()
    with pytest.raises(QuantizationError) as error:
        dynamic_bound(layer)
    assert str(error.value) == (
        "FullyConnected 'layer0': the accumulator of output channel 0 can reach 2266950000, more than int32 holds "
        '(2147483647); use weights = "float16" for this layer'
    )


@pytest.mark.parametrize(
    ("own", "output", "weights", "wanted"),
    [
        ("int8", "float32", "float16", "int8"),
        ("float32", "int8", "float32", "float32"),
        ("int8", "float32", "int8", "float32"),
        ("float32", "int16", "int8", "int16"),
        ("int16", "int8", "int8", "int16"),
        ("float32", "float32", "int4", "float32"),
    ],
)
def test_input_is_converted_only_where_the_weights_are_integers(
    own: str, output: str, weights: str, wanted: str
) -> None:
    assert weighted_operand_dtype(own, output, weights) == wanted


def test_layers_of_all_kinds_meet_with_conversions_between() -> None:
    rng = np.random.default_rng(0)
    builder = GraphBuilder("mixed")
    x = builder.input("x", (1, 4))
    for name in ("integer", "dynamic", "half", "last"):
        constants = [builder.constant(rng.normal(size=shape).astype(np.float32)) for shape in ((4, 4), (4,))]
        x = builder.add(FullyConnected(), [x, *constants], name, name)
    builder.outputs.append(x)
    layers = {"dynamic": LayerScheme("int8", "float32"), "half": LayerScheme("float16", "float32")}
    graph = with_scheme(builder.graph(), Scheme(layers=layers))
    kinds = [(type(layer.op).__name__, layer.inputs[0].dtype, layer.output.dtype) for layer in graph.layers()]
    assert kinds == [
        ("FullyConnected", "int8", "int8"),
        ("Convert", "int8", "float32"),
        ("FullyConnected", "float32", "float32"),
        ("FullyConnected", "float32", "float32"),
        ("Convert", "float32", "int8"),
        ("FullyConnected", "int8", "int8"),
    ]
