"""ONNX Runtime's quantize_dynamic: weights of 8 bits, ranges of activations found at run time.

pip install onnxruntime==1.32.0 onnx==1.23.2
python onnxruntime_dynamic.py [FOLDER]
"""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from common import run_onnx, samples, save
from float_network import network
from onnxruntime.quantization import QuantType, quantize_dynamic

X = samples(1, 8, 8)

# Of each file: the type of weights, and whether each channel has a scale.
FORMS = {
    "ort_dynamic_int8": (QuantType.QInt8, True),
    "ort_dynamic_uint8": (QuantType.QUInt8, False),
}


def quantized(weights: QuantType, per_channel: bool) -> onnx.ModelProto:
    """The network with ConvInteger and MatMulInteger."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
        onnx.save(network(), source)
        quantize_dynamic(source, target, per_channel=per_channel, weight_type=weights)
        return onnx.load(target)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # the quantizer recommends its pre-processing, which this network needs not
    for name, asked in FORMS.items():
        model = quantized(*asked)
        save(name, model, {"image": X}, run_onnx(model, {"image": X}, may_saturate=asked[0] == QuantType.QInt8))
