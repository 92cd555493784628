"""Sums of squares over windows that a file spells as several operators become one: LRN and LpPool."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.ops.abs import Abs
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.div import Div
from mcuq.ops.lp_pool import LpPool
from mcuq.ops.lrn import LEAST_BIAS, LRN, MOST_BETA
from mcuq.ops.mul import Mul
from mcuq.ops.pow import Pow
from mcuq.ops.sign import Sign
from mcuq.ops.sqrt import Sqrt
from mcuq.ops.transpose import Transpose
from mcuq.passes.spelled import Reader, is_plain

_MOST_STEPS = 16  # between squares and their sums: 9 in PyTorch's export
_MOST_ELEMENTS = 2**22  # that are tried
_CLOSE = 1e-5
_SIZES = (1e-6, 1.0, 1e6)  # lest a limit be overlooked


def fuse_squares(graph: Graph) -> Graph:
    """x / (bias + means of x^2 along a dimension * alpha)^beta -> LRN; the root of means of x^2 over windows, times
    their size -> LpPool."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if builder.nodes.get(node.output) is node:
            reader = _Squares(builder)
            if type(node.op) is Div and is_plain(node.op):
                reader.fuse_lrn(node)
            elif type(node.op) is Sqrt or node.op == Pow(0.5):
                reader.fuse_lp_pool(node)
    return builder.graph()


class _Squares(Reader):
    """Finds them and puts them into the graph."""

    def fuse_lrn(self, node: Node) -> None:
        """How the sums are spelled (padding, pooling over volumes, convolution, in any layout) is not read: what they
        give is compared."""
        x, divisor = node.inputs
        power = self.maker(divisor)
        if power is None or not (type(power.op) is Sqrt or isinstance(power.op, Pow)):
            return
        beta = 0.5 if not isinstance(power.op, Pow) else power.op.exponent
        sums, bias = self.less_number(power.inputs[0])
        steps = self._steps(sums, x)
        tensor = self.builder.tensors[x]
        if steps is None or not 0 < beta <= MOST_BETA or bias < LEAST_BIAS or tensor.elements > _MOST_ELEMENTS:
            return
        # One square in the middle tells along which dimension they are summed, and how many.
        middle = tuple(n // 2 for n in tensor.shape)
        one = np.zeros((1, *tensor.shape), np.float32)
        one[(0, *middle)] = 1
        seen = self._run(steps, one)
        share = float(seen[(0, *middle)]) if seen.shape == one.shape else 0.0
        places = np.argwhere(seen[0] != 0) if share > 0 else np.empty((0, len(middle)))
        axes = [axis for axis in range(len(middle)) if len(np.unique(places[:, axis])) > 1]
        if len(axes) != 1:
            return
        # The ends of the dimension may cut it there: that the sums are these is seen of others.
        op = LRN(axes[0], len(places), share * len(places), beta, bias)
        squares = np.random.default_rng(0).uniform(0, 1, (1, *tensor.shape)).astype(np.float32)
        outer, channels, inner = prod(tensor.shape[: op.axis]), tensor.shape[op.axis], prod(tensor.shape[op.axis + 1 :])
        wanted = share * np.sum(op.neighbours(squares.reshape(1, outer, channels, inner)), axis=0)
        for size in _SIZES:
            got = self._run(steps, squares * np.float32(size)).reshape(wanted.shape) / size
            if not np.allclose(got, wanted, rtol=_CLOSE, atol=_CLOSE * share):
                return
        self.builder.add(op, [x], node.output, node.name)

    def _steps(self, name: str, x: str) -> Sequence[Node] | None:
        """The nodes from the squares of `x` to the tensor, if each reads one computed tensor."""
        found: list[Node] = []
        while not self.is_square(name, x):
            maker = self.maker(name)
            if maker is None or len(found) == _MOST_STEPS:
                return None
            computed = [i for i in maker.inputs if not self.builder.tensors[i].is_constant]
            if len(computed) != 1 or self.builder.tensors[maker.output].elements > _MOST_ELEMENTS:
                return None
            found.insert(0, maker)
            name = computed[0]
        return found

    def _run(self, steps: Sequence[Node], values: Array) -> Array:
        for node in steps:
            layer = self.builder.layer(node)
            inputs = [t.values if t.is_constant else values for t in layer.inputs]
            values = layer.op.simulate(layer, inputs)
        return values

    def fuse_lp_pool(self, node: Node) -> None:
        """With the sign and the size of the mean, which is never negative, as PyTorch has them."""
        name, factor = node.inputs[0], 1.0
        while (below := self._below(name)) is not None:
            name, times = below
            factor *= times
        behind = self.maker(name)
        pool = self.maker(behind.inputs[0]) if behind is not None and type(behind.op) is Transpose else None
        before = self.maker(pool.inputs[0]) if pool is not None and type(pool.op) is AveragePool else None
        if behind is None or pool is None or before is None or type(before.op) is not Transpose:
            return
        square = self.maker(before.inputs[0])
        if square is None or not self.is_square(before.inputs[0], square.inputs[0]) or not is_plain(pool.op):
            return
        assert isinstance(pool.op, AveragePool)
        window, counts = pool.op.window, pool.op.counts(self.builder.layer(pool))
        area = prod(window.kernel)
        if (counts != area).any() or abs(factor / area - 1) > 1e-6:
            return
        x = self.builder.add(before.op, [square.inputs[0]])
        y = self.builder.add(LpPool(window), [x], name=node.name)
        self.builder.add(behind.op, [y], node.output)

    def _below(self, name: str) -> tuple[str, float] | None:
        """(what the tensor, which is not negative, is a number times, the number); None where that is itself."""
        other, factor = self.without_factor(name)
        if other != name:
            return other, factor
        maker = self.maker(name)
        if maker is None:
            return None
        if type(maker.op) is Abs or (type(maker.op) is Clip and maker.op == Clip(minimum=0.0, maximum=inf)):
            return maker.inputs[0], 1.0
        if maker.op == Mul():
            for sign, size in (maker.inputs, maker.inputs[::-1]):
                of = self.maker(sign)
                if of is not None and type(of.op) is Sign and self._without_sizes(size) == self.under(of.inputs[0]):
                    return of.inputs[0], 1.0
        return None

    def _without_sizes(self, name: str) -> str:
        """The tensor before Abs and Relu."""
        maker = self.maker(name)
        while maker is not None and (type(maker.op) is Abs or maker.op == Clip(minimum=0.0, maximum=inf)):
            name = maker.inputs[0]
            maker = self.maker(name)
        return self.under(name)
