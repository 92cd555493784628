"""An operator that fixes its output's scale cannot share it with others, nor with constants that it does not have: a
Rescale goes in between."""

from __future__ import annotations

from dataclasses import replace

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Quant
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.rescale import Rescale
from mcuq.passes.order_quantization import is_value


def separate_fixed_scales(graph: Graph) -> Graph:
    """Before operators that join several tensors in one scale (Concat), rescale those with a fixed one; before those
    that put a constant between (Pad), where that is none of its values.

    Where the join itself has a given quantization, all its inputs have it too.
    """
    builder = GraphBuilder(graph)
    producers = graph.producers()

    def fixed(name: str) -> list[Quant]:
        """The quantization that a tensor has whatever its range is: of each type of numbers, or a given one."""
        while name in producers and producers[name].op.shares_scale and len(producers[name].inputs) == 1:
            name = producers[name].inputs[0]
        given = graph.tensors[name].quant
        if isinstance(given, Quant):
            return [given]
        if name not in producers:
            return []
        layer = graph.layer(producers[name])
        return [quant for dtype in ("int8", "int16") if (quant := layer.op.output_quant(layer, dtype)) is not None]

    def is_apart(node: Node, name: str) -> bool:
        quants = [FakeQuantize.of(quant) for quant in fixed(name)]
        if len(node.inputs) > 1:
            return len(quants) > 0
        return not all(is_value(quant, fill) for quant in quants for fill in node.op.fills)

    for node in graph.nodes:
        if node.op.shares_scale and graph.tensors[node.output].quant is None:
            inputs = tuple(
                builder.add(Rescale(), [name]) if index not in node.op.choosing and is_apart(node, name) else name
                for index, name in enumerate(node.inputs)
            )
            if inputs != node.inputs:
                builder.nodes[node.output] = replace(node, inputs=inputs)
    return builder.graph()
