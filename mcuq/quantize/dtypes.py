"""Which element type each tensor has under a scheme, and the conversions where types meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcuq.builder import GraphBuilder
from mcuq.ir import Graph, Node
from mcuq.ops.convert import Convert
from mcuq.quantize.float_chains import split_float_chains
from mcuq.quantize.scheme import Scheme


def insert_conversions(graph: Graph, scheme: Scheme) -> Graph:
    """The float graph with a Convert wherever an operator needs its inputs in another type than they have, and at
    inputs and outputs of the model whose type the scheme states. Names of inputs and outputs stay.

    An operator that cannot compute in the type that the scheme asks for computes in int8. Raises QuantizationError
    for an override that names no layer.
    """
    scheme.check_layers(name for node in graph.nodes for name in node.names)
    graph = split_float_chains(graph, scheme)
    builder = GraphBuilder(graph)
    for name in graph.inputs:
        wanted = _input_dtype(scheme)
        if (scheme.input or wanted) != wanted:
            readers = [node for node in graph.nodes if name in node.inputs]
            inner = builder.add(Convert(wanted), [name], builder.fresh(f"{name}.{wanted}"))
            for node in readers:
                _replace_input(builder, node.output, name, inner)
    _convert_operands(builder, scheme)
    dtypes = activation_dtypes(builder.graph(), scheme)
    for name in graph.outputs:
        if scheme.output is not None and dtypes[name] != scheme.output:
            inner = builder.fresh(f"{name}.{dtypes[name]}")
            builder.rename(name, inner)
            builder.outputs = [name if output == inner else output for output in builder.outputs]
            builder.add(Convert(scheme.output), [inner], name)
    return builder.graph()


def activation_dtypes(graph: Graph, scheme: Scheme) -> dict[str, str]:
    """Type of each tensor that is not a constant, of a graph with its conversions in place."""
    dtypes = {name: scheme.input or _input_dtype(scheme) for name in graph.inputs}
    for node in graph.nodes:
        dtypes[node.output] = _output_dtype(graph, node, dtypes, scheme)
    return dtypes


def float_tensors(graph: Graph, scheme: Scheme) -> frozenset[str]:
    """The tensors that hold real values and are not quantized behind that, so that no range of theirs is needed, of a
    graph with its conversions."""
    quantized = {n.inputs[0] for n in graph.nodes if isinstance(n.op, Convert) and n.op.dtype != "float32"}
    dtypes = activation_dtypes(graph, scheme)
    return frozenset(name for name, dtype in dtypes.items() if dtype == "float32" and name not in quantized)


def _input_dtype(scheme: Scheme) -> str:
    """What layers read where the model's inputs have no type of their own: what they write."""
    return scheme.default.activations


def _output_dtype(graph: Graph, node: Node, dtypes: Mapping[str, str], scheme: Scheme) -> str:
    op = node.op
    if isinstance(op, Convert):
        return op.dtype
    computed = [dtypes[t.name] for t in graph.layer(node).activations]
    if (op.shares_scale or op.is_view) and len(set(computed)) == 1 and computed[0] in op.dtypes:
        return computed[0]
    wanted = scheme.of(*node.names).activations
    return wanted if wanted in op.dtypes else "int8"


def _convert_operands(builder: GraphBuilder, scheme: Scheme) -> None:
    """Before operators whose inputs must have another type, mostly that of their output."""
    graph = builder.graph()
    dtypes = {name: scheme.input or _input_dtype(scheme) for name in graph.inputs}
    converted: dict[tuple[str, str], str] = {}
    for node in graph.nodes:
        dtype = dtypes[node.output] = _output_dtype(graph, node, dtypes, scheme)
        for tensor in graph.layer(node).activations:
            wanted = node.op.operand_dtype(dtypes[tensor.name], dtype, scheme.of(*node.names).weights)
            if dtypes[tensor.name] == wanted:
                continue
            key = (tensor.name, wanted)
            if key not in converted:
                converted[key] = builder.add(Convert(wanted), [tensor.name], builder.fresh(f"{tensor.name}.{wanted}"))
            _replace_input(builder, node.output, tensor.name, converted[key])


def _replace_input(builder: GraphBuilder, output: str, old: str, new: str) -> None:
    """Let the node that computes `output` read `new` instead of `old`."""
    node = builder.nodes[output]
    inputs = tuple(new if name == old else name for name in node.inputs)
    builder.nodes[output] = replace(node, inputs=inputs)
