"""TensorFlow Lite's own files compute here what TensorFlow Lite's interpreter computes.

The interpreter has two sets of kernels. Those that its users get round each layer once, as mcuq does; the plain ones,
which microcontrollers have too, round convolutions twice: one output in 200 to 1000 differs by a step, which
deep networks amplify, and Softmax more so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from reference_cases import case, reference_folder
from tflite_models import FAST, PLAIN, interpret

from mcuq.compile import compile_model
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.validate import check_bits

pytestmark = pytest.mark.reference


@dataclass(frozen=True)
class Published:
    """A network of int8 and one of floats: their files, and the inputs that they are for.

    `fast` and `plain` are the shares of output integers that must equal those of either set of kernels.
    """

    integers: str
    floats: str
    data: str
    samples: int
    fast: float
    plain: float


NETWORKS = {
    "kws": Published("kws_ref_model", "kws_ref_model_float32", "kws", 200, 1, 0.9),
    "vww": Published("vww_96_int8", "vww_96_float", "vww", 40, 1, 0.35),
    "ic": Published("pretrainedResnet_quant", "pretrainedResnet", "ic", 100, 0.995, 0.8),
    "ad": Published("ad01_int8", "ad01_fp32", "ad", 200, 1, 1),
    "sww": Published("str_ww_ref_model", "", "sww", 30, 1, 1),
}


def path(file: str) -> Path:
    return reference_folder() / "models" / f"{file}.tflite"


@pytest.mark.parametrize("name", NETWORKS)
def test_int8_files_give_the_interpreters_integers(name: str) -> None:
    network = NETWORKS[name]
    model = compile_model(path(network.integers), "cortex-m4")
    assert model.origin.ranges == "given"
    assert model.origin.notes == ()
    (x_name,), (output,) = model.graph.inputs, model.graph.outputs
    x = case(network.data).x.reshape(-1, *model.graph.tensors[x_name].shape)[: network.samples]
    inputs = quantize_inputs(model.graph, {x_name: x})
    got = simulate(model.graph, inputs)[output]
    for kernels, share in ((FAST, network.fast), (PLAIN, network.plain)):
        wanted = interpret(path(network.integers), {x_name: inputs[x_name]}, kernels)[output].reshape(got.shape)
        off = np.abs(got.astype(int) - wanted)
        print(f"{name}: {100 * (off == 0).mean():.3f} % equal, at most {off.max()} steps apart")
        assert (off == 0).mean() >= share
        assert name == "ad" or same_class(got, wanted) >= 0.95
    for on in ("host", "emulator"):
        some = {key: value[:4] for key, value in inputs.items()}
        assert check_bits(model, iter([some]), on).first_mismatch is None


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if network.floats])
def test_float_files_give_the_interpreters_values(name: str) -> None:
    """In float32, and two in int8; kws has int8 weights, for which the interpreter rounds activations as they come."""
    network, data = NETWORKS[name], case(NETWORKS[name].data)
    file = path(network.floats)
    floats = compile_model(file, "host", scheme="float32")
    (x_name,), (output,) = floats.graph.inputs, floats.graph.outputs
    x = data.x.reshape(-1, *floats.graph.tensors[x_name].shape)[:5]
    wanted = interpret(file, {x_name: x}, FAST)[output]
    got = simulate(floats.graph, {x_name: x})[output].reshape(wanted.shape)
    if name == "kws":
        assert same_class(got, wanted) >= 0.9
    else:
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())
    if name not in ("kws", "ad"):
        return
    integers = compile_model(file, "host", data.x_calibration)
    rounded = dequantize_outputs(integers.graph, simulate(integers.graph, quantize_inputs(integers.graph, {x_name: x})))
    assert sqnr(got, rounded[output].reshape(got.shape)) > 15


def same_class(a: Array, b: Array) -> float:
    """The share of samples whose largest value stands at the same place."""
    return float((a.reshape(len(a), -1).argmax(axis=1) == b.reshape(len(b), -1).argmax(axis=1)).mean())


def sqnr(wanted: Array, got: Array) -> float:
    """In decibels."""
    return float(10 * np.log10((wanted.astype(float) ** 2).sum() / ((wanted - got).astype(float) ** 2).sum()))
