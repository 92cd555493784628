"""Front ends of all kinds, small networks' inputs, sound that reaches every branch, and the C of a front end alone."""

from __future__ import annotations

import numpy as np
from front_end_c import Probe
from numpy.typing import NDArray

from mcuq.emit.front_end import Fed, front_end_files
from mcuq.emit.port import Port
from mcuq.front_end.conventions import Spectral
from mcuq.front_end.front_end import FrontEnd
from mcuq.front_end.heard import HeldFrames
from mcuq.front_end.micro_speech import MicroSpeech
from mcuq.graph.tensor import Quant, Tensor

RATE = 16000
FRAMES = 3

TENSORFLOW = Spectral(
    "tensorflow",
    RATE,
    640,
    1024,
    "hann",
    True,
    False,
    0,
    "magnitude",
    40,
    20,
    4000,
    "htk",
    "none",
    "natural",
    1e-6,
    1e-30,
    10,
    0,
    2**-15,
)
KALDI = Spectral(
    "kaldi",
    RATE,
    400,
    512,
    "povey",
    False,
    True,
    0.97,
    "power",
    23,
    20,
    8000,
    "htk",
    "none",
    "natural",
    0,
    2**-23,
    13,
    22,
    1,
)
LIBROSA = Spectral(
    "librosa",
    RATE,
    512,
    512,
    "hann",
    True,
    False,
    0,
    "power",
    40,
    0,
    8000,
    "slaney",
    "slaney",
    "db",
    0,
    1e-10,
    20,
    0,
    2**-15,
)
TORCHAUDIO = Spectral(
    "torchaudio",
    RATE,
    400,
    512,
    "hamming",
    True,
    False,
    0,
    "power",
    32,
    0,
    8000,
    "htk",
    "none",
    "natural",
    1e-6,
    1e-30,
    0,
    0,
    2**-15,
)
SMALL = Spectral(
    "torchaudio",
    8000,
    60,
    64,
    "rectangular",
    True,
    True,
    0.5,
    "magnitude",
    12,
    300,
    4000,
    "htk",
    "slaney",
    "db",
    0,
    1e-5,
    0,
    0,
    1,
)
LARGE = Spectral(
    "librosa",
    48000,
    2000,
    2048,
    "hann",
    True,
    False,
    0,
    "power",
    128,
    0,
    24000,
    "slaney",
    "none",
    "db",
    1e-3,
    1e-30,
    0,
    0,
    2**-15,
)
MIDDLE = Spectral(
    "kaldi",
    4000,
    200,
    256,
    "hamming",
    False,
    True,
    0,
    "magnitude",
    20,
    20,
    2000,
    "htk",
    "none",
    "natural",
    0,
    1,
    4,
    0,
    1,
)
TINY = Spectral(
    "tensorflow",
    4000,
    128,
    128,
    "hann",
    False,
    False,
    0.9,
    "power",
    10,
    100,
    1900,
    "htk",
    "none",
    "natural",
    1,
    1,
    0,
    0,
    1,
)
NO_GAIN = MicroSpeech(8000, 200, 20, 60, 3800, pcan=False)
NO_LOG = MicroSpeech(16000, 512, 32, log=False, scale_shift=5)
SIGNALS = {
    "micro_speech": MicroSpeech(),
    "micro_speech without gains": NO_GAIN,
    "micro_speech without logarithms": NO_LOG,
    "tensorflow": TENSORFLOW,
    "kaldi": KALDI,
    "librosa": LIBROSA,
    "torchaudio": TORCHAUDIO,
    "64 points": SMALL,
    "128 points": TINY,
    "256 points": MIDDLE,
    "2048 points": LARGE,
}


