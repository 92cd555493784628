"""Trains a GRU that tells a machine's state from its vibration, and writes gru.onnx."""

from __future__ import annotations

import machine
import torch
import training
from torch import nn

HIDDEN = 24


class Network(nn.Module):
    """(N, STEPS, AXES) windows in g to (N, 5) logits, which are read where the window ends."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(machine.AXES, HIDDEN, batch_first=True)
        self.classifier = nn.Linear(HIDDEN, len(machine.STATES))

    def forward(self, vibration: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.recurrent(vibration)
        return self.classifier(hidden[:, -1])


if __name__ == "__main__":
    training.main(Network, "gru.onnx")
