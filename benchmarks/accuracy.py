"""Accuracy of each calibration method, with and without bias correction, on the reference networks.

    python benchmarks/accuracy.py

prints the tables of docs/accuracy.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from reference_cases import Case, case, roc_auc, windows_of_recordings

from mcuq.compile import dataset_for
from mcuq.importer import import_model
from mcuq.ir import Graph
from mcuq.passes import optimize
from mcuq.quantize import calibrate, correct_biases, parse_method, quantize_graph
from mcuq.simulate import quantize_inputs, simulate
from mcuq.tensor import Array
from mcuq.validate.accuracy import compare_with_float

METHODS = ("minmax", "percentile:99.999", "percentile:99.99", "mse")
CLASSIFIERS = ("kws", "kws_refw", "ic", "vww", "sww", "mnist_cnn", "mnist_mlp")


@dataclass(frozen=True)
class Variant:
    """One way to quantize a network."""

    method: str
    corrected: bool
    graph: Graph


def main() -> None:
    """Print one row a network and method."""
    print("| network | ranges | biases | top-1 % (float) | agreement % | SQNR dB |")
    print("|---|---|---|---|---|---|")
    for name in CLASSIFIERS:
        data = case(name)
        graph, onnx_model = import_model(data.onnx)
        for variant in _variants(optimize(graph), data.x_calibration):
            test = dataset_for(variant.graph, data.x, data.y)
            report = compare_with_float(variant.graph, onnx_model.SerializeToString(), test)
            assert report.accuracy is not None
            assert report.float_accuracy is not None
            assert report.agreement is not None
            figures = f"{100 * report.accuracy:.2f} ({100 * report.float_accuracy:.2f}) | {100 * report.agreement:.2f}"
            print(f"| {name} | {_names(variant)} | {figures} | {report.sqnr_db:.1f} |", flush=True)
    _anomaly_detection(case("ad"))


def _anomaly_detection(data: Case) -> None:
    """AUC instead of top-1: the score of a recording is the mean squared error over its 196 windows."""
    print("\n| network | ranges | biases | ROC AUC |\n|---|---|---|---|")
    graph, _ = import_model(data.onnx)
    for variant in _variants(optimize(graph), data.x_calibration):
        scores = [_reconstruction_error(variant.graph, x) for x in windows_of_recordings(data.x)]
        print(f"| ad | {_names(variant)} | {roc_auc(np.array(scores), data.y):.4f} |", flush=True)


def _reconstruction_error(graph: Graph, x: Array) -> float:
    (name,), (output,) = graph.inputs, graph.outputs
    integers = simulate(graph, quantize_inputs(graph, {name: x}))[output]
    return float(((x - graph.tensors[output].quantization.dequantize(integers)) ** 2).mean())


def _variants(graph: Graph, x: Array) -> Iterator[Variant]:
    data = dataset_for(graph, x)
    for method in METHODS:
        integer = quantize_graph(graph, calibrate(graph, data, parse_method(method)))
        yield Variant(method, False, integer)
        yield Variant(method, True, correct_biases(graph, integer, data))


def _names(variant: Variant) -> str:
    return f"{variant.method} | {'corrected' if variant.corrected else 'as they are'}"


if __name__ == "__main__":
    main()
