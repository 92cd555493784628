"""Chains of functions in floats."""

from __future__ import annotations

import pytest

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.clip import Clip
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
