from collections.abc import Sequence
from math import inf, log10

import numpy as np
import pytest
from support import model_of

from mcuq.compile import CompiledModel, assemble
from mcuq.dataset import Dataset, from_arrays
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.identity import Identity
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.mean import Mean
from mcuq.ops.softmax import Softmax
from mcuq.quantize import decibels, input_specs, quantize_graph
from mcuq.validate import AccuracyReport, measure_accuracy

# Steps of 0.01 with 0 as the code of 0.
RANGE = (-1.28, 1.27)


def model_of_ops(ops: Sequence[Operator], shape: tuple[int, ...]) -> CompiledModel:
    """x -> t0 -> t1 -> ..., with the float graph as the ONNX model."""
    builder = GraphBuilder("net")
    name = builder.input("x", shape)
    for i, op in enumerate(ops):
        name = builder.add(op, [name], f"t{i}")
    builder.outputs.append(name)
    graph = builder.graph()
    integer = quantize_graph(graph, dict.fromkeys(("x", *(f"t{i}" for i in range(len(ops)))), RANGE))
    return assemble(integer, model_of(integer).board, "net", write_onnx(graph).SerializeToString(), 0)


def dataset(model: CompiledModel, rows: Array | list[list[float]], labels: list[int] | None = None) -> Dataset:
    shape = model.graph.tensors["x"].shape
    x = np.array(rows, np.float32).reshape(-1, *shape)
    return from_arrays(x, input_specs(model.graph), labels)


def test_accuracy_agreement_and_sqnr_are_what_hand_computation_gives() -> None:
    """Rounded to steps of 0.01: where two values become equal, the first counts as the largest."""
    model = model_of_ops([Identity()], (1, 2))
    rows = [[0.104, 0.5], [0.301, 0.304], [0.9, 0.2], [-0.5, -0.996]]
    report = measure_accuracy(model, dataset(model, rows, labels=[1, 1, 0, 1]))
    # Largest: float 1, 1, 0, 0; rounded 1, 0 (both 0.30), 0, 0.
    assert (report.samples, report.float_accuracy, report.accuracy, report.agreement) == (4, 0.75, 0.5, 0.75)
    signal = sum(value**2 for row in rows for value in row)
    noise = 0.004**2 + 0.001**2 + 0.004**2 + 0.004**2
    assert report.sqnr_db == pytest.approx(10 * log10(signal / noise), abs=1e-3)
    assert report.sqnr_tensor == "t0"


def test_without_labels_there_is_no_accuracy() -> None:
    model = model_of_ops([Identity()], (1, 2))
    report = measure_accuracy(model, dataset(model, [[0.1, 0.2], [0.4, 0.3]]))
    assert (report.accuracy, report.float_accuracy, report.agreement) == (None, None, 1.0)


def test_an_output_of_one_value_has_no_agreement() -> None:
    model = model_of_ops([Mean((1,))], (1, 2))
    report = measure_accuracy(model, dataset(model, [[0.1, 0.2], [0.4, 0.3]]))
    assert report.agreement is None
    assert report.sqnr_db > 20


def test_values_that_are_all_codes_have_no_noise() -> None:
    model = model_of_ops([Identity()], (1, 4))
    step = np.float32(model.graph.tensors["x"].scale)
    rows = np.array([[0, 1, 2, 4], [-64, 64, 8, 16]], np.float32) * step
    report = measure_accuracy(model, dataset(model, rows))
    assert report.sqnr_db == inf


def test_an_output_of_zeros_with_noise_has_a_ratio_of_minus_infinity() -> None:
    assert decibels(0.0, 1.0) == -inf
    assert decibels(0.0, 0.0) == inf
    assert decibels(100.0, 1.0) == pytest.approx(20)


@pytest.mark.parametrize("last", [Softmax(), LogSoftmax()])
def test_the_sqnr_is_that_of_what_a_final_softmax_reads(last: Operator) -> None:
    model = model_of_ops([Identity(), last], (1, 2))
    report = measure_accuracy(model, dataset(model, [[0.104, 0.5], [0.9, -0.3]]))
    assert report.sqnr_tensor == "t0"
    signal, noise = 0.104**2 + 0.5**2 + 0.9**2 + 0.3**2, 0.004**2
    assert report.sqnr_db == pytest.approx(10 * log10(signal / noise), abs=1e-2)
    assert report.agreement == 1.0


def test_a_softmax_that_reads_the_input_is_measured_itself() -> None:
    model = model_of_ops([Softmax()], (1, 2))
    assert measure_accuracy(model, dataset(model, [[0.1, 0.5], [0.9, -0.3]])).sqnr_tensor == "t0"


def test_more_samples_than_a_batch_are_all_counted() -> None:
    model = model_of_ops([Identity()], (1, 3))
    rng = np.random.default_rng(0)
    rows, ticks = rng.uniform(-1, 1, (150, 3)), []
    labels = rows.argmax(axis=1).tolist()
    report = measure_accuracy(model, dataset(model, rows, labels), lambda: ticks.append(1))
    assert (report.samples, report.float_accuracy, len(ticks)) == (150, 1.0, 150)
    real, step = rows.astype(np.float32).astype(np.float64), model.graph.tensors["x"].scale
    codes = np.floor(real / step + 0.5)
    assert report.accuracy == (codes.argmax(axis=1) == labels).mean()
    noise = ((codes * step - real) ** 2).sum()
    assert report.sqnr_db == pytest.approx(10 * log10((real**2).sum() / noise), abs=1e-3)


def test_the_first_output_counts() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 2))
    builder.outputs += [builder.add(Identity(), [x], "first"), builder.add(Mean((1,)), [x], "second")]
    graph: Graph = builder.graph()
    integer = quantize_graph(graph, dict.fromkeys(("x", "second"), RANGE))
    model = assemble(integer, model_of(integer).board, "net", write_onnx(graph).SerializeToString(), 0)
    report: AccuracyReport = measure_accuracy(model, dataset(model, [[0.1, 0.2]], [1]))
    assert (report.sqnr_tensor, report.accuracy) == ("first", 1.0)
