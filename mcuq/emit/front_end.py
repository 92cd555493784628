"""A front end -> C files beside a model's: features of sound, and an inference as soon as there are enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuq.emit.data import DataArray
from mcuq.emit.port import Port
from mcuq.emit.render import environment
from mcuq.front_end import micro_speech, spectral
from mcuq.front_end.conventions import Spectral
from mcuq.front_end.fft import digit_order, fft_calls, fft_needs, twiddles_s16, twiddles_s32
from mcuq.front_end.front_end import FrontEnd, last_step
from mcuq.front_end.micro_speech import MicroSpeech
from mcuq.graph.tensor import Array
from mcuq.kernels.runtime import needed_items
from mcuq.version import __version__

# Runtime items: of micro_speech, of its gains and its logarithms; of mel spectra, and of magnitudes.
_MICRO = (*fft_needs(16), "mcuq_bits_of", "mcuq_complex_s16", "mcuq_energy_s16", "mcuq_rounded_root", "mcuq_less_noise")
_GAINS = ("mcuq_gain_for", "mcuq_shrunk")
_LOGARITHMS = ("mcuq_log_scaled",)
_MELS = (*fft_needs(32), "mcuq_bits_of", "mcuq_windowed", "mcuq_log2_of_sum")
_MAGNITUDES = ("mcuq_integer_root",)
NEEDS = (*_MICRO, *_GAINS, *_LOGARITHMS, *_MELS, *_MAGNITUDES)


@dataclass(frozen=True)
class FrontEndFiles:
    """`files` by name; `table_bytes` of constants, and `state_bytes` of RAM that is the front end's own."""

    files: dict[str, str]
    table_bytes: int
    state_bytes: int


@dataclass(frozen=True)
class Fed:
    """The network's input as a front end fills it: so many `frames`, each feature's together where `features_first`;
    `arguments` of the run function, `digest` of the model, `states` where it has some."""

    port: Port
    frames: int
    features_first: bool
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
        "places": ("uint16_t", digit_order(front.signal.fft_samples // 2)),
        **arrays,
        "multipliers": ("int32_t", last.multipliers),
        "offsets": ("int64_t", last.offsets),
    }
    data = [DataArray(f"{model_id}_{name}", c_type, values) for name, (c_type, values) in arrays.items()]
    items = needed_items(needs)
    names = [name for item in items for name in item.names]
    state_bytes = _state_bytes(front, fed)
    table_bytes = sum(values.size * _BYTES[c_type] for c_type, values in arrays.values())
    context = {
        "version": __version__,
        "id": model_id,
        "ID": model_id.upper(),
        "digest": f"0x{fed.digest:08x}",
        "described": front.described(),
        "table_bytes": f"{table_bytes:,}",
        "state_bytes": f"{state_bytes:,}",
        "instructions": f"{instructions:,}",
        "rate": front.sample_rate_hz,
        "samples_per_inference": front.hop_frames * front.hop_samples,
        "samples_until_first": front.samples(fed.frames),
        "has_states": fed.has_states,
        "renamed": [name for name in names if name.islower()],
        "macros": [name for name in names if not name.islower()],
        "runtime": [item.text for item in items],
        "arrays": data,
        "signal": front.signal,
        "front": front,
        "frames": fed.frames,
        "is_micro": is_micro,
        "fft": fft_calls(front.signal.fft_samples, 16 if is_micro else 32, f"{model_id}_turns"),
        "input": fed.port,
        "features_first": fed.features_first,
        "arguments": fed.arguments,
        "last": last,
        **own,
    }
    render = environment()
    files = {
        f"{model_id}_front_end.{kind}": render.get_template(f"front_end.{kind}.j2").render(context)
        for kind in ("h", "c")
    }
    return FrontEndFiles(files, table_bytes, state_bytes)


_BYTES = {"uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8}
Arrays = dict[str, tuple[str, Array]]


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
    size = 4 * (words + 2) + 2 * front.frame_samples + code_bytes * fed.frames * front.features
    return size + -size % 4
