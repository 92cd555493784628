"""Trains a small residual CNN on scikit-learn's 8x8 digits and writes the model and data of this example.

It writes digits.onnx, digits_calibration.npz and digits_test.npz next to itself, the same bytes on every run.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

SEED = 0
EPOCHS = 60
BATCH_SIZE = 32
LEARNING_RATE = 0.01  # the peak of the one-cycle schedule
TEST_SAMPLES = 500
CALIBRATION_SAMPLES = 100
MIN_ACCURACY = 0.97
HERE = Path(__file__).resolve().parent


class DigitsNet(nn.Module):
    """(N, 1, 8, 8) pixels in 0..1 to (N, 10) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 16, 1, bias=False),
            nn.BatchNorm2d(16),
        )
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(16, 32, 3, padding=1)
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(image)
        x = F.relu(x + self.block(x))
        x = F.relu(self.head(self.pool(x)))
        return self.classifier(x)


def load_splits() -> list[dict[str, np.ndarray]]:
    """Training, calibration (drawn from training) and test sets: `x` and `y`, all classes in proportion."""
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)[:, np.newaxis]  # exact: pixels are integers in 0..16
    y = digits.target.astype(np.int64)
    rest, test = train_test_split(range(len(y)), test_size=TEST_SAMPLES, stratify=y, random_state=SEED)
    _, some = train_test_split(rest, test_size=CALIBRATION_SAMPLES, stratify=y[rest], random_state=SEED)
    return [{"x": x[rows], "y": y[rows]} for rows in (rest, some, test)]


def shift_randomly(x: torch.Tensor) -> torch.Tensor:
    """Moves each image of (N, 1, 8, 8) by -1, 0 or 1 pixels along both axes; zeros come in at the border."""
    samples, _, height, width = x.shape
    dy, dx = torch.randint(0, 3, (2, samples, 1, 1))
    rows = torch.arange(height).view(1, height, 1) + dy
    columns = torch.arange(width).view(1, 1, width) + dx
    padded = F.pad(x, (1, 1, 1, 1))[:, 0]
    return padded[torch.arange(samples).view(-1, 1, 1), rows, columns].unsqueeze(1)


def train(x: torch.Tensor, y: torch.Tensor) -> DigitsNet:
    """A trained network in inference mode; `x` is (N, 1, 8, 8), `y` the N classes."""
    model = DigitsNet()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    steps = len(x) // BATCH_SIZE  # an epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=EPOCHS * steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH_SIZE)[:steps]:
            optimizer.zero_grad()
            F.cross_entropy(model(shift_randomly(x[rows])), y[rows]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def export(model: DigitsNet, path: Path) -> None:
    """Writes one ONNX file for batches of 1, with its weights inside and nothing about this machine."""
    program = torch.onnx.export(
        model,
        (torch.zeros(1, 1, 8, 8),),
        dynamo=True,
        opset_version=20,
        input_names=["image"],
        output_names=["logits"],
        verbose=False,
    )
    proto = program.model_proto
    # The exporter records stack traces, with the paths of this machine, and the build of PyTorch.
    graph = proto.graph
    tensors = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for item in (proto, graph, *graph.node, *tensors):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    proto.producer_version = torch.__version__.partition("+")[0]
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """What numpy.savez_compressed writes, without the time of day."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            npy = io.BytesIO()
            np.save(npy, array)
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(member, npy.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)


def measure_accuracy(path: Path, x: np.ndarray, y: np.ndarray) -> float:
    """Top-1 accuracy of the exported file; its batch size is 1."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    classes = [session.run(["logits"], {"image": image[np.newaxis]})[0].argmax() for image in x]
    return float(np.mean(classes == y))


def main() -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the order of a parallel sum depends on the number of threads
    torch.use_deterministic_algorithms(True)
    training, calibration, test = load_splits()
    model = train(torch.from_numpy(training["x"]), torch.from_numpy(training["y"]))
    path = HERE / "digits.onnx"
    export(model, path)
    write_npz(HERE / "digits_calibration.npz", calibration)
    write_npz(HERE / "digits_test.npz", test)
    accuracy = measure_accuracy(path, **test)
    print(f"parameters: {sum(p.numel() for p in model.parameters())}")
    print(f"float accuracy: {accuracy:.2%} of {len(test['y'])} test images")
    if accuracy < MIN_ACCURACY:
        sys.exit(f"{path.name}: accuracy {accuracy:.2%} is below {MIN_ACCURACY:.0%}")


if __name__ == "__main__":
    main()
