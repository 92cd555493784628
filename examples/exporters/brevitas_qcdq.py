"""Brevitas: QCDQ files with weights of 8 and of 4 bits, int8 and uint8 activations.

pip install brevitas==0.13.4 torch==2.13.0 onnxoptimizer==0.4.2 onnxscript==0.7.2 onnx==1.23.2 numpy==2.4.6
python brevitas_qcdq.py [FOLDER]
"""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import torch
from brevitas import nn as qnn
from brevitas.export import export_onnx_qcdq
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int32Bias,
    Uint8ActPerTensorFloat,
)
from common import save
from torch import Tensor, nn
from torch_network import BEYOND, NAMES, X, computed, seeded

SIGNED = {"act_quant": Int8ActPerTensorFloat, "return_quant_tensor": True}
UNSIGNED = {"act_quant": Uint8ActPerTensorFloat, "return_quant_tensor": True}

FORMS = {"brevitas_w8a8": 8, "brevitas_w4a8": 4}  # of each file: bits of the weights


class Network(nn.Module):
    """As torch_network.Network, of Brevitas' layers."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        weights = {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": bits, "bias_quant": Int32Bias}
        weights["return_quant_tensor"] = True
        self.image = qnn.QuantIdentity(**SIGNED)
        self.conv = qnn.QuantConv2d(1, 8, 3, padding=1, **weights)
        self.relu = qnn.QuantReLU(**UNSIGNED)
        self.pool = nn.MaxPool2d(2)
        self.depthwise = qnn.QuantConv2d(8, 8, 3, padding=1, groups=8, **weights)
        self.depthwise_relu = qnn.QuantReLU(**UNSIGNED)
        self.pointwise = qnn.QuantConv2d(8, 8, 1, **weights)
        self.summand, self.sum = qnn.QuantIdentity(**SIGNED), qnn.QuantIdentity(**SIGNED)
        self.mean = qnn.QuantIdentity(**SIGNED)
        self.hidden = qnn.QuantLinear(8, 16, bias=True, **weights)
        self.hidden_scale = qnn.QuantIdentity(**SIGNED)
        self.sigmoid = qnn.QuantSigmoid(**UNSIGNED)
        self.last = qnn.QuantLinear(16, 6, bias=True, **weights)
        self.scores = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv(self.image(x))))
        y = self.pointwise(self.depthwise_relu(self.depthwise(x)))
        x = self.sum(self.summand(x) + self.summand(y))
        x = self.hidden_scale(self.hidden(self.mean(x.value.mean((2, 3)))))
        return self.scores(self.last(self.sigmoid(x)))


def export(network: nn.Module) -> onnx.ModelProto:
    """QuantizeLinear, Clip, DequantizeLinear."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_onnx_qcdq(network, torch.tensor(X[:1]), str(path), opset_version=17, dynamo=False, **NAMES)
        return onnx.load(path)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name, bits in FORMS.items():
        network = seeded(Network(bits))
        save(name, export(network), {"image": BEYOND}, {"scores": computed(network, BEYOND)})
