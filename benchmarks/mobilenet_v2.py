"""The CPU time of one large compile: MobileNetV2 1.0 at 224 x 224, with made-up weights.

    OMP_NUM_THREADS=1 python benchmarks/mobilenet_v2.py [SAMPLES]

Compiles for the host with default options and 16 made-up images, and prints the process's CPU time (user and system),
its peak memory and a digest of the generated C. For orientation, never asserted. The network is that of Sandler et
al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2: 17 blocks, 3.5 million weights.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuq.compile import compile_model
from mcuq.graph.tensor import Array

# Expansion, output channels, repeats, stride of the first: table 2 of the paper.
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
PIXELS = 224
CLASSES = 1000


class _Writer:
    """Nodes and weights so far; random weights keep the variance of what passes through them."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[TensorProto] = []
        self._rng = np.random.default_rng(0)

    def node(self, op_type: str, *inputs: str, **attributes: object) -> str:
        output = f"{op_type.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        return output

    def constant(self, values: Array) -> str:
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def weights(self, *shape: int) -> list[str]:
        """A weight (outputs, ...) with its bias."""
        weight = self._rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))
        return [self.constant(weight), self.constant(self._rng.normal(size=shape[0]) * 0.1)]

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, group: int = 1) -> str:
        pads = [kernel // 2] * 4
        weights = self.weights(outputs, inputs // group, kernel, kernel)
        return self.node("Conv", x, *weights, strides=[stride] * 2, pads=pads, group=group)

    def relu6(self, x: str) -> str:
        return self.node("Clip", x, self.constant(np.asarray(0.0)), self.constant(np.asarray(6.0)))


def _whole_eights(channels: float) -> int:
    """The nearest multiple of 8 that is at least nine tenths of `channels`, as the authors' code has it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def mobilenet_v2(width: float = 1.0, pixels: int = PIXELS, classes: int = CLASSES) -> onnx.ModelProto:
    """The network with BatchNormalization already in its weights, 1 x 3 x `pixels` x `pixels` to 1 x `classes`;
    `width` multiplies channels, but for the last ones where it is below 1."""
    writer = _Writer()
    channels = _whole_eights(32 * width)
    x = writer.relu6(writer.conv("x", 3, channels, 3, 2))
    for expansion, whole_outputs, repeats, first_stride in BLOCKS:
        outputs = _whole_eights(whole_outputs * width)
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            inner = channels * expansion
            y = x if expansion == 1 else writer.relu6(writer.conv(x, channels, inner))
            y = writer.relu6(writer.conv(y, inner, inner, 3, stride, inner))
            y = writer.conv(y, inner, outputs)
            x, channels = (writer.node("Add", x, y) if stride == 1 and channels == outputs else y), outputs
    last = max(1280, _whole_eights(1280 * width))
    x = writer.relu6(writer.conv(x, channels, last))
    x = writer.node("Flatten", writer.node("GlobalAveragePool", x))
    y = writer.node("Gemm", x, *writer.weights(classes, last), transB=1)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        writer.nodes,
        "mobilenet_v2",
        [value("x", TensorProto.FLOAT, [1, 3, pixels, pixels])],
        [value(y, TensorProto.FLOAT, [1, classes])],
        writer.initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def images(count: int, pixels: int = PIXELS) -> Array:
    """Smooth patterns with some noise (count, 1, 3, pixels, pixels), about -2 to 2 as after normalization."""
    rng = np.random.default_rng(1)
    coarse = rng.normal(size=(count, 1, 3, 7, 7)).repeat(32, axis=3).repeat(32, axis=4)
    return np.asarray(coarse[..., :pixels, :pixels] + 0.3 * rng.normal(size=(count, 1, 3, pixels, pixels)), np.float32)


def main() -> None:
    """Print what one compile takes."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mobilenet_v2.onnx"
        onnx.save(mobilenet_v2(), path)
        data = images(count)
        before = resource.getrusage(resource.RUSAGE_SELF)
        model = compile_model(path, "host", data)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    digest = hashlib.sha256("".join(model.files[name] for name in sorted(model.files)).encode()).hexdigest()
    print(f"{count} samples: {seconds:.1f} s of CPU, peak {after.ru_maxrss / 1024:.0f} MB, C {digest[:16]}")


if __name__ == "__main__":
    main()
