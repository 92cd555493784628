"""Models with front ends: compiled, calibrated, simulated and run from WAV files, saved and loaded; what is refused."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from front_end_c import CPUS, Probe
from fronts import sound
from onnx import TensorProto, helper, numpy_helper

from mcuq.api import run, simulate
from mcuq.artifact import load, save
from mcuq.boards.find import load_board
from mcuq.compile import CompiledModel, Part, compile_model, on_board, with_goal
from mcuq.errors import ArtifactError, DataError, McuqError, ModelError
from mcuq.front_end.front_end import FrontEnd
from mcuq.front_end.micro_speech import MicroSpeech
from mcuq.front_end.read import parse_front_end, read_front_end
from mcuq.options import options_of
from mcuq.report.candidates import Candidate, Workbench

TEXT = 'kind = "kaldi"\nsample_rate_hz = 8000\nframe_samples = 200\nhop_samples = 80\nhop_frames = 2\n'
FRAMES = 6


def network(*shape: int, inputs: int = 1) -> onnx.ModelProto:
    """Sums of all elements of each input, to four outputs."""
    rng = np.random.default_rng(0)
    names = [f"x{i}" if i else "x" for i in range(inputs)]
    size = int(np.prod(shape))
    weights = numpy_helper.from_array(rng.normal(0, 0.1, (size, 4)).astype(np.float32), "w")
    to = numpy_helper.from_array(np.array([1, size]), "to")
    nodes = [helper.make_node("Reshape", [name, "to"], [f"{name}_flat"]) for name in names]
    nodes += [helper.make_node("MatMul", [f"{name}_flat", "w"], [f"{name}_y"]) for name in names]
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names]
    taken = [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, (1, 4)) for name in names]
    graph = helper.make_graph(nodes, "heard", given, taken, [weights, to])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def write_wav(path: Path, samples: np.ndarray, rate: int = 8000, channels: int = 1, width: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of files of different lengths."""
    folder = tmp_path_factory.mktemp("sounds")
    for i in range(4):
        write_wav(folder / ("no" if i % 2 else "yes") / f"{i}.wav", sound(1000 + 301 * i, i))
    return folder


@pytest.fixture(scope="module", params=[(1, FRAMES, 13), (1, 13, FRAMES), (1, 1, FRAMES, 13), (1, 13 * FRAMES)])
def model(request: pytest.FixtureRequest, sounds: Path) -> CompiledModel:
    return compile_model(network(*request.param), "cortex-m4", sounds, "heard", front_end=parse_front_end(TEXT))


@pytest.mark.parametrize("cpu", [CPUS[0], CPUS[2]])
def test_samples_pushed_give_the_outputs_that_simulate_says(model: CompiledModel, cpu: str, tmp_path: Path) -> None:
    samples = sound(3000, 9)
    said = simulate(model, write_wav(tmp_path / "said.wav", samples)).integers
    (want,) = said.values()
    assert len(want) == 1 + (3000 - 200 - 5 * 80) // 160
    assert len(np.unique(want)) > 20
    code = """
#include "heard_front_end.h"
static void probe(const int8_t *input, int8_t *output)
{
    const int16_t *const samples = (const int16_t *)(const void *)input;
    int32_t said = 0;

    heard_front_end_reset();
    for (int32_t i = 0; i < 3000; i += 150) {
        const int32_t ran = heard_push_samples(samples + i, 150);
        for (int32_t k = 0; k < ran * HEARD_OUTPUT_ELEMENTS; k++)
            output[said++] = heard_output()[k];
    }
}
"""
    answer, again = Probe(cpu, code, (6000, want.size), model.files).run([samples.tobytes()] * 2)
    assert np.frombuffer(answer, np.int8).tolist() == want.reshape(-1).tolist()
    assert again == answer


def test_folders_of_wav_files_are_data(model: CompiledModel, sounds: Path) -> None:
    assert model.origin.ranges == "calibrated"
    found = simulate(model, sounds)
    assert found.report.samples == model.origin.samples == 24
    assert found.report.accuracy is not None
    assert run(model, sounds, on="host").report.bit_exact
    (name,) = model.graph.inputs
    codes = model.graph.tensors[name].quantization.bounds
    assert codes == (-128, 127)


