"""Front ends before models that stream: each hop of samples becomes a frame, and a call of the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from front_end_c import CPUS, Probe
from fronts import sound
from stream_models import CHANNELS, STREAMS
from test_compiled import write_wav

from mcuq.api import run, simulate
from mcuq.artifact import load, save
from mcuq.compile import compile_model
from mcuq.front_end.read import parse_front_end

HOP = 80
TEXT = f'kind = "kaldi"\nsample_rate_hz = 8000\nframe_samples = 200\nhop_samples = {HOP}\nmels = {CHANNELS}\nmfcc = 0\n'
SAMPLES = 4000


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    for i in range(3):
        write_wav(folder / f"{i}.wav", sound(3000 + 301 * i, i))
    return folder


@pytest.mark.parametrize("cpu", [CPUS[0], CPUS[2]])
@pytest.mark.parametrize(("network", "asked"), [("causal", "2"), ("recurrent", "1:4")])
def test_samples_pushed_give_what_the_windows_of_all_samples_give(
    network: str, asked: str, cpu: str, sounds: Path, tmp_path: Path
) -> None:
    _, make = STREAMS[network]
    front = parse_front_end(TEXT)
    model = compile_model(make(), "cortex-m4", sounds, "heard", front_end=front, stream=asked)
    own = model.graph.stream
    assert own is not None
    samples = sound(SAMPLES, 9)
    said = write_wav(tmp_path / "said.wav", samples)
    want = simulate(model, said).integers["y"]
    assert len(want) == front.frames(SAMPLES) // own.hop
    windowed = compile_model(make(), "cortex-m4", sounds, "heard", front_end=front)
    calls = np.array([call for call in range(own.calls - 1, len(want)) if (call + 1) * own.hop >= own.window])
    whole = simulate(windowed, said).integers["y"][(calls + 1) * own.hop - own.window]
    assert np.array_equal(want[calls], whole)
    assert len(np.unique(whole)) > 20
    code = f"""
#include "heard_front_end.h"
static void probe(const int8_t *input, int8_t *output)
{{
    const int16_t *const samples = (const int16_t *)(const void *)input;
    int32_t said = 0;

    heard_front_end_reset();
    for (int32_t i = 0; i < {SAMPLES}; i += 50) {{
        const int32_t ran = heard_push_samples(samples + i, 50);
        for (int32_t k = 0; k < ran * HEARD_OUTPUT_ELEMENTS; k++)
            output[said++] = heard_output()[k];
    }}
}}
"""
    answer, again = Probe(cpu, code, (2 * SAMPLES, want.size), model.files).run([samples.tobytes()] * 2)
    assert np.frombuffer(answer, np.int8).tolist() == want.reshape(-1).tolist()
    assert again == answer


def test_the_header_says_when_outputs_are_of_a_full_window(sounds: Path, tmp_path: Path) -> None:
    _, make = STREAMS["causal"]
    model = compile_model(make(), "cortex-m4", sounds, "heard", front_end=parse_front_end(TEXT), stream=2)
    header = model.files["heard_front_end.h"]
    # The last row of the third layer is made of 15 frames.
    assert f"#define HEARD_SAMPLES_PER_INFERENCE {HOP}\n#define HEARD_SAMPLES_UNTIL_FIRST 200\n" in header
    assert f"#define HEARD_SAMPLES_UNTIL_FULL {200 + 14 * HOP}\n" in header
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.checked_listing() == model.listing
    assert run(again, sounds, on="host").report.bit_exact
