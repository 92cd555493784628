"""Operators that ONNX itself defines by others: their definitions, for those that mcuq has no form of its own of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import defs

from mcuq.importer.subgraphs import graphs_in

# Domains whose operators ONNX defines by standard ones.
DOMAINS = ("", "ai.onnx.preview")
# Operators of which mcuq computes the first output alone.
FIRST_ALONE = frozenset({"LayerNormalization"})


def is_defined(op_type: str, domain: str = "") -> bool:
    """Whether ONNX's operator has a definition by others."""
    if domain not in DOMAINS or not defs.has(op_type, domain):
        return False
    schema: Any = defs.get_schema(op_type, domain)  # onnx's stubs have no functions
    return bool(schema.has_function or schema.has_context_dependent_function)


def definition(
    node: onnx.NodeProto, version: int, own: int, types: Sequence[onnx.TypeProto]
) -> onnx.FunctionProto | None:
    """What the node means at that opset, with its attributes filled in; None where ONNX has no words for it, or has
    them in operators of another opset that mean something else. `types` are its inputs', and `own` is the opset of its
    domain."""
    if not is_defined(node.op_type, node.domain):
        return None
    try:
        schema: Any = defs.get_schema(node.op_type, own, node.domain)
        body = _of_context(schema, node, version, types) or _fixed(schema, version)
    except (defs.SchemaError, RuntimeError, ValueError):
        return None
    if body is None:
        return None
    stated = max((entry.version for entry in body.opset_import if not entry.domain), default=version)
    if not all(_is_same(inner, stated, version) for inner in body.node):
        return None
    _fill_in(body.node, node, schema)
    return body


def _of_context(
    schema: Any, node: onnx.NodeProto, version: int, types: Sequence[onnx.TypeProto]
) -> onnx.FunctionProto | None:
    versions = [v for v in schema.context_dependent_function_opset_versions if v <= version]
    if not versions:
        return None
    data = schema.get_context_dependent_function_with_opset_version(
        max(versions), node.SerializeToString(), [t.SerializeToString() for t in types]
    )
    return onnx.FunctionProto.FromString(data) if data else None


def _fixed(schema: Any, version: int) -> onnx.FunctionProto | None:
    versions = [v for v in schema.function_opset_versions if v <= version]
    if not versions:
        return None
    data = schema.get_function_with_opset_version(max(versions))
    return onnx.FunctionProto.FromString(data) if data else None


def _is_same(node: onnx.NodeProto, stated: int, version: int) -> bool:
    """Whether the operator means the same at both opsets."""
    if node.domain:
        return False
    if stated == version:
        return True
    try:
        a, b = (defs.get_schema(node.op_type, v) for v in (stated, version))
    except defs.SchemaError:
        return False
    return a.since_version == b.since_version or _form(a) == _form(b)


def _form(schema: defs.OpSchema) -> tuple[object, ...]:
    """Inputs, outputs and attributes; versions that are alike in these differ in element types."""
    attributes = sorted((n, a.type, a.default_value.SerializeToString()) for n, a in schema.attributes.items())
    return [(p.name, p.option) for p in schema.inputs], [(p.name, p.option) for p in schema.outputs], attributes


def _fill_in(nodes: Sequence[onnx.NodeProto], call: onnx.NodeProto, schema: defs.OpSchema) -> None:
    """Put the call's attributes, or their defaults, in the place of references to them."""
    given = {a.name: a for a in call.attribute}
    given = {n: a.default_value for n, a in schema.attributes.items() if a.default_value.name} | given
    for node in nodes:
        kept = []
        for attribute in node.attribute:
            if not attribute.ref_attr_name:
                for graph in graphs_in(attribute):
                    _fill_in(graph.node, call, schema)
                kept.append(attribute)
            elif attribute.ref_attr_name in given:
                filled = onnx.AttributeProto()
                filled.CopyFrom(given[attribute.ref_attr_name])
                filled.name = attribute.name
                kept.append(filled)
        del node.attribute[:]
        node.attribute.extend(kept)
