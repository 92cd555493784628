"""The graphs inside of nodes: branches, and bodies of loops."""

from __future__ import annotations

from collections.abc import Iterator

import onnx


def graphs_in(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    """The graphs that an attribute holds, themselves and no copies."""
    return ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs)


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Those of all attributes of a node, but not of nodes in them."""
    for attribute in node.attribute:
        yield from graphs_in(attribute)
