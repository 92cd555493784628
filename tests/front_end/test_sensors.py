"""Front ends of sensors: filters against real arithmetic, C against its twin, models fed from recordings, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from front_end_c import CPUS, Probe
from numpy.typing import NDArray
from stream_models import CHANNELS, STREAMS
from test_compiled import network

from mcuq.api import run, simulate
from mcuq.artifact import load, save
from mcuq.compile import compile_model
from mcuq.emit.front_end_files import rendered
from mcuq.emit.port import Port
from mcuq.emit.sensor_front_end import sensor_parts
from mcuq.errors import DataError, ModelError
from mcuq.front_end.front_end import last_step
from mcuq.front_end.heard import HeldFrames
from mcuq.front_end.read import parse_front_end
from mcuq.front_end.recorded import read_recording
from mcuq.front_end.sensor import VALUE_BITS, VALUE_MAX, Sensor, biquad_of, low_pass
from mcuq.graph.tensor import Quant, Tensor

HEAD = 'kind = "sensor"\nsample_rate_hz = 100\nchannels = 3\n'
TEXTS = {
    "plain": HEAD,
    "highpass": f"{HEAD}highpass_hz = 0.5\nmean = [1, 2, 3]\nhop_frames = 2\n",
    "decimated": f"{HEAD}lowpass_hz = 20\ndecimation = 4\nsample_unit = 0.002\nstd = 2\n",
    "all": f"{HEAD}highpass_hz = 1\nlowpass_hz = 30\nbiquads = [[1, -1.9, 1, -1.7, 0.8]]\ndecimation = 3\n"
    "hop_frames = 5\n",
    "resonant": f"{HEAD}biquads = [[1.99, 0, -1.99, -1.98, 0.9999]]\n",  # its gain reaches the limit of values
}
FRAMES = 5


def sensor(text: str) -> Sensor:
    found = parse_front_end(text)
    assert isinstance(found, Sensor)
    return found


def motion(samples: int, channels: int = 3, seed: int = 0) -> NDArray[np.int16]:
    """Noise, steps to both extremes, a swing at a resonance, rest."""
    rng, time = np.random.default_rng(seed), np.arange(samples)[:, None] + np.arange(channels)
    parts = [
        rng.normal(0, 4000, (samples, channels)),
        np.where(time // 40 % 2, 32767, -32768),
        20000 * np.sin(time * 0.1414),
        np.full((samples, channels), 1234),
    ]
    which = np.arange(samples) * 4 // max(samples, 1)
    return np.stack(parts)[which, np.arange(samples)].clip(-32768, 32767).astype(np.int16)


# --- filters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lowpass", "highpass"])
def test_corners_are_those_of_butterworth_filters(kind: str) -> None:
    """|H|^2 = 1 / (1 + (f / corner)^4) of frequencies as the bilinear transform warps them."""
    for corner in (0.05, 1.0, 20.0, 49.0):
        b0, b1, b2, a1, a2 = biquad_of(kind, corner, 100)
        hz = np.linspace(0.01, 49.9, 500)
        z = np.exp(-2j * np.pi * hz / 100)
        got = np.abs((b0 + b1 * z + b2 * z * z) / (1 + a1 * z + a2 * z * z)) ** 2
        ratio = np.tan(np.pi * hz / 100) / np.tan(np.pi * corner / 100)
        want = 1 / (1 + (ratio if kind == "lowpass" else 1 / ratio) ** 4)
        assert np.abs(got - want).max() < 1e-6


def reference(front: Sensor, samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Filters in real numbers."""
    x = samples.astype(np.float64)
    for b0, b1, b2, a1, a2 in front.biquads:
        y = np.zeros_like(x)
        for i in range(len(x)):
            past = [(x[i - k] if i >= k else 0.0, y[i - k] if i >= k else 0.0) for k in (1, 2)]
            y[i] = b0 * x[i] + b1 * past[0][0] + b2 * past[1][0] - a1 * past[0][1] - a2 * past[1][1]
        x = y
    if front.decimation > 1:
        taps = low_pass(front.decimation)
        filtered = np.stack([np.convolve(own, taps)[: len(x)] for own in x.T], 1)
        x = filtered[front.decimation - 1 :: front.decimation]
    return x


@pytest.mark.parametrize("name", ["plain", "highpass", "decimated", "all"])
def test_filters_are_within_80_db_of_real_ones(name: str) -> None:
    front = sensor(TEXTS[name])
    samples = motion(1200)
    got, want = front.integers(samples) / (1 << VALUE_BITS), reference(front, samples)
    assert got.shape == want.shape
    assert ((got - want) ** 2).sum() <= 1e-8 * (want**2).sum()
    values = (want * front.sample_unit - np.array(front.mean)) / np.array(front.std)
    assert np.abs(front.real(front.integers(samples)) - values).max() < 1e-3 * np.abs(values).max()


