"""Which nodes of an ONNX model are needed, in which order, and whether they are supported and valid."""

from __future__ import annotations

import graphlib
from collections import Counter
from collections.abc import Iterator, Sequence

import onnx
from onnx import checker, defs

from mcuq.errors import ModelError
from mcuq.importer.constants import is_foldable, reads
from mcuq.importer.load import opset
from mcuq.importer.tflite import DOMAIN
from mcuq.ops import FROM_ONNX


def needed_nodes(graph: onnx.GraphProto, name: str) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on, in an order in which they can run.

    Raises ModelError for cycles, tensors that nobody computes, tensors computed twice, and names that several have.
    """
    _reject_repeated_names(graph, name)
    producers: dict[str, int] = {}
    given = {t.name for t in graph.initializer} | {v.name for v in graph.input}
    for index, node in enumerate(graph.node):
        for output in node.output:
            if output and (output in producers or output in given):
                raise ModelError(f"{name}: invalid graph: tensor '{output}' is computed twice")
            if output:
                producers[output] = index
    needed: dict[int, set[int]] = {}
    pending = [(v.name, "the model's outputs") for v in graph.output]
    while pending:
        tensor, reader = pending.pop()
        if tensor in given:
            continue
        if tensor not in producers:
            raise ModelError(f"{name}: invalid graph: tensor '{tensor}', read by {reader}, is never computed")
        index = producers[tensor]
        if index not in needed:
            node = graph.node[index]
            inputs = reads(node)
            needed[index] = {producers[i] for i in inputs if i in producers}
            pending += [(i, f"{node.op_type} '{node_name(node)}'") for i in inputs]
    try:
        order = list(graphlib.TopologicalSorter({i: sorted(needed[i]) for i in sorted(needed)}).static_order())
    except graphlib.CycleError as error:
        cycle = " -> ".join(node_name(graph.node[i]) for i in error.args[1])
        raise ModelError(f"{name}: invalid graph: nodes form a cycle: {cycle}") from None
    return [graph.node[i] for i in order]


def _reject_repeated_names(graph: onnx.GraphProto, name: str) -> None:
    """Before IR version 4 an input may have the name of the weight that it is unless fed."""
    weights = [t.name for t in graph.initializer]
    for kind, names in (("weights", weights), ("inputs", [v.name for v in graph.input])):
        if len(set(names)) < len(names):
            twice = next(n for n, count in Counter(names).items() if count > 1)
            raise ModelError(f"{name}: invalid graph: {kind} share the name '{twice}'; give each a name of its own")


def unsupported_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> dict[str, list[str]]:
    """Operator type -> names of the nodes that can be neither converted nor folded away, but for those that have their
    own `refusal`."""
    constant = {t.name for t in graph.initializer}
    found: dict[str, list[str]] = {}
    for node in nodes:
        if node.op_type == "Constant" or is_foldable(node, constant):
            constant.update(node.output)
        elif refusal(node):
            continue
        elif node.domain:
            found.setdefault(f"{node.domain}.{node.op_type}", []).append(node_name(node))
        elif node.op_type not in FROM_ONNX:
            found.setdefault(node.op_type, []).append(node_name(node))
    return found


def refusal(node: onnx.NodeProto) -> str:
    """Why a front end could not write the operator that this node stands for; "" for any other node."""
    return str(node.doc_string) if node.domain == DOMAIN else ""


def invalid_nodes(nodes: list[onnx.NodeProto], model: onnx.ModelProto) -> Iterator[tuple[str, str]]:
    """First outputs of the nodes whose inputs, outputs or attributes are not those of their operator, and why."""
    context = type(checker.DEFAULT_CONTEXT)()
    context.ir_version = model.ir_version
    version = opset(model)
    for node in nodes:
        if node.domain or any(a.HasField("g") or a.graphs for a in node.attribute):
            continue
        context.opset_imports = {"": _defining_opset(node.op_type, version)}
        try:
            checker.check_node(node, context)
        except checker.ValidationError as error:
            yield node.output[0], str(error).strip().splitlines()[0]


def _defining_opset(op_type: str, version: int) -> int:
    """The opset by whose definition a node is checked: where ONNX withdrew it for a while, as GroupNormalization at 18
    to 20, that which has it again; readers know the difference."""
    for later in range(version, defs.onnx_opset_version() + 1):
        if not defs.has(op_type, max_inclusive_version=later):
            break
        if not defs.get_schema(op_type, later).deprecated:
            return later
    return version


def node_name(node: onnx.NodeProto) -> str:
    """The node's name, or its first output's where it has none."""
    return str(node.name or _first_output(node))


def unique_names(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """A name for each node that no other has: its own, or NAME:OUTPUT where the model calls several by it."""
    counts = Counter(map(node_name, nodes))
    taken, names = set(counts), []
    for node in nodes:
        name = node_name(node)
        if counts[name] > 1:
            stem = unique = f"{name}:{_first_output(node)}"
            n = 1
            while unique in taken:
                n += 1
                unique = f"{stem}_{n}"
            taken.add(unique)
            name = unique
        names.append(name)
    return names


def _first_output(node: onnx.NodeProto) -> str:
    return next((output for output in node.output if output), "")
