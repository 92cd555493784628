"""Calibration methods, and ranges without data, on the reference networks."""

from __future__ import annotations

import pytest
from reference_cases import case

import mcuq
from mcuq import CalibrationMethod
from mcuq.validate import AccuracyReport

pytestmark = pytest.mark.reference


def report(name: str, method: str) -> AccuracyReport:
    data = case(name)
    model = mcuq.compile(data.onnx, "cortex-m4", data.x_calibration, method=CalibrationMethod(method))
    return mcuq.simulate(model, data.x, data.y).report


@pytest.mark.parametrize("name", ["kws", "sww", "mnist_cnn", "mnist_mlp"])
def test_entropy_does_not_collapse_where_its_usual_form_does(name: str) -> None:
    entropy, default = report(name, "entropy"), report(name, "percentile")
    assert entropy.accuracy is not None
    assert default.accuracy is not None
    assert entropy.accuracy > default.accuracy - 0.005
    assert entropy.sqnr_db > default.sqnr_db - 0.5


def test_the_wake_word_network_needs_no_data_to_be_of_use() -> None:
    data = case("sww")
    model = mcuq.compile(data.onnx, "cortex-m4")
    found = mcuq.simulate(model, data.x, data.y).report
    assert model.origin.batch_normalizations == 4
    assert found.accuracy == found.float_accuracy
    assert found.sqnr_db > 25
