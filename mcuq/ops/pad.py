"""Pad: values around a tensor, constant or its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isinf
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator, Tie
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis
from mcuq.ops.moves import Moves
from mcuq.ops.picked import picked
from mcuq.ops.slice import Slice

# Mode -> what a dimension of `size` may be padded by.
_OWN_VALUES: Mapping[str, Callable[[int], int | None]] = {
    "edge": lambda size: None,
    "reflect": lambda size: size - 1,
    "wrap": lambda size: size,
}


def from_pad(node: OnnxNode, graph: GraphBuilder) -> str:
    """Negative pads crop, before others are added."""
    mode = node.attribute("mode", "constant")
    if mode not in ("constant", *_OWN_VALUES):
        raise node.error(f"mode={mode} is not supported; use one of constant, {', '.join(_OWN_VALUES)}", "mode")
    before, after = _pads(node)
    x = _cropped(graph, node.computed(0), before, after)
    before, after = (tuple(max(0, pad) for pad in pads) for pads in (before, after))
    if mode != "constant":
        return _with_own_values(node, graph, x, before, after)
    value = node.real("value", 2, 0.0)
    if isinf(value):
        raise node.error(f"value={value} is not supported; use a finite value", "value")
    if x != node.computed(0) and not any((*before, *after)):
        return x
    return graph.add(Pad(before, after, value), [x], node.outputs[0], node.name)


def _pads(node: OnnxNode) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Before and after each dimension."""
    shape = node.shape(0)
    rank = len(shape)
    pads = node.ints("pads", 1)
    # Opset 18 and later may name the dimensions that `pads` is about.
    axes = node.ints("axes", 3) if node.has(3) else tuple(range(rank))
    if pads is None or axes is None or len(pads) != 2 * len(axes):
        raise node.error(f"pads={pads} must have two entries a dimension of {list(shape)}")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        axis = normalized_axis(axis, rank, node)
        before[axis], after[axis] = pads[i], pads[len(axes) + i]
    if any(b + n + a < 0 for b, n, a in zip(before, shape, after, strict=True)):
        raise node.error(f"pads={list(pads)} take more than there is of {list(shape)}")
    return tuple(before), tuple(after)


def _cropped(graph: GraphBuilder, x: str, before: tuple[int, ...], after: tuple[int, ...]) -> str:
    """Without what negative pads take away."""
    if min(*before, *after) >= 0:
        return x
    begin = tuple(max(0, -b) for b in before)
    sizes = tuple(n - b + min(0, a) for n, b, a in zip(graph.tensors[x].shape, begin, after, strict=True))
    return graph.add(Slice(begin, sizes, (1,) * len(sizes)), [x])


def _with_own_values(
    node: OnnxNode, graph: GraphBuilder, x: str, before: tuple[int, ...], after: tuple[int, ...]
) -> str:
    """Dimension by dimension its elements, from their last repeated, mirrored or from the other end."""
    mode = node.attribute("mode")
    for axis, (b, a) in enumerate(zip(before, after, strict=True)):
        size = graph.tensors[x].shape[axis]
        most = _OWN_VALUES[mode](size)
        if most is not None and max(b, a) > most:
            raise node.error(f"pads={[b, a]} of a dimension of {size}; mode={mode} has {most} values at most")
        if size and (b or a):
            x = picked(node, graph, x, axis, [int(i) for i in np.pad(np.arange(size), (b, a), mode=mode)])
    return x


@dataclass(frozen=True)
class Pad(Moves):
    """`before` and `after` elements of `value` around each dimension. Exact where `value` is a code of the
    shared scale; zero always is."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    value: float = field(default=0.0)

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Pad": from_pad}

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        shape = inputs[0].shape
        if len(shape) != len(self.before):
            raise ModelError(f"pads of {len(self.before)} dimensions do not fit {list(shape)}")
        return tuple(b + n + a for b, n, a in zip(self.before, shape, self.after, strict=True))

    @property
    def fills(self) -> tuple[float, ...]:
        return (self.value,)

    def refilled(self, fills: tuple[float, ...]) -> Operator:
        return replace(self, value=fills[0])

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        before, after = (
            tuple(field[perm.index(axis)] for axis in range(len(perm))) for field in (self.before, self.after)
        )
        return replace(self, before=before, after=after)

    def moved_axis(self, layer: Layer, axis: int, index: int = 0) -> int | None:
        return axis if self.before[axis] == self.after[axis] == 0 else None

    def tie(self, layer: Layer, index: int, a: int, b: int) -> Tie | None:
        own = np.arange(layer.inputs[index].shape[a])
        return (own, own + self.before[b]) if a == b else None

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return self if self.before[-1] == self.after[-1] == 0 else None

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        pads = writer.constant(np.array([*self.before, *self.after], np.int64))
        value = writer.constant(np.array(self.value, np.float32))
        writer.node("Pad", [layer.inputs[0].name, pads, value], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        value = layer.output.encode(np.array(self.value))
        widths = [(0, 0), *zip(self.before, self.after, strict=True)]
        return np.pad(inputs[0], widths, constant_values=value)
