"""The two golden models, from fixed ranges: no float of ONNX Runtime, which may differ between CPUs, gets in."""

from __future__ import annotations

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.importer import import_model
from mcuq.ops.add import Add
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softmax import Softmax
from mcuq.ops.unary import Chain
from mcuq.ops.window import Window
from mcuq.passes import optimize
from mcuq.quantize import quantize_graph
from mcuq.quantize.calibrate import scaled_tensors
from mcuq.resources import resource_dir

# In the order of the layers; about what calibration finds.
DIGITS_RANGES = (
    (0.0, 1.0),
    (0.0, 5.25),
    (0.0, 5.0),
    (-8.25, 11.75),
    (0.0, 14.0),
    (0.0, 41.75),
    (0.0, 12.0),
    (-31.0, 19.75),
)


def digits() -> Graph:
    """The int8 graph of examples/digits."""
    graph = optimize(import_model(resource_dir("examples") / "digits" / "digits.onnx")[0])
    return quantize_graph(graph, dict(zip(scaled_tensors(graph), DIGITS_RANGES, strict=True)))


def tiny() -> Graph:
    """A small int8 graph of many kernels."""
    builder = GraphBuilder("tiny")

    def constant(name: str, *shape: int) -> str:
        return builder.constant(pattern(*shape), name)

    x = builder.input("x", (1, 6, 6, 2))
    window, halve = Window((3, 3), pads=(1, 1, 1, 1)), Window((2, 2), strides=(2, 2))
    a = builder.add(Conv2d(window, minimum=0.0), [x, constant("w1", 4, 3, 3, 2), constant("b1", 4)], "a", "conv")
    down = Window((3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
    b = builder.add(Conv2d(down, 4), [a, constant("w2", 4, 3, 3, 1), constant("b2", 4)], "b", "depthwise")
    c = builder.add(Add(minimum=0.0, maximum=6.0), [b, builder.add(MaxPool(halve), [a], "pooled")], "c", "sum")
    d = builder.add(Chain((HardSwish(), Sigmoid())), [c], "d", "lookup")
    mean = builder.add(AveragePool(Window((3, 3))), [d], "mean")
    largest = builder.add(MaxPool(Window((3, 3))), [d], "largest")
    e = builder.add(Reshape((1, 8)), [builder.add(Concat(3), [mean, largest], "joined")], "e")
    logits = builder.add(FullyConnected(), [e, constant("w3", 3, 8), constant("b3", 3)], "logits", "dense")
    builder.outputs.append(builder.add(Softmax(), [logits], "y", "softmax"))
    graph = builder.graph()
    return quantize_graph(graph, {name: (-1.0 - i, 3.0) for i, name in enumerate(scaled_tensors(graph))})


def pattern(*shape: int) -> Array:
    """Float32 numbers from -0.5 to 0.5 without a visible order."""
    count = int(np.prod(shape))
    return ((np.arange(count) * 37 % 101 - 50) / 100).astype(np.float32).reshape(shape)
