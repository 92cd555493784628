"""Accuracy of what mcuq can do about quantization, on the reference networks.

    python benchmarks/accuracy.py

prints the tables of docs/accuracy.md; names of networks behind it keep to those.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from time import process_time

import numpy as np
from reference_cases import Case, case, roc_auc, windows_of_recordings

from mcuq.compile import dataset_for
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.importer import import_model
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize
from mcuq.quantize import (
    DEFAULT_RECOVERY,
    INT8_SCHEME,
    NO_RECOVERY,
    LayerScheme,
    Recovery,
    Scheme,
    parse_method,
    quantize_on_samples,
)
from mcuq.validate.accuracy import compare_with_float

NETWORKS = ("kws", "kws_refw", "ic", "vww", "sww", "mnist_cnn", "mnist_mlp", "ad")
DEFAULT = "percentile:99.999"

# What is done about accuracy: ranges, recovery.
RECOVERIES: dict[str, tuple[str, Recovery]] = {
    "default": (DEFAULT, DEFAULT_RECOVERY),
    "no recovery": (DEFAULT, NO_RECOVERY),
    "bias correction alone": (DEFAULT, replace(NO_RECOVERY, bias_correction=True)),
    "without equalization": (DEFAULT, replace(DEFAULT_RECOVERY, equalization=False)),
    "without headroom": (DEFAULT, replace(DEFAULT_RECOVERY, headroom=False)),
    "without bias correction": (DEFAULT, replace(DEFAULT_RECOVERY, bias_correction=False)),
    "nearest for GPTQ": (DEFAULT, replace(DEFAULT_RECOVERY, rounding="nearest")),
    "AdaRound for GPTQ": (DEFAULT, replace(DEFAULT_RECOVERY, rounding="adaround")),
    "minmax": ("minmax", DEFAULT_RECOVERY),
    "percentile:99.99": ("percentile:99.99", DEFAULT_RECOVERY),
    "mse": ("mse", DEFAULT_RECOVERY),
}
# What kws is quantized to.
SCHEMES = {
    **{name: Scheme(LayerScheme(name)) for name in ("int8", "int4", "int2", "ternary", "binary", "codebook")},
    "int8, one scale a layer": Scheme(per_channel=False),
    "int8, symmetric activations": Scheme(symmetric=True),
    "int8, powers of two": Scheme(power_of_two=True),
}
ROUNDINGS = ("nearest", "gptq", "adaround")


def main(networks: Sequence[str]) -> None:
    """Print one row a network and recovery, then one a scheme of kws."""
    print("| network | recovery | top-1 % (float) or AUC | agreement % | SQNR dB | s |")
    print("|---|---|---|---|---|---|")
    for name in networks:
        data = case(name)
        for what, (method, recovery) in RECOVERIES.items():
            print(f"| {name} | {what} | {_row(name, data, method, INT8_SCHEME, recovery)} |", flush=True)
    if "kws" not in networks:
        return
    print("\n| kws weights | rounding | top-1 % (float) | agreement % | SQNR dB | s |")
    print("|---|---|---|---|---|---|")
    for what, scheme in SCHEMES.items():
        for rounding in ROUNDINGS:
            recovery = replace(DEFAULT_RECOVERY, rounding=rounding)
            print(f"| {what} | {rounding} | {_row('kws', case('kws'), DEFAULT, scheme, recovery)} |", flush=True)


def _row(name: str, data: Case, method: str, scheme: Scheme, recovery: Recovery) -> str:
    """Figures of one way to quantize, on the test inputs; the last is the CPU time that quantization took."""
    imported, onnx_model = import_model(data.onnx)
    float_graph = optimize(imported)
    start = process_time()
    samples = dataset_for(float_graph, data.x_calibration)
    graph = quantize_on_samples(float_graph, samples, parse_method(method), scheme, recovery).graph
    seconds = f"{process_time() - start:.1f}"
    if name == "ad":
        return f"{_auc(graph, data):.4f} | | {_anomaly_sqnr_db(graph, data):.1f} | {seconds}"
    report = compare_with_float(graph, onnx_model.SerializeToString(), dataset_for(graph, data.x, data.y))
    assert report.accuracy is not None
    assert report.float_accuracy is not None
    assert report.agreement is not None
    figures = f"{100 * report.accuracy:.2f} ({100 * report.float_accuracy:.2f}) | {100 * report.agreement:.2f}"
    return f"{figures} | {report.sqnr_db:.1f} | {seconds}"


def _auc(graph: Graph, data: Case) -> float:
    """ROC AUC; the score of a recording is the mean squared error over its 196 windows."""
    scores = [float(((x - _outputs(graph, x)) ** 2).mean()) for x in windows_of_recordings(data.x)]
    return roc_auc(np.array(scores), data.y)


def _anomaly_sqnr_db(graph: Graph, data: Case) -> float:
    """SQNR of the reconstruction over the first of every 20 windows."""
    model = FloatModel(data.onnx.read_bytes())
    x = data.x[::20][:, None]
    want = np.stack([model.run({model.inputs[0]: row})[model.outputs[0]] for row in x]).astype(np.float64)
    noise = ((want - _outputs(graph, x)) ** 2).sum()
    return float(10 * np.log10((want**2).sum() / noise))


def _outputs(graph: Graph, x: Array) -> Array:
    (name,), (output,) = graph.inputs, graph.outputs
    return graph.tensors[output].quantization.dequantize(simulate(graph, quantize_inputs(graph, {name: x}))[output])


if __name__ == "__main__":
    main(sys.argv[1:] or NETWORKS)
