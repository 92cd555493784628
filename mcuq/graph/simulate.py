"""Runs an integer graph in NumPy: bit for bit what the emitted C computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array

# Samples run together as far as the largest layer's float32 workspace stays below this.
WORKSPACE_BYTES = 64 * 2**20


def simulate(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs by name, (samples, *shape), for inputs of the same form, in the dtypes of the graph's tensors."""
    wanted = set(graph.outputs)
    chunk = _samples_at_once(graph)
    total = len(next(iter(inputs.values())))
    parts = [
        {
            name: value
            for name, value in run_layers(graph, {n: x[i : i + chunk] for n, x in inputs.items()}).items()
            if name in wanted
        }
        for i in range(0, total, chunk)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in graph.outputs}


def run_layers(graph: Graph, inputs: Mapping[str, Array], keep_all: bool = False) -> dict[str, Array]:
    """Values by name; those that no later layer and no output needs are dropped unless `keep_all`."""
    values = dict(inputs)
    last_reader = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    for index, layer in enumerate(graph.layers()):
        arguments = [t.values if t.is_constant else values[t.name] for t in layer.inputs]
        values[layer.output.name] = layer.op.simulate(layer, arguments)
        if not keep_all:
            for t in layer.activations:
                if last_reader[t.name] == index and t.name not in graph.outputs:
                    values.pop(t.name, None)
    return values


def run_layer(layer: Layer, arguments: Sequence[Array]) -> Array:
    """One layer over any number of samples, in parts that keep its workspace small."""
    chunk = samples_at_once(layer)
    samples = max(len(a) for a, t in zip(arguments, layer.inputs, strict=True) if not t.is_constant)
    parts = []
    for i in range(0, samples, chunk):
        part = [a if t.is_constant else a[i : i + chunk] for a, t in zip(arguments, layer.inputs, strict=True)]
        parts.append(layer.op.simulate(layer, part))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def samples_at_once(layer: Layer) -> int:
    """How many samples of one layer keep its workspace small."""
    return max(1, WORKSPACE_BYTES // (4 * _largest_array(layer)))


def quantize_inputs(graph: Graph, sample: Mapping[str, Array]) -> dict[str, Array]:
    """Real inputs by name as the graph takes them, in any number of leading dimensions; what is none of its inputs
    (whether states begin anew) as bytes."""
    known = graph.tensors
    return {name: known[name].encode(x) if name in known else x.astype(np.int8) for name, x in sample.items()}


def dequantize_outputs(graph: Graph, outputs: Mapping[str, Array]) -> dict[str, Array]:
    """Real values, float32, of outputs by name."""
    return {name: graph.tensors[name].decode(value) for name, value in outputs.items()}


def _samples_at_once(graph: Graph) -> int:
    return min((samples_at_once(layer) for layer in graph.layers()), default=WORKSPACE_BYTES // 4)


def _largest_array(layer: Layer) -> int:
    """Elements: an im2col holds at most one value a multiply-accumulate of one output channel."""
    columns = layer.op.macs(layer) // max(layer.output.shape[-1], 1) if layer.output.shape else 0
    return max(1, columns, layer.output.elements, *(t.elements for t in layer.activations))
