"""Between the model's channels-first order and the channels-last order of the operators over images."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Shape
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose


def spatial_shape(node: OnnxNode) -> Shape:
    """(L,), (H, W) or (D, H, W) of the node's first input; ModelError where it is no signal, image or volume."""
    shape = node.shape(0)
    if len(shape) not in (3, 4, 5):
        raise node.error(
            f"input of shape {list(shape)}; supported are 1-D (N, C, L), 2-D (N, C, H, W) and 3-D (N, C, D, H, W)"
        )
    return shape[2:]


def channels_last(node: OnnxNode, graph: GraphBuilder) -> str:
    """The node's first input, (N, C, L) or (N, C, H, W), as NHWC; a signal of length L has height 1."""
    x, shape = node.computed(0), node.shape(0)
    if len(shape) == 3:
        x = graph.add(Reshape((shape[0], shape[1], 1, shape[2])), [x])
    return graph.add(Transpose((0, 2, 3, 1)), [x])


def channels_first(node: OnnxNode, graph: GraphBuilder, y: str) -> str:
    """The NHWC tensor `y` as the node's output, with as many dimensions as its input has."""
    if len(node.shape(0)) == 4:
        return graph.add(Transpose((0, 3, 1, 2)), [y], node.outputs[0])
    y = graph.add(Transpose((0, 3, 1, 2)), [y])
    n, c, _, length = graph.tensors[y].shape
    return graph.add(Reshape((n, c, length)), [y], node.outputs[0])
