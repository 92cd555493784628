"""The names of the ways to choose a range, and their parameters; ranges.py carries them out."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcuq.errors import QuantizationError, did_you_mean

METHODS = ("minmax", "moving_average", "percentile", "mse", "entropy")


@dataclass(frozen=True)
class CalibrationMethod:
    """How a range is chosen from the values seen.

    `percentile` counts for the method of that name alone, and `averaging`, the weight of each new sample, for
    "moving_average".
    """

    name: str
    percentile: float = 99.999
    averaging: float = field(default=0.01, kw_only=True)

    def __post_init__(self) -> None:
        """Raise QuantizationError for an unknown name, a percentile outside 50..100, an average outside 0..1."""
        if self.name not in METHODS:
            raise QuantizationError(
                f"calibration '{self.name}': unknown method; use {', '.join(map(repr, METHODS))}, "
                "'percentile:99.99' or 'moving_average:0.05'" + did_you_mean(self.name, METHODS)
            )
        # Below 50 is always a fraction given for a percentage: 0.999 would drop 99 values in 100.
        if not 50 <= self.percentile <= 100:
            raise QuantizationError(
                f"calibration '{self}': percentile {self.percentile:g} is not between 50 and 100; "
                "give the percentage of values to keep, such as 99.99"
            )
        if not 0 < self.averaging <= 1:
            raise QuantizationError(
                f"calibration '{self}': averaging constant {self.averaging:g} is not above 0 and up to 1; "
                "give the weight of each new sample, such as 0.01"
            )

    def __str__(self) -> str:
        if self.name == "percentile":
            return f"percentile:{self.percentile!r}"
        return f"moving_average:{self.averaging!r}" if self.name == "moving_average" else self.name


def parse_method(text: str) -> CalibrationMethod:
    """Read the name of a method, or "percentile:99.99", or "moving_average:0.05".

    Raises QuantizationError for anything else. `parse_method(str(method)) == method`.
    """
    name, colon, parameter = text.partition(":")
    if not colon or name not in METHODS:
        return CalibrationMethod(name)
    if name == "percentile":
        return CalibrationMethod(name, _number(text, parameter, "a percentage, as in 'percentile:99.99'"))
    if name == "moving_average":
        averaging = _number(text, parameter, "the weight of each new sample, as in 'moving_average:0.05'")
        return CalibrationMethod(name, averaging=averaging)
    raise QuantizationError(f"calibration '{text}': '{name}' takes no parameter; use '{name}'")


def _number(text: str, parameter: str, wanted: str) -> float:
    try:
        return float(parameter)
    except ValueError:
        raise QuantizationError(f"calibration '{text}': '{parameter}' is not a number; use {wanted}") from None
