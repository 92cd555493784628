"""ONNX's rules of element types, held against every node: runtimes refuse a model that breaks them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import onnx
from onnx import TensorProto, defs

from mcuq.importer.constants import data_type_name

# What an operator's attribute says of its output where no input does: operator -> attribute, and the type without it.
_TYPE_ATTRIBUTES = {
    "Cast": ("to", None),
    "EyeLike": ("dtype", None),
    "RandomNormal": ("dtype", "float"),
    "RandomUniform": ("dtype", "float"),
    "Multinomial": ("dtype", "int32"),
}
_VALUES = {"value_float": "float", "value_floats": "float", "value_int": "int64", "value_ints": "int64"}


@dataclass(frozen=True)
class _Port:
    """An input or output of an operator: `variable` is what ports of one type share, `types` what it may be."""

    name: str
    variable: str
    types: frozenset[str]


@dataclass(frozen=True)
class _Ports:
    """The inputs or the outputs of an operator; `rest` is what any number of them behind these are, where known."""

    ports: tuple[_Port, ...]
    rest: _Port | None

    def at(self, index: int) -> _Port | None:
        return self.ports[index] if index < len(self.ports) else self.rest


def element_types(model: onnx.ModelProto) -> dict[str, str]:
    """The element types that the model states, by tensor: of weights and inputs."""
    types = {v.name: data_type_name(v.type.tensor_type.elem_type) for v in model.graph.input}
    return types | {t.name: data_type_name(t.data_type) for t in model.graph.initializer}


def all_types(nodes: Iterable[onnx.NodeProto], model: onnx.ModelProto, version: int) -> dict[str, str]:
    """The element types of weights, inputs and what the nodes compute, as far as ONNX's rules tell them."""
    types = element_types(model)
    for _ in type_errors(nodes, types, version):
        pass
    return types


def type_errors(nodes: Iterable[onnx.NodeProto], types: dict[str, str], version: int) -> Iterator[tuple[str, str]]:
    """First outputs of the nodes whose inputs are not of the types that the operator of opset `version` takes, and why.

    `types` are those of weights and inputs; those of what the nodes compute are added. What operators of other domains
    and control flow compute is not known, and not judged.
    """
    for node in nodes:
        signature = None if node.domain else _signature(node.op_type, version)
        if signature is None:
            continue
        inputs, outputs = signature
        bound: dict[str, tuple[str, str]] = {}
        for index, name in enumerate(node.input):
            port, kind = inputs.at(index), types.get(name)
            if port is None or kind is None:
                continue
            where = f"input {port.name} '{name}' is {kind}"
            known = bound.setdefault(port.variable, (kind, f"{port.name} '{name}'"))
            if f"tensor({kind})" not in port.types:
                listed = ", ".join(sorted(t[7:-1] for t in port.types if t.startswith("tensor(")))
                yield node.output[0], f"{where}; it must be from: {listed}"
                break
            if known[0] != kind:
                yield (
                    node.output[0],
                    f"{where}, but {known[1]} is {known[0]}; give both one type, or Cast one",
                )
                break
        types.update(_output_types(node, outputs, {variable: kind for variable, (kind, _) in bound.items()}))


def _output_types(node: onnx.NodeProto, outputs: _Ports, bound: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Types of the node's outputs, of those that are known."""
    for index, name in enumerate(node.output):
        port = outputs.at(index)
        if port is None:
            continue
        kind = bound.get(port.variable) or _stated(node)
        if kind is None and len(port.types) == 1:
            kind = next(iter(port.types)).removeprefix("tensor(").removesuffix(")")
        if kind is not None and name:
            yield name, kind


def _stated(node: onnx.NodeProto) -> str | None:
    """The type that the node's attributes state, or that it has without them."""
    attributes = {a.name: a for a in node.attribute}
    if node.op_type in ("Constant", "ConstantOfShape"):
        if "value" in attributes:
            return data_type_name(attributes["value"].t.data_type)
        return next((kind for name, kind in _VALUES.items() if name in attributes), "float")
    if node.op_type == "QuantizeLinear":
        kind = attributes["output_dtype"].i if "output_dtype" in attributes else TensorProto.UNDEFINED
        return data_type_name(kind) if kind else "uint8"
    if node.op_type in _TYPE_ATTRIBUTES:
        name, default = _TYPE_ATTRIBUTES[node.op_type]
        return data_type_name(attributes[name].i) if name in attributes else default
    return None


@cache
def _signature(op_type: str, version: int) -> tuple[_Ports, _Ports] | None:
    """Inputs and outputs; None where ONNX has no such operator, or where it runs others."""
    if not defs.has(op_type):
        return None
    try:
        schema = defs.get_schema(op_type, version)
    except defs.SchemaError:
        return None
    if any(a.type == defs.OpSchema.AttrType.GRAPH for a in schema.attributes.values()):
        return None
    variables = {c.type_param_str: frozenset(c.allowed_type_strs) for c in schema.type_constraints}
    return _ports(schema.inputs, variables), _ports(schema.outputs, variables)


def _ports(formals: Sequence[defs.OpSchema.FormalParameter], variables: Mapping[str, frozenset[str]]) -> _Ports:
    ports = [_Port(f.name, f.type_str, variables.get(f.type_str, frozenset([f.type_str]))) for f in formals]
    if formals and formals[-1].option == defs.OpSchema.FormalParameterOption.Variadic:
        rest = ports.pop()
        return _Ports(tuple(ports), rest if formals[-1].is_homogeneous else None)
    return _Ports(tuple(ports), None)
