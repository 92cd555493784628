"""Trains a transformer encoder on images of digits, each pixel a token, and exports it to ONNX.

It writes encoder.onnx next to itself, the same bytes on every run. Data: scikit-learn's digits, tested on
../pytorch_qat/test.npz.
"""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

SEED = 0
LAYERS, WIDTH, HEADS, TOKENS, HIDDEN = 2, 64, 4, 64, 128
EPOCHS, BATCH_SIZE, RATE = 14, 32, 0.002  # RATE: the peak of a one-cycle schedule
MIN_ACCURACY = 0.93
HERE = Path(__file__).resolve().parent


class Block(nn.Module):
    """Attention and two fully connected layers on (N, TOKENS, WIDTH), each added to what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_hidden = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.mixed = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.hidden, self.out = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        qkv = self.qkv(self.before_attention(x)).view(-1, TOKENS, 3, HEADS, WIDTH // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        heads = F.scaled_dot_product_attention(q, k, v)
        x = x + self.mixed(heads.transpose(1, 2).reshape(-1, TOKENS, WIDTH))
        return x + self.out(F.gelu(self.hidden(self.before_hidden(x))))


class Encoder(nn.Module):
    """(N, 1, 8, 8) pixels in 0..1 to (N, 10) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.ink, self.paper = (nn.Parameter(torch.randn(TOKENS, WIDTH) * 0.5) for _ in range(2))
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.last = nn.LayerNorm(WIDTH)
        self.classifier = nn.Linear(WIDTH, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = image.view(-1, TOKENS, 1) * self.ink + self.paper  # each place has an embedding of its own
        return self.classifier(self.last(self.blocks(x)).mean(1))


def load_data() -> tuple[tuple[torch.Tensor, torch.Tensor], dict[str, np.ndarray]]:
    """Training images and classes, and the test set, which no example trains on."""
    digits = load_digits()
    x, y = (digits.images[:, np.newaxis] / 16).astype(np.float32), digits.target.astype(np.int64)
    held_back = dict(np.load(HERE.parent / "pytorch_qat" / "test.npz"))
    tested = {image.tobytes() for image in held_back["x"]}
    others = np.array([image.tobytes() not in tested for image in x])
    return (torch.from_numpy(x[others]), torch.from_numpy(y[others])), held_back


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    steps = len(x) // BATCH_SIZE
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * steps)
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH_SIZE)[:steps]:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[rows]), y[rows], label_smoothing=0.05)
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.3f}")


def export(model: nn.Module, path: Path) -> None:
    program = io.BytesIO()
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, 8, 8),),
        program,
        dynamo=False,
        opset_version=17,
        input_names=["image"],
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
    classes = [session.run(["logits"], {"image": image[np.newaxis]})[0].argmax() for image in x]
    return float(np.mean(classes == y))


def main(folder: Path = HERE) -> None:
    warnings.filterwarnings("ignore")  # PyTorch calls its TorchScript export old; it is what many use
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the order of a parallel sum depends on the number of threads
    torch.use_deterministic_algorithms(True)
    (x, y), test = load_data()
    model = Encoder()
    train(model, x, y)
    path = folder / "encoder.onnx"
    export(model.eval(), path)
    accuracy = measure_accuracy(path, **test)
    print(f"accuracy of the exported network: {accuracy:.2%} of {len(test['y'])} test images")
    if accuracy < MIN_ACCURACY:
        sys.exit(f"{path.name}: accuracy {accuracy:.2%} is below {MIN_ACCURACY:.0%}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
