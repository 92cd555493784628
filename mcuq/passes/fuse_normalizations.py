"""Normalizations that a file spells as several operators become one: LayerNormalization, RMSNormalization, x over its
L2 norm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, prod

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.operator import Operator
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add, Sub
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.div import Div
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.mean import Mean, ReduceSum
from mcuq.ops.mul import Mul
from mcuq.ops.normalize import TINY, Normalize
from mcuq.ops.pow import Pow
from mcuq.ops.reciprocal import Reciprocal
from mcuq.ops.reduce import ReduceL2, ReduceSumSquare
from mcuq.passes.spelled import Reader, is_plain

# What a norm is limited to, or has added, below which norms count as none: x / max(norm, e) is x / sqrt(norm^2 + e^2).
_LARGEST_FLOOR = 1e-5
_MOST_ELEMENTS = 2**14  # with one norm, as int16 normalizes


def fuse_normalizations(graph: Graph) -> Graph:
    """(x - mean) / sqrt(mean of its squares + e), x / sqrt(mean of x^2 + e), x / max(norm of x, e) and the like, and
    products and sums with constants behind -> Normalize.

    Means and norms may be over any dimensions. Quantizations that a file gives for values between are left out: they
    are no values of the one operator.
    """
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if builder.nodes.get(node.output) is node:
            _Normalizations(builder).fuse(node)
    return builder.graph()


@dataclass(frozen=True)
class _Found:
    """x / sqrt(mean of x^2 over axes + epsilon) * scale, of x less its mean where `centered`."""

    x: str
    axes: tuple[int, ...]
    epsilon: float
    centered: bool = False
    scale: float = 1.0


class _Normalizations(Reader):
    """Finds them and puts them into the graph."""

    def fuse(self, node: Node) -> None:
        found = next(self._normalizations(node), None)
        if found is None:
            return
        x = self.builder.tensors[found.x]
        rank = len(x.shape)
        last, scale, bias = node, np.full((1,) * rank, found.scale, np.float32), np.zeros((1,) * rank, np.float32)
        behind = self._constant_behind(last, Mul)
        if behind is not None:
            last, values = behind
            scale = scale * values
        behind = self._constant_behind(last, Add)
        if behind is not None:
            last, bias = behind
        scale, bias = (np.ascontiguousarray(v) for v in np.broadcast_arrays(scale, bias))
        inputs = [
            found.x,
            self.builder.constant(scale, f"{node.name}.scale"),
            self.builder.constant(bias, f"{node.name}.bias"),
        ]
        op = Normalize(found.axes, found.epsilon, found.centered)
        try:
            op.infer([self.builder.tensors[name] for name in inputs])
        except ModelError:  # over dimensions that no loops go over: it stays as it is
            return
        self.builder.add(op, inputs, last.output, node.name)

    def _normalizations(self, node: Node) -> Iterator[_Found]:
        """What it may be: a quotient, or a product with an inverse or an inverse root."""
        is_product = type(node.op) is Mul
        if not (is_product or type(node.op) is Div) or not is_plain(node.op):
            return
        for x, other in (node.inputs, node.inputs[::-1]) if is_product else (node.inputs,):
            maker, found = self.maker(other), None
            if not is_product:
                found = self._over(x, other)
            elif maker is not None and type(maker.op) is Reciprocal:
                found = self._over(x, maker.inputs[0])
            elif maker is not None and maker.op == Pow(-0.5):
                found = self._over_root(x, maker.inputs[0])
            if found is not None and self._fits(found, node):
                yield found

    def _fits(self, found: _Found, node: Node) -> bool:
        shape = self.builder.tensors[found.x].shape
        count = prod(shape[axis] for axis in found.axes)
        return shape == self.builder.tensors[node.output].shape and 0 < count <= _MOST_ELEMENTS

    def _over(self, x: str, divisor: str) -> _Found | None:
        """x over a root, or over its norm or what that is limited to."""
        inside = self.root(divisor)
        if inside is not None:
            return self._over_root(x, inside)
        name, maker = divisor, self.maker(divisor)
        while maker is not None and type(maker.op) is Concat and len({*map(self.under, maker.inputs)}) == 1:
            name = maker.inputs[0]  # an Expand
            maker = self.maker(name)
        if maker is not None and type(maker.op) is Clip and maker.op.maximum == inf:
            name, floor = maker.inputs[0], maker.op.minimum
        else:
            name, floor = self.less_number(name)
        if not 0 <= floor <= _LARGEST_FLOOR:
            return None
        maker, inside = self.maker(name), self.root(name)
        if inside is not None:
            return self._over_sum(x, inside, floor**2)
        if maker is None or type(maker.op) is not ReduceL2 or self.under(maker.inputs[0]) != self.under(x):
            return None
        return self._of_sum(x, maker, floor**2)

    def _over_root(self, x: str, inside: str) -> _Found | None:
        return self._over_mean(x, inside) or self._over_sum(x, inside, 0.0)

    def _over_mean(self, x: str, inside: str) -> _Found | None:
        """x over the root of the mean of its squares."""
        mean, epsilon = self.less_number(inside)
        maker, centered = self.maker(mean), self._less_mean(x)
        if maker is None or epsilon < 0 or not is_plain(maker.op):
            return None
        if type(maker.op) is Mean and self.is_square(maker.inputs[0], x):
            axes = maker.op.axes
            if centered is not None and centered[1] == axes:
                return _Found(centered[0], axes, epsilon, centered=True)
            return _Found(x, axes, epsilon)
        if type(maker.op) is Sub and centered is not None and self._is_variance(maker, *centered):
            return _Found(*centered, epsilon, centered=True)
        return None

    def _less_mean(self, name: str) -> tuple[str, tuple[int, ...]] | None:
        """(the tensor that this is without its mean, along which axes)."""
        maker = self.maker(name)
        if maker is None or maker.op != Sub():
            return None
        source, average = maker.inputs
        of = self.maker(average)
        if of is None or type(of.op) is not Mean or not is_plain(of.op):
            return None
        return (source, of.op.axes) if self.under(of.inputs[0]) == self.under(source) else None

    def _is_variance(self, difference: Node, x: str, axes: tuple[int, ...]) -> bool:
        """Whether it is the mean of squares less the square of the mean, as ONNX spells it in its own functions."""
        of_squares, squared = difference.inputs
        maker, square = self.maker(of_squares), self.maker(squared)
        if maker is None or square is None or maker.op != Mean(axes) or not self.is_square(maker.inputs[0], x):
            return False
        mean = self.maker(square.inputs[0])
        is_of_mean = mean is not None and mean.op == Mean(axes) and self.under(mean.inputs[0]) == self.under(x)
        return is_of_mean and self.is_square(squared, square.inputs[0])

    def _over_sum(self, x: str, inside: str, epsilon: float) -> _Found | None:
        """x over the root of the sum of its squares, or of what that is limited to."""
        total, more = self.less_number(inside)
        maker = self.maker(total)
        if maker is not None and type(maker.op) is Clip and maker.op.maximum == inf:
            more += maker.op.minimum
            if not 0 <= maker.op.minimum <= _LARGEST_FLOOR**2:
                return None
            maker = self.maker(maker.inputs[0])
        if maker is None or more < 0:
            return None
        if type(maker.op) is ReduceSumSquare:
            is_sum = self.under(maker.inputs[0]) == self.under(x)
        else:
            is_sum = type(maker.op) is ReduceSum and self.is_square(maker.inputs[0], x)
        return self._of_sum(x, maker, epsilon + more) if is_sum else None

    def _of_sum(self, x: str, maker: Node, epsilon: float) -> _Found | None:
        """Of a sum, or its root, over dimensions: a mean times their size."""
        if not is_plain(maker.op):
            return None
        shape, axes = self.builder.tensors[x].shape, maker.op.axes  # type: ignore[attr-defined]
        count = prod(shape[axis] for axis in axes)
        return _Found(x, axes, max(epsilon / count, TINY), scale=count**-0.5) if count else None

    def _constant_behind(self, node: Node, kind: type[Operator]) -> tuple[Node, Array] | None:
        """(the one node that reads it, the constant in it) where that has as many elements at most."""
        reader = self.only_reader(node.output)
        while reader is not None and type(reader.op) is FakeQuantize:
            reader = self.only_reader(reader.output)
        if reader is None or type(reader.op) is not kind or not is_plain(reader.op):
            return None
        shape = self.builder.tensors[node.output].shape
        for name in reader.inputs:
            tensor = self.builder.tensors[name]
            if tensor.is_constant and all(n in (1, m) for n, m in zip(tensor.shape, shape, strict=True)):
                return reader, tensor.values.astype(np.float32)
        return None