def test_front_ends_are_kept_with_the_model(model: CompiledModel, tmp_path: Path) -> None:
    written = save(with_goal(model, "size"), tmp_path / "built")
    assert {path.name for path in written} >= {"heard_front_end.c", "heard_front_end.h"}
    loaded = load(tmp_path / "built")
    assert loaded.front_end == model.front_end
    loaded.checked_listing()
    path = tmp_path / "built" / "heard_front_end.c"
    path.write_text(path.read_text().replace("FRAME = 200", "FRAME = 198"))
    with pytest.raises(ArtifactError) as error:
        load(tmp_path / "built").checked_listing()
    assert str(error.value) == (
        "heard_front_end.h, heard_front_end.c: were changed after mcuq wrote them; compile the model again"
    )


MAKE = "make it so: sox"


def test_c_for_any_cpu_is_as_it_was_written_on_a_board_too(sounds: Path) -> None:
    model = compile_model(network(1, FRAMES, 13), "host", sounds, "heard", front_end=parse_front_end(TEXT))
    assert on_board(model, "cortex-m4").checked_listing() == model.listing
    header = model.files["heard_front_end.h"]
    other = header.replace("SAMPLE_RATE_HZ 8000", "SAMPLE_RATE_HZ 1")
    with pytest.raises(ArtifactError) as error:
        replace(model, files={**model.files, "heard_front_end.h": other}).checked_listing()
    assert str(error.value) == (
        "heard_front_end.h, heard_front_end.c: were changed after mcuq wrote them; compile the model again"
    )


def test_budgets_are_judged_on_sound(sounds: Path, tmp_path: Path) -> None:
    path = tmp_path / "heard.onnx"
    onnx.save(network(1, FRAMES, 13), path)
    options = options_of(front_end=parse_front_end(TEXT), judged=False)
    seen, unseen = Part(str(sounds), held_back=False), Part(str(sounds), held_back=True)
    bench = Workbench(path, load_board("cortex-m4"), seen, unseen, options, counts=False)
    assert bench.has_labels
    found = bench.measure(Candidate("", options.scheme))
    assert found.accuracy is not None
    assert found.sqnr_db is not None
    assert found.sqnr_db > 20
    assert 0 < found.samples < 24


