"""Pooling: what becomes of a window's values aside."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.rows import Band, RowWindow
from mcuq.graph.tensor import Shape, Tensor
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.layout import spatial_shape
from mcuq.ops.window import AxisWindow, Window, axis_windows


def pool_windows(node: OnnxNode) -> tuple[AxisWindow, ...]:
    """The node's window along each dimension of a signal, an image or a volume; ModelError without kernel_shape."""
    spatial = spatial_shape(node)
    kernel = node.attribute("kernel_shape")
    if kernel is None or len(kernel) != len(spatial):
        raise node.error(f"kernel_shape={kernel} does not fit input of shape {list(node.shape(0))}")
    windows = axis_windows(node, kernel, spatial)
    # ONNX Runtime refuses such a window: parts of it would meet padding alone.
    if any(max(along.begin, along.end) >= along.kernel for along in windows):
        pads = [*(along.begin for along in windows), *(along.end for along in windows)]
        raise node.error(f"pads={pads} reach beyond the window {list(kernel)}; use smaller pads")
    return windows


@dataclass(frozen=True)
class Pool(Operator):
    """One value for each window and channel of x, NHWC."""

    window: Window

    is_monotone = True
    passes_channels = True

    def row_window(self, layer: Layer, index: int, axis: int) -> RowWindow | None:
        return self.window.rows(axis)

    def banded(self, axis: int, band: Band) -> Operator:
        return replace(self, window=self.window.banded(axis, band))

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        n, height, width, channels = inputs[0].shape
        return (n, *self.window.output_size(height, width), channels)

    def mixed_axes(self, rank: int) -> Collection[int]:
        return range(rank - 1)

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return self

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,)

    def written(self, layer: Layer, writer: OnnxWriter, **attributes: Any) -> str:
        """The output of the ONNX operator of this name, in ONNX's order NCHW."""
        return writer.node(
            type(self).__name__,
            [writer.transpose(layer.inputs[0].name, (0, 3, 1, 2))],
            kernel_shape=self.window.kernel,
            strides=self.window.strides,
            pads=self.window.pads,
            ceil_mode=self.window.onnx_ceil_mode(*layer.inputs[0].shape[1:3]),
            **attributes,
        )

    def written_sums(self, layer: Layer, writer: OnnxWriter, x: str) -> str:
        """The sums of windows of x, NHWC, in ONNX's order NCHW: by a convolution of ones, which has as much padding as
        the last window needs."""
        window, shape = self.window, layer.inputs[0].shape
        ends = [
            max(0, (outputs - 1) * along.stride + along.extent - along.begin - size)
            for along, outputs, size in zip(window.axes, layer.output.shape[1:3], shape[1:3], strict=True)
        ]
        return writer.node(
            "Conv",
            [
                writer.transpose(x, (0, 3, 1, 2)),
                writer.constant(np.ones((shape[3], 1, *window.kernel), np.float32)),
            ],
            strides=window.strides,
            pads=(*window.pads[:2], *ends),
            dilations=window.dilations,
            group=shape[3],
        )


def maxima_shape(window: Window, shape: Shape) -> Shape:
    """(N, OH, OW, C) of the maxima of windows on (N, H, W, C); ModelError where a window has no input."""
    n, height, width, channels = shape
    (kh, kw), (dy, dx), (top, left, bottom, right) = (window.kernel, window.dilations, window.pads)
    # A window wholly inside the padding would have no maximum.
    if max(top, bottom) > (kh - 1) * dy or max(left, right) > (kw - 1) * dx:
        raise ModelError(f"pads={list(window.pads)} reach beyond the window {[kh, kw]}")
    if not window.meets_input(height, width):
        raise ModelError(
            f"pads={list(window.pads)} and dilations={[dy, dx]} leave a window without input of {[height, width]}"
        )
    return (n, *window.output_size(height, width), channels)
