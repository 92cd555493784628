"""The trained reference networks on their real data: accuracy, bits on the host and on the emulated CPU."""

from __future__ import annotations

import numpy as np
import pytest
from reference import compiled
from reference_cases import case, reference_folder, roc_auc, windows_of_recordings

from mcuq.compile import CompiledModel, compile_model, dataset_for
from mcuq.dataset import from_arrays
from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.quantize import input_specs
from mcuq.validate import check_bits, measure_accuracy, probe_inputs
from mcuq.validate.bits import BATCH

pytestmark = pytest.mark.reference

CLASSIFIERS = ("kws", "kws_refw", "ic", "vww", "sww", "mnist_cnn", "mnist_mlp")
MODELS = (*CLASSIFIERS, "ad")
EMULATED_SAMPLES = 50

# Figures of the issue that asked for them; of vww's 0.85 a sample of its 400 is left to the last bits of the floats
# that ranges are found with, which differ between computers.
LEAST_ACCURACY = {
    "kws": 0.911,
    "kws_refw": 0.896,
    "ic": 0.875,
    "vww": 0.85 - 1 / 400,
    "sww": 28 / 30,
    "mnist_cnn": 0.9845,
    "mnist_mlp": 0.98,
}
LEAST_AGREEMENT = {"kws": 0.991, "kws_refw": 0.99, "ic": 0.985, "vww": 0.993}
LEAST_SQNR_DB = {
    "kws": 32.8,
    "kws_refw": 31.0,
    "ic": 30.0,
    "vww": 20.0,
    "sww": 39.5,
    "mnist_cnn": 41.5,
    "mnist_mlp": 39.8,
}
LEAST_AUC = 0.905
LEAST_RECONSTRUCTION_SQNR_DB = 40.5

# Bytes of arena, input and output included (design document KERNELS, "first version").
MOST_ARENA_BYTES = {"kws": 18_000, "ic": 52_000, "vww": 60_000, "ad": 2_000, "sww": 8_500}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_is_as_accurate_as_the_float_model(name: str) -> None:
    model, data = compiled(name), case(name)
    report = measure_accuracy(model, from_arrays(data.x, input_specs(model.graph), data.y))
    assert report.samples == len(data.y)
    assert report.accuracy is not None
    assert report.float_accuracy is not None
    assert report.agreement is not None
    print(f"{name}: {report}")
    assert report.accuracy >= LEAST_ACCURACY[name] - 1e-9
    assert report.agreement >= LEAST_AGREEMENT.get(name, 0.97) - 1e-9
    assert report.sqnr_db >= LEAST_SQNR_DB[name]


def test_reconstructions_are_near_those_of_the_float_model() -> None:
    model, data = compiled("ad"), case("ad")
    windows = from_arrays(data.x[::20], input_specs(model.graph))
    report = measure_accuracy(model, windows)
    print(f"ad: {report}")
    assert report.sqnr_db >= LEAST_RECONSTRUCTION_SQNR_DB


def test_anomalies_are_told_apart() -> None:
    model, data = compiled("ad"), case("ad")
    (name,) = model.graph.inputs
    (output,) = model.graph.outputs
    scores = []
    for x in windows_of_recordings(data.x):
        integers = simulate(model.graph, quantize_inputs(model.graph, {name: x}))[output]
        real = model.graph.tensors[output].quantization.dequantize(integers)
        scores.append(float(((x - real) ** 2).mean()))
    auc = roc_auc(np.array(scores), data.y)
    print(f"ad: AUC {auc:.4f}")
    assert auc >= LEAST_AUC


@pytest.mark.parametrize("name", MODELS)
def test_every_output_byte_on_the_host_is_the_simulators(name: str) -> None:
    model, data = compiled(name), case(name)
    x = windows_of_recordings(data.x)[:, 0] if name == "ad" else data.x
    batches = (quantize_inputs(model.graph, b) for b in dataset_for(model.graph, x).batches(BATCH))
    report = check_bits(model, batches, "host")
    assert report.first_mismatch is None
    assert report.samples == len(x)
    assert report.compared_bytes == len(x) * model.graph.tensors[model.graph.outputs[0]].elements


@pytest.mark.parametrize("name", MODELS)
def test_every_output_byte_on_the_emulated_cortex_m4_is_the_simulators(name: str) -> None:
    model, data = compiled(name), case(name)
    x = windows_of_recordings(data.x)[:, 0] if name == "ad" else data.x
    if name == "sww":  # 45 recordings are all there are: made-up inputs with both extremes complete the 50
        x = np.concatenate([data.x, data.x_calibration])
    batches = [integers(model, x[:EMULATED_SAMPLES])]
    if len(x) < EMULATED_SAMPLES:
        batches.append(probe_inputs(model.graph))
    report = check_bits(model, iter(batches), "emulator")
    print(f"{name}: {report.instructions:,} instructions, arena {model.arena_bytes:,} bytes")
    assert report.first_mismatch is None
    assert report.samples >= EMULATED_SAMPLES


def integers(model: CompiledModel, x: Array) -> dict[str, Array]:
    """Real inputs of a network with one input as one int8 batch."""
    (name,) = model.graph.inputs
    shape = model.graph.tensors[name].shape
    return quantize_inputs(model.graph, {name: x.reshape(-1, *shape)})


@pytest.mark.parametrize("name", MOST_ARENA_BYTES)
def test_the_arena_stays_within_its_bound(name: str) -> None:
    assert compiled(name).arena_bytes <= MOST_ARENA_BYTES[name]


@pytest.mark.parametrize("stem", ["dynamo", "dynamo_dynbatch", "legacy", "legacy_dynbatch"])
def test_every_export_of_the_mnist_cnn_gives_the_same_c(stem: str) -> None:
    path = reference_folder() / "models" / f"mnist_cnn_{stem}.onnx"
    model = compile_model(path, "cortex-m4", case("mnist_cnn").x_calibration, name="mnist_cnn")
    names = {node.op.__class__.__name__ for node in model.graph.nodes}
    assert names == {"Reshape", "Conv2d", "MaxPool", "FullyConnected"}
    assert model.arena_bytes == compiled("mnist_cnn").arena_bytes
    x = case("mnist_cnn").x[:200]
    ours = simulate(model.graph, integers(model, x))
    theirs = simulate(compiled("mnist_cnn").graph, integers(compiled("mnist_cnn"), x))
    assert np.array_equal(next(iter(ours.values())), next(iter(theirs.values())))


@pytest.mark.parametrize("name", ["mnist_mlp_dynamo", "mnist_mlp_legacy", "kws_hybrid_dq"])
def test_the_other_exports_compile_too(name: str) -> None:
    calibration = case("kws" if name.startswith("kws") else "mnist_mlp").x_calibration
    model = compile_model(reference_folder() / "models" / f"{name}.onnx", "cortex-m4", calibration)
    report = check_bits(model, iter([integers(model, calibration[:20])]), "host")
    assert report.first_mismatch is None
    assert report.samples == 20
