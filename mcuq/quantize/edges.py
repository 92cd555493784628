"""The quantization of inputs and outputs that have it per channel: of the tensor that layers have instead."""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.ir import Graph
from mcuq.ops.regrid import Regrid
from mcuq.tensor import Quant


def edge_quants(graph: Graph, quants: Mapping[str, Quant]) -> dict[str, Quant]:
    """By name, for those that have one, where `quants` has the quantization of what layers read and write."""
    return {
        node.inputs[0]: node.op.edge_quant(graph.layer(node), quants[node.output])
        for node in graph.nodes
        if isinstance(node.op, Regrid) and node.op.is_view
    }
