"""The network that PyTorch's tools quantize, and how it is exported."""

from __future__ import annotations

import io

import numpy as np
import onnx
import torch
from common import CALIBRATION, SAMPLES, samples
from torch import Tensor, nn

X = samples(1, 8, 8)
BEYOND = samples(1, 8, 8, beyond=True)  # for files that have ranges
NAMES = {"input_names": ["image"], "output_names": ["scores"]}


class Network(nn.Module):
    """`image` (1, 1, 8, 8) to `scores` (1, 6): convolutions (plain, depthwise, pointwise), a sum, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.depthwise_relu = nn.ReLU()
        self.pointwise = nn.Conv2d(8, 8, 1)
        self.hidden = nn.Linear(8, 16)
        self.sigmoid = nn.Sigmoid()
        self.last = nn.Linear(16, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.norm(self.conv(x))))
        x = self.add(x, self.pointwise(self.depthwise_relu(self.depthwise(x))))
        return self.last(self.sigmoid(self.hidden(x.mean((2, 3)))))

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """What eager mode wants another module for."""
        return x + y


def seeded(network: nn.Module) -> nn.Module:
    """The network with seeded weights and the statistics of the samples, ready to infer."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.reset_parameters()
    for _ in range(20):
        network(torch.tensor(X[:CALIBRATION]))
    return network.eval()


def calibrate(network: nn.Module) -> None:
    """Show it the samples that ranges are found with."""
    for x in X[:CALIBRATION]:
        network(torch.tensor(x[np.newaxis]))


def computed(network: nn.Module, x: np.ndarray) -> np.ndarray:
    """What PyTorch computes, sample by sample."""
    with torch.no_grad():
        return np.concatenate([network(torch.tensor(x[i : i + 1])).numpy() for i in range(SAMPLES)])


def exported(network: nn.Module, dynamo: bool) -> onnx.ModelProto:
    """By the exporter of today, or by the one that traces."""
    example = (torch.tensor(X[:1]),)
    if dynamo:
        return torch.onnx.export(network, example, dynamo=True, verbose=False, **NAMES).model_proto
    file = io.BytesIO()
    torch.onnx.export(network, example, file, dynamo=False, **NAMES)
    return onnx.load_model_from_string(file.getvalue())
