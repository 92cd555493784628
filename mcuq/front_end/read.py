"""A front end's file, .toml: a kind, which says what is left out, and what is otherwise; read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from mcuq.errors import ModelError, did_you_mean
from mcuq.front_end import spectral
from mcuq.front_end.conventions import Spectral, filter_bank
from mcuq.front_end.feed import AnyFrontEnd
from mcuq.front_end.fft import SIZES
from mcuq.front_end.front_end import FrontEnd
from mcuq.front_end.keys import values_of
from mcuq.front_end.micro_speech import MicroSpeech
from mcuq.front_end.read_image import image_front_end
from mcuq.front_end.read_sensor import sensor_front_end
from mcuq.toml_text import is_number, parse_toml, read_text

Values = Mapping[str, Any]

_MELS: Values = {
    "sample_rate_hz": 16000,
    "frame_samples": 400,
    "hop_samples": 160,
    "fft_samples": 0,
    "window": "hann",
    "window_periodic": True,
    "remove_dc": False,
    "preemphasis": 0.0,
    "spectrum": "power",
    "mels": 40,
    "low_hz": 0.0,
    "high_hz": 0.0,
    "mel_scale": "htk",
    "mel_norm": "none",
    "log": "natural",
    "log_offset": 0.0,
    "log_floor": 1e-30,
    "mfcc": 0,
    "lifter": 0.0,
    "sample_unit": 2.0**-15,
    "center": False,
}
_ALL: Values = {"hop_frames": 1, "mean": 0.0, "std": 1.0}
# What each kind means where the file says nothing: as its library's functions do, or for TensorFlow as the keyword
# spotting of MLPerf Tiny does.
DEFAULTS: Mapping[str, Values] = {
    "micro_speech": {
        **{f.name: f.default for f in fields(MicroSpeech)},
        "hop_samples": 160,
        "feature_scale": 10 / 256,
        **_ALL,
    },
    "tensorflow": {
        **_MELS,
        "frame_samples": 640,
        "hop_samples": 320,
        "spectrum": "magnitude",
        "low_hz": 20.0,
        "high_hz": 4000.0,
        "log_offset": 1e-6,
        "mfcc": 10,
        **_ALL,
    },
    "torchaudio": {**_MELS, "log_offset": 1e-6, "center": True, **_ALL},
    "librosa": {
        **_MELS,
        "frame_samples": 512,
        "mel_scale": "slaney",
        "mel_norm": "slaney",
        "log": "db",
        "log_floor": 1e-10,
        "mfcc": 20,
        "center": True,
        **_ALL,
    },
    "kaldi": {
        **_MELS,
        "window": "povey",
        "window_periodic": False,
        "remove_dc": True,
        "preemphasis": 0.97,
        "mels": 23,
        "low_hz": 20.0,
        "log_floor": 2.0**-23,
        "mfcc": 13,
        "lifter": 22.0,
        "sample_unit": 1.0,
        **_ALL,
    },
}
KINDS = (*DEFAULTS, "image", "sensor")
_CHOICES = {
    name: get_args(hint)
    for name, hint in get_type_hints(Spectral).items()
    if get_origin(hint) is Literal and name != "kind"
}


def read_front_end(path: str | Path) -> AnyFrontEnd:
    """The front end of a .toml file. Raises ModelError where it cannot be read, or says what is not supported."""
    path = Path(path)
    return parse_front_end(read_text(path, f"front end '{path}'", "a .toml file"), path.name)


def parse_front_end(text: str, where: str = "front end") -> AnyFrontEnd:
    """The same of the file's text."""
    try:
        given = parse_toml(text)
    except ValueError as error:
        raise ModelError(f"{where}: is no TOML: {error}") from None
    kind = given.get("kind")
    if kind not in KINDS:
        hint = did_you_mean(str(kind), KINDS)
        raise ModelError(f"{where}: kind = {kind!r}: must be one of {', '.join(KINDS)}{hint}")
    del given["kind"]
    if kind == "image":
        return image_front_end(where, given, text)
    if kind == "sensor":
        return sensor_front_end(where, given, text)
    values = values_of(where, kind, given, DEFAULTS[kind], partial(_checked, defaults=DEFAULTS[kind]))
    return _front_end(where, kind, values, text)


def _checked(where: str, key: str, value: Any, defaults: Values) -> object:
    """A value of its default's type."""
    default = defaults[key]
    if key in ("mean", "std"):
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(is_number(v) and (key == "mean" or v > 0) for v in listed):
            raise ModelError(
                f"{where}: {key} = {value!r}: must be a number{' above 0' * (key == 'std')}, or one a feature"
            )
        return tuple(float(v) for v in listed)
    if key in _CHOICES and isinstance(default, str) and value not in _CHOICES[key]:
        raise ModelError(f"{where}: {key} = {value!r}: must be one of {', '.join(_CHOICES[key])}")
    if isinstance(default, bool) and not isinstance(value, bool):
        raise ModelError(f"{where}: {key} = {value!r}: must be true or false")
    if type(default) is int and (type(value) is not int or not 0 <= value < 2**24):
        raise ModelError(f"{where}: {key} = {value!r}: must be a whole number from 0")
    if isinstance(default, float):
        if not is_number(value) or value < 0:
            raise ModelError(f"{where}: {key} = {value!r}: must be a number from 0")
        return float(value)
    return value


