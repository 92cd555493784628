"""How much noise each layer of a quantized model adds, alone and on top of the layers before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mcuq.diagnose.noise import Noise
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import quantize_inputs, run_layer, run_layers
from mcuq.graph.tensor import Array, Tensor
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.quantize import logits_tensor
from mcuq.quantize.calibrate import where_in_file
from mcuq.quantize.ranges import RangeCollector

Sample = Mapping[str, Array]


@dataclass(frozen=True)
class LayerNoise:
    """Noise of one layer's output against the float model's.

    `accumulated`: as it is in the quantized model. `alone`: of this layer by itself, given the float model's values in
    its inputs' numbers. `impact`: what that does to the model's output, all other layers in float. `inputs`, `weights`
    and `rounding` are what quantizing its inputs, its weights (None where it has none) and its output alone does to
    the layer's output. `clipped` is the share of the float model's values that its output's range cuts off, `values`
    holds their distribution.
    """

    layer: Layer
    accumulated: Noise
    alone: Noise
    impact: Noise
    inputs: Noise
    weights: Noise | None
    rounding: Noise
    clipped: float
    values: RangeCollector


@dataclass
class _Sums:
    values: RangeCollector
    clipped: int = 0
    accumulated: Noise = field(default_factory=Noise)
    alone: Noise = field(default_factory=Noise)
    impact: Noise = field(default_factory=Noise)
    inputs: Noise = field(default_factory=Noise)
    weights: Noise = field(default_factory=Noise)
    rounding: Noise = field(default_factory=Noise)


def measure_layers(
    float_graph: Graph, graph: Graph, batches: Iterable[Sample], tick: Callable[[int], None] = lambda samples: None
) -> tuple[LayerNoise, ...]:
    """The noise of each layer of `graph`, in its order, over batches (samples, *shape) of real inputs.

    `float_graph` has the same nodes and names. Memory does not grow with the number of batches; `tick(samples)` is
    called after each.
    """
    watched = logits_tensor(graph)
    layers = [layer for layer in graph.layers() if not layer.op.is_view]
    names = [layer.output.name for layer in graph.layers()]
    whole = FloatModel(write_onnx(float_graph, names))
    probes = {layer.output.name: _Probe(float_graph, layer, watched) for layer in layers}
    producers = graph.producers()
    sums = {
        name: _Sums(RangeCollector(name, where=where_in_file(graph, producers, name)))
        for name in (layer.output.name for layer in layers)
    }
    for batch in batches:
        reference = {**batch, **_run(whole, batch, names)}
        integers = run_layers(graph, quantize_inputs(graph, batch), keep_all=True)
        for layer in layers:
            name = layer.output.name
            _add(sums[name], layer, probes[name], reference, integers[name], reference[watched])
        tick(len(next(iter(batch.values()))))
    return tuple(_layer_noise(layer, sums[layer.output.name]) for layer in layers)


def _layer_noise(layer: Layer, found: _Sums) -> LayerNoise:
    return LayerNoise(
        layer,
        found.accumulated,
        found.alone,
        found.impact,
        found.inputs,
        found.weights if found.weights.signal.size else None,
        found.rounding,
        found.clipped / max(found.values.values_seen, 1),
        found.values,
    )


def _add(sums: _Sums, layer: Layer, probe: _Probe, reference: Sample, integer: Array, watched: Array) -> None:
    name = layer.output.name
    want = reference[name]
    sums.values.update(want)
    sums.accumulated.add(want, layer.output.decode(integer))
    inputs = {t.name: reference[t.name] for t in layer.activations}
    encoded = {t.name: t.encode(inputs[t.name]) for t in layer.activations}
    arguments = [t.values if t.is_constant else encoded[t.name] for t in layer.inputs]
    alone = layer.output.decode(run_layer(layer, arguments))
    sums.alone.add(want, alone)
    rounded = {t.name: t.decode(encoded[t.name]) for t in layer.activations}
    sums.inputs.add(want, probe.with_float_weights(rounded))
    if (output := probe.with_quantized_weights(inputs)) is not None:
        sums.weights.add(want, output)
    sums.rounding.add(want, layer.output.decode(layer.output.encode(want)))
    sums.impact.add(watched, probe.watched(alone, reference))
    if layer.output.quant is not None:
        low, high = layer.output.quant.real_bounds
        margin = max(layer.output.quant.scale) / 2
        sums.clipped += int(np.count_nonzero((want < low - margin) | (want > high + margin)))


class _Probe:
    """Float models around one layer: itself, itself with its quantized weights, and all that comes behind it."""

    def __init__(self, float_graph: Graph, layer: Layer, watched: str) -> None:
        node = next(n for n in float_graph.nodes if n.output == layer.output.name)
        self._output = layer.output.name
        self._watched_name = watched
        self._float = FloatModel(write_onnx(_single(float_graph, node, {})))
        # Biases are left as they are: theirs is the scale of accumulators, far finer than that of weights.
        weights = {
            old: real_constant(t)
            for old, t in zip(node.inputs, layer.inputs, strict=True)
            if t.is_constant and t.dtype not in ("int32", "float32")
        }
        self._quantized = FloatModel(write_onnx(_single(float_graph, node, weights))) if weights else None
        self._behind = _behind(float_graph, self._output, watched)

    def with_float_weights(self, inputs: Sample) -> Array:
        return _run(self._float, inputs, [self._output])[self._output]

    def with_quantized_weights(self, inputs: Sample) -> Array | None:
        """None for a layer without weights."""
        if self._quantized is None:
            return None
        return _run(self._quantized, inputs, [self._output])[self._output]

    def watched(self, value: Array, reference: Sample) -> Array:
        """The watched tensor where the layer's output has this value and all other layers compute in float."""
        if self._behind is None:
            return value if self._output == self._watched_name else reference[self._watched_name]
        given = {name: value if name == self._output else reference[name] for name in self._behind.inputs}
        return _run(self._behind, given, [self._watched_name])[self._watched_name]


