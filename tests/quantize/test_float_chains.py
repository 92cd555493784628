"""Chains of functions in floats."""

from __future__ import annotations

import pytest

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.clip import Clip
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh
from mcuq.ops.unary import Chain
from mcuq.quantize import Scheme, parse_scheme
from mcuq.quantize.float_chains import split_float_chains


def chain() -> Graph:
    builder = GraphBuilder("chain")
    x = builder.input("x", (1, 3))
    builder.outputs.append(builder.add(Chain((Sigmoid(), Tanh(), Clip(0.1, 0.5))), [x], "y", "functions"))
    return builder.graph()


def test_chain_becomes_a_layer_a_function_in_floats() -> None:
    split = split_float_chains(chain(), parse_scheme("float32"))
    assert [type(node.op).__name__ for node in split.nodes] == ["Sigmoid", "Tanh", "Clip"]
    assert [node.name for node in split.nodes] == ["functions", "functions_2", "functions_3"]
    assert {node.source for node in split.nodes} == {"functions"}
    assert split.outputs == ("y",)


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_chain_stays_one_table_in_integers(scheme: str) -> None:
    graph = chain()
    assert split_float_chains(graph, parse_scheme(scheme)).text() == graph.text()


def test_chain_is_split_where_its_layer_alone_is_in_floats() -> None:
    layers = {"functions": parse_scheme("float32").default}
    assert len(split_float_chains(chain(), Scheme(layers=layers)).nodes) == 3


def test_rounding_to_16_bits_is_its_limits_in_floats() -> None:
    """Eight bits would be the nearest that has kernels, and 250 times as coarse."""
    builder = GraphBuilder("rounded")
    op = FakeQuantize(0.01, -100, "int16")
    y = builder.add(op, [builder.input("x", (1, 3))], "y", "round")
    builder.outputs.append(builder.add(FakeQuantize(0.01, 3), [y], "z", "round to 8"))
    graph = builder.graph()
    split = split_float_chains(graph, parse_scheme("float32"))
    assert [node.op for node in split.nodes] == [Clip(*op.quant.real_bounds), FakeQuantize(0.01, 3)]
    assert split.outputs == ("z",)
    assert split_float_chains(graph, parse_scheme("int16")).text() == graph.text()
