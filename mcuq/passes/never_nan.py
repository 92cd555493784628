"""Codes are numbers: what is put in the place of NaN goes from where integers are computed."""

from __future__ import annotations

from collections.abc import Collection

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.ops.identity import Identity
from mcuq.ops.where import Where
from mcuq.passes.spelled import negated_equality


def never_nan(graph: Graph, floats: Collection[str]) -> tuple[Graph, tuple[str, ...]]:
    """Where(IsNaN(t), c, x) -> x unless t is one of `floats`; and what a user whose data have NaN should know of it."""
    builder = GraphBuilder(graph)
    sources = []
    for node in graph.nodes:
        if not isinstance(node.op, Where) or not _is_never_met(builder, node, floats):
            continue
        x = node.inputs[2]
        sources.append(node.source or node.name)
        if node.output in builder.outputs:
            builder.remove(node)
            builder.add(Identity(), [x], node.output, node.name)
        else:
            builder.redirect(node.output, x)
    if not sources:
        return graph, ()
    note = (
        f"'{sources[0]}' says what becomes of missing numbers (NaN), which integers do not have: fill them in before "
        "the network, or use --scheme float32"
    )
    return builder.graph(), (note,)


def _is_never_met(builder: GraphBuilder, where: Node, floats: Collection[str]) -> bool:
    """Whether the condition is that something of integers is NaN, which is spelled as not being equal to itself."""
    condition, _, x = where.inputs
    compared = nan_of(builder, condition)
    same_shape = builder.tensors[x].shape == builder.tensors[where.output].shape
    return compared is not None and same_shape and compared.inputs[0] not in floats


def nan_of(builder: GraphBuilder, condition: str) -> Node | None:
    """Where the condition is that a tensor is NaN, which is spelled as not being equal to itself, that comparison."""
    compared = negated_equality(builder, condition)
    return compared if compared is not None and len(set(compared.inputs)) == 1 else None
