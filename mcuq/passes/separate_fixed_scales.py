"""An operator that fixes its output's scale cannot share it with others: a Rescale goes in between."""

from __future__ import annotations

from dataclasses import replace

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.rescale import Rescale


def separate_fixed_scales(graph: Graph) -> Graph:
    """Before operators that join several tensors in one scale (Concat), rescale those with a fixed one.

    Where the join itself has a given quantization, all its inputs have it too.
    """
    builder = GraphBuilder(graph)
    producers = graph.producers()

    def is_fixed(name: str) -> bool:
        while name in producers and producers[name].op.shares_scale and len(producers[name].inputs) == 1:
            name = producers[name].inputs[0]
        if graph.tensors[name].quant is not None:
            return True
        return (
            name in producers and graph.layer(producers[name]).op.output_quant(graph.layer(producers[name])) is not None
        )

    for node in graph.nodes:
        if node.op.shares_scale and len(node.inputs) > 1 and graph.tensors[node.output].quant is None:
            inputs = tuple(
                builder.add(Rescale(), [name]) if index not in node.op.choosing and is_fixed(name) else name
                for index, name in enumerate(node.inputs)
            )
            builder.nodes[node.output] = replace(node, inputs=inputs)
    return builder.graph()
