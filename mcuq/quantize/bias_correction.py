"""Bias correction: moves each bias by the mean error that quantization leaves in its output channel.

Rounded weights and clipped ranges shift a channel's mean; the shift is measured on calibration data, layer by
layer behind layers already corrected. Source: Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019, section 4.2, empirical form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from mcuq.float_model import FloatModel
from mcuq.ir import Graph
from mcuq.onnx_io.writer import write_onnx
from mcuq.operator import Layer
from mcuq.ops.given_weights import has_given_weights
from mcuq.ops.weighted import BIAS_MAX
from mcuq.simulate import quantize_inputs, run_layer
from mcuq.tensor import Array, Tensor

# Their activations are held at once, so that memory does not grow with the data. Fewer than a hundred left the
# means of the reference networks unsettled.
MOST_SAMPLES = 256


class Samples(Protocol):
    """Float32 inputs by name, countable and as often iterable as one likes: a Dataset or a list."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Mapping[str, Array]]: ...


def correct_biases(float_graph: Graph, graph: Graph, samples: Samples) -> Graph:
    """`graph` with corrected int32 biases; `float_graph` is its float form.

    Measured on float32 samples of the inputs, at most 256 of them, spread evenly. Layers whose weights came quantized
    stay as they are: they were trained, or corrected, with these weights.
    """
    given = {layer.output.name for layer in float_graph.layers() if has_given_weights(layer)}
    weighted = [layer.output.name for layer in graph.layers() if _has_bias(layer) and layer.output.name not in given]
    if not weighted:
        return graph
    chosen = set(np.linspace(0, len(samples) - 1, min(len(samples), MOST_SAMPLES)).round().astype(int).tolist())
    used = [sample for index, sample in enumerate(samples) if index in chosen]
    wanted = _channel_means(float_graph, weighted, used)
    stacked = {name: np.stack([sample[name] for sample in used]) for name in graph.inputs}
    values = quantize_inputs(graph, stacked)
    tensors = dict(graph.tensors)
    last_reader = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    for index, layer in enumerate(graph.layers()):
        arguments = [t.values if t.is_constant else values[t.name] for t in layer.inputs]
        output = run_layer(layer, arguments)
        if layer.output.name in wanted:
            real = output.reshape(-1, output.shape[-1]).mean(axis=0, dtype=np.float64) - layer.output.zero_point
            bias = _moved(layer.inputs[2], wanted[layer.output.name] - real * layer.output.scale)
            tensors[bias.name] = bias
            layer = replace(layer, inputs=(*layer.inputs[:2], bias))
            output = run_layer(layer, arguments)
        values[layer.output.name] = output
        for t in layer.activations:
            if last_reader[t.name] == index:
                values.pop(t.name, None)
    return replace(graph, tensors=tensors)


def _has_bias(layer: Layer) -> bool:
    return len(layer.inputs) == 3 and layer.inputs[2].dtype == "int32"


def _channel_means(graph: Graph, names: list[str], samples: list[Mapping[str, Array]]) -> dict[str, Array]:
    """Mean of each last-dimension index of the named tensors over all samples."""
    model = FloatModel(write_onnx(graph, names))
    totals = {name: np.zeros(graph.tensors[name].shape[-1]) for name in names}
    for sample in samples:
        for name, value in model.run(sample, names).items():
            totals[name] += value.reshape(-1, value.shape[-1]).mean(axis=0, dtype=np.float64)
    return {name: total / len(samples) for name, total in totals.items()}


def _moved(bias: Tensor, error: Array) -> Tensor:
    """The bias plus a real error for each channel; a channel without room for it stays."""
    moved = bias.values + np.rint(error / np.array(bias.quantization.scale))
    data = np.where(np.abs(moved) < BIAS_MAX, moved, bias.values).astype(np.int32)
    return replace(bias, data=data)
