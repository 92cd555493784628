"""Walks the ONNX nodes in order and lets each operator add itself to the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Quant, Shape
from mcuq.importer.blocked import CAME_WITH
from mcuq.importer.constants import (
    SHAPE_QUERIES,
    constant_node_value,
    data_type_name,
    is_foldable,
    reads,
    shape_query_value,
    tensor_value,
)
from mcuq.importer.flatten import flattened
from mcuq.importer.folding import Folding
from mcuq.importer.integers import INTEGER_RANGES, NARROW_RANGES, check_integers, input_quant
from mcuq.importer.load import opset
from mcuq.importer.nodes import invalid_nodes, needed_nodes, node_name, refusal, unique_names, unsupported_nodes
from mcuq.importer.problems import Unsupported
from mcuq.importer.qdq import to_qdq
from mcuq.importer.quantized import (
    LIMITS,
    dequantized_constant,
    integer_inputs,
    keeps_type,
    limits_nothing,
    moved_quant,
    moves_integers,
    with_zero_point,
)
from mcuq.importer.shapes import MOST_DIMENSIONS, inferred_shapes
from mcuq.importer.types import all_types, element_types, type_errors
from mcuq.importer.windows import Attributes, stated_window
from mcuq.onnx_io.given import read_given
from mcuq.onnx_io.given_quant import GivenQuant
from mcuq.onnx_io.reader import NodeError, OnnxNode
from mcuq.ops import FROM_ONNX, INTEGERS_FROM_ONNX
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.identity import Identity

MOST_ELEMENTS = 2**31 - 1  # of one tensor: the C code counts in int32


def convert(model: onnx.ModelProto, name: str) -> tuple[Graph, dict[str, Attributes]]:
    """The float graph of a model with fixed input shapes; `name` is the file's.

    A quantized model becomes a float graph too, with FakeQuantize where it quantizes and constants that carry their
    quantization. Beside it, by first output, the windows that nodes leave to the runtime, for `state_windows`. Raises
    ModelError, which says all that is not supported.
    """
    found = try_convert(model, name)
    if isinstance(found, Unsupported):
        raise ModelError(found.text(name))
    return found


def try_convert(model: onnx.ModelProto, name: str) -> tuple[Graph, dict[str, Attributes]] | Unsupported:
    """What `convert` gives, or all that keeps the model from becoming one. Raises ModelError for what is damaged."""
    flat = flattened(model, name, lambda nodes: _Conversion(model, nodes, name))
    model = flat.model
    written = needed_nodes(model.graph, name)
    invalid = {output: f"is invalid: {reason}" for output, reason in invalid_nodes(written, model)}
    mistyped = dict(type_errors(written, element_types(model), opset(model)))
    model = to_qdq(model)
    nodes = needed_nodes(model.graph, name)
    conversion = _Conversion(model, nodes, name)
    for node, own_name in zip(nodes, unique_names(nodes), strict=True):
        if node.output[0] in flat.stuck or refusal(node):
            conversion.refuse(node, flat.stuck.get(node.output[0]) or refusal(node))
            invalid.pop(node.output[0], None)
            mistyped.pop(node.output[0], None)
            continue
        conversion.add(node, own_name, invalid.pop(node.output[0], None), mistyped.pop(node.output[0], None))
    # What stands for several of the file's nodes is judged by the last of them; here are the others.
    for node in written:
        if reason := invalid.get(node.output[0]) or mistyped.get(node.output[0]):
            conversion.problems.append(f"{node.op_type} '{node_name(node)}': {reason}")
    for value in model.graph.output:
        conversion.give_out(value)
    unsupported = unsupported_nodes(model.graph, [node for node in nodes if node.output[0] not in flat.stuck])
    if unsupported or conversion.problems:
        return Unsupported(unsupported, tuple(conversion.problems))
    return conversion.graph.graph(), conversion.windows


class _Conversion:
    """A graph under construction, and what is known of the file's tensors.

    What is not supported is noted in `problems`; tensors behind it are `unknown` where not even their shape is known.
    """

    def __init__(self, model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], name: str) -> None:
        self.problems: list[str] = []
        self.windows: dict[str, Attributes] = {}
        self.graph = GraphBuilder(Path(name).stem)
        self.graph.reserve(output for node in nodes for output in node.output)
        self.graph.reserve_nodes(dict(zip(unique_names(nodes), map(node_name, nodes), strict=True)))
        self._model, self._opset, self._name = model, opset(model), name
        self._folding = Folding(model)
        self._read = {i for node in nodes for i in reads(node)} | {v.name for v in model.graph.output}
        self._constants = {
            t.name: tensor_value(t, f"weight '{t.name}'") for t in model.graph.initializer if t.name in self._read
        }
        # ONNX name -> the graph's: a node that changes nothing is known by its input's name.
        self._tensors: dict[str, str] = {}
        # ONNX name -> what the file says of a constant behind DequantizeLinear, and of computed integers.
        self._quants: dict[str, GivenQuant] = {}
        self._types = all_types(nodes, model, self._opset)
        self._unknown: set[str] = set()
        self._stand_ins: set[str] = set()
        outputs = {v.name for v in model.graph.output}
        for value in model.graph.input:
            kind = data_type_name(value.type.tensor_type.elem_type)
            quant = input_quant(value.name, kind, nodes, outputs)
            self._declare(value.name, tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim), quant)

    def add(self, node: onnx.NodeProto, name: str, invalid: str | None, mistyped: str | None) -> None:
        """Convert a node, or note why it cannot be; `invalid` and `mistyped` say what is known to be wrong with it.

        The operator's own word is of more use than what ONNX's rules of types have to say.
        """
        where = f"{node.op_type} '{node_name(node)}'"
        if not self._is_supported(node):
            self._stand_in(node)
            return
        try:
            if invalid is not None:
                raise ModelError(f"{where}: {invalid}")
            if not self._unknown.isdisjoint(reads(node)):
                self._unknown.update(node.output)
                return
            self._convert(node, name)
            if mistyped is not None:
                self.problems.append(f"{where}: {mistyped}")
        except ModelError as error:
            self.problems += self._all_of(node, name, error)
            self._stand_in(node)

    def _all_of(self, node: onnx.NodeProto, name: str, error: ModelError) -> list[str]:
        """What is wrong with the node, and what would be still if the attributes at fault were left out."""
        texts, rest = [str(error)], node
        while isinstance(error, NodeError) and any(a.name in error.attributes for a in rest.attribute):
            kept = [a for a in rest.attribute if a.name not in error.attributes]
            rest = onnx.NodeProto(op_type=node.op_type, domain=node.domain, name=node.name)
            rest.input[:], rest.output[:] = node.input, node.output
            rest.attribute.extend(kept)
            try:
                self._convert(rest, name)
                break
            except ModelError as further:
                error = further
                texts.append(str(error))
        return texts

    def refuse(self, node: onnx.NodeProto, reason: str) -> None:
        """Leave a node out for a reason, "" where that is said of others."""
        if reason:
            self.problems.append(f"{node.op_type} '{node_name(node)}': {reason}")
        self._unknown.update(filter(None, node.output))

    def learn(self, node: onnx.NodeProto) -> None:
        """Take in a node that the file's nodes stand for; for what is asked of constants and shapes."""
        self._read.update(node.output)
        self.add(node, node_name(node), None, None)

    def constant(self, name: str) -> Array | None:
        """The value of a tensor that is known at compile time."""
        return self._constants.get(name)

    def shape(self, name: str) -> Shape | None:
        """The shape of a tensor; None where it is not known."""
        known = name in self._constants or name in self._tensors
        return self._shape(name) if known else None

    def give_out(self, value: onnx.ValueInfoProto) -> None:
        """Make a tensor an output of the graph."""
        if value.name in self._unknown | self._stand_ins:
            return
        try:
            self._add_output(value)
        except ModelError as error:
            self.problems.append(str(error))

    def _is_supported(self, node: onnx.NodeProto) -> bool:
        is_known = not node.domain and node.op_type in ("Constant", *FROM_ONNX)
        return is_known or is_foldable(node, self._constants)

    def _convert(self, node: onnx.NodeProto, name: str) -> None:
        output = node.output[0]
        if node.op_type == "Constant":
            self._constants[output] = constant_node_value(node)
        elif node.op_type in SHAPE_QUERIES and not node.domain:
            self._constants[output] = shape_query_value(node, self._shape(node.input[0]))
        elif is_foldable(node, self._constants):
            _fold(node, self._constants, self._quants, self._folding)
        else:
            unread = frozenset(node.output) - self._read
            view = replace(
                _view(node, name, self._opset, self._constants, self._tensors, self._quants),
                tensors=self.graph.tensors,
                unread=unread,
                output_range=NARROW_RANGES.get(self._types.get(output, "")),
            )
            made = _add_node(view, self.graph, self._quants, self._types.get(node.input[0], ""))
            for own, tensor in zip(node.output, made, strict=False):
                if tensor:
                    self._tensors[own] = tensor
            if window := stated_window(view):
                self.windows[output] = window
            if node.op_type == "DequantizeLinear":
                self._rename(self._tensors[output], output)
            for own in filter(self._tensors.__contains__, node.output):
                self._check_size(own, view)

    def _shape(self, name: str) -> Shape:
        if name in self._constants:
            return self._constants[name].shape
        return self.graph.tensors[self._tensors[name]].shape

    def _check_size(self, output: str, view: OnnxNode) -> None:
        """A computed tensor without elements is as good as a constant; one with too many is refused."""
        tensor = self.graph.tensors[self._tensors[output]]
        if tensor.elements > MOST_ELEMENTS:
            sizes = list(tensor.shape)
            raise view.error(f"gives a tensor of shape {sizes}; supported are 1 to {MOST_ELEMENTS} elements")
        if len(tensor.shape) > MOST_DIMENSIONS:
            raise view.error(f"gives a tensor of {len(tensor.shape)} dimensions; supported are {MOST_DIMENSIONS}")
        if tensor.elements == 0:
            kind = "int8" if output in self._quants else "int64" if tensor.integers else "float32"
            self._constants[output] = np.zeros(tensor.shape, kind)
            del self._tensors[output]

    def _stand_in(self, node: onnx.NodeProto) -> None:
        """Take the outputs of a node that is not supported for inputs, where ONNX knows their shapes."""
        for output in filter(None, node.output):
            is_constant = all(name in self._constants for name in reads(node)[:1])
            shape = None if is_constant else self._inferred.get(output)
            if shape is None or prod(shape) > MOST_ELEMENTS or len(shape) > MOST_DIMENSIONS:
                self._unknown.add(output)
            elif output not in self._tensors:
                self._declare(output, shape)
                self._stand_ins.add(output)

    @cached_property
    def _inferred(self) -> dict[str, Shape]:
        return inferred_shapes(self._model)

    def _declare(self, name: str, shape: Shape, quant: Quant | None = None) -> None:
        self._tensors[name] = self.graph.input(name, shape, quant)

    def _rename(self, old: str, new: str) -> None:
        """Call a computed tensor by the name that its real values have in the file; only the first one counts."""
        if old in self.graph.nodes and old not in self.graph.outputs and self._tensors.get(new) == old:
            self.graph.rename(old, new)
            self._tensors.update({alias: new for alias, known in self._tensors.items() if known == old})

    def _add_output(self, value: onnx.ValueInfoProto) -> None:
        name, graph = self._name, self.graph
        if value.name not in self._tensors and self._constants[value.name].size == 0:
            raise ModelError(f"{name}: output '{value.name}' has no elements; leave it out")
        if value.name not in self._tensors:
            raise ModelError(f"{name}: output '{value.name}' is constant; it depends on no input")
        type_name = data_type_name(value.type.tensor_type.elem_type)
        is_integer = type_name in INTEGER_RANGES and graph.tensors[self._tensors[value.name]].integers is not None
        if type_name not in ("float", "undefined") and not is_integer:
            raise ModelError(
                f"{name}: output '{value.name}' is {type_name}, and what is computed is float32; state that, or put a "
                "QuantizeLinear with constant scale and zero point before it"
            )
        if value.name in graph.inputs:
            raise ModelError(f"{name}: output '{value.name}' is an input too; leave it out, or copy it with Identity")
        if value.name in graph.outputs:
            raise ModelError(f"{name}: output '{value.name}' is listed twice; leave one out, or copy it with Identity")
        tensor = self._tensors[value.name]
        if tensor != value.name and tensor in graph.nodes and tensor not in graph.outputs:
            self._rename(tensor, value.name)
        elif tensor != value.name:
            # An input, or a tensor that is another output already, cannot be renamed.
            graph.add(Identity(), [tensor], value.name)
        graph.outputs.append(value.name)


