"""Trains a 1-D convolutional network that tells a machine's state from its vibration, and writes cnn.onnx."""

from __future__ import annotations

import machine
import torch
import training
from torch import nn

CHANNELS = 16


class Network(nn.Module):
    """(N, STEPS, AXES) windows in g to (N, 5) logits; nothing is padded, so that the network streams."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(machine.AXES, CHANNELS, 7),
            nn.ReLU(),
            nn.Conv1d(CHANNELS, CHANNELS, 5, dilation=2),
            nn.ReLU(),
            nn.Conv1d(CHANNELS, CHANNELS, 5, dilation=4),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(CHANNELS, len(machine.STATES))

    def forward(self, vibration: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(vibration.transpose(1, 2)).mean(2))


if __name__ == "__main__":
    training.main(Network, "cnn.onnx")
