"""PyTorch: float by both exporters; static quantization and QAT, in eager mode and by FX, which only the exporter that
traces can write.

    pip install torch==2.13.0 onnxscript==0.7.2 onnx==1.23.2 numpy==2.4.6
    python pytorch.py [FOLDER]
"""

from __future__ import annotations

import warnings

import torch
from common import save
from torch import Tensor, nn
from torch.ao import quantization
from torch.ao.nn.quantized import FloatFunctional
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
from torch_network import BEYOND, Network, X, calibrate, computed, exported, seeded

ENGINE = "x86"  # whose default is int8 weights of one scale a channel, and uint8 of 7 bits


class Stubs(Network):
    """The network as eager mode wants it, which does not see functions."""

    def __init__(self) -> None:
        super().__init__()
        self.quantize, self.dequantize = quantization.QuantStub(), quantization.DeQuantStub()
        self.sum = FloatFunctional()

    def forward(self, x: Tensor) -> Tensor:
        return self.dequantize(super().forward(self.quantize(x)))

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return self.sum.add(x, y)


def eager() -> nn.Module:
    """Static quantization in eager mode, with what qnnpack has: uint8 and one scale a layer."""
    network = seeded(Stubs())
    layers = [["conv", "norm", "relu"], ["depthwise", "depthwise_relu"]]
    network = quantization.fuse_modules(network, layers)
    network.qconfig = quantization.get_default_qconfig("qnnpack")
    prepared = quantization.prepare(network)
    calibrate(prepared)
    return quantization.convert(prepared)


def eager_qat() -> nn.Module:
    """Trained a little with int8 in the loop, in eager mode."""
    network = seeded(Stubs()).train()
    network = quantization.fuse_modules_qat(network, [["conv", "norm", "relu"], ["depthwise", "depthwise_relu"]])
    network.qconfig = quantization.get_default_qat_qconfig(ENGINE)
    return quantization.convert(trained(quantization.prepare_qat(network)))


def fx() -> nn.Module:
    """Static quantization of a traced graph."""
    mapping = quantization.get_default_qconfig_mapping(ENGINE)
    prepared = prepare_fx(seeded(Network()), mapping, (torch.tensor(X[:1]),))
    calibrate(prepared)
    return convert_fx(prepared)


def trained(network: nn.Module) -> nn.Module:
    """Some steps towards larger scores."""
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    for _ in range(20):
        optimizer.zero_grad()
        (-network(torch.tensor(X)).square().mean()).backward()
        optimizer.step()
    return network.eval()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    network = seeded(Network())
    for name, dynamo in (("torch_float_dynamo", True), ("torch_float_legacy", False)):
        save(name, exported(network, dynamo), {"image": X}, {"scores": computed(network, X)})
    for make, engine in ((eager, "qnnpack"), (eager_qat, ENGINE), (fx, ENGINE)):
        torch.backends.quantized.engine = engine
        network = make()
        name = f"torch_{make.__name__}"
        save(name, exported(network, dynamo=False), {"image": BEYOND}, {"scores": computed(network, BEYOND)})