def real_constant(tensor: Tensor) -> Array:
    """float32 values of a constant: dequantized, with one scale or one for each index of its first dimension."""
    if tensor.quant is None:
        return tensor.values.astype(np.float32)
    scale = np.array(tensor.quant.scale).reshape(-1, *(1,) * (len(tensor.shape) - 1))
    real: Array = (tensor.values.astype(np.float64) - tensor.quant.zero_point) * scale
    return real.astype(np.float32)


def _single(graph: Graph, node: Node, constants: Mapping[str, Array]) -> Graph:
    """The node as a graph of its own, some constants replaced."""
    tensors = {name: graph.tensors[name] for name in (*node.inputs, node.output)}
    for name, data in constants.items():
        tensors[name] = replace(tensors[name], data=data)
    inputs = tuple(dict.fromkeys(name for name in node.inputs if not tensors[name].is_constant))
    return Graph(graph.name, (node,), tensors, inputs, (node.output,))


def _behind(graph: Graph, tensor: str, watched: str) -> FloatModel | None:
    """What computes `watched` from `tensor` and, where there are other ways to it, from other tensors.

    None where it does not depend on it or is it.
    """
    if tensor == watched:
        return None
    depends = {tensor}
    nodes: list[Node] = []
    for node in graph.nodes:
        if depends & set(node.inputs) and node.output != tensor:
            depends.add(node.output)
            nodes.append(node)
    if watched not in depends:
        return None
    used = {name for node in nodes for name in node.inputs}
    computed = {node.output for node in nodes}
    inputs = [name for name in used - computed if not graph.tensors[name].is_constant]
    builder = GraphBuilder(Graph(graph.name, tuple(nodes), graph.tensors, tuple(sorted(inputs)), (watched,)))
    cut = builder.graph()
    still_read = {name for node in cut.nodes for name in node.inputs}
    return FloatModel(write_onnx(replace(cut, inputs=tuple(n for n in cut.inputs if n in still_read))))


def _run(model: FloatModel, batch: Sample, names: Sequence[str]) -> dict[str, Array]:
    """Outputs (samples, *shape) of a float model whose shapes are those of one sample."""
    count = len(next(iter(batch.values())))
    wanted = {name: batch[name] for name in model.inputs}
    results = [model.run({name: x[i] for name, x in wanted.items()}, names) for i in range(count)]
    return {name: np.stack([r[name] for r in results]) for name in names}
