"""Small ONNX networks on windows of a signal, as tools of the field write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx_models import model, node

from mcuq.graph.tensor import Array

CHANNELS, FRAMES = 6, 24


class _Weights:
    """Random constants by name, of the size that training leaves."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self.all: dict[str, Array] = {}

    def __call__(self, *shape: int) -> str:
        fan_in = np.prod(shape[1:]) or 1
        return self.constant(self._rng.normal(size=shape) * 1.4 / np.sqrt(fan_in))

    def bias(self, size: int) -> str:
        return self.constant(self._rng.normal(size=size) / 4)

    def constant(self, values: Array) -> str:
        name = f"w{len(self.all)}"
        self.all[name] = values if values.dtype == np.int64 else values.astype(np.float32)
        return name


def _conv(w: _Weights, x: str, y: str, shape: tuple[int, ...], **attributes: object) -> onnx.NodeProto:
    return node("Conv", [x, w(*shape), w.bias(shape[0])], y, f"conv_{y}", **attributes)


def temporal_convolutions(causal: bool = True, takes_last: bool = True) -> onnx.ModelProto:
    """Dilated convolutions with short cuts, over (1, channels, frames): what the last frame gives, or their mean."""
    w, nodes, x = _Weights(), [], "x"
    for i, dilation in enumerate((1, 2, 4)):
        reach = 2 * dilation
        pads = [reach, 0] if causal else [dilation, dilation]
        nodes += [
            _conv(w, x, f"a{i}", (CHANNELS, CHANNELS, 3), dilations=[dilation], pads=pads),
            node("Relu", [f"a{i}"], f"b{i}", f"relu{i}"),
            node("Add", [f"b{i}", x], f"c{i}", f"add{i}"),
        ]
        x = f"c{i}"
    if takes_last:
        last = [w.constant(np.array([v])) for v in (-1, 2**31, 2)]
        nodes.append(node("Slice", [x, *last], "end", "last"))
    else:
        nodes.append(node("GlobalAveragePool", [x], "end", "mean"))
    nodes += [node("Flatten", ["end"], "flat", "flatten"), node("Gemm", ["flat", w(CHANNELS, 4)], "y", "fc")]
    return model(nodes, {"x": (1, CHANNELS, FRAMES)}, ["y"], w.all)


def of_each_frame() -> onnx.ModelProto:
    """Classes of each frame, of frames before and behind it."""
    w = _Weights()
    nodes = [
        _conv(w, "x", "a", (8, CHANNELS, 5), pads=[2, 2]),
        node("Relu", ["a"], "b", "relu"),
        _conv(w, "b", "c", (8, 8, 3), pads=[1, 1]),
        node("Tanh", ["c"], "d", "tanh"),
        _conv(w, "d", "e", (4, 8, 1)),
        node("Softmax", ["e"], "y", "softmax", axis=1),
    ]
    return model(nodes, {"x": (1, CHANNELS, FRAMES)}, ["y"], w.all)


def strided() -> onnx.ModelProto:
    """Strides and pools along frames, two branches joined, a fully connected end over the window."""
    w = _Weights()
    nodes = [
        _conv(w, "x", "a", (8, CHANNELS, 3), strides=[2]),
        node("Relu", ["a"], "b", "relu"),
        _conv(w, "b", "c", (4, 8, 3)),
        _conv(w, "b", "d", (4, 8, 1)),
        node("Slice", ["d", *(w.constant(np.array([v])) for v in (1, -1, 2))], "e", "crop"),
        node("Concat", ["c", "e"], "f", "join", axis=1),
        node("MaxPool", ["f"], "g", "pool", kernel_shape=[2], strides=[2]),
        node("Flatten", ["g"], "flat", "flatten"),
        node("Gemm", ["flat", w(32, 4)], "y", "fc"),
    ]
    return model(nodes, {"x": (1, CHANNELS, FRAMES)}, ["y"], w.all)


