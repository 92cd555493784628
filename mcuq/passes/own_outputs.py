"""Every output of the model gets memory of its own: a copy where it would share that of an input or output."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.identity import Identity


def own_outputs(graph: Graph) -> Graph:
    """Put an Identity behind each output that is a view of an input or of an earlier output."""
    builder = GraphBuilder(graph)
    producers = graph.producers()

    def root(name: str) -> str:
        while name in producers and producers[name].op.is_view:
            name = producers[name].inputs[0]
        return name

    taken = set(graph.inputs)
    for output in graph.outputs:
        if root(output) not in taken:
            taken.add(root(output))
            continue
        shared = builder.fresh(f"{output}.shared")
        if output in builder.nodes:
            builder.rename(output, shared)
            builder.outputs = [output if name == shared else name for name in builder.outputs]
        else:
            shared = output
        builder.add(Identity(), [shared], output)
    return builder.graph()
