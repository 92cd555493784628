"""GridSample, RoiAlign and Col2Im of constants: sums of a few pixels times constants, which ONNX Runtime tells; and
AffineGrid, whose input is the matrices.

Whatever they do they do to each channel alone, and twice as large an image gives twice as large an output: they are
the matrix that images make of which one pixel is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array, Shape
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.composed.asked import MOST_ELEMENTS, given_inputs, output_of
from mcuq.ops.composed.computed_grid import sampled
from mcuq.ops.composed.roi_max import largest_of_bins
from mcuq.ops.concat import Concat
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.sparse_product import sparse_product
from mcuq.ops.transpose import Transpose


def from_grid_sample(node: OnnxNode, graph: GraphBuilder) -> str:
    """Of a constant grid, over images and volumes; each image of the batch has its own. Of a computed one over images,
    between pixels, as finely as the type of its coordinates has them."""
    if not node.is_constant(1):
        return sampled(node, graph)
    shape, grid = node.shape(0), node.constant(1, "grid")
    if len(shape) not in (4, 5) or grid.ndim != len(shape) or grid.shape[0] != shape[0]:
        raise node.error(f"grid of shape {list(grid.shape)} does not fit an input of shape {list(shape)}")
    is_same = bool((grid == grid[:1]).all())
    parts = [grid[:1]] if is_same else [grid[n : n + 1] for n in range(len(grid))]
    made = []
    for n, part in enumerate(parts):
        matrix = _matrix(node, shape[2:], {1: part})
        images = node.computed(0) if is_same else _image(graph, node.computed(0), n)
        made.append(_product(node, graph, images, matrix, grid.shape[1:-1]))
    return made[0] if len(made) == 1 else graph.add(Concat(0), made, node.outputs[0], node.name)


def from_roi_align(node: OnnxNode, graph: GraphBuilder) -> str:
    """Of constant regions; each is read of the image that it says."""
    shape, rois, images = node.shape(0), node.constant(1, "rois"), node.constant(2, "batch_indices")
    mode = node.attribute("mode", "avg")
    if mode not in ("avg", "max"):
        raise node.error(f"mode={mode} is not supported; use avg or max", "mode")
    if len(shape) != 4 or rois.ndim != 2 or images.shape != rois.shape[:1] or not len(rois):
        raise node.error(f"rois of shape {list(rois.shape)} do not fit an input of shape {list(shape)}")
    if images.min() < 0 or images.max() >= shape[0]:
        raise node.error(f"batch_indices={images.tolist()} are outside a batch of {shape[0]}")
    size = (node.attribute("output_height", 1), node.attribute("output_width", 1))
    made = []
    for region, n in zip(rois, images.tolist(), strict=True):
        if mode == "max":
            made.append(largest_of_bins(node, graph, _image(graph, node.computed(0), n), region, size))
            continue
        matrix = _matrix(node, shape[2:], {1: region[None], 2: np.zeros(1, np.int64)})
        made.append(_product(node, graph, _image(graph, node.computed(0), n), matrix, size))
    return made[0] if len(made) == 1 else graph.add(Concat(0), made, node.outputs[0], node.name)


def from_affine_grid(node: OnnxNode, graph: GraphBuilder) -> str:
    """Of computed matrices (N, R, R + 1): their products with places (*size, R + 1), which are weights."""
    shape, size = node.shape(0), node.constant(1, "size").reshape(-1)
    rank = shape[-2] if len(shape) > 1 else 0
    if len(shape) != 3 or shape[2] != rank + 1 or len(size) != rank + 2 or size[0] != shape[0]:
        raise node.error(f"size={size.tolist()} does not fit matrices of shape {list(shape)}")
    units = np.zeros((rank + 1, rank, rank + 1), np.float32)
    units[:, 0] = np.eye(rank + 1, dtype=np.float32)
    places = output_of(node, units, {1: np.array([rank + 1, *size[1:]], np.int64)})
    weight = places[..., 0].reshape(rank + 1, -1).T
    inputs = [
        graph.add(Reshape((shape[0] * rank, rank + 1)), [node.computed(0)]),
        graph.constant(weight, f"{node.name}.places"),
        graph.constant(np.zeros(len(weight), np.float32), f"{node.name}.bias"),
    ]
    y = graph.add(FullyConnected(), inputs, name=node.name)
    y = graph.add(Reshape((shape[0], rank, *map(int, size[2:]))), [y])
    return graph.add(Transpose((0, *range(2, 2 + rank), 1)), [y])


def from_col2im(node: OnnxNode, graph: GraphBuilder) -> str:
    """Columns (N, C * block, L) add up to images (N, C, *image_shape)."""
    shape = node.shape(0)
    image, block = node.constant(1, "image_shape"), node.constant(2, "block_shape")
    taps = int(np.prod(block))
    if len(shape) != 3 or taps < 1 or shape[1] % taps:
        raise node.error(f"block_shape={block.reshape(-1).tolist()} does not fit an input of shape {list(shape)}")
    n, channels, columns = shape[0], shape[1] // taps, shape[2]
    matrix = _matrix(node, (taps, columns), {}, lambda units: units.reshape(1, -1, columns))
    x = graph.add(Reshape((n, channels, taps, columns)), [node.computed(0)])
    return _product(node, graph, x, matrix, tuple(image.reshape(-1).tolist()))


def _image(graph: GraphBuilder, x: str, n: int) -> str:
    shape = graph.tensors[x].shape
    if shape[0] == 1:
        return x
    return graph.add(Slice((n, *(0 for _ in shape[1:])), (1, *shape[1:]), (1,) * len(shape)), [x])


def _product(node: OnnxNode, graph: GraphBuilder, x: str, matrix: Array, size: Shape) -> str:
    """(N, C, *size) of `x` (N, C, *pixels), channels last between."""
    n, channels, *pixels = graph.tensors[x].shape
    rank = len(pixels)
    x = graph.add(Transpose((0, *range(2, 2 + rank), 1)), [x])
    x = graph.add(Reshape((n, prod(pixels), channels)), [x])
    y = sparse_product(graph, x, 1, matrix, node.name)
    y = graph.add(Reshape((n, *size, channels)), [y])
    return graph.add(Transpose((0, 1 + len(size), *range(1, 1 + len(size)))), [y])


def _matrix(
    node: OnnxNode,
    pixels: Shape,
    others: Mapping[int, Array],
    as_input: Callable[[Array], Array] = lambda units: units,
) -> Array:
    """(outputs, pixels): how much of each pixel goes into each output of one image, `others` being what it has of
    constants that differ between images."""
    count = prod(pixels)
    constants = {i: others.get(i, node.constants[node.inputs[i]]) for i in given_inputs(node)}
    if count * count > MOST_ELEMENTS:
        raise node.error(f"an image of {list(pixels)} is too large; supported are {int(MOST_ELEMENTS**0.5)} pixels")
    units = as_input(np.eye(count, dtype=np.float32).reshape(1, count, *pixels))
    return output_of(node, units, constants).reshape(count, -1).T
