"""Trains a network on the windows of machine.py, exports it to ONNX and measures what was written."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import machine
import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn import functional as F

SEED = 0
EPOCHS, BATCH_SIZE, RATE = 30, 64, 0.006  # RATE: the peak of a one-cycle schedule
LONGEST_GRADIENT = 1.0
MIN_ACCURACY = 0.94
HERE = Path(__file__).resolve().parent


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    steps = len(x) // BATCH_SIZE
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * steps)
    for epoch in range(EPOCHS):
        losses = []
        for rows in torch.randperm(len(x)).split(BATCH_SIZE)[:steps]:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), LONGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.3f}", flush=True)


def export(model: nn.Module, path: Path) -> None:
    program = io.BytesIO()
    torch.onnx.export(
        model,
        (torch.zeros(1, machine.STEPS, machine.AXES),),
        program,
        dynamo=False,
        opset_version=17,
        input_names=["vibration"],
        output_names=["logits"],
    )
    proto = onnx.load_from_string(program.getvalue())
    proto.producer_version = torch.__version__.partition("+")[0]
    for item in (proto, proto.graph, *proto.graph.node):
        item.ClearField("doc_string")
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def measure_accuracy(path: Path, x: np.ndarray, y: np.ndarray) -> float:
    """Top-1 accuracy of the exported file; its batch size is 1."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    states = [session.run(["logits"], {"vibration": window[np.newaxis]})[0].argmax() for window in x]
    return float(np.mean(states == y))


def main(build: Callable[[], nn.Module], name: str) -> None:
    """Writes `name` next to this file, or into the folder that the command line gives: the same bytes on every run."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else HERE
    warnings.filterwarnings("ignore")  # PyTorch calls its TorchScript export old; it is what many use
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the order of a parallel sum depends on the number of threads
    torch.use_deterministic_algorithms(True)
    x, y = machine.windows("train")
    model = build()
    train(model, torch.from_numpy(x), torch.from_numpy(y))
    export(model.eval(), folder / name)
    x, y = machine.windows("test")
    accuracy = measure_accuracy(folder / name, x, y)
    print(f"accuracy of the exported network: {accuracy:.2%} of {len(y)} test windows")
    if accuracy < MIN_ACCURACY:
        sys.exit(f"{name}: accuracy {accuracy:.2%} is below {MIN_ACCURACY:.0%}")
