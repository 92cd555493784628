"""Without data: BatchNormalizations tell how their outputs were distributed in training.

Channel c of such an output had the mean beta[c] and the deviation |gamma[c]|. Made-up inputs give layers other values
than real ones, and the deeper the layer the more so; a twin of the network, whose normalizations normalize what the
made-up inputs give them, has the distributions of training behind each. Source: Nagel et al., "Data-Free Quantization
Through Weight Equalization and Bias Correction", ICCV 2019, section 4, which takes beta +- 6 gamma as the range; the
samples tell besides what the layers between, additions and poolings make of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import numpy_helper

from mcuq.dataset import Dataset
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.affine import Affine
from mcuq.quantize.calibrate import Range
from mcuq.quantize.synthetic import synthetic_dataset

# Real inputs resemble each other in what the network looks for, made-up ones do not: between normalizations, and in the
# logits, real values reach up to 3.5 times as far. A factor of two costs one bit of eight; clipping costs more:
# sww has 18.0 dB without, 25.3 dB with it, 19.1 dB at three.
_MARGIN = 2.0


@dataclass(frozen=True, eq=False)
class Trained:
    """What a BatchNormalization gave in training: deviation |gamma| and mean beta, both (channels,)."""

    gamma: Array
    beta: Array


def trained_outputs(model: onnx.ModelProto, graph: Graph) -> dict[str, Trained]:
    """The outputs of the model's BatchNormalizations with constant parameters, by their names in `graph`."""
    constants = {t.name: t for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            constants.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
    found = {}
    for node in model.graph.node:
        parameters = [constants.get(name) for name in node.input[1:3]]
        if node.op_type == "BatchNormalization" and node.output[0] in graph.tensors and None not in parameters:
            gamma, beta = (numpy_helper.to_array(t).astype(np.float64) for t in parameters if t is not None)
            found[node.output[0]] = Trained(gamma, beta)
    return found


def trained_twin(graph: Graph, trained: Mapping[str, Trained]) -> tuple[Graph, Dataset]:
    """The imported graph whose Affines of `trained` give for the returned made-up inputs what they gave in training.

    The inputs are scaled up until the first of them reads the deviation that it was trained on, as for pixels of 0 to
    255, and never down: too wide a range costs bits, too narrow a range costs the result.
    """
    nodes = [node for node in graph.nodes if isinstance(node.op, Affine) and node.output in trained]
    samples = synthetic_dataset(graph)
    if nodes:
        samples = synthetic_dataset(graph, _gain(graph, nodes[0], trained[nodes[0].output], samples))
    for node in nodes:
        graph = _normalized(graph, node, trained[node.output], samples)
    return graph, samples


def widened(graph: Graph, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """The ranges found with `trained_twin`, with room for what real inputs do and made-up ones do not.

    Those of inputs stay.
    """
    return {
        name: (low, high) if name in graph.inputs else (_MARGIN * low, _MARGIN * high)
        for name, (low, high) in ranges.items()
    }


def _gain(graph: Graph, node: Node, trained: Trained, samples: Dataset) -> float:
    """How many times the deviation of the made-up values the Affine's input had in training; at least 1."""
    deviation = _moments(graph, node, samples)[1]
    factor = graph.tensors[node.inputs[1]].values  # gamma / deviation in training
    known = (deviation > 0) & (factor != 0)
    if not known.any():
        return 1.0
    return max(1.0, float(np.median(np.abs(trained.gamma[known] / factor[known]) / deviation[known])))


def _normalized(graph: Graph, node: Node, trained: Trained, samples: Dataset) -> Graph:
    mean, deviation = _moments(graph, node, samples)
    # A channel without variation stays at its mean.
    factor = np.divide(trained.gamma, deviation, out=np.zeros_like(mean), where=deviation > 0)
    tensors = dict(graph.tensors)
    for name, values in zip(node.inputs[1:], (factor, trained.beta - mean * factor), strict=True):
        tensors[name] = replace(tensors[name], data=values.astype(np.float32))
    return replace(graph, tensors=tensors)


def _moments(graph: Graph, node: Node, samples: Dataset) -> tuple[Array, Array]:
    """Mean and deviation (channels,) of what the Affine reads."""
    assert isinstance(node.op, Affine)
    x = node.inputs[0]
    if x in graph.inputs:
        values = [sample[x] for sample in samples]
    else:
        model = FloatModel(write_onnx(graph, [x]))
        values = [model.run(sample, [x])[x] for sample in samples]
    stacked = np.moveaxis(np.stack(values).astype(np.float64), node.op.axis + 1, -1)
    channels = stacked.reshape(-1, stacked.shape[-1])
    return channels.mean(axis=0), channels.std(axis=0)
