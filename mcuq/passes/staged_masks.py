"""Masks that files put into scores one after the other, where one mask of both is exactly that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Node
from mcuq.graph.tensor import Array, Integers, Shape
from mcuq.ops.add import Add
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.masked_softmax import NOTHING
from mcuq.ops.operands import NEVER
from mcuq.ops.where import Where
from mcuq.passes.computed_masks import MaskFinder, repeating_part

Keep = Callable[[], Array | str]


@dataclass(frozen=True)
class Stage:
    """A node that leaves `x` where `keep` says, booleans known or computed, and else makes it `low`."""

    node: Node
    x: str
    keep: Keep
    low: float


def stages_before(builder: GraphBuilder, finder: MaskFinder, softmax: Node) -> list[Stage]:
    """The nodes before a Softmax, the last first, that together leave out what any of them does: all by -inf, or all by
    a choice of the same number. Fewer than two are not told of."""
    shape = builder.tensors[softmax.output].shape
    found: list[Stage] = []
    name = softmax.inputs[0]
    while (node := builder.producer(name)) is not None and builder.is_private(node.output):
        stage = _stage(builder, finder, node, shape)
        if stage is None or any(stage.low != other.low for other in found):
            break
        found.append(stage)
        name = stage.x
    return found if len(found) > 1 else []


def kept_by_all(builder: GraphBuilder, stages: Sequence[Stage]) -> Array | str:
    """Booleans, known or computed, of what none of them leaves out."""
    parts = [stage.keep() for stage in stages]
    known = [part for part in parts if not isinstance(part, str)]
    names = [part for part in parts if isinstance(part, str)]
    if known:
        together = known[0]
        for part in known[1:]:
            together = together & part
        if not names:
            return together
        values = repeating_part(together).astype(np.float32)
        names.append(builder.constant(values, "keep", Integers.of(0, 1)))
    kept = names[0]
    for name in names[1:]:
        kept = builder.add(IntegerArithmetic("And"), [kept, name])
    return kept


def _stage(builder: GraphBuilder, finder: MaskFinder, node: Node, shape: Shape) -> Stage | None:
    if node.op == Add():
        return _added(builder, finder, node, shape)
    return _chosen(builder, finder, node, shape) if isinstance(node.op, Where) else None


def _added(builder: GraphBuilder, finder: MaskFinder, add: Node, shape: Shape) -> Stage | None:
    for x, other in (add.inputs, add.inputs[::-1]):
        mask = builder.tensors[other]
        if builder.tensors[x].is_constant or builder.tensors[x].shape != shape:
            continue
        if mask.is_constant:
            never = mask.values == NEVER
            if never.any() and not mask.values[~never].any():
                return Stage(add, x, partial(np.broadcast_to, ~never, shape), -np.inf)
            continue
        found = finder.find(other)
        if found is not None and {found.of_zero, found.of_one} == {0.0, -np.inf}:
            return Stage(add, x, partial(finder.kept, found, found.of_zero < 0), -np.inf)
    return None


def _chosen(builder: GraphBuilder, finder: MaskFinder, where: Node, shape: Shape) -> Stage | None:
    condition, a, b = (builder.tensors[name] for name in where.inputs)
    if a.is_constant == b.is_constant:
        return None
    x, c = (b, a) if a.is_constant else (a, b)
    number = float(c.values.flat[0])
    if x.shape != shape or (c.values != c.values.flat[0]).any() or number >= NOTHING:
        return None
    low = -np.inf if number == NEVER else number
    if condition.is_constant:
        return Stage(where, x.name, partial(np.broadcast_to, (condition.values != 0) == (x is a), shape), low)
    found = finder.find(where.inputs[0])
    if found is None or (found.of_zero != 0) == (found.of_one != 0):
        return None
    return Stage(where, x.name, partial(finder.kept, found, (x is a) == (found.of_one != 0)), low)
