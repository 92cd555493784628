"""Functions of one value, one behind the other, become one table."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.unary import Chain, Unary


def merge_unary(graph: Graph) -> Graph:
    """Merge each Unary into the Unary before it, if nobody else reads what is between them and it fixes no scale
    of its output.

    A quantization that is given for what is between them goes into the table too.
    """
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        producer = builder.producer(node.inputs[0])
        if producer is None or not builder.is_private(producer.output):
            continue
        if isinstance(node.op, Unary) and isinstance(producer.op, Unary):
            if node.op.output_quant(builder.layer(node)) is not None:
                continue
            quant = builder.tensors[producer.output].quant
            between = (FakeQuantize.of(quant),) if quant else ()
            functions = (*producer.op.steps, *between, *node.op.steps)
            builder.remove(producer)
            builder.remove(node)
            builder.add(Chain(functions), list(producer.inputs), node.output, node.name)
    return builder.graph()
