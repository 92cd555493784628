"""Calibration methods as text, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcuq.errors import QuantizationError
from mcuq.quantize.calibrators import CALIBRATORS
from mcuq.quantize.method import CalibrationMethod, parse_method


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("minmax", CalibrationMethod("minmax")),
        ("mse", CalibrationMethod("mse")),
        ("entropy", CalibrationMethod("entropy")),
        ("moving_average", CalibrationMethod("moving_average", averaging=0.01)),
        ("moving_average:0.25", CalibrationMethod("moving_average", averaging=0.25)),
        ("moving_average:1", CalibrationMethod("moving_average", averaging=1.0)),
        ("percentile", CalibrationMethod("percentile", 99.999)),
        ("percentile:99.99", CalibrationMethod("percentile", 99.99)),
        ("percentile:100", CalibrationMethod("percentile", 100)),
    ],
)
def test_methods_are_read_from_text_and_written_back(text, method):
    assert parse_method(text) == method
    assert parse_method(str(method)) == method


SPELLED = sorted((f"{n}:{c.parameter.example}" for n, c in CALIBRATORS.items() if c.parameter), reverse=True)
KNOWN = f"unknown method; use {', '.join(map(repr, CALIBRATORS))}, {' or '.join(map(repr, SPELLED))}"


def test_every_calibrator_stands_in_the_docs_with_when_it_is_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)(?::[\d.]+)?`(?: \(default\))? \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    assert sorted(rows) == sorted(CALIBRATORS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minmx", f"calibration 'minmx': {KNOWN}; did you mean 'minmax'?"),
        ("percentil:99", f"calibration 'percentil': {KNOWN}; did you mean 'percentile'?"),
        ("kl", f"calibration 'kl': {KNOWN}"),
        ("", f"calibration '': {KNOWN}"),
        ("mse:3", "calibration 'mse:3': 'mse' takes no parameter; use 'mse'"),
        (
            "percentile:high",
            "calibration 'percentile:high': 'high' is not a number; use a percentage, as in 'percentile:99.99'",
        ),
        ("entropy:8", "calibration 'entropy:8': 'entropy' takes no parameter; use 'entropy'"),
        (
            "moving_average:",
            "calibration 'moving_average:': '' is not a number; "
            "use the weight of each new sample, as in 'moving_average:0.05'",
        ),
        *(
            (
                f"moving_average:{text}",
                f"calibration 'moving_average:{text}': averaging constant {value} is not above 0 and up to 1; "
                "give the weight of each new sample, such as 0.01",
            )
            for text, value in (("0.0", "0"), ("-0.5", "-0.5"), ("99.0", "99"), ("nan", "nan"))
        ),
        (
            "percentile:0.999",
            "calibration 'percentile:0.999': percentile 0.999 is not between 50 and 100; "
            "give the percentage of values to keep, such as 99.99",
        ),
        (
            "percentile:101",
            "calibration 'percentile:101.0': percentile 101 is not between 50 and 100; "
            "give the percentage of values to keep, such as 99.99",
        ),
        (
            "percentile:nan",
            "calibration 'percentile:nan': percentile nan is not between 50 and 100; "
            "give the percentage of values to keep, such as 99.99",
        ),
    ],
)
def test_methods_that_are_not_known_are_refused(text, message):
    with pytest.raises(QuantizationError, match=f"^{re.escape(message)}$"):
        parse_method(text)
