"""The diagnosis of a quantized model: its layers, those first that cost its output most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.boards.facts import Board
from mcuq.compile import QuantizedModel
from mcuq.dataset import Sample, spread_samples
from mcuq.diagnose.advice import Advice, advise
from mcuq.diagnose.histogram import Histogram, coarser, histogram_of
from mcuq.diagnose.layers import LayerNoise, measure_layers
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Tensor
from mcuq.lower import Goal, Step, lower
from mcuq.quantize import logits_tensor

BATCH = 16
# Of more samples these, evenly spread: each is run once through the float model's rest behind every layer.
MOST_SAMPLES = 128


@dataclass(frozen=True)
class LayerDiagnosis:
    """One layer: its errors as SQNR in dB, its size, its distributions and what to do about it.

    `impact_db`: of the model's output where this layer alone is quantized. `alone_db` and `cosine`: of the layer's
    output then. `accumulated_db`: of its output in the whole quantized model. `inputs_db`, `weights_db` (None without
    weights), `rounding_db`: of its output where only its inputs, its weights, its output are quantized.
    `worst_channel` has the least SQNR alone, `worst_channel_db`. `clipped` is the share of its output's values outside
    its range. Bytes are of weights, biases, multipliers and tables, in float and as emitted.
    """

    name: str
    op: str
    weights: str | None
    activations: str
    impact_db: float
    alone_db: float
    accumulated_db: float
    cosine: float
    worst_channel: int
    worst_channel_db: float
    inputs_db: float
    weights_db: float | None
    rounding_db: float
    clipped: float
    float_bytes: int
    quantized_bytes: int
    output_histogram: Histogram
    weight_histogram: Histogram | None
    advice: Advice


@dataclass(frozen=True)
class Diagnosis:
    """`layers`: the worst first. `sqnr_db` is that of `output` (the logits, where a Softmax follows) over `samples`."""

    output: str
    samples: int
    sqnr_db: float
    layers: tuple[LayerDiagnosis, ...]


def diagnose_model(
    quantized: QuantizedModel,
    board: Board,
    samples: Iterable[Sample],
    optimize: Goal = "balanced",
    tick: Callable[[int], None] = lambda samples: None,
) -> Diagnosis:
    """Measure each layer over at most MOST_SAMPLES of the samples; `tick(samples)` after each batch of them."""
    graph = quantized.graph
    used = spread_samples(samples, MOST_SAMPLES)
    found = measure_layers(quantized.float_graph, graph, _batches(used), tick)
    steps = {step.layer.output.name: step for step in lower(graph, board.cpu.features, optimize).steps}
    producers = graph.producers()
    layers = []
    for noise in found:
        behind = _producers(graph, noise, producers)
        layers.append(_layer(quantized.float_graph, noise, steps[noise.layer.output.name], advise(noise, behind)))
    layers.sort(key=lambda layer: (layer.impact_db, layer.alone_db))
    watched = logits_tensor(graph)
    # A view has no figures of its own: its values are those of the layer before it.
    source = watched
    while source in producers and producers[source].op.is_view:
        source = producers[source].inputs[0]
    last = next(noise for noise in reversed(found) if noise.layer.output.name == source or source in graph.inputs)
    return Diagnosis(watched, len(used), last.accumulated.sqnr_db, tuple(layers))


def _batches(samples: Sequence[Sample]) -> Iterator[Sample]:
    for start in range(0, len(samples), BATCH):
        part = samples[start : start + BATCH]
        yield {name: np.stack([sample[name] for sample in part]) for name in part[0]}


def _producers(graph: Graph, noise: LayerNoise, producers: dict[str, Node]) -> tuple[str, ...]:
    """The layers that compute the inputs' values, behind views and what moves values only."""
    names = []
    for tensor in noise.layer.activations:
        name = tensor.name
        while name in producers and _moves(producers[name]):
            name = producers[name].inputs[0]
        if name in producers:
            names.append(producers[name].name)
    return tuple(dict.fromkeys(names))


def _moves(node: Node) -> bool:
    """Whether the node passes on its one computed input's integers."""
    return node.op.is_view or (node.op.shares_scale and len(node.inputs) == 1)


def _layer(float_graph: Graph, noise: LayerNoise, step: Step, advice: Advice) -> LayerDiagnosis:
    layer = noise.layer
    channel, channel_db = noise.alone.worst_channel
    node = next(n for n in float_graph.nodes if n.output == layer.output.name)
    constants = [float_graph.tensors[name] for name in node.inputs if float_graph.tensors[name].is_constant]
    # Of what converts, constants are scales.
    weights = [t for t in layer.inputs if t.is_constant and layer.op.stated_dtype is None]
    low, high = layer.output.quant.real_bounds if layer.output.quant is not None else (-np.inf, np.inf)
    return LayerDiagnosis(
        name=layer.name,
        op=type(layer.op).__name__,
        weights=weights[0].storage if weights else None,
        activations=layer.output.dtype,
        impact_db=noise.impact.sqnr_db,
        alone_db=noise.alone.sqnr_db,
        accumulated_db=noise.accumulated.sqnr_db,
        cosine=noise.alone.cosine,
        worst_channel=channel,
        worst_channel_db=channel_db,
        inputs_db=noise.inputs.sqnr_db,
        weights_db=None if noise.weights is None else noise.weights.sqnr_db,
        rounding_db=noise.rounding.sqnr_db,
        clipped=noise.clipped,
        float_bytes=sum(4 * prod(t.shape) for t in constants),
        quantized_bytes=sum(array.nbytes for call in step.calls for array in call.arrays.values()),
        output_histogram=coarser(*noise.values.histogram(), low, high),
        weight_histogram=_weight_histogram(constants[0], weights[0]) if weights else None,
        advice=advice,
    )


def _weight_histogram(real: Tensor, quantized: Tensor) -> Histogram:
    """The float weights, and what the widest channel's integers express."""
    if quantized.quant is None:
        return histogram_of(real.values, -np.inf, np.inf)
    scale = max(quantized.quant.scale)
    largest = int(np.abs(quantized.values.astype(np.int64)).max())
    return histogram_of(real.values, -largest * scale, largest * scale)
