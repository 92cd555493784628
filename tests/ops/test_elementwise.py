"""What works element by element is known by its trait: an operator of two tensors that only this test defines goes
through every stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
import pytest
from support import check_c, run_float

from mcuq.emit.qdq_export import export_qdq
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.add import sum_of
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.add import Add
from mcuq.ops.clip import Clip
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.elementwise import Elementwise
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window
from mcuq.passes import optimize
from mcuq.quantize import INT8_SCHEME, insert_conversions, prune_graph, quantize_on_samples
from mcuq.quantize.level import level
from mcuq.quantize.seen import see

SIZE, CHANNELS, DEAD = 6, 6, 3
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


def conv(builder: GraphBuilder, x: str, weight: Array, name: str, spread: Array | float = 1.0) -> str:
    bias = np.random.default_rng(len(builder.tensors)).normal(0, 0.2, len(weight)) * spread
    constants = [builder.constant(a.astype(np.float32)) for a in (weight, bias)]
    return builder.add(Conv2d(Window((1, 1))), [x, *constants], name=name)


def network(ratio: float = 1.0, channels_first: bool = True) -> Graph:
    """Two convolutions, the midpoint of both in the model's layout and another shape, a Clip, a convolution. Channel
    DEAD is 0 in both, and every third is `ratio` times smaller."""
    rng = np.random.default_rng(6)
    builder = GraphBuilder("net")
    x = builder.input("x", (1, SIZE, SIZE, 3))
    s = np.where(np.arange(CHANNELS) % 3 == 1, 1 / ratio, 1.0)
    alive = np.arange(CHANNELS) != DEAD
    sides = []
    for i in range(2):
        weight = rng.normal(0, 1, (CHANNELS, 1, 1, 3)) * s[:, None, None, None]
        weight[DEAD] = 0
        side = conv(builder, x, weight, f"side{i}", alive * s)
        if channels_first:
            side = builder.add(Transpose(TO_FIRST), [side])
            side = builder.add(Reshape((1, 1, CHANNELS, SIZE, SIZE)), [side])
        sides.append(side)
    y = builder.add(Midpoint(), sides, name="middle")
    y = builder.add(Clip(minimum=0.0), [y])
    if channels_first:
        y = builder.add(Reshape((1, CHANNELS, SIZE, SIZE)), [y])
        y = builder.add(Transpose(TO_LAST), [y])
    builder.outputs.append(conv(builder, y, rng.normal(0, 1, (4, 1, 1, CHANNELS)) / s, "y"))
    return builder.graph()


def samples(count: int = 32, seed: int = 4) -> list[dict[str, Array]]:
    rng = np.random.default_rng(seed)
    return [{"x": rng.normal(0, 1, (1, SIZE, SIZE, 3)).astype(np.float32)} for _ in range(count)]


def stacked(data: list[dict[str, Array]]) -> dict[str, Array]:
    return {"x": np.stack([sample["x"] for sample in data])}


def test_changes_of_layout_pass_it_and_a_clip_goes_into_it() -> None:
    before = network()
    after = optimize(before)
    assert [type(node.op) for node in after.nodes] == [Conv2d, Conv2d, Midpoint, Conv2d]
    assert after.nodes[2].op.clip_limits == (0.0, np.inf)
    wanted, got = (run_float(write_onnx(graph), stacked(samples()))["y"] for graph in (before, after))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_channels_are_leveled_through_it() -> None:
    """Both operands have the same factors, the third layer takes them back."""
    graph = optimize(network(2000))
    seen = see(graph, samples())
    leveled, _ = level(graph, seen, dict.fromkeys(seen, 255.0))
    x = stacked(samples(seed=3))
    wanted, got = (run_float(write_onnx(g), x)["y"] for g in (graph, leveled))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)

    def reach(g: Graph, index: int) -> Array:
        return np.abs(g.layer(g.nodes[index]).inputs[1].values).reshape(CHANNELS, -1).max(axis=1)

    alive = np.arange(CHANNELS) != DEAD
    factors = [reach(leveled, i)[alive] / reach(graph, i)[alive] for i in range(2)]
    np.testing.assert_allclose(*factors, rtol=1e-5)
    assert (factors[0] > 40).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("ratio", [1, 2000])
def test_it_is_quantized_pruned_exported_and_run(ratio: float) -> None:
    graph = insert_conversions(optimize(network(ratio)), INT8_SCHEME)
    integer = quantize_on_samples(graph, samples()).graph
    data = stacked(samples(seed=9))
    codes = quantize_inputs(integer, data)
    ours = dequantize_outputs(integer, simulate(integer, codes))["y"]
    wanted = run_float(write_onnx(graph), data)["y"]
    assert (wanted**2).sum() > 1000 * ((wanted - ours) ** 2).sum()  # 30 dB

    # The dead channel goes from both sides and the middle.
    pruned, saved = prune_graph(integer)
    assert saved.channels == 3
    assert np.array_equal(dequantize_outputs(pruned, simulate(pruned, codes))["y"], ours)

    exported = export_qdq(pruned)
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])
    theirs = np.stack([session.run(["y"], {"x": x})[0] for x in data["x"]])
    step = pruned.tensors["y"].scale
    assert (np.abs(theirs - ours) > 0.5 * step).mean() < 0.01  # a tie may be rounded otherwise, and a step grow behind
    count = Counter(node.op_type for node in exported.graph.node)
    assert count["Transpose"] == 3, "two reads of x, one output"
    check_c(pruned, "host")