def spectrogram(steps_first: bool = True) -> onnx.ModelProto:
    """2-D convolutions and a depthwise one with padding all around, an average pool, a mean: frames are the height of
    the image, or its width."""
    w = _Weights()
    size = (FRAMES, 10) if steps_first else (10, FRAMES)
    nodes = [
        _conv(w, "x", "a", (8, 1, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["a"], "b", "relu"),
        _conv(w, "b", "c", (8, 1, 3, 3), pads=[1, 1, 1, 1], group=8),
        _conv(w, "c", "d", (8, 8, 1, 1)),
        node("Relu", ["d"], "e", "relu2"),
        node("AveragePool", ["e"], "f", "pool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["f"], "g", "mean"),
        node("Flatten", ["g"], "flat", "flatten"),
        node("Gemm", ["flat", w(8, 4)], "y", "fc"),
    ]
    return model(nodes, {"x": (1, 1, *size)}, ["y"], w.all)


def recurrent() -> onnx.ModelProto:
    """A convolution over frames (1, frames, features), and a GRU over what it gives of the whole window."""
    w, hidden = _Weights(), 5
    nodes = [
        node("Transpose", ["x"], "t", "first", perm=[0, 2, 1]),
        _conv(w, "t", "a", (8, CHANNELS, 4), strides=[2]),
        node("Relu", ["a"], "b", "relu"),
        node("Transpose", ["b"], "c", "steps", perm=[2, 0, 1]),
        node("GRU", ["c", w(1, 15, 8), w(1, 15, hidden), w(1, 30)], ["", "h"], "gru", hidden_size=hidden),
        node("Squeeze", ["h", w.constant(np.array([0]))], "s", "squeeze"),
        node("Gemm", ["s", w(hidden, 4)], "y", "fc"),
    ]
    return model(nodes, {"x": (1, FRAMES, CHANNELS)}, ["y"], w.all)


def normalized() -> onnx.ModelProto:
    """What each frame goes through alone, a convolution in between, and two outputs: of the window and of each
    frame."""
    w = _Weights()
    nodes = [
        node("MatMul", ["x", w(CHANNELS, 8)], "a", "embed"),
        node("LayerNormalization", ["a", w.constant(np.ones(8)), w.bias(8)], "b", "norm", axis=-1),
        node("Transpose", ["b"], "c", "first", perm=[0, 2, 1]),
        _conv(w, "c", "d", (8, 4, 3), group=2),
        node("HardSwish", ["d"], "e", "swish"),
        node("Transpose", ["e"], "f", "last", perm=[0, 2, 1]),
        node("MatMul", ["f", w(8, 3)], "each", "of_frames"),
        node("ReduceMax", ["f"], "g", "most", axes=[1], keepdims=0),
        node("Gemm", ["g", w(8, 4)], "y", "fc"),
    ]
    return model(nodes, {"x": (1, FRAMES, CHANNELS)}, ["y", "each"], w.all)


def weighted_places() -> onnx.ModelProto:
    """Each frame of the window has a weight of its own, so that only what is before that moves on."""
    w = _Weights()
    nodes = [
        _conv(w, "x", "a", (8, CHANNELS, 3)),
        node("Relu", ["a"], "b", "relu"),
        node("Mul", ["b", w(1, 1, FRAMES - 2)], "c", "weigh"),
        _conv(w, "c", "d", (4, 8, 3)),
        node("GlobalMaxPool", ["d"], "e", "most"),
        node("Flatten", ["e"], "y", "flatten"),
    ]
    return model(nodes, {"x": (1, CHANNELS, FRAMES)}, ["y"], w.all)


# Network -> the dimension along which frames come, and how to make it.
STREAMS: Mapping[str, tuple[int, Callable[[], onnx.ModelProto]]] = {
    "causal": (2, temporal_convolutions),
    "both sides": (2, lambda: temporal_convolutions(False)),
    "mean of both sides": (2, lambda: temporal_convolutions(False, False)),
    "each frame": (2, of_each_frame),
    "strides": (2, strided),
    "spectrogram": (2, spectrogram),
    "spectrogram along its width": (3, lambda: spectrogram(False)),
    "recurrent": (1, recurrent),
    "normalized": (1, normalized),
    "weighted places": (2, weighted_places),
}