def test_a_constant_stays_one_behind_a_slow_filter() -> None:
    front = sensor(f"{HEAD}lowpass_hz = 0.2\n")
    found = front.integers(np.full((3000, 3), -777, np.int16))
    assert np.abs(found[-1] / (1 << VALUE_BITS) + 777).max() < 0.02
    front = sensor(f"{HEAD}highpass_hz = 0.2\n")
    assert np.abs(front.integers(np.full((3000, 3), 777, np.int16))[-1]).max() <= 2


def test_values_are_limited_where_a_filter_rings() -> None:
    found = sensor(TEXTS["resonant"]).integers(motion(1200))
    assert (found.max(), found.min()) == (VALUE_MAX, -VALUE_MAX)


@pytest.mark.parametrize("decimation", [2, 3, 5, 16])
def test_decimation_passes_what_it_says(decimation: int) -> None:
    """0.5 dB to 0.42 of the new rate's half, 6 dB at 0.75, 40 dB from 1.2 on."""
    taps = low_pass(decimation)
    at = np.arange(len(taps)) - len(taps) // 2

    def decibels(part: NDArray[np.float64]) -> NDArray[np.float64]:
        return 20 * np.log10(np.abs(np.cos(np.pi * np.outer(part / decimation, at)) @ taps) + 1e-12)

    assert np.abs(decibels(np.linspace(0, 0.42, 50))).max() < 0.5
    assert decibels(np.array([0.75])) == pytest.approx(-6, abs=0.3)
    assert decibels(np.linspace(1.2, decimation, 500)).max() < -40


# --- C ---------------------------------------------------------------------------------------------------------------

STUB = """
#include <stdint.h>
#define %(ID)s_DIGEST 0x12345678u
%(c_type)s *%(id)s_input(void);
void %(id)s_run(const %(c_type)s *input);
"""
CODE = """
#include "%(id)s.h"
#include "%(id)s_front_end.h"

static %(c_type)s %(id)s_place[%(elements)d];
static int8_t *%(id)s_seen;
static int32_t %(id)s_runs;

%(c_type)s *%(id)s_input(void) { return %(id)s_place; }
void %(id)s_run(const %(c_type)s *input)
{
    for (int32_t i = 0; i < %(elements)d; i++)
        ((%(c_type)s *)(void *)%(id)s_seen)[%(id)s_runs * %(elements)d + i] = input[i];
    %(id)s_runs++;
}
static int32_t %(id)s_given(const int16_t *samples, int32_t piece, int8_t *output)
{
    int32_t said = 0;

    %(id)s_seen = output;
    %(id)s_runs = 0;
    (void)%(id)s_push_sensor(samples, 2);
    %(id)s_front_end_reset();
    %(id)s_runs = 0;
    for (int32_t i = 0; i < %(samples)d; i += piece)
        said += %(id)s_push_sensor(samples + 3 * i, i + piece > %(samples)d ? %(samples)d - i : piece);
    return said == %(id)s_runs ? said : -1;
}
"""
CALL = "    if (input[0] == %(number)d)\n        ran[0] = %(id)s_given(samples, input[1], output + 4);\n"
PROBE = """
static void probe(const int8_t *input, int8_t *output)
{
    const int16_t *const samples = (const int16_t *)(const void *)(input + 4);
    int32_t *const ran = (int32_t *)(void *)output;

%s}
"""
SAMPLES = 160


def port_of(front: Sensor, name: str) -> Port:
    dtype, scale, zero = ("int16", 1.0, 0) if name == "plain" else ("int8", front.sample_unit * 250, -3)
    return Port("x", "input", Tensor("x", (1, FRAMES, 3), dtype, None, Quant((scale,), zero, dtype)), "input")


