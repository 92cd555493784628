"""Calibrators are a table: one that this test adds is read and carried out."""

from __future__ import annotations

import numpy as np
import pytest

from mcuq.errors import QuantizationError
from mcuq.quantize import CalibrationMethod, parse_method
from mcuq.quantize.calibrators import CALIBRATORS, SHARE, Calibrator
from mcuq.quantize.ranges import RangeCollector


def collector() -> RangeCollector:
    found = RangeCollector("x")
    found.update(np.array([-2.0, 0.0, 8.0]))
    return found


def test_one_added_to_the_table_is_read_and_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CALIBRATORS, "half", Calibrator(lambda seen, _, levels: (seen.low / 2, seen.high / 2)))
    assert collector().range(parse_method("half")) == (-1.0, 4.0)
    assert str(parse_method("half")) == "half"
    with pytest.raises(QuantizationError) as caught:
        parse_method("half:3")
    assert str(caught.value) == "calibration 'half:3': 'half' takes no parameter; use 'half'"


def test_one_with_a_parameter_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink = Calibrator(lambda seen, share, levels: (seen.low * share / 100, seen.high * share / 100), SHARE)
    monkeypatch.setitem(CALIBRATORS, "shrink", shrink)
    method = parse_method("shrink:75")
    assert collector().range(method) == (-1.5, 6.0)
    assert (method, str(method)) == (CalibrationMethod("shrink", 75.0), "shrink:75.0")
    with pytest.raises(QuantizationError) as caught:
        parse_method("shrink:much")
    assert str(caught.value) == (
        "calibration 'shrink:much': 'much' is not a number; use a percentage, as in 'shrink:99.99'"
    )


def test_no_range_reaches_beyond_the_values_whatever_a_calibrator_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CALIBRATORS, "wide", Calibrator(lambda seen, _, levels: (-100.0, 100.0)))
    assert collector().range(CalibrationMethod("wide")) == (-2.0, 8.0)
