"""The table of ways to choose a range: a new one is a function in a file of its own and a line here.

Command line, errors, diagnose and ranges.py go by this table; none of them compares a name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcuq.quantize.collected import Collected
from mcuq.quantize.entropy_range import least_divergence_range
from mcuq.quantize.mse_range import least_error_range
from mcuq.quantize.percentile_range import central_range


@dataclass(frozen=True)
class Parameter:
    """The number behind a calibrator's name, as in percentile:99.99, and the field of CalibrationMethod that holds it.

    `what` says what it is, `sets` what it does.
    """

    field: str
    example: str
    what: str
    sets: str


@dataclass(frozen=True)
class Calibrator:
    """`choose(collected, parameter, levels)` gives (low, high) for `levels` integers.

    Where `searches` holds, it tells ranges apart by the rounding of values within bins of the histogram: with more
    levels than bins, as int16 has, that cannot be seen and gains little, and the range is that of all values.
    `averages` is for what reads the averages, which a collector has for one constant.
    """

    choose: Callable[[Collected, float, int], tuple[float, float]]
    parameter: Parameter | None = None
    searches: bool = False
    averages: bool = False


SHARE = Parameter("percentile", "99.99", "a percentage", "the share kept")
AVERAGING = Parameter("averaging", "0.05", "the weight of each new sample", "the weight of each new sample")

CALIBRATORS = {
    "minmax": Calibrator(lambda seen, _, levels: (seen.low, seen.high)),
    "moving_average": Calibrator(lambda seen, _, levels: seen.averaged, AVERAGING, averages=True),
    "percentile": Calibrator(lambda seen, share, levels: central_range(seen.edges, seen.counts, share), SHARE),
    "mse": Calibrator(
        lambda seen, _, levels: least_error_range(seen.edges, seen.counts, seen.low, seen.high, levels), searches=True
    ),
    "entropy": Calibrator(
        lambda seen, _, levels: least_divergence_range(
            seen.edges, seen.counts, seen.zeros, seen.low, seen.high, levels
        ),
        searches=True,
    ),
}