@pytest.mark.parametrize("cpu", CPUS)
def test_c_gives_the_codes_of_its_twin_whatever_pieces_samples_come_in(cpu: str) -> None:
    files: dict[str, str] = {}
    code, calls, given, room = "", "", [], 4 + 2 * SAMPLES * 3 * FRAMES
    for number, (name, text) in enumerate(TEXTS.items()):
        front, own = sensor(text), f"stub{number}"
        port = port_of(front, name)
        facts = {
            "number": number,
            "id": own,
            "ID": own.upper(),
            "c_type": port.c_type,
            "elements": 3 * FRAMES,
            "samples": SAMPLES,
        }
        held = HeldFrames("x", (1, FRAMES, 3), FRAMES, number % 2 == 1, front.hop_frames, FRAMES)
        made = rendered(sensor_parts(front, port, held, "input", False, own), own, 0x12345678)
        files |= {f"{own}.h": STUB % facts, **made.files}
        code, calls = code + CODE % facts, calls + CALL % facts
        for piece in (1, 7):
            head = np.array([number, piece, 0, 0], np.int8).tobytes()
            given.append(head + motion(SAMPLES, seed=piece).tobytes())
    answers = iter(Probe(cpu, code + PROBE % calls, (len(given[0]), room), files).run(given))
    for number, (name, text) in enumerate(TEXTS.items()):
        front = sensor(text)
        port = port_of(front, name)
        last = last_step(front, port.tensor.scale, port.tensor.zero_point, port.bounds)
        for piece in (1, 7):
            codes = last.codes(front.integers(motion(SAMPLES, seed=piece)))
            starts = range(0, len(codes) - FRAMES + 1, front.hop_frames)
            want = np.stack([codes[i : i + FRAMES].T if number % 2 else codes[i : i + FRAMES] for i in starts])
            answer = next(answers)
            assert np.frombuffer(answer[:4], np.int32).tolist() == [len(want)], name
            got = np.frombuffer(answer[4:], port.tensor.dtype)[: want.size]
            assert np.array_equal(got, want.reshape(-1)), name
            assert len(np.unique(want)) > 15


# --- models ----------------------------------------------------------------------------------------------------------


