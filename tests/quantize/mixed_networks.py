"""Small networks whose two weighted layers have operators of one kind between them, and what float makes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx_models import ints, model, node

from mcuq.graph.tensor import Array

CHANNELS, EDGE, CLASSES = 6, 8, 5

Between = Callable[[dict[str, Array]], tuple[list[onnx.NodeProto], int]]


def _plain(constants: dict[str, Array]) -> tuple[list[onnx.NodeProto], int]:
    return [node("Relu", ["first.y"], "relu", "relu"), node("Flatten", ["relu"], "flat", "flat")], EDGE * EDGE


def _max_pool(constants: dict[str, Array]) -> tuple[list[onnx.NodeProto], int]:
    pool = node("MaxPool", ["first.y"], "pool", "pool", kernel_shape=[2, 2], strides=[2, 2])
    return [pool, node("Flatten", ["pool"], "flat", "flat")], EDGE * EDGE // 4


def _averages(constants: dict[str, Array]) -> tuple[list[onnx.NodeProto], int]:
    pool = node("AveragePool", ["first.y"], "pool", "pool", kernel_shape=[2, 2], strides=[2, 2])
    mean = node("ReduceMean", ["pool"], "mean", "mean", axes=[3], keepdims=0)
    return [pool, mean, node("Flatten", ["mean"], "flat", "flat")], EDGE // 2


def _concat(constants: dict[str, Array]) -> tuple[list[onnx.NodeProto], int]:
    half = node("Slice", ["first.y", "starts", "ends", "axes"], "half", "half")
    constants |= {"starts": ints(0), "ends": ints(EDGE // 2), "axes": ints(2)}
    joined = node("Concat", ["half", "x.half"], "joined", "joined", axis=1)
    x_half = node("Slice", ["x", "starts", "ends", "axes"], "x.half", "x_half")
    per_channel = EDGE * EDGE // 2
    return [half, x_half, joined, node("Flatten", ["joined"], "flat", "flat")], per_channel * (CHANNELS + 3) // CHANNELS


def _moves(constants: dict[str, Array]) -> tuple[list[onnx.NodeProto], int]:
    constants |= {"starts": ints(1, 0), "ends": ints(EDGE, EDGE - 1), "axes": ints(2, 3), "shape": ints(1, -1)}
    moved = [
        node("Transpose", ["first.y"], "turned", "turned", perm=[0, 1, 3, 2]),
        node("Slice", ["turned", "starts", "ends", "axes"], "cut", "cut"),
        node("Reshape", ["cut", "shape"], "flat", "flat"),
    ]
    return moved, (EDGE - 1) ** 2


def _branches(constants: dict[str, Array]) -> tuple[list[onnx.NodeProto], int]:
    added = [
        node("Sigmoid", ["first.y"], "gate", "gate"),
        node("Mul", ["first.y", "gate"], "gated", "gated"),
        node("Add", ["gated", "first.y"], "sum", "sum"),
    ]
    return [*added, node("Flatten", ["sum"], "flat", "flat")], EDGE * EDGE


def _functions(constants: dict[str, Array]) -> tuple[list[onnx.NodeProto], int]:
    functions = [
        node("HardSwish", ["first.y"], "swish", "swish"),
        node("Softmax", ["swish"], "shares", "shares", axis=3),
        node("Tanh", ["shares"], "tanh", "tanh"),
    ]
    return [*functions, node("Flatten", ["tanh"], "flat", "flat")], EDGE * EDGE


def _depthwise(constants: dict[str, Array]) -> tuple[list[onnx.NodeProto], int]:
    constants["depthwise.w"] = _normal((CHANNELS, 1, 3, 3), 7)
    layer = node(
        "Conv", ["first.y", "depthwise.w"], "depthwise.y", "depthwise", group=CHANNELS, strides=[2, 2], pads=[1] * 4
    )
    return [layer, node("Flatten", ["depthwise.y"], "flat", "flat")], EDGE * EDGE // 4


NETWORKS: dict[str, Between] = {
    "plain": _plain,
    "max_pool": _max_pool,
    "averages": _averages,
    "concat": _concat,
    "moves": _moves,
    "branches": _branches,
    "functions": _functions,
    "depthwise": _depthwise,
}


def mixed_network(name: str) -> onnx.ModelProto:
    """Conv 'first', what NETWORKS has under the name, Gemm 'second'; x to y."""
    constants = {"first.w": _normal((CHANNELS, 3, 3, 3), 1), "first.b": _normal((CHANNELS,), 2)}
    nodes, per_channel = NETWORKS[name](constants)
    constants |= {"second.w": _normal((CLASSES, CHANNELS * per_channel), 3), "second.b": _normal((CLASSES,), 4)}
    return model(
        [
            node("Conv", ["x", "first.w", "first.b"], "first.y", "first", pads=[1] * 4),
            *nodes,
            node("Gemm", ["flat", "second.w", "second.b"], "y", "second", transB=1),
        ],
        {"x": (1, 3, EDGE, EDGE)},
        constants=constants,
    )


def mixed_samples(count: int, seed: int) -> Array:
    """Inputs (count, 3, EDGE, EDGE), float32."""
    return np.random.default_rng(seed).normal(size=(count, 3, EDGE, EDGE)).astype(np.float32)


def _normal(shape: tuple[int, ...], seed: int) -> Array:
    """Weights whose sums have a deviation of 1."""
    return (np.random.default_rng(seed).normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
