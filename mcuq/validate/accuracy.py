"""Simulator against the float model: accuracy, agreement, and signal to quantization noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import onnx

from mcuq.compile import CompiledModel
from mcuq.dataset import Dataset
from mcuq.dataset.sequences import Sequences
from mcuq.dataset.windows import windows_of
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import quantize_inputs
from mcuq.graph.states import Calls
from mcuq.graph.streams import newest, of_windows
from mcuq.graph.tensor import Array
from mcuq.quantize import OutputQuality, QualityMeter, quality_notes, watched_tensors
from mcuq.quantize.calls import FloatCalls
from mcuq.validate.labels import Labels
from mcuq.validate.reach import InputMeter

BATCH = 64


@dataclass(frozen=True)
class AccuracyReport:
    """What quantization costs.

    `accuracy` and `float_accuracy` are shares of samples whose largest value of the first output stands at the
    label, or whose one integer it is (None without labels, or where they are no classes); `agreement` the share in
    which both models have the same there (None where the output is a single real value). `sqnr_db` is that of the first
    of `outputs`, taken of `sqnr_tensor`. `notes` are warnings for the user.
    """

    samples: int
    accuracy: float | None
    float_accuracy: float | None
    agreement: float | None
    sqnr_db: float
    sqnr_tensor: str
    outputs: tuple[OutputQuality, ...]
    notes: tuple[str, ...]


def measure_accuracy(
    model: CompiledModel, dataset: Dataset | Sequences, tick: Callable[[], None] = lambda: None
) -> AccuracyReport:
    """Run simulator and float model over the data set; memory does not grow with it. `tick` after each sample."""
    return compare_with_float(model.graph, model.onnx_model, dataset, tick)


def compare_with_float(
    graph: Graph, onnx_model: bytes, dataset: Dataset | Sequences, tick: Callable[[], None] = lambda: None
) -> AccuracyReport:
    """The same for an int8 graph and the float model that it was made from. With states both go along sequences, each
    with what its own states become."""
    output = graph.given_outputs[0]
    tensors, float_model = _watched(graph, onnx_model)
    names = tuple(dict.fromkeys((output, *tensors.values())))
    simulated = Calls(graph).tensors
    if graph.stream is not None:
        assert isinstance(dataset, Sequences)
        dataset, simulated = windows_of(dataset, graph.stream), partial(_of_windows, graph)
    quality, inputs = QualityMeter(tensors), InputMeter(graph)
    tensor = graph.tensors[output]
    is_class = tensor.integers is not None and tensor.elements == 1
    labels = Labels(
        output, tensor.integers.high + 1 if tensor.integers and is_class else tensor.elements, dataset.labels
    )
    answers = _only if is_class else _largest
    agreed = done = 0
    for batch in dataset.batches(BATCH):
        count = len(next(iter(batch.values())))
        inputs.add(batch)
        integers = simulated(quantize_inputs(graph, batch), names)
        references = [float_model.run({k: v[i] for k, v in batch.items()}, names) for i in range(count)]
        expected = {name: np.stack([r[name] for r in references]) for name in names}
        if graph.stream is not None:
            expected = {name: newest(graph.stream, name, x, integers[name].shape) for name, x in expected.items()}
        _check_shapes(integers, expected)
        quality.add(graph, integers, expected)
        chosen = answers(tensor.decode(integers[output]))
        float_chosen = answers(expected[output])
        agreed += int((chosen == float_chosen).sum())
        labels.add(chosen, float_chosen)
        done += count
        for _ in range(count):
            tick()
    outputs = quality.qualities()
    return AccuracyReport(
        samples=done,
        accuracy=labels.accuracy,
        float_accuracy=labels.float_accuracy,
        agreement=agreed / done if is_class or tensor.elements > 1 else None,
        sqnr_db=outputs[0].sqnr_db,
        sqnr_tensor=outputs[0].tensor,
        outputs=outputs,
        notes=(*labels.notes(), *inputs.notes(), *quality_notes(outputs)),
    )


def _watched(graph: Graph, onnx_model: bytes) -> tuple[dict[str, str], FloatCalls]:
    """For each output the tensor to take the SQNR of, and the float model with them among its outputs."""
    proto = onnx.load_model_from_string(onnx_model)
    names = [name for node in proto.graph.node for name in node.output]
    # Of what moves along a stream the tensors are others than the window's.
    moving = {output.name for output in graph.stream.outputs} if graph.stream else set()
    seen = replace(graph, outputs=graph.given_outputs) if graph.stream else graph
    tensors = {x: x if x in moving else y for x, y in watched_tensors(seen, names).items()}
    given = {value.name for value in proto.graph.output}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in {*tensors.values()} - given)
    states = () if graph.stream else graph.states
    return tensors, FloatCalls(proto, states, {name: graph.tensors[name].shape for name in graph.inputs})


def _of_windows(graph: Graph, batch: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
    """What a graph that streams gives at the end of each window."""
    (windows,) = batch.values()
    return of_windows(graph, windows, names)


def _check_shapes(integers: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    for name, values in expected.items():
        if values.shape != integers[name].shape:
            raise ModelError(
                f"output '{name}': ONNX Runtime gives samples of shape {list(values.shape[1:])}, the compiled model "
                f"{list(integers[name].shape[1:])}; compile the model again"
            )


def _only(values: Array) -> Array:
    """The one integer of each sample."""
    return np.asarray(values).reshape(len(values)).astype(np.int64)


def _largest(values: Array) -> Array:
    """Index of the largest element of each sample."""
    index: Array = np.argmax(values.reshape(len(values), -1), axis=1)
    return index
