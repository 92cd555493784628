"""Which element type each tensor has under a scheme, and the conversions where types meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.ops.convert import Convert
from mcuq.quantize.float_chains import split_float_chains
from mcuq.quantize.groups import scale_groups
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
    _convert_inputs(builder, scheme)
    _convert_operands(builder, scheme)
    dtypes = activation_dtypes(builder.graph(), scheme)
    of_states = {state.output: dict(scheme.states)[state.input] for state in graph.states}
    for name in graph.outputs:
        wanted = of_states.get(name, scheme.output)
        if wanted not in (None, dtypes[name]) and graph.tensors[name].integers is None:
            inner = builder.fresh(f"{name}.{dtypes[name]}")
            builder.rename(name, inner)
            builder.outputs = [name if output == inner else output for output in builder.outputs]
            builder.add(Convert(wanted), [inner], name)
    return builder.graph()


def activation_dtypes(graph: Graph, scheme: Scheme) -> dict[str, str]:
    """Type of each tensor that is not a constant, of a graph with its conversions in place."""
    dtypes = _input_dtypes(graph, scheme)
    for node in graph.nodes:
        dtypes[node.output] = _output_dtype(graph, node, dtypes, scheme)
    return dtypes


def _input_dtypes(graph: Graph, scheme: Scheme) -> dict[str, str]:
    """Of the model's inputs: integers of the file stay what they are."""
    integers = {name: graph.tensors[name].integers for name in graph.inputs}
    states, others = dict(scheme.states), scheme.input or _input_dtype(scheme)
    return {name: found.dtype if found else states.get(name, others) for name, found in integers.items()}


def computed_in_floats(graph: Graph, scheme: Scheme) -> frozenset[str]:
    """The tensors that are floats in C, of a graph with its conversions."""
    return frozenset(name for name, dtype in activation_dtypes(graph, scheme).items() if dtype == "float32")


def float_tensors(graph: Graph, scheme: Scheme) -> frozenset[str]:
    """The tensors that hold real values and are not quantized behind that, so that no range of theirs is needed, of a
    graph with its conversions.

    What is quantized behind an operator that only moves values has the range of what that reads.
    """
    groups = scale_groups(graph)
    quantized = {groups.root(n.inputs[0]) for n in graph.nodes if n.op.is_conversion and n.op.stated_dtype != "float32"}
    dtypes = activation_dtypes(graph, scheme)
    return frozenset(
        name for name, dtype in dtypes.items() if dtype == "float32" and groups.root(name) not in quantized
    )


def is_finer(dtype: str, than: str) -> bool:
    """Whether converting from one type to another rounds to fewer codes."""
    return dtype != than and (dtype == "float32" or (dtype == "int16" and than != "float32"))


def _input_dtype(scheme: Scheme) -> str:
    """What layers read where the model's inputs have no type of their own: what they write."""
    return scheme.default.activations


def _convert_inputs(builder: GraphBuilder, scheme: Scheme) -> None:
    """Behind inputs of a type of their own, to what layers write, but for those readers that lose something by it."""
    wanted = _input_dtype(scheme)
    given = scheme.input or wanted
    if given == wanted:
        return
    graph = builder.graph()
    consumers = graph.consumers()
    for name in graph.given_inputs:
        if graph.tensors[name].integers is not None:
            continue
        converted = [node for node in consumers.get(name, ()) if not _takes(graph, consumers, node, given, scheme)]
        if converted:
            inner = builder.add(Convert(wanted), [name], builder.fresh(f"{name}.{wanted}"))
            for node in converted:
                _replace_input(builder, node.output, name, inner)


def _takes(graph: Graph, consumers: Mapping[str, Sequence[Node]], node: Node, given: str, scheme: Scheme) -> bool:
    """Whether an input of type `given` goes to the node as it is: the node computes in this type, or in a third one to
    which it is then converted in one step. What only moves values takes what an operator behind it wants."""
    pending, seen = [node], {node.output}
    while pending:
        node = pending.pop()
        if not node.op.shares_scale:
            if _computes_on(node, given, scheme):
                return True
        elif given in node.op.dtypes:
            if node.output in graph.outputs and scheme.output == given:
                return True
            readers = [reader for reader in consumers.get(node.output, ()) if reader.output not in seen]
            seen.update(reader.output for reader in readers)
            pending += readers
    return False


def _computes_on(node: Node, given: str, scheme: Scheme) -> bool:
    op, own = node.op, scheme.of(*node.names)
    wanted = _input_dtype(scheme)
    output = op.output_dtype(own.activations if own.activations in op.dtypes else "int8")
    if op.operand_dtype(wanted, output, own.weights) != wanted:
        return True
    loses = is_finer(given, wanted) and (own.stored.is_float or output == "float32")
    return op.operand_dtype(given, output, own.weights) == given and (output == given or loses)


def _output_dtype(graph: Graph, node: Node, dtypes: Mapping[str, str], scheme: Scheme) -> str:
    op = node.op
    integers = graph.tensors[node.output].integers
    if integers is not None:
        return integers.dtype
    if op.stated_dtype is not None:
        return op.stated_dtype
    computed = [dtypes[t.name] for t in graph.layer(node).moved if not t.is_constant]
    if op.keeps_dtype and len(set(computed)) == 1 and computed[0] in op.dtypes:
        return computed[0]
    wanted = scheme.of(*node.names).activations
    return op.output_dtype(wanted if wanted in op.dtypes else "int8")


def _convert_operands(builder: GraphBuilder, scheme: Scheme) -> None:
    """Before operators whose inputs must have another type, mostly that of their output."""
    graph = builder.graph()
    dtypes = _input_dtypes(graph, scheme)
    converted: dict[tuple[str, str], str] = {}
    for node in graph.nodes:
        dtype = dtypes[node.output] = _output_dtype(graph, node, dtypes, scheme)
        layer = graph.layer(node)
        has_floats = any(dtypes[t.name] == "float32" for t in layer.activations)
        for tensor in layer.activations:
            own = dtypes[tensor.name]
            if tensor.integers is not None:
                # Only what is moved must have the type of where it goes.
                is_moved = node.op.shares_scale and tensor in layer.moved
                wanted = dtype if is_moved else own
            elif layer.output.integers is not None:
                # What is counted or compared is so as floats where any of it is.
                wanted = "float32" if has_floats else "int8" if own == "uint8" else own
            else:
                # None but conversions read uint8, which has the codes of int8.
                wanted = node.op.operand_dtype("int8" if own == "uint8" else own, dtype, scheme.of(*node.names).weights)
            if node.op.is_conversion or own == wanted:
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
