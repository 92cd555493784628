"""Random networks on windows of a signal: convolutions, pools and branches of any padding, one behind the other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx_models import model, node

from mcuq.graph.tensor import Array

LAYERS = ("conv", "conv", "depthwise", "residual", "pool", "function", "softmax", "branches", "crop")
ENDS = ("frames", "mean", "last", "flat")


@dataclass
class _Network:
    """Under construction: `x` is what comes last, of `channels`, `frames` and, of images, `bins` besides."""

    rng: np.random.Generator
    channels: int
    frames: int
    bins: int
    x: str = "x"
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def constant(self, values: Array) -> str:
        name = f"w{len(self.constants)}"
        self.constants[name] = values
        return name

    def weights(self, *shape: int) -> str:
        fan_in = np.prod(shape[1:]) or 1
        return self.constant((self.rng.normal(size=shape) / np.sqrt(fan_in)).astype(np.float32))

    def add(self, kind: str, inputs: list[str], **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(node(kind, inputs, name, f"{kind}_{len(self.nodes)}", **attributes))
        return name

    def sizes(self, along: int, across: int) -> list[int]:
        """Of a window: along frames, and of images across bins."""
        return [along, across] if self.bins else [along]


def random_stream(rng: np.random.Generator) -> onnx.ModelProto:
    """Frames are dimension 2 of its input x."""
    frames, channels = int(rng.integers(12, 40)), int(rng.integers(1, 6))
    bins = int(rng.integers(3, 9)) if rng.random() < 0.4 else 0
    net = _Network(rng, channels, frames, bins)
    for _ in range(int(rng.integers(1, 7))):
        if net.frames > 2:
            _add_layer(net, str(rng.choice(LAYERS)))
    if not net.nodes:
        _function(net)
    outputs = [_end(net, str(rng.choice(ENDS)))]
    shape = (1, channels, frames, bins) if bins else (1, channels, frames)
    return model(net.nodes, {"x": shape}, outputs, net.constants)


def _add_layer(net: _Network, kind: str) -> None:
    if kind in ("conv", "depthwise", "residual"):
        _convolution(net, kind)
    elif kind == "pool":
        _pool(net)
    elif kind == "softmax":
        net.x = net.add("Softmax", [net.x], axis=1)
    elif kind == "branches":
        both = [net.add("Relu", [net.x]), net.add("Tanh", [net.x])]
        net.x = net.add("Concat", both, axis=1)
        net.channels *= 2
    elif kind == "crop":
        first, behind = (int(net.rng.integers(0, net.frames // 3)) for _ in range(2))
        net.x = _cut(net, first, net.frames - behind)
        net.frames -= first + behind
    else:
        _function(net)


def _function(net: _Network) -> None:
    net.x = net.add(str(net.rng.choice(["Relu", "Tanh", "Sigmoid", "HardSwish"])), [net.x])


def _cut(net: _Network, first: int, end: int) -> str:
    return net.add("Slice", [net.x, *(net.constant(np.array([value])) for value in (first, end, 2))])


def _convolution(net: _Network, kind: str) -> None:
    rng, is_residual = net.rng, kind == "residual"
    taps, dilation = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    stride = 1 if is_residual else int(rng.choice([1, 1, 1, 2, 3]))
    extent = (taps - 1) * dilation + 1
    begin, end = (int(rng.integers(0, extent)) for _ in range(2)) if rng.random() < 0.6 else (0, 0)
    if is_residual:  # as many frames come out: of both sides, or only of those before
        begin = (extent - 1) // 2 if rng.random() < 0.5 else extent - 1
        end = extent - 1 - begin
    made = (net.frames + begin + end - extent) // stride + 1
    if made < 2:
        return
    across = int(rng.integers(1, min(4, net.bins + 1))) if net.bins and not is_residual else 1
    beside = (across - 1) // 2
    groups = net.channels if kind == "depthwise" else 1
    outputs = int(rng.integers(1, 7)) if kind == "conv" else net.channels
    y = net.add(
        "Conv",
        [
            net.x,
            net.weights(outputs, net.channels // groups, *net.sizes(taps, across)),
            net.constant((rng.normal(size=outputs) / 4).astype(np.float32)),
        ],
        dilations=net.sizes(dilation, 1),
        strides=net.sizes(stride, 1),
        pads=[*net.sizes(begin, beside), *net.sizes(end, beside)],
        group=groups,
    )
    net.x = net.add("Add", [y, net.x]) if is_residual else y
    net.channels, net.frames = outputs, made
    net.bins += (2 * beside - across + 1) if net.bins else 0


def _pool(net: _Network) -> None:
    rng = net.rng
    taps, stride = int(rng.integers(2, 4)), int(rng.choice([1, 2]))
    begin, end = (int(rng.integers(0, taps)) for _ in range(2)) if rng.random() < 0.4 else (0, 0)
    made = (net.frames + begin + end - taps) // stride + 1
    if made < 2:
        return
    net.x = net.add(
        str(rng.choice(["MaxPool", "AveragePool"])),
        [net.x],
        kernel_shape=net.sizes(taps, 1),
        strides=net.sizes(stride, 1),
        pads=[*net.sizes(begin, 0), *net.sizes(end, 0)],
    )
    net.frames = made


def _end(net: _Network, kind: str) -> str:
    """The output: frames as they are, or classes of their mean, of the last, or of all."""
    if kind == "frames":
        return net.x
    if kind == "mean":
        net.x = net.add("GlobalAveragePool", [net.x])
    elif kind == "last":
        net.x = _cut(net, -1, 2**31)
    rows = {"mean": 1, "last": max(1, net.bins), "flat": net.frames * max(1, net.bins)}[kind]
    flat = net.add("Flatten", [net.x])
    return net.add("Gemm", [flat, net.weights(5, net.channels * rows)], transB=1)
