"""What works element by element is known by its trait: an operator of two tensors that only this test defines goes
through every stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from toy_networks import check_same, check_stages, leveled, pointwise, samples, uneven

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.add import sum_of
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.add import Add
from mcuq.ops.clip import Clip
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.elementwise import Elementwise
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose
from mcuq.passes import optimize

SIZE, CHANNELS, DEAD = 6, 6, 3
X = (1, SIZE, SIZE, 3)
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


@dataclass(frozen=True)
class Midpoint(Elementwise, Clamped):
    """y = clamp((a + b) / 2). Error of Add."""

    is_multilinear = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.clip(writer.node("Mean", [t.name for t in layer.inputs]), self.minimum, self.maximum, layer.output.name)

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return range(2)

    def doubled(self, layer: Layer) -> tuple[Add, Layer]:
        """The sum in steps of twice the size, which has the same integers."""
        op, y = Add(minimum=2 * self.minimum, maximum=2 * self.maximum), layer.output
        quant = replace(y.quantization, scale=(2 * y.scale,))
        return op, replace(layer, op=op, output=replace(y, quant=quant))

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        op, doubled = self.doubled(layer)
        return op.simulate(doubled, inputs)


def midpoint_of(op: Midpoint, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    return sum_of(*op.doubled(layer), e)


@pytest.fixture(autouse=True)
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KERNELS, Midpoint, binary_kernels(midpoint_of))


def network(ratio: float = 1.0, channels_first: bool = True) -> Graph:
    """Two convolutions, the midpoint of both in the model's layout and another shape, a Clip, a convolution. Channel
    DEAD is 0 in both, and every third is `ratio` times smaller."""
    rng = np.random.default_rng(6)
    builder = GraphBuilder("net")
    x = builder.input("x", X)
    s = uneven(CHANNELS, ratio)
    alive = np.arange(CHANNELS) != DEAD
    sides = []
    for i in range(2):
        weight = rng.normal(0, 1, (CHANNELS, 1, 1, 3)) * s[:, None, None, None]
        weight[DEAD] = 0
        side = pointwise(builder, x, weight, f"side{i}", alive * s)
        if channels_first:
            side = builder.add(Transpose(TO_FIRST), [side])
            side = builder.add(Reshape((1, 1, CHANNELS, SIZE, SIZE)), [side])
        sides.append(side)
    y = builder.add(Midpoint(), sides, name="middle")
    y = builder.add(Clip(minimum=0.0), [y])
    if channels_first:
        y = builder.add(Reshape((1, CHANNELS, SIZE, SIZE)), [y])
        y = builder.add(Transpose(TO_LAST), [y])
    builder.outputs.append(pointwise(builder, y, rng.normal(0, 1, (4, 1, 1, CHANNELS)) / s, "y"))
    return builder.graph()


def test_changes_of_layout_pass_it_and_a_clip_goes_into_it() -> None:
    before = network()
    after = optimize(before)
    assert [type(node.op) for node in after.nodes] == [Conv2d, Conv2d, Midpoint, Conv2d]
    assert after.nodes[2].op.clip_limits == (0.0, np.inf)
    check_same(before, after, samples(*X))


def test_channels_are_leveled_through_it() -> None:
    """Both operands have the same factors, the third layer takes them back."""
    graph = optimize(network(2000))
    even = leveled(graph, samples(*X))
    check_same(graph, even, samples(*X, seed=3))

    def reach(g: Graph, index: int) -> Array:
        return np.abs(g.layer(g.nodes[index]).inputs[1].values).reshape(CHANNELS, -1).max(axis=1)

    alive = np.arange(CHANNELS) != DEAD
    factors = [reach(even, i)[alive] / reach(graph, i)[alive] for i in range(2)]
    np.testing.assert_allclose(*factors, rtol=1e-5)
    assert (factors[0] > 40).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("ratio", [1, 2000])
def test_it_is_quantized_pruned_exported_and_run(ratio: float) -> None:
    found = check_stages(optimize(network(ratio)), samples(*X), samples(*X, seed=9))
    assert found.saved.channels == 3, "of both sides and the middle"
    count = Counter(node.op_type for node in found.exported.graph.node)
    assert count["Transpose"] == 3, "two reads of x, one output"
