"""A front end -> C files beside a model's: features of sound, and inferences as soon as there are enough, or images."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

from mcuq.arithmetic.powers import LOGARITHMS
from mcuq.emit.front_end_files import Arrays, FrontEndFiles, Parts, rendered
from mcuq.emit.image_front_end import NEEDS as IMAGE_NEEDS
from mcuq.emit.image_front_end import image_parts
from mcuq.emit.listing import Listing
from mcuq.emit.port import Port
from mcuq.emit.sensor_front_end import NEEDS as SENSOR_NEEDS
from mcuq.emit.sensor_front_end import sensor_parts
from mcuq.errors import ModelError
from mcuq.front_end import micro_speech, spectral
from mcuq.front_end.conventions import Spectral
from mcuq.front_end.feed import AnyFrontEnd
from mcuq.front_end.fft import (
    fft_calls,
    fft_needs,
    first_call,
    group_parts,
    group_places,
    needs_all,
    radices,
    twiddles_s16,
    twiddles_s32,
)
from mcuq.front_end.front_end import FrontEnd, last_step
from mcuq.front_end.heard import HeldFrames, held_frames
from mcuq.front_end.image import Image, seen_by
from mcuq.front_end.micro_speech import MicroSpeech
from mcuq.front_end.sensor import Sensor
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Quant

# Runtime items: of micro_speech, of its gains and its logarithms; of mel spectra, and of magnitudes.
_MICRO = (*fft_needs(16), "mcuq_bits_of", "mcuq_complex_s16", "mcuq_energy_s16", "mcuq_rounded_root", "mcuq_less_noise")
_GAINS = ("mcuq_gain_for", "mcuq_shrunk")
_LOGARITHMS = ("mcuq_log_scaled",)
_MELS = (*fft_needs(32), "mcuq_bits_of", "mcuq_windowed", "mcuq_log2_of_sum")
_MAGNITUDES = ("mcuq_near_root",)
NEEDS = (*_MICRO, *_GAINS, *_LOGARITHMS, *_MELS, *_MAGNITUDES, *IMAGE_NEEDS, *SENSOR_NEEDS)


@dataclass(frozen=True)
class Fed:
    """The network's input as a front end fills it; `arguments` of the run function, `digest` of the model, and whether
    it has states."""

    port: Port
    held: HeldFrames
    arguments: str
    digest: int
    has_states: bool


def front_end_files(front: FrontEnd, fed: Fed, model_id: str, instructions: int) -> FrontEndFiles:
    """MODEL_ID_front_end.c and .h; the same front end and model give the same bytes."""
    tensor = fed.port.tensor
    last = last_step(front, tensor.scale, tensor.zero_point, tensor.quantization.bounds)
    is_micro = isinstance(front.signal, MicroSpeech)
    own, needs, arrays = (
        _micro_speech(front.signal) if isinstance(front.signal, MicroSpeech) else _spectral(front.signal)
    )
    arrays = {
        "places": ("uint16_t", group_places(front.signal.fft_samples)),
        **arrays,
        "multipliers": ("int32_t", last.multipliers),
        "offsets": ("int64_t", last.offsets),
    }
    context = {
        "described": front.described(),
        "rate": front.sample_rate_hz,
        "samples_per_inference": fed.held.hop_frames * front.hop_samples,
        "samples_until_first": front.samples(fed.held.frames),
        "samples_until_full": front.samples(fed.held.full_frames),
        "has_states": fed.has_states,
        "signal": front.signal,
        "front": front,
        "frames": fed.held.frames,
        "hop_frames": fed.held.hop_frames,
        "is_streamed": fed.held.full_frames > fed.held.frames,
        "is_micro": is_micro,
        "first": _first_stage(front, 16 if is_micro else 32),
        "fft": fft_calls(front.signal.fft_samples, 16 if is_micro else 32, f"{model_id}_turns", own.get("end_bin")),
        "input": fed.port,
        "features_first": fed.held.features_first,
        "arguments": fed.arguments,
        "last": last,
        **own,
    }
    parts = Parts(
        "sound",
        needs,
        arrays,
        context,
        _state_bytes(front, fed),
        instructions,
        "second",
        0 if is_micro else 4 * len(LOGARITHMS),
    )
    return rendered(parts, model_id, fed.digest)


def _first_stage(front: FrontEnd, bits: int) -> list[dict[str, Any]]:
    """Loops over groups of samples that go through the FFT's first stage as they are windowed: from sample `begin` to
    `end`, with `values` so many samples on, or pairs of them where these are one value of 16 bits."""
    size = front.signal.fft_samples
    radix, loops = radices(size // 2)[0], []
    for begin, end, parts in group_parts(size, front.signal.frame_samples):
        values: list[dict[str, Any]] = [
            {"name": f"{name}{k}", "offset": k * (size // radix) + more}
            for k in range(parts)
            for more, name in enumerate("ri" if bits == 32 else "x")
        ]
        place = f"x + {radix * bits // 16} * *place++"
        call = first_call(size, bits, place, [value["name"] for value in values])
        loops.append({"begin": 2 * begin, "end": 2 * end, "values": values, "call": call})
    return loops


def files_of(
    front: AnyFrontEnd, graph: Graph, listing: Listing, model_id: str, features: Collection[str], is_external: bool
) -> FrontEndFiles:
    """The files for a model of which `listing` says what its C has, on a CPU with these features. Raises ModelError
    where the front end cannot feed it."""
    where = f"model '{model_id}': --front-end"
    shown = seen_by(graph, front, model_id) if isinstance(front, Image) else None
    held = None if isinstance(front, Image) else held_frames(graph, front, model_id)
    (name,) = graph.given_inputs
    tensor = graph.tensors[name]
    if held is not None and listing.push is not None:
        raise ModelError(f"{where}: fills the whole input, which --push never has; leave out one of the two")
    if is_external:
        raise ModelError(
            f"{where}: runs the model, which has no weights until it is given them; leave out --weights external"
        )
    if not isinstance(tensor.quant, Quant) or tensor.dtype not in ("int8", "int16"):
        raise ModelError(
            f"{where}: gives integers of one scale, input '{name}' is of {tensor.dtype}; use a scheme of int8 "
            "or int16 inputs"
        )
    if len(tensor.quant.scale) > 1:
        raise ModelError(
            f"{where}: gives integers of one scale, the file quantizes input '{name}' with {len(tensor.quant.scale)}; "
            "give a file that is not quantized, or has one scale there, and a mean and std for each feature"
        )
    arguments = ", ".join(["input", *(f"{listing.accessors[name]}()" for name in graph.given_outputs)])
    accessor = listing.accessors.get(name, "input").removeprefix(f"{model_id}_")
    port = Port(name, accessor, tensor, accessor)
    if shown is not None:
        push = listing.push
        pushed = None if push is None else (graph.tensors[push.tensor].shape, push.rows)
        return rendered(image_parts(shown, port, arguments, pushed, model_id), model_id, listing.digest)
    assert held is not None and not isinstance(front, Image)
    if isinstance(front, Sensor):
        parts = sensor_parts(front, port, held, arguments, bool(graph.states), model_id)
        return rendered(parts, model_id, listing.digest)
    fed = Fed(port, held, arguments, listing.digest, bool(graph.states))
    return front_end_files(front, fed, model_id, instructions_of(front, features))


def instructions_of(front: FrontEnd, features: Collection[str]) -> int:
    """About the instructions for a second of sound, on a CPU with these features: counted on Cortex-M4, and how many
    times as many others took."""
    signal, size = front.signal, front.signal.fft_samples
    frame = 2.8 * size * log2(size) + 20 * front.frame_samples
    if isinstance(signal, MicroSpeech):
        frame += 400 * signal.channels + 10 * int(micro_speech.filters_of(signal).widths.sum())
    else:
        tables = spectral.tables_of(signal)
        bins = int((tables.starts.astype(np.int64) + tables.widths).max())
        frame += 8 * len(tables.weights) + (6 if signal.order == 2 else 29) * bins
        frame -= 0 if needs_all(size, bins) else size
        frame += 110 * signal.mels + 5 * signal.mels * signal.mfcc
        frame += 22 * front.frame_samples if signal.remove_dc or signal.preemphasis else 0
    times = next((times for feature, times in _TIMES.items() if feature in features), _TIMES[""])
    frame *= times[isinstance(signal, MicroSpeech)]
    return round(frame * front.sample_rate_hz / front.hop_samples / 1000) * 1000


# By the CPU's feature: (of mel spectra, of micro_speech); "": none of them.
_TIMES = {"dsp": (1.02, 1.03), "armv6m": (9.2, 4.2), "rv32m": (1.5, 2.3), "": (1.12, 1.7)}


def _micro_speech(signal: MicroSpeech) -> tuple[dict[str, Any], Sequence[str], Arrays]:
    """What the template reads, the runtime items, and the tables."""
    filters = micro_speech.filters_of(signal)
    turns = twiddles_s16(signal.fft_samples).astype(np.int64)
    arrays: Arrays = {
        "window": ("int16_t", micro_speech.window_of(signal)),
        "turns": ("uint32_t", (turns[:, 0] & 0xFFFF) | (turns[:, 1] & 0xFFFF) << 16),
        "widths": ("uint8_t", filters.widths),
        "weights_of_channels": ("uint16_t", filters.weights),
        "weights_of_others": ("uint16_t", filters.unweights),
    }
    needs = _MICRO
    if signal.pcan:
        arrays["gains"] = ("int16_t", micro_speech.gains_of(signal))
        needs += _GAINS
    if signal.log:
        arrays["logarithms"] = ("uint16_t", micro_speech.log_table())
        needs += _LOGARITHMS
    return (
        {
            "filters": filters,
            "even_smoothing": micro_speech.part_of(signal.even_smoothing),
            "odd_smoothing": micro_speech.part_of(signal.odd_smoothing),
            "least": micro_speech.part_of(signal.min_signal_remaining),
        },
        needs,
        arrays,
    )


def _spectral(signal: Spectral) -> tuple[dict[str, Any], Sequence[str], Arrays]:
    """The same."""
    tables = spectral.tables_of(signal)
    arrays: Arrays = {
        "window": ("int16_t", tables.window),
        "turns": ("int32_t", twiddles_s32(signal.fft_samples)),
        "starts": ("uint16_t", tables.starts),
        "widths": ("uint16_t", tables.widths),
        "weights_of_channels": ("uint16_t", tables.weights),
        "log_offsets": ("int32_t", tables.log_offsets),
    }
    if signal.log_offset:
        arrays["added"] = ("uint32_t", tables.added)
    if tables.cosines is not None:
        arrays["cosines"] = ("int16_t", tables.cosines)
    needs = _MELS if signal.order == 2 else _MELS + _MAGNITUDES
    ends = tables.starts.astype(np.int64) + tables.widths
    own = {
        "tables": tables,
        "first_bin": int(tables.starts[tables.widths > 0].min()),
        "end_bin": int(ends.max()),
        "spectrum_is_whole": needs_all(signal.fft_samples, int(ends.max())),
        "fine": spectral.fine_bits(signal),
        "data_bits": spectral.data_bits(signal),
        "emphasis": spectral.emphasis(signal),
        "emphasis_bits": spectral.EMPHASIS_BITS,
        "added": bool(signal.log_offset),
    }
    return own, needs, arrays


def _state_bytes(front: FrontEnd, fed: Fed) -> int:
    """Of the C's own struct, each of whose members is aligned."""
    points, signal = front.signal.fft_samples // 2, front.signal
    code_bytes = np.dtype(fed.port.tensor.dtype).itemsize
    if isinstance(signal, MicroSpeech):
        words = points + 1 + 2 * front.features
    else:
        words = 2 * points + 2 + front.features + (signal.mels if signal.mfcc else 0)
    size = 4 * (words + 2) + 2 * front.frame_samples + code_bytes * fed.held.frames * front.features
    return size + -size % 4
