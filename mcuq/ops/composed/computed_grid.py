"""GridSample of a computed grid, between pixels: the four around each place, gathered by computed numbers, times
weights that are what is left of its coordinates without their whole part."""

from __future__ import annotations

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.add import Add, Sub
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.from_integers import FromIntegers
from mcuq.ops.gather import Gather
from mcuq.ops.integer_arithmetic import IntegerArithmetic, integer
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.to_integers import ToIntegers
from mcuq.ops.transpose import Transpose

_MODES = ("linear", "bilinear")
_PADDINGS = ("zeros", "border")


def sampled(node: OnnxNode, graph: GraphBuilder) -> str:
    """(N, C, *places) of images (N, C, H, W)."""
    shape, grid = node.shape(0), node.shape(1)
    mode, padding = node.attribute("mode", "linear"), node.attribute("padding_mode", "zeros")
    if mode not in _MODES:
        raise node.error(f"mode={mode} is not supported where the grid is computed; use linear, or a constant", "mode")
    if padding not in _PADDINGS:
        raise node.error(
            f"padding_mode={padding} is not supported where the grid is computed; use zeros or border", "padding_mode"
        )
    if len(shape) != 4 or len(grid) != 4 or grid[0] != shape[0] or grid[3] != 2:
        raise node.error(f"a computed grid of shape {list(grid)} does not fit an input of shape {list(shape)}")
    n, channels, *sizes = shape
    places = grid[1] * grid[2]
    x = graph.add(Transpose((0, 2, 3, 1)), [node.computed(0)])
    margin = int(padding == "zeros")
    if margin:
        x = graph.add(Pad((0, 1, 1, 0), (0, 1, 1, 0)), [x], name=node.name)
    height, width = (size + 2 * margin for size in sizes)
    x = graph.add(Reshape((n * height * width, channels)), [x])
    columns, column_weights = _around(node, graph, 0, sizes[1], margin)
    rows, row_weights = _around(node, graph, 1, sizes[0], margin)
    rows = graph.add(Reshape((n, places, 2, 1)), [rows])
    rows = graph.add(IntegerArithmetic("Mul"), [rows, integer(graph, np.full((1, 1, 1, 1), width))], name=node.name)
    if n > 1:
        first = integer(graph, (np.arange(n) * height * width).reshape(n, 1, 1, 1))
        rows = graph.add(IntegerArithmetic("Add"), [rows, first], name=node.name)
    columns = graph.add(Reshape((n, places, 1, 2)), [columns])
    numbers = graph.add(IntegerArithmetic("Add"), [rows, columns], name=node.name)
    pixels = graph.add(Gather(0), [x, graph.add(Reshape((n * places, 4)), [numbers])], name=node.name)
    down, across = (
        graph.add(Reshape((n, places, *two)), [weights])
        for weights, two in ((row_weights, (2, 1)), (column_weights, (1, 2)))
    )
    weights = graph.add(Reshape((n * places, 1, 4)), [graph.add(Mul(), [down, across], name=node.name)])
    y = graph.add(MatMul(), [weights, pixels], name=node.name)
    y = graph.add(Reshape((n, *grid[1:3], channels)), [y])
    return graph.add(Transpose((0, 3, 1, 2)), [y], node.outputs[0], node.name)


def _around(node: OnnxNode, graph: GraphBuilder, axis: int, size: int, margin: int) -> tuple[str, str]:
    """Whole coordinates before and behind each place along x (0) or y (1), and their weights, (N, places, 2)."""
    n, height, width, _ = node.shape(1)
    shape = (n, height * width, 1)
    own = graph.add(Slice((0, 0, 0, axis), (n, height, width, 1), (1, 1, 1, 1)), [node.computed(1)], name=node.name)
    own = graph.add(Reshape(shape), [own])
    factor = (size - 1) / 2 if node.attribute("align_corners", 0) else size / 2

    def number(value: float) -> str:
        return graph.constant(np.full((1, 1, 1), value, np.float32), f"{node.name}.number")

    scaled = graph.add(Mul(), [own, number(factor)], name=node.name)
    moved = graph.add(Add(), [scaled, number((size - 1) / 2 + margin)], name=node.name)
    most = size - 1 + 2 * margin
    at = graph.add(Clip(0.0, float(most)), [moved], name=node.name)
    before = graph.add(ToIntegers(0, most), [at], name=node.name)
    behind = graph.add(IntegerArithmetic("Add"), [before, integer(graph, np.ones((1, 1, 1)))], name=node.name)
    behind = graph.add(IntegerArithmetic("Min"), [behind, integer(graph, np.full((1, 1, 1), most))], name=node.name)
    rest = graph.add(Sub(), [at, graph.add(FromIntegers(), [before], name=node.name)], name=node.name)
    other = graph.add(Sub(), [number(1.0), rest], name=node.name)
    return (
        graph.add(Concat(2), [before, behind], name=node.name),
        graph.add(Concat(2), [other, rest], name=node.name),
    )
