"""What has weights is known by its trait: an operator that only this test defines goes through every stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from toy_networks import check_same, check_stages, leveled, samples, stacked

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.portable.fully_connected import lower_fully_connected
from mcuq.ops.affine import Affine
from mcuq.ops.clip import Clip
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted_operator import Weighted
from mcuq.passes import optimize
from mcuq.quantize import INT8_SCHEME, Recovery, Rounding, insert_conversions, quantize_on_samples
from mcuq.quantize.equalize import equalize
from mcuq.quantize.seen import see

CHANNELS, HIDDEN, OUTPUTS, STEPS = 6, 8, 3, 4
DEAD = 5
DATA = samples(1, STEPS, CHANNELS, count=24)


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


def test_scales_and_clips_go_into_its_weights() -> None:
    found = optimize(network())
    assert [type(node.op) for node in found.nodes] == [DenseOverTime, DenseOverTime]
    check_same(network(), found, DATA, 1e-3)


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


@pytest.mark.parametrize("method", [equalize, leveled], ids=["equalize", "level"])
def test_its_channels_are_evened_out_as_those_of_a_fully_connected_layer(method: object) -> None:
    def changed(graph: Graph) -> list[Array]:
        data = [{"x": s["x"].reshape(graph.tensors["x"].shape)} for s in DATA]
        found = equalize(graph, see(graph, data))[0] if method is equalize else leveled(graph, data)
        return [t.values for layer in found.layers() for t in layer.inputs[1:]]

    graph = optimize(network())
    before = [t.values for layer in graph.layers() for t in layer.inputs[1:]]
    got, wanted = changed(graph), changed(as_matrices(graph))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert any((a != b).any() for a, b in zip(got, before, strict=True))


@pytest.mark.parametrize("rounding", ["nearest", "gptq", "adaround"])
def test_it_is_quantized_pruned_exported_and_run(rounding: Rounding) -> None:
    recovery = Recovery(rounding)
    found = check_stages(optimize(network()), DATA, DATA, recovery=recovery)
    rows = [{"x": s["x"].reshape(STEPS, CHANNELS)} for s in DATA]
    matrices = as_matrices(optimize(network()))
    integer = quantize_on_samples(insert_conversions(matrices, INT8_SCHEME), rows, recovery=recovery).graph
    wanted = dequantize_outputs(integer, simulate(integer, quantize_inputs(integer, stacked(rows))))["y"]
    assert np.array_equal(found.outputs.reshape(len(DATA), STEPS, OUTPUTS), wanted)
    assert found.saved.channels == 1
    assert found.saved.macs == STEPS * (CHANNELS + OUTPUTS)
