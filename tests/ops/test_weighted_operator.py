"""What has weights is known by its trait: an operator that only this test defines goes through every stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
import pytest
from support import check_c, run_float

from mcuq.emit.qdq_export import export_qdq
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.portable.fully_connected import lower_fully_connected
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.affine import Affine
from mcuq.ops.clip import Clip
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted_operator import Weighted
from mcuq.passes import optimize
from mcuq.quantize import INT8_SCHEME, Recovery, Rounding, insert_conversions, prune_graph, quantize_on_samples
from mcuq.quantize.equalize import equalize
from mcuq.quantize.level import level
from mcuq.quantize.seen import see

CHANNELS, HIDDEN, OUTPUTS, STEPS = 6, 8, 3, 4
DEAD = 5


@dataclass(frozen=True)
class DenseOverTime(Weighted):
    """y[n, t, oc] = clamp(sum over ic of x[n, t, ic] * weight[oc, ic], plus bias[oc]): error of FullyConnected."""

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return (*inputs[0].shape[:-1], inputs[1].shape[0])

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, weight, bias = layer.inputs
        product = writer.node("MatMul", [x.name, writer.permuted(weight, (1, 0))])
        writer.clip(writer.node("Add", [product, bias.name]), self.minimum, self.maximum, layer.output.name)

    def rows(self, layer: Layer) -> tuple[FullyConnected, Layer]:
        """The same with all steps as rows of a matrix."""
        op = FullyConnected(minimum=self.minimum, maximum=self.maximum)
        x, y = (replace(t, shape=(t.elements // t.shape[-1], t.shape[-1])) for t in (layer.inputs[0], layer.output))
        return op, replace(layer, op=op, inputs=(x, *layer.inputs[1:]), output=y)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        op, rows = self.rows(layer)
        x = inputs[0].reshape(len(inputs[0]), *rows.inputs[0].shape)
        return op.simulate(rows, [x, *inputs[1:]]).reshape(len(x), *layer.output.shape)

    def macs(self, layer: Layer) -> int:
        return layer.output.elements * layer.inputs[1].shape[1]


def lower_dense_over_time(op: DenseOverTime, layer: Layer) -> tuple[Call, ...]:
    return lower_fully_connected(*op.rows(layer))


@pytest.fixture(autouse=True)
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KERNELS, DenseOverTime, (Kernel(lower_dense_over_time),))


def network() -> Graph:
    """Affine, dense, clip, dense, affine; the channels between differ by a factor of 400 that the weights behind take
    back, and one of them is dead."""
    rng = np.random.default_rng(3)
    builder = GraphBuilder("toy")
    x = builder.input("x", (1, STEPS, CHANNELS))

    def constant(*shape: int, spread: float = 1.0) -> str:
        return builder.constant(rng.normal(0, spread, shape).astype(np.float32), f"c{len(builder.tensors)}")

    x = builder.add(Affine(2), [x, constant(CHANNELS), constant(CHANNELS, spread=0.1)])
    reach = np.geomspace(1, 400, HIDDEN)
    rows = rng.normal(0, 1, (HIDDEN, CHANNELS)) * reach[:, None]
    rows[DEAD] = 0
    bias = np.where(np.arange(HIDDEN) == DEAD, 0.75, 0.1)
    inputs = [x, builder.constant(rows.astype(np.float32), "w"), builder.constant(bias.astype(np.float32), "b")]
    x = builder.add(DenseOverTime(), inputs, name="first")
    x = builder.add(Clip(0.0, float("inf")), [x])
    behind = builder.constant((rng.normal(0, 1, (OUTPUTS, HIDDEN)) / reach).astype(np.float32), "behind")
    x = builder.add(DenseOverTime(), [x, behind, constant(OUTPUTS)], name="second")
    builder.outputs.append(builder.add(Affine(2), [x, constant(OUTPUTS), constant(OUTPUTS)], "y"))
    return builder.graph()


def samples() -> list[dict[str, Array]]:
    rng = np.random.default_rng(4)
    return [{"x": rng.normal(0, 1, (1, STEPS, CHANNELS)).astype(np.float32)} for _ in range(24)]


def test_scales_and_clips_go_into_its_weights() -> None:
    found = optimize(network())
    assert [type(node.op) for node in found.nodes] == [DenseOverTime, DenseOverTime]
    data = {"x": np.stack([s["x"] for s in samples()])}
    wanted, got = (run_float(write_onnx(graph), data)["y"] for graph in (network(), found))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-3)


def as_matrices(graph: Graph) -> Graph:
    """The same with FullyConnected in place of the operator, on steps as rows."""
    builder = GraphBuilder("toy")
    names = {"x": builder.input("x", (STEPS, CHANNELS))}
    for layer in graph.layers():
        op = FullyConnected(minimum=layer.op.minimum, maximum=layer.op.maximum)  # type: ignore[attr-defined]
        constants = [builder.constant(t.values, t.name) for t in layer.inputs[1:]]
        names[layer.output.name] = builder.add(op, [names[layer.inputs[0].name], *constants], layer.output.name)
    builder.outputs.append(names["y"])
    return builder.graph()


@pytest.mark.parametrize("method", [equalize, level], ids=["equalize", "level"])
def test_its_channels_are_evened_out_as_those_of_a_fully_connected_layer(method: object) -> None:
    def changed(graph: Graph) -> list[Array]:
        data = [{"x": s["x"].reshape(graph.tensors["x"].shape)} for s in samples()]
        seen = see(graph, data)
        found, _ = equalize(graph, seen) if method is equalize else level(graph, seen, dict.fromkeys(seen, 255.0))
        return [t.values for layer in found.layers() for t in layer.inputs[1:]]

    graph = optimize(network())
    before = [t.values for layer in graph.layers() for t in layer.inputs[1:]]
    got, wanted = changed(graph), changed(as_matrices(graph))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert any((a != b).any() for a, b in zip(got, before, strict=True))


@pytest.mark.parametrize("rounding", ["nearest", "gptq", "adaround"])
def test_it_is_quantized_pruned_exported_and_run(rounding: Rounding) -> None:
    def quantized(graph: Graph) -> Graph:
        data = [{"x": s["x"].reshape(graph.tensors["x"].shape)} for s in samples()]
        recovery = Recovery(rounding)
        return quantize_on_samples(insert_conversions(graph, INT8_SCHEME), data, recovery=recovery).graph

    def run(graph: Graph) -> Array:
        data = {"x": np.stack([s["x"].reshape(graph.tensors["x"].shape) for s in samples()])}
        return dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, data)))["y"]

    integer = quantized(optimize(network()))
    ours = run(integer)
    assert np.array_equal(ours.reshape(len(ours), STEPS, OUTPUTS), run(quantized(as_matrices(optimize(network())))))

    pruned, saved = prune_graph(integer)
    assert saved.channels == 1
    assert saved.macs == STEPS * (CHANNELS + OUTPUTS)
    assert np.array_equal(run(pruned), ours)

    session = onnxruntime.InferenceSession(export_qdq(pruned).SerializeToString(), providers=["CPUExecutionProvider"])
    theirs = np.stack([session.run(["y"], sample)[0] for sample in samples()])
    assert np.abs(theirs - ours).max() < 1.001 * pruned.tensors["y"].scale  # a tie may be rounded otherwise

    check_c(pruned, "host")
