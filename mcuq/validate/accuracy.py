"""Simulator against the float model: accuracy, agreement, and signal to quantization noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log10

import numpy as np
import onnx

from mcuq.compile import CompiledModel
from mcuq.dataset import Dataset
from mcuq.float_model import FloatModel
from mcuq.ir import Graph
from mcuq.ops.convert import Convert
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.softmax import Softmax
from mcuq.simulate import quantize_inputs, simulate
from mcuq.tensor import Array

BATCH = 64


@dataclass(frozen=True)
class AccuracyReport:
    """What quantization costs.

    `accuracy` and `float_accuracy` are shares of samples whose largest value of the first output stands at the
    label (None without labels); `agreement` the share in which both models have it at the same place (None where
    the output is a single value). `sqnr_db` is 10 log10(signal / noise) over all samples of `sqnr_tensor`: the
    first output, or what its final Softmax reads, as Softmax hides errors and amplifies others.
    """

    samples: int
    accuracy: float | None
    float_accuracy: float | None
    agreement: float | None
    sqnr_db: float
    sqnr_tensor: str


def measure_accuracy(model: CompiledModel, dataset: Dataset, tick: Callable[[], None] = lambda: None) -> AccuracyReport:
    """Run simulator and float model over the data set; memory does not grow with it. `tick` after each sample."""
    return compare_with_float(model.graph, model.onnx_model, dataset, tick)


def compare_with_float(
    graph: Graph, onnx_model: bytes, dataset: Dataset, tick: Callable[[], None] = lambda: None
) -> AccuracyReport:
    """The same for an int8 graph and the float model that it was made from."""
    output = graph.outputs[0]
    logits, float_model = _logits(graph, onnx_model)
    watched = Graph(graph.name, graph.nodes, graph.tensors, graph.inputs, tuple(dict.fromkeys((output, logits))))
    agreed = correct = float_correct = done = 0
    signal = noise = 0.0
    for batch in dataset.batches(BATCH):
        count = len(next(iter(batch.values())))
        integers = simulate(watched, quantize_inputs(graph, batch))
        references = [float_model.run({k: v[i] for k, v in batch.items()}, watched.outputs) for i in range(count)]
        expected = np.stack([r[logits] for r in references]).astype(np.float64)
        got = graph.tensors[logits].decode(integers[logits])
        signal += float((expected**2).sum())
        noise += float(((expected - got) ** 2).sum())
        chosen = _largest(graph.tensors[output].decode(integers[output]))
        float_chosen = _largest(np.stack([r[output] for r in references]))
        agreed += int((chosen == float_chosen).sum())
        if dataset.labels is not None:
            labels = dataset.labels[done : done + count]
            correct += int((chosen == labels).sum())
            float_correct += int((float_chosen == labels).sum())
        done += count
        for _ in range(count):
            tick()
    labelled = dataset.labels is not None
    return AccuracyReport(
        samples=done,
        accuracy=correct / done if labelled else None,
        float_accuracy=float_correct / done if labelled else None,
        agreement=agreed / done if graph.tensors[output].elements > 1 else None,
        sqnr_db=_decibels(signal, noise),
        sqnr_tensor=logits,
    )


def logits_tensor(graph: Graph) -> str:
    """The tensor to take the SQNR of: the first output, or what a Softmax that ends in it reads; before conversions."""
    producers = graph.producers()

    def before_conversions(name: str) -> str:
        while name in producers and isinstance(producers[name].op, Convert):
            name = producers[name].inputs[0]
        return name

    last = producers.get(before_conversions(graph.outputs[0]))
    if last is not None and isinstance(last.op, Softmax | LogSoftmax):
        return before_conversions(last.inputs[0])
    return graph.outputs[0]


def _logits(graph: Graph, onnx_model: bytes) -> tuple[str, FloatModel]:
    """The tensor to take the SQNR of, and the float model with it among its outputs."""
    proto = onnx.load_model_from_string(onnx_model)
    name = logits_tensor(graph)
    if not any(name in node.output for node in proto.graph.node):
        return graph.outputs[0], FloatModel(proto)
    if all(value.name != name for value in proto.graph.output):
        proto.graph.output.append(onnx.ValueInfoProto(name=name))
    return name, FloatModel(proto)


def _largest(values: Array) -> Array:
    """Index of the largest element of each sample."""
    index: Array = np.argmax(values.reshape(len(values), -1), axis=1)
    return index


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return inf
    return 10 * log10(signal / noise) if signal > 0 else -inf
