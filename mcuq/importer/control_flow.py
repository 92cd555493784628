"""If, Loop and Scan: which branch is taken and how often a body runs is known, and its nodes stand so often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from mcuq.importer.both_branches import both_branches
from mcuq.importer.flattening import Flattening, Rule, Scope, Stuck, Value
from mcuq.importer.rewriter import attributes_of


def _if(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> Sequence[Value]:
    """The branch that a constant condition takes.

    Where it is computed both are, and one result is taken: no node has an effect but its result.
    """
    attributes, condition = attributes_of(node), flat.tensor(values[0])
    if not flat.is_known(condition):
        sides = [
            flat.inlined(*flat.shared(attributes[f"{side}_branch"], scope, f"{prefix}{side}/"), [], f"{prefix}{side}/")
            for side in ("then", "else")
        ]
        flat.notes.append(both_branches("If", prefix.rstrip("/")))
        return [_chosen(flat, condition, a, b, prefix) for a, b in zip(*sides, strict=True)]
    side = "then" if flat.known(condition, "its condition").reshape(()) else "else"
    return flat.inlined(*flat.shared(attributes[f"{side}_branch"], scope, prefix), [], prefix)


def _chosen(flat: Flattening, condition: str, then: Value, other: Value, prefix: str) -> Value:
    shapes = [flat.shape_of(x) for x in (condition, then, other)]
    if shapes[1] != shapes[2]:
        raise Stuck(
            f"gives shape {list(shapes[1])} or {list(shapes[2])}, as its condition says, which is computed from the "
            "model's inputs; both branches must give one shape"
        )
    if flat.opset < 9:
        raise Stuck("has a condition that is computed from the model's inputs; that needs opset 9 or later")
    if len(shapes[0]) > len(shapes[1]):
        condition = flat.add("Reshape", [condition, flat.constant(np.zeros(0, np.int64), f"{prefix}shape")], prefix)[0]
    return flat.add("Where", [condition, flat.tensor(then), flat.tensor(other)], f"{prefix}chosen")[0]


def _loop(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> Sequence[Value]:
    """The body as often as the trip count says, or as its condition holds, both constant in each iteration."""
    count, condition, *states = values
    most = int(flat.known(count, "its trip count").reshape(())) if count else None
    goes_on = bool(flat.known(condition, "its condition").reshape(())) if condition else True
    body, inner = flat.shared(attributes_of(node)["body"], scope, prefix)
    collected: list[list[Value]] = [[] for _ in range(len(body.output) - 1 - len(states))]
    holds = flat.constant(np.array(True), f"{prefix}condition")
    index = 0
    while goes_on and (most is None or index < most):
        number = flat.constant(np.array(index, np.int64), f"{prefix}{index}")
        holds_still, *given = flat.inlined(body, inner, [number, holds, *states], f"{prefix}{index}/")
        states = given[: len(states)]
        for values_of, value in zip(collected, given[len(states) :], strict=True):
            values_of.append(value)
        index += 1
        if condition:
            goes_on = bool(flat.known(holds_still, f"its condition after iteration {index}").reshape(()))
    return [*states, *(_stacked(flat, node, values_of, prefix, 0) for values_of in collected)]


def _scan(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> Sequence[Value]:
    """The body for each index of the inputs that it goes along."""
    if flat.opset < 9:
        return _scan_of_batch(flat, node, values, scope, prefix)
    attributes = attributes_of(node)
    body, inner = flat.shared(attributes["body"], scope, prefix)
    count = attributes["num_scan_inputs"]
    states, inputs = values[: len(values) - count], values[len(values) - count :]
    axes = attributes.get("scan_input_axes", [0] * count)
    backwards = attributes.get("scan_input_directions", [0] * count)
    lengths = [flat.shape_of(x)[axis] for x, axis in zip(inputs, axes, strict=True)]
    if len(set(lengths)) != 1:
        raise Stuck(f"goes along inputs of lengths {lengths}; they must be one")
    outputs = len(body.output) - len(states)
    collected: list[list[Value]] = [[] for _ in range(outputs)]
    for index in range(lengths[0]):
        elements = []
        for x, axis, backward in zip(inputs, axes, backwards, strict=True):
            place = flat.constant(np.array(lengths[0] - 1 - index if backward else index, np.int64), f"{prefix}place")
            elements += flat.add("Gather", [flat.tensor(x), place], f"{prefix}{index}/element", axis=axis)
        given = flat.inlined(body, inner, [*states, *elements], f"{prefix}{index}/")
        states = given[: len(states)]
        for values_of, value in zip(collected, given[len(states) :], strict=True):
            values_of.append(value)
    out_axes = attributes.get("scan_output_axes", [0] * outputs)
    out_backwards = attributes.get("scan_output_directions", [0] * outputs)
    return [
        *states,
        *(
            _stacked(flat, node, values_of[::-1] if backward else values_of, prefix, axis)
            for values_of, axis, backward in zip(collected, out_axes, out_backwards, strict=True)
        ),
    ]


def _scan_of_batch(
    flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str
) -> Sequence[Value]:
    """Of opset 8: the body for each sample, and each of its steps; dimensions 0 and 1 of inputs, and of what is
    collected."""
    attributes = attributes_of(node)
    body, inner = flat.shared(attributes["body"], scope, prefix)
    count = attributes["num_scan_inputs"]
    lengths, *rest = values
    first, inputs = rest[: len(rest) - count], rest[len(rest) - count :]
    batch, steps = flat.shape_of(inputs[0])[:2]
    if lengths and (flat.known(lengths, "what says how long its sequences are") != steps).any():
        raise Stuck("has sequences of different lengths; give each a network of its own, or mask what is beyond")
    backwards = attributes.get("directions", [0] * count)

    def picked(x: Value, index: int, stem: str) -> str:
        place = flat.constant(np.array(index, np.int64), f"{prefix}place")
        return flat.add("Gather", [flat.tensor(x), place], stem, axis=0)[0]

    samples: list[list[Value]] = []
    for n in range(batch):
        states: list[Value] = [picked(x, n, f"{prefix}{n}/state") for x in first]
        own = [picked(x, n, f"{prefix}{n}/sequence") for x in inputs]
        collected: list[list[Value]] = [[] for _ in range(len(body.output) - len(states))]
        for index in range(steps):
            at = [steps - 1 - index if backward else index for backward in backwards]
            elements = [picked(x, k, f"{prefix}{n}/{index}/element") for x, k in zip(own, at, strict=True)]
            given = flat.inlined(body, inner, [*states, *elements], f"{prefix}{n}/{index}/")
            states = given[: len(states)]
            for values_of, value in zip(collected, given[len(states) :], strict=True):
                values_of.append(value)
        samples.append([*states, *(_stacked(flat, node, values_of, prefix, 0) for values_of in collected)])
    return [_stacked(flat, node, list(of_samples), prefix, 0) for of_samples in zip(*samples, strict=True)]


def _stacked(flat: Flattening, node: onnx.NodeProto, values: Sequence[Value], prefix: str, axis: int) -> Value:
    if not values:
        raise Stuck("runs no iteration, so that what it collects is empty; leave it out")
    return flat.stacked([flat.tensor(value) for value in values], axis, f"{prefix}collected")


CONTROL_FLOW: Mapping[str, Rule] = {"If": _if, "Loop": _loop, "Scan": _scan}
