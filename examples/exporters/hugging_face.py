"""Hugging Face's BERT that classifies texts, tiny and with seeded weights, exported by PyTorch with both exporters.

pip install transformers==5.24.0 torch==2.13.0 onnxscript==0.7.2 onnx==1.23.2 numpy==2.4.6
python hugging_face.py [FOLDER]
"""

from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import torch
from common import SAMPLES, save
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

TOKENS = np.random.default_rng(0).integers(0, 64, (SAMPLES, 8))
NAMES = ["input_ids", "attention_mask"]


class Classifier(nn.Module):
    """Token numbers (1, 8), and a mask of those that count, to logits (1, 3)."""

    def __init__(self, attention: str) -> None:
        super().__init__()
        self.bert = BertForSequenceClassification(
            BertConfig(
                vocab_size=64,
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=8,
                num_labels=3,
                attn_implementation=attention,
            )
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).logits


def seeded(attention: str) -> nn.Module:
    """Weights large enough that attention is not even."""
    torch.manual_seed(0)
    network = Classifier(attention).eval()
    for weight in network.parameters():
        if weight.dim() > 1:
            nn.init.normal_(weight, 0, 0.3)
    return network


def exported(network: nn.Module, dynamo: bool, takes_mask: bool) -> onnx.ModelProto:
    """With an input for the mask, or without."""
    example = (torch.tensor(TOKENS[:1]), torch.ones(1, 8, dtype=torch.int64))[: 1 + takes_mask]
    names = {"input_names": NAMES[: len(example)], "output_names": ["logits"]}
    if dynamo:
        return torch.onnx.export(network, example, dynamo=True, verbose=False, **names).model_proto
    file = io.BytesIO()
    torch.onnx.export(network, example, file, dynamo=False, **names)
    return onnx.load_model_from_string(file.getvalue())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name, attention, dynamo, takes_mask in (
        ("bert_dynamo_mask", "sdpa", True, True),
        ("bert_legacy", "eager", False, False),
    ):
        network = seeded(attention)
        with torch.no_grad():
            logits = np.concatenate([network(torch.tensor(TOKENS[i : i + 1])).numpy() for i in range(SAMPLES)])
        save(name, exported(network, dynamo, takes_mask), {"input_ids": TOKENS}, {"logits": logits})
