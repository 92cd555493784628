"""Every scheme on kws: bit for bit on the host and on emulated CPUs, and as accurate as its numbers allow."""

from __future__ import annotations

from functools import cache

import pytest
from reference_cases import case
from schemes import EMULATED, SCHEMES, is_bit_exact, model_for

from mcuq.compile import QuantizedModel, dataset_for, quantize_model
from mcuq.lower import lower
from mcuq.validate import compare_with_float

pytestmark = pytest.mark.reference

# int16: what 8-bit activations cannot reach. float32 rounds where ONNX Runtime does not, no more.
LEAST_SQNR_DB = {"int16": 40.0, "int4": 20.0, "codebook": 20.0, "float16": 60.0, "float32": 100.0, "dynamic": 30.0}


@cache
def quantized(name: str) -> QuantizedModel:
    return quantize_model(case("kws").onnx, case("kws").x_calibration, scheme=SCHEMES[name])


@pytest.mark.parametrize("board", ["host", *EMULATED])
@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_is_bit_exact(name: str, board: str) -> None:
    assert is_bit_exact(model_for(quantized(name), board), case("kws"), 3 if board == "host" else 1)


@pytest.mark.parametrize("name", LEAST_SQNR_DB)
def test_a_scheme_is_as_accurate_as_its_numbers_allow(name: str) -> None:
    data, found = case("kws"), quantized(name)
    report = compare_with_float(found.graph, found.onnx_model, dataset_for(found.graph, data.x, data.y))
    print(f"{name}: {report}")
    assert report.sqnr_db >= LEAST_SQNR_DB[name]
    if name == "int4":
        assert report.agreement is not None
        assert report.agreement >= 0.975


def weight_bytes(found: QuantizedModel) -> int:
    """Bytes of all weights in flash, packed as they are there; without biases and multipliers."""
    calls = [call for step in lower(found.graph).steps for call in step.calls]
    arrays = [
        array for call in calls for name, array in call.arrays.items() if name not in ("bias", "multiplier", "table")
    ]
    return sum(array.nbytes for array in arrays)


def test_int4_weights_take_at_most_55_percent_of_int8_weights() -> None:
    assert weight_bytes(quantized("int4")) <= 0.55 * weight_bytes(quantized("int8"))
