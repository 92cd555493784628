"""Which tensors hold one of two numbers by what a mask of zeros and ones says: masks of attention as files compute
them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Node
from mcuq.graph.tensor import Array, Integers, Shape
from mcuq.ops.add import Sub
from mcuq.ops.compare import Compare
from mcuq.ops.concat import Concat
from mcuq.ops.from_integers import FromIntegers
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.masked_softmax import NEAR
from mcuq.ops.moves import Moves
from mcuq.ops.operands import NEVER
from mcuq.ops.where import Where
from mcuq.passes.spelled import negated_equality


@dataclass(frozen=True)
class TwoValues:
    """A tensor whose elements are `of_zero` where `mask`, which broadcasts to it, is 0, and `of_one` where it is 1."""

    mask: str
    of_zero: float
    of_one: float


class MaskFinder:
    """Of a graph under construction; masks that files move are moved in it."""

    def __init__(self, builder: GraphBuilder) -> None:
        self._builder = builder
        self._found: dict[str, TwoValues | None] = {}

    def find(self, name: str) -> TwoValues | None:
        """What the tensor is of a mask, if that is all it depends on."""
        if name not in self._found:
            self._found[name] = self._of(name)
        return self._found[name]

    def kept(self, found: TwoValues, at_one: bool) -> str:
        """Booleans: where the mask is 1, or where it is 0. What else a mask of numbers holds keeps nothing."""
        builder = self._builder
        mask = builder.tensors[found.mask]
        shape = (1,) * len(mask.shape)
        if mask.integers is None:
            bound, relation = (1 - NEAR, ">=") if at_one else (NEAR, "<=")
            limit = builder.constant(np.full(shape, bound, np.float32), "limit")
            return builder.add(Compare(relation), [mask.name, limit])
        one = builder.constant(np.ones(shape, np.float32), "integers", Integers.of(1, 1))
        if not _is_boolean(mask.integers):
            return builder.add(Compare(">=" if at_one else "<"), [mask.name, one])
        return mask.name if at_one else builder.add(IntegerArithmetic("Xor"), [mask.name, one])

    def _of(self, name: str) -> TwoValues | None:
        builder = self._builder
        node, tensor = builder.producer(name), builder.tensors[name]
        if node is None:
            return None if tensor.is_constant else TwoValues(name, 0.0, 1.0)
        if isinstance(node.op, FromIntegers):
            return self.find(node.inputs[0])
        if isinstance(node.op, Moves) and len({*node.inputs}) == 1:
            return self._moved(node, node.op.fills)
        if tensor.integers is None:
            return self._computed(node)
        if node.op == IntegerArithmetic("Xor") or isinstance(node.op, Compare):
            found = self._computed(node)
            # Numbers that a comparison reads may be others than 0 and 1.
            if found is not None and _is_boolean(builder.tensors[found.mask].integers):
                return found
            if (equal := self._is_one(node)) is not None:
                return TwoValues(equal, 0.0, 1.0)
        return TwoValues(name, 0.0, 1.0) if _is_boolean(tensor.integers) else None

    def _is_one(self, node: Node) -> str | None:
        """Of 1 - x == 0, x moved from integers: booleans that say where those are 1."""
        builder = self._builder
        inverted = builder.producer(node.inputs[0])
        if node.op != Compare("==") or inverted is None or inverted.op != Sub():
            return None
        (one, moved), zero = inverted.inputs, builder.tensors[node.inputs[1]]
        found, name = self.find(moved), moved
        while (before := builder.producer(name)) is not None and isinstance(before.op, FromIntegers | Moves):
            name = before.inputs[0]
        is_spelled = builder.tensors[one].is_constant and (builder.tensors[one].values == 1).all()
        is_spelled &= zero.is_constant and not zero.values.any()
        if not is_spelled or found is None or builder.tensors[name].integers is None:
            return None
        mask = builder.tensors[found.mask]
        if mask.integers is None or _is_boolean(mask.integers):
            return None
        limit = builder.constant(np.ones((1,) * len(mask.shape), np.float32), "integers", Integers.of(1, 1))
        return builder.add(Compare("=="), [mask.name, limit])

    def _moved(self, node: Node, fills: tuple[float, ...]) -> TwoValues | None:
        (before,) = {*node.inputs}
        found = self.find(before)
        if found is None or _is_repetition(self._builder, node):
            return found
        # The mask, moved likewise, has 0 there.
        if any(fill != found.of_zero for fill in fills):
            return None
        if found.mask == before:
            return TwoValues(node.output, found.of_zero, found.of_one)
        if self._builder.tensors[found.mask].shape != self._builder.tensors[before].shape:
            return None
        moved = self._builder.add(node.op, [found.mask] * len(node.inputs))
        return TwoValues(moved, found.of_zero, found.of_one)

    def _computed(self, node: Node) -> TwoValues | None:
        """Of elementwise operators over one mask or two and constants, which give one of two numbers everywhere."""
        builder = self._builder
        if not node.op.is_elementwise:
            return None
        layer = builder.layer(node)
        masks = self._masks_of(node)
        if masks is None or not 1 <= len(masks) <= 2:
            return None
        ways = 1 << len(masks)
        inputs = []
        for tensor in layer.inputs:
            if tensor.is_constant:
                values = np.where(tensor.values == NEVER, np.float32(-np.inf), tensor.values)
                inputs.append(np.broadcast_to(values, (ways, *tensor.shape)))
                continue
            if isinstance(node.op, Where) and _is_zero_elsewhere(builder, node, tensor.name):
                inputs.append(np.zeros((ways, *tensor.shape), np.float32))
                continue
            found = self.find(tensor.name)
            assert found is not None, "masks were found of each"
            bits = np.arange(ways) >> masks.index(found.mask) & 1
            values = np.array([found.of_zero, found.of_one], np.float32)[bits]
            inputs.append(np.broadcast_to(values.reshape(ways, *(1,) * len(tensor.shape)), (ways, *tensor.shape)))
        if not all(_broadcasts(builder.tensors[mask].shape, layer.output.shape) for mask in masks):
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            y = node.op.simulate(layer, inputs)
        if not y.size:
            return None
        flat = y.reshape(ways, -1)
        if len(masks) == 1 and (flat == flat[:, :1]).all():
            return TwoValues(masks[0], float(flat[0, 0]), float(flat[1, 0]))
        numbers = np.unique(flat)
        if len(numbers) != 2 or not all(_is_boolean(builder.tensors[mask].integers) for mask in masks):
            return None
        chosen = self._chosen(masks, y == numbers[1])
        return None if chosen is None else TwoValues(chosen, float(numbers[0]), float(numbers[1]))

    def _masks_of(self, node: Node) -> list[str] | None:
        """The masks that a node's computed inputs are of, in order; None where one is not of a mask."""
        masks: list[str] = []
        for name in node.inputs:
            if self._builder.tensors[name].is_constant:
                continue
            if isinstance(node.op, Where) and _is_zero_elsewhere(self._builder, node, name):
                continue
            found = self.find(name)
            if found is None:
                return None
            if found.mask not in masks:
                masks.append(found.mask)
        return masks

    def _chosen(self, masks: Sequence[str], table: Array) -> str | None:
        """Booleans that are at each place what `table` (2 or 4, *shape) has there for the masks' bits, the first mask's
        the lowest; None where they are the same for all bits."""
        if (table == table[:1]).all():
            return None
        rows: list[Array | str] = [*table]
        for mask in masks:
            rows = [self._either(mask, one, zero) for zero, one in zip(rows[::2], rows[1::2], strict=True)]
        (chosen,) = rows
        return chosen if isinstance(chosen, str) else None

    def _either(self, mask: str, one: Array | str, zero: Array | str) -> Array | str:
        """`one` where the mask is 1, else `zero`."""
        if isinstance(one, np.ndarray) and isinstance(zero, np.ndarray):
            if (one == zero).all():
                return one
            if one.all() and not zero.any():
                return mask
        if isinstance(zero, np.ndarray) and not zero.any():
            return self._builder.add(IntegerArithmetic("And"), [mask, self._named(one)])
        if isinstance(one, np.ndarray) and one.all():
            return self._builder.add(IntegerArithmetic("Or"), [mask, self._named(zero)])
        return self._builder.add(Where(), [mask, self._named(one), self._named(zero)])

    def _named(self, booleans: Array | str) -> str:
        if isinstance(booleans, str):
            return booleans
        values = repeating_part(booleans).astype(np.float32)
        return self._builder.constant(values, "booleans", Integers.of(0, 1))


def repeating_part(values: Array) -> Array:
    """Values with one of each leading dimension along which they are the same."""
    for axis in range(values.ndim - 1):
        first = values.take([0], axis)
        if not (values == first).all():
            break
        values = first
    return values


def _is_boolean(integers: Integers | None) -> bool:
    return integers is not None and 0 <= integers.low <= integers.high <= 1


def _broadcasts(own: Shape, whole: Shape) -> bool:
    return len(own) == len(whole) and all(a in (1, b) for a, b in zip(own, whole, strict=True))


def _is_repetition(builder: GraphBuilder, node: Node) -> bool:
    if not isinstance(node.op, Concat) or len({*node.inputs}) != 1:
        return False
    return builder.tensors[node.inputs[0]].shape[node.op.axis] == 1


def _is_zero_elsewhere(builder: GraphBuilder, where: Node, name: str) -> bool:
    """Whether the tensor is what is chosen where the condition, that it is not 0, does not hold: it is 0 there."""
    condition, _, other = where.inputs
    equal = negated_equality(builder, condition)
    if other != name or equal is None or equal.inputs[0] != name:
        return False
    zero = builder.tensors[equal.inputs[1]]
    return zero.is_constant and not zero.values.any()