def front_of(signal: Spectral | MicroSpeech, lead: bool = False, own: bool = False) -> FrontEnd:
    """A front end with frames that overlap; `own`: each feature has a mean and deviation of its own."""
    features = signal.channels if isinstance(signal, MicroSpeech) else signal.mfcc or signal.mels
    mean = tuple(-3.0 + 0.5 * i for i in range(features)) if own else (1.5,)
    std = tuple(2.0 + 0.1 * i for i in range(features)) if own else (4.0,)
    hop = signal.frame_samples * 3 // 8
    return FrontEnd(signal, hop, signal.frame_samples // 2 if lead else 0, 2, mean, std, 10 / 256, "")


def sound(samples: int, seed: int = 0) -> NDArray[np.int16]:
    """Noise of all powers, tones, silence, both extremes, impulses, steps, one after the other."""
    rng = np.random.default_rng(seed)
    n = max(samples // 12, 1)
    time = np.arange(n)
    parts = [
        rng.normal(0, 3000, n),
        rng.integers(-3, 4, n),
        np.zeros(n),
        rng.choice([-32768, 32767], n),
        np.full(n, -32768),
        np.full(n, 32767),
        32767 * np.sin(2 * np.pi * (50 * time + (RATE / 2 - 50) * time * time / n / 2) / RATE),
        np.where(time % 97 == 0, -32768, 0),
        np.where(time // 40 % 2, 32767, -32768),
        rng.normal(0, 1, n) * 10 ** rng.uniform(0, 4.3, n),
        200 * np.sin(2 * np.pi * 1000 * time / RATE),
        rng.normal(0, 9000, n),
    ]
    return (
        np.concatenate([*parts, np.zeros(max(samples - n * len(parts), 0))])[:samples]
        .clip(-32768, 32767)
        .astype(np.int16)
    )


def port_of(front: FrontEnd, dtype: str = "int8", scale: float = 0.3, zero_point: int = 5) -> Port:
    """An input of FRAMES frames."""
    tensor = Tensor("x", (1, FRAMES, front.features), dtype, None, Quant((scale,), zero_point, dtype))
    return Port("x", "input", tensor, "input")


STUB = """
#include <stdint.h>
#define STUB_DIGEST 0x12345678u
%(c_type)s *stub_input(void);
void stub_run(const %(c_type)s *input);
"""
CODE = """
#include "stub.h"
#include "stub_front_end.h"

static %(c_type)s place[%(elements)d];
static int32_t runs;
static %(c_type)s seen[%(most)d][%(elements)d];

%(c_type)s *stub_input(void) { return place; }
void stub_run(const %(c_type)s *input)
{
    for (int32_t i = 0; i < %(elements)d; i++)
        seen[runs %% %(most)d][i] = input[i];
    runs++;
    for (int32_t i = 0; i < %(elements)d; i++)
        place[i] = 0;
}

/* The samples of a call, in pieces of the length that the first says; 0: a stream begins. Answers what ran, and all
   inputs. */
static void probe(const int8_t *input, int8_t *output)
{
    const int16_t *const word = (const int16_t *)(const void *)input;
    int32_t *const ran = (int32_t *)(void *)output;
    int32_t said = 0;

    runs = 0;
    if (word[0] > 0)
        stub_front_end_reset();
    for (int32_t i = 0; i < %(samples)d;) {
        const int32_t piece = word[0] == 0 || i + word[1] > %(samples)d ? %(samples)d - i : word[1];
        said += stub_push_samples(word + 2 + i, piece);
        i += piece;
    }
    ran[0] = said;
    ran[1] = runs;
    for (int32_t i = 0; i < %(most)d * %(elements)d; i++)
        ((%(c_type)s *)(void *)(output + 8))[i] = (&seen[0][0])[i];
}
"""


def probe_of(cpu: str, front: FrontEnd, port: Port, samples: int, features_first: bool = False) -> tuple[Probe, int]:
    """The C of a front end alone on a CPU, and how many inferences the answer has room for."""
    most = front.frames(samples) // front.hop_frames + 1
    facts = {
        "c_type": port.c_type,
        "elements": FRAMES * front.features,
        "most": most,
        "samples": samples,
    }
    held = HeldFrames("x", port.tensor.shape, FRAMES, features_first, front.hop_frames, FRAMES)
    made = front_end_files(front, Fed(port, held, "input", 0x12345678, False), "stub", 1000)
    sizes = 4 + 2 * samples, 8 + most * FRAMES * front.features * port.tensor.size_bytes // port.tensor.elements
    return Probe(cpu, CODE % facts, sizes, {"stub.h": STUB % facts, **made.files}), most
