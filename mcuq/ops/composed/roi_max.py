"""RoiAlign in mode max: of each bin the largest of what its samples weigh the pixels around them by; of the four
products, and not of their sum, as ONNX Runtime has it."""

from __future__ import annotations

from math import ceil

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.composed.asked import MOST_ELEMENTS
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.reshape import Reshape
from mcuq.ops.sparse_product import sparse_product
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window


def largest_of_bins(node: OnnxNode, graph: GraphBuilder, image: str, region: Array, size: tuple[int, int]) -> str:
    """(1, C, *size) of the image (1, C, H, W)."""
    _, channels, height, width = graph.tensors[image].shape
    rows = _taps(node, region, size, (height, width))
    bins, taps = size[0] * size[1], len(rows) // (size[0] * size[1])
    if len(rows) * height * width > MOST_ELEMENTS:
        raise node.error(
            f"an image of {[height, width]} and {len(rows):,} weighed pixels are too large; supported is a product of "
            f"{MOST_ELEMENTS:,}"
        )
    matrix = np.zeros((len(rows), height * width), np.float32)
    matrix[np.arange(len(rows)), rows[:, 0].astype(int)] = rows[:, 1]
    x = graph.add(Transpose((0, 2, 3, 1)), [image])
    x = graph.add(Reshape((1, height * width, channels)), [x])
    x = sparse_product(graph, x, 1, matrix, node.name)
    x = graph.add(Reshape((bins, taps, 1, channels)), [x])
    x = graph.add(MaxPool(Window((taps, 1))), [x], name=node.name)
    return graph.add(Transpose((0, 3, 1, 2)), [graph.add(Reshape((1, *size, channels)), [x])])


def _taps(node: OnnxNode, region: Array, size: tuple[int, int], image: tuple[int, int]) -> Array:
    """(bins * samples * 4, 2): a pixel's number, and what it is weighed by."""
    is_half = node.attribute("coordinate_transformation_mode", _mode(node)) == "half_pixel"
    scale, ratio = np.float32(node.attribute("spatial_scale", 1.0)), int(node.attribute("sampling_ratio", 0))
    ends = region.astype(np.float32) * scale - np.float32(0.5 if is_half else 0)
    along = []
    for axis, (bins, pixels) in enumerate(zip(size, image, strict=True)):
        start, end = ends[1 - axis], ends[3 - axis]
        extent = end - start if is_half else max(end - start, np.float32(1))
        step = np.float32(extent / np.float32(bins))
        samples = ratio if ratio > 0 else ceil(extent / np.float32(bins))
        # A region without size has no samples, and runtimes give 0 for it.
        offsets = (np.arange(max(samples, 1), dtype=np.float32) + np.float32(0.5)) * step / np.float32(max(samples, 1))
        places = start + np.arange(bins, dtype=np.float32)[:, None] * step + offsets
        is_within = (places >= -1) & (places <= pixels) & (samples > 0)
        places = np.maximum(places, np.float32(0))
        low = np.minimum(places.astype(int), pixels - 1)
        high = np.minimum(low + 1, pixels - 1)
        upper = np.where(low >= pixels - 1, np.float32(0), places - low.astype(np.float32))
        pair = np.stack([low, high], -1), np.stack([1 - upper, upper], -1) * is_within[..., None]
        along.append(pair)
    (rows, weight_y), (columns, weight_x) = along
    # (bins y, bins x, samples y, samples x, 2, 2)
    number = rows[:, None, :, None, :, None] * image[1] + columns[None, :, None, :, None, :]
    weight = weight_y[:, None, :, None, :, None] * weight_x[None, :, None, :, None, :]
    return np.stack([number.reshape(-1), weight.reshape(-1)], 1)


def _mode(node: OnnxNode) -> str:
    return "half_pixel" if node.opset >= 16 else "output_half_pixel"
