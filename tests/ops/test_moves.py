"""What moves values is known by its trait: an operator that only this test defines goes through every stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from support import check_c, run_float
from toy_networks import check_same, check_stages, leveled, pointwise, samples, stacked, uneven

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array, ChannelQuant, Shape, Tensor
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.portable.transpose import lower_transpose
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat, Join
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.dtypes import MOVED
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.moves import Moves, is_selection
from mcuq.ops.pad import Pad
from mcuq.ops.regrid import Regrid
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.transpose import Transpose
from mcuq.passes import optimize
from mcuq.quantize import INT8_SCHEME, NAMED, Scheme, insert_conversions, quantize_on_samples
from mcuq.quantize.intervals import intervals

GROUPS, CHANNELS, SIZE = 2, 8, 5
X = (1, SIZE, SIZE, 3)
# Where each channel of the output is from: 0, 4, 1, 5, 2, 6, 3, 7.
ORDER = np.arange(CHANNELS).reshape(GROUPS, -1).T.reshape(-1)


@dataclass(frozen=True)
class Shuffle(Moves):
    """y[..., i * groups + j] = x[..., j * (channels / groups) + i]. Exact."""

    groups: int = GROUPS

    permutes = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def split(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.groups, shape[-1] // self.groups)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        shape, last = layer.output.shape, len(layer.output.shape)
        split = writer.node("Reshape", [layer.inputs[0].name, writer.constant(np.array(self.split(shape), np.int64))])
        turned = writer.transpose(split, (*range(last - 1), last, last - 1))
        writer.node("Reshape", [turned, writer.constant(np.array(shape, np.int64))], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x = inputs[0].reshape(len(inputs[0]), *self.split(layer.output.shape))
        return x.swapaxes(-1, -2).reshape(inputs[0].shape)


def lower_shuffle(op: Shuffle, layer: Layer) -> tuple[Call, ...]:
    x, split = layer.inputs[0], op.split(layer.output.shape)
    last = len(split) - 1
    perm = (*range(last - 1), last, last - 1)
    moved = replace(layer.output, shape=tuple(split[axis] for axis in perm))
    return lower_transpose(Transpose(perm), replace(layer, inputs=(replace(x, shape=split),), output=moved))


@pytest.fixture(autouse=True)
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KERNELS, Shuffle, (Kernel(lower_shuffle, activations=MOVED),))


def layer_of(op: Operator, *shapes: Shape) -> Layer:
    inputs = tuple(Tensor(f"x{i}", shape) for i, shape in enumerate(shapes))
    return Layer("layer", op, inputs, Tensor("y", op.infer(inputs)))


KNOWN = [
    (Transpose((0, 3, 1, 2)), [(1, 3, 4, 5)]),
    (Transpose((0, 2, 1)), [(2, 3, 3)]),
    (Reshape((1, 3, 20)), [(1, 3, 4, 5)]),
    (Reshape((2, 60)), [(2, 3, 4, 5)]),
    (Reshape((5, 4, 3)), [(5, 12)]),
    (Reshape((1, 15)), [(1, 3, 5)]),
    (Reshape((4, 6)), [(6, 4)]),
    (Reshape((8, 9)), [(12, 6)]),
    (Slice((0, 1, 4), (2, 3, 3), (1, 1, -2)), [(2, 5, 6)]),
    (Pad((0, 1, 0), (0, 0, 2)), [(2, 3, 4)]),
    (Concat(1), [(2, 3, 4), (2, 1, 4), (2, 2, 4)]),
    (Concat(2), [(2, 3, 4), (2, 3, 1)]),
]


@pytest.mark.parametrize(("op", "shapes"), KNOWN, ids=lambda v: repr(v) if isinstance(v, Operator) else "")
def test_what_an_operator_says_of_places_is_what_its_simulation_does(op: Moves, shapes: list[Shape]) -> None:
    layer = layer_of(op, *shapes)
    y = layer.output.shape
    for index, x in enumerate(shapes):
        places = op.places(layer, index)
        for a in range(len(x)):
            source = np.unravel_index(np.maximum(places, 0), x)[a]
            said = op.moved_axis(layer, a, index)
            if said is not None:
                assert (source == np.indices(y)[said])[places >= 0].all()
            elif x[a] > 1:
                assert Moves.moved_axis(op, layer, a, index) is None
            for b in range(len(y)):
                found = set(zip(source[places >= 0].tolist(), np.indices(y)[b][places >= 0].tolist(), strict=True))
                tie = op.tie(layer, index, a, b)
                if tie is not None:
                    assert set(zip(*(part.tolist() for part in tie), strict=True)) == found
                if a == len(x) - 1 and b == len(y) - 1:
                    assert (tie is None) <= (len(found) == x[a] * y[b])


def test_its_simulation_tells_which_element_goes_where() -> None:
    layer = layer_of(Shuffle(), (1, SIZE, SIZE, CHANNELS))
    places = layer.op.places(layer, 0)  # type: ignore[attr-defined]
    assert np.array_equal(places, np.arange(SIZE * SIZE * CHANNELS).reshape(1, SIZE, SIZE, CHANNELS)[..., ORDER])
    own, behind = layer.op.tie(layer, 0, 3, 3) or ((), ())
    assert dict(zip(np.asarray(behind).tolist(), np.asarray(own).tolist(), strict=True)) == dict(enumerate(ORDER))
    assert [layer.op.moved_axis(layer, axis) for axis in range(4)] == [0, 1, 2, None]
    padded = layer_of(Pad((0, 1), (0, 1), 7.0), (1, 2))
    assert Pad((0, 1), (0, 1), 7.0).places(padded, 0).tolist() == [[-1, 0, 1, -1]]
    assert is_selection(layer)
    assert not is_selection(padded)


def network(*between: Operator, ratio: float = 1.0, shuffle: bool = True) -> Graph:
    """Two 1x1 convolutions with a Shuffle between, or one whose weights are shuffled instead; a channel is dead."""
    rng = np.random.default_rng(5)
    builder = GraphBuilder("net")
    x = builder.input("x", X)
    s = uneven(CHANNELS, ratio)
    first = rng.normal(0, 1, (CHANNELS, 1, 1, 3)) * s[:, None, None, None]
    first[6] = 0
    x = pointwise(builder, x, first, "first", s)
    if shuffle:
        x = builder.add(Shuffle(), [x], name="shuffle")
    for op in between:
        x = builder.add(op, [x])
    behind = rng.normal(0, 1, (4, 1, 1, CHANNELS)) / s[ORDER]
    if not shuffle:
        behind = behind[..., np.argsort(ORDER)]
    builder.outputs.append(pointwise(builder, x, behind, "y"))
    return builder.graph()


def test_a_clip_passes_it_on_its_way_into_the_layer_before() -> None:
    before = network(Clip(0.0, 1.5))
    after = optimize(before)
    assert [type(node.op) for node in after.nodes] == [Conv2d, Shuffle, Conv2d]
    assert after.nodes[0].op.clip_limits == (0.0, 1.5)
    check_same(before, after, samples(*X))


def test_a_quantization_behind_it_is_that_of_what_it_reads() -> None:
    after = optimize(network(FakeQuantize(0.05, 3)))
    assert [type(node.op) for node in after.nodes] == [Conv2d, Shuffle, Conv2d]
    assert all(after.tensors[node.output].quant == FakeQuantize(0.05, 3).quant for node in after.nodes[:2])


def test_channels_are_leveled_through_it() -> None:
    """As without it, where the weights behind are in the other order."""
    found = []
    for shuffle in (True, False):
        graph = network(ratio=2000, shuffle=shuffle)
        even = leveled(graph, samples(*X))
        found.append([t.values for layer in even.layers() for t in layer.inputs[1:]])
    with_it, without = found
    without[2] = without[2][..., ORDER]
    for a, b in zip(with_it, without, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    unlevel = network(ratio=2000)
    assert np.abs(with_it[0] - unlevel.layer(unlevel.nodes[0]).inputs[1].values).max() > 0.1


@pytest.mark.parametrize("scheme", ["int8", "int16", "float32"])
def test_it_is_quantized_pruned_exported_and_run(scheme: str) -> None:
    found = check_stages(optimize(network(ratio=500)), samples(*X), samples(*X, seed=9), Scheme(NAMED[scheme]))
    integer = found.integer
    first, shuffled = integer.nodes[0].output, integer.nodes[1].output
    assert integer.tensors[first].quant == integer.tensors[shuffled].quant
    assert integer.tensors[first].dtype == integer.tensors[shuffled].dtype == scheme
    low, high = intervals(integer)[shuffled]
    dead = int(np.flatnonzero(ORDER == 6)[0])
    if scheme != "float32":
        assert (low[..., dead] == high[..., dead]).all()
        assert (low[..., 0] < high[..., 0]).all()


def test_an_input_of_several_scales_is_read_through_it() -> None:
    builder = GraphBuilder("net")
    x = builder.add(Shuffle(), [builder.input("x", (1, SIZE, SIZE, CHANNELS))])
    reach = np.geomspace(1, 1e5, CHANNELS)
    weight = np.random.default_rng(0).normal(0, 1, (4, 1, 1, CHANNELS)) / reach[ORDER]
    builder.outputs.append(pointwise(builder, x, weight, "y"))
    graph = builder.graph()
    rng = np.random.default_rng(1)
    data = [{"x": (rng.normal(0, 1, (1, SIZE, SIZE, CHANNELS)) * reach).astype(np.float32)} for _ in range(24)]
    integer = quantize_on_samples(insert_conversions(graph, INT8_SCHEME), data).graph
    assert isinstance(integer.nodes[0].op, Regrid)
    quant = integer.tensors["x"].quant
    assert isinstance(quant, ChannelQuant)
    assert np.allclose(np.array(quant.scale) / reach / quant.scale[0], 1, rtol=0.5)
    ours = dequantize_outputs(integer, simulate(integer, quantize_inputs(integer, stacked(data))))["y"]
    wanted = run_float(write_onnx(graph), stacked(data))["y"]
    assert (wanted**2).sum() > 1000 * ((wanted - ours) ** 2).sum()


def test_parts_of_an_output_keep_their_scales_behind_it() -> None:
    """Boxes and scores are joined along rows, and columns are shuffled behind."""
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 1, SIZE, 3))
    boxes, scores = (
        pointwise(builder, x, np.random.default_rng(i).normal(0, size, (CHANNELS, 1, 1, 3)), f"part{i}")
        for i, size in enumerate((100.0, 1.0))
    )
    joined = builder.add(Concat(1), [boxes, builder.add(Sigmoid(), [scores])])
    builder.outputs.append(builder.add(Shuffle(), [joined], "y"))
    graph = optimize(builder.graph())
    data = samples(1, 1, SIZE, 3)
    integer = quantize_on_samples(insert_conversions(graph, INT8_SCHEME), data).graph
    assert any(isinstance(node.op, Join) for node in integer.nodes)
    quant = integer.tensors["y"].quant
    assert isinstance(quant, ChannelQuant)
    assert quant.axis == -3
    assert quant.scale[1] < 1 / 200
    assert quant.scale[0] > 0.5
    check_c(integer, "host")
