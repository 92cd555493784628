"""Accuracy of each calibration method, with and without bias correction, on the reference networks.

    python benchmarks/accuracy.py REFERENCE_FOLDER

prints the table of docs/accuracy.md. REFERENCE_FOLDER holds data/load.py, which gives each network's ONNX file,
calibration and test inputs.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
    load = _loader(Path(sys.argv[1]) / "data" / "load.py")
    print("| network | ranges | biases | top-1 % (float) | agreement % | SQNR dB |")
    print("|---|---|---|---|---|---|")
    for name in CLASSIFIERS:
        case = load(name)
        graph, onnx_model = import_model(case.onnx)
        for variant in _variants(optimize(graph), case.x_calib):
            data = dataset_for(variant.graph, case.x_test, case.y_test)
            report = compare_with_float(variant.graph, onnx_model.SerializeToString(), data)
            assert report.accuracy is not None
            assert report.float_accuracy is not None
            assert report.agreement is not None
            figures = f"{100 * report.accuracy:.2f} ({100 * report.float_accuracy:.2f}) | {100 * report.agreement:.2f}"
            print(f"| {name} | {_names(variant)} | {figures} | {report.sqnr_db:.1f} |", flush=True)
    _anomaly_detection(load("ad"))


def _anomaly_detection(case: Any) -> None:
    """AUC instead of top-1: the score of a recording is the mean squared error over its 196 windows."""
    print("\n| network | ranges | biases | ROC AUC |\n|---|---|---|---|")
    graph, _ = import_model(case.onnx)
    for variant in _variants(optimize(graph), case.x_calib):
        scores = [_reconstruction_error(variant.graph, x) for x in case.x_test.reshape(-1, 196, 1, 640)]
        print(f"| ad | {_names(variant)} | {roc_auc(np.array(scores), case.y_test):.4f} |", flush=True)


def _reconstruction_error(graph: Graph, x: Array) -> float:
    (name,), (output,) = graph.inputs, graph.outputs
    integers = simulate(graph, quantize_inputs(graph, {name: x}))[output]
    return float(((x - graph.tensors[output].quantization.dequantize(integers)) ** 2).mean())


def roc_auc(scores: Array, labels: Array) -> float:
    """Share of (positive, negative) pairs in the right order, ties a half."""
    positive, negative = scores[labels == 1][:, None], scores[labels == 0][None, :]
    return float(((positive > negative) + 0.5 * (positive == negative)).mean())


def _variants(graph: Graph, x: Array) -> Iterator[Variant]:
    data = dataset_for(graph, x)
    for method in METHODS:
        integer = quantize_graph(graph, calibrate(graph, data, parse_method(method)))
        yield Variant(method, False, integer)
        yield Variant(method, True, correct_biases(graph, integer, data))


def _names(variant: Variant) -> str:
    return f"{variant.method} | {'corrected' if variant.corrected else 'as they are'}"


def _loader(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("load", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["load"] = module
    spec.loader.exec_module(module)
    return module.load


if __name__ == "__main__":
    main()
