"""ONNX Runtime's quantize_static: Q/DQ and operators on integers, in all its types.

pip install onnxruntime==1.32.0 onnx==1.23.2
python onnxruntime_static.py [FOLDER]
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from common import CALIBRATION, run_onnx, samples, save
from float_network import network
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

X = samples(1, 8, 8, beyond=True)

# Of each file: format, activations, weights, one scale a channel, and other options of the quantizer.
FORMS: dict[str, tuple[QuantFormat, QuantType, QuantType, bool, dict[str, Any]]] = {
    "ort_qdq_int8": (QuantFormat.QDQ, QuantType.QInt8, QuantType.QInt8, True, {}),
    "ort_qdq_int8_symmetric": (QuantFormat.QDQ, QuantType.QInt8, QuantType.QInt8, False, {"ActivationSymmetric": True}),
    "ort_qdq_uint8": (QuantFormat.QDQ, QuantType.QUInt8, QuantType.QInt8, True, {}),
    "ort_qdq_uint8_weights": (
        QuantFormat.QDQ,
        QuantType.QUInt8,
        QuantType.QUInt8,
        False,
        {"WeightSymmetric": False},
    ),
    "ort_qdq_int16": (QuantFormat.QDQ, QuantType.QInt16, QuantType.QInt8, True, {"ActivationSymmetric": True}),
    "ort_qdq_uint16": (QuantFormat.QDQ, QuantType.QUInt16, QuantType.QInt8, True, {}),
    "ort_qdq_int4_weights": (QuantFormat.QDQ, QuantType.QInt8, QuantType.QInt4, True, {}),
    "ort_qdq_uint4_weights": (QuantFormat.QDQ, QuantType.QUInt8, QuantType.QUInt4, False, {}),
    "ort_qoperator_int8": (QuantFormat.QOperator, QuantType.QInt8, QuantType.QInt8, True, {}),
    "ort_qoperator_uint8": (QuantFormat.QOperator, QuantType.QUInt8, QuantType.QUInt8, False, {}),
    "ort_qoperator_mixed": (QuantFormat.QOperator, QuantType.QUInt8, QuantType.QInt8, True, {}),
}


class Samples(CalibrationDataReader):
    """The samples to calibrate with, one by one."""

    def __init__(self) -> None:
        self._samples: Iterator[dict[str, np.ndarray]] = iter([{"image": x[np.newaxis]} for x in X[:CALIBRATION]])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._samples, None)


def quantized(
    form: QuantFormat, activations: QuantType, weights: QuantType, per_channel: bool, options: dict[str, Any]
) -> onnx.ModelProto:
    """The network quantized, in opset 21, which has 16 and 4 bits."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
        onnx.save(network(), source)
        quantize_static(
            source,
            target,
            Samples(),
            quant_format=form,
            per_channel=per_channel,
            activation_type=activations,
            weight_type=weights,
            extra_options=options,
        )
        return onnx.load(target)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # the quantizer recommends its pre-processing, which this network needs not
    for name, asked in FORMS.items():
        model = quantized(*asked)
        may_saturate = asked[:3] == (QuantFormat.QOperator, QuantType.QUInt8, QuantType.QInt8)
        save(name, model, {"image": X}, run_onnx(model, {"image": X}, may_saturate))
