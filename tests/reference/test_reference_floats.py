"""The reference networks in floats: bits on the host and the emulated CPU, noise against ONNX Runtime."""

from __future__ import annotations

from functools import cache

import pytest
from reference_cases import case, windows_of_recordings

from mcuq.compile import CompiledModel, compile_model, dataset_for
from mcuq.dataset import Dataset
from mcuq.graph.simulate import quantize_inputs
from mcuq.validate import check_bits, measure_accuracy

pytestmark = pytest.mark.reference

MODELS = ("kws", "mnist_cnn", "mnist_mlp", "ad")
SCHEMES = ("float32", "float16", "dynamic")
SAMPLES, EMULATED_SAMPLES = 20, 3
# Signal to noise against the float model in dB, below what was measured.
LEAST_SQNR_DB = {"float32": 100.0, "float16": 60.0, "dynamic": 33.0}


@cache
def compiled(name: str, scheme: str) -> CompiledModel:
    # The float32 weights of ad take more flash than the Cortex-M4 board has.
    board = "cortex-m7" if name == "ad" else "cortex-m4"
    return compile_model(case(name).onnx, board, None, name=name, scheme=scheme)


def samples(model: CompiledModel, count: int = SAMPLES) -> Dataset:
    x = windows_of_recordings(case(model.name).x)[:, 0] if model.name == "ad" else case(model.name).x
    return dataset_for(model.graph, x[:count])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", MODELS)
def test_network_in_floats_is_close_to_onnx_runtime(name: str, scheme: str) -> None:
    model = compiled(name, scheme)
    report = measure_accuracy(model, samples(model))
    print(f"{name} {scheme}: {report.sqnr_db:.1f} dB")
    assert report.sqnr_db > LEAST_SQNR_DB[scheme]
    assert model.origin.ranges == "unneeded"


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", MODELS)
def test_every_output_byte_of_a_network_in_floats_is_the_simulators(name: str, scheme: str, on: str) -> None:
    model = compiled(name, scheme)
    count = SAMPLES if on == "host" else EMULATED_SAMPLES
    batches = (quantize_inputs(model.graph, batch) for batch in samples(model, count).batches(count))
    report = check_bits(model, batches, on)
    print(f"{name} {scheme} on {on}: {report.instructions} instructions, arena {model.arena_bytes}")
    assert report.first_mismatch is None
    assert report.compared_bytes == count * model.graph.tensors[model.graph.outputs[0]].size_bytes
