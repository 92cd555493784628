"""Trains a small residual network with int8 in the loop (PyTorch eager mode) and exports it to ONNX with Q/DQ.

It writes digits_qat.onnx and test.npz next to itself, the same bytes on every run. Data: ../digits.
"""

from __future__ import annotations

import io
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.ao import quantization
from torch.ao.nn.quantized import FloatFunctional
from torch.nn import functional as F

SEED = 0
FLOAT_EPOCHS, QUANTIZED_EPOCHS = 100, 30
BATCH_SIZE = 32
FLOAT_RATE, QUANTIZED_RATE = 0.01, 0.002  # peaks of one-cycle schedules
TEST_SAMPLES = 250  # the last of ../digits/digits_test.npz; all others are trained on
MIN_ACCURACY = 0.93
HERE = Path(__file__).resolve().parent


class DigitsNet(nn.Module):
    """(N, 1, 8, 8) pixels in 0..1 to (N, 10) logits. Every tensor between layers is quantized."""

    def __init__(self) -> None:
        super().__init__()
        self.image = quantization.QuantStub()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.BatchNorm2d(16), nn.ReLU())
        self.pointwise = nn.Sequential(nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16))
        self.add = FloatFunctional()
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.mean = quantization.QuantStub()  # pooling is no layer that eager mode quantizes by itself
        self.classifier = nn.Linear(32, 10)
        self.logits = quantization.DeQuantStub()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(self.image(image))
        x = self.add.add_relu(x, self.pointwise(self.depthwise(x)))
        x = self.head(self.pool(x))
        return self.logits(self.classifier(self.mean(x.mean((2, 3)))))


def load_data() -> tuple[tuple[torch.Tensor, torch.Tensor], dict[str, np.ndarray]]:
    """Training images and classes, and the test set."""
    test, calibration = (np.load(HERE.parent / "digits" / f"digits_{part}.npz") for part in ("test", "calibration"))
    x = np.concatenate([calibration["x"], test["x"][:-TEST_SAMPLES]])
    y = np.concatenate([calibration["y"], test["y"][:-TEST_SAMPLES]])
    held_back = {key: test[key][-TEST_SAMPLES:] for key in ("x", "y")}
    return (torch.from_numpy(x), torch.from_numpy(y)), held_back


def shift_randomly(x: torch.Tensor) -> torch.Tensor:
    """Moves each image of (N, 1, 8, 8) by -1, 0 or 1 pixels along both axes; zeros come in at the border."""
    samples, _, height, width = x.shape
    dy, dx = torch.randint(0, 3, (2, samples, 1, 1))
    rows = torch.arange(height).view(1, height, 1) + dy
    columns = torch.arange(width).view(1, 1, width) + dx
    padded = F.pad(x, (1, 1, 1, 1))[:, 0]
    return padded[torch.arange(samples).view(-1, 1, 1), rows, columns].unsqueeze(1)


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int, rate: float) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    steps = len(x) // BATCH_SIZE
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(BATCH_SIZE)[:steps]:
            optimizer.zero_grad()
            F.cross_entropy(model(shift_randomly(x[rows])), y[rows]).backward()
            optimizer.step()
            schedule.step()


def quantize(model: DigitsNet) -> nn.Module:
    """The model with BatchNorm folded into its convolutions and FakeQuantize behind every weight and layer.

    int8 throughout: activations with one scale and zero point a tensor, weights with one scale a channel.
    """
    fused = [["stem.0", "stem.1", "stem.2"], ["depthwise.0", "depthwise.1", "depthwise.2"]]
    fused += [["pointwise.0", "pointwise.1"], ["head.0", "head.1", "head.2"]]
    model = quantization.fuse_modules(model.eval(), fused)
    activation = quantization.FakeQuantize.with_args(
        observer=quantization.MovingAverageMinMaxObserver,
        quant_min=-128,
        quant_max=127,
        dtype=torch.qint8,
        qscheme=torch.per_tensor_affine,
    )
    weight = quantization.FakeQuantize.with_args(
        observer=quantization.MovingAveragePerChannelMinMaxObserver,
        quant_min=-128,  # the exporter knows no other range of int8
        quant_max=127,
        dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
    )
    model.qconfig = quantization.QConfig(activation=activation, weight=weight)
    return quantization.prepare_qat(model.train())


class Frozen(nn.Module):
    """A trained FakeQuantize with its scale and zero point as constants, which the exporter needs them to be."""

    def __init__(self, trained: quantization.FakeQuantize) -> None:
        super().__init__()
        scale, zero_point = trained.calculate_qparams()
        self.scale, self.zero_point = scale.detach(), zero_point.detach().int()
        self.axis = trained.ch_axis if trained.is_per_channel else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.axis is not None:
            return torch.fake_quantize_per_channel_affine(x, self.scale, self.zero_point, self.axis, -128, 127)
        return torch.fake_quantize_per_tensor_affine(x, float(self.scale), int(self.zero_point), -128, 127)


def freeze(model: nn.Module) -> None:
    for name, child in model.named_children():
        if isinstance(child, quantization.FakeQuantize):
            setattr(model, name, Frozen(child))
        else:
            freeze(child)


def export(model: nn.Module, path: Path) -> None:
    """Writes FakeQuantize as QuantizeLinear and DequantizeLinear."""
    freeze(model.eval())
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


def main(folder: Path = HERE) -> None:
    warnings.filterwarnings("ignore")  # PyTorch calls its eager mode and TorchScript export old; both are what many use
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the order of a parallel sum depends on the number of threads
    torch.use_deterministic_algorithms(True)
    training, test = load_data()
    model = DigitsNet()
    train(model, *training, FLOAT_EPOCHS, FLOAT_RATE)
    quantized = quantize(model)
    train(quantized, *training, QUANTIZED_EPOCHS, QUANTIZED_RATE)
    path = folder / "digits_qat.onnx"
    export(quantized, path)
    write_npz(folder / "test.npz", test)
    accuracy = measure_accuracy(path, **test)
    print(f"accuracy of the exported network: {accuracy:.2%} of {TEST_SAMPLES} test images")
    if accuracy < MIN_ACCURACY:
        sys.exit(f"{path.name}: accuracy {accuracy:.2%} is below {MIN_ACCURACY:.0%}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
