"""torchao: weights of 8 and of 4 bits alone, as far as they can be exported.

pip install torch==2.13.0 torchao==0.18.0 onnxscript==0.7.2 onnx==1.23.2 numpy==2.4.6
python torchao_weights.py [FOLDER]
"""

from __future__ import annotations

import warnings

import torch
from common import save
from torch_network import Network, X, computed, exported, seeded
from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, quantize_
from torchao.quantization.granularity import PerAxis

# Of each file: what its dense layers are quantized by.
FORMS = {
    "torchao_int8": Int8WeightOnlyConfig(),
    "torchao_int4": IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerAxis(0)),
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name, config in FORMS.items():
        network = seeded(Network())
        quantize_(network, config)
        save(name, exported(network, dynamo=True), {"image": X}, {"scores": computed(network, X)})
