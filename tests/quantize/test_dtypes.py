"""Which type each tensor gets under a scheme, and where conversions are put."""

from __future__ import annotations

import numpy as np
import pytest

from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.ops.add import Add
from mcuq.ops.concat import Concat
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.reshape import Reshape
from mcuq.quantize import LayerScheme, Scheme, insert_conversions, quantize_graph
from mcuq.quantize.calibrate import scaled_tensors
from mcuq.quantize.dtypes import activation_dtypes


def network() -> Graph:
    """x -> a -> b, sum = a + b, joined = [sum, b]."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")
    y = builder.input("x", (1, 4))
    for name in ("a", "b"):
        weight = builder.constant(rng.normal(size=(4, 4)).astype(np.float32), f"w{name}")
        y = builder.add(FullyConnected(), [y, weight, builder.constant(np.zeros(4, np.float32))], name)
    builder.add(Add(), ["a", "b"], "sum")
    builder.add(Concat(1), ["sum", "b"], "joined")
    builder.add(Reshape((2, 4)), ["joined"], "y")
    builder.outputs.append("y")
    return builder.graph()


def dtypes(scheme: Scheme) -> dict[str, str]:
    return activation_dtypes(insert_conversions(network(), scheme), scheme)


def test_int8_needs_no_conversions() -> None:
    assert insert_conversions(network(), Scheme()).text() == network().text()
    assert set(dtypes(Scheme()).values()) == {"int8"}


def test_int16_everywhere_needs_none_either() -> None:
    assert set(dtypes(Scheme(LayerScheme("int8", "int16"))).values()) == {"int16"}


def test_a_layer_of_its_own_type_is_converted_where_an_operator_needs_one_type() -> None:
    scheme = Scheme(layers={"a": LayerScheme("int8", "int16")})
    found = dtypes(scheme)
    assert found["a"] == "int16"
    assert found["a.int8"] == "int8", "the sum is of int8"
    assert {found[name] for name in ("x", "b", "sum", "joined", "y")} == {"int8"}


def test_a_tensor_is_converted_once_for_all_that_read_it() -> None:
    scheme = Scheme(layers={"b": LayerScheme("int8", "int16")})
    graph = insert_conversions(network(), scheme)
    assert [node.output for node in graph.nodes if node.name.startswith("b.")] == ["b.int8"]


@pytest.mark.parametrize("port", ["uint8", "int16", "float32"])
def test_inputs_and_outputs_keep_their_names_and_get_their_types(port: str) -> None:
    scheme = Scheme(input=port, output=port)
    graph = insert_conversions(network(), scheme)
    assert (graph.inputs, graph.outputs) == (("x",), ("y",))
    found = activation_dtypes(graph, scheme)
    assert found["x"] == found["y"] == port
    assert found["x.int8"] == found["y.int8"] == "int8"
    integer = quantize_graph(graph, dict.fromkeys(scaled_tensors(graph), (-2.0, 2.0)), scheme)
    x = integer.tensors["x"]
    assert x.dtype == port
    assert (x.quant is None) == (port == "float32")
    out = simulate(integer, {"x": np.zeros((3, 1, 4), x.dtype)})["y"]
    assert out.dtype == port
    assert out.shape == (3, 2, 4)


def test_uint8_ports_have_the_steps_of_int8() -> None:
    scheme = Scheme(input="uint8", output="uint8")
    graph = insert_conversions(network(), scheme)
    integer = quantize_graph(graph, dict.fromkeys(scaled_tensors(graph), (-1.0, 3.0)), scheme)
    for port in ("x", "y"):
        outer, inner = integer.tensors[port].quantization, integer.tensors[f"{port}.int8"].quantization
        assert outer.scale == inner.scale
        assert outer.zero_point == inner.zero_point + 128


def test_an_override_of_no_layer_is_an_error() -> None:
    with pytest.raises(QuantizationError) as caught:
        insert_conversions(network(), Scheme(layers={"c": LayerScheme("int4")}))
    assert str(caught.value) == 'scheme [layers."c"]: no layer has this name; layers: a, b, sum, joined, y'