def _view(
    node: onnx.NodeProto,
    name: str,
    version: int,
    constants: Mapping[str, Array],
    tensors: Mapping[str, str],
    quants: Mapping[str, GivenQuant],
) -> OnnxNode:
    """The node where no tensor is known and every output read."""
    return OnnxNode(
        op_type=node.op_type,
        name=name,
        opset=version,
        inputs=tuple(tensors.get(i, i) for i in node.input),
        outputs=tuple(node.output),
        attributes={
            **{entry.key: entry.value for entry in node.metadata_props if entry.key.startswith("mcuq.")},
            **{a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute},
        },
        constants={i: constants[i] for i in node.input if i in constants},
        tensors={},
        quants={tensors.get(i, i): quants[i] for i in node.input if i in quants},
    )


def _fold(node: onnx.NodeProto, constants: dict[str, Array], quants: dict[str, GivenQuant], folding: Folding) -> None:
    """Compute a node of constants; what is known of their quantization goes on."""
    source = node.input[0] if node.input else ""
    if node.op_type == "DequantizeLinear":
        view = _view(node, node_name(node), opset(folding.model), constants, {}, {})
        constants[node.output[0]], given = dequantized_constant(view)
    else:
        constants.update(folding.evaluate(node, constants))
        marked = next((entry.value for entry in node.metadata_props if entry.key == CAME_WITH), "")
        given = GivenQuant((1.0,), lost=marked) if marked else quants.get(source)
        if given is not None:
            given = moved_quant(node, given, constants[source].shape, constants[node.output[0]].shape)
    if given is not None:
        quants[node.output[0]] = given