def write_csv(path: Path, samples: NDArray[np.int16], names: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(names + "\n".join(",".join(map(str, row)) for row in samples.tolist()) + "\n")
    return path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for i in range(4):
        samples = motion(100 + 30 * i, seed=i)
        place = folder / ("rest", "walk")[i % 2] / f"{i}"
        if i < 2:
            write_csv(place.with_suffix(".csv"), samples, "x, y, z\n" * (i % 2))
        else:
            place.parent.mkdir(exist_ok=True)
            np.save(place.with_suffix(".npy"), samples)
    return folder


@pytest.mark.parametrize("cpu", [CPUS[0], CPUS[2]])
@pytest.mark.parametrize("shape", [(1, 6, 3), (1, 3, 6)])
def test_samples_pushed_give_the_outputs_that_simulate_says(
    shape: tuple[int, ...], cpu: str, recordings: Path, tmp_path: Path
) -> None:
    model = compile_model(
        network(*shape), "cortex-m4", recordings, "felt", front_end=parse_front_end(TEXTS["decimated"])
    )
    assert simulate(model, recordings).report.accuracy is not None
    assert run(model, recordings, on="host").report.bit_exact
    save(model, tmp_path)
    assert load(tmp_path).checked_listing() == model.listing
    samples = motion(200, seed=9)
    (want,) = simulate(model, write_csv(tmp_path / "said.csv", samples)).integers.values()
    assert len(want) == 200 // 4 - 5
    code = """
#include "felt_front_end.h"
static void probe(const int8_t *input, int8_t *output)
{
    const int16_t *const samples = (const int16_t *)(const void *)input;
    int32_t said = 0;

    felt_front_end_reset();
    for (int32_t i = 0; i < 200; i += 4) {
        const int32_t ran = felt_push_sensor(samples + i * FELT_SAMPLE_CHANNELS, 4);
        for (int32_t k = 0; k < ran * FELT_OUTPUT_ELEMENTS; k++)
            output[said++] = felt_output()[k];
    }
}
"""
    answer, again = Probe(cpu, code, (1200, want.size), model.files).run([samples.tobytes()] * 2)
    assert np.frombuffer(answer, np.int8).tolist() == want.reshape(-1).tolist()
    assert again == answer


def test_models_that_stream_take_samples_as_they_come(tmp_path: Path) -> None:
    _, make = STREAMS["causal"]
    text = f'kind = "sensor"\nsample_rate_hz = 50\nchannels = {CHANNELS}\nlowpass_hz = 10\n'
    for i in range(2):
        np.save(tmp_path / f"{i}.npy", motion(60, CHANNELS, i))
    model = compile_model(make(), "cortex-m4", tmp_path, "felt", front_end=parse_front_end(text), stream="2")
    assert f"#define FELT_SAMPLES_UNTIL_FULL {15}\n" in model.files["felt_front_end.h"]
    assert run(model, tmp_path, on="host").report.bit_exact


def test_recordings_that_do_not_fit_are_refused(recordings: Path, tmp_path: Path) -> None:
    model = compile_model(network(1, 6, 3), name="felt", front_end=parse_front_end(HEAD))

    def refused(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError) as error:
            model.heard(tmp_path / name)
        return str(error.value).replace(f"{tmp_path.name}/", "")

    assert refused("few.csv", "1,2,3\n" * 5) == (
        "few.csv: has 5 samples, too few for one inference, which takes 6; record longer ones"
    )
    assert refused("two.csv", "x,y,z\n1,2,3\n1,2\n") == (
        "two.csv: line 3 has 2 numbers; the front end takes 3 channels and nothing else, with commas between them"
    )
    assert refused("other.csv", "1;2;3\n") == (
        "other.csv: line 1 has 1 number; the front end takes 3 channels and nothing else, with commas between them"
    )
    for first in ("0.5,0.25,-0.5", "nan,nan,nan", "1e5,2e5,3e5", "1_000,2,3", ",,"):
        assert refused("first.csv", f"{first}\n" + "1,2,3\n" * 9) == (
            f"first.csv: line 1: '{first}': the front end takes whole numbers, as the sensor gives them"
        )
    assert refused("real.csv", "1,2,0.5\n") == (
        "real.csv: line 1: '1,2,0.5': the front end takes whole numbers, as the sensor gives them"
    )
    assert refused("large.csv", "1,2,32768\n") == "large.csv: line 1: '1,2,32768': must be from -32768 to 32767"
    np.save(tmp_path / "wide.npy", np.zeros((10, 4), np.int16))
    with pytest.raises(DataError) as error:
        model.heard(tmp_path / "wide.npy")
    assert str(error.value) == (
        f"{tmp_path.name}/wide.npy: has shape (10, 4); the front end takes (samples, 3) of int16"
    )


def test_a_mark_of_utf_8_is_no_part_of_the_first_sample(tmp_path: Path) -> None:
    (tmp_path / "marked.csv").write_bytes(b"\xef\xbb\xbf" + b"7\n8\n9\n")
    assert read_recording(tmp_path / "marked.csv", "marked.csv", 1).tolist() == [[7], [8], [9]]


def test_models_that_pass_over_samples_are_refused() -> None:
    with pytest.raises(ModelError) as error:
        compile_model(network(1, 6, 3), name="felt", front_end=parse_front_end(f"{HEAD}hop_frames = 7"))
    assert str(error.value) == (
        "model 'felt': --front-end: hop_frames = 7: is more than the 6 frames that an inference takes"
    )


REFUSED = {
    "": "sample_rate_hz: is missing; say what the sensor gives: sample_rate_hz and channels",
    "sample_rate_hz = 0": "sample_rate_hz = 0: must be a number above 0",
    "channels = 65": "channels = 65: must be a whole number from 1 to 64",
    "decimation = 17": "decimation = 17: must be a whole number from 1 to 16",
    "hop_frames = 0": "hop_frames = 0: must be a whole number from 1 to 65536",
    "sample_unit = -1": "sample_unit = -1: must be a number above 0",
    "lowpas_hz = 3": "'lowpas_hz' is no key of kind 'sensor'; did you mean 'lowpass_hz'?",
    "zebra = 3": "'zebra' is no key of kind 'sensor'; known keys: sample_rate_hz, channels, highpass_hz, lowpass_hz, "
    "biquads, decimation, hop_frames, sample_unit, mean, std",
    "std = 0": "std = 0: must be a number above 0, or one a channel",
    "mean = []": "mean = []: must be a number, or one a channel",
    "biquads = [[1, 2, 3]]": "biquads = [[1, 2, 3]]: must be a list of [b0, b1, b2, a1, a2], each below 2 in "
    "magnitude, a0 being 1",
    "biquads = [[1, 0, 0, -1.5, 1.01]]": "biquads: number 0 is not stable: a pole is not within the unit circle",
    f"{HEAD[16:]}mean = [1, 2]": "mean: has 2 numbers, for 3 channels; give as many, or one",
    f"{HEAD[16:]}lowpass_hz = 50": "lowpass_hz = 50: must be from 0.01 to below 50, half of the sample rate",
    f"{HEAD[16:]}highpass_hz = 0.001": "highpass_hz = 0.001: must be from 0.01 to below 50, half of the sample rate",
}


@pytest.mark.parametrize("text", REFUSED)
def test_front_ends_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ModelError) as error:
        parse_front_end(f'kind = "sensor"\n{text}', "motion.toml")
    assert str(error.value) == f"motion.toml: {REFUSED[text]}"