def _front_end(where: str, kind: str, values: dict[str, Any], source: str) -> FrontEnd:
    mean, std = (v if isinstance(v, tuple) else (v,) for v in (values.pop("mean"), values.pop("std")))
    hop_samples, hop_frames = values.pop("hop_samples"), values.pop("hop_frames")
    center, scale = values.pop("center", False), values.pop("feature_scale", 1.0)
    frame, rate = values["frame_samples"], values["sample_rate_hz"]
    if not 4000 <= rate <= 96000:
        raise ModelError(f"{where}: sample_rate_hz = {rate}: must be from 4000 to 96000")
    if not 32 <= frame <= SIZES[-1] or frame % 2:
        raise ModelError(f"{where}: frame_samples = {frame}: must be an even number from 32 to {SIZES[-1]}")
    if not 1 <= hop_samples <= frame:
        raise ModelError(f"{where}: hop_samples = {hop_samples}: must be from 1 to frame_samples, {frame}")
    if hop_frames < 1:
        raise ModelError(f"{where}: hop_frames = {hop_frames}: must be 1 or more")
    signal = _micro_speech(where, values) if kind == "micro_speech" else _spectral(where, kind, values)
    front = FrontEnd(signal, hop_samples, frame // 2 if center else 0, hop_frames, mean, std, scale, source)
    for key, listed in (("mean", mean), ("std", std)):
        if len(listed) not in (1, front.features):
            raise ModelError(
                f"{where}: {key}: has {len(listed)} numbers, a frame {front.features} features; give as many, or one"
            )
    return front


def _micro_speech(where: str, values: Values) -> MicroSpeech:
    signal = MicroSpeech(**values)
    if not signal.fft_samples >= 64:
        raise ModelError(f"{where}: frame_samples = {signal.frame_samples}: must be above 32, for an FFT of 64 points")
    if not 1 <= signal.channels <= 128:
        raise ModelError(f"{where}: channels = {signal.channels}: must be from 1 to 128")
    _check_band(where, signal.low_hz, signal.high_hz, signal.sample_rate_hz)
    for key in ("even_smoothing", "odd_smoothing", "min_signal_remaining"):
        if getattr(signal, key) > 1:
            raise ModelError(f"{where}: {key} = {getattr(signal, key)}: must be from 0 to 1")
    for key, low, high in (("smoothing_bits", 7, 12), ("scale_shift", 0, 8)):
        if not low <= getattr(signal, key) <= high:
            raise ModelError(f"{where}: {key} = {getattr(signal, key)}: must be from {low} to {high}")
    least = signal.gain_bits - signal.snr_shift
    if signal.pcan and not least <= signal.gain_bits <= 31:
        raise ModelError(f"{where}: gain_bits = {signal.gain_bits}: must be from {least} to 31")
    for key, least_of, most in (("pcan_offset", 1e-3, 1e12), ("pcan_strength", 0, 4)):
        if signal.pcan and not least_of <= getattr(signal, key) <= most:
            raise ModelError(f"{where}: {key} = {getattr(signal, key)}: must be from {least_of:g} to {most:g}")
    return signal


def _spectral(where: str, kind: str, values: dict[str, Any]) -> Spectral:
    frame = values["frame_samples"]
    least = next(size for size in SIZES if size >= frame)
    values["fft_samples"] = values["fft_samples"] or least
    values["high_hz"] = values["high_hz"] or values["sample_rate_hz"] / 2
    signal = Spectral(kind=cast(Any, kind), **values)
    if signal.fft_samples not in SIZES or signal.fft_samples < frame:
        sizes = ", ".join(str(size) for size in SIZES if size >= frame)
        raise ModelError(
            f"{where}: fft_samples = {signal.fft_samples}: must be one of {sizes}; a library's n_fft that is none of "
            "them has frames that are padded with zeros to the next"
        )
    _check_band(where, signal.low_hz, signal.high_hz, signal.sample_rate_hz)
    if not 2 <= signal.mels <= 256:
        raise ModelError(f"{where}: mels = {signal.mels}: must be from 2 to 256")
    if signal.mfcc > signal.mels:
        raise ModelError(f"{where}: mfcc = {signal.mfcc}: must be {signal.mels}, the mels, at most")
    if signal.preemphasis > 1:
        raise ModelError(f"{where}: preemphasis = {signal.preemphasis}: must be from 0 to 1")
    if not 1e-30 <= signal.log_floor <= 1e12:
        raise ModelError(f"{where}: log_floor = {signal.log_floor}: must be from 1e-30 to 1e12")
    if signal.log_offset and not 1e-30 <= signal.log_offset <= 1e12:
        raise ModelError(f"{where}: log_offset = {signal.log_offset}: must be 0, or from 1e-30 to 1e12")
    if not 2.0**-20 <= signal.sample_unit <= 2.0**10:
        raise ModelError(f"{where}: sample_unit = {signal.sample_unit}: must be from 2^-20 to 2^10")
    if not (filter_bank(signal) > 0).any():
        raise ModelError(f"{where}: no bin of the spectrum is between low_hz and high_hz; take a larger fft_samples")
    if signal.log_offset:
        tables = spectral.tables_of(signal)
        most = signal.order * spectral.data_bits(signal) - tables.added_bits
        if not (tables.added_bits >= -62 and most <= 62):
            raise ModelError(
                f"{where}: log_offset = {signal.log_offset}: is too large for the samples' scale; give less"
            )
    return signal


def _check_band(where: str, low: float, high: float, rate: int) -> None:
    if not low < high <= rate / 2:
        raise ModelError(
            f"{where}: low_hz = {low:g}, high_hz = {high:g}: must be in this order, and {rate / 2:g}, half of the "
            "sample rate, at most"
        )
