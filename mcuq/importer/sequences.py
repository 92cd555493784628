"""Sequences and optionals: at compile time it is known which tensors they hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from mcuq.importer.flattening import Flattening, Optional, Rule, Scope, Stuck, Value
from mcuq.importer.rewriter import attributes_of


def _construct(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    return [tuple(values)]


def _empty(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    return [()]


def _at(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    sequence = _sequence(values[0])
    return [sequence[_position(flat, values[1], len(sequence) - 1, len(sequence))]]


def _insert(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    sequence = _sequence(values[0])
    at = _position(flat, values[2], len(sequence), len(sequence)) if len(values) > 2 and values[2] else len(sequence)
    return [(*sequence[:at], values[1], *sequence[at:])]


def _erase(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    sequence = _sequence(values[0])
    last = len(sequence) - 1
    at = _position(flat, values[1], last, len(sequence)) if len(values) > 1 and values[1] else last
    return [(*sequence[:at], *sequence[at + 1 :])]


def _length(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    return [flat.constant(np.array(len(_sequence(values[0])), np.int64), f"{prefix}length")]


def _map(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """The body for each element of the first sequence; other sequences go along, tensors are the same for all."""
    body, inner = flat.shared(attributes_of(node)["body"], scope, prefix)
    count = len(_sequence(values[0]))
    given = []
    for index in range(count):
        elements = [_sequence(v)[index] if isinstance(v, tuple) else v for v in values]
        given.append(flat.inlined(body, inner, elements, f"{prefix}{index}/"))
    return [tuple(outputs[i] for outputs in given) for i in range(len(body.output))]


def _split(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """In parts of one size, the last of which may be smaller, or of sizes in a list; without them one index each."""
    attributes, x = attributes_of(node), flat.tensor(values[0])
    shape = flat.shape_of(x)
    axis = attributes.get("axis", 0) % len(shape) if shape else 0
    if not shape:
        raise Stuck("splits a scalar; only tensors of a dimension or more can be split")
    if len(values) < 2 or not values[1]:
        places = [flat.constant(np.array(i, np.int64), f"{prefix}{i}") for i in range(shape[axis])]
        parts = [flat.add("Gather", [x, place], f"{prefix}part", axis=axis)[0] for place in places]
        if attributes.get("keepdims", 1):
            parts = [flat.unsqueezed(part, axis, f"{prefix}part") for part in parts]
        return [tuple(parts)]
    sizes = flat.known(values[1], "what it splits by")
    if sizes.ndim == 0:
        step = max(int(sizes), 1)
        listed = [min(step, shape[axis] - start) for start in range(0, shape[axis], step)]
    else:
        listed = sizes.tolist()
    if flat.opset >= 13:
        given = flat.constant(np.array(listed, np.int64), f"{prefix}sizes")
        return [tuple(flat.add("Split", [x, given], f"{prefix}part", len(listed), axis=axis))]
    return [tuple(flat.add("Split", [x], f"{prefix}part", len(listed), axis=axis, split=listed))]


def _concat(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    attributes = attributes_of(node)
    tensors = [flat.tensor(value) for value in _sequence(values[0])]
    if not tensors:
        raise Stuck("joins an empty sequence")
    if attributes.get("new_axis", 0):
        return [flat.stacked(tensors, attributes["axis"], f"{prefix}joined")]
    return [flat.add("Concat", tensors, f"{prefix}joined", axis=attributes["axis"])[0]]


def _optional(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    return [Optional(values[0] if values and values[0] else None)]


def _get(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    value = values[0]
    if not isinstance(value, Optional):
        return [value]
    if value.value is None:
        raise Stuck("reads an optional that holds nothing")
    return [value.value]


def _has(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    value = values[0] if values else ""
    holds = value.value is not None if isinstance(value, Optional) else value != ""
    return [flat.constant(np.array(holds), f"{prefix}has")]


def _identity(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    return values


def _sequence(value: Value) -> tuple[Value, ...]:
    if isinstance(value, tuple):
        return value
    raise Stuck("takes a sequence that is an input of the model; give its tensors one by one")


def _position(flat: Flattening, value: Value, last: int, length: int) -> int:
    """Counted from the front."""
    at = int(flat.known(value, "its position").reshape(()))
    if not -length <= at <= last:
        raise Stuck(f"position {at} is outside a sequence of {length}")
    return at + length if at < 0 else at


SEQUENCES: Mapping[str, Rule] = {
    "ConcatFromSequence": _concat,
    "Optional": _optional,
    "OptionalGetElement": _get,
    "OptionalHasElement": _has,
    "SequenceAt": _at,
    "SequenceConstruct": _construct,
    "SequenceEmpty": _empty,
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": _length,
    "SequenceMap": _map,
    "SplitToSequence": _split,
}
