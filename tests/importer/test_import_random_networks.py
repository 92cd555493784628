"""Random small networks, put together as PyTorch exports them: import and optimize keep what they compute."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_models import check_import, ints, model, node

from mcuq.graph.tensor import Array, Shape

OPSETS = (9, 11, 12, 13, 17, 18, 21)
ACTIVATIONS = ("Relu", "Relu6", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish")


class RandomNetwork:
    """Adds layer after layer to an image; `x` is the newest tensor, `images` are all that later ones may join."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.opset = int(self.rng.choice(OPSETS))
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.shapes: dict[str, Shape] = {}
        batch, channels, height, width = (int(self.rng.integers(*r)) for r in ((1, 3), (1, 5), (5, 12), (5, 12)))
        self.x = self.named("input", (batch, channels, height, width))
        self.images = [self.x]

    def model(self) -> onnx.ModelProto:
        layers = (
            self.conv,
            self.conv,
            self.conv,
            self.normalization,
            self.activation,
            self.activation,
            self.pool,
            self.pad,
            self.join,
            self.add,
            self.gate,
            self.slice,
            self.shuffle,
            self.channels_last,
            self.scale,
        )
        for _ in range(int(self.rng.integers(2, 10))):
            layers[self.rng.integers(len(layers))]()
            if self.x not in self.images:
                self.images.append(self.x)
        outputs = [] if self.chance(0.7) or len(self.images) == 1 else [str(self.rng.choice(self.images[1:]))]
        if self.chance(0.7) or self.x == "input":
            self.classifier()
        outputs += [self.x] if self.x not in outputs else []
        return model(self.nodes, {"input": self.shapes["input"]}, outputs, self.constants, self.opset)

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def named(self, name: str, shape: Shape) -> str:
        self.shapes[name] = shape
        return name

    def weight(self, *shape: int, low: float = -1, high: float = 1) -> str:
        fan_in = max(1, int(np.prod(shape[1:])))
        values = self.rng.uniform(low, high, shape) / (np.sqrt(fan_in) if low < 0 else 1)
        return self.constant(values.astype(np.float32))

    def constant(self, values: Array) -> str:
        name = f"weight.{len(self.constants)}"
        self.constants[name] = values
        return name

    def layer(self, op_type: str, inputs: list[str], shape: Shape, **attributes: object) -> str:
        name = f"/{op_type}_{len(self.nodes)}"
        self.nodes.append(node(op_type, inputs, f"{name}_output_0", name, **attributes))
        return self.named(f"{name}_output_0", shape)

    def with_ints(self, op_type: str, since: int, attributes: dict[str, list[int]], shape: Shape, **more) -> str:
        """A node whose integers are attributes before opset `since`, and inputs from then on."""
        if self.opset < since:
            return self.layer(op_type, [self.x], shape, **attributes, **more)
        inputs = [self.x, *(self.constant(ints(*v)) for v in attributes.values())]
        return self.layer(op_type, inputs, shape, **more)

    @property
    def shape(self) -> Shape:
        return self.shapes[self.x]

    def conv(self) -> None:
        n, channels, *size = self.shape
        groups = int(self.rng.choice([g for g in (1, 1, channels, 2) if channels % g == 0]))
        outputs = groups * int(self.rng.integers(1, 4))
        kernel, pads, strides, dilations, result = [], [], [], [], []
        for extent in size:
            k, p, s, d = (int(self.rng.integers(*r)) for r in ((1, 4), (0, 2), (1, 3), (1, 3)))
            if extent + 2 * p < d * (k - 1) + 1:
                k, d = 1, 1
            kernel, pads, strides, dilations = [*kernel, k], [*pads, p], [*strides, s], [*dilations, d]
            result.append((extent + 2 * p - d * (k - 1) - 1) // s + 1)
        inputs = [self.x, self.weight(outputs, channels // groups, *kernel)]
        if self.chance(0.6):
            inputs.append(self.weight(outputs))
        shape = (n, outputs, *result)
        window = {"kernel_shape": kernel, "pads": pads * 2, "strides": strides, "dilations": dilations}
        self.x = self.layer("Conv", inputs, shape, group=groups, **window)

    def normalization(self) -> None:
        parameters = [self.weight(self.shape[1], low=0.25, high=2) for _ in range(4)]
        self.x = self.layer("BatchNormalization", [self.x, *parameters], self.shape, epsilon=1e-5)

    def activation(self) -> None:
        kind = str(self.rng.choice(ACTIVATIONS))
        if kind == "HardSwish" and self.opset < 14:
            gate = self.layer("HardSigmoid", [self.x], self.shape, alpha=1 / 6)
            self.x = self.layer("Mul", [self.x, gate], self.shape)
        elif kind == "Relu6" and self.opset < 11:
            self.x = self.layer("Clip", [self.x], self.shape, min=0.0, max=6.0)
        elif kind == "Relu6":
            bounds = [self.constant(np.float32(0)), self.constant(np.float32(6))]
            self.x = self.layer("Clip", [self.x, *bounds], self.shape)
        else:
            self.x = self.layer(kind, [self.x], self.shape)

    def pool(self) -> None:
        n, channels, height, width = self.shape
        if min(height, width) < 3:
            return
        kernel, stride, pad = (int(self.rng.integers(*r)) for r in ((2, 4), (1, 3), (0, 2)))
        op_type = str(self.rng.choice(["MaxPool", "AveragePool"]))
        extra = {"count_include_pad": int(self.chance(0.5))} if op_type == "AveragePool" else {}
        shape = (n, channels, *((extent + 2 * pad - kernel) // stride + 1 for extent in (height, width)))
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        self.x = self.layer(op_type, [self.x], shape, **window, **extra)

    def pad(self) -> None:
        n, channels, height, width = self.shape
        top, left, bottom, right = (int(v) for v in self.rng.integers(0, 2, 4))
        shape = (n, channels, height + top + bottom, width + left + right)
        self.x = self.with_ints("Pad", 11, {"pads": [0, 0, top, left, 0, 0, bottom, right]}, shape)

    def join(self) -> None:
        n, _, *size = self.shape
        fitting = [t for t in self.images if self.shapes[t][2:] == tuple(size)]
        other = fitting[self.rng.integers(len(fitting))]
        parts = [self.x, other] if self.chance(0.5) else [other, self.x]
        if self.chance(0.2):
            parts.append(self.weight(n, 2, *size))
        total = sum((self.constants[p].shape if p in self.constants else self.shapes[p])[1] for p in parts)
        self.x = self.layer("Concat", parts, (n, total, *size), axis=1 if self.chance(0.5) or self.opset < 11 else -3)

    def add(self) -> None:
        fitting = [t for t in self.images if self.shapes[t] == self.shape]
        parts = [self.x, fitting[self.rng.integers(len(fitting))] if fitting else self.x]
        self.x = self.layer(str(self.rng.choice(["Add", "Sub", "Mul"])), parts, self.shape)

    def gate(self) -> None:
        n, channels, *_ = self.shape
        image, shape = self.x, self.shape
        if self.chance(0.5):
            self.x = self.layer("GlobalAveragePool", [self.x], (n, channels, 1, 1))
        else:
            self.x = self.with_ints("ReduceMean", 18, {"axes": [2, 3]}, (n, channels, 1, 1), keepdims=1)
        inputs = [self.x, self.weight(channels, channels, 1, 1), self.weight(channels)]
        squeezed = self.layer("Conv", inputs, (n, channels, 1, 1), kernel_shape=[1, 1])
        gate = self.layer(str(self.rng.choice(["Sigmoid", "HardSigmoid"])), [squeezed], (n, channels, 1, 1))
        self.x = self.layer("Mul", [image, gate] if self.chance(0.5) else [gate, image], shape)

    def slice(self) -> None:
        axis = int(self.rng.integers(1, 4))
        size = self.shape[axis]
        if size < 2:
            return
        start, step = int(self.rng.integers(0, size - 1)), int(self.rng.integers(1, 3))
        count = len(range(start, size, step))
        shape = (*self.shape[:axis], count, *self.shape[axis + 1 :])
        attributes = {"starts": [start], "ends": [2**31 - 1], "axes": [axis]}
        if self.opset >= 10:
            attributes["steps"] = [step]
        elif step != 1:
            return
        self.x = self.with_ints("Slice", 10, attributes, shape)

    def shuffle(self) -> None:
        n, channels, height, width = self.shape
        if channels % 2:
            return
        split = (n, 2, channels // 2, height, width)
        x = self.layer("Reshape", [self.x, self.constant(ints(*split))], split)
        x = self.layer("Transpose", [x], (n, channels // 2, 2, height, width), perm=[0, 2, 1, 3, 4])
        self.x = self.layer("Reshape", [x, self.constant(ints(0, -1, height, width))], self.shape)

    def channels_last(self) -> None:
        """A linear layer over the channels, as in ConvNeXt and in transformers."""
        n, channels, height, width = self.shape
        outputs = int(self.rng.integers(1, 5))
        rows = self.layer("Transpose", [self.x], (n, height, width, channels), perm=[0, 2, 3, 1])
        shape = (n, height, width, outputs)
        x = self.layer("MatMul", [rows, self.weight(channels, outputs)], shape)
        x = self.layer("Add", [x, self.weight(outputs)], shape)
        self.x = self.layer("Transpose", [x], (n, outputs, height, width), perm=[0, 3, 1, 2])

    def scale(self) -> None:
        constant = self.weight(
            *[(), (1,), (self.shape[1], 1, 1), (1, self.shape[1], 1, 1), self.shape][self.rng.integers(5)]
        )
        operands = [self.x, constant] if self.chance(0.5) else [constant, self.x]
        self.x = self.layer(str(self.rng.choice(["Add", "Sub", "Mul"])), operands, self.shape)

    def classifier(self) -> None:
        n, channels, height, width = self.shape
        classes = int(self.rng.integers(1, 5))
        kind = self.rng.integers(4)
        if kind == 0:
            self.x = self.with_ints("ReduceMean", 18, {"axes": [2, 3]}, (n, channels), keepdims=0)
        elif kind == 1:
            self.x = self.layer("GlobalAveragePool", [self.x], (n, channels, 1, 1))
            self.x = self.layer("Flatten", [self.x], (n, channels), axis=1)
        elif kind == 2:
            flat = (n, channels * height * width)
            self.x = self.layer("Flatten", [self.x], flat)
        else:
            flat = (n, channels * height * width)
            self.x = self.layer("Reshape", [self.x, self.constant(ints(n, -1))], flat)
        features = self.shape[1]
        if self.chance(0.5):
            inputs = [self.x, self.weight(classes, features), self.weight(classes)]
            self.x = self.layer("Gemm", inputs, (n, classes), transB=1)
        else:
            self.x = self.layer("MatMul", [self.x, self.weight(features, classes)], (n, classes))
        if self.chance(0.4):
            self.x = self.layer(str(self.rng.choice(["Softmax", "LogSoftmax"])), [self.x], (n, classes), axis=1)


@pytest.mark.parametrize("seed", range(120))
def test_a_random_network_computes_the_same_after_import(seed):
    check_import(RandomNetwork(seed).model(), samples=1)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 2500, 500))
def test_many_random_networks_compute_the_same_after_import(first):
    for seed in range(first, first + 500):
        check_import(RandomNetwork(seed).model(), samples=1)