def test_sound_that_does_not_fit_is_refused(model: CompiledModel, tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(DataError) as error:
            simulate(model, path)
        return str(error.value).replace(str(tmp_path), "")

    def sox(name: str, where: str = "a") -> str:
        return f"{MAKE} /{where}/{name}.wav -r 8000 -c 1 -b 16 -e signed-integer {name}_8000.wav"

    x = sound(2000)
    few = write_wav(tmp_path / "few" / "few.wav", x[:599])
    assert (
        refused(few) == "few/few.wav: has 599 samples, too few for one inference, which takes 600; record longer ones"
    )
    assert len(model.heard(write_wav(tmp_path / "enough.wav", x[:600]))["x"]) == 1  # type: ignore[index, call-overload]
    rate = write_wav(tmp_path / "a" / "rate.wav", x, 16000)
    assert refused(rate) == (
        "a/rate.wav: has 1 channel, 16 bits, 16,000 Hz; the front end takes 1 channel, 16 bits, 8,000 Hz: "
        f"{sox('rate')}"
    )
    both = write_wav(tmp_path / "a" / "both.wav", x, 8000, 2)
    assert refused(both) == (
        "a/both.wav: has 2 channels, 16 bits, 8,000 Hz; the front end takes 1 channel, 16 bits, 8,000 Hz: "
        f"{sox('both')}"
    )
    floats = write_wav(tmp_path / "a" / "floats.wav", x.astype(np.float32), width=4)
    data = bytearray(floats.read_bytes())
    data[20] = 3  # WAVE_FORMAT_IEEE_FLOAT
    floats.write_bytes(bytes(data))
    assert refused(floats) == (
        f"a/floats.wav: is no WAV file of 16-bit PCM that can be read: unknown format: 3; {sox('floats')}"
    )
    damaged = tmp_path / "a" / "damaged.wav"
    damaged.write_bytes(b"RIFF")
    assert refused(damaged) == (
        f"a/damaged.wav: is no WAV file of 16-bit PCM that can be read: it ends too early; {sox('damaged')}"
    )
    cut = tmp_path / "a" / "cut.wav"
    cut.write_bytes(write_wav(tmp_path / "b" / "cut.wav", x).read_bytes()[:-100])
    assert refused(cut) == "a/cut.wav: says that it has 2,000 samples, and has 1,950; record it again"
    write_wav(tmp_path / "c" / "some" / "some.wav", x)
    (tmp_path / "c" / "none").mkdir()
    assert refused(tmp_path / "c") == "c/none: holds no .wav file, other classes do; give each some"


@pytest.mark.parametrize(
    ("proto", "asked", "message"),
    [
        (
            network(1, 6, 12),
            {},
            "input 'x' of shape 1x6x12 does not hold frames of 13 features (kaldi: 13 MFCC of frames of 200 samples, "
            "80 apart, 8000 Hz); give one of frames and 13, in either order",
        ),
        (
            network(1, 6, 13, inputs=2),
            {},
            "feeds one input, the model has 2 ('x', 'x1'); make the others constants or states (--fix-input, --state)",
        ),
        (
            network(1, 6, 13),
            {"scheme": "float32"},
            "gives integers of one scale, input 'x' is of float32; use a scheme of int8 or int16 inputs",
        ),
        (
            network(1, 6, 13),
            {"stream": 2},
            "its frames are not along dimension 2 of input 'x' of shape 1x6x13, which --stream names; give the other "
            "one",
        ),
        (
            network(1, 6, 13),
            {"stream": "1:3"},
            "has hop_frames = 2, and --stream takes 3 frames a call; leave out hop_frames, or give --stream 1:2",
        ),
        (
            network(1, 6, 13),
            {"weights": "external"},
            "runs the model, which has no weights until it is given them; leave out --weights external",
        ),
    ],
)
def test_models_that_front_ends_cannot_feed_are_refused(
    proto: onnx.ModelProto, asked: dict[str, str], message: str
) -> None:
    with pytest.raises(ModelError) as error:
        compile_model(proto, name="heard", front_end=parse_front_end(TEXT), **asked)  # type: ignore[arg-type]
    assert str(error.value) == f"model 'heard': --front-end: {message}"


REFUSED = {
    'kind = "mfcc"': "kind = 'mfcc': must be one of micro_speech, tensorflow, torchaudio, librosa, kaldi, image, "
    "sensor",
    "": "kind = None: must be one of micro_speech, tensorflow, torchaudio, librosa, kaldi, image, sensor",
    "kind =": "is no TOML: Invalid value (at end of document)",
    'kind = "kaldi"\nmel = 3': "'mel' is no key of kind 'kaldi'; did you mean 'mels'?",
    'kind = "kaldi"\nmels = 2.5': "mels = 2.5: must be a whole number from 0",
    'kind = "kaldi"\nmels = 1': "mels = 1: must be from 2 to 256",
    'kind = "kaldi"\nmfcc = 30': "mfcc = 30: must be 23, the mels, at most",
    'kind = "kaldi"\nremove_dc = 1': "remove_dc = 1: must be true or false",
    'kind = "kaldi"\nwindow = "kaiser"': "window = 'kaiser': must be one of hann, hamming, povey, rectangular",
    'kind = "kaldi"\nlow_hz = nan': "low_hz = nan: must be a number from 0",
    'kind = "kaldi"\nstd = 0': "std = 0: must be a number above 0, or one a feature",
    'kind = "kaldi"\nmean = ["a"]': "mean = ['a']: must be a number, or one a feature",
    'kind = "kaldi"\nmean = [1, 2]': "mean: has 2 numbers, a frame 13 features; give as many, or one",
    'kind = "kaldi"\nframe_samples = 401': "frame_samples = 401: must be an even number from 32 to 2048",
    'kind = "kaldi"\nhop_samples = 401': "hop_samples = 401: must be from 1 to frame_samples, 400",
    'kind = "kaldi"\nhop_frames = 0': "hop_frames = 0: must be 1 or more",
    'kind = "kaldi"\nsample_rate_hz = 100': "sample_rate_hz = 100: must be from 4000 to 96000",
    'kind = "kaldi"\nhigh_hz = 9000': "low_hz = 20, high_hz = 9000: must be in this order, and 8000, half of the "
    "sample rate, at most",
    'kind = "kaldi"\nlow_hz = 16\nhigh_hz = 17': "no bin of the spectrum is between low_hz and high_hz; "
    "take a larger fft_samples",
    'kind = "kaldi"\npreemphasis = 2': "preemphasis = 2.0: must be from 0 to 1",
    'kind = "kaldi"\nlog_floor = 0': "log_floor = 0.0: must be from 1e-30 to 1e12",
    'kind = "kaldi"\nsample_unit = 0': "sample_unit = 0.0: must be from 2^-20 to 2^10",
    'kind = "librosa"\nlog_offset = 1e9': "log_offset = 1000000000.0: is too large for the samples' scale; give less",
    'kind = "torchaudio"\nfft_samples = 400': "fft_samples = 400: must be one of 512, 1024, 2048; a library's n_fft "
    "that is none of them has frames that are padded with zeros to the next",
    'kind = "micro_speech"\nframe_samples = 32\nhop_samples = 16': "frame_samples = 32: must be above 32, "
    "for an FFT of 64 points",
    'kind = "micro_speech"\nodd_smoothing = 1.5': "odd_smoothing = 1.5: must be from 0 to 1",
    'kind = "micro_speech"\nsmoothing_bits = 20': "smoothing_bits = 20: must be from 7 to 12",
    'kind = "micro_speech"\ngain_bits = 14': "gain_bits = 14: must be from 15 to 31",
    'kind = "micro_speech"\ngain_bits = 40': "gain_bits = 40: must be from 15 to 31",
    'kind = "micro_speech"\npcan_offset = 0': "pcan_offset = 0.0: must be from 0.001 to 1e+12",
    'kind = "micro_speech"\npcan_strength = 5': "pcan_strength = 5.0: must be from 0 to 4",
    'kind = "micro_speech"\nlog = "natural"': "log = 'natural': must be true or false",
    'kind = "tensorflow"\nlog_offset = 1e-308': "log_offset = 1e-308: must be 0, or from 1e-30 to 1e12",
    f'kind = "kaldi"\nlog_floor = {10**20}': f"log_floor = {10**20}: must be a number from 0",
    f"mels = {'9' * 5000}": "is no TOML: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 "
    "digits; use sys.set_int_max_str_digits() to increase the limit",
}


@pytest.mark.parametrize("text", REFUSED)
def test_front_ends_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(McuqError) as error:
        parse_front_end(text, "mfcc.toml")
    assert str(error.value) == f"mfcc.toml: {REFUSED[text]}"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        read_front_end(tmp_path / "none.toml")
    assert str(error.value) == (
        f"front end '{tmp_path / 'none.toml'}': cannot be read: No such file or directory; give a .toml file"
    )
    (tmp_path / "data.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError) as error:
        read_front_end(tmp_path / "data.toml")
    assert str(error.value) == f"front end '{tmp_path / 'data.toml'}': is no text; give a .toml file"


def test_a_mark_of_utf_8_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "marked.toml").write_bytes(b'\xef\xbb\xbfkind = "micro_speech"\nlog = false\n')
    front = read_front_end(tmp_path / "marked.toml")
    assert isinstance(front, FrontEnd) and isinstance(front.signal, MicroSpeech)
    assert not front.signal.log


def test_an_input_of_one_value_holds_a_frame_of_one_feature() -> None:
    front = parse_front_end('kind = "sensor"\nsample_rate_hz = 100\nchannels = 1')
    assert compile_model(network(1, 1), name="felt", front_end=front).files["felt_front_end.h"]


def test_features_that_lie_apart_have_one_scale_behind_a_front_end(tmp_path: Path) -> None:
    """As of an accelerometer that gravity pulls one way: without it each would have its own."""
    front = parse_front_end('kind = "sensor"\nsample_rate_hz = 100\nchannels = 3')
    samples = np.random.default_rng(0).normal([0, 0, 4096], 60, (400, 3))
    np.save(tmp_path / "lain.npy", samples.astype(np.int16))
    model = compile_model(network(1, 6, 3), "cortex-m4", tmp_path, "felt", front_end=front)
    assert len(model.graph.tensors["x"].quantization.scale) == 1
    far = parse_front_end('kind = "sensor"\nsample_rate_hz = 100\nchannels = 3\nmean = 1e19')
    with pytest.raises(ModelError) as error:
        compile_model(network(1, 6, 3), name="felt", front_end=far)
    step = f"{compile_model(network(1, 6, 3), name='felt').graph.tensors['x'].scale:.4g}"
    assert str(error.value) == (
        f"--front-end: features of 0.003906 a step, mean 1e+19 and std 1, lie far outside an input of {step} a step; "
        "mend mean, std and units, or calibrate with recordings"
    )
