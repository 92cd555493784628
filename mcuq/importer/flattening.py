"""The nodes of a model, one after another, become those of a flat one: what each rule makes of control flow, sequences
and operators that ONNX defines by others is noted here, and what names mean then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mcuq.errors import ModelError
from mcuq.graph.tensor import Array, Shape
from mcuq.importer.constants import is_foldable, reads
from mcuq.importer.definitions import FIRST_ALONE, definition
from mcuq.importer.functions import MOST_NODES
from mcuq.importer.load import opset
from mcuq.importer.nodes import node_name
from mcuq.importer.precision import in_float32
from mcuq.importer.subgraphs import subgraphs
from mcuq.importer.types import element_types, type_errors
from mcuq.ops import FROM_ONNX


class Oracle(Protocol):
    """What knows of tensors, from nodes that it is told one after another."""

    def learn(self, node: onnx.NodeProto) -> None:
        """Take in a node whose inputs are known already, all of whose outputs may be read."""
        ...

    def constant(self, name: str) -> Array | None:
        """The value of a tensor that is known at compile time."""
        ...

    def shape(self, name: str) -> Shape | None:
        """The shape of a tensor, None where something that is not supported is in the way."""
        ...


@dataclass(frozen=True)
class Optional:
    """An optional: what it holds, if anything."""

    value: Value | None


# What a name stands for: a tensor of the flat model by its name there, or tensors that are known to be a sequence.
Value: TypeAlias = "str | tuple[Value, ...] | Optional"
Scope: TypeAlias = dict[str, Value]

Rule: TypeAlias = "Callable[[Flattening, onnx.NodeProto, list[Value], Scope, str], Sequence[Value]]"
"""What a node with inputs of these values gives; the scope is where it stands, and the text begins names of what it
adds."""

Rules: TypeAlias = "Mapping[tuple[str, str], Rule]"
"""By domain and operator."""


class Stuck(Exception):
    """Why a node stays; "" where it is as nothing is known of the tensor `because`, which is told of that."""

    def __init__(self, reason: str, because: str = "") -> None:
        super().__init__(reason)
        self.because = because


def read_names(graph: onnx.GraphProto) -> frozenset[str]:
    """The tensors that something reads, or that the model gives out."""
    return frozenset(name for node in graph.node for name in reads(node)) | {v.name for v in graph.output}


def gives_more(node: onnx.NodeProto, read: frozenset[str] | None) -> bool:
    """Whether outputs are read beside the first, of an operator that mcuq computes the first of alone; `read` are the
    tensors that are read, where that is known."""
    more = [name for name in node.output[1:] if name and (read is None or name in read)]
    return not node.domain and node.op_type in FIRST_ALONE and bool(more)


class Flattening:
    """Nodes so far, and what the names of the file stand for."""

    def __init__(
        self, model: onnx.ModelProto, name: str, oracle: Oracle, rules: Mapping[tuple[str, str], Rule]
    ) -> None:
        self.oracle, self._rules = oracle, rules
        self.opset = opset(model)
        self.stuck: dict[str, str] = {}
        self.notes: list[str] = []  # what the file's user has to know
        self._model, self._name = model, name
        self._nodes: list[onnx.NodeProto] = []
        self._types = element_types(model)
        self._taken = {t.name for t in model.graph.initializer} | {v.name for v in model.graph.input}
        self._taken |= {output for node in model.graph.node for output in node.output}
        self._numbers: dict[str, int] = {}
        self._read = read_names(model.graph)
        self._outer: Scope = {}

    def run(self, nodes: Sequence[onnx.NodeProto], scope: Scope, prefix: str) -> None:
        """Take in nodes whose names mean what `scope` says; theirs are added to it. `prefix` begins those of what they
        compute."""
        if not prefix:
            self._outer = scope
        for node in nodes:
            try:
                self._expand(node, scope, prefix)
            except Stuck as why:
                self.stuck[self._keep(node, scope, prefix, why.because)] = str(why)

    def tensor(self, value: Value) -> str:
        """The name of a value that has to be a tensor."""
        if not isinstance(value, str):
            kind = "an optional" if isinstance(value, Optional) else "a sequence"
            raise Stuck(f"takes {kind}; only tensors are supported")
        return value

    def add(self, op_type: str, inputs: Sequence[str], stem: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """A node that stands in none of the model's graphs; returns its outputs."""
        names = [self._fresh(stem) for _ in range(outputs)]
        self._append(helper.make_node(op_type, list(inputs), names, names[0], **attributes))
        return names

    def constant(self, value: Array, stem: str) -> str:
        """The name of a constant."""
        return self.add("Constant", [], stem, value=numpy_helper.from_array(np.asarray(value)))[0]

    def is_known(self, value: Value) -> bool:
        """Whether the value is a constant."""
        return self.oracle.constant(self.tensor(value)) is not None

    def known(self, value: Value, what: str) -> Array:
        """The value of a constant; `what` begins the sentence that it is none."""
        name = self.tensor(value)
        data = self.oracle.constant(name)
        if data is None:
            self.shape_of(name)
            raise Stuck(f"{what} is computed from the model's inputs; it must be constant")
        return data

    def shape_of(self, value: Value) -> Shape:
        """The shape of a tensor."""
        name = self.tensor(value)
        shape = self.oracle.shape(name)
        if shape is None:
            raise Stuck("", name)
        return shape

    def kind(self, value: Value) -> str:
        """The element type of a tensor, "" where it is not known."""
        return self._types.get(self.tensor(value), "")

    def is_read(self, node: onnx.NodeProto, output: int) -> bool:
        """Whether the node has this output, and something in the model's own graph reads it, or a body may."""
        name = node.output[output] if output < len(node.output) else ""
        return bool(name) and (name in self._read or all(name not in own.output for own in self._model.graph.node))

    def unsqueezed(self, x: str, axis: int, stem: str) -> str:
        """The tensor with a dimension of size 1 more."""
        if self.opset < 13:
            return self.add("Unsqueeze", [x], stem, axes=[axis])[0]
        return self.add("Unsqueeze", [x, self.constant(np.array([axis], np.int64), f"{stem}.axes")], stem)[0]

    def stacked(self, tensors: Sequence[str], axis: int, stem: str) -> str:
        """The tensors along a dimension that is new."""
        return self.add("Concat", [self.unsqueezed(x, axis, f"{stem}.part") for x in tensors], stem, axis=axis)[0]

    def inlined(self, graph: onnx.GraphProto, scope: Scope, given: Sequence[Value], prefix: str) -> list[Value]:
        """What a graph gives for the inputs, in a scope of its own."""
        inner = {**scope, **dict(zip((v.name for v in graph.input), given, strict=False))}
        self.run(graph.node, inner, prefix)
        return [inner.get(v.name, v.name) for v in graph.output]

    def shared(self, graph: onnx.GraphProto, scope: Scope, prefix: str) -> tuple[onnx.GraphProto, Scope]:
        """The graph without its weights and constants, and a scope that has them: they stand once, however often it
        runs."""
        inner = dict(scope)
        for tensor in graph.initializer:
            value = onnx.TensorProto()
            value.CopyFrom(tensor)
            inner[tensor.name] = self.add("Constant", [], prefix + tensor.name, value=value)[0]
        constants = [node for node in graph.node if node.op_type == "Constant" and not node.domain]
        self.run(constants, inner, prefix)
        rest = onnx.GraphProto(input=graph.input, output=graph.output)
        rest.node.extend(node for node in graph.node if node.op_type != "Constant" or node.domain)
        return rest, inner

    def is_constant(self, node: onnx.NodeProto, scope: Scope) -> bool:
        """Whether the node can be computed at compile time."""
        meant = {name: scope.get(name, name) for name in reads(node)}
        known = {n for n, v in meant.items() if isinstance(v, str) and self.oracle.constant(v) is not None}
        return is_foldable(node, known)

    def model(self) -> onnx.ModelProto:
        """The flat model."""
        flat = onnx.ModelProto()
        flat.CopyFrom(self._model)
        for value in flat.graph.output:
            meant = self._outer.get(value.name, value.name)
            if not isinstance(meant, str):
                kind = "an optional" if isinstance(meant, Optional) else "a sequence"
                raise ModelError(f"{self._name}: output '{value.name}' is {kind}; only tensors are supported")
            if meant != value.name:
                self._nodes.append(helper.make_node("Identity", [meant], [value.name], value.name))
        del flat.graph.node[:]
        flat.graph.node.extend(self._nodes)
        in_float32(flat, self.opset)
        return flat

    def _expand(self, node: onnx.NodeProto, scope: Scope, prefix: str) -> None:
        rule = self._rules.get((node.domain, node.op_type))
        values = [scope.get(name, name) for name in node.input]
        has_graph = any(a.HasField("g") or a.graphs for a in node.attribute)
        if rule is not None:
            try:
                outputs = rule(self, node, values, scope, f"{prefix}{node_name(node)}/")
            except (AttributeError, LookupError, TypeError, ValueError):  # ONNX's checker does not look at bodies
                raise Stuck("is invalid: its inputs, attributes and bodies do not fit each other") from None
            scope.update((own, value) for own, value in zip(node.output, outputs, strict=False) if own)
            return
        is_own = not node.domain and node.op_type in ("Constant", *FROM_ONNX)
        wants_more = gives_more(node, self._read if not prefix else None)
        if (has_graph and not node.domain) or (is_own and not wants_more) or self.is_constant(node, scope):
            self._emit(node, scope, prefix)
            return
        own = next((entry.version for entry in self._model.opset_import if entry.domain == node.domain), self.opset)
        body = definition(node, self.opset, own, [self._type(value) for value in values])
        if body is None:
            self._emit(node, scope, prefix)
            return
        inner: Scope = dict(zip(body.input, values, strict=False))
        inner |= dict.fromkeys(body.input[len(values) :], "")
        self.run(body.node, inner, f"{prefix}{node_name(node)}/")
        given = {own: inner.get(name, name) for own, name in zip(node.output, body.output, strict=False) if own}
        if is_own:
            # Its first output has a form here that computes better than its parts.
            first = onnx.NodeProto()
            first.CopyFrom(node)
            del first.output[1:]
            self._emit(first, scope, prefix)
            del given[node.output[0]]
        scope.update(given)

    def _type(self, value: Value) -> onnx.TypeProto:
        """As far as it is known."""
        if not isinstance(value, str) or value not in self._types:
            return onnx.TypeProto()
        kind = onnx.TensorProto.DataType.Value(self._types[value].upper())
        return helper.make_tensor_type_proto(kind, self.oracle.shape(value))

    def _emit(self, node: onnx.NodeProto, scope: Scope, prefix: str) -> onnx.NodeProto:
        """The node under the names of the flat model."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [self.tensor(scope.get(name, name)) if name else "" for name in node.input]
        for graph in subgraphs(copy):
            self._rename(graph, scope)
        if prefix:
            copy.name = prefix + node_name(node)
            copy.output[:] = [self._fresh(prefix + name) if name else "" for name in node.output]
            scope.update((own, flat) for own, flat in zip(node.output, copy.output, strict=True) if own)
        self._append(copy)
        return copy

    def _keep(self, node: onnx.NodeProto, scope: Scope, prefix: str, because: str) -> str:
        """What stands for a node that has no form here, and reads what is the matter; returns its first output."""
        read = [value for name in node.input if name and isinstance(value := scope.get(name, name), str)]
        read += [because] if because else []
        bare = onnx.NodeProto(
            op_type=node.op_type, domain=node.domain, name=node_name(node), input=read, output=node.output
        )
        emitted = self._emit(bare, {}, prefix)
        scope.update((own, flat) for own, flat in zip(node.output, emitted.output, strict=True) if own)
        return str(emitted.output[0])

    def _rename(self, graph: onnx.GraphProto, scope: Scope) -> None:
        """Let a graph that stays read what its names mean around it."""
        own = {t.name for t in graph.initializer} | {v.name for v in graph.input}
        own |= {name for node in graph.node for name in node.output}
        around = {name: value for name, value in scope.items() if name not in own}
        for node in graph.node:
            node.input[:] = [self.tensor(around.get(name, name)) for name in node.input]
            for inner in subgraphs(node):
                self._rename(inner, around)
        for value in graph.output:
            value.name = self.tensor(around.get(value.name, value.name))

    def _append(self, node: onnx.NodeProto) -> None:
        if len(self._nodes) >= MOST_NODES:
            raise ModelError(
                f"{self._name}: has more than {MOST_NODES:,} nodes with its loops unrolled; give a smaller network"
            )
        self._nodes.append(node)
        for _ in type_errors([node], self._types, self.opset):
            pass
        self.oracle.learn(node)

    def _fresh(self, stem: str) -> str:
        name = stem
        while name in self._taken:
            self._numbers[stem] = self._numbers.get(stem, 1) + 1
            name = f"{stem}_{self._numbers[stem]}"
        self._taken.add(name)
        return name
