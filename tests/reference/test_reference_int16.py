"""The trained reference networks with int16 activations: accuracy, bits on the host and on emulated CPUs."""

from __future__ import annotations

from functools import cache

import pytest
from reference_cases import case, windows_of_recordings

from mcuq.compile import CompiledModel, compile_model
from mcuq.dataset import from_arrays
from mcuq.graph.simulate import quantize_inputs
from mcuq.graph.tensor import Array
from mcuq.quantize import input_specs
from mcuq.validate import check_bits, measure_accuracy

pytestmark = pytest.mark.reference

LEAST_SQNR_DB = {
    "kws": 40.0,
    "kws_refw": 40.0,
    "ic": 38.0,
    "vww": 30.0,
    "sww": 44.0,
    "mnist_cnn": 45.0,
    "mnist_mlp": 43.0,
}
MODELS = (*LEAST_SQNR_DB, "ad")


@cache
def compiled(name: str, board: str = "cortex-m4") -> CompiledModel:
    return compile_model(case(name).onnx, board, case(name).x_calibration, name=name, scheme="int16")


@pytest.mark.parametrize("name", LEAST_SQNR_DB)
def test_int16_keeps_what_int8_activations_lose(name: str) -> None:
    model, data = compiled(name), case(name)
    report = measure_accuracy(model, from_arrays(data.x, input_specs(model.graph), data.y))
    print(f"{name}: {report}")
    assert report.sqnr_db >= LEAST_SQNR_DB[name]
    assert report.agreement is not None
    assert report.agreement >= 0.99


def samples(model: CompiledModel, name: str, count: int) -> dict[str, Array]:
    data = case(name)
    x = windows_of_recordings(data.x)[:, 0] if name == "ad" else data.x
    (tensor,) = (model.graph.tensors[n] for n in model.graph.inputs)
    return quantize_inputs(model.graph, {tensor.name: x[:count].reshape(-1, *tensor.shape)})


@pytest.mark.parametrize("name", MODELS)
def test_every_output_byte_on_the_host_is_the_simulators(name: str) -> None:
    model = compiled(name)
    report = check_bits(model, iter([samples(model, name, 20)]), "host")
    assert report.first_mismatch is None
    assert report.samples == 20
    assert report.compared_bytes == 20 * model.graph.tensors[model.graph.outputs[0]].size_bytes


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", pytest.param("cortex-m55", marks=pytest.mark.toolchain)])
@pytest.mark.parametrize("name", ["kws", "ad", "sww"])
def test_every_output_byte_on_an_emulated_cpu_is_the_simulators(name: str, board: str) -> None:
    model = compiled(name, board)
    report = check_bits(model, iter([samples(model, name, 3)]), "emulator")
    assert report.first_mismatch is None
    assert report.samples == 3
