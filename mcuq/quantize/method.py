"""What the user asks of calibration: the name of a calibrator and its parameter; ranges.py carries it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter

from mcuq.errors import QuantizationError, did_you_mean
from mcuq.quantize.calibrators import CALIBRATORS, Calibrator

METHODS = tuple(CALIBRATORS)
_WITH_PARAMETERS = sorted((item for item in CALIBRATORS.items() if item[1].parameter), reverse=True, key=itemgetter(0))


def parameters_text() -> str:
    """What the parameters of calibrators do, for the command line's help."""
    taken = [(f"{n}:{c.parameter.example}", c.parameter.sets) for n, c in _WITH_PARAMETERS if c.parameter]
    return ", ".join(f"{example} sets {what}" for example, what in taken)


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
        if self.name not in CALIBRATORS:
            raise QuantizationError(
                f"calibration '{self.name}': unknown method; use {', '.join(map(repr, METHODS))}, "
                + " or ".join(f"'{name}:{c.parameter.example}'" for name, c in _WITH_PARAMETERS if c.parameter)
                + did_you_mean(self.name, CALIBRATORS)
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
        parameter = self.calibrator.parameter if self.name in CALIBRATORS else None
        return self.name if parameter is None else f"{self.name}:{self.parameter!r}"

    @property
    def calibrator(self) -> Calibrator:
        """What carries it out."""
        return CALIBRATORS[self.name]

    @property
    def parameter(self) -> float:
        """The calibrator's parameter; 0 where it takes none."""
        parameter = self.calibrator.parameter
        return 0.0 if parameter is None else float(getattr(self, parameter.field))


def parse_method(text: str) -> CalibrationMethod:
    """Read the name of a method, or "percentile:99.99", or "moving_average:0.05".

    Raises QuantizationError for anything else. `parse_method(str(method)) == method`.
    """
    name, colon, parameter = text.partition(":")
    if not colon or name not in CALIBRATORS:
        return CalibrationMethod(name)
    taken = CALIBRATORS[name].parameter
    if taken is None:
        raise QuantizationError(f"calibration '{text}': '{name}' takes no parameter; use '{name}'")
    number = _number(text, parameter, f"{taken.what}, as in '{name}:{taken.example}'")
    return CalibrationMethod(name, **{taken.field: number})


def _number(text: str, parameter: str, wanted: str) -> float:
    try:
        return float(parameter)
    except ValueError:
        raise QuantizationError(f"calibration '{text}': '{parameter}' is not a number; use {wanted}") from None
