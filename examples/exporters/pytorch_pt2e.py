"""PyTorch's quantization of exported programs (PT2E), by torchao: per channel, per tensor, and QAT.

pip install torch==2.13.0 torchao==0.18.0 onnxscript==0.7.2 onnx==1.23.2 numpy==2.4.6
python pytorch_pt2e.py [FOLDER]
"""

from __future__ import annotations

import warnings

import torch
from common import save
from torch import nn
from torch_network import BEYOND, Network, X, calibrate, computed, exported, seeded
from torchao.quantization.pt2e import move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config


def static(is_per_channel: bool) -> nn.Module:
    """int8, weights symmetric."""
    program = torch.export.export(seeded(Network()), (torch.tensor(X[:1]),)).module()
    config = get_symmetric_quantization_config(is_per_channel=is_per_channel)
    prepared = prepare_pt2e(program, XNNPACKQuantizer().set_global(config))
    calibrate(prepared)
    return convert_pt2e(prepared)


def qat() -> nn.Module:
    """Trained a little with int8 in the loop."""
    batches = ({0: torch.export.Dim("batch")},)
    network = seeded(Network()).train()
    program = torch.export.export(network, (torch.tensor(X[:2]),), dynamic_shapes=batches).module()
    config = get_symmetric_quantization_config(is_per_channel=True, is_qat=True)
    prepared = prepare_qat_pt2e(program, XNNPACKQuantizer().set_global(config))
    optimizer = torch.optim.SGD(prepared.parameters(), 0.01)
    for _ in range(20):
        optimizer.zero_grad()
        (-prepared(torch.tensor(X)).square().mean()).backward()
        optimizer.step()
    move_exported_model_to_eval(prepared)
    return convert_pt2e(prepared)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name, network in (
        ("torch_pt2e_channels", static(is_per_channel=True)),
        ("torch_pt2e_tensors", static(is_per_channel=False)),
        ("torch_pt2e_qat", qat()),
    ):
        save(name, exported(network, dynamo=True), {"image": BEYOND}, {"scores": computed(network, BEYOND)})
