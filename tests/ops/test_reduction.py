"""What is taken over dimensions, is monotone and picks values is known by these traits: a maximum over dimensions that
only this test defines goes through every stage."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from support import run_float
from toy_networks import check_same, check_stages, leveled, pointwise, samples, uneven

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.portable.pool import lower_max_pool
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.clip import Clip
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.dtypes import MOVED
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.reduction import Reduction
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window
from mcuq.passes import optimize
from mcuq.quantize.intervals import intervals

SIZE, CHANNELS, DEAD = 6, 6, 3
X = (1, SIZE, SIZE, 3)


@dataclass(frozen=True)
class Largest(Reduction):
    """The largest of all values along `axes`. Exact."""

    shares_scale = True
    is_monotone = True
    dtypes = MOVED

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.node("ReduceMax", [layer.inputs[0].name], layer.output.name, axes=list(self.axes), keepdims=1)

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        return inputs[0].max(axis=tuple(axis + 1 for axis in self.axes), keepdims=True)


def lower_largest(op: Largest, layer: Layer) -> tuple[Call, ...]:
    """Over neighbouring dimensions: a pass has seen to it."""
    first, last = op.span(layer.inputs[0].shape)
    rows = int(np.prod(layer.inputs[0].shape[first:last]))
    inner = int(np.prod(layer.inputs[0].shape[last:]))
    x, y = replace(layer.inputs[0], shape=(1, rows, 1, inner)), replace(layer.output, shape=(1, 1, 1, inner))
    pool = MaxPool(Window((rows, 1)))
    return lower_max_pool(pool, replace(layer, op=pool, inputs=(x,), output=y))


@pytest.fixture(autouse=True)
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KERNELS, Largest, (Kernel(lower_largest),))


def network(*between: Operator, ratio: float = 1.0) -> Graph:
    """Two convolutions and a maximum over images in the model's layout between; a channel is dead, and every third
    `ratio` times smaller."""
    rng = np.random.default_rng(6)
    builder = GraphBuilder("net")
    s = uneven(CHANNELS, ratio)
    first = rng.normal(0, 1, (CHANNELS, 1, 1, 3)) * s[:, None, None, None]
    first[DEAD] = 0
    x = pointwise(builder, builder.input("x", X), first, "first", s)
    x = builder.add(Transpose((0, 3, 1, 2)), [x])
    x = builder.add(Largest((2, 3)), [x], name="largest")
    for op in between:
        x = builder.add(op, [x])
    x = builder.add(Transpose((0, 2, 3, 1)), [x])
    builder.outputs.append(pointwise(builder, x, rng.normal(0, 1, (4, 1, 1, CHANNELS)) / s, "y"))
    return builder.graph()


def test_changes_of_layout_and_a_clip_pass_it() -> None:
    before = network(Clip(0.0, 1.5))
    after = optimize(before)
    assert [type(node.op) for node in after.nodes] == [Conv2d, Largest, Conv2d]
    assert after.nodes[0].op.clip_limits == (0.0, 1.5)
    assert after.nodes[1].op == Largest((1, 2))
    check_same(before, after, samples(*X))


def test_a_quantization_behind_it_is_that_of_what_it_reads() -> None:
    after = optimize(network(FakeQuantize(0.05, 3)))
    assert [type(node.op) for node in after.nodes] == [Conv2d, Largest, Conv2d]
    assert all(after.tensors[node.output].quant == FakeQuantize(0.05, 3).quant for node in after.nodes[:2])


def test_dimensions_are_brought_next_to_each_other() -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Largest((1, 3)), [builder.input("x", (1, 4, 5, 6))], "y"))
    after = optimize(builder.graph())
    (largest,) = (layer for layer in after.layers() if isinstance(layer.op, Largest))
    assert largest.op.span(largest.inputs[0].shape) == (2, 4)  # type: ignore[attr-defined]
    x = {"x": np.random.default_rng(0).normal(size=(3, 1, 4, 5, 6)).astype(np.float32)}
    assert np.array_equal(run_float(write_onnx(after), x)["y"], x["x"].max(axis=(2, 4), keepdims=True))


def test_channels_are_leveled_through_it() -> None:
    graph = optimize(network(ratio=2000))
    even = leveled(graph, samples(*X))
    check_same(graph, even, samples(*X, seed=3))
    reach = [np.abs(g.layer(g.nodes[0]).inputs[1].values).reshape(CHANNELS, -1).max(axis=1) for g in (graph, even)]
    alive = np.arange(CHANNELS) != DEAD
    assert reach[0][alive].max() > 500 * reach[0][alive].min()
    assert reach[1][alive].max() < 50 * reach[1][alive].min()


def test_it_is_quantized_pruned_exported_and_run() -> None:
    found = check_stages(optimize(network(Clip(minimum=0.0), ratio=500)), samples(*X), samples(*X, seed=9))
    integer = found.integer
    assert len({integer.tensors[node.output].quant for node in integer.nodes[:2]}) == 1
    low, high = intervals(integer)[integer.nodes[1].output]
    assert (low[..., DEAD] == high[..., DEAD]).all()
    assert (low[..., 0] < high[..., 0]).all()
    assert found.saved.channels == 2, "before and behind the maximum"
