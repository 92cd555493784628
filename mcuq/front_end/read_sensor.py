"""The file of a front end of sensors: its keys, and what they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from mcuq.errors import ModelError
from mcuq.front_end.keys import values_of
from mcuq.front_end.sensor import Biquad, Sensor, biquad_of
from mcuq.toml_text import is_number

SENSOR_DEFAULTS: Mapping[str, Any] = {
    "sample_rate_hz": None,
    "channels": None,
    "highpass_hz": 0.0,
    "lowpass_hz": 0.0,
    "biquads": (),
    "decimation": 1,
    "hop_frames": 1,
    "sample_unit": 1.0,
    "mean": (0.0,),
    "std": (1.0,),
}
_WHOLE = {"channels": 64, "decimation": 16, "hop_frames": 2**16}  # from 1 to


def sensor_front_end(where: str, given: Mapping[str, Any], source: str) -> Sensor:
    """The front end of what the file says beside its kind. Raises ModelError for whatever is not supported."""
    required = "say what the sensor gives: sample_rate_hz and channels"
    values = values_of(where, "sensor", given, SENSOR_DEFAULTS, _checked, required)
    rate, filters = values["sample_rate_hz"], []
    for key in ("highpass_hz", "lowpass_hz"):
        corner = values.pop(key)
        if corner and not rate / 10000 <= corner < rate / 2:
            raise ModelError(
                f"{where}: {key} = {corner:g}: must be from {rate / 10000:g} to below {rate / 2:g}, half of "
                "the sample rate"
            )
        filters += [biquad_of(key.removesuffix("_hz"), corner, rate)] if corner else []
    values["biquads"] = (*filters, *values["biquads"])
    for key in ("mean", "std"):
        if len(values[key]) not in (1, values["channels"]):
            raise ModelError(
                f"{where}: {key}: has {len(values[key])} numbers, for {values['channels']} channels; give as many, or "
                "one"
            )
    return Sensor(**values, source=source)


def _checked(where: str, key: str, value: Any) -> Any:
    def wrong(must: str) -> ModelError:
        return ModelError(f"{where}: {key} = {value!r}: must be {must}")

    if key in _WHOLE:
        if type(value) is not int or not 1 <= value <= _WHOLE[key]:
            raise wrong(f"a whole number from 1 to {_WHOLE[key]}")
        return value
    if key == "biquads":
        if not isinstance(value, list) or not value or not all(_is_biquad(own) for own in value):
            raise wrong("a list of [b0, b1, b2, a1, a2], each below 2 in magnitude, a0 being 1")
        found = tuple(cast(Biquad, tuple(map(float, own))) for own in value)
        for number, (*_, a1, a2) in enumerate(found):
            if np.abs(np.roots([1, a1, a2])).max() >= 1:
                raise ModelError(
                    f"{where}: biquads: number {number} is not stable: a pole is not within the unit circle"
                )
        return found
    if key in ("mean", "std"):
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(is_number(v) and (key == "mean" or v > 0) for v in listed):
            raise wrong(f"a number{' above 0' * (key == 'std')}, or one a channel")
        return tuple(float(v) for v in listed)
    if not is_number(value) or value < 0 or (value == 0 and not key.startswith(("highpass", "lowpass"))):
        raise wrong("a number above 0")
    return float(value)


def _is_biquad(value: object) -> bool:
    return isinstance(value, list) and len(value) == 5 and all(is_number(v) and abs(v) < 2 for v in value)
