"""Tells of layers whose weights are rounded more coarsely than their integers could, so that their sums fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.ops.float_weights import LARGEST_DIFFERENCE
from mcuq.ops.given_weights import has_given_weights
from mcuq.ops.weighted import scales_for_differences, scales_for_sums, weight_rows
from mcuq.ops.weighted_operator import is_weighted
from mcuq.quantize.scheme import Scheme


def long_sum_notes(float_graph: Graph, graph: Graph, scheme: Scheme) -> tuple[str, ...]:
    """A sentence for each layer of a quantized graph with a scale that its sums made coarser; `float_graph` has its
    layers with real weights, by the same names of their outputs."""
    real = {layer.output.name: layer for layer in float_graph.layers()}
    notes = []
    for layer in graph.layers():
        if not is_weighted(layer) or layer.inputs[1].quant is None:
            continue
        source = real[layer.output.name]
        if has_given_weights(source):
            continue
        source = replace(source, inputs=(layer.inputs[0], *source.inputs[1:]), output=layer.output)
        times = _coarsened(source, scheme)
        if times > 1:
            taps = weight_rows(source).shape[1]
            notes.append(
                f"weights of '{layer.names[-1]}' are rounded up to {times:.2g} times as coarsely as they could be, so "
                f"that its sums of {taps:,} products fit; split the layer into two that are added to keep them finer"
            )
    return tuple(notes)


def _coarsened(layer: Layer, scheme: Scheme) -> float:
    """How many times the scale that weights need is what sums need, for the channel where that is most; of a layer
    with real weights, whose input and output are quantized or float tensors.

    A channel of which no weights show in the output has none to lose: all it has is a bias.
    """
    rows, is_dynamic = weight_rows(layer), layer.inputs[0].quant is None
    sums = scales_for_differences(rows, LARGEST_DIFFERENCE) if is_dynamic else scales_for_sums(layer)
    needed = np.abs(rows).max(axis=1) / scheme.reach_of(*layer.names)
    if not scheme.weight_options.per_channel:
        needed = np.full_like(needed, needed.max())
    counts = needed > 0
    x, y = layer.inputs[0].quant, layer.output.quant
    if x is not None and y is not None:
        low, high = x.real_bounds
        counts &= np.abs(rows).sum(axis=1) * (high - low) > min(y.scale) / 2
    return float(np.divide(sums, needed, out=np.zeros_like(sums), where=counts).max())
