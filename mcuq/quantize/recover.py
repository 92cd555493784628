"""Accuracy recovery: rounds weights and moves biases, layer by layer behind layers already quantized.

Weights are rounded to what errs least in the layer's output on real inputs (gptq.py, adaround.py). What is left
of an error in the mean of each output channel goes into the biases: Nagel et al., "Data-Free Quantization Through
Weight Equalization and Bias Correction", ICCV 2019, section 4.2, empirical form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from mcuq.errors import QuantizationError, did_you_mean
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import quantize_inputs, run_layer, samples_at_once
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.given_weights import came_with, has_given_weights
from mcuq.ops.weighted import BIAS_MAX, integer_constants, weight_rows
from mcuq.ops.weighted_operator import Weighted, is_weighted
from mcuq.quantize.adaround import round_adaround
from mcuq.quantize.gptq import round_gptq
from mcuq.quantize.means import channel_means
from mcuq.quantize.progress import Progress, silent
from mcuq.quantize.scheme import INT8_SCHEME, Scheme
from mcuq.quantize.second_moments import SecondMoments, group_rows, second_moments
from mcuq.quantize.weights import layer_grid, packed, weight_scales

Rounding = Literal["nearest", "gptq", "adaround"]
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)

# A bias moves through ReLU and clamping to a smaller move of the mean: it is corrected again for what is left.
CORRECTIONS = 2
# Sums of products that are held while biases are tried; mostly in float32, which is 16 MiB.
_MOST_SUMS = 2**22


@dataclass(frozen=True)
class Recovery:
    """What is done for accuracy; all of it measured on calibration data, in one sweep.

    `equalization` and `headroom` belong to what comes before: see equalize.py and headroom.py.
    """

    rounding: Rounding = "gptq"
    bias_correction: bool = True
    equalization: bool = True
    headroom: bool = True


DEFAULT_RECOVERY = Recovery()
NO_RECOVERY = Recovery("nearest", bias_correction=False, equalization=False, headroom=False)
# What may be said for a Recovery.
NAMED_RECOVERIES: dict[str, Recovery] = {
    "default": DEFAULT_RECOVERY,
    "none": NO_RECOVERY,
    **{rounding: replace(DEFAULT_RECOVERY, rounding=rounding) for rounding in ROUNDINGS},
}


def parse_recovery(text: str) -> Recovery:
    """The Recovery of that name: "default", "none", or the default with another rounding. Raises QuantizationError for
    any other."""
    if text not in NAMED_RECOVERIES:
        raise QuantizationError(
            f"recovery '{text}': unknown; use {', '.join(map(repr, NAMED_RECOVERIES))}, or a Recovery"
            + did_you_mean(text, NAMED_RECOVERIES)
        )
    return NAMED_RECOVERIES[text]


def recover(
    float_graph: Graph,
    graph: Graph,
    samples: Sequence[Mapping[str, Array]],
    recovery: Recovery = DEFAULT_RECOVERY,
    scheme: Scheme = INT8_SCHEME,
    progress: Progress = silent,
    means: Mapping[str, Array] | None = None,
) -> Graph:
    """`graph` with other weights and biases; `float_graph` is its float form, `graph` rounded to nearest.

    `samples` are float32 inputs by name, all of which are held at once with what is live of their activations. Layers
    whose weights came quantized stay as they are: they were trained, or corrected, with these weights. `means` are
    what biases are corrected to, by output: those of `float_graph` over the samples, where another run has found them.
    """
    given = {layer.output.name for layer in float_graph.layers() if has_given_weights(layer)}
    weighted = [n for layer in graph.layers() if _has_integer_weights(layer) and (n := layer.output.name) not in given]
    if not weighted or not (recovery.bias_correction or recovery.rounding != "nearest"):
        return graph
    wanted: Mapping[str, Array | None] = dict.fromkeys(weighted)
    if recovery.bias_correction:
        wanted = channel_means(float_graph, samples) if means is None else means
    stacked = {name: np.stack([sample[name] for sample in samples]) for name in graph.inputs}
    values = quantize_inputs(graph, stacked)
    tensors = dict(graph.tensors)
    float_layers = {layer.output.name: layer for layer in float_graph.layers()}
    last_reader = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    tick = progress(_phase(recovery), len(weighted))
    for index, layer in enumerate(graph.layers()):
        arguments = [t.values if t.is_constant else values[t.name] for t in layer.inputs]
        if layer.output.name in weighted:
            source = float_layers[layer.output.name]
            # Codes of few bits that came with the model are only such as long as equal ones round alike.
            are_codes = layer.inputs[1].packing not in (None, scheme.grid_of(*layer.names).name)
            if recovery.rounding != "nearest" and not (came_with(source) and are_codes):
                layer = _rounded(layer, source, arguments[0], recovery.rounding, scheme)
            layer, output = _corrected(layer, arguments[0], wanted[layer.output.name])
            tensors |= {t.name: t for t in layer.inputs[1:]}
            tick()
        else:
            output = run_layer(layer, arguments)
        values[layer.output.name] = output
        for t in layer.activations:
            if last_reader[t.name] == index:
                values.pop(t.name, None)
    return replace(graph, tensors=tensors)


def _phase(recovery: Recovery) -> str:
    """What is done to each layer."""
    done = [f"rounding weights ({recovery.rounding})"] if recovery.rounding != "nearest" else []
    return " and ".join([*done, *(["correcting biases"] if recovery.bias_correction else [])])


def _has_integer_weights(layer: Layer) -> bool:
    """Whether the layer of a quantized graph has integer weights and an int32 bias."""
    return is_weighted(layer) and layer.inputs[2].dtype == "int32"


def _rounded(layer: Layer, float_layer: Layer, x: Array, rounding: Rounding, scheme: Scheme) -> Layer:
    """The layer with its real weights rounded anew, for its inputs (samples, *shape)."""
    source = replace(float_layer, inputs=(layer.inputs[0], *float_layer.inputs[1:]), output=layer.output)
    real = weight_rows(source)
    moments = second_moments(layer, x)
    importance = _importance(moments, len(real))
    grid = layer_grid(real, scheme.grid_of(*layer.names), importance)
    scale = weight_scales(source, real, grid, scheme.weight_options, importance)
    rounder = round_gptq if rounding == "gptq" else round_adaround
    groups = moments.mean.shape[0]
    q = rounder(group_rows(layer, real), scale.reshape(groups, -1), moments, grid)
    _, weight, bias = packed(source, integer_constants(source, q.reshape(real.shape), scale), grid)
    names = [t.name for t in layer.inputs[1:]]
    return replace(layer, inputs=(layer.inputs[0], replace(weight, name=names[0]), replace(bias, name=names[1])))


def _importance(moments: SecondMoments, outputs: int) -> Array | None:
    """The variance of what each weight reads, (outputs, taps) or (1, taps) for all; None where nothing varies."""
    variance = moments.variance
    if len(variance) > 1:
        variance = variance.repeat(outputs // len(variance), axis=0)
    return variance if variance.max() > 0 else None


def _corrected(layer: Layer, x: Array, wanted: Array | None) -> tuple[Layer, Array]:
    """The layer with its bias moved until its output's channel means are the wanted ones, and its output.

    Each channel has the bias of the least error that was seen: where all values of a channel round alike, its mean
    moves in whole steps, and a correction can overshoot.
    """
    if wanted is None:
        return layer, run_layer(layer, [x, *(t.values for t in layer.inputs[1:])])
    run = _runner(layer, x)
    output = run(layer)
    least = error = _mean_error(layer, output, wanted)
    best = layer.inputs[2]
    for _ in range(CORRECTIONS):
        bias = _moved(layer.inputs[2], error)
        if np.array_equal(bias.values, layer.inputs[2].values):
            break
        layer = replace(layer, inputs=(*layer.inputs[:2], bias))
        output = run(layer)
        error = _mean_error(layer, output, wanted)
        better = np.abs(error) < np.abs(least)
        best = replace(best, data=np.where(better, bias.values, best.values))
        least = np.where(better, error, least)
    if not np.array_equal(best.values, layer.inputs[2].values):
        layer = replace(layer, inputs=(*layer.inputs[:2], best))
        output = run(layer)
    return layer, output


def _runner(layer: Layer, x: Array) -> Callable[[Layer], Array]:
    """Gives the output for the layer's inputs x (samples, *shape) with whatever biases: their sums of products are
    computed once where they take little memory."""
    step = samples_at_once(layer)
    parts: list[Array | None] = [None]
    if isinstance(layer.op, Weighted) and len(x) * layer.output.elements <= _MOST_SUMS:
        parts = [layer.op.sums(layer, x[i : i + step]) for i in range(0, len(x), step)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return lambda layer: run_layer(layer, [x, *(t.values for t in layer.inputs[1:])])

    def output(layer: Layer) -> Array:
        assert isinstance(layer.op, Weighted)
        return np.concatenate([layer.op.requantized(layer, part) for part in known])

    return output


def _mean_error(layer: Layer, output: Array, wanted: Array) -> Array:
    """Wanted less actual real mean of each channel of an int8 output."""
    steps = output.reshape(-1, output.shape[-1]).mean(axis=0, dtype=np.float64) - layer.output.zero_point
    error: Array = wanted - steps * layer.output.scale
    return error


def _moved(bias: Tensor, error: Array) -> Tensor:
    """The bias plus a real error for each channel; a channel without room for it stays."""
    moved = bias.values + np.rint(error / np.array(bias.quantization.scale))
    data = np.where(np.abs(moved) < BIAS_MAX, moved, bias.values).astype(np.int32)
    return replace(bias, data=data)