def _add_node(view: OnnxNode, graph: GraphBuilder, quants: dict[str, GivenQuant], element_type: str) -> tuple[str, ...]:
    """Let the operator add itself; outputs of integers are noted with their quantization. Returns what stands for its
    outputs.

    `element_type` is that of the first input in the file.
    """
    given = None
    if view.op_type == "QuantizeLinear":
        given = read_given(view, view.shape(0))[0]
    elif view.op_type != "DequantizeLinear" and integer_inputs(view):
        view, given = moves_integers(view, element_type)
    elif view.op_type == "DequantizeLinear":
        view = with_zero_point(view, element_type)
    if given is not None:
        quants.update((output, given) for output in view.outputs if output)
    if given is not None and (keeps_type(view, element_type) or limits_nothing(view, given)):
        return (view.computed(0),)
    if given is not None and view.op_type in LIMITS:
        (y,) = _added(replace(view, outputs=(graph.fresh(view.name),)), graph)
        return (graph.add(FakeQuantize.of(given.quant), [y], view.outputs[0], view.name),)
    return _added(view, graph)


def _added(view: OnnxNode, graph: GraphBuilder) -> tuple[str, ...]:
    check_integers(view)
    made = (INTEGERS_FROM_ONNX if view.reads_integers else FROM_ONNX)[view.op_type](view, graph)
    return (made,) if isinstance(made, str) else made


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return tuple(map(_plain, value)) if isinstance(value, list) else value
